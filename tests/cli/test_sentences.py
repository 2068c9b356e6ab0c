"""The library's messages, translated for someone who typed a command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from cometgem import Client, RetryPolicy, errors
from cometgem.cli.sentences import UsageError, sentence, translated
from cometgem.errors import CometGemError, ConfigurationError
from cometgem.request.build import build_request
from cometgem.request.keys import to_wire
from cometgem.testing import FakeServer, Reply
from cometgem.types.generation import GenerationConfig

if TYPE_CHECKING:
    from typing import Any

    from cli.speaking import Run

# What only makes sense in Python: calls with arguments, attributes, and names with underscores.
PYTHON = re.compile(r"\w\(\w+=|=\.\.\.|\w=True|error\.|\b[a-z]+_[a-z]+\b|\bdicts?\b")


@pytest.mark.parametrize(
    "error",
    [
        errors.APITimeoutError("connect", 5.0),
        errors.APITimeoutError("stall", 60.0, chunks=2),
        errors.StreamInterruptedError("the connection broke", chunks=2),
        errors.StreamTruncatedError("cut", chunks=2, request_id="7"),
        errors.EventTooLargeError(10, 9),
    ],
)
def test_advice_for_python_is_left_out(error: CometGemError) -> None:
    assert PYTHON.search(error.advice)
    assert f"; {error.advice}" in str(error)
    shown = sentence(error)
    assert shown == str(error).replace(f"; {error.advice}", "")
    assert shown
    assert not PYTHON.search(shown)


def test_too_many_requests() -> None:
    assert sentence(errors.RateLimitError(429, "slow down")) == "429: slow down; try again later"
    assert sentence(errors.RateLimitError(429, "no", retry_after=2)) == "429: no; retry after 2 s"


@pytest.mark.parametrize(
    "words", ["system_instruction is too long", "set base_url", "thinking=1; error.partial"]
)
def test_the_words_of_a_server_are_unchanged(words: str) -> None:
    assert sentence(errors.BadRequestError(400, words)) == f"400: {words}"


@pytest.mark.parametrize(
    "options",
    [
        {"system_instruction": ""},
        {"thinking": 2**31},
        {"thinking": "a lot"},
        {"generation_config": {"temprature": 1}},
        {"generation_config": {"thinkingConfig": 7}},
        {"generation_config": {"thinkingConfig": {"thinkingLevle": "LOW"}}},
        {"generation_config": {"speechConfig": {"multiSpeakerVoiceConfig": []}}},
        {"generation_config": {"seed": object()}},
    ],
)
def test_options_have_the_names_of_the_command_line(options: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build_request("generateContent", "gemini-3-pro", "Hi", options)
    assert not PYTHON.search(sentence(caught.value))


def test_thoughts_are_a_matter_of_thinking() -> None:
    options: Any = {"thoughts": True}
    warning = build_request("generateContent", "gemini-2.0-flash", "Hi", options).warning
    assert warning is not None
    assert translated(warning).startswith("thinking is not sent: 'gemini-2.0-flash' ")


@pytest.mark.parametrize("url", ["ftp://a", "http://a.example", "https://a/?b", "https://a/v1"])
def test_the_base_url_is_that_of_the_environment(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Client("k", base_url=url)
    assert sentence(caught.value).startswith("COMETAPI_BASE_URL ")
    assert not PYTHON.search(sentence(caught.value))


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (
            "generation_config has no key 'tools': use the option tools=... instead",
            "--option has no key 'tools': it is not part of the generation config",
        ),
        (
            "generation_config has no key 'x': use the option system_instruction=... instead",
            "--option has no key 'x': use --system instead",
        ),
        ("thinking=-5 must be 'off' or a number", "thinking -5 must be 'off' or a number"),
    ],
)
def test_suggestions_have_the_names_of_the_command_line(words: str, shown: str) -> None:
    assert sentence(ConfigurationError(words)) == shown


@pytest.mark.parametrize("value", [1, [1], "x"])
def test_nested_fields_keep_their_path(value: object) -> None:
    config = {"speechConfig": {"voiceConfig": value}}
    with pytest.raises(ConfigurationError) as caught:
        to_wire(config, GenerationConfig, "generation_config")
    assert sentence(caught.value).startswith("--option speechConfig.voiceConfig ")
    assert "JSON object" in sentence(caught.value)


def test_what_the_command_line_says_itself_is_not_translated() -> None:
    assert sentence(UsageError("base_url")) == "base_url"


@pytest.mark.parametrize(
    "reply", [Reply.text("one").then_end(), Reply.error(429), Reply.text("one").then_reset()]
)
def test_what_is_printed(
    server: FakeServer, run: Run, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    monkeypatch.setattr(RetryPolicy, "delay", lambda *_: None)
    server.add(reply)
    status, _, err = run("generate", "Hi")
    assert status == 1
    assert err.startswith("cometgem: error: ")
    assert not PYTHON.search(err.replace("rate_limit_exceeded", ""))
