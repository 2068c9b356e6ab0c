"""Whatever a browser posts: it becomes contents that can be sent, or is refused as such."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cometgem import BadMessagesError
from cometgem.request.contents import contents_to_wire
from cometgem.web import (
    AGUIEncoder,
    UIMessageEncoder,
    answers_from_ag_ui,
    answers_from_ui_messages,
    contents_from_ag_ui,
    contents_from_ui_messages,
)
from cometgem.web.posted import check_messages

SECRET = b"0123456789abcdef"
WORDS = ["", "f", "text", "file", "dynamic-tool", "tool-f", "tool-", "step-start", "reasoning", "7"]
WORDS += ["user", "assistant", "tool", "system", "data:a/b;base64,AQI=", "data:", "image/png", "{}"]
WORDS += ["output-available", "output-error", "approval-responded", "approval-requested"]
WORDS += ["google", "cometgem", "code_execution", "toolCall", "resolved", "local-1", '{"a":[1]}']
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([*WORDS, "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3)
    ),
    max_leaves=5,
)
VALUES = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(WORDS)


@st.composite
def objects(draw: st.DrawFn, **fields: st.SearchStrategy[Any]) -> dict[str, Any]:
    """Return an object with nearly all of these fields, nearly all of which are as they should."""
    found = {}
    for key, value in fields.items():
        kind = draw(st.integers(0, 60))
        if kind > 0:
            found[key] = draw(JSON if kind == 1 else value)
    return found


METADATA = objects(
    google=objects(thoughtSignature=st.just("c2ln")),
    cometgem=objects(
        callId=st.just("7"), toolCallId=st.just("7"), part=st.sampled_from(["toolCall", WORDS[27]])
    ),
)
PARTS = objects(
    type=st.sampled_from(WORDS),
    text=st.sampled_from(WORDS),
    url=st.sampled_from(["data:image/png;base64,AQI=", "data:a/b;base64,", "https://a.example/"]),
    mediaType=st.sampled_from(["image/png", "image/png", "", "x"]),
    toolName=st.sampled_from(WORDS),
    toolCallId=st.sampled_from(["7", "8", "local-1"]),
    state=st.sampled_from(WORDS),
    input=st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=2),
    output=VALUES,
    errorText=st.sampled_from(WORDS),
    providerExecuted=st.booleans(),
    approval=objects(id=st.just("7"), approved=st.booleans(), reason=st.sampled_from(WORDS)),
    providerMetadata=METADATA,
    callProviderMetadata=METADATA,
    resultProviderMetadata=METADATA,
)
ROLES = st.sampled_from(["user", "assistant"])
UI = st.lists(objects(role=ROLES, id=st.just("m"), parts=st.lists(PARTS, max_size=4)), max_size=3)
SOURCES = objects(
    type=st.sampled_from(["data", "url"]),
    value=st.sampled_from(["AQI=", *WORDS]),
    mimeType=st.just("image/png"),
)
CALLS = objects(
    id=st.sampled_from(["7", "8", "local-1"]),
    function=objects(name=st.just("f"), arguments=st.sampled_from(WORDS)),
    encryptedValue=st.just("c2ln"),
)
CONTENTS = st.lists(
    objects(type=st.sampled_from(["text", "image"]), text=st.just("a"), source=SOURCES), max_size=2
)
RUNS = objects(
    threadId=st.just("t"),
    runId=st.just("r"),
    messages=st.lists(
        objects(
            role=st.sampled_from(["user", "assistant", "tool", "reasoning", "activity"]),
            content=CONTENTS | st.just("a"),
            toolCalls=st.lists(CALLS, max_size=2),
            toolCallId=st.sampled_from(["7", "8", "local-1"]),
            encryptedValue=st.just("c2ln"),
            error=st.just("no"),
        ),
        max_size=4,
    ),
    resume=st.lists(
        objects(
            interruptId=st.sampled_from(["7", "8", "local-1"]),
            status=st.sampled_from(["resolved", "cancelled"]),
            payload=objects(approved=st.booleans(), reason=st.just("x")),
        ),
        max_size=2,
    ),
    tools=st.lists(objects(name=st.just("f")), max_size=2),
)


@given(messages=UI | JSON)
@settings(deadline=None)
def test_ui_messages(messages: Any) -> None:
    try:
        contents = contents_from_ui_messages(messages)
        answers_from_ui_messages(messages, secret=None)
    except BadMessagesError:
        pass
    else:
        contents_to_wire(contents)
    UIMessageEncoder(messages=messages).start()


@given(run=RUNS | JSON)
@settings(deadline=None)
def test_ag_ui(run: Any) -> None:
    try:
        contents = contents_from_ag_ui(run)
        AGUIEncoder(run).start()
        answers_from_ag_ui(run, secret=SECRET)
    except BadMessagesError:
        return
    contents_to_wire(contents)


@given(messages=JSON)
def test_what_is_accepted_can_be_written(messages: Any) -> None:
    try:
        check_messages([messages], None)
    except BadMessagesError:
        return
    assert repr(messages).encode()
