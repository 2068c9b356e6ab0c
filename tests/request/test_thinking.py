"""How each setting is translated for each generation of models."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cometgem.errors import ConfigurationError
from cometgem.request.build import build_request
from cometgem.request.thinking import mismatch, thinking_config
from cometgem.types import GenerationConfig, ThinkingConfig

SETTINGS = ("off", "minimal", "low", "medium", "high", "dynamic", 0, -1, 100, 600, 32768)

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
    return {setting: LEVELS[setting] for setting in (*names, "dynamic", -1)}


def budgets(*without: Any) -> dict[Any, ThinkingConfig]:
    return {
        setting: ThinkingConfig(thinking_budget=budget)
        for setting, budget in BUDGETS.items()
        if setting not in without
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
    "an-unknown-model": LEVELS,
    "gemini-2.5-pro": PRO,
    "models/gemini-2.5-pro-preview-06-05": PRO,
    "Gemini-2.5-Flash": budgets(),
    "gemini-2.5-flash-preview-09-2025": budgets(),
    "gemini-2.5-flash-lite": budgets(100),
    "gemini-2.0-flash": {"off": ThinkingConfig(), 0: ThinkingConfig()},
    "gemini-1.5-pro-002": {"off": ThinkingConfig(), 0: ThinkingConfig()},
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_is_translated_to_the_models_parameter(model: str, setting: Any) -> None:
    expected = MODELS[model].get(setting)
    if expected is None:
        with pytest.raises(
            ConfigurationError, match=f"does not support thinking={setting!r}: it takes '"
        ):
            thinking_config(model, setting, thoughts=None)
    else:
        assert thinking_config(model, setting, thoughts=None) == expected


@pytest.mark.parametrize(
    ("model", "setting", "supported"),
    [
        ("gemini-2.5-pro", "off", "'minimal' to 'high', 'dynamic', or 128 to 32768 tokens"),
        ("gemini-2.5-flash", 99999, "'off', 'minimal' to 'high', 'dynamic', or 1 to 24576 tokens"),
        ("gemini-3-flash", 1000, "'minimal', 'low', 'medium', 'high' or 'dynamic'"),
        ("gemini-3-pro", "off", "'low', 'high' or 'dynamic'"),
        ("gemini-2.0-flash", "low", "'off' only"),
    ],
)
def test_the_error_says_what_the_model_supports(model: str, setting: Any, supported: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        thinking_config(model, setting, thoughts=None)
    assert (
        str(caught.value)
        == f"{model!r} does not support thinking={setting!r}: it takes {supported}"
    )


@pytest.mark.parametrize("setting", ["max", "LOW", "", -2, True, 1.5, [], {"thinkingLevel": "LOW"}])
def test_invalid_settings_are_refused(setting: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^thinking=.* must be 'off', 'minimal', 'low'"):
        thinking_config("gemini-3-flash", setting, thoughts=None)


def test_thoughts_set_include_thoughts() -> None:
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
def test_thinking_is_added_to_the_generation_config(config: Any) -> None:
    other = {} if config is None else {"seed": 5}
    made, warning = sent("gemini-3-pro", thinking="high", thoughts=True, generation_config=config)
    assert made == other | {"thinkingConfig": {"thinkingLevel": "HIGH", "includeThoughts": True}}
    assert warning is None
    assert sent("gemini-3-pro", thinking="dynamic", generation_config=config) == (
        other or None,
        None,
    )
    if config is not None:  # the argument is not modified
        assert config in (GenerationConfig(seed=5), {"seed": 5})


@pytest.mark.parametrize(
    "explicit",
    [
        GenerationConfig(thinking_config=ThinkingConfig(thinking_budget=7)),
        {"thinkingConfig": {"thinkingBudget": 7}},
        {"thinking_config": ThinkingConfig(thinking_budget=7)},
    ],
)
def test_an_explicit_thinking_config_takes_precedence(explicit: Any) -> None:
    config, warning = sent(
        "gemini-2.5-pro", thinking="high", thoughts=True, generation_config=explicit
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
        ("an-unknown-model", {"thinkingLevel": "LOW"}, True),
        ("gemini-3-flash", {"newer": 1}, True),
    ],
)
def test_mismatches_of_config_and_model(model: str, config: dict[str, Any], *, fits: bool) -> None:
    assert (mismatch(model, config) is None) == fits
