"""`Reply.hops`: one reply that serves all requests of a long answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientSession as Session

STREAM = "streamGenerateContent?alt=sse"
HI = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
MODEL = "gemini-4-argon"


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with aiohttp.ClientSession(headers={"x-goog-api-key": "k"}) as session:
        yield session


class Hop:
    """What one request got."""

    def __init__(self, status: int, chunks: list[Any], *, broken: bool) -> None:
        self.status = status
        self.chunks = chunks
        self.broken = broken
        self.candidates = [chunk["candidates"][0] for chunk in chunks if "candidates" in chunk]

    @property
    def texts(self) -> list[str]:
        return ["".join(p["text"] for p in one["content"]["parts"]) for one in self.candidates]

    @property
    def tokens(self) -> list[str | None]:
        return [one.get("continuationToken") for one in self.candidates]

    @property
    def reasons(self) -> list[str | None]:
        return [one.get("finishReason") for one in self.candidates]

    @property
    def usage(self) -> list[tuple[int, int, int]]:
        names = ("promptTokenCount", "candidatesTokenCount", "totalTokenCount")
        counts = [one["usageMetadata"] for one in self.chunks]
        return [(one[names[0]], one[names[1]], one[names[2]]) for one in counts]

    @property
    def error(self) -> str:
        message: str = self.chunks[0]["error"]["message"]
        return message


async def ask(  # noqa: PLR0913  # a request has many sides
    session: Session,
    server: FakeServer,
    token: str | None = None,
    *,
    operation: str = STREAM,
    body: dict[str, Any] = HI,
    model: str = MODEL,
) -> Hop:
    url = f"{server.url}/v1beta/models/{model}:{operation}"
    body = body if token is None else {**body, "continuationToken": token}
    data, broken = b"", False
    async with session.post(url, json=body) as response:
        try:
            async for piece in response.content.iter_any():
                data += piece
        except aiohttp.ClientPayloadError:
            broken = True
    if response.content_type == "application/json":
        return Hop(response.status, [] if broken else [json.loads(data)], broken=broken)
    lines = [line for line in data.decode().splitlines() if line.startswith("data: ")]
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines]
    return Hop(response.status, chunks, broken=broken)


async def test_each_request_gets_a_hop(session: Session, fake_server: FakeServer) -> None:
    fake_server.add(Reply.hops(["Once ", "upon "], ["a ", "time"]), Reply.text("next"))
    first = await ask(session, fake_server)
    assert first.texts == ["Once ", "upon "]
    assert first.reasons == [None, "CONTINUATION"]
    assert first.tokens[0] is None
    assert first.usage == [(8, 1, 9), (8, 2, 10)]
    second = await ask(session, fake_server, first.tokens[1])
    assert second.texts == ["a ", "time"]
    assert second.reasons == [None, "STOP"]
    assert second.tokens == [None, None]
    assert second.usage == [(10, 1, 11), (10, 2, 12)]
    assert {chunk["responseId"] for hop in (first, second) for chunk in hop.chunks} == {
        "response-fake-request-0"
    }
    assert {chunk["modelVersion"] for chunk in second.chunks} == {MODEL}
    assert (await ask(session, fake_server)).texts == ["next"]


async def test_single_calls_get_a_hop_each(session: Session, fake_server: FakeServer) -> None:
    fake_server.add(Reply.hops(["Once ", "upon "], ["a ", "time"], checkpoints=[0, 2]))
    first = await ask(session, fake_server, operation="generateContent")
    assert (first.texts, first.reasons, first.usage) == (
        ["Once upon "],
        ["CONTINUATION"],
        [(8, 2, 10)],
    )
    second = await ask(session, fake_server, first.tokens[0], operation="generateContent")
    assert (second.texts, second.reasons, second.usage) == (["a time"], ["STOP"], [(10, 2, 12)])
    assert second.tokens == [None]


async def test_a_cut_goes_on_from_its_checkpoint(session: Session, fake_server: FakeServer) -> None:
    fake_server.add(Reply.hops(["a", "b", "c"], ["d"], checkpoints=[0], cuts=[1]))
    first = await ask(session, fake_server)
    assert first.broken
    assert first.texts == ["a", "b"]
    assert first.tokens[0] is not None
    assert first.tokens[1] is None
    again = await ask(session, fake_server, first.tokens[0])
    assert not again.broken
    assert again.texts == ["b", "c"]  # what came after the checkpoint is generated again
    assert again.usage == [(9, 1, 10), (9, 2, 11)]
    assert again.reasons == [None, "CONTINUATION"]
    assert (await ask(session, fake_server, again.tokens[1])).texts == ["d"]


async def test_a_token_is_used_up_by_a_hop_that_ended_well(
    session: Session, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.hops(["a"], ["b", "c"], cuts=[1]), Reply.text("kept"))
    token = (await ask(session, fake_server)).tokens[0]
    assert (await ask(session, fake_server, token)).broken
    assert (await ask(session, fake_server, token)).texts == ["b", "c"]
    used = await ask(session, fake_server, token)
    assert (used.status, used.error) == (
        400,
        "The continuation_token has already been used. (request id: fake-request-3)",
    )
    assert (await ask(session, fake_server)).texts == ["kept"]


@pytest.mark.parametrize("operation", [STREAM, "generateContent"])
async def test_wrong_and_foreign_tokens(
    operation: str, session: Session, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.hops(["a"], ["b"]), Reply.text("kept"))
    token = (await ask(session, fake_server, operation=operation)).tokens[0]
    other = {"contents": [{"role": "user", "parts": [{"text": "Ho"}]}]}
    for refused, words in (
        (await ask(session, fake_server, "d3Jvbmc=", operation=operation), "is invalid"),
        (await ask(session, fake_server, token, operation=operation, body=other), "not belong"),
        (await ask(session, fake_server, token, operation=operation, model="gemini-x"), "belong"),
    ):
        assert refused.status == 400
        assert refused.chunks[0]["error"]["status"] == "INVALID_ARGUMENT"
        assert words in refused.error
    assert (await ask(session, fake_server, token, operation=operation)).texts == ["b"]
    assert (await ask(session, fake_server)).texts == ["kept"]


async def test_the_budget_may_change(session: Session, fake_server: FakeServer) -> None:
    fake_server.add(Reply.hops(["a"], ["b"]))
    small = {**HI, "generationConfig": {"maxOutputTokens": 1}}
    large = {**HI, "generationConfig": {"maxOutputTokens": 2}}
    token = (await ask(session, fake_server, body=small)).tokens[0]
    assert (await ask(session, fake_server, token, body=large)).texts == ["b"]


async def test_going_on_after_the_budget_is_spent(
    session: Session, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.hops(["a"], checkpoints=[0]).finish("MAX_TOKENS"))
    spent = await ask(session, fake_server)
    assert spent.reasons == ["MAX_TOKENS"]
    more = await ask(session, fake_server, spent.tokens[0])
    assert (more.texts, more.reasons, more.tokens) == ([""], ["STOP"], [None])


async def test_tokens_of_other_replies_are_answered_by_the_script(
    session: Session, fake_server: FakeServer
) -> None:
    chunk = {"candidates": [{"content": {"parts": []}, "continuationToken": "b25l"}]}
    raw = json.dumps(chunk).replace("b25l", "dHdv").encode()
    fake_server.add(Reply.chunks(chunk), Reply.raw(b"data: " + raw + b"\n\n"), Reply.text("end"))
    await ask(session, fake_server)
    await ask(session, fake_server, "b25l")
    assert (await ask(session, fake_server, "dHdv")).texts == ["end"]


async def test_without_validation_the_script_answers_wrong_tokens(session: Session) -> None:
    with FakeServer(validate=False) as server:
        server.add(Reply.text("a"))
        assert (await ask(session, server, "d3Jvbmc=")).texts == ["a"]


async def test_faults_happen_as_often_as_they_are_given(
    session: Session, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.hops(["a"], ["b"], resets=[1, 1], cuts=[1]))
    token = (await ask(session, fake_server)).tokens[0]
    seen = [await ask(session, fake_server, token) for _ in range(4)]
    assert [hop.texts for hop in seen] == [[], [], ["b"], ["b"]]
    assert [hop.broken for hop in seen] == [True, True, True, False]


@pytest.mark.parametrize("operation", [STREAM, "generateContent"])
async def test_a_request_that_broke_before_a_token_is_repeated(
    operation: str, session: Session, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.hops(["a", "b"], ["c"], cuts=[0], resets=[0]), Reply.text("next"))
    seen = [await ask(session, fake_server, operation=operation) for _ in range(3)]
    assert [hop.broken for hop in seen] == [True, True, False]
    assert "".join(seen[2].texts) == "ab"
    assert (await ask(session, fake_server, seen[2].tokens[-1], operation=operation)).texts == ["c"]
    assert (await ask(session, fake_server)).texts == ["next"]


async def test_a_stall_is_resumed(session: Session, fake_server: FakeServer) -> None:
    fake_server.add(Reply.hops(["a", "b"], stalls=[0]))
    url = f"{fake_server.url}/v1beta/models/{MODEL}:{STREAM}"
    async with session.post(url, json=HI) as response:
        assert b'"a"' in await response.content.readany()
        assert fake_server.requests[0].chunks_sent == 1
        fake_server.requests[0].resume()
        assert b'"b"' in await response.read()


async def test_all_kinds_of_items_and_an_empty_hop(
    session: Session, fake_server: FakeServer
) -> None:
    whole = {"candidates": [{"content": {"parts": [{"text": "w"}]}}], "usageMetadata": {}}
    thought = {"text": "t", "thought": True}
    fake_server.add(Reply.hops([thought], [], [[{"text": "a"}, {"text": "b"}], whole]))
    first = await ask(session, fake_server)
    assert first.chunks[0]["usageMetadata"] == {
        "promptTokenCount": 8,
        "candidatesTokenCount": 0,
        "thoughtsTokenCount": 1,
        "totalTokenCount": 9,
    }
    empty = await ask(session, fake_server, first.tokens[0])
    assert (empty.texts, empty.reasons) == ([""], ["CONTINUATION"])
    assert empty.chunks[0]["usageMetadata"]["thoughtsTokenCount"] == 1
    last = await ask(session, fake_server, empty.tokens[0])
    assert (last.texts, last.reasons) == (["ab", "w"], [None, "STOP"])
    assert last.chunks[1]["usageMetadata"] == {}
    assert last.chunks[1]["modelVersion"] == MODEL


async def test_other_methods_refine_it(session: Session, fake_server: FakeServer) -> None:
    reply = (
        Reply.hops(["a"], ["b"])
        .delay(first=0.001, between=0.001)
        .pings(": ping")
        .framed(newline="\r\n")
        .cut(7)
        .gzip()
        .meta(model_version="v", response_id="r")
        .usage(None)
        .then_error(503, message="busy")
    )
    fake_server.add(reply)
    first = await ask(session, fake_server)
    assert (first.texts, first.reasons) == (["a"], ["CONTINUATION"])
    last = await ask(session, fake_server, first.tokens[0])
    assert (last.texts, last.reasons) == (["b"], [None])
    assert last.chunks[1]["error"]["message"] == "busy"
    assert {(c["modelVersion"], c["responseId"]) for c in first.chunks} == {("v", "r")}
    assert "usageMetadata" not in first.chunks[0]


async def test_it_can_be_the_default(session: Session) -> None:
    with FakeServer(default=Reply.hops(["a"], ["b"]).usage({"totalTokenCount": 7})) as server:
        tokens = [(await ask(session, server)).tokens[0] for _ in range(2)]
        assert len(set(tokens)) == 2
        for token in tokens:
            last = await ask(session, server, token)
            assert last.texts == ["b"]
            assert last.chunks[0]["usageMetadata"] == {"totalTokenCount": 7}


@pytest.mark.parametrize(
    "case",
    [
        ("gemini-4-argon", "generateContent", 32_769, 400),
        ("gemini-4-argon", "generateContent", 32_768, 200),
        ("gemini-4-argon", STREAM, 1_000_000, 200),
        ("gemini-10-x", "generateContent", 32_769, 400),
        ("gemini-3.8-flash", "generateContent", 65_536, 200),
    ],
)
async def test_the_cap_of_a_single_call(
    case: tuple[str, str, int, int], session: Session, fake_server: FakeServer
) -> None:
    model, operation, budget, status = case
    body = {**HI, "generationConfig": {"maxOutputTokens": budget}}
    answer = await ask(session, fake_server, operation=operation, body=body, model=model)
    assert answer.status == status
    if status == 400:
        assert f"maxOutputTokens value of {budget} but the supported range" in answer.error


async def test_a_token_lifts_the_cap(session: Session, fake_server: FakeServer) -> None:
    fake_server.add(Reply.hops(["a"], ["b"]))
    body = {**HI, "generationConfig": {"maxOutputTokens": 100_000}}
    token = (await ask(session, fake_server, body=body)).tokens[0]
    answer = await ask(session, fake_server, token, operation="generateContent", body=body)
    assert answer.texts == ["b"]


def test_numbers_that_name_nothing() -> None:
    with pytest.raises(ValueError, match=r"checkpoints=\[2\]: there is no chunk 2, only chunks 0 "):
        Reply.hops(["a"], ["b"], checkpoints=[2])
    with pytest.raises(ValueError, match=r"resets=\[2\]: there is no hop 2, only hops 0 to 1"):
        Reply.hops(["a", "b"], ["c"], resets=[2])
    with pytest.raises(ValueError, match="at least one hop"):
        Reply.hops()
    with pytest.raises(ValueError, match=r"hop 1 is a string: give a list of chunks, \['b'\]"):
        Reply.hops(["a"], "b")
    with pytest.raises(ValueError, match=r"Reply\.hops\(\) cannot continue a reply"):
        Reply.text("a").then(Reply.hops(["b"]))
