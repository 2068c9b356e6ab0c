"""The benchmarks run, and reject a client with wrong results; speed is not tested."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cometgem.testing import FakeServer

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
CLIENTS = ["aiohttp-drain", "aiohttp-msgspec", "cometgem"]

pytestmark = pytest.mark.skipif(not BENCHMARKS.exists(), reason="an installed package")

# Runs the worker with a client that drops a word of each stream.
FORGETFUL = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import worker
from clients import CometGem

right = CometGem.stream

async def wrong(self, model, take):
    texts = []
    ending = await right(self, model, texts.append)
    for text in texts[1:]:
        take(text)
    return ending

CometGem.stream = wrong
worker.main()
"""


def run(*arguments: str, folder: Path = BENCHMARKS) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own scripts
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,  # reached only by a failure
        check=False,
    )


@contextlib.contextmanager
def wire_server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen(
        [sys.executable, "server.py"],
        cwd=BENCHMARKS,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield server, f"http://127.0.0.1:{int(server.stdout.readline())}"


def test_every_scenario_works(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    script = str(BENCHMARKS / "stream_throughput.py")
    done = run(script, "--quick", "--json", str(results), "--client", *CLIENTS, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    scenarios = json.loads(results.read_text())["scenarios"]
    assert len(scenarios) >= 14
    for name, scenario in scenarios.items():
        assert list(scenario["clients"]) == CLIENTS, name
        assert scenario["errors"] == {}, name
    calls = scenarios["growth"]["clients"]["cometgem"]["figures"]["growth"]["median"]
    assert 9 < calls <= 10.5  # for 10 times the chunks


def test_scenarios_work_over_tls(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    which = ["--scenario", "burst-1", "first-chunk", "single", "--client", *CLIENTS]
    done = run("stream_throughput.py", "--quick", "--tls", "--json", str(results), *which)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    for name, scenario in json.loads(results.read_text())["scenarios"].items():
        assert list(scenario["clients"]) == CLIENTS, name
        assert scenario["errors"] == {}, name


def test_relays_are_measured() -> None:
    for package in ("fastapi.sse", "sse_starlette", "uvicorn"):
        pytest.importorskip(
            package, reason=f"{package} is not installed: pip install -e '.[bench]'"
        )
    done = run("web_relay.py", "--quick", "--backend", "native", "ui", "StreamingResponse by hand")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    for name in ("reading", "native", "ui", "StreamingResponse by hand", "native, 50 viewers"):
        assert name in done.stdout


def test_a_given_endpoint_is_measured(
    fake_server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", fake_server.api_key)
    endpoint = ["--base-url", fake_server.url, "--key-env", "MY_KEY", "--rounds", "1"]
    done = run("stream_throughput.py", "--model", "gemini-3.8-flash", *endpoint)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "time to first chunk, ms" in done.stdout
    operations = {request.operation for request in fake_server.requests}
    assert operations == {"generateContent", "streamGenerateContent"}


def test_a_client_with_wrong_results_is_rejected() -> None:
    with wire_server() as (server, url):
        done = run("-c", FORGETFUL, str(BENCHMARKS), "cometgem", url, "--small", "burst-1")
        server.communicate()
    assert json.loads(done.stdout) == {
        "error": "WrongError: the merged text is not that of the chunks",
        "wrong": True,
    }


@pytest.mark.parametrize("client", CLIENTS)
def test_reads_are_counted(client: str) -> None:
    with wire_server() as (server, url):
        done = run("worker.py", client, url, "--small", "--count", "paced-200", "single")
        server.communicate()
    paced, single = map(json.loads, done.stdout.splitlines())
    chunks = 4 * 12
    # Each chunk is written separately; a busy client finds several in one read.
    assert 0.5 < paced["measured"]["per_read"] <= chunks
    assert 4 <= paced["reads"] < single["reads"]


def test_structured_answers_are_measured(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    done = run("structured.py", "--quick", "--json", str(results))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    found = json.loads(results.read_text())
    assert {"partial", "items", "whole"} <= found["micros_per_chunk"].keys()
    assert found["ratios"].keys() >= {
        "partial: twice the length costs",
        "items: twice the length costs",
        "whole: decoding costs, relative to msgspec",
    }


def test_a_wrong_structured_answer_is_rejected() -> None:
    script = (
        "import structured\n"
        "structured.PartialJSON.value = property(lambda self: [])\n"
        "structured.measure(list(structured.rows(2))[:1], 1)\n"
    )
    done = run("-c", script)
    assert done.returncode == 1
    assert "WrongError: partial: the result is not what was sent" in done.stderr


def test_an_endpoint_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMETAPI_KEY", raising=False)
    done = run("stream_throughput.py", "--base-url", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert "COMETAPI_KEY" in done.stderr


def test_the_server_ends_when_its_standard_input_ends() -> None:
    with wire_server() as (server, _):
        assert server.stdin is not None
        server.stdin.close()
        assert server.wait(10) == 0


def test_bulk_runs() -> None:
    done = run("bulk.py", "--rows", "300", "--limit", "100", "--seconds", "1")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for line in done.stdout.splitlines() if line.startswith("client.map")]
    assert len(lines) == 3
    assert all(line.endswith(" 0 lost") for line in lines)
    assert "a run over finished rows" in done.stdout
