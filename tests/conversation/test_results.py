"""Results of functions as the next round sends them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from conversation.calling import MODEL, WARM, call, calling, read
from PIL import Image

from cometgem import Client, Part, ToolError

if TYPE_CHECKING:
    from cometgem.testing import FakeServer


def draw_map(city: str) -> list[Any]:
    """Draw a map."""
    return [f"A map of {city}", (b"\x89PNG", "image/png"), Part.from_uri("https://a.b/c", "a/b")]


async def take_photo() -> Image.Image:
    """Take a photo."""
    return Image.new("RGB", (2, 2))


async def test_media_are_sent_beside_the_response(fake_server: FakeServer, client: Client) -> None:
    fake_server.add(calling(call("draw_map", {"city": "Bath"}), call("take_photo", {})), WARM)
    stream = client.run_tools(MODEL, "Where?", tools=[draw_map, take_photo])
    await read(stream)
    parts = fake_server.requests[1].body["contents"][-1]["parts"]
    chart, photo = (part["functionResponse"] for part in parts)
    assert chart["response"] == {"result": "A map of Bath"}
    assert chart["parts"] == [
        {"inlineData": {"data": "iVBORw==", "mimeType": "image/png"}},
        {"fileData": {"fileUri": "https://a.b/c", "mimeType": "a/b"}},
    ]
    assert photo["response"] == {}
    assert photo["parts"][0]["inlineData"]["mimeType"] == "image/png"


async def test_images_are_encoded_in_a_thread(
    fake_server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    save = Image.Image.save

    def record(*args: Any, **kwargs: Any) -> None:
        threads.append(threading.current_thread())
        save(*args, **kwargs)

    monkeypatch.setattr(Image.Image, "save", record)
    fake_server.add(calling(call("take_photo", {})), WARM)
    await read(client.run_tools(MODEL, "Where?", tools=[take_photo]))
    (thread,) = threads
    assert thread is not threading.main_thread()


@pytest.mark.parametrize("bad", [float("nan"), object()])
async def test_what_is_not_json_beside_media_is_an_error(
    fake_server: FakeServer, client: Client, bad: object
) -> None:
    def look() -> list[Any]:
        return [(b"\x89PNG", "image/png"), {"value": bad}]

    fake_server.add(calling(call("look", {})), WARM)
    with pytest.raises(ToolError, match="returned a value that"):
        await read(client.run_tools(MODEL, "Where?", tools=[look]))
