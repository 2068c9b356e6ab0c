"""Vercel's UI message stream, which ``useChat`` of the npm package ``ai`` reads.

The protocol is that of https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol. Its readers take a stream
that merely ends for a success, read nothing after an ``error``, and refuse events of unknown types.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cometgem.conversation.failures import MALFORMED
from cometgem.errors import ConfigurationError
from cometgem.request.arguments import shown
from cometgem.types.content import FunctionCall
from cometgem.types.response import GenerateContentResponse
from cometgem.web.approvals import check_secret
from cometgem.web.encoder import EVENT_STREAM, JSON_TEXT, Encoder, event, events
from cometgem.web.seen_sources import SeenSources
from cometgem.web.ui_citations import citations
from cometgem.web.ui_posted import last_answer, last_calls, page_ids
from cometgem.web.ui_tools import UITools, signed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from cometgem.conversation.rounds import ConversationItem
    from cometgem.types.content import Blob, FunctionResponse, Part
    from cometgem.web.approvals import Secret
    from cometgem.web.seen_sources import WebSource

__all__ = ["UIMessageEncoder"]

_DONE = b"data: [DONE]\n\n"

# https://ai.google.dev/api/generate-content#FinishReason, in the words of the npm package.
_FINISH_REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content-filter",
    "RECITATION": "content-filter",
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
        messages: The messages that the page has posted. Needed if the last one is an answer that
            goes on, because its calls were approved: it gets their results.
        page_tools: The names of the tools that the page declares itself; all others are marked as
            dynamic, without which the page would refuse them.
        page_runs: The names of those among them that the page runs. If a conversation waits for
            one, the page is not asked to approve it.
        secret: Signs the requests for approval, so that the page cannot approve a call that the
            model has not made. At least 16 bytes, the same for ``answers_from_ui_messages``.
        message_id: The id of the message, if it is known before the page makes one up.
        thoughts: Whether thoughts are written, as reasoning.

    Raises:
        ConfigurationError: An argument is not valid.
    """

    headers: ClassVar[Mapping[str, str]] = {
        **EVENT_STREAM,
        "x-vercel-ai-ui-message-stream": "v1",
    }
    delta: ClassVar[str | None] = (
        r'(?P<kind>data: \{"type":"(?:text|reasoning)-delta","id":"[^"\\]*","delta":")'
        rf'{JSON_TEXT}"\}}'
    )

    def __init__(  # noqa: PLR0913  each is an option of its own
        self,
        sdk: Literal[6, 7] = 6,
        *,
        messages: object = None,
        page_tools: Collection[str] = (),
        page_runs: Collection[str] = (),
        secret: Secret = None,
        message_id: str | None = None,
        thoughts: bool = True,
    ) -> None:
        if sdk not in (6, 7):
            raise ConfigurationError(f"sdk={shown(sdk)} is not valid; use 6 or 7")
        for name, names in (("page_tools", page_tools), ("page_runs", page_runs)):
            if isinstance(names, str):
                raise ConfigurationError(f"{name}={shown(names)} is not a list; use [{names!r}]")
        self._sdk = sdk
        self._message_id = message_id
        self._thoughts = thoughts
        self._tools = UITools(page_tools, page_runs, check_secret(secret))
        self._sources = SeenSources()
        self._in_step = False
        self._answered = False  # the step has results, so what comes next is another step
        self._blocks = 0
        self._kind: Literal["text", "reasoning"] = "text"
        self._open = ""  # the id of the open block
        self._sealed = False  # the open block has a signature, so it gets no more text
        self._text: list[str] = []  # of the open block
        self._text_before: list[str] = []  # of the text blocks of the step that have ended
        self._continue(messages)

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
            called = self._tools.of_item(item)
            return self._begin_step() + self._close() + called if called else b""
        return self._of_result(item)

    def fail(self, message: str) -> bytes:
        """Return the end of open blocks, an ``error`` event and the end of the stream."""
        ended = self._close() + self._tools.cut_off()
        return ended + event({"type": "error", "errorText": message}) + _DONE

    def stop(self) -> bytes:
        """Return the end of open blocks, an ``abort`` event and the end of the stream."""
        return self._close() + self._tools.cut_off() + event({"type": "abort"}) + _DONE

    def end(self, final: GenerateContentResponse, pending: Sequence[FunctionCall] = ()) -> bytes:
        """Return the end of open blocks and steps, a ``finish`` event and the end of the stream.

        A call that waits for the page is preceded by a ``tool-approval-request``, unless the page
        runs it itself.
        """
        ended = self._close(final) + self._tools.cut_off() + self._tools.approvals(pending)
        waits = bool(pending or self._tools.calls.open)
        if self._in_step:
            ended += event({"type": "finish-step"})
        reason = final.finish_reason or ""
        known = _FINISH_REASONS.get(reason, "other")
        if not reason and final.block_reason:
            known = "content-filter"
        metadata: dict[str, Any] = {"finishReason": reason or final.block_reason}
        if final.model_version:
            metadata["model"] = final.model_version
        if final.usage_metadata is not None:
            metadata["usage"] = final.usage_metadata.to_dict()
        finish = {
            "type": "finish",
            "finishReason": "tool-calls" if waits and known in ("stop", "other") else known,
            "messageMetadata": metadata,
        }
        return ended + event(finish) + _DONE

    def _continue(self, messages: object) -> None:
        """Go on with the last message, if that is an answer, as the page does."""
        if (message := last_answer(messages)) is None:
            return
        given = message.get("id")
        if self._message_id is None and isinstance(given, str):
            self._message_id = given
        self._tools.calls.reserve(page_ids(message))
        for at, call in enumerate(last_calls(message)):
            if call.answered:
                self._tools.calls.add_posted(
                    at, call.name, call.call_id, call.page_id, refused=not call.approved
                )

    def _of_chunk(self, chunk: GenerateContentResponse) -> Iterator[bytes]:
        yield self._begin_step()
        for part in chunk.parts:
            yield self._of_part(part)
        for source in self._sources.new(chunk):
            yield event(_source(source))
        if chunk.finish_reason in MALFORMED:  # a conversation asks the model again
            self._answered = True
            yield self._tools.cut_off()

    def _of_part(self, part: Part) -> bytes:
        signature = part.thought_signature
        if part.thought and not self._thoughts:
            return b""
        if part.text:  # nearly every part
            return self._of_text(part.text, signature, thought=bool(part.thought))
        if part.function_call is not None:
            called = self._tools.of_part(part)
            return self._close() + called if called else b""
        if part.inline_data is not None:
            return self._of_media(part.inline_data, signature, thought=bool(part.thought))
        if called := self._tools.of_api(part):
            return self._close() + called
        return self._of_text("", signature, thought=bool(part.thought)) if signature else b""

    def _of_text(self, text: str, signature: str | None, *, thought: bool) -> bytes:
        kind: Literal["text", "reasoning"] = "reasoning" if thought else "text"
        if signature and not text and self._open and kind == self._kind and not self._sealed:
            # A block of its own. The open one still waits for its citations, which come at the end.
            self._blocks += 1
            self._sealed = True
            alone = {"id": str(self._blocks)}
            return events(
                signed({"type": f"{kind}-start", **alone}, signature),
                {"type": f"{kind}-end", **alone},
            )
        written = b""
        if self._open and (signature or self._sealed or kind != self._kind):
            written = self._close()
        if not self._open:
            self._blocks += 1
            self._kind, self._open = kind, str(self._blocks)
            written += event(signed({"type": f"{kind}-start", "id": self._open}, signature))
        # A signature belongs to exactly the text that it came with.
        self._sealed = signature is not None
        if text:
            self._text.append(text)
            written += event({"type": f"{kind}-delta", "id": self._open, "delta": text})
        return written

    def _of_media(
        self, media: Blob, signature: str | None, *, thought: bool, result_of: str | None = None
    ) -> bytes:
        if thought and self._sdk == 6:  # noqa: PLR2004  the version that has no such event
            return b""
        data = base64.b64encode(media.data).decode()
        file = {
            "type": "reasoning-file" if thought else "file",
            "url": f"data:{media.mime_type};base64,{data}",
            "mediaType": media.mime_type,
        }
        extra = None if result_of is None else {"toolCallId": result_of}
        return self._close() + event(signed(file, signature, extra))

    def _of_result(self, response: FunctionResponse) -> bytes:
        known = self._tools.calls.of_result(response)
        if known is None:
            return b""
        written = self._close() + self._tools.result(known, response)
        for part in response.parts:
            if (media := part.inline_data) is not None:
                written += self._of_media(media, None, thought=False, result_of=known.page_id)
        self._answered = True
        return written

    def _all_posted(self) -> bool:
        """Whether the page itself has sent all calls that are open."""
        return all(known.posted for known in self._tools.calls.open)

    def _begin_step(self) -> bytes:
        if self._in_step and not (self._answered and self._all_posted()):
            return b""
        ended = b""
        if self._in_step:
            ended = self._close() + event({"type": "finish-step"})
        self._in_step, self._answered = True, False
        self._text_before = []
        self._tools.calls.begin_step()
        return ended + event({"type": "start-step"})

    def _close(self, final: GenerateContentResponse | None = None) -> bytes:
        """Return the end of the open block, if there is one."""
        if not self._open:
            return b""
        ended: dict[str, Any] = {"type": f"{self._kind}-end", "id": self._open}
        text = "".join(self._text)
        if self._kind == "text":
            if final is not None:
                ended |= citations(final, text, "".join(self._text_before))
            self._text_before.append(text)
        self._open, self._sealed, self._text = "", False, []
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
