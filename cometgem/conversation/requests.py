"""The requests of a conversation: what each round is asked, and by what means."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

from cometgem.conversation.round import Round
from cometgem.conversation.turns import as_turns
from cometgem.request.functions import as_function_tools, tools_to_wire
from cometgem.request.tool_config import without_force
from cometgem.types.response import GenerateContentResponse
from cometgem.warn import no_warnings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from cometgem.conversation.tool_runner import ToolRunner
    from cometgem.http.transport import Closable
    from cometgem.options import GenerateOptions
    from cometgem.request.contents import Turn
    from cometgem.request.functions import DeclaredTool
    from cometgem.stream import GenerateContentStream
    from cometgem.types.content import Content
    from cometgem.types.dicts import ToolConfigDict
else:  # not imported: making the TypedDicts takes about 10 ms
    ToolConfigDict = dict[str, Any]

__all__ = ["Caller", "Requests", "SingleRound"]

_T = TypeVar("_T")


class Caller(NamedTuple):
    """What a conversation uses of a client.

    Attributes:
        generate_content: Returns a complete answer.
        stream_generate_content: Returns an answer as a stream.
        watch: Interrupts a conversation when the client is closed.
        run_in_loop: Runs a callback in the client's event loop, from any thread.
    """

    generate_content: Callable[..., Awaitable[GenerateContentResponse]]
    stream_generate_content: Callable[..., GenerateContentStream]
    watch: Callable[[Closable], object]
    run_in_loop: Callable[[Callable[[], object]], object]


class SingleRound:
    """A single call with the interface of a stream of one chunk.

    Args:
        call: Makes the call; None if the answer is there already.
        snapshot: That answer.
    """

    def __init__(
        self,
        call: Callable[[], Awaitable[GenerateContentResponse]] | None,
        snapshot: GenerateContentResponse | None = None,
    ) -> None:
        self.snapshot: GenerateContentResponse = snapshot or GenerateContentResponse()
        self._call = call

    async def __anext__(self) -> GenerateContentResponse:
        if self._call is None:
            raise StopAsyncIteration
        call, self._call = self._call, None
        self.snapshot = await call()
        return self.snapshot

    async def open(self) -> None:
        """Do nothing: the call is made when its answer is read."""

    def interrupt(self, reason: str) -> None:
        """Do nothing: the client interrupts the call, and cancelling its task cancels it."""


RoundStream: TypeAlias = "GenerateContentStream | SingleRound"


class Requests:
    """Asks each round of one conversation.

    Args:
        caller: Sends the requests.
        model: The model's name.
        contents: The conversation before its own turns.
        tools: The result of ``as_function_tools``, or None.
        call: The options of each request, without the tools.
        runner: Runs the functions among the tools; None without tools.
        streamed: Whether answers are streamed or requested as a whole.
        forced: Whether a tool config that forces a call keeps doing so in every round.

    Attributes:
        runner: As given.
        warned: Whether the caller has been warned already; otherwise the first round warns.
    """

    def __init__(  # noqa: PLR0913  all parts of a request
        self,
        caller: Caller,
        model: str,
        contents: Sequence[Turn],
        tools: Sequence[DeclaredTool] | None,
        call: GenerateOptions,
        *,
        runner: ToolRunner | None,
        streamed: bool,
        forced: bool,
    ) -> None:
        self.runner: ToolRunner | None = runner
        self.warned: bool = False
        self._caller = caller
        self._model = model
        self._contents = contents
        self._tools = tools
        self._call = call
        self._streamed = streamed
        self._forced = forced

    def round(self, number: int, turns: Sequence[Content]) -> Round:
        """Return the next request, after the turns that the conversation has added."""
        config = self._call.get("tool_config")
        if turns and not self._forced:
            config, _ = without_force(config)
        return Round(
            number=number,
            model=self._model,
            contents=[*self._contents, *turns],
            tools=None if self._tools is None else [*self._tools],
            tool_config=config,
        )

    def ask(self, asked: Round) -> tuple[RoundStream, ToolRunner | None]:
        """Return the stream of the answer, and what runs its calls; nothing is sent yet.

        Raises:
            ConfigurationError: The round is not valid.
        """
        call: GenerateOptions = {**self._call}
        runner = self.runner
        if asked.number > 1:  # only the first round goes on from a given checkpoint
            call["continuation"] = "off" if call.get("continuation") == "off" else None
        if asked.tool_config is not None or "tool_config" in call:
            call["tool_config"] = asked.tool_config
        if asked.tools is not None:
            tools = as_function_tools(asked.tools)
            call["tools"] = tools_to_wire(tools)
            if runner is not None and tools != self._tools:
                runner = runner.with_tools(tools)
        if asked.number == 1 and not self.warned:
            return self._stream(asked, call), runner
        with no_warnings():
            return self._stream(asked, call), runner

    def history(self, turns: Sequence[Content]) -> list[Content]:
        """Return the whole conversation as turns."""
        return [*(as_turns(self._contents) if self._contents else ()), *turns]

    def _stream(self, asked: Round, call: GenerateOptions) -> RoundStream:
        if self._streamed:
            return self._caller.stream_generate_content(asked.model, asked.contents, **call)
        single = partial(self._caller.generate_content, asked.model, asked.contents, **call)
        silent = asked.number > 1 or self.warned
        return SingleRound(partial(_silently, single) if silent else single)


async def _silently(call: Callable[[], Awaitable[_T]]) -> _T:
    with no_warnings():
        return await call()
