"""The raw server leaves no socket behind: a ResourceWarning would fail an unrelated test."""

from __future__ import annotations

import gc
import socket
import ssl
import warnings

import pytest
import trustme
from faults.raw_server import RawServer

from cometgem.testing.connections import HOST


@pytest.mark.parametrize("secure", [False, True])
def test_stopping_while_connections_are_accepted(*, secure: bool) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if secure else None
    if tls is not None:
        trustme.CA().issue_cert(HOST).configure_cert(tls)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(50):
            with RawServer(tls=tls) as server:
                port = int(server.url.rpartition(":")[2])
                clients = [socket.create_connection((HOST, port)) for _ in range(4)]
            for client in clients:
                client.close()
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
