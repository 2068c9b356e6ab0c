"""`cometgem batch` with Parquet files."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cometgem.testing import FakeServer, RecordedRequest, Reply

if TYPE_CHECKING:
    from pathlib import Path

    from cli.speaking import Run

arrow = pytest.importorskip(
    "pyarrow", reason="needs pyarrow: install cometgem[parquet], or run .ci/run bulk"
)
parquet = pytest.importorskip("pyarrow.parquet")

REQUEST = {
    "contents": [{"parts": [{"text": "c"}], "role": "user"}],
    "generationConfig": {"seed": 7},
}


def asked(request: RecordedRequest) -> str:
    return str(request.body["contents"][-1]["parts"][0]["text"])


def respond(request: RecordedRequest) -> Reply:
    if asked(request) == "bad":
        return Reply.error(400, message="no such thing")
    return Reply.text(f"answer to {asked(request)}").finish("STOP")


def write(path: Path, **columns: list[Any]) -> None:
    parquet.write_table(arrow.table(columns), path)


def read(path: Path) -> dict[str | int, dict[str, Any]]:
    return {row["key"]: row for row in parquet.read_table(path).to_pylist()}


def test_from_parquet_to_parquet(run: Run, server: FakeServer, tmp_path: Path) -> None:
    server.respond = respond
    write(tmp_path / "in.parquet", id=[3, 1, 2], prompt=["a", "bad", "b"], more=[None, 1, 2])
    argv = ("batch", "in.parquet", "out.parquet", "--rpm", "60000")
    status, out, err = run(*argv)
    assert (status, out) == (1, "")
    assert "2 of 3 done, 1 failed" in err
    rows = read(tmp_path / "out.parquet")
    assert {key: row["text"] for key, row in rows.items()} == {
        3: "answer to a",
        1: None,
        2: "answer to b",
    }
    response = json.loads(rows[3]["response"])
    assert response["candidates"][0]["content"]["parts"] == [{"text": "answer to a"}]
    assert json.loads(rows[1]["error"])["code"] == 400
    assert rows[1]["response"] is rows[3]["error"] is None
    assert rows[3]["usage"]["total_tokens"] == response["usageMetadata"]["totalTokenCount"] > 0
    assert rows[1]["usage"]["total_tokens"] == 0

    server.respond = lambda _: Reply.text("better").finish("STOP")
    status, _, err = run(*argv)
    assert status == 0
    assert "2 reused" in err
    assert len(server.requests) == 4
    rows = read(tmp_path / "out.parquet")
    assert len(rows) == parquet.read_table(tmp_path / "out.parquet").num_rows == 3
    assert rows[1]["text"] == "better"
    assert len((tmp_path / "out.parquet.jsonl").read_bytes().splitlines()) == 4
    assert sorted(path.name for path in tmp_path.glob("out*")) == [
        "out.parquet",
        "out.parquet.jsonl",
    ]


@pytest.mark.parametrize("form", ["struct", "json"])
def test_requests(run: Run, server: FakeServer, tmp_path: Path, form: str) -> None:
    server.respond = respond
    plain = {"contents": [{"parts": [{"text": "d"}], "role": "user"}]}
    requests: list[Any] = [REQUEST, plain]
    given = requests if form == "struct" else [json.dumps(request) for request in requests]
    write(tmp_path / "in.parquet", key=["x", None], request=given)
    assert run("batch", "in.parquet", "out.jsonl", "--concurrency", "1")[0] == 0
    bodies = [request.body for request in server.requests]
    assert bodies == [REQUEST, plain]
    lines = (tmp_path / "out.jsonl").read_bytes().splitlines()
    keys = [json.loads(line)["key"] for line in lines]
    assert keys == ["x", 1]


def test_keys_of_both_kinds_are_written_as_text(
    run: Run, server: FakeServer, tmp_path: Path
) -> None:
    server.respond = respond
    lines = ['"a"', '{"id": "x", "prompt": "b"}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    assert run("batch", "in.jsonl", "out.parquet")[0] == 0
    assert {*read(tmp_path / "out.parquet")} == {"0", "x"}


def test_no_rows(run: Run, server: FakeServer, tmp_path: Path) -> None:
    write(tmp_path / "in.parquet", prompt=arrow.array([], arrow.string()))
    assert run("batch", "in.parquet", "out.parquet")[0] == 0
    assert read(tmp_path / "out.parquet") == {}
    assert server.requests == []


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"text": ["a"]}, "has no column 'prompt' or 'request': its columns are 'text'"),
        ({"prompt": ["a", None]}, "row 2: it has neither a prompt nor a request with contents"),
        ({"prompt": ["a"], "id": [1.5]}, "row 1: the key 1.5 is not a string or an integer"),
        ({"request": ["{"]}, "row 1: Expecting property name"),
        ({"request": ["{}"]}, "row 1: it has neither a prompt nor a request"),
    ],
)
def test_bad_rows_are_refused_before_anything_is_sent(
    run: Run, server: FakeServer, tmp_path: Path, columns: dict[str, Any], problem: str
) -> None:
    write(tmp_path / "in.parquet", **columns)
    status, _, err = run("batch", "in.parquet", "out.parquet")
    assert status == 2
    assert problem in err
    assert server.requests == []
    assert [*tmp_path.glob("out*")] == []


def test_files_that_are_not_right(run: Run, server: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"hello")
    assert "'bad.parquet' is not a Parquet file" in run("batch", "bad.parquet", "out.jsonl")[2]
    assert "cannot read 'no.parquet'" in run("batch", "no.parquet", "out.jsonl")[2]
    write(tmp_path / "in.parquet", prompt=["a"])
    status, _, err = run("batch", "in.parquet", "in.parquet")
    assert status == 2
    assert "'in.parquet' exists, but 'in.parquet.jsonl', which it would be made of" in err
    assert server.requests == []


def test_without_pyarrow(
    run: Run, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.jsonl").write_text('"a"')
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for argv in (("in.parquet", "out.jsonl"), ("in.jsonl", "out.parquet")):
        status, _, err = run("batch", *argv)
        assert status == 2
        assert "Parquet files need pyarrow: install it with pip install 'cometgem[parquet]'" in err
    assert server.requests == []
