"""`cometgem batch`."""

from __future__ import annotations

import io
import json
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cli.speaking import PATIENCE, WITH_SIGINT, child, posix

from cometgem.cli.batch_demo import run_batch_demo
from cometgem.cli.terminal import Terminal
from cometgem.testing import FakeServer, RecordedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.speaking import Run


def asked(request: RecordedRequest) -> str:
    return str(request.body["contents"][-1]["parts"][0]["text"])


def echo(request: RecordedRequest) -> Reply:
    return Reply.text(f"answer to {asked(request)}").finish("STOP")


def write(path: Path, *rows: Any) -> str:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return str(path)


def texts(lines: str) -> dict[str | int, str]:
    """The texts of the answers in some lines, by key."""
    found = [json.loads(line) for line in lines.split("\n") if line]
    return {
        one["key"]: one["response"]["candidates"][0]["content"]["parts"][0]["text"]
        for one in found
        if "response" in one
    }


def test_the_three_forms_of_lines(run: Run, server: FakeServer, tmp_path: Path) -> None:
    server.respond = echo
    request = {"contents": [{"parts": [{"text": "c"}]}], "generationConfig": {"seed": 7}}
    path = write(
        tmp_path / "in.jsonl", "a", {"id": "x", "prompt": "b"}, {"key": "y", "request": request}
    )
    out = tmp_path / "out.jsonl"
    status, stdout, err = run("batch", path, str(out), "--rpm", "60000")
    assert (status, stdout) == (0, "")
    assert err.startswith("3 of 3 done, ")
    expected = {0: "answer to a", "x": "answer to b", "y": "answer to c"}
    assert texts(out.read_text("utf-8")) == expected
    configs = {asked(one): one.body.get("generationConfig") for one in server.requests}
    assert configs == {"a": None, "b": None, "c": {"seed": 7}}
    status, _, err = run("batch", path, str(out))
    assert (status, len(server.requests)) == (0, 3)
    assert "3 reused" in err


def test_options(run: Run, server: FakeServer, tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", *["a"] * 50)
    schema = write(tmp_path / "schema.json", {"type": "object"})
    status, _, err = run(
        *("batch", path, "out.jsonl", "--model", "gemini-4-pro", "--system", "Be brief."),
        *("--schema", schema, "--thinking", "low", "--limit-tokens", "20", "--concurrency", "1"),
    )
    assert status == 0
    request = server.requests[0]
    assert request.model == "gemini-4-pro"
    assert request.body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    config = request.body["generationConfig"]
    assert config["responseJsonSchema"] == {"type": "object"}
    assert config["thinkingConfig"]["thinkingLevel"] == "LOW"
    assert len(server.requests) < 10
    assert "stopped: the tokens of --limit-tokens are used" in err


def test_pipes(run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.respond = echo
    stdin = io.TextIOWrapper(io.BytesIO(b'"a"\n\n{"prompt": "b"}'), "utf-8")
    monkeypatch.setattr(sys, "stdin", stdin)
    status, out, err = run("batch", "-", "-")
    assert status == 0
    assert texts(out) == {0: "answer to a", 1: "answer to b"}
    assert "2 done, " in err


def test_failed_rows(run: Run, server: FakeServer, tmp_path: Path) -> None:
    server.respond = lambda _: Reply.error(400, message="no such thing")
    path = write(tmp_path / "in.jsonl", *["a"] * 8)
    status, _, err = run("batch", path, "out.jsonl")
    assert status == 1
    assert err.count("no such thing") == 5
    assert "and 3 more errors, which are in the results" in err
    assert "8 failed" in err


def test_what_no_row_survives(run: Run, server: FakeServer, tmp_path: Path) -> None:
    server.respond = lambda _: Reply.error(401)
    path = write(tmp_path / "in.jsonl", *["a"] * 500)
    status, _, err = run("batch", path, "out.jsonl", "--concurrency", "5")
    assert status == 1
    assert "error: 401" in err
    assert len(server.requests) < 50


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[1]", "in.jsonl, line 2: a line must be a string, "),
        ('{"text": "a"}', "in.jsonl, line 2: a line must be a string, "),
        ('{"id": 1.5, "prompt": "a"}', "the key 1.5 is not a string or an integer"),
        ('"a', "in.jsonl, line 2, is not JSON: "),
    ],
)
def test_bad_lines_are_refused_before_anything_is_sent(
    run: Run, server: FakeServer, tmp_path: Path, line: str, problem: str
) -> None:
    (tmp_path / "in.jsonl").write_text(f'"good"\n{line}\n')
    status, _, err = run("batch", "in.jsonl", "out.jsonl")
    assert status == 2
    assert problem in err
    assert server.requests == []
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ([], "INPUT is missing; see 'cometgem batch --help'"),
        (["in.jsonl"], "OUTPUT is missing"),
        (["missing.jsonl", "out.jsonl"], "cannot read 'missing.jsonl' (No such file"),
        (["in.jsonl", "in.jsonl"], "is not a result of a bulk run"),
        (["in.jsonl", "out.jsonl", "--rpm", "0"], "--rpm: '0' is not a whole number from 1 up"),
        (["in.jsonl", "out.jsonl", "--schema", "in.jsonl"], "is not a JSON Schema"),
        (["in.jsonl", "out.jsonl", "--schema", "no.json"], "cannot read 'no.json'"),
        (["in.jsonl", "out.jsonl", "--rerun", "some"], "--rerun"),
    ],
)
def test_wrong_usage(
    run: Run, server: FakeServer, tmp_path: Path, argv: list[str], problem: str
) -> None:
    write(tmp_path / "in.jsonl", "a")
    status, _, err = run("batch", *argv)
    assert status == 2
    assert problem in err
    assert server.requests == []


def test_a_key_is_needed(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", "a")
    status, _, err = run("batch", "in.jsonl", "out.jsonl")
    assert status == 2
    assert "no API key" in err


def test_in_a_terminal(
    terminal: Callable[..., tuple[int, str]], server: FakeServer, tmp_path: Path
) -> None:
    server.respond = lambda _: Reply.error(400, message="\x1b]0;owned\x07")
    write(tmp_path / "in.jsonl", "a")
    status, screen = terminal("batch", "in.jsonl", "out.jsonl")
    assert status == 1
    assert "1 failed" in screen
    assert "\x1b]0;owned" not in screen


def test_demo(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_batch_demo(Terminal(), rows=60) == 0
    out, err = capsys.readouterr()
    assert "60 results are in the file." in out
    assert "59 of 60 done, 1 failed, 59 reused" in err
    assert out.endswith("1 requests were sent.\n")


@posix
async def test_ctrl_c_lets_running_rows_end(fake_server: FakeServer, tmp_path: Path) -> None:
    fake_server.respond = lambda _: Reply.text("x").delay(headers=1.0).finish("STOP")
    path, out = write(tmp_path / "in.jsonl", *["a"] * 1000), tmp_path / "out.jsonl"
    argv = ("-c", WITH_SIGINT, "batch", path, str(out), "--rpm", "600000", "--concurrency", "9")
    async with child(*argv, server=fake_server) as process:
        await fake_server.wait_request(8, PATIENCE)
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert process.returncode == 130
    assert b"stopped: the same command goes on; what is done is in " in err
    assert len(texts(out.read_text())) == len(fake_server.requests) == 9
    assert b"Traceback" not in err


@posix
async def test_second_ctrl_c_cancels(fake_server: FakeServer, tmp_path: Path) -> None:
    fake_server.respond = lambda _: Reply.silence()
    path, out = write(tmp_path / "in.jsonl", *["a"] * 1000), tmp_path / "out.jsonl"
    argv = ("-c", WITH_SIGINT, "batch", path, str(out), "--rpm", "600000", "--concurrency", "9")
    async with child(*argv, server=fake_server) as process:
        request = await fake_server.wait_request(8, PATIENCE)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert b"Ctrl-C again cancels" in await process.stderr.readline()
        process.send_signal(signal.SIGINT)
        await request.wait_gone(PATIENCE)
        _, err = await process.communicate()
    assert process.returncode == 130
    assert b"the same command goes on" in err
    assert b"Traceback" not in err
    assert out.read_bytes() == b""
