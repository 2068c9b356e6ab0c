"""The bytes that a viewer gets: joined texts, and nothing that it has."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cometgem.types import Candidate, Content, FunctionCall, GenerateContentResponse, Part
from cometgem.web import (
    AGUIEncoder,
    Encoder,
    EventEncoder,
    NativeEncoder,
    TextEncoder,
    UIMessageEncoder,
)
from cometgem.web.replay import Replay, event_number


def chunk(text: str, *, thought: bool | None = None, signature: str | None = None) -> object:
    part = Part(text=text, thought=thought, thought_signature=signature)
    return GenerateContentResponse(
        candidates=[Candidate(content=Content(role="model", parts=[part]))]
    )


def write(encoder: Encoder, *items: object) -> list[bytes]:
    return [encoder.start(), *(encoder.item(item) for item in items)]  # type: ignore[arg-type]


def ui_events(data: bytes) -> list[dict[str, object]]:
    return [json.loads(line[6:]) for line in data.split(b"\n\n") if line.startswith(b"data: {")]


CALL = FunctionCall(name="f", args={"delta": 'a"}'})
MESSAGE = {"id": "1", "role": "user", "content": "Hi"}
ITEMS = (
    *(chunk("think", thought=True), chunk("ing", thought=True)),
    *(chunk("a\n\nb"), chunk('"}'), chunk("\\"), chunk("é")),
    CALL,
    *(chunk("x"), chunk("y")),
)


def test_texts_of_a_ui_stream_are_joined() -> None:
    pieces = write(UIMessageEncoder(), *ITEMS)
    joined = ui_events(Replay(UIMessageEncoder.delta).data(pieces))
    deltas = [one["delta"] for one in joined if "delta" in one]
    assert deltas == ["thinking", 'a\n\nb"}\\é', "xy"]
    others = [one for one in ui_events(b"".join(pieces)) if "delta" not in one]
    assert [one for one in joined if "delta" not in one] == others


def test_texts_of_ag_ui_are_joined() -> None:
    encoder = AGUIEncoder({"threadId": "t", "runId": "r", "messages": [MESSAGE], "tools": []})
    joined = ui_events(Replay(encoder.delta).data(write(encoder, *ITEMS)))
    deltas = [one["delta"] for one in joined if "MESSAGE_CONTENT" in str(one["type"])]
    assert deltas == ["thinking", 'a\n\nb"}\\é', "xy"]


def test_texts_of_named_events_are_joined_under_the_last_id() -> None:
    pieces = write(EventEncoder(), *ITEMS)
    events = Replay(EventEncoder.delta).data(pieces).split(b"\n\n")[:-1]
    assert events[0] == b'id: 2\nevent: thought\ndata: {"text":"thinking"}'
    assert events[1].startswith(b"id: 6\nevent: text\n")
    assert json.loads(events[1].split(b"data: ")[1]) == {"text": 'a\n\nb"}\\é'}
    assert events[2].startswith(b"id: 7\nevent: call\n")
    assert events[3] == b'id: 9\nevent: text\ndata: {"text":"xy"}'


def test_other_formats_are_replayed_as_they_were() -> None:
    pieces = write(TextEncoder(), *ITEMS)
    assert Replay(TextEncoder.delta).data(pieces) == b"".join(pieces)
    assert NativeEncoder.delta is None


def test_a_single_piece_is_passed_on_untouched() -> None:
    piece = b'data: {"type":"text-delta","id":"1","delta":"a"}\n\n' * 2
    assert Replay(UIMessageEncoder.delta).data([piece]) is piece


def test_a_signature_stays_with_its_text() -> None:
    pieces = write(UIMessageEncoder(), chunk("a"), chunk("b", signature="sig"), chunk("c"))
    kinds = [one["type"] for one in ui_events(Replay(UIMessageEncoder.delta).data(pieces))]
    assert kinds.count("text-start") == 3
    assert kinds.count("text-delta") == 3


@given(st.lists(st.tuples(st.booleans(), st.text(min_size=1)), max_size=20), st.integers(1, 5))
def test_no_text_is_lost_or_moved_by_joining(texts: list[tuple[bool, str]], size: int) -> None:
    items = [chunk(text, thought=thought or None) for thought, text in texts]
    for encoder, key in ((UIMessageEncoder(), "delta"), (EventEncoder(), "text")):
        pieces = write(encoder, *items)
        replay = Replay(encoder.delta)
        parts = [pieces[at : at + size] for at in range(0, len(pieces), size)]
        data = b"".join(map(replay.data, parts))
        found = re.findall(rb"^data: (.*)$", data, re.MULTILINE)
        said = [one[key] for one in map(json.loads, found) if key in one]
        assert "".join(said) == "".join(text for _, text in texts)


@pytest.mark.parametrize("after", range(10))
def test_events_that_the_viewer_has_are_left_out(after: int) -> None:
    pieces = write(EventEncoder(), *ITEMS)
    every = b"".join(pieces).split(b"\n\n")[:-1]
    replay = Replay(None, after)
    for size in (1, 3, 20):
        replay = Replay(None, after)
        parts = [pieces[at : at + size] for at in range(0, len(pieces), size)]
        data = b"".join(map(replay.data, parts))
        assert data.split(b"\n\n")[:-1] == every[after:]


@pytest.mark.parametrize(
    ("given", "number"),
    [
        *((None, None), ("", None), ("x", None), ("-1", None), ("1.5", None), ("٣", None)),
        *(("9" * 19, None), ("²", None), (7, 7), ("7", 7), (" 7 ", 7), ("0", 0)),
    ],
)
def test_last_event_ids_of_browsers(given: int | str | None, number: int | None) -> None:
    assert event_number(given) == number
