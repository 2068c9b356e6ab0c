"""`cometgem demo --web`: the chat page of the examples, served by its own backend."""

from __future__ import annotations

import asyncio
import os
import runpy
from pathlib import Path
from typing import TYPE_CHECKING

from cometgem.cli.demo import recorded
from cometgem.cli.sentences import UsageError

if TYPE_CHECKING:
    from cometgem.cli.terminal import Terminal
    from cometgem.testing import RecordedRequest, Reply

__all__ = ["run_web_demo"]

# In the wheel, and in a checkout of the source.
_FOLDERS = (
    Path(__file__).with_name("_chat_page"),
    Path(__file__).parents[2] / "examples" / "chat_page",
)

_SERVING = """\
Open {url} in a browser. Ctrl-C ends it.

{answering}
The page and its backend are two files, to copy from:
  {folder}

"""


def run_web_demo(terminal: Terminal, model: str, port: int, replay: str | None) -> int:
    """Serve the page until Ctrl-C.

    Args:
        terminal: Where to show the address.
        model: The model to ask if there is a key.
        port: The port to listen on; 0 takes any free port.
        replay: A recorded body, which a test server sends even if there is a key.

    Returns:
        The exit code.

    Raises:
        ConfigurationError: The key or the base URL is not valid.
        UsageError: The file cannot be read, or the port is taken.
    """
    folder = next(one for one in _FOLDERS if one.is_dir())
    reply = None if replay is None else recorded(replay)

    def respond(_: RecordedRequest) -> Reply | None:
        return reply

    def started(url: str, client_url: str | None) -> None:
        if client_url is not None:
            answering = f"{model} at {client_url} answers."
        elif replay is not None:
            answering = f"A local test server replays {Path(replay).name}."
        else:
            answering = "COMETAPI_KEY is not set: a local test server answers in place of a model."
        terminal.answer(_SERVING.format(url=url, answering=answering, folder=folder))

    serve = runpy.run_path(str(folder / "backend.py"))["serve"]
    try:
        asyncio.run(serve(port, started, model=model, respond=None if reply is None else respond))
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UsageError(f"cannot listen on 127.0.0.1:{port}: {reason}") from error
    return 0
