"""Annotations as people write them, in terms of the types that msgspec knows.

``Annotated`` may carry a text, ``msgspec.Meta``, constraints of annotated_types and pydantic's
``Field``; pydantic models may stand anywhere. These packages are not dependencies: what they
define is recognised by its attributes.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from cometgem.request.field_texts import text_of
from cometgem.request.stand_ins import checked, compared, first_of, is_model

__all__ = [
    "bind_type_variables",
    "decode",
    "encode_model",
    "field_of",
    "model_schema",
    "resolve",
    "substitute",
]

_NUMERIC = ("gt", "ge", "lt", "le", "multiple_of")
_OF_LENGTH = ("min_length", "max_length")
_CONSTRAINTS = (*_NUMERIC, *_OF_LENGTH, "pattern")

# Types without a schema, and what JSON has in their place.
_EQUIVALENT: dict[Any, Any] = {object: Any, Iterable: list}


def resolve(annotation: Any) -> Any:
    """Return the annotation with metadata that msgspec understands, at every level.

    Texts become descriptions, and constraints of annotated_types and pydantic become
    ``msgspec.Meta``. Where msgspec knows no such constraint, a stand-in checks it.

    Raises:
        TypeError: It has a validator of pydantic, which would not be run.
    """
    if isinstance(annotation, TypeVar):
        return resolve(_bound(annotation))
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner, *metadata = arguments
        return _constrained(resolve(inner), metadata)
    if origin in (Union, UnionType):
        return _union([resolve(one) for one in arguments])
    if not arguments or origin in (Literal, None):
        return _EQUIVALENT.get(annotation, annotation)
    resolved = tuple(resolve(one) if one is not ... else one for one in arguments)
    if resolved == arguments and origin not in _EQUIVALENT:
        return annotation
    return _EQUIVALENT.get(origin, origin)[resolved]


def bind_type_variables(owner: object) -> dict[Any, Any]:
    """Return what the type variables of a class or an instance stand for, as in ``Store[User]``."""
    bound: dict[Any, Any] = {}
    cls = owner if isinstance(owner, type) else type(owner)
    bases = [getattr(owner, "__orig_class__", None)]
    for one in cls.__mro__:
        bases += one.__dict__.get("__orig_bases__", ())
    for base in bases:
        names = getattr(get_origin(base), "__parameters__", ())
        for name, value in zip(names, get_args(base), strict=False):
            bound.setdefault(name, bound.get(value, value))
    return bound


def substitute(annotation: Any, bound: dict[Any, Any]) -> Any:
    """Return the annotation with its type variables replaced by what they stand for."""
    if isinstance(annotation, TypeVar):
        return bound.get(annotation, annotation)
    names = getattr(annotation, "__parameters__", ())
    if isinstance(annotation, type) or not names:
        return annotation
    return annotation[tuple(bound.get(name, name) for name in names)]


def field_of(value: object) -> Any:
    """Return pydantic's ``Field(...)``, as a default value or in ``Annotated``; None otherwise."""
    if get_origin(value) is Annotated:
        return next(filter(None, map(field_of, get_args(value)[1:])), None)
    if isinstance(value, type) or not callable(getattr(value, "is_required", None)):
        return None
    return value if isinstance(getattr(value, "metadata", None), list) else None


def decode(kind: Any, value: object) -> object:
    """Decode a value of a type that msgspec does not know: msgspec's ``dec_hook``.

    Raises:
        ValueError: The value does not fit the model.
        TypeError: It is not a pydantic model.
    """
    if not is_model(kind):
        raise TypeError(f"type {kind.__name__} is not supported")
    try:
        decoded: object = kind.model_validate(value)
    except (ValueError, msgspec.ValidationError) as error:
        raise ValueError(_sentence(error)) from None
    return decoded


def encode_model(value: Any) -> object:
    """Return the JSON of a value that msgspec does not know: msgspec's ``enc_hook``.

    Raises:
        TypeError: It is not a pydantic model.
    """
    dump = None if isinstance(value, type) else getattr(value, "model_dump", None)
    if dump is None:
        raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")
    return dump(mode="json", by_alias=True)


def model_schema(kind: Any) -> dict[str, Any]:
    """Return the schema of a type that msgspec does not know: msgspec's ``schema_hook``.

    Raises:
        NotImplementedError: It is not a pydantic model.
    """
    if not is_model(kind):
        raise NotImplementedError
    schema: dict[str, Any] = kind.model_json_schema()
    return schema


def _bound(variable: TypeVar) -> Any:
    if variable.__constraints__:
        return Union[variable.__constraints__]  # noqa: UP007  built at run time
    return Any if variable.__bound__ is None else variable.__bound__


def _union(alternatives: list[Any]) -> Any:
    whole: Any = Union[tuple(alternatives)]  # noqa: UP007  built at run time
    others = [one for one in alternatives if one is not type(None)]
    if len(others) < 2 or not any(map(is_model, others)):  # noqa: PLR2004  msgspec decodes these
        return whole
    # msgspec takes a type of someone else's in a union with None only.
    found = first_of(others, decode)
    return found | None if len(others) < len(alternatives) else found


def _constrained(inner: Any, metadata: list[Any]) -> Any:
    """Return the type with each piece of metadata that is known."""
    made = inner
    for one in metadata:
        if isinstance(one, msgspec.Meta):
            made = Annotated[made, one]
            continue
        if type(one).__module__.startswith("pydantic.") and callable(getattr(one, "func", None)):
            raise TypeError(
                f"pydantic's {type(one).__name__} is only run in a model: take a pydantic model"
            )
        for name, limit in _constraints(one):
            made = _with_constraint(made, name, limit)
        if text := _description(one):
            made = Annotated[made, msgspec.Meta(description=text)]
    return made


def _constraints(metadata: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(metadata, (str, type)):
        return
    if type(metadata).__module__ == "annotated_types" and hasattr(metadata, "func"):
        yield "func", metadata.func
    for name in _CONSTRAINTS:
        limit = getattr(metadata, name, None)
        if limit is not None and not callable(limit):
            yield name, getattr(limit, "pattern", limit)  # of a compiled pattern
    if field_of(metadata) is not None:
        for one in metadata.metadata:
            yield from _constraints(one)


def _with_constraint(inner: Any, name: str, limit: Any) -> Any:
    origin, arguments = get_origin(inner), get_args(inner)
    if name == "func":
        return checked(inner, limit, f"does not satisfy {_name(limit)}", decode)
    if origin in (Union, UnionType):  # msgspec takes constraints on the alternatives only
        return _union([_with_constraint(one, name, limit) for one in arguments])
    if origin is Annotated and get_origin(arguments[0]) in (Union, UnionType):
        return Annotated[(_with_constraint(arguments[0], name, limit), *arguments[1:])]
    with suppress(TypeError, ValueError):
        made = Annotated[inner, msgspec.Meta(**{name: limit})]
        msgspec.inspect.type_info(made)
        return made
    plain = arguments[0] if origin is Annotated else inner
    if name in _NUMERIC and getattr(plain, "__module__", None) in ("datetime", "decimal"):
        return compared(inner, name, limit, decode)
    return inner  # such as None beside a number


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", function))


def _description(metadata: Any) -> str | None:
    field = field_of(metadata)
    return text_of(metadata if field is None else field.description)


def _sentence(error: Any) -> str:
    """Return pydantic's errors in one line, without its links."""
    with suppress(Exception):  # not pydantic's ValidationError, but a validator's own
        return "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'value'}: {one['msg']}" for one in error.errors()
        )
    return str(error)
