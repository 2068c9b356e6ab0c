"""AG-UI events against the models of the package ag-ui-protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web.conversing import Said, conversations
from web.items import events, plain, written

from cometgem.web import AGUIEncoder, answers_from_ag_ui, contents_from_ag_ui

core = pytest.importorskip("ag_ui.core", reason="ag-ui-protocol is not installed")
pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed")

if TYPE_CHECKING:
    from collections.abc import Iterable

SECRET = b"0123456789abcdef"
HI = {"id": "u", "role": "user", "content": "Hi"}
RUN = {"threadId": "t", "runId": "r1", "messages": [HI]}
QUICK = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def checked(body: bytes) -> list[dict[str, Any]]:
    """Return the events, of which each is valid and has no key that the protocol lacks."""
    found = events(body)
    for one in found:
        model = pydantic.TypeAdapter(core.Event).validate_python(one)
        unknown = [model]
        while unknown:
            item = unknown.pop()
            if isinstance(item, pydantic.BaseModel):
                assert not item.model_extra, item
                unknown += [getattr(item, name) for name in type(item).model_fields]
            elif isinstance(item, list):
                unknown += item
    return found


def as_client(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages that a client makes of the events; open ones may not be left."""
    messages: dict[str, dict[str, Any]] = {}
    calls: dict[str, dict[str, Any]] = {}
    opened: set[str] = set()
    for one in found:
        kind, given = one["type"], one.get("messageId") or one.get("toolCallId")
        if kind == "TEXT_MESSAGE_START":
            messages[given] = {"id": given, "role": "assistant", "content": ""}
            opened.add(given)
        elif kind == "REASONING_MESSAGE_START":
            messages[given] = {"id": given, "role": "reasoning", "content": ""}
            opened.add(given)
        elif kind in ("TEXT_MESSAGE_CONTENT", "REASONING_MESSAGE_CONTENT"):
            assert given in opened
            assert one["delta"]
            messages[given]["content"] += one["delta"]
        elif kind == "TOOL_CALL_START":
            function = {"name": one["toolCallName"], "arguments": ""}
            calls[given] = {"id": given, "type": "function", "function": function}
            messages[given] = {"id": given, "role": "assistant", "toolCalls": [calls[given]]}
            opened.add(given)
        elif kind == "TOOL_CALL_ARGS":
            assert given in opened
            calls[given]["function"]["arguments"] += one["delta"]
        elif kind in ("TEXT_MESSAGE_END", "REASONING_MESSAGE_END", "TOOL_CALL_END"):
            opened.remove(given)
        elif kind == "REASONING_ENCRYPTED_VALUE":
            holders = calls if one["subtype"] == "tool-call" else messages
            holders[one["entityId"]]["encryptedValue"] = one["encryptedValue"]
        elif kind == "TOOL_CALL_RESULT":
            assert one["toolCallId"] not in opened
            result = {key: one[key] for key in ("content", "toolCallId")}
            messages[given] = {"id": given, "role": "tool", **result}
    assert not opened
    return list(messages.values())


@given(said=conversations(tools=False))
@QUICK
def test_posted_messages_become_the_history(said: Said) -> None:
    encoder = AGUIEncoder(RUN, secret=SECRET)
    found = checked(written(encoder, *said.items, pending=said.pending))
    assert found[0]["type"] == "RUN_STARTED"
    finished = found[-1]
    assert finished["type"] == "RUN_FINISHED"
    interrupts = finished.get("outcome", {}).get("interrupts", [])
    resume = [
        {"interruptId": one["id"], "status": "resolved", "payload": {"approved": True}}
        for one in interrupts
    ]
    run = RUN | {"runId": "r2", "messages": [HI, *as_client(found)], "resume": resume}
    core.RunAgentInput.model_validate(run)
    assert plain(contents_from_ag_ui(run)[1:]) == plain(said.history)
    answers = answers_from_ag_ui(run, secret=SECRET)
    assert (0 if answers is None else len(answers)) == len(said.pending)


@given(said=conversations(), cut=st.integers(0, 20))
@QUICK
def test_failures_end_as_errors_wherever_they_come(said: Said, cut: int) -> None:
    found = checked(written(AGUIEncoder(RUN), *said.items[:cut], error="Sorry."))
    as_client(found)
    assert found[-1] == {"type": "RUN_ERROR", "message": "Sorry."}
