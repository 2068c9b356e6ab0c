"""Results files: what is written, what is reused, and what a kill leaves."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cometgem import (
    AuthenticationError,
    BadRequestError,
    Client,
    CometGemError,
    ConfigurationError,
    GenerateContentResponse,
    IncompleteAnswerError,
    OutputValidationError,
)
from cometgem.bulk import Limits, MapResult
from cometgem.bulk.key_table import KeyTable
from cometgem.bulk.lines import Line, as_json, error_of, error_to_json, read_line, write_line
from cometgem.bulk.results import Results
from cometgem.testing import FakeServer, RecordedRequest, Reply

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "gemini-3.8-flash"
FAST = Limits(rpm=600_000, concurrency=10)
ROWS = [f"prompt {number}" for number in range(20)]


def asked(request: RecordedRequest) -> str:
    return str(request.body["contents"][-1]["parts"][0]["text"])


def echo(request: RecordedRequest) -> Reply:
    return Reply.text(f"answer to {asked(request)}").finish("STOP")


async def go(
    client: Client, path: Path, rows: list[str] | None = None, **options: Any
) -> list[MapResult[str, Any]]:
    """Run the rows, each of which is its own key."""
    rows = ROWS if rows is None else rows
    given: dict[str, Any] = {"prompt": lambda row: row, "key": lambda row: row, "limits": FAST}
    async with client.map(MODEL, rows, results=path, **given | options) as run:
        return [result async for result in run]


def find(results: Results, key: str | int, fingerprint: str) -> Line | None:
    at = results.claim(key)
    assert at is not None
    return results.find(at, key, fingerprint)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


async def test_lines(fake_server: FakeServer, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"

    def respond(request: RecordedRequest) -> Reply:
        if asked(request) == "bad":
            return Reply.error(400, message="no such thing")
        return echo(request)

    fake_server.respond = respond
    await go(client, path, ["good", "bad", "\u2028"])
    found = {line["key"]: line for line in lines(path)}
    assert found["good"].keys() == {"key", "fingerprint", "attempts", "seconds", "response"}
    response = found["good"]["response"]
    assert response["candidates"][0]["content"]["parts"] == [{"text": "answer to good"}]
    assert len(found["good"]["fingerprint"]) == 64
    assert found["bad"]["error"]["type"] == "BadRequestError"
    assert found["bad"]["error"]["code"] == 400
    assert found["bad"]["error"]["message"].startswith("no such thing")
    assert "\u2028" in found
    text = path.read_text("utf-8")
    assert fake_server.api_key not in text
    assert '"contents"' not in text


async def test_prompts_are_saved_when_asked_for(
    fake_server: FakeServer, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "out.jsonl"
    await go(client, path, ["a"], save_prompts=True)
    (line,) = lines(path)
    assert line["request"] == fake_server.requests[0].body
    assert fake_server.api_key not in path.read_text("utf-8")


async def test_finished_rows_are_reused(
    fake_server: FakeServer, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "out.jsonl"
    fake_server.respond = echo
    first = await go(client, path)
    assert len(fake_server.requests) == 20
    again = await go(client, path, [*ROWS, "new"])
    assert len(fake_server.requests) == 21
    assert sorted(result.key for result in again if not result.reused) == ["new"]
    texts = {result.key: result.response.text for result in again}
    assert texts == {row: f"answer to {row}" for row in [*ROWS, "new"]}
    assert sum(result.usage.total_tokens for result in first) > 0
    assert len(lines(path)) == 21


@pytest.mark.parametrize(
    "change",
    [
        {"generation_config": {"temperature": 0.1}},
        {"system_instruction": "Be brief."},
        {"prompt": lambda row: f"Translate {row}"},
        {"response_type": list[int]},
        {"rerun": "all"},
    ],
)
async def test_another_request_runs_again(
    fake_server: FakeServer, client: Client, tmp_path: Path, change: dict[str, Any]
) -> None:
    path = tmp_path / "out.jsonl"
    fake_server.respond = lambda _: Reply.text("[1]").finish("STOP")
    await go(client, path)
    assert not any(result.reused for result in await go(client, path, **change))
    assert len(fake_server.requests) == 40
    # The last line wins, so that the first request is another one now.
    back = await go(client, path)
    assert all(result.reused for result in back) == ("rerun" in change)


async def test_another_model_runs_again(
    fake_server: FakeServer, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "out.jsonl"
    await go(client, path, ["a"])
    async with client.map(
        "gemini-4-pro", ["a"], prompt=lambda row: row, key=lambda row: row, results=path
    ) as run:
        assert [result.reused async for result in run] == [False]
    assert len(fake_server.requests) == 2


@pytest.mark.parametrize(("rerun", "sent"), [("failed", 2), ("none", 0), ("all", 4)])
async def test_rerun(
    fake_server: FakeServer, client: Client, tmp_path: Path, rerun: str, sent: int
) -> None:
    path = tmp_path / "out.jsonl"

    def respond(request: RecordedRequest) -> Reply:
        match asked(request):
            case "bad":
                return Reply.error(400, message="no such thing")
            case "cut":
                return Reply.text("half").finish("MAX_TOKENS")
        return echo(request)

    fake_server.respond = respond
    rows = ["a", "b", "bad", "cut"]
    before = {result.key: result for result in await go(client, path, rows)}
    fake_server.respond = echo
    after = {result.key: result for result in await go(client, path, rows, rerun=rerun)}
    assert len(fake_server.requests) == 4 + sent
    if rerun != "none":
        assert [after[key].error for key in rows] == [None] * 4
        return
    assert isinstance(after["bad"].error, BadRequestError)
    assert str(after["bad"].error) == str(before["bad"].error)
    assert isinstance(after["cut"].error, IncompleteAnswerError)
    assert str(after["cut"].error) == str(before["cut"].error)
    assert after["cut"].error.partial is not None
    assert after["cut"].error.partial.text == "half"


async def test_typed_results_are_reused(
    fake_server: FakeServer, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "out.jsonl"
    fake_server.respond = lambda _: Reply.text("[1, 2]").finish("STOP")
    await go(client, path, ["a"], response_type=list[int])
    (result,) = await go(client, path, ["a"], response_type=list[int])
    assert result.reused
    assert result.response.parsed == [1, 2]


async def test_keys_must_differ(fake_server: FakeServer, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    results = await go(client, path, ["a", "a", "b"], limits=Limits(rpm=600_000, concurrency=1))
    assert [type(result.error) for result in results] == [
        type(None),
        ConfigurationError,
        type(None),
    ]
    assert "the key 'a' of the row with the index 1" in str(results[1].error)
    assert len(lines(path)) == len(fake_server.requests) == 2


async def test_rows_that_were_not_finished_are_not_written(
    fake_server: FakeServer, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "out.jsonl"
    fake_server.default = None
    fake_server.respond = lambda _: Reply.error(401)
    with pytest.raises(AuthenticationError):
        await go(client, path)
    assert path.read_bytes() == b""


async def test_a_second_run_on_the_file_is_refused(
    fake_server: FakeServer, client: Client, tmp_path: Path
) -> None:
    del fake_server
    path = tmp_path / "out.jsonl"
    code = f"from cometgem.bulk.results import Results; Results({os.fspath(path)!r})"
    async with client.map(MODEL, ["a"], prompt=lambda row: row, results=path) as run:
        with pytest.raises(ConfigurationError, match=r"out\.jsonl' is in use by another run"):
            Results(path)
        done = subprocess.run(  # noqa: S603, ASYNC221
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert "is in use by another run" in done.stderr
        async for _ in run:
            pass
    Results(path).close()


@pytest.mark.parametrize("content", [b'{"id": "1", "prompt": "Hi"}\n', b"hello", b"\n\x00\x00\n"])
def test_other_files_are_not_touched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"line [12], is not a result of a bulk run"):
        Results(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "line",
    [
        b'{"key":"a","response":{"x":1,"fingerprint":"f"},"fingerprint":"g"}',
        b'{ "fingerprint": "g", "response": {"x": 1}, "key": "a" }',
        b'{"key":"a","new":[{}],"fingerprint":"g","response":{}}',
        b'{"key":"\\u0061","fingerprint":"g","response":{}}',
    ],
)
def test_lines_of_others_are_read(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"\n" + line)
    results = Results(path)
    assert find(results, "a", "g") is not None
    results.close()
    assert path.read_bytes() == b"\n" + line + b"\n"


def test_a_key_may_look_like_a_line(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    key = '{"key":"a","fingerprint":"f"}\n,"fingerprint":"'
    first = Results(path)
    first.add(Line(key=key, fingerprint="f"))
    first.close()
    results = Results(path)
    assert find(results, key, "f") is not None
    results.close()


def test_a_line_that_is_damaged_behind_its_key_is_not_reused(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    start = b'{"key":"a","fingerprint":"f","response":{'
    path.write_bytes(start + b"\x00" * 50 + b"}}\n" + WHOLE[0])
    results = Results(path)
    assert find(results, "a", "f") is None
    assert find(results, "row 0", "0") is not None
    results.close()


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be opened: No such file"):
        Results(tmp_path / "missing" / "out.jsonl")


WHOLE = [
    write_line(Line(key=f"row {number}", fingerprint=f"{number}", response=msgspec.Raw(b'"\xe2"')))
    for number in range(3)
]
WHOLE[1] = write_line(Line(key=7, fingerprint="1", response=msgspec.Raw('{"a": "☄ é"}'.encode())))
KEYS: list[str | int] = ["row 0", 7, "row 2"]
WHOLE = [line.replace(b'"\xe2"', b'"x"') for line in WHOLE]


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(0, sum(map(len, WHOLE))))
def test_a_file_cut_at_any_byte_goes_on(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("cut") / "out.jsonl"
    data = b"".join(WHOLE)[:cut]
    path.write_bytes(data)
    results = Results(path)
    # A line of which only the end is missing is complete.
    complete = data.count(b"\n") + (data[-1:] != b"\n" and data + b"\n" in _starts())
    for number, key in enumerate(KEYS):
        found = find(results, key, f"{number}")
        assert (found is not None) == (number < complete)
    results.add(Line(key="more", fingerprint="f"))
    results.close()
    assert path.read_bytes() == b"".join([*WHOLE[:complete], write_line(Line("more", "f"))])
    again = Results(path)
    assert find(again, "more", "f") is not None
    again.close()


def _starts() -> list[bytes]:
    return [b"".join(WHOLE[:count]) for count in range(4)]


def test_reading_while_writing(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    big = msgspec.Raw(b'"' + b"x" * 100_000 + b'"')
    first = Results(path)
    for number in range(20):
        first.add(Line(key=number, fingerprint="f", response=big))
    first.close()
    results = Results(path)
    for number in (5, 3, 19, 0, 7):
        results.add(Line(key=number, fingerprint="g"))
        found = find(results, number, "f")
        assert found is not None
        assert found.response == big
    results.close()


def test_a_full_disk_leaves_no_part_of_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.jsonl"
    results = Results(path)
    results.add(Line(key="a", fingerprint="f"))
    write, room = os.write, 20

    def write_some(descriptor: int, data: memoryview) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(descriptor, data[:room])
        room -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_some)
        with pytest.raises(OSError, match="No space left"):
            results.add(Line(key="b", fingerprint="f"))
    results.add(Line(key="c", fingerprint="f"))
    results.close()
    assert [line["key"] for line in lines(path)] == ["a", "c"]


def test_errors_are_read_back_as_they_were() -> None:
    partial = GenerateContentResponse()
    for error in (
        BadRequestError(400, "no", code="INVALID_ARGUMENT", details=[{"a": 1}], request_id="r"),
        OutputValidationError("wrong", "Expected `int`", path="$.a", finish_reason="STOP"),
        IncompleteAnswerError("blocked", block_reason="SAFETY"),
    ):
        error.partial = partial
        line = Line(key="k", error=error_to_json(error), partial=as_json(partial))
        read = error_of(read_line(write_line(line)))
        assert type(read) is type(error)
        assert str(read) == str(error)
        assert read.partial == partial
    other = error_of(read_line(write_line(Line(key=1, error=error_to_json(CometGemError("x"))))))
    assert (type(other), str(other)) == (CometGemError, "x")


def test_responses_are_written_as_the_server_sent_them() -> None:
    response = GenerateContentResponse()
    response.__dict__["raw"] = b'{\n "new":\r\n 1}'
    assert bytes(as_json(response)) == b'{  "new":   1}'
    response.__dict__["raw"] = b'{"text": "\x01"}'  # was repaired when it was decoded
    assert bytes(as_json(response)) == b"{}"


@given(
    st.dictionaries(
        st.one_of(st.text(max_size=3), st.integers()), st.integers(1, 2**64 - 1), max_size=3000
    )
)
@settings(max_examples=20, deadline=None)
def test_key_table(expected: dict[str | int, int]) -> None:
    table = KeyTable()
    for key, number in expected.items():
        table.set(key, 1)
        table.set(key, number)
    assert len(table) == len(expected)
    assert {key: table.get(key) for key in expected} == expected
    assert table.get("no such key") == expected.get("no such key", 0)


@pytest.mark.parametrize("step", [1, 1 << 10, 1 << 20, 1 << 40])
def test_key_table_spreads_integers(step: int) -> None:
    table = KeyTable()
    for number in range(5000):
        table.set(number * step, number + 1)
    used = [at for at, number in enumerate(table._numbers) if number]  # noqa: SLF001
    # Of 5,000 in 8,192 slots, neighbors are many, but not all of them.
    runs = 1 + sum(after - before > 1 for before, after in pairwise(used))
    assert runs > 1000


def test_key_table_of_many_keys() -> None:
    table = KeyTable()
    for number in range(50_000):
        table.set(f"row-{number}", number + 1)
    assert all(table.get(f"row-{number}") == number + 1 for number in range(50_000))
    assert len(table) == 50_000
