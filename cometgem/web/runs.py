"""Answers that go on when the browser leaves, and that it can come back to.

Each run has one task, which reads its stream to the end and writes what is encoded to a log. What a
browser gets is read from the log, so a browser that is slow, leaves or returns changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, get_args

from cometgem.errors import BadMessagesError, ClosedError, ConfigurationError
from cometgem.request.arguments import shown
from cometgem.web.log import MemoryLog
from cometgem.web.producer import Producer
from cometgem.web.replay import Replay, event_number
from cometgem.web.run_parts import Head, OnLeave
from cometgem.web.viewer import Viewer

if TYPE_CHECKING:
    from types import TracebackType

    from cometgem.web.log import Log, Recording
    from cometgem.web.relay import Relay

__all__ = ["Runs"]

# An id comes from a browser, and becomes part of a key.
_MAX_ID = 256


class Runs:
    """Runs relays in the background; any number of viewers may watch each.

    An id is a name of the application's, such as that of a chat. Whoever knows it can watch: check
    that it belongs to the user.

    Example::

        runs = Runs()


        @app.post("/api/chat")
        async def chat(request: Request):
            body = await request.json()
            stream = client.stream_generate_content(
                MODEL, contents_from_ui_messages(body["messages"])
            )
            return await respond(await runs.start(body["id"], Relay(stream, UIMessageEncoder())))


        @app.get("/api/chat/{chat_id}/stream")
        async def resume(chat_id: str):
            return await respond(await runs.resume(chat_id))  # 204 if nothing runs

    Args:
        log: Where runs are kept. Defaults to the memory of this process; use a ``RedisLog`` if
            several processes serve the same browsers.
        on_leave: Whether a run goes on when its last viewer leaves (``"detach"``) or not
            (``"stop"``).

    Raises:
        ConfigurationError: ``on_leave`` is not valid.
    """

    def __init__(self, log: Log | None = None, on_leave: OnLeave = "detach") -> None:
        if on_leave not in get_args(OnLeave):
            raise ConfigurationError(
                f"on_leave={shown(on_leave)} is not valid; use 'detach' or 'stop'"
            )
        self._log: Log = MemoryLog() if log is None else log
        self._on_leave = on_leave
        self._running: set[Producer] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<Runs {self._log!r} running={len(self._running)}>"

    async def start(self, run_id: str, relay: Relay) -> Viewer:
        """Run a relay, and return its first viewer; a run under the same id is stopped.

        Raises:
            BadMessagesError: The id is not a string of 1 to 256 characters.
            ClosedError: ``aclose`` was called.
        """
        _check_id(run_id)
        if self._is_closed():
            raise ClosedError("the runs are closed")
        run = Producer(relay, self._running.discard)
        recorder = await self._log.create(run_id, Head.of(relay, self._on_leave), run.stop)
        viewer = Viewer(recorder)
        self._running.add(run)
        run.begin(recorder)
        if self._is_closed():  # in the meantime
            run.cancel()
        return viewer

    async def resume(
        self, run_id: str, after: int | str | None = None, *, ended: bool = False
    ) -> Viewer | None:
        """Return another viewer of the run under an id, or None if there is nothing to see.

        Args:
            run_id: The id.
            after: The id of the last event that the browser has, as it sends it in the header
                ``Last-Event-ID``; the rest is shown, also of a run that has ended. Only for formats
                with ids, such as that of ``EventEncoder``; ignored for others.
            ended: Whether a run that has ended is shown as well, while it is kept.

        Raises:
            BadMessagesError: The id is not a string of 1 to 256 characters.
            RunError: The log cannot be reached.
        """
        _check_id(run_id)
        found = await self._log.find(run_id)
        if found is None:
            return None
        number = event_number(after) if found.head.numbers_events else None
        if found.running or await _has_more(found, number, ended=ended):
            return Viewer(found, number)
        return None

    async def stop(self, run_id: str) -> bool:
        """Stop the run under an id, in whichever process it is; its viewers' responses end well.

        Returns:
            Whether there was one.

        Raises:
            BadMessagesError: The id is not a string of 1 to 256 characters.
            RunError: The log cannot be reached.
        """
        _check_id(run_id)
        found = await self._log.find(run_id)
        if found is None or not found.running:
            return False
        await found.stop()
        return True

    async def aclose(self) -> None:
        """Break off all runs of this process, and their viewers' connections; close the log."""
        self._closed = True
        running = list(self._running)
        for run in running:
            run.cancel()
        for run in running:
            await run.wait()
        await self._log.aclose()

    def _is_closed(self) -> bool:
        return self._closed


def _check_id(run_id: str) -> None:
    if not isinstance(run_id, str) or not 0 < len(run_id) <= _MAX_ID:
        raise BadMessagesError(
            f"the id of a run must be a string of 1 to {_MAX_ID} characters, not"
            f" {shown(run_id[: _MAX_ID + 1] if isinstance(run_id, str) else run_id)}"
        )


async def _has_more(recording: Recording, after: int | None, *, ended: bool) -> bool:
    """Whether a run that has ended well has anything for a viewer that has come so far."""
    if after is None and not ended:
        return False
    replay = Replay(None, after)
    position, seen = 0, False
    while True:
        news = await recording.read(position, recording.head.buffer)
        position += len(news.pieces)
        seen = seen or bool(replay.data(news.pieces))
        if news.end is not None:
            return seen and news.end.kind == "done"
