"""Media that functions return."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from PIL import Image

from cometgem import Blob, FunctionCall, FunctionResponse, FunctionTool, Part
from cometgem.request.media import encode_images, has_images
from cometgem.types import FileData, FunctionResponsePart, MediaResolution
from cometgem.types.content import FunctionResponseBlob

PNG = b"\x89PNG"


def look() -> Any: ...


def respond(result: object) -> dict[str, Any]:
    made = FunctionTool(look).to_response(FunctionCall(name="look", id="7"), result)
    response: dict[str, Any] = json.loads(made.to_json())
    assert (response.pop("name"), response.pop("id")) == ("look", "7")
    return response


def inline(mime_type: str = "image/png", **more: Any) -> dict[str, Any]:
    return {"inlineData": {"data": "iVBORw==", "mimeType": mime_type, **more}}


FILE = {"fileData": {"fileUri": "https://a.example/b.pdf", "mimeType": "application/pdf"}}
PART = Part.from_bytes(PNG, "image/png")
URI = Part.from_uri("https://a.example/b.pdf", "application/pdf")


@pytest.mark.parametrize(
    ("result", "response", "parts"),
    [
        (PART, {}, [inline()]),
        (URI, {}, [FILE]),
        (Blob(data=PNG, mime_type="image/png", display_name="a"), {}, [inline(displayName="a")]),
        (FileData(file_uri="https://a.example/b.pdf", mime_type="application/pdf"), {}, [FILE]),
        ((PNG, "image/png"), {}, [inline()]),
        ((bytearray(PNG), "image/png"), {}, [inline()]),
        ((memoryview(PNG), "audio/wav"), {}, [inline("audio/wav")]),
        ([PART, URI], {}, [inline(), FILE]),
        ((PART, URI), {}, [inline(), FILE]),
        ([(PNG, "image/png")], {}, [inline()]),
        ([{"a": 1}, PART], {"a": 1}, [inline()]),
        (["warm", PART], {"result": "warm"}, [inline()]),
        ([Part(text="warm"), PART], {"result": "warm"}, [inline()]),
        (["warm", PART, {"a": 1}], {"result": ["warm", {"a": 1}]}, [inline()]),
        (Part(text="warm"), {"result": "warm"}, []),
        ([Part(text="a"), Part(text="b")], {"result": ["a", "b"]}, []),
        ([[PNG, "image/png"]], {"result": [["iVBORw==", "image/png"]]}, []),
        (("a", "image/png"), {"result": ["a", "image/png"]}, []),
        ((PNG, "a"), {"result": ["iVBORw==", "a"]}, []),
        ([1, 2], {"result": [1, 2]}, []),
        ([], {"result": []}, []),
        (PNG, {"result": "iVBORw=="}, []),
    ],
)
def test_media_become_parts(result: object, response: Any, parts: list[Any]) -> None:
    made = respond(result)
    assert made.pop("response") == response
    assert made.pop("parts", []) == parts
    assert made == {}


def test_how_to_read_media_is_kept() -> None:
    part = Part.from_bytes(PNG, "image/png")
    part.media_resolution = MediaResolution(level="MEDIA_RESOLUTION_HIGH")
    assert respond(part)["parts"] == [
        {**inline(), "mediaResolution": {"level": "MEDIA_RESOLUTION_HIGH"}}
    ]


def test_a_response_made_by_the_function_is_kept() -> None:
    media = FunctionResponsePart(inline_data=FunctionResponseBlob(data=PNG, mime_type="image/png"))
    result = FunctionResponse(response={"image": {"$ref": "a"}}, parts=[media])
    assert respond(result) == {"response": {"image": {"$ref": "a"}}, "parts": [inline()]}
    assert respond(media) == {"response": {}, "parts": [inline()]}


@pytest.mark.parametrize("part", [Part(), Part(function_call=FunctionCall(name="f"))])
def test_other_parts_are_refused(part: Part) -> None:
    with pytest.raises(TypeError, match="parts with text, inline_data or file_data only"):
        respond([part])


def read(blob: Any) -> Image.Image:
    return Image.open(io.BytesIO(blob.data))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "F"])
def test_images_of_pil_are_sent_as_png(mode: str) -> None:
    tool = FunctionTool(look)
    response = tool.to_response(FunctionCall(name="look"), Image.new(mode, (2, 3)))
    (part,) = response.parts
    assert part.inline_data is not None
    assert part.inline_data.mime_type == "image/png"
    assert (read(part.inline_data).format, read(part.inline_data).size) == ("PNG", (2, 3))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG", "BMP"])
def test_images_that_were_read_keep_their_format(kind: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (2, 3)).save(file, format=kind)
    tool = FunctionTool(look)
    response = tool.to_response(FunctionCall(name="look"), ["A map", Image.open(file)])
    assert response.response == {"result": "A map"}
    (part,) = response.parts
    assert part.inline_data is not None
    expected = "PNG" if kind == "BMP" else kind
    assert part.inline_data.mime_type == f"image/{expected.lower()}"
    assert read(part.inline_data).format == expected


def test_an_image_that_cannot_be_written_is_an_error() -> None:
    image = Image.new("RGB", (2, 3))
    image.close()
    image.im = None  # type: ignore[assignment]
    with pytest.raises(ValueError, match=r"^the image cannot be encoded: "):
        respond(image)


def test_images_can_be_encoded_beforehand() -> None:
    image = Image.new("RGB", (2, 3))
    for result in (image, [image, "A map"], (image, "A map")):
        assert has_images(result)
        encoded = encode_images(result)
        assert not has_images(encoded)
        assert respond(encoded) == respond(result)
    for result in (PART, [1, PART], (PNG, "image/png"), None):
        assert not has_images(result)
        assert encode_images(result) is result


@pytest.mark.parametrize(
    "annotation",
    [Part, list[Part], Blob, tuple[bytes, str], bytes, Image.Image, list[str | Image.Image]],
)
def test_media_are_not_declared(annotation: Any) -> None:
    def draw() -> Any: ...

    draw.__annotations__["return"] = annotation
    assert FunctionTool(draw).declaration.response_json_schema is None
