"""Calls the caller's functions: async ones in the event loop, plain ones in worker threads."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    import anyio

__all__ = ["call_function", "outcome_of"]


async def call_function(
    threads: anyio.CapacityLimiter, function: Callable[..., object], *arguments: object
) -> object:
    """Call a function, in a worker thread unless async; a thread that hangs is abandoned.

    Raises:
        BaseException: What the function raised.
    """
    if _is_async(function):
        result = function(*arguments)
    else:
        from anyio.to_thread import run_sync  # noqa: PLC0415  only for synchronous functions

        outcome = await run_sync(
            partial(_outcome, function, *arguments), abandon_on_cancel=True, limiter=threads
        )
        try:
            if isinstance(outcome, _Raised):
                raise outcome.error
            result = outcome
        finally:
            del outcome  # breaks the cycle through its traceback
    return await result if inspect.isawaitable(result) else result


async def outcome_of(
    threads: anyio.CapacityLimiter, function: Callable[..., object], *arguments: object
) -> BaseException | None:
    """Call a function and return what it raised: a task must not end with a SystemExit."""
    try:
        await call_function(threads, function, *arguments)
    except BaseException as error:  # noqa: BLE001  raised again by the reader
        return error
    return None


class _Raised(NamedTuple):
    error: BaseException


def _outcome(function: Callable[..., object], *arguments: object) -> object:
    """Return what the function raised as a value, as a future cannot carry every exception."""
    try:
        return function(*arguments)
    except BaseException as error:  # noqa: BLE001  raised again in the event loop
        return _Raised(error)


def _is_async(function: object) -> bool:
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  asks whether it is async, not whether it is callable
    )
