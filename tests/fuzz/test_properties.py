from collections.abc import Callable

import pytest

pytest.importorskip("hypothesis", reason="skipped: hypothesis is not installed")

from fuzz.targets import ASKING, PARSING, TARGETS
from hypothesis import HealthCheck, given, settings


@pytest.mark.parametrize("holds", TARGETS, ids=lambda holds: holds.__name__)
def test_property(holds: Callable[..., None]) -> None:
    ci = settings(
        max_examples=1000 if holds in PARSING else 400 if holds in ASKING else 120,
        derandomize=True,  # the same each time
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    ci(given(*TARGETS[holds])(holds))()
