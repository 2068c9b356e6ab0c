"""What each generation is told, of each wish, as the API's pages on thinking say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cometgem.errors import ConfigurationError
from cometgem.request.build import build_request
from cometgem.request.thinking import mismatch, thinking_config
from cometgem.types import GenerationConfig, ThinkingConfig

WISHES = ("off", "minimal", "low", "medium", "high", "dynamic", 0, -1, 100, 600, 32768)

LEVELS: dict[Any, ThinkingConfig] = {
    "minimal": ThinkingConfig(thinking_level="MINIMAL"),
    "low": ThinkingConfig(thinking_level="LOW"),
    "medium": ThinkingConfig(thinking_level="MEDIUM"),
    "high": ThinkingConfig(thinking_level="HIGH"),
    "dynamic": ThinkingConfig(),
    -1: ThinkingConfig(),
}
BUDGETS: dict[Any, int] = {
    "off": 0,
    "minimal": 1024,
    "low": 1024,
    "medium": 8192,
    "high": 24576,
    "dynamic": -1,
    0: 0,
    -1: -1,
    100: 100,
    600: 600,
}


def levels(*names: str) -> dict[Any, ThinkingConfig]:
    return {wish: LEVELS[wish] for wish in (*names, "dynamic", -1)}


def budgets(*without: Any) -> dict[Any, ThinkingConfig]:
    return {
        wish: ThinkingConfig(thinking_budget=budget)
        for wish, budget in BUDGETS.items()
        if wish not in without
    }


PRO = budgets("off", 0, 100) | {32768: ThinkingConfig(thinking_budget=32768)}

MODELS = {
    "gemini-3-flash-preview": LEVELS,
    "gemini-3.6-flash": LEVELS,
    "gemini-3.5-flash-lite": LEVELS,
    "gemini-3-pro-preview": levels("low", "high"),
    "models/gemini-3.1-pro-preview": levels("low", "medium", "high"),
    "gemini-4-pro": LEVELS,
    "gemini-10.2-ultra": LEVELS,
    "gemini-flash-latest": LEVELS,
    "no-name-of-ours": LEVELS,
    "gemini-2.5-pro": PRO,
    "models/gemini-2.5-pro-preview-06-05": PRO,
    "Gemini-2.5-Flash": budgets(),
    "gemini-2.5-flash-preview-09-2025": budgets(),
    "gemini-2.5-flash-lite": budgets(100),
    "gemini-2.0-flash": {"off": ThinkingConfig(), 0: ThinkingConfig()},
    "gemini-1.5-pro-002": {"off": ThinkingConfig(), 0: ThinkingConfig()},
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("wish", WISHES)
def test_a_wish_becomes_what_the_generation_takes(model: str, wish: Any) -> None:
    expected = MODELS[model].get(wish)
    if expected is None:
        with pytest.raises(
            ConfigurationError, match=f"does not support thinking={wish!r}: it takes '"
        ):
            thinking_config(model, wish, thoughts=None)
    else:
        assert thinking_config(model, wish, thoughts=None) == expected


@pytest.mark.parametrize(
    ("model", "wish", "possible"),
    [
        ("gemini-2.5-pro", "off", "'minimal' to 'high', 'dynamic', or 128 to 32768 tokens"),
        ("gemini-2.5-flash", 99999, "'off', 'minimal' to 'high', 'dynamic', or 1 to 24576 tokens"),
        ("gemini-3-flash", 1000, "'minimal', 'low', 'medium', 'high' or 'dynamic'"),
        ("gemini-3-pro", "off", "'low', 'high' or 'dynamic'"),
        ("gemini-2.0-flash", "low", "'off' only"),
    ],
)
def test_an_impossible_wish_is_told_what_is_possible(model: str, wish: Any, possible: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        thinking_config(model, wish, thoughts=None)
    assert str(caught.value) == f"{model!r} does not support thinking={wish!r}: it takes {possible}"


@pytest.mark.parametrize("wish", ["max", "LOW", "", -2, True, 1.5, [], {"thinkingLevel": "LOW"}])
def test_what_is_no_wish(wish: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^thinking=.* must be 'off', 'minimal', 'low'"):
        thinking_config("gemini-3-flash", wish, thoughts=None)


def test_summaries() -> None:
    assert thinking_config("gemini-3-pro", "low", thoughts=True) == ThinkingConfig(
        thinking_level="LOW", include_thoughts=True
    )
    assert thinking_config("gemini-2.5-pro", None, thoughts=False) == ThinkingConfig(
        include_thoughts=False
    )
    assert thinking_config("gemini-2.0-flash", None, thoughts=False) == ThinkingConfig()
    with pytest.raises(ConfigurationError, match="cannot be combined with thinking='off'"):
        thinking_config("gemini-2.5-flash", "off", thoughts=True)
    with pytest.raises(ConfigurationError, match="does not support thoughts=True"):
        thinking_config("gemini-2.0-flash", None, thoughts=True)


def sent(model: str, **options: Any) -> Any:
    request = build_request("generateContent", model, "Hi", options)  # type: ignore[arg-type]
    return json.loads(request.body).get("generationConfig"), request.warning


@pytest.mark.parametrize("config", [None, GenerationConfig(seed=5), {"seed": 5}])
def test_it_stands_beside_the_other_configuration(config: Any) -> None:
    other = {} if config is None else {"seed": 5}
    wish, warning = sent("gemini-3-pro", thinking="high", thoughts=True, generation_config=config)
    assert wish == other | {"thinkingConfig": {"thinkingLevel": "HIGH", "includeThoughts": True}}
    assert warning is None
    assert sent("gemini-3-pro", thinking="dynamic", generation_config=config) == (
        other or None,
        None,
    )
    if config is not None:  # which is the caller's
        assert config in (GenerationConfig(seed=5), {"seed": 5})


@pytest.mark.parametrize(
    "by_hand",
    [
        GenerationConfig(thinking_config=ThinkingConfig(thinking_budget=7)),
        {"thinkingConfig": {"thinkingBudget": 7}},
        {"thinking_config": ThinkingConfig(thinking_budget=7)},
    ],
)
def test_what_was_given_by_hand_wins(by_hand: Any) -> None:
    config, warning = sent(
        "gemini-2.5-pro", thinking="high", thoughts=True, generation_config=by_hand
    )
    assert config == {"thinkingConfig": {"thinkingBudget": 7}}
    assert warning == (
        "thinkingBudget=7 does not fit 'gemini-2.5-pro': it takes 'minimal' to 'high', 'dynamic',"
        " or 128 to 32768 tokens"
    )


@pytest.mark.parametrize(
    ("model", "config", "fits"),
    [
        ("gemini-3-flash", {"thinkingLevel": "LOW"}, True),
        ("gemini-3-flash", {"thinkingLevel": "low", "includeThoughts": True}, True),
        ("gemini-3-flash", {"thinkingLevel": "EXTREME"}, False),
        ("gemini-3-flash", {"thinkingBudget": 1024}, False),
        ("gemini-3-pro", {"thinkingLevel": "MINIMAL"}, False),
        ("gemini-2.5-flash", {"thinkingLevel": "LOW"}, False),
        ("gemini-2.5-flash", {"thinkingBudget": 0}, True),
        ("gemini-2.5-flash", {"thinkingBudget": -1}, True),
        ("gemini-2.5-flash", {"thinkingBudget": "1024"}, False),
        ("gemini-2.5-pro", {"thinkingBudget": 0}, False),
        ("gemini-2.0-flash", {"thinkingBudget": 0}, False),
        ("gemini-2.0-flash", {"includeThoughts": False, "thinkingBudget": None}, True),
        ("no-name-of-ours", {"thinkingLevel": "LOW"}, True),
        ("gemini-3-flash", {"newer": 1}, True),
    ],
)
def test_what_does_not_fit_the_name(model: str, config: dict[str, Any], *, fits: bool) -> None:
    assert (mismatch(model, config) is None) == fits
