"""What every encoder has in common: items go in, bytes of a response body come out.

An encoder does no I/O and looks at no clock. It serves one response: it may remember what it has
written. A relay calls ``start``, then ``item`` and ``ping`` as they come, then ``end`` or ``fail``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from cometgem.types.wire import encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cometgem.conversation.rounds import ConversationItem
    from cometgem.types.content import FunctionCall
    from cometgem.types.response import GenerateContentResponse

__all__ = ["EVENT_STREAM", "JSON_TEXT", "Encoder", "event", "events"]

EVENT_STREAM: Mapping[str, str] = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",  # nginx would hold the events back
}
"""The headers of a response with server-sent events."""

JSON_TEXT = r'(?P<text>[^"\\]*(?:\\.[^"\\]*)*)'
"""A regular expression for what is between the quotes of a string in JSON."""


class Encoder(ABC):
    """Turns the items of one stream into the bytes of one response.

    Attributes:
        headers: The headers of the response, in lower case.
        tells_failures: Whether the format can say that the answer is incomplete. If not, the relay
            breaks the connection after ``fail``, since a good end would count as success.
        numbers_events: Whether each event has an id: a whole number that grows.
        delta: A regular expression for an event, without its empty line, that only continues a
            text; None if there is none. The group ``text`` is the text, escaped as in a JSON
            string; adjacent events of which the group ``kind`` is the same may be joined into one.
    """

    headers: ClassVar[Mapping[str, str]] = EVENT_STREAM
    tells_failures: ClassVar[bool] = True
    numbers_events: ClassVar[bool] = False
    delta: ClassVar[str | None] = None

    def start(self) -> bytes:
        """Return what comes before the first item."""
        return b""

    @abstractmethod
    def item(self, item: ConversationItem) -> bytes:
        """Return an item: a chunk, or a function call or response of a conversation."""

    def ping(self) -> bytes:
        """Return a sign of life that readers ignore."""
        return b": ping\n\n"

    @abstractmethod
    def fail(self, message: str) -> bytes:
        """Return the end of a response that failed; ``message`` is shown to a person."""

    def stop(self) -> bytes:
        """Return the end of a response that was stopped on request."""
        return self.fail("The answer was stopped.")

    def end(
        self,
        final: GenerateContentResponse,  # noqa: ARG002  not all formats need it
        pending: Sequence[FunctionCall] = (),  # noqa: ARG002
    ) -> bytes:
        """Return what comes after the last item.

        Args:
            final: The last answer, merged, with the usage of all.
            pending: The calls that wait for an answer, if the conversation is paused.
        """
        return b""


def event(data: object, name: str | None = None, number: int | None = None) -> bytes:
    """Return one server-sent event: JSON in one line, with the name and the id if given."""
    head = b"" if number is None else b"id: %d\n" % number
    if name is not None:
        head += b"event: %s\n" % name.encode()
    return b"%sdata: %s\n\n" % (head, encode(data))


def events(*data: object) -> bytes:
    """Return several events without names."""
    return b"".join(map(event, data))
