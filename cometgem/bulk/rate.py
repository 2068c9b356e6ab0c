"""How many requests a second are sent: a law of control. Pure: the clock is passed in.

A rate that is known is kept to. A rate that is not known is found out:

1. Search: the rate grows exponentially until the first refusal.
2. Cut: a refusal lowers the rate to a share of what was sent when it happened. Requests that were
   sent before a cut do not cut again, and nothing is sent for one round trip, after which their
   refusals are known.
3. Growth: the rate returns to where it was along a cubic curve, steep at first, flat near the
   peak, steep again beyond it (RFC 9438, section 4.1, describes the curve for TCP). Long after the
   peak, without another refusal, it is a search again, a slow one.
4. Pause: if requests are refused one after the other, or the server asks for a long wait, a quota
   is used up, and everything waits. A single request then tests whether the pause is over. If the
   pause was a large part of the time since the pause before, the rate goes on at the average of
   that time, which is what the quota amounts to.

`shared_rate.lua` is the same law for many processes; a test compares them.
"""

from __future__ import annotations

import math

__all__ = ["LONG_WAIT", "OWN_WAIT", "SHARE", "Pace"]

# Everything waits when the server asks for so many seconds; less is waited by the refused request.
LONG_WAIT = 5.0

# Seconds that a refused request waits if the server does not say.
OWN_WAIT = 1.0

# The share of a known limit that is used: a window of the server that is out of step with ours
# sees some requests early and others late.
SHARE = 0.98

# Requests a second at the start of a search, and their growth per second. When the quota of a
# minute is used up, those in flight are refused: at most growth times round trip of the quota.
_START = 50.0
_GROWTH = 0.15
_GROWTH_AGAIN = 0.05

_LEAST = 1 / 60  # requests a second

# The share of the rate that is left after a cut.
_CUT = 0.85

# Seconds from a cut to the peak: long enough for so many requests, of which few are refused then.
_REQUESTS_PER_CUT = 400
_SOONEST, _LATEST = 10.0, 60.0

# Seconds of the rate that may be sent at once, since timers fire late.
_BURST = 0.01

# So many requests refused one after the other mean that a quota is used up.
_RUN = 5

# Seconds: the first and the longest pause if the server does not ask for a long wait.
_PAUSE, _LONGEST_PAUSE = 0.25, 15.0

# The share of the pause in the time since the pause before from which on the average counts.
_AVERAGED = 0.1

# Seconds over which it is measured how much of the rate is used, and the share from which on the
# rate is what limits.
_MEMORY = 2.0
_USED = 0.7

# The least share that counts at a cut: a refusal after an idle time says little about the rate.
_LEAST_USED = 0.5

# The test after a pause.
_NONE, _TO_SEND, _SENT = 0, 1, 2


class Pace:
    """The pace of requests.

    Args:
        now: The time in seconds.
        ceiling: The known limit in requests a second, or None.
        start: The rate to begin with in requests a second, if it is known from elsewhere.

    Attributes:
        rate: The present rate in requests a second.
        refusals: How many requests were refused.
    """

    def __init__(
        self, now: float, *, ceiling: float | None = None, start: float | None = None
    ) -> None:
        self.ceiling: float = math.inf if ceiling is None else ceiling * SHARE
        self.searching: bool = ceiling is None and start is None
        self.rate: float = min(self.ceiling, start or (_START if ceiling is None else self.ceiling))
        self.growth: float = _GROWTH
        self.refusals: int = 0
        self.at: float = now
        self.level: float = 1.0
        # Growth: the peak, seconds from the cut to the peak, and seconds since the cut.
        self.peak: float = self.rate
        self.clock: float = _period(self.rate)
        self.period: float = self.clock
        # How much was allowed and sent lately.
        self.sent: float = 0.0
        self.allowed: float = 0.0
        # Requests are numbered. The first after the cut; refusals one after the other.
        self.run: int = 0
        self.run_to: int = 0
        self.run_from: int = 0
        self.cut_at: int = 0
        self.number: int = 0
        self.round_trip: float = 0.0
        # Pauses: whether one is on, when it began and ends, how many in a row, and the state
        # of the test.
        self.paused: bool = False
        self.held_until: float = -math.inf
        self.paused_at: float = -math.inf
        self.test: int = 0
        self.pauses: int = 0
        # How many requests passed, and the seconds in which the rate was what limited: so far, at
        # the start of the period of the average, and at the end of the last pause.
        self.passed: int = 0
        self.seconds: float = 0.0
        self.passed_start: int = 0
        self.seconds_start: float = 0.0
        self.passed_resumed: int = 0
        self.seconds_resumed: float = 0.0

    def wait(self, now: float) -> float:
        """Return the seconds until the next request may be sent; 0 means now."""
        self._advance(now)
        if now < self.held_until:
            return self.held_until - now
        if self.level >= 1:
            return 0.0
        # Never 0, also if the sum is not exact.
        return max((1 - self.level) / self.rate, 1e-6)

    def pause_left(self, now: float) -> float:
        """Return for how many seconds everything still waits; 0 if nothing does."""
        return max(0.0, self.held_until - now) if self.paused else 0.0

    def take(self, now: float) -> int:
        """Count a request that is sent now, after a wait of 0, and return its number."""
        if self.test == _TO_SEND:
            self.test = _SENT
            self.held_until = now + 2 * self.round_trip + 0.05
        elif self.test == _SENT:  # it was not refused
            self.test, self.run = _NONE, 0
        self.level -= 1
        self.sent += 1
        self.passed += 1
        self.number += 1
        return self.number - 1

    def give_back(self) -> None:
        """Take back a request that was not sent after all."""
        self.level += 1
        self.sent = max(0.0, self.sent - 1)
        self.passed -= 1

    def refused(
        self, now: float, number: int, round_trip: float, retry_after: float | None
    ) -> float:
        """Count a refusal, and return the seconds that this request waits; 0 if everything waits.

        Args:
            now: The time in seconds.
            number: The number of the request.
            round_trip: The seconds since it was sent.
            retry_after: The seconds that the server asks to wait, or None.
        """
        self._advance(now)
        self.refusals += 1
        self.passed -= 1
        self.round_trip = max(round_trip, 0.9 * self.round_trip)
        self._count_run(number)
        is_news = number >= self.cut_at
        has_failed = is_news and self.test == _SENT
        if is_news and not has_failed:
            self._cut(now)
        asked = retry_after or 0.0
        if asked >= LONG_WAIT or has_failed or self.run >= _RUN:
            self._pause(now, asked)
        return 0.0 if self.paused else (asked or OWN_WAIT)

    def _count_run(self, number: int) -> None:
        if self.run:
            self.run += 1
            self.run_to = max(self.run_to, number)
            self.run_from = min(self.run_from, number)
            # Some slack, since refusals may overtake each other.
            if self.run_to - self.run_from + 1 <= 1.25 * self.run + 1:
                return
        self.run, self.run_from, self.run_to = 1, number, number

    def _cut(self, now: float) -> None:
        used = self.sent / self.allowed if self.allowed > 0 else 1.0
        self.peak = max(_LEAST, self.rate * min(1.0, max(_LEAST_USED, used)))
        self.rate = max(_LEAST, self.peak * _CUT)
        self.period, self.clock = _period(self.peak), 0.0
        self.searching, self.growth = False, _GROWTH_AGAIN
        self.cut_at = self.number
        self.level = min(self.level, 1.0)
        self.held_until = max(self.held_until, now + min(self.round_trip, 1.0))

    def _pause(self, now: float, asked: float) -> None:
        if self.paused:
            if asked >= LONG_WAIT:
                self.held_until = max(self.held_until, now + asked)
            return
        if not self.pauses or self.passed > self.passed_resumed:
            # The pause before was long enough.
            self.pauses, self.paused_at = 0, now
            self.passed_start, self.seconds_start = self.passed_resumed, self.seconds_resumed
        self.paused, self.test = True, _NONE
        if asked < LONG_WAIT:
            own = min(_LONGEST_PAUSE, _PAUSE * 2.0**self.pauses)
            # First a short pause, since a short wait may be over sooner than whole seconds can say.
            asked = max(asked, own) if self.pauses else own
        self.pauses = min(self.pauses + 1, 10)
        self.held_until = max(self.held_until, now + asked)

    def _resume(self, now: float) -> None:
        self.paused, self.test, self.cut_at = False, _TO_SEND, self.number
        self.level = 1.0
        seconds = self.seconds - self.seconds_start
        if now - self.paused_at >= _AVERAGED * seconds:
            average = (self.passed - self.passed_start) / max(seconds, 1e-3)
            self.peak = self.rate = max(_LEAST, min(self.peak, average))
            self.searching, self.growth = True, _GROWTH_AGAIN
        self.passed_resumed, self.seconds_resumed = self.passed, self.seconds
        self.allowed = self.sent = 0.0

    def _advance(self, now: float) -> None:
        before, self.at = self.at, max(self.at, now)
        held = min(self.at, max(before, self.held_until)) - before
        self.seconds += held
        passed = self.at - before - held
        if self.paused and now >= self.held_until:
            self._resume(now)
        if passed <= 0:
            return
        self.level = min(self.level + self.rate * passed, 1 + self.rate * _BURST)
        fading = math.exp(-passed / _MEMORY)
        self.allowed = self.allowed * fading + self.rate * passed
        self.sent *= fading
        if self.sent < _USED * self.allowed - 1:
            return
        self.seconds += passed
        self.clock += passed
        if self.searching or self.clock > 2 * self.period:
            self.rate *= math.exp(self.growth * passed)
        else:
            away = self.clock / self.period - 1
            self.rate = self.peak * (1 + (1 - _CUT) * away**3)
        self.rate = min(self.rate, self.ceiling)


def _period(rate: float) -> float:
    return min(_LATEST, max(_SOONEST, _REQUESTS_PER_CUT / rate))
