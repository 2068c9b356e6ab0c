"""Properties of merging, for any chunks of a stream."""

from random import Random

from msgspec.structs import replace

from cometgem.response.codec import decode_chunk
from cometgem.response.merge import ResponseMerger
from cometgem.types import Candidate, Content, GenerateContentResponse, Part
from cometgem.types.wire import encode

Chunks = list[GenerateContentResponse]


def text_is_the_text_of_the_chunks(chunks: Chunks) -> None:
    """The text and thoughts of each candidate are those of its chunks, concatenated."""
    merged = merge(chunks)
    assert merged.text == "".join(chunk.text for chunk in chunks)
    assert merged.thoughts == "".join(chunk.thoughts for chunk in chunks)
    for candidate in merged.candidates:
        for thought in (False, True):
            assert _said([merged], candidate.index, thought) == _said(
                chunks, candidate.index, thought
            )


def merging_does_not_depend_on_cuts(chunks: Chunks, seed: int) -> None:
    """Splitting parts and plain text into more chunks does not change the final response."""
    assert encode(merge(_recut(chunks, Random(seed)))) == encode(merge(chunks))  # noqa: S311


def merged_response_is_stable(chunks: Chunks) -> None:
    """A merged response survives encoding and decoding, and merging it again changes nothing."""
    merged = merge(chunks)
    assert decode_chunk(encode(merged)) == merged
    if not any(call.will_continue for part in _parts([merged]) if (call := part.function_call)):
        assert merge([merged]) == merged


def merging_changes_no_chunk_or_snapshot(chunks: Chunks) -> None:
    """Merging changes no chunk and no earlier snapshot, and snapshots do not affect the result."""
    before = encode(chunks)
    merger, snapshots = ResponseMerger(), []
    for chunk in chunks:
        merger.add(chunk)
        snapshots.append((merger.response(), encode(merger.response())))
    assert encode(chunks) == before
    assert all(encode(snapshot) == written for snapshot, written in snapshots)
    assert merger.response() == merge(chunks)


def merge(chunks: Chunks) -> GenerateContentResponse:
    merger = ResponseMerger()
    for chunk in chunks:
        merger.add(chunk)
    return merger.response()


def _parts(chunks: Chunks, index: int | None = None) -> list[Part]:
    return [
        part
        for chunk in chunks
        for candidate in chunk.candidates
        if candidate.content and index in (None, candidate.index)
        for part in candidate.content.parts
    ]


def _said(chunks: Chunks, index: int, thought: bool) -> str:  # noqa: FBT001
    return "".join(
        part.text or "" for part in _parts(chunks, index) if bool(part.thought) == thought
    )


def _recut(chunks: Chunks, random: Random) -> Chunks:
    recut = []
    for chunk in chunks:
        candidates = []
        for candidate in chunk.candidates:
            content = candidate.content
            if content is None:
                candidates.append(candidate)
                continue
            before, after = _cut(content.parts, random)
            start = Candidate(index=candidate.index, content=replace(content, parts=before))
            recut.append(GenerateContentResponse(candidates=[start]))
            candidates.append(replace(candidate, content=Content(parts=after)))
        recut.append(replace(chunk, candidates=candidates))
    return recut


def _cut(parts: list[Part], random: Random) -> tuple[list[Part], list[Part]]:
    """Split the parts in two, including the middle one if it is plain text."""
    at = random.randint(0, len(parts))
    before, after = parts[:at], parts[at:]
    if after and after[0] == Part(text=(text := after[0].text), thought=after[0].thought):
        place = random.randint(0, len(text or ""))
        before = [*before, replace(after[0], text=(text or "")[:place])]
        after = [replace(after[0], text=(text or "")[place:]), *after[1:]]
    return before, after
