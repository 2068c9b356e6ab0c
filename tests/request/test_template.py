"""Templates: the bytes are those of a request that is built from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cometgem import ConfigurationError, Content, Part
from cometgem.request.build import Request, build_request
from cometgem.request.template import RequestTemplate

if TYPE_CHECKING:
    from cometgem.request.options import RequestOptions

MODEL = "gemini-3.8-flash"

CONTENTS: list[Any] = [
    "any",
    'é ☄ "\\ \n \u2028 %b any',
    ["a", Part(text="b")],
    Content(role="user", parts=[Part(text="any")]),
    [{"role": "user", "parts": [{"text": "a"}]}, {"role": "model", "parts": [{"text": "b"}]}, "c"],
    {"text": "a", "newer": 1},
]

OPTIONS: list[Any] = [
    {},
    {"system_instruction": "any", "generation_config": {"stopSequences": ["any"]}},
    {"thinking": "low", "headers": {"x-own": "any"}},
    {"extra_body": {"new": "any"}},
    {"extra_body": {"contents": [{"parts": [{"text": "own"}]}]}},
    {"tools": [{"googleSearch": {}}], "safety_settings": []},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("contents", CONTENTS)
def test_bytes(options: RequestOptions, contents: Any) -> None:
    def build(given: Any) -> Request:
        return build_request("generateContent", MODEL, given, options)

    assert RequestTemplate(build).request(contents) == build(contents)


@pytest.mark.parametrize(
    ("contents", "problem"),
    [
        (" ", "contents is blank"),
        ("", "contents is blank"),
        ([], "contents is an empty list"),
        (None, "contents must be"),
        ("\ud800", "cannot be written as JSON"),
    ],
)
def test_bad_contents(contents: Any, problem: str) -> None:
    template = RequestTemplate(
        lambda given: build_request("generateContent", MODEL, given, {}), own_contents=True
    )
    with pytest.raises(ConfigurationError, match=problem):
        template.request(contents)
