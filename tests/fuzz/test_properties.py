from collections.abc import Callable

import pytest

pytest.importorskip("hypothesis", reason="skipped: hypothesis is not installed")

from fuzz.targets import ASKING, JSON_PIECES, MERGING, TARGETS
from hypothesis import HealthCheck, given, settings


@pytest.mark.parametrize("holds", TARGETS, ids=lambda holds: holds.__name__)
def test_property(holds: Callable[..., None]) -> None:
    ci = settings(
        max_examples=120
        if holds in {**MERGING, **JSON_PIECES}
        else 400
        if holds in ASKING
        else 1000,
        derandomize=True,  # the same each time
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    ci(given(*TARGETS[holds])(holds))()
