"""Usage is summed field by field, per modality too."""

from __future__ import annotations

from cometgem.response.usage import add_usage
from cometgem.types import ModalityTokenCount, UsageMetadata


def test_counts_are_summed_and_a_count_that_neither_has_stays_none() -> None:
    total = UsageMetadata()
    assert add_usage(total, None) == total
    one = UsageMetadata(prompt_token_count=5, thoughts_token_count=2)
    other = UsageMetadata(prompt_token_count=7, cached_content_token_count=0)
    total = add_usage(add_usage(add_usage(total, one), other), None)
    assert total == UsageMetadata(
        prompt_token_count=12, thoughts_token_count=2, cached_content_token_count=0
    )


def test_the_last_tier_and_traffic_type_are_kept() -> None:
    one = UsageMetadata(service_tier="flex", traffic_type="ON_DEMAND")
    other = UsageMetadata(service_tier="standard")
    assert add_usage(one, other) == UsageMetadata(service_tier="standard", traffic_type="ON_DEMAND")


def details(**counts: int) -> list[ModalityTokenCount]:
    return [ModalityTokenCount(modality=name, token_count=count) for name, count in counts.items()]


def test_details_are_summed_by_modality() -> None:
    one = UsageMetadata(prompt_tokens_details=details(TEXT=5, IMAGE=258))
    other = UsageMetadata(
        prompt_tokens_details=details(AUDIO=3, TEXT=7), candidates_tokens_details=details(TEXT=1)
    )
    assert add_usage(one, other) == UsageMetadata(
        prompt_tokens_details=details(TEXT=12, IMAGE=258, AUDIO=3),
        candidates_tokens_details=details(TEXT=1),
    )
    assert one.prompt_tokens_details == details(TEXT=5, IMAGE=258)
