"""Raw HTTP, for faults below what FakeServer can express."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from faults.rows import TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["chunked", "event", "events", "head", "said"]


def said(text: str, finish: str | None = None) -> dict[str, Any]:
    """Return a chunk in wire form."""
    candidate: dict[str, Any] = {"content": {"parts": [{"text": text}], "role": "model"}}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate]}


def event(body: object) -> bytes:
    """Return one event."""
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def events(k: int, *, finish: str | None = None) -> bytes:
    """Return k valid chunks as events; the last may carry the finish reason."""
    last = k - 1
    return b"".join(event(said(TEXTS[at], finish if at == last else None)) for at in range(k))


def head(*fields: str, status: str = "200 OK", kind: str | None = "text/event-stream") -> bytes:
    """Return a status line and headers."""
    lines: Iterable[str] = (f"HTTP/1.1 {status}", *fields)
    if kind is not None:
        lines = (*lines, f"Content-Type: {kind}")
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def chunked(*pieces: bytes) -> bytes:
    """Return pieces in chunked encoding, without the last chunk."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
