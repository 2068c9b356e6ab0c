"""The options of a request: their types, and checks of names and headers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from cometgem.errors import ConfigurationError
from cometgem.request.other_sdks import suggest_option
from cometgem.types.generation import GenerationConfig

if TYPE_CHECKING:
    from collections.abc import Collection

    from cometgem.request.contents import Contents
    from cometgem.request.functions import ToolLike
    from cometgem.request.signatures import ForeignHistory
    from cometgem.request.thinking import Thinking
    from cometgem.types.dicts import GenerationConfigDict, SafetySettingDict, ToolConfigDict
    from cometgem.types.request import SafetySetting
    from cometgem.types.tools import ToolConfig

__all__ = ["CommonOptions", "RequestOptions", "check_headers", "check_names"]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# Visible characters, spaces and tabs of RFC 9110 5.5, without obs-text.
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e]*")
_RESERVED_HEADERS = frozenset(
    {"authorization", "connection", "content-length", "host", "transfer-encoding", "x-goog-api-key"}
)


class CommonOptions(TypedDict, total=False):
    """Options of every request, in addition to the model, the contents and the tools.

    A dict in place of a struct has the API's own keys in camelCase or snake_case. Type checkers
    know them, so they do not take a variable of type ``dict[str, Any]``: annotate it as one of
    ``cometgem.types.dicts``, such as ``GenerationConfigDict``, or make the struct. What is newer
    than this library goes into ``extra_body``.

    Attributes:
        system_instruction: Instructions for the whole conversation, in the forms of ``contents``.
        thinking: How much to think: "off", "minimal", "low", "medium", "high", "xhigh", "dynamic"
            (the model decides) or a number of tokens, translated to each model's own parameter. If
            a model is known not to take a value, the nearest it takes is sent, with a
            ``CometGemWarning``. A ``thinkingConfig`` in ``generation_config`` takes precedence and
            is sent unchanged.
        thoughts: Whether to return summaries of the thinking, as parts with ``thought`` set.
        tool_config: How the model may use the tools.
        safety_settings: What to block.
        generation_config: Temperature, output format and similar settings.
        foreign_history: "skip" lets contents have function calls without a thought signature, as
            those of another model or written by hand: the request says that they have none. The
            contents themselves are not modified. Defaults to None: Gemini 3 and later refuse such
            calls.
        cached_content: The name of cached content, ``cachedContents/{id}``.
        extra_body: Merged into the body last, for keys newer than this library.
        headers: Sent with this request; they override the client's.
    """

    system_instruction: Contents | None
    thinking: Thinking | None
    thoughts: bool | None
    tool_config: ToolConfig | ToolConfigDict | None
    safety_settings: Sequence[SafetySetting | SafetySettingDict] | None
    generation_config: GenerationConfig | GenerationConfigDict | None
    foreign_history: ForeignHistory | None
    cached_content: str | None
    extra_body: Mapping[str, Any] | None
    headers: Mapping[str, str] | None


class RequestOptions(CommonOptions, total=False):
    """Options of a request, in addition to the model and the contents.

    Attributes:
        tools: The API's own tools, and functions; functions are declared but not run.
    """

    tools: Sequence[ToolLike] | None


def check_names(
    options: Mapping[str, Any], known: Collection[str], also: Collection[str] = ()
) -> None:
    """Check that every option exists.

    Args:
        options: The options that were given.
        known: The names of those that may be among them.
        also: Names of other arguments, to be listed as valid.

    Raises:
        TypeError: One does not; the message says what to use instead, if that is known.
    """
    for name in options:
        if name in known:
            continue
        if suggestion := suggest_option(name):
            raise TypeError(f"unknown option {name!r}: use {suggestion}")
        if name in GenerationConfig.__struct_fields__:
            raise TypeError(f"unknown option {name!r}: use generation_config={{{name!r}: ...}}")
        valid = ", ".join(sorted({*known, *also}))
        raise TypeError(f"unknown option {name!r}; valid options are {valid}")


def check_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Return the caller's headers.

    Raises:
        ConfigurationError: A name or value is not valid HTTP, or the header is reserved.
    """
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"headers must be a dict, got {type(headers).__name__}")
    for name, value in headers.items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise ConfigurationError(f"headers: {name!r} is not a valid header name")
        if name.lower() in _RESERVED_HEADERS:
            raise ConfigurationError(
                f"headers must not set {name!r}: the client sets it (api_key=, auth=, base_url=)"
            )
        if not isinstance(value, str) or not _FIELD_VALUE.fullmatch(value):
            raise ConfigurationError(
                f"headers: the value of {name!r} must be a str of visible ASCII characters"
            )
    return dict(headers)
