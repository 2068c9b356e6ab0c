"""The schema of a response type, in both dialects, and what is refused."""

from __future__ import annotations

import dataclasses
import datetime as dt  # noqa: TC003  msgspec reads the annotations
import enum
import json
from importlib import metadata
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict

import msgspec
import pytest
from pydantic import BaseModel, Field, TypeAdapter

from cometgem.errors import ConfigurationError
from cometgem.request.response_type import ResponseType, as_response_type


class Kind(enum.Enum):
    ROCKY = "rocky"
    GAS = "gas"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Orbit(TypedDict):
    period: Annotated[float, "In days."]
    au: NotRequired[float]
    closed: bool


class Point(NamedTuple):
    x: int
    label: str


class Planet(msgspec.Struct, rename="camel"):
    """A planet of the solar system."""

    name: Annotated[str, msgspec.Meta(min_length=1, description="In English.")]
    radius_km: Annotated[float, msgspec.Meta(gt=0)]
    kind: Kind = Kind.GAS
    moons: Annotated[list[str], "Their names."] = []
    orbit: Orbit | None = None


class Node(msgspec.Struct):
    value: int
    children: list[Node] = []


class Endless(msgspec.Struct):
    children: list[Endless]


class Cat(msgspec.Struct, tag=True):
    meows: int


class Dog(msgspec.Struct, tag=True):
    barks: int


@dataclasses.dataclass
class Star:
    """A star."""

    born: dt.datetime


class Moon(BaseModel):
    name: str = Field(min_length=2, description="Its name")
    inner: Moon | None = None


JSON: list[tuple[Any, dict[str, Any]]] = [
    (list[int], {"type": "array", "items": {"type": "integer"}}),
    (Kind, {"type": "string", "title": "Kind", "enum": ["gas", "rocky"]}),
    (Size, {"type": "integer", "title": "Size", "enum": [1, 2]}),
    (Literal["b", "a"], {"type": "string", "enum": ["a", "b"]}),
    (
        tuple[int, str],
        {
            "type": "array",
            "minItems": 2,
            "maxItems": 2,
            "prefixItems": [{"type": "integer"}, {"type": "string"}],
        },
    ),
    (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
    (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    (Annotated[int, msgspec.Meta(gt=0, lt=10)], {"type": "integer", "minimum": 1, "maximum": 9}),
    (
        Annotated[str, msgspec.Meta(pattern="^a+$")],
        {"type": "string", "description": "Pattern: ^a+$."},
    ),
    (
        Orbit,
        {
            "title": "Orbit",
            "type": "object",
            "properties": {
                "period": {"type": "number", "description": "In days."},
                "au": {"type": "number"},
                "closed": {"type": "boolean"},
            },
            "required": ["period", "closed"],
            "propertyOrdering": ["period", "au", "closed"],
        },
    ),
]


@pytest.mark.parametrize(("kind", "schema"), JSON, ids=lambda one: repr(one)[:30])
def test_json(kind: Any, schema: dict[str, Any]) -> None:
    made = ResponseType(kind).schema("json")
    assert json.dumps(made, sort_keys=True) == json.dumps(schema, sort_keys=True)
    assert list(made.get("properties", ())) == list(schema.get("properties", ()))


def test_a_struct() -> None:
    schema = ResponseType(Planet).schema("json")
    order = ["name", "radiusKm", "kind", "moons", "orbit"]
    assert list(schema["properties"]) == schema["propertyOrdering"] == order
    assert schema["required"] == ["name", "radiusKm"]
    assert schema["description"] == "A planet of the solar system."
    properties = schema["properties"]
    assert properties["name"]["description"] == "In English. Minimum length: 1."
    assert properties["radiusKm"]["description"] == "Greater than: 0."
    assert properties["moons"]["description"] == "Their names. Default: []."
    assert properties["orbit"]["anyOf"][0]["propertyOrdering"] == ["period", "au", "closed"]
    assert "$ref" not in json.dumps(schema)


def test_tagged_unions_have_no_discriminator() -> None:
    schema = ResponseType(Cat | Dog).schema("json")
    assert schema.keys() == {"anyOf"}
    assert [one["properties"]["type"]["enum"] for one in schema["anyOf"]] == [["Cat"], ["Dog"]]


def test_recursion() -> None:
    schema = ResponseType(Node).schema("json")
    assert schema["$defs"]["Node"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}
    schema = ResponseType(list[Moon]).schema("json")
    assert schema["$defs"]["Moon"]["properties"]["inner"]["anyOf"][0] == {"$ref": "#/$defs/Moon"}


def test_openapi() -> None:
    assert ResponseType(Planet).schema("openapi") == {
        "title": "Planet",
        "description": "A planet of the solar system.",
        "type": "OBJECT",
        "required": ["name", "radiusKm"],
        "propertyOrdering": ["name", "radiusKm", "kind", "moons", "orbit"],
        "properties": {
            "name": {"type": "STRING", "description": "In English. Minimum length: 1."},
            "radiusKm": {"type": "NUMBER", "description": "Greater than: 0."},
            "kind": {
                "title": "Kind",
                "type": "STRING",
                "format": "enum",
                "enum": ["gas", "rocky"],
                "description": 'Default: "gas".',
            },
            "moons": {
                "type": "ARRAY",
                "items": {"type": "STRING"},
                "description": "Their names. Default: [].",
            },
            "orbit": {
                "title": "Orbit",
                "nullable": True,
                "type": "OBJECT",
                "properties": {
                    "period": {"type": "NUMBER", "description": "In days."},
                    "au": {"type": "NUMBER"},
                    "closed": {"type": "BOOLEAN"},
                },
                "required": ["period", "closed"],
                "propertyOrdering": ["period", "au", "closed"],
            },
        },
    }


# Literals of several types.
MIXED = pytest.mark.skipif(
    tuple(map(int, metadata.version("msgspec").split(".")[:2])) < (0, 22),
    reason="msgspec before 0.22 cannot sort the values",
)


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (int | None, {"type": "INTEGER", "nullable": True}),
        (int | str, {"anyOf": [{"type": "INTEGER"}, {"type": "STRING"}]}),
        (Size, {"title": "Size", "type": "INTEGER", "description": "One of: [1, 2]."}),
        (
            tuple[int, int],
            {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": 2, "maxItems": 2},
        ),
        (
            Point,
            {
                "title": "Point",
                "type": "ARRAY",
                "items": {"anyOf": [{"type": "INTEGER"}, {"type": "STRING"}]},
                "description": 'Items in this order: ["INTEGER", "STRING"].',
                "minItems": 2,
                "maxItems": 2,
            },
        ),
        (
            Star,
            {
                "title": "Star",
                "description": "A star.",
                "type": "OBJECT",
                "properties": {"born": {"type": "STRING"}},
                "required": ["born"],
                "propertyOrdering": ["born"],
            },
        ),
        (
            dict[str, int],
            {"type": "OBJECT", "description": 'Type of the values: {"type": "INTEGER"}.'},
        ),
        pytest.param(
            Literal["a", 1],
            {
                "anyOf": [{"type": "INTEGER"}, {"type": "STRING"}],
                "description": 'One of: [1, "a"].',
            },
            marks=MIXED,
        ),
    ],
    ids=lambda one: repr(one)[:30],
)
def test_openapi_forms(kind: Any, schema: dict[str, Any]) -> None:
    assert ResponseType(kind).schema("openapi") == schema


@pytest.mark.parametrize(
    ("kind", "dialect", "says"),
    [
        (Endless, "json", "Endless.children contains Endless again and is required"),
        (list[Endless], "json", "only in fields with a default"),
        (
            Node,
            "openapi",
            "response_type=Node cannot be declared: it contains itself at $.children[]",
        ),
        (complex, "json", "response_type=complex cannot be declared"),
        (list[object], "json", ""),
        (None, "json", "is not a type"),
        ("Planet", "json", "is not a type: use a type such as list[Planet]"),
        ({"type": "object"}, "json", "generation_config={'response_json_schema': ...}"),
        (Cat | dict[str, int], "json", "cannot be declared"),
    ],
)
def test_types_that_cannot_be_declared(kind: Any, dialect: Any, says: str) -> None:
    if not says:
        assert ResponseType(kind).schema(dialect)
        return
    with pytest.raises(ConfigurationError) as caught:
        ResponseType(kind).schema(dialect)
    assert says in str(caught.value)


def test_a_type_is_worked_out_once() -> None:
    assert as_response_type(list[Planet]) is as_response_type(list[Planet])
    unhashable = Annotated[int, msgspec.Meta(examples=[1], extra={"a": []})]
    assert as_response_type(unhashable).decode(b"1") == 1


def test_elements() -> None:
    for kind in (
        list[int],
        tuple[int, ...],
        set[int],
        Annotated[list[int], msgspec.Meta(max_length=5)],
    ):
        assert ResponseType(kind).element() is as_response_type(int)
    for kind in (int, tuple[int, int], dict[str, int], TypeAdapter(list[int])):
        with pytest.raises(ConfigurationError, match=r"items\(\) needs a list"):
            ResponseType(kind).element()


def test_a_type_adapter() -> None:
    kind: ResponseType[Any] = ResponseType(TypeAdapter(list[Moon]))
    assert kind.schema("json") == ResponseType(list[Moon]).schema("json")
    assert kind.decode(b'[{"name": "Io"}]') == [Moon(name="Io")]


def test_a_type_adapter_of_any_value() -> None:
    kind: ResponseType[Any] = ResponseType(TypeAdapter(Any))
    assert kind.schema("json") == {}
    assert kind.schema("openapi") == {}
    assert kind.decode(b'[1, "a"]') == [1, "a"]
