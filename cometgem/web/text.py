"""The text of an answer alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cometgem.types.response import GenerateContentResponse
from cometgem.web.encoder import Encoder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cometgem.conversation.rounds import ConversationItem

__all__ = ["TextEncoder"]


class TextEncoder(Encoder):
    """Writes the text in UTF-8, without thoughts; a failure breaks the connection."""

    headers: ClassVar[Mapping[str, str]] = {
        "content-type": "text/plain; charset=utf-8",
        "cache-control": "no-cache",
        "x-accel-buffering": "no",
        "x-content-type-options": "nosniff",  # browsers would wait for 512 bytes to guess the type
    }
    tells_failures: ClassVar[bool] = False

    def item(self, item: ConversationItem) -> bytes:
        """Return the text of a chunk."""
        return item.text.encode() if isinstance(item, GenerateContentResponse) else b""

    def ping(self) -> bytes:
        """Return nothing: every byte would be text."""
        return b""

    def fail(self, message: str) -> bytes:  # noqa: ARG002  the format has no place for it
        """Return nothing: text cannot say that it is incomplete."""
        return b""
