"""Lines from a person at a terminal, or from a pipe.

What is typed is private: its history is in memory, and nothing of it is written anywhere.
"""

from __future__ import annotations

import io
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from cometgem.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem.cli.terminal import Terminal

__all__ = ["is_typed", "line_reader"]

_PROMPT = "> "


def is_typed() -> bool:
    """Return whether the lines come from a person.

    Raises:
        ConfigurationError: There is no standard input.
    """
    if sys.stdin is None:
        raise ConfigurationError("standard input is closed: there is nothing to read")
    return sys.stdin.isatty()


def line_reader(terminal: Terminal) -> Callable[[], str]:
    """Return what reads the next line, without its end; a person is asked for it.

    It raises EOFError when there is none, and KeyboardInterrupt for Ctrl-C in an empty line: one
    that is half typed is cleared.
    """
    typed = is_typed()
    if isinstance(sys.stdin, io.TextIOWrapper):
        # A line that is no text fails when it is sent, and not with the lines around it.
        sys.stdin.reconfigure(errors="surrogateescape")
    if not typed:
        return _read
    if not terminal.out.isatty():
        return lambda: _ask_beside(terminal)
    try:
        return _editor()
    except ImportError:
        return _input()


def _read() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\r\n")


def _editor() -> Callable[[], str]:
    """Return the line editor of prompt_toolkit."""
    from prompt_toolkit import PromptSession  # noqa: PLC0415  an extra, and slow to import
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent  # noqa: PLC0415

    keys = KeyBindings()

    @keys.add("c-c")
    @keys.add("<sigint>")
    def _(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    session: PromptSession[str] = PromptSession(_PROMPT, key_bindings=keys)
    return session.prompt


def _input() -> Callable[[], str]:
    """Return Python's own ``input``; where there is readline, it edits and has a history."""
    typed: Callable[[], str] = str  # what stands in the line
    with suppress(ImportError):
        import readline  # noqa: PLC0415  there is none on Windows

        typed = readline.get_line_buffer

    def ask() -> str:
        while True:
            try:
                return input(_PROMPT)
            except EOFError:
                sys.stdout.write("\n")
                raise
            except KeyboardInterrupt:
                sys.stdout.write("\n")
                if not typed():
                    raise

    return ask


def _ask_beside(terminal: Terminal) -> str:
    """Ask on stderr, since stdout goes elsewhere."""
    terminal.err.write(_PROMPT)
    terminal.err.flush()
    try:
        return _read()
    except (EOFError, KeyboardInterrupt):
        terminal.err.write("\n")
        raise
