"""How far a bulk run is. Pure: the clock is passed in."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from cometgem.types.usage import Usage

__all__ = ["Progress", "StopReason", "Tally"]

StopReason: TypeAlias = Literal["budget", "deadline", "interrupt", "stop", "error"]

# Seconds over which the rate of rows is averaged, and between two samples.
_WINDOW = 15.0
_SPACING = 0.5


class Progress(Struct, frozen=True, kw_only=True):
    """How far a bulk run is; printed, it is one line.

    Attributes:
        total: The number of rows, if ``rows`` has a length; otherwise None.
        done: Rows with a response, those reused included.
        failed: Rows with an error, those reused included.
        reused: Rows whose result was read from the results of an earlier run.
        running: Rows that are running or wait for the rate.
        usage: The tokens of the rows that were sent.
        refusals: Requests that were refused (429) and sent again.
        rate: The present limit in requests a second.
        paused: For how many seconds everything still waits, because a quota is used up.
        rows_per_second: How many rows have ended in a second lately, without those reused.
        seconds: How long the run has taken.
        eta: Seconds until all rows are done, or None if that is not known.
        stopped: Why not all rows were sent, or None.
    """

    total: int | None = None
    done: int = 0
    failed: int = 0
    reused: int = 0
    running: int = 0
    usage: Usage = Usage()
    refusals: int = 0
    rate: float = 0.0
    paused: float = 0.0
    rows_per_second: float = 0.0
    seconds: float = 0.0
    eta: float | None = None
    stopped: StopReason | None = None

    def __str__(self) -> str:
        of = "" if self.total is None else f" of {self.total:,}"
        words = [f"{self.done:,}{of} done"]
        if self.failed:
            words.append(f"{self.failed:,} failed")
        if self.reused:
            words.append(f"{self.reused:,} reused")
        words += [f"{self.usage.total_tokens:,} tokens", f"{self.rows_per_second:,.1f} rows/s"]
        if self.refusals:
            words.append(f"{self.refusals:,} refusals")
        if self.paused:
            words.append(f"paused for {self.paused:.0f} s")
        if self.running:
            words.append(f"at most {self.rate:,.1f} requests/s")
        if self.eta is not None:
            words.append(f"{_span(self.eta)} left")
        if self.stopped is not None:
            words.append(f"stopped: {self.stopped}")
        return ", ".join(words)


class Tally:
    """Counts results.

    Args:
        now: The time in seconds.
        total: The number of rows, if it is known.
    """

    def __init__(self, now: float, total: int | None) -> None:
        self.began = now
        self.ended: float | None = None
        self.total = total
        self.finished = 0
        self.running = 0
        self.reused: int = 0
        self.failed: int = 0
        self.done: int = 0
        self.tokens: int = 0
        self.cached: int = 0
        self.thinking: int = 0
        self.output: int = 0
        self.input: int = 0
        self._samples: list[tuple[float, int]] = [(now, 0)]

    @property
    def usage(self) -> Usage:
        """The tokens so far."""
        return Usage(
            input_tokens=self.input,
            output_tokens=self.output,
            thinking_tokens=self.thinking,
            cached_tokens=self.cached,
            total_tokens=self.tokens,
        )

    def add(self, failed: bool, reused: bool) -> None:  # noqa: FBT001  for each row
        """Count a result."""
        if failed:
            self.failed += 1
        else:
            self.done += 1
        if reused:
            self.reused += 1

    def spend(self, usage: Usage) -> None:
        """Count the tokens of a row that was sent."""
        self.input += usage.input_tokens
        self.output += usage.output_tokens
        self.thinking += usage.thinking_tokens
        self.cached += usage.cached_tokens
        self.tokens += usage.total_tokens

    def progress(
        self,
        now: float,
        *,
        rate: float,
        paused: float,
        refusals: int,
        stopped: StopReason | None,
    ) -> Progress:
        """Return how far the run is.

        Args:
            now: The time in seconds.
            rate: The present limit in requests a second.
            paused: For how many seconds everything waits.
            refusals: How many requests were refused.
            stopped: Why no more rows are sent.
        """
        now = now if self.ended is None else self.ended
        per_second = self._sample(now)
        left = None if self.total is None else self.total - self.done - self.failed
        eta = None
        if left is not None and self.ended is None and stopped is None and per_second:
            eta = left / per_second + paused
        return Progress(
            total=self.total,
            done=self.done,
            failed=self.failed,
            reused=self.reused,
            running=self.running,
            usage=self.usage,
            refusals=refusals,
            rate=rate,
            paused=paused,
            rows_per_second=per_second,
            seconds=now - self.began,
            eta=eta,
            stopped=stopped,
        )

    def _sample(self, now: float) -> float:
        """Return the rows a second in the window; after the end, in the whole run."""
        samples = self._samples
        if self.ended is not None:
            at, count = self.began, 0
        else:
            while len(samples) > 1 and now - samples[0][0] > _WINDOW:
                del samples[0]
            at, count = samples[0]
            if now - samples[-1][0] >= _SPACING:
                samples.append((now, self.finished))
        return (self.finished - count) / (now - at) if now > at else 0.0


def _span(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
