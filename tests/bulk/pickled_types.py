"""A script as users write them: pickles GeminiMaps with classes of its own to stdout."""
# Without `from __future__ import annotations`: what is pickled by value has no module to look in.

import dataclasses
import sys
from enum import StrEnum
from typing import Literal, NamedTuple, TypedDict

import cloudpickle
import msgspec

from cometgem.bulk import GeminiMap


class Mood(StrEnum):
    GOOD = "good"
    BAD = "bad"


class Place(NamedTuple):
    x: int
    y: int


class Person(TypedDict):
    name: str
    kind: Literal["a", "b"]
    mood: Mood
    place: Place


class Struct(msgspec.Struct):
    name: str


@dataclasses.dataclass
class Data:
    name: str


class Outer(TypedDict):
    structs: list[Struct]


def main() -> None:
    greeting = "Hi"
    maps = [
        GeminiMap(
            "gemini-3.8-flash",
            prompt=lambda row: f"{greeting} {row['text']}",
            response_type=response_type,
        )
        for response_type in (list[Person], Struct, Data, list[Struct] | None, Outer)
    ]
    sys.stdout.buffer.write(cloudpickle.dumps(maps))


if __name__ == "__main__":
    main()
