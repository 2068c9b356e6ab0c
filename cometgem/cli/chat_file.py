"""Conversations in files: loaded completely or not at all, and saved in one step."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cometgem.cli.files import path_of, reason
from cometgem.cli.sentences import UsageError, sentence
from cometgem.errors import ConfigurationError
from cometgem.types.files import read_file

if TYPE_CHECKING:
    from cometgem.client import Client
    from cometgem.conversation.chat import Chat
    from cometgem.conversation.options import ConversationOptions
    from cometgem.types.response import GenerateContentResponse

__all__ = ["load_chat", "save_chat"]


def load_chat(
    text: str, client: Client, options: ConversationOptions
) -> Chat[GenerateContentResponse]:
    """Return the chat in a file.

    Args:
        text: The path as it was typed.
        client: The client for the next turns.
        options: As for `client.load_chat`.

    Raises:
        UsageError: The file cannot be read, is not a regular file, is too large, or is not the
            JSON of a chat.
    """
    try:
        return client.load_chat(read_file(path_of(text)), **options)
    except (OSError, ConfigurationError) as error:
        raise UsageError(f"cannot load {text!r}: {_reason(error)}") from error


def save_chat(chat: Chat[GenerateContentResponse], text: str) -> None:
    """Write a chat to a file that only its owner can read.

    An existing file is replaced in one step, after everything is written.

    Raises:
        UsageError: The file cannot be written; an existing file is unchanged.
    """
    try:
        path = path_of(text).resolve()  # so that a link is kept
        if path.exists() and not path.is_file():
            raise FileExistsError("not a regular file")
        _replace(path, chat.to_json())
    except (OSError, RuntimeError) as error:
        raise UsageError(f"cannot save to {text!r}: {_reason(error)}") from error


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
    if isinstance(error, ConfigurationError):
        return sentence(error)
    return reason(error) if isinstance(error, OSError) else error
