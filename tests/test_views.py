"""`stream.images()`: only the images, as they arrive."""

from __future__ import annotations

import base64
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from cometgem import Client, Image, StreamInterruptedError
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "gemini-3.1-flash-image"


def part(data: bytes, **fields: Any) -> dict[str, Any]:
    blob = {"data": base64.b64encode(data).decode(), "mimeType": "image/png"}
    return {"inlineData": blob, **fields}


TWO = [part(b"2"), {"text": "and"}, part(b"3")]
REPLY = Reply.chunks({"text": "Here:"}, part(b"0", thought=True), part(b"1"), TWO)


def single(client: Client) -> Any:
    return client.stream_generate_content(MODEL, "Hi")


def chat(client: Client) -> Any:
    return client.chat(MODEL).stream("Hi")


def tools(client: Client) -> Any:
    return client.run_tools(MODEL, "Hi", tools=[])


@pytest.mark.parametrize("start", [single, chat, tools])
async def test_the_images_of_a_stream(
    start: Callable[[Client], Any], client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(REPLY)
    async with start(client) as stream:
        images = [image async for image in stream.images()]
    assert images == [Image(data=data, mime_type="image/png") for data in (b"1", b"2", b"3")]
    assert [image.data for image in stream.snapshot.images] == [b"1", b"2", b"3"]
    assert stream.snapshot.text == "Here:and"


async def test_an_image_is_handed_out_before_the_stream_ends(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.chunks(TWO).then_stall())
    async with aclosing(client.stream_generate_content(MODEL, "Hi").images()) as images:
        assert (await anext(images)).data == b"2"
    await fake_server.requests[0].wait_gone()
    with pytest.raises(Exception, match="the stream was closed"):
        await anext(images)


async def test_images_before_a_break_are_handed_out(
    client: Client, fake_server: FakeServer
) -> None:
    fake_server.add(Reply.chunks(part(b"1")).then_reset())
    images = client.stream_generate_content(MODEL, "Hi").images()
    assert (await anext(images)).data == b"1"
    with pytest.raises(StreamInterruptedError) as caught:
        await anext(images)
    assert caught.value.partial
    assert caught.value.partial.images == [Image(data=b"1", mime_type="image/png")]
