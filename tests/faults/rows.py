"""What a row of the table is: what the other side does, and exactly what the caller gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from faults.raw_server import Script

from cometgem import RetryPolicy, Timeouts
from cometgem.testing import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from faults.places import Place

    from cometgem import CometGemError

__all__ = ["IMPATIENT", "KS", "ONCE", "TEXTS", "AtLeast", "Row", "after"]

# Each fault in mid-stream comes after so many chunks: before the first, it may be tried again.
KS = (0, 1, 7)
TEXTS = tuple(f"text {at} " for at in range(7))

# Where nobody is meant to wait: a row that hangs fails, with an outcome to look at.
_PATIENT = Timeouts(stall=20.0)

# For a server that says nothing more: no longer than that.
IMPATIENT = Timeouts(first_chunk=0.5, stall=0.5)

# The same where good chunks come first, however slow the machine is.
AFTER_A_CHUNK = Timeouts(first_chunk=20.0, stall=1.0)

# Waits of a retry: none, unless the server asks for one; more than a second is too much.
AT_ONCE = RetryPolicy(attempts=3, initial=0.0, maximum=1.0)
ONCE = RetryPolicy(attempts=1)

Served: TypeAlias = Reply | Script


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fault.

    Attributes:
        when: Goes on from "What happens when".
        serves: What the server does: one reply, or raw script, for each request; or a function
            of k, where the fault comes after k good chunks. Without it, `at` says all.
        ks: How many good chunks come before the fault, each a test of its own.
        at: What stands at the base URL; None is a FakeServer or, for scripts, a raw one.
        texts: The texts of the chunks that are handed out, after the k ones.
        error: What is raised; None for the final response.
        fields: Of the error, or of the final response: what is not implied by the rest.
        says: A part of the error's sentence.
        requests: How many the server counts, for k = 0; after a first chunk it is one.
        reused: Whether the next call finds the connection usable; None where there is none.
        after_a_call: Whether a good call is made before, on the same connection.
        calls: Which calls fare so: `stream_generate_content`, `generate_content` or both.
        client: Arguments of the client.
        grows: MiB by which memory may grow at most; None: not measured.
        sends: MiB that a raw server may get rid of at most.
        within: Seconds that it may take at most; None: as the limits say.
        contents: What is asked.
    """

    when: str
    serves: tuple[Served, ...] | Callable[[int], Served] = ()
    ks: tuple[int, ...] = KS
    at: Callable[[], AbstractContextManager[Place]] | None = None
    texts: tuple[str, ...] = ()
    error: type[CometGemError] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    says: str = ""
    requests: int = 1
    reused: bool | None = False
    after_a_call: bool = False
    calls: Literal["streams", "both", "single"] = "streams"
    client: Mapping[str, Any] = field(default_factory=dict)
    grows: float | None = None
    sends: float | None = None
    within: float | None = None
    contents: str = "Hi"

    def __post_init__(self) -> None:
        if not callable(self.serves):
            object.__setattr__(self, "ks", (0,))

    def options(self, k: int) -> dict[str, Any]:
        """Return the client's arguments."""
        options = {"retry": AT_ONCE, "timeouts": _PATIENT, **self.client}
        if k and options.get("timeouts") is IMPATIENT:
            options["timeouts"] = AFTER_A_CHUNK
        return options

    def script(self, k: int) -> tuple[Served, ...]:
        """Return what the server does, request by request."""
        if callable(self.serves):
            return (self.serves(k),) * (self.requests if k == 0 else 1)
        return self.serves


@dataclass(frozen=True)
class AtLeast:
    """Equals every number that is not smaller: for what depends on a clock."""

    least: float

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (int, float)) and other >= self.least

    __hash__ = None  # type: ignore[assignment]


def after(k: int) -> Reply:
    """Return a reply of k good chunks, to be gone on with; it names no finish reason."""
    return Reply.raw(b"").then(Reply.text(*TEXTS[:k]))
