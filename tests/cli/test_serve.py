"""`cometgem serve`."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest
from cli.speaking import SHORT, WITH_SIGINT, child, posix
from conformance import conformance_file

from cometgem.testing import FakeServer

if TYPE_CHECKING:
    from cli.speaking import Run


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Press Ctrl-C as soon as the server has answered what it told us to send."""
    answers: list[bytes] = []

    def wait(server: FakeServer) -> None:
        asyncio.run(talk(server))
        raise KeyboardInterrupt

    async def talk(server: FakeServer) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.split(":")[2]))
        body = b'{"contents": [{"parts": [{"text": "Hi"}]}]}'
        writer.write(
            b"POST /v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse HTTP/1.1\r\n"
            b"Host: x\r\nx-goog-api-key: k\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        answers.append(await reader.read())
        writer.close()
        await writer.wait_closed()

    monkeypatch.setattr(FakeServer, "wait", wait)
    return answers


def test_serve(run: Run, interrupted: list[bytes]) -> None:
    status, out, err = run("serve")
    assert (status, err) == (130, "")
    url = out.split()[1]
    assert f"curl -sN '{url}/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse'" in out
    lines = out.splitlines()
    assert f"  export COMETAPI_BASE_URL={url} COMETAPI_KEY=sk-fake-key" in lines
    powershell = f"$env:COMETAPI_BASE_URL = '{url}'; $env:COMETAPI_KEY = 'sk-fake-key'"
    assert f"  {powershell}" in lines
    assert "  cometgem generate Hi" in lines
    assert b"fake server" in interrupted[0]


def test_serve_a_recorded_body(run: Run, interrupted: list[bytes]) -> None:
    path = conformance_file(SHORT)
    assert run("serve", "--replay", str(path))[0] == 130
    assert b"Cheyenne" in interrupted[0]


def test_serve_plays_the_api_or_a_gateway(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, object]] = []

    class Recorder(FakeServer):
        def __init__(self, **options: Any) -> None:
            made.append(options)
            super().__init__(**options)

    monkeypatch.setattr("cometgem.cli.serve.FakeServer", Recorder)
    monkeypatch.setattr(FakeServer, "wait", FakeServer.stop)
    assert run("serve")[0] == run("serve", "--strict", "--gateway", "new-api")[0] == 0
    plain, playing = made
    assert (plain["strict"], plain["gateway"], plain["default"]) == (False, None, None)
    assert (playing["strict"], playing["gateway"]) == (True, "new-api")


def test_serve_with_an_unknown_gateway(run: Run) -> None:
    status, out, err = run("serve", "--gateway", "one-api")
    assert (status, out) == (2, "")
    assert "--gateway: invalid choice: 'one-api'" in err


def test_serve_until_the_server_ends(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeServer, "wait", FakeServer.stop)
    assert run("serve", "--port", "0")[0] == 0


def test_serve_on_a_port_that_is_taken(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, out, err = run("serve", "--port", str(port))
    assert (status, out) == (2, "")
    assert err.startswith(f"cometgem: error: cannot listen on 127.0.0.1:{port}")


@posix
async def test_ctrl_c_ends_the_server() -> None:
    async with child("-c", WITH_SIGINT, "serve") as process:
        assert process.stdout is not None
        await process.stdout.readuntil(b"generate Hi\n")
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert (process.returncode, err) == (130, b"")
