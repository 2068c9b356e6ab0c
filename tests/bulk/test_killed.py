"""Runs that are killed at random moments: the books must balance.

`BULK_KILLS=200` sets how often.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from cometgem.testing import FakeServer, RecordedRequest, Reply

if TYPE_CHECKING:
    from asyncio.subprocess import Process

KILLS = int(os.environ.get("BULK_KILLS", "8"))
ROWS = 300
CONCURRENCY = 8  # of killed.py


async def start(server: FakeServer, results: Path) -> Process:
    script = Path(__file__).with_name("killed.py")
    return await asyncio.create_subprocess_exec(
        *(sys.executable, str(script), server.url, str(results), str(ROWS)),
        stderr=asyncio.subprocess.PIPE,
    )


async def test_nothing_is_lost_and_only_rows_in_flight_run_again(
    fake_server: FakeServer, tmp_path: Path
) -> None:
    chance = random.Random(7)  # noqa: S311
    answered: Counter[str] = Counter()

    def respond(request: RecordedRequest) -> Reply:
        prompt = request.body["contents"][0]["parts"][0]["text"]
        return (
            Reply.text(f"answer to {prompt} " + "x" * chance.randrange(3000))
            .delay(headers=chance.random() * 0.05)
            .finish("STOP")
        )

    fake_server.respond = respond
    results = tmp_path / "out.jsonl"
    kills = 0
    while kills < KILLS:
        process = await start(fake_server, results)
        seen = len(fake_server.requests)
        begun = asyncio.ensure_future(fake_server.wait_request(seen, 60))
        ended = asyncio.ensure_future(process.wait())
        await asyncio.wait({begun, ended}, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        await asyncio.wait({ended}, timeout=chance.random() * 0.3)
        if ended.done():
            results.unlink()  # all rows are done: from the beginning again
            answered.clear()
            fake_server._requests.clear()  # noqa: SLF001
            continue
        process.kill()
        await ended
        kills += 1
        check(fake_server, results, kills)
    process = await start(fake_server, results)
    _, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    done = check(fake_server, results, kills)
    assert done.keys() == {f"key {row}" for row in range(ROWS)}


def check(server: FakeServer, results: Path, kills: int) -> Counter[str]:
    """Compare the file with what the server has seen; return how often each key is in it."""
    sent = Counter(
        request.body["contents"][0]["parts"][0]["text"].replace("prompt", "key")
        for request in server.requests
    )
    *lines, torn = results.read_bytes().split(b"\n")
    done = Counter(json.loads(line)["key"] for line in lines)
    for line in lines:
        read = json.loads(line)
        text = read["response"]["candidates"][0]["content"]["parts"][0]["text"]
        assert text.startswith(f"answer to {read['key'].replace('key', 'prompt')} ")
    # No row that has a line was sent again: one line for each key.
    assert not done or max(done.values()) == 1
    assert done.keys() <= sent.keys()
    # Each kill has cost the rows in flight one request more, and nothing else.
    extra = sum(sent.values()) - len(done)
    assert 0 <= extra <= kills * CONCURRENCY
    assert len(torn) < 10_000
    return done
