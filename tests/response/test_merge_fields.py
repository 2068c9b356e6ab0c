import json

import pytest
from response.merging import JSON, candidate, merged, text

from cometgem.response.codec import decode_chunk
from cometgem.response.merge import ResponseMerger
from cometgem.types import GenerateContentResponse
from cometgem.types.wire import encode

STOP = {"finishReason": "STOP"}
URI = {"uri": "a", "startIndex": 5}
TITLE = {"uri": "a", "title": "t"}


def rated(**rating: object) -> JSON:
    return {"safetyRatings": [rating]}


def cited(*sources: JSON) -> JSON:
    return {"citationMetadata": {"citationSources": list(sources)}}


def logprobs(**result: object) -> JSON:
    return {"logprobsResult": result}


def grounded(**metadata: object) -> JSON:
    return {"groundingMetadata": metadata}


def pages(*urls: str) -> JSON:
    return {"urlContextMetadata": {"urlMetadata": [{"retrievedUrl": url} for url in urls]}}


# Fields of a candidate, per chunk and merged.
FIELDS: dict[str, tuple[list[JSON], JSON]] = {
    "the last finishReason": (
        [{"finishReason": "STOP"}, {"finishReason": "RECITATION"}, {"finishReason": None}, {}],
        {"finishReason": "RECITATION"},
    ),
    "an empty finishReason": ([STOP, {"finishReason": ""}], STOP),
    "an unspecified finishReason": (
        [{"finishReason": "FINISH_REASON_UNSPECIFIED"}],
        {"finishReason": "FINISH_REASON_UNSPECIFIED"},
    ),
    "a finishReason after an unspecified one": (
        [{"finishReason": "FINISH_REASON_UNSPECIFIED"}, STOP],
        STOP,
    ),
    "a finishReason before an unspecified one": (
        [STOP, {"finishReason": "FINISH_REASON_UNSPECIFIED"}],
        STOP,
    ),
    "an unknown finishReason": ([{"finishReason": "A_NEW_ONE"}], {"finishReason": "A_NEW_ONE"}),
    "the last finishMessage": (
        [{"finishMessage": "a"}, {"finishMessage": "b"}, {}],
        {"finishMessage": "b"},
    ),
    "text after a finishReason": (
        [
            {"content": {"parts": [text("a")]}, "finishReason": "STOP"},
            {"content": {"parts": [text("b")]}},
        ],
        {"content": {"role": "model", "parts": [text("ab")]}, "finishReason": "STOP"},
    ),
    "the latest rating of a category": (
        [
            {"safetyRatings": [{"category": "A", "probability": "LOW"}, {"category": "B"}]},
            {"safetyRatings": [{"category": "A", "probability": "HIGH"}]},
            {},
        ],
        {"safetyRatings": [{"category": "A", "probability": "HIGH"}, {"category": "B"}]},
    ),
    "blocked is kept": (
        [
            rated(category="A", blocked=True),
            rated(category="A", probability="LOW"),
            rated(category="A", blocked=False, severity="S"),
        ],
        rated(category="A", blocked=True, severity="S"),
    ),
    "blocked comes late": (
        [rated(category="A"), rated(category="A", blocked=True)],
        rated(category="A", blocked=True),
    ),
    "empty ratings": ([rated(), rated()], rated()),
    "citations are appended": (
        [cited(URI), cited(), cited({"uri": "b"}, URI), cited({**URI, "startIndex": 6})],
        cited(URI, {"uri": "b"}, {**URI, "startIndex": 6}),
    ),
    "both spellings of citations": (
        [
            {"citationMetadata": {"citations": [TITLE]}},
            {"citationMetadata": {"citationSources": [URI], "citations": [TITLE]}},
        ],
        {"citationMetadata": {"citationSources": [URI], "citations": [TITLE]}},
    ),
    "one spelling of citations": (
        [{"citationMetadata": {"citations": [TITLE, TITLE]}}],
        {"citationMetadata": {"citations": [TITLE]}},
    ),
    "no citations": ([{"citationMetadata": {}}], {}),
    "logprobs are concatenated": (
        [
            logprobs(chosenCandidates=[{"token": "a"}], topCandidates=[{}], logProbabilitySum=-1.0),
            {},
            logprobs(chosenCandidates=[{"token": "b"}], topCandidates=[{"candidates": [{}]}]),
            logprobs(logProbabilitySum=-3.0),
        ],
        logprobs(
            chosenCandidates=[{"token": "a"}, {"token": "b"}],
            topCandidates=[{}, {"candidates": [{}]}],
            logProbabilitySum=-3.0,
        ),
    ),
    "the last avgLogprobs and tokenCount": (
        [{"avgLogprobs": -1.0, "tokenCount": 5}, {"avgLogprobs": -0.5, "tokenCount": 0}, {}],
        {"avgLogprobs": -0.5, "tokenCount": 0},
    ),
    "the last score": ([{"score": -1.5}, {"score": 0.0}, {}], {"score": 0.0}),
    "the last continuationToken": (
        [{"continuationToken": "YQ=="}, {"continuationToken": "Yg=="}, {"continuationToken": ""}],
        {"continuationToken": "Yg=="},
    ),
    "the last URL context": (
        [pages("a"), pages("b"), pages(), {"urlContextMetadata": {}}, {}],
        pages("b"),
    ),
    "the last attributions": (
        [{"groundingAttributions": [{}, {}]}, {"groundingAttributions": [{}]}, {}],
        {"groundingAttributions": [{}]},
    ),
    "grounding": (
        [grounded(), grounded(webSearchQueries=["q"]), grounded(), grounded(groundingChunks=[{}])],
        grounded(groundingChunks=[{}], webSearchQueries=["q"]),
    ),
    "empty grounding": ([grounded(), grounded()], {}),
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields_of_a_candidate(name: str) -> None:
    chunks, expected = FIELDS[name]
    assert candidate(*chunks) == expected


# Fields of the response, per chunk and merged.
RESPONSES: dict[str, tuple[list[JSON], JSON]] = {
    "usage is never summed": (
        [{"usageMetadata": {"totalTokenCount": n}} for n in (5, 9, 7)],
        {"usageMetadata": {"totalTokenCount": 7}},
    ),
    "empty usage erases nothing": (
        [
            {"usageMetadata": {"trafficType": "ON_DEMAND"}},
            {"usageMetadata": {"promptTokenCount": 5, "promptTokensDetails": [{"tokenCount": 5}]}},
            {"usageMetadata": {"promptTokenCount": None, "candidatesTokenCount": 3}},
            {"usageMetadata": {"candidatesTokenCount": 0, "promptTokensDetails": []}},
            {"usageMetadata": {}},
            {"usageMetadata": None},
            {},
        ],
        {
            "usageMetadata": {
                "promptTokenCount": 5,
                "candidatesTokenCount": 0,
                "promptTokensDetails": [{"tokenCount": 5}],
                "trafficType": "ON_DEMAND",
            }
        },
    ),
    "the last billable usage": (
        [
            {"usageMetadata": {"billablePromptUsage": {"textCount": 5, "imageCount": 1}}},
            {"usageMetadata": {"billablePromptUsage": {"textCount": 7}}},
            {"usageMetadata": {}},
        ],
        {"usageMetadata": {"billablePromptUsage": {"textCount": 7}}},
    ),
    "the last turnToken": (
        [{"turnToken": "v1_a"}, {"turnToken": "v1_b"}, {}],
        {"turnToken": "v1_b"},
    ),
    "the first promptFeedback": (
        [
            {"promptFeedback": {"safetyRatings": [{"category": "A"}]}},
            {"promptFeedback": {"blockReason": "SAFETY"}},
            {"promptFeedback": {"blockReason": "OTHER", "blockReasonMessage": "m"}},
            {"promptFeedback": {"safetyRatings": [{"category": "B"}]}},
        ],
        {
            "promptFeedback": {
                "blockReason": "SAFETY",
                "safetyRatings": [{"category": "A"}],
                "blockReasonMessage": "m",
            }
        },
    ),
    "the first ids": (
        [
            {"responseId": None, "modelVersion": "", "createTime": ""},
            {"responseId": "r1", "modelVersion": "m1", "createTime": "c1"},
            {"responseId": "r2", "modelVersion": "m2", "createTime": "c2"},
        ],
        {"modelVersion": "m1", "createTime": "c1", "responseId": "r1"},
    ),
    "the last modelStatus": (
        [{"modelStatus": {"modelStage": "A"}}, {"modelStatus": {"modelStage": "B"}}, {}],
        {"modelStatus": {"modelStage": "B"}},
    ),
}


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 66, 130, 1000])
def test_usage_of_any_number_of_chunks(count: int) -> None:
    first = {"promptTokenCount": 5, "cacheTokensDetails": [{"tokenCount": 1}]}
    usages = [first, *({"totalTokenCount": n} for n in range(count)), {}, {"trafficType": "T"}]
    merger = ResponseMerger()
    for usage in usages:
        merger.add(decode_chunk(json.dumps({"usageMetadata": usage}).encode()))
    total = {"totalTokenCount": count - 1, "trafficType": "T"}
    assert json.loads(encode(merger.response().usage_metadata)) == first | total


@pytest.mark.parametrize("name", RESPONSES)
def test_fields_of_the_response(name: str) -> None:
    chunks, expected = RESPONSES[name]
    assert merged(*chunks) == expected


@pytest.mark.parametrize(
    ("chunk", "finished"),
    [
        ({}, False),
        ({"candidates": [{"finishReason": ""}]}, False),
        ({"candidates": [{"content": {"parts": [text("a")]}}]}, False),
        ({"candidates": [{"index": 1, "finishReason": "STOP"}]}, True),
        ({"candidates": [{"finishReason": "A_NEW_ONE"}]}, True),
        ({"candidates": [{"finishReason": "FINISH_REASON_UNSPECIFIED"}]}, False),
        ({"candidates": [{"finishReason": "STOP"}, {"index": 1}]}, False),
        ({"candidates": [{"finishReason": "STOP"}, {"index": 1, "finishReason": "SAFETY"}]}, True),
        ({"candidates": [{"index": 1}], "promptFeedback": {"blockReason": "SAFETY"}}, True),
        ({"promptFeedback": {"blockReason": "BLOCK_REASON_UNSPECIFIED"}}, False),
        ({"promptFeedback": {"safetyRatings": []}}, False),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, True),
    ],
)
def test_finished_after_a_finish_or_block_reason(chunk: JSON, finished: bool) -> None:  # noqa: FBT001
    merger = ResponseMerger()
    merger.add(decode_chunk(json.dumps(chunk).encode()))
    assert merger.finished is finished
    merger.add(GenerateContentResponse())
    assert merger.finished is finished


@pytest.mark.parametrize(
    ("candidates", "missing"),
    [
        ([], "a finishReason"),
        ([{}], "a finishReason"),
        ([STOP, {"index": 1}], "a finishReason for candidate 1"),
        ([{}, STOP | {"index": 1}], "a finishReason for candidate 0"),
        ([STOP, {"index": 2}, {"index": 1}], "a finishReason for candidate 1"),
        ([STOP, STOP | {"index": 1}], ""),
    ],
)
def test_what_is_missing_at_the_end(candidates: list[JSON], missing: str) -> None:
    merger = ResponseMerger()
    for one in candidates:
        merger.add(decode_chunk(json.dumps({"candidates": [one]}).encode()))
    assert merger.unfinished == missing
