"""The classes of an answer's type in a pickle.

Engines pickle the classes of a script or a notebook by value, with cloudpickle, which builds them
anew from their attributes. TypedDicts, enums and models of pydantic survive that. A msgspec struct
has no fields then, so that any answer would fit; a dataclass cannot be decoded any more.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, get_args, get_origin, get_type_hints

import msgspec

from cometgem.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_pickled_type", "make_picklable"]

# What msgspec knows of a class, which it keeps in the class, and which cannot be pickled.
_CACHE = "__msgspec_cache__"


def check_pickled_type(annotation: Any) -> None:
    """Check that the classes in a type are as they were defined.

    Raises:
        ConfigurationError: One is not.
    """
    for kind, hints in _classes(annotation):
        if _has_lost_fields(kind, hints) or _has_another_mark(kind):
            raise ConfigurationError(
                f"response_type: the class {kind.__name__} was changed when it was pickled, as"
                " structs and dataclasses of a script or notebook are: define it in a module that"
                " the workers can import, or as a TypedDict"
            )


def make_picklable(annotation: Any) -> None:
    """Take from the classes in a type what cannot be pickled, and what msgspec makes anew."""
    for kind, _ in _classes(annotation):
        if _CACHE in vars(kind):
            delattr(kind, _CACHE)


def _classes(annotation: Any) -> Iterator[tuple[type, dict[str, Any]]]:
    """Yield each class in a type, with the types of its fields."""
    todo, seen = [annotation], set()
    while todo:
        one = todo.pop()
        todo += get_args(one)
        if not isinstance(one, type) or one in seen:
            continue
        seen.add(one)
        try:
            hints = get_type_hints(one, include_extras=True)
        except Exception:  # noqa: BLE001  whoever makes the schema says what is wrong with it
            hints = {}
        todo += hints.values()
        yield one, hints


def _has_lost_fields(kind: type, hints: dict[str, Any]) -> bool:
    if not issubclass(kind, msgspec.Struct):
        return False
    fields = {name for name, hint in hints.items() if ClassVar not in (hint, get_origin(hint))}
    return not fields.issubset(kind.__struct_fields__)


def _has_another_mark(kind: type) -> bool:
    """Return whether the defaults of a dataclass have a copy of the mark for no default."""
    if not dataclasses.is_dataclass(kind):
        return False
    missing = dataclasses.MISSING
    return any(
        type(field.default).__name__ == type(missing).__name__ and field.default is not missing
        for field in dataclasses.fields(kind)
    )
