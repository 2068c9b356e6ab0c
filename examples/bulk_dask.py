"""Sort the messages of a Parquet file into kinds, in the worker processes of Dask.

    pip install 'cometgem[redis]' 'dask[dataframe,distributed]'
    python examples/bulk_dask.py MESSAGES RESULTS [REDIS]

MESSAGES is a Parquet file, or a folder of them, with a column "message"; RESULTS is a folder. REDIS
is the URL of a Redis server, such as redis://localhost:6379/0, which keeps one rate for all
workers; without it, each worker finds out a rate of its own. COMETAPI_KEY is in the environment of
the workers. For workers on other machines, pass the address of their scheduler to `Cluster`.
"""

import sys
from typing import Literal, TypedDict

import dask.dataframe as dd
from dask.distributed import Client as Cluster

from cometgem.bulk import GeminiMap, Limits, RedisLimiter

ROWS = 1_000  # in a partition: as many are asked again if a worker is lost


class Kind(TypedDict):  # a dataclass or a msgspec struct would have to be in a module
    """What a message is about."""

    kind: Literal["question", "praise", "complaint", "request"]
    urgent: bool


def main(messages: str, results: str, redis: str | None) -> None:
    """Sort the messages."""
    gemini = GeminiMap(
        "gemini-3.8-flash",
        prompt="message",
        system_instruction="What kind of message is this?",
        response_type=Kind,
        reasks=1,
        limits=RedisLimiter(redis, "gemini-3.8-flash") if redis else Limits(),
    )
    with Cluster(n_workers=2, threads_per_worker=4, dashboard_address=None):
        frame = dd.read_parquet(messages)
        frame = frame.repartition(npartitions=-(-len(frame) // ROWS))
        answered = frame.map_partitions(gemini.run, meta=gemini.meta(frame))
        # Written once, and read from there: each computation of a Dask frame would ask again.
        answered.to_parquet(results)
    found = dd.read_parquet(results)
    print(f"{len(found):,} rows, {found['error'].count().compute():,} errors")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
