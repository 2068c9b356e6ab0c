"""The options of a call: those of its request, and how it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cometgem.http.retry import check_retry
from cometgem.http.timeouts import check_timeouts
from cometgem.request.options import CommonOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from cometgem.http.retry import RetryPolicy
    from cometgem.http.timeouts import Timeouts
    from cometgem.request.functions import ToolLike

__all__ = ["CallOptions", "GenerateOptions", "check_call"]


class CallOptions(CommonOptions, total=False):
    """What every call takes beside the model, the contents and the tools.

    Attributes:
        timeouts: In place of the client's, in seconds.
        retry: In place of the client's.
    """

    timeouts: Timeouts | None
    retry: RetryPolicy | None


class GenerateOptions(CallOptions, total=False):
    """What both operations take beside the model and the contents.

    Attributes:
        tools: The API's own tools, and functions; functions are declared but not run.
    """

    tools: Sequence[ToolLike] | None


def check_call(options: Mapping[str, Any]) -> None:
    """Check the options that are not part of the request; None means not given.

    Raises:
        ConfigurationError: One is of a wrong type.
    """
    for name, check in (("timeouts", check_timeouts), ("retry", check_retry)):
        if options.get(name) is not None:
            check(options[name])
