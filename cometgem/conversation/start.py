"""Starts conversations: checks their options, and connects them to a client."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from cometgem.conversation.options import ConversationOptions, split_options
from cometgem.conversation.rounds import ConversationStream, SingleRound
from cometgem.conversation.tool_runner import ToolRunner
from cometgem.request.build import check_request
from cometgem.request.functions import FunctionTool, tools_to_wire
from cometgem.warn import no_warnings, warn_caller

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from cometgem.conversation.rounds import Caller
    from cometgem.request.contents import Contents
    from cometgem.request.functions import DeclaredTool
    from cometgem.stream import GenerateContentStream
    from cometgem.types.content import Content

__all__ = ["check_conversation", "start_conversation"]

_T = TypeVar("_T")


def start_conversation(  # noqa: PLR0913  all parts of a turn
    caller: Caller,
    model: str,
    contents: Contents,
    tools: Sequence[DeclaredTool] | None,
    options: ConversationOptions,
    *,
    streamed: bool = True,
    on_end: Callable[[ConversationStream[Any]], object] = bool,
) -> ConversationStream[Any]:
    """Return one turn of a conversation; nothing is sent yet.

    Args:
        caller: Sends the request of each round.
        model: The model's name.
        contents: The conversation so far.
        tools: The result of ``as_function_tools``; the functions among them are run. With None,
            calls are only handed out in the chunks, and the conversation ends with them.
        options: The caller's options.
        streamed: Whether answers are streamed or requested as a whole.
        on_end: Called once, with the stream, when it has ended for any reason.

    Raises:
        ConfigurationError: An argument is not valid.
        TypeError: An option does not exist.
    """
    settings, call = split_options(options)
    runner = None
    if tools is not None:
        call["tools"] = tools_to_wire(tools)
        runner = ToolRunner([tool for tool in tools if isinstance(tool, FunctionTool)], settings)
    history = contents if isinstance(contents, (list, tuple)) else [contents]

    def ask(turns: Sequence[Content]) -> GenerateContentStream | SingleRound:
        said = [*history, *turns] if turns else contents
        if turns:  # only the first round goes on from a given checkpoint
            call["continuation"] = "off" if call.get("continuation") == "off" else None
        if streamed:
            return caller.stream_generate_content(model, said, **call)
        single = partial(caller.generate_content, model, said, **call)
        return SingleRound(partial(_silently, single) if turns else single)

    return ConversationStream(caller, ask, runner, settings.max_rounds, on_end)


def check_conversation(
    model: str, tools: Sequence[DeclaredTool] | None, options: ConversationOptions
) -> None:
    """Check the arguments before there is anything to send, and issue their warning.

    Raises:
        ConfigurationError: An argument is not valid.
        TypeError: An option does not exist.
    """
    _, call = split_options(options)
    if tools is not None:
        call["tools"] = tools
    warn_caller(check_request(model, call))


async def _silently(call: Callable[[], Awaitable[_T]]) -> _T:
    with no_warnings():
        return await call()
