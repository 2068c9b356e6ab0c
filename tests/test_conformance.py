"""Recorded bodies, sent over a real socket and compared with their known contents."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from conformance import conformance_file
from response.recorded import recorded

from cometgem import (
    APIStatusError,
    BadRequestError,
    Client,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
    StreamTruncatedError,
)
from cometgem.testing import Reply
from cometgem.types import CitationMetadata, GroundingMetadata, UrlContextMetadata
from cometgem.types.wire import encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from cometgem import Candidate, GenerateContentResponse, GenerateContentStream, Part
    from cometgem.testing import FakeServer

MODEL = "gemini-3.8-flash"

ERRORS = {
    400: BadRequestError,
    403: PermissionDeniedError,
    404: NotFoundError,
    429: RateLimitError,
    499: APIStatusError,
}

# Facts about single chunks, which merging changes.
OF_CHUNKS = {
    "candidates_without_content",
    "candidates_without_parts",
    "finish_reasons",
    "parts_by_kind",
    "responses",
    "responses_without_candidates",
    "roles",
    "safety_ratings",
    "text_after_first_finish_reason",
    "usage_chunks",
}

# Facts about the JSON that the client does not expose.
OF_BODIES = {"palm_harm_categories", "unexpected_keys", "unknown_enums"}


def of_kind(
    document: dict[str, Any], kind: str, *, failed: bool = False
) -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, known)
        for name, known in document["files"].items()
        if known["kind"] == kind and bool(known["error"]) == failed
    ]


STREAMED = recorded("bodies/EXPECT.json", partial(of_kind, kind="streaming"))
SINGLE = recorded("bodies/EXPECT.json", partial(of_kind, kind="unary"))
STREAMED_FAILED = recorded("bodies/EXPECT.json", partial(of_kind, kind="streaming", failed=True))
SINGLE_FAILED = recorded("bodies/EXPECT.json", partial(of_kind, kind="unary", failed=True))


@pytest.fixture
async def client(fake_server: FakeServer) -> AsyncIterator[Client]:
    async with Client(
        fake_server.api_key, base_url=fake_server.url, retry=RetryPolicy(attempts=1)
    ) as client:
        yield client


def cuts(name: str) -> Iterator[Reply]:
    """Yield the body in one write and in writes of several sizes, each in a new loop iteration."""
    reply = Reply.recorded(conformance_file(f"bodies/{name}"))
    yield reply
    yield reply.cut(333)
    yield reply.cut(7)
    yield reply.cut(1)


def as_json(value: object) -> Any:
    return json.loads(encode(value))


def kind_of(part: Part) -> str:
    """Return "thought", or the wire name of the field that holds the data of a part."""
    return "thought" if part.thought else next(key for key in as_json(part) if "thought" not in key)


def facts(responses: Sequence[GenerateContentResponse]) -> dict[str, Any]:
    """Describe chunks, or one merged response, with the keys of the conformance file."""
    parts = [part for response in responses for part in response.parts]
    wire = [as_json(part) for part in parts]
    candidates = [one for response in responses for one in response.candidates]
    contents = [one.content for one in candidates if one.content]
    blobs = [part.inline_data for part in parts if part.inline_data]
    usages = [response.usage_metadata for response in responses if response.usage_metadata]
    reasons = [one.finish_reason for one in candidates if one.finish_reason]
    ratings = [rating for one in candidates for rating in one.safety_ratings]
    feedback = next((one.prompt_feedback for one in responses if one.prompt_feedback), None)
    return {
        "responses": len(responses),
        "responses_without_candidates": sum(not one.candidates for one in responses),
        "max_candidates": max(len(one.candidates) for one in responses),
        "candidates_without_content": sum(one.content is None for one in candidates),
        "candidates_without_parts": sum(not content.parts for content in contents),
        "roles": sorted({content.role for content in contents}, key=str),
        "parts_by_kind": Counter(kind_of(part) for part in parts),
        "text": "".join(one.text for one in responses),
        "thought_text": "".join(one.thoughts for one in responses),
        "thought_signatures": sum(part.thought_signature is not None for part in parts),
        "function_calls": [part["functionCall"] for part in wire if "functionCall" in part],
        "executable_code": [part["executableCode"] for part in wire if "executableCode" in part],
        "code_execution_results": [
            part["codeExecutionResult"] for part in wire if "codeExecutionResult" in part
        ],
        "inline_data": [
            {
                "mime_type": blob.mime_type,
                "base64_chars": len(base64.b64encode(blob.data)),
                "bytes": len(blob.data),
                "sha256": hashlib.sha256(blob.data).hexdigest(),
            }
            for blob in blobs
        ],
        "finish_reason": reasons[-1] if reasons else None,
        "finish_reasons": reasons,
        "finish_message": next((one.finish_message for one in reversed(candidates)), None),
        "text_after_first_finish_reason": "".join(text_after_finish(responses)),
        "prompt_feedback": feedback is not None,
        "block_reason": responses[0].block_reason,
        "block_reason_message": feedback and feedback.block_reason_message,
        "usage": as_json(usages[-1]) if usages else None,
        "usage_chunks": len(usages),
        "model_version": responses[0].model_version,
        "response_id": responses[0].response_id,
        "create_time": responses[0].create_time,
        "safety_ratings": len(ratings),
        "safety_ratings_incomplete": sum(not (one.category and one.probability) for one in ratings),
        **sources(candidates),
    }


def text_after_finish(responses: Sequence[GenerateContentResponse]) -> Iterator[str]:
    finished = False
    for response in responses:
        if finished:
            yield response.text
        finished = finished or response.finish_reason is not None


def sources(candidates: Sequence[Candidate]) -> dict[str, int]:
    cited = [one.citation_metadata or CitationMetadata() for one in candidates]
    grounded = [one.grounding_metadata or GroundingMetadata() for one in candidates]
    read = [one.url_context_metadata or UrlContextMetadata() for one in candidates]
    return {
        "citations": sum(len(one.citations + one.citation_sources) for one in cited),
        "grounding_chunks": sum(len(one.grounding_chunks) for one in grounded),
        "grounding_supports": sum(len(one.grounding_supports) for one in grounded),
        "url_metadata": sum(len(one.url_metadata) for one in read),
    }


def without(known: dict[str, Any], keys: set[str]) -> dict[str, Any]:
    return {key: value for key, value in known.items() if key not in keys}


def assert_error(error: APIStatusError, known: dict[str, Any]) -> None:
    """Compare an error with everything the conformance file states about it."""
    assert type(error) is ERRORS[known["code"]]
    assert {
        "code": error.status,
        "status": error.code,
        "message": error.message,
        "reasons": [detail["reason"] for detail in error.details if "reason" in detail],
        "detail_types": [detail["@type"].rpartition("/")[2] for detail in error.details],
    } == known
    assert error.reason == next(iter(known["reasons"]), None)


async def read(stream: GenerateContentStream, chunks: list[GenerateContentResponse]) -> None:
    async for chunk in stream:
        chunks.append(chunk)  # noqa: PERF401  keeps the chunks before an error


@pytest.mark.parametrize(("name", "known"), STREAMED)
async def test_streams(
    client: Client, fake_server: FakeServer, name: str, known: dict[str, Any]
) -> None:
    merged = known["merged"]
    for reply in cuts(name):
        fake_server.add(reply)
        async with client.stream_generate_content(MODEL, "Hi") as stream:
            assert stream.status == known["status"]
            chunks = [chunk async for chunk in stream]
            final = await stream.get_final_response()
        assert facts(chunks) == without(merged, OF_BODIES)
        assert without(facts([final]), OF_CHUNKS) == without(merged, OF_BODIES | OF_CHUNKS)


@pytest.mark.parametrize(("name", "known"), STREAMED)
async def test_stream_instead_of_a_single_response(
    client: Client, fake_server: FakeServer, name: str, known: dict[str, Any]
) -> None:
    for reply in cuts(name):
        fake_server.add(reply)
        response = await client.generate_content(MODEL, "Hi")
        expected = without(known["merged"], OF_BODIES | OF_CHUNKS)
        assert without(facts([response]), OF_CHUNKS) == expected


@pytest.mark.parametrize(("name", "known"), SINGLE)
async def test_single_responses(
    client: Client, fake_server: FakeServer, name: str, known: dict[str, Any]
) -> None:
    body = conformance_file(f"bodies/{name}").read_bytes()
    for reply in cuts(name):
        fake_server.add(reply)
        response = await client.generate_content(MODEL, "Hi")
        assert facts([response]) == without(known["merged"], OF_BODIES)
        assert response.raw == body.strip()


@pytest.mark.parametrize(("name", "known"), SINGLE)
async def test_single_response_instead_of_a_stream(
    client: Client, fake_server: FakeServer, name: str, known: dict[str, Any]
) -> None:
    merged = known["merged"]
    for reply in cuts(name):
        fake_server.add(reply)
        stream = client.stream_generate_content(MODEL, "Hi")
        chunk = await anext(stream)
        assert facts([chunk]) == without(merged, OF_BODIES)
        if merged["finish_reason"] or merged["block_reason"]:
            final = await stream.get_final_response()
        else:
            with pytest.raises(StreamTruncatedError):
                await stream.get_final_response()
            final = stream.snapshot
        assert without(facts([final]), OF_CHUNKS) == without(merged, OF_BODIES | OF_CHUNKS)


@pytest.mark.parametrize(("name", "known"), STREAMED_FAILED)
async def test_streams_that_fail(
    client: Client, fake_server: FakeServer, name: str, known: dict[str, Any]
) -> None:
    merged = known.get("merged")
    for reply in cuts(name):
        fake_server.add(reply)
        chunks: list[GenerateContentResponse] = []
        with pytest.raises(APIStatusError) as caught:
            await read(client.stream_generate_content(MODEL, "Hi"), chunks)
        assert_error(caught.value, known["error"])
        partial = caught.value.partial
        if merged is None:
            assert (chunks, partial) == ([], None)
            continue
        assert partial is not None
        assert facts(chunks) == without(merged, OF_BODIES)
        assert without(facts([partial]), OF_CHUNKS) == without(merged, OF_BODIES | OF_CHUNKS)


@pytest.mark.parametrize(("name", "known"), [*SINGLE_FAILED, *STREAMED_FAILED])
async def test_calls_that_fail(
    client: Client, fake_server: FakeServer, name: str, known: dict[str, Any]
) -> None:
    for reply in cuts(name):
        fake_server.add(reply, reply)
        with pytest.raises(APIStatusError) as caught:
            await client.generate_content(MODEL, "Hi")
        assert_error(caught.value, known["error"])
        with pytest.raises(APIStatusError) as caught:
            await client.stream_generate_content(MODEL, "Hi").get_final_response()
        assert_error(caught.value, known["error"])
