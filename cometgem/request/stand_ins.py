"""Types that take the place of those that msgspec cannot decode, in the form of pydantic models.

msgspec passes a type that it does not know to a hook, which asks the type for its schema and has
it decode. What a model of pydantic offers for that, these classes offer as well.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

__all__ = ["checked", "compared", "first_of", "is_model"]

_Hook: TypeAlias = Callable[[Any, Any], object]

_COMPARISONS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "gt": ("greater than", operator.gt),
    "ge": ("at least", operator.ge),
    "lt": ("less than", operator.lt),
    "le": ("at most", operator.le),
    "multiple_of": ("a multiple of", lambda value, factor: not value % factor),
}


def is_model(kind: object) -> bool:
    """Return whether a type decodes itself: a pydantic model or a stand-in."""
    return (
        isinstance(kind, type)
        and callable(getattr(kind, "model_validate", None))
        and callable(getattr(kind, "model_json_schema", None))
    )


def checked(inner: Any, test: Callable[[Any], object], complaint: str, hook: _Hook) -> Any:
    """Return a type that decodes as another does, and then tests the value."""

    def model_validate(value: object) -> object:
        decoded = _convert(value, inner, hook)
        if not test(decoded):
            raise ValueError(complaint)
        return decoded

    return _stand_in(model_validate, [inner])


def first_of(alternatives: list[Any], hook: _Hook) -> Any:
    """Return a type that decodes as the alternative that fits and knows most of the keys."""

    def model_validate(value: object) -> object:
        fitting, complaints = [], []
        for one in alternatives:
            try:
                fitting.append(_convert(value, one, hook))
            except msgspec.ValidationError as error:
                complaints.append(str(error))
        if not fitting:
            raise ValueError("; or ".join(complaints))
        return max(fitting, key=lambda one: len(getattr(one, "model_fields_set", ())))

    return _stand_in(model_validate, alternatives)


def compared(inner: Any, name: str, limit: Any, hook: _Hook) -> Any:
    """Return a type with a constraint: gt, ge, lt, le or multiple_of."""
    words, compare = _COMPARISONS[name]
    return checked(inner, lambda value: compare(value, limit), f"must be {words} {limit}", hook)


class _AcceptsAll(type):
    """The type of stand-ins: whatever a stand-in has decoded is of its type."""

    def __instancecheck__(cls, instance: object) -> bool:
        return True


def _stand_in(model_validate: Callable[[object], object], alternatives: list[Any]) -> Any:
    methods = {
        "model_validate": staticmethod(model_validate),
        "model_json_schema": staticmethod(lambda: _schema(alternatives)),
    }
    return _AcceptsAll("StandIn", (), methods)


def _schema(alternatives: list[Any]) -> dict[str, Any]:
    def of_model(kind: Any) -> dict[str, Any]:
        if not is_model(kind):
            raise NotImplementedError
        schema: dict[str, Any] = kind.model_json_schema()
        definitions.update(schema.pop("$defs", {}))
        return schema

    definitions: dict[str, Any] = {}
    schemas, more = msgspec.json.schema_components(
        alternatives, schema_hook=of_model, ref_template="#/$defs/{name}"
    )
    whole = schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}
    return {**whole, "$defs": {**definitions, **more}}


def _convert(value: object, kind: Any, hook: _Hook) -> object:
    """Decode strictly, or else leniently, as the arguments of a call are."""
    try:
        return msgspec.convert(value, kind, dec_hook=hook)
    except msgspec.ValidationError:
        return msgspec.convert(value, kind, dec_hook=hook, strict=False)
