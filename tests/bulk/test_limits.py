from __future__ import annotations

from typing import Any

import pytest

from cometgem import ConfigurationError
from cometgem.bulk import Limits


def test_defaults() -> None:
    assert Limits() == Limits(rpm=None, tpm=None, concurrency=500)


def test_limits_that_are_fine() -> None:
    assert Limits(rpm=0.5, tpm=1_000_000, concurrency=1).rpm == 0.5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rpm": 0}, "Limits(rpm=0): use a positive number of requests a minute"),
        ({"rpm": "100"}, "Limits(rpm='100'): use a positive number of requests a minute"),
        ({"rpm": float("inf")}, "Limits(rpm=inf): use a positive number"),
        ({"tpm": -1}, "Limits(tpm=-1): use a positive number of tokens a minute"),
        ({"tpm": True}, "Limits(tpm=True): use a positive number of tokens a minute"),
        ({"concurrency": 0}, "Limits(concurrency=0): use an integer of at least 1"),
        ({"concurrency": 2.5}, "Limits(concurrency=2.5): use an integer of at least 1"),
    ],
)
def test_wrong_limits_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Limits(**wrong)
    assert str(caught.value).startswith(message)
