"""The structs compared with Google's published schema and with recorded bodies."""

import json
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from typing import Any

import msgspec
import pytest
from conformance import conformance_file
from enumerated import ENUMS
from msgspec import inspect

from cometgem import types

ROOTS: dict[str, type[msgspec.Struct]] = {
    "GenerateContentRequest": types.GenerateContentRequest,
    "GenerateContentResponse": types.GenerateContentResponse,
}
BEYOND_SCHEMA = {  # of Vertex-backed channels only, or newer than the schema
    types.BlockReason: {"JAILBREAK", "MODEL_ARMOR"},
    types.FinishReason: {"CONTINUATION", "MODEL_ARMOR", "PUP_LIMITED_DISABLED"},
    types.HarmCategory: {
        "HARM_CATEGORY_IMAGE_DANGEROUS_CONTENT",
        "HARM_CATEGORY_IMAGE_HARASSMENT",
        "HARM_CATEGORY_IMAGE_HATE",
        "HARM_CATEGORY_IMAGE_SEXUALLY_EXPLICIT",
        "HARM_CATEGORY_JAILBREAK",
    },
    types.ThinkingLevel: {"XHIGH"},
    types.ToolType: {"MEDIA_PROCESSING"},
}


@cache
def schemas() -> dict[str, Any]:
    data = json.loads(conformance_file("generate_content_schema.json").read_text("utf-8"))
    assert sorted(data["roots"]) == sorted(ROOTS)
    found: dict[str, Any] = data["schemas"]
    return found


def kinds(shape: inspect.Type) -> set[str]:
    """Return the kinds of JSON that a field accepts: `{"str", "null"}`, `{"list of Part"}`."""
    match shape:
        case inspect.UnionType(types=members):
            return set().union(*map(kinds, members))
        case inspect.ListType(item_type=item):
            return {f"list of {'|'.join(sorted(kinds(item)))}"}
        case inspect.DictType(value_type=value):
            return {f"map of {'|'.join(sorted(kinds(value)))}"}
        case inspect.StructType(cls=cls):
            return {cls.__name__}
    names = {
        inspect.AnyType: "any",
        inspect.BoolType: "bool",
        inspect.BytesType: "bytes",
        inspect.FloatType: "float",
        inspect.IntType: "int",
        inspect.NoneType: "null",
        inspect.StrType: "str",
    }
    return {names[type(shape)]}


def expected(key: str, prop: dict[str, Any], struct: str | None) -> set[str]:
    """Return the kinds that the published schema requires; "null" stands for absent."""
    if prop.get("repeated"):
        return {"list of " + "|".join(expected(key, prop | {"repeated": False}, struct) - {"null"})}
    if "map_of" in prop:
        return {"map of " + "|".join(expected(key, prop["map_of"], struct) - {"null"}), "null"}
    if struct is not None:
        return {struct, "null"}
    plain = {
        "any": {"any"},
        "boolean": {"bool", "null"},
        "integer": {"int", "null"},
        "number": {"float", "null"},
        "string": {"str", "null"},
        "byte": {"bytes", "null"},
        "int64": {"int", "str", "null"},
    }
    if key == "thoughtSignature":  # kept as the string that was received
        return plain["string"]
    return plain.get(prop.get("format", ""), plain[prop["type"]])


def struct_in(shape: inspect.Type) -> type[msgspec.Struct] | None:
    match shape:
        case inspect.UnionType(types=members):
            return next((found for found in map(struct_in, members) if found), None)
        case inspect.ListType(item_type=inner) | inspect.DictType(value_type=inner):
            return struct_in(inner)
        case inspect.StructType(cls=cls):
            return cls
    return None


def walk() -> Iterator[tuple[str, str, dict[str, Any], type[msgspec.Struct]]]:
    """Yield every field of the schema, with the struct that represents its object."""
    seen: dict[str, type[msgspec.Struct]] = dict(ROOTS)
    todo = list(ROOTS)
    while todo:
        name = todo.pop()
        fields = {f.encode_name: f for f in inspect.type_info(seen[name]).fields}  # type: ignore[attr-defined]
        for key, prop in schemas()[name].get("properties", {}).items():
            yield name, key, prop, seen[name]
            ref = prop.get("ref") or prop.get("map_of", {}).get("ref")
            if ref and ref not in seen and key in fields:
                inner = struct_in(fields[key].type)
                assert inner is not None, f"{name}.{key} is a {ref}"
                seen[ref] = inner
                todo.append(ref)


def test_every_field_of_the_schema_has_a_counterpart() -> None:
    wrong = []
    stands_for: dict[str, type[msgspec.Struct]] = {}
    for name, key, prop, struct in walk():
        stands_for[name] = struct
        fields = {f.encode_name: f for f in inspect.type_info(struct).fields}  # type: ignore[attr-defined]
        if key not in fields:
            wrong.append(f"{struct.__name__} has no {key}")
            continue
        inner = struct_in(fields[key].type)
        want = expected(key, prop, inner.__name__ if inner else None)
        have = kinds(fields[key].type)
        if have not in (want, want - {"null"}):
            wrong.append(f"{struct.__name__}.{key}: {sorted(have)}, not {sorted(want)}")
        if fields[key].required and not prop.get("required"):
            wrong.append(f"{struct.__name__}.{key}: may be absent")
    assert wrong == []
    reached = {name for name, _, _, _ in walk()}
    assert reached == {name for name, schema in schemas().items() if schema.get("properties")}
    assert len(set(stands_for.values())) == len(stands_for), "one struct represents two objects"


def test_every_enumerated_value_of_the_schema_has_a_member() -> None:
    have: dict[type[StrEnum], set[str]] = {}
    for name, key, prop, _ in walk():
        if (name, key) in ENUMS:
            values = {value for value in prop["enum"] if "UNSPECIFIED" not in value.upper()}
            have.setdefault(ENUMS[name, key], set()).update(values)
    assert {enum: set(enum) for enum in have} == {
        enum: values | BEYOND_SCHEMA.get(enum, set()) for enum, values in have.items()
    }
    public = [getattr(types, name) for name in types.__all__]
    assert set(have) <= set(ENUMS.values())
    assert set(ENUMS.values()) == {value for value in public if issubclass(value, StrEnum)}


def bodies() -> Iterator[tuple[str, bytes]]:
    for path in sorted(conformance_file("bodies").glob("*success*")):
        data = path.read_bytes()
        if path.suffix == ".json":
            yield path.name, data
            continue
        for line in data.splitlines():
            if line.startswith(b"data:"):
                yield path.name, line.removeprefix(b"data:")


def without_defaults(value: Any) -> Any:
    """Return a body without defaults that are not sent: empty lists, and an index of 0."""
    match value:
        case dict():
            return {
                key: without_defaults(inner)
                for key, inner in value.items()
                if inner != [] and (key, inner) != ("index", 0)
            }
        case list():
            return [without_defaults(inner) for inner in value]
    return value


def test_recorded_bodies_survive_a_round_trip() -> None:
    count = 0
    for name, body in bodies():
        try:
            want = json.loads(body)
        except ValueError:
            continue
        count += 1
        response = msgspec.json.decode(body, type=types.GenerateContentResponse)
        assert json.loads(msgspec.json.encode(response)) == without_defaults(want), name
    assert count > 50


@pytest.mark.parametrize("name", sorted(ROOTS))
def test_root_structs_have_a_decoder_and_a_json_schema(name: str) -> None:
    assert msgspec.json.Decoder(ROOTS[name]).type is ROOTS[name]
    assert ROOTS[name].__name__ in msgspec.json.schema(ROOTS[name])["$defs"]


def test_fields_sent_only_by_the_gateway_or_vertex() -> None:
    body = {
        "createTime": "2026-02-05T13:28:59.798638Z",
        "usageMetadata": {"trafficType": "ON_DEMAND"},
        "promptFeedback": {
            "blockReason": "MODEL_ARMOR",
            "blockReasonMessage": "Blocked by policy.",
        },
        "candidates": [
            {
                "finishReason": "CONTINUATION",
                "content": {
                    "role": "model",
                    "parts": [
                        {
                            "inlineData": {
                                "mimeType": "image/png",
                                "data": "AA==",
                                "displayName": "a",
                            }
                        },
                        {"fileData": {"mimeType": "image/png", "fileUri": "u", "displayName": "b"}},
                        {
                            "functionCall": {
                                "name": "f",
                                "args": {},
                                "partialArgs": [
                                    {"jsonPath": "$.a", "nullValue": "NULL_VALUE"},
                                    {"jsonPath": "$.b", "nullValue": None},
                                    {"jsonPath": "$.c", "numberValue": 5},
                                    {"jsonPath": "$.c", "numberValue": 0.5},
                                    {"jsonPath": "$.d", "stringValue": "", "willContinue": True},
                                    {"jsonPath": "$.e", "boolValue": False},
                                ],
                                "willContinue": True,
                            }
                        },
                    ],
                },
                "citationMetadata": {
                    "citations": [
                        {
                            "startIndex": 0,
                            "endIndex": 20,
                            "uri": "https://example.com",
                            "title": "Title",
                            "license": "mit",
                            "publicationDate": {"year": 2024, "month": 5, "day": 1},
                        }
                    ]
                },
                "safetyRatings": [
                    {
                        "category": "HARM_CATEGORY_NEW",
                        "probability": "NEGLIGIBLE",
                        "probabilityScore": 1,
                        "severity": "HARM_SEVERITY_LOW",
                        "severityScore": 0.25,
                        "overwrittenThreshold": "BLOCK_NONE",
                    }
                ],
                "groundingMetadata": {
                    "retrievalQueries": ["q"],
                    "sourceFlaggingUris": [{"sourceId": "s", "flagContentUri": "u"}],
                    "groundingChunks": [
                        {"web": {"uri": "u", "domain": "example.com"}},
                        {
                            "maps": {
                                "uri": "u",
                                "route": {
                                    "distanceMeters": 1200,
                                    "duration": "90s",
                                    "encodedPolyline": "_p~iF",
                                },
                            }
                        },
                    ],
                },
            }
        ],
    }
    response = msgspec.json.decode(msgspec.json.encode(body), type=types.GenerateContentResponse)
    assert json.loads(msgspec.json.encode(response)) == body
