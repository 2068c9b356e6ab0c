"""Properties of requests, for any arguments a caller may pass."""

import json
from typing import Any
from urllib.parse import unquote, urlsplit

from yarl import URL

from cometgem.errors import ConfigurationError
from cometgem.request.build import Operation, build_request

BASE = "https://api.cometapi.com/some/path"
HEADERS = {"Accept", "Content-Type"}
OWN = {"authorization", "connection", "content-length", "host", "transfer-encoding"}
OWN |= {"x-goog-api-key"}


def a_request_stays_in_its_place(operation: Operation, model: Any, headers: Any) -> None:
    """No model name escapes its URL segment, and only given and standard headers are sent."""
    try:
        request = build_request(operation, model, "Hi", {"headers": headers})
    except ConfigurationError:
        return
    url = urlsplit(str(URL(BASE + request.path, encoded=True)))
    assert f"{url.scheme}://{url.netloc}" == "https://api.cometapi.com"
    assert url.query == ("alt=sse" if operation == "streamGenerateContent" else "")
    assert not url.fragment
    assert url.path.startswith("/some/path/v1beta/models/")
    segment = url.path.removeprefix("/some/path/v1beta/models/")
    assert "/" not in segment
    assert segment.strip(".")
    assert unquote(segment) == f"{model.removeprefix('models/')}:{operation}"
    given = dict(headers or {})
    assert {name: request.headers[name] for name in given} == given
    assert set(request.headers) - set(given) <= HEADERS
    for name, value in request.headers.items():
        assert name.lower() not in OWN
        assert f"{name}: {value}".isascii()
        assert f"{name}: {value}".replace("\t", " ").isprintable()
        assert " " not in name
        assert ":" not in name


def json_of_the_caller_goes_out_as_it_is(own: Any) -> None:
    """Arguments, schemas and unknown keys are sent unchanged."""
    call = {"functionCall": {"name": "f", "args": {"own": own}}}
    answer = {"functionResponse": {"name": "f", "response": {"own": own}}}
    sent = _sent(
        [{"role": "model", "parts": [call]}, {"role": "user", "parts": [answer, {"newer": own}]}],
        generation_config={"response_json_schema": own},
        tools=[{"function_declarations": [{"name": "f", "parameters_json_schema": own}]}],
        extra_body={"newer": own, "generationConfig": {"newer": {"own": own}}},
    )
    assert sent == {
        "contents": [
            {"role": "model", "parts": [call]},
            {"role": "user", "parts": [answer, {"newer": own}]},
        ],
        "generationConfig": {"responseJsonSchema": own, "newer": {"own": own}},
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": own}]}],
        "newer": own,
    }


OPTIONS = {
    "generation_config": "generationConfig",
    "tools": "tools",
    "tool_config": "toolConfig",
    "safety_settings": "safetySettings",
    "system_instruction": "systemInstruction",
}


def all_values_go_out_or_none(contents: Any, options: dict[str, Any]) -> None:
    """Any input is refused, or sent with all its values; only the spelling of keys may change."""
    before = repr((contents, options))
    try:
        sent = _sent(contents, **options)
    except ConfigurationError:
        return
    finally:
        assert repr((contents, options)) == before
    for name in options.keys() & OPTIONS.keys():
        if options[name] is not None:
            given, went = options[name], sent.pop(OPTIONS[name])
            if name == "system_instruction":
                given, went = _turn(given), _turn(went)
            assert _loose(went) == _loose(given)
    if isinstance(contents, dict):
        contents = [contents]
    if isinstance(contents, list) and all("parts" in turn for turn in contents):
        assert _loose(sent.pop("contents")) == _loose(
            [turn | {"role": turn.get("role") or "user"} for turn in contents]
        )


def _sent(contents: Any, **options: Any) -> Any:
    return json.loads(build_request("generateContent", "m", contents, options).body)  # type: ignore[arg-type]


def _turn(instruction: Any) -> Any:
    """Return a system instruction as one turn without a role."""
    turns = instruction if isinstance(instruction, list) else [instruction]
    turn: dict[str, Any] = {"parts": []}
    for one in turns:
        if isinstance(one, str):
            turn["parts"].append({"text": one})
        elif "parts" in one:
            turn["parts"] += one["parts"]
            turn |= {key: value for key, value in one.items() if key not in ("parts", "role")}
        else:
            turn["parts"].append(one)
    return turn


def _loose(value: Any) -> Any:
    """Return JSON that compares equal however its keys are spelled, with duplicates kept."""
    if isinstance(value, dict):
        items = ((key.replace("_", "").lower(), _loose(item)) for key, item in value.items())
        return sorted(items, key=repr)
    if isinstance(value, list):
        return [_loose(item) for item in value]
    return value
