"""Where a long answer can go on. No I/O."""

from __future__ import annotations

from typing import Self

import msgspec
from msgspec import field

from cometgem.types.response import USAGES, GenerateContentResponse, UsageMetadata
from cometgem.types.wire import Wire

__all__ = ["Checkpoint"]


class Checkpoint(Wire, kw_only=True):
    """A place in a long answer at which it can go on, also in another process.

    Errors of streams have the last one as ``error.checkpoint``. Given as
    ``stream_generate_content(..., continuation=checkpoint)`` with otherwise the same arguments, the
    stream goes on from there, and its final response begins with ``response``.

    Attributes:
        token: The server's ``continuationToken``. It can be used for the same request only, and
            as long as the server keeps what it stands for.
        response: All that had arrived up to this place, merged.
    """

    token: str = ""
    response: GenerateContentResponse = field(default_factory=GenerateContentResponse)

    def to_json(self) -> str:
        """Return it as JSON, for ``from_json``."""
        saved = _Saved(self.token, self.response, self.response.usage_metadata_per_hop)
        # Not in wire form: parts newer than the library keep their keys in a field of their own.
        return msgspec.json.encode(saved).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return the checkpoint that ``to_json`` wrote.

        Raises:
            ValueError: The text is not the JSON of a checkpoint.
        """
        try:
            saved = msgspec.json.decode(text, type=_Saved)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ValueError(f"not the JSON of a checkpoint: {error}") from error
        if len(saved.usages) > 1:
            saved.response.__dict__[USAGES] = saved.usages
        return cls(token=saved.token, response=saved.response)


class _Saved(msgspec.Struct, rename="camel", omit_defaults=True):
    token: str
    response: GenerateContentResponse
    usages: list[UsageMetadata] = field(default_factory=list, name="usageMetadataPerHop")
