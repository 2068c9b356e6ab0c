"""Long answers side by side: google-genai and cometgem get the same text and the same usage."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest

from cometgem import Client, RetryPolicy
from cometgem.testing import Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cometgem.testing import FakeServer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    genai = pytest.importorskip("google.genai", reason="google-genai is not installed")

MODEL = "gemini-4-argon"
PROMPT = "Tell a long story"
THOUGHT = {"text": "A fairy tale, then.", "thought": True}

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

# Cuts and resets are where nothing was handed out after the last checkpoint: cometgem does not go
# on from other places, while google-genai repeats the text there.
ANSWERS = {
    "one hop": (Reply.hops(["Once ", "upon"]), 1),
    "hops": (Reply.hops(["Once ", "upon "], ["a ", "time"]), 2),
    "checkpoints": (Reply.hops(["Once ", "upon "], ["a ", "time"], checkpoints=[0, 2]), 2),
    "a hop that only thinks": (Reply.hops([THOUGHT], [], ["Once"]), 3),
    "a cut at a checkpoint": (
        Reply.hops(["Once ", "upon "], ["a ", "time"], checkpoints=[0], cuts=[0]),
        3,
    ),
    "a cut at the end of a hop": (Reply.hops(["Once "], ["upon"], cuts=[0]), 2),
    "a reset before the first chunk": (Reply.hops(["Once "], ["upon"], resets=[1, 1]), 4),
    "lines as Google ends them": (Reply.hops(["Once "], ["upon"]).framed(newline="\r\n"), 2),
}


@pytest.fixture
async def ours(fake_server: FakeServer) -> AsyncIterator[Client]:
    retry = RetryPolicy(attempts=5, initial=0.0)
    async with Client(fake_server.api_key, base_url=fake_server.url, retry=retry) as client:
        yield client


@pytest.fixture
async def theirs(fake_server: FakeServer) -> AsyncIterator[Any]:
    client = genai.Client(api_key="k", http_options={"base_url": fake_server.url})
    async with client.aio as aio:
        yield aio
    client.close()


def counts(usage: Any) -> tuple[int | None, ...]:
    """Return the counts that both clients have."""
    names = ("prompt", "candidates", "thoughts", "total")
    return tuple(getattr(usage, f"{name}_token_count") or 0 for name in names)


@pytest.mark.parametrize("name", ANSWERS)
async def test_streams(name: str, ours: Client, theirs: Any, fake_server: FakeServer) -> None:
    reply, requests = ANSWERS[name]
    fake_server.add(reply)
    texts, usage, reasons = [], None, []
    async for chunk in await theirs.models.generate_content_stream(model=MODEL, contents=PROMPT):
        texts.append(chunk.text or "")
        usage = chunk.usage_metadata
        reasons.append(chunk.candidates[0].finish_reason)
    assert len(fake_server.requests) == requests

    fake_server.add(reply)
    async with ours.stream_generate_content(MODEL, PROMPT) as stream:
        our_texts = [chunk.text async for chunk in stream]
        final = await stream.get_final_response()
    assert len(fake_server.requests) == 2 * requests
    assert our_texts == texts
    assert final.text == "".join(texts)
    assert counts(final.usage_metadata) == counts(usage)
    assert final.finish_reason == reasons[-1] == "STOP"
    for request in fake_server.requests:
        await request.wait_done()


# google-genai does not repeat a single call whose connection broke.
@pytest.mark.parametrize("name", ["one hop", "hops", "checkpoints", "a hop that only thinks"])
async def test_single_calls(name: str, ours: Client, theirs: Any, fake_server: FakeServer) -> None:
    reply, requests = ANSWERS[name]
    fake_server.add(reply)
    theirs_final = await theirs.models.generate_content(model=MODEL, contents=PROMPT)
    assert len(fake_server.requests) == requests
    fake_server.add(reply)
    final = await ours.generate_content(MODEL, PROMPT)
    assert len(fake_server.requests) == 2 * requests
    assert final.text == theirs_final.text
    assert counts(final.usage_metadata) == counts(theirs_final.usage_metadata)
    assert final.finish_reason == theirs_final.candidates[0].finish_reason == "STOP"


async def test_both_send_the_token_at_the_top_level(
    ours: Client, theirs: Any, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.hops(["a"], ["b"]), Reply.hops(["a"], ["b"]))
    await theirs.models.generate_content(model=MODEL, contents=PROMPT)
    await ours.generate_content(MODEL, PROMPT)
    for first, second in (fake_server.requests[:2], fake_server.requests[2:]):
        assert second.body.pop("continuationToken")
        # google-genai adds an empty config to its second request.
        assert second.body in (first.body, {**first.body, "generationConfig": {}})


async def test_the_cap_of_a_single_call(ours: Client, theirs: Any, fake_server: FakeServer) -> None:
    """google-genai shows the API's refusal; cometgem asks for a stream instead."""
    with pytest.raises(genai.errors.ClientError, match="maxOutputTokens value of 40000"):
        await theirs.models.generate_content(
            model=MODEL, contents=PROMPT, config={"max_output_tokens": 40_000}
        )
    fake_server.add(Reply.hops(["a"], ["b"]))
    response = await ours.generate_content(
        MODEL, PROMPT, generation_config={"maxOutputTokens": 40_000}
    )
    assert response.text == "ab"
    assert fake_server.requests[-1].operation == "streamGenerateContent"
