"""Conversations that wait for a person, in each format, and what continues them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conversation.calling import MODEL, call
from web.items import events

from cometgem import Pause
from cometgem.testing import FakeServer, Reply
from cometgem.web import (
    AGUIEncoder,
    EventEncoder,
    Relay,
    UIMessageEncoder,
    answers_from_ag_ui,
    answers_from_ui_messages,
    contents_from_ag_ui,
    contents_from_ui_messages,
)

if TYPE_CHECKING:
    from cometgem import Client, ConversationItem, ConversationStream, FunctionCall
    from cometgem.web import Encoder

SECRET = b"0123456789abcdef"
ASKS = Reply.chunks(call("pay", {"to": "Ada"}), call("pay", {"to": "Bob"}))


class Bank:
    """A tool that needs approval."""

    def __init__(self) -> None:
        self.paid: list[str] = []

    def pay(self, to: str) -> str:
        """Pay someone."""
        self.paid.append(to)
        return f"paid {to}"

    def confirm(self, asked: FunctionCall) -> Pause:
        return Pause(f"{asked.args['to']} is new")


async def relayed(
    stream: ConversationStream[ConversationItem], encoder: Encoder
) -> list[dict[str, Any]]:
    relay = Relay(stream, encoder)
    await relay.open()
    return events(b"".join([piece async for piece in relay]))


async def test_ui_messages(client: Client, fake_server: FakeServer) -> None:
    bank = Bank()
    fake_server.add(ASKS, Reply.text("Done."))
    stream = client.run_tools(MODEL, "Hi", tools=[bank.pay], confirm=bank.confirm)
    found = await relayed(stream, UIMessageEncoder(secret=SECRET))
    asked = [one for one in found if one != "[DONE]" and one["type"] == "tool-approval-request"]
    parts = [
        {
            "type": "dynamic-tool",
            "toolName": "pay",
            "toolCallId": one["toolCallId"],
            "input": {"to": to},
            "state": "approval-responded",
            "approval": {"id": one["approvalId"], "approved": to == "Bob"},
        }
        for one, to in zip(asked, ("Ada", "Bob"), strict=True)
    ]
    messages = [
        {"role": "user", "parts": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "id": "a", "parts": [{"type": "step-start"}, *parts]},
    ]
    contents = contents_from_ui_messages(messages)
    answers = answers_from_ui_messages(messages, secret=SECRET)
    stream = client.run_tools(MODEL, contents, tools=[bank.pay], answers=answers)
    found = await relayed(stream, UIMessageEncoder(messages=messages))
    assert bank.paid == ["Bob"]
    assert [one["type"] for one in found[:4]] == [
        "start",
        "tool-output-denied",
        "tool-output-available",
        "start-step",
    ]
    assert found[2]["output"] == {"result": "paid Bob"}


async def test_ag_ui(client: Client, fake_server: FakeServer) -> None:
    bank = Bank()
    fake_server.add(ASKS, Reply.text("Done."))
    hi = {"id": "u", "role": "user", "content": "Hi"}
    run: dict[str, Any] = {"threadId": "t", "runId": "r1", "messages": [hi]}
    contents = contents_from_ag_ui(run)
    stream = client.run_tools(MODEL, contents, tools=[bank.pay], confirm=bank.confirm)
    found = await relayed(stream, AGUIEncoder(run, secret=SECRET))
    interrupts = found[-1]["outcome"]["interrupts"]
    calls = [
        {
            "id": one["toolCallId"],
            "type": "function",
            "function": {"name": "pay", "arguments": f'{{"to":"{to}"}}'},
        }
        for one, to in zip(interrupts, ("Ada", "Bob"), strict=True)
    ]
    run = {
        "threadId": "t",
        "runId": "r2",
        "messages": [hi, {"id": "a", "role": "assistant", "toolCalls": calls}],
        "resume": [
            {"interruptId": interrupts[0]["id"], "status": "cancelled"},
            {
                "interruptId": interrupts[1]["id"],
                "status": "resolved",
                "payload": {"approved": True},
            },
        ],
    }
    answers = answers_from_ag_ui(run, secret=SECRET)
    contents = contents_from_ag_ui(run)
    stream = client.run_tools(MODEL, contents, tools=[bank.pay], answers=answers)
    found = await relayed(stream, AGUIEncoder(run))
    assert bank.paid == ["Bob"]
    results = [one for one in found if one["type"] == "TOOL_CALL_RESULT"]
    assert [one["content"] for one in results] == [
        '{"error":"the user refused this call"}',
        '{"result":"paid Bob"}',
    ]


async def test_named_events(client: Client, fake_server: FakeServer) -> None:
    bank = Bank()
    fake_server.add(ASKS)
    stream = client.run_tools(MODEL, "Hi", tools=[bank.pay], confirm=bank.confirm)
    found = await relayed(stream, EventEncoder())
    assert found[-1] == ("done", {"finishReason": "STOP", "pending": ["local-1", "local-2"]})
