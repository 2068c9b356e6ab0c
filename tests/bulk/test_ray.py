"""`examples/bulk_ray.py` runs, where Ray is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cometgem.testing import FakeServer, Reply

pytest.importorskip("ray.data", reason="ray[data] is not installed")
parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")

EXAMPLE = Path(__file__).parents[2] / "examples" / "bulk_ray.py"


@pytest.mark.skipif(not EXAMPLE.exists(), reason="an installed package")
def test_the_example_runs(tmp_path: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415  skipped above without it

    messages = [f"message {number}" for number in range(30)]
    source, results = tmp_path / "in.parquet", tmp_path / "out"
    parquet.write_table(pa.table({"message": [*messages, ""], "id": range(31)}), source)
    answer = '{"kind": "praise", "urgent": false}'
    with FakeServer(default=Reply.text(answer)) as server:
        environment = {
            **os.environ,
            "COMETAPI_KEY": server.api_key,
            "COMETAPI_BASE_URL": server.url,
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        done = subprocess.run(  # noqa: S603  our own script
            [sys.executable, str(EXAMPLE), str(source), str(results)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=300,
            check=True,
        )
        assert done.stdout.endswith("31 rows, 1 errors\n")
        assert len(server.requests) == 30
    rows = sorted(parquet.read_table(results).to_pylist(), key=lambda row: row["id"])
    assert [row["answer"] for row in rows] == [answer] * 30 + [None]
    assert rows[-1]["error_type"] == "ConfigurationError"
