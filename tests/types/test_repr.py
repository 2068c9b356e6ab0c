"""The repr of wire structs: the fields that are set, shortened, and never an exception."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from cometgem import types
from cometgem.types import (
    Blob,
    Candidate,
    Content,
    FinishReason,
    FunctionCall,
    GenerateContentResponse,
    GenerationConfig,
    Part,
    PartialArg,
    SafetySetting,
    UsageMetadata,
)


def call(value: Any) -> FunctionCall:
    return FunctionCall(args={"x": value})


@pytest.mark.parametrize(
    ("struct", "expected"),
    [
        (Part(), "Part()"),
        (Part(text=""), "Part(text='')"),
        (Part(text="a", thought=False), "Part(text='a', thought=False)"),
        (Candidate(index=0), "Candidate()"),
        (GenerationConfig(temperature=0, top_k=1), "GenerationConfig(temperature=0, top_k=1)"),
        (SafetySetting(category="c", threshold=""), "SafetySetting(category='c', threshold='')"),
        (PartialArg(null_value=None), "PartialArg(null_value=None)"),
        (FunctionCall(name="f", args={}), "FunctionCall(name='f')"),
        (
            Candidate(finish_reason=FinishReason.STOP),
            "Candidate(finish_reason=<FinishReason.STOP: 'STOP'>)",
        ),
        (
            Content(role="model", parts=[Part(text="a"), Part()]),
            "Content(parts=[Part(text='a'), Part()], role='model')",
        ),
        (
            call({"a": [1, 2.5, None, (True,), ("a", "b"), ()], 5: {}}),
            "FunctionCall(args={'x': {'a': [1, 2.5, None, (True,), ('a', 'b'), ()], 5: {}}})",
        ),
    ],
)
def test_fields_with_their_default_value_are_left_out(struct: types.Wire, expected: str) -> None:
    assert repr(struct) == expected


@pytest.mark.parametrize(
    ("struct", "expected"),
    [
        (Blob(data=b"\0" * 12_345), "Blob(data=<12,345 bytes>)"),
        (Part(text="a" * 200), f"Part(text='{'a' * 200}')"),
        (Part(text="a" * 54_321), f"Part(text='{'a' * 200}'... (54,321 characters))"),
        (
            call(list(range(2000))),
            "FunctionCall(args={'x': [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... 1,990 more]})",
        ),
        (
            call(tuple(range(12))),
            "FunctionCall(args={'x': (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... 2 more)})",
        ),
        (
            FunctionCall(args={"k" * 300: 1, **{str(at): at for at in range(10)}}),
            (
                f"FunctionCall(args={{'{'k' * 200}'... (300 characters): 1, '0': 0, '1': 1, '2': 2,"
                " '3': 3, '4': 4, '5': 5, '6': 6, '7': 7, '8': 8, ... 1 more})"
            ),
        ),
        (call({*("a" * 300,)}), f"FunctionCall(args={{'x': {{'{'a' * 198}...}})"),
    ],
)
def test_long_values_are_shortened_and_show_their_length(struct: types.Wire, expected: str) -> None:
    assert repr(struct) == expected


def test_a_chunk_fits_two_lines() -> None:
    chunk = GenerateContentResponse(
        candidates=[Candidate(content=Content(role="model", parts=[Part(text="Hello")]))],
        usage_metadata=UsageMetadata(prompt_token_count=5, total_token_count=7),
        model_version="gemini-2.5-flash",
    )
    assert repr(chunk) == (
        "GenerateContentResponse(candidates=[Candidate(content=Content(parts=[Part(text='Hello')],"
        " role='model'))], usage_metadata=UsageMetadata(prompt_token_count=5, total_token_count=7),"
        " model_version='gemini-2.5-flash')"
    )


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]


class HostileDict(dict[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)


def nested(depth: int) -> list[Any]:
    whole: list[Any] = []
    for _ in range(depth):
        whole = [whole]
    return whole


def test_deep_nesting_is_cut() -> None:
    text = repr(call(nested(100_000)))
    assert text.startswith("FunctionCall(args={'x': [[[[")
    assert "[...]" in text
    assert len(text) < 100


@pytest.mark.parametrize(
    ("struct", "expected"),
    [
        (call(Hostile()), "FunctionCall(args={'x': <Hostile>})"),
        (call(10**5000), "FunctionCall(args={'x': <int>})"),
        (call("\ud800"), r"FunctionCall(args={'x': '\ud800'})"),
        (call(HostileDict(a=1)), "FunctionCall(...)"),
    ],
)
def test_a_repr_never_raises(struct: FunctionCall, expected: str) -> None:
    assert repr(struct) == expected


def test_fields_of_a_wrong_type_are_shown() -> None:
    assert repr(FunctionCall(name=Hostile(), args=Hostile())) == (  # type: ignore[arg-type]
        "FunctionCall(name=<Hostile>, args=<Hostile>)"
    )


def test_a_repr_has_a_bounded_cost_and_length() -> None:
    cyclic: dict[str, Any] = {}
    cyclic["self"] = [cyclic] * 10
    shared: list[Any] = ["a" * 300]
    for _ in range(12):
        shared = [shared] * 10
    wide = Content(parts=[Part(text="a" * 150) for _ in range(100_000)])
    begun = time.process_time()
    for struct in (
        call(cyclic),
        call(shared),
        wide,
        Content(parts=[Part(function_call=call(cyclic))]),
    ):
        assert 100 < len(repr(struct)) < 3000
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    "struct",
    sorted(
        (getattr(types, name) for name in types.__all__ if name != "Wire"),
        key=lambda struct: str(struct.__name__),
    ),
    ids=lambda struct: struct.__name__,
)
def test_every_struct_has_a_repr(struct: Any) -> None:
    if issubclass(struct, types.Wire):
        required = {field.name: "a" for field in msgspec.structs.fields(struct) if field.required}
        shown = ", ".join(f"{name}='a'" for name in required)
        assert repr(struct(**required)) == f"{struct.__name__}({shown})"
