"""Tools declared by JSON schemas that exist already."""

from __future__ import annotations

import asyncio
import copy
import inspect
from functools import partial
from typing import Any

import pytest

from cometgem import ConfigurationError, FunctionCall, FunctionTool, ToolContext
from cometgem.errors import ToolError
from cometgem.request.functions import as_function_tools, tools_to_wire
from cometgem.types.wire import encode

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "user_id": {"type": "string", "minLength": 1},
        "default": {"$ref": "#/$defs/kind"},
    },
    "required": ["user_id"],
    "$defs": {"kind": {"const": "a"}},
}
SENT = {
    "type": "object",
    "properties": {
        "user_id": {"type": "string", "description": "Minimum length: 1."},
        "default": {"$ref": "#/$defs/kind"},
    },
    "required": ["user_id"],
    "$defs": {"kind": {"enum": ["a"], "type": "string"}},
}


def call(**args: Any) -> FunctionCall:
    return FunctionCall(name="find", args=args)


def named(user_id: str, default: str = "b", **more: Any) -> Any:
    return user_id, default, more


def run(tool: FunctionTool, **args: Any) -> Any:
    assert tool.function is not None
    return tool.function(**tool.parse(call(**args)))


def test_the_schema_is_sent_without_what_the_api_does_not_take() -> None:
    before = copy.deepcopy(SCHEMA)
    tool = FunctionTool.from_schema("find", "Find someone.", SCHEMA, named, timeout=5)
    assert (tool.name, tool.timeout) == ("find", 5)
    assert tool.declaration.to_dict() == {
        "name": "find",
        "description": "Find someone.",
        "parametersJsonSchema": SENT,
    }
    (sent,) = tools_to_wire(as_function_tools([tool]))
    assert b'"user_id"' in encode(sent)
    SCHEMA["properties"]["user_id"]["type"] = "integer"  # a later change changes nothing
    assert tool.declaration.parameters_json_schema == SENT
    SCHEMA["properties"]["user_id"]["type"] = "string"
    assert before == SCHEMA


@pytest.mark.parametrize("parameters", [None, {}])
def test_a_tool_without_parameters(parameters: Any) -> None:
    tool = FunctionTool.from_schema("find", None, parameters, lambda: 1)
    assert tool.declaration.description is None
    assert tool.declaration.parameters_json_schema == {"type": "object", "properties": {}}
    assert run(tool) == 1


def test_arguments_are_passed_as_the_model_wrote_them() -> None:
    tool = FunctionTool.from_schema("find", None, SCHEMA, named)
    assert run(tool, user_id=5, other=[1.0]) == (5, "b", {"other": [1.0]})


def test_arguments_as_one_dict() -> None:
    tool = FunctionTool.from_schema("find", None, SCHEMA, lambda all_: all_, unpack=False)
    args = {"user_id": 5, "self": 1, "function": 2, "arguments": 3, "a b": None}
    given = call(**args)
    assert tool.function is not None
    got = tool.function(**tool.parse(given))
    assert got == args
    assert got is not given.args


async def test_async_functions() -> None:
    async def find(arguments: dict[str, Any], suffix: str = "") -> str:
        await asyncio.sleep(0)
        return f"{arguments['user_id']}{suffix}"

    for function, unpack, expected in (
        (find, False, "5"),
        (partial(find, suffix="!"), False, "5!"),
        (partial(find, {"user_id": 7}), True, "7"),
    ):
        tool = FunctionTool.from_schema("find", None, SCHEMA, function, unpack=unpack)
        inner: Any = tool.function
        while isinstance(inner, partial):
            inner = inner.func
        assert inspect.iscoroutinefunction(inner)  # so it is run in the event loop
        assert await run(tool, **({} if unpack else {"user_id": 5})) == expected


def test_the_context_is_given_and_cannot_be_set_by_the_model() -> None:
    def whole(arguments: dict[str, Any], context: ToolContext) -> Any:
        return arguments, context

    def spread(user_id: str, context: ToolContext) -> Any:
        return {"user_id": user_id}, context

    for function, unpack in ((whole, False), (spread, True)):
        tool = FunctionTool.from_schema("find", None, SCHEMA, function, unpack=unpack)
        assert tool.context_parameter == "context"
        assert tool.function is not None
        arguments = tool.parse(call(user_id="a"))
        context = ToolContext(call=call())
        assert tool.function(**arguments, context=context) == ({"user_id": "a"}, context)
        with pytest.raises(ToolError, match="unknown field `context`"):
            tool.parse(call(user_id="a", context=1))


def test_the_model_cannot_overwrite_what_a_partial_binds() -> None:
    tool = FunctionTool.from_schema("find", None, SCHEMA, partial(named, tenant="acme"))
    assert run(tool, user_id="a") == ("a", "b", {"tenant": "acme"})
    with pytest.raises(ToolError, match="unknown field `tenant`"):
        tool.parse(call(user_id="a", tenant="evil"))


def test_arguments_that_the_function_does_not_take_are_the_mistake_of_the_model() -> None:
    tool = FunctionTool.from_schema("find", None, SCHEMA, lambda user_id: user_id)
    with pytest.raises(ToolError, match="missing a required argument: 'user_id'"):
        tool.parse(call())
    with pytest.raises(ToolError, match="unexpected keyword argument 'other'"):
        tool.parse(call(user_id=1, other=2))


def test_a_tool_without_a_function() -> None:
    tool = FunctionTool.from_schema("approve", "Ask a person.", SCHEMA)
    assert tool.function is None
    assert tool.declaration.parameters_json_schema == SENT
    assert tool.parse(call(user_id=5, other=1)) == {"user_id": 5, "other": 1}


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        (("a b", None, {}), {}, "'a b' is not a valid tool name"),
        (("find", 5, {}), {}, "description=5 must be a str, or None"),
        (("find", None, []), {}, "the parameters of 'find' must be a JSON schema, got []"),
        (("find", None, {"type": "string"}), {}, "the parameters of 'find' must be of the type"),
        (("find", None, {"title": object()}), {}, "the parameters of 'find' cannot be written"),
        (("find", None, {}, 5), {}, "FunctionTool needs a function, got 5"),
        (("find", None, {}, dict), {}, "FunctionTool needs a function, got <class 'dict'>"),
        (("find", None, {}), {"timeout": 0}, "timeout=0 must be seconds above 0, or None"),
        (("find", None, {}), {"unpack": 1}, "unpack=1 is not a bool"),
        (
            ("find", None, SCHEMA, partial(named, user_id="a")),
            {},
            "the parameter 'user_id' of 'find' cannot be declared: the model must not set it",
        ),
    ],
)
def test_invalid_arguments_are_refused(arguments: Any, options: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FunctionTool.from_schema(*arguments, **options)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)
