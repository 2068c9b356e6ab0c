"""Functions as tools: declarations, arguments, results."""

from __future__ import annotations

import datetime as dt
import functools
import json
import math
from functools import partial
from importlib import metadata
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, Union

import msgspec
import pytest
from request.declared import NULL, TRIP, UNIT, Node, Opaque, Place, Size, Trip, Unit

from cometgem.errors import ConfigurationError, ToolCallError
from cometgem.request.functions import FunctionTool, as_function_tools, tools_to_wire
from cometgem.request.schema import json_schema
from cometgem.types import (
    FunctionCall,
    FunctionDeclaration,
    FunctionResponse,
    GoogleSearch,
    Tool,
)
from cometgem.types.wire import encode

if TYPE_CHECKING:
    from collections.abc import Callable


# An annotation, an argument on the wire, and the value that the function gets.
ARGUMENTS: list[tuple[Any, Any, Any]] = [
    (str, "a", "a"),
    (int, 5, 5),
    (int, 5.0, 5),
    (int, "5", 5),
    (float, 5, 5.0),
    (float, "1.5", 1.5),
    (bool, True, True),
    (bool, "true", True),
    (Unit, "kelvin", Unit.KELVIN),
    (Size, 2, Size.LARGE),
    (Literal["a", "b"], "b", "b"),
    (Optional[int], None, None),  # noqa: UP045
    (str | None, "a", "a"),
    (int | str, "5", "5"),
    (Union[Unit, None], "celsius", Unit.CELSIUS),  # noqa: UP007
    (list[int], [1, 2.0], [1, 2]),
    (list, [1, "a"], [1, "a"]),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (dict, {"a": []}, {"a": []}),
    (Any, {"a": 1}, {"a": 1}),
    (Place, {"lat": 1}, Place(1.0, 0.0)),
    (Trip, {"stops": [{"lat": 1, "lon": 2}]}, {"stops": [Place(1.0, 2.0)]}),
    (dt.date, "2061-07-28", dt.date(2061, 7, 28)),
    (Annotated[int, msgspec.Meta(ge=1, description="How many")], 2, 2),
]


def function_of(annotation: Any) -> Callable[..., object]:
    def look(value: Any) -> None:  # noqa: ARG001  # declared, never called
        raise AssertionError("no function is called here")

    look.__annotations__["value"] = annotation
    return look


@pytest.mark.parametrize(("annotation", "given", "got"), ARGUMENTS)
def test_arguments_are_decoded_by_the_annotation(annotation: Any, given: Any, got: Any) -> None:
    tool = FunctionTool(function_of(annotation))
    parameters = json.loads(encode(tool.declaration))["parametersJsonSchema"]
    assert parameters == {
        "type": "object",
        "properties": {"value": json_schema(annotation, {}, "x")},
        "required": ["value"],
    }
    arguments = tool.parse(FunctionCall(name="look", args={"value": given}))
    assert arguments == {"value": got}
    assert type(arguments["value"]) is type(got)


MSGSPEC = tuple(map(int, metadata.version("msgspec").split(".")[:2]))


@pytest.mark.skipif(MSGSPEC < (0, 22), reason="msgspec before 0.22 cannot sort the values")
def test_arguments_of_literals_of_several_types_are_decoded() -> None:
    tool = FunctionTool(function_of(Literal["a", 1]))
    properties = tool.declaration.parameters_json_schema["properties"]
    assert properties["value"] == {"enum": [1, "a"]}
    assert tool.parse(FunctionCall(args={"value": 1})) == {"value": 1}


def test_a_declaration_combines_docstring_and_annotations() -> None:
    async def get_weather(city: str, unit: Unit = Unit.CELSIUS, *, days: int | None = None) -> Trip:
        """Look up
        the weather.

        At length.

        Args:
            city: The city's name,
                in English.
            days (int): How many.

        Returns:
            A trip.
        """
        raise NotImplementedError(city, unit, days)

    assert json.loads(encode(FunctionTool(get_weather).declaration)) == {
        "name": "get_weather",
        "description": "Look up\nthe weather.\n\nAt length.\n\nReturns:\n    A trip.",
        "parametersJsonSchema": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "The city's name, in English."},
                "unit": {**UNIT, "description": 'Default: "celsius".'},
                "days": {"anyOf": [{"type": "integer"}, NULL], "description": "How many."},
            },
            "required": ["city"],
        },
        "responseJsonSchema": TRIP,
    }


def test_a_custom_name_and_description() -> None:
    tool = FunctionTool(lambda: 1, name="one", description="Always 1.", timeout=2)
    assert (tool.name, tool.timeout) == ("one", 2)
    assert tool.declaration == FunctionDeclaration(
        name="one",
        description="Always 1.",
        parameters_json_schema={"type": "object", "properties": {}, "required": []},
    )
    assert tool.parse(FunctionCall(name="one")) == {}
    assert repr(tool) == "<FunctionTool one>"


CHILDREN = {"type": "array", "items": {"$ref": "#/$defs/Node"}, "description": "Default: []."}


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (str, {"type": "object", "properties": {"result": {"type": "string"}},
               "required": ["result"]}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (int | None, None),
        (None, None),
        (Any, None),
        (object, None),
        (FunctionResponse, None),
        (Opaque, None),
        (list[Opaque], None),
        ("Nowhere", None),
        (Node, {"title": "Node", "type": "object", "properties": {
            "name": {"type": "string"},
            "children": CHILDREN},
            "required": ["name"],
            "$defs": {"Node": {"title": "Node", "type": "object", "properties": {
                "name": {"type": "string"},
                "children": CHILDREN},
                "required": ["name"]}}}),
    ],
)  # fmt: skip
def test_result_schemas(annotation: Any, schema: Any) -> None:
    def look() -> Any: ...

    look.__annotations__["return"] = annotation
    assert FunctionTool(look).declaration.response_json_schema == schema


def test_a_type_that_contains_itself_stays_a_reference() -> None:
    def plant(tree: Node, other: Node | None = None) -> None: ...

    tool = FunctionTool(plant)
    schema = tool.declaration.parameters_json_schema
    assert list(schema["$defs"]) == ["Node"]
    assert schema["properties"]["tree"]["properties"]["children"]["items"] == {
        "$ref": "#/$defs/Node"
    }
    call = FunctionCall(args={"tree": {"name": "a", "children": [{"name": "b"}]}})
    assert tool.parse(call) == {"tree": Node("a", [Node("b")])}


class Office:
    def find(self, name: str) -> str:
        """Find someone."""
        raise NotImplementedError(name)

    def __call__(self, room: int) -> None: ...


def find(name: str, room: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "name", "required"),
    [
        (Office().find, None, ["name"]),
        (Office(), "office", ["room"]),
        (functools.partial(find, "Ada"), "find", ["room"]),
        (functools.partial(functools.partial(find, room=5)), "find", ["name"]),
    ],
)
def test_other_callables_can_be_declared(
    function: Callable[..., object], name: str | None, required: list[str]
) -> None:
    assert (
        FunctionTool(function, name=name).declaration.parameters_json_schema["required"] == required
    )


def positional(x: int, /) -> None: ...
def several(*xs: int) -> None: ...
def named(**xs: int) -> None: ...
def bare(x) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def opaque(x: Opaque) -> None: ...
def deep(x: dict[str, list[Opaque]]) -> None: ...
def two(x: Place | Node) -> None: ...
def unknown(x: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (positional, "the parameter 'x' of 'positional' cannot be declared: the model passes each"),
        (several, "the parameter 'xs' of 'several' cannot be declared: the model passes each"),
        (named, "the parameter 'xs' of 'named' cannot be declared: the model passes each"),
        (bare, "the parameter 'x' of 'bare' cannot be declared: it has no annotation"),
        (opaque, "the parameter 'x' of 'opaque' cannot be declared: type <class"),
        (deep, "the parameter 'x' of 'deep' cannot be declared: type <class"),
        (two, "the parameter 'x' of 'two' cannot be declared: Type unions may not contain"),
        (unknown, "the parameter 'x' of 'unknown' cannot be declared: name 'Nowhere' is not"),
        (lambda: 1, "'<lambda>' is not a valid tool name: use FunctionTool(..., name=...)"),
        (Office(), "'' is not a valid tool name: use FunctionTool(..., name=...)"),
    ],
)
def test_functions_that_cannot_be_declared_are_refused(
    function: Callable[..., object], sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        FunctionTool(function)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("name", ["a b", "1a", "-a", "a" * 129, "é", "a\n"])
def test_invalid_tool_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a valid tool name"):
        FunctionTool(find, name=name)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), "5"])
def test_invalid_timeouts_are_refused(timeout: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^timeout="):
        FunctionTool(find, timeout=timeout)


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ({}, "Object missing required field `name`"),
        ({"name": "a", "room": "x"}, "Expected `int`, got `str` - at `$.room`"),
        ({"name": "a", "room": 1, "floor": 2}, "Object contains unknown field `floor`"),
        ({"name": None, "room": 1}, "Expected `str`, got `null` - at `$.name`"),
    ],
)
def test_arguments_that_do_not_match_the_declaration(args: dict[str, Any], reason: str) -> None:
    call = FunctionCall(name="find", args=args)
    with pytest.raises(ToolCallError) as caught:
        FunctionTool(find).parse(call)
    assert caught.value.call is call
    assert caught.value.message == reason


def test_omitted_arguments_use_the_default_of_the_function() -> None:
    default = Place(1.0)

    def go(place: Place = default, tags: list[str] = ["a"]) -> None: ...  # noqa: B006

    tool = FunctionTool(go)
    assert tool.parse(FunctionCall(name="go")) == {}
    properties = tool.declaration.parameters_json_schema["properties"]
    assert properties["place"]["description"] == 'Default: {"lat": 1.0, "lon": 0.0}.'
    assert properties["tags"]["description"] == 'Default: ["a"].'


@pytest.mark.parametrize(
    ("result", "response"),
    [
        ({"a": 1}, {"a": 1}),
        ({1: Unit.KELVIN}, {"1": "kelvin"}),
        (Place(1.0), {"lat": 1.0, "lon": 0.0}),
        ("warm", {"result": "warm"}),
        (None, {"result": None}),
        ([Place(1.0)], {"result": [{"lat": 1.0, "lon": 0.0}]}),
        (FunctionResponse(name="other", response={"a": 1}, scheduling="SILENT"), {"a": 1}),
    ],
)
def test_results_become_responses(result: object, response: dict[str, Any]) -> None:
    answer = FunctionTool(find).to_response(FunctionCall(name="find", id="7"), result)
    assert (answer.name, answer.id, answer.response) == ("find", "7", response)
    assert answer.scheduling == getattr(result, "scheduling", None)


def test_results_that_json_cannot_express_are_refused() -> None:
    with pytest.raises(TypeError, match="Opaque"):
        FunctionTool(find).to_response(FunctionCall(name="find"), Opaque())


def wire(tools: Any) -> list[Any]:
    return tools_to_wire(as_function_tools(tools))


def test_all_functions_become_one_tool() -> None:
    search = Tool(google_search=GoogleSearch())
    made = wire([search, find, {"code_execution": {}}, FunctionTool(find, name="g")])
    assert [declaration.name for declaration in made[0].function_declarations] == ["find", "g"]
    assert made[1:] == [search, {"codeExecution": {}}]
    assert wire([search]) == [search]
    assert wire([]) == []


DECLARED = Tool(function_declarations=[FunctionDeclaration(name="find")])


@pytest.mark.parametrize(
    ("tools", "sentence"),
    [
        (find, "tools must be a list, got function"),
        ("find", "tools must be a list, got str"),
        ([find, 5], "tools[1] must be a function, a FunctionTool, a Tool or a dict, got 5"),
        ([Office], "tools[0] must be a function, a FunctionTool, a Tool or a dict, got <class"),
        ([find, FunctionTool(find)], "tools[1] is the second function named 'find'"),
        ([find, DECLARED], "tools[1] has the second function named 'find'"),
        ([DECLARED.to_dict(), find], "tools[1] is the second function named 'find'"),
        (
            [{"function_declarations": [{"name": "find"}]}, DECLARED],
            "tools[1] has the second function named 'find'",
        ),
        ([find, {"googleSerch": {}}], "tools[1] has no key 'googleSerch'"),
    ],
)
def test_invalid_tools_are_refused(tools: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        wire(tools)
    assert str(caught.value).startswith(sentence)


def test_each_function_is_declared_once() -> None:
    made = as_function_tools([find])
    assert as_function_tools(made) == made


def not_evaluable(x: str) -> str:
    """Have an annotation that raises an AttributeError."""
    return x


def unsupported(x: str) -> str:
    """Have an annotation that raises a TypeError."""
    return x


not_evaluable.__annotations__["x"] = "json.missing"
unsupported.__annotations__["x"] = "1 | 'a'"


@pytest.mark.parametrize(
    "item",
    [
        *(min, max, print, dict.get, "".join, [].append, partial(min), partial(dict), vars),
        *(itemgetter(1), Office, 5, "f", b"f", [], object(), type),
        *(not_evaluable, unsupported, lambda x: x, lambda *x: x),
    ],
)
def test_whatever_cannot_be_declared_is_refused_with_one_sentence(item: Any) -> None:
    for make in (lambda: as_function_tools([item]), lambda: FunctionTool(item, name="f")):
        with pytest.raises(ConfigurationError) as caught:
            make()
        assert "\n" not in str(caught.value)


def test_a_builtin_without_a_signature_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"^'min' has no signature that Python can read"):
        as_function_tools([min])


@pytest.mark.parametrize(
    "options",
    [{"name": 5}, {"name": b"f"}, {"description": 5}, {"timeout": True}, {"timeout": math.nan}],
)
def test_options_of_a_function_tool_of_a_wrong_type_are_refused(options: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^(name|description|timeout)=.* must be "):
        FunctionTool(lambda: None, **options)
