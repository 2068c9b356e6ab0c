"""Contents as the caller gives them (text, parts, contents, dicts, lists), converted to turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

from msgspec.structs import replace

from cometgem.errors import ConfigurationError
from cometgem.request.keys import to_wire
from cometgem.request.other_sdks import check_content_key, check_role
from cometgem.types.content import Content, Part

if TYPE_CHECKING:
    from cometgem.types.dicts import ContentDict, PartDict
else:  # not imported: making the TypedDicts takes about 10 ms
    ContentDict = PartDict = Mapping[str, Any]

__all__ = ["Contents", "contents_to_wire", "instruction_to_wire"]

Turn: TypeAlias = str | PathLike[str] | Part | Content | PartDict | ContentDict
Contents: TypeAlias = Turn | Sequence[Turn]
"""What ``contents`` may be. A ``Path`` is a file that is read immediately, as ``Part.from_file``
does. For a type checker, a dict in a variable is a ``ContentDict`` or a ``PartDict`` of
``cometgem.types.dicts``."""

_EXPECTED = "a str, a Path, a Part, a Content, a dict in wire form, or a list of these"


def contents_to_wire(contents: Contents, name: str = "contents") -> list[Any]:
    """Return the turns of a conversation; adjacent texts and parts become one user turn.

    Args:
        contents: Text, files, parts, turns, or a list of these.
        name: The name of the argument, for the error message.

    Raises:
        ConfigurationError: It is empty, of another type, a file that cannot be read, or has a role
            or key of another SDK.
    """
    turns: list[Any] = []
    user_parts: list[Any] = []  # of the user turn that is being collected
    for where, item in _items(contents, name):
        if not _is_content(item):
            if not user_parts:
                turns.append({"role": "user", "parts": user_parts})
            user_parts.append(_part(item, where))
            continue
        user_parts = []
        check_role(item, where)
        turns.append(_content(item, where))
    return turns


def instruction_to_wire(instruction: Contents) -> Any:
    """Return a system instruction: one content, without a role.

    Raises:
        ConfigurationError: It is empty, of another type, or has a key of another SDK.
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


def _items(contents: Contents, name: str) -> list[tuple[str, Turn]]:
    if isinstance(contents, (str, PathLike, Part, Content, Mapping)):
        return [(name, contents)]
    if not isinstance(contents, (list, tuple)):
        raise ConfigurationError(f"{name} must be {_EXPECTED}, got {type(contents).__name__}")
    if not contents:
        raise ConfigurationError(f"{name} is an empty list: give at least one text or part")
    return [(f"{name}[{at}]", item) for at, item in enumerate(contents)]


def _is_content(item: Turn) -> TypeGuard[Content | Mapping[str, Any]]:
    return isinstance(item, Content) or (
        isinstance(item, Mapping) and ("parts" in item or "role" in item)
    )


def _content(item: Any, where: str) -> Any:
    content = to_wire(item, Content, where)
    if isinstance(content, Content):
        content = content if content.role else replace(content, role="user")
        parts: Sequence[object] = content.parts
    else:
        check_content_key(content, where)
        content |= {"role": content.get("role") or "user"}
        parts = content.get("parts", ())
    if not parts:
        raise ConfigurationError(f"{where} has no parts: give it at least one")
    return content


def _part(item: Any, where: str) -> Any:
    if isinstance(item, str):
        if not item.strip():
            raise ConfigurationError(f"{where} is blank: give it some text")
        return {"text": item}
    if isinstance(item, PathLike):
        return _file(item, where)
    if not isinstance(item, (Part, Mapping)):
        raise ConfigurationError(f"{where} must be {_EXPECTED}, got {type(item).__name__}")
    part = to_wire(item, Part, where)
    if part in ({}, Part()):
        raise ConfigurationError(f"{where} is an empty part: set its text or another field")
    return part


def _file(path: PathLike[str], where: str) -> Part:
    try:
        return Part.from_file(path)
    except OSError as error:
        raise ConfigurationError(f"{where} is a file that cannot be read: {error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{where} is a file that cannot be sent: {error}") from error
