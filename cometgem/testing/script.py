"""Which reply answers a request: a hop, a function, the script, or the default. No I/O."""

from __future__ import annotations

import inspect
import logging
import re
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from cometgem.testing.long_answer import LongAnswers, TokenError
from cometgem.testing.reply import Reply
from cometgem.testing.steps import Chunk, Raw
from cometgem.testing.unscripted import unscripted
from cometgem.testing.validate import invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cometgem.testing.journal import RecordedRequest

__all__ = ["Respond", "Script"]

Respond: TypeAlias = "Callable[[RecordedRequest], Reply | None]"

_logger = logging.getLogger("cometgem.testing")

_TOKEN = re.compile(rb'"continuationToken"\s*:\s*"([^"\\]+)"')


class Script:
    """The replies of a server, in the order in which they are asked for.

    Args:
        default: The reply when the script is used up; None makes up one that fits the request.
        validate: Whether a continuationToken that no reply has carried is refused.

    Attributes:
        respond: A function that is asked first.
        errors: The exceptions that it has raised.
    """

    def __init__(self, default: Reply | None, *, validate: bool) -> None:
        self.respond: Respond | None = None
        self.errors: list[Exception] = []
        self._default = default
        self._validates = validate
        self._replies: deque[Reply] = deque()
        self._long = LongAnswers()
        self._tokens: set[str] = set()  # in replies that are not made of hops

    def add(self, *replies: Reply) -> None:
        """Append replies."""
        self._replies.extend(replies)

    def clear(self) -> None:
        """Forget the replies that were not used."""
        self._replies.clear()

    def reply_to(self, request: RecordedRequest, lost_token: str | None = None) -> Reply:
        """Return the reply to a valid request.

        Args:
            request: The request.
            lost_token: A continuationToken that a gateway has dropped from it.
        """
        body = request.body if isinstance(request.body, dict) else {}
        token = body.get("continuationToken")
        try:
            reply = (
                self._long.again(request, lost_token) if not token else self._hop(request, token)
            )
        except TokenError as error:
            if self._validates:
                return invalid(str(error), request)
            reply = None
        if reply is not None:
            return reply
        reply = self._responded(request)
        if reply is None:
            reply = self._replies.popleft() if self._replies else self._default
        if reply is None:
            return unscripted(request)
        if reply.long is not None:
            return self._long.start(reply, request)
        self._tokens.update(_tokens_of(reply))
        return reply

    def ended(self, request: RecordedRequest) -> None:
        """Note that the reply to a request has ended."""
        self._long.ended(request)

    def _responded(self, request: RecordedRequest) -> Reply | None:
        """Return what `respond` returns; its exceptions become a reply that names them."""
        if self.respond is None:
            return None
        try:
            return _checked(self.respond(request))
        except Exception as error:
            _logger.exception("respond failed for %r", request)
            self.errors.append(error)
            name = getattr(self.respond, "__qualname__", repr(self.respond))
            message = f"respond ({name}) raised {type(error).__name__}: {error}"
            # A code that makes a 500 permanent, so that clients do not retry it.
            return Reply.error(500, code="invalid_request", message=message)

    def _hop(self, request: RecordedRequest, token: object) -> Reply | None:
        """Return the hop that a token leads to, or None if the script answers."""
        if isinstance(token, str):
            reply = self._long.next(request, token)
            if reply is not None or token in self._tokens:
                return reply
        raise TokenError("The continuation_token is invalid.")


def _checked(reply: object) -> Reply | None:
    """Return what a function has returned, or raise a TypeError if it is not a reply."""
    if reply is None or isinstance(reply, Reply):
        return reply
    if inspect.iscoroutine(reply):
        reply.close()
        raise TypeError("respond is an async function, expected a plain one")
    raise TypeError(f"respond returned {reply!r}, expected a Reply or None")


def _tokens_of(reply: Reply) -> Iterator[str]:
    """Yield the tokens that a reply carries."""
    for one in reply.steps:
        if isinstance(one, Chunk):
            for candidate in one.body.get("candidates") or []:
                if isinstance(candidate, dict) and "continuationToken" in candidate:
                    yield candidate["continuationToken"]
        elif isinstance(one, Raw):
            yield from (match.decode() for match in _TOKEN.findall(one.data))
