"""Google's own client works with the server unchanged."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from cometgem import Client, OutputValidationError
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


async def test_typed_answers_beside_google_genai(client: Any, fake_server: FakeServer) -> None:
    """The schemas agree; where google-genai's `parsed` is silently None, ours is an error."""
    pydantic = pytest.importorskip("pydantic")
    planet = pydantic.create_model("Planet", name=(str, ...), radius_km=(float, ...))
    kind = list[planet]  # type: ignore[valid-type]
    texts = ['[{"name": "Mars", "radius_km": 3389.5}]', '[{"name": "Mars"}]', '[{"name": "Ma']
    for text in texts:
        fake_server.add(Reply.text(text), Reply.text(text))
        config = {"response_mime_type": "application/json", "response_schema": kind}
        theirs = client.models.generate_content(model=MODEL, contents="Hi", config=config)
        async with Client(fake_server.api_key, base_url=fake_server.url) as own:
            ours = await own.generate_content(
                MODEL, "Hi", response_type=kind, schema_dialect="openapi"
            )
        if text == texts[0]:
            assert theirs.parsed == ours.parsed == [planet(name="Mars", radius_km=3389.5)]
        else:
            assert theirs.parsed is None
            with pytest.raises(OutputValidationError):
                _ = ours.parsed
    sent = [one.body["generationConfig"]["responseSchema"] for one in fake_server.requests[:2]]
    for schema in sent:
        assert schema["type"] == "ARRAY"
        assert schema["items"]["required"] == ["name", "radius_km"]
        kinds = {name: one["type"] for name, one in schema["items"]["properties"].items()}
        assert kinds == {"name": "STRING", "radius_km": "NUMBER"}
