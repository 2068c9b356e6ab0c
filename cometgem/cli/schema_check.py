"""Whether a JSON value fits a JSON schema, as far as ``cometgem generate --schema`` promises.

No package for JSON Schema is a dependency. What is checked here is what models get wrong: types,
fields, alternatives and limits. Not checked are ``pattern``, ``format``, ``uniqueItems`` and
conditions such as ``not`` and ``if``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SchemaMismatchError", "check", "referred"]

_Path = tuple[str | int, ...]

_EXACT = 1e-9


def _is_multiple(value: float, step: float) -> bool:
    if isinstance(value, int) and isinstance(step, int):
        return not step or value % step == 0
    quotient = value / step if step else 0.0
    # 0.3 is a multiple of 0.1, although not in binary.
    return quotient - quotient // 1 < _EXACT or quotient // 1 + 1 - quotient < _EXACT


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value == value // 1,
    "null": lambda value: value is None,
    "number": _is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}

# A keyword, what it applies to, whether a value satisfies it, and what is said otherwise.
_LIMITS: tuple[tuple[str, str, Callable[[Any, Any], bool], str], ...] = (
    ("minimum", "number", lambda value, limit: value >= limit, "must be at least"),
    ("maximum", "number", lambda value, limit: value <= limit, "must be at most"),
    ("exclusiveMinimum", "number", lambda value, limit: value > limit, "must be greater than"),
    ("exclusiveMaximum", "number", lambda value, limit: value < limit, "must be less than"),
    ("multipleOf", "number", _is_multiple, "must be a multiple of"),
    ("minLength", "string", lambda value, limit: len(value) >= limit, "must have a length from"),
    ("maxLength", "string", lambda value, limit: len(value) <= limit, "must have a length up to"),
    ("minItems", "array", lambda value, limit: len(value) >= limit, "must have a length from"),
    ("maxItems", "array", lambda value, limit: len(value) <= limit, "must have a length up to"),
)


class SchemaMismatchError(ValueError):
    """A value does not fit; has the form of pydantic's errors.

    Attributes:
        path: The keys and indices that lead to the value.
    """

    def __init__(self, message: str, path: _Path) -> None:
        super().__init__(message)
        self.path: _Path = path

    def errors(self) -> list[dict[str, object]]:
        """Return what does not fit, and where."""
        return [{"msg": str(self), "loc": self.path, "type": "schema"}]


def check(value: Any, schema: Any, root: Mapping[str, Any], path: _Path = ()) -> None:
    """Check a value.

    Args:
        value: Plain JSON values.
        schema: What the value must fit.
        root: The schema that references refer into.
        path: Where the value stands.

    Raises:
        SchemaMismatchError: It does not fit.
    """
    if schema is False:
        _fail("is not allowed", path)
    if not isinstance(schema, Mapping):
        return
    if isinstance(schema.get("$ref"), str):
        check(value, referred(schema, root), root, path)
    _check_type(value, schema, path)
    for keyword, kind, fits, words in _LIMITS:
        limit = schema.get(keyword)
        if _is_number(limit) and _TYPES[kind](value) and not fits(value, limit):
            _fail(f"{words} {limit}", path)
    _check_alternatives(value, schema, root, path)
    if isinstance(value, dict):
        _check_object(value, schema, root, path)
    if isinstance(value, list):
        _check_list(value, schema, root, path)


def referred(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """Return what ``$ref`` of a schema refers to.

    Raises:
        KeyError: It is nowhere.
    """
    reference = str(schema["$ref"])
    if reference == "#":
        return root
    place: Any = root
    for key in reference.removeprefix("#/").split("/"):
        if not isinstance(place, Mapping):
            raise KeyError(reference)
        place = place[key.replace("~1", "/").replace("~0", "~")]
    return place


def _check_type(value: Any, schema: Mapping[str, Any], path: _Path) -> None:
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else _list(schema, "type")
    known = [kind for kind in kinds if kind in _TYPES]
    if known and not any(_TYPES[kind](value) for kind in known):
        _fail(f"expected {' or '.join(known)}, got {_kind_of(value)}", path)
    allowed = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(allowed, list) and not any(_same(value, one) for one in allowed):
        _fail("is not one of the values that are allowed", path)


def _check_alternatives(
    value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], path: _Path
) -> None:
    for one in _list(schema, "allOf"):
        check(value, one, root, path)
    for keyword in ("anyOf", "oneOf"):
        alternatives = _list(schema, keyword)
        mismatches: list[SchemaMismatchError] = []
        for one in alternatives:
            try:
                check(value, one, root, path)
            except SchemaMismatchError as error:
                mismatches.append(error)
        fitting = len(alternatives) - len(mismatches)
        if not fitting and mismatches:
            # That of the alternative that fits furthest says most.
            raise max(mismatches, key=lambda error: len(error.path))
        if keyword == "oneOf" and fitting > 1:
            _fail(f"fits {fitting} alternatives of which exactly one must fit", path)


def _check_object(
    value: dict[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], path: _Path
) -> None:
    for name in _list(schema, "required"):
        if name not in value:
            _fail(f"has no field {name!r}", path)
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        properties = {}
    for name, one in value.items():
        if name in properties:
            check(one, properties[name], root, (*path, name))
        elif not schema.get("patternProperties"):
            check(one, schema.get("additionalProperties"), root, (*path, name))


def _check_list(
    value: list[Any], schema: Mapping[str, Any], root: Mapping[str, Any], path: _Path
) -> None:
    first = _list(schema, "prefixItems")
    for at, one in enumerate(value):
        check(one, first[at] if at < len(first) else schema.get("items"), root, (*path, at))


def _list(schema: Mapping[str, Any], keyword: str) -> list[Any]:
    """Return the value of a keyword, or an empty list if it is not as it should be."""
    value = schema.get(keyword)
    return value if isinstance(value, list) else []


def _kind_of(value: object) -> str:
    return next(name for name, fits in _TYPES.items() if fits(value) and name != "integer")


def _same(value: Any, other: Any) -> bool:
    """Return whether two values are equal in JSON, where 1 is 1.0, but not true."""
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(_same, value, other))
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(_same(value[key], other[key]) for key in value)
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def _fail(message: str, path: _Path) -> NoReturn:
    raise SchemaMismatchError(message, path)
