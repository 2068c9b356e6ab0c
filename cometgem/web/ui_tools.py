"""The tool events of a UI message stream: each call has an id, and each result belongs to one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cometgem.web.encoder import event

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from cometgem.types.content import (
        CodeExecutionResult,
        ExecutableCode,
        FunctionCall,
        FunctionResponse,
        Part,
    )

__all__ = ["CODE_EXECUTION", "UITools"]

CODE_EXECUTION = "code_execution"
"""The name under which the page sees code that the API ran."""


class UITools:
    """Writes calls and results.

    Attributes:
        pending: The calls without a result: their names, the API's ids, and those for the page.
    """

    def __init__(self, page_tools: Collection[str]) -> None:
        self.pending: list[tuple[str, str | None, str]] = []
        self._page_tools = frozenset(page_tools)
        self._ids: set[str] = set()
        self._seen: list[FunctionCall] = []
        self._signatures: list[tuple[FunctionCall, str]] = []
        self._code = ""  # the id of the code that is running

    def remember_signature(self, call: FunctionCall, signature: str | None) -> None:
        """Note the signature of the part that a call came in."""
        if signature is not None:
            self._signatures.append((call, signature))

    def unseen(self, calls: Iterable[FunctionCall]) -> list[FunctionCall]:
        """Return the calls that were not written, as those of a stream that runs no functions."""
        return [call for call in calls if call not in self._seen]

    def call(self, call: FunctionCall) -> bytes:
        """Return a complete call as an event."""
        name = self._new_id(call.id)
        self.pending.append((call.name, call.id, name))
        self._seen.append(call)
        data: dict[str, Any] = {
            "type": "tool-input-available",
            "toolCallId": name,
            "toolName": call.name,
            "input": call.args,
        }
        if call.name not in self._page_tools:
            data["dynamic"] = True
        if signature := self._signature(call):
            data["providerMetadata"] = {"google": {"thoughtSignature": signature}}
        return event(data)

    def result(self, response: FunctionResponse) -> bytes:
        """Return the response to a call as an event, or nothing if there was no such call."""
        found = self._find(response)
        if found is None:
            return b""
        self.pending.remove(found)
        data: dict[str, Any] = {"type": "tool-output-available", "toolCallId": found[2]}
        if response.response.keys() == {"error"}:
            data["type"] = "tool-output-error"
            data["errorText"] = str(response.response["error"])
        else:
            data["output"] = response.response
        if response.name not in self._page_tools:
            data["dynamic"] = True
        return event(data)

    def code(self, part: Part) -> bytes:
        """Return code that the API ran, or its result, as those of a tool of the API."""
        written = b""
        if part.executable_code is not None:
            written = self._run_code(part.executable_code)
        if part.code_execution_result is not None:
            written += self._code_result(part.code_execution_result)
        return written

    def _run_code(self, code: ExecutableCode) -> bytes:
        self._code = self._new_id(code.id)
        return event(
            {
                "type": "tool-input-available",
                "toolCallId": self._code,
                "toolName": CODE_EXECUTION,
                "input": {"code": code.code, "language": code.language},
                "providerExecuted": True,
                "dynamic": True,
            }
        )

    def _code_result(self, result: CodeExecutionResult) -> bytes:
        name, self._code = self._code, ""
        if not name:
            return b""
        return event(
            {
                "type": "tool-output-available",
                "toolCallId": name,
                "output": {"outcome": result.outcome, "output": result.output or ""},
                "providerExecuted": True,
                "dynamic": True,
            }
        )

    def _new_id(self, given: str | None) -> str:
        name = given or f"call_{len(self._ids) + 1}"
        while name in self._ids:
            name += "_"
        self._ids.add(name)
        return name

    def _find(self, response: FunctionResponse) -> tuple[str, str | None, str] | None:
        for one in self.pending:
            if one[0] == response.name and (response.id is None or one[1] == response.id):
                return one
        return None

    def _signature(self, call: FunctionCall) -> str | None:
        for at, (signed, signature) in enumerate(self._signatures):
            # The arguments of a streamed call come in pieces, and the signature with the first.
            if signed is call or (signed.name, signed.id) == (call.name, call.id):
                del self._signatures[at]
                return signature
        return None
