"""A run of Dask in two worker processes, with one rate; prints what came of it as JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def prompt(row: dict[str, Any]) -> str:
    return f"row {row['id']}"


def add_process(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(process=os.getpid())


def main(redis: str, count: int) -> None:
    import dask.dataframe as dd  # noqa: PLC0415  only in this process
    import pandas as pd  # noqa: PLC0415
    from dask.distributed import Client, LocalCluster  # noqa: PLC0415

    from cometgem.bulk import GeminiMap, Limits, RedisLimiter  # noqa: PLC0415

    limiter = RedisLimiter(redis, "dask", Limits(rpm=3000))
    gemini = GeminiMap("gemini-3.8-flash", prompt=prompt, limits=limiter)
    rows = dd.from_pandas(pd.DataFrame({"id": range(count)}), npartitions=8)
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster),
    ):
        answered = rows.map_partitions(gemini.run, meta=gemini.meta(rows))
        out = answered.map_partitions(add_process).compute()
    found = {name: out[name].tolist() for name in ("id", "answer", "attempts", "process")}
    found["errors"] = out["error"].dropna().tolist()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
