"""Media types by the first bytes of real files."""

from __future__ import annotations

import pytest

from cometgem.types.mime import type_of_content


@pytest.mark.parametrize(
    ("data", "mime_type"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"%PDF-1.7", "application/pdf"),
        (b"ID3\x03", "audio/mp3"),
        (b"OggS", "audio/ogg"),
        (b"fLaC", "audio/flac"),
        (b"\x1aE\xdf\xa3", "video/webm"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav"),
        (b"RIFF\0\0\0\0AVI LIST", "video/avi"),
        (b"FORM\0\0\0\0AIFF", "audio/aiff"),
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"\0\0\0\x14ftypqt  ", "video/mov"),
        (b"\0\0\0\x18ftypheic", "image/heic"),
        (b"\0\0\0\x18ftypavif", "image/avif"),
        (b"\0\0\0\x18ftypM4A ", "audio/mp4"),
        (b"\0\0\0\x18ftypnew ", None),
        (b"RIFF\0\0\0\0NEW ", None),
        (b"\xff\xd8", None),
        (b"words", None),
        (b"", None),
    ],
)
def test_the_first_bytes_tell_the_type(data: bytes, mime_type: str | None) -> None:
    assert type_of_content(data) == mime_type
