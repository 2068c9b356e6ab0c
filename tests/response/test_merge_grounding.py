import json
from typing import Any

import msgspec
import pytest

from cometgem.response.merge_grounding import GroundingMerger
from cometgem.types import GroundingMetadata
from cometgem.types.wire import encode

JSON = dict[str, Any]


def chunks(*uris: str) -> JSON:
    return {"groundingChunks": [{"web": {"uri": uri}} for uri in uris]}


def supports(*texts: str, at: list[int] | None = None) -> JSON:
    indices = {"groundingChunkIndices": at} if at else {}
    return {"groundingSupports": [{"segment": {"text": text}, **indices} for text in texts]}


def both(one: JSON, other: JSON) -> JSON:
    return {"groundingSupports": one["groundingSupports"] + other["groundingSupports"]}


A, AB, B, ABC = chunks("a"), chunks("a", "b"), chunks("b"), chunks("a", "b", "c")

ROWS: dict[str, tuple[list[JSON], JSON]] = {
    "one": ([A], A),
    "everything repeated": ([AB | supports("x", at=[1])] * 3, AB | supports("x", at=[1])),
    "everything repeated, and more": (
        [A | supports("x", at=[0]), AB | both(supports("x", at=[0]), supports("y", at=[1]))],
        AB | both(supports("x", at=[0]), supports("y", at=[1])),
    ),
    "only new chunks": (
        [AB | supports("x", at=[0, 1]), chunks("c") | supports("y", at=[0])],
        ABC | both(supports("x", at=[0, 1]), supports("y", at=[2])),
    ),
    "only new chunks, three times": (
        [A | supports("x", at=[0]), B | supports("y", at=[0]), chunks("c") | supports("z", at=[0])],
        ABC | both(both(supports("x", at=[0]), supports("y", at=[1])), supports("z", at=[2])),
    ),
    "the same support for other chunks": (
        [A | supports("x", at=[0]), B | supports("x", at=[0])],
        AB | both(supports("x", at=[0]), supports("x", at=[1])),
    ),
    "fewer chunks than before are new chunks": ([AB, A], chunks("a", "b", "a")),
    "chunks repeated, new supports": (
        [A | supports("x", at=[0]), A | supports("y", at=[0])],
        A | both(supports("x", at=[0]), supports("y", at=[0])),
    ),
    "chunks first, supports later": (
        [AB, supports("x", at=[0]), supports("y", at=[1])],
        AB | both(supports("x", at=[0]), supports("y", at=[1])),
    ),
    "supports repeated": (
        [AB, supports("x", at=[1]), supports("x", "y", at=[1])],
        AB | supports("x", "y", at=[1]),
    ),
    "supports first": ([supports("x", at=[0]), A], A | supports("x", at=[0])),
    "empty chunks are chunks": (
        [{"groundingChunks": [{}, {}]}, A | supports("x", at=[0])],
        {"groundingChunks": [{}, {}, *A["groundingChunks"]]} | supports("x", at=[2]),
    ),
    "empty metadata erases nothing": (
        [A | supports("x", at=[0]), {}, chunks()],
        A | supports("x", at=[0]),
    ),
    "the last of each field": (
        [
            {"webSearchQueries": ["a"], "retrievalQueries": ["r"], "imageSearchQueries": ["i"]},
            {"webSearchQueries": ["b"], "googleMapsWidgetContextToken": "t"},
            {"webSearchQueries": [], "googleMapsWidgetContextToken": ""},
        ],
        {
            "webSearchQueries": ["b"],
            "imageSearchQueries": ["i"],
            "retrievalQueries": ["r"],
            "googleMapsWidgetContextToken": "t",
        },
    ),
    "the last that is not empty": (
        [
            {"searchEntryPoint": {"renderedContent": "c"}},
            {"retrievalMetadata": {"googleSearchDynamicRetrievalScore": 0.0}},
            {"searchEntryPoint": {}, "retrievalMetadata": {}, "sourceFlaggingUris": []},
        ],
        {
            "searchEntryPoint": {"renderedContent": "c"},
            "retrievalMetadata": {"googleSearchDynamicRetrievalScore": 0.0},
        },
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_grounding(name: str) -> None:
    pieces, expected = ROWS[name]
    given = msgspec.convert(pieces, list[GroundingMetadata])
    before = encode(given)
    merger = GroundingMerger()
    for metadata in given:
        merger.add(metadata)
    assert json.loads(encode(merger.metadata())) == expected
    assert encode(given) == before, "a piece was changed"
