"""Reads the size of a picture from its header. No I/O."""

from typing import Literal

__all__ = ["image_size"]

# JPEG markers of frames (SOF0 to SOF15), without DHT, JPG and DAC, which lie between them.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# JPEG markers that stand alone: TEM, RST0 to RST7, SOI.
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def image_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels; None if the format is unknown or the header is cut.

    Args:
        data: A PNG, JPEG, GIF, WebP or BMP file, or its beginning.
    """
    size: tuple[int, int] | None = None
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
        size = _pair(data, 16, 4, "big")
    elif data.startswith(b"\xff\xd8"):
        size = _jpeg(data)
    elif data.startswith((b"GIF87a", b"GIF89a")):
        size = _pair(data, 6, 2, "little")
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        size = _webp(data)
    elif data.startswith(b"BM") and len(data) >= 26:  # noqa: PLR2004  the header's end
        width, height = (
            int.from_bytes(data[at : at + 4], "little", signed=True) for at in (18, 22)
        )
        size = width, abs(height)  # negative if the rows are stored from top to bottom
    return size if size and min(size) > 0 else None


def _pair(
    data: bytes, at: int, each: int, order: Literal["little", "big"]
) -> tuple[int, int] | None:
    if len(data) < at + 2 * each:
        return None
    middle = at + each
    return (
        int.from_bytes(data[at:middle], order),
        int.from_bytes(data[middle : middle + each], order),
    )


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:  # noqa: PLR2004
        marker = data[at + 1]
        if marker == 0xFF:  # noqa: PLR2004  a fill byte
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAMES:
            height, width = (
                int.from_bytes(data[at + 5 : at + 7]),
                int.from_bytes(data[at + 7 : at + 9]),
            )
            return width, height
        else:
            at += 2 + max(int.from_bytes(data[at + 2 : at + 4]), 2)
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    match data[12:16]:
        case b"VP8X" if len(data) >= 30:  # noqa: PLR2004
            return (
                int.from_bytes(data[24:27], "little") + 1,
                int.from_bytes(data[27:30], "little") + 1,
            )
        case b"VP8L" if len(data) >= 25 and data[20] == 0x2F:  # noqa: PLR2004
            bits = int.from_bytes(data[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 " if len(data) >= 30 and data[23:26] == b"\x9d\x01\x2a":  # noqa: PLR2004
            width, height = (int.from_bytes(data[at : at + 2], "little") for at in (26, 28))
            return width & 0x3FFF, height & 0x3FFF
    return None
