"""Makes up a JSON value that fits a schema. No I/O.

Schemas come in the forms that the API takes: JSON Schema, and the subset of OpenAPI with upper-case
types and `nullable`.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cometgem.testing.bodies import JSONObject

__all__ = ["Sampler"]

_ITEMS = 2  # of an array without limits
_DEEP = 4  # levels, from which on such an array has one item
_DEEPEST = 50  # levels
_MOST = 10_000  # values; definitions that refer to each other twice would double on every level

_FORMATS = {
    "date": "2061-07-28",
    "date-time": "2061-07-28T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT76H",
    "email": "halley@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/comet",
    "url": "https://example.com/comet",
    "uuid": "1f0a9b1c-6d3e-4a57-8c21-5b9e4d2a7f60",
    "byte": "Y29tZXQ=",
}


class _CannotEndError(Exception):
    """The schema leads back into itself, is too deep, or its values are too many."""


class Sampler:
    """Makes up values for one schema.

    Args:
        root: The schema that `$ref` refers into.
        text: What a string without other hints is; None makes it the name of its property.
        optional: Whether properties that are not required are written.
    """

    def __init__(self, root: JSONObject, *, text: str | None = None, optional: bool = True) -> None:
        self._root = root
        self._text = text
        self._optional = optional
        self._refs: list[str] = []
        self._depth = 0
        self._values = 0

    def value(self) -> Any:
        """Return a value, or None if no finite value fits."""
        try:
            return self._of(self._root, "", 0)
        except _CannotEndError:
            return None

    def _of(self, schema: Any, name: str, number: int) -> Any:
        """Return a value for a schema.

        Args:
            schema: The schema.
            name: The property that has the value.
            number: The place of the value in its array.
        """
        if not isinstance(schema, dict):  # True fits everything
            return self._string({}, name, number)
        self._depth += 1
        self._values += 1
        try:
            return self._any(schema, name, number)
        except _CannotEndError:
            if schema.get("nullable"):
                return None
            raise
        finally:
            self._depth -= 1

    def _any(self, schema: JSONObject, name: str, number: int) -> Any:
        if self._depth > _DEEPEST or self._values > _MOST or schema.get("$ref") in self._refs:
            raise _CannotEndError
        if isinstance(ref := schema.get("$ref"), str):
            self._refs.append(ref)
            try:
                return self._of(self._resolved(ref), name, number)
            finally:
                self._refs.pop()
        for key in ("const", "example", "default"):
            if key in schema:
                return schema[key]
        if isinstance(values := schema.get("enum"), list) and values:
            return values[number % len(values)]
        if isinstance(some := schema.get("anyOf") or schema.get("oneOf"), list):
            return self._one_of(schema, some, name, number)
        if isinstance(every := schema.get("allOf"), list):
            schema = self._all_of(schema, every)
        return self._typed(schema, name, number)

    def _one_of(self, schema: JSONObject, some: list[Any], name: str, number: int) -> Any:
        around = {key: value for key, value in schema.items() if key not in {"anyOf", "oneOf"}}
        # Any other value says more than null.
        for one in sorted(some, key=lambda one: _type(one) == "null"):
            merged = {**around, **one} if isinstance(one, dict) and "$ref" not in one else one
            try:
                return self._of(merged, name, number)
            except _CannotEndError:
                continue
        raise _CannotEndError

    def _all_of(self, schema: JSONObject, every: list[Any]) -> JSONObject:
        merged: JSONObject = {}
        for one in [schema, *every]:
            if isinstance(one, dict) and isinstance(ref := one.get("$ref"), str):
                one = self._resolved(ref)  # noqa: PLW2901
            if isinstance(one, dict):
                properties = {**merged.get("properties", {}), **one.get("properties", {})}
                required = [*merged.get("required", []), *one.get("required", [])]
                merged |= {**one, "properties": properties, "required": required}
        merged.pop("allOf", None)
        return merged if merged.get("properties") else _without(merged, "properties", "required")

    def _typed(self, schema: JSONObject, name: str, number: int) -> Any:
        match _type(schema):
            case "object":
                return dict(self._properties(schema))
            case "array":
                return list(self._items(schema, name))
            case "integer" | "number" as kind:
                return _number(schema, whole=kind == "integer")
            case "boolean" | "null" as kind:
                return True if kind == "boolean" else None
            case _:
                return self._string(schema, name, number)

    def _properties(self, schema: JSONObject) -> Iterator[tuple[str, Any]]:
        """Required properties come first, in the order of `required`, as the API writes them."""
        properties = _object(schema.get("properties"))
        required = [one for one in schema.get("required") or [] if isinstance(one, str)]
        order = [one for one in schema.get("propertyOrdering") or [] if one in properties]
        for one in dict.fromkeys([*required, *order, *properties]):
            if one not in required and not self._optional:
                continue
            try:
                yield one, self._of(properties.get(one, True), one, 0)
            except _CannotEndError:
                if one in required:
                    raise
        extra = schema.get("additionalProperties")
        if not properties and isinstance(extra, dict):
            yield "key", self._of(extra, "value", 0)

    def _items(self, schema: JSONObject, name: str) -> Iterator[Any]:
        least, most = schema.get("minItems"), schema.get("maxItems")
        least = int(least or 0)  # the API's own schemas write it as a string
        usual = _ITEMS if self._depth < _DEEP else 1
        count = max(least, usual if most is None else min(usual, int(most)))
        first = schema.get("prefixItems")
        first = first if isinstance(first, list) else []
        rest = schema.get("items", not first)
        if first:
            count = max(least, len(first))
        for number in range(count):
            one = first[number] if number < len(first) else rest
            if one is False:
                return
            try:
                yield self._of(one, _singular(name), number)
            except _CannotEndError:
                if number < max(least, len(first)):
                    raise
                return

    def _string(self, schema: JSONObject, name: str, number: int) -> str:
        if (known := _FORMATS.get(str(schema.get("format")))) is not None:
            return known
        words = self._text if self._text is not None else _words(name) or "text"
        if number:
            words = f"{words} {number + 1}"
        least, most = schema.get("minLength"), schema.get("maxLength")
        words = words.ljust(int(least or 0), ".")
        return words if most is None else words[: int(most)]

    def _resolved(self, ref: str) -> Any:
        """Return what a `$ref` refers to: "#/$defs/Comet", "#", or the name of an `$anchor`."""
        pointer = unquote(ref.removeprefix("#"))
        if pointer and not pointer.startswith("/"):
            return next(_anchored(self._root, pointer), {})
        found: Any = self._root
        for key in pointer.split("/")[1:]:
            key = key.replace("~1", "/").replace("~0", "~")  # noqa: PLW2901
            if isinstance(found, list) and key.isdigit() and int(key) < len(found):
                found = found[int(key)]
            else:
                found = _object(found).get(key, {})
        return found


def _anchored(schema: Any, name: str) -> Iterator[Any]:
    if isinstance(schema, dict):
        if schema.get("$anchor") == name or schema.get("$id") == name:
            yield schema
        for value in schema.values():
            yield from _anchored(value, name)
    elif isinstance(schema, list):
        for value in schema:
            yield from _anchored(value, name)


def _type(schema: Any) -> str:
    schema = _object(schema)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind.lower()
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "string"


def _number(schema: JSONObject, *, whole: bool) -> float:
    """Return a number near 1 that is within the limits."""
    low, is_above = _limit(schema, "minimum", "exclusiveMinimum", -math.inf)
    high, is_below = _limit(schema, "maximum", "exclusiveMaximum", math.inf)
    value = min(max(1 if whole else 1.5, low), high)
    if whole:
        value = math.floor(value) if value == high else math.ceil(value)
    if (is_above and value <= low) or (is_below and value >= high):
        step = 1 if whole or math.isinf(high - low) else (high - low) / 2
        value = low + step if is_above and value <= low else high - step
    if multiple := schema.get("multipleOf"):
        value = math.ceil(value / multiple) * multiple
    return int(value) if whole else value


def _limit(schema: JSONObject, closed: str, opened: str, default: float) -> tuple[float, bool]:
    """Return a limit and whether it is exclusive; True is OpenAPI's way to say so."""
    value, other = schema.get(closed), schema.get(opened)
    if isinstance(other, int | float) and not isinstance(other, bool):
        return other, True
    if isinstance(value, int | float):
        return value, other is True
    return default, False


def _words(name: str) -> str:
    """Return the name of a property in words: "publication date" for "publicationDate"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[_\-.]+", " ", name).strip().lower()


def _singular(name: str) -> str:
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def _object(value: Any) -> JSONObject:
    return value if isinstance(value, dict) else {}


def _without(value: JSONObject, *names: str) -> JSONObject:
    return {name: one for name, one in value.items() if name not in names}
