"""What a base URL may point to: a server, the wrong server, or none."""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from unittest import mock

import brotli
import trustme
from faults.raw_server import Act, RawServer
from faults.wire import chunked, events, head

from cometgem.testing import FakeServer
from cometgem.testing.connections import HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Place",
    "brotli_flushed",
    "brotli_in_one_piece",
    "no_handshake",
    "no_tls",
    "nothing",
    "unknown_certificate",
    "unknown_host",
]


@dataclass(frozen=True)
class Place:
    """A base URL and the server behind it, if any."""

    url: str
    server: FakeServer | RawServer | None = None

    @property
    def requests(self) -> int:
        """How many requests have arrived."""
        if isinstance(self.server, FakeServer):
            return len(self.server.requests)
        return 0 if self.server is None else self.server.requests


@contextlib.contextmanager
def _brotli(*, flushed: bool) -> Iterator[Place]:
    packer = brotli.Compressor()
    pieces = []
    for one in events(3, finish="STOP").splitlines(keepends=True):
        pieces += [packer.process(one), packer.flush() if flushed else b""]
    body = chunked(*filter(None, [*pieces, packer.finish()]))
    script = (head("Transfer-Encoding: chunked", "Content-Encoding: br"), body + b"0\r\n\r\n")
    with RawServer(script) as server:
        yield Place(server.url, server)


brotli_flushed = partial(_brotli, flushed=True)
brotli_in_one_piece = partial(_brotli, flushed=False)


@contextlib.contextmanager
def nothing() -> Iterator[Place]:
    with socket.socket() as bound:  # bound but not listening, so that no one else can take the port
        bound.bind((HOST, 0))
        yield Place(f"http://{HOST}:{bound.getsockname()[1]}")


@contextlib.contextmanager
def unknown_host() -> Iterator[Place]:
    unknown = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    with mock.patch("socket.getaddrinfo", side_effect=unknown):
        yield Place("https://gateway.invalid")


@contextlib.contextmanager
def unknown_certificate() -> Iterator[Place]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert(HOST).configure_cert(context)
    with RawServer(tls=context) as server:
        yield Place(server.url, server)


@contextlib.contextmanager
def no_tls() -> Iterator[Place]:
    with RawServer(*[(Act.UNREAD, b"220 mail.example ESMTP\r\n", Act.CLOSE)] * 3) as server:
        yield Place(server.url.replace("http:", "https:"), server)


@contextlib.contextmanager
def no_handshake() -> Iterator[Place]:
    with RawServer(*[(Act.UNREAD, Act.SILENCE)] * 3) as server:
        yield Place(server.url.replace("http:", "https:"), server)
