"""What is known about the thinking of each family of models, and where it is known from.

The table only ever leads to a nearer value and a warning, never to a refusal: it ages within
weeks, and a family that is not in it takes whatever is asked for. Sources:

- https://ai.google.dev/gemini-api/docs/thinking: budgets of Gemini 2.5, levels of Gemini 3 and
  later, and that 2.5 Pro, 3 Pro and 3.1 Pro cannot be switched off.
- https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/thinking: the table of
  ``thinking_level`` values for each model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from cometgem.request.model_names import read_model_name

if TYPE_CHECKING:
    from cometgem.request.model_names import ModelName

__all__ = ["FAMILIES", "LEVELS", "Family", "family_of"]

LEVELS = ("minimal", "low", "medium", "high", "xhigh")


class Family(NamedTuple):
    """How models are told how much to think.

    Attributes:
        way: The parameter they take: ``thinkingLevel``, ``thinkingBudget``, or none.
        levels: The levels they take; empty if that is not known.
        least: The smallest budget in tokens, besides 0.
        most: The largest budget in tokens.
        off: False if they are known to refuse a budget of 0.
    """

    way: Literal["level", "budget", "none"] = "level"
    levels: tuple[str, ...] = ()
    least: int = 1
    most: int = 0
    off: bool = True


_NOT_KNOWN = Family()  # newer than the table, or without a generation: the newest way
_FLASH_2_5 = Family("budget", most=24576)
_TO_HIGH = Family(levels=LEVELS[:4])
_FROM_LOW = Family(levels=LEVELS[1:4])

FAMILIES: dict[tuple[str, int, int], dict[str, Family]] = {
    ("gemini", 2, 5): {
        "": _FLASH_2_5,
        "flash-lite": Family("budget", least=512, most=24576),
        "pro": Family("budget", least=128, most=32768, off=False),
    },
    ("gemini", 3, 0): {
        "flash": _TO_HIGH,
        "pro": Family(levels=("low", "high"), off=False),
        "pro-image": _NOT_KNOWN,
    },
    ("gemini", 3, 1): {
        "flash": _TO_HIGH,
        "flash-image": Family(levels=("minimal", "high")),
        "pro": Family(levels=LEVELS[1:4], off=False),
    },
    ("gemini", 3, 5): {"flash-lite": _TO_HIGH},
    ("gemini", 3, 6): {"flash": _TO_HIGH},
    ("gemini", 3, 7): {"flash": _FROM_LOW},
    ("gemini", 3, 8): {"flash": _FROM_LOW},
    ("gemini", 4, 0): {"": _FROM_LOW, "hydrogen": Family(levels=LEVELS[1:])},
    ("gemma", 4, 0): {"": Family(levels=("minimal", "high"))},
}


def family_of(model: str | ModelName) -> Family:
    """Return what is known about a model; the newest way if nothing is."""
    name = read_model_name(model) if isinstance(model, str) else model
    if name.product == "gemini" and name.generation < (2, 5):
        return Family("none")
    families = FAMILIES.get((name.product, *name.generation), {})
    known = [family for family in families if name.is_family(family)]
    if known:
        return families[max(known, key=len)]
    is_2 = name.product == "gemini" and name.generation < (3, 0)
    return _FLASH_2_5 if is_2 else _NOT_KNOWN
