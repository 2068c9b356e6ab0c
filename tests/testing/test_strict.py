"""`FakeServer(strict=True)` refuses what the API refuses, in its words."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from cometgem.testing import FakeServer, Reply

USER = {"role": "user", "parts": [{"text": "Hi"}]}
FLASH = "gemini-3.8-flash"
COUNT = "Please ensure that the number of function response parts is equal to the number of"


def called(*calls: dict[str, Any], signature: str | None = "c2ln") -> dict[str, Any]:
    parts = [{"functionCall": call} for call in calls]
    if signature is not None:
        parts[0]["thoughtSignature"] = signature  # type: ignore[assignment]
    return {"role": "model", "parts": parts}


def answered(*responses: dict[str, Any]) -> dict[str, Any]:
    return {
        "role": "user",
        "parts": [{"functionResponse": {"response": {}, **one}} for one in responses],
    }


async def refusal(
    body: dict[str, Any], *, model: str = FLASH, strict: bool = True, operation: str = "generate"
) -> str | None:
    """Return the message of a 400, or None if the script has answered."""
    with FakeServer(strict=strict) as server:
        server.add(Reply.text("script"))
        url = f"{server.url}/v1beta/models/{model}:{operation}Content"
        async with (
            aiohttp.ClientSession(headers={"x-goog-api-key": "k"}) as session,
            session.post(url, json=body) as response,
        ):
            answer = await response.json()
            if response.status == 200:
                return None
            error = answer["error"]
            assert (response.status, error["code"]) == (400, 400)
            assert error["status"] == "INVALID_ARGUMENT"
            assert error["message"].endswith(" (request id: fake-request-0)")
            message: str = error["message"].removesuffix(" (request id: fake-request-0)")
            return message


CALL, RESPONSE = {"name": "f", "args": {}}, {"name": "f"}
WRONG = {
    "role": (
        [USER, {"role": "assistant", "parts": [{"text": "Hello"}]}, USER],
        "Please use a valid role: user, model.",
    ),
    "fewer responses": ([USER, called(CALL, CALL), answered(RESPONSE)], COUNT),
    "more responses": ([USER, called(CALL), answered(RESPONSE, RESPONSE)], COUNT),
    "in two turns": ([USER, called(CALL, CALL), answered(RESPONSE), answered(RESPONSE)], COUNT),
    "no responses": ([USER, called(CALL), USER], COUNT),
    "an unanswered call at the end": ([USER, called(CALL)], COUNT),
    "a response to nothing": (
        [USER, answered(RESPONSE)],
        "Please ensure that function response turn comes immediately after a function call turn.",
    ),
    "a call at the beginning": (
        [called(CALL), answered(RESPONSE)],
        (
            "Please ensure that function call turn comes immediately after a user turn or after a"
            " function response turn."
        ),
    ),
    "another name": (
        [USER, called(CALL), answered({"name": "g"})],
        "functionResponse.name does not match functionCall.name",
    ),
    "another id": (
        [USER, called({**CALL, "id": "1"}), answered({"name": "f", "id": "2"})],
        "functionResponse.id does not match functionCall.id",
    ),
    "no signature": (
        [USER, called(CALL, signature=None), answered(RESPONSE)],
        (
            "Function call is missing a thought_signature in functionCall parts. This is required"
            " for tools to work correctly, and missing thought_signature may lead to degraded"
            " model performance. Additional data, function call `default_api:f` , position 2."
            " Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more"
            " details."
        ),
    ),
    "no signature in the second step": (
        [USER, called(CALL), answered(RESPONSE), called(CALL, signature=""), answered(RESPONSE)],
        "position 4. Please refer",
    ),
}
RIGHT = {
    "no role": [{"parts": [{"text": "Hi"}]}],
    "parallel calls, the first one signed": [
        USER,
        called({**CALL, "id": "1"}, {**CALL, "id": "2"}),
        answered({"name": "f", "id": "1"}, {"name": "f", "id": "2"}),
    ],
    "an id only in the response": [USER, called(CALL), answered({"name": "f", "id": "1"})],
    "no signature in an earlier turn": [
        *(USER, called(CALL, signature=None), answered(RESPONSE)),
        *({"role": "model", "parts": [{"text": "Done."}]}, USER),
    ],
    "odd values": ["odd", {"parts": "odd"}, {"parts": ["odd", {"functionCall": 1}]}, USER],
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_refused(name: str) -> None:
    contents, message = WRONG[name]
    body = {"contents": contents}
    assert message in (await refusal(body) or "")
    assert await refusal(body, strict=False) is None


@pytest.mark.parametrize("name", RIGHT)
async def test_what_is_accepted(name: str) -> None:
    assert await refusal({"contents": RIGHT[name]}) is None


@pytest.mark.parametrize(
    ("model", "needs"),
    [("gemini-2.5-pro", False), ("gemini-flash-latest", True), ("gemini-10-x", True)],
)
async def test_signatures_are_required_since_gemini_3(model: str, *, needs: bool) -> None:
    body = {"contents": [USER, called(CALL, signature=None), answered(RESPONSE)]}
    assert bool(await refusal(body, model=model)) == needs


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"responseSchema": {}, "responseJsonSchema": {}},
            "response_schema must not be set when response_json_schema is set.",
        ),
        (
            {"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 0}},
            "You can only set only one of thinking budget and thinking level.",
        ),
        (
            {"maxOutputTokens": 32_769},
            (
                "Unable to submit request because it has a maxOutputTokens value of 32769 but the"
                " supported range is from 1 (inclusive) to 32769 (exclusive). Update the value and"
                " try again."
            ),
        ),
    ],
)
async def test_configs_that_are_refused(config: dict[str, Any], message: str) -> None:
    body = {"contents": [USER], "generationConfig": config}
    assert await refusal(body) == message
    assert await refusal(body, strict=False) is None


async def test_a_stream_has_no_cap() -> None:
    body = {"contents": [USER], "generationConfig": {"maxOutputTokens": 100_000}}
    assert await refusal(body, operation="streamGenerate") is None


def test_strict_needs_validation() -> None:
    with pytest.raises(ValueError, match="strict=True needs validate=True"):
        FakeServer(strict=True, validate=False)
