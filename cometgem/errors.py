"""All errors that cometgem raises on purpose, in one tree.

Fields are stored; the message is built from them in ``__str__``. Every error can be pickled and
keeps its class and fields. None of them holds the API key.

::

    CometGemError                    partial: merged response so far; checkpoint; turns
    ├── ConfigurationError           (also ValueError) invalid key, base URL or argument
    │   └── BadMessagesError         what a browser has posted is not valid: answer with 400
    ├── ClosedError                  used after aclose()
    ├── APIConnectionError           no response: DNS, refused, TLS, reset before the headers
    │   └── APITimeoutError          (also TimeoutError) phase: which limit of Timeouts expired
    ├── APIStatusError               status, code, reason, message, request_id, retry_after, ...
    │   ├── BadRequestError          400
    │   ├── AuthenticationError      401
    │   ├── PermissionDeniedError    403
    │   ├── NotFoundError            404
    │   ├── RateLimitError           429
    │   └── ServerError              5xx
    ├── StreamError                  the stream failed after it had begun; chunks: how many came
    │   ├── StreamInterruptedError   the connection broke
    │   ├── StreamTruncatedError     a clean end without finishReason or blockReason
    │   └── ContinuationUnsupportedError  a long answer began again instead of going on; token
    ├── ResponseDecodeError          not JSON, or not the expected shape; path, excerpt
    ├── EventTooLargeError           size, limit, counted
    ├── IncompleteAnswerError        the answer to a row of a bulk run was cut off or blocked
    ├── OutputValidationError        (also ValueError) the answer does not match response_type
    ├── ToolError                    a function that the model called raised; call, turns
    │   ├── ToolTimeoutError         (also TimeoutError) it took longer than seconds
    │   └── ToolCallError            a call that cannot be run, the model's mistake; reason
    ├── TooManyRoundsError           the model keeps calling functions; rounds, turns
    └── RunError                     a run behind a browser's response was lost, or its log is

    CometGemWarning                  (also UserWarning) probably not what was intended
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from cometgem.types.nesting import flatten, unflatten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cometgem.types.checkpoint import Checkpoint
    from cometgem.types.content import Content, FunctionCall, FunctionResponse
    from cometgem.types.response import GenerateContentResponse

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadMessagesError",
    "BadRequestError",
    "ClosedError",
    "CometGemError",
    "CometGemWarning",
    "ConfigurationError",
    "ContinuationUnsupportedError",
    "EventTooLargeError",
    "IncompleteAnswerError",
    "NotFoundError",
    "OutputProblem",
    "OutputValidationError",
    "PermissionDeniedError",
    "RateLimitError",
    "ResponseDecodeError",
    "RunError",
    "ServerError",
    "StreamError",
    "StreamInterruptedError",
    "StreamTruncatedError",
    "TimeoutPhase",
    "TooManyRoundsError",
    "ToolCallError",
    "ToolCallReason",
    "ToolError",
    "ToolTimeoutError",
]

TimeoutPhase = Literal["connect", "first_chunk", "stall", "total"]

OutputProblem = Literal["cut", "blocked", "empty", "wrong"]

ToolCallReason = Literal["unknown_tool", "arguments", "unfinished"]

_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504, 524, 529})

_PERMANENT = frozenset({(500, "invalid_request"), (503, "model_not_found")})


def _restore(cls: type[CometGemError], flat: list[Any]) -> CometGemError:
    error = cls.__new__(cls)
    error.__dict__.update(unflatten(flat))
    return error


def printable(text: str) -> str:
    """Escape control characters, so that text from a server cannot control a terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class CometGemError(Exception):
    """The base class of all errors that cometgem raises on purpose.

    Attributes:
        message: What happened.
        partial: All chunks that had arrived, merged, or None if there were none.
        turns: The turns that the conversation had added, if the error ended one; otherwise empty.
        checkpoint: Where a long answer can go on, with ``continuation=error.checkpoint``, or
            None. What had arrived after it is in ``partial`` only, and will be generated again.
    """

    message: str
    partial: GenerateContentResponse | None = None
    turns: Sequence[Content] = ()
    checkpoint: Checkpoint | None = None

    def __init__(self, message: str = "") -> None:
        super().__init__()
        self.message = message

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later, and would repeat nothing handed out.

        ``RetryPolicy`` retries these errors and no others.
        """
        return False

    def __reduce__(self) -> tuple[Any, ...]:
        # Flat, since pickle recurses: a server or a model may nest values 500 deep.
        return _restore, (type(self), flatten(self.__dict__))

    def __copy__(self) -> Self:
        error = type(self).__new__(type(self))
        error.__dict__.update(self.__dict__)
        return error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __str__(self) -> str:
        return printable(self.message)

    @property
    def advice(self) -> str:
        """What to do about it in Python code, as the message says after a semicolon, or ""."""
        return ""


class ConfigurationError(CometGemError, ValueError):
    """A key, base URL or argument is not valid; nothing was sent."""


class BadMessagesError(ConfigurationError):
    """Messages that a browser has posted are not valid, too large, or hold what is not allowed.

    Raised by ``cometgem.web``. Unlike other ConfigurationErrors, this is not the backend's mistake.
    """


class ClosedError(CometGemError):
    """A client or a stream was used after ``aclose()``."""


class APIConnectionError(CometGemError):
    """No response came, because of DNS, a refused connection, TLS or a reset before the headers.

    Attributes:
        transient: Whether this may pass; False if the server does not speak HTTP.
    """

    transient: bool = True

    @property
    def retryable(self) -> bool:
        """True, unless the server does not speak HTTP."""
        return self.transient


class APITimeoutError(APIConnectionError, TimeoutError):
    """A limit of ``Timeouts`` expired.

    Attributes:
        phase: The name of the limit.
        seconds: The value of the limit.
        chunks: How many chunks had been handed out.
        option: The option of ``Timeouts`` that sets the limit: ``phase``, or "stall" if
            ``first_chunk`` was not given; "total_time" for that option of a conversation.
        streamed: Whether the response was requested as a stream.
    """

    streamed: bool = True

    def __init__(self, phase: TimeoutPhase, seconds: float, *, chunks: int = 0) -> None:
        super().__init__()
        self.phase: TimeoutPhase = phase
        self.seconds = seconds
        self.chunks = chunks
        self.option: TimeoutPhase | Literal["total_time"] = phase

    @property
    def retryable(self) -> bool:
        """True if the time was spent on connecting: nothing had been sent."""
        return self.phase == "connect"

    def __str__(self) -> str:
        limit = f"{self.seconds:g} s"
        after = f" after {_count(self.chunks)}" if self.chunks else ""
        what = {
            "connect": f"no connection within {limit}",
            "first_chunk": f"no first chunk within {limit}",
            "stall": f"nothing arrived for {limit}{after}"
            if self.streamed
            else f"no response within {limit}",
            "total": f"not finished within {limit}{after}",
        }[self.phase]
        return f"{what}; {self.advice}"

    @property
    def advice(self) -> str:
        """Which option sets this limit."""
        if self.option == "total_time":
            return "total_time=... sets this limit"
        return f"Timeouts({self.option}=...) sets this limit"


class APIStatusError(CometGemError):
    """The API returned an error, as an HTTP status or inside a stream.

    Attributes:
        status: The HTTP status; for an error inside a stream, the equivalent HTTP status.
        code: The error code: the gateway's ``code``, or the name in Google's ``status``.
        reason: The ``reason`` of Google's ``ErrorInfo``, such as ``API_KEY_INVALID``.
        message: The server's message.
        request_id: The gateway's request id, for its support.
        retry_after: How long the server asks to wait, in seconds, or None.
        details: Google's ``error.details``, unchanged.
        body: The first 64 KiB of the body or of the event.
    """

    def __init__(  # noqa: PLR0913  the fields of an error response
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        reason: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        details: Sequence[Any] = (),
        body: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.reason = reason
        self.request_id = request_id
        self.retry_after = retry_after
        self.details: list[Any] = list(details)
        self.body = body

    hint = ""

    @property
    def retryable(self) -> bool:
        """True for 408, 429, 500, 502, 503, 504, 524 and 529, with two exceptions.

        The gateway reports a missing field as 500 and an unknown model as 503.
        """
        return self.status in _TRANSIENT and (self.status, self.code) not in _PERMANENT

    def __str__(self) -> str:
        words = dict.fromkeys((str(self.status), self.code, self.reason))
        name = " ".join(word for word in words if word)
        sentence = f"{name}: {self.message.rstrip('.')}"
        if self.retry_after is not None:
            sentence += f"; retry after {self.retry_after:g} s"
        elif self.hint:
            sentence += f"; {self.hint}"
        if self.request_id and self.request_id not in self.message:
            sentence += f" (request id: {self.request_id})"
        return printable(sentence)


class BadRequestError(APIStatusError):
    """400: the request is not valid; the message usually names the field."""


class AuthenticationError(APIStatusError):
    """401: the key is missing or unknown."""

    hint = "check that the API key is correct and belongs to this base URL"


class PermissionDeniedError(APIStatusError):
    """403: the key lacks permission, or its quota is used up."""

    hint = "check the key's permissions and balance"


class NotFoundError(APIStatusError):
    """404: the model or the path does not exist."""

    hint = "check the model's name and the base URL"


class RateLimitError(APIStatusError):
    """429: too many requests or tokens in a period of time."""

    hint = "send fewer requests at a time, or raise RetryPolicy(attempts=...)"

    @property
    def advice(self) -> str:
        """How to send fewer requests, or to try more often."""
        return self.hint


class ServerError(APIStatusError):
    """5xx: the gateway or the model behind it failed."""


class StreamError(CometGemError):
    """A stream failed after it had begun.

    Attributes:
        chunks: How many chunks had been handed out; ``partial`` holds them merged.
        request_id: The gateway's request id, for its support.
        streamed: Whether the response was requested as a stream.
    """

    streamed: bool = True

    def __init__(
        self, message: str = "", *, chunks: int = 0, request_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.chunks = chunks
        self.request_id = request_id

    @property
    def retryable(self) -> bool:
        """True as long as no chunk has been handed out."""
        return self.chunks == 0

    def __str__(self) -> str:
        sentence = self.message
        if self.streamed:
            sentence += f" after {_count(self.chunks)}"
        if self.chunks or (not self.streamed and self.partial is not None):
            sentence += f"; {self.advice}"
        if self.request_id:
            sentence += f" (request id: {self.request_id})"
        return printable(sentence)

    @property
    def advice(self) -> str:
        """Where to find what arrived."""
        return "what had arrived is in error.partial"


class StreamInterruptedError(StreamError):
    """The connection broke in the middle of a response."""


class StreamTruncatedError(StreamError):
    """The response ended cleanly, but without a finishReason or blockReason."""


class ContinuationUnsupportedError(StreamError):
    """A request was to go on with a long answer, but the server began it again.

    A gateway does this that drops ``continuationToken`` from requests. The connection was closed
    at once; what had arrived before this request is in ``partial``.

    Attributes:
        token: The token that was sent.
    """

    def __init__(self, message: str = "", *, token: str = "") -> None:
        super().__init__(message)
        self.token = token

    @property
    def retryable(self) -> bool:
        """False: the next request would be answered, and billed, in the same way."""
        return False


class ResponseDecodeError(CometGemError):
    """The server sent something that is not JSON, or not of the expected shape.

    Attributes:
        message: What is wrong with it.
        path: Where, as a JSON path such as ``$.candidates[0]``; "" if it is not JSON.
        excerpt: Its first 200 characters.
    """

    def __init__(self, message: str, *, path: str = "", excerpt: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.excerpt = excerpt

    def __str__(self) -> str:
        where = f" at {self.path}" if self.path else ""
        return printable(f"{self.message}{where}: {self.excerpt!r}")


class EventTooLargeError(CometGemError):
    """One event or body was larger than ``max_event_size``, or had too many values in it.

    Attributes:
        size: How much was read before giving up.
        limit: The maximum.
        counted: What was counted: "bytes", "objects and lists" or "candidates".
    """

    counted: str = "bytes"

    def __init__(self, size: int, limit: int, *, counted: str = "bytes") -> None:
        super().__init__()
        self.size = size
        self.limit = limit
        if counted != "bytes":
            self.counted = counted

    def __str__(self) -> str:
        advice = f"; {self.advice}" if self.advice else ""
        return (
            f"read an event of at least {self.size:,} {self.counted}, expected no more than"
            f" {self.limit:,}{advice}"
        )

    @property
    def advice(self) -> str:
        """Which option sets this limit; only that of bytes can be set."""
        return "Client(max_event_size=...) sets this limit" if self.counted == "bytes" else ""


class IncompleteAnswerError(CometGemError):
    """The answer to a row of a bulk run was cut off or blocked. What had arrived is in ``partial``.

    Attributes:
        message: Why, in words.
        finish_reason: Why the answer ended, a ``FinishReason``, or None.
        block_reason: Why the prompt was blocked, a ``BlockReason``; None if it was not.
    """

    def __init__(
        self,
        message: str = "",
        *,
        finish_reason: str | None = None,
        block_reason: str | None = None,
    ) -> None:
        super().__init__(message)
        self.finish_reason = finish_reason
        self.block_reason = block_reason

    def __str__(self) -> str:
        return printable(f"the answer is not complete: {self.message}")


class OutputValidationError(CometGemError, ValueError):
    """The answer does not match its ``response_type``.

    Attributes:
        problem: "cut" if the answer ended early, "blocked" if the prompt or the answer was
            stopped by a filter or for another reason, "empty" if it has no text, "wrong" if its
            text does not match the type.
        message: What does not match.
        path: Where, as a JSON path such as ``$.planets[3].name``; "" if it is not JSON.
        text: The text of the answer, without thoughts.
        finish_reason: Why the answer ended, a ``FinishReason``; None if it has not ended.
        block_reason: Why the prompt was blocked, a ``BlockReason``; None if it was not.
        index: Which element of the list it is, counted from 0; None if it is not about one.
    """

    def __init__(  # noqa: PLR0913  each is a fact of its own
        self,
        problem: OutputProblem,
        message: str = "",
        *,
        path: str = "",
        text: str = "",
        finish_reason: str | None = None,
        block_reason: str | None = None,
        index: int | None = None,
    ) -> None:
        super().__init__(message)
        self.problem: OutputProblem = problem
        self.path = path
        self.text = text
        self.finish_reason = finish_reason
        self.block_reason = block_reason
        self.index = index

    def __str__(self) -> str:
        reason = self.finish_reason
        if self.problem == "cut" and not reason:
            sentence = "the JSON of the answer is not complete yet"
        elif self.problem == "cut":
            sentence = f"the answer was cut off ({reason}) before its JSON was complete"
        elif self.problem == "blocked" and self.block_reason:
            sentence = f"the prompt was blocked ({self.block_reason})"
        elif self.problem == "blocked":
            sentence = f"the answer was stopped ({reason}) before its JSON was complete"
        elif self.problem == "empty":
            calls = self.partial is not None and self.partial.function_calls
            what = "function calls and no text" if calls else "no text"
            sentence = f"the answer has {what} ({reason or 'no finish reason'})"
        else:
            where = f" at {self.path}" if self.path else ""
            sentence = f"the answer does not match its type: {self.message}{where}"
        if self.index is not None:
            sentence += f", in element {self.index}"
        return printable(f"{sentence}; {self.advice}")

    @property
    def advice(self) -> str:
        """What to do about it, or where to look."""
        if self.problem == "cut" and self.finish_reason == "MAX_TOKENS":
            return "raise max_output_tokens in generation_config, which includes thinking"
        if self.problem in ("cut", "wrong"):
            return "the text is in error.text"
        return "the response is in error.partial"


class ToolError(CometGemError):
    """A function that the model called raised an exception, which is the ``__cause__``.

    Attributes:
        call: The model's call.
        turns: The turns added so far, up to the model's turn with the call.
        responses: The responses to other calls of that turn that were ready.
    """

    def __init__(self, call: FunctionCall, message: str = "") -> None:
        super().__init__(message)
        self.call = call
        self.responses: list[FunctionResponse] = []

    def __str__(self) -> str:
        return printable(f"the tool {self.call.name!r} {self.message}")


class ToolTimeoutError(ToolError, TimeoutError):
    """A function took longer than its ``FunctionTool(timeout=...)`` allows.

    Attributes:
        seconds: The limit, in seconds.
    """

    def __init__(self, call: FunctionCall, seconds: float) -> None:
        super().__init__(call)
        self.seconds = seconds

    def __str__(self) -> str:
        return printable(
            f"the tool {self.call.name!r} did not finish within {self.seconds:g} s;"
            " FunctionTool(timeout=...) sets this limit"
        )


class ToolCallError(ToolError):
    """The model called a function in a way that cannot be run: the model's mistake.

    A conversation reports it to the model; ``FunctionTool.parse`` raises it.

    Attributes:
        reason: "unknown_tool": there is no such function. "arguments": the arguments do not match
            its signature. "unfinished": the answer ended in the middle of the call.
        known: The names of the available functions, for "unknown_tool".
    """

    def __init__(
        self,
        call: FunctionCall,
        reason: ToolCallReason,
        message: str = "",
        *,
        known: Sequence[str] = (),
    ) -> None:
        super().__init__(call, message)
        self.reason: ToolCallReason = reason
        self.known: list[str] = list(known)

    def __str__(self) -> str:
        name = self.call.name
        match self.reason:
            case "unknown_tool":
                known = ", ".join(map(repr, self.known)) or "none"
                sentence = f"unknown tool {name!r}; available tools: {known}"
            case "arguments":
                sentence = f"arguments for tool {name!r} do not match its signature: {self.message}"
            case _:
                sentence = f"the call of tool {name!r} was cut off; the tool was not run"
        return printable(sentence)


class TooManyRoundsError(CometGemError):
    """The model was still calling functions after ``max_rounds`` rounds, or still failing to.

    Attributes:
        rounds: The limit.
        finish_reason: The finish reason of the last answer if that could not be used, such as
            ``MALFORMED_FUNCTION_CALL``; otherwise "".
        turns: The turns added so far, up to the model's turn with calls that were not run.
    """

    def __init__(self, rounds: int, finish_reason: str = "") -> None:
        super().__init__()
        self.rounds = rounds
        self.finish_reason = finish_reason

    def __str__(self) -> str:
        rounds = f"{self.rounds} round{'s' * (self.rounds != 1)}"
        what = f"the model was still calling tools after {rounds}"
        if self.finish_reason:
            what = f"the model wrote no valid function call in {rounds} ({self.finish_reason})"
        return printable(f"{what}; max_rounds=... sets this limit")


class RunError(CometGemError):
    """A run that browsers watch was lost, or the log that it is read from cannot be reached."""


class CometGemWarning(UserWarning):
    """Something will probably not have the intended effect; it was sent anyway."""


def _count(chunks: int) -> str:
    return "1 chunk" if chunks == 1 else f"{chunks} chunks"
