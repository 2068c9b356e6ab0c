"""Clients with a pace of their own share one server, in simulated time."""

from __future__ import annotations

import heapq
import random
from collections import deque
from dataclasses import dataclass, field

from cometgem.bulk.rate import Pace
from cometgem.testing.limits import Gate, ServerLimits


@dataclass
class Outcome:
    admitted: int
    refused: int
    answered: int
    possible: float
    events: list[tuple[float, str]] = field(default_factory=list)

    @property
    def used(self) -> float:
        return self.admitted / self.possible

    @property
    def refused_share(self) -> float:
        return self.refused / max(1, self.admitted)


def simulate(limits, *, latency=0.05, clients=1, seconds=60.0, known=False, phase=0.0, seed=1, concurrency=500, trip=0.05, rows=None, log=False):
    rng = random.Random(seed)
    gate = Gate(limits)
    rate = limits.requests / limits.seconds
    paces = [Pace(0.0, ceiling=rate / clients if known else None) for _ in range(clients)]
    flying = [0] * clients
    left = [rows] * clients
    answered = 0
    queue = []
    count = 0
    events=[]
    def push(at, kind, client, *args):
        nonlocal count
        count += 1
        heapq.heappush(queue, (at, count, kind, client, args))
    for c in range(clients):
        push(rng.random() * 0.01, "go", c)
    armed = [True] * clients
    wake = [0.0]*clients
    while queue:
        at, _, kind, c, args = heapq.heappop(queue)
        if at > seconds: break
        pace = paces[c]
        if kind == "arrive":
            number, sent = args
            wait = gate.refuse(at + phase)
            if wait is None:
                push(max(at + trip/2, sent + latency * rng.uniform(0.9, 1.1)), "answer", c)
            else:
                import math
                ra = float(math.ceil(wait)) if limits.retry_after else None
                push(at + trip/2*rng.uniform(0.9,1.1), "refused", c, number, sent, ra)
            continue
        if kind == "answer":
            flying[c] -= 1
            answered += 1
        elif kind == "refused":
            number, sent, ra = args
            own = pace.refused(at, number, at - sent, ra)
            if log: events.append((at, f"refused #{number} {ra=} own={own} rate={pace.rate:.1f} peak={pace.peak:.1f} paused={pace.paused} until={pace.held_until:.2f}"))
            flying[c] -= 1
            if left[c] is not None:
                push(at + own, "again", c)
        elif kind == "again":
            left[c] += 1
        elif kind == "go":
            armed[c] = False
        if kind == "go" or not armed[c]:
          if not armed[c]:
            while flying[c] < concurrency and (left[c] is None or left[c] > 0):
                wait = pace.wait(at)
                if wait > 0:
                    # timers are late
                    push(at + wait + rng.random() * 0.001, "go", c)
                    armed[c] = True
                    break
                number = pace.take(at)
                if left[c] is not None: left[c] -= 1
                flying[c] += 1
                push(at + trip / 2 * rng.uniform(0.9, 1.1), "arrive", c, number, at)
    if limits.bucket:
        possible = rate * seconds
    else:
        # the quota of the time; windows at the edges count in full if they could have been used
        possible = rate * seconds
    return Outcome(gate.admitted, gate.refused, answered, possible, events), paces
