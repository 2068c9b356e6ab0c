"""What only `FakeServer(strict=True)` refuses, in the words of the API. No I/O.

The messages were reported by users of the API, in public issues, except those about a token, a name
or an id, of which no report is known.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from cometgem.testing.turns import calls_of, is_question, parts_of, responses_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cometgem.testing.bodies import JSONObject

__all__ = ["strict_problem"]

_SIGNED_SINCE = 3  # the generation of models that requires signatures

_ROLE = "Please use a valid role: user, model."
_COUNT = (
    "Please ensure that the number of function response parts is equal to the number of function"
    " call parts of the function call turn."
)
_NOT_AFTER_CALL = (
    "Please ensure that function response turn comes immediately after a function call turn."
)
_FIRST = (
    "Please ensure that function call turn comes immediately after a user turn or after a function"
    " response turn."
)
_SIGNATURE = (
    "Function call is missing a thought_signature in functionCall parts. This is required for tools"
    " to work correctly, and missing thought_signature may lead to degraded model performance."
    " Additional data, function call `default_api:{name}` , position {position}. Please refer to"
    " https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
)


def strict_problem(body: JSONObject, generation: int) -> str | None:
    """Return the message of the first problem that the API refuses a request for, or None.

    Args:
        body: The request's body.
        generation: The number in the model's name, such as 3; 0 if it has none.
    """
    contents = [one for one in body["contents"] if isinstance(one, dict)]
    return next(_problems(body, contents, generation), None)


def _problems(body: JSONObject, contents: Sequence[JSONObject], generation: int) -> Iterator[str]:
    if any(one.get("role", "user") not in {"user", "model"} for one in contents):
        yield _ROLE
    yield from _config_problems(_object(body, "generationConfig"))
    yield from _turn_problems(contents)
    if generation >= _SIGNED_SINCE:
        yield from _signature_problems(contents)


def _config_problems(config: JSONObject) -> Iterator[str]:
    schemas = ("responseJsonSchema", "_responseJsonSchema")
    if "responseSchema" in config and any(name in config for name in schemas):
        yield "response_schema must not be set when response_json_schema is set."
    thinking = _object(config, "thinkingConfig")
    if "thinkingLevel" in thinking and "thinkingBudget" in thinking:
        yield "You can only set only one of thinking budget and thinking level."


def _turn_problems(contents: Sequence[JSONObject]) -> Iterator[str]:
    """Calls are answered by the next content: as many responses, with the same names and ids."""
    for index, content in enumerate(contents):
        calls = calls_of(content)
        following = contents[index + 1] if index + 1 < len(contents) else {}
        if calls:
            if index == 0:
                yield _FIRST
            yield from _response_problems(calls, responses_of(following))
        if responses_of(content) and (index == 0 or not calls_of(contents[index - 1])):
            yield _NOT_AFTER_CALL


def _response_problems(
    calls: Sequence[JSONObject], responses: Sequence[JSONObject]
) -> Iterator[str]:
    if len(calls) != len(responses):
        yield _COUNT
    elif Counter(map(_name, calls)) != Counter(map(_name, responses)):
        yield "functionResponse.name does not match functionCall.name"
    # A response may have an id even if its call had none, as behind a gateway that drops it.
    elif {call["id"] for call in calls if call.get("id")} - {one.get("id") for one in responses}:
        yield "functionResponse.id does not match functionCall.id"


def _signature_problems(contents: Sequence[JSONObject]) -> Iterator[str]:
    """Yield the steps of the current turn whose first call has no signature."""
    start = max((i for i, content in enumerate(contents) if is_question(content)), default=0)
    for index, content in enumerate(contents[start:], start):
        called = [part for part in parts_of(content) if "functionCall" in part]
        if called and not called[0].get("thoughtSignature"):
            name = _name(called[0]["functionCall"])
            yield _SIGNATURE.format(name=name, position=index + 1)


def _name(item: JSONObject) -> str:
    return str(item.get("name", ""))


def _object(value: JSONObject, name: str) -> JSONObject:
    found: Any = value.get(name)
    return found if isinstance(found, dict) else {}
