"""Sort the messages of a Parquet file into kinds, in the actors of Ray Data.

    pip install 'cometgem[redis]' 'ray[data]'
    python examples/bulk_ray.py MESSAGES RESULTS [REDIS]

MESSAGES is a Parquet file, or a folder of them, with a column "message"; RESULTS is a folder. REDIS
is the URL of a Redis server, such as redis://localhost:6379/0, which keeps one rate for all
actors; without it, each actor finds out a rate of its own. COMETAPI_KEY is in the environment of
the nodes; in Ray's `runtime_env` it would be stored and shown by Ray.
"""

import sys
from typing import Literal, TypedDict

import ray

from cometgem.bulk import GeminiMap, Limits, RedisLimiter

ROWS = 1_000  # in a batch: as many are asked again if an actor is lost


class Kind(TypedDict):  # a dataclass or a msgspec struct would have to be in a module
    """What a message is about."""

    kind: Literal["question", "praise", "complaint", "request"]
    urgent: bool


def main(messages: str, results: str, redis: str | None) -> None:
    """Sort the messages."""
    answered = ray.data.read_parquet(messages).map_batches(
        GeminiMap,  # the class: each actor makes one
        fn_constructor_args=["gemini-3.8-flash"],
        fn_constructor_kwargs={
            "prompt": "message",
            "system_instruction": "What kind of message is this?",
            "response_type": Kind,
            "reasks": 1,
            "limits": RedisLimiter(redis, "gemini-3.8-flash") if redis else Limits(),
        },
        compute=ray.data.ActorPoolStrategy(size=2),
        num_cpus=0.5,  # actors wait most of the time: CPUs must be left for reading
        batch_size=ROWS,
        batch_format="pyarrow",
    )
    # Written once, and read from there: each computation of a dataset would ask again.
    answered.write_parquet(results)
    found = ray.data.read_parquet(results)
    errors = found.select_columns(["error"]).to_pandas()["error"]
    print(f"{len(errors):,} rows, {errors.count():,} errors")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
