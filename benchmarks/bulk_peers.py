"""The same rows by other means: what people write, and what they install.

Each function runs some rows against a server and returns how many were lost. None is given a limit,
as none knows it; everything else is as it comes.
"""

from __future__ import annotations

import asyncio
import logging
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from cometgem import CometGemError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from cometgem import Client

MODEL = "gemini-3.8-flash"
IN_FLIGHT = 500


async def gathered(client: Client, url: str, rows: Iterable[str], seconds: float) -> int:
    """Gather single calls of this library, all at once."""
    del url
    calls = (client.generate_content(MODEL, row) for row in rows)
    return await _gather(calls, CometGemError, seconds)


async def google_genai(client: Client, url: str, rows: Iterable[str], seconds: float) -> int:
    """Gather calls of google-genai under a semaphore."""
    del client
    from google.genai.errors import APIError  # noqa: PLC0415

    google, semaphore = _google(url), asyncio.Semaphore(IN_FLIGHT)

    async def ask(row: str) -> object:
        async with semaphore:
            return await google.aio.models.generate_content(model=MODEL, contents=row)

    try:
        return await _gather(map(ask, rows), APIError, seconds)
    finally:
        await google.aio.aclose()


async def async_batch_llm(client: Client, url: str, rows: Iterable[str], seconds: float) -> int:
    """Run async-batch-llm, which calls google-genai."""
    del client
    import async_batch_llm as library  # noqa: PLC0415

    logging.getLogger("async_batch_llm").setLevel(logging.CRITICAL)  # it reports each failure
    google = _google(url)
    strategy = library.GeminiStrategy(
        library.GeminiModel(MODEL, google), response_parser=lambda response: response.text
    )
    guardrails = library.GuardrailConfig(batch_timeout=seconds)
    config = library.ProcessorConfig(concurrency=IN_FLIGHT, guardrails=guardrails)
    batch = await library.process_prompts(strategy, [*rows], config=config)
    await google.aio.aclose()
    return int(batch.total_items - batch.succeeded)


PEERS: dict[str, tuple[str, Callable[..., Awaitable[int]]]] = {
    "gather, this library": ("cometgem", gathered),
    "gather, google-genai, semaphore": ("google-genai", google_genai),
    "async-batch-llm": ("async-batch-llm", async_batch_llm),
}


def installed() -> dict[str, Callable[..., Awaitable[int]]]:
    """Return the peers that are installed, by a name with their version."""
    found = {}
    for name, (package, peer) in PEERS.items():
        try:
            found[f"{name} {version(package)}"] = peer
        except PackageNotFoundError:
            if package == "cometgem":  # may run from its source
                found[name] = peer
            else:
                print(f"{name}: not installed")
    return found


async def _gather(calls: Iterable[Awaitable[object]], lost: type[Exception], seconds: float) -> int:
    results: list[Any] = [asyncio.ensure_future(call) for call in calls]
    done, late = await asyncio.wait(results, timeout=seconds)
    for call in late:
        call.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    for call in done:
        if (error := call.exception()) is not None and not isinstance(error, lost):
            raise error
    return len(late) + sum(call.exception() is not None for call in done)


def _google(url: str) -> Any:
    from google import genai  # noqa: PLC0415

    return genai.Client(api_key="any", http_options={"base_url": url})
