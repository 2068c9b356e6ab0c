"""Turns whose calls are being answered: how responses find their calls, and how both are kept."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cometgem.conversation.open_turn import OpenTurn, find_tail, pending_of
from cometgem.types import Content, FunctionCall, FunctionResponse, Part


def calls(*named: tuple[str, str | None]) -> Content:
    parts = [Part(function_call=FunctionCall(name=name, id=id_)) for name, id_ in named]
    return Content(role="model", parts=[Part(text="Well."), *parts])


def response(name: str, value: int, id_: str | None = None, **metadata: Any) -> Part:
    answer = FunctionResponse(name=name, id=id_, response={"is": value})
    return Part(function_response=answer, part_metadata=metadata or None)


def user(*parts: Part) -> Content:
    return Content(role="user", parts=list(parts))


@pytest.mark.parametrize(
    ("turn", "parts", "found"),
    [
        (calls(("f", None), ("f", None)), [response("f", 1)], {0: 1}),
        (calls(("f", None), ("f", None)), [response("f", 1, callPlace=1)], {1: 1}),
        (calls(("f", None), ("f", None)), [response("f", 1, callPlace=1.0)], {1: 1}),
        (calls(("f", "a"), ("f", "b")), [response("f", 1, "b")], {1: 1}),
        (calls(("f", "a"), ("g", "b")), [response("g", 1)], {1: 1}),  # by hand, without the id
        (calls(("f", "a"), ("f", None)), [response("f", 1), response("f", 2)], {1: 1, 0: 2}),
        (
            calls(("f", "a"), ("f", "a")),
            [response("f", 1, "a"), response("f", 2, "a")],
            {0: 1, 1: 2},
        ),
        (calls(("f", "a")), [response("f", 1, "b"), response("g", 2, "a")], {}),
        (calls(("f", None)), [response("f", 1, callPlace=7), response("f", 2)], {0: 1}),
    ],
)
def test_responses_find_their_calls(
    turn: Content, parts: list[Part], found: dict[int, int]
) -> None:
    opened = OpenTurn(turn)
    opened.add_known_responses(parts)
    assert {at: one.response["is"] for at, one in opened.responses.items()} == found
    assert len(opened.rest) == len(parts) - len(found)


def test_positions_are_kept_only_where_they_are_needed_and_never_when_complete() -> None:
    turn = calls(("f", None), ("f", "b"), ("f", None))
    opened = OpenTurn(turn)
    opened.responses = {1: FunctionResponse(name="f", id="b"), 2: FunctionResponse(name="f")}
    model, answers = opened.turns()
    assert model == turn
    assert [part.part_metadata for part in answers.parts] == [None, {"callPlace": 2}]
    saved = msgspec.json.decode(msgspec.json.encode([model, answers]), type=list[Content])
    tail = find_tail(saved)
    assert tail is not None
    assert tail.turn.pending == [0]
    tail.turn.responses[0] = FunctionResponse(name="f")
    assert [part.part_metadata for part in tail.turn.turns()[1].parts] == [None] * 3


@pytest.mark.parametrize(
    ("contents", "pending"),
    [
        ([], 0),
        (["Hi"], 0),
        (["Hi", calls(("f", None))], 1),
        (["Hi", calls(("f", None)), user(response("f", 1))], 0),
        (["Hi", calls(("f", None), ("g", None)), response("g", 1)], 1),
        (["Hi", calls(("f", None), ("g", None)), response("g", 1), response("f", 1)], 0),
        (["Hi", calls(("f", None)), "And?"], 1),
        (["Hi", calls(("f", None)), user(response("f", 1)), calls(("g", None))], 1),
        (["Hi", calls(("f", None)), {"role": "model", "parts": [{"text": "Never mind."}]}], 0),
        (["Hi", {"role": "model", "parts": [{"function_call": {"name": "f"}}]}], 1),
        (["Hi", {"role": "model", "parts": [{"functionCall": {"name": 5}}]}], 0),
        (["Hi", calls(("f", None)), 5], 0),  # refused by the request
    ],
)
def test_pending_calls_are_found_at_the_end_of_any_contents(
    contents: list[Any], pending: int
) -> None:
    assert len(pending_of(contents)) == pending


def test_the_calls_are_copies() -> None:
    call = FunctionCall(name="f", args={"a": [1]})
    opened = OpenTurn(Content(role="model", parts=[Part(function_call=call)]))
    opened.calls[0].args["a"].append(2)
    assert call.args == {"a": [1]}
    (part,) = opened.model_turn().parts
    assert part.function_call == FunctionCall(name="f", args={"a": [1, 2]})
