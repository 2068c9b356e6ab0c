"""The schema that `cometgem generate --schema` sends, and what the answer is checked against."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from cometgem.cli.files import path_of, reason
from cometgem.cli.schema_check import check, referred
from cometgem.cli.sentences import UsageError
from cometgem.request.schema_subset import to_subset
from cometgem.types.nesting import deep_copy

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AnswerSchema", "list_in", "read_schema"]


class AnswerSchema:
    """A JSON schema in the place of a type: answers are checked, and stay the JSON that they are.

    Args:
        schema: The schema.
        root: The schema that its references refer into.
        name: The name of its file.
    """

    def __init__(self, schema: Mapping[str, Any], root: Mapping[str, Any], name: str) -> None:
        self.schema: Mapping[str, Any] = schema
        self.root: Mapping[str, Any] = root
        self.name: str = name

    def __repr__(self) -> str:
        return self.name

    def validate_json(self, data: str | bytes | bytearray, /) -> bytes:
        """Return the JSON, unchanged.

        Raises:
            ValueError: It does not fit, or is not JSON.
        """
        text = data if isinstance(data, str) else data.decode()
        self.validate_python(json.loads(text, parse_constant=_not_json))
        return text.encode()

    def validate_python(self, value: Any, /) -> bytes:
        """Check a value.

        Raises:
            ValueError: It does not fit.
        """
        check(value, self.schema, self.root)
        return b""

    def json_schema(self) -> dict[str, Any]:
        """Return the schema as it can be sent."""
        definitions = {key: self.root[key] for key in ("$defs", "definitions") if key in self.root}
        sent: dict[str, Any] = deep_copy(to_subset({**definitions, **self.schema}))
        return sent


def read_schema(name: str) -> AnswerSchema:
    """Read a file that holds a JSON schema.

    Raises:
        UsageError: There is no such file, or it does not hold a JSON schema that can be sent.
    """
    try:
        data = path_of(name).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {name!r} ({reason(error)})") from error
    try:
        schema = json.loads(data.decode("utf-8-sig"), parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        raise _not_valid(name, f"it is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise _not_valid(name, "a schema is a JSON object")
    for node in _nodes(schema):
        reference = node.get("$ref")
        if not isinstance(reference, str):
            continue
        if not reference.startswith(("#/$defs/", "#/definitions/")):
            raise _not_valid(name, f"it refers to {reference!r}, but only #/$defs can be sent")
        try:
            referred(node, schema)
        except KeyError:
            raise _not_valid(name, f"it refers to {reference!r}, which is not in it") from None
    return AnswerSchema(schema, schema, name)


def list_in(schema: AnswerSchema) -> tuple[str, AnswerSchema]:
    """Return the path to the list in an answer, "" if it is the answer, and that of its elements.

    Raises:
        UsageError: The schema has neither a list at its root nor exactly one property that is one.
    """
    whole = _resolved(schema.schema, schema.root)
    properties = whole.get("properties")
    lists = [("", whole)] if _is_list(whole) else []
    if not lists and isinstance(properties, Mapping):
        resolved = {name: _resolved(one, schema.root) for name, one in properties.items()}
        lists = [(name, one) for name, one in resolved.items() if _is_list(one)]
        if any(not name or "." in name for name, _ in lists):
            raise _not_valid(schema.name, "--items needs a list whose name has no dot")
    if len(lists) != 1:
        found = f"has {len(lists)} properties that are lists" if lists else "has no list"
        raise UsageError(
            f"--items needs a list at the root of the schema, or one property that is a list;"
            f" {schema.name!r} {found}",
            program="cometgem generate",
        )
    ((path, found_list),) = lists
    items = found_list.get("items")
    element = items if isinstance(items, Mapping) else {}
    return path, AnswerSchema(element, schema.root, schema.name)


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            yield one
            todo += one.values()
        elif isinstance(one, list):
            todo += one


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    seen: list[Any] = []
    while isinstance(schema, Mapping) and "$ref" in schema and schema not in seen:
        seen.append(schema)
        schema = referred(schema, root)
    return schema if isinstance(schema, Mapping) else {}


def _is_list(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type")
    return kinds == "array" or (isinstance(kinds, list) and "array" in kinds)


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _not_valid(name: str, why: str) -> UsageError:
    return UsageError(f"--schema {name!r} is not valid: {why}", program="cometgem generate")
