"""The response, complete or one chunk of a stream. No I/O; wire-faithful.

Fields are in the order in which servers write them, since msgspec looks for each key after the
one before.
"""

from typing import Any, Self, TypeVar

from msgspec import field

from cometgem.types.citations import CitationStyle, mark_sources
from cometgem.types.content import Content, FunctionCall, Part
from cometgem.types.grounding import (
    CitationMetadata,
    GroundingAttribution,
    GroundingMetadata,
    UrlContextMetadata,
)
from cometgem.types.media import Audio, Image, audio_of, images_of
from cometgem.types.sources import Source, find_sources
from cometgem.types.stopping import why_stopped
from cometgem.types.usage import Usage
from cometgem.types.wire import Wire

USAGES = "usages"
"""The attribute, outside the fields of a response, that holds the usage of each hop."""

_R = TypeVar("_R", bound="GenerateContentResponse")


class SafetyRating(Wire, kw_only=True):
    """How harmful a prompt or an answer was rated, in one `HarmCategory`.

    Scores, severity and the overwritten threshold come from Vertex-backed channels.
    """

    category: str | None = None
    probability: str | None = None
    probability_score: float | None = None
    severity: str | None = None
    """A `HarmSeverity`."""
    severity_score: float | None = None
    blocked: bool | None = None
    overwritten_threshold: str | None = None


class LogprobsResultCandidate(Wire, kw_only=True):
    """A token that was or could have been chosen, and the natural log of its probability."""

    token: str | None = None
    token_id: int | None = None
    log_probability: float | None = None


class TopCandidates(Wire, kw_only=True):
    """The most likely tokens of one step, best first."""

    candidates: list[LogprobsResultCandidate] = field(default_factory=list)


class LogprobsResult(Wire, kw_only=True):
    """Log probabilities; each list has one entry per step."""

    chosen_candidates: list[LogprobsResultCandidate] = field(default_factory=list)
    top_candidates: list[TopCandidates] = field(default_factory=list)
    log_probability_sum: float | None = None


class Candidate(Wire, kw_only=True):
    """One answer; `finish_reason` is a `FinishReason`, or None until the model has finished."""

    content: Content | None = None
    finish_reason: str | None = None
    index: int = 0
    safety_ratings: list[SafetyRating] = field(default_factory=list)
    citation_metadata: CitationMetadata | None = None
    grounding_metadata: GroundingMetadata | None = None
    url_context_metadata: UrlContextMetadata | None = None
    grounding_attributions: list[GroundingAttribution] = field(default_factory=list)
    finish_message: str | None = None
    token_count: int | None = None
    avg_logprobs: float | None = None
    logprobs_result: LogprobsResult | None = None
    continuation_token: str | None = None
    """Opaque base64: where a long answer goes on, if it is sent with the same request."""
    score: float | None = None
    """Sent by Vertex-backed channels; undocumented."""


class PromptFeedback(Wire, kw_only=True):
    """How the prompt was rated; with a `BlockReason`, the prompt was not answered."""

    block_reason: str | None = None
    safety_ratings: list[SafetyRating] = field(default_factory=list)
    block_reason_message: str | None = None


class ModalityTokenCount(Wire, kw_only=True):
    """Tokens of one `Modality`."""

    modality: str | None = None
    token_count: int | None = None


class BillableUsage(Wire, kw_only=True):
    """What was billed before tokens were: characters, images, and seconds of media."""

    text_count: int | None = None
    image_count: int | None = None
    video_duration_seconds: int | float | None = None
    audio_duration_seconds: int | float | None = None


class UsageMetadata(Wire, kw_only=True):
    """Tokens used so far; in a stream the last chunk's counts are the totals, not the sum."""

    prompt_token_count: int | None = None
    """Includes the cached tokens."""
    candidates_token_count: int | None = None
    total_token_count: int | None = None
    cached_content_token_count: int | None = None
    prompt_tokens_details: list[ModalityTokenCount] = field(default_factory=list)
    cache_tokens_details: list[ModalityTokenCount] = field(default_factory=list)
    candidates_tokens_details: list[ModalityTokenCount] = field(default_factory=list)
    tool_use_prompt_token_count: int | None = None
    tool_use_prompt_tokens_details: list[ModalityTokenCount] = field(default_factory=list)
    thoughts_token_count: int | None = None
    """Counted and billed even if no thoughts are returned."""
    service_tier: str | None = None
    traffic_type: str | None = None
    """A `TrafficType`."""
    billable_prompt_usage: BillableUsage | None = None


class ModelStatus(Wire, kw_only=True):
    """The model's `ModelStage` and its retirement time (RFC 3339)."""

    model_stage: str | None = None
    message: str | None = None
    retirement_time: str | None = None


# dict=True gives `raw` and `usages` a place outside the fields; msgspec requires gc=True with it.
class GenerateContentResponse(Wire, kw_only=True, dict=True, gc=True):
    """A complete response, one chunk of a stream, or the merged chunks of a stream.

    The properties read the first candidate, which is the one with index 0; if there are several,
    a chunk may contain any of them. For the others use `candidates`.
    """

    candidates: list[Candidate] = field(default_factory=list)
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: UsageMetadata | None = None
    model_version: str | None = None
    create_time: str | None = None
    """RFC 3339."""
    response_id: str | None = None
    turn_token: str | None = None
    """Opaque; undocumented."""
    model_status: ModelStatus | None = None
    error: Any = None
    """An error reported in a chunk. The client raises it instead of handing out the chunk."""

    @property
    def raw(self) -> bytes:
        """The exact JSON this was decoded from, including fields newer than the library.

        Empty if the response was merged, copied, unpickled or built by hand. Never sent.
        """
        raw: bytes | memoryview = self.__dict__.get("raw", b"")
        if not isinstance(raw, bytes):  # that of a picture is copied only for those who ask
            raw = self.__dict__["raw"] = bytes(raw)
        return raw

    @property
    def usage_metadata_per_hop(self) -> list[UsageMetadata]:
        """The usage of each hop (request) of a long answer; `usage_metadata` is their sum.

        One entry for a response of a single request, none if it has no usage. Never sent.
        """
        if (usages := self.__dict__.get(USAGES)) is not None:
            return list(usages)
        return [] if self.usage_metadata is None else [self.usage_metadata]

    def __copy__(self) -> Self:
        """Return a shallow copy, without `raw`."""
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        return _rebuild(type(self), fields, self.__dict__.get(USAGES))

    def __reduce__(self) -> tuple[Any, ...]:
        fields = {name: getattr(self, name) for name in self.__struct_fields__}
        return _rebuild, (type(self), fields, self.__dict__.get(USAGES))

    @property
    def _first(self) -> Candidate | None:
        for candidate in self.candidates:
            if candidate.index == 0:
                return candidate
        return None

    @property
    def parts(self) -> list[Part]:
        """The parts of the first candidate."""
        candidate = self._first
        return candidate.content.parts if candidate and candidate.content else []

    @property
    def text(self) -> str:
        """The text of the first candidate, without thoughts; "" if there is none."""
        for candidate in self.candidates:
            if candidate.index == 0 and candidate.content:
                parts = candidate.content.parts
                if len(parts) == 1:  # nearly every chunk; takes half the time of the line below
                    part = parts[0]
                    return "" if part.thought else part.text or ""
                return "".join([part.text for part in parts if part.text and not part.thought])
        return ""

    @property
    def thoughts(self) -> str:
        """The summary of the first candidate's thinking; "" if there is none."""
        return "".join([part.text for part in self.parts if part.text and part.thought])

    @property
    def function_calls(self) -> list[FunctionCall]:
        """The function calls of the first candidate, including those with `will_continue` set."""
        return [part.function_call for part in self.parts if part.function_call]

    @property
    def images(self) -> list[Image]:
        """The images of the first candidate, without those in its thinking."""
        return images_of(self.parts)

    @property
    def audio(self) -> Audio | None:
        """The sound of the first candidate as one WAV file; None if there is none.

        PCM parts are joined. Other formats, such as MP3, are returned as they were sent.

        Raises:
            ValueError: There are parts in different formats; see `parts`.
        """
        return audio_of(self.parts)

    @property
    def sources(self) -> list[Source]:
        """What the first candidate is based on: pages, places, documents and citations.

        In the order in which the response names them; the metadata of a stream is complete in its
        final response only.
        """
        if (candidate := self._first) is None:
            return []
        return find_sources(
            self.parts,
            candidate.grounding_metadata,
            candidate.url_context_metadata,
            candidate.citation_metadata,
        )

    def text_with_citations(self, style: CitationStyle = "markdown") -> str:
        """Return `text` with a marker after each stretch that a source supports.

        Args:
            style: "markdown" for ``[[1]](https://...)``, "brackets" for ``[1]``, or a function
                that gets the number and the `Source` and returns the marker. The number is the
                source's position in `sources`, from 1.

        Raises:
            ValueError: The style is unknown.
        """
        return mark_sources(self.text, self.sources, style)

    @property
    def search_entry_point(self) -> str | None:
        """Google's search suggestions as HTML, which its terms require to be shown unchanged.

        They come with answers from Google Search; None if there are none. See
        https://ai.google.dev/gemini-api/terms#grounding-with-google-search.
        """
        candidate = self._first
        grounding = candidate.grounding_metadata if candidate else None
        entry_point = grounding.search_entry_point if grounding else None
        return entry_point.rendered_content if entry_point else None

    @property
    def usage(self) -> Usage:
        """The token counts in short, 0 where `usage_metadata` has none."""
        counts = self.usage_metadata or UsageMetadata()
        thinking = counts.thoughts_token_count or 0
        read = (counts.prompt_token_count or 0) + (counts.tool_use_prompt_token_count or 0)
        written = (counts.candidates_token_count or 0) + thinking
        return Usage(
            input_tokens=read,
            output_tokens=written,
            thinking_tokens=thinking,
            cached_tokens=counts.cached_content_token_count or 0,
            total_tokens=counts.total_token_count or read + written,
        )

    @property
    def finish_reason(self) -> str | None:
        """Why the first candidate ended, a `FinishReason`; None until it has."""
        candidate = self._first
        return candidate.finish_reason if candidate else None

    @property
    def block_reason(self) -> str | None:
        """Why the prompt was blocked, a `BlockReason`; None if it was not."""
        return self.prompt_feedback.block_reason if self.prompt_feedback else None

    @property
    def why_stopped(self) -> str | None:
        """The finish or block reason in words, with the server's message; None before the end.

        Such as "the answer reached the maximum number of tokens (MAX_TOKENS)".
        """
        candidate, feedback = self._first, self.prompt_feedback
        return why_stopped(
            candidate.finish_reason if candidate else None,
            candidate.finish_message if candidate else None,
            feedback.block_reason if feedback else None,
            feedback.block_reason_message if feedback else None,
        )

    @property
    def content(self) -> Content:
        """The first candidate's content, ready to be sent back as history."""
        candidate = self._first
        content = candidate.content if candidate else None
        if content and content.role:
            return content
        return Content(role="model", parts=content.parts if content else [])


def _rebuild(cls: type[_R], fields: dict[str, Any], usages: list[UsageMetadata] | None) -> _R:
    response = cls(**fields)
    if usages is not None:
        response.__dict__[USAGES] = usages
    return response
