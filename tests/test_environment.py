"""The tests run with the event loop and the HTTP parser that the environment asks for."""

import asyncio
import os

from aiohttp import http_parser


async def test_event_loop() -> None:
    asked = os.environ.get("TEST_LOOP", "asyncio")
    assert type(asyncio.get_running_loop()).__module__.partition(".")[0] == asked


def test_http_parser() -> None:
    pure = bool(os.environ.get("AIOHTTP_NO_EXTENSIONS"))
    assert (http_parser.HttpResponseParser is http_parser.HttpResponseParserPy) == pure
