"""`response.why_stopped`."""

from __future__ import annotations

import pytest

from cometgem import GenerateContentResponse
from cometgem.types import BlockReason, Candidate, FinishReason, PromptFeedback
from cometgem.types.stopping import BLOCK_REASONS, FINISH_REASONS


def finished(reason: str | None, message: str | None = None) -> GenerateContentResponse:
    return GenerateContentResponse(
        candidates=[Candidate(finish_reason=reason, finish_message=message)]
    )


def blocked(reason: str | None, message: str | None = None) -> GenerateContentResponse:
    feedback = PromptFeedback(block_reason=reason, block_reason_message=message)
    return GenerateContentResponse(prompt_feedback=feedback)


def test_every_reason_has_its_own_words() -> None:
    assert FINISH_REASONS.keys() == {*FinishReason}
    assert BLOCK_REASONS.keys() == {*BlockReason}
    words = [*FINISH_REASONS.values(), *BLOCK_REASONS.values()]
    assert len(set(words)) == len(words)
    for reason in FinishReason:
        assert finished(reason).why_stopped == f"{FINISH_REASONS[reason]} ({reason})"
    for block in BlockReason:
        assert blocked(block).why_stopped == f"{BLOCK_REASONS[block]} ({block})"


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (
            finished("MAX_TOKENS"),
            "the answer reached the maximum number of tokens (MAX_TOKENS)",
        ),
        (finished("NEWER"), "the model stopped (NEWER)"),
        (finished("NEWER", "no more"), "the model stopped (NEWER): no more"),
        (blocked("NEWER", "not this"), "the prompt was blocked (NEWER): not this"),
        (finished(None), None),
        (finished(""), None),
        (finished("FINISH_REASON_UNSPECIFIED"), None),
        (blocked("BLOCK_REASON_UNSPECIFIED"), None),
        (blocked(None), None),
        (GenerateContentResponse(), None),
    ],
)
def test_the_reason_in_words(response: GenerateContentResponse, words: str | None) -> None:
    assert response.why_stopped == words
