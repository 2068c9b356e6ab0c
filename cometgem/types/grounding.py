"""Where an answer comes from: citations, search results, pages read. No I/O; wire-faithful."""

from msgspec import field

from cometgem.types.content import Content
from cometgem.types.wire import Wire


class PublicationDate(Wire, kw_only=True):
    """A calendar date; the month or the day may be missing."""

    year: int | None = None
    month: int | None = None
    day: int | None = None


class Citation(Wire, kw_only=True):
    """A passage of the answer that quotes a source; the end index is exclusive."""

    start_index: int | None = None
    end_index: int | None = None
    uri: str | None = None
    title: str | None = None
    license: str | None = None
    publication_date: PublicationDate | None = None


class CitationMetadata(Wire, kw_only=True):
    """Google AI fills `citation_sources`, Vertex-backed channels fill `citations`."""

    citation_sources: list[Citation] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)


class GroundingPassageId(Wire, kw_only=True):
    """A part of a passage that was sent with the request."""

    passage_id: str | None = None
    part_index: int | None = None


class SemanticRetrieverChunk(Wire, kw_only=True):
    """A chunk of a corpus, such as `corpora/1/documents/2/chunks/3`."""

    source: str | None = None
    chunk: str | None = None


class AttributionSourceId(Wire, kw_only=True):
    """The source of an attribution: one of the two fields."""

    grounding_passage: GroundingPassageId | None = None
    semantic_retriever_chunk: SemanticRetrieverChunk | None = None


class GroundingAttribution(Wire, kw_only=True):
    """A source, and the content it contributed."""

    source_id: AttributionSourceId | None = None
    content: Content | None = None


class GroundingChunkWeb(Wire, kw_only=True):
    """A page found by a web search; `domain` comes from Vertex-backed channels."""

    uri: str | None = None
    title: str | None = None
    domain: str | None = None


class GroundingChunkImage(Wire, kw_only=True):
    """An image found by a search, and the page it is on."""

    image_uri: str | None = None
    source_uri: str | None = None
    title: str | None = None
    domain: str | None = None


class GroundingChunkStringList(Wire, kw_only=True):
    """A list of strings, wrapped because a union on the wire cannot hold a list."""

    values: list[str] = field(default_factory=list)


class GroundingChunkCustomMetadata(Wire, kw_only=True):
    """Metadata that the caller set on a document: a key, and one of the three values."""

    key: str | None = None
    string_value: str | None = None
    string_list_value: GroundingChunkStringList | None = None
    numeric_value: float | None = None


class RagChunkPageSpan(Wire, kw_only=True):
    """The pages of a document from which a chunk was taken."""

    first_page: int | None = None
    last_page: int | None = None


class RagChunk(Wire, kw_only=True):
    """A chunk of a document in a RAG corpus, from Vertex-backed channels."""

    text: str | None = None
    page_span: RagChunkPageSpan | None = None
    chunk_id: str | None = None
    file_id: str | None = None


class GroundingChunkRetrievedContext(Wire, kw_only=True):
    """A passage found by file search or, through Vertex-backed channels, in a RAG corpus."""

    uri: str | None = None
    title: str | None = None
    text: str | None = None
    file_search_store: str | None = None
    page_number: int | None = None
    media_id: str | None = None
    custom_metadata: list[GroundingChunkCustomMetadata] = field(default_factory=list)
    document_name: str | None = None
    rag_chunk: RagChunk | None = None


class AuthorAttribution(Wire, kw_only=True):
    """The author of a review on Google Maps."""

    display_name: str | None = None
    photo_uri: str | None = None
    uri: str | None = None


class ReviewSnippet(Wire, kw_only=True):
    """A user's review on Google Maps; Vertex-backed channels fill the last four fields."""

    review_id: str | None = None
    title: str | None = None
    google_maps_uri: str | None = None
    author_attribution: AuthorAttribution | None = None
    flag_content_uri: str | None = None
    relative_publish_time_description: str | None = None
    review: str | None = None


class PlaceAnswerSources(Wire, kw_only=True):
    """The reviews on which an answer about a place is based; either list may be filled."""

    review_snippets: list[ReviewSnippet] = field(default_factory=list)
    review_snippet: list[ReviewSnippet] = field(default_factory=list)
    flag_content_uri: str | None = None


class GroundingChunkMapsRoute(Wire, kw_only=True):
    """A route to a place: metres, a duration such as "90s", a polyline in Google's encoding."""

    distance_meters: int | None = None
    duration: str | None = None
    encoded_polyline: str | None = None


class GroundingChunkMaps(Wire, kw_only=True):
    """A place on Google Maps; `route` comes from Vertex-backed channels."""

    uri: str | None = None
    title: str | None = None
    text: str | None = None
    place_id: str | None = None
    place_answer_sources: PlaceAnswerSources | None = None
    route: GroundingChunkMapsRoute | None = None


class GroundingChunk(Wire, kw_only=True):
    """A source: one of the four fields."""

    web: GroundingChunkWeb | None = None
    maps: GroundingChunkMaps | None = None
    image: GroundingChunkImage | None = None
    retrieved_context: GroundingChunkRetrievedContext | None = None


class Segment(Wire, kw_only=True):
    """A section of one part's text; in UTF-8 bytes, not characters; the end is exclusive."""

    part_index: int | None = None
    start_index: int | None = None
    end_index: int | None = None
    text: str | None = None


class GroundingSupport(Wire, kw_only=True):
    """The chunks that support a segment: indices into `grounding_chunks`, confidences 0 to 1."""

    segment: Segment | None = None
    grounding_chunk_indices: list[int] = field(default_factory=list)
    confidence_scores: list[float] = field(default_factory=list)
    rendered_parts: list[int] = field(default_factory=list)


class RetrievalMetadata(Wire, kw_only=True):
    """How likely it is that a search helps (0 to 1), with dynamic retrieval."""

    google_search_dynamic_retrieval_score: float | None = None


class SearchEntryPoint(Wire, kw_only=True):
    """Search suggestions as HTML, to be shown with a grounded answer."""

    rendered_content: str | None = None
    sdk_blob: bytes | None = None


class SourceFlaggingUri(Wire, kw_only=True):
    """Where a user can report a source; sent by Vertex-backed channels."""

    source_id: str | None = None
    flag_content_uri: str | None = None


class GroundingMetadata(Wire, kw_only=True):
    """What was searched for, what was found, and what supports the answer."""

    grounding_chunks: list[GroundingChunk] = field(default_factory=list)
    grounding_supports: list[GroundingSupport] = field(default_factory=list)
    web_search_queries: list[str] = field(default_factory=list)
    image_search_queries: list[str] = field(default_factory=list)
    retrieval_queries: list[str] = field(default_factory=list)
    search_entry_point: SearchEntryPoint | None = None
    retrieval_metadata: RetrievalMetadata | None = None
    google_maps_widget_context_token: str | None = None
    source_flagging_uris: list[SourceFlaggingUri] = field(default_factory=list)


class UrlMetadata(Wire, kw_only=True):
    """A page fetched for the model; the status is a `UrlRetrievalStatus`."""

    retrieved_url: str | None = None
    url_retrieval_status: str | None = None


class UrlContextMetadata(Wire, kw_only=True):
    """The pages fetched for the model."""

    url_metadata: list[UrlMetadata] = field(default_factory=list)
