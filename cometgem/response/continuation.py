"""Rules of long answers: what a token covers, and how a hop that begins anew is recognized. Pure.

Facts: ai.google.dev/gemini-api/docs/generate-content/long-decode
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from cometgem.types.content import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cometgem.types.response import GenerateContentResponse, UsageMetadata

__all__ = [
    "CONTINUATION",
    "NewBeginning",
    "count_covered",
    "find_token",
    "hide_continuation",
    "says_something",
]

CONTINUATION = "CONTINUATION"

# So many characters of the beginning are compared. An answer that is shorter is compared as a
# whole, but below the second number a repetition may be chance.
_COMPARED = 100
_TELLING = 32


def find_token(chunk: GenerateContentResponse) -> str | None:
    """Return the continuation token of the first candidate, which alone is continued."""
    for candidate in chunk.candidates:
        if candidate.index == 0:
            return candidate.continuation_token or None
    return None


def count_covered(chunks: Sequence[GenerateContentResponse]) -> int:
    """Return how many of the chunks the last token among them covers; 0 if there is none."""
    return max((at for at, chunk in enumerate(chunks, 1) if find_token(chunk)), default=0)


def says_something(chunk: GenerateContentResponse) -> bool:
    """Whether repeating the chunk would repeat a part of the answer; usage and ids are none."""
    for candidate in chunk.candidates:
        content = candidate.content
        if content is not None and not all(map(_is_blank, content.parts)):
            return True
        rest = replace(candidate, content=None, continuation_token=None, index=0)
        if rest.finish_reason == CONTINUATION:
            rest.finish_reason = None
        if rest != type(candidate)():
            return True
    return chunk.prompt_feedback is not None


def _is_blank(part: Part) -> bool:
    return part in (Part(text="", thought=part.thought), Part(thought=part.thought))


def hide_continuation(chunk: GenerateContentResponse) -> None:
    """Remove an intermediate finish reason from a chunk; its ``raw`` stays exact."""
    for candidate in chunk.candidates:
        if candidate.index == 0 and candidate.finish_reason == CONTINUATION:
            candidate.finish_reason = None


class NewBeginning:
    """Looks in the chunks of a hop for signs that it does not continue the answer.

    There are two: the prompt of each hop contains what was generated before, so its token count
    grows; and an answer does not repeat its own beginning. The first one is decisive where there is
    a count, as nearly every server sends it with each chunk. A prompt that a cache shortens and an
    answer that has no text yet tell nothing.

    Args:
        beginning: The first 100 characters of the answer, or all if there are fewer.
        usage: The usage of the first hop, or None.
        text: Returns the whole text before the hop; it is called in case of doubt only.

    Attributes:
        open: Whether later chunks may still show something.
        found: Whether the hop begins anew.
    """

    def __init__(
        self, beginning: str, usage: UsageMetadata | None, text: Callable[[], str]
    ) -> None:
        self._beginning = beginning
        self._prompt = (usage and usage.prompt_token_count) or None
        self._text = text
        self._seen = ""
        self._compares = len(beginning) >= _TELLING
        self.open: bool = self._compares or (self._prompt is not None and bool(beginning))
        self.found: bool = False

    @property
    def suspicious(self) -> bool:
        """Whether the hop has repeated the beginning so far, but not enough of it to be sure."""
        return self.open and not self.found and self._compares and bool(self._seen)

    def look(self, chunk: GenerateContentResponse) -> None:
        """Look at the next chunk of the hop, and set ``open`` and ``found``."""
        if not self.open:
            return
        self._look_at_usage(chunk.usage_metadata)
        if self.open and not self.found and self._compares and (text := chunk.text):
            self._look_at_text(text)

    def _look_at_usage(self, usage: UsageMetadata | None) -> None:
        if usage is None or not usage.prompt_token_count or self._prompt is None:
            return
        if usage.prompt_token_count > self._prompt:
            self.open = False
        # Some servers do not count cached tokens as tokens of the prompt.
        elif usage.prompt_token_count + (usage.cached_content_token_count or 0) <= self._prompt:
            self.found = bool(self._beginning)

    def _look_at_text(self, text: str) -> None:
        self._seen += text[: _COMPARED - len(self._seen)]
        compared = min(len(self._seen), len(self._beginning))
        if self._seen[:compared] != self._beginning[:compared]:
            self._stop_comparing()
        elif compared == len(self._beginning):
            # Text that repeats itself all the time, such as a row of zeros, shows nothing.
            before = self._text()
            if (before + self._seen).find(self._beginning, 1) == len(before):
                self.found = True
            else:
                self._stop_comparing()

    def _stop_comparing(self) -> None:
        self._compares = False
        self._seen = ""
        self.open = self._prompt is not None
