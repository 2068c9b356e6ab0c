"""Conversations over several rounds: what the caller sees, what the model gets."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from conversation.calling import MODEL, WARM, Tools, call, calling, kinds, read

from cometgem import (
    BadRequestError,
    Client,
    FunctionCall,
    FunctionResponse,
    FunctionTool,
)
from cometgem.testing import FakeServer, Reply


async def test_two_rounds(client: Client, fake_server: FakeServer, tools: Tools) -> None:
    fake_server.add(
        Reply.chunks(
            {"text": "Which city?", "thought": True},
            {"text": "Let me see."},
            call("get_weather", {"city": "Bern"}, id="a1") | {"thoughtSignature": "c2ln"},
        ),
        WARM,
    )
    stream = client.run_tools(MODEL, "How is it in Bern?", tools=[tools.get_weather])
    items = await read(stream)
    assert kinds(items) == [
        "-",  # the thought
        "Let me see.",
        "-",  # the chunk with the call
        "call get_weather",
        "answer {'weather': 'warm in Bern'}",
        "It is ",
        "warm.",
    ]
    assert items[0].thoughts == "Which city?"  # type: ignore[union-attr]
    assert items[4] == FunctionResponse(
        name="get_weather", id="a1", response={"weather": "warm in Bern"}
    )
    first, second = fake_server.requests
    assert first.body["contents"] == [{"role": "user", "parts": [{"text": "How is it in Bern?"}]}]
    assert second.body["contents"] == [
        {"role": "user", "parts": [{"text": "How is it in Bern?"}]},
        {
            "role": "model",
            "parts": [
                {"text": "Which city?", "thought": True},
                {"text": "Let me see."},
                {
                    "functionCall": {"name": "get_weather", "args": {"city": "Bern"}, "id": "a1"},
                    "thoughtSignature": "c2ln",
                },
            ],
        },
        {
            "role": "user",
            "parts": [
                {
                    "functionResponse": {
                        "name": "get_weather",
                        "response": {"weather": "warm in Bern"},
                        "id": "a1",
                    }
                }
            ],
        },
    ]
    assert first.body["tools"] == second.body["tools"]
    assert first.body["tools"][0]["functionDeclarations"][0]["name"] == "get_weather"
    assert stream.complete
    assert [turn.role for turn in stream.turns] == ["model", "user", "model"]
    assert stream.snapshot.text == stream.turns[-1].parts[0].text == "It is warm."
    assert repr(stream) == "<ConversationStream complete, rounds=2>"


async def test_the_usage_is_that_of_all_rounds(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(
        calling(call("get_weather", {"city": "Bern"})).usage(
            {"promptTokenCount": 10, "thoughtsTokenCount": 3, "totalTokenCount": 15}
        ),
        WARM.usage({"promptTokenCount": 20, "cachedContentTokenCount": 8, "totalTokenCount": 24}),
    )
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather])
    await stream.get_final_response()
    assert stream.usage.prompt_token_count == 30
    assert stream.usage.thoughts_token_count == 3
    assert stream.usage.cached_content_token_count == 8
    assert stream.usage.total_token_count == 39
    assert stream.usage.candidates_token_count is None


async def test_parallel_calls_run_side_by_side_and_are_answered_in_order(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    async def first(name: str) -> str:
        """Ends after the second."""
        return await tools.wait(name)

    async def second(name: str) -> str:
        """Lets the first one go."""
        tools.gate.set()
        return name

    fake_server.add(
        calling(
            call("first", {"name": "a"}, id="1") | {"thoughtSignature": "c2ln"},
            call("second", {"name": "b"}, id="2"),
            call("get_time", {"city": "Bern", "hours": "2"}),
        ),
        WARM,
    )
    items = await read(client.run_tools(MODEL, "Hi", tools=[first, second, tools.get_time]))
    answers = [item for item in items if isinstance(item, FunctionResponse)]
    assert {answer.name for answer in answers} == {"first", "second", "get_time"}
    places = [answer.name for answer in answers]
    assert places.index("second") < places.index("first")  # as each is ready
    sent = fake_server.requests[1].body["contents"][-1]
    assert [part["functionResponse"] for part in sent["parts"]] == [
        {"name": "first", "id": "1", "response": {"result": "a"}},
        {"name": "second", "id": "2", "response": {"result": "b"}},
        {"name": "get_time", "response": {"result": "Bern +2"}},
    ]


@pytest.mark.parametrize("concurrency", [1, 2, None])
async def test_so_many_at_a_time(
    client: Client, fake_server: FakeServer, concurrency: int | None
) -> None:
    running = most = 0

    async def work(number: int) -> int:
        """Work."""
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return number

    fake_server.add(calling(*(call("work", {"number": n}) for n in range(6))), WARM)
    await read(client.run_tools(MODEL, "Hi", tools=[work], concurrency=concurrency))
    assert most == (concurrency or 6)
    sent = fake_server.requests[1].body["contents"][-1]["parts"]
    assert [part["functionResponse"]["response"]["result"] for part in sent] == [*range(6)]


async def test_plain_functions_run_in_threads_side_by_side(
    client: Client, fake_server: FakeServer
) -> None:
    meeting = threading.Barrier(3)

    def meet(name: str) -> str:
        """Wait for the others."""
        meeting.wait(10)
        return name

    fake_server.add(calling(*(call("meet", {"name": name}) for name in "abc")), WARM)
    items = await read(client.run_tools(MODEL, "Hi", tools=[meet]))
    assert kinds(items)[-2:] == ["It is ", "warm."]


async def test_calls_in_pieces_can_be_watched_and_are_run_whole(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    args = {"city": "Bern", "hours": 2}
    fake_server.add(Reply.call("get_time", args, id="9", signature="c2ln", in_pieces=True), WARM)
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_time])
    seen: list[dict[str, Any]] = []
    calls: list[FunctionCall] = []
    async for item in stream:
        if isinstance(item, FunctionCall):
            calls.append(item)
        elif not calls:
            seen += [one.args for one in stream.snapshot.function_calls]
    assert seen[0] == {}
    assert {"city": "Be"} in seen  # as far as it had come
    assert [(one.name, one.args, one.id) for one in calls] == [("get_time", args, "9")]
    assert fake_server.requests[1].body["contents"][1]["parts"] == [
        {
            "functionCall": {"name": "get_time", "args": args, "id": "9"},
            "thoughtSignature": "c2ln",
        }
    ]


async def test_signatures_go_back_byte_for_byte_over_three_rounds(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    signatures = ["AZ+/==", "_-urlsafe", "x" * 5000, "not even base64 \u00e9"]
    fake_server.add(
        Reply.chunks(
            {"text": "", "thoughtSignature": signatures[0]},
            call("get_weather", {"city": "a"}) | {"thoughtSignature": signatures[1]},
            call("get_weather", {"city": "b"}),
        ),
        Reply.chunks(
            {"text": "On it."},
            call("get_weather", {"city": "c"}) | {"thoughtSignature": signatures[2]},
        ),
        Reply.chunks({"text": "Done."}, {"text": "", "thoughtSignature": signatures[3]}),
    )
    chat = client.chat(MODEL, tools=[tools.get_weather])
    await chat.send("Hi")
    await chat.send("Again")

    def sent(request: int) -> list[str | None]:
        contents = fake_server.requests[request].body["contents"]
        parts = [part for turn in contents if turn["role"] == "model" for part in turn["parts"]]
        return [part.get("thoughtSignature") for part in parts]

    assert sent(1) == [signatures[0], signatures[1], None]
    assert sent(2) == [*sent(1), None, signatures[2]]
    assert sent(3) == [*sent(2), None, signatures[3]]
    assert fake_server.requests[3].body["contents"][1]["parts"][0] == {
        "text": "",
        "thoughtSignature": signatures[0],
    }


async def test_nothing_is_run_unless_asked(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(call("get_time", {"city": "Bern", "hours": "2"})))
    fake_server.add(calling(call("get_time", {"city": "Bern"})))
    tool = FunctionTool(tools.get_time)
    response = await client.generate_content(MODEL, "Hi", tools=[tool])
    async with client.stream_generate_content(MODEL, "Hi", tools=[tools.get_time]) as stream:
        final = await stream.get_final_response()
    assert tool.parse(response.function_calls[0]) == {"city": "Bern", "hours": 2}
    assert final.function_calls[0].args == {"city": "Bern"}
    assert tools.begun == []
    assert fake_server.requests[0].body["tools"] == fake_server.requests[1].body["tools"]


async def test_confirming(client: Client, fake_server: FakeServer, tools: Tools) -> None:
    asked: list[str] = []

    async def confirm(call: FunctionCall) -> bool | str:
        asked.append(call.args["city"])
        return {"a": True, "b": False, "c": "not on Sundays"}[call.args["city"]]

    fake_server.add(calling(*(call("get_weather", {"city": city}) for city in "abc")), WARM)
    await read(client.run_tools(MODEL, "Hi", tools=[tools.get_weather], confirm=confirm))
    answers = fake_server.requests[1].body["contents"][-1]["parts"]
    assert [part["functionResponse"]["response"] for part in answers] == [
        {"weather": "warm in a"},
        {"error": "the user refused this call"},
        {"error": "not on Sundays"},
    ]
    assert asked == ["a", "b", "c"]
    assert tools.begun == ["a"]


async def test_confirming_with_a_plain_function_does_not_block(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    def confirm(call: FunctionCall) -> bool:
        assert threading.current_thread() is not threading.main_thread()
        return call.name == "get_weather"

    fake_server.add(calling(call("get_weather", {"city": "a"})), WARM)
    await read(client.run_tools(MODEL, "Hi", tools=[tools.get_weather], confirm=confirm))
    assert tools.begun == ["a"]


async def test_the_text_alone(client: Client, fake_server: FakeServer, tools: Tools) -> None:
    fake_server.add(
        Reply.chunks({"text": "Hm.", "thought": True}, call("get_weather", {"city": "a"})), WARM
    )
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather])
    assert [text async for text in stream.text_stream] == ["It is ", "warm."]


async def test_the_status_can_be_known_first(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.error(400, message="no"))
    stream = client.run_tools(MODEL, "Hi", tools=[])
    assert fake_server.requests == []
    with pytest.raises(BadRequestError):
        await stream.open()


async def test_await_opens_the_conversation_and_returns_it(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(Reply.error(400, message="no"))
    refused = client.run_tools(MODEL, "Hi", tools=[])
    with pytest.raises(BadRequestError, match="no"):
        await refused
    fake_server.add(calling(call("get_weather", {"city": "a"})), WARM)
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather])
    assert await stream is stream
    assert len(fake_server.requests) == 2
    assert kinds(await read(stream))[1:3] == ["call get_weather", "answer {'weather': 'warm in a'}"]
    async for item in await client.run_tools(MODEL, "Hi", tools=[]):
        assert item


async def test_the_final_response_can_be_asked_for_twice(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(WARM)
    async with client.run_tools(MODEL, ["Hi", {"text": "there"}], tools=[]) as stream:
        assert (await stream.get_final_response()).text == "It is warm."
        assert (await stream.get_final_response()).text == "It is warm."
    assert stream.complete
    assert fake_server.requests[0].body["contents"][0]["parts"] == [
        {"text": "Hi"},
        {"text": "there"},
    ]
