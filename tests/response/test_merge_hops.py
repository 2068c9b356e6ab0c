"""Merging over the hops of a long answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from cometgem.response.codec import decode_chunk
from cometgem.response.merge import ResponseMerger
from cometgem.types.wire import encode

if TYPE_CHECKING:
    from cometgem.types import GenerateContentResponse


def chunk(*parts: dict[str, Any], usage: dict[str, Any] | None = None, **fields: Any) -> Any:
    candidate = {"content": {"parts": list(parts), "role": "model"}, **fields}
    return decode_chunk(encode({"candidates": [candidate], "usageMetadata": usage}))


def text(said: str, **fields: Any) -> Any:
    return chunk({"text": said}, **fields)


def merge(*hops: list[Any]) -> ResponseMerger:
    merger = ResponseMerger()
    for at, hop in enumerate(hops):
        if at:
            merger.begin_hop()
        for one in hop:
            merger.add(one)
    return merger


def supports(response: GenerateContentResponse) -> list[tuple[int | None, int | None, list[int]]]:
    grounding = response.candidates[0].grounding_metadata
    assert grounding is not None
    return [
        (one.segment.start_index, one.segment.end_index, one.grounding_chunk_indices)
        for one in grounding.grounding_supports
        if one.segment is not None
    ]


def grounded(end: int, *uris: str) -> dict[str, Any]:
    return {
        "groundingMetadata": {
            "groundingChunks": [{"web": {"uri": uri}} for uri in uris],
            "groundingSupports": [{"segment": {"endIndex": end}, "groundingChunkIndices": [0]}],
        }
    }


def test_text_joins_and_a_signed_part_stands_alone() -> None:
    signed = {"text": "c", "thoughtSignature": "c2ln"}
    merger = merge([text("a")], [text("b"), chunk(signed)], [text("d")], [text("e")])
    parts = [part.to_dict() for part in merger.response().parts]
    assert parts == [{"text": "ab"}, signed, {"text": "de"}]


def test_a_call_may_be_cut_by_the_end_of_a_hop() -> None:
    begun = chunk({"functionCall": {"name": "f", "willContinue": True}})
    piece = chunk(
        {
            "functionCall": {
                "partialArgs": [{"jsonPath": "$.x", "numberValue": 1}],
                "willContinue": True,
            }
        }
    )
    end = chunk({"functionCall": {}})
    response = merge([begun], [piece], [end]).response()
    assert [call.to_dict() for call in response.function_calls] == [{"name": "f", "args": {"x": 1}}]


def test_the_end_is_that_of_the_last_hop() -> None:
    first = text("a", finishReason="CONTINUATION", finishMessage="more", continuationToken="s")
    merger = merge([first])
    assert merger.response().candidates[0].continuation_token == "s"
    assert merger.unfinished == ""
    merger.begin_hop()
    assert merger.unfinished == "a finishReason"
    merger.add(text("b", finishReason="STOP"))
    candidate = merger.response().candidates[0]
    assert (candidate.finish_reason, candidate.finish_message) == ("STOP", None)
    assert candidate.continuation_token is None


def test_only_the_first_candidate_is_continued() -> None:
    both = decode_chunk(
        encode(
            {
                "candidates": [
                    {"index": 0, "finishReason": "CONTINUATION", "continuationToken": "s"},
                    {"index": 1, "finishReason": "STOP"},
                ]
            }
        )
    )
    merger = merge([both], [text("b")])
    assert [one.finish_reason for one in merger.response().candidates] == [None, "STOP"]
    assert merger.token == "s"


def test_usage_is_the_last_of_each_hop_and_summed_over_hops() -> None:
    merger = merge(
        [text("a", usage={"totalTokenCount": 5}), text("b", usage={"totalTokenCount": 7})],
        [text("c")],
        [text("d", usage={"totalTokenCount": 10})],
    )
    response = merger.response()
    assert response.usage_metadata is not None
    assert response.usage_metadata.total_token_count == 17
    assert [one.total_token_count for one in response.usage_metadata_per_hop] == [7, 10]
    merger.add(text("e", usage={"totalTokenCount": 11}))
    assert response.usage_metadata.total_token_count == 17
    assert [one.total_token_count for one in merger.response().usage_metadata_per_hop] == [7, 11]


def test_grounding_of_a_later_hop_is_shifted() -> None:
    hops = [
        [text("aé", **grounded(3, "u"))],
        [chunk({"text": "hm", "thought": True}), text("b"), text("c", **grounded(2, "u", "v"))],
        [text("d"), text("e", **grounded(1, "w"))],
    ]
    response = merge(*hops).response()
    assert supports(response) == [(None, 3, [0]), (3, 5, [1]), (5, 6, [3])]
    grounding = response.candidates[0].grounding_metadata
    assert grounding is not None
    uris = [one.web.uri for one in grounding.grounding_chunks if one.web]
    assert uris == ["u", "u", "v", "w"]


def test_grounding_that_comes_in_a_later_hop_only() -> None:
    response = merge([text("é")], [], [text("b", **grounded(1, "u"))]).response()
    assert supports(response) == [(2, 3, [0])]


def test_a_merger_goes_on_from_its_response() -> None:
    hops = [
        [text("a", usage={"totalTokenCount": 5}, **grounded(1, "u"))],
        [text("b", usage={"totalTokenCount": 6}), chunk({"functionCall": {"name": "f"}})],
    ]
    restored = ResponseMerger.of(merge(*hops).response(), "t")
    assert (restored.chunks, restored.token, restored.is_empty) == (0, "t", False)
    restored.begin_hop()
    last = [text("c", usage={"totalTokenCount": 7}, **grounded(1, "v"))]
    for one in last:
        restored.add(one)
    expected = merge(*hops, last).response()
    assert restored.response() == expected
    assert restored.response().usage_metadata_per_hop == expected.usage_metadata_per_hop


PARTS = st.one_of(
    st.builds(lambda said: {"text": said}, st.text("aé😀", max_size=3)),
    st.builds(lambda said: {"text": said, "thought": True}, st.text("aé", max_size=3)),
    st.just({"text": "s", "thoughtSignature": "c2ln"}),
    st.just({"functionCall": {"name": "f"}}),
)
HOPS = st.lists(st.lists(st.builds(chunk, PARTS), max_size=4), min_size=1, max_size=5)


@given(HOPS, st.lists(st.booleans(), min_size=20, max_size=20))
def test_hops_and_snapshots_do_not_change_the_content(
    hops: list[list[Any]], snapshots: list[bool]
) -> None:
    merger, whole, support = ResponseMerger(), ResponseMerger(), grounded(1, "u")
    starts = []
    for hop in hops:
        merger.begin_hop()
        starts.append(len(whole.response().text.encode()))
        merger.add(chunk(**support))
        whole.add(chunk())
        for one in hop:
            merger.add(one)
            whole.add(one)
            if snapshots and snapshots.pop():
                assert merger.response().text == whole.response().text
    assert merger.response().content == whole.response().content
    assert [start or 0 for start, _, _ in supports(merger.response())] == starts
    assert merger.beginning(3) == whole.response().text[:3]
    assert ResponseMerger.of(whole.response()).response() == whole.response()
