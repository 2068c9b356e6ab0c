"""Types that functions of the tests are annotated with, and their schemas."""

from __future__ import annotations

import dataclasses
import enum
from typing import NotRequired, TypedDict

import msgspec


class Unit(enum.Enum):
    CELSIUS = "celsius"
    KELVIN = "kelvin"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


@dataclasses.dataclass
class Place:
    lat: float
    lon: float = 0.0


class Trip(TypedDict):
    stops: list[Place]
    name: NotRequired[str]


class Node(msgspec.Struct):
    name: str
    children: list[Node] = []


class Opaque:
    """Cannot be expressed in JSON."""


PLACE = {
    "title": "Place",
    "type": "object",
    "properties": {
        "lat": {"type": "number"},
        "lon": {"type": "number", "description": "Default: 0.0."},
    },
    "required": ["lat"],
}
TRIP = {
    "title": "Trip",
    "type": "object",
    "properties": {"name": {"type": "string"}, "stops": {"type": "array", "items": PLACE}},
    "required": ["stops"],
}
UNIT = {"title": "Unit", "type": "string", "enum": ["celsius", "kelvin"]}
NULL = {"type": "null"}
