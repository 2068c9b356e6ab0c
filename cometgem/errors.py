"""Everything that cometgem raises on purpose, in one tree.

Fields are stored, the sentence is built from them in ``__str__``. Every error pickles to the
same class and fields; none holds the API key.

::

    CometGemError                    partial: merged response so far, or None
    ├── ConfigurationError           (also ValueError) key, base URL, arguments that cannot work
    ├── ClosedError            used after aclose(), or from another event loop
    ├── APIConnectionError           no response: DNS, refused, TLS, reset before the headers
    │   └── APITimeoutError          (also TimeoutError) phase: which limit of Timeouts ran out
    ├── APIStatusError               status, code, reason, message, request_id, retry_after, ...
    │   ├── BadRequestError          400
    │   ├── AuthenticationError      401
    │   ├── PermissionDeniedError    403
    │   ├── NotFoundError            404
    │   ├── RateLimitError           429
    │   └── ServerError              5xx
    ├── StreamError                  the stream ended badly after it had begun; chunks: how many
    │   ├── StreamInterruptedError   the connection broke
    │   └── StreamTruncatedError     a clean end, but no finishReason and no blockReason had come
    ├── ResponseDecodeError          not JSON, or not this shape: path, excerpt
    ├── EventTooLargeError           size, limit
    ├── ToolError                    a function that the model called raised; call, turns
    │   ├── ToolTimeoutError         (also TimeoutError) it took longer than seconds
    │   ├── ToolArgumentsError       its arguments are not those that were declared; not run
    │   ├── UnknownToolError         there is no such function
    │   └── UnfinishedCallError      the call never came to its end; not run
    └── TooManyRoundsError           the model goes on calling; rounds, turns

    CometGemWarning                  (also UserWarning) what will hardly do what it is meant to
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cometgem.types.content import Content, FunctionCall, FunctionResponse
    from cometgem.types.response import GenerateContentResponse

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ClosedError",
    "CometGemError",
    "CometGemWarning",
    "ConfigurationError",
    "EventTooLargeError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "ResponseDecodeError",
    "ServerError",
    "StreamError",
    "StreamInterruptedError",
    "StreamTruncatedError",
    "TimeoutPhase",
    "TooManyRoundsError",
    "ToolArgumentsError",
    "ToolError",
    "ToolTimeoutError",
    "UnfinishedCallError",
    "UnknownToolError",
]

TimeoutPhase = Literal["connect", "first_chunk", "stall", "total"]


def _restore(cls: type[CometGemError], fields: dict[str, object]) -> CometGemError:
    error = cls.__new__(cls)
    error.__dict__.update(fields)
    return error


def printable(text: str) -> str:
    """Return text with control characters escaped: a server's words may not steer a terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class CometGemError(Exception):
    """The root of all errors that cometgem raises on purpose.

    Attributes:
        message: What happened, in a sentence.
        partial: All chunks that had arrived, merged, or None where none had.
    """

    message: str
    partial: GenerateContentResponse | None = None

    def __init__(self, message: str = "") -> None:
        super().__init__()
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.__dict__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __str__(self) -> str:
        return printable(self.message)

    @property
    def advice(self) -> str:
        """What to do about it in Python code, as the message says after a semicolon, or ""."""
        return ""


class ConfigurationError(CometGemError, ValueError):
    """A key, a base URL or an argument that can never work; nothing was sent."""


class ClosedError(CometGemError):
    """A client or a stream was used after ``aclose()``, or from another event loop."""


class APIConnectionError(CometGemError):
    """No response came: DNS, refused, TLS, or a reset before the headers."""


class APITimeoutError(APIConnectionError, TimeoutError):
    """A limit of ``Timeouts`` ran out.

    Attributes:
        phase: Which limit.
        seconds: Its value.
        chunks: How many chunks had been handed out.
    """

    def __init__(self, phase: TimeoutPhase, seconds: float, *, chunks: int = 0) -> None:
        super().__init__()
        self.phase: TimeoutPhase = phase
        self.seconds = seconds
        self.chunks = chunks

    def __str__(self) -> str:
        limit = f"{self.seconds:g} s"
        after = f" after {_count(self.chunks)}" if self.chunks else ""
        what = {
            "connect": f"no connection within {limit}",
            "first_chunk": f"no first chunk within {limit}",
            "stall": f"nothing came for {limit}{after}",
            "total": f"not done within {limit}{after}",
        }[self.phase]
        return f"{what}; {self.advice}"

    @property
    def advice(self) -> str:
        """Which option sets this limit."""
        return f"Timeouts({self.phase}=...) sets this limit"


class APIStatusError(CometGemError):
    """The API answered with an error, as an HTTP status or inside a stream.

    Attributes:
        status: The HTTP status; for an error inside a stream, the one it would have had outside.
        code: The error's own code: the gateway's ``code``, or Google's ``status`` name.
        reason: The ``reason`` of Google's ``ErrorInfo``, such as ``API_KEY_INVALID``.
        message: The server's words.
        request_id: What the gateway's support asks for.
        retry_after: Seconds the server wants to be left alone, if it said so.
        details: Google's ``error.details``, as they came.
        body: The first 64 KiB of the body, or the event.
    """

    def __init__(  # noqa: PLR0913  the fields of an error answer
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
    """400: the request is wrong; the message names the field."""


class AuthenticationError(APIStatusError):
    """401: the key is missing or unknown."""

    hint = "check the API key and that it belongs to this base URL"


class PermissionDeniedError(APIStatusError):
    """403: the key may not do this, or its quota is used up."""

    hint = "check the key's permissions and balance"


class NotFoundError(APIStatusError):
    """404: no such model or path."""

    hint = "check the model's name and the base URL"


class RateLimitError(APIStatusError):
    """429: too many requests or tokens in a given time."""

    hint = "send fewer requests at a time, or raise RetryPolicy(attempts=...)"

    @property
    def advice(self) -> str:
        """How to send fewer requests, or to try more often."""
        return self.hint


class ServerError(APIStatusError):
    """5xx: the gateway or the model behind it failed."""


class StreamError(CometGemError):
    """A stream ended badly after it had begun.

    Attributes:
        chunks: How many chunks had been handed out; ``partial`` holds them merged.
        request_id: What the gateway's support asks for.
    """

    def __init__(
        self, message: str = "", *, chunks: int = 0, request_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.chunks = chunks
        self.request_id = request_id

    def __str__(self) -> str:
        sentence = f"{self.message} after {_count(self.chunks)}"
        if self.chunks:
            sentence += f"; {self.advice}"
        if self.request_id:
            sentence += f" (request id: {self.request_id})"
        return printable(sentence)

    @property
    def advice(self) -> str:
        """Where to find what arrived."""
        return "what came is in error.partial"


class StreamInterruptedError(StreamError):
    """The connection broke in the middle of a response."""


class StreamTruncatedError(StreamError):
    """The stream ended cleanly, but no finishReason and no blockReason had come."""


class ResponseDecodeError(CometGemError):
    """The server sent something that is not JSON, or not of this shape.

    Attributes:
        message: What was wrong with it.
        path: Where, as a JSON path such as ``$.candidates[0]``; "" where it is no JSON.
        excerpt: The first 200 characters of it.
    """

    def __init__(self, message: str, *, path: str = "", excerpt: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.excerpt = excerpt

    def __str__(self) -> str:
        where = f" at {self.path}" if self.path else ""
        return printable(f"{self.message}{where}: {self.excerpt!r}")


class EventTooLargeError(CometGemError):
    """One event or body was larger than ``max_event_size``.

    Attributes:
        size: Bytes that had come when reading stopped.
        limit: Bytes allowed.
    """

    def __init__(self, size: int, limit: int) -> None:
        super().__init__()
        self.size = size
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"an event of at least {self.size:,} bytes came, expected no more than"
            f" {self.limit:,}; {self.advice}"
        )

    @property
    def advice(self) -> str:
        """Which option sets this limit."""
        return "Client(max_event_size=...) sets this limit"


class ToolError(CometGemError):
    """A function that the model called raised: its exception is the ``__cause__``.

    Attributes:
        call: What the model asked for.
        turns: What the conversation had added so far, up to the model's turn with the call.
        responses: The answers to other calls of that turn that were ready.
    """

    def __init__(self, call: FunctionCall, message: str = "") -> None:
        super().__init__(message)
        self.call = call
        self.turns: list[Content] = []
        self.responses: list[FunctionResponse] = []

    def __str__(self) -> str:
        return printable(f"the tool {self.call.name!r} {self.message}")


class ToolTimeoutError(ToolError, TimeoutError):
    """A function took longer than its ``FunctionTool(timeout=...)`` allows.

    Attributes:
        seconds: The limit.
    """

    def __init__(self, call: FunctionCall, seconds: float) -> None:
        super().__init__(call)
        self.seconds = seconds

    def __str__(self) -> str:
        return printable(
            f"the tool {self.call.name!r} was not done within {self.seconds:g} s;"
            " FunctionTool(timeout=...) sets this limit"
        )


class ToolArgumentsError(ToolError):
    """The model's arguments are not those that were declared; the function was not run."""

    def __str__(self) -> str:
        return printable(f"the tool {self.call.name!r} got other arguments: {self.message}")


class UnknownToolError(ToolError):
    """The model called a function that it was not given.

    Attributes:
        known: The names of those that it was.
    """

    def __init__(self, call: FunctionCall, known: Sequence[str]) -> None:
        super().__init__(call)
        self.known: list[str] = list(known)

    def __str__(self) -> str:
        known = ", ".join(map(repr, self.known)) or "none"
        return printable(f"there is no tool {self.call.name!r} to run; there are: {known}")


class UnfinishedCallError(ToolError):
    """The stream ended in the middle of a call; the function was not run."""

    def __str__(self) -> str:
        return printable(f"the call of {self.call.name!r} never came to its end: it was not run")


class TooManyRoundsError(CometGemError):
    """The model still called functions after as many rounds as ``max_rounds`` allows.

    Attributes:
        rounds: The limit.
        turns: What the conversation had added so far.
    """

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds
        self.turns: list[Content] = []

    def __str__(self) -> str:
        limit = "max_rounds=... sets this limit"
        return f"the model still calls tools after {self.rounds} rounds; {limit}"


class CometGemWarning(UserWarning):
    """Something will hardly do what it is meant to; it was sent all the same."""


def _count(chunks: int) -> str:
    return "1 chunk" if chunks == 1 else f"{chunks} chunks"
