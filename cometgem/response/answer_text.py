"""The text of an answer while it arrives, and what is certain of its JSON."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from cometgem.response.json_frame import JSONSyntaxError

if TYPE_CHECKING:
    from cometgem.response.partial_json import PartialJSON

__all__ = ["AnswerText"]


class AnswerText:
    """The text of one answer, without thoughts, in the pieces that have come.

    Args:
        final: As below.

    Attributes:
        pieces: The pieces.
        final: Whether this is the answer for certain. In a conversation with functions that is
            known at its end only, since the model may still call one.
        dropped: Whether it is not the answer, since the model has called functions.
        ended: Whether all of it has come.
    """

    __slots__ = ("_fed", "_parser", "dropped", "ended", "final", "pieces")

    def __init__(self, *, final: bool = True) -> None:
        self.pieces: list[str] = []
        self.final: bool = final
        self.dropped: bool = False
        self.ended: bool = False
        self._parser: PartialJSON | None = None
        self._fed = 0  # how many of the pieces the parser has got

    def add(self, text: str) -> None:
        """Add the text of a chunk, unless it is not of the answer."""
        if text and not self.dropped:
            self.pieces.append(text)

    def drop(self) -> None:
        """Say that this is not the answer."""
        self.dropped = True
        self.pieces = []

    def end(self) -> None:
        """Say that this was the answer, and that nothing more comes."""
        self.final = self.ended = True

    @property
    def value(self) -> Any:
        """What is certain of the JSON so far; None before its beginning.

        Raises:
            JSONSyntaxError: This is the answer, and it is not JSON.
        """
        if self.dropped:
            return None
        if self._parser is None:
            from cometgem.response.partial_json import PartialJSON  # noqa: PLC0415  only if needed

            self._parser = PartialJSON()
        new = self.pieces[self._fed :]
        self._fed += len(new)
        try:
            self._parser.feed("".join(new))  # raises again what it has raised before
        except JSONSyntaxError:
            if self.final:
                raise
        if self.ended:
            with contextlib.suppress(JSONSyntaxError):  # it is cut off
                self._parser.close()
        return self._parser.value
