import json
from collections.abc import Iterable
from typing import Any

import pytest
from response.cuts import cuts

from cometgem.errors import (
    APIStatusError,
    AuthenticationError,
    CometGemError,
    EventTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
    StreamTruncatedError,
)
from cometgem.response.chunks import ChunkDecoder

HEADERS = {"x-cometapi-request-id": "id-1"}


def chunk(text: str) -> bytes:
    return b'{"candidates":[{"content":{"parts":[{"text":"%b"}]}}]}' % text.encode()


def data(*texts: str) -> bytes:
    return b"".join(b"data: " + chunk(text) + b"\n\n" for text in texts)


def read(pieces: Iterable[bytes], limit: int = 10_000) -> tuple[list[str], CometGemError | None]:
    """Return the texts of the chunks, and the error after them."""
    decoder = ChunkDecoder(limit, HEADERS)
    texts: list[str] = []
    try:
        for piece in pieces:
            texts.extend(chunk.text for chunk in decoder.feed(piece))
        texts.extend(chunk.text for chunk in decoder.close())
    except CometGemError as error:
        return texts, error
    return texts, None


GOOD: dict[str, tuple[bytes, list[str]]] = {
    "nothing": (b"", []),
    "whitespace": (b" \r\n\n\t\n", []),
    "comments": (b": PING\n\n" + data("a") + b": keepalive\n\n:\n\n" + data("b"), ["a", "b"]),
    "CRLF": (data("a", "b").replace(b"\n", b"\r\n"), ["a", "b"]),
    "a BOM": (b"\xef\xbb\xbf" + data("a"), ["a"]),
    "blank lines first": (b"\n\r\n\r" + data("a"), ["a"]),
    "no space": (data("a").replace(b": ", b":", 1), ["a"]),
    "no last blank line": (data("a", "b")[:-1], ["a", "b"]),
    "no last line end": (data("a", "b")[:-2], ["a", "b"]),
    "event and id lines": (b"event: message\nid: 1\nretry: 5\n" + data("a"), ["a"]),
    "unknown lines": (b"junk\n" + data("a")[:-2], ["a"]),
    "[DONE]": (data("a") + b"data: [DONE]\n\n", ["a"]),
    "[DONE] in any case": (data("a") + b"data:  [Done] \r\n\r\ndata:[done]", ["a"]),
    "more after [DONE]": (b"data: [DONE]\n\n" + data("a"), ["a"]),
    "empty data": (b"data:\n\ndata:  \n\ndata\n\n" + data("a"), ["a"]),
    "null": (b"data: null\n\ndata: NULL\n\n" + data("a"), ["a"]),
    "a wrapped comment": (b"data: : keepalive\n\ndata: :\n\n" + data("a"), ["a"]),
    "JSON over many lines": (
        b'data: {"candidates":[\ndata: {"content":{"parts":[{"text":\ndata: "a"}]}}\ndata: ]}\n\n',
        ["a"],
    ),
    "no candidates": (b'data: {"usageMetadata":{}}\n\ndata: {}\n\ndata: {"new":1}\n\n', [""] * 3),
    "candidates without content": (
        b'data: {"candidates":[{}]}\n\ndata: {"candidates":[{"content":{"role":"model"}}]}\n\n',
        ["", ""],
    ),
    "Unicode line separators": (data("\u2028\u2029\u0085\x0b\x0c"), ["\u2028\u2029\u0085\x0b\x0c"]),
    "a raw NUL": (data("a\x00b"), ["a\x00b"]),
    "UTF-8": (data("\u00e9\u20ac\U0001f600"), ["\u00e9\u20ac\U0001f600"]),
    "the word error": (data(r"\"error\"") + data("error"), ['"error"', "error"]),
    **{
        f"error: {nothing} beside a chunk": (
            b'data: {"error":%b,' % nothing.encode() + chunk("a")[1:] + b"\n\n",
            ["a"],
        )
        for nothing in ("{}", "[]", '""', "false", "0", '{"code":0,"message":""}')
    },
    "error in a call": (
        b'data:{"candidates":[{"content":{"parts":[{"functionCall":{"args":{"error":{}}}}]}}]}\n\n',
        [""],
    ),
    "error: null": (b'data: {"error":null,' + chunk("a")[1:] + b"\n\n", ["a"]),
    "one JSON response": (chunk("a"), ["a"]),
    "one JSON response, indented": (b"\r\n" + chunk("a").replace(b":", b" :\n  "), ["a"]),
    "an array": (b"[" + chunk("a") + b"\r\n,\r\n" + chunk("b") + b"]\n", ["a", "b"]),
    "an array that is not UTF-8": (b"[" + chunk("?").replace(b"?", b"\xff") + b"]", ["\ufffd"]),
    "an array after a BOM": (b"\xef\xbb\xbf [\n" + chunk("a") + b"]", ["a"]),
    "an array with gaps": (b"[null," + chunk("\u00e9") + b',{"candidates":null}]', ["\u00e9", ""]),
    "an array without its end": (b"[" + chunk("a") + b",", ["a"]),
    "an empty array": (b"[]", []),
    "a foreign event among others": (b'data: {"type":"ping"}\n\n' + data("a"), ["", "a"]),
    "a foreign item among others": (b'[{"type":"ping"},' + chunk("a") + b"]", ["", "a"]),
    "ids alone": (b'data: {"responseId":"r"}\n\ndata: {"modelVersion":"m"}\n\n', ["", ""]),
    "an id as a body": (b'{"responseId":"r"}', [""]),
    "no candidates as a body": (b'{"candidates":[]}', [""]),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_bodies(name: str) -> None:
    body, texts = GOOD[name]
    for pieces in cuts(body):
        assert read(pieces) == (texts, None), pieces


def test_chunks_keep_their_exact_json() -> None:
    decoder = ChunkDecoder()
    raw = [b'{"usageMetadata": {}}', chunk("\u00e9")]
    assert [c.raw for c in decoder.feed(b"data: %b\n\ndata: %b\n\n" % tuple(raw))] == raw
    decoder = ChunkDecoder()
    assert list(decoder.feed(b"[%b , %b]" % tuple(raw))) == []
    assert [c.raw for c in decoder.close()] == raw


def test_chunks_are_returned_by_the_read_that_completes_them() -> None:
    decoder = ChunkDecoder()
    assert [c.text for c in decoder.feed(data("a") + data("b")[:-1])] == ["a"]
    assert [c.text for c in decoder.feed(b"\n" + data("c"))] == ["b", "c"]
    assert list(decoder.feed(b"")) == []
    assert list(decoder.close()) == []


def google(status: int, name: str, **more: Any) -> dict[str, Any]:
    return {"error": {"code": status, "message": "m", "status": name, **more}}


CLASSES = {401: AuthenticationError, 403: PermissionDeniedError, 429: RateLimitError}
CLASSES |= {499: APIStatusError, 500: ServerError, 503: ServerError}

# The shapes of an error object, with its status and code.
ERRORS: dict[str, tuple[Any, int, str | None]] = {
    "Google": (google(429, "RESOURCE_EXHAUSTED"), 429, "RESOURCE_EXHAUSTED"),
    "Google, a list of one": ([google(503, "UNAVAILABLE")], 503, "UNAVAILABLE"),
    "Google, another order": (
        {"error": {"status": "CANCELLED", "message": "m", "code": 499}},
        499,
        "CANCELLED",
    ),
    "the gateway": (
        {"error": {"message": "m", "type": "t", "param": "", "code": "invalid_request"}},
        500,
        "invalid_request",
    ),
    "the gateway, a number": ({"error": {"message": "m", "code": 401}}, 401, "401"),
    "the gateway, no code": ({"error": {"message": "m", "code": ""}}, 500, None),
    "the gateway, null": ({"error": {"message": "m", "code": None}}, 500, None),
    "nothing but a message": ({"error": {"message": "m"}}, 500, None),
    "true, and a message": ({"error": True, "message": "m"}, 500, None),
    "nothing but a text": ({"error": "m"}, 500, None),
    "error last": ({"candidates": [], "new": 1, "error": {"message": "m"}}, 500, None),
    "error after usage": (
        {"usageMetadata": {}, **google(403, "PERMISSION_DENIED")},
        403,
        "PERMISSION_DENIED",
    ),
    "error in a chunk": (json.loads(chunk("x")) | {"error": {"message": "m"}}, 500, None),
    "no wrapper": ({"code": None, "message": "m"}, 500, None),
    "a type beside it": ({"type": "error", "error": {"type": "t", "message": "m"}}, 500, None),
    "a list of errors": ({"errors": [{"message": "m"}, {"message": "n"}]}, 500, None),
    "a list of errors with a code": ({"errors": [{"message": "m", "code": 429}]}, 429, "429"),
    "nothing beside a list of errors": ({"error": {}, "errors": [{"message": "m"}]}, 500, None),
    "no wrapper, a code": (
        {"message": "m", "code": "insufficient_user_quota"},
        403,
        "insufficient_user_quota",
    ),
}


def written(error: Any, form: str) -> bytes:
    """Return a body with two good events, or none, and an error in one of its known forms."""
    compact, pretty = json.dumps(error).encode(), json.dumps(error, indent=2).encode()
    lines = b"".join(b"data: " + line + b"\n" for line in pretty.splitlines())
    return {
        "an event": data("a", "b") + b"data: " + compact + b"\n\n",
        "an event, then others": data("a", "b") + b"data: " + compact + b"\n\n" + data("c"),
        "an event of many lines": data("a", "b") + lines + b"\n",
        "an event of type error": data("a", "b") + b"event: error\n" + lines + b"\n",
        "the last event": data("a", "b") + b"data: " + compact,
        "bare after events": data("a", "b") + compact + b"\n",
        "bare, indented": data("a", "b") + pretty,
        "bare, CRLF": (data("a", "b") + pretty + b"\n").replace(b"\n", b"\r\n"),
        "bare, all lines indented": data("a", "b") + b"  " + pretty.replace(b"\n", b"\n\t"),
        "bare on one line, indented": data("a", "b") + b" \t" + compact + b"\n",
        "bare, then text": data("a", "b") + compact + b"\nbye\n",
        "bare, after text": data("a", "b") + b"bye\n" + pretty + b"\n",
        "bare, after [DONE]": data("a", "b") + b"[DONE]\n" + pretty + b"\n",
        "bare, after other JSON": data("a", "b") + b'{}\n{"oops\n' + compact + b"\n",
        "bare, without a blank line before it": data("a", "b")[:-1] + pretty + b"\n",
        "bare, then [DONE]": data("a", "b") + pretty + b"\n\ndata: [DONE]\n\n",
        "in an array": b"[" + chunk("a") + b"," + chunk("b") + b",\n" + compact + b"]",
        "the body": pretty,
        "the body, after blanks": b"\xef\xbb\xbf\r\n" + compact + b"\n",
        "the only event": b"data: " + compact + b"\n\n",
        "bare after a comment": b": ping\n\n" + pretty,
    }[form]


FORMS = ["an event", "an event, then others", "an event of many lines", "an event of type error"]
FORMS += ["the last event", "bare after events", "bare, indented", "bare, CRLF"]
FORMS += ["bare, then [DONE]", "in an array", "bare, all lines indented"]
FORMS += ["bare on one line, indented", "bare, then text", "bare, after text"]
FORMS += ["bare, after [DONE]", "bare, after other JSON", "bare, without a blank line before it"]
ALONE = ["the body", "the body, after blanks", "the only event", "bare after a comment"]


@pytest.mark.parametrize("form", [*FORMS, *ALONE])
@pytest.mark.parametrize("name", ERRORS)
def test_errors_in_band(name: str, form: str) -> None:
    error, status, code = ERRORS[name]
    for pieces in cuts(written(error, form), at_most=60):
        texts, raised = read(pieces)
        assert texts == ([] if form in ALONE else ["a", "b"]), pieces
        assert type(raised) is CLASSES[status], pieces
        assert isinstance(raised, APIStatusError)
        assert (raised.status, raised.code, raised.message) == (status, code, "m")
        assert raised.request_id == "id-1"
        assert b'"m"' in raised.body


def test_errors_in_band_carry_details() -> None:
    details = [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3.5s"},
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "QUOTA"},
    ]
    error = google(429, "RESOURCE_EXHAUSTED", details=details)
    for form in (*FORMS, *ALONE):
        _, raised = read([written(error, form)])
        assert isinstance(raised, RateLimitError)
        assert (raised.retry_after, raised.reason, raised.details) == (3.5, "QUOTA", details)


@pytest.mark.parametrize("word", ["the model is overloaded", "", "{", "null", "5"])
def test_an_event_of_type_error_is_always_an_error(word: str) -> None:
    body = data("a") + b"event: error\ndata: " + word.encode() + b"\n\n"
    for pieces in cuts(body):
        texts, raised = read(pieces)
        assert texts == ["a"]
        assert type(raised) is ServerError
        assert raised.message == (word or "Internal Server Error (no body)")


PAGE = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head></html>\n"
TEXT = "upstream connect error: reset before headers"

CALL_ARGS = (
    b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":%b}}}]}}]}'
)

BOX = b'{"candidates":[1]}'

_ARRAY = (b"[" + chunk("a") + b", oops]").decode()
LONG_INT = CALL_ARGS % (b"1" * 5000)
LONG_INT_ITEM = b"[" + LONG_INT + b"]"

# Bodies outside the protocol: the texts before the error, and its excerpt.
UNREADABLE: dict[str, tuple[bytes, list[str], str]] = {
    "HTML": (PAGE, [], PAGE.decode().strip()),
    "HTML after blanks": (b"\xef\xbb\xbf\n\n " + PAGE, [], PAGE.decode().strip()),
    "a long HTML page": (PAGE * 50, [], (PAGE * 3).decode()[:200]),
    "text": (TEXT.encode(), [], TEXT),
    "text of lines": (b"no\nstream\n", [], "no\nstream"),
    "text after a comment": (b": ping\n\nno stream\n", [], "no stream"),
    "text as an event": (data("a") + b"data: hello\n\n", ["a"], "hello"),
    "an array as an event": (data("a") + b"data: [1]\n\n" + data("b"), ["a"], "[1]"),
    "an event of a wrong shape": (b"data: " + BOX + b"\n\n" + data("b"), [], BOX.decode()),
    "the last event of a wrong shape": (data("a") + b"data: " + BOX, ["a"], BOX.decode()),
    "a body of a wrong shape": (BOX, [], BOX.decode()),
    "text in a bracket": (b"[oops]", [], "[oops]"),
    "a log line": (b"[INFO] no upstream\n", [], "[INFO] no upstream"),
    "a log line with a number": (b"[12] no upstream\n", [], "12"),
    "a log line with a null": (b"[null] no upstream", [], "[null] no upstream"),
    "an empty bracket": (b"[] no upstream", [], "[] no upstream"),
    "an array with a mistake": (b"[" + chunk("a") + b", oops]", ["a"], _ARRAY),
    "an array of text": (b'["oops"]', [], '"oops"'),
    "an array with a long integer": (LONG_INT_ITEM, [], LONG_INT_ITEM[:200].decode()),
    "a long integer as an event": (b"data: " + LONG_INT + b"\n\n", [], LONG_INT[:200].decode()),
    "a long integer as a body": (LONG_INT, [], LONG_INT[:200].decode()),
    "an item of a wrong shape": (b"[" + chunk("a") + b",[1]]", ["a"], "[1]"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_bodies_that_are_not_a_stream(name: str) -> None:
    body, texts, excerpt = UNREADABLE[name]
    for pieces in cuts(body, at_most=200):
        got, raised = read(pieces)
        assert got == texts, pieces
        assert isinstance(raised, ResponseDecodeError)
        assert raised.excerpt == excerpt


FOREIGN: dict[str, bytes] = {
    "a gateway's message": b'{"message": "Forbidden"}',
    "a detail": b'{"detail": [{"loc": ["body"], "msg": "field required"}]}',
    "errors without a message": b'{"errors": ["no"]}',
    "an object": b'{"this": ["is", "not", "it"]}',
    "an empty object": b"{}",
    "an empty error": b'{"error": {}}',
    "a completion": b'{"id":"c","object":"chat.completion","choices":[{"message":{}}],"usage":{}}',
    "an envelope": b'{"response": {"candidates": []}}',
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_json_is_not_a_response(name: str) -> None:
    document = FOREIGN[name]
    for body in (document, b"[" + document + b"]", b"data: " + document + b"\n\n"):
        for pieces in cuts(body):
            texts, raised = read(pieces)
            assert texts == ([] if body is document else [""])
            assert isinstance(raised, ResponseDecodeError)
            assert raised.message == "the server sent JSON that is not a generateContent response"
            assert raised.excerpt == document.decode()


def test_the_stream_of_another_api_is_not_a_truncated_stream() -> None:
    delta = b'data: {"object":"chat.completion.chunk","choices":[{"delta":{"content":"a"}}]}\n\n'
    texts, raised = read([delta * 3 + b"data: [DONE]\n\n"])
    assert texts == ["", "", ""]
    assert isinstance(raised, ResponseDecodeError)
    assert raised.excerpt == delta[6:-2].decode()


# Bodies cut off at their end: the texts before the cut.
CUT: dict[str, tuple[bytes, list[str]]] = {
    "the last event": (data("a", "b")[:-9], ["a"]),
    "the only event": (data("a")[:-20], []),
    "the body": (chunk("a")[:-1], []),
    "an array": (b"[" + chunk("a") + b"," + chunk("b")[:-1], ["a"]),
    "a word of an array": (b"[" + chunk("a") + b",nul", ["a"]),
    "an array too deep": (b"[" + chunk("a") + b"," + b"[" * 9000, ["a"]),
}


@pytest.mark.parametrize("name", CUT)
def test_chunks_cut_off_by_the_end_of_the_body(name: str) -> None:
    body, texts = CUT[name]
    for pieces in cuts(body, at_most=100):
        got, raised = read(pieces)
        assert got == texts, pieces
        assert isinstance(raised, StreamTruncatedError)
        assert raised.message == "the stream ended in the middle of a chunk"
        assert isinstance(raised.__cause__, (ResponseDecodeError, ValueError, RecursionError))


@pytest.mark.parametrize(
    ("body", "texts"),
    [(data("a") + data("x" * 10_000), ["a"]), (b"[" + b" " * 10_000, []), (b"{" * 10_001, [])],
)
def test_events_and_bodies_over_the_limit(body: bytes, texts: list[str]) -> None:
    for pieces in cuts(body, at_most=20):
        got, raised = read([*pieces, b"\n\n"])
        assert (got, type(raised)) == (texts, EventTooLargeError)


def test_an_html_page_is_refused_before_it_ends() -> None:
    decoder = ChunkDecoder()
    assert list(decoder.feed(b"<" + b" " * 1000)) == []
    with pytest.raises(ResponseDecodeError, match="the server sent an HTML page"):
        list(decoder.feed(b"<html>" * 10))


def test_a_bare_error_is_raised_before_the_stream_ends() -> None:
    decoder = ChunkDecoder()
    assert len(list(decoder.feed(data("a") + b'{\n"error": {"message": "m"}\n'))) == 1
    with pytest.raises(ServerError):
        list(decoder.feed(b"}\n"))


@pytest.mark.parametrize(
    "junk", [b"{}\n", b"[DONE]\n", b"{not JSON}\n", b"junk\n", b" \n", b"<html>\n", b"}\n"]
)
def test_unknown_lines_after_events_are_ignored(junk: bytes) -> None:
    for pieces in cuts(data("a") + junk + b"\n" + data("b")):
        assert read(pieces) == (["a", "b"], None)


def test_the_size_limit_of_an_event_and_of_a_body() -> None:
    body = chunk("a")
    for whole in (b"data: " + body + b"\n\n", body):
        for pieces in cuts(whole):
            assert read(pieces, limit=len(body)) == (["a"], None)
            texts, raised = read(pieces, limit=len(body) - 1)
            assert isinstance(raised, EventTooLargeError)
            assert (texts, raised.limit) == ([], len(body) - 1)


def test_whitespace_before_the_body_is_not_stored() -> None:
    decoder = ChunkDecoder(100)
    for _ in range(1000):
        assert list(decoder.feed(b"\r\n" * 100)) == []
    assert [chunk.text for chunk in decoder.feed(data("a"))] == ["a"]


def test_the_request_id_comes_from_the_message_without_headers() -> None:
    decoder = ChunkDecoder()
    with pytest.raises(ServerError) as caught:
        list(decoder.feed(b'data: {"error":{"message":"m (request id: 2026abc)"}}\n\n'))
    assert caught.value.request_id == "2026abc"


@pytest.mark.parametrize(
    ("event", "whole"),
    [
        (b'data: {"candidates":[{"index":0}]}\n\n', True),
        (b'data: {"candidates":[{"index":0}]}\r\n\r\n', True),
        (b'data: {"usageMetadata":{"totalTokenCount":5}}\n\n', True),
        (b'data: {"promptFeedback":{"blockReason":"SAFETY"}}\n\n', True),
        (b'data: {"candidates":[{"index":"0"}]}\n\n', True),  # repaired
        (b'data: {"responseId":"a"}\n\n', False),
        (b'data:{"candidates":[{"index":0}]}\n\n', False),
        (b'data: {"candidates":\ndata: [{"index":0}]}\n\n', False),
        (b'data: {"candidates":[{"index":0}]}\n', False),
        (b": ping\n\n", False),
        (b"data: [DONE]\n\n", False),
        (b"", False),
    ],
)
def test_a_read_that_is_a_whole_event_is_the_same_chunk(event: bytes, *, whole: bool) -> None:
    first = b'data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}]}\n\n'
    one, other = ChunkDecoder(), ChunkDecoder()
    assert one.whole_chunk(first) is None  # the beginning of a body may be a BOM
    assert len(list(one.feed(first))) == len(list(other.feed(first))) == 1
    chunk = one.whole_chunk(event)
    assert (chunk is not None) is whole
    expected = list(other.feed(event))
    chunks = list(one.feed(event)) if chunk is None else [chunk]
    assert chunks == expected
    assert [one.raw for one in chunks] == [one.raw for one in expected]
    assert list(one.feed(b"\n" + first)) == list(other.feed(b"\n" + first))
