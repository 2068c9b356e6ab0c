"""A chat in a file: read whole or not at all, and written so."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cometgem.cli.files import path_of
from cometgem.errors import ConfigurationError

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
        text: The path, as a person writes it.
        client: Asked from now on.
        options: As for `client.load_chat`.

    Raises:
        ConfigurationError: It cannot be read, or it is no chat.
    """
    try:
        return client.load_chat(path_of(text).read_bytes(), **options)
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
