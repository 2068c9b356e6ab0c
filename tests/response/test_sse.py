import base64
import sys
import tracemalloc
from random import Random
from types import FrameType
from typing import Any

import pytest
from response.cuts import cuts
from response.events import BOM, decode, held, reference
from response.recorded import recorded

from cometgem.errors import EventTooLargeError
from cometgem.response.sse import MAX_EVENT_SIZE, ServerSentEvent, SSEDecoder


def event(data: bytes, event: str | None = None, **fields: Any) -> ServerSentEvent:
    return ServerSentEvent(data, event, **fields)


def pour(decoder: SSEDecoder, piece: bytes, *, times: int) -> None:
    for _ in range(times):
        decoder.feed(piece)


@pytest.mark.parametrize(
    ("name", "vector"),
    recorded("sse_vectors.json", lambda vectors: ((row["name"], row) for row in vectors)),
)
def test_conformance_vectors(name: str, vector: dict[str, Any]) -> None:
    assert name
    expected = vector["eof"]["flush"] if vector["eof"] else vector["events"]
    for pieces in cuts(base64.b64decode(vector["bytes_b64"])):
        got = [
            # The standard decodes before splitting; the decoder leaves the bytes as they are.
            {"data": e.data.decode("utf-8", "replace"), "event": e.event, "id": e.id}
            | {"retry": e.retry}
            for e in decode(pieces)
        ]
        assert got == expected, pieces


A = event(b"a")
B = event(b"b")

STREAMS: dict[str, tuple[bytes, list[ServerSentEvent]]] = {
    "nothing": (b"", []),
    "one BOM is dropped": (BOM + b"data: a\n\n", [A]),
    "a second BOM belongs to the name": (BOM + BOM + b"data: a\n\n", []),
    "a later BOM belongs to the name": (b"data: a\n\n" + BOM + b"data: b\n\n", [A]),
    "a BOM in the data stays": (b"data: " + BOM + b"a\n\n", [event(BOM + b"a")]),
    "only a BOM": (BOM, []),
    "an incomplete BOM": (b"\xef\xbb", []),
    "bytes that only begin like a BOM": (b"\xef\xbbdata: a\n\ndata: b\n\n", [B]),
    "LF": (b"data: a\n\ndata: b\n\n", [A, B]),
    "CR": (b"data: a\r\rdata: b\r\r", [A, B]),
    "CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [A, B]),
    "all three": (b"data: a\r\ndata: b\ndata: c\r\r\n", [event(b"a\nb\nc")]),
    "LF CR is two ends": (b"data: a\n\rdata: b\n\r", [A, B]),
    "CR CRLF is two ends": (b"data: a\r\r\ndata: b\r\r\n", [A, B]),
    "comments": (b": ping\ndata: a\n:\n:data: b\n\n: data: c\n\n", [A]),
    "data without a space": (b"data:a\n\n", [A]),
    "data with two spaces": (b"data:  a\n\n", [event(b" a")]),
    "data with a tab": (b"data:\ta\n\n", [event(b"\ta")]),
    "data ending in spaces": (b"data: a \n\n", [event(b"a ")]),
    "colons in data": (b"data::a:\n\n", [event(b":a:")]),
    "data lines are joined by LF": (b"data: a\r\ndata: b\r\n\r\n", [event(b"a\nb")]),
    "empty data": (b"data:\n\ndata\n\ndata: \n\n", [event(b""), event(b""), event(b"")]),
    "empty data lines": (b"data\ndata\n\ndata:a\ndata\n\n", [event(b"\n"), event(b"a\n")]),
    "blocks without data are not events": (b"event: e\n\nretry: 5\n\n\n\ndata: a\n\n", [A]),
    "a type": (b"event: e\ndata: a\n\ndata: b\n\n", [event(b"a", "e"), B]),
    "the last type wins": (b"event: e\nevent: f\ndata: a\n\n", [event(b"a", "f")]),
    "an empty type is ignored": (b"event: e\nevent\ndata: a\n\n", [A]),
    "a type that is not UTF-8": (b"event: \xff\ndata: a\n\n", [event(b"a", "\ufffd")]),
    "an id stays": (b"id: 1\ndata: a\n\ndata: b\n\n", [event(b"a", id="1"), event(b"b", id="1")]),
    "an id without data stays": (b"id: 1\n\ndata: a\n\n", [event(b"a", id="1")]),
    "an id is set back": (
        b"id: 1\ndata: a\n\nid\ndata: b\n\n",
        [event(b"a", id="1"), event(b"b", id="")],
    ),
    "an id with NUL is ignored": (
        b"id: 1\nid: 2\x003\nid:\x00\ndata: a\n\n",
        [event(b"a", id="1")],
    ),
    "retry": (b"retry: 010\ndata: a\n\ndata: b\n\n", [event(b"a", retry=10), B]),
    "retry is digits only": (
        b"retry: 1.5\nretry: -1\nretry: 1 \nretry: \xd9\xa3\nretry:\nretry: 0x1\ndata: a\n\n",
        [A],
    ),
    "retry of many digits": (
        b"retry: " + b"9" * 19 + b"\ndata: a\n\n",
        [event(b"a", retry=10**19 - 1)],
    ),
    "retry beyond any number": (b"retry: " + b"9" * 5000 + b"\ndata: a\n\n", [A]),
    "unknown fields": (b"dat: x\nDATA: x\n data: x\ndata : x\ndatax\n{}\ndata: a\n\n", [A]),
    "lines end with CR and LF only": (
        "data: a\x0b\x0c\x1c\x85\x00\u0085\u2028\u2029b\n\n".encode(),
        [event("a\x0b\x0c\x1c\x85\x00\u0085\u2028\u2029b".encode())],
    ),
    "data is not decoded": (b"data: \xff\xc3\n\n", [event(b"\xff\xc3")]),
    "the last blank line is missing": (b"data: a\n\ndata: b\n", [A, B]),
    "the last line end is missing": (b"data: a\n\nid: 1\ndata: b", [A, event(b"b", id="1")]),
    "the last line is CR": (b"data: a\r", [A]),
    "a last block without data": (b"data: a\n\nevent: e", [A]),
    "a last comment": (b"data: a\n\n: pin", [A]),
}


@pytest.mark.parametrize("name", STREAMS)
def test_streams_are_split_as_the_standard_says(name: str) -> None:
    stream, events = STREAMS[name]
    for pieces in cuts(stream):
        assert decode(pieces) == events, pieces


def test_a_4k_image_fits() -> None:
    assert MAX_EVENT_SIZE == 64 * 1024 * 1024


def test_events_are_returned_by_the_read_that_completes_them() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\r") == []
    assert decoder.feed(b"\r") == [A]
    assert decoder.feed(b"\ndata: b\n") == []
    assert decoder.feed(b"") == []
    assert decoder.close() == [B]


WORDS = [b"data", b"data", b"data:", b"data: ", b"id", b"event", b"retry", b"x", b"\n", b"\n\n"]
WORDS += [b"\r", b"\r\n", b":", b" ", b"7", b"\0", BOM, b"\xef", b"\xff", b"\x0b", b"\xe2\x80\xa8"]


@pytest.mark.parametrize("seed", range(20))
def test_random_streams_match_the_reference(seed: int) -> None:
    random = Random(seed)  # noqa: S311  the same each time
    for _ in range(300):
        stream = b"".join(random.choices(WORDS, k=random.randint(0, 40)))
        at, then = sorted(random.choices(range(len(stream) + 1), k=2))
        for pieces in ([stream], [stream[:at], stream[at:then], stream[then:]], *cuts(stream, 5)):
            assert decode(pieces) == reference(stream), pieces


ENDS = [b"\n", b"\r\n", b"\r"]


@pytest.mark.parametrize("before", [b"", b"event: x\n", b"retry: 3\n", b"data: a\n", b"data: a\r"])
@pytest.mark.parametrize("line", [b"data: b", b"data: ", b"data:b", b"event: y", b"data: b\x0bc"])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("blank", ENDS)
def test_reads_that_may_be_exactly_one_event(
    before: bytes, line: bytes, end: bytes, blank: bytes
) -> None:
    read = line + end + blank
    for pieces in ([before, read], [before, read, read], [before, b"data: c" + end + read]):
        assert decode(pieces) == reference(b"".join(pieces)), pieces


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("start", [b"data: ", b"data:", b"event: ", b"d", b": "])
def test_a_line_in_many_reads(start: bytes, end: bytes) -> None:
    for last in (b"z" + end, end, b"z" + end + end, end + b"data: b" + end + end):
        pieces = [b"data: a" + end, start, b"x", b"y", last]
        assert decode(pieces) == reference(b"".join(pieces)), pieces


@pytest.mark.parametrize(
    "stream",
    [
        b"data: " + b"x" * 20 + b"\n\n",
        b"data:" + b"x" * 20 + b"\r\n\r\n",
        b"data: " + b"x" * 20,
        b"data: " + b"x" * 9 + b"\ndata:" + b"x" * 10 + b"\n\n",
        b"data\n" * 21 + b"\n",
        b"id: 1\n\n: comment\ndata: " + b"x" * 20 + b"\n\n",
    ],
)
def test_the_limit_applies_to_the_data_of_an_event(stream: bytes) -> None:
    for pieces in cuts(stream):
        assert len(decode(pieces, limit=20)[0].data) == 20
        with pytest.raises(EventTooLargeError) as caught:
            decode(pieces, limit=19)
        assert caught.value.limit == 19
        assert 19 < caught.value.size <= len(stream)


@pytest.mark.parametrize("name", [b"id: ", b"event:", b"retry: ", b"unheard-of:", b""])
def test_the_limit_applies_to_other_lines_too(name: bytes) -> None:
    stream = name.ljust(27, b"1") + b"\n"
    for pieces in cuts(stream):
        assert decode([*pieces, b"data: a\n\n"], limit=21)[0].data == b"a"
        with pytest.raises(EventTooLargeError):
            decode(pieces, limit=20)


def test_events_before_a_too_large_one_are_returned_first() -> None:
    decoder = SSEDecoder(5)
    assert decoder.feed(b"data: a\n\ndata: b\n\ndata: 123456\n\ndata: c\n\n") == [A, B]
    for read in (lambda: decoder.feed(b"data: c\n\n"), lambda: decoder.feed(b""), decoder.close):
        with pytest.raises(EventTooLargeError) as caught:
            read()
        assert (caught.value.size, caught.value.limit) == (6, 5)


@pytest.mark.parametrize("start", [b"data: ", b"data: 1\ndata: ", b"id:", b"unheard-of"])
def test_a_large_event_is_refused_before_it_is_stored(start: bytes) -> None:
    decoder = SSEDecoder(10_000)
    decoder.feed(start)
    with pytest.raises(EventTooLargeError):
        pour(decoder, b"x" * 1000, times=11)
    assert held(decoder) <= 12_000


def test_many_small_lines_are_refused_before_they_are_stored() -> None:
    decoder = SSEDecoder(10_000)
    with pytest.raises(EventTooLargeError):
        pour(decoder, b"data: 0123456789\n" * 100, times=10)
    assert held(decoder) <= 10_000


@pytest.mark.parametrize("ping", [b":", b": keep-alive ", b"\n", b":\r\n"])
def test_comments_do_not_count_towards_the_limit(ping: bytes) -> None:
    decoder = SSEDecoder(100)
    assert decoder.feed(b"data: a\n" + ping * 1000 + b"\n\n") == [A]
    decoder.feed(b":" + b"x" * 1000)
    for _ in range(1000):
        assert decoder.feed(ping) == []
        assert held(decoder) <= 10
    assert decoder.feed(b"\ndata: b\n\n") == [B]


def test_unknown_lines_are_kept_up_to_64_kib() -> None:
    decoder = SSEDecoder()
    decoder.feed(b'{"error": 1}\nevent: e\n: comment\n\n}\n')
    assert decoder.unknown == [b'{"error": 1}', b"}"]
    pour(decoder, b"x" * 1000 + b"\n", times=1000)
    assert 60_000 < held(decoder) <= 64 * 1024


def test_an_incomplete_bom_is_a_line() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(BOM[:2]) == []
    assert decoder.close() == []
    assert decoder.unknown == [BOM[:2]]


def scanned(pieces: list[bytes]) -> int:
    """Count the bytes scanned by the decoder's calls of bytes methods, except at line ends."""
    sizes = []
    at_an_end = ("startswith", "endswith")

    def count(_frame: FrameType, what: str, called: Any) -> None:
        its = getattr(called, "__self__", None)
        if what == "c_call" and isinstance(its, bytes) and called.__name__ not in at_an_end:
            sizes.append(len(called.__self__))

    sys.setprofile(count)
    try:
        decode(pieces)
    finally:
        sys.setprofile(None)
    return sum(sizes)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_the_cost_of_a_long_line_is_linear(end: bytes) -> None:
    size, read = 4 << 20, 64 << 10
    pieces = [b"data: ", *[b"x" * read] * (size // read), end]
    assert size <= scanned(pieces) <= 4 * size
    tracemalloc.start()
    try:
        (picture,) = decode(bytes(bytearray(piece)) for piece in pieces)
        assert tracemalloc.get_traced_memory()[1] <= 3 * size
    finally:
        tracemalloc.stop()
    assert len(picture.data) == size


@pytest.mark.parametrize("line", [b"data: x\n\n", b"data: x\r\n\r\n", b":\n", b"x\n", b"\n"])
def test_the_cost_of_many_short_lines_is_linear(line: bytes) -> None:
    small, large = (scanned([line * 16] * count) for count in (100, 1000))
    assert 1600 * len(line) <= small
    assert large <= 11 * small
