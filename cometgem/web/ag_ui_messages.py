"""The messages of an AG-UI run as contents. The browser is not trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cometgem.conversation.open_turn import OpenTurn
from cometgem.conversation.verdicts import REFUSED, Approve, Refuse
from cometgem.errors import BadMessagesError
from cometgem.request.arguments import shown
from cometgem.types.content import (
    Content,
    FunctionCall,
    FunctionResponse,
    FunctionResponseBlob,
    FunctionResponsePart,
    Part,
)
from cometgem.web.ag_ui_posted import asked_calls, posted_run
from cometgem.web.approvals import check_approval, check_secret
from cometgem.web.posted import (
    MAX_SIZE,
    Files,
    as_response,
    check_calls,
    check_messages,
    read_base64,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from cometgem.web.ag_ui_posted import AskedCall, PostedRun
    from cometgem.web.approvals import Secret

__all__ = ["answers_from_ag_ui", "contents_from_ag_ui"]

_UNANSWERED = "this call was not answered"
_MEDIA = ("image", "audio", "video", "document")


def contents_from_ag_ui(
    run: object,
    *,
    tools: Collection[str] | None = None,
    allow_files: Sequence[str] = ("data:",),
    max_size: int | None = MAX_SIZE,
) -> list[Content]:
    """Return the messages of the ``RunAgentInput`` that the page has posted as contents.

    Thoughts are kept only with their signature; activities are left out, as are the ``state`` and
    the ``context`` of the run. A call that was never answered gets a response that says so; one
    whose interrupt is answered by this run gets none: see ``answers_from_ag_ui``.

    Args:
        run: The decoded JSON.
        tools: The names of the tools that calls may have; None allows all.
        allow_files: How the URLs of files may begin; ``"data:"`` allows those inside the message.
        max_size: The maximum size of all strings in the messages, in characters; None is no limit.

    Raises:
        BadMessagesError: The run is not valid, too large, or holds what is not allowed. Answer with
            the status 400.
        ConfigurationError: ``allow_files`` is not valid.
    """
    reader = _Reader(posted_run(run, max_size), tools, Files(allow_files))
    contents = list(reader.read())
    if not contents:
        raise BadMessagesError("the messages hold nothing that could be sent")
    return contents


def answers_from_ag_ui(run: object, *, secret: Secret) -> dict[int, Approve | Refuse] | None:
    """Return the answers to interrupts, for ``run_tools(answers=...)``.

    Args:
        run: The ``RunAgentInput`` that the page has posted.
        secret: That of the ``AGUIEncoder`` that asked. With None the page is believed: it can make
            the backend call any of its tools with any arguments.

    Returns:
        ``Approve()`` or ``Refuse(reason)`` by the index among the pending calls, or None if the run
        answers no interrupts.

    Raises:
        BadMessagesError: An answer belongs to no call that was asked about, or a call has none.
        ConfigurationError: The secret is too short.
    """
    key = check_secret(secret)
    posted = posted_run(run, None)
    if not posted.resumes:
        return None
    answers: dict[int, Approve | Refuse] = {}
    for call, has_result in posted.last_calls:
        if has_result:
            continue
        if (found := posted.verdicts.get(call.page_id)) is None:
            raise BadMessagesError(f"the call of tool {shown(call.name)} is not answered yet")
        interrupt, verdict = found
        if verdict.approved:
            check_approval(key, interrupt, call.page_id, call.name, call.args)
        answers[len(answers)] = Approve() if verdict.approved else Refuse(verdict.reason or REFUSED)
    if len(answers) != posted.resumes:
        raise BadMessagesError("resume answers an interrupt that belongs to no call")
    return answers


class _Reader:
    def __init__(self, posted: PostedRun, tools: Collection[str] | None, files: Files) -> None:
        self._posted = posted
        self._tools = tools
        self._files = files
        self._said: list[Part] = []  # by the model, since the last turn
        self._calls: list[AskedCall] = []
        self._by_id: dict[str, AskedCall] = {}
        self._results: dict[str, FunctionResponse] = {}  # by the page's id of the call

    def read(self) -> Iterator[Content]:
        """Yield the turns. Messages of the model in a row, and the results after, are one."""
        for at, message in enumerate(self._posted.messages):
            where, role = f"messages[{at}]", message.get("role")
            if role == "user":
                yield from self._end_turn()
                if said := list(self._of_user(message, where)):
                    yield Content(role="user", parts=said)
            elif role in ("assistant", "reasoning"):
                if self._results:
                    yield from self._end_turn()
                self._of_model(message, where, thought=role == "reasoning")
            elif role == "tool":
                self._add_result(message, where)
            elif role != "activity":
                raise BadMessagesError(
                    f"{where}.role is {shown(role)}; only 'user', 'assistant', 'reasoning', 'tool'"
                    " and 'activity' are accepted"
                )
        yield from self._end_turn(waits=bool(self._posted.resumes))

    def _end_turn(self, *, waits: bool = False) -> Iterator[Content]:
        if self._said:
            turn = OpenTurn(Content(role="model", parts=self._said))
            for at, call in enumerate(self._calls):
                if (response := self._results.get(call.page_id)) is not None:
                    turn.responses[at] = response
                elif not (waits and call.page_id in self._posted.verdicts):
                    turn.responses[at] = _response(call, {"error": _UNANSWERED})
            yield from turn.turns()
        self._said, self._calls, self._by_id, self._results = [], [], {}, {}

    def _of_model(self, message: dict[str, Any], where: str, *, thought: bool) -> None:
        text, signature = text_of(message, "content", where), message.get("encryptedValue")
        if isinstance(signature, str) and signature:
            self._said.append(Part(text=text, thought=thought or None, thought_signature=signature))
        elif text and not thought:
            self._said.append(Part(text=text))
        for call in asked_calls(message):
            if self._tools is not None and call.name not in self._tools:
                raise BadMessagesError(f"{where}: the tool {shown(call.name)} is unknown")
            asked = FunctionCall(name=call.name, args=call.args, id=call.id)
            self._said.append(Part(function_call=asked, thought_signature=call.signature))
            self._calls.append(call)
            self._by_id.setdefault(call.page_id, call)
        check_calls(len(self._calls), where)

    def _add_result(self, message: dict[str, Any], where: str) -> None:
        given = text_of(message, "toolCallId", where)
        if (call := self._by_id.get(given)) is None:
            raise BadMessagesError(f"{where} is the result of a call that is not before it")
        content, files = message.get("content"), []
        if isinstance(content, list):
            files = [one for one in content if isinstance(one, dict) and one.get("type") in _MEDIA]
            content = "".join(
                text_of(one, "text", where)
                for one in content
                if isinstance(one, dict) and one.get("type") == "text"
            )
        if not isinstance(content, str):
            raise BadMessagesError(f"{where}.content is not a string, but {shown(content)}")
        error = text_of(message, "error", where)
        response = _response(call, {"error": error} if error else as_response(_decoded(content)))
        for one in files:
            if (media := self._media(one, where).inline_data) is not None:
                blob = FunctionResponseBlob(data=media.data, mime_type=media.mime_type)
                response.parts.append(FunctionResponsePart(inline_data=blob))
        self._results[given] = response

    def _of_user(self, message: dict[str, Any], where: str) -> Iterator[Part]:
        content = message.get("content")
        if isinstance(content, str):
            if content:
                yield Part(text=content)
            return
        if not isinstance(content, list):
            raise BadMessagesError(f"{where}.content is not a string or a list")
        for one in content:
            if not isinstance(one, dict):
                raise BadMessagesError(f"{where}.content has an item that is not an object")
            if one.get("type") == "text":
                if text := text_of(one, "text", where):
                    yield Part(text=text)
            elif one.get("type") in _MEDIA:
                yield self._media(one, where)

    def _media(self, part: dict[str, Any], where: str) -> Part:
        source = part.get("source")
        if not isinstance(source, dict):
            raise BadMessagesError(f"{where}: a file has no source")
        value, mime_type = text_of(source, "value", where), text_of(source, "mimeType", where)
        if source.get("type") != "data":
            return self._files.read(value, mime_type, where)
        if not self._files.allows("data:"):
            raise BadMessagesError(f"{where}: files inside the messages are not allowed")
        return Part(inline_data=read_base64(value, mime_type, where))


def _response(call: AskedCall, response: dict[str, Any]) -> FunctionResponse:
    return FunctionResponse(name=call.name, response=response, id=call.id)


def _decoded(text: str) -> object:
    """Return what a tool's text is in JSON, and otherwise the text."""
    try:
        value = msgspec.json.decode(text)
        check_messages([value], None)
    except (msgspec.DecodeError, RecursionError, BadMessagesError):
        return text
    return value
