"""Keys of a part that are newer than the library are written as keys of the part."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from cometgem.types import (
    Blob,
    Candidate,
    Content,
    FunctionCall,
    GenerateContentRequest,
    GenerateContentResponse,
    GroundingAttribution,
    Part,
)
from cometgem.types.nesting import deep_copy
from cometgem.types.unknown import UNKNOWN, inlined
from cometgem.types.wire import encode, to_builtins

HOLOGRAM = {"hologram": {"points": [[0, 0.5, None]], "text": "x"}}
NEWER = Part(unknown=HOLOGRAM)
SIGNED = Part(
    inline_data=Blob(data=b"\0\1\2", mime_type="a/b"), thought_signature="c2ln", unknown={"tint": 1}
)
SIGNED_WIRE = {
    "inlineData": {"data": "AAEC", "mimeType": "a/b"},
    "thoughtSignature": "c2ln",
    "tint": 1,
}
CONTENT = Content(role="model", parts=[Part(text="a"), NEWER, SIGNED])
CONTENT_WIRE = {"role": "model", "parts": [{"text": "a"}, HOLOGRAM, SIGNED_WIRE]}


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (NEWER, HOLOGRAM),
        (SIGNED, SIGNED_WIRE),
        (CONTENT, CONTENT_WIRE),
        ([CONTENT, "a"], [CONTENT_WIRE, "a"]),
        ((1, NEWER), [1, HOLOGRAM]),
        (Content(parts=(NEWER, Part(text="a"))), {"parts": [HOLOGRAM, {"text": "a"}]}),  # type: ignore[arg-type]
        ({"contents": [CONTENT], "n": 1}, {"contents": [CONTENT_WIRE], "n": 1}),
        (GenerateContentRequest(contents=[CONTENT]), {"contents": [CONTENT_WIRE]}),
        (
            GenerateContentRequest(contents=[], system_instruction=CONTENT),
            {"contents": [], "systemInstruction": CONTENT_WIRE},
        ),
        (
            GenerateContentResponse(candidates=[Candidate(index=1), Candidate(content=CONTENT)]),
            {"candidates": [{"index": 1}, {"content": CONTENT_WIRE}]},
        ),
        (
            Candidate(grounding_attributions=[GroundingAttribution(content=CONTENT)]),
            {"groundingAttributions": [{"content": CONTENT_WIRE}]},
        ),
    ],
    ids=range(11),
)
def test_they_are_written_where_they_were(value: Any, wire: Any) -> None:
    before = copy.deepcopy(value)
    assert json.loads(encode(value)) == wire
    assert to_builtins(value) == wire
    if not isinstance(value, (list, tuple, dict)):
        assert value.to_dict() == json.loads(value.to_json()) == wire
    assert value == before


def test_a_key_of_the_part_itself_wins() -> None:
    part = Part(text="a", unknown={"text": "b", "tint": 1})
    assert part.to_dict() == {"text": "a", "tint": 1}


@pytest.mark.parametrize(
    "value",
    [
        Part(text=UNKNOWN),
        Part(text=f'"{UNKNOWN}":'),
        Part(function_call=FunctionCall(name="f", args={UNKNOWN: {"text": "a"}})),
        {"contents": [{"parts": [{UNKNOWN: {"text": "a"}}]}]},
    ],
)
def test_the_name_of_the_field_elsewhere_is_only_a_name(value: Any) -> None:
    assert inlined(value) is value
    data = json.loads(encode(value))
    assert data == to_builtins(value)
    assert UNKNOWN in json.dumps(data)


def test_what_has_none_is_not_copied() -> None:
    body = {"contents": [Content(parts=[Part(text="a")]), {"parts": [{"text": "b"}]}], "n": (1,)}
    assert inlined(body) is body


def test_copies_and_pickles_have_them() -> None:
    again = deep_copy(CONTENT)
    assert again == CONTENT
    assert again.parts[1].unknown is not HOLOGRAM
    assert pickle.loads(pickle.dumps(CONTENT)) == CONTENT  # noqa: S301  our own
    assert "hologram" in repr(CONTENT)
