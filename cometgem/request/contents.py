"""What a caller may say, as turns: text, parts, contents, dicts, or a list of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec.structs import replace

from cometgem.errors import ConfigurationError
from cometgem.request.keys import to_wire
from cometgem.types.content import Content, Part

if TYPE_CHECKING:
    from cometgem.types.dicts import ContentDict, PartDict
else:  # not imported: making the TypedDicts takes about 10 ms
    ContentDict = PartDict = Mapping[str, Any]

__all__ = ["Contents", "contents_to_wire", "instruction_to_wire"]

Turn: TypeAlias = str | Part | Content | PartDict | ContentDict
Contents: TypeAlias = Turn | Sequence[Turn]
"""What ``contents`` may be. For a type checker, a dict in a variable is a ``ContentDict`` or a
``PartDict`` of ``cometgem.types.dicts``."""

_WANTED = "a str, a Part, a Content, a dict in wire form, or a list of these"


def contents_to_wire(contents: Contents, name: str = "contents") -> list[Any]:
    """Return the turns of a conversation; adjacent parts become one turn of the user.

    Args:
        contents: What is said.
        name: The argument's, for the error.

    Raises:
        ConfigurationError: Nothing is said, or it is of another type.
    """
    turns: list[Any] = []
    spoken: list[Any] = []  # parts of the user's turn in the making
    for where, item in _items(contents, name):
        if not _is_content(item):
            if not spoken:
                turns.append({"role": "user", "parts": spoken})
            spoken.append(_part(item, where))
            continue
        spoken = []
        turns.append(_content(item, where))
    return turns


def instruction_to_wire(instruction: Contents) -> Any:
    """Return a system instruction: one content, without a role.

    Raises:
        ConfigurationError: Nothing is said, or it is of another type.
    """
    parts: list[Any] = []
    newer: dict[str, Any] = {}
    for where, item in _items(instruction, "system_instruction"):
        if not _is_content(item):
            parts.append(_part(item, where))
        elif isinstance(content := _content(item, where), Content):
            parts += content.parts
        else:
            parts += content.pop("parts")
            newer |= content
    newer.pop("role", None)
    return {"parts": parts} | newer


def _items(said: Contents, name: str) -> list[tuple[str, Turn]]:
    if isinstance(said, (str, Part, Content, Mapping)):
        return [(name, said)]
    if not isinstance(said, (list, tuple)):
        raise ConfigurationError(f"{name} must be {_WANTED}, got {type(said).__name__}")
    if not said:
        raise ConfigurationError(f"{name} is an empty list: say something")
    return [(f"{name}[{at}]", item) for at, item in enumerate(said)]


def _is_content(item: Turn) -> bool:
    return isinstance(item, Content) or (
        isinstance(item, Mapping) and ("parts" in item or "role" in item)
    )


def _content(item: Any, where: str) -> Any:
    content = to_wire(item, Content, where)
    if isinstance(content, Content):
        content = content if content.role else replace(content, role="user")
        parts: Sequence[object] = content.parts
    else:
        content |= {"role": content.get("role") or "user"}
        parts = content.get("parts", ())
    if not parts:
        raise ConfigurationError(f"{where} has no parts: give it at least one")
    return content


def _part(item: Any, where: str) -> Any:
    if isinstance(item, str):
        if not item.strip():
            raise ConfigurationError(f"{where} is an empty text: say something")
        return {"text": item}
    if not isinstance(item, (Part, Mapping)):
        raise ConfigurationError(f"{where} must be {_WANTED}, got {type(item).__name__}")
    part = to_wire(item, Part, where)
    if part in ({}, Part()):
        raise ConfigurationError(f"{where} is an empty part: give it a text or something else")
    return part
