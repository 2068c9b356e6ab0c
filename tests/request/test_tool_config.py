"""Tool configs without the order to call a function."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from cometgem.errors import ConfigurationError
from cometgem.request.tool_config import without_force
from cometgem.types import (
    FunctionCallingConfig,
    FunctionCallingMode,
    LatLng,
    RetrievalConfig,
    ToolConfig,
)

PLACE = RetrievalConfig(lat_lng=LatLng(latitude=51.4, longitude=-2.4))
ANY = FunctionCallingConfig(mode="ANY", allowed_function_names=["f"])
AUTO = FunctionCallingConfig(mode="AUTO")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (ToolConfig(function_calling_config=ANY), ToolConfig(function_calling_config=AUTO)),
        (
            ToolConfig(function_calling_config=ANY, retrieval_config=PLACE),
            ToolConfig(function_calling_config=AUTO, retrieval_config=PLACE),
        ),
        (
            ToolConfig(
                function_calling_config=FunctionCallingConfig(mode=FunctionCallingMode.ANY),
                include_server_side_tool_invocations=True,
            ),
            ToolConfig(function_calling_config=AUTO, include_server_side_tool_invocations=True),
        ),
        (
            {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
            {"functionCallingConfig": {"mode": "AUTO"}},
        ),
        (
            {"function_calling_config": {"mode": "any", "allowed_function_names": ["f"]}},
            {"functionCallingConfig": {"mode": "AUTO"}},
        ),
        (
            {"function_calling_config": ANY, "retrieval_config": PLACE},
            {"functionCallingConfig": AUTO, "retrievalConfig": PLACE},
        ),
        (
            {"functionCallingConfig": {"mode": "ANY", "newer_key": 1}, "newest": 2},
            {"functionCallingConfig": {"mode": "AUTO", "newerKey": 1}, "newest": 2},
        ),
    ],
)
def test_the_order_to_call_is_dropped_and_the_rest_kept(given: Any, expected: Any) -> None:
    before = deepcopy(given)
    assert without_force(given) == (expected, True)
    assert given == before  # the argument is not modified


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        ToolConfig(),
        ToolConfig(function_calling_config=AUTO),
        ToolConfig(function_calling_config=FunctionCallingConfig()),
        {"function_calling_config": None, "retrieval_config": PLACE},
        {"function_calling_config": {"mode": "VALIDATED", "allowed_function_names": ["f"]}},
        {"functionCallingConfig": {"mode": "NONE"}},
        {"functionCallingConfig": {"mode": "NEWER"}},
        {"functionCallingConfig": {}},
    ],
)
def test_configs_that_leave_the_choice_are_returned_unchanged(given: Any) -> None:
    config, forced = without_force(given)
    assert config is given
    assert not forced


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (5, "tool_config must be a ToolConfig or a dict, got int"),
        ({"functionCallingConfg": {}}, "did you mean 'functionCallingConfig'"),
        ({"functionCallingConfig": {"mod": "ANY"}}, "did you mean 'mode'"),
    ],
)
def test_what_is_not_a_tool_config_is_refused(given: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        without_force(given)
