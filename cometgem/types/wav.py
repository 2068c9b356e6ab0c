"""Joins the sound of an answer into one WAV file. No I/O.

Speech models send bare samples as `audio/L16;codec=pcm;rate=24000`: 16 bits, one channel and, other
than RFC 2586 says, little-endian (https://ai.google.dev/gemini-api/docs/speech-generation). Newer
ones send WAV files.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

__all__ = ["join_audio", "wav_seconds"]

_RATE = 24_000  # Hz, of Gemini's speech; used if the type does not say
_PCM, _EXTENSIBLE = 1, 0xFFFE
_MAX = 0xFFFFFFFF  # of WAV's 32-bit lengths
_BITS = {"audio/l8": 8, "audio/l16": 16, "audio/l24": 24, "audio/pcm": 16}
_WAV = {"audio/wav", "audio/x-wav", "audio/wave"}


class _Format(NamedTuple):
    channels: int
    rate: int
    """In Hz."""
    bits: int

    @property
    def frame(self) -> int:
        """The size of one sample of all channels, in bytes."""
        return self.channels * (self.bits // 8)


def join_audio(pieces: Sequence[tuple[bytes, str]]) -> tuple[bytes, str] | None:
    """Return the pieces as one file and its media type; None if there are no pieces.

    Args:
        pieces: Data and media type, in order.

    Raises:
        ValueError: They differ in format.
    """
    if not pieces:
        return None
    if len(pieces) == 1 and pieces[0][0].startswith(b"RIFF"):
        return pieces[0]
    types = {mime_type: None for _, mime_type in pieces}  # in order
    sounds = [*_samples(pieces)]
    formats = {sound[0] for sound in sounds if sound}
    if None not in sounds and len(formats) == 1:
        return _wav(formats.pop(), b"".join(sound[1] for sound in sounds if sound)), "audio/wav"
    if len(types) == 1 and not any(formats):  # such as MP3: pieces of one file
        return b"".join(data for data, _ in pieces), pieces[0][1]
    raise ValueError(
        f"the audio has parts of different formats ({', '.join(types)}), which cannot be joined:"
        " read them from response.parts"
    )


def wav_seconds(data: bytes) -> float | None:
    """Return how long a WAV file plays; None if it is something else, or not PCM."""
    parsed = _parse_wav(data)
    return len(parsed[1]) // parsed[0].frame / parsed[0].rate if parsed else None


def _samples(pieces: Iterable[tuple[bytes, str]]) -> Iterator[tuple[_Format, bytes] | None]:
    """Yield the samples of each piece and their format, or None if they are not PCM."""
    last: _Format | None = None
    for data, mime_type in pieces:
        essence, *parameters = (word.strip().lower() for word in mime_type.split(";"))
        if data.startswith(b"RIFF"):
            parsed = _parse_wav(data)
        elif essence in _WAV:  # more of a file that began in the piece before
            parsed = (last, data) if last else None
        else:
            bits = _BITS.get(essence)
            parsed = (_raw_format(bits, parameters), data) if bits else None
        last = parsed[0] if parsed else None
        yield parsed


def _raw_format(bits: int, parameters: Iterable[str]) -> _Format:
    named = dict(word.split("=", 1) for word in parameters if "=" in word)

    def number(name: str, default: int, maximum: int) -> int:
        word = named.get(name, "").strip('" ')
        # Python refuses to convert thousands of digits.
        value = int(word) if word.isascii() and word.isdecimal() and len(word) < 10 else 0  # noqa: PLR2004
        return value if 0 < value <= maximum else default

    return _Format(number("channels", 1, 0xFF), number("rate", _RATE, _MAX // 4096), bits)


def _wav(form: _Format, samples: bytes) -> bytes:
    samples = samples[: len(samples) // form.frame * form.frame]
    if len(samples) > _MAX - 64:
        raise ValueError(f"{len(samples):,} bytes of audio are more than a WAV file can hold")
    padding = b"\0" * (len(samples) % 2)
    fields = (
        (_PCM, 2), (form.channels, 2), (form.rate, 4),
        (form.rate * form.frame, 4), (form.frame, 2), (form.bits, 2),
    )  # fmt: skip
    header = b"".join(value.to_bytes(size, "little") for value, size in fields)
    body = b"WAVE" + _chunk(b"fmt ", header) + _chunk(b"data", samples) + padding
    return _chunk(b"RIFF", body)


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(4, "little") + body


def _parse_wav(data: bytes) -> tuple[_Format, bytes] | None:
    if not (data.startswith(b"RIFF") and data[8:12] == b"WAVE"):
        return None
    form: _Format | None = None
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8
        if name == b"fmt " and size >= 16:  # noqa: PLR2004
            form = _parse_format(data[at : at + 16])
        elif name == b"data":
            # While a file is being written, its length is not known: 0 or the maximum stand there.
            end = at + size if 0 < size <= len(data) - at else len(data)
            return (form, data[at:end]) if form else None
        at += size + size % 2
    return None


def _parse_format(data: bytes) -> _Format | None:
    places = (0, 2, 4, 8, 12, 14, 16)
    numbers = [int.from_bytes(data[one:other], "little") for one, other in pairwise(places)]
    tag, channels, rate, _, frame, bits = numbers
    form = _Format(channels, rate, bits)
    is_pcm = tag in (_PCM, _EXTENSIBLE) and bits in (8, 16, 24, 32) and channels and rate
    return form if is_pcm and form.frame == frame else None
