"""Ways to split a body into reads; the result must not depend on them."""

from collections.abc import Iterator
from random import Random


def cuts(body: bytes, at_most: int = 200) -> Iterator[list[bytes]]:
    """Return lists of pieces: the whole body, single bytes, and two pieces for up to 200 cuts."""
    yield [body]
    single = [body[at : at + 1] for at in range(len(body))]
    yield single
    yield [piece for byte in single for piece in (byte, b"")]
    places = list(range(1, len(body)))
    if len(places) > at_most:
        places = Random(len(body)).sample(places, at_most)  # noqa: S311  the same each time
    for at in places:
        yield [body[:at], body[at:]]
