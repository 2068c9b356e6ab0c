"""Properties of parsing, for any bytes a server may send."""

import contextlib
import pickle
from email.message import Message
from itertools import pairwise
from random import Random

from response.events import held, reference

from cometgem.errors import (
    APIStatusError,
    CometGemError,
    EventTooLargeError,
    ResponseDecodeError,
    StreamTruncatedError,
)
from cometgem.response.chunks import ChunkDecoder
from cometgem.response.codec import decode_chunk
from cometgem.response.failure import status_failure
from cometgem.response.sse import ServerSentEvent, SSEDecoder
from cometgem.types import GenerateContentResponse
from cometgem.types.wire import encode

DOCUMENTED = (APIStatusError, ResponseDecodeError, EventTooLargeError, StreamTruncatedError)

_LONGEST_PREFIX = len(b"data: ")
_UNKNOWN = 64 * 1024


def events_are_those_of_the_standard(body: bytes, seed: int) -> None:
    """However the bytes are split, the events equal the reference's, up to one over the limit."""
    limit, pieces = _limit_and_pieces(body, seed)
    expected = reference(body)
    assert _events([body], len(body)) == (expected, False)
    events, refused = _events([body], limit)
    assert _events(pieces, limit) == (events, refused)
    assert events == expected[: len(events)]
    assert all(len(event.data) <= limit for event in events)
    following = expected[len(events) :]
    lines = body.replace(b"\r", b"\n").split(b"\n")
    over = [len(event.data) > limit for event in following]
    over += [len(line) - _LONGEST_PREFIX > limit for line in lines]
    assert any(over) if refused else not following


def a_decoder_holds_no_more_than_its_limit(body: bytes, seed: int) -> None:
    """A decoder stores no more than an event of its limit, one read and 64 KiB of unknown lines."""
    limit, pieces = _limit_and_pieces(body[:2000], seed)  # counting is slow
    decoder = SSEDecoder(limit)
    for piece in pieces:
        with contextlib.suppress(EventTooLargeError):
            decoder.feed(piece)
        assert held(decoder) <= limit + _LONGEST_PREFIX + len(piece) + _UNKNOWN
        assert sum(map(len, decoder.unknown)) <= _UNKNOWN


def a_body_is_chunks_or_a_documented_error(body: bytes, seed: int) -> None:
    """Any bytes give chunks that can be encoded, then the end or a documented error."""
    limit, pieces = _limit_and_pieces(body, seed)
    whole, error = _chunks([body], limit)
    cut, cut_error = _chunks(pieces, limit)
    # JSON between the events is recognised only if one read holds all of it.
    assert all(one.raw == other.raw for one, other in zip(whole, cut, strict=False))
    if error is None and cut_error is None:
        assert len(whole) == len(cut)
    for chunk in whole:
        assert decode_chunk(encode(chunk)) == chunk
    for raised in filter(None, (error, cut_error)):
        assert isinstance(raised, DOCUMENTED)
        assert str(raised).isprintable()
        assert str(pickle.loads(pickle.dumps(raised))) == str(raised)  # noqa: S301  our own


def any_error_response_is_a_status_error(body: bytes, seed: int) -> None:
    """Any error status, headers and body give an APIStatusError with a printable message."""
    status = Random(seed).choice([301, 400, 401, 403, 404, 408, 429, 500, 503, 529, 999])  # noqa: S311
    headers = Message()
    words = body.decode("latin-1").split("\n", 2)
    headers["retry-after"], headers["x-request-id"] = (*words, "", "")[:2]
    error = status_failure(status, headers, body, now=seed)  # type: ignore[arg-type]
    assert error.status == status
    assert str(error).isprintable()
    assert error.retry_after is None or error.retry_after >= 0


def _limit_and_pieces(body: bytes, seed: int) -> tuple[int, list[bytes]]:
    """Return a limit and the body split into reads, both determined by the seed."""
    random = Random(seed)  # noqa: S311  the same each time
    limit = random.choice([random.randint(1, 40), len(body) + 1, 1 << 20])
    places = range(len(body) + 1)
    ends = random.choice([places, random.choices(places, k=random.randint(0, 5))])
    return limit, [body[at:end] for at, end in pairwise([0, *sorted(ends), len(body)])]


def _events(pieces: list[bytes], limit: int) -> tuple[list[ServerSentEvent], bool]:
    """Return the events, and whether one was too large."""
    decoder, events = SSEDecoder(limit), []
    try:
        for piece in pieces:
            events += decoder.feed(piece)
        events += decoder.close()
    except EventTooLargeError:
        return events, True
    return events, False


def _chunks(
    pieces: list[bytes], limit: int
) -> tuple[list[GenerateContentResponse], CometGemError | None]:
    decoder = ChunkDecoder(limit, {"x-request-id": "id"})
    chunks: list[GenerateContentResponse] = []
    try:
        for piece in pieces:
            chunks.extend(decoder.feed(piece))
        chunks.extend(decoder.close())
    except CometGemError as error:
        return chunks, error
    return chunks, None
