"""Server-sent events (WHATWG HTML 9.2.5 and 9.2.6), incremental: bytes in, events out.

Laws: no I/O and no JSON here. The events do not depend on how the bytes were split into reads,
and each byte is scanned a fixed number of times, however long a line grows. One deliberate
deviation from the standard: ``close()`` returns an event whose final blank line is missing, since
gateways, and even Google's recorded bodies, leave it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from cometgem.errors import EventTooLargeError
from cometgem.response.buffer import Buffer, Data

if TYPE_CHECKING:
    from cometgem.response.buffer import Allocate

__all__ = ["MAX_EVENT_SIZE", "SSEDecoder", "ServerSentEvent"]

# A 4K image in base64 is a single line of about 30 MB.
MAX_EVENT_SIZE = 64 * 1024 * 1024

# Longer than any error report in the middle of a stream.
_MAX_UNKNOWN = 64 * 1024

_BOM = b"\xef\xbb\xbf"
_CR = ord("\r")
_MAX_DIGITS = 20
_LONGEST_PREFIX = len(b"data: ")


class ServerSentEvent(Struct, gc=False):
    """One event of the stream.

    Attributes:
        data: The data lines, joined by LF; not checked for valid UTF-8. A view if it is large.
        event: The event type, or None if the stream set none.
        id: The last event id that the stream set, or None.
        retry: The reconnection time in milliseconds, if this event set one.
    """

    data: Data
    event: str | None = None
    id: str | None = None
    retry: int | None = None


class SSEDecoder:
    """Splits a body into events.

    Args:
        max_event_size: The maximum size of the data of one event, in bytes.
        allocate: Allocates the memory of a large line, see ``Buffer``.

    Attributes:
        unknown: Lines without a known field, up to 64 KiB. The standard ignores them, but a
            proxy's bare error report ends up here.
    """

    def __init__(
        self, max_event_size: int = MAX_EVENT_SIZE, allocate: Allocate | None = None
    ) -> None:
        self.unknown: list[bytes] = []
        self._unknown_size = 0
        self._max = max_event_size
        self._head: bytes | None = b""  # the possible start of a BOM; None once past it
        self._after_cr = False
        self._line = Buffer(max_event_size + _LONGEST_PREFIX, allocate)  # unfinished
        self._in_comment = False
        self._data: list[Data] = []  # data lines of the unfinished event
        self._data_size = 0
        self._event: str | None = None
        self._id: str | None = None
        self._retry: int | None = None
        self._too_large = 0
        self._between_events = False

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next bytes of the body and return the events that they complete.

        Raises:
            EventTooLargeError: An event is over the limit. Events before it are returned first,
                and the error is raised by the next call.
        """
        if self._too_large:
            raise EventTooLargeError(self._too_large, self._max)
        if self._head is not None:
            data = self._skip_bom(data)
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        events: list[ServerSentEvent] = []
        try:
            self._split(data, events)
        except EventTooLargeError as error:
            self._too_large = error.size
            if not events:
                raise
        self._between_events = not (
            self._line.size
            or self._in_comment
            or self._data
            or self._event
            or self._retry is not None
            or self._after_cr
            or self._too_large
            or self._head is not None
        )
        return events

    def whole_event(self, data: bytes) -> bytes | None:
        """Return the data of a read that is exactly one event of one line; else None: ``feed`` it.

        Most reads are, since most servers flush each event; ``feed`` takes three times as long.
        """
        if not (self._between_events and data.startswith(b"data: ")):
            return None
        end = data.find(b"\n")
        gap = data[end:]
        if gap == b"\n\r\n" and data[end - 1] == _CR:
            end -= 1
        elif gap != b"\n\n":
            return None
        if data.find(b"\r", 0, end) >= 0 or end - _LONGEST_PREFIX > self._max:
            return None
        return data[_LONGEST_PREFIX:end]

    def close(self) -> list[ServerSentEvent]:
        """End the body and return the unfinished event, if any.

        Raises:
            EventTooLargeError: The event is over the limit.
        """
        held, self._head = self._head, None
        return self.feed((held or b"") + b"\n\n")

    def _split(self, data: bytes, events: list[ServerSentEvent]) -> None:
        if not data:
            return
        goes_on = self._in_comment or self._line.size > 0
        if goes_on and data.find(b"\n") < 0 and data.find(b"\r") < 0:
            self._hold(data)  # the middle of an image: splitlines() would copy it
            return
        # On bytes, splitlines() splits at CR, LF and CRLF only, as the standard requires.
        lines = data.splitlines()
        self._after_cr = data.endswith(b"\r")
        rest = b"" if data.endswith((b"\n", b"\r")) else lines.pop()
        if lines:
            if goes_on:
                self._end_line(lines)
            self._take(lines, events)
        if rest:
            self._hold(rest)

    def _end_line(self, lines: list[bytes]) -> None:
        """Complete the unfinished line, whose end is the first of the lines."""
        if self._in_comment:
            self._in_comment = False
            del lines[0]
            return
        self._hold(lines[0])
        line = self._line.take()
        if isinstance(line, bytes):
            lines[0] = line
        elif bytes(line[:_LONGEST_PREFIX]) == b"data: ":
            del lines[0]
            self._add(line[_LONGEST_PREFIX:])  # not a copy
        else:
            lines[0] = bytes(line)

    def _add(self, value: Data) -> None:
        self._data_size += len(value) + 1
        if self._data_size > self._max + 1:
            raise EventTooLargeError(self._data_size - 1, self._max)
        self._data.append(value)

    def _take(self, lines: list[bytes], events: list[ServerSentEvent]) -> None:
        data = self._data
        for line in lines:
            if line.startswith(b"data:"):
                value = line[6:] if line.startswith(b"data: ") else line[5:]
                self._data_size += len(value) + 1
                if self._data_size > self._max + 1:
                    raise EventTooLargeError(self._data_size - 1, self._max)
                data.append(value)
            elif line:
                self._take_field(line)
            else:
                if data:
                    body = data[0] if len(data) == 1 else b"\n".join(data)
                    events.append(ServerSentEvent(body, self._event, self._id, self._retry))
                    data.clear()
                    self._data_size = 0
                self._event = self._retry = None

    def _take_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if not name:
            return
        if len(line) - _LONGEST_PREFIX > self._max:
            raise EventTooLargeError(len(line), self._max)
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._add(b"")
            case b"event":
                self._event = value.decode("utf-8", "replace") or None
            case b"id":
                if b"\0" not in value:
                    self._id = value.decode("utf-8", "replace")
            case b"retry":
                if value.isdigit() and len(value) < _MAX_DIGITS:
                    self._retry = int(value)
            case _:
                self._unknown_size += len(line) + 1
                if self._unknown_size <= _MAX_UNKNOWN:
                    self.unknown.append(line)

    def _hold(self, piece: bytes) -> None:
        """Keep the start of an unfinished line; of a comment, only that it is one."""
        size = self._line.size + len(piece)
        if self._in_comment:
            return
        if not self._line.size and piece.startswith(b":"):
            self._in_comment = True
        elif size - _LONGEST_PREFIX > self._max:
            raise EventTooLargeError(size, self._max)
        else:
            self._line.add(piece)

    def _skip_bom(self, data: bytes) -> bytes:
        head = (self._head or b"") + data
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._head = head
            return b""
        self._head = None
        return head.removeprefix(_BOM)
