"""Thought signatures of a history that does not come from the model it is sent to.

Gemini 3 and later refuse a function call of the current turn without the signature that the model
gave it. Calls that another model made, or a person wrote, have none, or one that the model cannot
read. https://ai.google.dev/gemini-api/docs/thought-signatures documents a dummy for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from msgspec.structs import replace

from cometgem.errors import ConfigurationError
from cometgem.request.arguments import shown
from cometgem.types.content import Content, Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cometgem.request.contents import Contents, Turn

__all__ = ["ForeignHistory", "check_foreign_history", "skip_missing_signatures", "strip_signatures"]

ForeignHistory: TypeAlias = Literal["skip"]
"""What to do with function calls in the history that have no thought signature."""

_SKIP = "skip_thought_signature_validator"
_KEYS = ("thoughtSignature", "thought_signature")


def check_foreign_history(value: object) -> None:
    """Check the option ``foreign_history``.

    Raises:
        ConfigurationError: It is neither "skip" nor None.
    """
    if value is not None and not (isinstance(value, str) and value == "skip"):
        raise ConfigurationError(f"foreign_history={shown(value)} must be 'skip', or None")


def skip_missing_signatures(turns: list[Any]) -> list[Any]:
    """Return the turns with the documented dummy where a signature is missing.

    Only the first call of a turn of the model needs one: calls that are made in parallel share it.

    Args:
        turns: Contents in wire form: structs, or dicts in camelCase. They are not modified.
    """
    return [_with_dummy(turn) for turn in turns]


@overload
def strip_signatures(contents: Sequence[Content]) -> list[Content]: ...
@overload
def strip_signatures(contents: Contents) -> list[Turn]: ...
def strip_signatures(contents: Any) -> list[Any]:
    """Return a copy of a history without any thought signature.

    A model cannot read the signatures of another one, so a history that moves to another model, or
    to another provider, is better sent without them. Function calls then need
    ``foreign_history="skip"`` with Gemini 3 and later.

    Parts that hold nothing but a signature are left out, and so are turns that hold nothing but
    such parts. The given turns are not modified; what they contain is shared with the copy.

    Args:
        contents: A history such as ``chat.history``, in the forms of ``contents``.

    Raises:
        ConfigurationError: It is not in one of these forms.
    """
    if isinstance(contents, (str, Part, Content, Mapping)):
        contents = [contents]
    if not isinstance(contents, (list, tuple)):
        raise ConfigurationError(
            f"contents must be a list of turns, such as chat.history, got {type(contents).__name__}"
        )
    stripped = [_stripped(item, f"contents[{at}]") for at, item in enumerate(contents)]
    return [item for item in stripped if item is not None]


def _with_dummy(turn: Any) -> Any:
    if _get(turn, "role") != "model":
        return turn
    parts = list(_get(turn, "parts") or ())
    for at, part in enumerate(parts):
        if _get(part, "functionCall", "function_call") is None:
            continue
        if _get(part, *_KEYS):
            return turn
        if isinstance(part, Part):
            parts[at] = replace(part, thought_signature=_SKIP)
        else:
            parts[at] = part | {"thoughtSignature": _SKIP}
        return _with_parts(turn, parts)
    return turn


def _stripped(item: Any, where: str) -> Any:
    """Return a turn or a part without signatures; None if it held nothing else."""
    if isinstance(item, str):
        return item
    if not isinstance(item, (Part, Content, Mapping)):
        raise ConfigurationError(
            f"{where} must be a str, a Part, a Content or a dict, got {type(item).__name__}"
        )
    if isinstance(item, Part) or (isinstance(item, Mapping) and not {"parts", "role"} & {*item}):
        return _stripped_part(item)
    given = _get(item, "parts")
    if not isinstance(given, (list, tuple)):
        return item
    parts = [_stripped(part, f"{where}.parts[{at}]") for at, part in enumerate(given)]
    kept = [part for part in parts if part is not None]
    return _with_parts(item, kept) if kept or not given else None


def _stripped_part(part: Any) -> Any:
    if _get(part, *_KEYS) is None:
        return part
    if isinstance(part, Part):
        rest: Any = replace(part, thought_signature=None)
        return None if rest in (Part(), Part(text="")) else rest
    rest = {key: value for key, value in part.items() if key not in _KEYS}
    return None if rest in ({}, {"text": ""}) else rest


def _with_parts(turn: Any, parts: list[Any]) -> Any:
    if isinstance(turn, Content):
        return replace(turn, parts=parts)
    return {**turn, "parts": parts}


def _get(value: Any, *names: str) -> Any:
    """Return a field of a struct or of a dict, in one of its spellings."""
    if isinstance(value, Mapping):
        return next((value[name] for name in names if value.get(name) is not None), None)
    return getattr(value, names[-1], None)
