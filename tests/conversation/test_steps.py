"""Rounds under control: where a conversation stops, what each round is asked, and for how long."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from conversation.calling import MODEL, WARM, Tools, call, calling, kinds, read

from cometgem import (
    APITimeoutError,
    BadRequestError,
    Client,
    ClosedError,
    ConfigurationError,
    FunctionResponse,
    FunctionTool,
    GenerateContentResponse,
    Pause,
    Round,
    StreamTruncatedError,
    ToolContext,
    ToolError,
    ToolFailed,
    TooManyRoundsError,
)
from cometgem.testing import FakeServer, Reply
from cometgem.types import ModalityTokenCount

if TYPE_CHECKING:
    from collections.abc import Callable

BERN = call("get_weather", {"city": "Bern"})
MALFORMED = Reply.chunks({"text": "", "thoughtSignature": "c2ln"}).finish("MALFORMED_FUNCTION_CALL")


# Stopping.


@pytest.mark.parametrize(
    "stop_after",
    [
        {"get_weather"},
        ["get_time", "get_weather"],
        "get_weather",
        lambda response: response.function_calls[0].name == "get_weather",
    ],
)
async def test_a_conversation_stops_after_a_function(
    client: Client, fake_server: FakeServer, tools: Tools, stop_after: Any
) -> None:
    fake_server.add(calling(call("get_time", {"city": "a"})), calling(BERN), WARM)
    chat = client.chat(MODEL, tools=[tools.get_weather, tools.get_time], stop_after=stop_after)
    stream = chat.stream("Hi")
    await read(stream)
    first = isinstance(stop_after, list)
    assert (stream.state, stream.complete) == ("stopped", False)
    assert len(fake_server.requests) == (1 if first else 2)
    assert [turn.role for turn in chat.history] == ["user"] + ["model", "user"] * (
        1 if first else 2
    )
    assert chat.pending == []
    if not first:
        assert (await chat.resume()).text == "It is warm."


async def test_a_failed_call_does_not_stop_the_conversation(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(call("get_weather", {"town": 1})), calling(BERN))
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather], stop_after={"get_weather"})
    await read(stream)
    assert (stream.state, len(fake_server.requests)) == ("stopped", 2)


async def test_a_resumed_call_stops_the_conversation(
    client: Client, fake_server: FakeServer
) -> None:
    declared: Any = {"functionDeclarations": [{"name": "final"}]}
    fake_server.add(calling(call("final", {})))
    chat = client.chat(MODEL, tools=[declared], stop_after={"final"})
    await chat.send("Hi")
    stream = chat.resume_stream({0: "done"})
    assert kinds(await read(stream)) == ["answer {'result': 'done'}"]
    assert (stream.state, len(fake_server.requests)) == ("stopped", 1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"stop_after": {"get_wether"}}, "stop_after names 'get_wether', which is not in tools"),
        ({"stop_after": 5}, "stop_after=5 is not valid; use names of functions"),
        ({"stop_after": [5]}, "stop_after=[5] is not valid; use names of functions"),
        ({"total_time": 0}, "total_time=0 is not valid; use seconds above 0, or None for no limit"),
        ({"total_time": float("inf")}, "total_time=inf is not valid"),
        ({"prepare_round": "x"}, "prepare_round='x' is not valid; use a function, or None"),
        ({"force_every_round": 1}, "force_every_round=1 is not a bool"),
    ],
)
async def test_options_that_are_not_valid(
    client: Client, tools: Tools, options: Any, sentence: str
) -> None:
    for start in (client.run_tools, lambda model, _, **rest: client.chat(model, **rest)):
        with pytest.raises(ConfigurationError) as caught:
            start(MODEL, "Hi", tools=[tools.get_weather], **options)
        assert str(caught.value).startswith(sentence)


async def test_a_predicate_must_return_a_bool(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(BERN))
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather], stop_after=lambda _: None)
    with pytest.raises(ConfigurationError, match="stop_after must return a bool, got None"):
        await read(stream)


# Preparing rounds.


@pytest.mark.parametrize("plain", [False, True])
async def test_each_round_can_be_prepared(
    client: Client, fake_server: FakeServer, tools: Tools, *, plain: bool
) -> None:
    seen: list[tuple[int, str, int]] = []

    def change(asked: Round) -> None:
        seen.append((asked.number, asked.model, len(asked.contents)))
        if asked.number == 2:
            asked.model = "gemini-3.8-flash"
            asked.tools = [tools.get_time]
            asked.tool_config = {"functionCallingConfig": {"mode": "NONE"}}
            asked.contents.append("Be brief.")

    async def change_later(asked: Round) -> None:
        await asyncio.sleep(0)
        change(asked)

    fake_server.add(calling(BERN), calling(BERN), calling(BERN), WARM)
    stream = client.run_tools(
        MODEL, "Hi", tools=[tools.get_weather], prepare_round=change if plain else change_later
    )
    assert fake_server.requests == []
    await read(stream)
    assert seen == [(1, MODEL, 1), (2, MODEL, 3), (3, MODEL, 5), (4, MODEL, 7)]
    first, second, third, _ = fake_server.requests
    assert (first.model, second.model, third.model) == (MODEL, "gemini-3.8-flash", MODEL)
    names = [one.body["tools"][0]["functionDeclarations"][0]["name"] for one in (second, third)]
    assert names == ["get_time", "get_weather"]
    assert second.body["toolConfig"] == {"functionCallingConfig": {"mode": "NONE"}}
    assert "toolConfig" not in third.body
    assert second.body["contents"][-1] == {"role": "user", "parts": [{"text": "Be brief."}]}
    assert len(third.body["contents"]) == 5  # what was appended is not kept
    error = third.body["contents"][-1]["parts"][0]["functionResponse"]["response"]["error"]
    assert error == "unknown tool 'get_weather'; available tools: 'get_time'"


async def test_an_error_while_preparing_reaches_the_caller(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    def fail(asked: Round) -> None:
        if asked.number == 2:
            raise KeyError("no")

    fake_server.add(calling(BERN), WARM)
    chat = client.chat(MODEL, tools=[tools.get_weather], prepare_round=fail)
    with pytest.raises(KeyError, match="no"):
        await chat.send("Hi")
    chat.keep_partial()
    assert [turn.role for turn in chat.history] == ["user", "model", "user"]

    def invalid(asked: Round) -> None:
        asked.model = "a/b"

    with pytest.raises(ConfigurationError, match="'a/b' is not a valid model name") as caught:
        await chat.resume(prepare_round=invalid)
    assert len(caught.value.turns) == 2
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
async def test_preparing_cannot_end_the_event_loop(
    client: Client, fake_server: FakeServer, tools: Tools, error: BaseException
) -> None:
    async def leave(_: Round) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        await read(client.run_tools(MODEL, "Hi", tools=[tools.wait], prepare_round=leave))
    assert caught.value is error
    assert fake_server.requests == []


async def test_invalid_arguments_are_refused_at_once_also_with_prepared_rounds(
    client: Client, tools: Tools
) -> None:
    for bad in ({"contents": ""}, {"contents": ["Hi", 5]}, {"model": "a/b"}, {"tools": [5]}):
        arguments: Any = {"model": MODEL, "contents": "Hi", "tools": [tools.wait]} | bad
        with pytest.raises(ConfigurationError):
            client.run_tools(**arguments, prepare_round=bool)


# The force of mode ANY.

ANY: Any = {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["get_weather"]}}


@pytest.mark.parametrize("forced", [False, True])
async def test_the_force_is_dropped_after_the_first_round(
    client: Client, fake_server: FakeServer, tools: Tools, *, forced: bool
) -> None:
    fake_server.add(MALFORMED, calling(BERN), WARM)
    stream = client.run_tools(
        MODEL, "Hi", tools=[tools.get_weather], tool_config=ANY, force_every_round=forced
    )
    await read(stream)
    configs = [one.body["toolConfig"]["functionCallingConfig"] for one in fake_server.requests]
    force = {"mode": "ANY", "allowedFunctionNames": ["get_weather"]}
    assert configs == [force, force, force if forced else {"mode": "AUTO"}]


# Time.


@pytest.mark.parametrize("phase", ["function", "answer", "headers", "preparing", "caller"])
async def test_the_total_time_includes_everything(
    client: Client, fake_server: FakeServer, tools: Tools, phase: str
) -> None:
    endless = Reply.text(*["x"] * 500, delay=0.02)
    fake_server.add(
        calling(call("wait", {"name": "a"})) if phase == "function" else calling(BERN),
        {"answer": endless, "headers": Reply.silence()}.get(phase, WARM),
    )

    async def prepare(asked: Round) -> None:
        if phase == "preparing" and asked.number == 2:
            await asyncio.sleep(60)

    chat = client.chat(
        MODEL,
        tools=[tools.wait, tools.get_weather],
        total_time=0.4,
        prepare_round=prepare if phase == "preparing" else None,
    )
    stream = chat.stream("Hi")
    with pytest.raises(APITimeoutError, match=r"not finished within 0.4 s; total_time=... sets"):
        async for item in stream:
            if phase == "caller" and isinstance(item, FunctionResponse):
                await asyncio.sleep(0.5)
    assert stream.state == "failed"
    assert asyncio.all_tasks() == {asyncio.current_task()}
    chat.keep_partial()
    assert [turn.role for turn in chat.history[:2]] == ["user", "model"]
    if phase == "function":
        assert tools.ended == ["a cancelled"]
        assert [one.name for one in chat.pending] == ["wait"]


async def test_a_timeout_of_a_function_is_not_that_of_the_conversation(
    client: Client, fake_server: FakeServer
) -> None:
    async def late() -> None:
        raise TimeoutError("mine")

    fake_server.add(calling(call("late", {})))
    with pytest.raises(ToolError, match="mine"):
        await read(client.run_tools(MODEL, "Hi", tools=[late], total_time=20))


# The number of the round, and the context of calls.


async def test_items_have_the_number_of_their_round(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(BERN), calling(BERN), WARM)
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather])
    assert stream.round == 0
    rounds = [stream.round async for _ in stream]
    assert sorted(set(rounds)) == [1, 2, 3]
    assert rounds == sorted(rounds)


async def test_a_function_gets_the_context_of_its_call(
    client: Client, fake_server: FakeServer
) -> None:
    seen: list[ToolContext] = []

    async def look(city: str, context: ToolContext) -> str:
        """Look."""
        seen.append(context)
        return city

    fake_server.add(
        calling(call("look", {"city": "a"}, id="1")), calling(call("look", {"city": "b"})), WARM
    )
    await client.chat(MODEL, tools=[look], history="Before.").send("Hi")
    assert [(one.call_id, one.call.args["city"], one.round) for one in seen] == [
        ("1", "a", 1),
        (None, "b", 2),
    ]
    assert [[turn.role for turn in one.history] for one in seen] == [
        ["user", "user", "model"],
        ["user", "user", "model", "user", "model"],
    ]


# Whose mistake it is.


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_malformed_call_is_asked_again_and_is_no_turn(  # noqa: PLR0913
    client: Client,
    fake_server: FakeServer,
    tools: Tools,
    caplog: pytest.LogCaptureFixture,
    reason: str,
    *,
    streamed: bool,
) -> None:
    caplog.set_level(logging.INFO, "cometgem.tools")
    malformed = Reply.chunks({"text": "", "thoughtSignature": "c2ln"}).finish(reason)
    fake_server.add(calling(BERN), malformed, WARM)
    chat = client.chat(MODEL, tools=[tools.get_weather])
    final = await (chat.stream("Hi").get_final_response() if streamed else chat.send("Hi"))
    assert final.text == "It is warm."
    assert fake_server.requests[1].body == fake_server.requests[2].body
    assert [turn.role for turn in chat.history] == ["user", "model", "user", "model"]
    assert "c2ln" not in chat.to_json()
    assert [record.getMessage() for record in caplog.records] == [
        f"the model wrote no valid function call ({reason}): asked again"
    ]


async def test_malformed_calls_are_an_error_once_the_rounds_run_out(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(BERN), *[MALFORMED] * 3)
    chat = client.chat(MODEL, tools=[tools.get_weather], max_rounds=3)
    with pytest.raises(TooManyRoundsError) as caught:
        await chat.send("Hi")
    assert str(caught.value) == (
        "the model wrote no valid function call in 3 rounds (MALFORMED_FUNCTION_CALL);"
        " max_rounds=... sets this limit"
    )
    assert [turn.role for turn in caught.value.turns] == ["model", "user"]
    assert caught.value.partial is not None
    chat.keep_partial()
    assert [turn.role for turn in chat.history] == ["user", "model", "user"]


async def test_without_tools_a_malformed_answer_is_handed_out_and_not_kept(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(MALFORMED)
    chat = client.chat(MODEL)
    assert (await chat.send("Hi")).finish_reason == "MALFORMED_FUNCTION_CALL"
    assert chat.history == []
    assert len(fake_server.requests) == 1


@pytest.mark.parametrize("on_tool_error", ["raise", "report", lambda _: "unused"])
async def test_tool_failed_is_always_reported(
    client: Client, fake_server: FakeServer, caplog: pytest.LogCaptureFixture, on_tool_error: Any
) -> None:
    def find(city: str) -> str:
        """Find."""
        raise ToolFailed(f"there is no {city}")

    fake_server.add(calling(call("find", {"city": "Atlantis"})), WARM)
    await read(client.run_tools(MODEL, "Hi", tools=[find], on_tool_error=on_tool_error))
    part = fake_server.requests[1].body["contents"][-1]["parts"][0]
    assert part["functionResponse"]["response"] == {"error": "there is no Atlantis"}
    (record,) = caplog.records
    assert record.name == "cometgem.tools"
    assert record.exc_info is not None


async def tell_later(error: ToolError) -> str:
    await asyncio.sleep(0)
    return f"{error.call.name}: {type(error.__cause__).__name__}"


def tell(error: ToolError) -> str:
    return f"{error.call.name}: {type(error.__cause__).__name__}"


@pytest.mark.parametrize("on_tool_error", [tell, tell_later])
async def test_a_function_makes_the_message_for_the_model(
    client: Client,
    fake_server: FakeServer,
    tools: Tools,
    caplog: pytest.LogCaptureFixture,
    on_tool_error: Callable[[ToolError], Any],
) -> None:
    fake_server.add(calling(call("fail", {"why": "no"})), WARM)
    await read(client.run_tools(MODEL, "Hi", tools=[tools.fail], on_tool_error=on_tool_error))
    part = fake_server.requests[1].body["contents"][-1]["parts"][0]
    assert part["functionResponse"]["response"] == {"error": "fail: KeyError"}
    (record,) = caplog.records
    assert record.getMessage() == "reported to the model: the tool 'fail' raised KeyError: 'no'"
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError


async def test_the_message_for_the_model_must_be_a_str(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(call("fail", {"why": "no"})))
    on_tool_error: Any = lambda _: None  # noqa: E731
    with pytest.raises(ConfigurationError, match="on_tool_error must return a str"):
        await read(client.run_tools(MODEL, "Hi", tools=[tools.fail], on_tool_error=on_tool_error))


async def test_mistakes_of_the_model_are_logged_as_one_line(
    client: Client, fake_server: FakeServer, tools: Tools, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cometgem.tools")
    fake_server.add(calling(call("nothing\n", {}), call("get_weather", {"city": 5})), WARM)
    await read(client.run_tools(MODEL, "Hi", tools=[tools.get_weather]))
    assert [(one.levelname, one.exc_info) for one in caplog.records] == [("INFO", None)] * 2
    assert all(one.getMessage().isprintable() for one in caplog.records)


async def test_nothing_is_logged_of_what_is_raised(
    client: Client, fake_server: FakeServer, tools: Tools, caplog: pytest.LogCaptureFixture
) -> None:
    fake_server.add(calling(call("fail", {"why": "no"})))
    with pytest.raises(ToolError):
        await read(client.run_tools(MODEL, "Hi", tools=[tools.fail]))
    assert [one for one in caplog.records if one.name == "cometgem.tools"] == []


# Nothing is lost.


@pytest.mark.parametrize(
    ("reply", "kind"),
    [(Reply.text("Well").then_end(), StreamTruncatedError), (Reply.error(400), BadRequestError)],
)
async def test_every_error_carries_the_turns(
    client: Client, fake_server: FakeServer, tools: Tools, reply: Reply, kind: type[Exception]
) -> None:
    fake_server.add(calling(BERN), reply)
    stream = client.run_tools(MODEL, "Hi", tools=[tools.get_weather])
    for _ in range(2):
        with pytest.raises(kind) as caught:
            await read(stream)
        error: Any = caught.value
        assert [turn.role for turn in error.turns] == ["model", "user"]
        assert (error.partial is None) == (kind is BadRequestError)
    assert stream.state == "failed"


async def test_responses_are_kept_when_a_turn_is_left(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(BERN, call("wait", {"name": "a"})))
    chat = client.chat(MODEL, tools=[tools.get_weather, tools.wait])
    stream = chat.stream("Hi")
    async for item in stream:
        if isinstance(item, FunctionResponse):
            break
    await stream.aclose()
    assert (stream.state, chat.history) == ("closed", [])
    with pytest.raises(ClosedError) as caught:
        await anext(stream)
    assert [turn.role for turn in caught.value.turns] == ["model"]
    chat.keep_partial()
    assert [one.name for one in chat.pending] == ["wait"]
    fake_server.add(WARM)
    await chat.resume({0: "enough"})
    parts = fake_server.requests[1].body["contents"][-1]["parts"]
    assert [part["functionResponse"]["response"] for part in parts] == [
        {"weather": "warm in Bern"},
        {"result": "enough"},
    ]


async def test_calls_after_too_many_rounds_can_be_run_later(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    fake_server.add(calling(BERN), WARM)
    chat = client.chat(MODEL, tools=[tools.get_weather], max_rounds=1)
    with pytest.raises(TooManyRoundsError):
        await chat.send("Hi")
    chat.keep_partial()
    assert (await chat.resume({0: "warm"})).text == "It is warm."


async def test_the_usage_of_a_conversation_keeps_its_details(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    usage: Any = {
        "promptTokenCount": 5,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}],
        "serviceTier": "flex",
    }
    fake_server.add(calling(BERN).usage(usage), WARM.usage(usage))
    chat = client.chat(MODEL, tools=[tools.get_weather])
    await chat.send("Hi")
    assert chat.usage.prompt_tokens_details == [ModalityTokenCount(modality="TEXT", token_count=10)]
    assert chat.usage.service_tier == "flex"


async def test_a_pause_is_not_lost_behind_a_report(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    def confirm(asked: Any) -> bool | Pause:
        return Pause() if asked.name == "get_weather" else True

    fake_server.add(calling(call("fail", {"why": "no"}), BERN))
    stream = client.run_tools(
        MODEL,
        "Hi",
        tools=[tools.get_weather, FunctionTool(tools.fail)],
        on_tool_error="report",
        confirm=confirm,
    )
    items = await read(stream)
    assert isinstance(items[0], GenerateContentResponse)
    assert (stream.state, [one.name for one in stream.pending]) == ("paused", ["get_weather"])
