"""What a conversation does next: ask the model, read its answer, run the calls, ask again.

One step at a time, without a reference to the stream that hands out the items: dropping the stream
ends the functions that run.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import anyio

from cometgem.conversation.calling import outcome_of
from cometgem.conversation.failures import MALFORMED, log_malformed
from cometgem.conversation.open_turn import OpenTurn
from cometgem.conversation.requests import SingleRound
from cometgem.conversation.running import RunningCalls
from cometgem.conversation.tool_runner import Setting, Todo
from cometgem.conversation.turns import model_turn, without_calls
from cometgem.errors import ClosedError, ConfigurationError, StreamError, TooManyRoundsError
from cometgem.request.arguments import shown
from cometgem.response.usage import add_usage
from cometgem.types.response import Candidate, GenerateContentResponse, UsageMetadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cometgem.conversation.options import Settings
    from cometgem.conversation.requests import Requests, RoundStream
    from cometgem.conversation.round import Round
    from cometgem.types.content import Content, FunctionCall, FunctionResponse

__all__ = ["ConversationState", "Progress", "Resumption"]

ConversationState: TypeAlias = Literal["open", "paused", "stopped", "complete", "closed", "failed"]
"""Whether a conversation goes on, or how it ended: "paused" while calls wait for an answer,
"stopped" by ``stop_after``, "complete" with the last answer, "closed" early or "failed"."""


class Resumption(NamedTuple):
    """How a conversation begins whose history ends with calls.

    Attributes:
        turn: The turn with the calls; the answers that were given are among its responses.
        todo: The calls that are still to be run.
        given: The responses made of the answers, to be handed out.
    """

    turn: OpenTurn
    todo: list[Todo]
    given: list[FunctionResponse]


class Progress:
    """The turns, the current round and what is due.

    Attributes:
        turns: The turns added so far.
        state: "open", or how it ended.
        pending: The calls that wait for an answer, in the state "paused".
        pause_reasons: Why each of them waits.
        items: What was read and not handed out.
        number: The number of the current round; 0 before the first request.
        round: The stream of its answer.
        turn: The turn whose calls are being answered, if any.
        running: Its calls, while they run.
    """

    def __init__(
        self, requests: Requests, settings: Settings, resumption: Resumption | None
    ) -> None:
        self.turns: list[Content] = []
        self.state: ConversationState = "open"
        self.pending: list[FunctionCall] = []
        self.pause_reasons: list[str] = []
        self.items: deque[Any] = deque()
        self.number: int = 0
        self.round: RoundStream = SingleRound(None)
        self.turn: OpenTurn | None = None
        self.running: RunningCalls | None = None
        self._requests = requests
        self._settings = settings
        self._runner = requests.runner
        self._asks = True  # a request is due
        self._recorded = True  # the current answer is in the turns, or does not count
        self._todo: list[Todo] | None = None  # calls that are due
        self._preparing: asyncio.Task[BaseException | None] | None = None
        self._yielded: set[int] = set()  # positions of the round's calls that were handed out
        self._earlier_usage = UsageMetadata()  # of the previous rounds
        if resumption is not None:
            self._resume(resumption)
        elif settings.prepare_round is None:
            self._ask()

    @property
    def snapshot(self) -> GenerateContentResponse:
        """The chunks of the current round so far, merged."""
        return self.round.snapshot

    @property
    def usage(self) -> UsageMetadata:
        """The tokens of all rounds so far."""
        return add_usage(self._earlier_usage, self.snapshot.usage_metadata)

    @property
    def history(self) -> list[Content]:
        """The contents the conversation was started with, and its turns."""
        return self._requests.history(self.turns)

    @property
    def partial_turns(self) -> list[Content]:
        """The turns, and what arrived of the one that is not complete, for ``keep_partial``.

        A complete answer keeps its calls, which can be answered later.
        """
        if self.turn is not None:
            return [*self.turns, *self.turn.turns()]
        answer = without_calls(model_turn(self.snapshot))
        return [*self.turns, *([] if self._recorded or not answer.parts else [answer])]

    @property
    def reads(self) -> bool:
        """Whether the next item comes from the answer of the current round."""
        return (
            self.state == "open" and self.running is None and self._todo is None and not self._asks
        )

    async def open(self) -> None:
        """Send the first request, unless calls have to be run before it."""
        if self._asks and not self.number and self.turn is None and self.state == "open":
            await self._begin_round()
        if self.state == "open":
            await self.round.open()

    async def step(self) -> None:
        """Do what is due; adds items, or changes what is due or the state.

        Raises:
            ClosedError: The conversation was closed in the meantime.
            CometGemError: The answer is an error, or a function has failed.
        """
        if self.running is not None:
            await self._read_response(self.running)
        elif self._todo is not None:
            await self._begin_calls(self._todo)
        elif self._asks:
            await self._begin_round()
        else:
            try:
                self._add_chunk(await self.round.__anext__())
            except StopAsyncIteration:
                self._end_round()
            except StreamError:
                if not self._reports_open_calls():
                    raise
                self._end_round()

    def take(self) -> None:
        """Add the next chunk if it is at hand, as ``step`` does."""
        if not self.reads or isinstance(self.round, SingleRound):
            return
        try:
            if (chunk := self.round.take()) is not None:
                self._add_chunk(chunk)
        except StreamError:
            if not self._reports_open_calls():
                raise
            self._end_round()

    def end(self, state: ConversationState) -> None:
        """End in a state, unless it has ended already."""
        if self.state == "open":
            self.state = state

    def interrupt(self, reason: str) -> None:
        """Cancel whatever is under way."""
        self.round.interrupt(reason)
        if self.running is not None:
            self.running.cancel()
        if self._preparing is not None:
            self._preparing.cancel()

    def _check_open(self) -> None:
        if self.state != "open":
            raise ClosedError("the conversation was closed")

    def _add_chunk(self, chunk: GenerateContentResponse) -> None:
        self.items.append(chunk)
        self.items.extend(self._completed(chunk))

    def _completed(self, chunk: GenerateContentResponse) -> Iterator[FunctionCall]:
        """Yield the calls that this chunk completes, with their pieces merged."""
        if self._runner is None or all(call.will_continue for call in chunk.function_calls):
            return
        for at, call in enumerate(self.snapshot.function_calls):
            if at not in self._yielded and not call.will_continue:
                self._yielded.add(at)
                yield call

    def _end_round(self) -> None:
        answer = self.snapshot
        if answer.finish_reason in MALFORMED:
            self._end_malformed(answer)
        elif self._runner is None or not answer.function_calls:
            if answer.parts:
                self.turns.append(model_turn(answer))
            self.end("complete")
        else:
            self.turn = OpenTurn(answer.content)
            if self.number >= self._settings.max_rounds:
                raise TooManyRoundsError(self._settings.max_rounds)
            self._check_open()
            self._todo = [Todo(at, call) for at, call in enumerate(self.turn.calls)]

    def _end_malformed(self, answer: GenerateContentResponse) -> None:
        """Ask the same again: the call was malformed, so the answer does not count as a turn."""
        self._recorded = True
        if self._runner is None:
            self.end("complete")
            return
        if self.number >= self._settings.max_rounds:
            raise TooManyRoundsError(self._settings.max_rounds, answer.finish_reason or "")
        log_malformed(answer.finish_reason or "")
        self._asks = True

    def _reports_open_calls(self) -> bool:
        calls = self.snapshot.function_calls
        return (
            self._runner is not None
            and self._runner.reports
            and any(call.will_continue for call in calls)
        )

    def _resume(self, resumption: Resumption) -> None:
        turn, todo, given = resumption
        answer = Candidate(content=turn.model_turn())
        self.round = SingleRound(None, GenerateContentResponse(candidates=[answer]))
        if not todo and not given:  # all calls had their responses already: ask what follows
            self.turns += turn.turns()
            return
        self.turn, self._todo = turn, todo
        self.items.extend(given)

    async def _begin_calls(self, todo: list[Todo]) -> None:
        self._todo = None
        if self.turn is None or self._runner is None or not todo:
            await self._end_calls({})
            return
        asked = [*self.turns, self.turn.model_turn()]
        setting = Setting(self.number, partial(self._requests.history, asked))
        self.running = RunningCalls(self._runner, self.turn, todo, setting)

    async def _read_response(self, running: RunningCalls) -> None:
        response = await running.next()
        self._check_open()  # it may have been closed in the moment in which the response came
        if response is not None:
            self.items.append(response)
            return
        self.running = None
        await self._end_calls(running.waiting)

    async def _end_calls(self, waiting: Mapping[int, str]) -> None:
        """Go on once all calls have run, or end here."""
        if (turn := self.turn) is None:
            return
        stops = not waiting and await self._stops(turn)
        self._check_open()
        self.turns += turn.turns()
        self.turn, self._recorded = None, True
        if waiting:
            self.pending = [turn.calls[at] for at in turn.pending]
            self.pause_reasons = [waiting[at] for at in turn.pending]
            self.end("paused")
        elif stops:
            self.end("stopped")
        else:
            self._asks = True

    async def _stops(self, turn: OpenTurn) -> bool:
        stop_after = self._settings.stop_after
        if stop_after is None:
            return False
        if callable(stop_after):
            verdict = stop_after(self.snapshot)
            verdict = await verdict if inspect.isawaitable(verdict) else verdict
            if not isinstance(verdict, bool):
                raise ConfigurationError(f"stop_after must return a bool, got {shown(verdict)}")
            return verdict
        names = {stop_after} if isinstance(stop_after, str) else set(stop_after)
        return any(
            call.name in names and at not in turn.failed for at, call in enumerate(turn.calls)
        )

    async def _begin_round(self) -> None:
        asked = self._requests.round(self.number + 1, self.turns)
        if (prepare := self._settings.prepare_round) is not None:
            # A task, so that closing the conversation can cancel it.
            threads = anyio.CapacityLimiter(1)
            self._preparing = asyncio.create_task(outcome_of(threads, prepare, asked))
            try:
                if (error := await self._preparing) is not None:
                    raise error
            except asyncio.CancelledError:
                self._check_open()
                raise
            finally:
                self._preparing = error = None
            self._check_open()
        self._ask(asked)

    def _ask(self, asked: Round | None = None) -> None:
        answer, runner = self._requests.ask(asked or self._requests.round(1, self.turns))
        self._earlier_usage = self.usage
        self.round, self._runner = answer, runner
        self.number += 1
        self._asks = self._recorded = False
        self._yielded.clear()
