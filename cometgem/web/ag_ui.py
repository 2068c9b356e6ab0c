"""AG-UI events, https://docs.ag-ui.com, version 1.0 of the protocol."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from cometgem.conversation.failures import MALFORMED
from cometgem.types.content import FunctionCall
from cometgem.types.response import GenerateContentResponse
from cometgem.types.wire import encode
from cometgem.web.ag_ui_posted import posted_run
from cometgem.web.approvals import approval_id, check_secret
from cometgem.web.calls import Calls
from cometgem.web.encoder import JSON_TEXT, Encoder, event, events
from cometgem.web.seen_sources import SeenSources

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from cometgem.conversation.rounds import ConversationItem
    from cometgem.types.content import FunctionResponse, Part
    from cometgem.types.response import UsageMetadata
    from cometgem.web.approvals import Secret
    from cometgem.web.calls import KnownCall

__all__ = ["AGUIEncoder"]

_APPROVAL = {
    "type": "object",
    "properties": {"approved": {"type": "boolean"}, "reason": {"type": "string"}},
    "required": ["approved"],
}


class AGUIEncoder(Encoder):
    """Writes one run as AG-UI events.

    Text, thoughts, tool calls and their results, signatures, and tokens have events of their own.
    Media, sources and code that the API ran are ``CUSTOM`` events with the names ``file``,
    ``source``, ``executableCode`` and ``codeExecutionResult``.

    A conversation that waits for an approval ends with an ``interrupt`` for each call, to be
    resolved with ``{"approved": true}``. Calls of the page's own tools are left for it to run.

    Args:
        run: The ``RunAgentInput`` that the page has posted, as decoded JSON.
        page_runs: The names of the tools that the page runs. Defaults to the ``tools`` of the run.
        secret: Signs the ids of interrupts; see ``UIMessageEncoder``.
        thoughts: Whether thoughts are written, as reasoning.

    Raises:
        BadMessagesError: ``run`` is not valid; answer with the status 400.
        ConfigurationError: The secret is too short.
    """

    delta: ClassVar[str | None] = (
        r'(?P<kind>data: \{"type":"(?:TEXT|REASONING)_MESSAGE_CONTENT","messageId":"[^"\\]*",'
        rf'"delta":"){JSON_TEXT}"\}}'
    )

    def __init__(
        self,
        run: object,
        *,
        page_runs: Collection[str] | None = None,
        secret: Secret = None,
        thoughts: bool = True,
    ) -> None:
        posted = posted_run(run)
        self._ids = {"threadId": posted.thread_id, "runId": posted.run_id}
        self._page_runs = frozenset(posted.tools if page_runs is None else page_runs)
        self._secret = check_secret(secret)
        self._thoughts = thoughts
        self._calls = Calls()
        self._calls.reserve(posted.page_ids)
        for at, call, refused in posted.answered:
            self._calls.add_posted(at, call.name, call.id, call.page_id, refused=refused)
        self._sources = SeenSources()
        self._answered = False
        self._count = 0
        self._kind: Literal["text", "reasoning"] = "text"
        self._open = ""  # the id of the open message
        self._sealed = False  # the open message has a signature, so it gets no more text
        self._written: set[str] = set()  # the page's ids of calls whose start was written

    def start(self) -> bytes:
        """Return the ``RUN_STARTED`` event."""
        return event({"type": "RUN_STARTED", **self._ids, "protocolVersion": "1.0"})

    def item(self, item: ConversationItem) -> bytes:
        """Return the events of an item."""
        if isinstance(item, GenerateContentResponse):
            return b"".join(self._of_chunk(item))
        if isinstance(item, FunctionCall):
            known = self._calls.of_item(item)
            return b"" if known is None else self._close() + self._of_call(known)
        return self._of_result(item)

    def fail(self, message: str) -> bytes:
        """Return the end of open messages and calls, and a ``RUN_ERROR`` event."""
        return self._end_open() + event({"type": "RUN_ERROR", "message": message})

    def end(self, final: GenerateContentResponse, pending: Sequence[FunctionCall] = ()) -> bytes:
        """Return the end of open messages, and a ``RUN_FINISHED`` event."""
        finished: dict[str, Any] = {"type": "RUN_FINISHED", **self._ids}
        ended = self._end_open()
        waiting = list(self._calls.waiting(pending))
        interrupts = [
            {
                "id": approval_id(self._secret, known.page_id, known.name, call.args),
                "reason": "tool_call",
                "message": f"Approve the call of {known.name}?",
                "toolCallId": known.page_id,
                "responseSchema": _APPROVAL,
            }
            for known, call in waiting
            if known.name not in self._page_runs
        ]
        if interrupts:
            finished["outcome"] = {"type": "interrupt", "interrupts": interrupts}
        elif self._calls.open:
            left = [known.page_id for known in self._calls.open]
            finished["outcome"] = {"type": "success", "pendingToolCallIds": left}
        finished["result"] = {"finishReason": final.finish_reason or final.block_reason}
        if final.usage_metadata is not None:
            finished["usage"] = [_usage(final.usage_metadata, final.model_version)]
        return ended + event(finished)

    def _of_chunk(self, chunk: GenerateContentResponse) -> Iterator[bytes]:
        if self._answered:
            yield self._end_open()
            self._calls.begin_step()
        for part in chunk.parts:
            yield self._of_part(part)
        for source in self._sources.new(chunk):
            yield _custom("source", {"uri": source.uri, "title": source.title})
        self._answered = chunk.finish_reason in MALFORMED  # the next chunk answers anew

    def _of_part(self, part: Part) -> bytes:
        signature = part.thought_signature
        if part.function_call is not None:
            called = [self._of_call(known) for known in self._calls.of_part(part)]
            return self._close() + b"".join(called) if called else b""
        if part.thought and not self._thoughts:
            return b""
        if (media := part.inline_data) is not None:
            return b"" if part.thought else _custom("file", media.to_dict())
        for name, value in (
            ("executableCode", part.executable_code),
            ("codeExecutionResult", part.code_execution_result),
        ):
            if value is not None:
                return self._close() + _custom(name, value.to_dict())
        if part.text or signature:
            return self._of_text(part.text or "", signature, thought=bool(part.thought))
        return b""

    def _of_text(self, text: str, signature: str | None, *, thought: bool) -> bytes:
        kind: Literal["text", "reasoning"] = "reasoning" if thought else "text"
        written = b""
        if self._open and (signature or self._sealed or kind != self._kind):
            written = self._close()
        if not self._open:
            self._open, self._kind = self._new_id(), kind
            written += self._begin()
        if text:
            name = "TEXT_MESSAGE" if kind == "text" else "REASONING_MESSAGE"
            written += event({"type": f"{name}_CONTENT", "messageId": self._open, "delta": text})
        if signature is not None:
            self._sealed = True
            written += _encrypted("message", self._open, signature)
        return written

    def _begin(self) -> bytes:
        given = {"messageId": self._open}
        if self._kind == "text":
            return event({"type": "TEXT_MESSAGE_START", **given, "role": "assistant"})
        return events(
            {"type": "REASONING_START", **given},
            {"type": "REASONING_MESSAGE_START", **given, "role": "reasoning"},
        )

    def _close(self) -> bytes:
        """Return the end of the open message, if there is one."""
        given, self._open, self._sealed = {"messageId": self._open}, "", False
        if not given["messageId"]:
            return b""
        if self._kind == "text":
            return event({"type": "TEXT_MESSAGE_END", **given})
        return events(
            {"type": "REASONING_MESSAGE_END", **given}, {"type": "REASONING_END", **given}
        )

    def _end_open(self) -> bytes:
        cut_off = [
            event({"type": "TOOL_CALL_END", "toolCallId": known.page_id})
            for known in self._calls.cut_off()
        ]
        return self._close() + b"".join(cut_off)

    def _of_call(self, known: KnownCall) -> bytes:
        given, written = {"toolCallId": known.page_id}, b""
        if known.page_id not in self._written:
            self._written.add(known.page_id)
            written = event({"type": "TOOL_CALL_START", **given, "toolCallName": known.name})
        if not known.complete:
            return written
        return written + self._args(known)

    def _args(self, known: KnownCall) -> bytes:
        given = {"toolCallId": known.page_id}
        written = events(
            {"type": "TOOL_CALL_ARGS", **given, "delta": encode(known.args).decode()},
            {"type": "TOOL_CALL_END", **given},
        )
        if known.signature is not None:
            written += _encrypted("tool-call", known.page_id, known.signature)
        return written

    def _of_result(self, response: FunctionResponse) -> bytes:
        known = self._calls.of_result(response)
        if known is None:
            return b""
        before = self._close() + (b"" if known.complete else self._args(known))
        self._answered = True
        content: str | list[dict[str, Any]] = encode(response.response).decode()
        media = [part.inline_data for part in response.parts if part.inline_data is not None]
        if media:
            files = [_media(one.mime_type, base64.b64encode(one.data).decode()) for one in media]
            content = [{"type": "text", "text": content}, *files]
        result = {"messageId": self._new_id(), "toolCallId": known.page_id, "role": "tool"}
        return before + event({"type": "TOOL_CALL_RESULT", **result, "content": content})

    def _new_id(self) -> str:
        self._count += 1
        return f"{self._ids['runId']}-{self._count}"


def _encrypted(kind: str, entity: str, value: str) -> bytes:
    data = {"subtype": kind, "entityId": entity, "encryptedValue": value}
    return event({"type": "REASONING_ENCRYPTED_VALUE", **data})


def _custom(name: str, value: object) -> bytes:
    return event({"type": "CUSTOM", "name": name, "value": value})


def _media(mime_type: str, data: str) -> dict[str, Any]:
    top = mime_type.partition("/")[0]
    kind = top if top in ("image", "audio", "video") else "document"
    return {"type": kind, "source": {"type": "data", "value": data, "mimeType": mime_type}}


def _usage(usage: UsageMetadata, model: str | None) -> dict[str, Any]:
    """Return the tokens in AG-UI's accounting, in which all others are parts of the two totals."""
    given = (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0)
    made = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
    counts = {
        "model": model,
        "inputTokens": given,
        "outputTokens": made,
        "totalTokens": given + made,
        "reasoningTokens": usage.thoughts_token_count,
        "cachedInputTokens": usage.cached_content_token_count,
    }
    return {"provider": "google"} | {k: v for k, v in counts.items() if v is not None}
