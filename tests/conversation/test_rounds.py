"""Conversations over several rounds: what the caller sees and what the model is sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from conversation.calling import MODEL, WARM, Tools, call, calling, kinds, read

from cometgem import (
    BadRequestError,
    Client,
    FunctionCall,
    FunctionResponse,
    FunctionTool,
    StreamTruncatedError,
    TooManyRoundsError,
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


async def test_usage_is_summed_over_all_rounds(
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


async def test_streamed_calls_are_visible_early_and_run_once_complete(
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
    assert {"city": "Be"} in seen  # the arguments so far
    assert [(one.name, one.args, one.id) for one in calls] == [("get_time", args, "9")]
    assert fake_server.requests[1].body["contents"][1]["parts"] == [
        {
            "functionCall": {"name": "get_time", "args": args, "id": "9"},
            "thoughtSignature": "c2ln",
        }
    ]


async def test_signatures_are_sent_back_unchanged_over_three_rounds(
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


async def test_functions_are_not_run_without_run_tools(
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


async def test_text_stream_yields_the_text_only(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(
        Reply.chunks({"text": "Hm.", "thought": True}, call("get_weather", {"city": "a"})), WARM
    )
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather])
    assert [text async for text in stream.text_stream] == ["It is ", "warm."]


async def test_open_raises_before_the_first_chunk(client: Client, fake_server: FakeServer) -> None:
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


async def test_the_final_response_can_be_requested_twice(
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


PIECES = [{"functionCall": {"name": "get_weather", "willContinue": True}}]


async def test_a_call_cut_off_with_its_stream_is_not_run(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(Reply.chunks({"text": "Well"}, *PIECES).then_end())
    with pytest.raises(StreamTruncatedError) as caught:
        await read(client.run_tools(MODEL, "Hi", tools=[tools.get_weather]))
    assert caught.value.partial is not None
    assert caught.value.partial.function_calls[0].will_continue
    assert tools.begun == []


async def test_a_call_cut_off_with_its_stream_is_reported_on_request(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(Reply.chunks({"text": "Well"}, *PIECES).then_end(), WARM)
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather], on_tool_error="report")
    assert (await stream.get_final_response()).text == "It is warm."
    answer = fake_server.requests[1].body["contents"][-1]["parts"][0]["functionResponse"]
    assert "was cut off" in answer["response"]["error"]
    assert tools.begun == []


async def test_a_cut_stream_without_an_incomplete_call_is_an_error(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(call("get_weather", {"city": "a"})).then_end())
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather], on_tool_error="report")
    with pytest.raises(StreamTruncatedError):
        await read(stream)
    assert tools.begun == []


async def test_too_many_rounds(client: Client, fake_server: FakeServer, tools: Tools) -> None:
    fake_server.add(*[calling(call("get_weather", {"city": str(n)})) for n in range(5)])
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather], max_rounds=3)
    with pytest.raises(TooManyRoundsError) as caught:
        await read(stream)
    assert caught.value.rounds == 3
    assert [turn.role for turn in caught.value.turns] == ["model", "user"] * 2 + ["model"]
    assert len(fake_server.requests) == 3
    assert tools.begun == ["0", "1"]


async def test_ten_rounds_are_the_default(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(*[calling(call("get_weather", {"city": str(n)})) for n in range(20)])
    with pytest.raises(TooManyRoundsError, match="after 10 rounds"):
        await read(client.run_tools(MODEL, "Hi", tools=[tools.get_weather]))
    assert len(fake_server.requests) == 10


async def test_responses_know_the_position_of_their_call(
    client: Client, fake_server: FakeServer
) -> None:
    gate = asyncio.Event()

    async def wait(n: int) -> int:
        if n == 0:
            await gate.wait()
        gate.set()
        return n

    fake_server.add(calling(call("wait", {"n": 0}), call("wait", {"n": 1})), WARM)
    items = await read(client.run_tools(MODEL, "Hi", tools=[wait]))
    responses = [item for item in items if isinstance(item, FunctionResponse)]
    assert [(one.response, one.call_index) for one in responses] == [
        ({"result": 1}, 1),
        ({"result": 0}, 0),
    ]
    assert responses[0].to_dict() == {"name": "wait", "response": {"result": 1}}
    assert FunctionResponse().call_index is None
