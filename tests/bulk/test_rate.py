"""The law of the rate, by simulation: servers, latencies and numbers of clients in tables."""

from __future__ import annotations

import math

import pytest
from bulk.simulation import Simulation

from cometgem.bulk.limits import Limits
from cometgem.bulk.rate import LONG_WAIT, OWN_WAIT, Pace
from cometgem.testing import ServerLimits

RATES = (50, 200)


def second(requests: int, *, bucket: bool, retry_after: bool = True) -> ServerLimits:
    return ServerLimits(requests=requests, seconds=1, bucket=bucket, retry_after=retry_after)


def minute(requests: int, *, bucket: bool = False, retry_after: bool = True) -> ServerLimits:
    return ServerLimits(requests=requests, bucket=bucket, retry_after=retry_after)


@pytest.mark.parametrize(
    ("requests", "seconds", "clients"),
    [
        (30, 60, 1),
        (10, 1, 1),
        (200, 1, 1),
        (12000, 60, 1),
        (1000, 1, 1),
        (200, 1, 4),
        (12000, 60, 4),
    ],
)
@pytest.mark.parametrize("bucket", [True, False])
def test_a_known_rate_is_used_without_a_refusal(
    requests: int, seconds: int, clients: int, *, bucket: bool
) -> None:
    server = ServerLimits(requests=requests, seconds=seconds, bucket=bucket)
    limits = Limits(rpm=requests / seconds * 60)
    run = Simulation(server=server, limits=limits, clients=clients, phase=0.3)
    used = run.run(600.0 if requests < seconds else 30.0)
    assert used >= 0.97
    assert run.refused == 0


@pytest.mark.parametrize("latency", [0.05, 0.5, 5, 30])
def test_a_known_rate_is_used_at_any_latency(latency: float) -> None:
    run = Simulation(server=minute(900), limits=Limits(rpm=900), latency=latency)
    assert run.run() >= 0.97
    assert run.refused == 0


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("retry_after", [True, False])
@pytest.mark.parametrize("bucket", [True, False])
def test_an_unknown_rate_is_found_out(rate: int, *, bucket: bool, retry_after: bool) -> None:
    run = Simulation(server=second(rate, bucket=bucket, retry_after=retry_after), phase=0.3)
    assert run.run() >= 0.85
    assert run.refused_share <= 0.01


@pytest.mark.parametrize(("rate", "latency"), [(200, 0.5), (200, 2), (15, 30)])
def test_an_unknown_rate_is_found_out_at_any_latency(rate: int, latency: float) -> None:
    run = Simulation(server=second(rate, bucket=True), latency=latency)
    assert run.run() >= 0.85
    # The search alone has some refusals, which 60 s of a low rate do not make up for.
    assert run.refused_share <= 0.01 or run.refused <= 12


@pytest.mark.parametrize("clients", [2, 4, 8])
@pytest.mark.parametrize("bucket", [True, False])
def test_an_unknown_rate_is_shared(clients: int, *, bucket: bool) -> None:
    run = Simulation(server=second(200, bucket=bucket), clients=clients)
    assert run.run() >= 0.85
    assert run.refused_share <= 0.01
    sent = [sender.law.pace.number for sender in run.senders]
    assert max(sent) <= 3 * min(sent)


@pytest.mark.parametrize(("quota", "clients"), [(3000, 1), (12000, 1), (12000, 4), (30000, 1)])
def test_a_quota_of_a_minute_is_used_up(quota: int, clients: int) -> None:
    run = Simulation(server=minute(quota), clients=clients)
    assert run.run() >= 0.99
    assert run.refused_share <= 0.01


@pytest.mark.parametrize("retry_after", [True, False])
def test_a_quota_of_a_minute_is_known_after_the_first(*, retry_after: bool) -> None:
    run = Simulation(server=minute(12000, retry_after=retry_after))
    assert run.run(180.0) >= 0.9
    assert run.refused_share <= 0.01


def test_a_bucket_of_a_minute_is_emptied_and_then_followed() -> None:
    run = Simulation(server=minute(12000, bucket=True))
    assert run.run(120.0) >= 1.4
    assert run.refused_share <= 0.01


@pytest.mark.parametrize("rate", [1, 10])
@pytest.mark.parametrize("bucket", [True, False])
def test_low_rates_are_found_out(rate: int, *, bucket: bool) -> None:
    run = Simulation(server=second(rate, bucket=bucket))
    assert run.run(300.0) >= 0.85
    assert run.refused_share <= (0.01 if rate == 10 else 0.1)


@pytest.mark.parametrize(
    "server", [second(50, bucket=True), minute(1000), minute(1000, retry_after=False)]
)
def test_no_row_is_lost(server: ServerLimits) -> None:
    run = Simulation(server=server, rows=1500, clients=2)
    run.run(600.0)
    assert run.answered == 3000
    assert all(sender.flying == 0 for sender in run.senders)


def test_a_limit_that_is_given_too_high_is_found_out() -> None:
    run = Simulation(server=second(50, bucket=True), limits=Limits(rpm=6000))
    assert run.run() >= 0.85
    assert run.refused_share <= 0.02


def pace_at(rate: float) -> Pace:
    """A pace that has sent at a rate for ten seconds; the time is 10."""
    pace = Pace(0.0, start=rate)
    now = 0.0
    while now < 10:
        if wait := pace.wait(now):
            now += wait
        else:
            pace.take(now)
    return pace


def test_a_refused_request_waits_alone() -> None:
    pace = pace_at(100)
    number = pace.number - 1
    assert pace.refused(10.1, number, 0.05, 2.0) == 2.0
    assert pace.pause_left(10.1) == 0
    assert pace.wait(10.1) == pytest.approx(0.05)  # for one round trip
    assert pace.wait(10.2) == 0


def test_a_refused_request_waits_a_second_if_the_server_does_not_say() -> None:
    pace = pace_at(100)
    assert pace.refused(10.1, pace.number - 1, 0.05, None) == OWN_WAIT


def test_everything_waits_if_the_wait_is_long() -> None:
    pace = pace_at(100)
    assert pace.refused(10.1, pace.number - 1, 0.05, 40.0) == 0
    assert pace.pause_left(10.1) == pytest.approx(40.0)
    assert pace.wait(20.0) == pytest.approx(30.1)
    assert pace.wait(50.2) == 0
    # One request tests whether it is over.
    pace.take(50.2)
    assert 0.05 <= pace.wait(50.2) <= 0.5
    assert pace.wait(50.8) == 0


def test_everything_waits_if_refusals_go_on() -> None:
    pace = pace_at(100)
    first = pace.number - 5
    waits = [pace.refused(10.1, first + index, 0.05, 1.0) for index in range(5)]
    assert waits == [1.0, 1.0, 1.0, 1.0, 0]
    assert pace.pause_left(10.1) == pytest.approx(0.25)


def test_pauses_grow_until_a_test_passes() -> None:
    pace = pace_at(100)
    pace.refused(10.1, pace.number - 1, 0.05, LONG_WAIT)
    now, lengths = 15.2, []
    for _ in range(8):
        assert pace.wait(now) == 0
        pace.refused(now + 0.05, pace.take(now), 0.05, None)
        lengths.append(pace.pause_left(now + 0.05))
        now += 0.06 + lengths[-1]
    assert lengths == pytest.approx([0.5, 1, 2, 4, 8, 15, 15, 15])


def test_requests_from_before_a_cut_do_not_cut_again() -> None:
    pace = pace_at(100)
    rate = pace.rate
    for number in (pace.number - 30, pace.number - 15, pace.number - 1):
        pace.refused(10.1, number, 0.05, 1.0)
    assert pace.rate == pytest.approx(0.85 * rate, rel=0.05)


def test_the_rate_returns_to_its_peak() -> None:
    pace = pace_at(100)
    pace.refused(10.1, pace.number - 1, 0.05, 1.0)
    peak, now, rates = pace.peak, 10.1, []
    while now < 20.1:
        if wait := pace.wait(now):
            now += wait
        else:
            pace.take(now)
            rates.append(pace.rate)
    assert rates == sorted(rates)
    assert rates[-1] == pytest.approx(peak, rel=0.01)


def test_an_idle_time_does_not_raise_the_rate() -> None:
    pace = Pace(0.0)
    pace.take(0.0)
    pace.wait(1000.0)
    assert pace.rate < 100
    assert pace.level <= 2


def test_a_clock_that_goes_back_is_ignored() -> None:
    pace = pace_at(100)
    rate = pace.rate
    assert pace.wait(5.0) >= 0
    assert pace.rate == rate


def test_a_request_that_was_not_sent_is_taken_back() -> None:
    pace = Pace(0.0, ceiling=1.0)
    pace.take(0.0)
    assert pace.wait(0.0) == pytest.approx(1 / 0.98)
    pace.give_back()
    assert pace.wait(0.0) == 0


def test_no_ceiling_is_exceeded() -> None:
    pace = Pace(0.0, ceiling=100.0, start=1000.0)
    assert pace.rate == 98.0
    assert math.isinf(Pace(0.0).ceiling)
