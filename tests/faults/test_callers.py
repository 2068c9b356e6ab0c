"""What the caller does to a stream; tests/test_leaving.py covers the plain ways of leaving it."""

from __future__ import annotations

import asyncio

import pytest
from faults.callers import ACTIONS, Action, Scene
from faults.play import MODEL, all_gone, quiet
from faults.rows import after

from cometgem import Client, CometGemError, ConfigurationError
from cometgem.testing import FakeServer, Reply


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.when)
async def test_action(action: Action, fake_server: FakeServer) -> None:
    fake_server.add(action.serves)
    error: BaseException | None = None
    with quiet():
        async with Client(fake_server.api_key, base_url=fake_server.url) as client:
            scene = Scene(client, fake_server, client.stream_generate_content(MODEL, "Hi"))
            try:
                await action.does(scene)
            except (CometGemError, TimeoutError, asyncio.CancelledError) as raised:
                error = raised
            request = fake_server.requests[0]
            await request.wait_done()
            assert request.gone == action.leaves
        await all_gone(fake_server)
    assert type(error) is (action.error or type(None))
    assert scene.texts == list(action.texts)
    if scene.stream is not None:
        assert scene.stream.snapshot.text == "".join(action.texts)
    if isinstance(error, CometGemError):
        assert (error.partial.text if error.partial else "") == "".join(action.texts)
    assert len(fake_server.requests) == 1


def test_asyncio_run_ends_with_streams_in_every_state(fake_server: FakeServer) -> None:
    # A kept connection would belong to the client that was never closed: a ResourceWarning.
    refusal = Reply.error(429, retry_after=20).with_headers({"Connection": "close"})
    fake_server.add(after(2).then_stall(), Reply.silence(), refusal, after(1).then_stall())

    async def forget_everything() -> None:
        client = Client(fake_server.api_key, base_url=fake_server.url)
        streams = [client.stream_generate_content(MODEL, "Hi") for _ in range(5)]
        waiting = set()
        for index, stream in enumerate(streams[:4]):
            waiting.add(asyncio.create_task(stream.get_final_response()))
            await fake_server.wait_request(index)
        await asyncio.sleep(0.05)
        for task in waiting:
            assert not task.done()

    asyncio.run(forget_everything(), debug=True)
    for request in fake_server.requests:
        request.join()
    assert [request.gone for request in fake_server.requests] == [True, True, False, True]


def test_stream_refuses_another_event_loop(fake_server: FakeServer) -> None:
    fake_server.add(after(1).then_stall())
    with asyncio.Runner() as first, asyncio.Runner() as other:
        client = Client(fake_server.api_key, base_url=fake_server.url)
        stream = client.stream_generate_content(MODEL, "Hi")

        async def read() -> None:
            await anext(stream)

        first.run(read())
        for runner in (other, first):
            with pytest.raises(ConfigurationError, match="another event loop") as caught:
                runner.run(read())
            assert caught.value.partial is not None
        first.run(client.aclose())
    fake_server.requests[0].join()
    assert fake_server.requests[0].gone
