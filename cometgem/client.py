"""The client: what a user holds. Wires the rooms below, and knows no HTTP itself."""

from __future__ import annotations

import contextlib
import os
import warnings
from typing import TYPE_CHECKING, Any, NoReturn, Self, Unpack, overload

from cometgem.attempts import Attempts
from cometgem.chat import Chat
from cometgem.conversation import ConversationItem, ConversationStream, converse
from cometgem.errors import (
    CometGemError,
    CometGemWarning,
    ConfigurationError,
    ResponseDecodeError,
    StreamError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from cometgem.protocol.address import Key, check_base_url, check_key
from cometgem.protocol.chunks import ChunkDecoder
from cometgem.protocol.merge import ResponseMerger
from cometgem.protocol.request import GenerateOptions, build_request, check_headers
from cometgem.protocol.retry import RetryPolicy
from cometgem.protocol.sse import MAX_EVENT_SIZE
from cometgem.protocol.timeouts import Timeouts
from cometgem.stream import GenerateContentStream
from cometgem.transport import Auth, Transport
from cometgem.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    import aiohttp

    from cometgem.protocol.contents import Contents
    from cometgem.protocol.functions import ToolLike
    from cometgem.protocol.request import Operation
    from cometgem.tools import ToolOptions
    from cometgem.types.response import GenerateContentResponse

__all__ = ["BASE_URL", "Client"]

BASE_URL = "https://api.cometapi.com"


class Client:
    """Generates content with Gemini models, streamed or in one piece.

    Made anywhere, used in one event loop, under ``async with`` or with ``await aclose()``. One
    client serves any number of calls at the same time; connections are reused and not capped.

    Args:
        api_key: Else the environment's ``COMETAPI_KEY``.
        base_url: Else the environment's ``COMETAPI_BASE_URL``, else ``https://api.cometapi.com``.
            Google's own endpoint works too, with a key of Google's.
        auth: The header that carries the key.
        timeouts: Limits in seconds, unless a call brings its own.
        retry: When to send again, unless a call brings its own.
        headers: Sent with every request.
        session: A session of yours, with its own TLS context or proxy; used, never closed.
        max_event_size: Bytes that one event, or one response, may hold.
        allow_insecure: Send the key over plain http to other machines, too.

    Raises:
        ConfigurationError: No key, or an argument that can never work.
    """

    def __init__(  # noqa: PLR0913  one option a line of the docstring
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        auth: Auth = "x-goog-api-key",
        timeouts: Timeouts = Timeouts(),  # noqa: B008  frozen
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008  frozen
        headers: Mapping[str, str] | None = None,
        session: aiohttp.ClientSession | None = None,
        max_event_size: int = MAX_EVENT_SIZE,
        allow_insecure: bool = False,
    ) -> None:
        # First of all, so that a traceback with locals has no key to show.
        api_key = None if api_key is None else Key(api_key)
        key = _find_key(api_key)
        if auth not in ("x-goog-api-key", "bearer"):
            raise ConfigurationError(f"auth={auth!r}: give 'x-goog-api-key' or 'bearer'")
        if max_event_size < 1:
            raise ConfigurationError(f"max_event_size={max_event_size}: give bytes, 1 or more")
        self.base_url: str = check_base_url(
            base_url or os.environ.get("COMETAPI_BASE_URL") or BASE_URL,
            allow_insecure=allow_insecure,
        )
        self._timeouts = timeouts
        self._retry = retry
        self._headers = check_headers(headers)
        self._max_event_size = max_event_size
        self._transport = Transport(
            self.base_url,
            key,
            auth,
            {"User-Agent": f"cometgem/{__version__}"},
            session,
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
        """Close the connections, also those of open streams; a later call raises."""
        await self._transport.aclose()

    async def generate_content(
        self, model: str, contents: Contents, **options: Unpack[GenerateOptions]
    ) -> GenerateContentResponse:
        """Generate content and return it in one piece.

        Args:
            model: Such as ``gemini-2.5-flash``, with or without ``models/``.
            contents: A text, a ``Part``, a ``Content``, a dict in wire form, or a list of these;
                adjacent parts become one turn of the user.
            **options: See ``GenerateOptions``.

        Raises:
            ConfigurationError: An argument that can never work; nothing was sent.
            APIStatusError: The API refused, by status or by an error in the body.
            APIConnectionError: No answer came, or none in time.
            StreamInterruptedError: The connection broke in the middle of the answer.
            ResponseDecodeError: The answer is none of ``generateContent``.
        """
        attempts = self._attempts("generateContent", model, contents, options)

        async def once() -> GenerateContentResponse:
            return await _read_response(attempts, self._max_event_size)

        try:
            return await attempts.run(once)
        except CometGemError as error:
            attempts.conceal_key(error)
            raise

    def stream_generate_content(
        self, model: str, contents: Contents, **options: Unpack[GenerateOptions]
    ) -> GenerateContentStream:
        """Generate content and return it as a stream of chunks; nothing is sent yet.

        Args:
            model: Such as ``gemini-2.5-flash``, with or without ``models/``.
            contents: As for ``generate_content``.
            **options: See ``GenerateOptions``.

        Raises:
            ConfigurationError: An argument that can never work.
            ClientClosedError: The client is closed.
        """
        attempts = self._attempts("streamGenerateContent", model, contents, options)
        return GenerateContentStream(attempts, self._max_event_size)

    def run_tools(
        self,
        model: str,
        contents: Contents,
        *,
        tools: Sequence[ToolLike],
        **options: Unpack[ToolOptions],
    ) -> ConversationStream[ConversationItem]:
        """Generate content, run the functions that the model calls, and let it go on.

        The stream hands out the chunks of all rounds, each ``FunctionCall`` as it is complete
        and each ``FunctionResponse`` as it is ready. The calls of one round run side by side once
        the model has ended it, and are answered in the order of the calls.

        Args:
            model: Such as ``gemini-2.5-flash``, with or without ``models/``.
            contents: As for ``generate_content``.
            tools: Functions, ``FunctionTool``s, and the API's own tools.
            **options: See ``ToolOptions``.

        Raises:
            ConfigurationError: An argument that can never work.
            ClientClosedError: The client is closed.
        """
        return converse(self, model, contents, tools, options)

    @overload
    def chat(
        self,
        model: str,
        *,
        tools: None = None,
        history: Contents | None = None,
        keep_thoughts: bool = True,
        **options: Unpack[ToolOptions],
    ) -> Chat[GenerateContentResponse]: ...

    @overload
    def chat(
        self,
        model: str,
        *,
        tools: Sequence[ToolLike],
        history: Contents | None = None,
        keep_thoughts: bool = True,
        **options: Unpack[ToolOptions],
    ) -> Chat[ConversationItem]: ...

    def chat(
        self,
        model: str,
        *,
        tools: Sequence[ToolLike] | None = None,
        history: Contents | None = None,
        keep_thoughts: bool = True,
        **options: Unpack[ToolOptions],
    ) -> Chat[Any]:
        """Return a conversation that keeps what was said; nothing is sent yet.

        Args:
            model: Such as ``gemini-2.5-flash``, with or without ``models/``.
            tools: As for ``run_tools``: their functions are run.
            history: What was said before.
            keep_thoughts: False leaves summaries of thinking out of the history.
            **options: See ``ToolOptions``; they go with each turn.

        Raises:
            ConfigurationError: An argument that can never work.
            ClientClosedError: The client is closed.
        """
        return Chat(
            self,
            model,
            tools=tools,
            history=history,
            keep_thoughts=keep_thoughts,
            options=options,
        )

    def _attempts(
        self, operation: Operation, model: str, contents: Contents, options: GenerateOptions
    ) -> Attempts:
        self._transport.check_open()
        options["headers"] = {**self._headers, **check_headers(options.get("headers"))}
        request = build_request(operation, model, contents, options)
        if request.doubt:
            warnings.warn(request.doubt, CometGemWarning, stacklevel=3)
        return Attempts(
            self._transport,
            request,
            options.get("timeouts") or self._timeouts,
            options.get("retry") or self._retry,
            streamed=operation == "streamGenerateContent",
        )


async def _read_response(attempts: Attempts, max_size: int) -> GenerateContentResponse:
    """Send once and read the one response; a stream in its place is merged."""
    reply = await attempts.send()
    decoder = ChunkDecoder(max_size, reply.headers)
    chunks: list[GenerateContentResponse] = []
    if not reply.whole:  # as most answers are: a timer would be a twentieth of the call's cost
        reply.start_waiting()
    try:
        while data := await reply.read():
            chunks += decoder.feed(data)
        chunks += decoder.close()
        return _whole(chunks, streamed=not decoder.single)
    except CometGemError as error:
        if isinstance(error, StreamInterruptedError):
            with contextlib.suppress(StreamTruncatedError, ResponseDecodeError):
                chunks += decoder.close()
        if isinstance(error, StreamError):
            error.request_id = reply.request_id
        if chunks:
            error.partial = _merged(chunks).response()
        raise
    finally:
        reply.close()


def _whole(chunks: list[GenerateContentResponse], *, streamed: bool) -> GenerateContentResponse:
    if not chunks:
        raise ResponseDecodeError("the server sent no response", excerpt="")
    if len(chunks) == 1 and not streamed:
        return chunks[0]
    merger = _merged(chunks)
    if streamed and not merger.finished:
        raise StreamTruncatedError("the stream ended without a finishReason")
    return chunks[0] if len(chunks) == 1 else merger.response()


def _merged(chunks: list[GenerateContentResponse]) -> ResponseMerger:
    merger = ResponseMerger()
    for chunk in chunks:
        merger.add(chunk)
    return merger


def _find_key(given: Key | None) -> Key:
    if given is not None:
        return check_key(given, "api_key")
    if "COMETAPI_KEY" not in os.environ:
        raise ConfigurationError(
            "no API key: set the environment variable COMETAPI_KEY, or give Client(api_key=...)"
        )
    return check_key(Key(os.environ["COMETAPI_KEY"]), "COMETAPI_KEY")
