"""The options of a conversation, checked and told apart from those of its requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, cast

from cometgem.errors import ConfigurationError
from cometgem.options import CallOptions
from cometgem.request.options import check_names
from cometgem.types.content import FunctionCall

if TYPE_CHECKING:
    from cometgem.options import GenerateOptions

__all__ = ["Confirm", "ConversationOptions", "OnToolError", "Settings", "split_options"]

OnToolError: TypeAlias = Literal["raise", "report"]

Confirm: TypeAlias = Callable[[FunctionCall], bool | str | Awaitable[bool | str]]
"""Asked before each call: True runs it, False refuses it, a text refuses it and is the reason."""

_MAX_ROUNDS = 10


class ConversationOptions(CallOptions, total=False):
    """What a conversation takes beside the model, the contents and the tools.

    Attributes:
        max_rounds: How often the model may be asked in one turn. Defaults to 10.
        concurrency: How many functions may run at the same time; None is no limit.
        on_tool_error: With "raise", the default, a failure ends the conversation with a
            ``ToolError``; with "report" it is reported to the model and the conversation goes on.
        confirm: Asked before each call.
    """

    max_rounds: int
    concurrency: int | None
    on_tool_error: OnToolError
    confirm: Confirm | None


class Settings(NamedTuple):
    """How a conversation runs; the options that are not part of a request."""

    max_rounds: int
    concurrency: int | None
    on_tool_error: OnToolError
    confirm: Confirm | None


def split_options(options: ConversationOptions) -> tuple[Settings, GenerateOptions]:
    """Return how the conversation runs, and the options of its requests.

    Raises:
        ConfigurationError: A value can never work.
        TypeError: An option does not exist.
    """
    check_names(options, ConversationOptions.__annotations__)
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
    if not isinstance(rounds, int) or rounds < 1:
        raise ConfigurationError(f"max_rounds={rounds!r}: give 1 or more")
    if concurrency is not None and not (isinstance(concurrency, int) and concurrency > 0):
        raise ConfigurationError(f"concurrency={concurrency!r}: give 1 or more, or None")
    if settings.on_tool_error not in ("raise", "report"):
        raise ConfigurationError(
            f"on_tool_error={settings.on_tool_error!r}: give 'raise' or 'report'"
        )
    if settings.confirm is not None and not callable(settings.confirm):
        raise ConfigurationError(f"confirm={settings.confirm!r}: give a function, or None")
