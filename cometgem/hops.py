"""The hops of a long answer: which token it goes on from, and whether that would repeat anything.

Law: an answer goes on only from a token that covers all that was handed out. What came after the
last token is kept until the next one, in order to tell where that token stands; an answer without
tokens keeps nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cometgem.errors import (
    APIStatusError,
    APITimeoutError,
    ContinuationUnsupportedError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from cometgem.response.continuation import (
    CONTINUATION,
    NewBeginning,
    find_token,
    hide_continuation,
    says_something,
)
from cometgem.response.merge import ResponseMerger
from cometgem.types.checkpoint import Checkpoint

if TYPE_CHECKING:
    from cometgem.errors import CometGemError
    from cometgem.types.response import GenerateContentResponse, UsageMetadata

__all__ = ["Continuation", "Hops"]

# How often a cut answer is asked for again in a row without a new chunk or token.
_MAX_FAILURES = 3

# Characters of the beginning of the answer, to recognize a hop that begins anew.
_BEGINNING = 100

_NOT_FINISHED = (None, "", "FINISH_REASON_UNSPECIFIED", CONTINUATION)


class Continuation(NamedTuple):
    """How a call continues its answer.

    Attributes:
        follow: Whether it goes on by itself.
        max_hops: How many hops it has at most, or None.
        start: Where it begins, or None for a new answer.
    """

    follow: bool = True
    max_hops: int | None = None
    start: Checkpoint | None = None

    def begin(self) -> ResponseMerger:
        """Return the merger that the answer begins with."""
        if self.start is None:
            return ResponseMerger()
        merger = ResponseMerger.of(self.start.response, self.start.token)
        merger.begin_hop()
        return merger


class Hops:
    """The hops of one answer.

    Args:
        merger: Merges all that is handed out.
        continuation: What the caller has asked for.
        token: The token of the first request, or None.

    Attributes:
        token: The last token, of which all is known that it covers, or None.
    """

    def __init__(
        self, merger: ResponseMerger, continuation: Continuation, token: str | None = None
    ) -> None:
        self.token: str | None = token
        self._merger = merger
        self._follow = continuation.follow
        self._max_hops = continuation.max_hops
        self._count = 1
        self._begun_with = token
        self._covered: ResponseMerger | None = None  # what the token covers, once there is one
        self._since: list[GenerateContentResponse] = []  # handed out since, not yet in _covered
        self._has_said = False  # whether one of these would be repeated
        self._failures = 0
        self._has_no_token = False  # although the answer should go on
        self._first_usage: UsageMetadata | None = None
        self._new_beginning: NewBeginning | None = None
        self._inspected = 0  # chunks that are still to be merged
        if token is not None:
            merger.token = token
            self._covered = continuation.begin()
            self._first_usage = merger.first_usage
            self._watch()

    @property
    def may_go_on(self) -> bool:
        """Whether the request may be needed for another hop."""
        return self._follow and (self._max_hops is None or self._count < self._max_hops)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Where the answer can go on, with what had arrived by then."""
        if self.token is None or self._covered is None:
            return None
        return Checkpoint(token=self.token, response=self._covered.response())

    def note(self, chunk: GenerateContentResponse) -> None:
        """Take note of a chunk that has been merged, of an answer that has tokens.

        Raises:
            ContinuationUnsupportedError: The hop is a new beginning.
        """
        if self._inspected:
            self._inspected -= 1
        elif self._new_beginning is not None:
            try:
                self._look(chunk)
            except ContinuationUnsupportedError:
                self._merger.chunks -= 1  # it is not handed out
                raise
        token = find_token(chunk)
        is_new = token is not None and token != self.token
        if self._covered is None:
            self._covered = self._merger.fork()
        else:
            self._since.append(chunk)
        if is_new:
            self._cover()
            self.token = token
        else:
            self._has_said = self._has_said or says_something(chunk)
        if is_new or self._has_said:
            self._failures = 0
        if self.may_go_on:
            hide_continuation(chunk)

    def inspect(self, chunk: GenerateContentResponse) -> bool:
        """Look for signs of a new beginning before the first chunks of a hop are handed out.

        Returns:
            Whether to hold them back until the next chunk, since it looks like one so far.

        Raises:
            ContinuationUnsupportedError: It is one.
        """
        if self._new_beginning is None:
            return False
        self._inspected += 1
        return self._look(chunk)

    def forget_inspected(self) -> None:
        """Let the hop be requested again, as none of its chunks was handed out."""
        if self._inspected:
            self._inspected = 0
            self._watch()

    def _look(self, chunk: GenerateContentResponse) -> bool:
        if (watch := self._new_beginning) is None:
            return False
        watch.look(chunk)
        if watch.found:
            error = ContinuationUnsupportedError(
                "the server began the answer again, since a gateway dropped the continuationToken",
                token=self._begun_with or "",
            )
            checkpoint = self.checkpoint
            error.partial = checkpoint.response if checkpoint is not None else None
            raise error
        if not watch.open:
            self._new_beginning = None
        return watch.suspicious

    def next_token(self) -> str | None:
        """Return the token that the next hop begins with, or None if the answer has ended.

        Call this when the body has ended, and the current hop has a finish reason.

        Raises:
            StreamTruncatedError: The answer should go on, but has no token.
        """
        if self._merger.finish_reason != CONTINUATION or not self.may_go_on:
            return None
        if self.token is not None and self.token != self._begun_with and not self._has_said:
            return self.token
        self._has_no_token = True
        what = "a continuationToken"
        if self._merger.hop_token is not None and self._merger.hop_token == self._begun_with:
            what = "a new continuationToken, only the one that its hop began with"
        raise StreamTruncatedError(
            f"the stream ended with finishReason {CONTINUATION}, but without {what}"
        )

    def recovers(self, error: CometGemError, *, begun: bool) -> bool:
        """Whether the answer can go on after an error, from the last token.

        It can if the error is a cut and the token covers all that was handed out. At most three
        cuts in a row may come without a new token or chunk.

        Args:
            error: What has ended the hop.
            begun: Whether there was a chunk in this hop. An error of the API before that rejects
                the request: then the retry policy has had its attempts.
        """
        repeats = self._follow and self.token == self._begun_with
        return (
            self.token is not None
            and (self.may_go_on or repeats)
            and not (self._has_said or self._has_no_token)
            and self._failures < _MAX_FAILURES
            and self._merger.finish_reason in _NOT_FINISHED
            and self._is_cut(error, begun=begun)
        )

    @property
    def failures(self) -> int:
        """How many cuts in a row there are if another one is counted."""
        return self._failures + 1

    def begin(self, *, after_cut: bool = False) -> str:
        """Begin the next hop, and return its token."""
        if self.token is None:
            raise RuntimeError("a hop needs a token")
        is_first = self._begun_with is None
        self._failures += after_cut
        self._count += self.token != self._begun_with
        self._begun_with = self.token
        self._cover()
        self._merger.begin_hop()
        if self._covered is not None:
            self._covered.begin_hop()
        if is_first:
            self._first_usage = self._merger.first_usage
        self._inspected = 0
        self._watch()
        return self.token

    def _cover(self) -> None:
        if self._covered is not None:
            for chunk in self._since:
                self._covered.add(chunk)
        self._since = []
        self._has_said = False

    def drop(self, chunk: GenerateContentResponse) -> None:
        """Count the usage of a chunk that will be generated again."""
        self._merger.add_usage(chunk.usage_metadata)
        if self._covered is not None:
            self._covered.add_usage(chunk.usage_metadata)

    def _watch(self) -> None:
        """Look for signs that the hop begins anew, if there is anything to compare."""
        covered = self._covered
        if covered is None:
            return
        watch = NewBeginning(
            covered.beginning(_BEGINNING), self._first_usage, lambda: covered.response().text
        )
        self._new_beginning = watch if watch.open else None

    def _is_cut(self, error: CometGemError, *, begun: bool) -> bool:
        """Whether an error says that the connection broke or stalled, or that the server did."""
        if isinstance(error, APITimeoutError):
            # Before the very first chunk, it is the time limit that the caller has set for it.
            return error.phase == "stall" or (
                error.phase == "first_chunk" and self._merger.chunks > 0
            )
        if isinstance(error, APIStatusError):
            return begun and error.retryable
        return isinstance(error, (StreamInterruptedError, StreamTruncatedError))
