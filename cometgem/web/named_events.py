"""Server-sent events with names of their own, for a page that reads them with EventSource."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

from cometgem.types.content import FunctionCall
from cometgem.types.response import GenerateContentResponse
from cometgem.web.encoder import JSON_TEXT, Encoder, event
from cometgem.web.seen_sources import SeenSources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cometgem.conversation.rounds import ConversationItem
    from cometgem.types.content import Part

__all__ = ["EventEncoder"]


class EventEncoder(Encoder):
    """Writes events with a name, an id and a JSON object.

    ======== ==============================================
    name     data
    ======== ==============================================
    text     ``{"text"}``: the next piece of the answer
    thought  ``{"text"}``: the next piece of the thinking
    call     ``{"id", "name", "args"}``
    result   ``{"id", "name", "response"}``
    image    ``{"mimeType", "data"}``, in base64
    source   ``{"uri", "title"}``
    usage    the API's usageMetadata
    error    ``{"message"}``; nothing follows
    done     ``{"finishReason"}``; nothing follows
    ======== ==============================================
    """

    numbers_events: ClassVar[bool] = True
    delta: ClassVar[str | None] = (
        rf'id: \d+\n(?P<kind>event: (?:text|thought)\ndata: \{{"text":"){JSON_TEXT}"\}}'
    )

    def __init__(self) -> None:
        self._number = 0
        self._sources = SeenSources()

    def item(self, item: ConversationItem) -> bytes:
        """Return the events of an item."""
        if isinstance(item, GenerateContentResponse):
            return b"".join(self._of_chunk(item))
        if isinstance(item, FunctionCall):
            return self._event("call", id=item.id, name=item.name, args=item.args)
        return self._event("result", id=item.id, name=item.name, response=item.response)

    def fail(self, message: str) -> bytes:
        """Return an ``error`` event."""
        return self._event("error", message=message)

    def end(self, final: GenerateContentResponse) -> bytes:
        """Return a ``usage`` and a ``done`` event."""
        usage = b""
        if final.usage_metadata is not None:
            usage = self._event("usage", **final.usage_metadata.to_dict())
        return usage + self._event("done", finishReason=final.finish_reason)

    def _of_chunk(self, chunk: GenerateContentResponse) -> Iterator[bytes]:
        for part in chunk.parts:
            yield self._of_part(part)
        for source in self._sources.new(chunk):
            yield self._event("source", uri=source.uri, title=source.title)

    def _of_part(self, part: Part) -> bytes:
        if part.text:
            return self._event("thought" if part.thought else "text", text=part.text)
        image = part.inline_data
        if image is not None and not part.thought:
            data = base64.b64encode(image.data).decode()
            return self._event("image", mimeType=image.mime_type, data=data)
        return b""

    def _event(self, kind: str, /, **data: Any) -> bytes:
        self._number += 1
        return event(data, kind, self._number)
