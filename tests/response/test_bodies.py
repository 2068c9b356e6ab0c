"""Recorded bodies, decoded and merged in reads of every size, against the expected results."""

import base64
import hashlib
import json
from functools import partial
from typing import Any

import pytest
from conformance import conformance_file
from response.recorded import recorded

from cometgem.errors import APIStatusError, CometGemError
from cometgem.response.chunks import ChunkDecoder
from cometgem.response.codec import decode_chunk
from cometgem.response.failure import status_failure
from cometgem.response.merge import ResponseMerger
from cometgem.types import (
    Blob,
    Candidate,
    CitationMetadata,
    GenerateContentResponse,
    GroundingMetadata,
    UrlContextMetadata,
)
from cometgem.types.wire import encode

SIZES = [1, 7, 64, 1000, 1 << 20]


def rows(document: dict[str, Any], *, failed: bool = False) -> list[tuple[str, Any]]:
    files = document["files"].items()
    return [(name, known) for name, known in files if known["status"] != 200 or not failed]


def merge(body: bytes, size: int) -> tuple[ResponseMerger, CometGemError | None]:
    """Read a body in pieces of a size; return the merged response and the final error."""
    decoder, merger = ChunkDecoder(), ResponseMerger()
    try:
        for at in range(0, len(body), size):
            for chunk in decoder.feed(body[at : at + size]):
                merger.add(chunk)
        for chunk in decoder.close():
            merger.add(chunk)
    except APIStatusError as error:
        return merger, error
    return merger, None


def picture(blob: Blob) -> dict[str, Any]:
    return {
        "mime_type": blob.mime_type,
        "base64_chars": len(base64.b64encode(blob.data)),
        "bytes": len(blob.data),
        "sha256": hashlib.sha256(blob.data).hexdigest(),
    }


def facts(response: GenerateContentResponse) -> dict[str, Any]:
    """Describe a merged response as the conformance file does."""
    tree = json.loads(encode(response))
    candidate = response.candidates[0] if response.candidates else Candidate()
    cited = candidate.citation_metadata or CitationMetadata()
    ground = candidate.grounding_metadata or GroundingMetadata()
    pages = candidate.url_context_metadata or UrlContextMetadata()
    parts = json.loads(encode(response.parts))
    return {
        "text": response.text,
        "thought_text": response.thoughts,
        "function_calls": [p["functionCall"] for p in parts if "functionCall" in p],
        "executable_code": [p["executableCode"] for p in parts if "executableCode" in p],
        "code_execution_results": [
            p["codeExecutionResult"] for p in parts if "codeExecutionResult" in p
        ],
        "inline_data": [picture(p.inline_data) for p in response.parts if p.inline_data],
        "thought_signatures": sum("thoughtSignature" in p for p in parts),
        "finish_reason": response.finish_reason,
        "finish_message": candidate.finish_message,
        "block_reason": response.block_reason,
        "usage": tree.get("usageMetadata"),
        "model_version": response.model_version,
        "response_id": response.response_id,
        "create_time": response.create_time,
        "max_candidates": len(response.candidates),
        "citations": len(cited.citations + cited.citation_sources),
        "grounding_chunks": len(ground.grounding_chunks),
        "grounding_supports": len(ground.grounding_supports),
        "url_metadata": len(pages.url_metadata),
    }


def told(error: object) -> dict[str, Any] | None:
    """Describe an error as the conformance file does."""
    if not isinstance(error, APIStatusError):
        return None
    kinds = [str(detail["@type"]).rpartition("/")[2] for detail in error.details]
    return {
        "code": error.status,
        "status": error.code,
        "message": error.message,
        "reasons": [error.reason] if error.reason else [],
        "detail_types": kinds,
    }


@pytest.mark.parametrize(("name", "known"), recorded("bodies/EXPECT.json", rows))
def test_recorded_bodies_give_the_expected_response(name: str, known: dict[str, Any]) -> None:
    body = conformance_file(f"bodies/{name}").read_bytes()
    expected = known.get("merged", {"responses": 0})
    for size in SIZES:
        merger, error = merge(body, size)
        assert told(error) == known["error"]
        assert merger.chunks == expected["responses"]
        got = facts(merger.response()) if merger.chunks else {}
        assert got == {key: expected[key] for key in got}
        reasons = expected.get("finish_reason"), expected.get("block_reason")
        assert merger.finished == any(reasons)


@pytest.mark.parametrize(
    ("name", "known"), recorded("bodies/EXPECT.json", partial(rows, failed=True))
)
def test_recorded_error_bodies_give_the_expected_error(name: str, known: dict[str, Any]) -> None:
    body = conformance_file(f"bodies/{name}").read_bytes()
    outside = status_failure(known["status"], {}, body, now=0.0)
    _, inside = merge(body, 1000)
    assert type(inside) is type(outside)
    assert told(outside) == known["error"]


@pytest.mark.parametrize(("name", "known"), recorded("bodies/EXPECT.json", rows))
def test_a_merged_response_can_be_decoded_as_one_chunk(name: str, known: dict[str, Any]) -> None:
    merger, _ = merge(conformance_file(f"bodies/{name}").read_bytes(), 1 << 20)
    chunk = decode_chunk(encode(merger.response()))
    assert chunk == merger.response()
    again = ResponseMerger()
    again.add(chunk)
    assert again.response() == chunk
    assert bool(chunk.candidates) == bool(known.get("merged", {}).get("max_candidates"))
