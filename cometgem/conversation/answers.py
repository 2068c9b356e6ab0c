"""Answers to the calls that a conversation was waiting for: checked before anything is sent. Pure.

A wrong answer would be noticed by the model only, or run a function that nobody approved. So
every pending call must have exactly one answer, unless ``confirm`` can be asked about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from cometgem.conversation.failures import error_response
from cometgem.conversation.results import to_response
from cometgem.conversation.tool_runner import Todo
from cometgem.conversation.verdicts import Approve, Pause, Refuse
from cometgem.errors import ConfigurationError, ToolCallError, ToolError
from cometgem.request.arguments import is_integer, shown
from cometgem.request.functions import FunctionTool
from cometgem.types.nesting import deep_copy

if TYPE_CHECKING:
    from cometgem.conversation.open_turn import OpenTurn
    from cometgem.conversation.tool_runner import ToolRunner
    from cometgem.types.content import FunctionCall

__all__ = ["Answers", "answer", "check_answered"]

Answers: TypeAlias = (
    Mapping[str, object]
    | Mapping[int, object]
    | Mapping[str | int, object]
    | Mapping[str | None, object]  # the type of ``call.id``; None itself is not a key
)
"""An answer for each pending call, by the call's id or its index in ``pending``.

``Approve()`` runs the function, ``Refuse("why")`` reports a refusal to the model, and anything
else, such as a ``FunctionResponse``, is the result of the call.
"""

# Makes the response to a call that no function of ours answers.
_ANY_TOOL = FunctionTool(None, name="any")


def answer(turn: OpenTurn, answers: Answers, runner: ToolRunner | None) -> list[Todo]:
    """Add the given answers to the turn, and return the calls that are still to be run.

    Raises:
        ConfigurationError: A call has no answer, or two; an answer belongs to no pending call, or
            cannot be used.
    """
    if not isinstance(answers, Mapping):
        raise ConfigurationError(
            f"answers={shown(answers)} is not a dict; use answers={{call.id: result}}"
        )
    pending = turn.pending
    values: dict[object, object] = dict(answers.items())
    given: dict[int, object] = {}
    for key in values:
        at = _find(turn, pending, key)
        if at in given:
            raise ConfigurationError(
                f"answers has two answers to the call of {turn.calls[at].name!r}:"
                f" {given[at]!r} and {key!r}; leave one of them out"
            )
        given[at] = key
    todo = [
        Todo(at, turn.calls[at], approved=False)
        if at not in given
        else _use(turn, at, given[at], values[given[at]], runner)
        for at in pending
    ]
    unanswered = [
        one.call
        for one in todo
        if one is not None and one.at not in given and not _can_be_asked(one.call, runner)
    ]
    if unanswered:
        raise _unanswered(unanswered)
    return [one for one in todo if one is not None]


def check_answered(turn: OpenTurn) -> None:
    """Check that no call waits for an answer.

    Raises:
        ConfigurationError: One does.
    """
    if pending := turn.pending:
        raise _unanswered([turn.calls[at] for at in pending])


def _find(turn: OpenTurn, pending: list[int], key: object) -> int:
    if is_integer(key) and 0 <= key < len(pending):
        return pending[key]
    found = [at for at in pending if isinstance(key, str) and turn.calls[at].id == key]
    if len(found) > 1:
        raise ConfigurationError(
            f"answers[{key!r}] is not clear: {len(found)} pending calls have this id; use their"
            " index among the pending calls"
        )
    if found:
        return found[0]
    if not pending:
        raise ConfigurationError(f"answers[{shown(key)}] has no call: no call is pending")
    valid = ", ".join(
        f"{place} or {turn.calls[at].id!r}" if turn.calls[at].id else str(place)
        for place, at in enumerate(pending)
    )
    raise ConfigurationError(f"answers[{shown(key)}] has no pending call; valid keys are {valid}")


def _use(
    turn: OpenTurn, at: int, key: object, value: object, runner: ToolRunner | None
) -> Todo | None:
    call = turn.calls[at]
    if isinstance(value, Approve):
        return _approved(at, call, key, value, runner)
    if isinstance(value, Pause) or value is Pause:
        raise ConfigurationError(f"answers[{key!r}] is a Pause, but the call is pending already")
    if isinstance(value, Refuse):
        turn.add_response(at, error_response(call, value.reason))
        turn.failed.add(at)
        return None
    tool = None if runner is None else runner.function(call.name)
    try:
        turn.add_response(at, to_response(tool or _ANY_TOOL, call, value))
    except ToolError as error:
        raise ConfigurationError(f"answers[{key!r}] cannot be used: {error}") from None
    return None


def _approved(
    at: int, call: FunctionCall, key: object, value: Approve, runner: ToolRunner | None
) -> Todo:
    tool = None if runner is None else runner.function(call.name)
    if tool is None:
        raise ConfigurationError(
            f"answers[{key!r}] approves a call of {call.name!r}, which has no function;"
            " answer it with a result, or pass the function in tools"
        )
    if value.args is not None:
        if not isinstance(value.args, dict):
            raise ConfigurationError(
                f"answers[{key!r}]: Approve(args={shown(value.args)}) is not valid; use a dict"
            )
        call.args = deep_copy(value.args)
        try:
            tool.parse(call)
        except ToolCallError as error:
            raise ConfigurationError(f"answers[{key!r}]: {error}") from None
    return Todo(at, call, approved=True)


def _can_be_asked(call: FunctionCall, runner: ToolRunner | None) -> bool:
    return runner is not None and runner.asks and runner.function(call.name) is not None


def _unanswered(calls: list[FunctionCall]) -> ConfigurationError:
    names = ", ".join(
        f"{call.name!r}" + (f" (id {call.id!r})" if call.id else "") for call in calls
    )
    what = "a call waits" if len(calls) == 1 else f"{len(calls)} calls wait"
    return ConfigurationError(
        f"{what} for an answer: {names}; resume the conversation with answers={{call.id or index:"
        " a result, Approve() or Refuse()}}"
    )
