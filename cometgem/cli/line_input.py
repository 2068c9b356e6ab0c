"""Input: lines typed at a terminal, or text from a pipe.

What is typed is private: its history is kept in memory and never written to a file.
"""

from __future__ import annotations

import io
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from cometgem.cli.sentences import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cometgem.cli.terminal import Terminal

__all__ = ["decode_stdin_as_utf_8", "is_typed", "line_reader"]

_PROMPT = "> "


def decode_stdin_as_utf_8() -> None:
    """Have piped text decoded as UTF-8, whatever the locale or the code page says."""
    if isinstance(sys.stdin, io.TextIOWrapper) and not sys.stdin.isatty():
        # Windows programs may begin UTF-8 with a byte order mark, which utf-8-sig removes.
        with suppress(io.UnsupportedOperation):  # something has been read already
            sys.stdin.reconfigure(encoding="utf-8-sig", errors="strict")


def is_typed() -> bool:
    """Return whether standard input is a terminal.

    Raises:
        UsageError: Standard input is closed.
    """
    if sys.stdin is None:
        raise UsageError("standard input is closed")
    return sys.stdin.isatty()


def line_reader(terminal: Terminal) -> Callable[[], str]:
    """Return a function that reads the next line, with a prompt if it is typed.

    The function returns the line without its line end. It raises EOFError at the end of input and
    KeyboardInterrupt if Ctrl-C is pressed in an empty line; Ctrl-C clears any other line.
    """
    typed = is_typed()
    if isinstance(sys.stdin, io.TextIOWrapper):
        # An undecodable line must not fail the lines before and after it in the same buffer.
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
    from prompt_toolkit import PromptSession  # noqa: PLC0415  optional and slow to import
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
    """Return Python's ``input``, which can edit and has a history if readline is installed."""
    typed: Callable[[], str] = str  # returns the line so far
    with suppress(ImportError):
        import readline  # noqa: PLC0415  not on Windows

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
    """Read a line with the prompt on stderr, since stdout is not a terminal."""
    terminal.err.write(_PROMPT)
    terminal.err.flush()
    try:
        return _read()
    except (EOFError, KeyboardInterrupt):
        terminal.err.write("\n")
        raise
