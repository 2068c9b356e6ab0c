"""Answers that are rendered as Markdown, block by block."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING

import pytest
from cli.speaking import Tty

from cometgem.cli.markdown import MarkdownText
from cometgem.cli.terminal import Terminal
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.speaking import Talk


MARKDOWN = """\
## Comets

A *comet* is `ice` and
dust: [more](https://example.com/a), <https://example.com/%1b%5b2J>, Vec<String>.\r

1. Halley

   in 2061

2. Encke
   - often

| name | years |
|------|-------|
| Halley | 76 |

```python
def period(a):

    return a ** 1.5 # \x1b[2J
```

> Look up.

[unseen]: https://example.com

<b>bold</b>
---
The end"""

RENDERED = """\
Comets

A comet is ice and dust: more (https://example.com/a),
https://example.com/\\u001b[2J (https://example.com/%1b%5b2J), Vec<String>.

1 Halley
in 2061
2 Encke
• often

name years
Halley 76

def period(a):

return a ** 1.5 # \\u001b[2J

▌ Look up.

<b>bold</b>

The end
"""


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Render pieces of Markdown; returns what is on the screen."""
    pytest.importorskip("rich")
    from cometgem.cli.markdown import MarkdownText  # noqa: PLC0415  needs the extra

    monkeypatch.setenv("NO_COLOR", "1")

    def rendered(pieces: list[str]) -> str:
        screen: list[str] = []
        terminal = Terminal()
        terminal.out = Tty(screen)
        text = MarkdownText(terminal)
        for piece in pieces:
            text.add(piece)
        text.end()
        return "".join(screen)

    return rendered


def plain(screen: str) -> list[str]:
    """Return the words on the screen, without colours, frames and indentation."""
    words = re.sub(r"\x1b\[[\d;]*m", "", screen)
    assert "\x1b" not in words
    lines = [" ".join(line.split()) for line in words.splitlines()]
    return [line for line in lines if not line or line.strip("━─")]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
def test_markdown_in_pieces(rendered: Callable[..., str], size: int) -> None:
    pieces = [MARKDOWN[at : at + size] for at in range(0, len(MARKDOWN), size)]
    assert plain(rendered(pieces)) == RENDERED.splitlines()


def test_markdown_of_nothing(rendered: Callable[..., str]) -> None:
    assert rendered([]) == rendered(["", "\n", "\n\n"]) == ""
    assert rendered(["Hi"]) == "Hi\n"


def test_markdown_of_an_answer_that_was_cut(
    server: FakeServer,
    screen: Callable[..., tuple[int, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("rich")
    monkeypatch.setenv("NO_COLOR", "1")
    server.add(Reply.text("one *two*\n", "\nthr").then_end())
    status, shown = screen(io.StringIO("Hi\n"), "--markdown")
    assert status == 1
    *answer, error = plain(shown)
    assert answer == ["one two", "", "thr"]
    assert error.startswith("cometgem: error: ")


def test_markdown_in_a_pipe_is_unchanged(server: FakeServer, talk: Talk) -> None:
    pytest.importorskip("rich")
    server.add(Reply.text(MARKDOWN))
    assert talk("Hi", argv=("--markdown",)) == (0, f"{MARKDOWN}\n", "")


@pytest.mark.usefixtures("server")
def test_markdown_without_the_extra(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cometgem.cli.markdown", None)
    sentence = "--markdown needs the rich package: pip install 'cometgem[cli]'"
    assert talk("Hi", argv=("--markdown",)) == (2, "", f"cometgem: error: {sentence}\n")


@pytest.mark.parametrize("code", [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2066, 0x2069])
def test_the_direction_of_text_cannot_be_changed(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    char, screen = chr(code), list[str]()
    monkeypatch.setattr(sys, "stdout", Tty(screen))
    text = MarkdownText(Terminal())
    text.add(
        f"a{char} [l{char}](http://x.test/{char} 't{char}') ![i{char}](u{char}) `c{char}` &#{code};"
        f"\n\n```py{char}\nx{char}\n```\n\n# h{char}\n\n- {char}\n\n|{char}|\n|---|\n|{char}|\n\n"
    )
    text.end()
    assert char not in "".join(screen)
    assert f"h\\u{code:04x}" in "".join(screen)
