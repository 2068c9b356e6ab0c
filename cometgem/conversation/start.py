"""Starts conversations: checks their options, and connects them to a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cometgem.conversation.answers import answer, check_answered
from cometgem.conversation.open_turn import find_tail
from cometgem.conversation.options import ConversationOptions, Settings, split_options
from cometgem.conversation.progress import Resumption
from cometgem.conversation.requests import Requests
from cometgem.conversation.rounds import ConversationStream
from cometgem.conversation.tool_runner import ToolRunner
from cometgem.conversation.typed_rounds import TypedConversationStream
from cometgem.errors import ConfigurationError
from cometgem.request.build import check_request
from cometgem.request.contents import contents_to_wire
from cometgem.warn import warn_caller

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cometgem.conversation.answers import Answers
    from cometgem.conversation.requests import Caller
    from cometgem.request.contents import Contents, Turn
    from cometgem.request.functions import DeclaredTool
    from cometgem.request.response_type import ResponseType

__all__ = ["check_conversation", "start_conversation"]


def start_conversation(  # noqa: PLR0913  all parts of a turn
    caller: Caller,
    model: str,
    contents: Contents,
    tools: Sequence[DeclaredTool] | None,
    options: ConversationOptions,
    *,
    answers: Answers | None = None,
    streamed: bool = True,
    on_end: Callable[[ConversationStream[Any]], object] = bool,
    kind: ResponseType[Any] | None = None,
) -> ConversationStream[Any]:
    """Return one turn of a conversation; nothing is sent yet.

    Args:
        caller: Sends the request of each round.
        model: The model's name.
        contents: The conversation so far.
        tools: The result of ``as_function_tools``; the functions among them are run. With None,
            calls are only handed out in the chunks, and the conversation ends with them.
        options: The caller's options.
        answers: Answers to the calls at the end of the contents; None if there are none.
        streamed: Whether answers are streamed or requested as a whole.
        on_end: Called once, with the stream, when it has ended for any reason.
        kind: The type of the last answer, whose schema is in the options; the stream is then a
            ``TypedConversationStream``.

    Raises:
        ConfigurationError: An argument is not valid, or a call has no answer.
        TypeError: An option does not exist.
    """
    settings, call = split_options(options)
    runner = None if tools is None else ToolRunner(tools, settings)
    _check_names(settings, runner)
    said = _as_list(contents)
    resumption = None
    tail = find_tail(said)
    if tail is not None and answers is None and (runner is not None or tail.turn.responses):
        # Without tools the caller answers calls, or not; half an answer can never be sent.
        check_answered(tail.turn)
    elif answers is not None:
        if tail is None:
            raise ConfigurationError("answers= was given, but the contents end with no calls")
        pending = tail.turn.pending
        todo = answer(tail.turn, answers, runner)
        given = [tail.turn.responses[at] for at in pending if at in tail.turn.responses]
        resumption = Resumption(tail.turn, todo, given)
        said = said[: tail.start]
    requests = Requests(
        caller,
        model,
        said,
        tools,
        call,
        runner=runner,
        streamed=streamed,
        forced=settings.force_every_round,
    )
    if resumption is not None or settings.prepare_round is not None:
        # The first request is built later, but what can be checked now is.
        check_conversation(model, tools, options)
        requests.warned = True
        if said:
            contents_to_wire(said)
    if kind is not None:
        return TypedConversationStream(caller, requests, settings, resumption, on_end, kind=kind)
    return ConversationStream(caller, requests, settings, resumption, on_end)


def check_conversation(
    model: str, tools: Sequence[DeclaredTool] | None, options: ConversationOptions
) -> None:
    """Check the arguments before there is anything to send, and issue their warning.

    Raises:
        ConfigurationError: An argument is not valid.
        TypeError: An option does not exist.
    """
    settings, call = split_options(options)
    if tools is not None:
        call["tools"] = tools
    warn_caller(check_request(model, call))
    _check_names(settings, None if tools is None else ToolRunner(tools, settings))


def _as_list(contents: Contents) -> Sequence[Turn]:
    if isinstance(contents, (list, tuple)):
        return contents
    contents_to_wire(contents)  # now, since the list would be named in its error
    return [contents]  # type: ignore[list-item]


def _check_names(settings: Settings, runner: ToolRunner | None) -> None:
    """Check that a conversation can stop after the functions that it names."""
    names = settings.stop_after
    if names is None or callable(names) or settings.prepare_round is not None:
        return
    known = [] if runner is None else runner.names
    for name in [names] if isinstance(names, str) else names:
        if name not in known:
            valid = ", ".join(map(repr, known)) or "none"
            raise ConfigurationError(
                f"stop_after names {name!r}, which is not in tools; available tools: {valid}"
            )
