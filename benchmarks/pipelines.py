"""cometgem layer by layer: each pipeline adds one step to the one before."""

# ruff: noqa: PLC0415  as in ``clients``

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clients import BODY, Adapter, AiohttpDrain, CometGem, Ending

if TYPE_CHECKING:
    from clients import Take

__all__ = ["PIPELINES"]


class Split(AiohttpDrain):
    """Bytes to events."""

    packages = ("cometgem",)

    async def open(self) -> None:
        """Make the session."""
        from cometgem.response.chunks import ChunkDecoder
        from cometgem.response.merge import ResponseMerger
        from cometgem.response.sse import SSEDecoder

        self.new_sse, self.new_chunks, self.new_merger = SSEDecoder, ChunkDecoder, ResponseMerger
        await super().open()

    def decoder(self) -> Any:
        """Return the decoder for the bytes."""
        return self.new_sse()

    async def stream(self, model: str, take: Take) -> Ending:
        """Read one stream to its end."""
        size = 0
        decoder = self.decoder()
        async with self.session.post(self.url(model), json=BODY) as response:
            while data := await response.content.readany():
                size += len(data)
                take(data)
                for _ in decoder.feed(data):
                    pass
        return Ending(size=size)


class Decode(Split):
    """Events to chunks."""

    def decoder(self) -> Any:
        """Return the decoder for the bytes."""
        return self.new_chunks()


class Text(Split):
    """Chunks to text."""

    decodes = True

    async def stream(self, model: str, take: Take) -> Ending:
        """Read one stream to its end."""
        chunk: Any = None
        decoder = self.new_chunks()
        async with self.session.post(self.url(model), json=BODY) as response:
            while data := await response.content.readany():
                for chunk in decoder.feed(data):
                    take(chunk.text)
        return Ending(chunk.finish_reason)


class Merge(Split):
    """Chunks to the final response."""

    decodes = True

    async def stream(self, model: str, take: Take) -> Ending:
        """Read one stream to its end."""
        decoder, merger = self.new_chunks(), self.new_merger()
        async with self.session.post(self.url(model), json=BODY) as response:
            while data := await response.content.readany():
                for chunk in decoder.feed(data):
                    merger.add(chunk)
                    take(chunk.text)
        final = merger.response()
        return Ending(final.finish_reason, final.text)


PIPELINES: dict[str, type[Adapter]] = {
    "read": AiohttpDrain,
    "split": Split,
    "decode": Decode,
    "text": Text,
    "merge": Merge,
    "hand-out": CometGem,
}
