"""Requests: paths, bodies, and arguments that are refused."""

import json
from typing import Any

import msgspec
import pytest

from cometgem.errors import ConfigurationError
from cometgem.http.retry import RetryPolicy
from cometgem.http.timeouts import Timeouts
from cometgem.request.build import Request, build_request
from cometgem.types import (
    Content,
    FunctionCallingConfig,
    FunctionDeclaration,
    GenerateContentRequest,
    GenerationConfig,
    GoogleSearch,
    Part,
    SafetySetting,
    Schema,
    ThinkingConfig,
    Tool,
    ToolConfig,
)


def request(model: str = "m", **options: Any) -> Request:
    return build_request("streamGenerateContent", model, "a", options)  # type: ignore[arg-type]


CONTENTS = [{"role": "user", "parts": [{"text": "a"}]}]


def body(**options: Any) -> dict[str, Any]:
    """Return the body of a request without the contents."""
    sent = json.loads(request(**options).body)
    assert sent.pop("contents") == CONTENTS
    return sent


def test_requests_of_both_operations() -> None:
    streamed = build_request("streamGenerateContent", "gemini-2.5-flash", "a", {})
    assert streamed == Request(
        method="POST",
        path="/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        headers={"Accept": "text/event-stream", "Content-Type": "application/json"},
        body=b'{"contents":[{"role":"user","parts":[{"text":"a"}]}]}',
    )
    single = build_request("generateContent", "gemini-2.5-flash", "a", {})
    assert single == msgspec.structs.replace(
        streamed,
        path="/v1beta/models/gemini-2.5-flash:generateContent",
        headers={"Accept": "application/json", "Content-Type": "application/json"},
    )


@pytest.mark.parametrize(
    ("model", "segment"),
    [
        ("gemini-3-flash-preview", "gemini-3-flash-preview"),
        ("models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("a b", "a%20b"),
        ("a?key=1#x", "a%3Fkey%3D1%23x"),
        ("a:b@c&d+e", "a%3Ab%40c%26d%2Be"),
        ("a%2Fb", "a%252Fb"),
        ("\u00e9\U0001f600", "%C3%A9%F0%9F%98%80"),
        (".", "."),
        ("~_.-", "~_.-"),
    ],
)
def test_the_model_is_escaped_into_one_path_segment(model: str, segment: str) -> None:
    assert request(model).path == f"/v1beta/models/{segment}:streamGenerateContent?alt=sse"


@pytest.mark.parametrize(
    "model",
    [
        *("", " ", "models/", "models/models/a", "tunedModels/a", "/a", "a/b", "a\\b"),
        *("..", "../a", "a..b", "a\nb", "a\x00", "a\u2028b", "\ud800", "a\u00a0"),
    ],
)
def test_invalid_model_names_are_refused(model: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        request(model)
    assert caught.value.message == (
        f"{model!r} is not a valid model name: use a name such as 'gemini-3.8-flash',"
        " without '/' and '..'"
    )


@pytest.mark.parametrize("options", [{}, {"thinking": "low"}])
@pytest.mark.parametrize("model", [None, 5, b"m"])
def test_a_model_must_be_a_str(model: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="model must be a str, got "):
        request(model, **options)


FUNCTION = {"name": "f", "parameters": {"properties": {"foo_bar": {"maxLength": 5}}}}
SNAKE = {"name": "f", "parameters": {"properties": {"foo_bar": {"max_length": 5}}}}
STRUCT = FunctionDeclaration(
    name="f", parameters=Schema(properties={"foo_bar": Schema(max_length=5)})
)
ANY = FunctionCallingConfig(mode="ANY", allowed_function_names=["a_b"])
LOW = ThinkingConfig(thinking_level="LOW")

# For each option: equivalent values, the key on the wire, and what is sent.
OPTIONS: list[tuple[str, list[Any], str, Any]] = [
    (
        "system_instruction",
        ["s", ["s"], Part(text="s"), Content(parts=[Part(text="s")]), {"parts": [{"text": "s"}]}],
        "systemInstruction",
        {"parts": [{"text": "s"}]},
    ),
    (
        "tools",
        [
            [Tool(function_declarations=[STRUCT]), Tool(google_search=GoogleSearch())],
            [{"function_declarations": [SNAKE]}, {"google_search": {}}],
            ({"functionDeclarations": [FUNCTION]}, {"googleSearch": GoogleSearch()}),
        ],
        "tools",
        [{"functionDeclarations": [FUNCTION]}, {"googleSearch": {}}],
    ),
    ("tools", [[], ()], "tools", []),
    (
        "tool_config",
        [
            ToolConfig(function_calling_config=ANY),
            {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["a_b"]}},
        ],
        "toolConfig",
        {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["a_b"]}},
    ),
    (
        "safety_settings",
        [[SafetySetting(category="c", threshold="OFF")], [{"category": "c", "threshold": "OFF"}]],
        "safetySettings",
        [{"category": "c", "threshold": "OFF"}],
    ),
    (
        "generation_config",
        [
            GenerationConfig(top_k=0, response_mime_type="", thinking_config=LOW),
            {"top_k": 0, "response_mime_type": "", "thinking_config": {"thinking_level": "LOW"}},
            {"topK": 0, "responseMimeType": "", "thinkingConfig": LOW},
        ],
        "generationConfig",
        {"topK": 0, "responseMimeType": "", "thinkingConfig": {"thinkingLevel": "LOW"}},
    ),
    ("cached_content", ["cachedContents/1"], "cachedContent", "cachedContents/1"),
]


@pytest.mark.parametrize(("name", "values", "key", "wire"), OPTIONS)
def test_options_as_structs_and_as_dicts(name: str, values: list[Any], key: str, wire: Any) -> None:
    for value in values:
        assert body(**{name: value}) == {key: wire}
    assert body(**{name: None}) == {}


def test_options_that_are_not_in_the_body() -> None:
    assert body(headers={}, timeouts=Timeouts(), retry=RetryPolicy()) == {}


LEVEL, BUDGET = {"thinkingLevel": "LOW"}, {"thinkingBudget": 0}


@pytest.mark.parametrize(
    "config",
    [
        GenerationConfig(thinking_config=ThinkingConfig(thinking_level="LOW", thinking_budget=0)),
        {"thinking_config": {"thinking_level": "LOW", "thinking_budget": 0}},
        {"thinkingConfig": ThinkingConfig(thinking_level="LOW", thinking_budget=0)},
        {"thinkingConfig": {"thinkingLevel": "LOW", "thinking_budget": 0}},
    ],
)
def test_a_thinking_level_and_a_budget_exclude_each_other(config: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        request(generation_config=config)
    assert str(caught.value) == (
        "thinkingLevel='LOW' and thinkingBudget=0 exclude each other: use a level for Gemini 3"
        " and later, a budget for Gemini 2.5"
    )


@pytest.mark.parametrize(
    "thinking",
    [LEVEL, BUDGET, {**LEVEL, "thinkingBudget": None}, {}, {"includeThoughts": True}, None],
)
def test_a_thinking_config_with_a_level_or_a_budget_is_sent(
    thinking: dict[str, Any] | None,
) -> None:
    sent = body(generation_config={"thinkingConfig": thinking})
    assert sent == {"generationConfig": {"thinkingConfig": thinking}}


CONFIG = GenerationConfig(top_k=1, thinking_config=LOW)


@pytest.mark.parametrize(
    ("options", "extra", "sent"),
    [
        ({}, {}, {}),
        ({}, {"store": False, "new_key": {"a_b": 1}}, {"store": False, "newKey": {"a_b": 1}}),
        (
            {"generation_config": CONFIG},
            {"generation_config": {"seed": 5, "thinking_config": {"new": 1}}},
            {"generationConfig": {"topK": 1, "seed": 5, "thinkingConfig": {**LEVEL, "new": 1}}},
        ),
        (
            {"generation_config": {"topK": 1, "thinkingConfig": LOW}},
            {"generationConfig": {"topK": 2, "thinkingConfig": {"new": 1}}},
            {"generationConfig": {"topK": 2, "thinkingConfig": {**LEVEL, "new": 1}}},
        ),
        (
            {"generation_config": {"topK": 1}},
            {"generationConfig": GenerationConfig(seed=5)},
            {"generationConfig": {"topK": 1, "seed": 5}},
        ),
        ({"tools": [Tool()]}, {"tools": [{"googleSearch": {}}]}, {"tools": [{"googleSearch": {}}]}),
        ({"generation_config": CONFIG}, {"generationConfig": None}, {"generationConfig": None}),
        ({"cached_content": "a"}, {"cachedContent": {"a": 1}}, {"cachedContent": {"a": 1}}),
    ],
)
def test_extra_body_is_merged_in_last(options: Any, extra: Any, sent: Any) -> None:
    given = msgspec.json.encode([options, extra])
    assert body(**options, extra_body=extra) == sent
    assert msgspec.json.encode([options, extra]) == given, "an argument was modified"


def test_extra_body_may_be_a_request() -> None:
    extra = GenerateContentRequest(contents=[Content(parts=[Part(text="b")])], store=False)
    assert json.loads(request(cached_content="c", extra_body=extra).body) == {
        "contents": [{"parts": [{"text": "b"}]}],
        "cachedContent": "c",
        "store": False,
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"extra_body": {"generatonConfig": {}}},
            "extra_body has no key 'generatonConfig': did you mean 'generationConfig'?",
        ),
        (
            {"extra_body": {"generation_config": {"topk": 1}}},
            "extra_body.generation_config has no key 'topk': did you mean 'topK'?",
        ),
        ({"extra_body": [1]}, "extra_body must be a GenerateContentRequest or a dict, got list"),
        (
            {"generation_config": 5},
            "generation_config must be a GenerationConfig or a dict, got int",
        ),
        ({"tools": Tool()}, "tools must be a list, got Tool"),
        (
            {"tools": [{}, 5]},
            "tools[1] must be a function, a FunctionTool, a Tool or a dict, got 5",
        ),
        ({"tool_config": []}, "tool_config must be a ToolConfig or a dict, got list"),
        (
            {"safety_settings": {}},
            "safety_settings must be a list of SafetySetting or dict, got dict",
        ),
        ({"system_instruction": ""}, "system_instruction is blank: give it some text"),
    ],
)
def test_options_that_can_never_work_are_refused(options: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        request(**options)
    assert str(caught.value) == message


@pytest.mark.parametrize("bad", [object(), {1j: 2}, {("a",): 1}, "\ud800", [set("a"), print]])
@pytest.mark.parametrize("extra", [None, {"generationConfig": {"seed": 1}}])
def test_values_that_json_cannot_express_are_refused(bad: Any, extra: Any) -> None:
    for config in (GenerationConfig(response_json_schema=bad), {"responseJsonSchema": bad}):
        with pytest.raises(
            ConfigurationError, match="the request cannot be written as JSON"
        ) as caught:
            request(generation_config=config, extra_body=extra)
        assert caught.value.__cause__ is not None


def test_values_that_are_nested_too_deeply_are_refused() -> None:
    schema: dict[str, Any] = {"type": "ARRAY"}
    schema["items"] = schema
    for config in ({"response_schema": schema}, {"thinking_config": {"newer": schema}}):
        with pytest.raises(ConfigurationError, match="the request is nested too deeply"):
            request(generation_config=config)
