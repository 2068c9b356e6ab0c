"""The parts of a run as a log keeps them: a head, pieces of a response body, and an end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from cometgem.web.refusals import Refusal  # noqa: TC001  msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cometgem.web.relay import Relay

__all__ = ["End", "Head", "News", "OnLeave"]

OnLeave = Literal["detach", "stop"]


class Head(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a viewer must know before the first piece, whichever process serves it.

    Attributes:
        headers: The headers of the response.
        ping: A sign of life.
        ping_every: After how many seconds of silence it is sent; None is never.
        send_timeout: How many seconds a viewer may take to accept a piece; None is no limit.
        buffer: How many bytes are sent in one piece to a viewer that lags.
        tells_failures: Whether the format can say that the answer is incomplete.
        numbers_events: Whether a viewer can tell which event was its last.
        delta: The pattern of events that only continue a text.
        on_leave: Whether the run goes on when its last viewer leaves.
    """

    headers: dict[str, str]
    ping: str = ""
    ping_every: float | None = None
    send_timeout: float | None = None
    buffer: int = 65_536
    tells_failures: bool = True
    numbers_events: bool = False
    delta: str | None = None
    on_leave: OnLeave = "detach"

    @classmethod
    def of(cls, relay: Relay, on_leave: OnLeave) -> Head:
        """Return the head of the run of a relay."""
        encoder = relay.encoder
        return cls(
            headers=dict(relay.headers),
            ping=encoder.ping().decode(),
            ping_every=None if math.isinf(relay.ping) else relay.ping,
            send_timeout=None if math.isinf(relay.send_timeout) else relay.send_timeout,
            buffer=relay.buffer,
            tells_failures=encoder.tells_failures,
            numbers_events=encoder.numbers_events,
            delta=encoder.delta,
            on_leave=on_leave,
        )


class End(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a run ended.

    Attributes:
        kind: ``"done"``: the body is complete, whether it tells of an answer or of a failure.
            ``"refused"``: the model did not answer; the body tells of it to viewers whose response
            has begun. ``"broken"``: the answer is incomplete, and the body does not tell of it.
        refusal: What to respond to viewers whose response has not begun, if it was refused.
    """

    kind: Literal["done", "refused", "broken"]
    refusal: Refusal | None = None


class News(NamedTuple):
    """What a viewer reads at a time.

    Attributes:
        pieces: The next pieces.
        end: The end of the run, if these pieces are the last.
    """

    pieces: Sequence[bytes]
    end: End | None = None
