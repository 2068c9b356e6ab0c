"""Pictures and sound in an answer."""

from __future__ import annotations

import base64
import io
import wave
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cometgem import Audio, Blob, GenerateContentResponse, Image, Part
from cometgem.types import Candidate, Content
from cometgem.types.wire import encode

if TYPE_CHECKING:
    from pathlib import Path

L16 = "audio/L16;codec=pcm;rate=24000"


def response(*blobs: Blob, thought: bool = False) -> GenerateContentResponse:
    parts = [Part(inline_data=blob, thought=thought or None) for blob in blobs]
    return GenerateContentResponse(candidates=[Candidate(content=Content(parts=parts))])


def audio(*pieces: tuple[bytes, str]) -> Audio:
    found = response(*(Blob(data=data, mime_type=kind) for data, kind in pieces)).audio
    assert found is not None
    return found


def read(data: bytes) -> tuple[int, int, int, bytes]:
    """Return what Python's own module reads: channels, rate, bits and samples."""
    with wave.open(io.BytesIO(data)) as file:
        samples = file.readframes(file.getnframes())
        return file.getnchannels(), file.getframerate(), 8 * file.getsampwidth(), samples


def written(samples: bytes, channels: int = 1, rate: int = 24000, bits: int = 16) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((channels, bits // 8, rate, 0, "NONE", ""))
        writer.writeframes(samples)
    return file.getvalue()


def test_images_and_audio_are_told_apart_and_thoughts_are_left_out() -> None:
    png, sound = Blob(data=b"1", mime_type="image/png"), Blob(data=b"22", mime_type=L16)
    found = response(png, sound, Blob(data=b"3", mime_type="application/pdf"))
    assert found.images == [png]
    assert found.audio == Blob(data=written(b"22"), mime_type="audio/wav")
    hidden = response(png, sound, thought=True)
    assert (hidden.images, hidden.audio) == ([], None)
    assert GenerateContentResponse().audio is None


def test_an_image_is_a_blob() -> None:
    blob = Blob(data=b"\x89", mime_type="image/png", display_name="a")
    image = Image.of(blob)
    assert image == blob
    assert blob == image
    assert not image != blob  # noqa: SIM202  `!=` is an operator of its own
    assert image != Blob(data=b"", mime_type="image/png", display_name="a")
    assert image != b"\x89"
    assert encode(Part(inline_data=image)) == encode(Part(inline_data=blob))
    assert repr(image) == "Image(data=<1 bytes>, mime_type='image/png', display_name='a')"


def test_saving_adds_the_extension(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = Image(data=b"\xff\xd8\xff", mime_type="image/jpeg")
    for where, name in (
        ("comet", "comet.jpg"),
        (tmp_path / "comet 1.5", "comet 1.5.jpg"),
        ("comet.JPEG", "comet.JPEG"),
        ("comet.png", "comet.png"),  # the caller's own name
    ):
        path = image.save(where)
        assert path.name == name
        assert path.read_bytes() == image.data
    assert Image(data=b"new").save("comet.png").read_bytes() == b"new"
    assert audio((b"", L16)).save("a").name == "a.wav"


@pytest.mark.parametrize(
    ("mime_type", "data", "extension"),
    [
        ("image/png", b"", ".png"),
        ("IMAGE/WebP; x=1", b"", ".webp"),
        ("audio/mpeg", b"", ".mp3"),
        ("image/newer", b"\x89PNG\r\n\x1a\n", ".png"),
        ("", b"RIFF1234WEBP", ".webp"),
        ("image/newer", b"", ".bin"),
    ],
)
def test_the_extension_of_each_type(
    tmp_path: Path, mime_type: str, data: bytes, extension: str
) -> None:
    assert Image(data=data, mime_type=mime_type).save(tmp_path / "a").suffix == extension


def test_saving_where_nothing_can_be_written(tmp_path: Path) -> None:
    image = Image(data=b"1", mime_type="image/png")
    with pytest.raises(FileNotFoundError):
        image.save(tmp_path / "absent" / "a.png")
    with pytest.raises(ValueError, match="empty name"):
        image.save("")


HEADERS = [
    (b"GIF89a" + bytes([3, 1, 2, 0]), (259, 2)),
    (b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + bytes([0, 0, 1, 0, 0, 0, 0, 9]), (256, 9)),
    (b"BM" + bytes(16) + bytes([5, 0, 0, 0]) + b"\xfa\xff\xff\xff", (5, 6)),
    (b"RIFF1234WEBPVP8X" + bytes(8) + bytes([1, 0, 0, 2, 0, 0]), (2, 3)),
    (b"\xff\xd8\xff\xff\xe0\0\x04ab\xff\xc2\0\x11\x08\0\x07\0\x08", (8, 7)),
    (b"\xff\xd8\xff\xd0\xff\xc4\0\x02\xff\xc0\0\x11\x08\0\x07\0\x08", (8, 7)),
]


@pytest.mark.parametrize(("data", "size"), HEADERS)
def test_the_size_is_in_the_header(data: bytes, size: tuple[int, int]) -> None:
    assert Image(data=data).size == size
    assert Image(data=data + b"more").size == size
    for end in range(len(data)):
        assert Image(data=data[:end]).size in (None, size)


@pytest.mark.parametrize(
    "data", [b"", b"<svg/>", b"\xff\xd8", b"\xff\xd8\xff\xd9", b"RIFF1234WEBP"]
)
def test_a_size_that_is_not_known(data: bytes) -> None:
    assert Image(data=data).size is None


@given(st.sampled_from([b"", *(data[:12] for data, _ in HEADERS)]), st.binary(max_size=60))
def test_no_header_raises(start: bytes, rest: bytes) -> None:
    size = Image(data=start + rest).size
    assert size is None or min(size) > 0


@pytest.mark.parametrize("name", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"progressive": True}])
def test_the_size_of_real_files(name: str, options: dict[str, Any]) -> None:
    pictures = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    pictures.new("RGB", (37, 21)).save(file, name, **options)
    assert Image(data=file.getvalue()).size == (37, 21)


def test_notebooks_display_images() -> None:
    data = base64.b64encode(b"1").decode()
    shown = Image(data=b"1", mime_type="image/png")._repr_mimebundle_()
    assert shown["image/png"] == data
    assert shown["text/plain"] == "Image(data=<1 bytes>, mime_type='image/png')"
    webp = Image(data=b"1", mime_type="image/webp")._repr_mimebundle_(include=None)
    assert webp["text/html"] == f'<img src="data:image/webp;base64,{data}">'
    # A type comes from the server, and must not become markup.
    hostile = Image(data=b"1", mime_type='image/"><script>')._repr_mimebundle_()
    assert hostile.keys() == {"text/plain"}


@pytest.mark.parametrize(
    ("mime_type", "channels", "rate", "bits"),
    [
        (L16, 1, 24000, 16),
        ("audio/L16", 1, 24000, 16),
        ("audio/l16; Rate=16000; channels=2", 2, 16000, 16),
        ('audio/pcm;rate="8000"', 1, 8000, 16),
        ("audio/L24;rate=48000", 1, 48000, 24),
        ("audio/L8;rate=8000", 1, 8000, 8),
        (f"audio/L16;rate={'9' * 5000}", 1, 24000, 16),
        ("audio/L16;rate=0;channels=x;=;;", 1, 24000, 16),
    ],
)
def test_samples_become_wav(mime_type: str, channels: int, rate: int, bits: int) -> None:
    samples = bytes(range(48))
    found = audio((samples, mime_type))
    assert found.mime_type == "audio/wav"
    assert read(found.data) == (channels, rate, bits, samples)
    assert found.data == written(samples, channels, rate, bits)
    assert found.seconds == pytest.approx(48 / (channels * bits // 8) / rate)


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=6))
def test_pieces_are_joined_wherever_they_are_cut(pieces: list[bytes]) -> None:
    samples = b"".join(pieces)
    whole = samples[: len(samples) // 2 * 2]  # half a sample at the end cannot be played
    found = audio(*[(piece, L16) for piece in pieces])
    assert read(found.data) == (1, 24000, 16, whole)
    assert found.seconds == len(whole) // 2 / 24000


def test_an_odd_number_of_bytes_is_padded() -> None:
    found = audio((b"abc", "audio/L8"))
    assert len(found.data) == 44 + 4
    assert read(found.data) == (1, 24000, 8, b"abc")


def test_wav_files_are_joined_and_one_is_unchanged() -> None:
    one, other = written(b"aabb"), written(b"ccdd")
    assert audio((one, "audio/wav")) == Blob(data=one, mime_type="audio/wav")
    assert read(audio((one, "audio/wav"), (other, "audio/x-wav")).data)[3] == b"aabbccdd"
    assert read(audio((one, "audio/wav"), (b"ee", L16)).data)[3] == b"aabbee"
    # More of a file, whose header came with the first piece and did not know the length.
    begun = one[:40] + b"\xff\xff\xff\xff" + one[44:]
    assert read(audio((begun, "audio/wav"), (b"eeff", "audio/wav")).data)[3] == b"aabbeeff"
    assert audio((begun, "audio/wav")).seconds == 2 / 24000


def test_other_formats_are_returned_as_they_were_sent() -> None:
    mp3 = audio((b"ID3a", "audio/mp3"), (b"b", "audio/mp3"))
    assert (mp3.data, mp3.mime_type, mp3.seconds) == (b"ID3ab", "audio/mp3", None)
    odd = b"RIFF1234WAVEfmt \x02\0\0\0ab"
    assert audio((odd, "audio/wav")) == Blob(data=odd, mime_type="audio/wav")


@pytest.mark.parametrize(
    "pieces",
    [
        [(b"aa", L16), (b"bb", "audio/L16;rate=16000")],
        [(b"aa", L16), (b"ID3", "audio/mp3")],
        [(b"a", "audio/mp3"), (b"b", "audio/ogg")],
        [(written(b"aa"), "audio/wav"), (written(b"aa", rate=8000), "audio/wav")],
    ],
)
def test_different_formats_are_not_joined(pieces: list[tuple[bytes, str]]) -> None:
    with pytest.raises(ValueError, match=r"^the audio has parts of different formats \(audio/.*"):
        audio(*pieces)


@given(st.binary(max_size=60))
def test_no_wav_header_raises(rest: bytes) -> None:
    for data in (b"RIFF1234WAVE" + rest, b"RIFF1234WAVEfmt \x10\0\0\0\x01\0" + rest):
        seconds = Audio(data=data, mime_type="audio/wav").seconds
        assert seconds is None or seconds >= 0
