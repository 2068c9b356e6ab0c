"""Server-sent events with names of their own, for a page that reads them with EventSource."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

from cometgem.conversation.failures import MALFORMED
from cometgem.types.content import FunctionCall
from cometgem.types.response import GenerateContentResponse
from cometgem.web.calls import Calls
from cometgem.web.encoder import JSON_TEXT, Encoder, event
from cometgem.web.seen_sources import SeenSources

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cometgem.conversation.rounds import ConversationItem
    from cometgem.types.content import Blob, FunctionResponse, Part
    from cometgem.web.calls import KnownCall

__all__ = ["EventEncoder"]


class EventEncoder(Encoder):
    """Writes events with a name, an id and a JSON object.

    ======== =========================================================================
    name     data
    ======== =========================================================================
    text     ``{"text"}``: the next piece of the answer
    thought  ``{"text"}``: the next piece of the thinking
    call     ``{"id", "name", "args"}``: a complete call
    result   ``{"id", "name", "response"}``, with the id of the call
    image    ``{"mimeType", "data"}``: an image or other media, in base64
    source   ``{"uri", "title"}``, each once
    usage    the API's usageMetadata
    error    ``{"message"}``; nothing follows
    done     ``{"finishReason"}``, and ``"pending"`` with the ids of calls that wait for
             an answer, if there are any; nothing follows
    ======== =========================================================================

    An ``EventSource`` takes an ``error`` event for a broken connection as well; one that the server
    has sent has ``data``. Close it at ``error`` and ``done``, since it would ask again.
    """

    numbers_events: ClassVar[bool] = True
    delta: ClassVar[str | None] = (
        rf'id: \d+\n(?P<kind>event: (?:text|thought)\ndata: \{{"text":"){JSON_TEXT}"\}}'
    )

    def __init__(self) -> None:
        self._number = 0
        self._sources = SeenSources()
        self._calls = Calls()
        self._answered = False

    def item(self, item: ConversationItem) -> bytes:
        """Return the events of an item."""
        if isinstance(item, GenerateContentResponse):
            return b"".join(self._of_chunk(item))
        if isinstance(item, FunctionCall):
            known = self._calls.of_item(item)
            return b"" if known is None else self._of_call(known)
        return b"".join(self._of_result(item))

    def fail(self, message: str) -> bytes:
        """Return an ``error`` event."""
        return self._event("error", message=message)

    def end(self, final: GenerateContentResponse, pending: Sequence[FunctionCall] = ()) -> bytes:
        """Return a ``usage`` and a ``done`` event."""
        usage = b""
        if final.usage_metadata is not None:
            usage = self._event("usage", **final.usage_metadata.to_dict())
        done: dict[str, Any] = {"finishReason": final.finish_reason or final.block_reason}
        if pending:
            done["pending"] = [known.page_id for known, _ in self._calls.waiting(pending)]
        return usage + self._event("done", **done)

    def _of_chunk(self, chunk: GenerateContentResponse) -> Iterator[bytes]:
        if self._answered:
            self._answered = False
            self._calls.begin_step()
        for part in chunk.parts:
            yield self._of_part(part)
        for source in self._sources.new(chunk):
            yield self._event("source", uri=source.uri, title=source.title)
        self._answered = chunk.finish_reason in MALFORMED  # the next chunk answers anew

    def _of_part(self, part: Part) -> bytes:
        if part.text:
            return self._event("thought" if part.thought else "text", text=part.text)
        if part.inline_data is not None and not part.thought:
            return self._of_media(part.inline_data)
        called = self._calls.of_part(part)
        return b"".join([self._of_call(known) for known in called if known.complete])

    def _of_call(self, known: KnownCall) -> bytes:
        return self._event("call", id=known.page_id, name=known.name, args=known.args)

    def _of_result(self, response: FunctionResponse) -> Iterator[bytes]:
        known = self._calls.of_result(response)
        if known is not None and not known.complete:
            yield self._of_call(known)
        self._answered = True
        page_id = response.id if known is None else known.page_id
        yield self._event("result", id=page_id, name=response.name, response=response.response)
        for part in response.parts:
            if part.inline_data is not None:
                yield self._of_media(part.inline_data)

    def _of_media(self, media: Blob) -> bytes:
        data = base64.b64encode(media.data).decode()
        return self._event("image", mimeType=media.mime_type, data=data)

    def _event(self, kind: str, /, **data: Any) -> bytes:
        self._number += 1
        return event(data, kind, self._number)
