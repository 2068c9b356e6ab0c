"""The turns of a conversation, kept exactly."""

from __future__ import annotations

import json
from contextlib import nullcontext, suppress
from typing import Any

import pytest

from cometgem.conversation.turns import (
    Transcript,
    as_instruction,
    as_turns,
    model_turn,
    read_transcript,
    without_calls,
    without_thoughts,
    write_transcript,
)
from cometgem.errors import ConfigurationError
from cometgem.types import (
    Blob,
    Candidate,
    Content,
    FunctionCall,
    GenerateContentResponse,
    Part,
    UsageMetadata,
    VideoMetadata,
)
from cometgem.types.wire import encode

PICTURE = {"inlineData": {"mimeType": "image/png", "data": "AAEC"}}


@pytest.mark.parametrize(
    ("contents", "turns"),
    [
        ("Hi", [Content(role="user", parts=[Part(text="Hi")])]),
        (
            ["Look:", PICTURE, Part(text="?")],
            [
                Content(
                    role="user",
                    parts=[
                        Part(text="Look:"),
                        Part(inline_data=Blob(mime_type="image/png", data=b"\0\1\2")),
                        Part(text="?"),
                    ],
                )
            ],
        ),
        (
            [
                {"role": "user", "parts": [{"text": "a"}]},
                {"role": "model", "parts": [{"function_call": {"name": "f", "args": {"a_b": 1}}}]},
                Content(parts=[Part(text="b")]),
            ],
            [
                Content(role="user", parts=[Part(text="a")]),
                Content(
                    role="model",
                    parts=[Part(function_call=FunctionCall(name="f", args={"a_b": 1}))],
                ),
                Content(role="user", parts=[Part(text="b")]),
            ],
        ),
    ],
)
def test_contents_become_turns(contents: Any, turns: list[Content]) -> None:
    assert as_turns(contents) == turns


def test_contents_that_are_not_valid_as_history() -> None:
    with pytest.raises(ConfigurationError, match="not valid as history"):
        as_turns([{"role": "user", "parts": [{"text": 5}]}])
    with pytest.raises(ConfigurationError, match="contents is blank"):
        as_turns("")


@pytest.mark.parametrize(
    ("contents", "key"),
    [
        ({"role": "user", "parts": [{"text": "a"}], "mood": "good"}, "mood"),
        (["a", {"inlineData": {"data": "AAEC", "mimeType": "a/b", "depth": 3}}], "depth"),
        ([{"role": "user", "parts": [{"hologram": 1, "inlineData": {"tint": 1}}]}], "tint"),
    ],
)
def test_unknown_keys_are_not_dropped_silently(contents: Any, key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{key}' is not known to this version"):
        as_turns(contents)


@pytest.mark.parametrize(
    "part",
    [
        {"hologram": {"data": "x", "list": [None, 0.5, {}]}},
        {"text": "b", "tint": 1, "unknown": {"text": "c"}},
        {"functionCall": {"name": "f", "args": {"a_b": None}}, "tint": [1]},
    ],
)
def test_newer_keys_of_a_part_are_kept(part: dict[str, Any]) -> None:
    turns = as_turns(["a", part])
    assert json.loads(encode(turns)) == [{"role": "user", "parts": [{"text": "a"}, part]}]
    transcript = Transcript(model="m", history=turns)
    text = write_transcript(transcript)
    assert json.loads(text)["history"][0]["parts"][1] == part
    assert read_transcript(text) == read_transcript(text.encode()) == transcript
    assert json.loads(encode(as_instruction(["a", part])))["parts"][1] == part


def test_a_newer_key_that_is_close_to_a_known_one_is_a_typing_error() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'functionCall'"):
        as_turns({"functionCal": {"name": "f"}})


def test_base64_becomes_bytes_in_every_spelling() -> None:
    for data in ("-_8=", "-_8", "+/8=", "+/\r\n8="):
        for picture in (
            {"inlineData": {"mimeType": "image/png", "data": data}},
            {"inline_data": {"mime_type": "image/png", "data": data}},
        ):
            (turn,) = as_turns(["a", picture])
            assert turn.parts[1].inline_data == Blob(mime_type="image/png", data=b"\xfb\xff")
    with pytest.raises(ConfigurationError, match="not valid as history"):
        as_turns({"inlineData": {"mimeType": "image/png", "data": "data:image/png,+/8="}})


def test_a_function_response_may_have_media() -> None:
    media = [
        {"fileData": {"fileUri": "https://example.com/a.png", "mimeType": "image/png"}},
        {"inlineData": {"mimeType": "image/png", "data": "AAEC"}, "mediaProcessing": "STATIC"},
    ]
    response = {"name": "f", "response": {}, "parts": media}
    (turn,) = as_turns({"functionResponse": response})
    assert json.loads(encode(turn.parts)) == [{"functionResponse": response}]


def test_a_null_in_a_list_is_nothing() -> None:
    (turn,) = as_turns(
        {"fileData": {"fileUri": "u"}, "videoMetadata": {"contentLayers": [None, "AUDIO"]}}
    )
    assert turn.parts[0].video_metadata == VideoMetadata(content_layers=["AUDIO"])


def test_empty_values_may_be_dropped() -> None:
    assert as_turns({"text": "a", "thought": None, "hologram": None}) == as_turns("a")
    call = {"functionCall": {"name": "f", "args": {"any": {"key": [0, None]}}, "id": ""}}
    assert as_turns(call)[0].parts[0].function_call == FunctionCall(
        name="f", args={"any": {"key": [0, None]}}, id=""
    )


def test_a_system_instruction_has_no_role() -> None:
    assert as_instruction(["Be", Part(text="brief.")]) == Content(
        parts=[Part(text="Be"), Part(text="brief.")]
    )


def response(*parts: Part) -> GenerateContentResponse:
    return GenerateContentResponse(candidates=[Candidate(content=Content(parts=list(parts)))])


def test_a_model_turn_has_no_incomplete_calls() -> None:
    call = FunctionCall(name="f", args={"a": 1}, id="1")
    opened = FunctionCall(name="f", args={"a": 1}, id="1", will_continue=True)
    whole = response(Part(text="a"), Part(function_call=call, thought_signature="s"))
    cut = response(Part(text="a"), Part(function_call=opened, thought_signature="s"))
    assert model_turn(cut) == model_turn(whole)
    assert cut.function_calls == [opened]
    assert model_turn(whole).role == "model"


def test_calls_and_thoughts_can_be_left_out() -> None:
    said = Part(text="a")
    thought, signed = Part(text="b", thought=True), Part(text="c", thought=True)
    signed.thought_signature = "s"
    call = Part(function_call=FunctionCall(name="f"))
    turn = Content(role="model", parts=[thought, said, signed, call])
    assert without_thoughts(turn).parts == [said, signed, call]
    assert without_calls(turn).parts == [thought, said, signed]
    assert len(turn.parts) == 4


def test_a_transcript_is_in_wire_form() -> None:
    transcript = Transcript(
        model="gemini-x",
        history=as_turns(["Hi", PICTURE]),
        system_instruction=as_instruction("Be brief."),
        usage_metadata=UsageMetadata(total_token_count=5),
    )
    text = write_transcript(transcript)
    assert text == (
        '{"model":"gemini-x","history":[{"parts":[{"text":"Hi"},{"inlineData":{"data":"AAEC",'
        '"mimeType":"image/png"}}],"role":"user"}],"systemInstruction":{"parts":[{"text":'
        '"Be brief."}]},"usageMetadata":{"totalTokenCount":5}}'
    )
    assert read_transcript(text) == read_transcript(text.encode()) == transcript


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"model":"m"}', b"\xff", '{"model":1,"history":[]}']
)
def test_invalid_transcripts_are_refused(text: str | bytes) -> None:
    with pytest.raises(ConfigurationError, match="not the JSON of a chat: "):
        read_transcript(text)


def deep(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "part",
    [
        {"functionCall": {"name": "f", "partialArgs": []}},
        {"functionCall": {"name": "f", "partialArgs": [{}]}},
        {"functionCall": {"name": "f", "args": {"a": []}, "partial_args": []}},
        {"functionResponse": {"name": "f", "response": {}, "parts": []}},
        {"functionResponse": {"name": "f", "response": {"a": [[], {}]}, "parts": [{}]}},
        {"text": "a", "partMetadata": {}},
        {"text": "a", "thoughtSignature": "", "hologram": []},
    ],
)
def test_empty_lists_and_dicts_are_valid_as_history(part: dict[str, Any]) -> None:
    (turn,) = as_turns({"role": "model", "parts": [part]})
    assert len(turn.parts) == 1
    assert as_turns(part)[0].parts == turn.parts


@pytest.mark.parametrize("depth", [100, 490, 700, 950, 100_000])
@pytest.mark.parametrize("as_struct", [False, True])
def test_deep_history_is_kept_or_refused(depth: int, *, as_struct: bool) -> None:
    args = deep(depth)
    part: Any = (
        Part(function_call=FunctionCall(name="f", args=args))
        if as_struct
        else {"functionCall": {"name": "f", "args": args}}
    )
    refused = nullcontext() if depth <= 490 else suppress(ConfigurationError)
    with refused:  # Python itself allows 1,000 levels, or more
        turns = as_turns(part)
        read_transcript(write_transcript(Transcript(model="m", history=turns)))
        call = turns[0].parts[0].function_call
        assert call is not None
        assert call.args is not args


@pytest.mark.parametrize("value", [object(), {1j: 1}, 10**5000, "\ud800"], ids=range(4))
def test_what_is_not_json_is_refused_as_history_or_as_a_transcript(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"history|cannot be written as JSON"):
        write_transcript(
            Transcript(
                model="m",
                history=as_turns(Part(function_call=FunctionCall(name="f", args={"a": value}))),
            )
        )
