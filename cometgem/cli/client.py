"""The client of a command: configured by the environment alone."""

from __future__ import annotations

import os

from cometgem.cli.sentences import UsageError
from cometgem.client import Client

__all__ = ["make_client"]


def make_client() -> Client:
    """Return a client with the key and the base URL from the environment.

    Raises:
        ConfigurationError: There is no key, or the key or the base URL is not valid.
    """
    if "COMETAPI_KEY" not in os.environ:
        raise UsageError(
            "no API key: set the environment variable COMETAPI_KEY; without a key,"
            " 'cometgem demo' shows a stream and 'cometgem serve' runs a local test server"
        )
    return Client()
