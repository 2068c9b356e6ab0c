import json
from typing import Any

import pytest

from cometgem.errors import ResponseDecodeError
from cometgem.response.codec import EXCERPT, decode_chunk, excerpt, is_cut, parse_json
from cometgem.types.wire import encode

# A value that needs repair, added so that the lenient decoder is used.
SLOPPY = '"promptFeedback":{"safetyRatings":null},'


def tidy(payload: str | bytes) -> Any:
    """Decode a payload and encode the result as JSON."""
    data = payload if isinstance(payload, bytes) else payload.encode()
    return json.loads(encode(decode_chunk(data)))


def part(fields: str) -> str:
    return '{"candidates":[{"content":{"parts":[{' + fields + "}]}}]}"


@pytest.mark.parametrize(
    "payload",
    [
        "{}",
        '{"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"index":1}]}',
        '{"candidates":[{"finishReason":"A_NEW_REASON","safetyRatings":[{"category":"A_NEW_ONE"}]}]}',
        '{"promptFeedback":{"blockReason":"A_NEW_REASON"}}',
        '{"usageMetadata":{"promptTokenCount":0,"trafficType":"ON_DEMAND"}}',
        part('"thoughtSignature":"_-+/w","text":"\\u0000\u2028\U0001f600"'),
        part('"inlineData":{"data":"/+8=","mimeType":"image/png"}'),
    ],
)
def test_well_formed_payloads_are_unchanged(payload: str) -> None:
    assert tidy(payload) == json.loads(payload)


@pytest.mark.parametrize("more", ["", SLOPPY])
def test_unknown_fields_are_accepted(more: str) -> None:
    chunk = decode_chunk(
        b'{%b"new":{"a":[1]},"candidates":[{"new":null,"content":{"parts":[{"new":"x"}]}}]}'
        % more.encode()
    )
    assert encode(chunk.candidates) == b'[{"content":{"parts":[{"new":"x"}]}}]'
    assert b'"new":{"a":[1]}' in chunk.raw


@pytest.mark.parametrize(
    "data",
    [b'{"usageMetadata":{}}', b' {\r\n"candidates" : null }\n', b'{"modelVersion":"\xff"}'],
)
def test_raw_is_the_exact_json(data: bytes) -> None:
    assert decode_chunk(data).raw == data


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"", ""),
        (b"hello", ""),
        (b'{"candidates":[', ""),
        (b"{} {}", ""),
        (b"\xff\xfe{\x00}\x00", ""),
        (b"[]", "$"),
        (b"5", "$"),
        (b'"text"', "$"),
        (b'{"candidates":{}}', "$.candidates"),
        (b'{"candidates":[1]}', "$.candidates[0]"),
        (b'{"candidates":[{"index":"one"}]}', "$.candidates[0].index"),
        (b'{"candidates":[{"index":"nan"}]}', "$.candidates[0].index"),
        (b'{"candidates":[{"index":1e999}]}', "$.candidates[0].index"),
        (b'{"usageMetadata":{"promptTokenCount":7.5}}', "$.usageMetadata.promptTokenCount"),
        (
            b'{"candidates":[{"content":{"parts":[{"text":1}]}}]}',
            "$.candidates[0].content.parts[0].text",
        ),
        (
            b'{"candidates":[{"content":{"parts":[{"inlineData":{"data":"a"}}]}}]}',
            "$.candidates[0].content.parts[0].inlineData.data",
        ),
    ],
)
def test_errors_name_the_path_of_what_cannot_be_repaired(data: bytes, path: str) -> None:
    with pytest.raises(ResponseDecodeError) as caught:
        decode_chunk(data)
    assert caught.value.path == path
    assert caught.value.excerpt == data.decode("utf-8", "replace")
    assert caught.value.partial is None


def test_the_excerpt_is_short() -> None:
    assert EXCERPT == 200
    assert excerpt(b"x" * 1000) == "x" * 200
    assert excerpt(b"\xff") == "\ufffd"
    with pytest.raises(ResponseDecodeError) as caught:
        decode_chunk(b"[" + b"1," * 1000 + b"1]")
    assert caught.value.excerpt == "[" + "1," * 99 + "1"


def test_lone_surrogates_are_replaced() -> None:
    assert tidy(rb'{"modelVersion":"a\ud83d"}') == {"modelVersion": "a\ufffd"}
    for data in (rb'["\ud83d"]', rb'{"usageMetadata":{"totalTokenCount":"\ud83d"}}'):
        with pytest.raises(ResponseDecodeError):
            decode_chunk(data)


DEEP = 100_000


@pytest.mark.parametrize(
    "data",
    [
        b"[" * DEEP,
        b'{"a":' * DEEP,
        b'{"a":' * DEEP + b"1" + b"}" * DEEP,
        part('"functionCall":{"args":' + '{"a":' * DEEP + "1" + "}" * DEEP + "}").encode(),
        part('"partMetadata":{"a":' + "[" * DEEP + "]" * DEEP + "}").encode(),
    ],
    ids=["open arrays", "open objects", "an unknown key", "args", "metadata"],
)
def test_deep_nesting_is_an_error_not_a_crash(data: bytes) -> None:
    assert parse_json(data) is None
    with pytest.raises(ResponseDecodeError) as caught:
        decode_chunk(data)
    assert caught.value.excerpt == data[:200].decode()


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"{}", {}),
        (b' [1, "a"]\r\n', [1, "a"]),
        (b"\xef\xbb\xbf5", 5),
        (b'"\xff\n"', "\ufffd\n"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'{"\ud83d":"\ude00\uD83D\n\u0000"}', {"\ufffd": "\ufffd\ufffd\n\0"}),
        (rb'"\\ud83d \ud83d"', "\\ud83d \ufffd"),
        (b"null", None),
        (b"", None),
        (b"<html>", None),
        (b"{} x", None),
    ],
)
def test_parse_json(data: bytes, value: object) -> None:
    assert parse_json(data) == value


WHOLE = b'{"a": [1.5e3, true, null, "b\\u00e9\\n", {"c": "\xc3\xa9"}], "d": false}'


@pytest.mark.parametrize("length", range(1, len(WHOLE)))
def test_json_that_ends_early_is_cut(length: int) -> None:
    assert is_cut(WHOLE[:length])
    assert is_cut(WHOLE[:length] + b"\n")


@pytest.mark.parametrize(
    "data",
    [
        WHOLE,
        b"{malformed json: <<<chaos>>>}",
        b"{'single': 'quotes all over'}",
        b'{"a": 1} and what goes on behind it',
        b"<html><body>not found</body></html>",
        b"[" * 100_000,
    ],
)
def test_invalid_json_is_not_cut(data: bytes) -> None:
    assert not is_cut(data)
