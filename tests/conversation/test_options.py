"""The options of a conversation: checked, and separated from those of its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from conversation.calling import MODEL

from cometgem import Client, ConfigurationError, ConversationOptions
from cometgem.conversation.options import Settings, split_options

if TYPE_CHECKING:
    from cometgem.testing import FakeServer


def test_the_defaults() -> None:
    settings, rest = split_options({})
    assert settings == Settings(
        max_rounds=10, concurrency=None, on_tool_error="raise", confirm=None
    )
    assert rest == {}


def test_settings_are_separated_from_the_request() -> None:
    options: ConversationOptions = {
        "max_rounds": 3,
        "concurrency": 2,
        "on_tool_error": "report",
        "confirm": bool,
        "system_instruction": "Be brief.",
        "retry": None,
    }
    before = dict(options)
    settings, rest = split_options(options)
    assert settings == Settings(max_rounds=3, concurrency=2, on_tool_error="report", confirm=bool)
    assert rest == {"system_instruction": "Be brief.", "retry": None}
    assert options == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_rounds": 0}, "max_rounds=0 is not valid; use an integer of at least 1"),
        ({"max_rounds": "3"}, "max_rounds='3' is not valid; use an integer of at least 1"),
        ({"max_rounds": True}, "max_rounds=True is not valid; use an integer of at least 1"),
        ({"max_rounds": None}, "max_rounds=None is not valid; use an integer of at least 1"),
        ({"max_rounds": 2.0}, "max_rounds=2.0 is not valid; use an integer of at least 1"),
        ({"concurrency": 1.5}, "concurrency=1.5 is not valid; use an integer of at least 1"),
        ({"concurrency": True}, "concurrency=True is not valid; use an integer of at least 1"),
        ({"confirm": "yes"}, "confirm='yes' is not valid; use a function, or None"),
        ({"on_tool_error": None}, "on_tool_error=None is not valid; use 'raise' or 'report'"),
        ({"concurrency": 0}, "concurrency=0 is not valid; use an integer of at least 1, or None"),
        ({"concurrency": "3"}, "concurrency='3' is not valid; use an integer of at least 1"),
        ({"confirm": True}, "confirm=True is not valid; use a function, or None"),
        (
            {"on_tool_error": "ignore"},
            "on_tool_error='ignore' is not valid; use 'raise' or 'report'",
        ),
        ({"tools": 5}, "tools must be a list, got int"),
        ({"contents": ""}, "contents is blank: give it some text"),
        ({"contents": []}, "contents is an empty list: give at least one text or part"),
        ({"model": "a/b"}, "'a/b' is not a valid model name"),
    ],
)
async def test_invalid_arguments_are_refused_before_anything_is_sent(
    client: Client, fake_server: FakeServer, options: dict[str, Any], sentence: str
) -> None:
    arguments = {"model": MODEL, "contents": "Hi", "tools": []} | options
    with pytest.raises(ConfigurationError) as caught:
        client.run_tools(**arguments)
    assert str(caught.value).startswith(sentence)
    assert fake_server.requests == []


async def test_unknown_options_are_refused(client: Client) -> None:
    options: Any = {"temperature": 1}
    with pytest.raises(TypeError, match="generation_config"):
        client.run_tools(MODEL, "Hi", tools=[], **options)
