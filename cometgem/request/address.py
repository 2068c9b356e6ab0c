"""Where requests go and the key they carry: refused here if they can never work."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from cometgem.errors import ConfigurationError

__all__ = ["Key", "check_base_url", "check_key"]

_EXAMPLE = "give one such as 'https://api.cometapi.com'"


class Key(str):
    """An API key that hides itself from every repr: of headers, of locals in a traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def check_base_url(url: str, *, allow_insecure: bool) -> str:
    """Return the base URL without a slash at its end.

    Raises:
        ConfigurationError: It is no http(s) URL, has a query or a user in it, already ends in a
            version, or would send the key over plain http to another machine.
    """
    if "@" in url or "?" in url or "#" in url:  # not quoted: a password or a key may be in it
        raise ConfigurationError("base_url must have no user, query or fragment: " + _EXAMPLE)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigurationError(f"base_url {url!r} is no URL ({error}): {_EXAMPLE}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError(f"base_url {url!r} is no http(s) URL: {_EXAMPLE}")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ConfigurationError(f"base_url {url!r} has characters that no URL has: {_EXAMPLE}")
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
    """Return the API key; the error names where it came from, never the key.

    Raises:
        ConfigurationError: It is empty, or has characters that no key has.
    """
    if not key:
        raise ConfigurationError(f"{source} is empty: set it to your CometAPI key")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(
            f"{source} has a space, a line end or another character that no key has: copy it again"
        )
    return key


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
