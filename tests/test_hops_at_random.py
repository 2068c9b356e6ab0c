"""Any text in any hops with any checkpoints, cut anywhere, is the same answer.

Either the stream hands out the whole text, once, or it raises StreamInterruptedError with a
checkpoint that goes on to the same text.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cometgem import Checkpoint, Client, RetryPolicy, StreamInterruptedError
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from cometgem import GenerateContentStream

MODEL = "gemini-4-argon"


class Answer(NamedTuple):
    """A long answer: its hops, and the numbers of chunks with a token, or with a cut after them."""

    hops: list[list[Any]]
    checkpoints: list[int]
    cuts: list[int]
    resets: list[int]


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    text = st.text(alphabet="ab é😀\n", min_size=1, max_size=8)
    thought = st.builds(lambda said: {"text": said, "thought": True}, text)
    signed = st.builds(lambda said: {"text": said, "thoughtSignature": "c2ln"}, text)
    call = st.just({"functionCall": {"name": "f", "args": {"x": 1}}})
    chunk = st.one_of(text, text, text, thought, signed, call)
    hops = draw(st.lists(st.lists(chunk, min_size=1, max_size=4), min_size=1, max_size=4))
    count = sum(map(len, hops))
    some = st.lists(st.integers(0, count - 1), max_size=4)
    resets = st.lists(st.integers(1, len(hops) - 1), max_size=2) if len(hops) > 1 else st.just([])
    return Answer(hops, sorted(set(draw(some))), draw(some), draw(resets))


def whole(hops: list[list[Any]]) -> Reply:
    return Reply.hops([chunk for hop in hops for chunk in hop])


async def read(stream: GenerateContentStream, parts: list[dict[str, Any]]) -> Checkpoint | None:
    """Read the stream, and return the checkpoint of its error, or None if it has ended well."""
    try:
        async for chunk in stream:
            parts += [part.to_dict() for part in chunk.parts]
    except StreamInterruptedError as error:
        if error.checkpoint is None:
            raise
        return error.checkpoint
    return None


def merged(server_parts: list[dict[str, Any]]) -> str:
    return "".join(part.get("text", "") for part in server_parts if not part.get("thought"))


async def play(answer: Answer) -> None:
    first = min([*answer.checkpoints, len(answer.hops[0]) - 1])
    cuts = [cut for cut in answer.cuts if cut >= first]  # earlier ones are not to be recovered
    if len(answer.hops) == 1 and not answer.checkpoints:
        cuts = []
    with FakeServer() as server:
        retry = RetryPolicy(attempts=2, initial=0)
        async with Client(server.api_key, base_url=server.url, retry=retry) as client:
            server.add(whole(answer.hops))
            expected = await client.stream_generate_content(MODEL, "Hi").get_final_response()
            checkpoints, resets = answer.checkpoints, answer.resets
            server.add(Reply.hops(*answer.hops, checkpoints=checkpoints, cuts=cuts, resets=resets))
            stream = client.stream_generate_content(MODEL, "Hi")
            parts: list[dict[str, Any]] = []
            while (checkpoint := await read(stream, parts)) is not None:
                # The caller goes on from the checkpoint: what came after it is generated again.
                parts = [part.to_dict() for part in checkpoint.response.parts]
                saved = Checkpoint.from_json(checkpoint.to_json())
                stream = client.stream_generate_content(MODEL, "Hi", continuation=saved)
            final = stream.snapshot
    assert final.content == expected.content
    assert (final.finish_reason, final.text) == (expected.finish_reason, expected.text)
    assert merged(parts) == expected.text


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(answers())
def test_an_answer_does_not_depend_on_hops_checkpoints_and_cuts(answer: Answer) -> None:
    asyncio.run(play(answer))
