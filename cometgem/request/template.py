"""Requests that differ in their contents alone: what they share is built once. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cometgem.errors import ConfigurationError
from cometgem.request.build import Request
from cometgem.request.contents import contents_to_wire
from cometgem.types.wire import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem.request.contents import Contents

__all__ = ["RequestTemplate"]

_ANY = "any"


class RequestTemplate:
    """Builds the requests of a bulk run: the bytes are those of ``build_request``.

    Options are checked when it is made.

    Args:
        build: Builds a complete request for some contents.
        own_contents: Whether the contents are sent as they are given. If not, each request is
            built from scratch.

    Raises:
        ConfigurationError: An option can never work.
    """

    def __init__(self, build: Callable[[Contents], Request], *, own_contents: bool = True) -> None:
        self._build = build
        self._like = build(_ANY)
        start = b'{"contents":' + encode(contents_to_wire(_ANY))
        # extra_body may have contents, too.
        self._is_plain = own_contents and self._like.body.startswith(start)
        self._rest = self._like.body[len(start) :]
        # Most contents are one text.
        before, _, after = start.partition(encode(_ANY))
        self._before, self._after = before, after + self._rest

    def request(self, contents: Contents) -> Request:
        """Return the request for some contents.

        Raises:
            ConfigurationError: The contents are not valid.
        """
        if not self._is_plain:
            return self._build(contents)
        is_text = type(contents) is str and contents.strip()
        turns = contents if is_text else contents_to_wire(contents)
        try:
            json = encode(turns)
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigurationError(f"the request cannot be written as JSON: {error}") from error
        if is_text:
            body = self._before + json + self._after
        else:
            body = b'{"contents":%b%b' % (json, self._rest)
        like = self._like
        return Request(like.method, like.path, like.headers, body)
