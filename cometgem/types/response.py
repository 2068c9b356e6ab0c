"""The response, complete or one chunk of a stream. No I/O; wire-faithful.

Fields are in the order in which servers write them, since msgspec looks for each key after the
one before.
"""

from typing import Any, Self, TypeVar

from msgspec import field

from cometgem.types.content import Blob, Content, FunctionCall, Part
from cometgem.types.grounding import (
    CitationMetadata,
    GroundingAttribution,
    GroundingMetadata,
    UrlContextMetadata,
)
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
        raw: bytes = self.__dict__.get("raw", b"")
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
    def images(self) -> list[Blob]:
        """The images of the first candidate, without those in its thinking."""
        return [
            part.inline_data
            for part in self.parts
            if part.inline_data
            and not part.thought
            and part.inline_data.mime_type.startswith("image/")
        ]

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
