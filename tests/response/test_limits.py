"""What one event may hold, and how much memory and work a hostile one costs."""

import copy
import json
import pickle
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from cometgem.errors import (
    APIStatusError,
    EventTooLargeError,
    ResponseDecodeError,
    StreamTruncatedError,
)
from cometgem.response.chunks import ChunkDecoder
from cometgem.response.codec import check_values, decode_chunk, is_within
from cometgem.response.failure import status_failure
from cometgem.response.merge import MAX_CANDIDATES, ResponseMerger
from cometgem.response.merge_parts import MAX_DEPTH

MIB = 1 << 20


def crowd(what: bytes, around: bytes, size: int) -> bytes:
    """Return an event of about so many bytes that repeats one item."""
    return around % b",".join([what] * (size // (len(what) + 1)))


CANDIDATES = b'{"candidates":[%b]}'
PARTS = b'{"candidates":[{"content":{"parts":[%b]}}]}'
RATINGS = b'{"candidates":[{"safetyRatings":[%b]}]}'
ARGS = b'{"candidates":[{"content":{"parts":[{"functionCall":{"args":{"a":[%b]}}}]}}]}'
NEW = b'{"new":[%b]}'
CROWDS = {"candidates": CANDIDATES, "parts": PARTS, "ratings": RATINGS, "args": ARGS, "new": NEW}


@pytest.mark.parametrize("form", [b"data: %b\n\n", b"%b", b"[%b]", b"event: error\ndata: %b\n\n"])
@pytest.mark.parametrize("name", CROWDS)
def test_an_event_with_too_many_values_is_refused(name: str, form: bytes) -> None:
    body = form % crowd(b"{}", CROWDS[name], 2 * MIB)
    tracemalloc.start()
    try:
        decoder = ChunkDecoder()
        with pytest.raises(
            EventTooLargeError, match="objects and lists, expected no more"
        ) as caught:
            [*decoder.feed(body), *decoder.close()]
        assert tracemalloc.get_traced_memory()[1] <= 10 * len(body)
    finally:
        tracemalloc.stop()
    assert caught.value.counted == "objects and lists"
    assert caught.value.size > caught.value.limit >= 100_000
    assert "max_event_size" not in str(caught.value)
    copied = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  our own
    assert str(copied) == str(caught.value)


def test_lists_are_counted_as_well() -> None:
    with pytest.raises(EventTooLargeError):
        decode_chunk(crowd(b"[]", ARGS, 2 * MIB))


@pytest.mark.parametrize("size", [1000, 100_000, 290_000])
def test_an_event_of_few_bytes_may_hold_anything(size: int) -> None:
    assert len(decode_chunk(crowd(b"{}", CANDIDATES, size)).candidates) == size // 3


def test_large_answers_are_not_refused() -> None:
    token = b'{"token":"a","tokenId":1,"logProbability":-0.5}'
    logprobs = b'{"candidates":[{"logprobsResult":{"chosenCandidates":[%b]}}]}'
    tokens = decode_chunk(crowd(token, logprobs, 20 * MIB)).candidates[0].logprobs_result
    assert tokens is not None
    assert len(tokens.chosen_candidates) > 400_000
    text = "{[1, 2], 3}\n" * 40_000
    answer = {"candidates": [{"content": {"parts": [{"text": text}]}}]}
    assert decode_chunk(json.dumps(answer).encode()).text == text
    assert len(decode_chunk(crowd(b'{"text":"a"}', PARTS, MIB)).text) > 80_000


@pytest.mark.parametrize("what", [b"a", b",", b"{},", b"[", b'","'])
def test_counting_is_linear(what: bytes) -> None:
    def work(size: int) -> int:
        count = 0

        def count_one(_frame: FrameType, event: str, _called: Any) -> None:
            nonlocal count
            count += event == "c_call"

        sys.setprofile(count_one)
        try:
            check_values(what * (size // 400))
        finally:
            sys.setprofile(None)
        return count

    assert work(MIB) <= 2.1 * work(MIB // 2)


def test_too_many_candidates_are_refused() -> None:
    merger = ResponseMerger()
    for at in range(MAX_CANDIDATES):
        merger.add(decode_chunk(b'{"candidates":[{"index":%d}]}' % at))
    merger.add(decode_chunk(b'{"candidates":[{"index":7},{"index":7}]}'))
    with pytest.raises(
        EventTooLargeError, match="at least 1,001 candidates, expected no more than"
    ):
        merger.add(decode_chunk(b'{"candidates":[{"index":-1}]}'))
    assert len(merger.response().candidates) == MAX_CANDIDATES
    assert merger.chunks == MAX_CANDIDATES + 1


DOCUMENTED = (APIStatusError, ResponseDecodeError, StreamTruncatedError)


def nested(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"[1]" + b"}" * (depth - 1)


DEEP_PARTS: dict[str, bytes] = {
    "args": b'{"functionCall":{"name":"f","args":%b}}',
    "open args": b'{"functionCall":{"name":"f","args":%b,"willContinue":true}}',
    "response": b'{"functionResponse":{"name":"f","response":%b}}',
    "the server's args": b'{"toolCall":{"args":%b}}',
    "the server's response": b'{"toolResponse":{"response":%b}}',
    "part metadata": b'{"text":"a","partMetadata":%b}',
    "a kind of part newer than the library": b'{"hologram":%b}',
    "a newer key of a call": b'{"functionCall":{"name":"f","args":{}},"tint":%b}',
}


@pytest.mark.parametrize("name", DEEP_PARTS)
def test_the_nesting_of_a_part_is_limited(name: str) -> None:
    def merge(depth: int) -> ResponseMerger:
        merger = ResponseMerger()
        merger.add(decode_chunk(PARTS % (DEEP_PARTS[name] % nested(depth))))
        return merger

    response = merge(MAX_DEPTH).response()
    assert response.to_dict()
    assert repr(response)
    response = merge(300).response()
    assert pickle.loads(pickle.dumps(response)) == response  # noqa: S301  our own
    assert copy.deepcopy(response) == response
    for depth in (MAX_DEPTH + 1, 500, 600):
        with pytest.raises(ResponseDecodeError, match="nested more than 490 levels deep"):
            merge(depth)


@pytest.mark.parametrize("depth", [500, 5000, 100_000])
@pytest.mark.parametrize(
    "around", ['{"new":%b}', '{"error":%b}', '{"candidates":%b}', "%b", '{"usageMetadata":%b}']
)
def test_deep_json_is_a_documented_error_or_nothing(depth: int, around: str) -> None:
    document = around.encode() % nested(depth)
    for body in (document, b"[%b]" % document, b"data: %b\n\n" % document, document[:-depth]):
        decoder = ChunkDecoder()
        try:
            chunks = [*decoder.feed(body), *decoder.close()]
        except DOCUMENTED as error:
            copied = copy.deepcopy(pickle.loads(pickle.dumps(error)))  # noqa: S301  our own
            assert str(copied) == str(error)  # noqa: PT017  any of them is documented
        else:
            assert repr(chunks)
            assert copy.deepcopy([chunk.to_dict() for chunk in chunks])


def test_the_depth_of_a_value() -> None:
    flat: list[Any] = [1, "a", None, [], {}]
    for value in flat:
        assert is_within(value, 0)
    assert is_within(flat, 1)
    assert not is_within(flat, 0)
    assert is_within({"a": [1]}, 2)
    assert not is_within({"a": [1], "b": 2}, 1)


def steps(act: Callable[[], object]) -> int:
    """Count the lines run, which shows loops; the C code that is called has its own tests."""
    count = 0

    def trace(_frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()  # a measurement of coverage
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "value", ["5" + " " * 4000 + "x", "5" + " " * 4000, " " * 4000, "5." * 2000, "Mon, " * 800]
)
def test_a_long_delay_is_read_in_linear_time(value: str) -> None:
    """The standard library's parser of dates is quadratic, so it is not given long headers."""

    def work(text: str) -> int:
        body = json.dumps({"error": {"details": [{"retryDelay": text}]}}).encode()
        headers = {"retry-after": text}
        return steps(lambda: status_failure(429, headers, body, now=0.0))

    assert work(value * 2) <= work(value) + 10
