"""The messages that ``useChat`` posts, as contents. The browser is not trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cometgem.conversation.open_turn import OpenTurn
from cometgem.conversation.verdicts import REFUSED, Approve, Refuse
from cometgem.errors import BadMessagesError
from cometgem.request.arguments import shown
from cometgem.types.content import (
    CodeExecutionResult,
    Content,
    ExecutableCode,
    FunctionCall,
    FunctionResponse,
    FunctionResponseBlob,
    FunctionResponsePart,
    Part,
    ToolCall,
    ToolResponse,
)
from cometgem.web.approvals import check_approval, check_secret
from cometgem.web.posted import MAX_SIZE, Files, as_response, check_calls, check_messages, text_of
from cometgem.web.ui_posted import (
    api_id,
    is_tool,
    last_answer,
    last_calls,
    metadata_of,
    posted_call,
    steps_of,
)
from cometgem.web.ui_tools import CODE_EXECUTION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from cometgem.web.approvals import Secret
    from cometgem.web.ui_posted import PostedCall

__all__ = ["answers_from_ui_messages", "contents_from_ui_messages"]

_UNANSWERED = "this call was not answered"


def contents_from_ui_messages(
    messages: object,
    *,
    tools: Collection[str] | None = None,
    allow_files: Sequence[str] = ("data:",),
    max_size: int | None = MAX_SIZE,
) -> list[Content]:
    """Return the ``messages`` that the page has posted as contents.

    Thoughts are kept only with their signature, since the API reads no others. Sources and the
    page's own data are left out. A call that was never answered gets a response that says so; calls
    that a person has just approved or refused get none: see ``answers_from_ui_messages``.

    Args:
        messages: The decoded JSON: a list of messages with ``role`` and ``parts``.
        tools: The names of the tools that calls may have; None allows all.
        allow_files: How the URLs of files may begin. By default only files inside the message are
            accepted, so that a page cannot make the API fetch an address for it.
        max_size: The maximum size of all strings in the messages, in characters; None is no limit.

    Raises:
        BadMessagesError: The messages are not valid, too large, or hold what is not allowed.
            Answer with the status 400.
        ConfigurationError: ``allow_files`` is not valid.
    """
    reader = _Reader(tools, Files(allow_files))
    said = check_messages(messages, max_size)
    contents = [
        content
        for at, message in enumerate(said)
        for content in reader.read(message, f"messages[{at}]", is_last=at == len(said) - 1)
    ]
    if not contents:
        raise BadMessagesError("the messages hold nothing that could be sent")
    return contents


def answers_from_ui_messages(
    messages: object, *, secret: Secret
) -> dict[int, Approve | Refuse] | None:
    """Return what the person said to the calls that waited, for ``run_tools(answers=...)``.

    Args:
        messages: The messages that the page has posted.
        secret: That of the ``UIMessageEncoder`` that asked. With None the page is believed: it can
            make the backend call any of its tools with any arguments.

    Returns:
        ``Approve()`` or ``Refuse(reason)`` by the index among the pending calls, or None if the
        messages do not end with approvals.

    Raises:
        BadMessagesError: Something was approved that nobody has asked for, or another call still
            waits for its approval.
        ConfigurationError: The secret is too short.
    """
    key = check_secret(secret)
    message = last_answer(check_messages(messages, None))
    calls = [] if message is None else last_calls(message)
    answered = [call for call in calls if call.answered]
    if not answered:
        return None
    for call in calls:
        if call.state == "approval-requested":
            raise BadMessagesError(f"the call of tool {shown(call.name)} is not approved yet")
        if call.answered and call.approved:
            check_approval(key, call.approval, call.page_id, call.name, call.args)
    return {
        at: Approve() if call.approved else Refuse(call.reason or REFUSED)
        for at, call in enumerate(answered)
    }


class _Reader:
    def __init__(self, tools: Collection[str] | None, files: Files) -> None:
        self._tools = tools
        self._files = files

    def read(self, message: object, where: str, *, is_last: bool) -> Iterator[Content]:
        """Yield the turns of one message: an answer has one for each step, and for its results."""
        if not isinstance(message, dict):
            raise BadMessagesError(f"{where} is not an object")
        role, parts = message.get("role"), message.get("parts")
        if role not in ("user", "assistant"):
            raise BadMessagesError(
                f"{where}.role is {shown(role)}; only 'user' and 'assistant' are accepted"
            )
        if not isinstance(parts, list):
            raise BadMessagesError(f"{where}.parts is not a list")
        for at, part in enumerate(parts):
            if not isinstance(part, dict) or not isinstance(part.get("type"), str):
                raise BadMessagesError(f"{where}.parts[{at}] is not an object with a type")
        if role == "user":
            said = [part for one in parts for part in self._of_user(one, where)]
            if said:
                yield Content(role="user", parts=said)
            return
        steps = list(steps_of(parts))
        for at, step in enumerate(steps):
            waits = is_last and at == len(steps) - 1
            yield from self._of_step(step, where, may_wait=waits)

    def _of_user(self, part: dict[str, Any], where: str) -> Iterator[Part]:
        if part["type"] == "text":
            if text := text_of(part, "text", where):
                yield Part(text=text)
        elif part["type"] == "file":
            yield self._files.read(
                text_of(part, "url", where), text_of(part, "mediaType", where), where
            )
        elif is_tool(part):
            raise BadMessagesError(f"{where}: a message of the user cannot hold tool results")

    def _of_step(
        self, parts: list[dict[str, Any]], where: str, *, may_wait: bool
    ) -> Iterator[Content]:
        said: list[Part] = []
        responses: list[FunctionResponse | None] = []
        by_page_id: dict[str, FunctionResponse] = {}
        for part in parts:
            kind = part["type"]
            if kind in ("text", "reasoning"):
                said += _said(part, where)
            elif kind == "file":
                self._add_file(part, where, said, by_page_id)
            elif is_tool(part) and part.get("providerExecuted") is True:
                said += _of_api(part, where)
            elif is_tool(part) and (call := posted_call(part)) is not None:
                self._check_tool(call, where)
                asked = Part(
                    function_call=FunctionCall(name=call.name, args=call.args, id=call.call_id)
                )
                said.append(_signed(asked, part, "callProviderMetadata"))
                response = None
                if not (may_wait and call.answered):
                    response = FunctionResponse(
                        name=call.name, response=_result(call, part), id=call.call_id
                    )
                    by_page_id[call.page_id] = response
                responses.append(response)
        check_calls(len(responses), where)
        if not said:
            return
        turn = OpenTurn(Content(role="model", parts=said))
        for at, response in enumerate(responses):
            if response is not None:
                turn.responses[at] = response
        yield from turn.turns()

    def _check_tool(self, call: PostedCall, where: str) -> None:
        if self._tools is not None and call.name not in self._tools:
            raise BadMessagesError(f"{where}: the tool {shown(call.name)} is unknown")

    def _add_file(
        self,
        part: dict[str, Any],
        where: str,
        said: list[Part],
        by_page_id: dict[str, FunctionResponse],
    ) -> None:
        url = text_of(part, "url", where)
        if not self._files.allows(url):
            return  # an address of the model's own, which the page did not choose
        file = self._files.read(url, text_of(part, "mediaType", where), where)
        result_of = metadata_of(part, "providerMetadata", "cometgem").get("toolCallId")
        if not isinstance(result_of, str):
            said.append(_signed(file, part, "providerMetadata"))
        elif result_of in by_page_id and (blob := file.inline_data) is not None:
            media = FunctionResponseBlob(data=blob.data, mime_type=blob.mime_type)
            by_page_id[result_of].parts.append(FunctionResponsePart(inline_data=media))


def _said(part: dict[str, Any], where: str) -> list[Part]:
    text, thought = text_of(part, "text", where), part["type"] == "reasoning"
    said = _signed(Part(text=text, thought=thought or None), part, "providerMetadata")
    if said.thought_signature is None and (thought or not text):
        return []
    return [said]


def _signed(part: Part, data: dict[str, Any], key: str) -> Part:
    """Put the signature back where it was."""
    signature = metadata_of(data, key, "google").get("thoughtSignature")
    if isinstance(signature, str) and signature:
        part.thought_signature = signature
    return part


def _of_api(part: dict[str, Any], where: str) -> list[Part]:
    """Return a tool that the API ran, and its result if there is one."""
    given, output = part.get("input"), part.get("output")
    kind = metadata_of(part, "callProviderMetadata", "cometgem").get("part")
    if kind not in (CODE_EXECUTION, "toolCall") or not isinstance(given, dict):
        return []
    call_id = api_id(part)
    if kind == "toolCall":
        name = text_of(part, "toolName", where)
        call = Part(tool_call=ToolCall(tool_type=name, args=given, id=call_id))
        answer = Part(
            tool_response=ToolResponse(tool_type=name, response=as_response(output), id=call_id)
        )
    else:
        code, language = text_of(given, "code", where), text_of(given, "language", where)
        call = Part(executable_code=ExecutableCode(code=code, language=language, id=call_id))
        done = output if isinstance(output, dict) else {}
        answer = Part(
            code_execution_result=CodeExecutionResult(
                outcome=text_of(done, "outcome", where),
                output=text_of(done, "output", where) if "output" in done else None,
                id=call_id,
            )
        )
    _signed(call, part, "callProviderMetadata")
    if part.get("state") != "output-available":
        return [call]
    return [call, _signed(answer, part, "resultProviderMetadata")]


def _result(call: PostedCall, part: dict[str, Any]) -> dict[str, Any]:
    if call.state == "output-available":
        return as_response(part.get("output"))
    if call.state == "output-denied" or call.approved is False:
        return {"error": call.reason or REFUSED}
    if call.state == "output-error":
        error = part.get("errorText")
        return {"error": error if isinstance(error, str) and error else "the tool failed"}
    return {"error": _UNANSWERED}
