"""Arguments become a request: method, path, headers, body. The API key is added further up.

Whatever can never work is refused here, in one sentence, before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from cometgem.errors import ConfigurationError
from cometgem.protocol.codec import encode
from cometgem.protocol.contents import Contents, contents_to_wire, instruction_to_wire
from cometgem.protocol.functions import ToolLike, tools_to_wire
from cometgem.protocol.spelling import list_to_wire, to_wire
from cometgem.protocol.thinking import Thinking, check_by_hand, misfit, thinking_config
from cometgem.types.generation import GenerationConfig, ThinkingConfig
from cometgem.types.request import GenerateContentRequest, SafetySetting
from cometgem.types.tools import ToolConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from cometgem.protocol.retry import RetryPolicy
    from cometgem.protocol.timeouts import Timeouts

__all__ = [
    "CallOptions",
    "GenerateOptions",
    "Operation",
    "Request",
    "build_request",
    "check_headers",
    "check_options",
]

Operation = Literal["generateContent", "streamGenerateContent"]

_T = TypeVar("_T")

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# Visible characters, spaces and tabs of RFC 9110 5.5, without obs-text.
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e]*")
_OWN_HEADERS = frozenset(
    {"authorization", "connection", "content-length", "host", "transfer-encoding", "x-goog-api-key"}
)


class CallOptions(TypedDict, total=False):
    """What every call takes beside the model, the contents and the tools.

    Attributes:
        system_instruction: What holds for the whole conversation, in the forms of ``contents``.
        thinking: How much to think: "off", "minimal", "low", "medium", "high", "dynamic" or
            tokens, said to each model in its own way. A ``thinkingConfig`` in
            ``generation_config`` counts more, and is sent as it is.
        thoughts: Whether summaries of the thinking shall come, as parts with ``thought`` set.
        tool_config: How the model may use the tools.
        safety_settings: What is to be blocked.
        generation_config: Temperature, output format and the like.
        cached_content: ``cachedContents/{id}``.
        extra_body: Merged into the body last, for keys newer than this library.
        headers: Sent with this request, over the client's.
        timeouts: In place of the client's.
        retry: In place of the client's.
    """

    system_instruction: Contents | None
    thinking: Thinking | None
    thoughts: bool | None
    tool_config: ToolConfig | Mapping[str, Any] | None
    safety_settings: Sequence[SafetySetting | Mapping[str, Any]] | None
    generation_config: GenerationConfig | Mapping[str, Any] | None
    cached_content: str | None
    extra_body: Mapping[str, Any] | None
    headers: Mapping[str, str] | None
    timeouts: Timeouts | None
    retry: RetryPolicy | None


class GenerateOptions(CallOptions, total=False):
    """What both operations take beside the model and the contents.

    Attributes:
        tools: The API's own tools, and functions: these are declared, and their calls reported.
    """

    tools: Sequence[ToolLike] | None


class Request(msgspec.Struct, frozen=True):
    """One HTTP request, without the key.

    Attributes:
        path: Percent-encoded, with the query; to be appended to the base URL.
        headers: All but the key's.
        body: JSON in UTF-8.
        doubt: What will hardly do what it is meant to, in a sentence, or None.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    doubt: str | None = None


def build_request(
    operation: Operation, model: str, contents: Contents, options: GenerateOptions
) -> Request:
    """Return the request for one operation.

    Raises:
        ConfigurationError: An argument that can never work.
        TypeError: An option that does not exist.
    """
    check_options(options, GenerateOptions.__annotations__)
    segment = _model_segment(model)
    try:
        config = options.get("generation_config")
        if config is not None:
            config = to_wire(config, GenerationConfig, "generation_config")
        if by_hand := _thinking_by_hand(config):
            check_by_hand(by_hand)
        else:
            config = _with_thinking(model, config, options)
        body = _body(contents, options, config)
    except RecursionError:
        raise ConfigurationError("the request is nested too deeply to be written") from None
    streamed = operation == "streamGenerateContent"
    headers = check_headers(options.get("headers"))
    named = {name.lower() for name in headers}
    defaults = {
        "Accept": "text/event-stream" if streamed else "application/json",
        "Content-Type": "application/json",
    }
    return Request(
        method="POST",
        path=f"/v1beta/models/{segment}:{operation}{'?alt=sse' if streamed else ''}",
        headers={name: defaults[name] for name in defaults if name.lower() not in named} | headers,
        body=_write(encode, body),
        doubt=misfit(model, by_hand) if by_hand else None,
    )


def check_options(options: Mapping[str, Any], known: Collection[str]) -> None:
    """Check the options' names.

    Raises:
        TypeError: One does not exist.
    """
    config_keys = GenerationConfig.__struct_fields__
    for name in options:
        if name in config_keys:
            raise TypeError(f"{name!r} is no option: give generation_config={{{name!r}: ...}}")
        if name not in known:
            raise TypeError(f"{name!r} is no option; there are {', '.join(sorted(known))}")


def check_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Return the caller's headers, if they may be sent.

    Raises:
        ConfigurationError: A name or value that HTTP does not allow, or one that is not the
            caller's to set.
    """
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"headers must be a dict, got {type(headers).__name__}")
    for name, value in headers.items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise ConfigurationError(f"headers: {name!r} is no header name")
        if name.lower() in _OWN_HEADERS:
            raise ConfigurationError(
                f"headers must not set {name!r}: it is the client's (api_key=, auth=, base_url=)"
            )
        if not isinstance(value, str) or not _FIELD_VALUE.fullmatch(value):
            raise ConfigurationError(
                f"headers: the value of {name!r} must be a str of visible ASCII characters"
            )
    return dict(headers)


def _body(contents: Contents, options: GenerateOptions, config: Any) -> Any:
    body: dict[str, Any] = {"contents": contents_to_wire(contents)}
    if (instruction := options.get("system_instruction")) is not None:
        body["systemInstruction"] = instruction_to_wire(instruction)
    if (tools := options.get("tools")) is not None:
        body["tools"] = tools_to_wire(tools)
    if (tool_config := options.get("tool_config")) is not None:
        body["toolConfig"] = to_wire(tool_config, ToolConfig, "tool_config")
    if (settings := options.get("safety_settings")) is not None:
        body["safetySettings"] = list_to_wire(settings, SafetySetting, "safety_settings")
    if config is not None:
        body["generationConfig"] = config
    if (cached := options.get("cached_content")) is not None:
        body["cachedContent"] = cached
    if (extra := options.get("extra_body")) is not None:
        return _merge(body, to_wire(extra, GenerateContentRequest, "extra_body"))
    return body


def _model_segment(model: str) -> str:
    if not isinstance(model, str):
        raise ConfigurationError(f"model must be a str, got {type(model).__name__}")
    name = model.removeprefix("models/")
    if not name.strip() or "/" in name or "\\" in name or ".." in name or not name.isprintable():
        raise ConfigurationError(
            f"{model!r} is no model name: give one such as 'gemini-2.5-flash', without '/' and '..'"
        )
    return quote(name, safe="")


def _with_thinking(model: str, config: Any, options: GenerateOptions) -> Any:
    """Return the generation config with what ``thinking`` and ``thoughts`` wish for."""
    thinking, thoughts = options.get("thinking"), options.get("thoughts")
    if thinking is None and thoughts is None:
        return config
    wish = thinking_config(model, thinking, thoughts=thoughts)
    if wish == ThinkingConfig():
        return config
    if isinstance(config, dict):
        return config | {"thinkingConfig": wish}
    return replace(config or GenerationConfig(), thinking_config=wish)


def _thinking_by_hand(config: Any) -> dict[str, Any]:
    if config is None:
        return {}
    given = _get(config, "thinking_config", "thinkingConfig")
    thinking = msgspec.to_builtins(given, enc_hook=repr)
    return thinking if isinstance(thinking, dict) else {}


def _get(config: Any, name: str, wire: str) -> Any:
    return config.get(wire) if isinstance(config, dict) else getattr(config, name)


def _merge(body: Any, extra: Any) -> Any:
    body, extra = _plain(body), _plain(extra)
    if not (isinstance(body, dict) and isinstance(extra, Mapping)):
        return extra
    return body | {key: _merge(body.get(key), value) for key, value in extra.items()}


def _plain(value: Any) -> Any:
    return _write(msgspec.to_builtins, value) if isinstance(value, msgspec.Struct) else value


def _write(write: Callable[[Any], _T], value: Any) -> _T:
    try:
        return write(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"the request cannot be written as JSON: {error}") from error
