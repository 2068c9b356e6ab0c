import copy
import pickle

import msgspec
import pytest

from cometgem.types import (
    Blob,
    Candidate,
    Content,
    FinishReason,
    FunctionCall,
    GenerateContentResponse,
    Part,
    PromptFeedback,
)


def answer(*parts: Part, finish_reason: str | None = None) -> GenerateContentResponse:
    content = Content(parts=list(parts), role="model")
    return GenerateContentResponse(
        candidates=[Candidate(content=content, finish_reason=finish_reason)]
    )


EMPTY = [
    GenerateContentResponse(),
    GenerateContentResponse(candidates=[Candidate()]),
    GenerateContentResponse(candidates=[Candidate(content=Content())]),
    GenerateContentResponse(candidates=[Candidate(content=Content(role="model"))]),
    GenerateContentResponse(
        candidates=[Candidate(index=1, content=Content(parts=[Part(text="second")]))]
    ),
]


@pytest.mark.parametrize("response", EMPTY)
def test_properties_of_empty_responses(response: GenerateContentResponse) -> None:
    assert response.text == ""
    assert response.thoughts == ""
    assert response.parts == []
    assert response.function_calls == []
    assert response.images == []
    assert response.finish_reason is None
    assert response.block_reason is None
    assert response.content == Content(role="model")


@pytest.mark.parametrize(
    ("parts", "text", "thoughts"),
    [
        ([Part(text="a")], "a", ""),
        ([Part(text="")], "", ""),
        ([Part(text="a", thought=False)], "a", ""),
        ([Part(text="a", thought=True)], "", "a"),
        ([Part(function_call=FunctionCall(name="f"))], "", ""),
        ([Part(text="a"), Part(text="b", thought=True), Part(text="c")], "ac", "b"),
        ([Part(text="a"), Part(inline_data=Blob()), Part(text=""), Part(text="c")], "ac", ""),
    ],
)
def test_text_and_thoughts(parts: list[Part], text: str, thoughts: str) -> None:
    response = answer(*parts)
    assert response.text == text
    assert response.thoughts == thoughts
    assert response.parts == parts


def test_the_first_candidate_is_the_one_with_index_0() -> None:
    second = Candidate(
        index=1, finish_reason="SAFETY", content=Content(parts=[Part(text="second")])
    )
    first = Candidate(finish_reason="STOP", content=Content(parts=[Part(text="first")]))
    response = GenerateContentResponse(candidates=[second, first])
    assert response.text == "first"
    assert response.parts == [Part(text="first")]
    assert response.finish_reason == FinishReason.STOP


def test_function_calls_include_incomplete_ones() -> None:
    done, open_ = FunctionCall(name="f"), FunctionCall(name="g", will_continue=True)
    response = answer(Part(function_call=done), Part(text="t"), Part(function_call=open_))
    assert response.function_calls == [done, open_]


def test_images_exclude_thoughts_and_audio() -> None:
    png = Blob(data=b"1", mime_type="image/png")
    response = answer(
        Part(inline_data=Blob(data=b"0", mime_type="image/png"), thought=True),
        Part(inline_data=Blob(data=b"2", mime_type="audio/wav")),
        Part(text="t"),
        Part(inline_data=png),
    )
    assert response.images == [png]


def test_finish_reason_and_block_reason() -> None:
    assert answer(finish_reason="NEWER_THAN_US").finish_reason == "NEWER_THAN_US"
    blocked = GenerateContentResponse(prompt_feedback=PromptFeedback(block_reason="SAFETY"))
    assert blocked.block_reason == "SAFETY"


def test_content_is_ready_for_history() -> None:
    signed = Part(text="", thought_signature="c2ln")
    response = answer(Part(text="a"), signed)
    assert response.content is response.candidates[0].content
    without_role = GenerateContentResponse(candidates=[Candidate(content=Content(parts=[signed]))])
    assert without_role.content == Content(role="model", parts=[signed])


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"candidates":[{}]}',
        b'{"candidates":[{"content":{"role":"model"},"finishReason":null}]}',
        b'{"candidates":[{"groundingMetadata":{},"safetyRatings":[{}]}],"usageMetadata":{}}',
    ],
)
def test_sparse_chunks_decode(body: bytes) -> None:
    assert msgspec.json.decode(body, type=GenerateContentResponse).text == ""


@pytest.fixture
def chunk() -> GenerateContentResponse:
    data = b'{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"raw":"a wire key","newer":1}'
    response = msgspec.json.decode(data, type=GenerateContentResponse)
    response.__dict__["raw"] = data
    return response


def test_raw_is_kept_and_never_sent(chunk: GenerateContentResponse) -> None:
    assert chunk.raw.endswith(b'"newer":1}')
    assert msgspec.json.encode(chunk) == b'{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}'
    assert "raw" not in msgspec.to_builtins(chunk)
    assert "raw" not in repr(chunk)
    by_hand = Candidate(content=Content(parts=[Part(text="a")]))
    assert chunk == GenerateContentResponse(candidates=[by_hand])


def test_to_dict_and_to_json_have_the_fields_but_not_raw(chunk: GenerateContentResponse) -> None:
    body = {"candidates": [{"content": {"parts": [{"text": "a"}]}}]}
    assert chunk.to_dict() == body
    assert chunk.to_json() == '{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}'


def test_raw_is_empty_when_built_by_hand() -> None:
    assert GenerateContentResponse().raw == b""
    with pytest.raises(AttributeError):
        GenerateContentResponse().raw = b"{}"  # type: ignore[misc]


def test_copies_and_pickles_are_equal_without_raw(chunk: GenerateContentResponse) -> None:
    copies = [
        copy.copy(chunk),
        copy.deepcopy(chunk),
        pickle.loads(pickle.dumps(chunk)),  # noqa: S301  # our own bytes
        msgspec.structs.replace(chunk),
    ]
    for other in copies:
        assert other == chunk
        assert other.raw == b""
