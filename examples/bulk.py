"""Sort many messages into kinds; stop it at any time, and run it again to go on.

    python examples/bulk.py RESULTS [MESSAGES]

MESSAGES has a message on each line; without it, there are three.
"""

import asyncio
import sys
from pathlib import Path
from typing import Literal

import msgspec

from cometgem import Client
from cometgem.bulk import Budget

MESSAGES = ["Where is my parcel?", "Your new kettle is wonderful.", "Cancel my order, please."]


class Kind(msgspec.Struct):
    """What a message is about."""

    kind: Literal["question", "praise", "complaint", "request"]
    urgent: bool


async def main(results: str, messages: list[str]) -> None:
    """Sort the messages."""
    async with (
        Client() as client,
        client.map(
            "gemini-3.8-flash",
            messages,
            prompt=lambda message: message,
            system_instruction="What kind of message is this?",
            response_type=Kind,
            reasks=1,
            results=results,
            budget=Budget(tokens=1_000_000),
        ) as run,
    ):
        async for result in run:
            if result.response is None:
                print(f"{result.row}: {result.error}")
            else:
                print(f"{result.row}: {result.response.parsed.kind}")
    print(run.progress)


if __name__ == "__main__":
    given = Path(sys.argv[2]).read_text("utf-8").splitlines() if len(sys.argv) > 2 else MESSAGES
    asyncio.run(main(sys.argv[1], given))
