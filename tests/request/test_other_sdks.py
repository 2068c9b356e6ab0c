"""Code ported from other SDKs: each wrong name is refused with the right one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cometgem import Client
from cometgem.errors import ConfigurationError
from cometgem.request.build import build_request
from cometgem.request.contents import contents_to_wire, instruction_to_wire
from cometgem.request.options import check_names
from cometgem.types import Content, GenerationConfig, Part


@pytest.mark.parametrize(
    ("option", "suggestion"),
    [
        ("config", "generation_config={...}, and options such as system_instruction= and tools="),
        ("include_thoughts", "thoughts=..."),
        ("input", "contents=..."),
        ("max_completion_tokens", "generation_config={'max_output_tokens': ...}"),
        ("max_tokens", "generation_config={'max_output_tokens': ...}"),
        ("messages", "contents=[...], or history=[...] for a chat"),
        ("n", "generation_config={'candidate_count': ...}"),
        ("prompt", "contents=..."),
        ("reasoning_effort", "thinking=..."),
        (
            "response_format",
            (
                "generation_config={'response_mime_type': 'application/json',"
                " 'response_json_schema': ...}"
            ),
        ),
        ("stop", "generation_config={'stop_sequences': [...]}"),
        ("stream", "client.stream_generate_content(...), or chat.stream(...)"),
        ("system", "system_instruction=..."),
        ("temperature", "generation_config={'temperature': ...}"),
        ("thinking_budget", "thinking=..."),
        ("thinking_level", "thinking=..."),
        ("timeout", "timeouts=Timeouts(...)"),
        ("tool_choice", "tool_config={'function_calling_config': {'mode': ...}}"),
        ("top_logprobs", "generation_config={'response_logprobs': True, 'logprobs': ...}"),
    ],
)
async def test_options_of_other_sdks_get_the_right_suggestion(option: str, suggestion: str) -> None:
    given: Any = {option: 1}
    async with Client("sk-key", base_url="http://127.0.0.1:9") as client:
        for start in (client.generate_content, client.stream_generate_content, client.run_tools):
            arguments: Any = {"tools": []} if start == client.run_tools else {}
            with pytest.raises(TypeError) as caught:
                made: Any = start("m", "Hi", **arguments, **given)
                await made
            assert str(caught.value) == f"unknown option {option!r}: use {suggestion}"
        with pytest.raises(TypeError) as caught:
            client.chat("m", **given)
        assert str(caught.value) == f"unknown option {option!r}: use {suggestion}"


def test_a_known_option_is_never_refused() -> None:
    check_names({"stop": 1, "temperature": 1}, {"stop", "temperature"})


@pytest.mark.parametrize(
    ("key", "suggestion"),
    [
        ("include_thoughts", "'thinking_config': {'include_thoughts': ...}"),
        ("max_completion_tokens", "'max_output_tokens': ..."),
        ("max_tokens", "'max_output_tokens': ..."),
        ("maxTokens", "'max_output_tokens': ..."),
        ("n", "'candidate_count': ..."),
        ("reasoning_effort", "'thinking_config': {'thinking_level': ...}"),
        ("stop", "'stop_sequences': [...]"),
        ("thinking_budget", "'thinking_config': {'thinking_budget': ...}"),
        ("thinkingBudget", "'thinking_config': {'thinking_budget': ...}"),
        ("thinking_level", "'thinking_config': {'thinking_level': ...}"),
        ("top_logprobs", "'response_logprobs': True, 'logprobs': ..."),
        ("cached_content", "the option cached_content=... instead"),
        ("safetySettings", "the option safety_settings=... instead"),
        ("system_instruction", "the option system_instruction=... instead"),
        ("systemInstruction", "the option system_instruction=... instead"),
        ("tool_config", "the option tool_config=... instead"),
        ("tools", "the option tools=... instead"),
    ],
)
def test_config_keys_of_other_sdks_get_the_right_suggestion(key: str, suggestion: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_request("generateContent", "m", "Hi", {"generation_config": {"seed": 1, key: 2}})
    assert str(caught.value) == f"generation_config has no key {key!r}: use {suggestion}"


@pytest.mark.parametrize(
    "config", [GenerationConfig(logprobs=1), {"response_format": {}, "logprobs": 5, "newer": 1}]
)
def test_config_keys_of_the_api_pass(config: Any) -> None:
    request = build_request("generateContent", "m", "Hi", {"generation_config": config})
    assert json.loads(request.body)["generationConfig"]["logprobs"] in (1, 5)


def test_extra_body_sends_any_key() -> None:
    extra = {"generationConfig": {"stop": ["a"]}}
    request = build_request("generateContent", "m", "Hi", {"extra_body": extra})
    assert json.loads(request.body)["generationConfig"] == {"stop": ["a"]}


RESULT = (
    "give the result as a functionResponse part of a 'user' turn, or let client.run_tools(...)"
    " call the functions"
)


@pytest.mark.parametrize(
    ("role", "suggestion"),
    [
        ("assistant", "use 'model'"),
        ("developer", "use system_instruction=... instead"),
        ("function", RESULT),
        ("system", "use system_instruction=... instead"),
        ("tool", RESULT),
    ],
)
def test_roles_of_other_sdks_get_the_right_suggestion(role: str, suggestion: str) -> None:
    turns: list[Any] = [
        {"role": role, "parts": [{"text": "a"}]},
        {"role": role, "content": "a"},
        Content(role=role, parts=[Part(text="a")]),
    ]
    for turn in turns:
        with pytest.raises(ConfigurationError) as caught:
            contents_to_wire(["Hi", turn])
        assert str(caught.value) == f"contents[1] has the role {role!r}: {suggestion}"


@pytest.mark.parametrize("role", ["user", "function", "tool"])
def test_function_responses_pass_in_roles_that_the_api_accepts(role: str) -> None:
    part = Part.from_function_response("f", {"a": 1})
    response = {"name": "f", "response": {"a": 1}}
    turns: list[Any] = [
        Content(role=role, parts=[part]),
        {"role": role, "parts": [part]},
        {"role": role, "parts": [{"functionResponse": response}]},
        {"role": role, "parts": ({"text": "a"}, {"function_response": response})},
    ]
    assert len(contents_to_wire(turns)) == len(turns)


@pytest.mark.parametrize("role", ["user", "model", "a-newer-role"])
def test_roles_that_are_not_known_here_pass(role: str) -> None:
    sent = contents_to_wire([{"role": role, "parts": [{"text": "a"}]}])
    assert sent == [{"role": role, "parts": [{"text": "a"}]}]


@pytest.mark.parametrize("role", ["system", "developer", "assistant"])
def test_the_role_of_a_system_instruction_is_ignored(role: str) -> None:
    assert instruction_to_wire({"role": role, "parts": [{"text": "a"}]}) == {
        "parts": [{"text": "a"}]
    }


@pytest.mark.parametrize(
    ("to_wire", "name"),
    [(contents_to_wire, "contents"), (instruction_to_wire, "system_instruction")],
)
@pytest.mark.parametrize("content", ["hi", [{"type": "text", "text": "hi"}], None])
def test_content_in_place_of_parts_gets_the_right_suggestion(
    to_wire: Any, name: str, content: Any
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        to_wire({"role": "user", "content": content})
    assert str(caught.value) == (
        f"{name} has 'content' in place of 'parts': use 'parts': [{{'text': ...}}]"
    )
