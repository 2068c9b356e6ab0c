"""Typed answers of recorded bodies: text that is JSON means what ``json.loads`` says it means."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from conformance import conformance_file
from response.recorded import recorded

from cometgem import OutputValidationError
from cometgem.testing import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cometgem import Client
    from cometgem.testing import FakeServer

MODEL = "gemini-3.8-flash"


def answers(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, known in document["files"].items():
        if not known["error"]:
            yield name, known


def texts(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, known in answers(document):
        if known["kind"] == "streaming" and known["merged"]["text"]:
            yield name, known


def loaded(text: str) -> list[Any]:
    """Return the value of a text, with or without a fence; nothing if it is not JSON."""
    text = text.strip()
    if text.startswith("```"):
        text = text.removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        return [json.loads(text)]
    except ValueError:
        return []


@pytest.mark.parametrize(("name", "known"), recorded("bodies/EXPECT.json", answers))
async def test_the_text_is_json_or_an_error(
    client: Client, fake_server: FakeServer, name: str, known: dict[str, Any]
) -> None:
    fake_server.add(Reply.recorded(conformance_file(f"bodies/{name}")))
    response = await client.generate_content(MODEL, "Hi", response_type=object)
    text = known["merged"]["text"]
    if values := loaded(text):
        assert [response.parsed] == values
        return
    with pytest.raises(OutputValidationError) as caught:
        _ = response.parsed
    assert caught.value.text == text
    assert caught.value.partial is response


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize(("name", "known"), recorded("bodies/EXPECT.json", texts))
async def test_recorded_text_inside_json(
    client: Client,
    fake_server: FakeServer,
    name: str,
    known: dict[str, Any],
    *,
    ascii_only: bool,
) -> None:
    """No recorded text is JSON. So each is put into JSON, which is cut as its chunks were."""
    fake_server.add(Reply.recorded(conformance_file(f"bodies/{name}")))
    chunks = [one.text async for one in client.stream_generate_content(MODEL, "Hi")]
    value = {"pieces": [*chunks, known["merged"]["text"]], "name": name}
    document = json.dumps(value, ensure_ascii=ascii_only)
    at, pieces = 0, []
    for size in [*map(len, chunks), len(document)]:
        pieces.append(document[at : at + size])
        at += size
    fake_server.add(Reply.text(*pieces))
    kind = dict[str, Any]
    async with client.stream_generate_content(MODEL, "Hi", response_type=kind) as stream:
        assert [one async for one in stream.items("pieces", str)] == value["pieces"]
        assert stream.partial == json.loads(document)
        assert (await stream.get_final_response()).parsed == json.loads(document)
