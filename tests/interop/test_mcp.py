"""The tools of a real MCP server, plugged in by examples/mcp_tools.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cometgem.testing import Reply

if TYPE_CHECKING:
    from cometgem.testing import FakeServer

EXAMPLE = Path(__file__).parents[2] / "examples/mcp_tools.py"
SERVER = Path(__file__).with_name("mcp_server.py")


def run_example(url: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own script
        [sys.executable, EXAMPLE, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COMETAPI_KEY": "key", "COMETAPI_BASE_URL": url},
    )


def response(server: FakeServer, request: int) -> dict[str, Any]:
    (part,) = server.requests[request].body["contents"][-1]["parts"]
    found: dict[str, Any] = part["functionResponse"]
    return found


def test_the_example_answers_with_the_tools_of_a_server(fake_server: FakeServer) -> None:
    fake_server.add(
        Reply.call("get_weather", {"city": "Bath", "days": 2}),
        Reply.call("get_chart", {"city": "Bath"}),
        Reply.call("get_moon", {}),
        Reply.call("get_weather", {"days": "many"}),
        Reply.text("Take an ", "umbrella."),
    )
    run = run_example(fake_server.url, "Umbrella?", sys.executable, SERVER)
    assert (run.returncode, run.stdout) == (0, "Take an umbrella.\n"), run.stderr
    (declared,) = fake_server.requests[0].body["tools"]
    weather, *others = declared["functionDeclarations"]
    assert weather["name"] == "get_weather"
    assert weather["description"] == "Look up the weather."
    assert weather["parametersJsonSchema"]["required"] == ["city"]
    assert [one["name"] for one in others] == ["get_chart", "get_moon"]
    assert response(fake_server, 1)["response"] == {"result": "rain in Bath for 2 days"}
    chart = response(fake_server, 2)
    assert chart["response"] == {"result": "The chart of Bath"}
    assert chart["parts"] == [{"inlineData": {"data": "iVBORw==", "mimeType": "image/png"}}]
    assert "cloudy" in response(fake_server, 3)["response"]["error"]
    # The server checks the arguments against its own schema.
    assert "city" in response(fake_server, 4)["response"]["error"]


def test_the_example_says_how_to_call_it() -> None:
    run = run_example("http://127.0.0.1", "Umbrella?")
    assert run.returncode == 1
    assert run.stderr.startswith("usage: ")
