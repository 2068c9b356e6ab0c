import gc
import inspect
import json
from enum import StrEnum

import msgspec
import pytest

from cometgem import types
from cometgem.types import (
    Content,
    FunctionResponse,
    GenerateContentRequest,
    GenerateContentResponse,
    GenerationConfig,
    GoogleSearch,
    MediaResolutionLevel,
    Modality,
    Part,
    SafetySetting,
    Schema,
    ThinkingConfig,
    Tool,
    ToolConfig,
)

PUBLIC = {name: getattr(types, name) for name in types.__all__}
STRUCTS = sorted(
    (value for value in PUBLIC.values() if issubclass(value, msgspec.Struct)),
    key=lambda struct: struct.__name__,
)


def sent(value: object) -> bytes:
    return msgspec.json.encode(value)


def test_all_is_sorted_and_complete() -> None:
    assert types.__all__ == sorted(set(types.__all__))
    classes = {
        name
        for name, value in vars(types).items()
        if isinstance(value, type) and not name.startswith("_")
    }
    assert classes == set(types.__all__)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_everything_public_has_a_docstring(name: str) -> None:
    assert PUBLIC[name].__dict__["__doc__"].rstrip().endswith(".")
    for attribute, value in vars(PUBLIC[name]).items():
        if not attribute.startswith("_") and isinstance(value, property | classmethod):
            assert value.__doc__, attribute


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_structs_take_keyword_arguments_only(struct: type[msgspec.Struct]) -> None:
    parameters = inspect.signature(struct).parameters.values()
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters)


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_unset_fields_are_not_sent_and_structs_are_not_gc_tracked(
    struct: type[msgspec.Struct],
) -> None:
    required = [p for p in inspect.signature(struct).parameters.values() if p.default is p.empty]
    if required:
        with pytest.raises(TypeError, match=f"'{required[0].name}'"):
            struct()
        return
    always = {"FunctionCall": b'{"args":{}}', "FunctionResponse": b'{"response":{}}'}
    assert sent(struct()) == always.get(struct.__name__, b"{}")
    if struct not in (GenerateContentResponse, FunctionResponse):  # they have a __dict__
        assert not gc.is_tracked(struct())


def test_fields_that_are_set_are_sent_even_if_falsy() -> None:
    config = GenerationConfig(
        temperature=0,
        top_p=0.0,
        seed=0,
        response_mime_type="",
        response_logprobs=False,
        thinking_config=ThinkingConfig(thinking_budget=0, include_thoughts=False),
    )
    assert msgspec.to_builtins(config) == {
        "temperature": 0,
        "topP": 0.0,
        "seed": 0,
        "responseMimeType": "",
        "responseLogprobs": False,
        "thinkingConfig": {"thinkingBudget": 0, "includeThoughts": False},
    }


def test_a_tool_without_options_is_sent_as_an_empty_object() -> None:
    tools = [Tool(google_search=GoogleSearch())]
    assert sent(GenerateContentRequest(contents=[], tools=tools)) == (
        b'{"contents":[],"tools":[{"googleSearch":{}}]}'
    )


def test_enum_members_are_sent_as_their_value() -> None:
    config = GenerationConfig(
        media_resolution=MediaResolutionLevel.LOW, response_modalities=[Modality.TEXT]
    )
    assert sent(config) == (
        b'{"responseModalities":["TEXT"],"mediaResolution":"MEDIA_RESOLUTION_LOW"}'
    )
    assert sent(Schema(min_items="1", enum=[types.SchemaType.NULL])) == (
        b'{"enum":["NULL"],"minItems":"1"}'
    )


def test_values_that_are_not_enum_members_are_accepted() -> None:
    setting = SafetySetting(category="HARM_CATEGORY_OF_TOMORROW", threshold="OFF")
    assert msgspec.json.decode(sent(setting), type=SafetySetting) == setting
    assert setting.threshold == types.HarmBlockThreshold.OFF
    assert all(issubclass(v, StrEnum) for v in PUBLIC.values() if not issubclass(v, types.Wire))


def test_default_lists_are_not_shared() -> None:
    Content().parts.append(Part(text="a"))
    assert Content().parts == []


def test_unknown_keys_are_ignored() -> None:
    config = msgspec.json.decode(b'{"newer":{"than":["us"]},"retrievalConfig":{}}', type=ToolConfig)
    assert config == ToolConfig(retrieval_config=types.RetrievalConfig())


def test_a_leading_underscore_survives_camel_case() -> None:
    assert sent(GenerationConfig(response_json_schema={"a_b": 1}, _response_json_schema=True)) == (
        b'{"responseJsonSchema":{"a_b":1},"_responseJsonSchema":true}'
    )


def test_to_dict_and_to_json_are_in_wire_form() -> None:
    content = Content(
        parts=[
            Part.from_bytes(b"\xff\xfe", "image/png"),
            Part.from_function_response("f", {"snake_case": {1: types.Outcome.OK}}),
            Part(text="\u00e9", thought=False),
        ]
    )
    body = {
        "parts": [
            {"inlineData": {"data": "//4=", "mimeType": "image/png"}},
            {"functionResponse": {"name": "f", "response": {"snake_case": {"1": "OUTCOME_OK"}}}},
            {"text": "\u00e9", "thought": False},
        ]
    }
    assert content.to_dict() == body
    assert json.loads(json.dumps(content.to_dict())) == body
    assert json.loads(content.to_json()) == body
    assert msgspec.json.decode(content.to_json(), type=Content).parts[0] == content.parts[0]
    assert Content().to_dict() == {}
    assert Content().to_json() == "{}"


def test_a_request_round_trip() -> None:
    request = GenerateContentRequest(
        contents=[Content(role="user", parts=[Part(text="Hi")])],
        system_instruction=Content(parts=[Part(text="Be brief")]),
        tools=[
            Tool(
                function_declarations=[
                    types.FunctionDeclaration(
                        name="f",
                        parameters=Schema(
                            type=types.SchemaType.OBJECT,
                            properties={"snake_case": Schema(type="STRING", max_length=5)},
                            any_of=[Schema(items=Schema(type="NUMBER"))],
                        ),
                    )
                ]
            )
        ],
        safety_settings=[SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="OFF")],
        cached_content="cachedContents/1",
    )
    assert msgspec.json.decode(sent(request), type=GenerateContentRequest) == request
    assert b'"snake_case"' in sent(request)
