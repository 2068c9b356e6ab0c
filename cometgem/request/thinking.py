"""How much to think: one setting, translated to each model's own parameter.

Gemini 3 and later take a level, Gemini 2.5 takes a budget of tokens, older models do not think.
The generation is read from the model's name; a name without one is treated as the newest
generation. Only what is not a setting at all is refused: what a model cannot do is replaced by the
nearest it can, if that is known, with a warning, and is otherwise sent unchanged, since the
server knows more than a table. See https://ai.google.dev/gemini-api/docs/thinking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from cometgem.errors import ConfigurationError
from cometgem.request.arguments import is_integer, shown
from cometgem.request.model_names import read_model_name
from cometgem.request.thinking_families import LEVELS, Family, family_of
from cometgem.types.generation import ThinkingConfig

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = [
    "Thinking",
    "Translation",
    "check_thinking",
    "check_thinking_config",
    "mismatch",
    "translate",
]

Thinking: TypeAlias = Literal["off", "minimal", "low", "medium", "high", "xhigh", "dynamic"] | int
"""How much to think: a level, "off", "dynamic" (the model decides), or a number of tokens."""

_NAMES = ("off", *LEVELS, "dynamic")
_DYNAMIC = -1
_MOST_TOKENS = 2**31 - 1  # thinkingBudget is an int32

# The budgets of reasoning_effort in https://ai.google.dev/gemini-api/docs/openai, which ends with
# "high"; "xhigh" is the largest budget of any model.
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768}


class Translation(NamedTuple):
    """A setting in the form that a model takes.

    Attributes:
        config: What is sent; empty if nothing has to be.
        warning: Why it will not have the intended effect, or None.
    """

    config: ThinkingConfig
    warning: str | None = None


def translate(model: str, thinking: Thinking | None, *, thoughts: bool | None) -> Translation:
    """Return the thinking config for a setting.

    Args:
        model: The model's name, with or without ``models/`` and a gateway's suffix.
        thinking: A level, "off", "dynamic" (the model decides), a number of tokens, or None for
            the model's default.
        thoughts: Whether to return summaries of the thinking.

    Raises:
        ConfigurationError: It is not a setting, or asks for thoughts without thinking.
    """
    check_thinking(thinking)
    if _is_off(thinking) and thoughts:
        raise ConfigurationError("thoughts=True cannot be combined with thinking='off'")
    family = family_of(model)
    config, warning = _translate(model, thinking, family)
    if thinking is not None:
        warning = _contradiction(model, family, f"thinking={thinking!r}", config) or warning
    if family.way != "none":
        config.include_thoughts = thoughts
        if thoughts and read_model_name(model).suffix == "nothinking":
            warning = _contradicts("thoughts=True", model)
    elif thoughts:
        warning = warning or _not_sent("thoughts=True", model)
    return Translation(config, warning)


def check_thinking(thinking: object) -> None:
    """Check that a setting exists, whether the model supports it or not.

    Raises:
        ConfigurationError: It does not.
    """
    if thinking is None or (isinstance(thinking, str) and thinking in _NAMES):
        return
    if not is_integer(thinking) or not _DYNAMIC <= thinking <= _MOST_TOKENS:
        names = ", ".join(map(repr, _NAMES))
        raise ConfigurationError(
            f"thinking={shown(thinking)} must be {names} or a number of tokens"
        )


def check_thinking_config(config: Mapping[str, Any]) -> None:
    """Check a ``thinkingConfig`` in wire form.

    Raises:
        ConfigurationError: It has both a level and a budget, which no model supports.
    """
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    if level is not None and budget is not None:
        raise ConfigurationError(
            f"thinkingLevel={level!r} and thinkingBudget={budget!r} exclude each other: use a"
            " level for Gemini 3 and later, a budget for Gemini 2.5"
        )


def mismatch(model: str, config: Mapping[str, Any]) -> str | None:
    """Return why a ``thinkingConfig`` in wire form is known not to fit the model, or None."""
    family = family_of(model)
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    if level is not None and not _takes_level(family, str(level).lower()):
        return f"thinkingLevel={level!r} does not fit {model!r}: it takes {_supported(family)}"
    if budget is not None and not _takes_budget(family, budget):
        return f"thinkingBudget={budget!r} does not fit {model!r}: it takes {_supported(family)}"
    if level is not None:
        setting, sent = (
            f"thinkingLevel={level!r}",
            ThinkingConfig(thinking_level=str(level).upper()),
        )
    elif budget is not None:
        setting, sent = f"thinkingBudget={budget!r}", ThinkingConfig(thinking_budget=budget)
    else:
        return None
    return _contradiction(model, family, setting, sent)


def _translate(model: str, thinking: Thinking | None, family: Family) -> Translation:
    if thinking is None:
        return Translation(ThinkingConfig())
    if family.way == "none":
        warning = None if _is_off(thinking) else _not_sent(f"thinking={thinking!r}", model)
        return Translation(ThinkingConfig(), warning)
    if family.way == "budget":
        return _as_budget(model, thinking, family)
    if thinking in ("dynamic", _DYNAMIC):  # the model's default
        return Translation(ThinkingConfig())
    if isinstance(thinking, str) and thinking != "off":
        return _as_level(model, thinking, family)
    # No level is "off", and levels have no sizes in tokens. Models that take levels have accepted
    # budgets so far, 0 among them, except where `off` says otherwise.
    budget = 0 if thinking == "off" else int(thinking)
    warning = None
    if budget == 0 and not family.off:
        warning = (
            f"thinking={thinking!r} is sent as thinkingBudget=0, but {model!r} is known to refuse"
            f" that: it takes {_supported(family)}"
        )
    return Translation(ThinkingConfig(thinking_budget=budget), warning)


def _as_level(model: str, level: str, family: Family) -> Translation:
    nearest = level if _takes_level(family, level) else _nearest(level, family.levels)
    warning = None if nearest == level else _replaced(level, model, f"{nearest!r}")
    return Translation(ThinkingConfig(thinking_level=nearest.upper()), warning)


def _as_budget(model: str, thinking: Thinking, family: Family) -> Translation:
    budgets = {"off": 0, "dynamic": _DYNAMIC, **_BUDGETS}
    budget = budgets[thinking] if isinstance(thinking, str) else thinking
    if _takes_budget(family, budget):
        return Translation(ThinkingConfig(thinking_budget=budget))
    nearest = min(max(budget, family.least), family.most)
    warning = _replaced(thinking, model, f"{nearest} tokens")
    return Translation(ThinkingConfig(thinking_budget=nearest), warning)


def _contradiction(model: str, family: Family, setting: str, sent: ThinkingConfig) -> str | None:
    """Return that the suffix of the name says something else, or None."""
    suffix = read_model_name(model).suffix
    if not suffix:
        return None
    if suffix == "thinking":
        agrees = sent.thinking_budget != 0
    else:
        agrees = sent == _translate(model, _named(suffix), family).config
    return None if agrees else _contradicts(setting, model)


def _named(suffix: str) -> Thinking:
    """Return the setting that a suffix other than "thinking" stands for."""
    tokens = suffix.removeprefix("thinking-")
    if tokens.isdecimal():
        return int(tokens)
    names: dict[str, Thinking] = {"nothinking": "off", "max": "xhigh"}
    return names.get(suffix) or suffix  # type: ignore[return-value]  # a level


def _is_off(thinking: object) -> bool:
    return thinking == "off" or (is_integer(thinking) and thinking == 0)


def _nearest(level: str, levels: tuple[str, ...]) -> str:
    """Return the nearest of some levels; of two, the higher, as Google maps "medium" to "high"."""
    at = LEVELS.index(level)
    return min(reversed(levels), key=lambda one: abs(LEVELS.index(one) - at))


def _takes_level(family: Family, level: str) -> bool:
    return family.way == "level" and (not family.levels or level in family.levels)


def _takes_budget(family: Family, budget: object) -> bool:
    if family.way == "level":
        return budget != 0 or family.off
    if family.way == "none" or not isinstance(budget, int):
        return False
    if budget == 0:
        return family.off
    return budget == _DYNAMIC or family.least <= budget <= family.most


def _replaced(thinking: str | int, model: str, nearest: str) -> str:
    return f"{model!r} does not take thinking={thinking!r}: sent as {nearest}, the nearest it takes"


def _contradicts(setting: str, model: str) -> str:
    suffix = read_model_name(model).suffix
    return f"{setting} contradicts the suffix '-{suffix}' of {model!r}: a gateway may apply either"


def _not_sent(setting: str, model: str) -> str:
    return f"{setting} is not sent: {model!r} has no parameter for thinking"


def _supported(family: Family) -> str:
    if family.way == "level":
        return ", ".join(map(repr, family.levels)) + " or 'dynamic'"
    if family.way == "none":
        return "'off' only"
    off = "'off', " if family.off else ""
    return f"{off}'minimal' to 'high', 'dynamic', or {family.least} to {family.most} tokens"
