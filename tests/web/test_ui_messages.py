"""What `useChat` posts: the round trip is in `test_readers.py`, here is what is refused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from web.items import SIGNATURE, plain

from cometgem import Approve, BadMessagesError, ConfigurationError, Refuse
from cometgem.web import answers_from_ui_messages, contents_from_ui_messages, refusal
from cometgem.web.approvals import approval_id

if TYPE_CHECKING:
    from cometgem.types import Content

SECRET = b"0123456789abcdef"
PIXEL = "data:image/png;base64,AQI="


def user(*parts: Any) -> dict[str, Any]:
    return {"id": "u", "role": "user", "parts": list(parts)}


def assistant(*parts: Any) -> dict[str, Any]:
    return {"id": "a", "role": "assistant", "parts": [{"type": "step-start"}, *parts]}


def text(said: object) -> dict[str, Any]:
    return {"type": "text", "text": said}


def file(url: object, mime_type: object = "image/png") -> dict[str, Any]:
    return {"type": "file", "url": url, "mediaType": mime_type}


def tool(state: str, **more: Any) -> dict[str, Any]:
    part = {"type": "dynamic-tool", "toolName": "f", "toolCallId": "7", "input": {"a": 1}}
    return {**part, "state": state, **more}


HI = user(text("Hi"))


def read(*messages: Any, **options: Any) -> list[Content]:
    return contents_from_ui_messages(list(messages), **options)


def test_text_and_files() -> None:
    (content,) = plain(read(user(text("Hi"), file(PIXEL), text(""))))
    image = {"inlineData": {"data": "AQI=", "mimeType": "image/png"}}
    assert content == {"role": "user", "parts": [{"text": "Hi"}, image]}


def test_the_type_of_a_file_may_stand_in_its_url_only() -> None:
    (content,) = plain(read(user(file("data:text/plain;charset=x;base64,AQI=", None))))
    assert content["parts"][0]["inlineData"]["mimeType"] == "text/plain"


def test_static_and_dynamic_tools() -> None:
    static = tool("output-available", output=3, type="tool-g", toolName=None)
    contents = plain(read(HI, assistant(tool("output-available", output={"b": 2}), static)))
    assert contents[1]["parts"] == [
        {"functionCall": {"name": "f", "args": {"a": 1}, "id": "7"}},
        {"functionCall": {"name": "g", "args": {"a": 1}, "id": "7"}},
    ]
    assert [part["functionResponse"]["response"] for part in contents[2]["parts"]] == [
        {"b": 2},
        {"result": 3},
    ]


@pytest.mark.parametrize(
    ("part", "response"),
    [
        (tool("output-error", errorText="no"), "no"),
        (tool("output-error"), "the tool failed"),
        (tool("output-denied", approval={"id": "1", "approved": False, "reason": "x"}), "x"),
        (tool("output-denied"), "the user refused this call"),
        (tool("input-available"), "this call was not answered"),
        (tool("approval-requested", approval={"id": "1"}), "this call was not answered"),
        (
            tool("approval-responded", approval={"id": "1", "approved": True}),
            "this call was not answered",
        ),
    ],
)
def test_calls_without_an_output(part: dict[str, Any], response: str) -> None:
    contents = read(HI, assistant(part), HI)
    answer = contents[2].parts[0].function_response
    assert answer is not None
    assert answer.response == {"error": response}


def test_incomplete_calls_are_left_out() -> None:
    parts = [tool("input-streaming", input=None), tool("output-error", input=None), text("a")]
    assert len(read(HI, assistant(*parts))) == 2


def test_what_is_only_for_the_page_is_left_out() -> None:
    parts = [
        {"type": "reasoning", "text": "Hm."},
        {"type": "source-url", "sourceId": "1", "url": "https://a.example"},
        {"type": "data-weather", "data": {}},
        {"type": "newer-than-the-library"},
        {"type": "dynamic-tool", "providerExecuted": True, "toolName": "x", "toolCallId": "1"},
        text("a"),
    ]
    assert plain(read(HI, assistant(*parts)))[1] == {"role": "model", "parts": [{"text": "a"}]}


def test_signatures_come_back_where_they_were() -> None:
    metadata = {"google": {"thoughtSignature": SIGNATURE}}
    parts = [
        {"type": "reasoning", "text": "Hm.", "providerMetadata": metadata},
        {**text("a"), "providerMetadata": metadata},
        tool("output-available", output={}, callProviderMetadata=metadata),
    ]
    contents = read(HI, assistant(*parts))
    assert [part.thought_signature for part in contents[1].parts] == [SIGNATURE] * 3
    assert contents[1].parts[0].thought is True


@pytest.mark.parametrize(
    "metadata", [None, 7, {"google": 7}, {"google": {"thoughtSignature": 7}}, {"google": {}}]
)
def test_other_metadata_are_ignored(metadata: Any) -> None:
    contents = read(HI, assistant({**text("a"), "providerMetadata": metadata}))
    assert contents[1].parts[0].thought_signature is None


NESTED: Any = 1
for _ in range(200):
    NESTED = [NESTED]
REFUSED: dict[str, tuple[Any, str]] = {
    "no list": ({}, "messages must be a list"),
    "no message": ([], "messages must be a list of at least one"),
    "too many": ([HI] * 1001, "there are 1,001 messages, and at most 1,000"),
    "no object": (["Hi"], r"messages\[0\] is not an object"),
    "a system message": ([{"role": "system", "parts": []}], "role is 'system'; only 'user'"),
    "a tool's message": ([{"role": "tool", "parts": []}], "role is 'tool'"),
    "no role": ([{"parts": []}], "role is None"),
    "no parts": ([{"role": "user"}], "parts is not a list"),
    "a part without a type": ([user({})], "is not an object with a type"),
    "a part that is a text": ([user("Hi")], "is not an object with a type"),
    "a text that is a number": ([user(text(7))], "text is not a string, but 7"),
    "nothing": ([user(text(""))], "nothing that could be sent"),
    "a result of the user": ([user(tool("output-available"))], "cannot hold tool results"),
    "an address": ([user(file("https://a.example/x.png"))], "is not allowed; URLs may begin with"),
    "a file of the backend": ([user(file("file:///etc/passwd"))], "is not allowed"),
    "a file without a type": ([user(file("data:;base64,AQI=", ""))], "is not a media type"),
    "a type that is none": ([user(file(PIXEL, "a\r\nb/c"))], "is not a media type"),
    "a file that is not base64": ([user(file("data:image/png;base64,A!"))], "not valid base64"),
    "a file that is escaped": ([user(file("data:image/png,%00"))], "must be in base64"),
    "half a character": ([user(text("\ud800"))], "half of a surrogate pair"),
    "half a character in a key": ([HI | {"\udc00": 1}], "half of a surrogate pair"),
    "no number": ([HI | {"x": float("nan")}], "which JSON does not have"),
    "a long integer": ([HI | {"x": 10**30}], "an integer of more than 64 bits"),
    "deep values": ([HI | {"x": NESTED}], "nested more than 100 levels deep"),
    "many calls": (
        [HI, assistant(*[tool("output-available")] * 257)],
        "has 257 calls in a row, and at most 256",
    ),
    "much text": ([user(text("x" * 40_000_000))], "more than 33,554,432 characters"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    messages, words = REFUSED[case]
    with pytest.raises(BadMessagesError, match=words) as caught:
        contents_from_ui_messages(messages)
    assert len(str(caught.value)) < 300
    found = refusal(caught.value)
    assert (found.status, found.message) == (400, "This request is not valid.")


def test_only_known_tools() -> None:
    message = assistant(tool("output-available", output=1))
    assert read(HI, message, tools=["f"])
    with pytest.raises(BadMessagesError, match=r"messages\[1\]: the tool 'f' is unknown"):
        read(HI, message, tools=["g"])


def test_the_size_is_measured_over_all() -> None:
    assert read(HI, max_size=100)
    with pytest.raises(BadMessagesError, match="more than 100 characters"):
        read(*[HI] * 10, max_size=100)
    assert read(user(text("x" * 40_000_000)), max_size=None)


def test_checks_take_linear_time() -> None:
    wide = [user(*[text("x")] * 100_000)]
    start = time.perf_counter()
    contents_from_ui_messages(wide)
    assert time.perf_counter() - start < 10


ALLOWED = ("data:", "https://files.example/in/")


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example/other/x",
        "https://files.example.evil.example/in/x",
        "http://files.example/in/x",
        "https://files.example/in/../other",
        "https://files.example/in/%2e%2E/other",
        "https://files.example/in/..%2fother",
        "https://files.example/in/..\\other",
        "https://files.example/in/a b",
        "https://files.example/in/..",
        " data:image/png;base64,AQI=",
        "gs://bucket/x",
    ],
)
def test_addresses_that_are_not_allowed(url: str) -> None:
    with pytest.raises(BadMessagesError, match="is not allowed"):
        read(user(file(url)), allow_files=ALLOWED)


def test_addresses_that_are_allowed() -> None:
    (content,) = read(user(file("https://files.example/in/a.b/..c.png")), allow_files=ALLOWED)
    assert content.parts[0].file_data is not None
    with pytest.raises(BadMessagesError, match="URLs may begin with nothing"):
        read(user(file(PIXEL)), allow_files=())


def test_an_address_of_the_model_does_not_block_the_chat() -> None:
    contents = read(HI, assistant(text("a"), file("https://a.example/x.png")))
    assert len(contents[1].parts) == 1


@pytest.mark.parametrize("allowed", ["data:", ["https://files.example"], ["https:"], [""]])
def test_lists_that_would_allow_more_than_they_say(allowed: Any) -> None:
    with pytest.raises(ConfigurationError, match="allow_files") as caught:
        read(HI, allow_files=allowed)
    assert not isinstance(caught.value, BadMessagesError)


def answered(approved: object, secret: bytes | None = SECRET, **more: Any) -> dict[str, Any]:
    given = approval_id(secret, "7", "f", {"a": 1})
    approval = {"id": given, "approved": approved, "reason": more.pop("reason", None)}
    return tool("approval-responded", approval=approval, **more)


def test_approvals_become_answers() -> None:
    done = tool("output-available", output=1)
    messages = [HI, assistant(done, answered(True), answered(False), answered(False, reason="x"))]  # noqa: FBT003
    answers = answers_from_ui_messages(messages, secret=SECRET)
    assert answers == {0: Approve(), 1: Refuse(), 2: Refuse("x")}
    contents = contents_from_ui_messages(messages)
    assert [len(content.parts) for content in contents] == [1, 4, 1]


@pytest.mark.parametrize(
    "messages",
    [
        [HI],
        [HI, assistant(text("a"))],
        [HI, assistant(tool("input-available"))],
        [HI, assistant(tool("approval-requested"))],
        [HI, assistant(answered("yes"))],
        [HI, assistant(answered(True)), HI],  # noqa: FBT003
        [HI, assistant(answered(True), {"type": "step-start"}, text("a"))],  # noqa: FBT003
    ],
)
def test_messages_without_approvals(messages: Any) -> None:
    assert answers_from_ui_messages(messages, secret=SECRET) is None


def test_approvals_that_nobody_asked_for() -> None:
    changed = answered(True, input={"a": 1000})  # noqa: FBT003
    for part in (changed, answered(True, secret=None), answered(True, toolName="g")):  # noqa: FBT003
        with pytest.raises(BadMessagesError, match="is not one that was asked for"):
            answers_from_ui_messages([HI, assistant(part)], secret=SECRET)
    believed = answers_from_ui_messages([HI, assistant(answered(True, None))], secret=None)  # noqa: FBT003
    assert believed == {0: Approve()}


def test_a_call_that_still_waits_for_its_approval() -> None:
    messages = [HI, assistant(answered(True), tool("approval-requested", approval={"id": "8"}))]  # noqa: FBT003
    with pytest.raises(BadMessagesError, match="the call of tool 'f' is not approved yet"):
        answers_from_ui_messages(messages, secret=SECRET)


def api_tool(kind: str, given: Any, output: Any, **more: Any) -> dict[str, Any]:
    """A tool that the API ran, as `UIMessageEncoder` writes it."""
    metadata = {"cometgem": {"part": kind}, "google": {"thoughtSignature": SIGNATURE}}
    part = tool("output-available", input=given, output=output, toolName="GOOGLE_SEARCH_WEB")
    return {**part, "providerExecuted": True, "callProviderMetadata": metadata, **more}


def test_tools_of_the_api() -> None:
    code = {"code": "1", "language": "PYTHON"}
    done = {"outcome": "OUTCOME_OK", "output": "1"}
    signed = {"google": {"thoughtSignature": "b3RoZXI="}}
    parts = [
        api_tool("code_execution", code, done, resultProviderMetadata=signed),
        api_tool("code_execution", code, None, state="input-available", toolCallId="local-1"),
        api_tool("toolCall", {"q": "x"}, {"found": 1}),
        api_tool("toolCall", None, {}),
        api_tool("other", {}, {}),
    ]
    assert plain(read(HI, assistant(*parts)))[1]["parts"] == [
        {"executableCode": {**code, "id": "7"}, "thoughtSignature": SIGNATURE},
        {"codeExecutionResult": {**done, "id": "7"}, "thoughtSignature": "b3RoZXI="},
        {"executableCode": code, "thoughtSignature": SIGNATURE},
        {
            "toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "args": {"q": "x"}, "id": "7"},
            "thoughtSignature": SIGNATURE,
        },
        {"toolResponse": {"toolType": "GOOGLE_SEARCH_WEB", "response": {"found": 1}, "id": "7"}},
    ]


def test_media_go_back_to_their_result() -> None:
    of_result = {**file(PIXEL), "providerMetadata": {"cometgem": {"toolCallId": "7"}}}
    of_nothing = {**file(PIXEL), "providerMetadata": {"cometgem": {"toolCallId": "8"}}}
    parts = [tool("output-available", output={}), of_result, of_nothing, file(PIXEL)]
    contents = read(HI, assistant(*parts))
    assert [part.inline_data is not None for part in contents[1].parts] == [False, True]
    answer = contents[2].parts[0].function_response
    assert answer is not None
    assert [one.inline_data.data for one in answer.parts if one.inline_data] == [b"\x01\x02"]
