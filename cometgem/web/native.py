"""Gemini's own event stream, passed on to another Gemini client."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cometgem.types.response import GenerateContentResponse
from cometgem.types.wire import encode
from cometgem.web.encoder import Encoder, event

if TYPE_CHECKING:
    from cometgem.conversation.rounds import ConversationItem
    from cometgem.types.response import Candidate

__all__ = ["NativeEncoder"]

_LINE_END = re.compile(rb"\r\n|\r|\n")

# A reader would continue a long answer by itself, with a token that only the API understands.
_TOKEN = b'"continuationToken"'


class NativeEncoder(Encoder):
    """Passes chunks on as the API sent them, without encoding them again.

    Function calls are in the chunks; the responses to them are not written, since a Gemini client
    has no place for them in a model's turn.
    """

    def item(self, item: ConversationItem) -> bytes:
        """Return a chunk as an event, in its exact JSON if it has one."""
        if not isinstance(item, GenerateContentResponse):
            return b""
        raw = item.raw
        # find() takes a sixth of the time of `in`, for every chunk.
        if not raw or raw.find(_TOKEN) >= 0:
            raw = encode(_without_tokens(item))
        elif raw.find(b"\n") >= 0 or raw.find(b"\r") >= 0:
            raw = _LINE_END.sub(b"\ndata: ", raw)
        return b"data: %s\n\n" % raw

    def fail(self, message: str) -> bytes:
        """Return an error as the API reports it inside a stream."""
        return event({"error": {"code": 500, "message": message, "status": "INTERNAL"}})


def _without_tokens(chunk: GenerateContentResponse) -> GenerateContentResponse:
    return replace(chunk, candidates=[_without_token(one) for one in chunk.candidates])


def _without_token(candidate: Candidate) -> Candidate:
    return replace(candidate, continuation_token=None)
