"""The event loop of all tests: asyncio's own, or with TEST_LOOP=uvloop that of uvloop."""

import asyncio
import os

if os.environ.get("TEST_LOOP") == "uvloop":
    import uvloop

    # Not only pytest's own loops: also those of `asyncio.run()` in a test and of FakeServer.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
