"""Chats: the history is exact, a turn is kept whole or not at all."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from calling import MODEL, WARM, Tools, call, calling
from conformance import conformance_file
from protocol.recorded import recorded

from cometgem import (
    BadRequestError,
    Chat,
    Client,
    CometGemError,
    ConfigurationError,
    Content,
    GenerateContentResponse,
    Part,
    StreamInterruptedError,
    StreamTruncatedError,
    ToolError,
    UsageMetadata,
)
from cometgem.protocol.codec import encode
from cometgem.testing import FakeServer, Reply
from cometgem.types import GoogleSearch, Tool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ENDLESS = Reply.text(*["x"] * 200, delay=0.02)


def said(*texts: str) -> list[Content]:
    """Turns of the user and the model, in turn."""
    roles = ["user", "model"] * len(texts)
    return [
        Content(role=role, parts=[Part(text=text)])
        for role, text in zip(roles, texts, strict=False)
    ]


def wire(turns: list[Content]) -> Any:
    return json.loads(encode(turns))


async def say(chat: Chat[Any], text: str, *, streamed: bool) -> GenerateContentResponse:
    if not streamed:
        return await chat.send(text)
    async with chat.stream(text) as stream:
        return await stream.get_final_response()


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


async def test_it_goes_on_from_a_history(client: Client, fake_server: FakeServer) -> None:
    history = ["Hi", {"role": "model", "parts": [{"text": "Hello."}]}]
    chat = client.chat(MODEL, history=history)
    assert chat.history == said("Hi", "Hello.")
    fake_server.add(WARM)
    await chat.send(["How", Part(text="is it?")])
    assert chat.history[2] == Content(role="user", parts=[Part(text="How"), Part(text="is it?")])
    assert fake_server.requests[0].body["contents"] == wire(chat.history[:3])


async def test_all_that_the_model_sent_is_kept(client: Client, fake_server: FakeServer) -> None:
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
async def test_what_the_caller_changes_later_is_not_what_was_said(
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
async def test_thoughts_may_be_left_out(
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
async def test_a_turn_that_was_left_is_not_kept_unless_asked(
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
    with pytest.raises(RuntimeError, match="there is no unfinished turn with an answer to keep"):
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
async def test_a_turn_that_failed_is_not_kept_unless_asked(
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
async def test_a_turn_without_an_answer_has_nothing_to_keep(
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


async def test_a_failed_tool_leaves_the_history_as_it_was(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(
        calling(call("get_weather", {"city": "a"})),
        Reply.chunks({"text": "Wait."}, call("fail", {"why": "no"})),
    )
    chat = client.chat(MODEL, tools=[tools.get_weather, tools.fail])
    with pytest.raises(ToolError):
        await chat.send("Hi")
    assert chat.history == []
    chat.keep_partial()
    assert [turn.role for turn in chat.history] == ["user", "model", "user", "model"]
    assert chat.history[-1].parts == [Part(text="Wait.")]  # a call would want its answer


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_turn_to_which_the_model_said_nothing_is_not_kept(
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
    with pytest.raises(RuntimeError, match="turn before is still under way"):
        await chat.send("And?")
    with pytest.raises(RuntimeError, match="turn before is still under way"):
        chat.stream("And?")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await request.wait_gone()
    assert (await chat.send("And?")).text == "It is warm."
    assert chat.history == said("And?", "It is warm.")


async def test_a_stream_that_was_never_opened_is_no_turn(
    client: Client, fake_server: FakeServer
) -> None:
    chat = client.chat(MODEL)
    stream = chat.stream("Hi")
    with pytest.raises(RuntimeError, match="under way"):
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


def answers(document: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, known) for name, known in document["files"].items() if not known["error"]]


@pytest.mark.parametrize(("name", "known"), recorded("bodies/EXPECT.json", answers))
async def test_every_recorded_answer_survives_json(
    client: Client, fake_server: FakeServer, name: str, known: dict[str, Any]
) -> None:
    fake_server.add(Reply.recorded(conformance_file(f"bodies/{name}")), WARM)
    chat = client.chat(MODEL)
    final = await say(chat, "Hi", streamed=known["kind"] == "streaming")
    assert [turn.role for turn in chat.history] == (["user", "model"] if final.parts else [])
    again = Chat.from_json(chat.to_json(), client)
    assert (again.history, again.usage) == (chat.history, chat.usage)
    assert wire(again.history) == wire(chat.history)
    await again.send("Go on")
    assert fake_server.requests[1].body["contents"] == wire([*chat.history, *said("Go on")])


async def test_json_gives_the_chat_back(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(
        calling(call("get_weather", {"city": "a"}) | {"thoughtSignature": "c2ln"}), WARM, WARM, WARM
    )
    chat = client.chat(MODEL, tools=[tools.get_weather], system_instruction=["Be", "brief."])
    await chat.send("Hi")
    again = Chat.from_json(chat.to_json(), client, tools=[tools.get_weather])
    assert (again.model, again.history, again.usage) == (chat.model, chat.history, chat.usage)
    assert again.to_json() == chat.to_json()
    await chat.send("And?")
    await again.send("And?")
    assert fake_server.requests[2].body == fake_server.requests[3].body
    other = Chat.from_json(chat.to_json().encode(), client, system_instruction="Sing.")
    assert other.options["system_instruction"] == "Sing."


async def test_json_that_is_no_chat(client: Client) -> None:
    with pytest.raises(ConfigurationError, match="this is no chat's JSON"):
        Chat.from_json("[]", client)


async def test_a_fork_shares_nothing_that_changes(client: Client, fake_server: FakeServer) -> None:
    instruction = Content(parts=[Part(text="Be brief.")])
    search = Tool(google_search=GoogleSearch())
    chat = client.chat(
        MODEL,
        tools=[search],
        history=said("Hi", "Hello."),
        system_instruction=instruction,
        headers={"X-A": "1"},
    )
    fork = chat.fork()
    assert (fork.model, fork.history, fork.options) == (chat.model, chat.history, chat.options)
    fork.history[0].parts[0].text = "Changed"
    fork.options["headers"]["X-A"] = "2"  # type: ignore[index]
    fork.options["system_instruction"].parts[0].text = "Sing."  # type: ignore[union-attr]
    fork.model = "gemini-other"
    search.google_search = None
    fake_server.add(WARM)
    await fork.send("More")
    assert fake_server.requests[0].body["tools"] == [{"googleSearch": {}}]
    assert chat.history == said("Hi", "Hello.")
    assert chat.options == {
        "system_instruction": Content(parts=[Part(text="Be brief.")]),
        "headers": {"X-A": "1"},
    }
    assert (chat.model, chat.usage) == (MODEL, UsageMetadata())
    assert len(fork.history) == 4


async def test_a_fork_may_go_on_during_a_turn(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(ENDLESS, WARM)
    chat = client.chat(MODEL)
    async with chat.stream("Hi") as stream:
        await anext(stream)
        fork = chat.fork()
        await fork.send("Hi")
    assert fork.history == said("Hi", "It is warm.")
    assert chat.history == []


async def test_a_fork_keeps_its_tools_and_what_they_belong_to(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    async def confirm(_: object) -> bool:
        return True

    fake_server.add(calling(call("get_weather", {"city": "a"})), WARM)
    fork = client.chat(MODEL, tools=[tools.get_weather], confirm=confirm).fork()
    await fork.send("Hi")
    assert tools.begun == ["a"]


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
    assert Chat.from_json(chat.to_json(), client).history == chat.history
    assert tools.begun == [str(turn) for turn in range(5, 200, 10)]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"history": [5]}, "contents[0] must be a str"),
        ({"tools": [5]}, "tools[0] must be a function"),
        ({"model": "a/b"}, "'a/b' is no model name"),
        ({"max_rounds": 0}, "max_rounds=0: give 1 or more"),
        ({"thinking": "off"}, "'gemini-3-flash-preview' cannot do thinking='off'"),
        ({"generation_config": {"topk": 1}}, "generation_config has no key 'topk'"),
    ],
)
async def test_bad_input_is_refused_at_once(client: Client, options: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        client.chat(**({"model": MODEL} | options))
    assert str(caught.value).startswith(sentence)


async def test_an_option_that_does_not_exist(client: Client) -> None:
    options: Any = {"tool": []}
    with pytest.raises(TypeError, match="'tool' is no option"):
        client.chat(MODEL, **options)


async def test_bad_input_is_no_turn(client: Client, fake_server: FakeServer) -> None:
    chat = client.chat(MODEL)
    for bad in ("", [], 5):
        with pytest.raises(ConfigurationError, match="contents"):
            await chat.send(bad)  # type: ignore[arg-type]
    chat.model = "a/b"
    with pytest.raises(ConfigurationError, match="no model name"):
        chat.stream("Hi")
    with pytest.raises(ConfigurationError, match="no model name"):
        await chat.send("Hi")
    chat.model = MODEL
    await chat.send("Hi")
    assert len(fake_server.requests) == 1
