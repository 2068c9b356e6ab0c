"""The options of a call: those of its request, and how it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cometgem.errors import ConfigurationError
from cometgem.hops import Continuation
from cometgem.http.retry import check_retry
from cometgem.http.timeouts import check_timeouts
from cometgem.request.arguments import is_integer, shown
from cometgem.request.options import CommonOptions
from cometgem.types.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal

    from cometgem.http.retry import RetryPolicy
    from cometgem.http.timeouts import Timeouts
    from cometgem.request.functions import ToolLike

__all__ = ["CallOptions", "GenerateOptions", "as_continuation", "check_call"]


class CallOptions(CommonOptions, total=False):
    """What every call takes beside the model, the contents and the tools.

    Attributes:
        timeouts: In place of the client's, in seconds.
        retry: In place of the client's.
        continuation: Whether a long answer goes on by itself: "auto" or "off". A ``Checkpoint``
            goes on from there.
        max_hops: The maximum number of requests of one answer.
    """

    timeouts: Timeouts | None
    retry: RetryPolicy | None
    continuation: Literal["auto", "off"] | Checkpoint | None
    max_hops: int | None


class GenerateOptions(CallOptions, total=False):
    """What both operations take beside the model and the contents.

    Attributes:
        tools: The API's own tools, and functions; functions are declared but not run.
    """

    tools: Sequence[ToolLike] | None


_DEFAULT = Continuation()


def check_call(options: Mapping[str, Any]) -> None:
    """Check the options that are not part of the request; None means not given.

    Raises:
        ConfigurationError: One is of a wrong type.
    """
    for name, check in (("timeouts", check_timeouts), ("retry", check_retry)):
        if options.get(name) is not None:
            check(options[name])
    as_continuation(options)


def as_continuation(options: Mapping[str, Any]) -> Continuation:
    """Return how the call goes on with a long answer.

    Raises:
        ConfigurationError: ``continuation`` or ``max_hops`` is not valid.
    """
    given, max_hops = options.get("continuation"), options.get("max_hops")
    if given is None and max_hops is None:
        return _DEFAULT
    if max_hops is not None and (not is_integer(max_hops) or max_hops < 1):
        raise ConfigurationError(
            f"max_hops={shown(max_hops)} is not valid; use an integer of at least 1, or None"
        )
    if isinstance(given, Checkpoint):
        if not isinstance(given.token, str) or not given.token:
            raise ConfigurationError(
                "continuation=Checkpoint(...) has no token; use the checkpoint of an error"
            )
        return Continuation(max_hops=max_hops, start=given)
    if given not in (None, "auto", "off"):
        raise ConfigurationError(
            f"continuation={shown(given)} is not valid; use 'auto', 'off' or a Checkpoint"
        )
    return Continuation(follow=given != "off", max_hops=max_hops)
