"""The UI message stream, event by event; `test_readers.py` reads it with the npm package."""

from __future__ import annotations

from typing import Any

import pytest
from web.items import SIGNATURE, asked, chunk, events, kinds, result, thought, written

from cometgem import ConfigurationError
from cometgem.types import (
    Blob,
    CodeExecutionResult,
    ExecutableCode,
    GenerateContentResponse,
    GroundingChunk,
    GroundingChunkRetrievedContext,
    GroundingChunkWeb,
    GroundingMetadata,
    Part,
    PromptFeedback,
    UsageMetadata,
)
from cometgem.types.content import PartialArg
from cometgem.web import UIMessageEncoder

START = {"type": "start"}
STEP = {"type": "start-step"}
ENDED = {"type": "finish-step"}
SIGNED = {"google": {"thoughtSignature": SIGNATURE}}
IMAGE = Part(inline_data=Blob(data=b"\x01\x02", mime_type="image/png"))


def finish(reason: str, **metadata: Any) -> dict[str, Any]:
    return {"type": "finish", "finishReason": reason, "messageMetadata": metadata}


def body_of(*items: Any, **more: Any) -> list[Any]:
    """Return the events between the start of the step and its end."""
    found = events(written(UIMessageEncoder(**more.pop("options", {})), *items, **more))
    assert found[:2] == [START, STEP]
    assert found[-3] == ENDED
    assert found[-1] == "[DONE]"
    return found[2:-3]


def test_headers() -> None:
    headers = UIMessageEncoder().headers
    assert headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert headers["content-type"] == "text/event-stream"
    assert headers["x-accel-buffering"] == "no"
    assert UIMessageEncoder().ping() == b": ping\n\n"


def test_text_and_thoughts() -> None:
    items = [chunk(thought("Hm")), chunk(thought("."), "Hel"), chunk("lo")]
    assert body_of(*items) == [
        {"type": "reasoning-start", "id": "1"},
        {"type": "reasoning-delta", "id": "1", "delta": "Hm"},
        {"type": "reasoning-delta", "id": "1", "delta": "."},
        {"type": "reasoning-end", "id": "1"},
        {"type": "text-start", "id": "2"},
        {"type": "text-delta", "id": "2", "delta": "Hel"},
        {"type": "text-delta", "id": "2", "delta": "lo"},
        {"type": "text-end", "id": "2"},
    ]
    without = body_of(*items, options={"thoughts": False})
    assert [one["type"] for one in without] == [
        "text-start",
        "text-delta",
        "text-delta",
        "text-end",
    ]


def test_a_signature_stays_with_its_text() -> None:
    signed = Part(text="b", thought_signature=SIGNATURE)
    assert body_of(chunk("a"), chunk(signed), chunk("c")) == [
        {"type": "text-start", "id": "1"},
        {"type": "text-delta", "id": "1", "delta": "a"},
        {"type": "text-end", "id": "1"},
        {"type": "text-start", "id": "2", "providerMetadata": SIGNED},
        {"type": "text-delta", "id": "2", "delta": "b"},
        {"type": "text-end", "id": "2"},
        {"type": "text-start", "id": "3"},
        {"type": "text-delta", "id": "3", "delta": "c"},
        {"type": "text-end", "id": "3"},
    ]


def test_calls_and_results_in_two_steps() -> None:
    part = asked("f", {"a": 1}, SIGNATURE, id="7")
    assert part.function_call is not None
    items = [chunk("x"), chunk(part), part.function_call, result("f", {"b": 2}, id="7"), chunk("y")]
    found = events(written(UIMessageEncoder(), *items))
    call = {"type": "tool-input-available", "toolCallId": "7", "toolName": "f", "dynamic": True}
    assert found == [
        START,
        STEP,
        {"type": "text-start", "id": "1"},
        {"type": "text-delta", "id": "1", "delta": "x"},
        {"type": "text-end", "id": "1"},
        {**call, "input": {"a": 1}, "providerMetadata": SIGNED},
        {"type": "tool-output-available", "toolCallId": "7", "output": {"b": 2}, "dynamic": True},
        ENDED,
        STEP,
        {"type": "text-start", "id": "2"},
        {"type": "text-delta", "id": "2", "delta": "y"},
        {"type": "text-end", "id": "2"},
        ENDED,
        finish("other", finishReason=None),
        "[DONE]",
    ]


def test_tools_that_the_page_declares_are_not_dynamic() -> None:
    items = [chunk(asked("f", {})), result("f", {}), chunk(asked("g", {}))]
    found = body_of(chunk(asked("f", {})), result("f", {}), options={"page_tools": ["f"]})
    assert all("dynamic" not in one for one in found)
    found = events(written(UIMessageEncoder(page_runs=["g"]), *items))[:-1]
    assert [one.get("dynamic") for one in found if "toolCallId" in one] == [True, True, None]


def test_an_error_of_a_tool() -> None:
    found = body_of(chunk(asked("f", {})), result("f", {"error": "no"}))
    assert found[-1]["type"] == "tool-output-error"
    assert found[-1]["errorText"] == "no"
    found = body_of(chunk(asked("f", {})), result("f", {"error": {"code": 1}}))
    assert found[-1]["output"] == {"error": {"code": 1}}


def test_a_streamed_call_is_shown_from_its_first_piece() -> None:
    piece = PartialArg(json_path="$.a", string_value="x")
    begun = chunk(asked("f", {}, SIGNATURE, will_continue=True))
    middle = chunk(asked("", {}, partial_args=[piece], will_continue=True))
    found = body_of(begun, middle, chunk(asked("", {})))
    assert [one["type"] for one in found] == ["tool-input-start", "tool-input-available"]
    assert found[1]["input"] == {"a": "x"}
    assert found[1]["providerMetadata"] == SIGNED
    cut = body_of(begun, middle)
    assert [one["type"] for one in cut] == ["tool-input-start", "tool-input-error"]
    assert cut[1]["input"] == {"a": "x"}


def test_a_call_that_was_cut_off_and_reported() -> None:
    begun = chunk(asked("f", {}, will_continue=True))
    found = body_of(begun, result("f", {"error": "the call was cut off"}))
    types = ["tool-input-start", "tool-input-available", "tool-output-error"]
    assert [one["type"] for one in found] == types


def test_results_are_assigned_by_the_position_of_the_call() -> None:
    late, early = result("f", {"n": 1}), result("f", {"n": 2})
    late.__dict__["call_index"], early.__dict__["call_index"] = 0, 1
    found = body_of(chunk(asked("f", {}), asked("f", {})), early, late)
    outputs = {one["toolCallId"]: one["output"]["n"] for one in found if "output" in one}
    assert outputs == {"local-1": 1, "local-2": 2}


def test_equal_ids_are_told_apart() -> None:
    found = body_of(chunk(asked("f", {}, id="1"), asked("g", {}, id="1")))
    assert [one["toolCallId"] for one in found] == ["1", "1_"]
    assert found[1]["providerMetadata"] == {"cometgem": {"callId": "1"}}


def test_a_response_without_a_call_is_left_out() -> None:
    assert kinds(written(UIMessageEncoder(), result("f", {}))) == ["start", "finish", "[DONE]"]


def test_files_and_code() -> None:
    code = Part(executable_code=ExecutableCode(code="1", language="PYTHON"))
    done = Part(code_execution_result=CodeExecutionResult(outcome="OUTCOME_OK", output="1"))
    found = body_of(chunk("a"), chunk(IMAGE), chunk(code), chunk(done))
    assert [one["type"] for one in found[2:]] == [
        "text-end",
        "file",
        "tool-input-available",
        "tool-output-available",
    ]
    assert found[3]["url"] == "data:image/png;base64,AQI="
    assert found[4]["toolName"] == "code_execution"
    assert found[4]["providerExecuted"] is found[5]["providerExecuted"] is True
    assert found[5]["output"] == {"outcome": "OUTCOME_OK", "output": "1"}


def test_images_of_thoughts_only_for_version_7() -> None:
    image = Part(inline_data=IMAGE.inline_data, thought=True)
    assert body_of(chunk(image)) == []
    (found,) = body_of(chunk(image), options={"sdk": 7})
    assert found["type"] == "reasoning-file"


def test_sources_once_each() -> None:
    sources = [
        GroundingChunk(web=GroundingChunkWeb(uri="https://a.example", title="A")),
        GroundingChunk(retrieved_context=GroundingChunkRetrievedContext(title="Notes")),
        GroundingChunk(web=GroundingChunkWeb(uri="javascript:alert(1)")),
    ]
    metadata = GroundingMetadata(grounding_chunks=sources)
    one = chunk("a", grounding_metadata=metadata)
    found = [event for event in body_of(one, one) if event["type"].startswith("source")]
    assert [event["type"] for event in found] == [
        "source-url",
        "source-document",
        "source-document",
    ]
    assert found[0]["url"] == "https://a.example"


REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content-filter",
    "RECITATION": "content-filter",
    "SPII": "content-filter",
    "BLOCKLIST": "content-filter",
    "PROHIBITED_CONTENT": "content-filter",
    "IMAGE_SAFETY": "content-filter",
    "MALFORMED_FUNCTION_CALL": "error",
    "LANGUAGE": "other",
    "NEWER_THAN_THE_LIBRARY": "other",
}


@pytest.mark.parametrize("reason", REASONS)
def test_finish_reasons(reason: str) -> None:
    found = events(written(UIMessageEncoder(), chunk("a", finish_reason=reason)))
    assert found[-2] == finish(REASONS[reason], finishReason=reason)


def test_a_blocked_prompt() -> None:
    blocked = GenerateContentResponse(prompt_feedback=PromptFeedback(block_reason="SAFETY"))
    found = events(written(UIMessageEncoder(), blocked))
    assert found == [START, STEP, ENDED, finish("content-filter", finishReason="SAFETY"), "[DONE]"]


def test_usage_and_model_are_metadata() -> None:
    one = chunk("a", finish_reason="STOP", usage_metadata=UsageMetadata(total_token_count=3))
    one.model_version = "m"
    found = events(written(UIMessageEncoder(message_id="9"), one))
    assert found[0] == {"type": "start", "messageId": "9"}
    usage = {"totalTokenCount": 3}
    assert found[-2] == finish("stop", finishReason="STOP", model="m", usage=usage)


def test_calls_without_results_finish_as_such() -> None:
    found = events(written(UIMessageEncoder(), chunk(asked("f", {}), finish_reason="STOP")))
    assert found[-2]["finishReason"] == "tool-calls"


def test_a_malformed_call_begins_another_step() -> None:
    bad = chunk("a", finish_reason="MALFORMED_FUNCTION_CALL")
    assert kinds(written(UIMessageEncoder(), bad, chunk("b"))).count("start-step") == 2


def test_a_paused_conversation_asks_for_approval() -> None:
    part = asked("f", {"a": 1})
    assert part.function_call is not None
    pending = [part.function_call]
    encoder = UIMessageEncoder()
    found = events(written(encoder, chunk(part, finish_reason="STOP"), pending=pending))
    assert found[-4] == {
        "type": "tool-approval-request",
        "approvalId": "local-1",
        "toolCallId": "local-1",
    }
    assert found[-2]["finishReason"] == "tool-calls"
    body = written(UIMessageEncoder(page_runs=["f"]), chunk(part), pending=pending)
    assert "tool-approval-request" not in kinds(body)


def test_a_failure_ends_what_is_open_first() -> None:
    begun = chunk(asked("f", {}, will_continue=True))
    body = written(UIMessageEncoder(), begun, chunk("a"), error="Sorry.")
    assert kinds(body)[2:] == [
        "tool-input-start",
        "text-start",
        "text-delta",
        "text-end",
        "tool-input-error",
        "error",
        "[DONE]",
    ]
    assert {"type": "error", "errorText": "Sorry."} in events(body)


def answer(state: str, **part: Any) -> list[Any]:
    call = {"type": "dynamic-tool", "toolName": "f", "toolCallId": "local-1", "input": {}}
    parts = [{"type": "step-start"}, {**call, "state": state, **part}]
    return [{"id": "m", "role": "assistant", "parts": parts}]


def test_an_answer_goes_on_with_the_results_of_approved_calls() -> None:
    messages = answer("approval-responded", approval={"id": "local-1", "approved": True})
    encoder = UIMessageEncoder(messages=messages)
    found = events(written(encoder, result("f", {"a": 1}), chunk("b"), chunk(asked("f", {}))))
    output = {"type": "tool-output-available", "toolCallId": "local-1", "output": {"a": 1}}
    assert found[:3] == [{"type": "start", "messageId": "m"}, {**output, "dynamic": True}, STEP]
    assert [one["toolCallId"] for one in found[:-1] if one["type"] == "tool-input-available"] == [
        "local-2"
    ]


def test_a_refused_call_is_denied() -> None:
    messages = answer("approval-responded", approval={"id": "local-1", "approved": False})
    body = written(UIMessageEncoder(messages=messages), result("f", {"error": "no"}), chunk("b"))
    assert events(body)[1] == {"type": "tool-output-denied", "toolCallId": "local-1"}


@pytest.mark.parametrize("messages", [None, [], "x", [7], [{"role": "user", "parts": []}], [{}]])
def test_other_messages_are_not_continued(messages: Any) -> None:
    assert events(UIMessageEncoder(messages=messages).start()) == [START]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sdk": 5}, "sdk=5 is not valid; use 6 or 7"),
        ({"page_tools": "f"}, "page_tools='f' is not a list"),
        ({"page_runs": "f"}, "page_runs='f' is not a list"),
        ({"secret": "short"}, "secret has 5 bytes"),
    ],
)
def test_options_that_cannot_work(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        UIMessageEncoder(**options)
