"""Long answers of several hops, each a request. A checkpoint is a token in mid-stream."""

from __future__ import annotations

from typing import Any

from faults.rows import IMPATIENT_AFTER_A_CHUNK, Row, final, raises

from cometgem import (
    BadRequestError,
    ContinuationUnsupportedError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from cometgem.testing import Reply

__all__ = ["LONG_ANSWERS"]


def _hop(text: str, token: str | None, **usage: int) -> Reply:
    """Return a hop that ends with CONTINUATION."""
    candidate: dict[str, Any] = {
        "content": {"parts": [{"text": text}]},
        "finishReason": "CONTINUATION",
    }
    if token is not None:
        candidate["continuationToken"] = token
    return Reply.chunks({"candidates": [candidate], "usageMetadata": usage})


# fmt: off
LONG_ANSWERS = [
    Row(
        "it has three hops, the second of which is empty", (Reply.hops(["a", "b"], [""], ["c"]),),
        operation="stream", requests=3, texts=("a", "b", "", "c"), ends=final("STOP"),
        connection="kept",
    ),
    Row(
        "it has three hops", (Reply.hops(["a", "b"], ["c"], ["d"]),),
        operation="single", requests=3, texts=("a", "b", "c", "d"), ends=final("STOP"),
        connection="kept",
    ),
    Row(
        "the connection is reset after a checkpoint",
        (Reply.hops(["a", "b"], ["c"], checkpoints=[0], cuts=[0]),),
        operation="stream", requests=3, texts=("a", "b", "c"), ends=final("STOP"),
        connection="kept",
    ),
    Row(
        "nothing more is sent after a checkpoint",
        (Reply.hops(["a", "b"], ["c"], checkpoints=[0], stalls=[0]),),
        client={"timeouts": IMPATIENT_AFTER_A_CHUNK},
        operation="stream", requests=3, texts=("a", "b", "c"), ends=final("STOP"),
        connection="kept",
    ),
    Row(
        "the connection is reset after a chunk that no checkpoint covers",
        (Reply.hops(["a", "b", "c"], ["d"], checkpoints=[0], cuts=[1]),),
        operation="stream", requests=1, texts=("a", "b"), connection="closed",
        ends=raises(StreamInterruptedError, "the connection broke"),
    ),
    Row(
        "the connection is reset before the first chunk of the second hop",
        (Reply.hops(["a"], ["b"], resets=[1]),),
        operation="stream", requests=3, texts=("a", "b"), ends=final("STOP"),
        connection="kept",
    ),
    Row(
        "the connection is reset there four times in a row",
        (Reply.hops(["a"], ["b"], resets=[1] * 4),),
        operation="stream", requests=5, texts=("a",), connection="closed",
        ends=raises(StreamInterruptedError, "the connection broke"),
    ),
    Row(
        "the second hop is refused", (_hop("a", "token"), Reply.error(400)),
        operation="both", requests=2, texts=("a",), connection="kept",
        ends=raises(BadRequestError, "400", status=400, code="400"),
    ),
    Row(
        "the first hop ends without a token", (_hop("a", None),),
        operation="both", requests=1, texts=("a",), connection="kept",
        ends=raises(StreamTruncatedError, "CONTINUATION, but without a continuationToken"),
    ),
    Row(
        "the second hop ends with the token that it began with",
        (_hop("a", "token"), _hop("b", "token")),
        operation="both", requests=2, texts=("a", "b"), connection="kept",
        ends=raises(StreamTruncatedError, "only the one that its hop began with"),
    ),
    Row(
        "the second hop begins the answer again",
        (_hop("a", "one", promptTokenCount=8), _hop("a", "two", promptTokenCount=8)),
        operation="stream", requests=2, texts=("a",), connection="closed",
        ends=raises(ContinuationUnsupportedError, "the server began the answer again"),
    ),
]
# fmt: on
