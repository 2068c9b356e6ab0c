"""Whether google-genai's models have fields or values that the structs lack.

`.ci/run interop` installs the newest google-genai, so that the API's next field shows up here.
"""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from conformance import conformance_file
from interop import drift

from cometgem.response.codec import decode_chunk
from cometgem.types.wire import encode

SAMPLES = {
    "Any": {"any": ["JSON"]},
    "NULL_VALUE": "NULL_VALUE",
    "bool": True,
    "bytes": "AAEC",
    "datetime": "2026-02-05T13:28:59Z",
    "float": 0.5,
    "int": 3,
    "str": "text",
}


def recorded() -> drift.Models:
    path = conformance_file("genai_fields.json")
    return drift.recorded_models(json.loads(path.read_text("utf-8")))


def installed(*roots: type[Any]) -> drift.Models:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        genai = pytest.importorskip("google.genai", reason="google-genai is not installed")
        models = [genai.types.GenerateContentConfig, genai.types.GenerateContentResponse]
        return drift.installed_models([*models, *roots])


def test_the_structs_have_all_fields_and_values_of_the_installed_google_genai() -> None:
    assert drift.lacking(installed()) == [], (
        "add them to cometgem.types, or to ALLOWED in tests/interop/drift.py with the reason"
    )


def test_the_structs_have_all_recorded_fields_and_values() -> None:
    assert drift.lacking(recorded()) == []


def test_a_new_field_of_the_installed_models_would_be_found() -> None:
    models = installed()
    pydantic = pytest.importorskip("pydantic")
    genai = pytest.importorskip("google.genai")
    newer = pydantic.create_model(
        "GenerateContentResponse",
        __base__=genai.types.GenerateContentResponse,
        hologram=(str | None, None),
    )
    assert drift.lacking(installed(newer)) == [
        *drift.lacking(models),
        "GenerateContentResponse.hologram",
    ]


def test_a_new_field_value_or_list_would_be_found() -> None:
    models = recorded()
    models.fields["Part"]["hologram"] = drift.Field(["Hologram"], is_list=False)
    models.fields["Blob"]["data"] = drift.Field(["bytes"], is_list=True)
    models.fields["Blob"]["mimeType"] = drift.Field(["Segment"], is_list=False)
    models.fields["Segment"]["depth"] = drift.Field(["int"], is_list=False)
    models.enums["FinishReason"].append("BORED")
    assert drift.lacking(models) == [
        "Blob.data as a list",
        "Blob.mimeType as a Segment",
        "Candidate.finishReason = BORED",
        "Part.hologram",
        "Segment.depth",
    ]


def sample(name: str, models: drift.Models) -> dict[str, Any]:
    """Return a model's JSON with all fields set."""
    return {key: sample_value(field, models) for key, field in models.fields[name].items()}


def sample_value(field: drift.Field, models: drift.Models) -> Any:
    kind = field.kinds[-1]  # a dict has the type of its keys first
    value: Any
    if kind in models.fields:
        value = sample(kind, models)
    elif kind in models.enums:
        value = models.enums[kind][-1]
    else:
        value = SAMPLES[kind]
    return [value] if field.is_list else value


def test_every_recorded_field_of_a_response_survives_a_round_trip() -> None:
    response = sample("GenerateContentResponse", recorded())
    assert json.loads(encode(decode_chunk(json.dumps(response).encode()))) == response
