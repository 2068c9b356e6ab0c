"""Merges the parts of one candidate: text joins, everything else stands alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cometgem.errors import ResponseDecodeError
from cometgem.response.codec import excerpt, is_within
from cometgem.response.merge_calls import CallMerger, OpenCalls
from cometgem.types.content import Part
from cometgem.types.wire import encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cometgem.types.content import FunctionCall

__all__ = ["MAX_DEPTH", "PartsMerger"]

# Deeper values end in a RecursionError: Python's limit is 1,000, and some of what walks through a
# value takes two calls for each level.
MAX_DEPTH = 490


class PartsMerger:
    """The parts of one candidate, in order: finished parts, then text that may still grow."""

    def __init__(self) -> None:
        self._done: list[Part | CallMerger] = []
        self._measured = 0  # how many of these are in _bytes
        self._bytes = 0  # of text without thoughts
        self._text: list[str] = []
        self._earlier: list[str] = []  # the beginning of this text, from the hops before
        self._thought: bool | None = None
        self._open_calls: OpenCalls | None = None
        self._plain = Part()  # what a part is compared with; making one for each takes longer

    def continue_text(self, part: Part) -> bool:
        """Add a part that has nothing but more of the last text; return whether it is one."""
        text, plain = part.text, self._plain
        plain.text, plain.thought = text, self._thought
        if not (text and self._text and part == plain):
            return False
        self._text.append(text)
        return True

    def add(self, part: Part) -> None:
        """Add the next part.

        Raises:
            ResponseDecodeError: It has JSON nested more than 490 levels deep.
        """
        text = part.text
        plain = self._plain
        plain.text, plain.thought = text, part.thought
        if text is not None and part == plain:
            if not text:
                return
            if self._text and bool(part.thought) != bool(self._thought):
                self._close_text()
            self._text.append(text)
            self._thought = part.thought
        elif part.function_call is not None:
            _check_depth(part)
            self._close_text()
            self._add_call(part, part.function_call)
        elif part != Part(thought=part.thought):
            _check_depth(part)
            self._close_text()
            self._done.append(part)

    def parts(self) -> list[Part]:
        """Return the parts so far; later ones do not change them."""
        if len(self._text) > 1:
            self._text = ["".join(self._text)]
        parts = [part if isinstance(part, Part) else part.part() for part in self._done]
        if self._text:
            text = "".join([*self._earlier, *self._text]) if self._earlier else self._text[0]
            parts.append(Part(text=text, thought=self._thought))
        return parts

    def restore(self, parts: Iterable[Part]) -> None:
        """Add the parts of a merged response, none of which continues the one before."""
        for part in parts:
            self._close_text()
            self.add(part)

    def begin_hop(self) -> int:
        """Return the size of the text so far, without thoughts, in bytes of UTF-8.

        What was measured once is not measured again.
        """
        for part in self._done[self._measured :]:
            if isinstance(part, Part) and part.text and not part.thought:
                self._bytes += _size(part.text)
        self._measured = len(self._done)
        if self._text:
            text = "".join(self._text)
            self._bytes += 0 if self._thought else _size(text)
            self._earlier.append(text)
            self._text = [""]  # not empty: it may go on
        return self._bytes

    def beginning(self, length: int) -> str:
        """Return up to so many characters of the text, without thoughts."""
        texts = [part.text for part in self._done if isinstance(part, Part) and not part.thought]
        if not self._thought:
            texts += [*self._earlier, *self._text]
        pieces: list[str] = []
        for text in texts:
            if text and length > 0:
                pieces.append(text[:length])
                length -= len(text)
        return "".join(pieces)

    def _close_text(self) -> None:
        if self._text:
            if self._earlier and not self._thought:  # measured again with the whole
                self._bytes -= sum(map(_size, self._earlier))
            self._done.append(
                Part(text="".join([*self._earlier, *self._text]), thought=self._thought)
            )
            self._text, self._earlier = [], []

    def _add_call(self, part: Part, call: FunctionCall) -> None:
        if self._open_calls is None:
            if not CallMerger.begins(call):
                self._done.append(part)
                return
            self._open_calls = OpenCalls()
        begun = self._open_calls.add(part, call)
        if begun is not None:
            self._done.append(begun)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _check_depth(part: Part) -> None:
    """Refuse JSON that is nested too deep to be copied, pickled or sent back."""
    if (call := part.function_call) is not None:
        _check_value(call.args, part)
    if (result := part.function_response) is not None:
        _check_value(result.response, part)
    if (tool_call := part.tool_call) is not None:
        _check_value(tool_call.args, part)
    if (tool_response := part.tool_response) is not None:
        _check_value(tool_response.response, part)
    if part.part_metadata is not None:
        _check_value(part.part_metadata, part)
    for value in (part.unknown or {}).values():
        _check_value(value, part)


def _check_value(value: object, part: Part) -> None:
    if value and not is_within(value, MAX_DEPTH):
        raise ResponseDecodeError(
            f"the server sent JSON nested more than {MAX_DEPTH} levels deep",
            excerpt=excerpt(encode(part)),
        )
