"""A chat: a conversation that keeps its exact history and counts its tokens."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack, overload

from cometgem.conversation.open_turn import find_tail, pending_of
from cometgem.conversation.start import check_conversation, start_conversation
from cometgem.conversation.turns import (
    Transcript,
    as_instruction,
    as_turns,
    read_transcript,
    without_thoughts,
    write_transcript,
)
from cometgem.errors import ConfigurationError
from cometgem.request.arguments import check_bool
from cometgem.request.functions import FunctionTool, as_function_tools
from cometgem.response.usage import add_usage
from cometgem.typed_single import ask_until_it_fits, type_of_call
from cometgem.types.checkpoint import Checkpoint
from cometgem.types.nesting import deep_copy
from cometgem.types.response import GenerateContentResponse, UsageMetadata
from cometgem.warn import no_warnings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from typing_extensions import TypeForm

    from cometgem.conversation.answers import Answers
    from cometgem.conversation.options import ConversationOptions
    from cometgem.conversation.requests import Caller
    from cometgem.conversation.rounds import ConversationStream
    from cometgem.conversation.typed_rounds import TypedConversationStream
    from cometgem.request.contents import Contents
    from cometgem.request.functions import ToolLike
    from cometgem.request.response_type import ResponseType, SchemaDialect, TypeAdapterLike
    from cometgem.response.typed import TypedResponse
    from cometgem.types.content import Content, FunctionCall

__all__ = ["Chat", "load_chat"]

_T = TypeVar("_T")
ItemT_co = TypeVar("ItemT_co", covariant=True)


class Chat(Generic[ItemT_co]):
    """A conversation with a model, created by ``client.chat(...)``; one turn at a time.

    A turn consists of the user's contents and the model's answer, including any function calls
    and their responses. It is added to the history once it has ended. A turn that failed, was
    left early, or got no answer is not added. A turn that ended because calls wait for an answer
    is added, too; ``resume`` answers them and goes on.

    Attributes:
        model: The model's name; may be changed between turns.
        options: The options of each request; may be changed between turns.
        history: The turns so far; may be edited between turns.
        usage: The tokens of all requests, including those of turns that are not in the history,
            since they are billed, too. Cached and thinking tokens are counted separately.

    Example::

        chat = client.chat("gemini-3.8-flash", system_instruction="Be brief.")
        print((await chat.send("Who was Halley?")).text)
        async with chat.stream("And his comet?") as stream:
            async for chunk in stream:
                print(chunk.text, end="")
    """

    def __init__(  # noqa: PLR0913  the options of Client.chat
        self,
        caller: Caller,
        model: str,
        *,
        tools: Sequence[ToolLike] | None,
        history: Contents | None,
        keep_thoughts: bool,
        options: ConversationOptions,
    ) -> None:
        check_bool("keep_thoughts", keep_thoughts)
        self.model: str = model
        self.options: ConversationOptions = options
        self.history: list[Content] = (
            [] if history is None or history in ([], ()) else as_turns(history, "history")
        )
        self.usage: UsageMetadata = UsageMetadata()
        self._caller = caller
        self._tools = None if tools is None else as_function_tools(tools)
        self._keep_thoughts = keep_thoughts
        self._busy = False
        # What keep_partial() adds, and from which index of the history on.
        self._unfinished: tuple[int, list[Content]] = (0, [])
        check_conversation(model, self._tools, options)
        if isinstance(options.get("continuation"), Checkpoint):
            raise ConfigurationError(
                "a checkpoint belongs to one answer, not to a chat; pass continuation= to"
                " chat.send() or chat.stream()"
            )

    def __repr__(self) -> str:
        return f"<Chat with {self.model}, turns={len(self.history)}>"

    @overload
    async def send(
        self, contents: Contents, **options: Unpack[ConversationOptions]
    ) -> GenerateContentResponse: ...

    @overload
    async def send(
        self,
        contents: Contents,
        *,
        response_type: TypeForm[_T],
        schema_dialect: SchemaDialect = "json",
        reasks: int = 0,
        **options: Unpack[ConversationOptions],
    ) -> TypedResponse[_T]: ...

    @overload
    async def send(
        self,
        contents: Contents,
        *,
        response_type: TypeAdapterLike[_T],
        schema_dialect: SchemaDialect = "json",
        reasks: int = 0,
        **options: Unpack[ConversationOptions],
    ) -> TypedResponse[_T]: ...

    async def send(
        self,
        contents: Contents,
        *,
        response_type: Any = None,
        schema_dialect: SchemaDialect = "json",
        reasks: int = 0,
        **options: Unpack[ConversationOptions],
    ) -> GenerateContentResponse:
        """Send a message and return the complete answer, running functions as needed.

        Args:
            contents: As for ``generate_content``.
            response_type: As for ``generate_content``: the type of the last answer.
            schema_dialect: As for ``generate_content``.
            reasks: How often the model is asked again if the answer does not match the type. Wrong
                answers and what was said about them stay in the history.
            **options: Options for this turn, which override those of the chat.

        Raises:
            RuntimeError: The previous turn is still in progress.
            CometGemError: As in ``generate_content`` and ``run_tools``; the history is unchanged.
        """
        kind = self._add_type(response_type, schema_dialect, reasks, options)
        if kind is None:
            return await self._send(contents, options)

        def ask_again(_: Content, reply: Content) -> Awaitable[GenerateContentResponse]:
            return self._send(reply, options)  # the model's turn is in the history

        first = self._send(contents, options)
        return await ask_until_it_fits(first, ask_again, kind, reasks)

    @overload
    def stream(
        self, contents: Contents, **options: Unpack[ConversationOptions]
    ) -> ConversationStream[ItemT_co]: ...

    @overload
    def stream(
        self,
        contents: Contents,
        *,
        response_type: TypeForm[_T],
        schema_dialect: SchemaDialect = "json",
        **options: Unpack[ConversationOptions],
    ) -> TypedConversationStream[ItemT_co, _T]: ...

    @overload
    def stream(
        self,
        contents: Contents,
        *,
        response_type: TypeAdapterLike[_T],
        schema_dialect: SchemaDialect = "json",
        **options: Unpack[ConversationOptions],
    ) -> TypedConversationStream[ItemT_co, _T]: ...

    def stream(
        self,
        contents: Contents,
        *,
        response_type: Any = None,
        schema_dialect: SchemaDialect = "json",
        **options: Unpack[ConversationOptions],
    ) -> ConversationStream[ItemT_co]:
        """Send a message and return the answer as a stream; nothing is sent yet.

        The turn is in progress from now on, until the stream has ended or is left.

        Args:
            contents: As for ``generate_content``.
            response_type: As for ``generate_content``: the type of the last answer.
            schema_dialect: As for ``generate_content``.
            **options: Options for this turn, which override those of the chat.

        Raises:
            RuntimeError: The previous turn is still in progress.
            ConfigurationError: An argument is not valid.
        """
        kind = self._add_type(response_type, schema_dialect, 0, options)
        return self._turn(contents, options, streamed=True, kind=kind)

    @property
    def pending(self) -> list[FunctionCall]:
        """The calls at the end of the history that wait for an answer; see ``resume``."""
        return pending_of(self.history)

    @overload
    async def resume(
        self, answers: Answers | None = None, **options: Unpack[ConversationOptions]
    ) -> GenerateContentResponse: ...

    @overload
    async def resume(
        self,
        answers: Answers | None = None,
        *,
        response_type: TypeForm[_T],
        schema_dialect: SchemaDialect = "json",
        **options: Unpack[ConversationOptions],
    ) -> TypedResponse[_T]: ...

    @overload
    async def resume(
        self,
        answers: Answers | None = None,
        *,
        response_type: TypeAdapterLike[_T],
        schema_dialect: SchemaDialect = "json",
        **options: Unpack[ConversationOptions],
    ) -> TypedResponse[_T]: ...

    async def resume(
        self,
        answers: Answers | None = None,
        *,
        response_type: Any = None,
        schema_dialect: SchemaDialect = "json",
        **options: Unpack[ConversationOptions],
    ) -> GenerateContentResponse:
        """Answer the pending calls, go on, and return the complete answer.

        If nothing is pending, the model is asked to go on after the responses that the history
        ends with, for example after ``keep_partial``.

        Args:
            answers: An answer for each pending call, by its id or its index in ``pending``:
                ``Approve()`` runs the function, ``Refuse("why")`` reports a refusal to the model,
                and anything else is the result. A call without an answer is put to ``confirm``.
            response_type: As for ``generate_content``: the type of the last answer.
            schema_dialect: As for ``generate_content``.
            **options: Options for this turn, which override those of the chat.

        Raises:
            RuntimeError: The previous turn is still in progress.
            ConfigurationError: The history does not end with calls, a call has no answer, or an
                answer cannot be used; nothing was sent and no function was run.
            CometGemError: As in ``send``; the history is unchanged, so the calls are still
                pending. ``keep_partial`` keeps the responses of functions that have run.
        """
        kind = self._add_type(response_type, schema_dialect, 0, options)
        async with self._resumed(answers, options, streamed=False, kind=kind) as stream:
            return await stream.get_final_response()

    @overload
    def resume_stream(
        self, answers: Answers | None = None, **options: Unpack[ConversationOptions]
    ) -> ConversationStream[ItemT_co]: ...

    @overload
    def resume_stream(
        self,
        answers: Answers | None = None,
        *,
        response_type: TypeForm[_T],
        schema_dialect: SchemaDialect = "json",
        **options: Unpack[ConversationOptions],
    ) -> TypedConversationStream[ItemT_co, _T]: ...

    @overload
    def resume_stream(
        self,
        answers: Answers | None = None,
        *,
        response_type: TypeAdapterLike[_T],
        schema_dialect: SchemaDialect = "json",
        **options: Unpack[ConversationOptions],
    ) -> TypedConversationStream[ItemT_co, _T]: ...

    def resume_stream(
        self,
        answers: Answers | None = None,
        *,
        response_type: Any = None,
        schema_dialect: SchemaDialect = "json",
        **options: Unpack[ConversationOptions],
    ) -> ConversationStream[ItemT_co]:
        """Answer the pending calls and return what follows as a stream; nothing is sent yet.

        Args:
            answers: As for ``resume``.
            response_type: As for ``generate_content``: the type of the last answer.
            schema_dialect: As for ``generate_content``.
            **options: Options for this turn, which override those of the chat.

        Raises:
            RuntimeError: The previous turn is still in progress.
            ConfigurationError: As for ``resume``.
        """
        kind = self._add_type(response_type, schema_dialect, 0, options)
        return self._resumed(answers, options, streamed=True, kind=kind)

    def keep_partial(self) -> None:
        """Add what arrived of the last turn to the history, even though it is incomplete.

        An answer that was cut off is kept without its calls. After an answer that was complete,
        the responses so far are kept, and the other calls are ``pending``.

        Raises:
            RuntimeError: The last turn is complete, or nothing of its answer arrived.
        """
        (start, turns), self._unfinished = self._unfinished, (0, [])
        if not any(turn.role == "model" for turn in turns):
            raise RuntimeError(
                "nothing to keep: the last turn is complete, or nothing of its answer arrived"
            )
        self._keep(start, turns)

    def fork(self) -> Chat[ItemT_co]:
        """Return an independent copy of the chat; only the client and the functions are shared."""
        options: Any = {name: _copy(value) for name, value in self.options.items()}
        with no_warnings():
            other: Chat[ItemT_co] = Chat(
                self._caller,
                self.model,
                tools=None if self._tools is None else [_copy(tool) for tool in self._tools],
                history=None,
                keep_thoughts=self._keep_thoughts,
                options=options,
            )
        other.history = deep_copy(self.history)
        other.usage = deep_copy(self.usage)
        return other

    def to_json(self) -> str:
        """Return the chat as JSON, to be read by ``client.load_chat``.

        It holds the model, system instruction, history and usage. Tools and other options are not
        included; pass them to ``load_chat`` again.
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

    async def _send(
        self, contents: Contents, options: ConversationOptions
    ) -> GenerateContentResponse:
        async with self._turn(contents, options, streamed=False) as stream:
            return await stream.get_final_response()

    def _add_type(
        self, annotation: Any, dialect: object, reasks: object, options: ConversationOptions
    ) -> ResponseType[Any] | None:
        """Add the schema of a type to the options of a turn, beside what the chat's options say."""
        whole: ConversationOptions = {**self.options, **options}
        kind = type_of_call(annotation, dialect, reasks, whole)
        if kind is not None:
            options["generation_config"] = whole["generation_config"]
        return kind

    def _turn(
        self,
        contents: Contents,
        options: ConversationOptions,
        *,
        streamed: bool,
        kind: ResponseType[Any] | None = None,
    ) -> ConversationStream[ItemT_co]:
        said, start = as_turns(contents), len(self.history)
        return self._start(start, said, options, streamed=streamed, kind=kind)

    def _resumed(
        self,
        answers: Answers | None,
        options: ConversationOptions,
        *,
        streamed: bool,
        kind: ResponseType[Any] | None,
    ) -> ConversationStream[ItemT_co]:
        tail = find_tail(self.history)
        if tail is None or (tail.turn.rest and not tail.turn.pending):
            raise ConfigurationError(
                "there is nothing to resume: the history ends with neither calls nor responses;"
                " use send() or stream()"
            )
        given = {} if answers is None else answers
        return self._start(tail.start, [], options, answers=given, streamed=streamed, kind=kind)

    def _start(  # noqa: PLR0913  all parts of a turn
        self,
        start: int,
        said: list[Content],
        options: ConversationOptions,
        *,
        answers: Answers | None = None,
        streamed: bool,
        kind: ResponseType[Any] | None,
    ) -> ConversationStream[ItemT_co]:
        """Start a turn whose turns take the place of the history from an index on."""
        if self._busy:
            raise RuntimeError(
                "the previous turn is still in progress; finish it, close it, or fork() the chat"
            )
        stream = start_conversation(
            self._caller,
            self.model,
            [*self.history, *said],
            self._tools,
            {**self.options, **options},
            answers=answers,
            streamed=streamed,
            on_end=partial(self._record, start, said),
            kind=kind,
        )
        self._busy, self._unfinished = True, (0, [])
        return stream

    def _record(self, start: int, said: list[Content], stream: ConversationStream[Any]) -> None:
        try:
            self._record_turns(start, said, stream)
        finally:
            self._busy = False  # last: a stream may be dropped in another thread

    def _record_turns(
        self, start: int, said: list[Content], stream: ConversationStream[Any]
    ) -> None:
        self.usage = add_usage(self.usage, stream.usage)
        turns = [*said, *stream.turns]
        answered = stream.complete and stream.turns and turns[-1].role == "model"
        if answered or stream.state in ("paused", "stopped"):
            self._keep(start, turns)
        else:
            self._unfinished = (start, [*said, *stream.partial_turns])

    def _keep(self, start: int, turns: list[Content]) -> None:
        if not self._keep_thoughts:
            # A turn that holds only thoughts stays, since a turn needs parts.
            stripped = map(without_thoughts, turns)
            turns = [new if new.parts else old for new, old in zip(stripped, turns, strict=True)]
        # A copy, since the caller has these, too, and may change them.
        self.history[start:] = deep_copy(turns)


def load_chat(
    caller: Caller,
    text: str | bytes,
    *,
    tools: Sequence[ToolLike] | None,
    keep_thoughts: bool,
    options: ConversationOptions,
) -> Chat[Any]:
    """Return the chat that ``Chat.to_json`` wrote.

    Raises:
        ConfigurationError: The text is not the JSON of a chat, or an argument is not valid.
    """
    transcript = read_transcript(text)
    if transcript.system_instruction is not None:
        options.setdefault("system_instruction", transcript.system_instruction)
    chat: Chat[Any] = Chat(
        caller,
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
    """Copy mutable values, but not functions: a method's object belongs to the caller."""
    return value if callable(value) or isinstance(value, FunctionTool) else deep_copy(value)
