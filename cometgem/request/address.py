"""The base URL and the API key, validated before the first request."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from cometgem.errors import ConfigurationError

__all__ = ["Key", "check_base_url", "check_key"]

_EXAMPLE = "use a URL such as 'https://api.cometapi.com'"


class Key(str):
    """An API key whose repr hides it, in headers and in the locals of a traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def check_base_url(url: str, *, allow_insecure: bool) -> str:
    """Return the base URL without a trailing slash.

    Raises:
        ConfigurationError: It is not an http(s) URL, contains a user, query or fragment, already
            ends in a version, or would send the key over plain http to another machine.
    """
    if "@" in url or "?" in url or "#" in url:  # not quoted: it may contain a password or a key
        raise ConfigurationError("base_url must not have a user, query or fragment: " + _EXAMPLE)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
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
