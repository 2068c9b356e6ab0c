"""JSON between and after the events, and how much work it is to look for it."""

import sys
from types import FrameType
from typing import Any

import pytest

from cometgem.response.stray import StrayDocuments


def found(*lines: bytes) -> list[bytes]:
    stray = StrayDocuments()
    documents = [document for line in lines for document in stray.add(line)]
    return documents + list(stray.close())


@pytest.mark.parametrize(
    ("lines", "documents"),
    [
        ([b'{"a": 1}'], [b'{"a": 1}']),
        ([b' \t{"a": 1}  '], [b'{"a": 1}']),
        ([b"{", b'  "a": [', b"  ]", b"}"], [b'{\n  "a": [\n  ]\n}']),
        ([b'  {"a": "}{"}'], [b'{"a": "}{"}']),
        ([rb'{"a": "\"}"}'], [rb'{"a": "\"}"}']),
        ([b'{"a": "one', b'two"}'], [b'{"a": "one\ntwo"}']),
        ([b'[{"a": 1}]'], [b'[{"a": 1}]']),
        ([b"[DONE]", b'{"a": 1}'], [b'{"a": 1}']),
        ([b"{}", b'{"a": 1}', b"junk"], [b"{}", b'{"a": 1}']),
        ([b'{"a": 1} {"b": 2}'], [b'{"a": 1}', b'{"b": 2}']),
        ([b"{oops", b'{"a": 1}'], [b'{"a": 1}']),
        ([b'{"oops', b'{"a": 1}'], [b'{"a": 1}']),
        ([b"["] * 5 + [b'{"a": 1}'], [b'{"a": 1}']),
        ([b"junk", b"}", b"]"], []),
        ([], []),
    ],
)
def test_documents_are_found_between_other_lines(
    lines: list[bytes], documents: list[bytes]
) -> None:
    assert found(*lines) == documents


def scanned(lines: list[bytes]) -> int:
    """Count the tokens looked at, and the lines joined."""
    count = 0

    def count_one(_frame: FrameType, what: str, _called: Any) -> None:
        nonlocal count
        count += what in ("call", "c_call")

    sys.setprofile(count_one)
    try:
        found(*lines)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("line", [b"{}", b"[", b'{"', b'{"a', b"{", b'"', b"x", b"{}{}{}{}", b"\\"])
def test_the_cost_of_many_lines_is_linear(line: bytes) -> None:
    few, many = scanned([line] * 1000), scanned([line] * 2000)
    assert many <= 2.1 * few
