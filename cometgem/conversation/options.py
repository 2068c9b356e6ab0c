"""The options of a conversation: checked, and separated from those of its requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, cast

from cometgem.errors import ConfigurationError
from cometgem.options import CallOptions, check_call
from cometgem.request.arguments import is_integer, shown
from cometgem.request.options import check_names
from cometgem.types.content import FunctionCall

if TYPE_CHECKING:
    from cometgem.options import GenerateOptions

__all__ = ["Confirm", "ConversationOptions", "OnToolError", "Settings", "split_options"]

OnToolError: TypeAlias = Literal["raise", "report"]

Confirm: TypeAlias = Callable[[FunctionCall], bool | str | Awaitable[bool | str]]
"""Decides before each call: True runs it, False or a string (the reason) refuses it."""

_MAX_ROUNDS = 10


class ConversationOptions(CallOptions, total=False):
    """The options of a conversation, besides the model, contents and tools.

    Attributes:
        max_rounds: The maximum number of requests in one turn. Defaults to 10.
        concurrency: How many functions may run at the same time. Defaults to None, no limit.
        on_tool_error: "report" reports failures to the model and continues. Defaults to
            "raise", which ends the conversation with a ``ToolError``.
        confirm: Called before each call, to allow or refuse it.
    """

    max_rounds: int
    concurrency: int | None
    on_tool_error: OnToolError
    confirm: Confirm | None


class Settings(NamedTuple):
    """The options that control the conversation and are not part of a request."""

    max_rounds: int
    concurrency: int | None
    on_tool_error: OnToolError
    confirm: Confirm | None


def split_options(options: ConversationOptions) -> tuple[Settings, GenerateOptions]:
    """Return the settings of the conversation and the options of its requests.

    Raises:
        ConfigurationError: A value is not valid.
        TypeError: An option does not exist.
    """
    check_names(options, ConversationOptions.__annotations__)
    check_call(options)
    rest: ConversationOptions = {**options}
    settings = Settings(
        max_rounds=rest.pop("max_rounds", _MAX_ROUNDS),
        concurrency=rest.pop("concurrency", None),
        on_tool_error=rest.pop("on_tool_error", "raise"),
        confirm=rest.pop("confirm", None),
    )
    _check(settings)
    return settings, cast("GenerateOptions", rest)


def _check(settings: Settings) -> None:
    rounds, concurrency = settings.max_rounds, settings.concurrency
    if not is_integer(rounds) or rounds < 1:
        raise ConfigurationError(
            f"max_rounds={shown(rounds)} is not valid; use an integer of at least 1"
        )
    if concurrency is not None and not (is_integer(concurrency) and concurrency > 0):
        raise ConfigurationError(
            f"concurrency={shown(concurrency)} is not valid; use an integer of at least 1, or None"
        )
    if settings.on_tool_error not in ("raise", "report"):
        raise ConfigurationError(
            f"on_tool_error={shown(settings.on_tool_error)} is not valid; use 'raise' or 'report'"
        )
    if settings.confirm is not None and not callable(settings.confirm):
        raise ConfigurationError(
            f"confirm={shown(settings.confirm)} is not valid; use a function, or None"
        )
