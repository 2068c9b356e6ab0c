"""What a person or a tool may say in place of a result: wait, go ahead, no, it failed."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Approve", "Pause", "Refuse", "ToolFailed"]

REFUSED = "the user refused this call"


class Pause(Exception):  # noqa: N818  not an error
    """The call waits: for a person, for another process, or until tomorrow.

    Returned or raised by ``confirm``, or raised by a tool. The other calls of the turn run, then
    the conversation ends in the state "paused", with the call in ``pending``.

    Args:
        reason: Why, for whoever answers the call; it is found in ``stream.pause_reasons``.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason: str = reason


class ToolFailed(Exception):  # noqa: N818  the model is told, and the conversation goes on
    """Raised by a tool to report a failure to the model, whatever ``on_tool_error`` says.

    The message is what the model reads: ``raise ToolFailed("there is no such city")``.
    """


class Approve(msgspec.Struct, frozen=True):
    """The answer to a pending call, or the verdict of ``confirm``: run the function.

    Attributes:
        args: What to run it with, in place of the model's arguments, also in the history; None
            leaves them as they are.
    """

    args: dict[str, Any] | None = None


class Refuse(msgspec.Struct, frozen=True):
    """The answer to a pending call, or the verdict of ``confirm``: report a refusal to the model.

    Attributes:
        reason: What the model reads.
    """

    reason: str = REFUSED
