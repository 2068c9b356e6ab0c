"""Token counts in short. No I/O."""

from msgspec import Struct

__all__ = ["Usage"]


class Usage(Struct, kw_only=True, frozen=True):
    """The tokens of a response, in short; counts that the API did not send are 0.

    Attributes:
        input_tokens: Of the prompt, cached ones included, and of what the API's own tools read.
        output_tokens: Of all candidates and of thinking.
        thinking_tokens: Those of thinking, which are billed as output.
        cached_tokens: Those of the input that came from a cache.
        total_tokens: The API's own total, or else input and output.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    cached_tokens: int = 0
    total_tokens: int = 0
