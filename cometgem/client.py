"""The client: what a user holds. Wires the rooms below, and knows no HTTP itself."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, NoReturn, Self, Unpack, overload

from cometgem.conversation.chat import Chat, load_chat
from cometgem.conversation.rounds import ConversationItem, ConversationStream, start_conversation
from cometgem.errors import (
    CometGemWarning,
    ConfigurationError,
)
from cometgem.http.attempts import Attempts
from cometgem.http.retry import RetryPolicy
from cometgem.http.timeouts import Timeouts
from cometgem.http.transport import Auth, Transport
from cometgem.options import GenerateOptions
from cometgem.request.address import Key, check_base_url, check_key
from cometgem.request.build import build_request
from cometgem.request.functions import as_function_tools
from cometgem.request.options import check_headers, check_names
from cometgem.response.sse import MAX_EVENT_SIZE
from cometgem.single import SingleCall
from cometgem.stream import GenerateContentStream
from cometgem.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    import aiohttp

    from cometgem.conversation.options import ConversationOptions
    from cometgem.request.build import Operation
    from cometgem.request.contents import Contents
    from cometgem.request.functions import ToolLike
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
            **options: All optional; None means not given:
                system_instruction: For the whole conversation, in the forms of ``contents``.
                tools: The API's own tools, and functions, which are declared but not run.
                tool_config: How the model may use the tools.
                thinking: How much to think: "off", "minimal", "low", "medium", "high",
                    "dynamic", or a number of tokens.
                thoughts: True returns summaries of the thinking.
                generation_config: ``temperature``, ``maxOutputTokens`` (in tokens) and the like.
                safety_settings: What to block.
                cached_content: The name of cached content, ``cachedContents/{id}``.
                extra_body: Merged into the request's body, for keys newer than this library.
                headers: Sent with this request; they override the client's.
                timeouts: Limits in seconds, instead of the client's.
                retry: How often to try, and how many seconds to wait in between, instead of the
                    client's.

        Raises:
            ConfigurationError: An argument that can never work; nothing was sent.
            APIStatusError: The API refused, by status or by an error in the body.
            APIConnectionError: No answer came, or none in time.
            StreamInterruptedError: The connection broke in the middle of the answer.
            ResponseDecodeError: The answer is none of ``generateContent``.
        """
        attempts = self._attempts("generateContent", model, contents, options)
        return await SingleCall(attempts, self._max_event_size).run()

    def stream_generate_content(
        self, model: str, contents: Contents, **options: Unpack[GenerateOptions]
    ) -> GenerateContentStream:
        """Generate content and return it as a stream of chunks; nothing is sent yet.

        Args:
            model: Such as ``gemini-2.5-flash``, with or without ``models/``.
            contents: As for ``generate_content``.
            **options: All optional; None means not given:
                system_instruction: For the whole conversation, in the forms of ``contents``.
                tools: The API's own tools, and functions, which are declared but not run.
                tool_config: How the model may use the tools.
                thinking: How much to think: "off", "minimal", "low", "medium", "high",
                    "dynamic", or a number of tokens.
                thoughts: True returns summaries of the thinking.
                generation_config: ``temperature``, ``maxOutputTokens`` (in tokens) and the like.
                safety_settings: What to block.
                cached_content: The name of cached content, ``cachedContents/{id}``.
                extra_body: Merged into the request's body, for keys newer than this library.
                headers: Sent with this request; they override the client's.
                timeouts: Limits in seconds, instead of the client's.
                retry: How often to try, and how many seconds to wait in between, instead of the
                    client's.

        Raises:
            ConfigurationError: An argument that can never work.
            ClosedError: The client is closed.
        """
        attempts = self._attempts("streamGenerateContent", model, contents, options)
        return GenerateContentStream(attempts, self._max_event_size)

    def run_tools(
        self,
        model: str,
        contents: Contents,
        *,
        tools: Sequence[ToolLike],
        **options: Unpack[ConversationOptions],
    ) -> ConversationStream[ConversationItem]:
        """Generate content, run the functions that the model calls, and let it go on.

        The stream hands out the chunks of all rounds, each ``FunctionCall`` as it is complete
        and each ``FunctionResponse`` as it is ready. The calls of one round run side by side once
        the model has ended it, and are answered in the order of the calls.

        Args:
            model: Such as ``gemini-2.5-flash``, with or without ``models/``.
            contents: As for ``generate_content``.
            tools: Functions, ``FunctionTool``s, and the API's own tools.
            **options: Those of ``stream_generate_content``, and:
                max_rounds: How often the model may be asked in one turn. Defaults to 10.
                concurrency: How many functions may run at the same time. Defaults to no limit.
                on_tool_error: "raise", the default, ends the conversation with a ``ToolError``;
                    "report" reports the failure to the model and goes on.
                confirm: Called before each function call: True runs it, False refuses it, a text
                    refuses it and is the reason.

        Raises:
            ConfigurationError: An argument that can never work.
            ClosedError: The client is closed.
        """
        return start_conversation(self, model, contents, as_function_tools(tools), options)

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
        """Return a conversation that keeps what was said; nothing is sent yet.

        Args:
            model: Such as ``gemini-2.5-flash``, with or without ``models/``.
            tools: As for ``run_tools``: their functions are run.
            history: What was said before.
            keep_thoughts: False leaves summaries of thinking out of the history.
            **options: Those of ``stream_generate_content``, for every turn, and:
                max_rounds: How often the model may be asked in one turn. Defaults to 10.
                concurrency: How many functions may run at the same time. Defaults to no limit.
                on_tool_error: "raise", the default, ends the conversation with a ``ToolError``;
                    "report" reports the failure to the model and goes on.
                confirm: Called before each function call: True runs it, False refuses it, a text
                    refuses it and is the reason.

        Raises:
            ConfigurationError: An argument that can never work.
            ClosedError: The client is closed.
        """
        self._transport.check_open()
        return Chat(
            self,
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
        """Return the chat that ``Chat.to_json`` has written; nothing is sent yet.

        Args:
            text: Its JSON.
            tools: As for ``chat``; they are code, so they are not in the JSON.
            keep_thoughts: As for ``chat``.
            **options: As for ``chat``; a system instruction overrides the one in the JSON.

        Raises:
            ConfigurationError: The text is not the JSON of a chat, or an argument can never work.
            ClosedError: The client is closed.
        """
        self._transport.check_open()
        return load_chat(self, text, tools=tools, keep_thoughts=keep_thoughts, options=options)

    def _attempts(
        self, operation: Operation, model: str, contents: Contents, options: GenerateOptions
    ) -> Attempts:
        self._transport.check_open()
        check_names(options, GenerateOptions.__annotations__)
        options["headers"] = {**self._headers, **check_headers(options.get("headers"))}
        request = build_request(operation, model, contents, options)
        if request.warning:
            warnings.warn(request.warning, CometGemWarning, stacklevel=3)
        return Attempts(
            self._transport,
            request,
            options.get("timeouts") or self._timeouts,
            options.get("retry") or self._retry,
            streamed=operation == "streamGenerateContent",
        )


def _find_key(given: Key | None) -> Key:
    if given is not None:
        return check_key(given, "api_key")
    if "COMETAPI_KEY" not in os.environ:
        raise ConfigurationError(
            "no API key: set the environment variable COMETAPI_KEY, or give Client(api_key=...)"
        )
    return check_key(Key(os.environ["COMETAPI_KEY"]), "COMETAPI_KEY")
