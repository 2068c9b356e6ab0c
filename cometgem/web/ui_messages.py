"""The messages that ``useChat`` posts, as contents. The browser is not trusted."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from cometgem.errors import ConfigurationError
from cometgem.request.arguments import shown
from cometgem.types.content import (
    Blob,
    CodeExecutionResult,
    Content,
    ExecutableCode,
    FileData,
    FunctionCall,
    FunctionResponse,
    Part,
)
from cometgem.web.ui_tools import CODE_EXECUTION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

__all__ = ["MAX_MESSAGES", "MAX_MESSAGES_SIZE", "contents_from_ui_messages"]

MAX_MESSAGES = 1000
MAX_MESSAGES_SIZE = 32 << 20
"""The maximum of all text and files together, in characters."""

_FINISHED = ("output-available", "output-error", "output-denied")


def contents_from_ui_messages(
    messages: object,
    *,
    tools: Collection[str] | None = None,
    allow_files: Sequence[str] = ("data:",),
    max_size: int | None = MAX_MESSAGES_SIZE,
) -> list[Content]:
    """Return the ``messages`` that the page has posted as contents.

    Thoughts are kept only with their signature, since the API reads no others. Sources and the
    page's own data are left out.

    Args:
        messages: The decoded JSON: a list of messages with ``role`` and ``parts``.
        tools: The names of the tools that calls may have; None allows all.
        allow_files: How the URLs of files may begin. By default only files inside the message are
            accepted, so that a page cannot make the API fetch an address for it.
        max_size: The maximum size of all strings in the messages, in characters; None is no limit.

    Raises:
        ConfigurationError: The messages are not valid, too large, or hold what is not allowed.
            Answer with status 400.
    """
    if not isinstance(messages, list) or not messages:
        raise ConfigurationError("messages must be a list of at least one message")
    if len(messages) > MAX_MESSAGES:
        raise ConfigurationError(
            f"there are {len(messages):,} messages, and at most {MAX_MESSAGES:,} are accepted"
        )
    if max_size is not None and (size := _size(messages, max_size)) > max_size:
        raise ConfigurationError(
            f"the messages hold more than {max_size:,} characters (at least {size:,})"
        )
    reader = _Reader(tools, tuple(allow_files))
    contents = [content for at, one in enumerate(messages) for content in reader.read(one, at)]
    if not contents:
        raise ConfigurationError("the messages hold nothing that could be sent")
    return contents


class _Reader:
    def __init__(self, tools: Collection[str] | None, allow_files: tuple[str, ...]) -> None:
        self._tools = tools
        self._allow_files = allow_files

    def read(self, message: object, at: int) -> Iterator[Content]:
        """Yield the turns of one message: an answer has one for each step, and for its results."""
        where = f"messages[{at}]"
        if not isinstance(message, dict):
            raise ConfigurationError(f"{where} is not an object")
        role, parts = message.get("role"), message.get("parts")
        if role not in ("user", "assistant"):
            raise ConfigurationError(
                f"{where}.role is {shown(role)}; only 'user' and 'assistant' are accepted"
            )
        if not isinstance(parts, list):
            raise ConfigurationError(f"{where}.parts is not a list")
        for number, part in enumerate(parts):
            if not isinstance(part, dict) or not isinstance(part.get("type"), str):
                raise ConfigurationError(f"{where}.parts[{number}] is not an object with a type")
        if role == "user":
            said = [part for one in parts for part in self._user_part(one, where)]
            if said:
                yield Content(role="user", parts=said)
            return
        for step in _steps(parts):
            yield from self._step(step, where)

    def _user_part(self, part: dict[str, Any], where: str) -> Iterator[Part]:
        if part["type"] == "text":
            if text := _text(part, "text", where):
                yield Part(text=text)
        elif part["type"] == "file":
            yield self._file(part, where)
        elif part["type"].startswith(("tool-", "dynamic-tool")):
            raise ConfigurationError(f"{where}: a message of the user cannot hold tool results")

    def _step(self, parts: list[dict[str, Any]], where: str) -> Iterator[Content]:
        said: list[Part] = []
        results: list[Part] = []
        for part in parts:
            kind = part["type"]
            if kind in ("text", "reasoning"):
                said += _said(part, where)
            elif kind == "file":
                said.append(_sign(self._file(part, where), part, "providerMetadata"))
            elif kind == "dynamic-tool" or kind.startswith("tool-"):
                call, result = self._tool(part, where)
                said += call
                results += result
        if said:
            yield Content(role="model", parts=said)
        if results:
            yield Content(role="user", parts=results)

    def _file(self, part: dict[str, Any], where: str) -> Part:
        url, mime_type = _text(part, "url", where), _text(part, "mediaType", where)
        if not url.startswith(self._allow_files):
            allowed = ", ".join(map(repr, self._allow_files)) or "none"
            raise ConfigurationError(
                f"{where}: the file URL {shown(url[:80])} is not allowed; URLs may begin with:"
                f" {allowed}"
            )
        if not url.startswith("data:"):
            return Part(file_data=FileData(file_uri=url, mime_type=mime_type or None))
        head, comma, data = url.partition(",")
        if not comma or not head.endswith(";base64"):
            raise ConfigurationError(f"{where}: a data URL must be in base64")
        try:
            content = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            raise ConfigurationError(f"{where}: a data URL is not valid base64") from None
        kind = mime_type or head[len("data:") : -len(";base64")]
        return Part(inline_data=Blob(data=content, mime_type=kind))

    def _tool(self, part: dict[str, Any], where: str) -> tuple[list[Part], list[Part]]:
        """Return a call and its result, as parts of two turns; neither if it is unfinished."""
        dynamic = part["type"] == "dynamic-tool"
        name = _text(part, "toolName", where) if dynamic else part["type"].removeprefix("tool-")
        state = part.get("state")
        if part.get("providerExecuted") is True:
            return (_code(part, where), []) if name == CODE_EXECUTION else ([], [])
        if self._tools is not None and name not in self._tools:
            raise ConfigurationError(f"{where}: there is no tool {shown(name)}")
        if state not in _FINISHED:
            # The API refuses a call without a result; a call that waits is answered by the server.
            return [], []
        args = part.get("input")
        if not isinstance(args, dict):
            raise ConfigurationError(f"{where}: the input of tool {shown(name)} is not an object")
        given = _text(part, "toolCallId", where)
        # Ids that the encoder made up are not the API's.
        call_id = None if not given or given.startswith("call_") else given
        call = Part(function_call=FunctionCall(name=name, args=args, id=call_id))
        answer = FunctionResponse(name=name, response=_result(part, state), id=call_id)
        return [_sign(call, part, "callProviderMetadata")], [Part(function_response=answer)]


def _steps(parts: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    step: list[dict[str, Any]] = []
    for part in parts:
        if part["type"] == "step-start":
            yield step
            step = []
        else:
            step.append(part)
    yield step


def _said(part: dict[str, Any], where: str) -> list[Part]:
    text, thought = _text(part, "text", where), part["type"] == "reasoning"
    said = _sign(Part(text=text, thought=thought or None), part, "providerMetadata")
    if said.thought_signature is None and (thought or not text):
        return []
    return [said]


def _sign(part: Part, data: dict[str, Any], key: str) -> Part:
    """Put the signature back where it was."""
    metadata = data.get(key)
    google = metadata.get("google") if isinstance(metadata, dict) else None
    signature = google.get("thoughtSignature") if isinstance(google, dict) else None
    if isinstance(signature, str) and signature:
        part.thought_signature = signature
    return part


def _code(part: dict[str, Any], where: str) -> list[Part]:
    given, output = part.get("input"), part.get("output")
    if part.get("state") != "output-available":
        return []
    if not isinstance(given, dict) or not isinstance(output, dict):
        raise ConfigurationError(f"{where}: the code that was run has no input or no output")
    code = ExecutableCode(
        code=_text(given, "code", where), language=_text(given, "language", where)
    )
    result = CodeExecutionResult(
        outcome=_text(output, "outcome", where), output=_text(output, "output", where)
    )
    return [Part(executable_code=code), Part(code_execution_result=result)]


def _result(part: dict[str, Any], state: str) -> dict[str, Any]:
    if state == "output-available":
        output = part.get("output")
        return output if isinstance(output, dict) else {"result": output}
    if state == "output-denied":
        return {"error": "the user refused this call"}
    return {"error": part.get("errorText") or "the tool failed"}


def _text(data: dict[str, Any], key: str, where: str) -> str:
    value = data.get(key, "")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ConfigurationError(f"{where}: {key} is not a string, but {shown(value)}")
    return value


def _size(value: object, limit: int) -> int:
    """Count the characters of all strings, without recursion, and stop above the limit."""
    size, todo = 0, [value]
    while todo and size <= limit:
        item = todo.pop()
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, list):
            size += len(item)
            todo += item
        elif isinstance(item, dict):
            size += sum(map(len, map(str, item)))
            todo += item.values()
    return size
