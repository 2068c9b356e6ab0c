"""cometgem against a real endpoint: how long its users wait."""

from __future__ import annotations

import os
import statistics
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from report import text_table

from cometgem import Client, CometGemError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["measure_endpoint"]

PROMPT = "Write a story of about 300 words about a comet and the people who wait for it."

TITLES = {
    "first": "time to first chunk, ms",
    "gap_p50": "time between chunks p50, ms",
    "gap_p99": "time between chunks p99, ms",
    "tokens": "tokens/s after the first chunk",
    "chunks": "chunks",
    "cpu": "CPU, µs/chunk",
    "single": "single call, ms",
}


async def measure_endpoint(
    base_url: str, model: str, key_env: str, rounds: int, step: Callable[[str], object]
) -> dict[str, list[float]]:
    """Alternate between a stream and a single call, and return the measurements.

    Args:
        base_url: The base URL of the endpoint.
        model: The model's name.
        key_env: The environment variable with the API key.
        rounds: The number of rounds.
        step: Called with a description of what starts now.

    Raises:
        SystemExit: There is no key, or a call failed.
    """
    if key_env not in os.environ:
        raise SystemExit(f"no API key: set the environment variable {key_env}")
    measured: dict[str, list[float]] = {}
    try:
        async with Client(os.environ[key_env], base_url=base_url) as client:
            for _ in range(rounds):
                step("stream")
                figures = await _stream(client, model)
                step("single call")
                figures["single"] = await _single(client, model)
                for key, value in figures.items():
                    measured.setdefault(key, []).append(value)
    except CometGemError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from error
    return measured


def endpoint_table(measured: dict[str, list[float]]) -> str:
    """Return the median, least and most of each figure."""
    rows = [["", "median", "least", "most"]]
    for key, values in measured.items():
        numbers = (statistics.median(values), min(values), max(values))
        rows.append([TITLES[key], *(f"{number:,.1f}" for number in numbers)])
    return text_table(rows)


async def _stream(client: Client, model: str) -> dict[str, float]:
    begun, cpu = time.perf_counter(), time.process_time()
    times: list[float] = []
    async with client.stream_generate_content(model, PROMPT) as stream:
        times += [time.perf_counter() async for _ in stream]
        final = await stream.get_final_response()
    cpu = time.process_time() - cpu
    gaps = sorted((after - before) * 1e3 for before, after in pairwise(times)) or [0.0]
    figures = {
        "first": (times[0] - begun) * 1e3,
        "gap_p50": gaps[len(gaps) * 50 // 100],
        "gap_p99": gaps[len(gaps) * 99 // 100],
        "chunks": float(len(times)),
        "cpu": cpu / len(times) * 1e6,
    }
    usage: Any = final.usage_metadata
    if usage is not None and usage.candidates_token_count and times[-1] > times[0]:
        figures["tokens"] = usage.candidates_token_count / (times[-1] - times[0])
    return figures


async def _single(client: Client, model: str) -> float:
    begun = time.perf_counter()
    await client.generate_content(model, PROMPT)
    return (time.perf_counter() - begun) * 1e3
