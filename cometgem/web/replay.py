"""What a viewer gets of a run: texts are joined, and events that it has are left out.

Works on the bytes, without decoding JSON: a long answer has thousands of pieces.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Replay", "event_number"]

_ID = re.compile(rb"^id: (\d{1,18})$", re.MULTILINE)


class Replay:
    """Turns the pieces of a run into those of one viewer.

    Args:
        delta: The pattern of events that only continue a text, as ``Encoder.delta``, or None.
        after: The id of the last event that the viewer has, or None if it has none.
    """

    def __init__(self, delta: str | None, after: int | None = None) -> None:
        self._delta = None if delta is None else re.compile(delta.encode(), re.DOTALL)
        self._after = after

    def data(self, pieces: Sequence[bytes]) -> bytes:
        """Return the next pieces as one, or nothing if the viewer has them."""
        if self._after is None:
            if len(pieces) == 1:
                return pieces[0]
            data = b"".join(pieces)
        else:
            data = self._skip(b"".join(pieces), self._after)
        return data if self._delta is None else _join(self._delta, data)

    def _skip(self, data: bytes, after: int) -> bytes:
        for found in _ID.finditer(data):
            if int(found[1]) > after:
                self._after = None
                return data[data.rfind(b"\n\n", 0, found.start()) + 2 if found.start() else 0 :]
        return b""


def event_number(after: int | str | None) -> int | None:
    """Return the id of an event as a number.

    None if there is none, also for what no event of ours is called: the value is the browser's.
    """
    text = str(after).strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None  # noqa: PLR2004  as in _ID


def _join(delta: re.Pattern[bytes], data: bytes) -> bytes:
    events = data.split(b"\n\n")
    rest = events.pop()
    return b"".join(event + b"\n\n" for event in _joined(delta, events)) + rest


def _joined(delta: re.Pattern[bytes], events: list[bytes]) -> Iterator[bytes]:
    last: re.Match[bytes] | None = None  # of the texts that are being joined
    texts: list[bytes] = []
    for event in events:
        found = delta.fullmatch(event)
        if last is not None and (found is None or found["kind"] != last["kind"]):
            yield _one(last, texts)
            texts = []
        last = found
        if found is None:
            yield event
        else:
            texts.append(found["text"])
    if last is not None:
        yield _one(last, texts)


def _one(last: re.Match[bytes], texts: list[bytes]) -> bytes:
    """Return the last of several events, with the text of all."""
    event, (start, end) = last.string, last.span("text")
    return b"".join([event[:start], *texts, event[end:]])
