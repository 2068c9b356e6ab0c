"""Finish and block reasons in words. No I/O.

The meanings are those of https://ai.google.dev/api/generate-content#FinishReason and
#BlockReason; of the values that only Vertex-backed channels send, those of
https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse.
Google does not explain ESCALATION and
PUP_LIMITED_DISABLED.
"""

from cometgem.types.enums import BlockReason, FinishReason

__all__ = ["BLOCK_REASONS", "FINISH_REASONS", "why_stopped"]

FINISH_REASONS: dict[str, str] = {
    FinishReason.STOP: "the model finished its answer or reached a stop sequence",
    FinishReason.MAX_TOKENS: "the answer reached the maximum number of tokens",
    FinishReason.SAFETY: "the answer was flagged as unsafe",
    FinishReason.RECITATION: "the answer quoted its training data too closely",
    FinishReason.LANGUAGE: "the answer used a language that is not supported",
    FinishReason.OTHER: "the model stopped for a reason that it does not name",
    FinishReason.BLOCKLIST: "the answer contained a forbidden term",
    FinishReason.PROHIBITED_CONTENT: "the answer may have contained prohibited content",
    FinishReason.SPII: "the answer may have contained sensitive personal data",
    FinishReason.MALFORMED_FUNCTION_CALL: "the model wrote a function call that is not valid",
    FinishReason.IMAGE_SAFETY: "the generated images were flagged as unsafe",
    FinishReason.IMAGE_PROHIBITED_CONTENT: "the generated images contained prohibited content",
    FinishReason.IMAGE_OTHER: "image generation stopped for a reason that it does not name",
    FinishReason.NO_IMAGE: "an image was expected, but the model generated none",
    FinishReason.IMAGE_RECITATION: "the generated images were too close to existing ones",
    FinishReason.UNEXPECTED_TOOL_CALL: "the model called a tool, but the request enabled none",
    FinishReason.TOO_MANY_TOOL_CALLS: "the model called too many tools in a row",
    FinishReason.MISSING_THOUGHT_SIGNATURE: "the request lacked a thought signature",
    FinishReason.MALFORMED_RESPONSE: "the model wrote an answer that is not valid",
    FinishReason.ESCALATION: "the server ended the answer with an escalation",
    FinishReason.CONTINUATION: "the answer is to be continued by another request",
    FinishReason.PUP_LIMITED_DISABLED: "the account is limited by Google's prohibited use policy",
    FinishReason.MODEL_ARMOR: "the answer was blocked by Model Armor",
}

BLOCK_REASONS: dict[str, str] = {
    BlockReason.SAFETY: "the prompt was blocked: it was flagged as unsafe",
    BlockReason.OTHER: "the prompt was blocked for a reason that is not named",
    BlockReason.BLOCKLIST: "the prompt was blocked: it contained a forbidden term",
    BlockReason.PROHIBITED_CONTENT: "the prompt was blocked: it contained prohibited content",
    BlockReason.IMAGE_SAFETY: "the prompt was blocked: an image in it was flagged as unsafe",
    BlockReason.JAILBREAK: "the prompt was blocked: it was taken for a jailbreak",
    BlockReason.MODEL_ARMOR: "the prompt was blocked by Model Armor",
}

_NO_REASON = (None, "", "FINISH_REASON_UNSPECIFIED")
_NO_BLOCK = (None, "", "BLOCK_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED")


def why_stopped(
    finish_reason: str | None,
    finish_message: str | None = None,
    block_reason: str | None = None,
    block_message: str | None = None,
) -> str | None:
    """Return in words why there is no more of an answer, with the server's own message.

    Args:
        finish_reason: A `FinishReason`, or a newer value.
        finish_message: The server's explanation.
        block_reason: A `BlockReason`, or a newer value.
        block_message: The server's explanation.

    Returns:
        Such as "the answer reached the maximum number of tokens (MAX_TOKENS)"; None if the answer
        has not ended.
    """
    if block_reason not in _NO_BLOCK:
        words = BLOCK_REASONS.get(block_reason or "", "the prompt was blocked")
        reason, message = block_reason, block_message
    elif finish_reason not in _NO_REASON:
        words = FINISH_REASONS.get(finish_reason or "", "the model stopped")
        reason, message = finish_reason, finish_message
    else:
        return None
    return f"{words} ({reason})" + (f": {message}" if message else "")
