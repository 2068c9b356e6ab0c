"""The client: wires the rooms below together; it contains no HTTP itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, Unpack, overload

from cometgem.conversation.chat import Chat, load_chat
from cometgem.conversation.requests import Caller
from cometgem.conversation.start import start_conversation
from cometgem.errors import ConfigurationError
from cometgem.http.attempts import Attempts
from cometgem.http.connections import check_session
from cometgem.http.retry import RetryPolicy, check_retry
from cometgem.http.timeouts import Timeouts, check_timeouts
from cometgem.http.transport import Auth, Transport
from cometgem.options import GenerateOptions, as_continuation, check_call
from cometgem.request.address import Key, Secret, as_key, check_base_url, check_key
from cometgem.request.arguments import check_bool, is_integer, shown
from cometgem.request.build import build_request
from cometgem.request.contents import contents_to_wire
from cometgem.request.continuation import as_stream, exceeds_single_call, token_of, with_token
from cometgem.request.functions import as_function_tools
from cometgem.request.options import check_headers, check_names
from cometgem.response.sse import MAX_EVENT_SIZE
from cometgem.single import SingleCall
from cometgem.stream import GenerateContentStream
from cometgem.typed_single import ask_until_it_fits, type_of_call
from cometgem.typed_stream import TypedStream
from cometgem.version import __version__
from cometgem.warn import warn_caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
    from os import PathLike
    from types import TracebackType

    import aiohttp
    from typing_extensions import TypeForm

    from cometgem.bulk.budget import Budget, Spending
    from cometgem.bulk.limiter import Limiter
    from cometgem.bulk.limits import Limits
    from cometgem.bulk.map import MapRun
    from cometgem.bulk.plan import Rerun
    from cometgem.bulk.progress import Progress
    from cometgem.conversation.answers import Answers
    from cometgem.conversation.options import ConversationOptions
    from cometgem.conversation.rounds import ConversationItem, ConversationStream
    from cometgem.conversation.typed_rounds import TypedConversationStream
    from cometgem.http.attempts import Gate
    from cometgem.request.build import Operation, Request
    from cometgem.request.contents import Contents
    from cometgem.request.functions import ToolLike
    from cometgem.request.response_type import SchemaDialect, TypeAdapterLike
    from cometgem.response.typed import TypedResponse
    from cometgem.types.content import Content
    from cometgem.types.response import GenerateContentResponse

__all__ = ["BASE_URL", "Client"]

_R = TypeVar("_R")
_T = TypeVar("_T")

BASE_URL = "https://api.cometapi.com"


class Client:
    """Generates content with Gemini models, streamed or as a complete response.

    It can be created anywhere, but must be used in one event loop, with ``async with`` or ``await
    aclose()``. One client serves any number of concurrent calls; connections are reused.

    Args:
        api_key: A str, or an object with ``get_secret_value()`` such as pydantic's ``SecretStr``.
            Defaults to the ``COMETAPI_KEY`` environment variable.
        base_url: Defaults to the ``COMETAPI_BASE_URL`` environment variable, then to
            ``https://api.cometapi.com``. Google's own endpoint works as well, with a Google key.
        auth: The header that carries the key.
        timeouts: The default limits of a call, in seconds.
        retry: The default retry policy of a call.
        headers: Headers sent with every request.
        session: An existing session, for example with a custom TLS context or proxy. It is never
            closed by the client.
        max_event_size: The maximum size of one event or one response, in bytes.
        max_connections: How many requests may have a connection at the same time; further ones
            wait, which counts toward ``Timeouts(total=...)`` alone. Defaults to as many as the
            process may still open, less a reserve.
        allow_insecure: Allow plain http to other machines, which sends the key unencrypted.

    Raises:
        ConfigurationError: There is no key, or an argument is not valid.
    """

    def __init__(  # noqa: PLR0913  each is an option of its own
        self,
        api_key: str | Secret | None = None,
        *,
        base_url: str | None = None,
        auth: Auth = "x-goog-api-key",
        timeouts: Timeouts = Timeouts(),  # noqa: B008  frozen
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008  frozen
        headers: Mapping[str, str] | None = None,
        session: aiohttp.ClientSession | None = None,
        max_event_size: int = MAX_EVENT_SIZE,
        max_connections: int | None = None,
        allow_insecure: bool = False,
    ) -> None:
        # Done first, so that a traceback that prints local variables cannot show the key.
        given = None if api_key is None else as_key(api_key)
        api_key = None
        key = _find_key(given)
        if auth not in ("x-goog-api-key", "bearer"):
            raise ConfigurationError(
                f"auth={shown(auth)} is not valid; use 'x-goog-api-key' or 'bearer'"
            )
        if not is_integer(max_event_size) or max_event_size < 1:
            raise ConfigurationError(
                f"max_event_size={shown(max_event_size)} is not valid; use an integer of at least"
                " 1 byte"
            )
        check_session(session)
        if max_connections is not None and (not is_integer(max_connections) or max_connections < 1):
            raise ConfigurationError(
                f"max_connections={shown(max_connections)} is not valid; use an integer of at least"
                " 1, or None"
            )
        check_bool("allow_insecure", allow_insecure)
        self.base_url: str = check_base_url(
            (os.environ.get("COMETAPI_BASE_URL") or BASE_URL)
            if base_url is None or base_url == ""
            else base_url,
            allow_insecure=allow_insecure,
        )
        self._timeouts = check_timeouts(timeouts)
        self._retry = check_retry(retry)
        self._headers = check_headers(headers)
        self._max_event_size = max_event_size
        self._transport = Transport(
            self.base_url,
            key,
            auth,
            headers={"User-Agent": f"cometgem/{__version__}"},
            session=session,
            max_connections=max_connections,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        if not hasattr(self, "_transport"):  # in a traceback of the constructor
            return "<Client, unfinished>"
        state = ", closed" if self._transport.closed else ""
        return f"<Client {self.base_url}{state}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Client cannot be pickled: it holds an API key and connections")

    async def aclose(self) -> None:
        """Close all connections, including those of open streams; later calls raise ClosedError."""
        await self._transport.aclose()

    @overload
    async def generate_content(
        self, model: str, contents: Contents, **options: Unpack[GenerateOptions]
    ) -> GenerateContentResponse: ...

    @overload
    async def generate_content(
        self,
        model: str,
        contents: Contents,
        *,
        response_type: TypeForm[_T],
        schema_dialect: SchemaDialect = "json",
        reasks: int = 0,
        **options: Unpack[GenerateOptions],
    ) -> TypedResponse[_T]: ...

    @overload
    async def generate_content(
        self,
        model: str,
        contents: Contents,
        *,
        response_type: TypeAdapterLike[_T],
        schema_dialect: SchemaDialect = "json",
        reasks: int = 0,
        **options: Unpack[GenerateOptions],
    ) -> TypedResponse[_T]: ...

    async def generate_content(
        self,
        model: str,
        contents: Contents,
        *,
        response_type: Any = None,
        schema_dialect: SchemaDialect = "json",
        reasks: int = 0,
        **options: Unpack[GenerateOptions],
    ) -> GenerateContentResponse:
        """Generate content and return the complete response.

        Args:
            model: The model's name, such as ``gemini-3.8-flash``, with or without ``models/``.
            contents: A string, a ``Part``, a ``Content``, a dict in wire form, or a list of these.
                Adjacent parts become one turn of the user.
            response_type: The type of the answer, such as ``list[Planet]``. Its schema is sent,
                and ``response.parsed`` is a value of it. See ``docs/typed-answers.md``.
            schema_dialect: Send the schema as ``responseJsonSchema`` ("json", the default) or as
                ``responseSchema`` ("openapi").
            reasks: How often the model is asked again if the answer does not match the type.
            **options: All optional; None means not given:
                system_instruction: For the whole conversation, in the forms of ``contents``.
                tools: The API's own tools, and functions, which are declared but not run.
                tool_config: How the model may use the tools.
                thinking: How much to think: "off", "minimal", "low", "medium", "high", "xhigh",
                    "dynamic", or a number of tokens; translated to what the model takes.
                thoughts: True returns summaries of the thinking.
                generation_config: ``temperature``, ``maxOutputTokens`` (in tokens) and the like.
                safety_settings: What to block.
                foreign_history: "skip" allows function calls without a thought signature.
                cached_content: The name of cached content, ``cachedContents/{id}``.
                extra_body: Merged into the request's body, for keys newer than this library.
                headers: Sent with this request; they override the client's.
                timeouts: Limits in seconds, instead of the client's.
                retry: How often to try, and how many seconds to wait in between, instead of the
                    client's.
                continuation: "auto", the default, goes on with a long answer by itself; "off" does
                    not; a ``Checkpoint`` goes on from there.
                max_hops: The maximum number of requests of a long answer. Defaults to no limit.

        Raises:
            ConfigurationError: An argument is not valid; nothing was sent.
            APIStatusError: The API returned an error, as a status or in the body.
            APIConnectionError: No response came, or none in time.
            StreamInterruptedError: The connection broke in the middle of the response.
            ContinuationUnsupportedError: A long answer began again instead of going on.
            ResponseDecodeError: Not a valid ``generateContent`` response.
        """
        kind = type_of_call(response_type, schema_dialect, reasks, options)
        if kind is None:
            return await self._generate(model, contents, options)
        turns: list[Any] = [] if not reasks else contents_to_wire(contents)

        def ask_again(*more: Content) -> Awaitable[GenerateContentResponse]:
            turns.extend(more)
            return self._generate(model, turns, options)

        first = self._generate(model, contents, options)
        return await ask_until_it_fits(first, ask_again, kind, reasks)

    async def _generate(
        self, model: str, contents: Contents, options: GenerateOptions
    ) -> GenerateContentResponse:
        request = self._request("generateContent", model, contents, options)
        return await self._send(request, options)

    async def _send(
        self, request: Request, options: GenerateOptions, gate: Gate | None = None
    ) -> GenerateContentResponse:
        if streams := exceeds_single_call(request):
            request = as_stream(request)
        attempts = self._attempts(request, options, streamed=streams, gate=gate)
        continuation = as_continuation(options)
        return await SingleCall(attempts, self._max_event_size, continuation, streams=streams).run()

    @overload
    def stream_generate_content(
        self, model: str, contents: Contents, **options: Unpack[GenerateOptions]
    ) -> GenerateContentStream: ...

    @overload
    def stream_generate_content(
        self,
        model: str,
        contents: Contents,
        *,
        response_type: TypeForm[_T],
        schema_dialect: SchemaDialect = "json",
        **options: Unpack[GenerateOptions],
    ) -> TypedStream[_T]: ...

    @overload
    def stream_generate_content(
        self,
        model: str,
        contents: Contents,
        *,
        response_type: TypeAdapterLike[_T],
        schema_dialect: SchemaDialect = "json",
        **options: Unpack[GenerateOptions],
    ) -> TypedStream[_T]: ...

    def stream_generate_content(
        self,
        model: str,
        contents: Contents,
        *,
        response_type: Any = None,
        schema_dialect: SchemaDialect = "json",
        **options: Unpack[GenerateOptions],
    ) -> GenerateContentStream:
        """Generate content and return it as a stream of chunks; nothing is sent yet.

        Args:
            model: The model's name, such as ``gemini-3.8-flash``, with or without ``models/``.
            contents: As for ``generate_content``.
            response_type: The type of the answer, such as ``list[Planet]``. Its schema is sent,
                and the answer is decoded, also while it arrives. See ``docs/typed-answers.md``.
            schema_dialect: Send the schema as ``responseJsonSchema`` ("json", the default) or as
                ``responseSchema`` ("openapi").
            **options: All optional; None means not given:
                system_instruction: For the whole conversation, in the forms of ``contents``.
                tools: The API's own tools, and functions, which are declared but not run.
                tool_config: How the model may use the tools.
                thinking: How much to think: "off", "minimal", "low", "medium", "high", "xhigh",
                    "dynamic", or a number of tokens; translated to what the model takes.
                thoughts: True returns summaries of the thinking.
                generation_config: ``temperature``, ``maxOutputTokens`` (in tokens) and the like.
                safety_settings: What to block.
                foreign_history: "skip" allows function calls without a thought signature.
                cached_content: The name of cached content, ``cachedContents/{id}``.
                extra_body: Merged into the request's body, for keys newer than this library.
                headers: Sent with this request; they override the client's.
                timeouts: Limits in seconds, instead of the client's.
                retry: How often to try, and how many seconds to wait in between, instead of the
                    client's.
                continuation: "auto", the default, goes on with a long answer by itself; "off" does
                    not; a ``Checkpoint`` goes on from there.
                max_hops: The maximum number of requests of a long answer. Defaults to no limit.

        Raises:
            ConfigurationError: An argument is not valid.
            ClosedError: The client is closed.
        """
        kind = type_of_call(response_type, schema_dialect, 0, options)
        request = self._request("streamGenerateContent", model, contents, options)
        attempts = self._attempts(request, options, streamed=True)
        continuation = as_continuation(options)
        if kind is None:
            return GenerateContentStream(attempts, self._max_event_size, continuation)
        return TypedStream(attempts, self._max_event_size, continuation, kind)

    @overload
    def map(
        self,
        model: str,
        rows: Iterable[_R] | AsyncIterable[_R],
        *,
        prompt: Callable[[_R], Contents | Mapping[str, Any]],
        key: Callable[[_R], str | int] | None = None,
        limits: Limits | Limiter | None = None,
        results: str | PathLike[str] | None = None,
        save_prompts: bool = False,
        rerun: Rerun = "failed",
        ordered: bool = False,
        budget: Budget | Spending | None = None,
        deadline: float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        **options: Unpack[GenerateOptions],
    ) -> MapRun[_R, GenerateContentResponse]: ...

    @overload
    def map(
        self,
        model: str,
        rows: Iterable[_R] | AsyncIterable[_R],
        *,
        prompt: Callable[[_R], Contents | Mapping[str, Any]],
        key: Callable[[_R], str | int] | None = None,
        response_type: TypeForm[_T],
        schema_dialect: SchemaDialect = "json",
        reasks: int = 0,
        limits: Limits | Limiter | None = None,
        results: str | PathLike[str] | None = None,
        save_prompts: bool = False,
        rerun: Rerun = "failed",
        ordered: bool = False,
        budget: Budget | Spending | None = None,
        deadline: float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        **options: Unpack[GenerateOptions],
    ) -> MapRun[_R, TypedResponse[_T]]: ...

    @overload
    def map(
        self,
        model: str,
        rows: Iterable[_R] | AsyncIterable[_R],
        *,
        prompt: Callable[[_R], Contents | Mapping[str, Any]],
        key: Callable[[_R], str | int] | None = None,
        response_type: TypeAdapterLike[_T],
        schema_dialect: SchemaDialect = "json",
        reasks: int = 0,
        limits: Limits | Limiter | None = None,
        results: str | PathLike[str] | None = None,
        save_prompts: bool = False,
        rerun: Rerun = "failed",
        ordered: bool = False,
        budget: Budget | Spending | None = None,
        deadline: float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        **options: Unpack[GenerateOptions],
    ) -> MapRun[_R, TypedResponse[_T]]: ...

    def map(  # noqa: PLR0913  each is an option of its own
        self,
        model: str,
        rows: Iterable[_R] | AsyncIterable[_R],
        *,
        prompt: Callable[[_R], Contents | Mapping[str, Any]],
        key: Callable[[_R], str | int] | None = None,
        response_type: Any = None,
        schema_dialect: SchemaDialect = "json",
        reasks: int = 0,
        limits: Limits | Limiter | None = None,
        results: str | PathLike[str] | None = None,
        save_prompts: bool = False,
        rerun: Rerun = "failed",
        ordered: bool = False,
        budget: Budget | Spending | None = None,
        deadline: float | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        **options: Unpack[GenerateOptions],
    ) -> MapRun[_R, Any]:
        """Generate content for many rows, at the rate that the API allows; nothing is sent yet.

        Use it with ``async with``, and iterate over it for the results. See ``docs/bulk.md``.

        Args:
            model: The model's name, such as ``gemini-3.8-flash``, with or without ``models/``.
            rows: Anything that can be iterated over, with ``for`` or ``async for``. It is read as
                rows are sent, at most ``concurrency`` and 64 rows ahead of the results.
            prompt: Returns the contents for a row, as for ``generate_content``, or a complete
                request: a dict with the key "contents", of which the other keys are merged into
                the request's body.
            key: Returns what the row is recognized by in ``results``, a str or an int. Defaults to
                its index.
            response_type: As for ``generate_content``.
            schema_dialect: As for ``generate_content``.
            reasks: As for ``generate_content``.
            limits: The rate and the number of requests in flight, or a limiter that is shared.
                Defaults to a rate that is found out, with at most 500 in flight.
            results: The path of a file to which each result is appended, as a line of JSON. If it
                has results of an earlier run, these are not asked for again, unless the request is
                another one.
            save_prompts: Whether the body of each request is written to ``results``, too.
            rerun: Which rows with a result are sent again: "failed", the default, "none" or "all".
            ordered: Whether results are handed out in the order of the rows, not of completion.
            budget: A ``Budget`` of tokens or rows, or a function that gets the ``Usage`` so far and
                returns True when no more rows should be sent.
            deadline: Seconds after which no more rows are sent.
            on_progress: Called with a ``Progress`` every second and at the end.
            **options: Those of ``generate_content``, for every row. ``retry`` does not count
                refusals (429): a refused row waits, and is sent again as often as necessary.

        Raises:
            ConfigurationError: An argument is not valid.
            ClosedError: The client is closed.
        """
        # Only when needed: who does not use bulk runs does not pay for importing them.
        from cometgem.bulk.map import MapRun  # noqa: PLC0415
        from cometgem.bulk.plan import plan  # noqa: PLC0415
        from cometgem.bulk.row import Calls  # noqa: PLC0415

        def build(contents: Contents, options: GenerateOptions) -> Request:
            return self._request("generateContent", model, contents, options)

        kind = type_of_call(response_type, schema_dialect, reasks, options)
        return MapRun(
            plan(
                Calls(build, self._send),
                model,
                rows,
                prompt=prompt,
                key=key,
                kind=kind,
                reasks=reasks,
                limits=limits,
                results=results,
                save_prompts=save_prompts,
                rerun=rerun,
                ordered=ordered,
                budget=budget,
                deadline=deadline,
                on_progress=on_progress,
                options=options,
            )
        )

    @overload
    def run_tools(
        self,
        model: str,
        contents: Contents,
        *,
        tools: Sequence[ToolLike],
        answers: Answers | None = None,
        **options: Unpack[ConversationOptions],
    ) -> ConversationStream[ConversationItem]: ...

    @overload
    def run_tools(
        self,
        model: str,
        contents: Contents,
        *,
        tools: Sequence[ToolLike],
        answers: Answers | None = None,
        response_type: TypeForm[_T],
        schema_dialect: SchemaDialect = "json",
        **options: Unpack[ConversationOptions],
    ) -> TypedConversationStream[ConversationItem, _T]: ...

    @overload
    def run_tools(
        self,
        model: str,
        contents: Contents,
        *,
        tools: Sequence[ToolLike],
        answers: Answers | None = None,
        response_type: TypeAdapterLike[_T],
        schema_dialect: SchemaDialect = "json",
        **options: Unpack[ConversationOptions],
    ) -> TypedConversationStream[ConversationItem, _T]: ...

    def run_tools(  # noqa: PLR0913  each is an option of its own
        self,
        model: str,
        contents: Contents,
        *,
        tools: Sequence[ToolLike],
        answers: Answers | None = None,
        response_type: Any = None,
        schema_dialect: SchemaDialect = "json",
        **options: Unpack[ConversationOptions],
    ) -> ConversationStream[ConversationItem]:
        """Generate content, run the functions that the model calls, and continue with the results.

        The stream hands out the chunks of all rounds, each ``FunctionCall`` once it is complete
        and each ``FunctionResponse`` once it is ready. The calls of one round run concurrently
        after the model's turn has ended; their responses are sent in the order of the calls.

        Calls that cannot be answered now pause the conversation: ``stream.state`` is "paused",
        and ``stream.pending`` are the calls. Later, ``run_tools(model, stream.history,
        tools=tools, answers={...})`` goes on.

        Args:
            model: The model's name, such as ``gemini-3.8-flash``, with or without ``models/``.
            contents: As for ``generate_content``.
            tools: Functions, instances of ``FunctionTool``, and the API's own tools. Calls of
                functions that are only declared wait for an answer.
            answers: If the contents end with calls: an answer for each, by the call's id or its
                index among the pending ones. ``Approve()`` runs the function, ``Refuse("why")``
                reports a refusal to the model, and anything else is the result. A call without an
                answer is put to ``confirm``.
            response_type: As for ``stream_generate_content``: the type of the last answer, the
                one without calls.
            schema_dialect: As for ``stream_generate_content``.
            **options: Those of ``stream_generate_content``, and:
                max_rounds: How often the model may be asked in one turn. Defaults to 10.
                total_time: Seconds for one turn, functions included. Defaults to no limit.
                concurrency: How many functions may run at the same time. Defaults to no limit.
                on_tool_error: What becomes of an exception of a function: "raise", the default,
                    ends the conversation with a ``ToolError``; "report" reports it to the model
                    and goes on; a function of the ``ToolError`` returns what is reported.
                confirm: Called before each function call: True runs it, False refuses it, a text
                    refuses it and is the reason, ``Pause()`` lets it wait.
                stop_after: Names of functions after which the conversation ends, or a predicate
                    on the response with the calls.
                prepare_round: Called with a ``Round`` before each request, to change it.
                force_every_round: Whether the mode ANY forces a call in every round, not only in
                    the first.

        Raises:
            ConfigurationError: An argument is not valid.
            ClosedError: The client is closed.
        """
        kind = type_of_call(response_type, schema_dialect, 0, options)
        declared = as_function_tools(tools)
        return start_conversation(
            self._caller(), model, contents, declared, options, answers=answers, kind=kind
        )

    @overload
    def chat(
        self,
        model: str,
        *,
        tools: None = None,
        history: Contents | None = None,
        keep_thoughts: bool = True,
        **options: Unpack[ConversationOptions],
    ) -> Chat[GenerateContentResponse]: ...

    @overload
    def chat(
        self,
        model: str,
        *,
        tools: Sequence[ToolLike],
        history: Contents | None = None,
        keep_thoughts: bool = True,
        **options: Unpack[ConversationOptions],
    ) -> Chat[ConversationItem]: ...

    def chat(
        self,
        model: str,
        *,
        tools: Sequence[ToolLike] | None = None,
        history: Contents | None = None,
        keep_thoughts: bool = True,
        **options: Unpack[ConversationOptions],
    ) -> Chat[Any]:
        """Return a conversation that keeps its history; nothing is sent yet.

        Args:
            model: The model's name, such as ``gemini-3.8-flash``, with or without ``models/``.
            tools: As for ``run_tools``; the functions are run.
            history: The turns of an earlier conversation.
            keep_thoughts: Whether thought summaries are kept in the history.
            **options: Those of ``stream_generate_content``, for every turn, and:
                max_rounds: How often the model may be asked in one turn. Defaults to 10.
                total_time: Seconds for one turn, functions included. Defaults to no limit.
                concurrency: How many functions may run at the same time. Defaults to no limit.
                on_tool_error: What becomes of an exception of a function: "raise", the default,
                    ends the conversation with a ``ToolError``; "report" reports it to the model
                    and goes on; a function of the ``ToolError`` returns what is reported.
                confirm: Called before each function call: True runs it, False refuses it, a text
                    refuses it and is the reason, ``Pause()`` lets it wait.
                stop_after: Names of functions after which the conversation ends, or a predicate
                    on the response with the calls.
                prepare_round: Called with a ``Round`` before each request, to change it.
                force_every_round: Whether the mode ANY forces a call in every round, not only in
                    the first.

        Raises:
            ConfigurationError: An argument is not valid.
            ClosedError: The client is closed.
        """
        self._transport.check_open()
        return Chat(
            self._caller(),
            model,
            tools=tools,
            history=history,
            keep_thoughts=keep_thoughts,
            options=options,
        )

    @overload
    def load_chat(
        self,
        text: str | bytes,
        *,
        tools: None = None,
        keep_thoughts: bool = True,
        **options: Unpack[ConversationOptions],
    ) -> Chat[GenerateContentResponse]: ...

    @overload
    def load_chat(
        self,
        text: str | bytes,
        *,
        tools: Sequence[ToolLike],
        keep_thoughts: bool = True,
        **options: Unpack[ConversationOptions],
    ) -> Chat[ConversationItem]: ...

    def load_chat(
        self,
        text: str | bytes,
        *,
        tools: Sequence[ToolLike] | None = None,
        keep_thoughts: bool = True,
        **options: Unpack[ConversationOptions],
    ) -> Chat[Any]:
        """Return the chat that ``Chat.to_json`` wrote; nothing is sent yet.

        Args:
            text: The JSON of a chat.
            tools: As for ``chat``; they are code and therefore not in the JSON.
            keep_thoughts: As for ``chat``.
            **options: As for ``chat``; a system instruction overrides the one in the JSON.

        Raises:
            ConfigurationError: The text is not the JSON of a chat, or an argument is not valid.
            ClosedError: The client is closed.
        """
        self._transport.check_open()
        return load_chat(
            self._caller(), text, tools=tools, keep_thoughts=keep_thoughts, options=options
        )

    def _caller(self) -> Caller:
        return Caller(
            self.generate_content,
            self.stream_generate_content,
            self._transport.watch,
            self._transport.run_in_loop,
        )

    def _request(
        self, operation: Operation, model: str, contents: Contents, options: GenerateOptions
    ) -> Request:
        self._transport.check_open()
        check_names(
            options, GenerateOptions.__annotations__, also=("response_type", "schema_dialect")
        )
        check_call(options)
        options["headers"] = {**self._headers, **check_headers(options.get("headers"))}
        request = build_request(operation, model, contents, options)
        warn_caller(request.warning)
        if (start := as_continuation(options).start) is None:
            return request
        if token_of(request) is not None:
            raise ConfigurationError(
                "extra_body has a continuationToken, and so has continuation=...; give one of them"
            )
        return with_token(request, start.token)

    def _attempts(
        self,
        request: Request,
        options: GenerateOptions,
        *,
        streamed: bool,
        gate: Gate | None = None,
    ) -> Attempts:
        return Attempts(
            self._transport,
            request,
            options.get("timeouts") or self._timeouts,
            options.get("retry") or self._retry,
            streamed=streamed,
            token=token_of(request),
            gate=gate,
        )


def _find_key(given: Key | ConfigurationError | None) -> Key:
    if isinstance(given, ConfigurationError):
        raise given
    if given is not None:
        return check_key(given, "api_key")
    if "COMETAPI_KEY" not in os.environ:
        raise ConfigurationError(
            "no API key: set the environment variable COMETAPI_KEY, or pass Client(api_key=...)"
        )
    return check_key(Key(os.environ["COMETAPI_KEY"]), "COMETAPI_KEY")
