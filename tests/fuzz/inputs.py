"""Hypothesis strategies for the inputs of the properties."""

from collections.abc import Callable
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin

import pytest
from conformance import conformance_file
from hypothesis import strategies as st
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import fields

from cometgem.testing import Reply
from cometgem.testing.actions import Write
from cometgem.testing.render import render
from cometgem.types import (
    Candidate,
    Content,
    FunctionCall,
    GenerateContentResponse,
    GenerationConfig,
    Part,
    PartialArg,
    SafetySetting,
    Tool,
    ToolConfig,
)

Strategy = st.SearchStrategy[Any]

WORDS = [b"data", b"data:", b"data: ", b"id", b"event: error\n", b"event", b"retry", b": ping\n"]
WORDS += [b"\n", b"\n\n", b"\r", b"\r\n", b":", b" ", b"9", b"9" * 30, b"\0", b"\xef\xbb\xbf"]
WORDS += [b"\xef", b"\xff", b"\xe2\x80\xa8", b"x" * 30, b"{", b"}", b"[", b"]", b'"', b",", b"null"]
WORDS += [
    b"[DONE]",
    b"NaN",
    b"1e999",
    rb"\ud83d",
    b"<html>",
    b'"error":',
    b'"code":',
    b'"message":',
]
WORDS += [b'{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}', b'{"usageMetadata":{}}']
WORDS += [b'{"error":{"code":429,"message":"m","details":[{"retryDelay":"1s"}]}}', b"[" * 500]
WORDS += [rb'data: {"modelVersion":"\ud83d"}', b'data: {"error":{"message":"m","details":[{"a":']
WORDS += [b'{"candidates":null,"usageMetadata":{"totalTokenCount":"1"}}', b"]" * 500]
WORDS += [b'{"candidates":[{"content":{"parts":[{"functionCall":{"willContinue":true,"args":{"a":']

REPLIES = [
    Reply.text("Hel", "lo \U0001f600", thought="Hm.", signature="c2ln"),
    Reply.text("a", "b").framed(newline="\r\n", bom=True, pretty=True, done=True),
    Reply.text("a", "b").framed(newline="\r", space=False, blank_end=False).pings(),
    Reply.call("f", {"a": ["x", {"b": None}], "c": 5}, in_pieces=True),
    Reply.image(b"\xff\xef"),
    Reply.text("a").then_error(429, dialect="google", retry_delay=3.5),
    Reply.text("a").then_error(503, bare=True, request_id="2026"),
    Reply.text("a").then_raw(b"data: {oops\n\n"),
    Reply.raw(rb'data: {"modelVersion":"\ud83d\ude00"}').then_raw(b"\r\n\r\n"),
    Reply.html(200),
    Reply.error(500, dialect="bare"),
]


def _written(reply: Reply) -> bytes:
    actions = render(reply, stream=True, sse=True, model="gemini", request_id="1")
    return b"".join(action.data for action in actions if isinstance(action, Write))


def _recorded() -> list[bytes]:
    try:
        folder = conformance_file("bodies")
    except pytest.skip.Exception:
        return []
    return [path.read_bytes() for path in sorted(folder.glob("*ai-*"))]


def _mutate(body: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for place, length, patch in changes:
        at = place % (len(body) + 1)
        body = body[:at] + patch + body[at + length :]
    return body


changes = st.tuples(
    st.integers(0, 20_000),
    st.integers(0, 40),
    st.sampled_from(WORDS) | st.binary(max_size=3),
)
bodies = (
    st.binary(max_size=100)
    | st.lists(st.sampled_from(WORDS), max_size=30).map(b"".join)
    | st.builds(
        _mutate,
        st.sampled_from([*map(_written, REPLIES)]) | st.sampled_from(_recorded() or [b""]),
        st.lists(changes, max_size=4),
    )
)
seeds = st.integers(0, 65535)

text = st.text(max_size=5)
numbers = st.floats(allow_nan=False, allow_infinity=False)
json = st.recursive(
    st.none() | st.booleans() | st.integers() | numbers | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
SIMPLE: dict[Any, Strategy] = {
    str: text,
    int: st.integers(-(2**63), 2**64),
    float: numbers,
    bool: st.booleans(),
    bytes: st.binary(max_size=5),
    Any: json,
    UnsetType: st.just(UNSET),
}
ON_THE_WIRE = SIMPLE | {bytes: st.sampled_from(["", "AA==", "_-8"]), UnsetType: st.none()}


def values(annotation: Any, of: Callable[[type[Struct]], Strategy], simple: Any) -> Strategy:
    """Return values of a field's type other than None, with structs made by `of`."""
    if annotation in simple:
        return simple[annotation]
    inner = [values(one, of, simple) for one in get_args(annotation) if one is not NoneType]
    if get_origin(annotation) is list:
        return st.lists(inner[0], min_size=1, max_size=2)
    if get_origin(annotation) is dict:
        return st.dictionaries(text, inner[1], max_size=2)
    return st.one_of(inner) if inner else of(annotation)


@cache
def structs(struct: type[Struct]) -> Strategy:
    """Return structs with a few fields set."""
    special = {Part: parts, Candidate: candidates, PartialArg: partial_args, FunctionCall: calls}
    return special[struct]() if struct in special else few(struct)


@st.composite
def few(draw: st.DrawFn, struct: type[Struct], **always: Strategy) -> Any:
    """Return a struct with a few fields set, and those in `always`."""
    rest = {one.name: one.type for one in fields(struct) if one.name not in always}
    names = draw(st.lists(st.sampled_from(sorted(rest)), max_size=3, unique=True)) if rest else []
    given = {name: draw(values(rest[name], structs, SIMPLE)) for name in names}
    return struct(**given, **{name: draw(value) for name, value in always.items()})


# As in what has been decoded: null is absent, in keys of any age.
unknown = st.dictionaries(
    text, json.filter(lambda value: value is not None), min_size=1, max_size=2
)


@st.composite
def parts(draw: st.DrawFn) -> Part:
    """Return a part with one kind of data, most often plain text."""
    kinds = {one.name: one.type for one in fields(Part)}
    kind = draw(st.sampled_from(["text"] * 20 + ["function_call"] * 10 + sorted(kinds)))
    thought = draw(st.sampled_from([None, None, None, False, True]))
    signature = draw(st.sampled_from([None, None, None, "s", "t"]))
    data = {kind: draw(unknown if kind == "unknown" else values(kinds[kind], structs, SIMPLE))}
    return Part(**{"thought": thought, "thought_signature": signature, **data})


def candidates() -> Strategy:
    content = st.builds(
        Content,
        role=st.sampled_from([None, "", "model"]),
        parts=st.lists(parts(), max_size=3),
    )
    return few(Candidate, index=st.sampled_from([0, 0, 0, 1, 2]), content=st.none() | content)


def partial_args() -> Strategy:
    return few(
        PartialArg,
        json_path=st.sampled_from(["$.a", "$.b.c", "$.b[1]", "$.d[0].e", "$.d[0][2]", "a", ""]),
        null_value=st.sampled_from([UNSET, UNSET, UNSET, None, "NULL_VALUE"]),
    )


def calls() -> Strategy:
    return few(
        FunctionCall,
        name=st.sampled_from(["", "f", "g"]),
        id=st.sampled_from([None, None, "1", "2"]),
        will_continue=st.sampled_from([None, True]),
    )


chunks = st.lists(
    few(
        GenerateContentResponse,
        error=st.none(),
        candidates=st.lists(candidates(), max_size=3, unique_by=lambda one: one.index),
    ),
    max_size=5,
)


@cache
def dicts(struct: type[Struct]) -> Strategy:
    """Return dicts in place of structs, with keys in either spelling and unknown keys."""
    return _dicts(struct)


@st.composite
def _dicts(draw: st.DrawFn, struct: type[Struct]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    chosen = draw(st.lists(st.sampled_from([*fields(struct), None]), max_size=3))
    for field in chosen:
        if field is None:
            given[draw(st.sampled_from(["newer", "new_er", "newEr", "_new", "x__"]))] = draw(json)
        else:
            value = st.none() | values(field.type, dicts, ON_THE_WIRE)
            given[draw(st.sampled_from([field.name, field.encode_name]))] = draw(value)
    return given


operations = st.sampled_from(["generateContent", "streamGenerateContent"])
names = st.text(max_size=12) | st.lists(
    st.sampled_from(
        ["models/", "gemini-2.5", "..", ".", "/", "%2F", "?", "#", "@", ":", "\\", "\r\n"]
    ),
    max_size=5,
).map("".join)
headers = st.none() | st.dictionaries(
    names | st.sampled_from(["Accept", "content-type", "Host", "X-Goog-Api-Key", "x-a"]),
    names | text,
    max_size=3,
)
turns = st.fixed_dictionaries(
    {"parts": st.lists(dicts(Part), min_size=1, max_size=2)}, optional={"role": text, "newer": json}
)
contents = turns | dicts(Part) | text | st.lists(turns | dicts(Part) | text, max_size=3)
options = st.fixed_dictionaries(
    {},
    optional={
        "generation_config": dicts(GenerationConfig),
        "tools": st.lists(dicts(Tool), max_size=2),
        "tool_config": dicts(ToolConfig),
        "safety_settings": st.lists(dicts(SafetySetting), max_size=2),
        "system_instruction": contents,
        "cached_content": text,
        "headers": headers,
    },
)
anything = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ["generation_config", "tools", "extra_body", "system_instruction"], json
    ),
)
