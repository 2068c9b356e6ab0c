"""What a browser is told when the model cannot answer: a status and one safe sentence.

The text of an error may name the account or the host, and a 401 is about the backend's own key, so
neither is passed on.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from cometgem.errors import (
    APITimeoutError,
    BadMessagesError,
    BadRequestError,
    CometGemError,
    ConfigurationError,
    RateLimitError,
    RunError,
)
from cometgem.web.asgi import send_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem.web.asgi import Message, Receive, Send

__all__ = ["NOTHING", "Refusal", "refusal", "sentence"]


# The first that fits.
_SENTENCES: tuple[tuple[type[CometGemError], str], ...] = (
    (RateLimitError, "Too many requests. Please try again later."),
    (APITimeoutError, "The model took too long to answer. Please try again."),
    (BadRequestError, "The model does not accept this request."),
    (BadMessagesError, "This request is not valid."),
    (ConfigurationError, "The service is not set up correctly."),
    (RunError, "The answer was interrupted. Please try again."),
    (CometGemError, "The model is not available at the moment. Please try again."),
)
_UNKNOWN = "Something went wrong. Please try again."


class Refusal(NamedTuple):
    """A response instead of a stream; an ASGI application.

    Attributes:
        status: The HTTP status.
        message: The body, in plain text.
        retry_after: In whole seconds, or None.
    """

    status: int
    message: str
    retry_after: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the response."""
        headers = {"cache-control": "no-store"}
        if self.message:
            headers["content-type"] = "text/plain; charset=utf-8"
        if self.retry_after is not None:
            headers["retry-after"] = str(self.retry_after)
        return headers

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI
        """Send the response."""
        await send_whole(send, self.status, self.headers, self.message.encode())


NOTHING = Refusal(204, "")
"""No run to watch: what the readers of every format understand."""


def refusal(
    error: BaseException, say: Callable[[BaseException], str | None] | None = None
) -> Refusal:
    """Return the response to an error that came before the first chunk.

    Args:
        error: The error.
        say: Returns the sentence for an error, or None for the usual one.
    """
    message = sentence(error, say)
    match error:
        case RateLimitError(retry_after=wait):
            return Refusal(429, message, None if wait is None else math.ceil(wait))
        case APITimeoutError():
            return Refusal(504, message)
        case BadRequestError() | BadMessagesError():
            return Refusal(400, message)
        case CometGemError():
            return Refusal(502, message)
    return Refusal(500, message)


def sentence(error: BaseException, say: Callable[[BaseException], str | None] | None = None) -> str:
    """Return what a person may read about an error: never the text of the error itself."""
    if say is not None and (given := say(error)) is not None:
        return given
    return next((words for kind, words in _SENTENCES if isinstance(error, kind)), _UNKNOWN)
