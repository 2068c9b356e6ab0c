"""Parsing and exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli.speaking import KEY, PATIENCE, child, child_environment

from cometgem import __version__
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    import asyncio

    from cli.speaking import Run


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"cometgem {__version__}\n", "")


def test_nothing_to_do_shows_the_help(run: Run) -> None:
    status, out, err = run()
    assert (status, out) == (2, "")
    assert err.startswith("usage: cometgem ")
    assert all(command in err for command in ("batch", "chat", "demo", "generate", "serve"))


@pytest.mark.parametrize("command", [[], ["batch"], ["chat"], ["demo"], ["generate"], ["serve"]])
def test_help(run: Run, command: list[str]) -> None:
    status, out, err = run(*command, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"usage: {' '.join(['cometgem', *command])} ")


@pytest.mark.parametrize(
    ("argv", "program", "sentence"),
    [
        (["paint"], "cometgem", "unknown command 'paint'"),
        (["--paint", "generate", "Hi"], "cometgem", "unknown option --paint"),
        (["generate"], "cometgem generate", "PROMPT is missing"),
        (["generate", "--temprature", "1"], "cometgem generate", "unknown option --temprature"),
        (["generate", "--temprature=1"], "cometgem generate", "unknown option --temprature"),
        (["generate", "--no-str", "Hi"], "cometgem generate", "unknown option --no-str"),
        (["generate", "Hi", "--\x1b[2J"], "cometgem generate", r"unknown option --\x1b[2J"),
        (["generate", "Hi", "there"], "cometgem generate", "unexpected argument 'there'"),
        (["generate", "Hi\udc80"], "cometgem generate", r"PROMPT: 'Hi\udc80' is not valid UTF-8"),
        (["generate", "Hi", "--system"], "cometgem generate", "--system needs a value"),
        (["generate", "Hi", "--json=1"], "cometgem generate", "--json does not take a value"),
        (
            ["generate", "Hi", "--thinking", "a lot"],
            "cometgem generate",
            (
                "--thinking: 'a lot' is not a thinking level: give off, minimal, low, medium, high,"
                " xhigh, dynamic, or a number of tokens"
            ),
        ),
        (
            ["generate", "Hi", "--thinking", "-2"],
            "cometgem generate",
            (
                "--thinking: '-2' is not a thinking level: give off, minimal, low, medium, high,"
                " xhigh, dynamic, or a number of tokens"
            ),
        ),
        (
            ["generate", "Hi", "--thinking", "low", "--thinking", "512"],
            "cometgem generate",
            "--thinking is given twice",
        ),
        (
            ["generate", "Hi", "--temperature", "hot"],
            "cometgem generate",
            "--temperature: 'hot' is not a temperature: give a number from 0 up, such as 0.7",
        ),
        (
            ["generate", "Hi", "--max-tokens", "0"],
            "cometgem generate",
            "--max-tokens: '0' is not a number of tokens: give a whole number from 1 up",
        ),
        (
            ["generate", "Hi", "--option", "topP"],
            "cometgem generate",
            "--option: 'topP' is not KEY=VALUE: give one such as topP=0.9",
        ),
        (
            ["serve", "--port", "65536"],
            "cometgem serve",
            "--port: '65536' is not a port: give a number up to 65535, or 0 for any free port",
        ),
        (
            ["chat", "--thinking", "low", "--thinking", "low"],
            "cometgem chat",
            "--thinking is given twice",
        ),
        (["chat", "Hi"], "cometgem chat", "unexpected argument 'Hi'"),
        (["demo", "--gateway", "new-api"], "cometgem demo", "unknown option --gateway"),
    ],
)
def test_wrong_usage_is_one_sentence(
    run: Run, argv: list[str], program: str, sentence: str
) -> None:
    shown = f"{program}: error: {sentence}; see '{program} --help'\n"
    assert run(*argv) == (2, "", shown)


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["generate", "Hi", "--thinking", "9" * 5000], "' is not a thinking level"),
        (["generate", "Hi", "--temperature", "nan"], "'nan' is not a temperature"),
        (["generate", "Hi", "--temperature", "inf"], "'inf' is not a temperature"),
        (["generate", "Hi", "--temperature", "-0.1"], "'-0.1' is not a temperature"),
        (["generate", "Hi", "--max-tokens", "1.5"], "'1.5' is not a number of tokens"),
        (["generate", "Hi", "--max-tokens", "9" * 5000], "' is not a number of tokens"),
        (["generate", "Hi", "--option", "=1"], "'=1' is not KEY=VALUE"),
        (["generate", "Hi", "--option", "top P=1"], "'top P=1' is not KEY=VALUE"),
        (["generate", "Hi", "--option", "seed=\udc80"], "is not valid UTF-8"),
        (["generate", "Hi", "--system", "\udc80"], "--system: '\\udc80' is not valid UTF-8"),
        (["serve", "--port", "-1"], "'-1' is not a port"),
        (["serve", "--port", "9" * 5000], "' is not a port"),
    ],
)
def test_values_at_the_edge(run: Run, argv: list[str], sentence: str) -> None:
    status, out, err = run(*argv)
    assert (status, out) == (2, "")
    assert err.startswith(f"cometgem {argv[0]}: error: ")
    assert sentence in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("key", ["temprature", "top_PP", "maxOutputToken", "respons_schema"])
def test_mistyped_fields_get_the_right_suggestion(run: Run, key: str) -> None:
    right = {"te": "temperature", "to": "topP", "ma": "maxOutputTokens", "re": "responseSchema"}
    status, out, err = run("generate", "Hi", "--option", f"{key}=1")
    assert (status, out) == (2, "")
    assert err.startswith("cometgem generate: error: --option")
    assert err.endswith(" See 'cometgem generate --help'\n")
    assert f"did you mean {right[key[:2]]!r}?" in err
    assert "generation_config" not in err


def test_the_package_does_not_import_the_command_line() -> None:
    rooms = ["cometgem.cli.main", "cometgem.cli.demo", "cometgem.cli.terminal", "cometgem.testing"]
    code = f"import sys, cometgem; print([name for name in {rooms} if name in sys.modules])"
    found = subprocess.run(  # noqa: S603  our own code
        [sys.executable, "-c", code],
        env=child_environment(),
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    assert found.stdout.split() == [b"[]"]


def test_the_command_line_does_not_import_what_one_command_needs() -> None:
    rooms = ["cometgem.cli.demo", "cometgem.testing", "prompt_toolkit", "markdown_it", "rich"]
    code = (
        f"import sys, cometgem.cli.main; print([name for name in {rooms} if name in sys.modules])"
    )
    found = subprocess.run(  # noqa: S603  our own code
        [sys.executable, "-c", code],
        env=child_environment(),
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    assert found.stdout.split() == [b"[]"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"COMETAPI_KEY": ""}, "COMETAPI_KEY is empty"),
        ({"COMETAPI_KEY": KEY + "\n"}, "COMETAPI_KEY has a space, a line"),
        (
            {"COMETAPI_BASE_URL": "ftp://example.com"},
            "COMETAPI_BASE_URL 'ftp://example.com' is no",
        ),
        ({"COMETAPI_BASE_URL": "http://example.com"}, "would send the key unencrypted"),
    ],
)
def test_a_bad_environment(
    run: Run, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], sentence: str
) -> None:
    for name, value in {"COMETAPI_KEY": KEY, **change}.items():
        monkeypatch.setenv(name, value)
    status, out, err = run("generate", "Hi")
    assert (status, out) == (2, "")
    assert err.startswith("cometgem: error: ")
    assert sentence in err


@pytest.mark.parametrize("argv", [["generate", "Hi", "--file", "no-such-file"], ["chat"]])
def test_no_key(run: Run, argv: list[str]) -> None:
    status, out, err = run(*argv)
    assert (status, out) == (2, "")
    assert err.startswith("cometgem: error: no API key: set the environment variable COMETAPI_KEY;")
    assert "'cometgem demo'" in err
    assert "'cometgem serve'" in err
    assert err.count("\n") == 1


async def test_as_a_module() -> None:
    async with child("-m", "cometgem", "--version") as process:
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, f"cometgem {__version__}\n".encode(), b"")


def command_line(process: asyncio.subprocess.Process) -> str:
    return Path(f"/proc/{process.pid}/cmdline").read_text("utf-8")


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="there is no /proc")
async def test_a_list_of_processes_does_not_show_the_key(fake_server: FakeServer) -> None:
    fake_server.add(Reply.silence())
    async with child("-m", "cometgem", "generate", "Hi", server=fake_server) as process:
        request = await fake_server.wait_request(0, PATIENCE)
        shown = command_line(process)
    assert request.headers["x-goog-api-key"] != KEY
    assert "generate" in shown
    assert KEY not in shown
