"""Functions that are declared twice are refused, in whatever form they are declared."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from cometgem import Client
from cometgem.errors import ConfigurationError
from cometgem.request.build import build_request
from cometgem.request.functions import FunctionTool
from cometgem.types import FunctionDeclaration, Tool


def f(x: int) -> int:
    """Return it."""
    return x


def g(x: int) -> int:
    """Return it."""
    return x


F = FunctionDeclaration(name="f")
DECLARED: dict[str, Any] = {
    "function": f,
    "FunctionTool": FunctionTool(g, name="f"),
    "camelCase": {"functionDeclarations": [{"name": "f"}]},
    "snake_case": {"function_declarations": [{"name": "f", "description": "An f."}]},
    "struct": Tool(function_declarations=[F]),
    "struct in a dict": {"functionDeclarations": [{"name": "g2"}, F]},
    "beside others": {"functionDeclarations": [{"name": "h"}, {"name": "f"}], "googleSearch": {}},
}


@pytest.mark.parametrize("pair", [*permutations(DECLARED, 2)])
def test_two_declarations_of_a_name_are_refused(pair: tuple[str, str]) -> None:
    tools = [DECLARED[one] for one in pair]
    with pytest.raises(ConfigurationError, match="'f'"):
        build_request("generateContent", "m", "Hi", {"tools": [{"urlContext": {}}, *tools]})


@pytest.mark.parametrize(
    "tool",
    [
        {"functionDeclarations": [{"name": "f"}, {"name": "g"}, {"name": "f"}]},
        Tool(function_declarations=[F, F]),
    ],
)
def test_two_declarations_in_one_tool_are_refused(tool: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_request("generateContent", "m", "Hi", {"tools": [tool]})
    assert str(caught.value) == (
        "tools[0] has the second function named 'f': rename it with FunctionTool(..., name=...)"
    )


@pytest.mark.parametrize("one", DECLARED)
def test_different_names_are_sent(one: str) -> None:
    tools = [DECLARED[one], g, {"functionDeclarations": [{"name": "F"}]}]
    assert b'"f"' in build_request("generateContent", "m", "Hi", {"tools": tools}).body


async def test_every_call_refuses_them_before_anything_is_sent() -> None:
    tools: Any = [f, {"functionDeclarations": [{"name": "f"}]}]
    async with Client("sk-key-of-the-test", base_url="http://127.0.0.1:9") as client:
        with pytest.raises(ConfigurationError, match="second function named 'f'"):
            await client.generate_content("m", "Hi", tools=tools)
        with pytest.raises(ConfigurationError, match="second function named 'f'"):
            client.stream_generate_content("m", "Hi", tools=tools)
        with pytest.raises(ConfigurationError, match="second function named 'f'"):
            client.run_tools("m", "Hi", tools=tools)
        with pytest.raises(ConfigurationError, match="second function named 'f'"):
            client.chat("m", tools=tools)
