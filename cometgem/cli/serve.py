"""`cometgem serve`: the test server of `cometgem.testing`, for clients in other shells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cometgem.cli.arguments import MODEL
from cometgem.cli.demo import recorded
from cometgem.cli.sentences import UsageError
from cometgem.testing import FakeServer

if TYPE_CHECKING:
    from cometgem.cli.terminal import Terminal
    from cometgem.testing.gateway import Gateway

__all__ = ["run_serve"]

_SERVING = """\
Serving {url} until Ctrl-C. Any API key is accepted.

To use it from another shell, paste the first line (sh) or the second (PowerShell):

  export COMETAPI_BASE_URL={url} COMETAPI_KEY={key}
  $env:COMETAPI_BASE_URL = '{url}'; $env:COMETAPI_KEY = '{key}'

Then try one of these:

  cometgem generate Hi
  curl -sN '{url}/v1beta/models/{model}:streamGenerateContent?alt=sse' \\
    -H 'x-goog-api-key: {key}' -H 'content-type: application/json' \\
    -d '{{"contents": [{{"parts": [{{"text": "Hi"}}]}}]}}'

"""


def run_serve(
    terminal: Terminal,
    port: int,
    replay: str | None,
    *,
    strict: bool = False,
    gateway: Gateway | None = None,
) -> int:
    """Serve until Ctrl-C.

    Args:
        terminal: Where to show how to reach the server.
        port: The port to listen on; 0 takes any free port.
        replay: A recorded body to answer with, instead of replies that fit the request.
        strict: Whether to refuse everything that the API refuses.
        gateway: The gateway whose omissions to play.

    Returns:
        The exit code.

    Raises:
        UsageError: The file cannot be read, or the port is taken.
    """
    default = None if replay is None else recorded(replay)
    server = FakeServer(port=port, default=default, strict=strict, gateway=gateway)
    try:
        server.start()
    except OSError as error:
        raise UsageError(error.strerror or str(error)) from error
    try:
        terminal.answer(_SERVING.format(url=server.url, key=server.api_key, model=MODEL))
        server.wait()
    finally:
        server.stop()
    return 0
