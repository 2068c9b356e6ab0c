"""A conversation that is kept: what was said, exactly as it was said, and what it cost."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack

from cometgem.conversation.rounds import (
    ConversationStream,
    check_conversation,
    start_conversation,
)
from cometgem.conversation.turns import (
    Transcript,
    add_usage,
    as_instruction,
    as_turns,
    model_turn,
    read_transcript,
    without_calls,
    without_thoughts,
    write_transcript,
)
from cometgem.request.functions import FunctionTool, as_function_tools
from cometgem.types.response import GenerateContentResponse, UsageMetadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cometgem.conversation.options import ConversationOptions
    from cometgem.conversation.rounds import Caller
    from cometgem.request.contents import Contents
    from cometgem.request.functions import ToolLike
    from cometgem.types.content import Content

__all__ = ["Chat", "load_chat"]

_T = TypeVar("_T")
ItemT_co = TypeVar("ItemT_co", covariant=True)


class Chat(Generic[ItemT_co]):
    """A conversation with a model, made by ``client.chat(...)``; one turn at a time.

    A turn is what the user says, the model's answer, and where functions were called their
    answers and what the model made of them. It is added to the history when it is complete; one
    that failed, that was left early, or to which the model said nothing is not.

    Attributes:
        model: Who is asked; may be changed between turns.
        options: What goes with each request; may be changed between turns.
        history: The turns so far, which may be edited between turns.
        usage: The tokens of all requests, those of turns that are not in the history as well:
            they are billed, too. Cached and thinking tokens are counted apart.

    Example::

        chat = client.chat("gemini-2.5-flash", system_instruction="Be brief.")
        print((await chat.send("Who was Halley?")).text)
        async with chat.stream("And his comet?") as stream:
            async for chunk in stream:
                print(chunk.text, end="")
    """

    def __init__(  # noqa: PLR0913  one a line of the docstring
        self,
        client: Caller,
        model: str,
        *,
        tools: Sequence[ToolLike] | None,
        history: Contents | None,
        keep_thoughts: bool,
        options: ConversationOptions,
    ) -> None:
        self.model: str = model
        self.options: ConversationOptions = options
        self.history: list[Content] = as_turns(history, "history") if history else []
        self.usage: UsageMetadata = UsageMetadata()
        self._client = client
        self._tools = None if tools is None else as_function_tools(tools)
        self._keep_thoughts = keep_thoughts
        self._busy = False
        self._unfinished: list[Content] = []
        check_conversation(model, self._tools, options)

    def __repr__(self) -> str:
        return f"<Chat with {self.model}, turns={len(self.history)}>"

    async def send(
        self, contents: Contents, **options: Unpack[ConversationOptions]
    ) -> GenerateContentResponse:
        """Say something and return the answer in one piece; functions are run meanwhile.

        Args:
            contents: In the forms that ``generate_content`` takes.
            **options: For this turn, over the chat's own.

        Raises:
            RuntimeError: The turn before is still under way.
            CometGemError: As ``generate_content`` and ``run_tools``; nothing is recorded then.
        """
        async with self._turn(contents, options, streamed=False) as stream:
            return await stream.get_final_response()

    def stream(
        self, contents: Contents, **options: Unpack[ConversationOptions]
    ) -> ConversationStream[ItemT_co]:
        """Say something and return the answer as a stream; nothing is sent yet.

        The turn is under way from now on, until the stream has ended or is left.

        Args:
            contents: In the forms that ``generate_content`` takes.
            **options: For this turn, over the chat's own.

        Raises:
            RuntimeError: The turn before is still under way.
            ConfigurationError: An argument that can never work.
        """
        return self._turn(contents, options, streamed=True)

    def keep_partial(self) -> None:
        """Record what came of the last turn, though it failed or was left early.

        Calls that were not answered are left out: the API wants an answer to each.

        Raises:
            RuntimeError: There is no such turn, or nothing of the model's came.
        """
        turns, self._unfinished = self._unfinished, []
        if not any(turn.role == "model" for turn in turns):
            raise RuntimeError("there is no unfinished turn with an answer to keep")
        self._keep(turns)

    def fork(self) -> Chat[ItemT_co]:
        """Return a chat that goes on from here by itself; only client and functions are shared."""
        options: Any = {name: _copy(value) for name, value in self.options.items()}
        other: Chat[ItemT_co] = Chat(
            self._client,
            self.model,
            tools=None if self._tools is None else [_copy(tool) for tool in self._tools],
            history=None,
            keep_thoughts=self._keep_thoughts,
            options=options,
        )
        other.history = deepcopy(self.history)
        other.usage = deepcopy(self.usage)
        return other

    def to_json(self) -> str:
        """Return model, system instruction, history and usage, to be read by ``client.load_chat``.

        Tools and other options are code, or belong to the request: give them again.
        """
        instruction = self.options.get("system_instruction")
        return write_transcript(
            Transcript(
                model=self.model,
                history=self.history,
                system_instruction=None if instruction is None else as_instruction(instruction),
                usage_metadata=self.usage,
            )
        )

    def _turn(
        self, contents: Contents, options: ConversationOptions, *, streamed: bool
    ) -> ConversationStream[ItemT_co]:
        if self._busy:
            raise RuntimeError(
                "the chat's turn before is still under way: end it, leave it, or fork() the chat"
            )
        said = as_turns(contents)
        stream = start_conversation(
            self._client,
            self.model,
            [*self.history, *said],
            self._tools,
            {**self.options, **options},
            streamed=streamed,
            on_end=partial(self._record, said),
        )
        self._busy, self._unfinished = True, []
        return stream

    def _record(self, said: list[Content], stream: ConversationStream[Any]) -> None:
        self._busy = False
        self.usage = add_usage(self.usage, stream.usage)
        turns = [*said, *stream.turns]
        if stream.complete and stream.turns and turns[-1].role == "model":
            self._keep(turns)
            return
        answer = without_calls(model_turn(stream.snapshot))
        self._unfinished = [*turns, answer] if answer.parts else turns

    def _keep(self, turns: list[Content]) -> None:
        if not self._keep_thoughts:
            lean = map(without_thoughts, turns)
            turns = [one if one.parts else turn for one, turn in zip(lean, turns, strict=True)]
        self.history += deepcopy(turns)  # the caller has them, too, and may change them


def load_chat(
    client: Caller,
    text: str | bytes,
    *,
    tools: Sequence[ToolLike] | None,
    keep_thoughts: bool,
    options: ConversationOptions,
) -> Chat[Any]:
    """Return the chat that ``Chat.to_json`` has written.

    Raises:
        ConfigurationError: The text is not the JSON of a chat, or an argument can never work.
    """
    transcript = read_transcript(text)
    if transcript.system_instruction is not None:
        options.setdefault("system_instruction", transcript.system_instruction)
    chat: Chat[Any] = Chat(
        client,
        transcript.model,
        tools=tools,
        history=None,
        keep_thoughts=keep_thoughts,
        options=options,
    )
    chat.history = transcript.history
    chat.usage = transcript.usage_metadata or UsageMetadata()
    return chat


def _copy(value: _T) -> _T:
    """Copy what may be changed; a function may be a method, whose object is the caller's."""
    return value if callable(value) or isinstance(value, FunctionTool) else deepcopy(value)
