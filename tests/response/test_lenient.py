import json
from typing import Any

import pytest

from cometgem.response.codec import decode_chunk
from cometgem.response.lenient import mend
from cometgem.types import Blob, Content, GenerateContentResponse
from cometgem.types.unknown import UNKNOWN
from cometgem.types.wire import encode

# A value that needs repair, added so that the lenient decoder is used.
SLOPPY = '"promptFeedback":{"safetyRatings":null},'


def tidy(payload: str | bytes) -> Any:
    """Decode a payload and encode the result as JSON."""
    data = payload if isinstance(payload, bytes) else payload.encode()
    return json.loads(encode(decode_chunk(data)))


def part(fields: str) -> str:
    return '{"candidates":[{"content":{"parts":[{' + fields + "}]}}]}"


MENDED: list[tuple[str, str | bytes, str]] = [
    ("null for a list", '{"candidates":null}', "{}"),
    ("null for an item", '{"candidates":[null,{"index":1}]}', '{"candidates":[{"index":1}]}'),
    (
        "null for lists further down",
        '{"candidates":[{"content":{"parts":null},"safetyRatings":null}]}',
        '{"candidates":[{"content":{}}]}',
    ),
    ("null for objects", '{"candidates":[{"content":null,"index":null}]}', '{"candidates":[{}]}'),
    ("null for the rest", '{"usageMetadata":null,"candidates":null,"responseId":null}', "{}"),
    (
        "null for a call's args",
        part('"functionCall":{"args":null}'),
        part('"functionCall":{"args":{}}'),
    ),
    (
        "null for a call's name",
        part('"functionCall":{"name":null,"args":{}}'),
        part('"functionCall":{"args":{}}'),
    ),
    ("null for bytes", part('"inlineData":{"data":null}'), part('"inlineData":{}')),
    (
        "whole numbers in strings",
        '{"usageMetadata":{"promptTokenCount":"7","candidatesTokenCount":"-1"}}',
        '{"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":-1}}',
    ),
    (
        "a number longer than a float",
        '{"usageMetadata":{"promptTokenCount":"9007199254740993"}}',
        '{"usageMetadata":{"promptTokenCount":9007199254740993}}',
    ),
    (
        "numbers in strings",
        '{"candidates":[{"avgLogprobs":"-0.5","index":"1"}]}',
        '{"candidates":[{"avgLogprobs":-0.5,"index":1}]}',
    ),
    (
        "a number or a whole number in a string",
        part('"functionCall":{"partialArgs":[{"numberValue":"5"},{"numberValue":"0.5"}]}'),
        part('"functionCall":{"args":{},"partialArgs":[{"numberValue":5},{"numberValue":0.5}]}'),
    ),
    (
        "a whole number with a point",
        f'{{{SLOPPY}"usageMetadata":{{"promptTokenCount":7.0}}}}',
        '{"promptFeedback":{},"usageMetadata":{"promptTokenCount":7}}',
    ),
    ("URL-safe base64", part('"inlineData":{"data":"_-8="}'), part('"inlineData":{"data":"/+8="}')),
    ("no padding", part('"inlineData":{"data":"_-8"}'), part('"inlineData":{"data":"/+8="}')),
    ("one pad of two", part('"inlineData":{"data":"_w="}'), part('"inlineData":{"data":"/w=="}')),
    (
        "base64 in lines",
        part('"inlineData":{"data":"/+\\r\\n8 =\\t\\n"}'),
        part('"inlineData":{"data":"/+8="}'),
    ),
    ("invalid UTF-8", b'{"modelVersion":"a\xff\xc3b"}', '{"modelVersion":"a\ufffd\ufffdb"}'),
    ("a raw line end", '{"modelVersion":"a\nb\t\x00"}', r'{"modelVersion":"a\nb\t\u0000"}'),
    ("a BOM", "\ufeff{}", "{}"),
]


@pytest.mark.parametrize(
    ("sloppy", "mended"), [row[1:] for row in MENDED], ids=[r[0] for r in MENDED]
)
def test_sloppy_payloads_are_repaired(sloppy: str | bytes, mended: str) -> None:
    assert tidy(sloppy) == json.loads(mended)


CALLERS_OWN = '{"a":null,"b":[null,{"c":null}],"n":"5","args":null,"e":[],"f":1.0}'


@pytest.mark.parametrize("more", ["", SLOPPY])
@pytest.mark.parametrize(
    "fields",
    [
        '"functionCall":{"name":"f","args":%s}',
        '"functionResponse":{"name":"f","response":%s}',
        '"toolCall":{"toolType":"t","args":%s}',
        '"toolResponse":{"toolType":"t","response":%s}',
        '"partMetadata":%s',
    ],
)
def test_free_form_json_is_left_alone(fields: str, more: str) -> None:
    payload = part(fields % CALLERS_OWN)
    assert tidy("{" + more + payload[1:])["candidates"] == json.loads(payload)["candidates"]


@pytest.mark.parametrize("more", ["", SLOPPY])
def test_null_is_kept_where_it_is_a_value(more: str) -> None:
    payload = part('"functionCall":{"args":{},"partialArgs":[{"jsonPath":"$.a","nullValue":null}]}')
    assert tidy("{" + more + payload[1:])["candidates"] == json.loads(payload)["candidates"]


def test_repaired_media_are_bytes() -> None:
    chunk = decode_chunk(part('"inlineData":{"data":"_-8","mimeType":"image/png"}').encode())
    assert chunk.images == [Blob(data=b"\xff\xef", mime_type="image/png")]


@pytest.mark.parametrize(
    "document",
    [
        *(None, 5, "text", [], [{"candidates": None}]),
        {"candidates": {}},
        {"candidates": ["text"]},
        {"candidates": [{"index": "one"}, {"avgLogprobs": ""}]},
        {"usageMetadata": {"promptTokenCount": 7.5}},
        {"usageMetadata": []},
    ],
)
def test_wrong_shapes_are_left_to_the_decoder(document: Any) -> None:
    assert mend(document, GenerateContentResponse) == document


def test_unknown_keys_are_dropped_and_the_input_is_not_changed() -> None:
    document = {"newer": None, "candidates": [{"newer": 1, "index": "1"}, None]}
    before = json.dumps(document)
    assert mend(document, GenerateContentResponse) == {"candidates": [{"index": 1}]}
    assert json.dumps(document) == before


def test_unknown_keys_of_parts_are_kept_unless_they_are_null() -> None:
    said = {"text": "a", "hologram": {"n": "5", "null": None}, "nothing": None}
    assert mend({"parts": [said]}, Content) == {
        "parts": [{"text": "a", UNKNOWN: {"hologram": {"n": "5", "null": None}}}]
    }
    # The name of the field is not a key of the API, whatever a server sends.
    assert tidy(part('"cometgem:unknown":5')) == json.loads(part('"cometgem:unknown":5'))
