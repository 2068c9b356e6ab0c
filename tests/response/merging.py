"""Merges chunks given as JSON, and checks the invariants of merging."""

import json
from typing import Any

from cometgem.response.codec import decode_chunk
from cometgem.response.merge import ResponseMerger
from cometgem.types.wire import encode

JSON = dict[str, Any]


def merged(*chunks: JSON) -> JSON:
    """Merge chunks, and hold on the way: they are not changed, nor is a snapshot by later ones,
    and what they are merged to is a response that encodes and decodes to itself.
    """
    merger = ResponseMerger()
    decoded = [decode_chunk(json.dumps(chunk).encode()) for chunk in chunks]
    before = encode(decoded)
    snapshots = []
    for chunk in decoded:
        merger.add(chunk)
        snapshots.append((merger.response(), encode(merger.response())))
    assert encode(decoded) == before, "a chunk was changed"
    for snapshot, written in snapshots:
        assert encode(snapshot) == written, "a snapshot was changed"
    response = merger.response()
    assert merger.chunks == len(chunks)
    assert decode_chunk(encode(response)) == response
    return json.loads(encode(response))


def candidate(*chunks: JSON) -> JSON:
    """Merge pieces of one candidate and return it."""
    (one,) = merged(*({"candidates": [chunk]} for chunk in chunks))["candidates"]
    return one


def text(said: str, **fields: Any) -> JSON:
    return {"text": said, **fields}
