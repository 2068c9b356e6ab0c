"""`cometgem demo`: one stream, shown chunk by chunk and then merged."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cometgem.cli.client import make_client
from cometgem.cli.sentences import UsageError
from cometgem.cli.terminal import (
    BOLD,
    CYAN,
    DIM,
    Terminal,
    finish_words,
    no_answer_reason,
    one_line,
    part_words,
    usage_words,
    visible,
)
from cometgem.client import Client
from cometgem.http.retry import RetryPolicy
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cometgem.options import GenerateOptions
    from cometgem.types.content import FunctionCall
    from cometgem.types.dicts import FunctionDeclarationDict
    from cometgem.types.response import GenerateContentResponse

__all__ = ["SCRIPT", "recorded", "run_demo"]

PROMPT = "When does Halley's Comet come back? Set me a reminder for the month before."

_REMINDER: FunctionDeclarationDict = {
    "name": "set_reminder",
    "description": "Remind the user of something.",
    "parameters": {
        "type": "OBJECT",
        "properties": {
            "title": {"type": "STRING"},
            "date": {"type": "STRING", "description": "YYYY-MM-DD"},
            "hour": {"type": "INTEGER"},
            "repeat": {"type": "BOOLEAN"},
            "channels": {"type": "ARRAY", "items": {"type": "STRING"}},
        },
        "required": ["title", "date"],
    },
}

OPTIONS: GenerateOptions = {
    "tools": [{"functionDeclarations": [_REMINDER]}],
    "generation_config": {"thinkingConfig": {"includeThoughts": True}},
}

_CALL = {
    "name": "set_reminder",
    "args": {
        "title": "Halley's Comet",
        "date": "2061-06-28",
        "hour": 21,
        "repeat": False,
        "channels": ["mail", "phone"],
    },
}

SCRIPT = (
    Reply.chunks(
        {"text": "Halley was here in 1986, and takes about 76 years. ", "thought": True},
        {"text": "Its perihelion is in July 2061, so June it is.", "thought": True},
        {"text": "Halley's Comet"},
        {"text": " comes back"},
        {"text": " in the summer"},
        {"text": " of 2061:"},
        {"text": " it passes the Sun"},
        {"text": " on 28 July."},
        {"text": " I will remind you"},
        {"text": " a month before."},
        {"functionCall": _CALL, "thoughtSignature": "bWFkZSB1cA=="},
        delay=0.06,
    )
    .delay(first=0.2)
    .usage(
        {
            "promptTokenCount": 74,
            "thoughtsTokenCount": 27,
            "candidatesTokenCount": 58,
            "totalTokenCount": 159,
        }
    )
)

# A recorded body, too, should be seen to arrive piece by piece.
_PAUSE = 0.04  # seconds between two pieces
_PAUSES = 1.5  # seconds of all pauses together
_PIECES = 200

_EVENT_END = re.compile(rb"(?<=\n\n)|(?<=\n\r\n)")
_WIDEST = 100
_LONGEST_TEXT = 12


def recorded(path: str) -> Reply:
    """Return a recorded body as a reply, with a short pause after each event.

    Raises:
        UsageError: The file cannot be read.
    """
    try:
        whole = Reply.recorded(path)
        first, *rest = _EVENT_END.split(Path(path).read_bytes(), _PIECES)
    except OSError as error:
        raise UsageError(
            f"cannot read {path!r} ({error.strerror}): give the path of a readable file"
        ) from error
    reply = Reply.raw(first, status=whole.status, content_type=whole.content_type or "")
    for event in rest:
        reply = reply.then_pause(min(_PAUSE, _PAUSES / len(rest))).then_raw(event)
    return reply


def run_demo(terminal: Terminal, model: str, replay: str | None) -> int:
    """Show one stream, from the gateway if there is a key, otherwise from a test server.

    Args:
        terminal: Where to show it.
        model: The model to ask.
        replay: A recorded body, which the test server sends even if there is a key.

    Returns:
        The exit code: 1 if there was no answer.

    Raises:
        CometGemError: The stream failed.
    """
    view = _View(terminal)
    if replay is None and os.environ.get("COMETAPI_KEY"):
        client = make_client()
        view.start(f"Asking {model} at {client.base_url}.", PROMPT)
        return asyncio.run(_play(view, client, model))
    reply = SCRIPT if replay is None else recorded(replay)
    with FakeServer(default=reply, validate=False) as server:
        # One attempt, since the next one would get the same reply.
        client = Client(server.api_key, base_url=server.url, retry=RetryPolicy(attempts=1))
        if replay is None:
            view.start(
                "COMETAPI_KEY is not set: a local test server answers in place of a model.", PROMPT
            )
        else:
            view.start(f"A local test server replays {Path(replay).name}.")
        is_single = "json" in (reply.content_type or "")
        return asyncio.run(_play(view, client, model, is_single=is_single))


async def _play(view: _View, client: Client, model: str, *, is_single: bool = False) -> int:
    async with client:
        if is_single:
            final = await client.generate_content(model, PROMPT, **OPTIONS)
        else:
            async with client.stream_generate_content(model, PROMPT, **OPTIONS) as stream:
                async for chunk in stream:
                    view.chunk(chunk)
            final = stream.snapshot
    view.final(final)
    if problem := no_answer_reason(final):
        view.terminal.error(problem)
        return 1
    return 0


class _View:
    """One row per part of each chunk, then the final response."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self._width = max(40, min(_WIDEST, shutil.get_terminal_size().columns))
        self._begun = 0.0
        self._times: list[float] = []  # seconds after that, one per chunk

    def start(self, *introduction: str) -> None:
        for words in introduction:
            self.terminal.line(self.terminal.paint(words, DIM))
        self._begun = time.perf_counter()

    def chunk(self, chunk: GenerateContentResponse) -> None:
        if not self._times:
            self._heading("chunk     time  part")
        self._times.append(time.perf_counter() - self._begun)
        start = f"{len(self._times):5} {self._times[-1] * 1000:5.0f} ms"
        rows = [part_words(part) for part in chunk.parts]
        for kind, words in rows or [("-", _rest_words(chunk))]:
            self._row(start, kind, words)
            start = " " * len(start)

    def final(self, final: GenerateContentResponse) -> None:
        count = len(self._times)
        self._heading(
            f"final response, merged from {count} chunk{'s' * (count != 1)}"
            if count
            else "response, not streamed"
        )
        self._field("thoughts", *self._wrapped(final.thoughts))
        self._field("text", *self._wrapped(final.text))
        for part in final.parts:
            if part.function_call is not None:
                self._field("function call", *_call_lines(part.function_call))
            elif part.text is None:
                kind, words = part_words(part)
                self._field(kind, *self._wrapped(words))
        self._field(
            "sources", *self._wrapped(", ".join(filter(None, dict.fromkeys(_sources(final)))))
        )
        self._field("usage", usage_words(final))
        self._field("finish reason", *self._wrapped(finish_words(final)))
        if count:
            self._field("first chunk", f"after {self._times[0] * 1000:.0f} ms")
        if count > 1:
            seconds = self._times[-1] - self._times[0]
            self._field("rate", f"{(count - 1) / max(seconds, 1e-6):,.1f} chunks/s")

    def _heading(self, words: str) -> None:
        self.terminal.line()
        self.terminal.line(self.terminal.paint(words, BOLD))

    def _row(self, start: str, kind: str, words: str) -> None:
        room = self._width - len(start) - 11
        if len(words) > room:
            words = f"{words[: room - 3]}..."
        paint = self.terminal.paint
        style = {"thought": DIM, "text": ""}.get(kind, CYAN)
        self.terminal.line(paint(start, DIM), f"  {kind:8} ", paint(words, style))

    def _field(self, name: str, *lines: str) -> None:
        for words in lines:
            self.terminal.line(self.terminal.paint(f"  {name:15}", DIM), words)
            name = ""

    def _wrapped(self, text: str) -> Iterator[str]:
        lines = [
            piece
            for line in visible(text).splitlines()
            for piece in textwrap.wrap(line, self._width - 17)
        ]
        yield from lines[:_LONGEST_TEXT]
        if len(lines) > _LONGEST_TEXT:
            yield f"... ({len(text):,} characters in all)"


def _rest_words(chunk: GenerateContentResponse) -> str:
    words = [chunk.finish_reason, chunk.block_reason]
    if chunk.usage_metadata is not None:
        words.append(usage_words(chunk))
    return ", ".join(word for word in words if word)


def _call_lines(call: FunctionCall) -> Iterator[str]:
    yield one_line(call.name)
    names = max(map(len, call.args), default=0)
    types = max((len(type(value).__name__) for value in call.args.values()), default=0)
    for name, value in call.args.items():
        yield one_line(f"  {name:{names}}  {type(value).__name__:{types}}  {value!r}")


def _sources(response: GenerateContentResponse) -> Iterator[str]:
    for candidate in response.candidates:
        if (cited := candidate.citation_metadata) is not None:
            for citation in cited.citation_sources + cited.citations:
                yield citation.title or citation.uri or ""
        if (grounding := candidate.grounding_metadata) is not None:
            for chunk in grounding.grounding_chunks:
                source = chunk.web or chunk.maps or chunk.image or chunk.retrieved_context
                yield (source and source.title) or ""
        if (pages := candidate.url_context_metadata) is not None:
            for page in pages.url_metadata:
                yield page.retrieved_url or ""
