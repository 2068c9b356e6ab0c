"""Compares the structs with google-genai's models: what do these have that the structs lack?"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args, get_origin

from enumerated import ENUMS
from msgspec import Struct, inspect

from cometgem.types import GenerateContentRequest, GenerateContentResponse, GenerationConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

# The fields and values that the structs do without, and why.
ALLOWED = {
    "GenerateContentConfig.automaticContinuation": "an option of google-genai, never sent",
    "GenerateContentConfig.automaticFunctionCalling": "an option of google-genai, never sent",
    "GenerateContentConfig.httpOptions": "an option of google-genai, never sent",
    "GenerateContentConfig.shouldReturnHttpResponse": "an option of google-genai, never sent",
    "GenerateContentConfig.systemInstruction as a list": "google-genai makes one content of it",
    "GenerateContentResponse.automaticFunctionCallingHistory": "added by google-genai itself",
    "GenerateContentResponse.parsed": "added by google-genai itself",
    "GenerateContentResponse.sdkHttpResponse": "added by google-genai itself",
}

# google-genai has the fields of the request and of its generationConfig in one model.
ROOTS: dict[str, list[type[Struct]]] = {
    "GenerateContentConfig": [GenerationConfig, GenerateContentRequest],
    "GenerateContentResponse": [GenerateContentResponse],
}


class Field(NamedTuple):
    """What a field holds: names of models and enums, and of Python's own types."""

    kinds: list[str]
    is_list: bool


class Models(NamedTuple):
    """The fields of each model, and the values of each enum."""

    fields: dict[str, dict[str, Field]]
    enums: dict[str, list[str]]


def recorded_models(document: dict[str, Any]) -> Models:
    """Return the models in `conformance/genai_fields.json`."""
    return Models(
        {
            name: {
                key: Field(field["type"].split("|"), field.get("list", False))
                for key, field in fields.items()
            }
            for name, fields in document["types"].items()
        },
        document["enums"],
    )


def installed_models(roots: list[type[Any]]) -> Models:
    """Return the pydantic models that can be reached from the roots."""
    found = Models({}, {})
    todo = [*roots]
    while todo:
        model = todo.pop()
        if model.__name__ in found.fields:
            continue
        found.fields[model.__name__] = fields = {}
        for name, info in model.model_fields.items():
            types = [*_types(info.annotation)]
            is_list = any(get_origin(one) is list for one in _members(info.annotation))
            fields[info.alias or name] = Field([_name(one) for one in types], is_list)
            todo += [one for one in types if hasattr(one, "model_fields")]
            for one in types:
                if isinstance(one, type) and issubclass(one, Enum):
                    found.enums[one.__name__] = [member.value for member in one]
    return found


def lacking(models: Models) -> list[str]:
    """Return each field and each enumerated value that the structs lack, without the allowed."""
    return sorted(set(_lacking(models)) - ALLOWED.keys())


def _lacking(models: Models) -> Iterator[str]:
    seen = set(ROOTS)
    todo = list(ROOTS.items())
    while todo:
        name, structs = todo.pop()
        fields = {
            field.encode_name: (struct.__name__, field.type)
            for struct in structs
            for field in inspect.type_info(struct).fields  # type: ignore[attr-defined]
        }
        for key, field in models.fields[name].items():
            if key not in fields:
                yield f"{name}.{key}"
                continue
            owner, kind = fields[key]
            if field.is_list and not any(isinstance(one, inspect.ListType) for one in _flat(kind)):
                yield f"{name}.{key} as a list"
            for value in _values(field, models):
                if value not in [one.value for one in ENUMS.get((owner, key), ())]:
                    yield f"{name}.{key} = {value}"
            # A union has what google-genai itself makes of it last.
            inner = next((one for one in field.kinds if one in models.fields), None)
            structs = [one.cls for one in _flat(kind) if isinstance(one, inspect.StructType)]
            if inner and not structs:
                yield f"{name}.{key} as a {inner}"
            elif inner and inner not in seen:
                seen.add(inner)
                todo.append((inner, structs))


def _values(field: Field, models: Models) -> Iterator[str]:
    for kind in field.kinds:
        for value in models.enums.get(kind, ()):
            if "UNSPECIFIED" not in value.upper():
                yield value


def _flat(kind: inspect.Type) -> Iterator[inspect.Type]:
    yield kind
    match kind:
        case inspect.UnionType(types=members):
            for member in members:
                yield from _flat(member)
        case inspect.ListType(item_type=inner) | inspect.DictType(value_type=inner):
            yield from _flat(inner)


def _members(annotation: Any) -> list[Any]:
    return [annotation, *get_args(annotation)]


def _types(annotation: Any) -> Iterator[Any]:
    inner = get_args(annotation)
    if not inner or get_origin(annotation) is Literal:
        yield annotation
    for one in inner:
        yield from _types(one)


def _name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind))
