"""What AG-UI pages post: the round trip is in `test_ag_ui_models.py`, here is what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from web.items import SIGNATURE, plain

from cometgem import Approve, BadMessagesError, Refuse
from cometgem.web import answers_from_ag_ui, contents_from_ag_ui
from cometgem.web.approvals import approval_id

if TYPE_CHECKING:
    from cometgem.types import Content

SECRET = b"0123456789abcdef"
HI = {"id": "u", "role": "user", "content": "Hi"}
PIXEL = {"type": "data", "value": "AQI=", "mimeType": "image/png"}


def run(*messages: Any, resume: Any = None) -> dict[str, Any]:
    return {"threadId": "t", "runId": "r", "messages": [*messages], "resume": resume}


def read(*messages: Any, **options: Any) -> list[Content]:
    return contents_from_ag_ui(run(*messages), **options)


def asking(*ids: str, args: str = '{"a":1}', **more: Any) -> dict[str, Any]:
    function = {"name": "f", "arguments": args}
    calls = [{"id": one, "type": "function", "function": function} for one in ids]
    return {"id": f"a-{ids}", "role": "assistant", "toolCalls": calls, **more}


def told(call_id: str, content: Any = '{"b":2}', **more: Any) -> dict[str, Any]:
    return {"id": f"t-{call_id}", "role": "tool", "toolCallId": call_id, "content": content, **more}


def user(*content: Any) -> dict[str, Any]:
    return {"id": "u", "role": "user", "content": [*content]}


def test_text_and_files() -> None:
    parts = [{"type": "text", "text": "Hi"}, {"type": "image", "source": PIXEL}, {"type": "new"}]
    (content,) = plain(read(user(*parts)))
    image = {"inlineData": {"data": "AQI=", "mimeType": "image/png"}}
    assert content == {"role": "user", "parts": [{"text": "Hi"}, image]}


def test_messages_of_the_model_in_a_row_are_one_turn() -> None:
    thought = {"id": "1", "role": "reasoning", "content": "Hm.", "encryptedValue": SIGNATURE}
    unsigned = {"id": "2", "role": "reasoning", "content": "Hm."}
    activity = {"id": "3", "role": "activity", "activityType": "x", "content": {}}
    text = {"id": "4", "role": "assistant", "content": "a"}
    contents = plain(read(HI, thought, unsigned, activity, text, asking("7"), told("7"), text))
    assert contents[1]["parts"] == [
        {"text": "Hm.", "thought": True, "thoughtSignature": SIGNATURE},
        {"text": "a"},
        {"functionCall": {"name": "f", "args": {"a": 1}, "id": "7"}},
    ]
    assert contents[2]["parts"] == [
        {"functionResponse": {"name": "f", "response": {"b": 2}, "id": "7"}}
    ]
    assert contents[3] == {"role": "model", "parts": [{"text": "a"}]}


@pytest.mark.parametrize(
    ("message", "response"),
    [
        (told("7", "plain text"), {"result": "plain text"}),
        (told("7", "[1]"), {"result": [1]}),
        (told("7", "[" * 5000 + "]" * 5000), {"result": "[" * 5000 + "]" * 5000}),
        (told("7", "x", error="no"), {"error": "no"}),
        (told("7", [{"type": "text", "text": '{"b":'}, {"type": "text", "text": "2}"}]), {"b": 2}),
        (HI, {"error": "this call was not answered"}),
    ],
)
def test_results(message: dict[str, Any], response: dict[str, Any]) -> None:
    answer = read(HI, asking("7"), message)[2].parts[0].function_response
    assert answer is not None
    assert answer.response == response


def test_media_of_results() -> None:
    content = [{"type": "text", "text": "{}"}, {"type": "image", "source": PIXEL}]
    answer = read(HI, asking("7"), told("7", content))[2].parts[0].function_response
    assert answer is not None
    assert [one.inline_data.data for one in answer.parts if one.inline_data] == [b"\x01\x02"]


@pytest.mark.parametrize("args", ["", "7", "{", "[" * 5000])
def test_calls_with_other_arguments_are_left_out(args: str) -> None:
    assert len(read(HI, asking("7", args=args))) == 1


REFUSED: dict[str, tuple[list[Any], str]] = {
    "a system message": ([{"role": "system", "content": "x"}], "role is 'system'; only 'user'"),
    "a developer's message": ([{"role": "developer", "content": "x"}], "role is 'developer'"),
    "a result without a call": ([HI, told("7")], "the result of a call that is not before it"),
    "a result of another turn": ([HI, asking("7"), HI, told("7")], "that is not before it"),
    "a result that is a number": ([HI, asking("7"), told("7", 7)], "content is not a string"),
    "a text that is a number": ([{"role": "user", "content": 7}], "is not a string or a list"),
    "a part that is a text": ([user("Hi")], "has an item that is not an object"),
    "a file without a source": ([user({"type": "image"})], "a file has no source"),
    "an address": (
        [user({"type": "image", "source": {"type": "url", "value": "https://a.example/"}})],
        "is not allowed",
    ),
    "a file that is not base64": (
        [user({"type": "image", "source": {**PIXEL, "value": "!"}})],
        "not valid base64",
    ),
    "deep arguments": ([HI, asking("7", args='{"a":' + "[" * 200 + "]" * 200 + "}")], "nested"),
    "many calls": ([HI, *[asking("7")] * 257], "has 257 calls in a row, and at most 256"),
    "nothing": ([{"role": "user", "content": ""}], "nothing that could be sent"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    messages, words = REFUSED[case]
    with pytest.raises(BadMessagesError, match=words):
        read(*messages)


def test_what_is_not_allowed() -> None:
    with pytest.raises(BadMessagesError, match="the tool 'f' is unknown"):
        read(HI, asking("7"), tools=["g"])
    with pytest.raises(BadMessagesError, match="files inside the messages are not allowed"):
        read(user({"type": "image", "source": PIXEL}), allow_files=())
    with pytest.raises(BadMessagesError, match="more than 100 characters"):
        read({**HI, "content": "x" * 200}, max_size=100)


def said(interrupt: str, *, approved: bool = True, **more: Any) -> dict[str, Any]:
    payload = {"approved": approved, **more}
    return {"interruptId": interrupt, "status": "resolved", "payload": payload}


def test_answers_to_interrupts() -> None:
    ids = [approval_id(SECRET, one, "f", {"a": 1}) for one in ("7", "8", "9")]
    resume = [
        said(ids[0]),
        said(ids[1], approved=False, reason="x"),
        {"interruptId": ids[2], "status": "cancelled"},
    ]
    posted = run(HI, asking("5", "7"), asking("8", "9"), told("5"), resume=resume)
    answers = answers_from_ag_ui(posted, secret=SECRET)
    assert answers == {0: Approve(), 1: Refuse("x"), 2: Refuse()}
    contents = contents_from_ag_ui(posted)
    assert [len(content.parts) for content in contents] == [1, 4, 1]


def test_a_run_without_answers() -> None:
    assert answers_from_ag_ui(run(HI, asking("7")), secret=None) is None
    assert answers_from_ag_ui(run(HI, asking("7"), resume=[]), secret=None) is None


@pytest.mark.parametrize(
    ("resume", "words"),
    [
        ([said("7")], "is not one that was asked for"),
        ([said("7.abc")], "is not one that was asked for"),
        ([said(approval_id(SECRET, "7", "f", {"a": 2}))], "is not one that was asked for"),
        ([said("8")], "the call of tool 'f' is not answered yet"),
        (
            [said(approval_id(SECRET, "7", "f", {"a": 1})), said("8")],
            "an interrupt that belongs to no call",
        ),
    ],
)
def test_answers_that_fit_no_question(resume: Any, words: str) -> None:
    with pytest.raises(BadMessagesError, match=words):
        answers_from_ag_ui(run(HI, asking("7"), resume=resume), secret=SECRET)
