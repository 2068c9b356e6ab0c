"""Clients that share one server, each with a law of its own, in simulated time."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cometgem.bulk.law import Law
from cometgem.bulk.limits import Limits
from cometgem.testing.limits import Gate

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem.testing.limits import ServerLimits


@dataclass
class Sender:
    """One client: it sends whenever its law allows and fewer requests than 500 are in flight."""

    law: Law
    rows: float = math.inf
    flying: int = 0
    is_waiting: bool = False


@dataclass(kw_only=True)
class Simulation:
    """A run of some clients against one server.

    Attributes:
        server: What the server admits.
        limits: What the clients know.
        latency: Seconds until an answer.
        trip: Seconds until a refusal, since the server refuses at once.
        clients: How many clients there are; each may use its part of known limits.
        phase: By how many seconds the server's windows began before the clients.
        rows: How many rows each client has, or any number.
        tokens: The tokens that an answer uses, and the estimate.
    """

    server: ServerLimits
    limits: Limits = field(default_factory=Limits)
    latency: float = 0.05
    trip: float = 0.05
    clients: int = 1
    phase: float = 0.0
    rows: float = math.inf
    tokens: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        self.random = random.Random(1)  # noqa: S311  jitter
        self.gate = Gate(self.server)
        self.now = 0.0
        self.answered = self.refused = self.used_tokens = 0
        self.refused_at: list[float] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self.senders = [
            Sender(Law(0.0, self.limits, share=1 / self.clients), self.rows)
            for _ in range(self.clients)
        ]

    @property
    def refused_share(self) -> float:
        return self.gate.refused / self.gate.admitted

    def run(self, seconds: float = 60.0) -> float:
        """Run, and return the share of the server's limit that was used."""
        for sender in self.senders:
            self._at(self.random.random() * 0.01, self._wake, sender)
            sender.is_waiting = True
        while self._events and self._events[0][0] <= seconds:
            self.now, _, event = heapq.heappop(self._events)
            event()
        quota = self.server.requests
        if quota is None:
            return self.used_tokens / ((self.server.tokens or 0) / self.server.seconds * seconds)
        return self.gate.admitted / (quota / self.server.seconds * seconds)

    def _at(self, delay: float, event: Callable[..., None], *arguments: object) -> None:
        entry = (self.now + delay, next(self._order), lambda: event(*arguments))
        heapq.heappush(self._events, entry)

    def _jittered(self, seconds: float) -> float:
        return seconds * self.random.uniform(0.9, 1.1)

    def _wake(self, sender: Sender) -> None:
        sender.is_waiting = False
        self._send(sender)

    def _send(self, sender: Sender) -> None:
        estimate = self.tokens[1]
        while not sender.is_waiting and sender.rows > 0 and sender.flying < 500:
            if wait := sender.law.wait(self.now, estimate):
                sender.is_waiting = True
                # Timers are late.
                self._at(wait + self.random.random() * 0.001, self._wake, sender)
                return
            number, reserved = sender.law.take(self.now, estimate)
            sender.rows -= 1
            sender.flying += 1
            delay = self._jittered(self.trip / 2)
            self._at(delay, self._arrive, sender, number, reserved, self.now)

    def _arrive(self, sender: Sender, number: int, reserved: float, sent: float) -> None:
        wait = self.gate.refuse(self.now + self.phase)
        if wait is None:
            self.gate.charge(tokens=self.tokens[0])
            self.used_tokens += self.tokens[0]
            self._at(self._jittered(self.latency), self._answer, sender, reserved)
            return
        asked = float(math.ceil(wait)) if self.server.retry_after else None
        self._at(self._jittered(self.trip / 2), self._refuse, sender, number, reserved, sent, asked)

    def _answer(self, sender: Sender, reserved: float) -> None:
        used, estimate = self.tokens
        sender.law.settle(1, estimate, reserved, used)
        sender.flying -= 1
        self.answered += 1
        self._send(sender)

    def _refuse(
        self, sender: Sender, number: int, reserved: float, sent: float, asked: float | None
    ) -> None:
        self.refused += 1
        self.refused_at.append(self.now)
        own = sender.law.refused(self.now, number, reserved, self.now - sent, asked)
        sender.flying -= 1
        self._at(own, self._again, sender)

    def _again(self, sender: Sender) -> None:
        sender.rows += 1
        self._send(sender)
