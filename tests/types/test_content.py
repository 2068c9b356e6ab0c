import errno
import mimetypes
import os
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cometgem.types import (
    Blob,
    Content,
    FileData,
    FunctionCall,
    FunctionResponse,
    FunctionResponseBlob,
    MediaResolution,
    MediaResolutionLevel,
    Part,
    PartialArg,
    VideoMetadata,
)
from cometgem.types.files import read_file


def sent(value: object) -> bytes:
    return msgspec.json.encode(value)


def test_empty_args_and_response_are_sent() -> None:
    assert sent(FunctionCall(name="f")) == b'{"name":"f","args":{}}'
    assert sent(FunctionCall(name="f", args={})) == b'{"name":"f","args":{}}'
    assert sent(FunctionResponse(name="f")) == b'{"name":"f","response":{}}'
    assert FunctionCall().args is not FunctionCall().args


def test_a_piece_of_a_streamed_call_without_a_name_decodes() -> None:
    part = msgspec.json.decode(b'{"functionCall":{"willContinue":true}}', type=Part)
    assert part.function_call == FunctionCall(name="", args={}, will_continue=True)


@pytest.mark.parametrize(
    ("body", "arg"),
    [
        (b'{"nullValue":"NULL_VALUE"}', PartialArg(null_value="NULL_VALUE")),
        (b'{"nullValue":null}', PartialArg(null_value=None)),
        (b"{}", PartialArg()),
        (b'{"numberValue":5}', PartialArg(number_value=5)),
        (b'{"stringValue":""}', PartialArg(string_value="")),
        (b'{"boolValue":false}', PartialArg(bool_value=False)),
    ],
)
def test_partial_args_distinguish_null_from_absent(body: bytes, arg: PartialArg) -> None:
    decoded = msgspec.json.decode(body, type=PartialArg)
    assert decoded == arg
    assert (decoded.null_value is msgspec.UNSET) == (b"null" not in body)
    assert sent(decoded) == body


def test_integers_stay_integers() -> None:
    decoded = msgspec.json.decode(b'{"numberValue":9007199254740993}', type=PartialArg)
    assert decoded.number_value == 9007199254740993
    assert isinstance(decoded.number_value, int)


def test_media_is_base64_and_signatures_are_unchanged() -> None:
    body = b'{"thoughtSignature":"_-+/w","inlineData":{"data":"_w==","mimeType":"image/png"}}'
    with pytest.raises(msgspec.ValidationError):  # the codec repairs URL-safe base64
        msgspec.json.decode(body, type=Part)
    body = body.replace(b'"_w=="', b'"/w=="')
    part = msgspec.json.decode(body, type=Part)
    assert part.inline_data == Blob(data=b"\xff", mime_type="image/png")
    assert part.thought_signature == "_-+/w"
    assert sent(part) == body


def test_the_bytes_of_an_image_are_not_in_its_repr() -> None:
    part = Part.from_bytes(b"\0" * 1_000_000, "image/png")
    assert "Blob(data=<1,000,000 bytes>, mime_type='image/png')" in repr(part)
    assert repr(FunctionResponseBlob()).startswith("FunctionResponseBlob(")


def test_from_uri() -> None:
    part = Part.from_uri("https://example.com/a.mp4", "video/mp4")
    assert part == Part(
        file_data=FileData(file_uri="https://example.com/a.mp4", mime_type="video/mp4")
    )


@pytest.mark.parametrize(
    ("given", "level"),
    [
        ("low", "MEDIA_RESOLUTION_LOW"),
        ("Ultra_High", "MEDIA_RESOLUTION_ULTRA_HIGH"),
        (MediaResolutionLevel.MEDIUM, "MEDIA_RESOLUTION_MEDIUM"),
        ("MEDIA_RESOLUTION_NEWER", "MEDIA_RESOLUTION_NEWER"),
    ],
)
def test_media_take_a_resolution_and_a_section_of_a_video(
    tmp_path: Path, given: str, level: str
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"a")
    video = VideoMetadata(start_offset="1.5s", end_offset="3s", fps=2)
    for part in (
        Part.from_bytes(b"a", "video/mp4", video_metadata=video, media_resolution=given),
        Part.from_uri("https://a.example", "video/mp4", video_metadata=video,
                      media_resolution=given),
        Part.from_file(tmp_path / "a.mp4", video_metadata=video, media_resolution=given),
    ):  # fmt: skip
        assert part.video_metadata == video
        assert part.media_resolution == MediaResolution(level=level)


def test_an_unknown_media_resolution_is_refused() -> None:
    with pytest.raises(ValueError, match=r"media_resolution='hi' is unknown: use one of 'low', "):
        Part.from_bytes(b"", "image/png", media_resolution="hi")


@pytest.mark.parametrize("name", ["picture", "picture.unheard-of"])
def test_from_file_looks_at_the_first_bytes_if_the_extension_is_unknown(
    tmp_path: Path, name: str
) -> None:
    data = b"\x89PNG\r\n\x1a\n..."
    (tmp_path / name).write_bytes(data)
    assert Part.from_file(tmp_path / name) == Part.from_bytes(data, "image/png")


def test_from_function_response() -> None:
    assert sent(Part.from_function_response("f", {"snake_case": 1})) == (
        b'{"functionResponse":{"name":"f","response":{"snake_case":1}}}'
    )
    part = Part.from_function_response("f", {}, id="1")
    assert part.function_response == FunctionResponse(name="f", response={}, id="1")


@pytest.mark.parametrize(
    ("ending", "mime_type"),
    [
        ("aac", "audio/aac"),
        ("aiff", "audio/aiff"),
        ("avi", "video/avi"),
        ("css", "text/css"),
        ("csv", "text/csv"),
        ("flac", "audio/flac"),
        ("flv", "video/x-flv"),
        ("heic", "image/heic"),
        ("heif", "image/heif"),
        ("html", "text/html"),
        ("jpeg", "image/jpeg"),
        ("JPG", "image/jpeg"),
        ("js", "text/javascript"),
        ("json", "application/json"),
        ("md", "text/markdown"),
        ("mov", "video/mov"),
        ("mp3", "audio/mp3"),
        ("mp4", "video/mp4"),
        ("mpg", "video/mpeg"),
        ("ogg", "audio/ogg"),
        ("pdf", "application/pdf"),
        ("png", "image/png"),
        ("py", "text/x-python"),
        ("rtf", "text/rtf"),
        ("txt", "text/plain"),
        ("wav", "audio/wav"),
        ("webm", "video/webm"),
        ("webp", "image/webp"),
        ("wmv", "video/wmv"),
        ("xml", "text/xml"),
        ("3gp", "video/3gpp"),
    ],
)
def test_from_file_knows_the_types_that_gemini_documents(
    tmp_path: Path, ending: str, mime_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mimetypes, "types_map", {})  # the machine's own table must not matter
    path = tmp_path / f"a.b.{ending}"
    path.write_bytes(b"data")
    for given in (path, str(path)):
        assert Part.from_file(given) == Part.from_bytes(b"data", mime_type)


@pytest.mark.parametrize(
    ("name", "error"), [("absent.png", FileNotFoundError), ("folder.png", IsADirectoryError)]
)
def test_from_file_raises_the_os_error(tmp_path: Path, name: str, error: type[OSError]) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(error) as caught:
        Part.from_file(tmp_path / name)
    assert repr(str(tmp_path / name)) in str(caught.value)


@pytest.mark.parametrize("name", ["a.unheard-of", "README", ".png", "a.tar.gz"])
def test_from_file_requires_a_known_extension(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"data")
    with pytest.raises(ValueError, match=r"Part\.from_bytes\(data, mime_type\)") as caught:
        Part.from_file(tmp_path / name)
    assert name in str(caught.value)


def test_content_round_trip() -> None:
    body = (
        b'{"parts":['
        b'{"text":"","thought":true,"thoughtSignature":"c2ln"},'
        b'{"functionCall":{"name":"f","args":{"a_b":null},"id":"1"}},'
        b'{"executableCode":{"code":"1","language":"PYTHON"}},'
        b'{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":""}},'
        b'{"toolCall":{"toolType":"URL_CONTEXT","args":{}}},'
        b'{"toolResponse":{"toolType":"URL_CONTEXT","response":{}}},'
        b'{"text":"t","videoMetadata":{"startOffset":"1.5s","fps":1.0},"partMetadata":{}}'
        b'],"role":"model"}'
    )
    assert sent(msgspec.json.decode(body, type=Content)) == body


needs_posix = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs POSIX")


@needs_posix
@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "link to a fifo"])
def test_from_file_refuses_what_is_not_a_regular_file_without_opening_it(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    with socket.socket(socket.AF_UNIX) as listener:
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            monkeypatch.chdir(tmp_path)  # the path of a socket is short
            listener.bind("a.png")
        elif kind == "device":
            path.symlink_to("/dev/zero")
        else:
            os.mkfifo(tmp_path / "fifo")
            path.symlink_to(tmp_path / "fifo")
        monkeypatch.setattr("cometgem.types.files.open_file", None)
        with pytest.raises(OSError, match="Not a regular file") as caught:
            Part.from_file(path)
    assert caught.value.filename == str(path)


@needs_posix
def test_from_file_does_not_wait_for_a_fifo_that_replaces_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    os.mkfifo(path)
    monkeypatch.setattr("cometgem.types.files.check_file", lambda path, _: path)
    with pytest.raises(OSError, match="Not a regular file"):
        read_file(path)


@pytest.mark.parametrize("name", ["a\0b.png", "a\ud800.png"])
def test_from_file_refuses_names_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    for given in (f"{tmp_path}/{name}", tmp_path / name):
        with pytest.raises(ValueError, match="is not a valid path"):
            Part.from_file(given)


@pytest.mark.parametrize("given", [5, b"a.png", None, [], 1.5])
def test_from_file_refuses_what_is_not_a_path(given: Any) -> None:
    with pytest.raises(ValueError, match="path must be a str or a Path, got"):
        Part.from_file(given)


def test_from_file_reads_no_more_than_max_size(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"12345")
    for limit in (5, 6, None, 10**30):
        assert Part.from_file(path, max_size=limit) == Part.from_bytes(b"12345", "image/png")
    with pytest.raises(OSError, match=r"at least 5 bytes, expected no more than max_size=4"):
        Part.from_file(path, max_size=4)
    for wrong in (-1, 1.5, "5", True):
        with pytest.raises(ValueError, match=r"^max_size=.* must be a number of bytes, or None"):
            Part.from_file(path, max_size=wrong)  # type: ignore[arg-type]


def test_from_file_refuses_huge_files_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.truncate(10**12)  # sparse
    with pytest.raises(OSError, match=r"expected no more than max_size=100,000,000") as caught:
        Part.from_file(path)
    assert caught.value.errno == errno.EFBIG
    with pytest.raises(OSError, match="Not enough memory") as caught:
        Part.from_file(path, max_size=None)


def test_a_file_that_grows_while_it_is_read_is_read_up_to_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"x" * 3_000_000)
    small = os.stat_result((0o100644, 0, 0, 1, 0, 0, 5, 0, 0, 0))
    monkeypatch.setattr("cometgem.types.files.fstat", lambda _: small)
    assert len(read_file(path, 3_000_000)) == 3_000_000
    assert len(read_file(path, None)) == 3_000_000
    with pytest.raises(OSError, match="expected no more than max_size=2,999,999"):
        monkeypatch.setattr("cometgem.types.files.check_file", lambda path, _: path)
        read_file(path, 2_999_999)
