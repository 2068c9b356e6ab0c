"""Event streams, as read by the decoder and by a literal reference implementation."""

import re
from collections.abc import Iterable

from cometgem.response.sse import MAX_EVENT_SIZE, ServerSentEvent, SSEDecoder

BOM = b"\xef\xbb\xbf"


def decode(pieces: Iterable[bytes], limit: int = MAX_EVENT_SIZE) -> list[ServerSentEvent]:
    decoder = SSEDecoder(limit)
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.close()


def held(decoder: SSEDecoder) -> int:
    """How many bytes of the body a decoder holds."""
    stores = (value for value in vars(decoder).values() if isinstance(value, list | bytes))
    return sum(len(store if isinstance(store, bytes) else b"".join(store)) for store in stores)


def reference(stream: bytes) -> list[ServerSentEvent]:
    """A literal implementation of the standard; the end of the stream ends line and event."""
    events, data, fields, last_id = [], b"", {}, None
    for line in [*re.split(rb"\r\n|\r|\n", stream.removeprefix(BOM)), b""]:
        name, colon, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if not line:
            if data:
                events.append(ServerSentEvent(data[:-1], id=last_id, **fields))
            data, fields = b"", {}
        elif colon and not name:
            continue
        elif name == b"data":
            data += value + b"\n"
        elif name == b"event":
            fields["event"] = value.decode("utf-8", "replace") or None
        elif name == b"id" and b"\0" not in value:
            last_id = value.decode("utf-8", "replace")
        elif name == b"retry" and re.fullmatch(rb"[0-9]{1,19}", value):  # longer values are ignored
            fields["retry"] = int(value)
    return events
