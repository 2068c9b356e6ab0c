"""Texts on the fields of classes become descriptions."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Generic, NotRequired, TypedDict, TypeVar

import msgspec
import pytest

from cometgem.request.schema import json_schema

T = TypeVar("T")


class Doc:
    """As in typing_extensions and annotated_doc."""

    def __init__(self, documentation: str) -> None:
        self.documentation = documentation


@dataclasses.dataclass
class Place:
    """Where it is."""

    lat: Annotated[float, "Degrees north"]
    name: Annotated[str | None, Doc("In English")] = None


class Trip(TypedDict):
    stops: Annotated[list[Place], "In this order"]
    end: NotRequired[Annotated[Place, "Where it ends"]]
    tags: list[Annotated[str, "not a text of the field"]]


class Walk(msgspec.Struct, rename="camel"):
    how_far: Annotated[int, "In metres"]
    why: Annotated[str, "is not taken", msgspec.Meta(description="For what")]
    then: list[Walk] = []


@dataclasses.dataclass
class Pair(Generic[T]):
    left: Annotated[T, "The left one"]


PLACE = {
    "title": "Place",
    "description": "Where it is.",
    "type": "object",
    "properties": {
        "lat": {"description": "Degrees north", "type": "number"},
        "name": {
            "description": "In English",
            "anyOf": [{"type": "string"}, {"type": "null"}],
        },
    },
    "required": ["lat"],
}


def described(annotation: Any) -> dict[str, Any]:
    properties: dict[str, Any] = json_schema(annotation, {}, "x")["properties"]
    return {name: schema.get("description") for name, schema in properties.items()}


def test_texts_of_dataclasses_are_declared() -> None:
    made = json_schema(Place, {}, "x")
    made["properties"]["name"]["anyOf"].sort(key=lambda one: one["type"], reverse=True)
    made["properties"]["name"]["description"] = made["properties"]["name"][
        "description"
    ].removesuffix(". Default: null.")
    assert made == PLACE


@pytest.mark.parametrize(
    ("annotation", "texts"),
    [
        (Trip, {"stops": "In this order", "end": "Where it ends", "tags": None}),
        (Walk, {"howFar": "In metres", "why": "For what", "then": "Default: []."}),
        (Pair[int], {"left": "The left one"}),
    ],
)
def test_texts_of_other_classes_are_declared(annotation: Any, texts: dict[str, Any]) -> None:
    assert described(annotation) == texts


def test_texts_within_other_types_are_declared() -> None:
    made = json_schema(dict[str, list[Place] | None], {}, "x")
    (places,) = (one for one in made["additionalProperties"]["anyOf"] if "items" in one)
    assert places["items"]["properties"]["lat"]["description"] == "Degrees north"


def test_texts_of_a_type_that_contains_itself_are_declared() -> None:
    recursive: dict[str, Any] = {}
    json_schema(Walk, recursive, "x")
    assert recursive["Walk"]["properties"]["howFar"]["description"] == "In metres"


def test_classes_of_local_types_are_declared_without_texts() -> None:
    @dataclasses.dataclass
    class Inner:
        size: int

    @dataclasses.dataclass
    class Outer:
        inner: Annotated[Inner, "text"]

    Outer.__annotations__["inner"] = Annotated[Inner, "text"]
    assert described(Outer) == {"inner": "text"}
