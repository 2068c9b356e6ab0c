"""The steps that a reply consists of."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    "HopEnd",
    "Parts",
    "Pause",
    "Raw",
    "Reset",
    "Stall",
    "Step",
    "step",
]


EVENT_STREAM = "text/event-stream"
JSON = "application/json; charset=UTF-8"
HTML = "text/html; charset=utf-8"


class Auto(Enum):
    """The default of options for which None has a meaning."""

    AUTO = "auto"


AUTO = Auto.AUTO


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one chunk; finish reason, usage and ids are added."""

    parts: tuple[JSONObject, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A whole chunk, sent unchanged."""

    body: JSONObject


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes, sent unchanged."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Error:
    """An error in mid-stream: an event, or pretty-printed JSON between events if `bare`."""

    status: int
    body: JSONObject
    bare: bool


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing for some seconds."""

    seconds: float


class Stall:
    """Nothing until resumed."""


class Reset:
    """A reset of the connection."""


class End:
    """A clean end of the body."""


class HopEnd:
    """The end of a hop of a long answer: what follows is the reply to the next request."""


Step: TypeAlias = Parts | Chunk | Raw | Error | Pause | Stall | Reset | End | HopEnd

# Fields that only a whole chunk has, never a part.
_CHUNK_FIELDS = frozenset(
    {
        "candidates",
        "createTime",
        "error",
        "modelStatus",
        "modelVersion",
        "promptFeedback",
        "responseId",
        "usageMetadata",
    }
)


def step(item: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Parts | Chunk:
    """Return the step for a part, a list of parts, or a whole chunk, as a copy."""
    if not isinstance(item, Mapping):
        return Parts(tuple(deepcopy(dict(part)) for part in item))
    body = deepcopy(dict(item))
    if not body or not _CHUNK_FIELDS.isdisjoint(body):
        return Chunk(body)
    return Parts((body,))


@dataclass(frozen=True, slots=True)
class Framing:
    """How events are written; see `Reply.framed` and `Reply.pings` for the fields."""

    newline: str = "\n"
    space: bool = True
    pretty: bool = False
    bom: bool = False
    done: bool = False
    blank_end: bool = True
    ping: str | None = None
    every: float | None = None
