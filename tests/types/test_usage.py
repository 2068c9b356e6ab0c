"""`response.usage`."""

from __future__ import annotations

import json

import pytest
from conformance import conformance_file

from cometgem import GenerateContentResponse, Usage, UsageMetadata
from cometgem.response.codec import decode_chunk


@pytest.mark.parametrize(
    ("metadata", "usage"),
    [
        (None, Usage()),
        (UsageMetadata(traffic_type="ON_DEMAND"), Usage()),
        (
            UsageMetadata(
                prompt_token_count=10,
                cached_content_token_count=4,
                tool_use_prompt_token_count=5,
                candidates_token_count=20,
                thoughts_token_count=3,
                total_token_count=38,
            ),
            Usage(
                input_tokens=15,
                output_tokens=23,
                thinking_tokens=3,
                cached_tokens=4,
                total_tokens=38,
            ),
        ),
        (
            UsageMetadata(prompt_token_count=10, thoughts_token_count=3),
            Usage(input_tokens=10, output_tokens=3, thinking_tokens=3, total_tokens=13),
        ),
        (UsageMetadata(total_token_count=9), Usage(total_tokens=9)),
    ],
)
def test_counts_in_short(metadata: UsageMetadata | None, usage: Usage) -> None:
    assert GenerateContentResponse(usage_metadata=metadata).usage == usage


@pytest.mark.parametrize(
    "name", ["url-context", "google-search-grounding", "google-maps-grounding", "basic-reply-long"]
)
def test_input_and_output_are_the_total_of_recorded_bodies(name: str) -> None:
    body = conformance_file(f"bodies/googleai-unary-success-{name}.json").read_bytes()
    total = json.loads(body)["usageMetadata"]["totalTokenCount"]
    usage = decode_chunk(body).usage
    assert usage.input_tokens + usage.output_tokens == usage.total_tokens == total
