"""What is sent: the bodies that the wire server renders, and the text in them."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Literal, Self

__all__ = ["STAMP", "UNSTAMPED", "Dialect", "Load"]

Dialect = Literal["gemini", "openai"]

NUMBERED = 1000  # distinct chunks, which are then repeated
STAMP = 20  # digits of a time in nanoseconds
UNSTAMPED = b"0" * STAMP
WITH_USAGE = 300  # an event of at least as many bytes has the fields of Gemini's events
WORDS = "Far lamps that no one lit, and still they keep the night. "
USAGE = {
    "promptTokenCount": 12,
    "candidatesTokenCount": 34,
    "totalTokenCount": 46,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 12}],
}


@dataclass(frozen=True)
class Load:
    """What the server is to send; encoded as the model name.

    Attributes:
        chunks: The number of chunks.
        size: Bytes per event, including its framing; small events have no usage.
        every: Milliseconds between chunks; 0 is as fast as the client reads.
        flushed: Whether each event is written separately, as by a gateway that flushes after each,
            instead of many at once.
        gate: How many streams must be open before the first chunk is sent.
        pings: Whether a keep-alive comment precedes each chunk.
        stamped: Whether each text begins with its due time, in nanoseconds of the monotonic clock.
        hold: Whether nothing follows the first chunk until the client disconnects.
        picture: MiB of one picture, on one line, instead of text.
    """

    chunks: int = 2000
    size: int = 450
    every: int = 0
    flushed: int = 0
    gate: int = 0
    pings: int = 0
    stamped: int = 0
    hold: int = 0
    picture: int = 0

    @property
    def model(self) -> str:
        """The model name, which ``parse`` reads."""
        return "-".join(f"{name}{value}" for name, value in asdict(self).items())

    @classmethod
    def parse(cls, model: str) -> Self:
        """Parse a model name; missing fields have their defaults."""
        given = dict(re.findall(r"([a-z]+)(\d+)", model))
        return cls(**{f.name: int(given[f.name]) for f in fields(cls) if f.name in given})

    def text(self, dialect: Dialect) -> str:
        """Return the text that a client must have read, without stamps."""
        texts = [text.removeprefix("0" * STAMP * self.stamped) for text in self._texts(dialect)]
        return "".join(texts * (self.chunks // NUMBERED) + texts[: self.chunks % NUMBERED])

    def events(self, dialect: Dialect) -> list[bytes]:
        """Return the events of the stream, each framed as an HTTP chunk."""
        if self.picture:
            return [_http_chunk(_sse(_picture(self.picture), "\r\n"))]
        texts = self._texts(dialect)
        ping = _http_chunk(b": ping\n\n") if self.pings else b""
        ring = [ping + _http_chunk(_event(text, self.size, dialect)) for text in texts]
        events = ring * (self.chunks // NUMBERED) + ring[: self.chunks % NUMBERED]
        last = _event(texts[(self.chunks - 1) % NUMBERED], self.size, dialect, finish=True)
        events[-1] = ping + _http_chunk(last)
        return events

    def single(self, dialect: Dialect) -> bytes:
        """Return the response to a single call, with the text of one chunk."""
        return _answer(self._texts(dialect)[0], self.size, dialect)

    def body_size(self, dialect: Dialect) -> int:
        """Return the size of the stream's body in bytes, without HTTP framing."""
        return sum(_unframed(event) for event in self.events(dialect))

    def picture_data(self) -> bytes:
        """Return the picture's bytes."""
        return _picture_bytes(self.picture)

    def _texts(self, dialect: Dialect) -> list[str]:
        return _texts(self.size, dialect, self.stamped)


@lru_cache
def _texts(size: int, dialect: Dialect, stamped: int) -> list[str]:
    """Return numbered texts of a length that gives events the size."""
    stamp = "0" * STAMP * stamped
    length = max(8, size - len(_event(stamp, size, dialect)))
    filler = WORDS * (length // len(WORDS) + 1)
    return [stamp + f"{number:03} {filler}"[:length] for number in range(NUMBERED)]


def _event(text: str, size: int, dialect: Dialect, *, finish: bool = False) -> bytes:
    if dialect == "gemini":
        return _sse(_gemini(text, size, finish=finish), "\r\n")
    event = _sse(_openai(text, "delta", finish=finish), "\n")
    return event + b"data: [DONE]\n\n" if finish else event


def _answer(text: str, size: int, dialect: Dialect) -> bytes:
    if dialect == "gemini":
        return json.dumps(_gemini(text, size, finish=True)).encode()
    return json.dumps(_openai(text, "message", finish=True)).encode()


def _gemini(text: str, size: int, *, finish: bool) -> dict[str, object]:
    candidate: dict[str, object] = {"content": {"parts": [{"text": text}], "role": "model"}}
    if finish:
        candidate["finishReason"] = "STOP"
    if size < WITH_USAGE:
        return {"candidates": [candidate]}
    return {
        "candidates": [candidate | {"index": 0}],
        "usageMetadata": USAGE,
        "modelVersion": "gemini-3.8-flash",
        "responseId": "kLewaKa5ONqI-8YP-c_NuAQ",
    }


def _openai(text: str, key: Literal["delta", "message"], *, finish: bool) -> dict[str, object]:
    said = {"role": "assistant", "content": text}
    choice = {"index": 0, key: said, "finish_reason": "stop" if finish else None}
    return {
        "id": "chatcmpl-kLewaKa5ONqI-8YP",
        "object": "chat.completion.chunk" if key == "delta" else "chat.completion",
        "created": 1_760_000_000,
        "model": "gemini-3.8-flash",
        "choices": [choice],
    }


def _picture(mebibytes: int) -> dict[str, object]:
    data = base64.b64encode(_picture_bytes(mebibytes)).decode()
    part = {"inlineData": {"mimeType": "image/png", "data": data}}
    content = {"parts": [part], "role": "model"}
    return {
        "candidates": [{"content": content, "finishReason": "STOP"}],
        "usageMetadata": USAGE,
    }


def _picture_bytes(mebibytes: int) -> bytes:
    """Return bytes whose base64 encoding is that long."""
    return bytes(range(256)) * (mebibytes * 3 * 1024)


def _sse(chunk: object, end: str) -> bytes:
    return f"data: {json.dumps(chunk)}{end}{end}".encode()


def _http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _unframed(chunks: bytes) -> int:
    """Return the number of bytes inside one or more HTTP chunks."""
    total = at = 0
    while at < len(chunks):
        end = chunks.index(b"\r\n", at)
        size = int(chunks[at:end], 16)
        total += size
        at = end + size + 4
    return total
