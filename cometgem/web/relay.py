"""Passes a stream on to one reader over ASGI, and ends it when the reader leaves.

The task of the request reads the stream and sends what it encodes. While a send waits for a slow
reader, nothing more is read, so little is held. Beside it there is one task that waits for the
reader to leave, and one timer for pings and for sends that take too long.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from msgspec.structs import replace

from cometgem.errors import ClosedError, CometGemError, ConfigurationError
from cometgem.request.arguments import is_integer, is_number, shown
from cometgem.web.joined import joined
from cometgem.web.refusals import refusal, sentence
from cometgem.web.sender import Sender
from cometgem.web.served import Served

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cometgem.conversation.rounds import ConversationItem
    from cometgem.types.response import GenerateContentResponse, UsageMetadata
    from cometgem.web.encoder import Encoder

__all__ = ["Relay", "Say", "Stream"]

Say: TypeAlias = "Callable[[BaseException], str | None]"
"""Returns the sentence that the reader gets about an error, or None for the usual one."""

_log = logging.getLogger("cometgem.web")


class Stream(Protocol):
    """A stream of chunks, or of the items of a conversation."""

    @property
    def snapshot(self) -> GenerateContentResponse:
        """What has come so far, merged."""
        ...

    async def __anext__(self) -> Any:
        """Return the next item."""
        ...

    def take(self) -> Any:
        """Return an item that is at hand, or None."""
        ...

    async def aclose(self) -> None:
        """Close the stream."""
        ...


class Relay(Served):
    """Passes a stream on to one reader: an ASGI application, and an async iterator of bytes.

    The first chunk decides about the status: an error before it is answered with a status of its
    own and one sentence. If nothing has come after ``ping`` seconds, as when a model thinks for
    long, the response starts with a sign of life. Later errors are told in the encoder's format.
    A relay that was closed, or whose client was, breaks the connection.

    Args:
        stream: A ``GenerateContentStream`` or a ``ConversationStream``; closed in the end.
        encoder: Writes the items; a new one for each relay.
        ping: A sign of life is sent after this many seconds of silence; None sends none.
        send_timeout: How long the reader may take to accept a piece, in seconds; then the stream is
            closed. None is no limit.
        buffer: How many bytes are sent in one piece if chunks came faster than the reader took
            them. A chunk that is larger is sent in one piece.
        say: Returns the sentence that the reader gets about an error. Defaults to one that has
            nothing of the error's own text.

    Attributes:
        encoder: As given.
        ping: In seconds; infinite if None was given.
        send_timeout: In seconds; infinite if None was given.
        buffer: In bytes.
        refusal: The response to an error that came before the first chunk, or None.

    Raises:
        ConfigurationError: An argument is not valid.
    """

    def __init__(  # noqa: PLR0913  each is an option of its own
        self,
        stream: Stream,
        encoder: Encoder,
        *,
        ping: float | None = 15.0,
        send_timeout: float | None = 30.0,
        buffer: int = 65_536,
        say: Say | None = None,
    ) -> None:
        for name, seconds in (("ping", ping), ("send_timeout", send_timeout)):
            if seconds is not None and not (is_number(seconds) and seconds > 0):
                raise ConfigurationError(
                    f"{name}={shown(seconds)} is not valid; use a number of seconds above 0, or"
                    " None"
                )
        if not is_integer(buffer) or buffer < 1:
            raise ConfigurationError(
                f"buffer={shown(buffer)} is not valid; use an integer of at least 1 byte"
            )
        super().__init__()
        self._stream = stream
        self.encoder: Encoder = encoder
        self.ping: float = math.inf if ping is None else float(ping)
        self.send_timeout: float = math.inf if send_timeout is None else float(send_timeout)
        self.buffer: int = buffer
        self._say = say
        self._first: ConversationItem | None = None
        self._opened = False
        self._served = False

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the response, in lower case."""
        return self.encoder.headers

    async def open(self) -> None:
        """Wait for the first chunk; does nothing if it has come.

        Nothing is sent meanwhile, and a reader who leaves is not noticed. Serving the relay opens
        it as well, without these limits.

        Raises:
            CometGemError: The model did not answer; ``refusal`` says how to tell the reader.
        """
        if self._opened:
            return
        try:
            self._first = await self._stream.__anext__()
        except StopAsyncIteration:
            pass
        except Exception as error:
            if self._refusal is None:
                self._refusal = found = refusal(error, self._say)
                _log.warning("a request was refused with status %d: %s", found.status, error)
            raise
        self._opened = True

    async def aclose(self) -> None:
        """Close the stream; a response that is being sent is broken off. Safe in any task."""
        await self._stream.aclose()

    async def send_to(
        self, send: Callable[[bytes], Awaitable[None]], *, pings: bool = True
    ) -> None:
        """Send the body in pieces, each after the one before was taken.

        Args:
            send: Sends a piece.
            pings: Whether signs of life are sent. A run has none: each of its viewers has its own.

        Raises:
            TimeoutError: The reader did not take a piece in time.
            CometGemError: Nothing has been sent, and ``refusal`` is what to send instead; or the
                stream failed, and the format cannot say so.
            RuntimeError: The relay has been served before.
        """
        if self._served:
            raise RuntimeError("a relay serves one response; make another for the next reader")
        self._served = True
        ping = self.encoder.ping() if pings else b""
        sender = Sender(send, ping, self.ping, self.send_timeout)
        try:
            async with sender.limit:
                await self._send_all(sender)
        finally:
            await sender.aclose()

    async def _send_all(self, sender: Sender) -> None:
        encoder = self.encoder
        begun = False
        try:
            await self.open()
            begun = True
            data = encoder.start()
            if self._first is not None:
                data += encoder.item(self._first)
                self._first = None  # a picture may have megabytes
                await sender.send(data)
                data = b""
                while True:
                    await self._send_next(sender)
        except StopAsyncIteration:
            pass
        except ClosedError:
            # The client was closed, as in a deployment: a reader may resume after a broken
            # connection, but takes a good end for the end.
            raise
        except CometGemError as error:
            if not begun and not sender.begun:
                raise
            _log.warning("a stream failed after its response had begun: %s", error)
            data = b"" if begun else encoder.start()
            if data := data + encoder.fail(sentence(error, self._say)):
                await sender.send(data)
            if not encoder.tells_failures:
                raise
            return
        pending = getattr(self._stream, "pending", ())
        if data := data + encoder.end(_final(self._stream), pending):
            await sender.send(data)

    async def _send_next(self, sender: Sender) -> None:
        item = await self._stream.__anext__()
        if data := self._encode_joined(item) if sender.lags else self._encode(item):
            await sender.send(data)

    def _encode(self, item: ConversationItem) -> bytes:
        """Return an item and those at hand, up to about the size of the buffer."""
        encode = self.encoder.item
        data = encode(item)
        if len(data) >= self.buffer or (more := self._take()) is None:
            return data
        pieces, size = [data], len(data)
        while more is not None:
            pieces.append(data := encode(more))
            size += len(data)
            more = self._take() if size < self.buffer else None
        return b"".join(pieces)

    def _encode_joined(self, item: ConversationItem) -> bytes:
        """Return an item and those at hand, with their text joined, for a reader who lags."""
        items, size = [item], 0
        while size < self.buffer and (more := self._take()) is not None:
            items.append(more)
            size += len(getattr(more, "raw", b""))
        return b"".join(map(self.encoder.item, joined(items)))

    def _take(self) -> ConversationItem | None:
        """Return an item that is at hand; an error is left for the next read, which raises it."""
        try:
            item: ConversationItem | None = self._stream.take()
        except CometGemError:
            return None
        return item


def _final(stream: Stream) -> GenerateContentResponse:
    """Return the last answer; that of a conversation with the usage of all its rounds."""
    usage: UsageMetadata | None = getattr(stream, "usage", None)
    return stream.snapshot if usage is None else replace(stream.snapshot, usage_metadata=usage)
