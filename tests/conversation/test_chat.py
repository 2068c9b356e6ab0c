"""Chats: the history is exact, and a turn is kept completely or not at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from conversation.calling import MODEL, WARM, Tools, call, calling
from conversation.chatting import said, say, wire

from cometgem import (
    BadRequestError,
    Chat,
    Client,
    CometGemError,
    CometGemWarning,
    ConfigurationError,
    Content,
    Part,
    Refuse,
    StreamInterruptedError,
    StreamTruncatedError,
    ToolError,
    UsageMetadata,
)
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ENDLESS = Reply.text(*["x"] * 200, delay=0.02)


@pytest.mark.parametrize("streamed", [False, True])
async def test_two_turns(client: Client, fake_server: FakeServer, *, streamed: bool) -> None:
    fake_server.add(Reply.text("Hel", "lo."), Reply.text("Fine", "."))
    chat = client.chat(MODEL, system_instruction="Be brief.", thinking="low")
    assert chat.history == []
    assert (await say(chat, "Hi", streamed=streamed)).text == "Hello."
    assert (await say(chat, "How are you?", streamed=streamed)).text == "Fine."
    assert chat.history == said("Hi", "Hello.", "How are you?", "Fine.")
    first, second = fake_server.requests
    assert second.body == {**first.body, "contents": wire(chat.history[:3])}
    assert first.body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    operation = "streamGenerateContent" if streamed else "generateContent"
    assert first.operation == second.operation == operation
    assert repr(chat) == f"<Chat with {MODEL}, turns=4>"


async def test_a_chat_continues_from_a_history(client: Client, fake_server: FakeServer) -> None:
    history = ["Hi", {"role": "model", "parts": [{"text": "Hello."}]}]
    chat = client.chat(MODEL, history=history)
    assert chat.history == said("Hi", "Hello.")
    fake_server.add(WARM)
    await chat.send(["How", Part(text="is it?")])
    assert chat.history[2] == Content(role="user", parts=[Part(text="How"), Part(text="is it?")])
    assert fake_server.requests[0].body["contents"] == wire(chat.history[:3])


async def test_everything_the_model_sent_is_kept(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(
        Reply.chunks(
            {"text": "Hm", "thought": True},
            {"text": ".", "thought": True},
            {"text": "Look: "},
            {"inlineData": {"mimeType": "image/png", "data": "AAEC"}, "thoughtSignature": "c2ln"},
            {"text": "there."},
            {"text": "", "thoughtSignature": "ZW5k"},
            {"candidates": [{"index": 0, "content": {"role": "model"}, "finishReason": "STOP"}]},
            {"usageMetadata": {"totalTokenCount": 5}},
        )
    )
    chat = client.chat(MODEL)
    final = await chat.send("Draw")
    assert wire(chat.history)[1] == {
        "role": "model",
        "parts": [
            {"text": "Hm.", "thought": True},
            {"text": "Look: "},
            {"inlineData": {"mimeType": "image/png", "data": "AAEC"}, "thoughtSignature": "c2ln"},
            {"text": "there."},
            {"text": "", "thoughtSignature": "ZW5k"},
        ],
    }
    assert chat.history[1] == final.content


@pytest.mark.parametrize("streamed", [False, True])
async def test_later_changes_by_the_caller_do_not_change_the_history(
    client: Client, fake_server: FakeServer, *, streamed: bool
) -> None:
    fake_server.add(WARM)
    said_before, says = Part(text="before"), Part(text="Hi")
    chat = client.chat(MODEL, history=[Content(role="user", parts=[said_before])])
    if streamed:
        async with chat.stream(says) as stream:
            final = await stream.get_final_response()
        stream.turns[0].parts.clear()
    else:
        final = await chat.send(says)
    said_before.text = says.text = "changed"
    final.content.parts[0].text = "changed"
    assert [turn.parts[0].text for turn in chat.history] == ["before", "Hi", "It is warm."]


@pytest.mark.parametrize("streamed", [False, True])
async def test_thoughts_can_be_left_out(
    client: Client, fake_server: FakeServer, *, streamed: bool
) -> None:
    thinking = Reply.chunks(
        {"text": "Hm.", "thought": True},
        {"text": "So.", "thought": True, "thoughtSignature": "c2ln"},
        {"text": "Yes."},
    )
    fake_server.add(thinking, Reply.chunks({"text": "Hm.", "thought": True}))
    chat = client.chat(MODEL, keep_thoughts=False)
    assert (await say(chat, "Hi", streamed=streamed)).thoughts == "Hm.So."
    assert wire(chat.history)[1]["parts"] == [
        {"text": "So.", "thought": True, "thoughtSignature": "c2ln"},
        {"text": "Yes."},
    ]
    await say(chat, "Go on", streamed=streamed)  # a turn must have parts
    assert wire(chat.history)[3]["parts"] == [{"text": "Hm.", "thought": True}]


async def test_a_turn_with_tools(client: Client, fake_server: FakeServer, tools: Tools) -> None:
    fake_server.add(
        calling(call("get_weather", {"city": "a"}, id="1"), call("get_time", {"city": "b"})), WARM
    )
    chat = client.chat(MODEL, tools=[tools.get_weather, tools.get_time])
    assert (await chat.send("Hi")).text == "It is warm."
    assert [(turn.role, len(turn.parts)) for turn in chat.history] == [
        ("user", 1),
        ("model", 2),
        ("user", 2),
        ("model", 1),
    ]
    assert fake_server.requests[1].body["contents"] == wire(chat.history[:3])
    assert tools.begun == ["a", "b"]


async def break_off(chat: Chat[Any]) -> None:
    async for _ in chat.stream("Hi"):
        break


async def close(chat: Chat[Any]) -> None:
    async with chat.stream("Hi") as stream:
        await anext(stream)


async def fail(chat: Chat[Any]) -> None:
    with pytest.raises(ZeroDivisionError):
        async for _ in chat.stream("Hi").text_stream:
            raise ZeroDivisionError


async def cancel(chat: Chat[Any]) -> None:
    with anyio.move_on_after(0.3) as scope:
        async with chat.stream("Hi") as stream:
            async for _ in stream:
                pass
    assert scope.cancelled_caught


@pytest.mark.parametrize("leave", [break_off, close, fail, cancel])
async def test_a_turn_that_was_left_is_kept_only_on_request(
    client: Client, fake_server: FakeServer, leave: Callable[[Chat[Any]], Awaitable[None]]
) -> None:
    fake_server.add(ENDLESS, WARM)
    chat = client.chat(MODEL, history=said("Before.", "Yes."))
    await leave(chat)
    assert chat.history == said("Before.", "Yes.")
    await fake_server.requests[0].wait_gone()
    chat.keep_partial()
    kept = chat.history[3].parts[0].text
    assert chat.history[:3] == said("Before.", "Yes.", "Hi")
    assert kept
    assert set(kept) == {"x"}
    with pytest.raises(
        RuntimeError, match=r"^nothing to keep: the last turn is complete, or nothing of its answer"
    ):
        chat.keep_partial()
    await chat.send("And?")
    assert chat.history == said("Before.", "Yes.", "Hi", kept, "And?", "It is warm.")
    assert fake_server.requests[1].body["contents"] == wire(chat.history[:5])


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply.text("Hel", "lo").then_end(), StreamTruncatedError),
        (Reply.text("Hel", "lo").then_reset(), StreamInterruptedError),
        (Reply.text("Hel", "lo").then_error(400), BadRequestError),
    ],
)
async def test_a_turn_that_failed_is_kept_only_on_request(
    client: Client, fake_server: FakeServer, reply: Reply, kind: type[Exception]
) -> None:
    fake_server.add(reply, WARM)
    chat = client.chat(MODEL)
    with pytest.raises(kind):
        await say(chat, "Hi", streamed=True)
    assert chat.history == []
    chat.keep_partial()
    await chat.send("Again")
    assert chat.history == said("Hi", "Hello", "Again", "It is warm.")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("reply", [Reply.error(400), Reply.reset(), Reply.html()])
async def test_a_turn_without_an_answer_cannot_be_kept(
    client: Client, fake_server: FakeServer, reply: Reply, *, streamed: bool
) -> None:
    fake_server.add(reply, WARM)
    chat = client.chat(MODEL)
    with pytest.raises(CometGemError):
        await say(chat, "Hi", streamed=streamed)
    with pytest.raises(RuntimeError):
        chat.keep_partial()
    await chat.send("Again")
    assert chat.history == said("Again", "It is warm.")


async def test_a_failed_tool_does_not_change_the_history(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(
        calling(call("get_weather", {"city": "a"})),
        Reply.chunks({"text": "Wait."}, call("fail", {"why": "no"})),
        WARM,
    )
    chat = client.chat(MODEL, tools=[tools.get_weather, tools.fail])
    with pytest.raises(ToolError):
        await chat.send("Hi")
    assert chat.history == []
    chat.keep_partial()
    assert [turn.role for turn in chat.history] == ["user", "model", "user", "model"]
    assert [part.text for part in chat.history[-1].parts] == ["Wait.", None]
    assert [one.name for one in chat.pending] == ["fail"]
    assert (await chat.resume({0: Refuse()})).text == "It is warm."


async def test_a_failed_tool_of_the_first_round_can_be_kept(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(call("get_weather", {"city": "a"}), call("fail", {"why": "no"})), WARM)
    chat = client.chat(MODEL, tools=[tools.get_weather, tools.fail], concurrency=1)
    with pytest.raises(ToolError) as caught:
        await chat.send("Hi")
    assert [turn.role for turn in caught.value.turns] == ["model"]
    chat.keep_partial()
    assert [one.name for one in chat.pending] == ["fail"]
    await chat.resume({0: "never mind"})
    assert [
        part["functionResponse"] for part in fake_server.requests[1].body["contents"][2]["parts"]
    ] == [
        {"name": "get_weather", "response": {"weather": "warm in a"}},
        {"name": "fail", "response": {"result": "never mind"}},
    ]
    assert tools.begun == ["a"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_turn_with_an_empty_answer_is_not_kept(
    client: Client, fake_server: FakeServer, *, streamed: bool
) -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}}
    empty = {"candidates": [{"finishReason": "SAFETY", "content": {"role": "model"}}]}
    fake_server.add(Reply.chunks(blocked), Reply.chunks(empty))
    chat = client.chat(MODEL)
    assert (await say(chat, "Hi", streamed=streamed)).block_reason == "SAFETY"
    assert (await say(chat, "Hi", streamed=streamed)).finish_reason == "SAFETY"
    assert chat.history == []
    with pytest.raises(RuntimeError):
        chat.keep_partial()


async def test_one_turn_at_a_time(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.silence(), WARM)
    chat = client.chat(MODEL)
    task = asyncio.create_task(chat.send("Hi"))
    request = await fake_server.wait_request()
    with pytest.raises(RuntimeError, match="previous turn is still in progress"):
        await chat.send("And?")
    with pytest.raises(RuntimeError, match="previous turn is still in progress"):
        chat.stream("And?")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await request.wait_gone()
    assert (await chat.send("And?")).text == "It is warm."
    assert chat.history == said("And?", "It is warm.")


async def test_a_stream_that_was_never_opened_is_not_a_turn(
    client: Client, fake_server: FakeServer
) -> None:
    chat = client.chat(MODEL)
    stream = chat.stream("Hi")
    with pytest.raises(RuntimeError, match="in progress"):
        chat.stream("Hi")
    await stream.aclose()
    chat.stream("Hi")  # dropped at once
    fake_server.add(WARM)
    await chat.send("Hi")
    assert chat.history == said("Hi", "It is warm.")


async def test_usage_is_summed_over_all_requests(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(
        calling(call("get_weather", {"city": "a"})).usage(
            {"promptTokenCount": 10, "thoughtsTokenCount": 3, "totalTokenCount": 13}
        ),
        WARM.usage({"promptTokenCount": 20, "candidatesTokenCount": 4, "totalTokenCount": 24}),
        Reply.chunks(
            {"text": "a"}, {"usageMetadata": {"promptTokenCount": 30, "totalTokenCount": 30}}
        ).then_end(),
        WARM.usage({"cachedContentTokenCount": 9, "totalTokenCount": 9}),
    )
    chat = client.chat(MODEL, tools=[tools.get_weather])
    await chat.send("Hi")
    with pytest.raises(StreamTruncatedError):
        await say(chat, "Hi", streamed=True)
    await chat.send("Hi")
    assert chat.usage == UsageMetadata(
        prompt_token_count=60,
        candidates_token_count=4,
        thoughts_token_count=3,
        cached_content_token_count=9,
        total_token_count=76,
    )


async def test_options_of_one_turn(client: Client, fake_server: FakeServer) -> None:
    chat = client.chat(MODEL, thinking="low", generation_config={"seed": 1})
    await chat.send("Hi", thinking="high")
    await say(chat, "Hi", streamed=True)
    chat.model, chat.options["thinking"] = "gemini-2.5-flash", "off"
    await chat.send("Hi")
    configs = [request.body["generationConfig"] for request in fake_server.requests]
    assert configs == [
        {"seed": 1, "thinkingConfig": {"thinkingLevel": "HIGH"}},
        {"seed": 1, "thinkingConfig": {"thinkingLevel": "LOW"}},
        {"seed": 1, "thinkingConfig": {"thinkingBudget": 0}},
    ]
    assert fake_server.requests[2].model == "gemini-2.5-flash"


async def test_two_hundred_turns(client: Client, fake_server: FakeServer, tools: Tools) -> None:
    chat: Chat[Any] = client.chat(MODEL, tools=[tools.get_weather])
    for turn in range(200):
        signature = f"c2ln{turn}"
        answer = {"text": f"answer {turn}", "thoughtSignature": signature}
        if turn % 10 == 5:
            fake_server.add(calling(call("get_weather", {"city": str(turn)})))
        fake_server.add(Reply.chunks(answer))
        final = await say(chat, f"question {turn}", streamed=turn % 2 == 0)
        assert final.text == f"answer {turn}"
    assert len(chat.history) == 2 * 200 + 2 * 20
    assert fake_server.requests[-1].body["contents"] == wire(chat.history[:-1])
    assert [part.thought_signature for turn in chat.history for part in turn.parts if part.text][
        1::2
    ] == [f"c2ln{turn}" for turn in range(200)]
    assert client.load_chat(chat.to_json()).history == chat.history
    assert tools.begun == [str(turn) for turn in range(5, 200, 10)]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"history": [5]}, "history[0] must be a str"),
        ({"tools": [5]}, "tools[0] must be a function"),
        ({"model": "a/b"}, "'a/b' is not a valid model name"),
        ({"max_rounds": 0}, "max_rounds=0 is not valid; use an integer of at least 1"),
        ({"history": 5}, "history must be a str"),
        ({"thinking": "a lot"}, "thinking='a lot' must be 'off', 'minimal', "),
        ({"generation_config": {"topk": 1}}, "generation_config has no key 'topk'"),
    ],
)
async def test_invalid_arguments_are_refused_at_once(
    client: Client, options: Any, sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        client.chat(**({"model": MODEL} | options))
    assert str(caught.value).startswith(sentence)


async def test_unknown_options_are_refused(client: Client) -> None:
    options: Any = {"tool": []}
    with pytest.raises(TypeError, match=r"unknown option 'tool'; .*, max_rounds, "):
        client.chat(MODEL, **options)


async def test_invalid_contents_do_not_start_a_turn(
    client: Client, fake_server: FakeServer
) -> None:
    chat = client.chat(MODEL)
    for bad in ("", [], 5):
        with pytest.raises(ConfigurationError, match="contents"):
            await chat.send(bad)  # type: ignore[arg-type]
    chat.model = "a/b"
    with pytest.raises(ConfigurationError, match="not a valid model name"):
        chat.stream("Hi")
    with pytest.raises(ConfigurationError, match="not a valid model name"):
        await chat.send("Hi")
    chat.model = MODEL
    await chat.send("Hi")
    assert len(fake_server.requests) == 1


def test_thinking_that_does_not_fit_the_model_warns_when_the_chat_is_made() -> None:
    client = Client("sk-key-of-the-test")
    config: Any = {"thinking_config": {"thinking_level": "MINIMAL"}}
    with pytest.warns(CometGemWarning, match="does not fit 'gemini-3-pro'") as warned:
        client.chat("gemini-3-pro", generation_config=config)
    assert [warning.filename for warning in warned] == [__file__]


async def test_thinking_that_is_replaced_warns_when_the_chat_is_made(
    client: Client, fake_server: FakeServer
) -> None:
    with pytest.warns(CometGemWarning, match="does not take thinking='minimal'") as warned:
        chat = client.chat("gemini-3.8-flash", thinking="minimal")
    with pytest.warns(CometGemWarning, match="does not take thinking='minimal'"):
        await chat.send("Hi")
    assert [warning.filename for warning in warned] == [__file__]
    (request,) = fake_server.requests
    assert request.body["generationConfig"] == {"thinkingConfig": {"thinkingLevel": "LOW"}}
