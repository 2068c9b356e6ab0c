"""The npm package `ai`, as the reader of what encoders write: one Node process per version."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import pytest

if TYPE_CHECKING:
    from types import TracebackType

_SCRIPT = Path(__file__).parent / "npm" / "reader.mjs"


def needed(variable: str, install: str) -> str:
    """Return the value of an environment variable, or skip the module."""
    if variable not in os.environ:
        reason = f"{variable} is not set: {install}; or run .ci/run web"
        pytest.skip(reason, allow_module_level=True)
    return os.environ[variable]


class Reader:
    """Reads UI message streams with one version of the package."""

    def __init__(self, node: str, folder: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            [node, str(_SCRIPT), folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.__exit__(kind, error, traceback)  # closes its input, at which it ends

    def read(self, body: bytes, messages: list[Any] | None = None) -> dict[str, Any]:
        """Return `{"error", "message", "finishReason"}` for the response to some messages."""
        asked = {"body": base64.b64encode(body).decode(), "messages": messages or []}
        streams: list[IO[str] | None] = [self._process.stdin, self._process.stdout]
        stdin, stdout = streams
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(asked) + "\n")
        stdin.flush()
        found: dict[str, Any] = json.loads(stdout.readline())
        return found
