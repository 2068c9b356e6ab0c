"""Tool configs of later rounds: without the order to call a function.

With mode ANY the model must call a function in every answer, so a conversation that keeps it
never reaches an answer in text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from msgspec.structs import replace

from cometgem.request.keys import to_wire
from cometgem.types.tools import FunctionCallingConfig, ToolConfig

if TYPE_CHECKING:
    from cometgem.types.dicts import ToolConfigDict

__all__ = ["without_force"]


@overload
def without_force(tool_config: ToolConfig) -> tuple[ToolConfig, bool]: ...
@overload
def without_force(tool_config: ToolConfigDict) -> tuple[ToolConfigDict, bool]: ...
@overload
def without_force(tool_config: None) -> tuple[None, bool]: ...
@overload
def without_force(
    tool_config: ToolConfig | ToolConfigDict | None,
) -> tuple[ToolConfig | ToolConfigDict | None, bool]: ...
def without_force(tool_config: Any) -> tuple[Any, bool]:
    """Return a tool config that lets the model decide, and whether the given one forced a call.

    A config with the mode ANY is returned as a copy with the mode AUTO and without
    ``allowedFunctionNames``, which AUTO does not take; everything else is kept. Any other config
    is returned unchanged. https://ai.google.dev/gemini-api/docs/function-calling advises to drop
    ANY after the first call.

    Args:
        tool_config: The ``tool_config`` of a request: a struct, a dict in camelCase or snake_case,
            or None.

    Returns:
        The config (a dict is returned in wire form, with camelCase keys), and True if the given
        one has the mode ANY.

    Raises:
        ConfigurationError: It is neither a struct nor a dict, or has a misspelt key.
    """
    if tool_config is None:
        return None, False
    wire = to_wire(tool_config, ToolConfig, "tool_config")
    if isinstance(wire, ToolConfig):
        calling: Any = wire.function_calling_config
    else:
        calling = wire.get("functionCallingConfig")
    if not _is_forced(calling):
        return tool_config, False
    if isinstance(calling, FunctionCallingConfig):
        calling = replace(calling, mode="AUTO", allowed_function_names=[])
    else:
        calling = {
            key: "AUTO" if key == "mode" else value
            for key, value in calling.items()
            if key != "allowedFunctionNames"
        }
    if isinstance(wire, ToolConfig):
        return replace(wire, function_calling_config=calling), True
    return wire | {"functionCallingConfig": calling}, True


def _is_forced(calling: Any) -> bool:
    if calling is None:
        return False
    mode = calling.mode if isinstance(calling, FunctionCallingConfig) else calling.get("mode")
    return isinstance(mode, str) and mode.upper() == "ANY"
