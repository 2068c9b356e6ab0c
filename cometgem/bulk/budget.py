"""What a bulk run may cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from cometgem.errors import ConfigurationError
from cometgem.request.arguments import is_integer, shown
from cometgem.types.usage import Usage

__all__ = ["Budget", "Spending", "as_budget"]

Spending: TypeAlias = Callable[[Usage], bool]
"""Gets the usage of all rows so far, and returns True when no more rows should be sent."""


class Budget(Struct, frozen=True):
    """What a bulk run may cost. When it is used up, no more rows are sent; that is no error.

    Args:
        tokens: Tokens of prompts and answers, or None for no limit. Rows stop being sent when the
            tokens used, and the average of what a row used for each one that is running, reach it.
        rows: Rows that are sent, or None for no limit. Results that are reused do not count.

    Raises:
        ConfigurationError: A number is not an integer of at least 1.
    """

    tokens: int | None = None
    rows: int | None = None

    def __post_init__(self) -> None:
        for name in ("tokens", "rows"):
            value = getattr(self, name)
            if value is not None and (not is_integer(value) or value < 1):
                raise ConfigurationError(
                    f"Budget({name}={shown(value)}): use an integer of at least 1, or None"
                )

    def is_used_up(self, *, tokens: int, finished: int, running: int) -> bool:
        """Return whether another row would exceed the budget.

        Args:
            tokens: The tokens used so far.
            finished: How many rows have used them.
            running: How many rows are running.
        """
        if self.rows is not None and finished + running >= self.rows:
            return True
        if self.tokens is None:
            return False
        expected = running * tokens / finished if finished else 0
        return tokens + expected >= self.tokens


def as_budget(given: object) -> Budget | Spending | None:
    """Return the argument ``budget``, or None if there is no limit.

    Raises:
        ConfigurationError: It is neither a ``Budget`` nor a function.
    """
    if given is None or given == Budget():
        return None
    if isinstance(given, Budget) or callable(given):
        return given
    right = f"tokens={given}" if is_integer(given) and given > 0 else "tokens=5_000_000"
    raise ConfigurationError(
        f"budget={shown(given)} is not valid: use Budget({right}), or a function of the usage"
    )
