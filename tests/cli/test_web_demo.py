"""`cometgem demo --web`."""

from __future__ import annotations

import json
import signal
import socket
from typing import TYPE_CHECKING

import aiohttp
from chat_site import FOLDER
from cli.speaking import KEY, SHORT, WITH_SIGINT, child, posix
from conformance import conformance_file

from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from cli.speaking import Run

_PARTS = [{"type": "text", "text": "Hi"}]
QUESTION = {"id": "c1", "messages": [{"id": "m", "role": "user", "parts": _PARTS}]}


async def address(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """Return the address of the page, and everything that was printed."""
    assert process.stdout is not None
    out = (await process.stdout.readuntil(b"copy from:\n")).decode()
    return out.split()[1], out


async def test_page(server: FakeServer) -> None:
    server.add(Reply.text("Soon."))
    async with child("-m", "cometgem", "demo", "--web", server=server) as process:
        url, out = await address(process)
        assert f"gemini-3.8-flash at {server.url} answers.\n" in out
        assert KEY not in out
        async with aiohttp.ClientSession() as http:
            async with http.get(url) as response:
                assert await response.text() == (FOLDER / "page.html").read_text("utf-8")
            async with http.post(f"{url}api/chat", json=QUESTION) as response:
                assert b'"delta":"Soon."' in await response.read()
        process.kill()


@posix
async def test_ctrl_c_in_mid_answer(server: FakeServer) -> None:
    server.add(Reply.text("Hel").then_stall())
    async with child("-c", WITH_SIGINT, "demo", "--web", server=server) as process:
        url, _ = await address(process)
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{url}api/chat", json=QUESTION) as response,
        ):
            await response.content.readuntil(b"Hel")
            process.send_signal(signal.SIGINT)
            _, err = await process.communicate()
            assert (process.returncode, err) == (130, b"")
        await server.requests[0].wait_gone()


async def test_recorded_body(server: FakeServer) -> None:
    path = conformance_file(SHORT)
    argv = ("-m", "cometgem", "demo", "--web", "--replay", str(path))
    async with child(*argv, server=server) as process:
        url, out = await address(process)
        assert f"A local test server replays {path.name}." in out
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{url}api/chat", json=QUESTION) as response,
        ):
            text = "".join(
                json.loads(line[6:]).get("delta", "")
                for line in (await response.text()).splitlines()
                if line.startswith("data: {")
            )
        assert "Cheyenne" in text
        process.kill()
    assert server.requests == []


def test_port_that_is_taken(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, out, err = run("demo", "--web", "--port", str(port))
    assert (status, out) == (2, "")
    assert err.startswith(f"cometgem: error: cannot listen on 127.0.0.1:{port}: ")


def test_port_without_a_page(run: Run) -> None:
    status, out, err = run("demo", "--port", "8000")
    assert (status, out) == (2, "")
    assert err == "cometgem: error: --port needs --web: add --web, or leave --port out\n"


def test_recorded_body_that_is_not_there(run: Run, tmp_path: Path) -> None:
    status, _, err = run("demo", "--web", "--replay", str(tmp_path / "none"))
    assert status == 2
    assert "cannot read" in err
