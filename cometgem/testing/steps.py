"""What a reply consists of, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from cometgem.testing.bodies import JSONObject

__all__ = [
    "AUTO",
    "EVENT_STREAM",
    "HTML",
    "JSON",
    "Auto",
    "Chunk",
    "End",
    "Error",
    "Framing",
    "Parts",
    "Pause",
    "Raw",
    "Reset",
    "Stall",
    "Step",
]


EVENT_STREAM = "text/event-stream"
JSON = "application/json; charset=UTF-8"
HTML = "text/html; charset=utf-8"


class Auto(Enum):
    """The default where None has a meaning of its own."""

    AUTO = "auto"


AUTO = Auto.AUTO


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one chunk, to which finish reason, usage and ids are added."""

    parts: tuple[JSONObject, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A whole chunk, sent as it is."""

    body: JSONObject


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes as they are."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Error:
    """An error in mid-stream: an event, or (`bare`) pretty-printed JSON between events."""

    status: int
    body: JSONObject
    bare: bool


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing for so many seconds."""

    seconds: float


class Stall:
    """Nothing until resumed."""


class Reset:
    """The connection breaks."""


class End:
    """The body ends here, properly."""


Step: TypeAlias = Parts | Chunk | Raw | Error | Pause | Stall | Reset | End


@dataclass(frozen=True, slots=True)
class Framing:
    """How events are written; `Reply.framed` and `Reply.pings` say what each field means."""

    newline: str = "\n"
    space: bool = True
    pretty: bool = False
    bom: bool = False
    done: bool = False
    blank_end: bool = True
    ping: str | None = None
    every: float | None = None
