"""Usage within one request, and sums over several."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import fields, replace

from cometgem.response.usage import add_usage, later_usage
from cometgem.types import ModalityTokenCount, UsageMetadata
from cometgem.types.response import BillableUsage


def counts(**tokens: int) -> list[ModalityTokenCount]:
    return [ModalityTokenCount(modality=name, token_count=count) for name, count in tokens.items()]


VALUES: dict[Any, Any] = {
    int | None: 3,
    str | None: "standard",
    BillableUsage | None: BillableUsage(text_count=5),
    list[ModalityTokenCount]: counts(TEXT=3),
}
EVERYTHING = UsageMetadata(**{one.name: VALUES[one.type] for one in fields(UsageMetadata)})


@pytest.mark.parametrize("name", UsageMetadata.__struct_fields__)
def test_a_field_stays_until_it_is_set_again(name: str) -> None:
    only = UsageMetadata(**{name: getattr(EVERYTHING, name)})
    without = replace(EVERYTHING, **{name: getattr(UsageMetadata(), name)})
    assert later_usage(only, UsageMetadata()) == only
    assert later_usage(EVERYTHING, without) == EVERYTHING
    assert later_usage(without, EVERYTHING) is EVERYTHING
    assert later_usage(None, only) is only


def test_the_last_value_counts() -> None:
    old = UsageMetadata(prompt_token_count=5, total_token_count=5)
    new = UsageMetadata(prompt_token_count=0, candidates_token_count=2)
    later = UsageMetadata(prompt_token_count=0, candidates_token_count=2, total_token_count=5)
    assert later_usage(old, new) == later
    assert (old.prompt_token_count, new.total_token_count) == (5, None)


def test_counts_are_summed_by_modality_and_the_last_tier_is_kept() -> None:
    first = UsageMetadata(
        prompt_token_count=5,
        thoughts_token_count=2,
        prompt_tokens_details=counts(TEXT=3, IMAGE=2),
        service_tier="standard",
        traffic_type="ON_DEMAND",
    )
    second = UsageMetadata(
        prompt_token_count=7,
        candidates_token_count=1,
        prompt_tokens_details=counts(IMAGE=4, AUDIO=1),
        candidates_tokens_details=counts(TEXT=1),
        service_tier="priority",
    )
    before = (first.to_dict(), second.to_dict())
    assert add_usage(first, second) == UsageMetadata(
        prompt_token_count=12,
        candidates_token_count=1,
        thoughts_token_count=2,
        prompt_tokens_details=counts(TEXT=3, IMAGE=6, AUDIO=1),
        candidates_tokens_details=counts(TEXT=1),
        service_tier="priority",
        traffic_type="ON_DEMAND",
    )
    assert (first.to_dict(), second.to_dict()) == before


def test_nothing_changes_nothing() -> None:
    usage = UsageMetadata(prompt_token_count=5, cached_content_token_count=0)
    assert add_usage(usage, None) == usage
    assert add_usage(usage, UsageMetadata()) == usage
    assert add_usage(UsageMetadata(), usage) == usage


def test_other_units_are_summed_too() -> None:
    one = UsageMetadata(billable_prompt_usage=BillableUsage(text_count=5, image_count=1))
    two = UsageMetadata(billable_prompt_usage=BillableUsage(text_count=6))
    both = BillableUsage(text_count=11, image_count=1)
    assert add_usage(one, two) == UsageMetadata(billable_prompt_usage=both)
