"""Conversations that end with calls that wait, and go on once they are answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from conversation.calling import MODEL, WARM, Tools, call, calling, kinds, read
from conversation.chatting import wire

from cometgem import (
    Approve,
    Chat,
    Client,
    ConfigurationError,
    Content,
    FunctionCall,
    FunctionResponse,
    FunctionTool,
    Part,
    Pause,
    Refuse,
    RetryPolicy,
    ServerError,
    ToolError,
)
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

PAY = {"name": "pay", "args": {"to": "Ada", "amount": 5}}
DECLARED = {"functionDeclarations": [{"name": "pay", "description": "Pay."}]}


class Bank:
    """A function that moves money, and a record of what it moved."""

    def __init__(self) -> None:
        self.paid: list[tuple[str, int]] = []

    async def pay(self, to: str, amount: int) -> str:
        """Pay."""
        self.paid.append((to, amount))
        return f"paid {amount}"


@pytest.fixture
def bank() -> Bank:
    return Bank()


def pay(to: str, amount: int, **more: Any) -> dict[str, Any]:
    return call("pay", {"to": to, "amount": amount}, **more)


def waits_always(_: FunctionCall) -> Pause:
    return Pause("ask the owner")


async def raises_pause(_: FunctionCall) -> bool:
    raise Pause("ask the owner")


def returns_the_class(_: FunctionCall) -> type[Pause]:
    return Pause


def answers_of(server: FakeServer, request: int = -1) -> list[Any]:
    parts = server.requests[request].body["contents"][-1]["parts"]
    return [part["functionResponse"]["response"] for part in parts]


@pytest.mark.parametrize(
    ("confirm", "reason"),
    [
        (waits_always, "ask the owner"),
        (raises_pause, "ask the owner"),
        (returns_the_class, ""),
    ],
)
async def test_a_call_waits_while_the_others_run(  # noqa: PLR0913, PLR0917
    client: Client,
    fake_server: FakeServer,
    tools: Tools,
    bank: Bank,
    confirm: Callable[[FunctionCall], Any],
    reason: str,
) -> None:
    def confirm_payments(asked: FunctionCall) -> Any:
        return confirm(asked) if asked.name == "pay" else True

    fake_server.add(calling(pay("Ada", 5, id="1"), call("get_weather", {"city": "a"}, id="2")))
    stream = client.run_tools(
        MODEL, "Hi", tools=[bank.pay, tools.get_weather], confirm=confirm_payments
    )
    assert kinds(await read(stream))[-1] == "answer {'weather': 'warm in a'}"
    assert (stream.state, stream.complete) == ("paused", False)
    assert [one.id for one in stream.pending] == ["1"]
    assert stream.pause_reasons == [reason]
    assert [turn.role for turn in stream.turns] == ["model", "user"]
    assert repr(stream) == "<ConversationStream paused, rounds=1>"
    assert (await stream.get_final_response()).function_calls[0].id == "1"
    assert bank.paid == []
    assert len(fake_server.requests) == 1


@pytest.mark.parametrize("declared", [DECLARED, FunctionTool(None, name="pay")])
async def test_a_call_of_a_tool_without_a_function_waits(
    client: Client, fake_server: FakeServer, declared: Any
) -> None:
    fake_server.add(calling(pay("Ada", 5)), WARM)
    stream = client.run_tools(MODEL, "Hi", tools=[declared])
    await read(stream)
    assert [one.name for one in stream.pending] == ["pay"]
    again = client.run_tools(MODEL, stream.history, tools=[declared], answers={0: {"paid": True}})
    assert kinds(await read(again)) == ["answer {'paid': True}", "It is ", "warm."]
    assert again.state == "complete"
    assert answers_of(fake_server) == [{"paid": True}]


async def test_a_tool_can_pause_its_own_call(client: Client, fake_server: FakeServer) -> None:
    ready = False

    async def fetch() -> str:
        """Fetch."""
        if not ready:
            raise Pause("tomorrow")
        return "here"

    fake_server.add(calling(call("fetch", {}, id="1")), WARM)
    stream = client.run_tools(MODEL, "Hi", tools=[fetch])
    await read(stream)
    assert (stream.pause_reasons, stream.turns[1:]) == (["tomorrow"], [])
    stream = client.run_tools(MODEL, stream.history, tools=[fetch], answers={"1": Approve()})
    await read(stream)
    assert stream.state == "paused"
    ready = True
    stream = client.run_tools(MODEL, stream.history, tools=[fetch], answers={"1": Approve()})
    await read(stream)
    assert answers_of(fake_server) == [{"result": "here"}]


async def test_the_history_of_a_paused_conversation_survives_json(
    client: Client, fake_server: FakeServer, bank: Bank
) -> None:
    # Without ids, and with the same name: the position of the response must be kept.
    fake_server.add(calling(pay("Ada", 1), pay("Bob", 2), pay("Cy", 3)), WARM)

    def confirm(asked: FunctionCall) -> Any:
        return asked.args["to"] == "Bob" or Pause

    stream = client.run_tools(MODEL, "Hi", tools=[bank.pay], confirm=confirm)
    await read(stream)
    saved = msgspec.json.encode(stream.history)
    history = msgspec.json.decode(saved, type=list[Content])
    for contents in (history, json.loads(saved)):
        fake_server.add(WARM)
        again = client.run_tools(
            MODEL, contents, tools=[bank.pay], answers={0: Refuse("no"), 1: Approve()}
        )
        await again.get_final_response()
        assert answers_of(fake_server) == [
            {"error": "no"},
            {"result": "paid 2"},
            {"result": "paid 3"},
        ]
        sent = fake_server.requests[-1].body["contents"]
        assert [turn["role"] for turn in sent] == ["user", "model", "user"]
        assert "partMetadata" not in json.dumps(sent)
        assert wire(again.history[:3]) == sent
    assert bank.paid == [("Bob", 2), ("Cy", 3), ("Cy", 3)]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_chat_is_saved_and_resumed_elsewhere(
    client: Client, fake_server: FakeServer, bank: Bank, *, streamed: bool
) -> None:
    fake_server.add(calling(pay("Ada", 5, id="1") | {"thoughtSignature": "c2ln"}), WARM, WARM)
    chat = client.chat(MODEL, tools=[bank.pay], confirm=waits_always)
    await (chat.stream("Hi").get_final_response() if streamed else chat.send("Hi"))
    saved = chat.to_json()
    other = client.load_chat(saved, tools=[bank.pay])
    assert wire(other.pending) == wire(chat.pending) == [{**PAY, "id": "1"}]
    if streamed:
        async with other.resume_stream({"1": Approve()}) as stream:
            final = await stream.get_final_response()
    else:
        final = await other.resume({"1": Approve()})
    assert final.text == "It is warm."
    assert bank.paid == [("Ada", 5)]
    assert [turn.role for turn in other.history] == ["user", "model", "user", "model"]
    assert other.history[1].parts[0].thought_signature == "c2ln"
    assert (other.pending, chat.to_json()) == ([], saved)
    await other.send("Thanks")
    assert fake_server.requests[-1].body["contents"] == wire(other.history[:-1])


@pytest.mark.parametrize("how", ["edit in confirm", "approve in confirm", "approve later"])
async def test_edited_arguments_are_run_and_kept(
    client: Client, fake_server: FakeServer, bank: Bank, how: str
) -> None:
    def confirm(asked: FunctionCall) -> Any:
        if how == "approve later":
            return Pause()
        if how == "approve in confirm":
            return Approve({"to": "Ada", "amount": 1})
        asked.args["amount"] = 1
        return True

    fake_server.add(calling(pay("Ada", 500, id="1")), WARM)
    chat = client.chat(MODEL, tools=[bank.pay], confirm=confirm)
    await chat.send("Hi")
    if how == "approve later":
        await chat.resume({"1": Approve({"to": "Ada", "amount": 1})})
    assert bank.paid == [("Ada", 1)]
    sent = fake_server.requests[1].body["contents"][1]["parts"][0]["functionCall"]
    assert sent["args"] == {"to": "Ada", "amount": 1}
    assert wire(chat.history)[1]["parts"][0]["functionCall"] == sent


async def test_changing_a_call_that_was_handed_out_changes_nothing(
    client: Client, fake_server: FakeServer, bank: Bank
) -> None:
    fake_server.add(calling(pay("Ada", 5)), WARM)
    stream = client.run_tools(MODEL, "Hi", tools=[bank.pay])
    seen: list[FunctionCall] = []
    async for item in stream:
        if isinstance(item, FunctionCall):
            seen.append(item)
        elif isinstance(item, FunctionResponse):
            seen[0].args["amount"] = 9
    assert bank.paid == [("Ada", 5)]
    assert wire(stream.turns)[0]["parts"][0]["functionCall"]["args"]["amount"] == 5


async def test_arguments_edited_so_that_they_do_not_fit_are_the_callers_error(
    client: Client, fake_server: FakeServer, bank: Bank
) -> None:
    def confirm(asked: FunctionCall) -> bool:
        asked.args["amount"] = "much"
        return True

    fake_server.add(calling(pay("Ada", 5)))
    with pytest.raises(ConfigurationError, match="confirm edited the arguments for tool 'pay' do"):
        await read(client.run_tools(MODEL, "Hi", tools=[bank.pay], confirm=confirm))
    assert bank.paid == []


async def paused(client: Client, server: FakeServer, bank: Bank, *parts: Any) -> Chat[Any]:
    server.add(calling(*(parts or (pay("Ada", 5, id="1"), pay("Bob", 2)))))
    chat = client.chat(MODEL, tools=[bank.pay, DECLARED_ASK], confirm=waits_always)
    await chat.send("Hi")
    chat.options["confirm"] = None
    return chat


DECLARED_ASK: Any = {"function_declarations": [{"name": "ask"}]}


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        (None, "2 calls wait for an answer: 'pay' (id '1'), 'pay'; resume the conversation with"),
        ({}, "2 calls wait for an answer: 'pay' (id '1'), 'pay'; resume"),
        ({"1": "ok"}, "a call waits for an answer: 'pay'; resume"),
        ({0: "ok", 1: "ok", "1": "ok"}, "answers has two answers to the call of 'pay': 0 and '1'"),
        ({0: "ok", 2: "ok"}, "answers[2] has no pending call; valid keys are 0 or '1', 1"),
        ({0: "ok", "2": "ok"}, "answers['2'] has no pending call; valid keys are 0 or '1', 1"),
        ({True: "ok"}, "answers[True] has no pending call"),
        ({0: "ok", -1: "ok"}, "answers[-1] has no pending call"),
        (["ok", "ok"], "answers=['ok', 'ok'] is not a dict; use answers={call.id: result}"),
        ({0: object(), 1: "ok"}, "answers[0] cannot be used: the tool 'pay' returned a value"),
        ({0: Pause(), 1: "ok"}, "answers[0] is a Pause, but the call is pending already"),
        ({0: Approve([]), 1: "ok"}, "answers[0]: Approve(args=[]) is not valid; use a dict"),  # type: ignore[arg-type]
        ({0: Approve({}), 1: "ok"}, "answers[0]: arguments for tool 'pay' do not match"),
    ],
)
async def test_wrong_answers_are_refused_before_anything_is_sent_or_run(
    client: Client, fake_server: FakeServer, bank: Bank, answers: Any, sentence: str
) -> None:
    chat = await paused(client, fake_server, bank)
    before = chat.to_json()
    for resume in (chat.resume_stream, chat.resume):
        with pytest.raises(ConfigurationError) as caught:
            await resume(answers)
        assert str(caught.value).startswith(sentence)
    assert (chat.to_json(), bank.paid, len(fake_server.requests)) == (before, [], 1)
    fake_server.add(WARM)
    await chat.resume({0: "a", 1: Refuse()})
    assert answers_of(fake_server) == [{"result": "a"}, {"error": "the user refused this call"}]


async def test_a_paused_chat_takes_no_new_message(
    client: Client, fake_server: FakeServer, bank: Bank
) -> None:
    chat = await paused(client, fake_server, bank)
    for say in (chat.stream, chat.send):
        with pytest.raises(ConfigurationError, match="2 calls wait for an answer"):
            await say("And?")
    with pytest.raises(ConfigurationError, match="2 calls wait for an answer"):
        client.run_tools(MODEL, [*chat.history, "And?"], tools=[bank.pay])
    assert len(fake_server.requests) == 1
    fake_server.add(WARM)
    parts = [
        Part(function_response=FunctionResponse(name="pay", id=one.id, response={"ok": 1}))
        for one in chat.pending
    ]
    await chat.send(parts)  # answers by hand are a message like any other
    assert answers_of(fake_server) == [{"ok": 1}, {"ok": 1}]


async def test_two_calls_with_one_id_are_answered_by_their_index(
    client: Client, fake_server: FakeServer, bank: Bank
) -> None:
    chat = await paused(client, fake_server, bank, pay("Ada", 5, id="1"), pay("Bob", 2, id="1"))
    with pytest.raises(ConfigurationError, match=r"answers\['1'\] is not clear: 2 pending calls"):
        await chat.resume({"1": "ok"})
    fake_server.add(WARM)
    await chat.resume({1: "b", 0: "a"})
    assert answers_of(fake_server) == [{"result": "a"}, {"result": "b"}]


async def test_only_a_function_can_be_approved(
    client: Client, fake_server: FakeServer, bank: Bank
) -> None:
    chat = await paused(client, fake_server, bank, call("ask", {}))
    with pytest.raises(ConfigurationError, match="approves a call of 'ask', which has no function"):
        await chat.resume({0: Approve()})


async def test_there_must_be_something_to_resume(client: Client) -> None:
    chat = client.chat(MODEL, history=["Hi", {"role": "model", "parts": [{"text": "Hello."}]}])
    with pytest.raises(ConfigurationError, match="nothing to resume"):
        await chat.resume()
    with pytest.raises(ConfigurationError, match="answers= was given, but"):
        client.run_tools(MODEL, "Hi", tools=[], answers={})


async def test_calls_without_an_answer_are_put_to_confirm_again(
    client: Client, fake_server: FakeServer, bank: Bank
) -> None:
    asked: list[str] = []

    def confirm(one: FunctionCall) -> bool | Pause:
        asked.append(one.args["to"])
        return True if one.args["to"] == "Ada" else Pause()

    chat = await paused(client, fake_server, bank, *(pay(to, 1) for to in ("Ada", "Bob", "Cy")))
    await chat.resume({2: Approve()}, confirm=confirm)
    assert (asked, bank.paid) == (["Ada", "Bob"], [("Ada", 1), ("Cy", 1)])
    assert [one.args["to"] for one in chat.pending] == ["Bob"]
    assert len(fake_server.requests) == 1
    fake_server.add(WARM)
    await client.load_chat(chat.to_json(), tools=[bank.pay]).resume({0: "by hand"})
    assert answers_of(fake_server) == [
        {"result": "paid 1"},
        {"result": "by hand"},
        {"result": "paid 1"},
    ]


async def test_a_chat_without_tools_can_answer_pending_calls(
    client: Client, fake_server: FakeServer, bank: Bank
) -> None:
    chat = await paused(client, fake_server, bank)
    fake_server.add(WARM)
    other = client.load_chat(chat.to_json())
    assert (await other.resume({0: "a", 1: FunctionResponse(response={"b": 1})})).text
    assert answers_of(fake_server) == [{"result": "a"}, {"b": 1}]


async def test_a_failed_resumption_can_be_repeated_or_kept(
    client: Client, fake_server: FakeServer, bank: Bank
) -> None:
    chat = await paused(client, fake_server, bank)
    before = chat.to_json()
    fake_server.add(Reply.error(500))
    with pytest.raises(ServerError) as caught:
        await chat.resume({0: Approve(), 1: Approve()}, retry=RetryPolicy(attempts=1))
    assert [turn.role for turn in caught.value.turns] == ["model", "user"]
    assert chat.to_json() == before
    chat.keep_partial()  # so that nobody is paid twice
    assert chat.pending == []
    assert [turn.role for turn in chat.history] == ["user", "model", "user"]
    assert bank.paid == [("Ada", 5), ("Bob", 2)]


async def test_a_conversation_goes_on_after_the_responses_it_ends_with(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(call("get_weather", {"city": "a"})), Reply.error(400), WARM)
    chat = client.chat(MODEL, tools=[tools.get_weather])
    with pytest.raises(Exception, match="400"):
        await chat.send("Hi")
    chat.keep_partial()
    assert (await chat.resume()).text == "It is warm."
    assert tools.begun == ["a"]
    assert [turn.role for turn in chat.history] == ["user", "model", "user", "model"]
    assert fake_server.requests[1].body == fake_server.requests[2].body


async def test_an_error_while_a_call_waits_is_raised(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(call("fail", {"why": "no"}), pay("Ada", 5)))
    chat = client.chat(MODEL, tools=[tools.fail, DECLARED])
    with pytest.raises(ToolError):
        await chat.send("Hi")
    chat.keep_partial()
    assert [one.name for one in chat.pending] == ["fail", "pay"]


async def test_more_can_be_said_with_the_answers(
    client: Client, fake_server: FakeServer, bank: Bank
) -> None:
    chat = await paused(client, fake_server, bank, pay("Ada", 5))
    fake_server.add(WARM)
    contents = [*chat.history, "And hurry."]
    await client.run_tools(
        MODEL, contents, tools=[bank.pay], answers={0: Approve()}
    ).get_final_response()
    assert fake_server.requests[-1].body["contents"][-1]["parts"] == [
        {"functionResponse": {"name": "pay", "response": {"result": "paid 5"}}},
        {"text": "And hurry."},
    ]
