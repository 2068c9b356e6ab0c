import math
from typing import Any

import pytest

from cometgem.errors import ConfigurationError
from cometgem.http.timeouts import Timeouts


def test_the_defaults() -> None:
    assert Timeouts(connect=10.0, stall=300.0, first_chunk=None, total=None) == Timeouts()
    assert Timeouts().first == 300.0


@pytest.mark.parametrize(
    ("timeouts", "first"),
    [
        (Timeouts(stall=5), 5),
        (Timeouts(stall=5, first_chunk=9), 9),
        (Timeouts(stall=None), None),
        (Timeouts(stall=None, first_chunk=9), 9),
    ],
)
def test_the_first_chunk_limit_defaults_to_stall(timeouts: Timeouts, first: float | None) -> None:
    assert timeouts.first == first


@pytest.mark.parametrize("name", ["connect", "stall", "first_chunk", "total"])
def test_limits_must_be_above_zero(name: str) -> None:
    assert getattr(Timeouts(**{name: None}), name) is None
    assert getattr(Timeouts(**{name: 0.001}), name) == 0.001
    for limit in (0, -1, math.inf, math.nan):
        with pytest.raises(ConfigurationError) as caught:
            Timeouts(**{name: limit})
        assert str(caught.value) == (
            f"Timeouts({name}={limit}): use seconds above 0, or None for no limit"
        )


@pytest.mark.parametrize("limit", ["5", True, False, [], {}, 1j, b"5", 10**400])
def test_limits_must_be_numbers(limit: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^Timeouts\(total=.*\): use seconds above 0, or"):
        Timeouts(total=limit)


def test_timeouts_are_hashable_and_frozen() -> None:
    assert hash(Timeouts()) == hash(Timeouts())
    with pytest.raises(AttributeError):
        Timeouts().stall = 5  # type: ignore[misc]
