"""How much to think: one setting, translated to each model's own parameter.

Gemini 3 and later take a level, Gemini 2.5 takes a budget of tokens, older models do not think.
The generation is read from the model's name; a name without one is treated as the newest
generation. For levels and budgets see https://ai.google.dev/gemini-api/docs/thinking.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from cometgem.errors import ConfigurationError
from cometgem.request.arguments import shown
from cometgem.types.generation import ThinkingConfig

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["Thinking", "check_thinking", "check_thinking_config", "mismatch", "thinking_config"]

Thinking: TypeAlias = Literal["off", "minimal", "low", "medium", "high", "dynamic"] | int

_ALL_LEVELS = ("minimal", "low", "medium", "high")
_NAMES = ("off", *_ALL_LEVELS, "dynamic")

# The budgets of reasoning_effort in https://ai.google.dev/gemini-api/docs/openai.
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
_DYNAMIC = -1


class _Rule(NamedTuple):
    """The settings that one family of models supports, from one generation on."""

    since: tuple[int, int]
    family: str  # "" for any
    levels: tuple[str, ...] = ()
    least: int = 0  # tokens; smaller budgets are refused, except 0 if `off`
    most: int = 0  # tokens; 0 if the models take no budget
    off: bool = True  # whether thinking can be turned off


# The last rule that matches applies. A rule with a family applies to its own generation only, since
# the limits of a family may change with the next.
_RULES = (
    _Rule((0, 0), ""),
    _Rule((2, 5), "", most=24576),
    _Rule((2, 5), "flash-lite", least=512, most=24576),
    _Rule((2, 5), "pro", least=128, most=32768, off=False),
    _Rule((3, 0), "", levels=_ALL_LEVELS, off=False),
    _Rule((3, 0), "pro", levels=("low", "high"), off=False),
    _Rule((3, 1), "pro", levels=("low", "medium", "high"), off=False),
)
_NEWEST = next(rule for rule in reversed(_RULES) if not rule.family)

# A string, since not every program sets thinking: `re` compiles and caches it when needed.
_GENERATION = r"gemini-(\d{1,3})(?:\.(\d{1,3}))?(?![\d.])(?:-(flash-lite|pro)\b)?"


def thinking_config(
    model: str, thinking: Thinking | None, *, thoughts: bool | None
) -> ThinkingConfig:
    """Return the thinking config for a setting.

    Args:
        model: The model's name, with or without ``models/``.
        thinking: A level, "off", "dynamic" (the model decides), a number of tokens, or None for
            the model's default.
        thoughts: Whether to return summaries of the thinking.

    Raises:
        ConfigurationError: The model does not support it; the message says what it supports.
    """
    rule = _rule(model)
    check_thinking(thinking)
    if thinking in ("off", 0) and thoughts:
        raise ConfigurationError("thoughts=True cannot be combined with thinking='off'")
    if rule.levels:
        config = _as_level(thinking, rule, model)
    elif rule.most:
        config = _as_budget(thinking, rule, model)
    elif thoughts or thinking not in (None, "off", 0):
        setting = "thoughts=True" if thoughts else f"thinking={thinking!r}"
        raise _unsupported(setting, rule, model)
    else:
        return ThinkingConfig()
    config.include_thoughts = thoughts
    return config


def check_thinking(thinking: object) -> None:
    """Check that a setting exists, whether the model supports it or not.

    Raises:
        ConfigurationError: It does not.
    """
    if not _is_valid(thinking):
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
    """Return why a ``thinkingConfig`` in wire form does not fit the model, or None if it does."""
    rule = _rule(model)
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    if level is not None and str(level).lower() not in rule.levels:
        return f"thinkingLevel={level!r} does not fit {model!r}: it takes {_supported(rule)}"
    if budget is not None and not _fits(budget, rule):
        return f"thinkingBudget={budget!r} does not fit {model!r}: it takes {_supported(rule)}"
    return None


def _is_valid(thinking: object) -> bool:
    if isinstance(thinking, int) and not isinstance(thinking, bool):
        return thinking >= _DYNAMIC
    return thinking is None or (isinstance(thinking, str) and thinking in _NAMES)


def _rule(model: str) -> _Rule:
    name = re.search(_GENERATION, model.lower())
    if name is None:
        return _NEWEST
    generation = int(name[1]), int(name[2] or 0)
    return next(
        rule
        for rule in reversed(_RULES)
        if rule.since <= generation
        and (not rule.family or (rule.family == name[3] and rule.since[0] == generation[0]))
    )


def _as_level(thinking: Thinking | None, rule: _Rule, model: str) -> ThinkingConfig:
    if thinking in (None, "dynamic", _DYNAMIC):  # the model's default
        return ThinkingConfig()
    if thinking not in rule.levels:
        raise _unsupported(f"thinking={thinking!r}", rule, model)
    return ThinkingConfig(thinking_level=str(thinking).upper())


def _as_budget(thinking: Thinking | None, rule: _Rule, model: str) -> ThinkingConfig:
    budgets = {"off": 0, "dynamic": _DYNAMIC, **_BUDGETS}
    budget = budgets[thinking] if isinstance(thinking, str) else thinking
    if budget is not None and not _fits(budget, rule):
        raise _unsupported(f"thinking={thinking!r}", rule, model)
    return ThinkingConfig(thinking_budget=budget)


def _fits(budget: object, rule: _Rule) -> bool:
    if not isinstance(budget, int) or not rule.most:
        return False
    if budget == 0:
        return rule.off
    return budget == _DYNAMIC or max(1, rule.least) <= budget <= rule.most


def _unsupported(setting: str, rule: _Rule, model: str) -> ConfigurationError:
    return ConfigurationError(f"{model!r} does not support {setting}: it takes {_supported(rule)}")


def _supported(rule: _Rule) -> str:
    if rule.levels:
        return ", ".join(map(repr, rule.levels)) + " or 'dynamic'"
    if not rule.most:
        return "'off' only"
    off = "'off', " if rule.off else ""
    return f"{off}'minimal' to 'high', 'dynamic', or {max(1, rule.least)} to {rule.most} tokens"
