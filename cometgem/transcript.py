"""A chat in a file: read whole or not at all, and written so."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cometgem.chat import Chat
from cometgem.errors import ConfigurationError

if TYPE_CHECKING:
    from cometgem.client import Client
    from cometgem.tools import ToolOptions
    from cometgem.types.response import GenerateContentResponse

__all__ = ["load_chat", "path_of", "save_chat"]


def load_chat(text: str, client: Client, options: ToolOptions) -> Chat[GenerateContentResponse]:
    """Return the chat in a file.

    Args:
        text: The path, as a person writes it.
        client: Asked from now on.
        options: As for `Chat.from_json`.

    Raises:
        ConfigurationError: It cannot be read, or it is no chat.
    """
    try:
        return Chat.from_json(path_of(text).read_bytes(), client, **options)
    except (OSError, ConfigurationError) as error:
        raise ConfigurationError(f"cannot load {text!r}: {_reason(error)}") from error


def save_chat(chat: Chat[GenerateContentResponse], text: str) -> None:
    """Write a chat to a file that none but its owner may read.

    A file that is there already is replaced in one step, when all is written.

    Raises:
        ConfigurationError: That cannot be; what was there is as it was.
    """
    try:
        path = path_of(text).resolve()  # a link stays one
        if path.exists() and not path.is_file():
            raise FileExistsError("there is something that is no file")
        _replace(path, chat.to_json())
    except (OSError, RuntimeError) as error:
        raise ConfigurationError(f"cannot save to {text!r}: {_reason(error)}") from error


def path_of(text: str) -> Path:
    """Return the path that a person has written, such as ``~/chat.json``.

    Raises:
        ConfigurationError: It can be none.
    """
    if "\0" in text:
        raise ConfigurationError(f"{text!r} is no path")
    try:
        return Path(text).expanduser()
    except RuntimeError:  # there is no such home
        return Path(text)


def _replace(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(prefix=".cometgem-", dir=path.parent)
    new = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _reason(error: Exception) -> object:
    return getattr(error, "strerror", None) or error
