"""Histories from elsewhere: calls without a signature, and signatures that nobody can read."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from cometgem import Client
from cometgem.errors import ConfigurationError
from cometgem.request.build import build_request
from cometgem.request.signatures import strip_signatures
from cometgem.testing import FakeServer, Reply
from cometgem.types import Content, FunctionCall, Part

if TYPE_CHECKING:
    from collections.abc import Callable

SKIP = "skip_thought_signature_validator"
ASK = {"role": "user", "parts": [{"text": "Hi"}]}


def call(name: str, signature: str | None = None) -> dict[str, Any]:
    part: dict[str, Any] = {"functionCall": {"name": name, "args": {}}}
    return part if signature is None else part | {"thoughtSignature": signature}


def model(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "model", "parts": [*parts]}


def answer(*names: str) -> dict[str, Any]:
    parts = [{"functionResponse": {"name": name, "response": {}}} for name in names]
    return {"role": "user", "parts": parts}


def as_structs(turn: dict[str, Any]) -> Content:
    import msgspec  # noqa: PLC0415

    return msgspec.convert(turn, Content)


def as_snake_case(turn: dict[str, Any]) -> dict[str, Any]:
    words = {
        "functionCall": "function_call",
        "functionResponse": "function_response",
        "thoughtSignature": "thought_signature",
    }
    parts = [{words.get(key, key): item for key, item in part.items()} for part in turn["parts"]]
    return turn | {"parts": parts}


def with_part_structs(turn: dict[str, Any]) -> dict[str, Any]:
    return turn | {"parts": as_structs(turn).parts}


FORMS = [dict, as_structs, as_snake_case, with_part_structs]


def sent(contents: Any, **options: Any) -> Any:
    request = build_request("generateContent", "gemini-3.8-flash", contents, options)  # type: ignore[arg-type]
    return json.loads(request.body)["contents"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([model(call("f"))], [model(call("f", SKIP))]),
        # Calls in parallel share the signature of the first.
        ([model(call("f"), call("g"))], [model(call("f", SKIP), call("g"))]),
        (
            [model({"text": "Let me see."}, call("f"))],
            [model({"text": "Let me see."}, call("f", SKIP))],
        ),
        # Each step has its own.
        (
            [model(call("f")), answer("f"), model(call("g")), answer("g")],
            [model(call("f", SKIP)), answer("f"), model(call("g", SKIP)), answer("g")],
        ),
        # The model's own turns are sent as they came.
        (
            [model(call("f", "c2ln"), call("g")), answer("f", "g"), model(call("h"))],
            [model(call("f", "c2ln"), call("g")), answer("f", "g"), model(call("h", SKIP))],
        ),
        ([model(call("f", ""))], [model(call("f", SKIP))]),
        ([model({"text": "No."})], [model({"text": "No."})]),
        ([{"role": "user", "parts": [call("f")]}], [{"role": "user", "parts": [call("f")]}]),
    ],
)
def test_missing_signatures_are_skipped(
    form: Callable[[dict[str, Any]], Any], given: list[Any], expected: list[Any]
) -> None:
    contents = [form(turn) for turn in (ASK, *given)]
    before = deepcopy(contents)
    assert sent(contents, foreign_history="skip") == [ASK, *expected]
    assert contents == before  # the caller's own objects are not modified
    without = sent(contents)
    assert SKIP not in json.dumps(without)
    assert sent(contents, foreign_history=None) == without


@pytest.mark.parametrize("contents", ["Hi", Part(text="Hi"), [Part(text="Hi"), "and"], ASK])
def test_contents_without_calls_are_unchanged(contents: Any) -> None:
    assert sent(contents, foreign_history="skip") == sent(contents)


@pytest.mark.parametrize("value", ["strip", "Skip", "", True, False, 1, ["skip"]])
async def test_other_values_are_refused_by_each_call(fake_server: FakeServer, value: Any) -> None:
    async with Client(fake_server.api_key, base_url=fake_server.url) as client:
        with pytest.raises(ConfigurationError) as caught:
            await client.generate_content("m", "Hi", foreign_history=value)
        assert str(caught.value) == f"foreign_history={value!r} must be 'skip', or None"
        with pytest.raises(ConfigurationError, match="foreign_history="):
            client.stream_generate_content("m", "Hi", foreign_history=value)
        with pytest.raises(ConfigurationError, match="foreign_history="):
            client.run_tools("m", "Hi", tools=[], foreign_history=value)
        with pytest.raises(ConfigurationError, match="foreign_history="):
            client.chat("m", foreign_history=value)
    assert fake_server.requests == []


async def test_conversations_skip_in_every_round_and_keep_their_history(
    fake_server: FakeServer,
) -> None:
    def f() -> str:
        """Return a word."""
        return "done"

    history = [as_structs(turn) for turn in (ASK, model(call("f")), answer("f"))]
    fake_server.add(Reply.call("f", {}, signature="c2ln"), Reply.text("Well."))
    async with Client(fake_server.api_key, base_url=fake_server.url) as client:
        chat = client.chat("gemini-3.8-flash", history=history, tools=[f], foreign_history="skip")
        await chat.send("Again")
    for request in fake_server.requests:
        assert request.body["contents"][1] == model(call("f", SKIP))
    assert fake_server.requests[1].body["contents"][-2]["parts"][0]["thoughtSignature"] == "c2ln"
    assert chat.history[:3] == history
    assert SKIP not in chat.to_json()


@pytest.mark.parametrize("form", FORMS)
def test_signatures_are_stripped_from_a_copy(form: Callable[[dict[str, Any]], Any]) -> None:
    given = [
        ASK,
        model({"text": "I see.", "thoughtSignature": "YQ=="}, call("f", "c2ln"), call("g")),
        answer("f", "g"),
        model({"text": "So."}, {"text": "", "thoughtSignature": "YQ=="}),
        model({"thoughtSignature": "YQ=="}),
    ]
    history = [form(turn) for turn in given]
    before = deepcopy(history)
    stripped = strip_signatures(history)
    assert history == before
    assert [type(turn) for turn in stripped] == [type(turn) for turn in history[:4]]
    # The part that held only a signature is gone, and so is the turn that held only that part.
    assert sent(stripped) == [
        ASK,
        model({"text": "I see."}, call("f"), call("g")),
        answer("f", "g"),
        model({"text": "So."}),
    ]
    assert strip_signatures(stripped) == stripped


def test_the_callers_own_keys_are_not_signatures() -> None:
    args = {"thoughtSignature": "mine", "thought_signature": "mine, too"}
    turn = Content(
        role="model",
        parts=[Part(function_call=FunctionCall(name="f", args=args), thought_signature="c2ln")],
    )
    (stripped,) = strip_signatures([turn])
    assert stripped.parts == [Part(function_call=FunctionCall(name="f", args=args))]


def test_all_forms_of_contents_are_stripped() -> None:
    signed = Part(text="a", thought_signature="YQ==")
    assert strip_signatures("Hi") == ["Hi"]
    assert strip_signatures(["Hi", signed]) == ["Hi", Part(text="a")]
    assert strip_signatures({"text": "a", "thought_signature": "YQ=="}) == [{"text": "a"}]
    assert strip_signatures(Content(parts=[signed])) == [Content(parts=[Part(text="a")])]
    assert strip_signatures([]) == []
    assert strip_signatures([Content(role="model")]) == [Content(role="model")]


@pytest.mark.parametrize("contents", [5, None, [5], [{"role": "user", "parts": [5]}]])
def test_what_is_no_history_is_refused(contents: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"contents.* must be "):
        strip_signatures(contents)
