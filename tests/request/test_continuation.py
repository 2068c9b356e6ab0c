"""Requests of a long answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cometgem.request.build import Operation, Request, build_request
from cometgem.request.continuation import as_stream, exceeds_single_call, token_of, with_token


def built(operation: Operation = "streamGenerateContent", **options: Any) -> Request:
    return build_request(operation, "gemini-4-argon", "Hi", options)  # type: ignore[arg-type]


def test_a_token_is_added_and_replaced_and_the_rest_is_untouched() -> None:
    request = built(extra_body={"x": {"y": [1.50, None, "ü"]}})
    once = with_token(request, 'a"b')
    assert request.body[:-1] == once.body[: len(request.body) - 1]
    assert json.loads(once.body) == json.loads(request.body) | {"continuationToken": 'a"b'}
    twice = with_token(once, "c")
    assert json.loads(twice.body) == json.loads(request.body) | {"continuationToken": "c"}
    assert twice.body.count(b"continuationToken") == 1
    assert (twice.path, twice.headers, twice.method) == (
        request.path,
        request.headers,
        request.method,
    )


def test_the_token_of_a_request() -> None:
    assert token_of(built()) is None
    assert token_of(built(extra_body={"continuation_token": "t"})) == "t"
    assert token_of(built(extra_body={"continuationToken": 7})) is None  # the server's to judge
    assert token_of(built(system_instruction='"continuationToken": "t"')) is None


@pytest.mark.parametrize(
    ("options", "exceeds"),
    [
        ({}, False),
        ({"generation_config": {"maxOutputTokens": 32_768}}, False),
        ({"generation_config": {"max_output_tokens": 32_769}}, True),
        ({"extra_body": {"generationConfig": {"maxOutputTokens": 65_536}}}, True),
        ({"generation_config": {"maxOutputTokens": "many"}}, False),
        ({"system_instruction": '{"maxOutputTokens": 99999}'}, False),
        (
            {
                "generation_config": {"maxOutputTokens": 65_536},
                "extra_body": {"continuationToken": "t"},
            },
            False,
        ),
    ],
)
def test_single_calls_above_the_cap(options: dict[str, Any], *, exceeds: bool) -> None:
    assert exceeds_single_call(built("generateContent", **options)) is exceeds


def test_a_single_call_as_a_stream() -> None:
    streamed = built(headers={"X-Mine": "application/json"})
    single = built("generateContent", headers={"X-Mine": "application/json"})
    assert as_stream(single) == streamed
