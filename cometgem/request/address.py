"""The base URL and the API key, validated before the first request."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit

from cometgem.errors import ConfigurationError

__all__ = ["Key", "Secret", "as_key", "check_base_url", "check_key"]

_EXAMPLE = "use a URL such as 'https://api.cometapi.com'"

# A name whose labels are not empty, or an IPv6 address in brackets and nothing behind it:
# ``urlsplit`` takes the host of "http://[::1].example" for "::1".
_NETLOC = r"(?:[\w\-]+(?:\.[\w\-]+)*\.?|\[[0-9A-Fa-f:.]+(?:%25[\w.\-]+)?\])(?::\d*)?"


class Key(str):
    """An API key whose repr hides it, in headers and in the locals of a traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Secret(Protocol):
    """A secret that is revealed on request, such as pydantic's ``SecretStr``."""

    def get_secret_value(self) -> str:
        """Return the secret."""
        ...


def as_key(given: object) -> Key | ConfigurationError:
    """Return the API key, or the error to raise if it is of a wrong type.

    The error is not raised here, so that the value is not in the locals of its traceback.
    """
    reveal = None if isinstance(given, type) else getattr(given, "get_secret_value", None)
    if callable(reveal):
        given = reveal()
    if isinstance(given, str):
        # str() of an enum member with a string value would return the member's name.
        return Key(str.__str__(given))
    return ConfigurationError(f"api_key must be a str, got {type(given).__name__}")


def check_base_url(url: str, *, allow_insecure: bool) -> str:
    """Return the base URL without a trailing slash.

    Raises:
        ConfigurationError: It is not an http(s) URL, contains a user, query or fragment, already
            ends in a version, or would send the key over plain http to another machine.
    """
    if not isinstance(url, str):
        raise ConfigurationError(f"base_url must be a str, got {type(url).__name__}: {_EXAMPLE}")
    if "@" in url or "?" in url or "#" in url:  # not quoted: it may contain a password or a key
        raise ConfigurationError("base_url must not have a user, query or fragment: " + _EXAMPLE)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigurationError(
            f"base_url {url!r} is not a valid URL ({error}): {_EXAMPLE}"
        ) from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError(f"base_url {url!r} is not an http(s) URL: {_EXAMPLE}")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ConfigurationError(
            f"base_url {url!r} has characters that are not allowed in a URL: {_EXAMPLE}"
        )
    if port == 0 or not re.fullmatch(_NETLOC, parts.netloc, re.ASCII):
        raise ConfigurationError(
            f"base_url {url!r} is not a valid URL ({parts.netloc!r} is not a host and port):"
            f" {_EXAMPLE}"
        )
    path = parts.path.rstrip("/")
    if path.endswith(("/v1", "/v1beta")):
        raise ConfigurationError(
            f"base_url {url!r} must end before the version: {url.rstrip('/').rsplit('/', 1)[0]!r}"
        )
    if parts.scheme == "http" and not (allow_insecure or _is_loopback(host)):
        raise ConfigurationError(
            f"base_url {url!r} would send the key unencrypted: use https, or allow_insecure=True"
        )
    return f"{parts.scheme}://{parts.netloc}{path}"


def check_key(key: Key, source: str) -> Key:
    """Return the API key; errors name its source, never the key.

    Raises:
        ConfigurationError: It is empty, or has characters that are not allowed in a key.
    """
    if not key:
        raise ConfigurationError(f"{source} is empty: set it to your CometAPI key")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(
            f"{source} has a space, a line break or another character that is not allowed in a key:"
            " copy it again"
        )
    return key


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
