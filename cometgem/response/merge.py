"""Merges chunks into one final response. No chunk is kept or changed.

The cost of ``add`` is linear in the size of the chunk. Text is kept in pieces and joined on
demand. The table in ``docs/merging.md`` describes how each field is merged; this is its code.
Between the hops of a long answer, ``begin_hop`` is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from msgspec.structs import replace

from cometgem.errors import EventTooLargeError
from cometgem.response.merge_grounding import GroundingMerger
from cometgem.response.merge_parts import PartsMerger
from cometgem.response.usage import add_usage, later_usage, overlay
from cometgem.types.content import Content
from cometgem.types.grounding import Citation, CitationMetadata, GroundingMetadata
from cometgem.types.response import (
    USAGES,
    Candidate,
    GenerateContentResponse,
    LogprobsResult,
    ModelStatus,
    PromptFeedback,
    SafetyRating,
    UsageMetadata,
)
from cometgem.types.wire import encode

if TYPE_CHECKING:
    from collections.abc import Iterable


__all__ = ["ResponseMerger"]

_NO_GROUNDING = GroundingMetadata()

# The API allows 8. Each one costs about a kilobyte, more than any other value of its length.
MAX_CANDIDATES = 1000

# The model has not finished, although the server says something.
_NOT_FINISHED = (None, "", "FINISH_REASON_UNSPECIFIED")
_NOT_BLOCKED = (None, "", "BLOCK_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED")


class ResponseMerger:
    """Merges the chunks of one answer.

    Attributes:
        chunks: How many chunks have been added.
        token: The last continuation token of the first candidate, or None.
    """

    def __init__(self) -> None:
        self.chunks: int = 0
        self.token: str | None = None
        self._candidates: dict[int, _CandidateMerger] = {}
        self._usage: UsageMetadata | None = None  # of the current hop
        self._hop_usages: list[UsageMetadata] = []  # of the hops before
        self._earlier_usage: UsageMetadata | None = None  # their sum
        self._feedback: PromptFeedback | None = None
        self._model_version: str | None = None
        self._response_id: str | None = None
        self._create_time: str | None = None
        self._turn_token: str | None = None
        self._model_status: ModelStatus | None = None

    @classmethod
    def of(cls, response: GenerateContentResponse, token: str | None = None) -> Self:
        """Return a merger of which this is the response, to go on with a new hop.

        Args:
            response: A merged response.
            token: The token that the hop begins with.
        """
        merger = cls()
        merger.add(replace(response, candidates=[], usage_metadata=None))
        for candidate in response.candidates:
            merger._add_candidate(candidate.index).restore(candidate)
        merger.chunks = 0
        merger.token = token
        merger._hop_usages = response.usage_metadata_per_hop
        merger._earlier_usage = response.usage_metadata
        return merger

    def fork(self) -> Self:
        """Return a merger that goes on from here on its own; for use in the first hop."""
        fork = self.of(self.response(), self.token)
        fork.chunks = self.chunks
        fork._usage = self._usage  # noqa: SLF001  its own
        fork._hop_usages, fork._earlier_usage = [], None  # noqa: SLF001
        return fork

    @property
    def hop_token(self) -> str | None:
        """The last token of the first candidate in the current hop, or None."""
        first = self._candidates.get(0)
        return first.token if first is not None else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been merged, not even an earlier response."""
        return not (self.chunks or self._candidates or self._hop_usages)

    @property
    def finish_reason(self) -> str | None:
        """The finish reason of the first candidate in the current hop."""
        first = self._candidates.get(0)
        return first.finish_reason if first is not None else None

    @property
    def finished(self) -> bool:
        """Whether each candidate has a finishReason, or there is a blockReason.

        More chunks may still follow.
        """
        return not self.unfinished

    @property
    def unfinished(self) -> str:
        """What is missing if the stream ends now, as in "without a finishReason"; "" if nothing."""
        if self._feedback is not None and self._feedback.block_reason not in _NOT_BLOCKED:
            return ""
        cut = [at for at, one in self._candidates.items() if one.finish_reason in _NOT_FINISHED]
        if not self._candidates or cut == [0] == list(self._candidates):
            return "a finishReason"
        if not cut:
            return ""
        return f"a finishReason for candidate {min(cut)}"

    def add(self, chunk: GenerateContentResponse) -> None:
        """Add the next chunk of the stream.

        Raises:
            EventTooLargeError: There are more than 1,000 candidates.
            ResponseDecodeError: The arguments of a call, or the like, are nested more than 490
                levels deep.
        """
        for candidate in chunk.candidates:
            merger = self._candidates.get(candidate.index)
            if merger is None:
                merger = self._add_candidate(candidate.index)
            if merger.continue_text(candidate):
                continue
            merger.add(candidate)
            if candidate.continuation_token:
                merger.add_token(candidate.continuation_token)
                if candidate.index == 0:
                    self.token = candidate.continuation_token
        self.chunks += 1
        if chunk.usage_metadata is not None:
            self._usage = later_usage(self._usage, chunk.usage_metadata)
        if chunk.prompt_feedback is not None:
            feedback = chunk.prompt_feedback
            first = self._feedback
            self._feedback = feedback if first is None else overlay(feedback, first)
        self._model_version = self._model_version or chunk.model_version
        self._response_id = self._response_id or chunk.response_id
        self._create_time = self._create_time or chunk.create_time
        self._turn_token = chunk.turn_token or self._turn_token
        self._model_status = chunk.model_status or self._model_status

    def begin_hop(self) -> None:
        """End the current hop; the chunks of the next one are added next.

        Usage is summed over hops. The finish reason, its message and the token are those of the
        last hop; only the first candidate is continued.
        """
        self.end_usage()
        if 0 in self._candidates:
            self._candidates[0].begin_hop()

    def add_usage(self, usage: UsageMetadata | None) -> None:
        """Add the usage of a chunk that is not merged, because its hop is repeated."""
        if usage is not None:
            self._usage = later_usage(self._usage, usage)

    def end_usage(self) -> None:
        """Count what follows as the usage of another request."""
        if self._usage is not None:
            self._hop_usages.append(self._usage)
            self._earlier_usage = add_usage(self._earlier_usage or UsageMetadata(), self._usage)
            self._usage = None

    def beginning(self, length: int) -> str:
        """Return up to so many characters of the first candidate's text."""
        return self._candidates[0].beginning(length) if 0 in self._candidates else ""

    @property
    def first_usage(self) -> UsageMetadata | None:
        """The usage of the first hop that has any, if that has ended."""
        return self._hop_usages[0] if self._hop_usages else None

    def response(self) -> GenerateContentResponse:
        """Return all chunks so far as one response; later chunks do not change it."""
        usage = self._usage
        if self._earlier_usage is not None:
            usage = add_usage(self._earlier_usage, usage)
        response = GenerateContentResponse(
            candidates=[self._candidates[at].candidate() for at in sorted(self._candidates)],
            usage_metadata=usage,
            prompt_feedback=self._feedback,
            model_version=self._model_version,
            response_id=self._response_id,
            create_time=self._create_time,
            turn_token=self._turn_token,
            model_status=self._model_status,
        )
        if self._hop_usages:
            response.__dict__[USAGES] = [*self._hop_usages, *([self._usage] if self._usage else [])]
        return response

    def _add_candidate(self, index: int) -> _CandidateMerger:
        if len(self._candidates) == MAX_CANDIDATES:
            raise EventTooLargeError(MAX_CANDIDATES + 1, MAX_CANDIDATES, counted="candidates")
        merger = self._candidates[index] = _CandidateMerger(index)
        return merger


class _CandidateMerger:
    def __init__(self, index: int) -> None:
        self.finish_reason: str | None = None
        self._index = index
        self._role: str | None = None
        self._has_content = False
        self._parts = PartsMerger()
        self._ratings: dict[str | None, SafetyRating] = {}
        self._citation_sources: dict[bytes, Citation] = {}
        self._citations: dict[bytes, Citation] = {}
        self._grounding: GroundingMerger | None = None
        self._text_before = 0  # of the hops before, in bytes of UTF-8
        self._logprobs: LogprobsResult | None = None
        self._lasts: dict[str, Any] = {}
        self._plain = Candidate(index=index)  # what a candidate is compared with

    def continue_text(self, candidate: Candidate) -> bool:
        """Add a candidate that has nothing but more of the last text; return whether it is one.

        Nearly every chunk has one. One comparison of the whole costs less than looking at each
        field.
        """
        content = candidate.content
        if content is None or len(content.parts) != 1:
            return False
        self._plain.content = content
        return candidate == self._plain and self._parts.continue_text(content.parts[0])

    def add(self, candidate: Candidate) -> None:
        content = candidate.content
        if content is not None:
            self._has_content = True
            if self._role is None:
                self._role = content.role or None
            for part in content.parts:
                self._parts.add(part)
        if candidate.finish_reason and (
            self.finish_reason is None or candidate.finish_reason not in _NOT_FINISHED
        ):
            self.finish_reason = candidate.finish_reason
            # A checkpoint in the middle is not where an answer that has ended goes on.
            if candidate.finish_reason != "CONTINUATION":
                self._lasts.pop("continuation_token", None)
        self._add_metadata(candidate)

    @property
    def token(self) -> str | None:
        token: str | None = self._lasts.get("continuation_token")
        return token

    def add_token(self, token: str) -> None:
        self._lasts["continuation_token"] = token

    def begin_hop(self) -> None:
        self.finish_reason = None
        self._lasts.pop("finish_message", None)
        self._lasts.pop("continuation_token", None)
        self._text_before = self._parts.begin_hop()
        if self._grounding is not None:
            self._grounding.begin_hop(self._text_before)

    def restore(self, candidate: Candidate) -> None:
        content = candidate.content
        if content is not None:
            self.add(replace(candidate, content=replace(content, parts=[])))
            self._parts.restore(content.parts)
        else:
            self.add(candidate)
        if candidate.continuation_token:
            self.add_token(candidate.continuation_token)

    def beginning(self, length: int) -> str:
        return self._parts.beginning(length)

    def _add_metadata(self, candidate: Candidate) -> None:
        if candidate.safety_ratings:
            self._add_ratings(candidate.safety_ratings)
        if candidate.citation_metadata is not None:
            _add_new(self._citation_sources, candidate.citation_metadata.citation_sources)
            _add_new(self._citations, candidate.citation_metadata.citations)
        grounding = candidate.grounding_metadata
        if grounding is not None and grounding != _NO_GROUNDING:
            self._grounding = self._grounding or GroundingMerger(self._text_before)
            self._grounding.add(grounding)
        if candidate.logprobs_result is not None:
            self._add_logprobs(candidate.logprobs_result)
        if (
            candidate.avg_logprobs is not None
            or candidate.token_count is not None
            or candidate.score is not None
        ):
            self._add_numbers(candidate)
        if candidate.finish_message:
            self._lasts["finish_message"] = candidate.finish_message
        if candidate.grounding_attributions:
            self._lasts["grounding_attributions"] = candidate.grounding_attributions
        pages = candidate.url_context_metadata
        if pages is not None and pages.url_metadata:
            self._lasts["url_context_metadata"] = pages

    def _add_numbers(self, candidate: Candidate) -> None:
        for name in ("avg_logprobs", "token_count", "score"):
            if (number := getattr(candidate, name)) is not None:
                self._lasts[name] = number

    def candidate(self) -> Candidate:
        cited = self._citation_sources or self._citations
        return Candidate(
            index=self._index,
            content=Content(role=self._role or "model", parts=self._parts.parts())
            if self._has_content
            else None,
            finish_reason=self.finish_reason,
            safety_ratings=list(self._ratings.values()),
            citation_metadata=CitationMetadata(
                citation_sources=list(self._citation_sources.values()),
                citations=list(self._citations.values()),
            )
            if cited
            else None,
            grounding_metadata=self._grounding.metadata() if self._grounding else None,
            logprobs_result=self._logprobs and _copy_logprobs(self._logprobs),
            **self._lasts,
        )

    def _add_ratings(self, ratings: list[SafetyRating]) -> None:
        for rating in ratings:
            old = self._ratings.get(rating.category)
            sticks = old is not None and old.blocked and not rating.blocked
            self._ratings[rating.category] = replace(rating, blocked=True) if sticks else rating

    def _add_logprobs(self, new: LogprobsResult) -> None:
        """Extend in place, since a copy per chunk would make the total cost quadratic."""
        old = self._logprobs
        if old is None:
            self._logprobs = _copy_logprobs(new)
            return
        old.chosen_candidates += new.chosen_candidates
        old.top_candidates += new.top_candidates
        if new.log_probability_sum is not None:
            old.log_probability_sum = new.log_probability_sum


def _add_new(seen: dict[bytes, Citation], citations: Iterable[Citation]) -> None:
    for citation in citations:
        seen.setdefault(encode(citation), citation)


def _copy_logprobs(logprobs: LogprobsResult) -> LogprobsResult:
    return replace(
        logprobs,
        chosen_candidates=list(logprobs.chosen_candidates),
        top_candidates=list(logprobs.top_candidates),
    )
