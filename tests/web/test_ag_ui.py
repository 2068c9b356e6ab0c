"""AG-UI events; `test_ag_ui_models.py` checks them against the models of ag-ui-protocol."""

from __future__ import annotations

from typing import Any

import pytest
from web.items import SIGNATURE, asked, chunk, events, kinds, result, thought, written

from cometgem import BadMessagesError
from cometgem.types import (
    Blob,
    CodeExecutionResult,
    ExecutableCode,
    FunctionResponseBlob,
    FunctionResponsePart,
    GroundingChunk,
    GroundingChunkWeb,
    GroundingMetadata,
    Part,
    UsageMetadata,
)
from cometgem.types.content import PartialArg
from cometgem.web import AGUIEncoder

HI = {"id": "u", "role": "user", "content": "Hi"}
RUN: dict[str, Any] = {"threadId": "t", "runId": "r", "messages": [HI]}
IDS = {"threadId": "t", "runId": "r"}


def body_of(*items: Any, **more: Any) -> list[Any]:
    """Return the events between the start of the run and its end."""
    found = events(written(AGUIEncoder(more.pop("run", RUN), **more.pop("options", {})), *items))
    assert found[0] == {"type": "RUN_STARTED", **IDS, "protocolVersion": "1.0"}
    assert found[-1]["type"] == "RUN_FINISHED"
    return found[1:-1]


def test_text_and_thoughts() -> None:
    signed = Part(text="", thought_signature=SIGNATURE)
    found = body_of(chunk(thought("Hm.")), chunk("Hel"), chunk("lo"), chunk(signed))
    assert found == [
        {"type": "REASONING_START", "messageId": "r-1"},
        {"type": "REASONING_MESSAGE_START", "messageId": "r-1", "role": "reasoning"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": "r-1", "delta": "Hm."},
        {"type": "REASONING_MESSAGE_END", "messageId": "r-1"},
        {"type": "REASONING_END", "messageId": "r-1"},
        {"type": "TEXT_MESSAGE_START", "messageId": "r-2", "role": "assistant"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "r-2", "delta": "Hel"},
        {"type": "TEXT_MESSAGE_CONTENT", "messageId": "r-2", "delta": "lo"},
        {"type": "TEXT_MESSAGE_END", "messageId": "r-2"},
        {"type": "TEXT_MESSAGE_START", "messageId": "r-3", "role": "assistant"},
        {
            "type": "REASONING_ENCRYPTED_VALUE",
            "subtype": "message",
            "entityId": "r-3",
            "encryptedValue": SIGNATURE,
        },
        {"type": "TEXT_MESSAGE_END", "messageId": "r-3"},
    ]
    assert body_of(chunk(thought("Hm.")), options={"thoughts": False}) == []


def test_calls_and_results() -> None:
    part = asked("f", {"a": 1}, SIGNATURE)
    assert part.function_call is not None
    blob = FunctionResponseBlob(data=b"\x01\x02", mime_type="image/png")
    media = [FunctionResponsePart(inline_data=blob)]
    found = body_of(chunk(part), part.function_call, result("f", {"b": 2}, parts=media))
    assert [one["type"] for one in found] == [
        "TOOL_CALL_START",
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "REASONING_ENCRYPTED_VALUE",
        "TOOL_CALL_RESULT",
    ]
    assert found[0]["toolCallName"] == "f"
    assert found[1]["delta"] == '{"a":1}'
    assert found[4]["toolCallId"] == "local-1"
    said, image = found[4]["content"]
    assert said == {"type": "text", "text": '{"b":2}'}
    source = {"type": "data", "value": "AQI=", "mimeType": "image/png"}
    assert image == {"type": "image", "source": source}


def test_a_streamed_call() -> None:
    piece = PartialArg(json_path="$.a", string_value="x")
    begun = chunk(asked("f", {}, will_continue=True))
    middle = chunk(asked("", {}, partial_args=[piece], will_continue=True))
    found = body_of(begun, middle, chunk(asked("", {})))
    assert [one["type"] for one in found] == ["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END"]
    reported = body_of(begun, middle, result("f", {"error": "cut"}))
    assert [one["type"] for one in reported][1:] == [
        "TOOL_CALL_ARGS",
        "TOOL_CALL_END",
        "TOOL_CALL_RESULT",
    ]


def test_what_the_protocol_has_no_event_for() -> None:
    sources = [GroundingChunk(web=GroundingChunkWeb(uri="https://a.example", title="A"))]
    parts = [
        Part(inline_data=Blob(data=b"\x01\x02", mime_type="image/png")),
        Part(executable_code=ExecutableCode(code="1", language="PYTHON")),
        Part(code_execution_result=CodeExecutionResult(outcome="OUTCOME_OK")),
    ]
    one = chunk(*parts, grounding_metadata=GroundingMetadata(grounding_chunks=sources))
    assert [(one["type"], one["name"], one["value"]) for one in body_of(one)] == [
        ("CUSTOM", "file", {"data": "AQI=", "mimeType": "image/png"}),
        ("CUSTOM", "executableCode", {"code": "1", "language": "PYTHON"}),
        ("CUSTOM", "codeExecutionResult", {"outcome": "OUTCOME_OK"}),
        ("CUSTOM", "source", {"uri": "https://a.example", "title": "A"}),
    ]


def test_tokens_in_the_accounting_of_the_protocol() -> None:
    usage = UsageMetadata(
        prompt_token_count=10,
        tool_use_prompt_token_count=1,
        candidates_token_count=5,
        thoughts_token_count=3,
        cached_content_token_count=4,
    )
    one = chunk("a", finish_reason="STOP", usage_metadata=usage)
    one.model_version = "m"
    finished = events(written(AGUIEncoder(RUN), one))[-1]
    assert finished["result"] == {"finishReason": "STOP"}
    assert finished["usage"] == [
        {
            "provider": "google",
            "model": "m",
            "inputTokens": 11,
            "outputTokens": 8,
            "totalTokens": 19,
            "reasoningTokens": 3,
            "cachedInputTokens": 4,
        }
    ]


def test_calls_that_wait_for_an_approval_are_interrupts() -> None:
    part = asked("f", {})
    assert part.function_call is not None
    pending = [part.function_call]
    outcome = events(written(AGUIEncoder(RUN), chunk(part), pending=pending))[-1]["outcome"]
    assert outcome["type"] == "interrupt"
    (interrupt,) = outcome["interrupts"]
    assert interrupt["id"] == interrupt["toolCallId"] == "local-1"
    run = {**RUN, "tools": [{"name": "f", "description": "", "parameters": {}}]}
    finished = events(written(AGUIEncoder(run), chunk(part), pending=pending))[-1]
    assert finished["outcome"] == {"type": "success", "pendingToolCallIds": ["local-1"]}


def test_a_run_goes_on_with_the_results_of_approved_calls() -> None:
    function = {"name": "f", "arguments": "{}"}
    calls = [{"id": "local-1", "type": "function", "function": function}]
    message = {"id": "m", "role": "assistant", "toolCalls": calls}
    resume = [{"interruptId": "local-1", "status": "resolved", "payload": {"approved": True}}]
    run = {**RUN, "messages": [HI, message], "resume": resume}
    found = body_of(result("f", {"a": 1}), chunk(asked("f", {})), run=run)
    assert found[0]["type"] == "TOOL_CALL_RESULT"
    assert found[0]["toolCallId"] == "local-1"
    assert found[1]["toolCallId"] == "local-2"


def test_a_response_without_a_call_is_left_out() -> None:
    assert body_of(result("f", {})) == []


def test_a_failure_ends_what_is_open_first() -> None:
    begun = chunk(asked("f", {}, will_continue=True))
    assert kinds(written(AGUIEncoder(RUN), begun, chunk("a"), error="Sorry."))[-3:] == [
        "TEXT_MESSAGE_END",
        "TOOL_CALL_END",
        "RUN_ERROR",
    ]


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ([], "a run must be an object"),
        ({"messages": [HI]}, "threadId is not a string, but None"),
        ({"threadId": "t", "runId": 7, "messages": [HI]}, "runId is not a string, but 7"),
        ({**IDS}, "messages must be a list"),
        ({**IDS, "messages": ["Hi"]}, r"messages\[0\] is not an object"),
        ({**RUN, "resume": [{}]}, "resume has an entry without an interruptId"),
    ],
)
def test_runs_that_are_not_valid(run: Any, words: str) -> None:
    with pytest.raises(BadMessagesError, match=words):
        AGUIEncoder(run)
