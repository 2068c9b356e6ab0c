"""What the command line says when something goes wrong.

The library's messages name arguments of Python calls. This is the one place where they are
translated for someone who typed a command.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cometgem.errors import ConfigurationError, OutputValidationError, RateLimitError

if TYPE_CHECKING:
    from cometgem.errors import CometGemError

__all__ = ["UsageError", "sentence", "translated"]

# Only for what the library says about arguments: a server's own words are shown unchanged.
_TRANSLATIONS = (
    (re.compile(r", or (?:pass |give |set )?allow_insecure=True"), ""),
    (re.compile(r"\bthe option system_instruction=\.\.\."), "--system"),
    (
        re.compile(r": use the option \w+=\.\.\. instead"),
        ": it is not part of the generation config",
    ),
    (re.compile(r"\bbase_url\b"), "COMETAPI_BASE_URL"),
    (re.compile(r"\bsystem_instruction\b"), "--system"),
    (re.compile(r"\bgeneration_config\.(\w+)"), r"--option \1"),
    (re.compile(r"\bgeneration_config\b"), "--option"),
    (re.compile(r"\bresponse_type="), "--schema "),
    (re.compile(r"\bthoughts=True\b"), "thinking"),
    (re.compile(r"\bthinking=(?=[\w'-])"), "thinking "),
    (re.compile(r"\ba list of [A-Z]\w+ or (?:a )?dicts?\b"), "a JSON array of objects"),
    (re.compile(r"\b(?:a|an) [A-Z]\w+ or (?:a )?dict\b"), "a JSON object"),
)


class UsageError(ConfigurationError):
    """Something that was typed is not valid; the message is worded for the command line.

    Attributes:
        program: The command that it was typed for, such as "cometgem generate".
    """

    def __init__(self, message: str = "", *, program: str = "cometgem") -> None:
        super().__init__(message)
        self.program = program


def sentence(error: CometGemError) -> str:
    """Return what happened, without the names and the advice that are for Python code."""
    words = str(error)
    if isinstance(error, UsageError):
        return words
    if isinstance(error, ConfigurationError):
        return translated(words)
    if isinstance(error, RateLimitError):
        return words.replace(error.advice, "try again later")
    if isinstance(error, OutputValidationError):
        words = words.replace("does not match its type", "does not match the schema")
    return words.replace(f"; {error.advice}", "") if error.advice else words


def translated(words: str) -> str:
    """Return what the library says about an argument, with the names of the command line."""
    for pattern, ours in _TRANSLATIONS:
        words = pattern.sub(ours, words)
    return words
