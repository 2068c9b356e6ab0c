import copy
import gc
import json
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from response.merging import JSON, candidate, merged, text

from cometgem.response.codec import decode_chunk
from cometgem.response.merge import ResponseMerger
from cometgem.response.merge_grounding import GroundingMerger
from cometgem.types import GenerateContentResponse
from cometgem.types.wire import encode


def parts(*pieces: JSON) -> list[JSON]:
    """Merge parts, one per chunk, and check that one chunk with all parts gives the same."""
    apart = candidate(*({"content": {"parts": [piece]}} for piece in pieces))["content"]
    assert candidate({"content": {"parts": list(pieces)}})["content"] == apart
    assert apart.pop("role") == "model"
    return apart.get("parts", [])


def test_no_chunks_merge_to_an_empty_response() -> None:
    assert merged() == {}
    assert merged({}, {"candidates": []}) == {}
    assert candidate({}) == {}


def test_candidates_are_kept_apart_by_index() -> None:
    def said(text: str, **index: int) -> JSON:
        return {"content": {"parts": [{"text": text}], "role": "model"}, **index}

    assert merged(
        {"candidates": [said("c", index=2), said("a")]},
        {"candidates": [said("b", index=1), said("C", index=2)]},
        {"candidates": [said("A", index=0)]},
    ) == {"candidates": [said("aA"), said("b", index=1), said("cC", index=2)]}


@pytest.mark.parametrize(
    ("roles", "role"),
    [
        ([None, None], "model"),
        (["", None], "model"),
        ([None, "", "user", "model"], "user"),
        (["model", "user"], "model"),
    ],
)
def test_the_first_role_wins(roles: list[str | None], role: str) -> None:
    contents = ({"content": {"role": given} if given is not None else {}} for given in roles)
    assert candidate(*contents) == {"content": {"role": role}}


IMAGE = {"inlineData": {"data": "AA==", "mimeType": "image/png"}}
CALL = {"functionCall": {"name": "f", "args": {"a": 1}}}
NAMED = {"functionCall": {"name": "f", "args": {}, "id": "1"}}
SIGNED = {"thoughtSignature": "s1"}

PARTS: dict[str, tuple[list[JSON], list[JSON]]] = {
    "texts are joined": ([text("a"), text("b"), text("c")], [text("abc")]),
    "blanks stay": ([text(" "), text("\n"), text(" ")], [text(" \n ")]),
    "thoughts are joined": (
        [text("a", thought=True), text("b", thought=True), text("c"), text("d")],
        [text("ab", thought=True), text("cd")],
    ),
    "thoughts come back": (
        [text("a", thought=True), text("b"), text("c", thought=True)],
        [text("a", thought=True), text("b"), text("c", thought=True)],
    ),
    "false is not a thought": (
        [text("a"), text("b", thought=False)],
        [text("ab", thought=False)],
    ),
    "empty text is dropped": ([text("a"), text(""), text("b"), text("")], [text("ab")]),
    "an empty thought is dropped": ([text("a"), text("", thought=True), text("b")], [text("ab")]),
    "nothing is dropped": ([text("a"), {}, {"thought": True}, text("b")], [text("ab")]),
    "nothing but empty text": ([text("")], []),
    "a signed text stands alone": (
        [text("a"), text("b", **SIGNED), text("c")],
        [text("a"), text("b", **SIGNED), text("c")],
    ),
    "signed texts stand alone": (
        [text("a", **SIGNED), text("b", thoughtSignature="s2")],
        [text("a", **SIGNED), text("b", thoughtSignature="s2")],
    ),
    "a signed empty text stands alone": (
        [text("a"), text("", **SIGNED), text("b")],
        [text("a"), text("", **SIGNED), text("b")],
    ),
    "a signature without text stands alone": ([text("a"), SIGNED], [text("a"), SIGNED]),
    "a signed thought stands alone": (
        [text("a", thought=True), text("", thought=True, **SIGNED), text("b")],
        [text("a", thought=True), text("", thought=True, **SIGNED), text("b")],
    ),
    "a text with more stands alone": (
        [text("a"), text("b", partMetadata={"k": None}), text("c")],
        [text("a"), text("b", partMetadata={"k": None}), text("c")],
    ),
    "an empty text with more stays": (
        [text("", mediaResolution={"level": "L"}), text("", partMetadata={})],
        [text("", mediaResolution={"level": "L"}), text("", partMetadata={})],
    ),
    "calls are never joined": ([CALL, CALL], [CALL, CALL]),
    "calls keep order, id and signature": (
        [text("a"), {**SIGNED, **NAMED}, CALL, text("b")],
        [text("a"), {**SIGNED, **NAMED}, CALL, text("b")],
    ),
    "a call without args is complete": (
        [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "f"}}],
        [{"functionCall": {"name": "f", "args": {}}}] * 2,
    ),
    "images stay in place": (
        [text("a"), IMAGE, text("b"), {**IMAGE, "thought": True}, IMAGE],
        [text("a"), IMAGE, text("b"), {**IMAGE, "thought": True}, IMAGE],
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts(name: str) -> None:
    pieces, expected = PARTS[name]
    assert parts(*pieces) == expected


@pytest.mark.parametrize(
    "part",
    [
        IMAGE,
        {"fileData": {"fileUri": "u", "mimeType": "m"}},
        {"executableCode": {"code": "1", "language": "PYTHON"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"toolCall": {"toolType": "t", "args": {"a": None}, "id": "1"}},
        {"toolResponse": {"toolType": "t", "response": {}, "id": "1"}},
        {"functionResponse": {"name": "f", "response": {"a": [None]}, "id": "1"}},
    ],
)
def test_other_parts_are_unchanged(part: JSON) -> None:
    assert parts(part, text("a"), part, part, text("b")) == [part, text("a"), part, part, text("b")]


def test_parts_newer_than_the_library_are_kept_in_place() -> None:
    newer = {"hologram": {"text": None, "list": [1, 0.5, {}]}}
    marked = text("x", depth=1)
    said = [text("a"), newer, marked, marked, text("b")]
    assert parts(text("a"), newer, marked, marked, text("b")) == said
    assert parts(newer, text("", **newer), text("", thought=True)) == [newer, text("", **newer)]


def test_a_newer_key_that_is_null_is_nothing() -> None:
    assert parts(text("a", depth=None), {"hologram": None}, text("b")) == [text("ab")]


def test_raw_is_not_merged() -> None:
    chunk = decode_chunk(b'{"newer":1,"candidates":[{}]}')
    merger = ResponseMerger()
    merger.add(chunk)
    assert chunk.raw == b'{"newer":1,"candidates":[{}]}'
    assert merger.response().raw == b""


def test_the_merged_content_can_be_sent_back() -> None:
    chunks = [text("a", thought=True), text("b"), {**CALL, **SIGNED}, CALL, text("", **SIGNED)]
    merger = ResponseMerger()
    for part in chunks:
        body = {"candidates": [{"content": {"parts": [part]}}]}
        merger.add(decode_chunk(json.dumps(body).encode()))
    assert json.loads(encode(merger.response().content)) == {"parts": chunks, "role": "model"}


RICH = json.dumps({
    "candidates": [{
        "content": {"parts": [text("a"), text("b", thought=True), CALL, text("c")]},
        "safetyRatings": [{"category": "A", "blocked": False}],
        "citationMetadata": {"citations": [{"uri": "a"}]},
        "logprobsResult": {"chosenCandidates": [{"token": "a"}], "topCandidates": [{}]},
        "groundingMetadata": {"groundingChunks": [{"web": {"uri": "u"}}]},
        "urlContextMetadata": {"urlMetadata": [{"retrievedUrl": "b"}]},
        "finishReason": "STOP",
    }],
    "usageMetadata": {"totalTokenCount": 5},
    "promptFeedback": {"safetyRatings": [{"category": "A"}]},
    "responseId": "r",
}).encode()  # fmt: skip

TEXT = (
    b'{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"totalTokenCount":5}}'
)


def calls(act: Callable[[], object]) -> int:
    """Count the calls of Python and C functions."""
    count = 0

    def count_one(_frame: FrameType, what: str, _called: object) -> None:
        nonlocal count
        count += what in ("call", "c_call")

    sys.setprofile(count_one)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count


def merge(chunks: list[GenerateContentResponse]) -> GenerateContentResponse:
    merger = ResponseMerger()
    for chunk in chunks:
        merger.add(chunk)
    return merger.response()


PIECE = (
    b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","willContinue":true,'
    b'"partialArgs":[{"jsonPath":"$.a[0].b","stringValue":"x","willContinue":true}]}}]}}]}'
)


# Each the body of chunk number %d, or one to repeat.
OPEN_CALL = (
    '{"candidates":[{"content":{"parts":[{"functionCall":'
    '{"name":"f%d","id":"%d","willContinue":true}}]}}]}'
)
OPEN_CALL_WITHOUT_ID = (
    '{"candidates":[{"content":{"parts":[{"functionCall":'
    '{"name":"f%d","args":{"a":%d},"willContinue":true}}]}}]}'
)
GROUNDING = (
    '{"candidates":[{"groundingMetadata":{"groundingChunks":[{"web":{"uri":"%d"}}],'
    '"groundingSupports":[{"segment":{"text":"%d"},"groundingChunkIndices":[0]}]}}]}'
)
SIGNED_TEXT = (
    '{"candidates":[{"content":{"parts":[{"text":"%d"},{"text":"","thoughtSignature":"%d"}]}}]}'
)


@pytest.mark.parametrize("template", [OPEN_CALL, OPEN_CALL_WITHOUT_ID, GROUNDING, SIGNED_TEXT])
def test_the_cost_of_what_accumulates_is_linear(template: str) -> None:
    short, long = (
        [decode_chunk((template % (at, at)).encode()) for at in range(n)] for n in (500, 1000)
    )
    few = calls(lambda: merge(short))
    assert calls(lambda: merge(long)) <= 2.1 * few


def test_appended_grounding_is_not_copied_for_each_chunk() -> None:
    """Copying a list is a single call, so calls do not show it."""
    merger = GroundingMerger()
    pieces = [
        decode_chunk((GROUNDING % (at, at)).encode()).candidates[0].grounding_metadata
        for at in range(4000)
    ]
    lists = []
    for piece in pieces:
        assert piece is not None
        merger.add(piece)
        lists.append(merger._chunks)  # noqa: SLF001
    assert all(one is lists[-1] for one in lists)
    assert len(merger.metadata().grounding_chunks) == 4000


def test_pieces_find_their_call_among_many() -> None:
    def call(**fields: Any) -> dict[str, Any]:
        return {"candidates": [{"content": {"parts": [{"functionCall": fields}]}}]}

    count = 300
    bodies = [call(name="g", args={"n": at}, willContinue=True) for at in range(count)]
    bodies += [call(name="f", id=str(at), willContinue=True) for at in range(count)]
    bodies += [call(name="", id=str(at), args={"a": at}) for at in range(count) if at % 2]
    response = merge([decode_chunk(json.dumps(body).encode()) for body in bodies])
    for at, one in enumerate(response.function_calls[count:]):
        assert (one.id, one.args) == (str(at), {"a": at} if at % 2 else {})
        assert one.will_continue is (None if at % 2 else True)


@pytest.mark.parametrize("body", [TEXT, RICH, PIECE], ids=["text", "rich", "piece"])
def test_the_cost_of_merging_is_linear(body: bytes) -> None:
    short, long = ([decode_chunk(body) for _ in range(n)] for n in (400, 4000))
    few = calls(lambda: merge(short))
    assert 400 <= few <= 400 * 150
    assert calls(lambda: merge(long)) <= 11 * few


def test_chunks_are_not_kept() -> None:
    def alive() -> int:
        gc.collect()
        return sum(isinstance(one, GenerateContentResponse) for one in gc.get_objects())

    before = alive()
    merger = ResponseMerger()
    for _ in range(100):
        merger.add(copy.copy(decode_chunk(RICH)))
    assert alive() == before
    assert merger.chunks == 100


def test_chunks_of_many_streams_cause_no_garbage_collection() -> None:
    collections = 0

    def count(phase: str, _: object) -> None:
        nonlocal collections
        collections += phase == "start"

    mergers = [ResponseMerger() for _ in range(200)]
    for merger in mergers:
        merger.add(decode_chunk(TEXT))
    gc.collect()
    gc.callbacks.append(count)
    try:
        for _ in range(150):
            for merger in mergers:
                merger.add(decode_chunk(TEXT))
    finally:
        gc.callbacks.remove(count)
    assert collections == 0


def test_a_signature_in_a_part_of_its_own_belongs_to_the_text_before_it() -> None:
    """It stays in the part in which it came, also if that has no text or nothing else."""
    for signed in (text("", **SIGNED), dict(SIGNED), text("", thought=True, **SIGNED)):
        assert parts(text("a"), text("b"), signed) == [text("ab"), signed]
        assert parts(text("a"), signed, text("b")) == [text("a"), signed, text("b")]
