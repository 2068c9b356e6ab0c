"""Google's own client works with the server unchanged."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from cometgem.testing import FakeServer, Reply

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    genai = pytest.importorskip("google.genai", reason="google-genai is not installed")

MODEL = "gemini-3.8-flash"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def client(fake_server: FakeServer) -> Iterator[Any]:
    client = genai.Client(api_key="k", http_options={"base_url": fake_server.url})
    yield client
    client.close()


def test_sync(client: Any, fake_server: FakeServer) -> None:
    fake_server.add(Reply.text("Hel", "lo", thought="Hm."), Reply.text("Hel", "lo"))
    response = client.models.generate_content(model=MODEL, contents="Hi")
    assert response.text == "Hello"
    assert response.usage_metadata.thoughts_token_count == 1
    chunks = list(client.models.generate_content_stream(model=MODEL, contents="Hi"))
    assert [chunk.text for chunk in chunks] == ["Hel", "lo"]
    assert chunks[-1].candidates[0].finish_reason == "STOP"
    assert {request.auth for request in fake_server.requests} == {"x-goog-api-key"}
    assert [request.model for request in fake_server.requests] == [MODEL, MODEL]


async def test_async(client: Any, fake_server: FakeServer) -> None:
    fake_server.add(Reply.call("f", {"n": 1}, id="7"), Reply.text("Hel", "lo").framed(done=False))
    response = await client.aio.models.generate_content(model=MODEL, contents="Hi")
    assert response.function_calls[0].args == {"n": 1}
    stream = await client.aio.models.generate_content_stream(model=MODEL, contents="Hi")
    assert [chunk.text async for chunk in stream] == ["Hel", "lo"]
    await client.aio.aclose()


def test_errors(client: Any, fake_server: FakeServer) -> None:
    fake_server.add(Reply.error(429, dialect="google", message="slow down"))
    with pytest.raises(genai.errors.ClientError, match="slow down") as caught:
        client.models.generate_content(model=MODEL, contents="Hi")
    assert caught.value.code == 429
