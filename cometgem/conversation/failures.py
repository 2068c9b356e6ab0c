"""What becomes of a call that failed: reported to the model, or raised.

The model's mistakes are always reported, as is what a tool says with ``ToolFailed``. For the
function's own exceptions ``on_tool_error`` decides. What is reported would otherwise be seen by
the model alone, so it is logged: exceptions with their traceback, mistakes as one line.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cometgem.conversation.calling import call_function
from cometgem.conversation.verdicts import ToolFailed
from cometgem.errors import ConfigurationError, ToolCallError, ToolError, printable
from cometgem.request.arguments import shown
from cometgem.types.content import FunctionResponse

if TYPE_CHECKING:
    import anyio

    from cometgem.conversation.options import OnToolError
    from cometgem.types.content import FunctionCall

__all__ = ["MALFORMED", "error_response", "log_malformed", "report"]

# The model tried to call a function, and the server did not understand it.
MALFORMED = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"})

_logger = logging.getLogger("cometgem.tools")


async def report(
    call: FunctionCall,
    failure: ToolError | ToolFailed,
    on_tool_error: OnToolError,
    threads: anyio.CapacityLimiter,
) -> str | None:
    """Return what the model is told about a failure, or None if it is to be raised.

    Raises:
        ConfigurationError: The function ``on_tool_error`` did not return a str.
    """
    if isinstance(failure, ToolFailed):
        message = _text(failure)
        _logger.warning("the tool %r failed: %s", call.name, printable(message), exc_info=failure)
        return message
    if isinstance(failure, ToolCallError):
        _logger.info("reported to the model: %s", failure)
        return str(failure)
    if on_tool_error == "raise":
        return None
    message = str(failure)
    if callable(on_tool_error):
        told = await call_function(threads, on_tool_error, failure)
        if not isinstance(told, str):
            raise ConfigurationError(
                f"on_tool_error must return a str for the model, got {shown(told)}"
            )
        message = told
    _logger.warning("reported to the model: %s", failure, exc_info=failure.__cause__)
    return message


def log_malformed(finish_reason: str) -> None:
    """Log that the model is asked again."""
    _logger.info("the model wrote no valid function call (%s): asked again", finish_reason)


def error_response(call: FunctionCall, message: str) -> FunctionResponse:
    """Return a response with the key "error"; https://ai.google.dev/api/caching#FunctionResponse."""
    return FunctionResponse(name=call.name, id=call.id, response={"error": message})


def _text(failure: ToolFailed) -> str:
    try:
        return str(failure).encode(errors="replace").decode() or "the tool failed"
    except Exception:  # noqa: BLE001  the caller's own class
        return "the tool failed"
