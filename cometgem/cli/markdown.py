"""Markdown in a terminal, rendered block by block as it arrives.

A block, such as a paragraph, a list or a table, is complete once the next one has begun, and is
shown only then. So nothing that is already on the screen has to be redrawn.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from rich.console import Console
from rich.markdown import Markdown
from rich.segment import Segment

from cometgem.cli.terminal import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token
    from rich.console import ConsoleOptions, RenderResult

    from cometgem.cli.terminal import Terminal

__all__ = ["MarkdownText"]

# As HTML, the second word of `Vec<String>` would disappear.
_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"])


class MarkdownText:
    """Markdown that arrives in pieces."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._console = Console(file=terminal.out)
        self._pieces: list[str] = []  # not shown yet
        self._length = 0
        self._enough = 0  # the length from which to look for complete blocks
        self._shown = False

    def add(self, piece: str) -> None:
        """Add a piece and show the blocks that it completes."""
        self._pieces.append(piece.replace("\r", ""))
        self._length += len(piece)
        if "\n" in piece and self._length >= self._enough:
            # A line can be classified only when it is complete.
            *lines, rest = "".join(self._pieces).split("\n")
            last = self._show(lines, but=1)
            self._pieces = ["\n".join([*lines[last:], rest])]
            self._length = len(self._pieces[0])
            # Keeps the cost linear: a long block is not parsed again for each new line.
            self._enough = self._length * 9 // 8

    def end(self) -> None:
        """Show the remaining blocks."""
        self._show("".join(self._pieces).split("\n"))
        self._pieces, self._length, self._enough = [], 0, 0

    def _show(self, lines: Sequence[str], but: int = 0) -> int:
        """Show all blocks except the last `but`; return the line where those begin."""
        tokens = _PARSER.parse("\n".join(lines))
        begins = [token.map[0] for token in tokens if token.map and not token.level]
        begins = [0, *begins[1:], len(lines)]
        end = max(len(begins) - 1 - but, 0)
        for begin, after in pairwise(begins[: end + 1]):
            if tokens := _PARSER.parse("\n".join(lines[begin:after])):
                self._terminal.end_line()
                if self._shown:
                    self._console.print()
                self._console.print(_Block(tokens))
                self._shown = True
        return begins[end]


class _Block(Markdown):
    """A block that cannot control the terminal and shows the target of each link."""

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__("", code_theme="ansi_dark", justify="default", hyperlinks=False)
        self.parsed = _visible(tokens)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # Some kinds of blocks are rendered with empty lines before or after them.
        shown = super().__rich_console__(console, options)
        lines = list(Segment.split_lines(one for one in shown if isinstance(one, Segment)))
        full = [at for at, line in enumerate(lines) if any(one.text.strip() for one in line)]
        for line in lines[min(full, default=0) : max(full, default=-1) + 1]:
            yield from line
            yield Segment.line()


def _visible(tokens: list[Token]) -> list[Token]:
    # After parsing, since the parser decodes "%1b" in a link to a control character.
    for token in tokens:
        token.content = visible(token.content)
        _visible(token.children or [])
    return tokens
