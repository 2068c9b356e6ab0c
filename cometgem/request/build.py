"""Builds a request from arguments: method, path, headers, body. The transport adds the API key.

Arguments that can never work are refused here, in one sentence, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from cometgem.errors import ConfigurationError
from cometgem.request.arguments import check_bool, shown
from cometgem.request.contents import contents_to_wire, instruction_to_wire
from cometgem.request.functions import as_function_tools, tools_to_wire
from cometgem.request.keys import list_to_wire, to_wire
from cometgem.request.options import check_headers
from cometgem.request.other_sdks import check_config_keys
from cometgem.request.signatures import check_foreign_history, skip_missing_signatures
from cometgem.request.thinking import (
    check_thinking,
    check_thinking_config,
    mismatch,
    translate,
)
from cometgem.types.generation import GenerationConfig, ThinkingConfig
from cometgem.types.request import GenerateContentRequest, SafetySetting
from cometgem.types.tools import ToolConfig
from cometgem.types.wire import encode, to_builtins

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem.request.contents import Contents
    from cometgem.request.options import CommonOptions, RequestOptions

__all__ = ["Operation", "Request", "build_request", "check_request"]

Operation = Literal["generateContent", "streamGenerateContent"]

_T = TypeVar("_T")


class Request(msgspec.Struct, frozen=True):
    """One HTTP request, without the API key.

    Attributes:
        path: Percent-encoded, including the query; appended to the base URL.
        headers: All headers except the one with the key.
        body: JSON in UTF-8.
        warning: Why the request will probably not have the intended effect, or None.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    warning: str | None = None


def build_request(
    operation: Operation, model: str, contents: Contents, options: RequestOptions
) -> Request:
    """Return the request for one operation.

    Raises:
        ConfigurationError: An argument can never work.
    """
    segment = _model_segment(model)
    body, warning = _build_body(model, contents, options)
    streamed = operation == "streamGenerateContent"
    headers = check_headers(options.get("headers"))
    given = {name.lower() for name in headers}
    defaults = {
        "Accept": "text/event-stream" if streamed else "application/json",
        "Content-Type": "application/json",
    }
    return Request(
        method="POST",
        path=f"/v1beta/models/{segment}:{operation}{'?alt=sse' if streamed else ''}",
        headers={name: defaults[name] for name in defaults if name.lower() not in given} | headers,
        body=body,
        warning=warning,
    )


def check_request(model: str, options: RequestOptions) -> str | None:
    """Check everything except the contents, and return the ``warning`` of the request.

    Raises:
        ConfigurationError: An argument can never work.
    """
    _model_segment(model)
    check_headers(options.get("headers"))
    return _build_body(model, None, options)[1]


def _build_body(
    model: str, contents: Contents | None, options: RequestOptions
) -> tuple[bytes, str | None]:
    config = options.get("generation_config")
    warning = None
    check_thinking(options.get("thinking"))
    check_foreign_history(options.get("foreign_history"))
    if (thoughts := options.get("thoughts")) is not None:
        check_bool("thoughts", thoughts)
    try:
        if config is not None:
            check_config_keys(config)
            config = to_wire(config, GenerationConfig, "generation_config")
        if explicit := _explicit_thinking(config):
            check_thinking_config(explicit)
            warning = mismatch(model, explicit)
        else:
            config, warning = _add_thinking(model, config, options)
        return _convert(encode, _body(contents, options, config)), warning
    except RecursionError:
        raise ConfigurationError("the request is nested too deeply to be written as JSON") from None


def _body(contents: Contents | None, options: RequestOptions, config: Any) -> Any:
    body: dict[str, Any] = {} if contents is None else {"contents": contents_to_wire(contents)}
    if contents is not None and options.get("foreign_history") is not None:
        body["contents"] = skip_missing_signatures(body["contents"])
    if (instruction := options.get("system_instruction")) is not None:
        body["systemInstruction"] = instruction_to_wire(instruction)
    if (tools := options.get("tools")) is not None:
        body["tools"] = tools_to_wire(as_function_tools(tools))
    if (tool_config := options.get("tool_config")) is not None:
        body["toolConfig"] = to_wire(tool_config, ToolConfig, "tool_config")
    if (settings := options.get("safety_settings")) is not None:
        body["safetySettings"] = list_to_wire(settings, SafetySetting, "safety_settings")
    if config is not None:
        body["generationConfig"] = config
    if (cached := options.get("cached_content")) is not None:
        if not isinstance(cached, str):
            raise ConfigurationError(
                f"cached_content={shown(cached)} is not a str: use a name such as"
                " 'cachedContents/id'"
            )
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
            f"{model!r} is not a valid model name: use a name such as 'gemini-3.8-flash',"
            " without '/' and '..'"
        )
    return quote(name, safe="")


def _add_thinking(model: str, config: Any, options: CommonOptions) -> tuple[Any, str | None]:
    """Return the generation config, including ``thinking`` and ``thoughts``, and a warning."""
    thinking, thoughts = options.get("thinking"), options.get("thoughts")
    if thinking is None and thoughts is None:
        return config, None
    setting, warning = translate(model, thinking, thoughts=thoughts)
    if setting == ThinkingConfig():
        return config, warning
    if isinstance(config, dict):
        return config | {"thinkingConfig": setting}, warning
    return replace(config or GenerationConfig(), thinking_config=setting), warning


def _explicit_thinking(config: Any) -> dict[str, Any]:
    """Return the ``thinkingConfig`` of a generation config, in wire form."""
    if config is None:
        return {}
    given = config.get("thinkingConfig") if isinstance(config, dict) else config.thinking_config
    thinking = msgspec.to_builtins(given, enc_hook=repr)
    return thinking if isinstance(thinking, dict) else {}


def _merge(body: Any, extra: Any) -> Any:
    body, extra = _plain(body), _plain(extra)
    if not (isinstance(body, dict) and isinstance(extra, Mapping)):
        return extra
    return body | {key: _merge(body.get(key), value) for key, value in extra.items()}


def _plain(value: Any) -> Any:
    return _convert(to_builtins, value) if isinstance(value, msgspec.Struct) else value


def _convert(convert: Callable[[Any], _T], value: Any) -> _T:
    try:
        return convert(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"the request cannot be written as JSON: {error}") from error
