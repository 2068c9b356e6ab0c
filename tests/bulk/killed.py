"""A bulk run in a process of its own, to be killed: `killed.py URL RESULTS ROWS`."""

from __future__ import annotations

import asyncio
import sys

from cometgem import Client
from cometgem.bulk import Limits


async def main(url: str, results: str, rows: int) -> None:
    async with (
        Client("sk-fake-key", base_url=url) as client,
        client.map(
            "gemini-3.8-flash",
            range(rows),
            prompt=lambda row: f"prompt {row}",
            key=lambda row: f"key {row}",
            results=results,
            limits=Limits(rpm=60_000, concurrency=8),
        ) as run,
    ):
        async for _ in run:
            pass


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
