"""What browsers post, checked before it is read: its size, its values, its files.

The browser is not trusted: whoever can reach the endpoint can send anything.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import TYPE_CHECKING, Any

from cometgem.errors import BadMessagesError, ConfigurationError
from cometgem.request.arguments import shown
from cometgem.types.content import Blob, FileData, Part

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "MAX_MESSAGES",
    "MAX_SIZE",
    "Files",
    "as_response",
    "check_messages",
    "read_base64",
    "text_of",
]

MAX_MESSAGES = 1000
MAX_SIZE = 32 << 20
"""The maximum of all text and files together, in characters."""

# The API allows about 100 levels, and what walks through a value here may be recursive.
_MAX_DEPTH = 100

# What JavaScript reads and writes without loss, and far below what JSON encoders take.
_MAX_INTEGER = 1 << 63

_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+")

# What could lead out of the allowed folder, or is read differently by different parsers.
_ODD_URL = re.compile(r"[\s\x00-\x1f\x7f\\]|/(?:\.|%2e){1,2}(?:/|$|\?|#)|%2f|%5c", re.IGNORECASE)


def check_messages(messages: object, max_size: int | None) -> list[Any]:
    """Return the messages.

    Raises:
        BadMessagesError: They are not a list, there are none, too many, or they are too large.
    """
    if not isinstance(messages, list) or not messages:
        raise BadMessagesError("messages must be a list of at least one message")
    if len(messages) > MAX_MESSAGES:
        raise BadMessagesError(
            f"there are {len(messages):,} messages, and at most {MAX_MESSAGES:,} are accepted"
        )
    size, level = 0, list(messages)
    for _ in range(_MAX_DEPTH):
        below: list[object] = []
        for item in level:
            size += _measure(item, below)
            if max_size is not None and size > max_size:
                raise BadMessagesError(f"the messages hold more than {max_size:,} characters")
        if not below:
            return messages
        level = below
    raise BadMessagesError(f"the messages are nested more than {_MAX_DEPTH} levels deep")


def _measure(item: object, below: list[object]) -> int:
    """Return the size of a value without those inside it, which are added to ``below``."""
    if isinstance(item, str):
        if not item.isascii():
            _check_text(item)
        return len(item)
    if isinstance(item, list):
        below += item
        return len(item)
    if isinstance(item, dict):
        below += item.keys()
        below += item.values()
        return len(item)
    if isinstance(item, float) and not math.isfinite(item):
        raise BadMessagesError(f"the messages hold {item}, which JSON does not have")
    if isinstance(item, int) and abs(item) >= _MAX_INTEGER:
        raise BadMessagesError("the messages hold an integer of more than 64 bits")
    return 1


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadMessagesError("the messages hold half of a surrogate pair") from None


def text_of(data: dict[str, Any], key: str, where: str) -> str:
    """Return a text, "" if it is missing.

    Raises:
        BadMessagesError: It is something else.
    """
    value = data.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadMessagesError(f"{where}: {key} is not a string, but {shown(value)}")
    return value


def as_response(output: object) -> dict[str, Any]:
    """Return the output of a tool as the API takes it: an object."""
    return output if isinstance(output, dict) else {"result": output}


class Files:
    """Reads files, from addresses that are allowed.

    Args:
        allowed: How the addresses may begin.

    Raises:
        ConfigurationError: One of these would allow more than it says.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        if isinstance(allowed, str):
            raise ConfigurationError(
                f"allow_files={shown(allowed)} is not a list; use [{allowed!r}]"
            )
        for one in allowed:
            scheme, _, rest = one.partition("://")
            if one != "data:" and (not scheme or "/" not in rest):
                raise ConfigurationError(
                    f"allow_files has {shown(one)}; use 'data:', or a URL with a '/' after the"
                    " host, as in 'https://files.example/', without which other hosts could"
                    " begin with it"
                )
        self._allowed = tuple(allowed)

    def allows(self, url: str) -> bool:
        """Whether the address is one of those that are allowed."""
        if url.startswith("data:"):
            return "data:" in self._allowed
        return url.startswith(self._allowed) and not _ODD_URL.search(url)

    def read(self, url: str, mime_type: str, where: str) -> Part:
        """Return the file as a part.

        Raises:
            BadMessagesError: The address is not allowed, or not valid.
        """
        if not self.allows(url):
            allowed = ", ".join(map(repr, self._allowed)) or "nothing"
            raise BadMessagesError(
                f"{where}: the file URL {shown(url[:80])} is not allowed; URLs may begin with"
                f" {allowed}"
            )
        if mime_type and not _TYPE.fullmatch(mime_type):
            raise BadMessagesError(f"{where}: {shown(mime_type)} is not a media type")
        if not url.startswith("data:"):
            return Part(file_data=FileData(file_uri=url, mime_type=mime_type or None))
        head, comma, data = url.partition(",")
        if not comma or not head.endswith(";base64"):
            raise BadMessagesError(f"{where}: a data URL must be in base64")
        kind = mime_type or head[len("data:") :].partition(";")[0]
        return Part(inline_data=read_base64(data, kind, where))


def read_base64(data: str, mime_type: str, where: str) -> Blob:
    """Return a file that is in the message.

    Raises:
        BadMessagesError: It is not valid.
    """
    if not _TYPE.fullmatch(mime_type):
        raise BadMessagesError(f"{where}: {shown(mime_type)} is not a media type")
    try:
        return Blob(data=base64.b64decode(data, validate=True), mime_type=mime_type)
    except (binascii.Error, ValueError):
        raise BadMessagesError(f"{where}: a file is not valid base64") from None
