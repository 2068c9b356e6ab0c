"""Vercel's UI message stream, which ``useChat`` of the npm package ``ai`` reads.

The protocol is that of https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol. Its readers take a stream
that merely ends for a success, read nothing after an ``error``, and refuse events of unknown types.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cometgem.errors import ConfigurationError
from cometgem.types.content import FunctionCall
from cometgem.types.response import GenerateContentResponse
from cometgem.web.encoder import EVENT_STREAM, JSON_TEXT, Encoder, event, events
from cometgem.web.seen_sources import SeenSources
from cometgem.web.ui_citations import citations
from cometgem.web.ui_tools import UITools

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from cometgem.conversation.rounds import ConversationItem
    from cometgem.types.content import Blob, FunctionResponse, Part
    from cometgem.web.seen_sources import WebSource

__all__ = ["UIMessageEncoder"]

_DONE = b"data: [DONE]\n\n"

# https://ai.google.dev/api/generate-content#FinishReason, in the words of the npm package.
_FINISH_REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content-filter",
    "RECITATION": "content-filter",
    "LANGUAGE": "content-filter",
    "BLOCKLIST": "content-filter",
    "PROHIBITED_CONTENT": "content-filter",
    "SPII": "content-filter",
    "IMAGE_SAFETY": "content-filter",
    "IMAGE_PROHIBITED_CONTENT": "content-filter",
    "IMAGE_RECITATION": "content-filter",
    "MODEL_ARMOR": "content-filter",
    "MALFORMED_FUNCTION_CALL": "error",
    "UNEXPECTED_TOOL_CALL": "error",
    "TOO_MANY_TOOL_CALLS": "error",
    "MISSING_THOUGHT_SIGNATURE": "error",
}


class UIMessageEncoder(Encoder):
    """Writes the UI message stream.

    Args:
        sdk: The major version of the npm package. 7 gets the events that 6 does not know.
        page_tools: The names of the tools that the page declares itself; all others are marked as
            dynamic, without which the page would refuse them.
        message_id: The id of the message, if it is known before the page makes one up.
        thoughts: Whether thoughts are written, as reasoning.

    Raises:
        ConfigurationError: ``sdk`` is neither 6 nor 7.
    """

    headers: ClassVar[Mapping[str, str]] = {
        **EVENT_STREAM,
        "x-vercel-ai-ui-message-stream": "v1",
    }
    delta: ClassVar[str | None] = (
        r'(?P<kind>data: \{"type":"(?:text|reasoning)-delta","id":"\d+","delta":")'
        rf'{JSON_TEXT}"\}}'
    )

    def __init__(
        self,
        sdk: Literal[6, 7] = 6,
        *,
        page_tools: Collection[str] = (),
        message_id: str | None = None,
        thoughts: bool = True,
    ) -> None:
        if sdk not in (6, 7):
            raise ConfigurationError(f"sdk={sdk!r} is not valid; use 6 or 7")
        self._sdk = sdk
        self._message_id = message_id
        self._thoughts = thoughts
        self._tools = UITools(page_tools)
        self._sources = SeenSources()
        self._in_step = False
        self._answered = False  # the step has results, so what comes next is another step
        self._blocks = 0
        self._kind: Literal["text", "reasoning"] = "text"
        self._open = ""  # the id of the open block
        self._text: list[str] = []  # of the open block

    def start(self) -> bytes:
        """Return the ``start`` event."""
        start: dict[str, Any] = {"type": "start"}
        if self._message_id is not None:
            start["messageId"] = self._message_id
        return event(start)

    def item(self, item: ConversationItem) -> bytes:
        """Return the events of an item."""
        if isinstance(item, GenerateContentResponse):
            return b"".join(self._of_chunk(item))
        if isinstance(item, FunctionCall):
            return self._begin_step() + self._close() + self._tools.call(item)
        return self._of_result(item)

    def fail(self, message: str) -> bytes:
        """Return the end of open blocks, an ``error`` event and the end of the stream."""
        return self._close() + event({"type": "error", "errorText": message}) + _DONE

    def stop(self) -> bytes:
        """Return the end of open blocks, an ``abort`` event and the end of the stream."""
        return self._close() + event({"type": "abort"}) + _DONE

    def end(self, final: GenerateContentResponse) -> bytes:
        """Return the end of open blocks and steps, a ``finish`` event and the end of the stream."""
        calls = b"".join(map(self._tools.call, self._tools.unseen(final.function_calls)))
        ended = (b"" if self._in_step else self._begin_step()) + self._close(final) + calls
        reason = final.finish_reason or ""
        known = _FINISH_REASONS.get(reason, "other" if reason else "content-filter")
        metadata: dict[str, Any] = {"finishReason": reason or final.block_reason}
        if final.model_version:
            metadata["model"] = final.model_version
        if final.usage_metadata is not None:
            metadata["usage"] = final.usage_metadata.to_dict()
        finish = {
            "type": "finish",
            "finishReason": "tool-calls" if known == "stop" and self._tools.pending else known,
            "messageMetadata": metadata,
        }
        return ended + events({"type": "finish-step"}, finish) + _DONE

    def _of_chunk(self, chunk: GenerateContentResponse) -> Iterator[bytes]:
        yield self._begin_step()
        for part in chunk.parts:
            yield self._of_part(part)
        for source in self._sources.new(chunk):
            yield event(_source(source))

    def _of_part(self, part: Part) -> bytes:
        signature = part.thought_signature
        if part.function_call is not None:
            self._tools.remember_signature(part.function_call, signature)
            return b""
        if part.thought and not self._thoughts:
            return b""
        if part.inline_data is not None:
            return self._of_media(part.inline_data, signature, thought=bool(part.thought))
        if part.executable_code is not None or part.code_execution_result is not None:
            return self._close() + self._tools.code(part)
        if part.text or signature:
            return self._of_text(part.text or "", signature, thought=bool(part.thought))
        return b""

    def _of_text(self, text: str, signature: str | None, *, thought: bool) -> bytes:
        kind: Literal["text", "reasoning"] = "reasoning" if thought else "text"
        written = b""
        if self._open and (signature or kind != self._kind):
            written = self._close()
        if not self._open:
            self._blocks += 1
            self._kind, self._open = kind, str(self._blocks)
            written += event(_signed({"type": f"{kind}-start", "id": self._open}, signature))
        if text:
            self._text.append(text)
            written += event({"type": f"{kind}-delta", "id": self._open, "delta": text})
        # A signature belongs to exactly the text that it came with.
        return written + self._close(signature=signature) if signature else written

    def _of_media(self, media: Blob, signature: str | None, *, thought: bool) -> bytes:
        if thought and self._sdk == 6:  # noqa: PLR2004  the version that has no such event
            return b""
        data = base64.b64encode(media.data).decode()
        file = {
            "type": "reasoning-file" if thought else "file",
            "url": f"data:{media.mime_type};base64,{data}",
            "mediaType": media.mime_type,
        }
        return self._close() + event(_signed(file, signature))

    def _of_result(self, response: FunctionResponse) -> bytes:
        written = self._begin_step() + self._close() + self._tools.result(response)
        for part in response.parts:
            if part.inline_data is not None:
                written += self._of_media(part.inline_data, None, thought=False)
        self._answered = True
        return written

    def _begin_step(self) -> bytes:
        if self._in_step and not (self._answered and not self._tools.pending):
            return b""
        ended = b""
        if self._in_step:
            ended = self._close() + event({"type": "finish-step"})
        self._in_step, self._answered = True, False
        return ended + event({"type": "start-step"})

    def _close(
        self, final: GenerateContentResponse | None = None, *, signature: str | None = None
    ) -> bytes:
        """Return the end of the open block, if there is one."""
        if not self._open:
            return b""
        ended = _signed({"type": f"{self._kind}-end", "id": self._open}, signature)
        if final is not None and self._kind == "text":
            ended |= citations(final, "".join(self._text))
        self._open = ""
        self._text = []
        return event(ended)


def _source(source: WebSource) -> dict[str, Any]:
    if source.on_the_web:
        found = {"type": "source-url", "sourceId": source.uri, "url": source.uri}
        return {**found, "title": source.title} if source.title else found
    return {
        "type": "source-document",
        "sourceId": source.uri,
        "mediaType": "text/plain",
        "title": source.title or source.uri,
    }


def _signed(data: dict[str, Any], signature: str | None) -> dict[str, Any]:
    if signature is None:
        return data
    return {**data, "providerMetadata": {"google": {"thoughtSignature": signature}}}
