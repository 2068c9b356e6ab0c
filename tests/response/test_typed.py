"""What is wrong with an answer, told from its text and why it ended."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from conformance import conformance_file
from response.recorded import recorded
from response.test_bodies import merge, rows

from cometgem.errors import OutputValidationError
from cometgem.response.typed import TypedResponse, explain, problem_of
from cometgem.types import GenerateContentResponse


class Anything:
    """Decodes any JSON."""

    def decode(self, data: bytes) -> object:
        return msgspec.json.decode(data)


@pytest.mark.parametrize(
    ("text", "finish", "block", "complete", "problem"),
    [
        ("", None, "SAFETY", True, "blocked"),
        ("", "STOP", "SAFETY", True, "blocked"),
        ("", None, None, True, "empty"),
        ("", "STOP", None, True, "empty"),
        (" \n", "STOP", None, False, "empty"),
        ("", "MAX_TOKENS", None, True, "cut"),
        ("[", "MAX_TOKENS", None, False, "cut"),
        ("[", "CONTINUATION", None, False, "cut"),
        ("[", None, None, False, "cut"),
        ("[", "STOP", None, False, "wrong"),
        ("[", "SAFETY", None, False, "blocked"),
        ("[]", "SAFETY", None, True, "wrong"),
        ("[]", "MAX_TOKENS", None, True, "wrong"),
        ("", "LANGUAGE", None, True, "blocked"),
        ("", "A_NEW_REASON", None, True, "blocked"),
    ],
)
def test_problem_of(
    text: str, finish: str | None, block: str | None, *, complete: bool, problem: str
) -> None:
    assert problem_of(text, finish, block, complete=complete) == problem


def test_explain() -> None:
    with pytest.raises(msgspec.ValidationError) as mismatch:
        msgspec.json.decode(b'{"a": "x"}', type=dict[str, int])
    assert explain(mismatch.value) == ("Expected `int`, got `str`", "$[...]")
    with pytest.raises(msgspec.DecodeError) as malformed:
        msgspec.json.decode(b"{")
    assert explain(malformed.value) == ("Input data was truncated", "")
    assert explain(RecursionError("maximum recursion")) == ("it is nested too deeply", "")
    assert explain(ValueError("no")) == ("no", "")


@pytest.mark.parametrize(("name", "known"), recorded("bodies/EXPECT.json", rows))
def test_recorded_answers_are_values_or_errors(name: str, known: dict[str, Any]) -> None:
    """None of them was asked for JSON: what is not JSON is an error, with the whole answer."""
    del known
    body = conformance_file(f"bodies/{name}").read_bytes()
    merger, _ = merge(body, 1000)
    if not merger.chunks:
        return
    response = merger.response()
    typed = TypedResponse.of(response, Anything())
    assert msgspec.structs.astuple(typed) == msgspec.structs.astuple(response)
    try:
        json.loads(response.text)
    except ValueError:
        with pytest.raises(OutputValidationError) as caught:
            _ = typed.parsed
        assert caught.value.text == response.text
        assert caught.value.partial is typed
        assert (caught.value.problem == "blocked") >= bool(response.block_reason)
    else:
        assert typed.parsed == json.loads(response.text)


def test_what_a_response_holds_is_not_copied() -> None:
    response = msgspec.json.decode(
        b'{"candidates":[{"content":{"parts":[{"text":"1"}]}}]}', type=GenerateContentResponse
    )
    typed = TypedResponse.of(response, Anything())
    assert typed.candidates is response.candidates
