"""Parts that are newer than the library: chats keep them, and send them back unchanged."""

from __future__ import annotations

import pickle

import pytest
from conversation.calling import MODEL, WARM, Tools, call, calling
from conversation.chatting import say

from cometgem import Client, ConfigurationError, RetryPolicy, StreamInterruptedError
from cometgem.testing import FakeServer, Reply

NEWER = {"hologram": {"points": [[0, 0.5, None]]}, "thoughtSignature": "c2ln"}
MARKED = {"text": "b", "tint": {"deep": [1]}}
PARTS = [{"text": "a"}, NEWER, MARKED, {"text": "c"}]


@pytest.mark.parametrize("streamed", [False, True])
async def test_they_go_back_to_the_server_unchanged(
    client: Client, fake_server: FakeServer, *, streamed: bool
) -> None:
    fake_server.add(Reply.chunks(*PARTS), *[WARM] * 3)
    chat = client.chat(MODEL)
    final = await say(chat, "Hi", streamed=streamed)
    assert final.text == "abc"
    assert final.content.to_dict() == {"role": "model", "parts": PARTS}
    saved = chat.to_json()
    loaded = client.load_chat(saved)
    assert loaded.history == chat.history
    assert loaded.to_json() == saved
    for one in (chat.fork(), loaded, chat):
        await one.send("Go on")
    for request in fake_server.requests[1:]:
        assert request.body["contents"][1] == {"role": "model", "parts": PARTS}


async def test_beside_calls_they_go_back_with_the_results(
    client: Client, fake_server: FakeServer, tools: Tools
) -> None:
    called = call("get_weather", {"city": "a"}) | {"tint": [1]}
    fake_server.add(calling(NEWER, called), WARM)
    await client.chat(MODEL, tools=[tools.get_weather]).send("Hi")
    assert fake_server.requests[1].body["contents"][1]["parts"] == [NEWER, called]


async def test_the_callers_own_are_sent_by_chats_and_single_calls(
    client: Client, fake_server: FakeServer
) -> None:
    message = ["Look:", {"future_kind": {"any_key": 1}, "text": "a"}]
    sent = [{"text": "Look:"}, {"futureKind": {"any_key": 1}, "text": "a"}]
    fake_server.add(*[WARM] * 4)
    await client.generate_content(MODEL, message)
    chat = client.chat(MODEL, history=message)
    await chat.send(message)
    await chat.send("Go on")
    for request in fake_server.requests:
        assert request.body["contents"][0] == {"role": "user", "parts": sent}
    assert fake_server.requests[2].body["contents"][1] == {"role": "user", "parts": sent}


async def test_a_near_miss_is_still_a_typing_error(client: Client) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'inlineData'"):
        await client.chat(MODEL).send(["a", {"inlineDta": {"data": "AAEC"}}])


async def test_errors_have_them_also_pickled(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.chunks(*PARTS).then_reset())
    with pytest.raises(StreamInterruptedError) as caught:
        async with client.stream_generate_content(
            MODEL, "Hi", retry=RetryPolicy(attempts=1)
        ) as stream:
            await stream.get_final_response()
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  our own
    for error in (caught.value, again):
        assert error.partial.content.to_dict() == {"role": "model", "parts": PARTS}
