from __future__ import annotations

import pytest
from bulk.simulation import Simulation

from cometgem.bulk.limits import Limits
from cometgem.bulk.tokens import Tokens
from cometgem.testing import ServerLimits

MINUTE = 6_000_000


@pytest.mark.parametrize("bucket", [True, False])
@pytest.mark.parametrize("estimate", [300, 1000, 4000])
def test_a_known_limit_is_used_without_a_refusal(estimate: int, *, bucket: bool) -> None:
    run = Simulation(
        server=ServerLimits(tokens=MINUTE, bucket=bucket),
        limits=Limits(rpm=60_000, tpm=MINUTE),
        tokens=(1000, estimate),
    )
    assert run.run() >= 0.97
    assert run.refused == 0


@pytest.mark.parametrize("latency", [1, 5])
def test_slow_answers_do_not_matter_to_right_estimates(latency: float) -> None:
    run = Simulation(
        server=ServerLimits(tokens=MINUTE // 10),
        limits=Limits(rpm=60_000, tpm=MINUTE // 10),
        tokens=(1000, 1000),
        latency=latency,
    )
    assert run.run() >= 0.97
    assert run.refused == 0


def test_an_estimate_is_reserved_and_settled() -> None:
    tokens = Tokens(0.0, 1000.0)
    assert tokens.wait(0.0, 245) == 0
    reserved = tokens.take(245)
    assert reserved == 245
    assert tokens.wait(0.0, 98) == pytest.approx(0.1)
    tokens.settle(1, 245, reserved, 245 - 98)
    assert tokens.level == 98


def test_estimates_are_corrected_by_what_was_used() -> None:
    tokens = Tokens(0.0, 1000.0)
    tokens.settle(10, 1000, 1000, 3000)
    assert tokens.cost(100) == pytest.approx(300)
    tokens.settle(1000, 100_000, 300_000, 100_000)
    assert tokens.cost(100) == pytest.approx(100, rel=0.01)


def test_estimates_of_nothing_are_not_corrected() -> None:
    tokens = Tokens(0.0, 1000.0)
    tokens.settle(1, 0, 0, 500)
    assert tokens.cost(100) == 100


def test_a_request_larger_than_the_bucket_is_paid_back_afterwards() -> None:
    tokens = Tokens(0.0, 1000.0)
    assert tokens.wait(0.0, 9800) == 0
    tokens.take(9800)
    assert tokens.wait(0.0, 9800) == pytest.approx(10)
    assert tokens.wait(9.99, 9800) == pytest.approx(0.01)
    assert tokens.wait(10.01, 9800) == 0


def test_a_request_that_costs_nothing_gives_back() -> None:
    tokens = Tokens(0.0, 1000.0)
    tokens.give_back(tokens.take(245))
    assert tokens.wait(0.0, 245) == 0


def test_no_limit_is_no_wait() -> None:
    tokens = Tokens(0.0, None)
    assert tokens.wait(0.0, 1e12) == 0
    tokens.settle(1, 1e12, tokens.take(1e12), 1e12)
    assert tokens.wait(0.0, 1e12) == 0
