"""The options of a conversation: checked, and separated from those of its requests."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, cast

from cometgem.conversation.round import Round
from cometgem.conversation.verdicts import Approve, Pause, Refuse
from cometgem.errors import ConfigurationError, ToolError
from cometgem.options import CallOptions, check_call
from cometgem.request.arguments import check_bool, is_integer, is_number, shown
from cometgem.request.options import check_names
from cometgem.types.content import FunctionCall
from cometgem.types.response import GenerateContentResponse

if TYPE_CHECKING:
    from cometgem.options import GenerateOptions

__all__ = [
    "Confirm",
    "ConversationOptions",
    "OnToolError",
    "PrepareRound",
    "Settings",
    "StopAfter",
    "split_options",
]

OnToolError: TypeAlias = (
    Literal["raise", "report"] | Callable[[ToolError], str] | Callable[[ToolError], Awaitable[str]]
)
"""What becomes of a function's exception; a function returns what the model is told."""

Verdict: TypeAlias = bool | str | Pause | type[Pause] | Approve | Refuse

Confirm: TypeAlias = Callable[[FunctionCall], Verdict | Awaitable[Verdict]]
"""Decides before each call: True or ``Approve`` runs it, False, a string (the reason) or
``Refuse`` refuses it, ``Pause`` lets it wait."""

PrepareRound: TypeAlias = Callable[[Round], object]
"""Called before each request, which it may change; async or not."""

StopAfter: TypeAlias = str | Collection[str] | Callable[[GenerateContentResponse], object]
"""Names of functions, or a predicate on the response."""

_MAX_ROUNDS = 10


class ConversationOptions(CallOptions, total=False):
    """The options of a conversation, besides the model, contents and tools.

    Attributes:
        max_rounds: The maximum number of requests in one turn. Defaults to 10.
        total_time: Seconds for one turn, functions and the caller's own time between items
            included. Defaults to None, no limit.
        concurrency: How many functions may run at the same time. Defaults to None, no limit.
        on_tool_error: "report" reports exceptions of functions to the model and continues; a
            function that takes the ``ToolError`` returns what the model is told. Defaults to
            "raise", which ends the conversation with the ``ToolError``.
        confirm: Called before each call, to allow or refuse it, or to let it wait.
        stop_after: Names of functions: the conversation ends, without asking the model again,
            once one of them has run. Or a predicate on the response of a round with calls.
        prepare_round: Called with a ``Round`` before each request, to change its model, contents,
            tools or tool config.
        force_every_round: With the mode ANY in ``tool_config``, True forces a call in every
            round. Defaults to False: only in the first, so that the model can answer in text.
    """

    max_rounds: int
    total_time: float | None
    concurrency: int | None
    on_tool_error: OnToolError
    confirm: Confirm | None
    stop_after: StopAfter | None
    prepare_round: PrepareRound | None
    force_every_round: bool


class Settings(NamedTuple):
    """The options that control the conversation and are not part of a request."""

    max_rounds: int = _MAX_ROUNDS
    total_time: float | None = None
    concurrency: int | None = None
    on_tool_error: OnToolError = "raise"
    confirm: Confirm | None = None
    stop_after: StopAfter | None = None
    prepare_round: PrepareRound | None = None
    force_every_round: bool = False


def split_options(options: ConversationOptions) -> tuple[Settings, GenerateOptions]:
    """Return the settings of the conversation and the options of its requests.

    Raises:
        ConfigurationError: A value is not valid.
        TypeError: An option does not exist.
    """
    check_names(
        options, ConversationOptions.__annotations__, also=("response_type", "schema_dialect")
    )
    check_call(options)
    given: dict[str, Any] = {name: options[name] for name in Settings._fields if name in options}  # type: ignore[literal-required]
    rest = {name: value for name, value in options.items() if name not in given}
    settings = Settings(**given)
    _check(settings)
    return settings, cast("GenerateOptions", rest)


def _check(settings: Settings) -> None:
    rounds, concurrency, seconds = settings.max_rounds, settings.concurrency, settings.total_time
    if not is_integer(rounds) or rounds < 1:
        raise ConfigurationError(
            f"max_rounds={shown(rounds)} is not valid; use an integer of at least 1"
        )
    if seconds is not None and not (is_number(seconds) and 0 < seconds < math.inf):
        raise ConfigurationError(
            f"total_time={shown(seconds)} is not valid; use seconds above 0, or None for no limit"
        )
    if concurrency is not None and not (is_integer(concurrency) and concurrency > 0):
        raise ConfigurationError(
            f"concurrency={shown(concurrency)} is not valid; use an integer of at least 1, or None"
        )
    if settings.on_tool_error not in ("raise", "report") and not callable(settings.on_tool_error):
        raise ConfigurationError(
            f"on_tool_error={shown(settings.on_tool_error)} is not valid; use 'raise' or 'report',"
            " or a function that returns what the model is told"
        )
    for name in ("confirm", "prepare_round"):
        function = getattr(settings, name)
        if function is not None and not callable(function):
            raise ConfigurationError(
                f"{name}={shown(function)} is not valid; use a function, or None"
            )
    _check_stop_after(settings.stop_after)
    check_bool("force_every_round", settings.force_every_round)


def _check_stop_after(stop_after: object) -> None:
    if stop_after is None or isinstance(stop_after, str) or callable(stop_after):
        return
    if not (
        isinstance(stop_after, Collection) and all(isinstance(name, str) for name in stop_after)
    ):
        raise ConfigurationError(
            f"stop_after={shown(stop_after)} is not valid; use names of functions, such as"
            " {'final_answer'}, a function that takes the response, or None"
        )
