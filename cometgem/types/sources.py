"""The sources of an answer, from all the places in which a response names them. No I/O.

On the wire, grounding supports count UTF-8 bytes from the start of one part; citations count them
from the start of the answer (https://ai.google.dev/api/generate-content#Segment, #CitationSource).
Here a span is a slice of `response.text`.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct

from cometgem.types.content import Part
from cometgem.types.enums import UrlRetrievalStatus
from cometgem.types.grounding import (
    Citation,
    CitationMetadata,
    GroundingChunk,
    GroundingMetadata,
    Segment,
    UrlContextMetadata,
    UrlMetadata,
)
from cometgem.types.offsets import Utf8Text
from cometgem.types.wire import encode

__all__ = ["Source", "SourceKind", "Span", "find_sources"]

SourceKind: TypeAlias = Literal["web", "image", "maps", "document", "url", "citation"]
"""Where a source was named: a web search, an image search, Google Maps, a retrieved document, a URL
of the prompt that was read, or a citation of what the model quotes from its training."""

_NOT_READ = {UrlRetrievalStatus.ERROR, UrlRetrievalStatus.PAYWALL, UrlRetrievalStatus.UNSAFE}

# In bytes. Searching the whole answer for one quote is linear; for as many as a hostile server
# sends it would not be. This is enough for a thousand quotes out of place in a megabyte.
_MAX_SEARCHED = 1 << 30

# Bytes by which offsets may be wrong: seen are servers that count a character which was stripped
# from the text. Within them, the quote that is nearest counts.
_DRIFT = 64


class Span(NamedTuple):
    """A stretch of ``response.text``, as in ``response.text[span.start : span.end]``."""

    start: int
    end: int


class Source(Struct, kw_only=True, frozen=True):
    """A source of an answer. One that is named several times is one source.

    Attributes:
        kind: Where it was named first.
        title: Its title, the domain of a page, or None.
        uri: Its address; None for some documents. Vertex-backed channels send redirects.
        spans: The stretches of ``response.text`` that it supports, in order; often there are none.
        origin: What the API sent, with fields that only one kind has, such as a document's text.
    """

    kind: SourceKind
    title: str | None
    uri: str | None
    spans: tuple[Span, ...]
    origin: GroundingChunk | UrlMetadata | Citation


class _Found:
    def __init__(
        self,
        kind: SourceKind,
        title: str | None,
        uri: str | None,
        origin: GroundingChunk | UrlMetadata | Citation,
    ) -> None:
        self.kind = kind
        self.title = title or None
        self.uri = uri or None
        self.origin = origin
        self.spans: set[Span] = set()

    def source(self) -> Source:
        return Source(
            kind=self.kind,
            title=self.title,
            uri=self.uri,
            spans=tuple(sorted(self.spans)),
            origin=self.origin,
        )


def find_sources(
    parts: Sequence[Part],
    grounding: GroundingMetadata | None,
    pages: UrlContextMetadata | None,
    citations: CitationMetadata | None,
) -> list[Source]:
    """Return the sources of one candidate, in the order in which the response names them.

    Args:
        parts: The candidate's parts.
        grounding: Its grounding metadata.
        pages: The pages that were read for it; those that could not be read are left out.
        citations: Its citations.
    """
    found = _Sources(_Answer(parts))
    if grounding is not None:
        found.add_grounding(grounding)
    if pages is not None:
        found.add_pages(pages)
    if citations is not None:
        found.add_citations([*citations.citation_sources, *citations.citations])
    return found.sources()


class _Sources:
    """The sources of an answer, by address or title, in the order in which they were added."""

    def __init__(self, answer: "_Answer") -> None:
        self._answer = answer
        self._found: dict[object, _Found] = {}

    def add_grounding(self, metadata: GroundingMetadata) -> None:
        chunks = [self._add(_of_chunk(chunk)) for chunk in metadata.grounding_chunks]
        for support in metadata.grounding_supports:
            span = self._answer.span_of(support.segment) if support.segment else None
            if span is None:
                continue
            for at in support.grounding_chunk_indices:
                # Some servers refer to chunks that they do not send.
                if 0 <= at < len(chunks) and (one := chunks[at]) is not None:
                    one.spans.add(span)

    def add_pages(self, metadata: UrlContextMetadata) -> None:
        for page in metadata.url_metadata:
            if page.retrieved_url and page.url_retrieval_status not in _NOT_READ:
                self._add(_Found("url", None, page.retrieved_url, page))

    def add_citations(self, citations: Sequence[Citation]) -> None:
        for citation in citations:
            one = self._add(_Found("citation", citation.title, citation.uri, citation))
            span = self._answer.span(citation.start_index or 0, citation.end_index or 0)
            if one is not None and span is not None:
                one.spans.add(span)

    def sources(self) -> list[Source]:
        return [one.source() for one in self._found.values()]

    def _add(self, new: _Found | None) -> _Found | None:
        if new is None:
            return None
        key: object = new.uri or (new.kind, new.title or encode(new.origin))
        if isinstance(new.origin, Citation) and not (new.uri or new.title):
            key = new.kind  # all quotes whose origin is not named
        kept = self._found.setdefault(key, new)
        kept.title = kept.title or new.title
        return kept


def _of_chunk(chunk: GroundingChunk) -> _Found | None:
    if (web := chunk.web) is not None:
        return _Found("web", web.title or web.domain, web.uri, chunk)
    if (place := chunk.maps) is not None:
        return _Found("maps", place.title, place.uri, chunk)
    if (image := chunk.image) is not None:
        return _Found(
            "image", image.title or image.domain, image.source_uri or image.image_uri, chunk
        )
    if (document := chunk.retrieved_context) is not None:
        return _Found("document", document.title or document.document_name, document.uri, chunk)
    return None


class _Answer:
    """The text of an answer, in which segments are looked up."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._text = Utf8Text(
            "".join(part.text for part in parts if part.text and not part.thought)
        )
        # In bytes, for each part: where it starts, and where the run of text starts that it is in.
        # A server's one part may have been received in several.
        self._starts: list[tuple[int, int] | None] = []
        at = run = 0
        previous = False
        for part in parts:
            visible = part.text is not None and not part.thought
            if visible and not previous:
                run = at
            self._starts.append((at, run) if visible else None)
            at += len((part.text or "").encode("utf-8", "surrogatepass")) if visible else 0
            previous = visible
        self._searchable = _MAX_SEARCHED

    def span_of(self, segment: Segment) -> Span | None:
        """Return where a segment is; None if it is not in the text.

        If the segment quotes its text, that decides: among the places that its offsets can mean,
        the one where the quote is, or else where the quote is found.
        """
        start, end = segment.start_index or 0, segment.end_index or 0
        at = segment.part_index or 0
        known = self._starts[at] if 0 <= at < len(self._starts) else None
        bases = (*known, 0) if known else (0,)
        if not segment.text:
            # The first part may be a thought, of which nothing is shown.
            return self.span(bases[0] + start, bases[0] + end) if known else None
        quote = segment.text.encode("utf-8", "surrogatepass")
        for base in bases:
            if self._text.data.startswith(quote, max(base + start, 0)):
                return self.span(base + start, base + start + len(quote))
        if (place := self._search(quote, bases[0] + start)) is not None:
            return self.span(place, place + len(quote))
        return self.span(bases[0] + start, bases[0] + end) if known else None

    def span(self, start: int, end: int) -> Span | None:
        """Return the characters between two offsets in bytes; None if there are none."""
        if end <= start or start >= len(self._text.data):
            return None
        span = Span(self._text.start_index(start), self._text.end_index(end))
        return span if span.end > span.start else None

    def _search(self, quote: bytes, expected: int) -> int | None:
        data = self._text.data
        limit = expected + _DRIFT + len(quote)
        at = nearest = data.find(quote, max(expected - _DRIFT, 0), limit)
        while at >= 0:
            if abs(at - expected) < abs(nearest - expected):
                nearest = at
            at = data.find(quote, at + 1, limit)
        if nearest < 0 < self._searchable:
            self._searchable -= len(data)
            nearest = data.find(quote, max(expected, 0))
            if nearest < 0:
                nearest = data.find(quote)
        return nearest if nearest >= 0 else None
