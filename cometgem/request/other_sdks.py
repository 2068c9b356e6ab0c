"""Names from other SDKs (OpenAI's and google-genai), and what to use instead.

Code is often ported from those SDKs. Names that can never work here are refused before anything
is sent, with the right one in the error. ``extra_body`` is not checked: it remains the way to
send a key that the API introduces later under one of these names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cometgem.errors import ConfigurationError
from cometgem.types.content import Content, Part

__all__ = ["check_config_keys", "check_content_key", "check_role", "suggest_option"]

# Keys that look as if they belonged in the generation config, and what belongs there.
_CONFIG_KEYS = {
    "include_thoughts": "'thinking_config': {'include_thoughts': ...}",
    "max_completion_tokens": "'max_output_tokens': ...",
    "max_tokens": "'max_output_tokens': ...",
    "n": "'candidate_count': ...",
    "reasoning_effort": "'thinking_config': {'thinking_level': ...}",
    "stop": "'stop_sequences': [...]",
    "thinking_budget": "'thinking_config': {'thinking_budget': ...}",
    "thinking_level": "'thinking_config': {'thinking_level': ...}",
    "top_logprobs": "'response_logprobs': True, 'logprobs': ...",
}

# google-genai takes these in its `config`, next to temperature and the like.
_OPTIONS = ("cached_content", "safety_settings", "system_instruction", "tool_config", "tools")

_OPTION_NAMES = {
    **{name: f"generation_config={{{keys}}}" for name, keys in _CONFIG_KEYS.items()},
    "config": "generation_config={...}, and options such as system_instruction= and tools=",
    "include_thoughts": "thoughts=...",
    "input": "contents=...",
    "messages": "contents=[...], or history=[...] for a chat",
    "prompt": "contents=...",
    "reasoning_effort": "thinking=...",
    "response_format": (
        "generation_config={'response_mime_type': 'application/json', 'response_json_schema': ...}"
    ),
    "stream": "client.stream_generate_content(...), or chat.stream(...)",
    "system": "system_instruction=...",
    "thinking_budget": "thinking=...",
    "thinking_level": "thinking=...",
    "timeout": "timeouts=Timeouts(...)",
    "tool_choice": "tool_config={'function_calling_config': {'mode': ...}}",
}

_FUNCTION_RESULT = (
    "give the result as a functionResponse part of a 'user' turn, or let client.run_tools(...)"
    " call the functions"
)
_ROLES = {
    "assistant": "use 'model'",
    "developer": "use system_instruction=... instead",
    "function": _FUNCTION_RESULT,
    "system": "use system_instruction=... instead",
    "tool": _FUNCTION_RESULT,
}


def _camel(name: str) -> str:
    head, *words = name.split("_")
    return head + "".join(map(str.title, words))


_KEYS_NOT_IN_CONFIG = {
    spelling: suggestion
    for name, suggestion in [
        *_CONFIG_KEYS.items(),
        *((name, f"the option {name}=... instead") for name in _OPTIONS),
    ]
    for spelling in (name, _camel(name))
}


def suggest_option(name: str) -> str | None:
    """Return what to use in place of an option of another SDK; None if the name is not known."""
    return _OPTION_NAMES.get(name)


def check_config_keys(config: object) -> None:
    """Check that a generation config, if it is a dict, has no keys from other SDKs.

    Raises:
        ConfigurationError: It does.
    """
    if isinstance(config, Mapping):
        for name in config:
            if suggestion := _KEYS_NOT_IN_CONFIG.get(name):
                raise ConfigurationError(f"generation_config has no key {name!r}: use {suggestion}")


def check_role(turn: Content | Mapping[str, Any], where: str) -> None:
    """Check that a turn does not have one of OpenAI's roles, which the API refuses.

    "function" and "tool" pass if the turn has a function response, since the API has accepted
    both. Unknown roles pass, too.

    Raises:
        ConfigurationError: It does.
    """
    role = turn.role if isinstance(turn, Content) else turn.get("role")
    if role in (None, "user", "model"):
        return
    suggestion = _ROLES.get(role) if isinstance(role, str) else None
    if suggestion is None or (suggestion is _FUNCTION_RESULT and _has_function_response(turn)):
        return
    raise ConfigurationError(f"{where} has the role {role!r}: {suggestion}")


def check_content_key(turn: Mapping[str, Any], where: str) -> None:
    """Check that a turn in dict form does not have OpenAI's ``content`` in place of ``parts``.

    Raises:
        ConfigurationError: It does.
    """
    if "content" in turn and "parts" not in turn:
        raise ConfigurationError(
            f"{where} has 'content' in place of 'parts': use 'parts': [{{'text': ...}}]"
        )


def _has_function_response(turn: Content | Mapping[str, Any]) -> bool:
    parts = turn.parts if isinstance(turn, Content) else turn.get("parts")
    return isinstance(parts, Sequence) and any(
        part.function_response is not None
        if isinstance(part, Part)
        else isinstance(part, Mapping)
        and ("functionResponse" in part or "function_response" in part)
        for part in parts
    )
