"""How each setting is translated for each generation of models."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cometgem.errors import ConfigurationError
from cometgem.request.build import build_request
from cometgem.request.thinking import Translation, mismatch, translate
from cometgem.types import GenerationConfig, ThinkingConfig

SETTINGS = ["off", "minimal", "low", "medium", "high", "xhigh", "dynamic"]
TOKENS = (0, -1, 100, 600, 32768, 99999)

# What each setting is sent as, in the order of SETTINGS: a level, a budget, or "-" for nothing;
# with a "*" if there is a warning.
LEVELS = {
    # 3 and later, as far as their levels are known
    "gemini-3-pro-preview": "0* LOW* LOW HIGH* HIGH HIGH* -",
    "models/gemini-3.1-pro-preview": "0* LOW* LOW MEDIUM HIGH HIGH* -",
    "gemini-3-flash-preview": "0 MINIMAL LOW MEDIUM HIGH HIGH* -",
    "gemini-3.1-flash-lite": "0 MINIMAL LOW MEDIUM HIGH HIGH* -",
    "gemini-3.1-flash-image-preview": "0 MINIMAL MINIMAL* HIGH* HIGH HIGH* -",
    "gemini-3.5-flash-lite": "0 MINIMAL LOW MEDIUM HIGH HIGH* -",
    "gemini-3.6-flash": "0 MINIMAL LOW MEDIUM HIGH HIGH* -",
    "gemini-3.7-flash": "0 LOW* LOW MEDIUM HIGH HIGH* -",
    "gemini-3.8-flash": "0 LOW* LOW MEDIUM HIGH HIGH* -",
    "Gemini-3.8-Flash": "0 LOW* LOW MEDIUM HIGH HIGH* -",
    "[eu]gemini-3.8-flash@002": "0 LOW* LOW MEDIUM HIGH HIGH* -",
    "gemini-4-argon": "0 LOW* LOW MEDIUM HIGH HIGH* -",
    "gemini-4-hydrogen": "0 LOW* LOW MEDIUM HIGH XHIGH -",
    "gemma-4-31b-it": "0 MINIMAL MINIMAL* HIGH* HIGH HIGH* -",
    # of which nothing is known
    "gemini-3-pro-image-preview": "0 MINIMAL LOW MEDIUM HIGH XHIGH -",
    "gemini-3.5-flash": "0 MINIMAL LOW MEDIUM HIGH XHIGH -",
    "gemini-3.9-flash": "0 MINIMAL LOW MEDIUM HIGH XHIGH -",
    "gemini-4.1-argon": "0 MINIMAL LOW MEDIUM HIGH XHIGH -",
    "gemini-10.2-ultra": "0 MINIMAL LOW MEDIUM HIGH XHIGH -",
    "gemini-flash-latest": "0 MINIMAL LOW MEDIUM HIGH XHIGH -",
    "gemini-pro-latest": "0 MINIMAL LOW MEDIUM HIGH XHIGH -",
    "an-unknown-model": "0 MINIMAL LOW MEDIUM HIGH XHIGH -",
}
BUDGETS = {
    "gemini-2.5-pro": "128* 1024 1024 8192 24576 32768 -1",
    "models/gemini-2.5-pro-preview-06-05": "128* 1024 1024 8192 24576 32768 -1",
    "Gemini-2.5-Flash": "0 1024 1024 8192 24576 24576* -1",
    "gemini-2.5-flash-preview-09-2025": "0 1024 1024 8192 24576 24576* -1",
    "gemini-2.5-flash-lite": "0 1024 1024 8192 24576 24576* -1",
    "gemini-2.7-ultra": "0 1024 1024 8192 24576 24576* -1",
}
NEITHER = {
    "gemini-2.0-flash": "- -* -* -* -* -* -*",
    "gemini-1.5-pro-002": "- -* -* -* -* -* -*",
}
# The same for TOKENS.
NUMBERS = {
    "gemini-2.5-pro": "128* -1 128* 600 32768 32768*",
    "gemini-2.5-flash": "0 -1 100 600 24576* 24576*",
    "gemini-2.5-flash-lite": "0 -1 512* 600 24576* 24576*",
    "gemini-2.0-flash": "- -* -* -* -* -*",
    "gemini-3-pro-preview": "0* - 100 600 32768 99999",
    "gemini-3.5-flash": "0 - 100 600 32768 99999",
    "gemini-3.6-flash": "0 - 100 600 32768 99999",
    "gemini-3.8-flash": "0 - 100 600 32768 99999",
    "gemini-4-argon": "0 - 100 600 32768 99999",
    "an-unknown-model": "0 - 100 600 32768 99999",
}
TABLE = [
    (model, setting, cell)
    for rows, settings in (
        ({**LEVELS, **BUDGETS, **NEITHER}, SETTINGS),
        (NUMBERS, TOKENS),
    )
    for model, cells in rows.items()
    for setting, cell in zip(settings, cells.split(), strict=True)
]


def config_of(cell: str) -> ThinkingConfig:
    if cell == "-":
        return ThinkingConfig()
    if cell.lstrip("-").isdecimal():
        return ThinkingConfig(thinking_budget=int(cell))
    return ThinkingConfig(thinking_level=cell)


@pytest.mark.parametrize(("model", "setting", "cell"), TABLE)
def test_a_setting_is_translated_to_the_models_parameter(
    model: str, setting: Any, cell: str
) -> None:
    config, warning = translate(model, setting, thoughts=None)
    assert config == config_of(cell.rstrip("*"))
    if not cell.endswith("*"):
        assert warning is None
    else:  # names the model, what was asked for and what is sent
        assert warning is not None
        assert repr(model) in warning
        assert f"thinking={setting!r}" in warning
        sent = "not sent" if cell == "-*" else cell.rstrip("*").lower()
        assert sent in warning


@pytest.mark.parametrize("model", [*LEVELS, *BUDGETS, *NEITHER])
def test_without_a_setting_nothing_is_sent(model: str) -> None:
    assert translate(model, None, thoughts=None) == Translation(ThinkingConfig())


@pytest.mark.parametrize(
    ("model", "setting", "warning"),
    [
        (
            "gemini-3.8-flash",
            "minimal",
            (
                "'gemini-3.8-flash' does not take thinking='minimal': sent as 'low',"
                " the nearest it takes"
            ),
        ),
        (
            "gemini-2.5-pro",
            "off",
            (
                "'gemini-2.5-pro' does not take thinking='off': sent as 128 tokens,"
                " the nearest it takes"
            ),
        ),
        (
            "gemini-2.5-flash",
            99999,
            (
                "'gemini-2.5-flash' does not take thinking=99999: sent as 24576 tokens, the nearest"
                " it takes"
            ),
        ),
        (
            "gemini-3-pro",
            "off",
            (
                "thinking='off' is sent as thinkingBudget=0, but 'gemini-3-pro' is known to refuse"
                " that: it takes 'low', 'high' or 'dynamic'"
            ),
        ),
        (
            "gemini-2.0-flash",
            "low",
            "thinking='low' is not sent: 'gemini-2.0-flash' has no parameter for thinking",
        ),
        (
            "gemini-2.5-flash-nothinking",
            "high",
            (
                "thinking='high' contradicts the suffix '-nothinking' of"
                " 'gemini-2.5-flash-nothinking': a gateway may apply either"
            ),
        ),
    ],
)
def test_the_words_of_the_warnings(model: str, setting: Any, warning: str) -> None:
    assert translate(model, setting, thoughts=None).warning == warning


@pytest.mark.parametrize(
    "setting",
    ["max", "LOW", "", -2, 2**31, 10**30, True, 1.5, [], {"thinkingLevel": "LOW"}],
)
@pytest.mark.parametrize("model", ["gemini-3.8-flash", "gemini-2.5-pro", "gemini-2.0-flash", "x"])
def test_what_is_no_setting_is_refused(model: str, setting: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^thinking=.* must be 'off', 'minimal', 'low'"):
        translate(model, setting, thoughts=None)


# A suffix, settings that agree with it, and settings that contradict it.
SUFFIXES: list[tuple[str, list[Any], list[Any]]] = [
    ("gemini-2.5-flash-thinking", ["low", "high", "dynamic", 512, -1], ["off", 0]),
    ("gemini-2.5-flash-nothinking", ["off", 0], ["low", "high", "dynamic", 512]),
    ("gemini-2.5-flash-thinking-1024", ["low", "minimal", 1024], ["off", "high", 1025, "dynamic"]),
    ("gemini-2.5-flash-low", ["low", "minimal", 1024], ["off", "medium", "dynamic"]),
    ("gemini-3.8-flash-thinking", ["low", "high", "dynamic", 512], ["off", 0]),
    ("gemini-3.8-flash-nothinking", ["off", 0], ["low", "high", "dynamic", 512]),
    ("gemini-3.8-flash-thinking-1024", [1024], ["off", "low", 1025]),
    ("gemini-3.8-flash-high", ["high"], ["off", "low", "dynamic", 512]),
    ("gemini-3-flash-preview-minimal", ["minimal"], ["off", "low", "high"]),
    ("gemini-4-hydrogen-xhigh", ["xhigh"], ["off", "high"]),
    ("gemini-4-hydrogen-max", ["xhigh"], ["off", "high"]),
    ("gemini-flash-latest-medium", ["medium"], ["high"]),
    ("an-unknown-model-low", ["low"], ["high"]),
]


@pytest.mark.parametrize(("model", "agreeing", "contradicting"), SUFFIXES)
def test_the_suffix_of_a_gateway_is_understood(
    model: str, agreeing: list[Any], contradicting: list[Any]
) -> None:
    name = model.removesuffix("-thinking-1024")
    name = name.rpartition("-")[0] if name == model else name
    for setting in (*agreeing, *contradicting):
        config, warning = translate(model, setting, thoughts=None)
        assert config == translate(name, setting, thoughts=None).config
        assert ("contradicts the suffix" in (warning or "")) == (setting in contradicting), setting
    # Nothing is added for the suffix itself: that is what the gateway does.
    assert translate(model, None, thoughts=None) == Translation(ThinkingConfig())


@pytest.mark.parametrize(
    ("model", "thoughts", "warned"),
    [
        ("gemini-2.5-flash-nothinking", True, True),
        ("gemini-2.5-flash-nothinking", False, False),
        ("gemini-2.5-flash-thinking", True, False),
        ("gemini-3.8-flash-low", True, False),
    ],
)
def test_thoughts_and_the_suffix(model: str, *, thoughts: bool, warned: bool) -> None:
    config, warning = translate(model, None, thoughts=thoughts)
    assert config == ThinkingConfig(include_thoughts=thoughts)
    assert (warning is not None) == warned


def test_thoughts_set_include_thoughts() -> None:
    assert translate("gemini-3-pro", "low", thoughts=True).config == ThinkingConfig(
        thinking_level="LOW", include_thoughts=True
    )
    assert translate("gemini-2.5-pro", None, thoughts=False).config == ThinkingConfig(
        include_thoughts=False
    )
    assert translate("gemini-2.0-flash", None, thoughts=False) == Translation(ThinkingConfig())
    for model in ("gemini-2.5-flash", "gemini-3.8-flash", "an-unknown-model"):
        with pytest.raises(ConfigurationError, match="cannot be combined with thinking='off'"):
            translate(model, "off", thoughts=True)


def test_thoughts_of_a_model_that_does_not_think_are_not_asked_for() -> None:
    assert translate("gemini-2.0-flash", None, thoughts=True) == Translation(
        ThinkingConfig(),
        "thoughts=True is not sent: 'gemini-2.0-flash' has no parameter for thinking",
    )


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


def test_the_request_has_the_warning() -> None:
    made, warning = sent("gemini-3.8-flash", thinking="minimal")
    assert made == {"thinkingConfig": {"thinkingLevel": "LOW"}}
    assert "does not take thinking='minimal': sent as 'low'" in warning
    made, warning = sent("gemini-2.0-flash", thinking="minimal")
    assert made is None
    assert "thinking='minimal' is not sent" in warning


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
        ("gemini-3-flash", {"thinkingBudget": 1024}, True),  # not known to be refused
        ("gemini-3.6-flash", {"thinkingBudget": 0}, True),
        ("gemini-3-pro", {"thinkingLevel": "MINIMAL"}, False),
        ("gemini-3-pro", {"thinkingBudget": 0}, False),
        ("gemini-3-pro", {"thinkingBudget": 512}, True),
        ("gemini-4-hydrogen", {"thinkingLevel": "XHIGH"}, True),
        ("gemini-4-argon", {"thinkingLevel": "XHIGH"}, False),
        ("gemini-2.5-flash", {"thinkingLevel": "LOW"}, False),
        ("gemini-2.5-flash", {"thinkingBudget": 0}, True),
        ("gemini-2.5-flash", {"thinkingBudget": -1}, True),
        ("gemini-2.5-flash", {"thinkingBudget": "1024"}, False),
        ("gemini-2.5-pro", {"thinkingBudget": 0}, False),
        ("gemini-2.0-flash", {"thinkingBudget": 0}, False),
        ("gemini-2.0-flash", {"includeThoughts": False, "thinkingBudget": None}, True),
        ("an-unknown-model", {"thinkingLevel": "LOW"}, True),
        ("an-unknown-model", {"thinkingLevel": "EXTREME"}, True),
        ("gemini-3-flash", {"newer": 1}, True),
        ("gemini-3.8-flash-low", {"thinkingLevel": "low"}, True),
        ("gemini-3.8-flash-low", {"thinkingLevel": "HIGH"}, False),
        ("gemini-3.8-flash-nothinking", {"thinkingBudget": 0}, True),
        ("gemini-2.5-flash-thinking", {"thinkingBudget": 0}, False),
        ("gemini-3.8-flash-low", {"includeThoughts": True}, True),
    ],
)
def test_mismatches_of_config_and_model(model: str, config: dict[str, Any], *, fits: bool) -> None:
    assert (mismatch(model, config) is None) == fits
