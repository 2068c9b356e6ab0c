"""What an answer or an error means for a row and for the run. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cometgem.errors import (
    APIStatusError,
    AuthenticationError,
    ClosedError,
    IncompleteAnswerError,
    NotFoundError,
    PermissionDeniedError,
)
from cometgem.types.enums import FinishReason

if TYPE_CHECKING:
    from cometgem.errors import CometGemError
    from cometgem.types.response import GenerateContentResponse

__all__ = ["ends_run", "is_out_of_quota", "problem_with"]

_FINISHED = (None, "", FinishReason.STOP, "FINISH_REASON_UNSPECIFIED")

# new-api: "user quota is not enough" with 403, and these codes, also with other statuses.
_NO_QUOTA = "quota is not enough"
_NO_QUOTA_CODES = frozenset({"insufficient_quota", "insufficient_user_quota"})


def is_out_of_quota(error: CometGemError) -> bool:
    """Return whether the account has no money left, which waiting does not change."""
    return isinstance(error, APIStatusError) and (
        error.code in _NO_QUOTA_CODES or _NO_QUOTA in error.message
    )


def ends_run(error: CometGemError, *, succeeded: int) -> bool:
    """Return whether all further rows would fail with the same error.

    Args:
        error: The error of a row.
        succeeded: How many rows have succeeded; an unknown model fails from the first row on.
    """
    # The gateway reports an unknown model as 503.
    if isinstance(error, NotFoundError) or getattr(error, "code", None) == "model_not_found":
        return not succeeded
    kinds = (AuthenticationError, PermissionDeniedError, ClosedError)
    return isinstance(error, kinds) or is_out_of_quota(error)


def problem_with(response: GenerateContentResponse) -> IncompleteAnswerError | None:
    """Return what is wrong with an answer that is not complete, or None."""
    reason = response.finish_reason
    if response.block_reason or (reason not in _FINISHED):
        error = IncompleteAnswerError(
            response.why_stopped or "",
            finish_reason=reason,
            block_reason=response.block_reason,
        )
    elif not response.candidates:
        error = IncompleteAnswerError("the response has no candidates")
    else:
        return None
    error.partial = response
    return error
