"""Replies as actions, without a server: what is written, where it is cut, and the waits."""

import gzip
import itertools
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from cometgem.testing import Reply
from cometgem.testing.actions import Head, Wait, Write
from cometgem.testing.render import render
from cometgem.testing.steps import Reset


def actions(reply: Reply, *, stream: bool = True, sse: bool = True) -> list[Any]:
    done = render(reply, stream=stream, sse=sse, model="gemini-x", request_id="r1")
    return list(itertools.islice(done, 1000))


def writes(reply: Reply, **how: bool) -> list[bytes]:
    return [action.data for action in actions(reply, **how) if isinstance(action, Write)]


def body(reply: Reply, **how: bool) -> bytes:
    return b"".join(writes(reply, **how))


def head(reply: Reply, **how: bool) -> Head:
    return next(action for action in actions(reply, **how) if isinstance(action, Head))


def events(reply: Reply) -> list[Any]:
    blocks = body(reply).decode().split("\n\n")
    assert blocks.pop() == ""
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


def single(reply: Reply) -> Any:
    return json.loads(body(reply, stream=False))


def parts(chunk: Any) -> Any:
    return chunk["candidates"][0]["content"]["parts"]


def finish(chunk: Any) -> Any:
    return chunk["candidates"][0].get("finishReason")


def test_text_is_one_chunk_per_piece_and_the_last_ends_it() -> None:
    first, last = events(Reply.text("Hel", "lo"))
    assert first == {
        "candidates": [{"content": {"parts": [{"text": "Hel"}], "role": "model"}, "index": 0}],
        "modelVersion": "gemini-x",
        "responseId": "response-r1",
    }
    assert parts(last) == [{"text": "lo"}]
    assert finish(last) == "STOP"
    assert last["usageMetadata"] == {
        "promptTokenCount": 8,
        "candidatesTokenCount": 2,
        "totalTokenCount": 10,
    }


def test_a_single_response_has_the_chunks_merged() -> None:
    response = single(Reply.text("Hel", "lo", thought="Hm.", signature="c2ln"))
    assert parts(response) == [
        {"text": "Hm.", "thought": True},
        {"text": "Hel"},
        {"text": "lo", "thoughtSignature": "c2ln"},
    ]
    assert finish(response) == "STOP"
    assert response["usageMetadata"]["thoughtsTokenCount"] == 1


def test_without_sse_the_stream_is_a_json_array() -> None:
    reply = Reply.text("a", "b").then_error(503)
    array = json.loads(body(reply, sse=False))
    assert [parts(chunk)[0]["text"] for chunk in array[:2]] == ["a", "b"]
    assert array[2]["error"]["type"] == "comet_api_error"
    assert head(reply, sse=False).headers["content-type"].startswith("application/json")
    raw = Reply.text("a").then_raw(b"oops").then_pause(0)
    assert body(raw, sse=False).endswith(b"oops]")


def test_parts_lists_of_parts_and_whole_chunks() -> None:
    whole = {"candidates": [{"finishReason": "SAFETY"}]}
    one, two, three = events(
        Reply.chunks({"text": "a"}, [{"text": "b"}, {"inlineData": {}}], whole)
    )
    assert parts(one) == [{"text": "a"}]
    assert parts(two) == [{"text": "b"}, {"inlineData": {}}]
    assert three == whole
    assert events(Reply.chunks({}, {"promptFeedback": {}})) == [{}, {"promptFeedback": {}}]


def test_a_whole_chunk_is_sent_unchanged() -> None:
    odd = {"candidates": "none", "usageMetadata": 7}
    assert single(Reply.chunks(odd)) == odd


def test_a_reply_does_not_change_with_its_arguments() -> None:
    part = {"functionCall": {"args": {"n": 1}}}
    reply = Reply.chunks(part)
    part["functionCall"]["args"]["n"] = 2
    assert parts(events(reply)[0]) == [{"functionCall": {"args": {"n": 1}}}]


def test_finish_usage_and_meta_can_be_set_and_left_out() -> None:
    reply = Reply.text("a").finish("MAX_TOKENS").usage({"promptTokenCount": 3})
    (chunk,) = events(reply.meta(model_version="m", response_id="r"))
    assert finish(chunk) == "MAX_TOKENS"
    assert chunk["usageMetadata"] == {"promptTokenCount": 3}
    assert (chunk["modelVersion"], chunk["responseId"]) == ("m", "r")
    (chunk,) = events(Reply.text("a").finish(None).usage(None))
    assert finish(chunk) is None
    assert "usageMetadata" not in chunk


@pytest.mark.parametrize(
    "reply",
    [
        Reply.text("a").then_end(),
        Reply.text("a").then_end().then(Reply.text("never")),
        Reply.text("a").then_raw(b""),
    ],
)
def test_no_finish_reason_comes_before_a_fault(reply: Reply) -> None:
    (chunk,) = events(reply)
    assert finish(chunk) is None
    assert finish(events(reply.finish("STOP"))[0]) in {"STOP", None}


def test_then_joins_replies() -> None:
    reply = Reply.text("a").then(Reply.call("f", {"n": 1}, id="7").finish("OTHER"))
    first, last = events(reply)
    assert parts(first) == [{"text": "a"}]
    assert parts(last) == [{"functionCall": {"name": "f", "id": "7", "args": {"n": 1}}}]
    assert finish(last) == "OTHER"


def test_a_start_is_refused_on_a_reply() -> None:
    with pytest.raises(AttributeError, match=r"use \.then\(Reply\.text\("):
        Reply.text("a").text("b")


def test_a_call_without_args_leaves_them_out() -> None:
    assert parts(events(Reply.call("f"))[0]) == [{"functionCall": {"name": "f"}}]


def test_a_call_in_pieces() -> None:
    args = {"city": "Oslo", "days": [1, {"last": True}], "note": None, "x": ""}
    reply = Reply.call("f", args, id="7", signature="c2ln", in_pieces=True)
    first, *rest = [part for chunk in events(reply) for part in parts(chunk)]
    assert first == {
        "functionCall": {"name": "f", "id": "7", "willContinue": True},
        "thoughtSignature": "c2ln",
    }
    assert [part["functionCall"].get("partialArgs", [None])[0] for part in rest] == [
        {"jsonPath": "$.city", "stringValue": "Os", "willContinue": True},
        {"jsonPath": "$.city", "stringValue": "lo"},
        {"jsonPath": "$.days[0]", "numberValue": 1},
        {"jsonPath": "$.days[1].last", "boolValue": True},
        {"jsonPath": "$.note", "nullValue": "NULL_VALUE"},
        {"jsonPath": "$.x", "stringValue": ""},
        None,
    ]
    (part,) = parts(single(reply))
    assert part["functionCall"]["args"] == args


def test_an_image_is_inline_data() -> None:
    (part,) = parts(single(Reply.image(b"\x89PNG")))
    assert part == {"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}}


def test_framing() -> None:
    reply = Reply.text("a").framed(newline="\r\n", space=False, bom=True, done=True)
    assert body(reply).startswith(b'\xef\xbb\xbfdata:{"candidates"')
    assert body(reply).endswith(b"}\r\n\r\ndata:[DONE]\r\n\r\n")
    assert body(reply.framed(blank_end=False)).endswith(b"}\n")
    assert b"[DONE]" not in body(reply.then_end())
    lines = body(Reply.text("a").framed(pretty=True)).split(b"\n")
    assert len(lines) > 10
    assert all(line.startswith(b"data: ") for line in lines[:-2])


def test_pings_come_before_each_chunk_and_while_waiting() -> None:
    reply = Reply.text("a", "b").pings(": PING")
    assert [data[:6] for data in writes(reply)] == [b": PING", b"data: "] * 2
    reply = Reply.text("a", delay=9).then_pause(1).pings(": x", every=0.4)
    waits = [action.seconds for action in actions(reply) if isinstance(action, Wait)]
    assert waits == pytest.approx([0.4, 0.4, 0.2])
    assert body(reply).endswith(b"}\n\n: x\n\n: x\n\n")
    assert b": x" not in body(reply, stream=False)
    with pytest.raises(ValueError, match="every=0 must be a positive number of seconds"):
        Reply.text("a").pings(every=0)


def test_a_stall_pings_until_it_is_resumed() -> None:
    reply = Reply.text("a").then_stall().then(Reply.text("b")).pings(every=0.5).cut(10**6)
    seen = []
    for action in render(reply, stream=True, sse=True, model="m", request_id="r"):
        seen.append(action)
        if isinstance(action, Wait):
            assert action.seconds == 0.5
            action.resumed = seen.count(action) == 3
    assert [type(action) for action in seen] == [Head, *([Write, Wait] * 3), Write]


def test_delays() -> None:
    reply = Reply.text("a", "b").delay(headers=1, first=2, between=3)
    kinds = [a.seconds if isinstance(a, Wait) else type(a) for a in actions(reply)]
    assert kinds == [1, Head, 2, Write, 3, Write]
    assert actions(Reply.silence().delay(headers=1))[0] == Wait(None, resumable=True)


def test_cuts() -> None:
    reply = Reply.text("a", "b").then_pause(0)
    whole = body(reply)
    slices = writes(reply.cut(50))
    assert [len(data) for data in slices[:-1]] == [50] * (len(slices) - 1)
    assert b"".join(slices) == whole
    slices = writes(reply.cut_at(3, 0, 10, 10**6))
    assert slices == [whole[:3], whole[3:10], whole[10:]]
    assert b"".join(writes(Reply.text("a", "b", delay=1).cut_at(1, 5))) == whole
    every_byte = [action for action in actions(reply.cut(1)) if isinstance(action, Write)]
    assert sum(action.chunks for action in every_byte) == 2
    assert every_byte[-1].chunks == 1
    with pytest.raises(ValueError, match="at least 1 byte"):
        reply.cut(0)


def test_a_cut_can_fall_inside_a_character() -> None:
    assert "é".encode() in body(Reply.text("é"))


def test_gzip_is_flushed_per_event() -> None:
    reply = Reply.text("a", "b").gzip()
    unzip = zlib.decompressobj(wbits=31)
    assert unzip.decompress(writes(reply)[0]).endswith(b"}\n\n")
    assert gzip.decompress(body(reply.cut(1))) == body(Reply.text("a", "b"))
    assert head(reply).headers["content-encoding"] == "gzip"
    assert head(reply, stream=False).length is None


def test_errors_in_three_dialects() -> None:
    assert json.loads(body(Reply.error(429, message="slow down", request_id="42"))) == {
        "error": {
            "message": "slow down (request id: 42)",
            "type": "comet_api_error",
            "param": "",
            "code": "rate_limit_exceeded",
        }
    }
    google = Reply.error(429, message="quota", dialect="google", retry_delay=3.5)
    assert json.loads(body(google, stream=False)) == {
        "error": {
            "code": 429,
            "message": "quota",
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3.5s"}
            ],
        }
    }
    bare = Reply.error(403, message="no", dialect="bare")
    assert json.loads(body(bare)) == {"code": None, "message": "no"}
    assert json.loads(body(Reply.error(500, code=None)))["error"]["code"] is None


def test_an_error_has_status_length_and_headers() -> None:
    sent = head(Reply.error(429, retry_after=7, request_id="42"))
    assert sent.status == 429
    assert sent.length
    assert sent.headers == {
        "content-type": "application/json; charset=UTF-8",
        "x-cometapi-request-id": "42",
        "retry-after": "7",
    }


def test_an_error_in_mid_stream() -> None:
    reply = Reply.text("a").then_error(503, dialect="google", message="busy")
    chunk, error = events(reply)
    assert finish(chunk) is None
    assert error["error"]["status"] == "UNAVAILABLE"
    assert single(reply) == error
    assert head(reply, stream=False).status == 503
    bare = body(Reply.text("a").then_error(503, bare=True))
    assert b'\n\n{\n  "error": {\n' in bare


def test_headers_can_be_set_and_removed() -> None:
    reply = Reply.text("a").with_headers({"Content-Type": "text/plain", "X-A": None, "X-B": None})
    reply = reply.with_headers({"x-b": "1", "x-cometapi-request-id": None})
    assert head(reply).headers == {"content-type": "text/plain", "x-b": "1"}


def test_a_reset_comes_before_the_headers_or_after_a_pause() -> None:
    assert type(actions(Reply.reset())[0]) is Reset
    kinds = [type(action) for action in actions(Reply.text("a").then_reset())]
    assert kinds == [Head, Write, Wait, Reset]


def test_a_single_response_breaks_in_the_middle_of_its_body() -> None:
    reply = Reply.text("a", "b")
    whole = body(reply.finish(None), stream=False)
    sent = actions(reply.then_stall(), stream=False)
    assert sent[0].length == sum(len(a.data) for a in sent if isinstance(a, Write))
    half = writes(reply.then_reset(), stream=False)[0]
    assert half.startswith(b'{"candidates"')
    assert len(half) < len(whole)
    malformed = body(reply.then_raw(b"}"), stream=False)
    with pytest.raises(json.JSONDecodeError):
        json.loads(malformed)


def test_a_stream_can_consist_of_headers_only() -> None:
    kinds = [type(action) for action in actions(Reply.chunks().then_reset())]
    assert kinds == [Head, Wait, Reset]
    assert head(Reply.chunks()).headers["content-type"] == "text/event-stream"
    assert single(Reply.chunks()) == {}


@pytest.mark.parametrize(
    ("name", "data", "status", "content_type"),
    [
        ("a.txt", b"data: {}\r\n\r\n", 200, "text/event-stream"),
        ("b.txt", b'\n{"error": {"code": 400}}', 400, "application/json; charset=UTF-8"),
        ("c.json", b'[{"error": {"code": 429}}]', 429, "application/json; charset=UTF-8"),
        ("d.json", b'{"candidates": []}', 200, "application/json; charset=UTF-8"),
        ("e.json", b"{broken", 200, "application/json; charset=UTF-8"),
        ("f.txt", b"<html>", 404, "text/html; charset=utf-8"),
    ],
)
def test_recorded_bodies(
    tmp_path: Path, name: str, data: bytes, status: int, content_type: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    for stream in (True, False):
        reply = Reply.recorded(path)
        assert body(reply, stream=stream) == data
        assert head(reply, stream=stream).status == status
        assert head(reply, stream=stream).headers["content-type"] == content_type
    assert head(Reply.recorded(path, status=418)).status == 418
