"""The law of a limit that several processes share: a script in Redis. The one door to Redis."""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import msgspec

from cometgem.errors import ConfigurationError

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["Ask", "Away", "Reply", "SharedLaw"]

_SCRIPT = Path(__file__).with_name("shared_rate.lua").read_text("utf-8")
_SHA = sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()

# Seconds to wait for Redis.
_TIMEOUT = 1.0


class Ask(msgspec.Struct, omit_defaults=True):
    """The argument of the script, which describes the fields."""

    holder: str
    expires: float
    life: str
    ahead: float
    want: list[float]
    ceiling: float | None = None
    tokens: float | None = None
    start: float | None = None
    refused: list[tuple[str, int, float, float, float]] = []
    unused: list[tuple[str, float]] = []
    settled: tuple[int, float, float, float] | None = None
    now: float | None = None


class Reply(msgspec.Struct):
    """The result of the script."""

    wait: float
    rate: float
    holders: int
    life: str
    paused: float
    # An empty list of Lua is an empty object.
    granted: list[tuple[int, float, float]] | dict[str, None]


_decoder = msgspec.json.Decoder(Reply)


class Away(Exception):  # noqa: N818  a state, which callers handle
    """Redis cannot be reached, or refuses the script."""


class SharedLaw:
    """Runs the script, in one round trip.

    Args:
        url: The Redis server.
        name: The name of the limit.

    Raises:
        ConfigurationError: The URL is not that of a Redis server, or the package is missing.
    """

    def __init__(self, url: str, name: str) -> None:
        if not isinstance(url, str) or not url.startswith(("redis://", "rediss://", "unix://")):
            # Not shown, since it may contain a password.
            raise ConfigurationError(
                "RedisLimiter(url=...) is not the URL of a Redis server: use one that begins with"
                " 'redis://', 'rediss://' or 'unix://'"
            )
        try:
            import redis.asyncio  # noqa: F401, PLC0415  an extra
        except ImportError as error:
            raise ConfigurationError(
                "RedisLimiter needs the package redis: pip install 'cometgem[redis]'"
            ) from error
        self._url = url
        # The braces keep both keys on one node of a cluster.
        self._keys = (f"cometgem:{{{name}}}:rate", f"cometgem:{{{name}}}:holders")
        self._redis: Redis | None = None

    @property
    def where(self) -> str:
        """The URL without user, password and options."""
        parts = urlsplit(self._url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    async def ask(self, ask: Ask) -> Reply:
        """Run the script.

        Raises:
            Away: Redis cannot be reached, or refuses the script.
        """
        from redis.exceptions import ConnectionError as Lost  # noqa: PLC0415  an extra
        from redis.exceptions import NoScriptError, RedisError  # noqa: PLC0415

        if self._redis is None:
            self._redis = _connect(self._url)
        redis = self._redis
        arguments = (2, *self._keys, msgspec.json.encode(ask).decode())
        try:
            try:
                raw = await redis.evalsha(_SHA, *arguments)
            except (NoScriptError, Lost):
                # A script that Redis does not know yet, or a connection closed while it was idle.
                raw = await redis.eval(_SCRIPT, *arguments)
        except (RedisError, OSError) as error:
            raise Away(f"{type(error).__name__}: {error}") from error
        return _decoder.decode(cast("bytes", raw))

    def forget(self) -> None:
        """Forget a connection that belongs to an event loop that has ended."""
        self._redis = None

    async def aclose(self) -> None:
        """Close the connection."""
        redis, self._redis = self._redis, None
        if redis is not None:
            await redis.aclose()


def _connect(url: str) -> Redis:
    from redis.asyncio import Redis  # noqa: PLC0415  an extra
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    return Redis.from_url(
        url,
        socket_timeout=_TIMEOUT,
        socket_connect_timeout=_TIMEOUT,
        # A command that is repeated unseen would be counted twice.
        retry=Retry(NoBackoff(), 0),
    )
