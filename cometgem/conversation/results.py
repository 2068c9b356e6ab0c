"""The results of functions as responses; a result that the API cannot take is the tool's error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from cometgem.errors import ToolError
from cometgem.types.content import FunctionResponse
from cometgem.types.wire import encode

if TYPE_CHECKING:
    from cometgem.request.functions import FunctionTool
    from cometgem.types.content import FunctionCall

__all__ = ["to_response"]

# The request encodes the result again, some levels deeper and in a deeper call stack, where it
# must not fail: then it would seem to be an error of the caller. The API allows about 100 levels.
_MAX_DEPTH = 300


def to_response(tool: FunctionTool, call: FunctionCall, result: object) -> FunctionResponse:
    """Return the response to a call.

    Raises:
        ToolError: The result is not valid JSON.
    """
    # Before msgspec sees it: at the recursion limit, finalizers of other objects would fail, too.
    raw = result.response if isinstance(result, FunctionResponse) else result
    if (flaw := _find_flaw(raw)) is not None:
        raise _not_valid(call, flaw)
    try:
        response = tool.to_response(call, result)
        # Media that the tool took out of the result are valid: no need to encode them twice.
        checked = response if isinstance(result, FunctionResponse) else response.response
        plain = msgspec.to_builtins(checked, str_keys=True)
    except (TypeError, ValueError) as error:
        raise ToolError(
            call, f"returned a value that cannot be encoded as JSON: {error}"
        ) from error
    except RecursionError as error:
        raise _not_valid(call, "it is nested too deeply") from error
    if (flaw := _find_flaw(plain)) is not None:
        raise _not_valid(call, flaw)
    try:
        encode(plain)
    except (TypeError, ValueError, OverflowError) as error:
        raise _not_valid(call, str(error)) from error
    return response


def _find_flaw(value: object) -> str | None:
    level = [value]
    for _ in range(_MAX_DEPTH):
        below: list[object] = []
        for item in level:
            if isinstance(item, float) and not math.isfinite(item):
                return f"it contains {item}, which JSON does not have"
            if isinstance(item, dict):
                below += item.values()
            elif isinstance(item, (list, tuple)):
                below += item
        if not below:
            return None
        level = below
    return f"it is nested more than {_MAX_DEPTH} levels deep"


def _not_valid(call: FunctionCall, why: str) -> ToolError:
    return ToolError(call, f"returned a value that is not valid JSON: {why}")
