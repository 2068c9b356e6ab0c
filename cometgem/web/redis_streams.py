"""What runs need of Redis, and the one place that talks to it.

Each run has a stream, whose entries are numbered from 1: its head, its pieces and its end. The
writer gives the numbers, so that an entry whose fate is unknown, because the connection broke, can
be sent again without being stored twice.

::

    {id}:current        the token of the latest run under the id
    {id}:run:TOKEN      a stream: field "h", "p" or "e" for the head, a piece or the end
    {id}:owner:TOKEN    the inbox of the process that writes the run; expires if that dies
    {id}:seats:TOKEN    a sorted set: processes with viewers, by the time at which they expire
    inbox:TOKEN         a stream: what a process is told by others

The braces keep the keys of one run together in a cluster.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from cometgem.errors import ConfigurationError, RunError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

__all__ = ["Appended", "Entry", "Found", "Keys", "RedisStreams"]

# How many entries are read at once: about 40 KB of text.
_COUNT = 256

# Seconds. A reply that takes longer than this counts as none.
_REPLY = 5.0

# Every inbox is read all the time, and what is not read within this time is about runs that ended.
_INBOX_TTL = 60_000
_INBOX_LENGTH = 10_000

_APPEND = """
local token, inbox, ttl, lease, claims = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local number = tonumber(ARGV[6])
local current = redis.call('GET', KEYS[1])
local state, before = 0, ''
if not current then
  redis.call('SET', KEYS[1], token)
elseif current ~= token then
  if claims then
    before = redis.call('GET', string.sub(KEYS[3], 1, -(#token + 1)) .. current) or ''
    redis.call('SET', KEYS[1], token)
  else
    state = 1
  end
end
local length = redis.call('XLEN', KEYS[2])
local ended = false
if number <= length + 1 then
  for i = 7, #ARGV, 2 do
    if number > length then
      redis.call('XADD', KEYS[2], number .. '-0', ARGV[i], ARGV[i + 1])
      length = number
    end
    ended = ARGV[i] == 'e'
    number = number + 1
  end
end
if ended then
  redis.call('DEL', KEYS[3])
else
  redis.call('SET', KEYS[3], inbox, 'PX', lease)
end
if state == 0 then redis.call('PEXPIRE', KEYS[1], ttl) end
redis.call('PEXPIRE', KEYS[2], ttl)
return {length, state, before, current or ''}
"""

_FIND = """
local token = redis.call('GET', KEYS[1])
if not token then return {} end
local run = ARGV[1] .. ':run:' .. token
local head = redis.call('XRANGE', run, '1-0', '1-0')
if #head == 0 then return {} end
local last = redis.call('XREVRANGE', run, '+', '-', 'COUNT', 1)[1]
local owner = redis.call('GET', ARGV[1] .. ':owner:' .. token) or ''
local ended = last[2][1] == 'e' and 1 or 0
return {token, head[1][2][2], redis.call('XLEN', run), ended, owner}
"""

_SEAT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if ARGV[2] == '0' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return redis.call('ZCARD', KEYS[1])
"""


class Keys:
    """The keys of one run.

    Args:
        prefix: What all keys begin with.
        run_id: The id.
        token: What tells the run from others under the same id.
    """

    def __init__(self, prefix: str, run_id: str, token: str = "") -> None:
        self.base: str = f"{prefix}{{{run_id}}}"
        self.current: str = f"{self.base}:current"
        self.run: str = f"{self.base}:run:{token}"
        self.owner: str = f"{self.base}:owner:{token}"
        self.seats: str = f"{self.base}:seats:{token}"
        self.token: str = token


class Appended(NamedTuple):
    """What the stream of a run is like after an append.

    Attributes:
        length: How many entries it has; fewer than before if Redis has lost some.
        is_current: Whether no other run has begun under the id.
        before: The inbox of the process of the run before, if that is running; or "".
        token: The token of the run before, or "".
    """

    length: int
    is_current: bool
    before: str
    token: str


class Found(NamedTuple):
    """The latest run under an id.

    Attributes:
        token: What tells it from others under the same id.
        head: As it was written.
        length: How many entries its stream has.
        ended: Whether the last one is the end.
        owner: The inbox of the process that writes it; "" if there is none.
    """

    token: str
    head: bytes
    length: int
    ended: bool
    owner: str


class Entry(NamedTuple):
    """An entry of the stream of a run, or of an inbox.

    Attributes:
        at: Its id in Redis.
        field: The name of its field.
        value: What it holds.
    """

    at: str
    field: str
    value: bytes

    @property
    def number(self) -> int:
        """Its number in the stream of a run."""
        return int(self.at.partition("-")[0])


class RedisStreams:
    """Two clients of one Redis: one for commands, and one for reads that wait.

    Every method raises RunError if Redis cannot be reached, or does not do what it is told.

    Args:
        url: Where it is, as ``redis://[[user]:password@]host[:port][/database]``, ``rediss://`` for
            TLS, or ``unix://``.
        block: How long a read waits, in seconds.

    Raises:
        ConfigurationError: redis-py is not installed, or the URL is not valid.
    """

    def __init__(self, url: str, block: float) -> None:
        try:
            from redis.asyncio import Redis  # noqa: PLC0415  only for those who use it
            from redis.asyncio.retry import Retry  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415
        except ImportError:
            raise ConfigurationError(
                "a RedisLog needs the package redis; install cometgem[redis]"
            ) from None

        def connect(reply: float) -> Any:  # redis-py's own types mix the replies of two protocols
            return Redis.from_url(
                url,
                protocol=2,
                retry=Retry(NoBackoff(), 0),  # who asks knows when to ask again
                socket_connect_timeout=_REPLY,
                socket_timeout=reply,
                socket_keepalive=True,
            )

        try:
            self._commands = connect(_REPLY)
            self._reads = connect(block + _REPLY)
        except ValueError as error:
            # Not the text of the error: it may hold the password.
            raise ConfigurationError(
                f"the URL of Redis is not valid ({type(error).__name__}); use"
                " redis://host:port/database"
            ) from None
        self._block = max(1, round(block * 1000))
        self._append = self._commands.register_script(_APPEND)
        self._find = self._commands.register_script(_FIND)
        self._seat = self._commands.register_script(_SEAT)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._reads.aclose()
        await self._commands.aclose()

    async def append(  # noqa: PLR0913  one round trip for all
        self,
        keys: Keys,
        inbox: str,
        number: int,
        entries: Iterable[tuple[str, bytes]],
        *,
        ttl: float,
        lease: float,
        claims: bool = False,
    ) -> Appended:
        """Append those entries that are not there, and renew the lease of the run.

        Args:
            keys: The run.
            inbox: That of this process.
            number: The number of the first entry.
            entries: Pairs of a field and its value.
            ttl: How long the run is kept, in seconds.
            lease: After how many seconds without another call the process counts as dead.
            claims: Whether the run takes the id from another.
        """
        args: list[Any] = [keys.token, inbox, _milliseconds(ttl), _milliseconds(lease)]
        args += [int(claims), number]
        for field, value in entries:
            args += [field, value]
        async with _translated():
            length, state, before, token = await self._append(
                keys=[keys.current, keys.run, keys.owner], args=args
            )
        return Appended(length, state == 0, before.decode(), token.decode())

    async def find(self, keys: Keys) -> Found | None:
        """Return the latest run under an id, or None."""
        async with _translated():
            found = await self._find(keys=[keys.current], args=[keys.base])
        if not found:
            return None
        token, head, length, ended, owner = found
        return Found(token.decode(), head, length, bool(ended), owner.decode())

    async def range(self, key: str, number: int) -> list[Entry]:
        """Return some entries of a stream, from the one with a number on."""
        async with _translated():
            return _entries(
                await self._commands.execute_command(
                    "XRANGE", key, f"{number}-0", "+", "COUNT", _COUNT
                )
            )

    async def read(self, after: Mapping[str, str]) -> dict[str, list[Entry]]:
        """Return new entries of streams; waits for them, but not for long.

        Args:
            after: For each stream the id of the last entry that was read.
        """
        async with _translated():
            found = await self._reads.execute_command(
                *("XREAD", "COUNT", _COUNT, "BLOCK", self._block),
                *("STREAMS", *after, *after.values()),
            )
        return {key.decode(): _entries(entries) for key, entries in found or ()}

    async def owners(self, keys: Sequence[Keys]) -> list[bool]:
        """Return for each run whether its process is alive."""
        async with _translated(), self._commands.pipeline(transaction=False) as pipeline:
            for one in keys:
                pipeline.exists(one.owner)
            return [bool(found) for found in await pipeline.execute()]

    async def owner(self, keys: Keys) -> str:
        """Return the inbox of the process of a run, or "" if there is none."""
        async with _translated():
            found: bytes | None = await self._commands.execute_command("GET", keys.owner)
        return "" if found is None else found.decode()

    async def tell(self, inbox: str, field: str, value: str = "") -> None:
        """Put an entry into an inbox."""
        async with _translated(), self._commands.pipeline(transaction=False) as pipeline:
            pipeline.xadd(inbox, {field: value}, maxlen=_INBOX_LENGTH)
            pipeline.pexpire(inbox, _INBOX_TTL)
            await pipeline.execute()

    async def sit(self, keys: Keys, process: str, lease: float) -> int:
        """Note that a process has viewers of a run; with a lease of 0, that it has none any more.

        Returns:
            How many processes have viewers.
        """
        async with _translated():
            count: int = await self._seat(keys=[keys.seats], args=[process, _milliseconds(lease)])
        return count

    async def delete(self, key: str) -> None:
        """Delete a key."""
        async with _translated():
            await self._commands.delete(key)


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    from redis.exceptions import RedisError  # noqa: PLC0415

    try:
        yield
    except (RedisError, OSError) as error:
        raise RunError(f"the log of runs in Redis cannot be used: {error}") from error


def _entries(found: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> list[Entry]:
    return [
        Entry(at.decode(), field.decode(), value)
        for at, fields in found
        for field, value in fields.items()
    ]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
