"""What needs no Redis: options, and what is not told."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from cometgem import ConfigurationError
from cometgem.web import RedisLog

URL = "redis://:secret@127.0.0.1:1/0"


async def test_without_redis_py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(ConfigurationError, match=r"install cometgem\[redis\]"):
        RedisLog(URL)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"ttl": 0}, "ttl=0 is not valid; use a number of seconds above 0"),
        ({"max_bytes": 1.5}, "max_bytes=1.5 is not valid; use an integer of at least 1, or None"),
        ({"heartbeat": 0}, "heartbeat=0 is not valid; use a number of seconds above 0"),
        ({"ttl": 5, "heartbeat": 6}, "heartbeat=6 is not valid; .* not above ttl=5"),
    ],
)
async def test_options_that_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        RedisLog(URL, **options)


async def test_the_password_is_not_shown() -> None:
    pytest.importorskip("redis")
    log = RedisLog(URL)
    assert "secret" not in repr(log)
    with pytest.raises(ConfigurationError, match="the URL of Redis is not valid") as caught:
        RedisLog("http://:secret@127.0.0.1:1/0")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    await log.aclose()
