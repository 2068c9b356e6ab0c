"""Checkpoints, and the usage of hops that a response keeps outside its fields."""

from __future__ import annotations

import copy
import pickle

import pytest

from cometgem.response.codec import decode_chunk
from cometgem.response.merge import ResponseMerger
from cometgem.types import GenerateContentResponse, UsageMetadata
from cometgem.types.checkpoint import Checkpoint
from cometgem.types.nesting import deep_copy

CHUNK = b"""{"candidates": [{"content": {"parts": [{"text": "a"}, {"hologram": {"x": 1}}]}}],
    "usageMetadata": {"promptTokenCount": %d}}"""


def merged(hops: int) -> GenerateContentResponse:
    merger = ResponseMerger()
    for hop in range(hops):
        if hop:
            merger.begin_hop()
        merger.add(decode_chunk(CHUNK % (hop + 5)))
    return merger.response()


def prompts(response: GenerateContentResponse) -> list[int | None]:
    return [usage.prompt_token_count for usage in response.usage_metadata_per_hop]


def pickled(value: GenerateContentResponse) -> GenerateContentResponse:
    copied: GenerateContentResponse = pickle.loads(pickle.dumps(value))  # noqa: S301
    return copied


def test_usage_per_hop() -> None:
    assert GenerateContentResponse().usage_metadata_per_hop == []
    assert prompts(merged(1)) == [5]
    assert prompts(merged(3)) == [5, 6, 7]
    assert merged(3).usage_metadata == UsageMetadata(prompt_token_count=18)
    assert "PerHop" not in merged(3).to_json()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled, deep_copy])
def test_copies_keep_the_usage_per_hop(copied: object) -> None:
    response = merged(2)
    assert callable(copied)
    again = copied(response)
    assert again == response
    assert prompts(again) == [5, 6]


def test_a_copy_has_no_raw() -> None:
    chunk = decode_chunk(CHUNK % 5)
    assert chunk.raw
    assert (copy.copy(chunk).raw, pickled(chunk).raw) == (b"", b"")


@pytest.mark.parametrize("hops", [1, 2])
def test_json_of_a_checkpoint(hops: int) -> None:
    checkpoint = Checkpoint(token="dG9rZW4=", response=merged(hops))
    again = Checkpoint.from_json(checkpoint.to_json())
    assert again == checkpoint
    assert prompts(again.response) == prompts(checkpoint.response)
    assert Checkpoint.from_json(checkpoint.to_json().encode()) == checkpoint
    assert again.response.to_dict() == checkpoint.response.to_dict()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"token": 1}', b"\xff", "[" * 5000])
def test_what_is_not_a_checkpoint(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="not the JSON of a checkpoint"):
        Checkpoint.from_json(text)
