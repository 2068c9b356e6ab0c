"""What every wire struct has in common. No I/O; wire-faithful.

A struct has the wire's fields, in snake_case, and takes keyword arguments only. Fields that are
not set are not sent; 0, False and "" are sent when they are set. Fields and values newer than
this library are not errors: unknown keys are ignored, except that a part keeps them, and
enumerated values are plain strings.
"""

from functools import cache
from itertools import islice
from typing import Any

import msgspec

from cometgem.types.unknown import MARKER, UNKNOWN, inlined

__all__ = ["UNKNOWN", "Wire", "encode", "to_builtins"]

_write = msgspec.json.Encoder().encode

# Limits of a repr: enough to recognise a value, short enough for a log line or an assertion.
_TEXT = 200  # characters of one string
_ITEMS = 10  # of one list or dict
_DEPTH = 16  # structs, lists and dicts within each other
_TOTAL = 2000  # characters of the whole; bounds the cost, also of shared and cyclic values


def encode(value: Any) -> bytes:
    """Write any value as JSON in UTF-8, structs in wire form."""
    data = _write(value)
    return data if data.find(MARKER) < 0 else _write(inlined(value))  # find() is faster than `in`


def to_builtins(value: Any) -> Any:
    """Return any value as what ``json.dumps`` takes, structs in wire form."""
    return msgspec.to_builtins(inlined(value), str_keys=True)


# gc=False: JSON is a tree, so a decoded struct is never part of a cycle, and an untracked one
# costs the collector nothing, chunk after chunk. kw_only is not inherited: each struct says so.
class Wire(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    """A JSON object of the Gemini API.

    Its repr shows the fields that are set, shortened so that it fits a log line.
    """

    def __repr__(self) -> str:
        try:
            return _Repr().of(self)
        except Exception:  # noqa: BLE001  # a repr that raises hides the error being reported
            return f"{type(self).__name__}(...)"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that are set as the API's JSON object: camelCase keys, base64 bytes.

        The dict is made of types that ``json.dumps`` takes. Of the fields newer than the library,
        those of parts are in it; a chunk has the others in ``raw`` only.
        """
        fields: dict[str, Any] = to_builtins(self)
        return fields

    def to_json(self) -> str:
        """Return the fields that are set as the API's JSON: ``to_dict`` as a string.

        Of the fields newer than the library, those of parts are in it; a chunk has the others in
        ``raw`` only.
        """
        return encode(self).decode()


class _Repr:
    """One repr in the making: pieces, and how many characters may still be added."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._left = _TOTAL

    def of(self, value: object) -> str:
        self._add_value(value, 0)
        return "".join(self._pieces)

    def _add(self, piece: str) -> None:
        self._pieces.append(piece)
        self._left -= len(piece)

    def _add_value(self, value: Any, depth: int) -> None:
        if isinstance(value, bytes | bytearray):
            self._add(f"<{len(value):,} bytes>")
        elif type(value) is str:
            self._add(_shorten(value))
        elif not isinstance(value, Wire | list | tuple | dict):
            self._add(_plain_repr(value))
        elif depth >= _DEPTH or self._left <= 0:
            self._add("...")
        elif isinstance(value, Wire):
            named = [(f"{name}=", item) for name, item in _set_fields(value)]
            self._add_items(f"{type(value).__name__}(", named, len(named), ")", depth)
        elif isinstance(value, dict):
            some = [(f"{_shorten(key)}: ", value[key]) for key in islice(value, _ITEMS)]
            self._add_items("{", some, len(value), "}", depth)
        else:
            some = [("", item) for item in value[:_ITEMS]]
            if isinstance(value, list):
                self._add_items("[", some, len(value), "]", depth)
            else:
                self._add_items("(", some, len(value), ",)" if len(value) == 1 else ")", depth)

    def _add_items(
        self, opening: str, items: list[tuple[str, Any]], count: int, closing: str, depth: int
    ) -> None:
        self._add(opening)
        shown = 0
        for label, item in items:
            if self._left <= 0:
                break
            self._add(f", {label}" if shown else label)
            self._add_value(item, depth + 1)
            shown += 1
        if shown < count:
            self._add(f"{', ' if shown else ''}... {count - shown:,} more")
        self._add(closing)


def _set_fields(struct: Wire) -> list[tuple[str, Any]]:
    """Return the fields that differ from their defaults, with their values."""
    return [
        (name, value)
        for name, default in _defaults(type(struct))
        # The type first: `==` of a caller's own type may do anything.
        if type(value := getattr(struct, name)) is not type(default) or value != default
    ]


@cache
def _defaults(struct: type[Wire]) -> list[tuple[str, Any]]:
    return [
        (
            one.name,
            one.default if one.default_factory is msgspec.NODEFAULT else one.default_factory(),
        )
        for one in msgspec.structs.fields(struct)
    ]


def _shorten(value: object) -> str:
    if type(value) is not str:
        return _plain_repr(value)
    if len(value) <= _TEXT:
        return repr(value)
    return f"{value[:_TEXT]!r}... ({len(value):,} characters)"


def _plain_repr(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  # such as an int of more digits than Python writes
        return f"<{type(value).__name__}>"
    return text if len(text) <= _TEXT else f"{text[:_TEXT]}..."
