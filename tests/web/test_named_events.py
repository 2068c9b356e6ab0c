"""Events with names of their own."""

from __future__ import annotations

from web.items import asked, chunk, events, result, thought, written

from cometgem.types import (
    Blob,
    Candidate,
    FunctionResponseBlob,
    FunctionResponsePart,
    GroundingChunk,
    GroundingChunkWeb,
    GroundingMetadata,
    Part,
    UsageMetadata,
)
from cometgem.types.content import PartialArg
from cometgem.web import EventEncoder

IMAGE = Part(inline_data=Blob(data=b"\x01\x02", mime_type="image/png"))
WEB = GroundingMetadata(
    grounding_chunks=[GroundingChunk(web=GroundingChunkWeb(uri="https://a.example", title="A"))]
)


def test_each_kind_of_event() -> None:
    usage = UsageMetadata(total_token_count=3)
    items = [
        chunk(thought("Hm."), "Hel"),
        chunk("lo", IMAGE, grounding_metadata=WEB),
        chunk(finish_reason="STOP", grounding_metadata=WEB, usage_metadata=usage),
    ]
    assert events(written(EventEncoder(), *items)) == [
        ("thought", {"text": "Hm."}),
        ("text", {"text": "Hel"}),
        ("text", {"text": "lo"}),
        ("image", {"mimeType": "image/png", "data": "AQI="}),
        ("source", {"uri": "https://a.example", "title": "A"}),
        ("usage", {"totalTokenCount": 3}),
        ("done", {"finishReason": "STOP"}),
    ]


def test_events_are_numbered() -> None:
    body = written(EventEncoder(), chunk("a"), error="Sorry.")
    assert body == (
        b'id: 1\nevent: text\ndata: {"text":"a"}\n\n'
        b'id: 2\nevent: error\ndata: {"message":"Sorry."}\n\n'
    )


def test_calls_and_results_have_ids_also_if_the_api_sent_none() -> None:
    part = asked("f", {"a": 1})
    assert part.function_call is not None
    media = FunctionResponsePart(
        inline_data=FunctionResponseBlob(data=b"\x01", mime_type="image/x")
    )
    items = [
        chunk(part),
        part.function_call,
        result("f", {"result": 2}, parts=[media]),
        chunk(asked("f", {}, id="7")),
        result("f", {}, id="7"),
    ]
    assert events(written(EventEncoder(), *items))[:-1] == [
        ("call", {"id": "local-1", "name": "f", "args": {"a": 1}}),
        ("result", {"id": "local-1", "name": "f", "response": {"result": 2}}),
        ("image", {"mimeType": "image/x", "data": "AQ=="}),
        ("call", {"id": "7", "name": "f", "args": {}}),
        ("result", {"id": "7", "name": "f", "response": {}}),
    ]


def test_a_streamed_call_is_written_once_it_is_complete() -> None:
    piece = PartialArg(json_path="$.a", string_value="x")
    items = [
        chunk(asked("f", {}, will_continue=True)),
        chunk(asked("", {}, partial_args=[piece], will_continue=True)),
        chunk(asked("", {})),
    ]
    encoder = EventEncoder()
    assert encoder.item(items[0]) == encoder.item(items[1]) == b""
    assert events(encoder.item(items[2])) == [
        ("call", {"id": "local-1", "name": "f", "args": {"a": "x"}})
    ]


def test_calls_that_wait_are_named_at_the_end() -> None:
    part = asked("f", {})
    assert part.function_call is not None
    body = written(EventEncoder(), chunk(part), pending=[part.function_call])
    assert events(body)[-1] == ("done", {"finishReason": None, "pending": ["local-1"]})


def test_other_candidates_are_not_mixed_in() -> None:
    second = Candidate(index=1, content=chunk("no").content)
    one = chunk("yes")
    one.candidates.append(second)
    assert events(EventEncoder().item(one)) == [("text", {"text": "yes"})]
