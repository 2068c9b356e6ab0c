"""What the type of an answer means: the schema that is sent, and how the answer is decoded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    Protocol,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from msgspec.structs import replace

from cometgem.errors import ConfigurationError
from cometgem.request.annotations import decode, resolve
from cometgem.request.arguments import shown
from cometgem.request.keys import to_wire
from cometgem.request.openapi_schema import to_openapi
from cometgem.request.other_sdks import check_config_keys
from cometgem.request.schema import json_schema
from cometgem.request.stand_ins import adapted, is_model
from cometgem.types.generation import GenerationConfig
from cometgem.types.request import GenerateContentRequest

__all__ = ["ResponseType", "SchemaDialect", "TypeAdapterLike", "as_response_type", "check_dialect"]

SchemaDialect = Literal["json", "openapi"]
"""How a schema is sent: as ``responseJsonSchema``, or as ``responseSchema``."""

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

_JSON = "application/json"
# The keys of a generation config that define the format of the answer as well.
_FORMATS = ("responseSchema", "responseJsonSchema", "_responseJsonSchema", "responseFormat")
_LISTS = (list, tuple, set, frozenset, Sequence, Collection)


class TypeAdapterLike(Protocol[_T_co]):
    """An instance of pydantic's ``TypeAdapter``."""

    def validate_json(self, data: str | bytes | bytearray, /) -> _T_co:
        """Decode JSON."""
        ...

    def validate_python(self, value: Any, /) -> _T_co:
        """Decode plain JSON values."""
        ...

    def json_schema(self) -> dict[str, Any]:
        """Return the schema."""
        ...


class ResponseType(Generic[_T]):
    """A type that answers are decoded into.

    Args:
        annotation: Any type that msgspec can decode, a pydantic model, or a ``TypeAdapter``.

    Raises:
        ConfigurationError: The type cannot be expressed in JSON Schema.
    """

    def __init__(self, annotation: Any) -> None:
        self._annotation = annotation
        plain = isinstance(annotation, type) and not get_args(annotation)
        self._what = f"response_type={annotation.__name__ if plain else shown(annotation)}"
        kind = adapted(annotation) if _is_adapter(annotation) else annotation
        if isinstance(kind, (str, bytes, Mapping)) or kind is None:
            raise ConfigurationError(
                f"{self._what} is not a type: use a type such as list[Planet]; a JSON schema goes"
                " into generation_config={'response_json_schema': ...}"
            )
        recursive: dict[str, Any] = {}
        schema = json_schema(kind, recursive, self._what)
        orders = dict(_field_orders(kind))
        self._json = _ordered(schema, orders)
        for name, one in recursive.items():
            _check_recursion(one, name, self._what)
        if recursive:
            self._json["$defs"] = {name: _ordered(one, orders) for name, one in recursive.items()}
        self._decode = self._decoder(kind)

    def schema(self, dialect: SchemaDialect) -> dict[str, Any]:
        """Return the schema; do not change it.

        Raises:
            ConfigurationError: The dialect cannot express it.
        """
        return self._json if dialect == "json" else to_openapi(self._json, self._what)

    def decode(self, data: bytes) -> _T:
        """Decode JSON into the type.

        Raises:
            msgspec.DecodeError: It does not match.
            ValueError: It does not match, of a pydantic model.
            RecursionError: It is nested too deeply.
        """
        value: _T = self._decode(data)
        return value

    def element(self) -> ResponseType[Any]:
        """Return the type of the elements, if this is a list or the like.

        Raises:
            ConfigurationError: It is not.
        """
        kind = self._annotation
        while get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        arguments = get_args(kind)
        alike = len(arguments) == 1 or (len(arguments) == 2 and arguments[1] is ...)  # noqa: PLR2004
        if get_origin(kind) not in _LISTS or not alike:
            raise ConfigurationError(
                f"items() needs a list, and {self._what} is not one: give the path to a list and"
                " the type of its elements, as in items('planets', Planet)"
            )
        return as_response_type(arguments[0])

    def add_to(self, config: Any, extra: Any, dialect: SchemaDialect) -> Any:
        """Return a generation config that asks for this type.

        Args:
            config: The caller's, as a struct or a dict, or None.
            extra: The caller's ``extra_body``, which must not define a format of its own.
            dialect: How the schema is sent.

        Raises:
            ConfigurationError: The format of the answer is defined already.
        """
        if isinstance(extra, Mapping):
            more = to_wire(extra, GenerateContentRequest, "extra_body").get("generationConfig")
            if isinstance(more, GenerationConfig):
                more = more.to_dict()
            if isinstance(more, Mapping):
                _check_free(more, "extra_body")
        key = "response_json_schema" if dialect == "json" else "response_schema"
        schema = self.schema(dialect)
        if config is None:
            config = GenerationConfig()
        check_config_keys(config)
        config = to_wire(config, GenerationConfig, "generation_config")
        if isinstance(config, GenerationConfig):
            _check_free(config.to_dict(), "generation_config")
            return replace(config, response_mime_type=_JSON, **{key: schema})
        _check_free(config, "generation_config")
        camel = "responseJsonSchema" if dialect == "json" else "responseSchema"
        return {**config, "responseMimeType": _JSON, camel: schema}

    def _decoder(self, kind: Any) -> Any:
        if is_model(kind) and callable(getattr(kind, "model_validate_json", None)):
            return kind.model_validate_json
        return msgspec.json.Decoder(resolve(kind), dec_hook=decode).decode


def as_response_type(annotation: Any) -> ResponseType[Any]:
    """Return what a type means, which is worked out once for each type.

    Raises:
        ConfigurationError: The type cannot be expressed in JSON Schema.
    """
    try:
        return _remembered(annotation)
    except TypeError:  # not hashable, such as a Literal or Annotated with a list in it
        return ResponseType(annotation)


@lru_cache(maxsize=64)
def _remembered(annotation: Any) -> ResponseType[Any]:
    return ResponseType(annotation)


def check_dialect(dialect: object) -> SchemaDialect:
    """Return the dialect.

    Raises:
        ConfigurationError: There is no such dialect.
    """
    if dialect == "json":
        return "json"
    if dialect == "openapi":
        return "openapi"
    raise ConfigurationError(
        f"schema_dialect={shown(dialect)} is not valid; use 'json' or 'openapi'"
    )


def _is_adapter(annotation: object) -> bool:
    return not isinstance(annotation, type) and all(
        callable(getattr(annotation, name, None))
        for name in ("validate_python", "validate_json", "json_schema")
    )


def _check_free(config: Mapping[str, Any], where: str) -> None:
    for key in _FORMATS:
        if config.get(key) is not None:
            raise ConfigurationError(
                f"{where} has {key!r} beside response_type: the schema is made from the type, so"
                " give only one of them"
            )
    if config.get("responseMimeType") not in (None, _JSON):
        raise ConfigurationError(
            f"{where} has the responseMimeType {config['responseMimeType']!r} beside"
            f" response_type, which needs {_JSON!r}: leave it out"
        )


def _ordered(schema: dict[str, Any], orders: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return a schema whose objects have, and name, their fields in the order of their classes.

    msgspec sorts those of a TypedDict.
    """
    made = dict(schema)
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), dict):
            made[key] = _ordered(made[key], orders)
    for key in ("anyOf", "oneOf", "prefixItems"):
        if key in made:
            made[key] = [_ordered(one, orders) for one in made[key]]
    if "properties" in made:
        properties = made["properties"]
        order = orders.get(str(made.get("title")), [])
        if set(order) != properties.keys():
            order = list(properties)
        made["properties"] = {name: _ordered(properties[name], orders) for name in order}
        if "required" in made:
            made["required"] = [name for name in order if name in made["required"]]
        made["propertyOrdering"] = order
    return made


def _field_orders(annotation: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield the name of each class in a type, and its fields in their order."""
    todo, seen = [annotation], set()
    while todo:
        one = todo.pop()
        todo += get_args(one)
        if not isinstance(one, type) or one in seen or not hasattr(one, "__annotations__"):
            continue
        seen.add(one)
        with suppress(Exception):  # an annotation that cannot be evaluated, or not of msgspec's
            hints = get_type_hints(one, include_extras=True)
            todo += hints.values()
            if not issubclass(one, msgspec.Struct):  # msgspec keeps the order of its own
                yield one.__name__, list(hints)


def _check_recursion(schema: Any, name: str, what: str) -> None:
    """Check that a type contains itself only where it may end.

    https://ai.google.dev/api/generate-content#FIELDS.response_json_schema: references that are
    cyclic "may only be used within non-required properties".
    """
    todo: list[tuple[Any, str]] = [(schema, name)]
    while todo:
        node, path = todo.pop()
        if "$ref" in node:
            raise ConfigurationError(
                f"{what} cannot be declared: {path} contains {node['$ref'].rpartition('/')[2]}"
                " again and is required; the API takes this only in fields with a default"
            )
        for key in ("anyOf", "oneOf", "prefixItems"):
            todo += [(one, path) for one in node.get(key, ())]
        for key in ("items", "additionalProperties"):
            if isinstance(node.get(key), dict):
                todo.append((node[key], path))
        required = node.get("required", ())
        todo += [
            (one, f"{path}.{field}")
            for field, one in node.get("properties", {}).items()
            if field in required
        ]
