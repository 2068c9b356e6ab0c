"""Sums of usage."""

from __future__ import annotations

from cometgem.response.usage import add_usage
from cometgem.types import ModalityTokenCount, UsageMetadata
from cometgem.types.response import BillableUsage


def counts(**tokens: int) -> list[ModalityTokenCount]:
    return [ModalityTokenCount(modality=name, token_count=count) for name, count in tokens.items()]


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
