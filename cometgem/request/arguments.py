"""Checks of the types of arguments, shared by all that take them."""

from __future__ import annotations

import math
from typing import TypeGuard

from cometgem.errors import ConfigurationError

__all__ = ["check_bool", "is_integer", "is_number", "shown"]

_LONGEST = 60


def shown(value: object) -> str:
    """Return the repr of an argument, short enough for an error message."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  the caller's code
        return f"<{type(value).__name__}>"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def is_integer(value: object) -> TypeGuard[int]:
    """Return whether it is an integer; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> TypeGuard[float]:
    """Return whether it is a number that a float can hold; True, False and NaN are not."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    try:
        return not math.isnan(value)
    except OverflowError:
        return False


def check_bool(name: str, value: object) -> None:
    """Check that an argument is a bool: any other value has a truth, but may mean the opposite.

    Raises:
        ConfigurationError: It is not.
    """
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name}={shown(value)} is not a bool: use True or False")
