"""Properties of the schemas of types, for any types."""

from __future__ import annotations

import itertools
import string
from typing import Annotated, Any, Literal, NamedTuple

import jsonschema
import msgspec
from hypothesis import strategies as st

from cometgem.request.response_type import ResponseType

# https://ai.google.dev/api/generate-content#FIELDS.response_json_schema
KEYWORDS = {
    *("$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum"),
    *("items", "prefixItems", "minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf"),
    *("properties", "additionalProperties", "required", "propertyOrdering"),
}
# https://ai.google.dev/api/caching#Schema
OPENAPI = {
    *("type", "format", "title", "description", "nullable", "enum", "maxItems", "minItems"),
    *("properties", "required", "minProperties", "maxProperties", "minLength", "maxLength"),
    *("pattern", "example", "anyOf", "propertyOrdering", "default", "items", "minimum", "maximum"),
}
TYPES = {"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT"}

names = st.text(string.ascii_lowercase, min_size=1, max_size=6).map(lambda name: f"f_{name}")


class Typed(NamedTuple):
    """A type, and a strategy for its values."""

    kind: Any
    values: st.SearchStrategy[Any]


def even_above(low: int) -> Typed:
    meta = msgspec.Meta(gt=low, lt=low + 10, multiple_of=2, description="Even.")
    return Typed(Annotated[int, meta], st.sampled_from(range(low + 1 + (low + 1) % 2, low + 10, 2)))


def letters(size: int) -> Typed:
    meta = msgspec.Meta(min_length=size, max_length=size + 3, pattern="^[a-z]*$")
    text = st.text(string.ascii_lowercase, min_size=size, max_size=size + 3)
    return Typed(Annotated[str, meta], text)


def literal(values: list[Any]) -> Typed:
    return Typed(Literal[tuple(values)], st.sampled_from(values))


def list_of(one: Typed) -> Typed:
    return Typed(list[one.kind], st.lists(one.values, max_size=3))


def dict_of(one: Typed) -> Typed:
    return Typed(dict[str, one.kind], st.dictionaries(names, one.values, max_size=3))


def tuple_of(items: list[Typed]) -> Typed:
    kinds = tuple(one.kind for one in items)
    return Typed(tuple[kinds], st.tuples(*[one.values for one in items]))


# msgspec takes structs with the same name and module for one.
_numbers = itertools.count()


def struct_of(fields: dict[str, Typed]) -> Typed:
    members = [(name, one.kind) for name, one in fields.items()]
    made = msgspec.defstruct(f"Made{next(_numbers)}", members)
    return Typed(made, st.builds(made, **{name: one.values for name, one in fields.items()}))


def optional_struct_of(fields: dict[str, Typed]) -> Typed:
    members = [(name, one.kind | None, None) for name, one in fields.items()]
    made = msgspec.defstruct(f"MadeOptional{next(_numbers)}", members)
    values = {name: st.none() | one.values for name, one in fields.items()}
    return Typed(made, st.builds(made, **values))


scalars = (
    st.sampled_from(
        [
            Typed(int, st.integers(-(2**63), 2**63 - 1)),
            Typed(float, st.floats(allow_nan=False, allow_infinity=False)),
            Typed(str, st.text(st.characters(exclude_categories=["Cs"]), max_size=5)),
            Typed(bool, st.booleans()),
            Typed(bytes, st.binary(max_size=5)),
            Typed(Any, st.sampled_from([None, 1, "a", [1], {"a": 1}])),
        ]
    )
    | st.integers(-5, 5).map(even_above)
    | st.integers(0, 3).map(letters)
    | st.lists(names, min_size=1, max_size=3, unique=True).map(literal)
    | st.lists(st.integers(-3, 3), min_size=1, max_size=3, unique=True).map(literal)
)
types = st.recursive(
    scalars,
    lambda inner: (
        inner.map(list_of)
        | inner.map(dict_of)
        | st.lists(inner, min_size=1, max_size=3).map(tuple_of)
        | st.dictionaries(names, inner, min_size=1, max_size=4).map(struct_of)
        | st.dictionaries(names, inner, min_size=1, max_size=4).map(optional_struct_of)
    ),
    max_leaves=6,
)
data = st.data()


def schemas_within(schema: Any) -> list[dict[str, Any]]:
    """Return a schema and all that are in it."""
    found, todo = [], [schema]
    while todo:
        one = todo.pop()
        if not isinstance(one, dict):
            continue
        found.append(one)
        for key in ("anyOf", "oneOf", "prefixItems"):
            todo += one.get(key, [])
        for key in ("properties", "$defs"):
            todo += one.get(key, {}).values()
        todo += [one.get("items"), one.get("additionalProperties")]
    return found


def schemas_stay_within_what_the_api_takes(typed: Typed) -> None:
    """Each dialect has its own keywords, and no others; fields have their order."""
    made: ResponseType[Any] = ResponseType(typed.kind)
    for one in schemas_within(made.schema("json")):
        assert one.keys() <= KEYWORDS
        assert list(one.get("properties", ())) == one.get("propertyOrdering", [])
    for one in schemas_within(made.schema("openapi")):
        assert one.keys() <= OPENAPI
        assert one.get("type", "STRING") in TYPES
        assert list(one.get("properties", ())) == one.get("propertyOrdering", [])
        assert all(isinstance(value, str) for value in one.get("enum", ()))


def what_a_type_accepts_is_valid(typed: Typed, data: st.DataObject) -> None:
    """A value of the type, as JSON, is valid by its schema and decodes into the value."""
    made: ResponseType[Any] = ResponseType(typed.kind)
    schema = made.schema("json")
    jsonschema.Draft202012Validator.check_schema(schema)
    value = data.draw(typed.values)
    json = msgspec.json.encode(value)
    assert made.decode(json) == value
    jsonschema.validate(msgspec.json.decode(json), schema)
