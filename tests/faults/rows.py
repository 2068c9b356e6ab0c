"""A row of the table: what the server does, and exactly what the caller gets."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from faults.raw_server import Script

from cometgem import RetryPolicy, Timeouts
from cometgem.testing import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from faults.places import Place

    from cometgem import CometGemError

__all__ = [
    "IMPATIENT",
    "IMPATIENT_AFTER_A_CHUNK",
    "ONE_ATTEMPT",
    "TEXTS",
    "AtLeast",
    "Connection",
    "Final",
    "Operation",
    "Raises",
    "Row",
    "Served",
    "after",
    "final",
    "k_chunks",
    "raises",
]

# The texts of the valid chunks that a server sends before a fault.
TEXTS = tuple(f"text {at} " for at in range(7))

# For faults that are no timeouts: a client that hangs still ends, with an outcome to compare.
_PATIENT = Timeouts(stall=20.0)

# For a server that never sends a chunk.
IMPATIENT = Timeouts(first_chunk=0.5, stall=0.5)

# For a server that sends chunks first: those may take long on a busy machine.
IMPATIENT_AFTER_A_CHUNK = Timeouts(first_chunk=20.0, stall=1.0)

# Retries are sent at once unless the server asks for a delay; more than a second is too long.
_THREE_ATTEMPTS = RetryPolicy(attempts=3, initial=0.0, maximum=1.0)
ONE_ATTEMPT = RetryPolicy(attempts=1)

Served: TypeAlias = Reply | Script
Operation: TypeAlias = Literal["stream", "single"]
Connection: TypeAlias = Literal["kept", "closed", "none"]


@dataclass(frozen=True)
class Final:
    """The call ends with the final response.

    Attributes:
        fields: Its attributes, by dotted path.
    """

    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Raises:
    """The call ends with an error.

    Attributes:
        error: Its exact type.
        says: A part of its message.
        fields: All its attributes that are set, but for those that every row checks: `partial`,
            `chunks`, and the request id of the last request.
    """

    error: type[CometGemError]
    says: str
    fields: Mapping[str, Any]


def final(finish_reason: str | None, **fields: Any) -> Final:
    """Expect the final response."""
    return Final({"finish_reason": finish_reason, **fields})


def raises(error: type[CometGemError], says: str, **fields: Any) -> Raises:
    """Expect an error."""
    return Raises(error, says, fields)


@dataclass(frozen=True)
class Row:
    """One fault and what comes of it. Everything that is expected is stated in the row.

    Attributes:
        when: The fault; completes the sentence "What happens when ...".
        serves: What the server does: a reply, or raw bytes, for each request. A function of k
            answers every request alike, with the fault after k valid chunks.
        at: What the base URL points to, instead of a server that runs `serves`.
        after: The values of k, each a test of its own.
        client: Arguments of the client, beyond three attempts and long timeouts.
        after_a_call: Whether a successful call on the same connection comes first.
        contents: The prompt.
        operation: `stream_generate_content`, `generate_content`, or that both end alike.
        requests: How many requests the server counts, one number or one for each k.
        texts: The texts of the chunks that are handed out; of a single call, those that
            the response or `error.partial` is merged of.
        ends: The final response, or the error.
        connection: Whether the next call finds the connection usable; "none" if there is none.
        memory: MiB by which memory may grow; None is not measured.
        reads: MiB that the client may take from a raw server; None is not measured.
        seconds: How long the call may take; None is no limit but the timeouts.
    """

    when: str
    serves: tuple[Served, ...] | Callable[[int], Served] = ()
    at: Callable[[], AbstractContextManager[Place]] | None = None
    after: tuple[int, ...] = (0,)
    client: Mapping[str, Any] = field(default_factory=dict)
    after_a_call: bool = False
    contents: str = "Hi"
    _: KW_ONLY
    operation: Operation | Literal["both"]
    requests: int | tuple[int, ...]
    texts: tuple[str, ...] | Callable[[int], tuple[str, ...]]
    ends: Final | Raises
    connection: Connection
    memory: float | None = None
    reads: float | None = None
    seconds: float | None = None

    def options(self) -> dict[str, Any]:
        """Return the client's arguments."""
        return {"retry": _THREE_ATTEMPTS, "timeouts": _PATIENT, **self.client}

    def requests_after(self, k: int) -> int:
        """Return how many requests the server counts when the fault comes after k chunks."""
        if isinstance(self.requests, int):
            return self.requests
        return self.requests[self.after.index(k)]

    def texts_after(self, k: int) -> list[str]:
        """Return the texts that are handed out when the fault comes after k chunks."""
        return list(self.texts(k) if callable(self.texts) else self.texts)

    def script(self, k: int) -> tuple[Served, ...]:
        """Return what the server does, request by request."""
        if callable(self.serves):
            return (self.serves(k),) * self.requests_after(k)
        return self.serves


@dataclass(frozen=True)
class AtLeast:
    """Equals every number that is not smaller, for values that depend on the clock."""

    least: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (int, float)) and other >= self.least

    __hash__ = None  # type: ignore[assignment]


def k_chunks(k: int) -> tuple[str, ...]:
    """Return the texts of the k valid chunks before the fault."""
    return TEXTS[:k]


def after(k: int) -> Reply:
    """Return a reply of k valid chunks without a finish reason, to be continued."""
    return Reply.raw(b"").then(Reply.text(*TEXTS[:k]))
