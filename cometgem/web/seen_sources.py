"""The sources of an answer, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cometgem.types.response import Candidate, GenerateContentResponse

__all__ = ["SeenSources", "WebSource"]


class WebSource(NamedTuple):
    """A page or a document.

    Attributes:
        uri: Its address; not a web address for a document of a private store.
        title: Its title, or "".
    """

    uri: str
    title: str

    @property
    def on_the_web(self) -> bool:
        """Whether a browser can open it."""
        return self.uri.startswith(("https://", "http://"))


class SeenSources:
    """Finds the sources of chunks that earlier chunks did not have."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def new(self, chunk: GenerateContentResponse) -> list[WebSource]:
        """Return the sources that no earlier chunk had."""
        found: list[WebSource] = []
        for candidate in chunk.candidates:
            if candidate.index == 0 and _has_sources(candidate):
                for source in _sources(candidate):
                    if source.uri not in self._seen:
                        self._seen.add(source.uri)
                        found.append(source)
        return found


def _has_sources(candidate: Candidate) -> bool:
    return bool(
        candidate.grounding_metadata
        or candidate.citation_metadata
        or candidate.url_context_metadata
    )


def _sources(candidate: Candidate) -> Iterator[WebSource]:
    grounding = candidate.grounding_metadata
    for chunk in grounding.grounding_chunks if grounding else ():
        for source in (chunk.web, chunk.maps, chunk.retrieved_context):
            if source is not None and (source.uri or source.title):
                yield WebSource(source.uri or source.title or "", source.title or "")
    pages = candidate.url_context_metadata
    for page in pages.url_metadata if pages else ():
        if page.retrieved_url:
            yield WebSource(page.retrieved_url, "")
    cited = candidate.citation_metadata
    for citation in [*cited.citation_sources, *cited.citations] if cited else ():
        if citation.uri:
            yield WebSource(citation.uri, citation.title or "")
