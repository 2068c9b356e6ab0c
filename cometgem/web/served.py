"""A response whose body comes in pieces: an ASGI application, and an async iterator of bytes."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from cometgem.errors import CometGemError
from cometgem.web.asgi import Response, wait_until_gone
from cometgem.web.pieces import Pieces

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cometgem.web.asgi import Message, Receive, Send
    from cometgem.web.refusals import Refusal

__all__ = ["Served"]

_log = logging.getLogger("cometgem.web")


class Served(ABC):
    """What the functions for frameworks serve: a relay, or a viewer of a run."""

    def __init__(self) -> None:
        self._refusal: Refusal | None = None

    @property
    def refusal(self) -> Refusal | None:
        """What to respond instead, if ``send_to`` has failed before the first piece; or None."""
        return self._refusal

    @property
    @abstractmethod
    def headers(self) -> Mapping[str, str]:
        """The headers of the response, in lower case."""

    @abstractmethod
    async def send_to(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Send the body in pieces, each after the one before was taken.

        Args:
            send: Sends a piece.

        Raises:
            TimeoutError: The reader did not take a piece in time.
            CometGemError: Nothing has been sent, and ``refusal`` is what to send instead; or the
                connection must be broken, since a good end would count as success.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Break off a response that is being sent. Safe in any task."""

    def __aiter__(self) -> Pieces:
        """Return the pieces of the body, for frameworks that take an async iterator.

        Await ``open`` of the iterator first, so that an error still gets a status.
        """
        return Pieces(self.send_to, self.aclose)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve the response as an ASGI application; ends as soon as the reader has left.

        Raises:
            CometGemError: The answer is incomplete, and the format cannot say so: the server breaks
                the connection.
        """
        response = Response(send, self.headers)
        limit = asyncio.timeout(None)
        leaving: asyncio.Task[None] | None = None
        try:
            async with limit:
                leaving = asyncio.create_task(wait_until_gone(receive, limit))
                try:
                    await self.send_to(response.send)
                except CometGemError:
                    if self.refusal is None or response.started:
                        raise
                    await self.refusal(scope, receive, send)
                else:
                    await response.end()
                finally:
                    leaving.cancel()
        except (TimeoutError, OSError) as error:
            if isinstance(error, CometGemError):
                raise
            _log.debug("the reader left")
        finally:
            await self.aclose()
            if leaving is not None:
                await asyncio.wait([leaving])
