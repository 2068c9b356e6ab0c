from types import MappingProxyType
from typing import Any

import pytest
from msgspec import Struct

from cometgem.errors import ConfigurationError
from cometgem.request.keys import list_to_wire, to_wire
from cometgem.types import (
    Content,
    FileData,
    FunctionCallingConfig,
    FunctionDeclaration,
    GenerateContentRequest,
    GenerationConfig,
    GoogleSearch,
    ImageConfig,
    Part,
    ResponseFormatConfig,
    SafetySetting,
    Schema,
    SpeechConfig,
    ThinkingConfig,
    Tool,
    ToolConfig,
    VoiceConfig,
)

# Names chosen by the caller, some of them in snake_case or equal to keys of the API.
OWN = {"top_k": 1, "inline_data": {"mime_type": "m"}, "fooBar": None, "a b": [{"max_items": 1}]}

BOTH_SPELLINGS: list[tuple[type[Struct], Any, Any]] = [
    (GenerationConfig, {"top_k": 1, "topP": 0.5}, {"topK": 1, "topP": 0.5}),
    (
        GenerationConfig,
        {"thinking_config": {"thinking_budget": 0, "includeThoughts": True}},
        {"thinkingConfig": {"thinkingBudget": 0, "includeThoughts": True}},
    ),
    (
        GenerationConfig,
        {"speech_config": {"voice_config": {"prebuilt_voice_config": {"voice_name": "v"}}}},
        {"speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "v"}}}},
    ),
    (GenerationConfig, {"_responseJsonSchema": OWN}, {"_responseJsonSchema": OWN}),
    (GenerationConfig, {"_response_json_schema": OWN}, {"_responseJsonSchema": OWN}),
    (Tool, {"google_search": {}}, {"googleSearch": {}}),
    (Tool, {"google_search": GoogleSearch()}, {"googleSearch": GoogleSearch()}),
    (Tool, {"function_declarations": ({"name": "f"},)}, {"functionDeclarations": [{"name": "f"}]}),
    (
        Content,
        {"parts": [{"inline_data": {"mime_type": "m", "data": b""}}, Part(text="a")]},
        {"parts": [{"inlineData": {"mimeType": "m", "data": b""}}, Part(text="a")]},
    ),
    (
        GenerateContentRequest,
        {"safety_settings": [{"category": "c"}], "cached_content": None},
        {"safetySettings": [{"category": "c"}], "cachedContent": None},
    ),
]


@pytest.mark.parametrize(("struct", "given", "wire"), BOTH_SPELLINGS)
def test_api_keys_in_both_spellings(struct: type[Struct], given: Any, wire: Any) -> None:
    assert to_wire(given, struct, "x") == wire
    assert to_wire(MappingProxyType(given), struct, "x") == wire
    assert to_wire(wire, struct, "x") == wire


@pytest.mark.parametrize(
    ("struct", "given", "wire"),
    [
        (Part, {"function_call": {"args": OWN}}, {"functionCall": {"args": OWN}}),
        (Part, {"function_response": {"response": OWN}}, {"functionResponse": {"response": OWN}}),
        (Part, {"tool_call": {"args": OWN}}, {"toolCall": {"args": OWN}}),
        (Part, {"tool_response": {"response": OWN}}, {"toolResponse": {"response": OWN}}),
        (Part, {"part_metadata": OWN}, {"partMetadata": OWN}),
        (GenerationConfig, {"response_json_schema": OWN}, {"responseJsonSchema": OWN}),
        (
            ResponseFormatConfig,
            {"text": {"mime_type": "m", "schema": OWN}},
            {"text": {"mimeType": "m", "schema": OWN}},
        ),
        (FunctionDeclaration, {"parameters_json_schema": OWN}, {"parametersJsonSchema": OWN}),
        (FunctionDeclaration, {"response_json_schema": OWN}, {"responseJsonSchema": OWN}),
        (Schema, {"example": OWN, "enum": ["top_k"]}, {"example": OWN, "enum": ["top_k"]}),
    ],
)
def test_the_callers_own_names_are_not_changed(struct: type[Struct], given: Any, wire: Any) -> None:
    assert to_wire(given, struct, "x") == wire


def test_structs_are_found_anywhere_in_a_type() -> None:
    class Holder(Struct, rename="camel"):
        some_parts: list[Part] | None = None
        more_parts: dict[str, Part] | None = None

    given = {"some_parts": [{"file_data": {}}], "more_parts": {"file_data": {"file_data": {}}}}
    assert to_wire(given, Holder, "x") == {
        "someParts": [{"fileData": {}}],
        "moreParts": {"file_data": {"fileData": {}}},
    }


def test_property_names_are_kept_but_their_schemas_are_converted() -> None:
    given = {
        "any_of": [{"min_items": 1}],
        "properties": {"max_items": {"max_items": 1}, "foo_bar": Schema(type="STRING")},
        "property_ordering": ["foo_bar", "max_items"],
    }
    assert to_wire(given, Schema, "x") == {
        "anyOf": [{"minItems": 1}],
        "properties": {"max_items": {"maxItems": 1}, "foo_bar": Schema(type="STRING")},
        "propertyOrdering": ["foo_bar", "max_items"],
    }


@pytest.mark.parametrize(
    ("struct", "keys"),
    [
        (GenerateContentRequest, "tags modelShieldConfig"),
        (GenerationConfig, "videoTimestamp trafficConfig audioConfig"),
        (GenerationConfig, "enableAffectiveDialog"),
        (Tool, "recall enterpriseMailSearch serialAiSearch"),
        (ToolConfig, "newerConfig"),
        (GoogleSearch, "excludePages rankingConfidence"),
        (ImageConfig, "animalGeneration outputColorDepth"),
        (SafetySetting, "reason"),
        (FunctionCallingConfig, "streamFunctionResults"),
        (FunctionDeclaration, "strict"),
        (ThinkingConfig, "thinkingTokens"),
        (SpeechConfig, "speed"),
        (VoiceConfig, "syntheticVoiceConfig"),
        (Part, "hologramMetadata videoSource unknown cometgem:unknown"),
        (FileData, "size"),
    ],
)
def test_keys_newer_than_the_library_pass(struct: type[Struct], keys: str) -> None:
    for key in keys.split():
        assert to_wire({key: OWN}, struct, "x") == {key: OWN}


@pytest.mark.parametrize(
    ("key", "wire"),
    [
        ("brand_new_key", "brandNewKey"),
        ("brandNewKey", "brandNewKey"),
        ("brand_new2_x", "brandNew2X"),
        ("_own", "_own"),
        ("BRAND", "BRAND"),
    ],
)
def test_newer_keys_become_camel_case_too(key: str, wire: str) -> None:
    assert to_wire({key: 1}, GenerationConfig, "x") == {wire: 1}


def test_json_schema_keywords_pass_unchanged() -> None:
    schema = {
        "$ref": "#",
        "$defs": {},
        "additionalProperties": False,
        "examples": [1],
        "min_item": 1,
    }
    assert to_wire(schema, Schema, "x") == schema


@pytest.mark.parametrize(
    ("struct", "given", "where", "nearest"),
    [
        (GenerateContentRequest, {"generatonConfig": {}}, "x", "generationConfig"),
        (GenerateContentRequest, {"generaton_config": {}}, "x", "generationConfig"),
        (GenerateContentRequest, {"system_instructions": ""}, "x", "systemInstruction"),
        (GenerationConfig, {"temprature": 1}, "x", "temperature"),
        (GenerationConfig, {"maxOutputToken": 1}, "x", "maxOutputTokens"),
        (GenerationConfig, {"TOP_K": 1}, "x", "topK"),
        (ThinkingConfig, {"thinking_levels": "LOW"}, "x", "thinkingLevel"),
        (FunctionDeclaration, {"parameter": {}}, "x", "parameters"),
        (GenerationConfig, {"image_config": {"imageSizes": 1}}, "x.image_config", "imageSize"),
        (Content, {"parts": [{"text": "a"}, {"inlineDatas": {}}]}, "x.parts[1]", "inlineData"),
    ],
)
def test_misspelt_keys_are_refused(
    struct: type[Struct], given: Any, where: str, nearest: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        to_wire(given, struct, "x")
    start, _, rest = str(caught.value).partition("'")
    assert start == f"{where} has no key "
    assert rest.endswith(f"': did you mean {nearest!r}?")


@pytest.mark.parametrize(
    ("struct", "given", "message"),
    [
        (Tool, "googleSearch", "x must be a Tool or a dict, got str"),
        (Tool, Part(), "x must be a Tool or a dict, got Part"),
        (Tool, [("googleSearch", {})], "x must be a Tool or a dict, got list"),
        (Tool, {5: 1}, "a key of x must be a str, got int"),
        (
            Tool,
            {"urlContext": {}, "url_context": {}},
            "x gives 'urlContext' twice, in two spellings",
        ),
        (Tool, {"new_one": 1, "newOne": 1}, "x gives 'newOne' twice, in two spellings"),
        (Tool, {"googleSearch": True}, "x.googleSearch must be a GoogleSearch or a dict, got bool"),
        (Content, {"parts": {}}, "x.parts must be a list of Part or dict, got dict"),
        (Content, {"parts": [{}, 5]}, "x.parts[1] must be a Part or a dict, got int"),
        (Schema, {"properties": {"a": "T"}}, "x.properties.a must be a Schema or a dict, got str"),
        (Schema, {"properties": [{}]}, "x.properties must be a Schema or a dict, got list"),
    ],
)
def test_values_of_other_types_are_refused(struct: type[Struct], given: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        to_wire(given, struct, "x")
    assert str(caught.value) == message


def test_a_struct_passes_unchanged() -> None:
    tool = Tool(google_search=GoogleSearch())
    assert to_wire(tool, Tool, "x") is tool
    assert list_to_wire([tool, {"google_maps": {}}], Tool, "x") == [tool, {"googleMaps": {}}]


@pytest.mark.parametrize("given", [{}, "ab", Tool(), None, (one for one in [{}])])
def test_other_types_in_place_of_a_list_are_refused(given: object) -> None:
    with pytest.raises(ConfigurationError, match="tools must be a list of Tool or dict, got "):
        list_to_wire(given, Tool, "tools")


def test_the_argument_is_not_modified() -> None:
    given = {"thinking_config": {"thinking_budget": 0}}
    to_wire(given, GenerationConfig, "x")
    assert given == {"thinking_config": {"thinking_budget": 0}}
