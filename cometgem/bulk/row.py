"""One row: its request, the leases it needs, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from cometgem.bulk.judge import is_out_of_quota, problem_with
from cometgem.bulk.limiter import MemoryLimiter
from cometgem.errors import ConfigurationError
from cometgem.request.contents import contents_to_wire
from cometgem.request.template import RequestTemplate
from cometgem.response.typed import TypedResponse
from cometgem.typed_single import ask_until_it_fits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cometgem.bulk.limiter import Lease, Limiter
    from cometgem.errors import RateLimitError
    from cometgem.http.attempts import Gate
    from cometgem.options import GenerateOptions
    from cometgem.request.build import Request
    from cometgem.request.contents import Contents
    from cometgem.request.response_type import ResponseType
    from cometgem.types.content import Content
    from cometgem.types.response import GenerateContentResponse

__all__ = ["Asker", "Calls", "RowGate"]

# Tokens of an answer, of which nothing is known before it is there; the limiter corrects it.
_ANSWER = 250

_BYTES_PER_TOKEN = 4


class Calls(NamedTuple):
    """What a bulk run uses of a client.

    Attributes:
        build: Builds a request for contents and options.
        send: Sends it, each time that the gate allows.
    """

    build: Callable[[Contents, GenerateOptions], Request]
    send: Callable[[Request, GenerateOptions, Gate], Awaitable[GenerateContentResponse]]


class RowGate:
    """Admits the requests of one row: the first, retries, further hops, and being asked again.

    Args:
        limiter: Grants the leases.
        size: The size of the request, in bytes.

    Attributes:
        sent: How many requests were sent, without refused ones.
        refusals: How many were refused.
        waits: Whether nothing is under way: the next request waits until it may be sent.
    """

    __slots__ = ("_estimate", "_lease", "_limiter", "_reserved", "refusals", "sent", "waits")

    def __init__(self, limiter: Limiter, size: int) -> None:
        self._limiter = limiter
        self._estimate = size / _BYTES_PER_TOKEN + _ANSWER
        self._lease: Lease | None = None
        self._reserved = 0.0  # for requests before the last
        self.sent: int = 0
        self.refusals: int = 0
        self.waits: bool = False

    @property
    def can_be_dropped(self) -> bool:
        """Whether nothing was sent that could still be answered."""
        return self.waits and not self.sent

    def admit_now(self) -> bool:
        """Return whether there is a lease without a wait."""
        self._keep()
        if isinstance(self._limiter, MemoryLimiter):
            self._lease = self._limiter.acquire_now(self._estimate)
        if self._lease is None:
            return False
        self.waits = False
        self.sent += 1
        return True

    async def admit(self) -> None:
        """Wait for a lease."""
        self._keep()
        self.waits = True
        self._lease = await self._limiter.acquire(self._estimate)
        self.waits = False
        self.sent += 1

    def refused(self, error: RateLimitError) -> float | None:
        """Return the seconds to wait before the next try; None if waiting does not help."""
        if is_out_of_quota(error):
            return None
        lease, self._lease = self._lease, None
        self.sent -= 1
        self.refusals += 1
        self.waits = True
        return 0.0 if lease is None else self._limiter.refused(lease, error.retry_after)

    def _keep(self) -> None:
        """Settle the lease of a request before the next one."""
        if self._lease is not None:
            self._reserved += self._lease.reserved
            self._limiter.settle(self._lease, None)
            self._lease = None

    def end(self, tokens: int | None) -> None:
        """Settle the last lease.

        Args:
            tokens: The tokens that all requests together have used, or None if not known.
        """
        lease, self._lease = self._lease, None
        if lease is not None:
            self._limiter.settle(
                lease, None if tokens is None else max(0.0, tokens - self._reserved)
            )


class Asker:
    """Builds the request of a row and asks until there is an answer.

    Args:
        calls: The client.
        options: The options of every request.
        kind: The type of the answers, or None.
        reasks: How often to ask again if an answer does not match the type.

    Attributes:
        is_typed: Whether answers have a type.

    Raises:
        ConfigurationError: An option can never work.
    """

    def __init__(
        self,
        calls: Calls,
        options: GenerateOptions,
        kind: ResponseType[Any] | None,
        reasks: int,
    ) -> None:
        self._calls = calls
        self._options = options
        self._kind = kind
        self._reasks = reasks
        self.is_typed: bool = kind is not None
        self._template = RequestTemplate(
            lambda contents: self._calls.build(contents, self._options),
            own_contents=options.get("foreign_history") is None,
        )

    def request(self, asked: Contents | Mapping[str, Any]) -> Request:
        """Return the request for what a prompt function has returned.

        Args:
            asked: Contents, or a complete request: a dict with the key "contents".

        Raises:
            ConfigurationError: It is not valid.
        """
        if isinstance(asked, dict) and "contents" in asked:
            contents, options = self._parted(asked)
            return self._calls.build(contents, options)
        return self._template.request(asked)  # type: ignore[arg-type]  # it says what is wrong

    async def ask(
        self, request: Request, asked: Contents | Mapping[str, Any], gate: Gate
    ) -> GenerateContentResponse:
        """Return the answer to a request.

        Args:
            request: The request.
            asked: What it was built of.
            gate: Admits it.

        Raises:
            CometGemError: There is none, or it is not complete or does not match the type.
        """
        first = self._calls.send(request, self._options, gate)
        if self._kind is None:
            response = await first
            if (problem := problem_with(response)) is not None:
                raise problem
            return response
        contents, options = self._parted(asked)
        turns: list[Any] = contents_to_wire(contents) if self._reasks else []

        def ask_again(*more: Content) -> Awaitable[GenerateContentResponse]:
            turns.extend(more)
            return self._calls.send(self._calls.build(turns, options), options, gate)

        typed = await ask_until_it_fits(first, ask_again, self._kind, self._reasks)
        _ = typed.parsed
        return typed

    def read(self, response: GenerateContentResponse) -> GenerateContentResponse:
        """Return a response of an earlier run as one of this run.

        Raises:
            OutputValidationError: It does not match the type, which has changed.
        """
        if self._kind is None:
            return response
        typed = TypedResponse.of(response, self._kind)
        _ = typed.parsed
        return typed

    def _parted(self, asked: Contents | Mapping[str, Any]) -> tuple[Contents, GenerateOptions]:
        """Return the contents and the options of a row."""
        if not isinstance(asked, dict) or "contents" not in asked:
            return asked, self._options  # type: ignore[return-value]
        rest = {name: value for name, value in asked.items() if name not in ("contents", "model")}
        extra = self._options.get("extra_body") or {}
        options = self._options.copy()
        options["extra_body"] = {**extra, **rest}
        if "contents" in extra:
            raise ConfigurationError("extra_body has contents, and so has a row: give one of them")
        return cast("Mapping[str, Any]", asked)["contents"], options
