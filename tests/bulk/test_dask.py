"""Dask with two worker processes that share one rate, and `examples/bulk_dask.py`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bulk.redis_process import RedisProcess, redis_server

from cometgem.testing import FakeServer, RecordedRequest, Reply, ServerLimits

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = redis_server()  # skips the module without one
for package in ("redis", "pandas", "pyarrow", "dask.dataframe", "distributed"):
    pytest.importorskip(package, reason=f"{package} is not installed: see the extra bulk-test")
parquet = pytest.importorskip("pyarrow.parquet")

EXAMPLE = Path(__file__).parents[2] / "examples" / "bulk_dask.py"


@pytest.fixture
def redis() -> Iterator[RedisProcess]:
    redis = RedisProcess(PROGRAM)
    redis.start()
    yield redis
    redis.kill()


def run(script: Path, *arguments: str, server: FakeServer) -> str:
    environment = {
        **os.environ,
        "COMETAPI_KEY": server.api_key,
        "COMETAPI_BASE_URL": server.url,
    }
    done = subprocess.run(  # noqa: S603  our own script
        [sys.executable, str(script), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=180,
        check=True,
    )
    assert server.api_key not in done.stdout
    return done.stdout


def test_two_workers_keep_to_one_rate(redis: RedisProcess) -> None:
    rows = 300
    arrivals: list[float] = []

    def respond(request: RecordedRequest) -> Reply:
        arrivals.append(time.monotonic())
        return Reply.text(f"re: {request.body['contents'][0]['parts'][0]['text']}")

    with FakeServer(limits=ServerLimits(requests=60, seconds=1, bucket=True)) as server:
        server.respond = respond
        script = Path(__file__).with_name("dask_workers.py")
        found: dict[str, list[Any]] = json.loads(run(script, redis.url, str(rows), server=server))
        assert server.refused <= 2
        assert server.admitted == rows
    # 98 % of 50 a second. With that rate for each of them, it would take little more than half.
    assert arrivals[-1] - arrivals[0] >= 0.9 * rows / 49
    assert found["id"] == list(range(rows))
    assert found["answer"] == [f"re: row {number}" for number in range(rows)]
    assert found["errors"] == []
    assert found["attempts"] == [1] * rows
    assert len(set(found["process"])) == 2


@pytest.mark.skipif(not EXAMPLE.exists(), reason="an installed package")
def test_the_example_runs(redis: RedisProcess, tmp_path: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415  skipped above without it

    (tmp_path / "in").mkdir()
    messages = [f"message {number}" for number in range(30)]
    table = pa.table({"message": [*messages, ""], "id": range(31)})
    parquet.write_table(table, tmp_path / "in" / "0.parquet")
    answer = '{"kind": "praise", "urgent": false}'
    with FakeServer(default=Reply.text(answer)) as server:
        said = run(EXAMPLE, str(tmp_path / "in"), str(tmp_path / "out"), redis.url, server=server)
        assert said == "31 rows, 1 errors\n"
        assert len(server.requests) == 30
    rows = sorted(parquet.read_table(tmp_path / "out").to_pylist(), key=lambda row: row["id"])
    assert [row["message"] for row in rows] == [*messages, ""]
    assert [row["answer"] for row in rows] == [answer] * 30 + [None]
    assert rows[-1]["error_type"] == "ConfigurationError"
