"""Which reply answers a request: a refusal, a hop, the script, or the default. No I/O."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from cometgem.testing.long_answer import LongAnswers, TokenError
from cometgem.testing.steps import Chunk, Raw
from cometgem.testing.validate import invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cometgem.testing.journal import RecordedRequest
    from cometgem.testing.reply import Reply

__all__ = ["Script"]

_TOKEN = re.compile(rb'"continuationToken"\s*:\s*"([^"\\]+)"')


class Script:
    """The replies of a server, in the order in which they are asked for.

    Args:
        default: The reply when the script is used up.
        validate: Whether a continuationToken that no reply has carried is refused.
    """

    def __init__(self, default: Reply, *, validate: bool) -> None:
        self._default = default
        self._validates = validate
        self._replies: deque[Reply] = deque()
        self._long = LongAnswers()
        self._tokens: set[str] = set()  # in replies that are not made of hops

    def add(self, *replies: Reply) -> None:
        """Append replies."""
        self._replies.extend(replies)

    def reply_to(self, request: RecordedRequest) -> Reply:
        """Return the reply to a valid request. One that goes on with hops is left in the script."""
        body = request.body if isinstance(request.body, dict) else {}
        token = body.get("continuationToken")
        try:
            reply = self._long.again(request, None) if not token else self._hop(request, token)
        except TokenError as error:
            if self._validates:
                return invalid(str(error), request)
            reply = None
        if reply is not None:
            return reply
        reply = self._replies.popleft() if self._replies else self._default
        if reply.long is not None:
            return self._long.start(reply, request)
        self._tokens.update(_tokens_of(reply))
        return reply

    def ended(self, request: RecordedRequest) -> None:
        """Note that the reply to a request has ended."""
        self._long.ended(request)

    def _hop(self, request: RecordedRequest, token: object) -> Reply | None:
        """Return the hop that a token leads to, or None if the script answers."""
        if isinstance(token, str):
            reply = self._long.next(request, token)
            if reply is not None or token in self._tokens:
                return reply
        raise TokenError("The continuation_token is invalid.")


def _tokens_of(reply: Reply) -> Iterator[str]:
    """Yield the tokens that a reply carries."""
    for one in reply.steps:
        if isinstance(one, Chunk):
            for candidate in one.body.get("candidates") or []:
                if isinstance(candidate, dict) and "continuationToken" in candidate:
                    yield candidate["continuationToken"]
        elif isinstance(one, Raw):
            yield from (match.decode() for match in _TOKEN.findall(one.data))
