"""Large lines and bodies, which are collected in one block."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from response.cuts import cuts

from cometgem import APIStatusError, EventTooLargeError, ResponseDecodeError
from cometgem.http.memory import large_block
from cometgem.response import buffer
from cometgem.response.buffer import Buffer
from cometgem.response.chunks import ChunkDecoder

if TYPE_CHECKING:
    from cometgem.types import GenerateContentResponse

LIMIT = 1 << 16
DATA = bytes(range(256)) * 8
BLOB = {"mimeType": "image/png", "data": base64.b64encode(DATA).decode()}
JSON = json.dumps({"candidates": [{"content": {"parts": [{"inlineData": BLOB}]}}]}).encode()
blocks: list[int] = []


def allocate(size: int) -> memoryview:
    blocks.append(size)
    return memoryview(bytearray(size))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "_LARGE", 100)
    blocks.clear()


def decoded(pieces: list[bytes], limit: int = LIMIT) -> list[GenerateContentResponse]:
    decoder = ChunkDecoder(limit, None, allocate)
    return [chunk for piece in pieces for chunk in decoder.feed(piece)] + list(decoder.close())


BODIES: dict[str, tuple[bytes, bytes]] = {
    "event": (b"data: %s\n\n" % JSON, JSON),
    "no space": (b"data:%s\r\n\r\n" % JSON, JSON),
    "two lines": (b"data: {\ndata: %s\n\n" % JSON[1:], b"{\n" + JSON[1:]),
    "behind a comment": (b": %s\ndata: %s\n\n" % (b"x" * 300, JSON), JSON),
    "behind an unknown field": (b"%s: 1\ndata: %s\n\n" % (b"x" * 300, JSON), JSON),
    "cut off": (b"data: %s" % JSON, JSON),
    "document": (JSON, JSON),
    "document with blanks": (b" \r\n" * 700 + JSON + b"\t\n" * 1500, JSON),
    "array": (b"[%s]" % JSON, JSON),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_large_value_is_the_same_however_it_is_cut(name: str) -> None:
    body, raw = BODIES[name]
    for pieces in cuts(body, at_most=40):
        (chunk,) = decoded(pieces)
        assert chunk.raw == raw
        assert type(chunk.raw) is bytes
        assert [image.data for image in chunk.images] == [DATA]
    assert blocks, "no block was asked for"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"data: " + b"x" * 3000 + b"\n\n", ResponseDecodeError),
        (b'data: {"error":{"code":429,"message":"%s"}}\n\n' % (b"x" * 3000), APIStatusError),
        (b'event: error\ndata: {"code":429,"message":"%s"}\n\n' % (b"x" * 3000), APIStatusError),
        (b'{"error":{"code":429,"message":"%s"}}' % (b"x" * 3000), APIStatusError),
        (b"{" + b"x" * 3000, ResponseDecodeError),
        (b"<html>" + b"x" * 3000, ResponseDecodeError),
        (b"data: " + b"x" * LIMIT + b"x\n\n", EventTooLargeError),
        (b"x" * LIMIT + b"xxxxxxx\n\n", EventTooLargeError),
        (b"{" + b" " * LIMIT, EventTooLargeError),
    ],
)
def test_what_is_large_and_wrong_is_an_error(body: bytes, error: type[Exception]) -> None:
    for size in (50, 700, len(body) - 3):
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        with pytest.raises(error):
            decoded(pieces)


def test_invalid_utf8_in_a_large_event_is_replaced() -> None:
    text = b"a" * 3000 + b"\xff"
    body = b'data: {"candidates":[{"content":{"parts":[{"text":"%s"}]}}]}\n\n' % text
    (chunk,) = decoded([body[:2000], body[2000:]])
    assert chunk.text == "a" * 3000 + "\ufffd"


def test_a_limit_without_a_block_is_kept_in_pieces() -> None:
    asked: list[int] = []
    pieces = Buffer(LIMIT, asked.append)  # type: ignore[arg-type,func-returns-value]
    for _ in range(5):
        pieces.add(b"x" * 60)
    assert (pieces.size, pieces.take(), asked) == (300, b"x" * 300, [LIMIT])
    assert (pieces.size, pieces.take()) == (0, b"")


def test_a_block_of_the_system_can_be_written_to() -> None:
    block = large_block(1 << 22)
    if block is None:
        pytest.skip("this system has no large pages")
    block[:3] = b"abc"
    assert (len(block), bytes(block[:4])) == (1 << 22, b"abc\0")


@pytest.mark.parametrize("size", [-1, 0, 1 << 62, 1 << 200])
def test_an_impossible_block_is_none(size: int) -> None:
    assert large_block(size) is None
