"""The tool events of a UI message stream: each call has an id, and each result belongs to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cometgem.web.approvals import approval_id
from cometgem.web.calls import Calls
from cometgem.web.encoder import event

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from cometgem.types.content import FunctionCall, FunctionResponse, Part
    from cometgem.web.calls import KnownCall

__all__ = ["CODE_EXECUTION", "UITools", "signed"]

CODE_EXECUTION = "code_execution"
"""The name under which the page sees code that the API ran."""

_CUT_OFF = "the call was cut off"


class UITools:
    """Writes calls, results and requests for approval.

    Args:
        page_tools: The names of the tools that the page declares.
        page_runs: The names of those that the page runs itself.
        secret: Signs the requests for approval.
    """

    def __init__(
        self, page_tools: Collection[str], page_runs: Collection[str], secret: bytes | None
    ) -> None:
        self.calls: Calls = Calls()
        self._page_tools = frozenset(page_tools) | frozenset(page_runs)
        self._page_runs = frozenset(page_runs)
        self._secret = secret
        self._running: list[tuple[str, str | None, str]] = []  # tools of the API: kind, ids

    def of_part(self, part: Part) -> bytes:
        """Return what a part of a chunk begins or completes."""
        return b"".join(map(self._call, self.calls.of_part(part)))

    def of_item(self, call: FunctionCall) -> bytes:
        """Return the call that a conversation hands out, unless it was found in a chunk."""
        known = self.calls.of_item(call)
        return b"" if known is None else self._call(known)

    def result(self, known: KnownCall, response: FunctionResponse) -> bytes:
        """Return the response to a call."""
        before = b"" if known.complete else self._input(known)
        data: dict[str, Any] = {"type": "tool-output-available", "toolCallId": known.page_id}
        error = response.response.get("error")
        if known.refused:
            return before + event({**data, "type": "tool-output-denied"})
        if response.response.keys() == {"error"} and isinstance(error, str):
            data |= {"type": "tool-output-error", "errorText": error}
        else:
            data["output"] = response.response
        return before + event(data | self._dynamic(known.name))

    def cut_off(self) -> bytes:
        """Return the end of calls that will not be completed."""
        return b"".join(
            event(
                {
                    **self._head("tool-input-error", known),
                    "input": known.args,
                    "errorText": _CUT_OFF,
                }
            )
            for known in self.calls.cut_off()
        )

    def approvals(self, pending: Iterable[FunctionCall]) -> bytes:
        """Return a request for approval of each call that the page does not run itself."""
        return b"".join(
            event(
                {
                    "type": "tool-approval-request",
                    "approvalId": approval_id(self._secret, known.page_id, known.name, call.args),
                    "toolCallId": known.page_id,
                }
            )
            for known, call in self.calls.waiting(pending)
            if known.name not in self._page_runs
        )

    def of_api(self, part: Part) -> bytes:
        """Return a tool that the API ran itself, or its result."""
        written, signature = b"", part.thought_signature
        if (code := part.executable_code) is not None:
            given = {"code": code.code, "language": code.language}
            written += self._begin(CODE_EXECUTION, code.id, CODE_EXECUTION, given, signature)
        if (call := part.tool_call) is not None:
            name = call.tool_type or "tool"
            written += self._begin("toolCall", call.id, name, call.args or {}, signature)
        if (done := part.code_execution_result) is not None:
            output = {"outcome": done.outcome}
            if done.output is not None:
                output["output"] = done.output
            written += self._end(CODE_EXECUTION, done.id, output, signature)
        if (answer := part.tool_response) is not None:
            written += self._end("toolCall", answer.id, answer.response or {}, signature)
        return written

    def _call(self, known: KnownCall) -> bytes:
        if known.complete:
            return self._input(known)
        return event(self._head("tool-input-start", known))

    def _input(self, known: KnownCall) -> bytes:
        data = {**self._head("tool-input-available", known), "input": known.args}
        extra = None
        if known.id is not None and known.id != known.page_id:
            extra = {"callId": known.id}  # it came late, or another call has the same
        return event(signed(data, known.signature, extra))

    def _head(self, kind: str, known: KnownCall) -> dict[str, Any]:
        head = {"type": kind, "toolCallId": known.page_id, "toolName": known.name}
        return head | self._dynamic(known.name)

    def _dynamic(self, name: str) -> dict[str, Any]:
        return {} if name in self._page_tools else {"dynamic": True}

    def _begin(
        self, kind: str, given: str | None, name: str, args: object, signature: str | None
    ) -> bytes:
        page_id = self.calls.new_id(given)
        self._running.append((kind, given, page_id))
        data = {
            "type": "tool-input-available",
            "toolCallId": page_id,
            "toolName": name,
            "input": args,
            "providerExecuted": True,
            "dynamic": True,
        }
        late = {} if given in (None, page_id) else {"callId": given}
        return event(signed(data, signature, {"part": kind, **late}))

    def _end(self, kind: str, given: str | None, output: object, signature: str | None) -> bytes:
        for one in self._running:
            if one[0] == kind and given in (None, one[1]):
                self._running.remove(one)
                data = {
                    "type": "tool-output-available",
                    "toolCallId": one[2],
                    "output": output,
                    "providerExecuted": True,
                    "dynamic": True,
                }
                return event(signed(data, signature))
        return b""


def signed(
    data: dict[str, Any], signature: str | None, extra: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return the data with the metadata that come back with the page's messages."""
    metadata: dict[str, Any] = {}
    if signature is not None:
        metadata["google"] = {"thoughtSignature": signature}
    if extra is not None:
        metadata["cometgem"] = extra
    return {**data, "providerMetadata": metadata} if metadata else data
