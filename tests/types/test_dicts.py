"""The TypedDicts are what their generator writes, and have the keys that the encoder accepts."""

from __future__ import annotations

from typing import Literal, get_args, get_type_hints

import pytest
import write_dicts
from msgspec.structs import fields

from cometgem import types
from cometgem.request.build import build_request
from cometgem.types import dicts
from cometgem.types.unknown import UNKNOWN

DICTS = {name: getattr(dicts, name) for name in dicts.__all__ if name.endswith("Dict")}


def test_the_file_is_what_the_generator_writes() -> None:
    written = write_dicts.PATH.read_text("utf-8")
    assert written == write_dicts.source(), "run python tests/write_dicts.py"


def test_all_names_everything() -> None:
    assert dicts.__all__ == sorted(set(dicts.__all__))
    assert {name for name in vars(dicts) if name.endswith(("Dict", "Like"))} == {
        *dicts.__all__,
        "TypedDict",
    }


@pytest.mark.parametrize("name", DICTS)
def test_a_dict_has_both_spellings_of_each_key(name: str) -> None:
    struct = getattr(types, name.removesuffix("Dict"))
    spellings = {key for field in fields(struct) for key in (field.name, field.encode_name)}
    spellings -= {"unknown", UNKNOWN}  # a dict has such keys itself
    assert DICTS[name].__optional_keys__ == spellings
    assert not DICTS[name].__required_keys__


@pytest.mark.parametrize("name", DICTS)
def test_annotations_can_be_evaluated(name: str) -> None:
    assert get_type_hints(DICTS[name]).keys() == DICTS[name].__optional_keys__


def test_every_enum_that_a_docstring_names_has_its_values_listed() -> None:
    listed = {(struct, enum.__name__) for (struct, _), enum in write_dicts.ENUMS.items()}
    named = {
        (name.removesuffix("Dict"), enum.removesuffix("Like"))
        for name, typed_dict in DICTS.items()
        for enum in dicts.__all__
        if enum.endswith("Like") and f"`{enum.removesuffix('Like')}`" in typed_dict.__doc__
    }
    assert named <= listed


def test_an_enumerated_value_is_a_member_or_its_text() -> None:
    member, texts = get_args(dicts.FunctionCallingModeLike)
    assert member is types.FunctionCallingMode
    assert texts == Literal["AUTO", "ANY", "NONE", "VALIDATED"]
    for enum in write_dicts.BOTH_CASES:
        _, texts = get_args(getattr(dicts, f"{enum.__name__}Like"))
        assert set(get_args(texts)) == {*enum, *(value.lower() for value in enum)}


@pytest.mark.parametrize("data", [b"\x89PNG", bytearray(b"\x89PNG"), memoryview(b"\x89PNG")])
def test_media_in_a_dict_is_bytes_or_base64(data: bytes | bytearray | memoryview) -> None:
    given: dicts.PartDict = {"inline_data": {"data": data, "mime_type": "image/png"}}
    assert sent(given) == sent({"inlineData": {"data": "iVBORw==", "mimeType": "image/png"}})


def sent(part: dicts.PartDict) -> bytes:
    return build_request("generateContent", "gemini-2.5-flash", part, {}).body
