"""Timeouts of one attempt, on a loop whose clock the test sets: no real time passes."""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from cometgem.errors import APITimeoutError
from cometgem.http.deadline import Deadline
from cometgem.http.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable


class Timer:
    """A scheduled call, as `asyncio.TimerHandle`."""

    def __init__(self, at: float, call: Callable[..., object], *args: object) -> None:
        self.at = at
        self.call = partial(call, *args)
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """A loop that runs its timers when the test moves the clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, at: float, call: Callable[..., object], *args: object) -> Timer:
        timer = Timer(at, call, *args)
        self.timers.append(timer)
        return timer

    @property
    def pending(self) -> list[Timer]:
        return [timer for timer in self.timers if not timer.cancelled]

    def advance(self, seconds: float) -> None:
        """Move the clock and run each timer at its time."""
        end = self.now + seconds
        while due := [timer for timer in self.pending if timer.at <= end]:
            timer = min(due, key=lambda timer: timer.at)
            self.timers.remove(timer)
            self.now = timer.at
            timer.call()
        self.now = end

    def fire_early(self) -> None:
        """Run the next timer without moving the clock."""
        timer = min(self.pending, key=lambda timer: timer.at)
        self.timers.remove(timer)
        timer.call()


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    loop = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    return loop


class Calls:
    """A deadline of a loop, and how often it called back."""

    def __init__(self, loop: Loop, *, streamed: bool = True, **limits: Any) -> None:
        timeouts = Timeouts(**limits)
        total_at = loop.now + (math.inf if timeouts.total is None else timeouts.total)
        self.deadline = Deadline(timeouts, total_at, streamed=streamed)
        self.expired_at: list[float] = []
        self.checks = 0
        self.deadline.on_expiry = lambda: self.expired_at.append(loop.now - 100.0)
        self.deadline.on_check = self._count_check

    def _count_check(self) -> None:
        self.checks += 1


@pytest.mark.parametrize(
    ("limits", "streamed", "seconds"),
    [
        ({"stall": None}, True, None),
        ({"stall": 8}, True, 8),
        ({"stall": 8, "first_chunk": 20}, True, 20),
        ({"stall": 8, "first_chunk": 20}, False, 8),
        ({"stall": None, "first_chunk": 20}, False, None),
        ({"stall": 8, "total": 5}, True, 5),
        ({"stall": None, "total": 5}, True, 5),
        ({"stall": 8, "total": 50}, True, 8),
    ],
)
def test_seconds_left_for_the_response(
    loop: Loop, limits: dict[str, Any], seconds: float | None, *, streamed: bool
) -> None:
    deadline = Calls(loop, streamed=streamed, **limits).deadline
    assert deadline.seconds() == seconds
    if seconds is not None:
        loop.now += seconds - 1
        assert deadline.seconds() == 1
        loop.now += 5
        assert deadline.seconds() == 0


def test_seconds_left_after_the_first_chunk(loop: Loop) -> None:
    deadline = Calls(loop, stall=8).deadline
    deadline.stop()
    assert deadline.seconds() == 0


@pytest.mark.parametrize(
    ("limits", "streamed", "phase", "at"),
    [
        ({"stall": 8}, True, "first_chunk", 8),
        ({"stall": 8, "first_chunk": 20}, True, "first_chunk", 20),
        ({"stall": 8, "first_chunk": 20}, False, "stall", 8),
        ({"stall": 8, "total": 5}, True, "total", 5),
        ({"stall": None, "total": 5}, True, "total", 5),
        ({"stall": None, "total": 5}, False, "total", 5),
        ({"stall": 0.1}, True, "first_chunk", 0.1),
    ],
)
def test_each_limit_of_the_first_chunk(
    loop: Loop, limits: dict[str, Any], phase: str, at: float, *, streamed: bool
) -> None:
    calls = Calls(loop, streamed=streamed, **limits)
    calls.deadline.start()
    loop.advance(at - 0.01)
    assert calls.expired_at == []
    assert calls.deadline.expired is None
    loop.advance(10)
    assert calls.expired_at == [pytest.approx(at)]
    assert calls.deadline.expired == phase
    assert loop.pending == []


def test_the_first_wait_counts_from_the_request(loop: Loop) -> None:
    calls = Calls(loop, stall=8)
    loop.advance(5)
    calls.deadline.start()
    loop.advance(10)
    assert calls.expired_at == [8]


@pytest.mark.parametrize(("stall", "late"), [(300, 1), (20, 1), (8, 0.4), (0.2, 0.01)])
def test_a_stall_is_noticed_late_by_one_poll_at_most(loop: Loop, stall: float, late: float) -> None:
    calls = Calls(loop, stall=stall)
    calls.deadline.start()
    loop.advance(late * 0.75)
    calls.deadline.stop()
    calls.deadline.start()  # the poll of the wait before finds this one at once
    loop.advance(stall)
    assert calls.expired_at == []
    loop.advance(late)
    (at,) = calls.expired_at
    assert stall < at - late * 0.75 <= stall + late
    assert calls.deadline.expired == "stall"


def test_a_stall_starts_at_the_first_poll_that_finds_it(loop: Loop) -> None:
    calls = Calls(loop, stall=20)
    calls.deadline.start()
    calls.deadline.stop()
    loop.advance(50)  # the caller's own time
    assert loop.pending == []
    assert calls.deadline.expired is None
    calls.deadline.start()
    loop.advance(19.9)
    assert calls.expired_at == []
    loop.advance(0.2)
    assert calls.expired_at == [70]


def test_a_timer_is_shared_by_many_reads(loop: Loop) -> None:
    calls = Calls(loop, stall=300)
    for _ in range(1000):
        calls.deadline.start()
        calls.deadline.stop()
    assert len(loop.pending) == 1


def test_chunks_in_time_never_expire(loop: Loop) -> None:
    calls = Calls(loop, stall=2)
    for _ in range(100):
        calls.deadline.start()
        loop.advance(1.9)
        calls.deadline.stop()
    assert calls.expired_at == []


def test_total_ends_any_wait(loop: Loop) -> None:
    calls = Calls(loop, stall=2, total=5)
    while not calls.expired_at:
        calls.deadline.start()
        loop.advance(0.7)
        calls.deadline.stop()
    assert calls.expired_at == [5]
    assert calls.deadline.expired == "total"


def test_total_that_ended_during_the_callers_time_ends_the_next_wait_at_once(loop: Loop) -> None:
    calls = Calls(loop, stall=2, total=5)
    calls.deadline.start()
    calls.deadline.stop()
    loop.advance(9)
    calls.deadline.start()
    loop.advance(0)
    assert calls.expired_at == [9]
    assert calls.deadline.error().phase == "total"


def test_a_wait_is_checked_until_it_expires(loop: Loop) -> None:
    calls = Calls(loop, stall=10)
    calls.deadline.start()
    loop.advance(20)
    assert 19 <= calls.checks <= 20
    calls.deadline.stop()
    loop.advance(20)
    assert 19 <= calls.checks <= 20


def test_an_early_timer_does_not_expire_the_wait(loop: Loop) -> None:
    calls = Calls(loop, stall=0.02)
    calls.deadline.start()
    loop.now += 0.0199
    for _ in range(3):
        loop.fire_early()
        assert calls.expired_at == []
        assert len(loop.pending) == 1
    loop.advance(1)
    assert calls.expired_at == [pytest.approx(0.02)]


def test_cancel_removes_the_timer(loop: Loop) -> None:
    calls = Calls(loop, stall=1)
    calls.deadline.cancel()
    calls.deadline.start()
    calls.deadline.cancel()
    calls.deadline.cancel()
    loop.advance(9)
    assert loop.pending == []
    assert (calls.expired_at, calls.checks) == ([], 0)


def test_no_limits_still_poll_for_a_lost_connection(loop: Loop) -> None:
    calls = Calls(loop, stall=None)
    assert calls.deadline.seconds() is None
    calls.deadline.start()
    loop.advance(10)
    assert calls.expired_at == []
    assert calls.checks == 10


@pytest.mark.parametrize(
    ("limits", "streamed", "phase"),
    [
        ({"total": 9}, True, "total"),
        ({"total": 9, "first_chunk": 8}, True, "first_chunk"),
        ({"total": 9, "stall": 8}, False, "stall"),
        ({"total": 9, "stall": 9.5}, False, "total"),
        ({"stall": None, "total": 9, "first_chunk": 8}, False, "total"),
    ],
)
def test_an_early_timer_names_the_limit_that_expires_first(
    loop: Loop, limits: dict[str, Any], phase: str, *, streamed: bool
) -> None:
    assert Calls(loop, streamed=streamed, **limits).deadline.error().phase == phase


@pytest.mark.parametrize(
    ("limits", "phase", "seconds"),
    [
        ({"stall": 4}, "first_chunk", 4),
        ({"stall": 4, "first_chunk": 3}, "first_chunk", 3),
        ({"total": 2}, "total", 2),
    ],
)
def test_the_error_has_the_limit_and_its_seconds(
    loop: Loop, limits: dict[str, Any], phase: str, seconds: float
) -> None:
    error = Calls(loop, **limits).deadline.error()
    assert isinstance(error, APITimeoutError)
    assert (error.phase, error.seconds) == (phase, seconds)


def test_the_error_keeps_the_limit_that_expired(loop: Loop) -> None:
    calls = Calls(loop, stall=4, total=50)
    calls.deadline.start()
    loop.advance(4)
    loop.now += 100
    assert calls.deadline.error().phase == "first_chunk"
    assert not math.isinf(calls.deadline.error().seconds)
