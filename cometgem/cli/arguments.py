"""Arguments of the command line: how they are parsed, and what is said about wrong ones.

argparse words its messages for programmers and prints the whole usage above them. Here a wrong
argument is one sentence: which option, which value, what is right, and where the help is.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from typing import TYPE_CHECKING, NoReturn, cast

from cometgem.cli.sentences import UsageError, sentence
from cometgem.errors import ConfigurationError
from cometgem.request.keys import to_wire
from cometgem.types.generation import GenerationConfig

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cometgem.options import CallOptions
    from cometgem.request.thinking import Thinking

__all__ = [
    "MODEL",
    "THINKING",
    "Once",
    "Parser",
    "aspect_ratio",
    "config_option",
    "count",
    "image_size",
    "max_tokens",
    "port",
    "temperature",
    "text",
    "thinking",
    "thinking_options",
]

MODEL = "gemini-3.8-flash"

THINKING = ("off", "minimal", "low", "medium", "high", "xhigh", "dynamic")

_LAST_PORT = 65535

# argparse's messages that do not read well, and what is said instead.
_REWORDED = (
    (re.compile(r"argument COMMAND: invalid choice: (.*) \(choose from .*"), r"unknown command \1"),
    (re.compile(r"argument (\S+): expected one argument"), r"\1 needs a value"),
    (re.compile(r"argument (\S+): ignored explicit argument .*"), r"\1 does not take a value"),
    (re.compile(r"argument --option: (--option .*)", re.DOTALL), r"\1"),
    (re.compile(r"argument (\S+: .*)", re.DOTALL), r"\1"),
)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence."""

    def error(self, message: str) -> NoReturn:
        """Raise a UsageError that names the help of this command."""
        for pattern, words in _REWORDED:
            if match := pattern.fullmatch(message):
                message = match.expand(words)
                break
        see = " See" if message.endswith("?") else "; see"
        raise UsageError(f"{message}{see} '{self.prog} --help'", program=self.prog)

    def parse_known_args(  # type: ignore[override]  # one signature instead of argparse's overloads
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Refuse unknown arguments here, where it is known which command they were given to."""
        known, unknown = super().parse_known_args(args, namespace)
        for argument in unknown:
            if argument.startswith("-"):
                # Without its value, which can be long or private.
                self.error(f"unknown option {argument.partition('=')[0]}")
        if unknown:
            self.error(f"unexpected argument {unknown[0]!r}")
        return known, []


class Once(argparse.Action):
    """An option that may be given once."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Keep the value, unless there is one."""
        if getattr(namespace, self.dest) is not None:
            parser.error(f"{option_string} is given twice")
        setattr(namespace, self.dest, values)


def text(given: str) -> str:
    """Return text that can be sent."""
    try:
        given.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{given!r} is not valid UTF-8") from None
    return given


def thinking(given: str) -> CallOptions:
    """Return the options for a value of ``--thinking``."""
    try:
        return thinking_options(given)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def thinking_options(given: str) -> CallOptions:
    """Return the options for a thinking level, "off", "dynamic" or a number of tokens.

    Raises:
        UsageError: It is none of these.
    """
    level = given.strip().lower()
    if level in THINKING:
        value = cast("Thinking", level)
    else:
        try:
            value = int(level)
        except ValueError:
            value = -2
        if value < -1:
            raise UsageError(
                f"{given!r} is not a thinking level: give {', '.join(THINKING)},"
                " or a number of tokens"
            )
    # The API refuses a request for thoughts when thinking is off.
    if value in ("off", 0):
        return {"thinking": value}
    return {"thinking": value, "thoughts": True}


def temperature(given: str) -> float:
    """Return the value of ``--temperature``."""
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(
            f"{given!r} is not a temperature: give a number from 0 up, such as 0.7"
        )
    return value


def count(given: str) -> int:
    """Return the value of an option that counts something."""
    number = given.replace("_", "")
    if not (number.isdecimal() and len(number) < 16 and int(number)):  # noqa: PLR2004  digits
        raise argparse.ArgumentTypeError(f"{given!r} is not a whole number from 1 up")
    return int(number)


def max_tokens(given: str) -> int:
    """Return the value of ``--max-tokens``."""
    # Python refuses to convert thousands of digits.
    if not (given.isdecimal() and len(given) < 10 and int(given)):  # noqa: PLR2004  digits
        raise argparse.ArgumentTypeError(
            f"{given!r} is not a number of tokens: give a whole number from 1 up"
        )
    return int(given)


def aspect_ratio(given: str) -> str:
    """Return the value of ``--aspect``; which ratios there are depends on the model."""
    if not re.fullmatch("[1-9][0-9]?:[1-9][0-9]?", given):
        raise argparse.ArgumentTypeError(f"{given!r} is not an aspect ratio: give one such as 16:9")
    return given


def image_size(given: str) -> str:
    """Return the value of ``--size``; which sizes there are depends on the model."""
    size = given.upper()
    if not re.fullmatch("[1-9][0-9]{0,4}K?", size):
        raise argparse.ArgumentTypeError(f"{given!r} is not an image size: give 512, 1K, 2K or 4K")
    return size


def config_option(given: str) -> dict[str, Any]:
    """Return a value of ``--option`` as a generation config with one field, in wire form."""
    key, equals, value = given.partition("=")
    if not equals or not key.isidentifier():
        raise argparse.ArgumentTypeError(f"{given!r} is not KEY=VALUE: give one such as topP=0.9")
    try:
        wire = to_wire({key: _json_or_text(value)}, GenerationConfig, "generation_config")
    except ConfigurationError as error:
        raise argparse.ArgumentTypeError(sentence(error)) from error
    return cast("dict[str, Any]", wire)


def port(given: str) -> int:
    """Return the value of ``--port``."""
    value = int(given) if given.isdecimal() and len(given) < 6 else -1  # noqa: PLR2004  digits
    if not 0 <= value <= _LAST_PORT:
        raise argparse.ArgumentTypeError(
            f"{given!r} is not a port: give a number up to {_LAST_PORT}, or 0 for any free port"
        )
    return value


def _json_or_text(value: str) -> object:
    try:
        return json.loads(value, parse_constant=_not_json)
    except (ValueError, RecursionError):
        return text(value)


def _not_json(name: str) -> NoReturn:
    raise ValueError(name)
