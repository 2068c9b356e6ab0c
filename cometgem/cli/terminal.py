"""Output: stdout and stderr, each of them a terminal, a pipe or file, or closed.

A server's text must not control a terminal: control characters are escaped here, including those
that change the direction of text.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from cometgem.types.wire import encode

if TYPE_CHECKING:
    from cometgem.types.content import Part
    from cometgem.types.response import GenerateContentResponse

__all__ = [
    "Terminal",
    "finish_words",
    "no_answer_reason",
    "one_line",
    "part_words",
    "usage_words",
    "visible",
]

BOLD, DIM, CYAN = "1", "2", "36"

# They reorder the text around them, so that it reads differently from what it is.
_BIDI = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"

# C0, DEL and C1 without tab and line ends. Other unprintable characters stay: some join emoji.
_CONTROLS = re.compile(rf"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_BIDI}]|\r(?!\n)")
_ALL_CONTROLS = re.compile(rf"[\x00-\x1f\x7f-\x9f\u2028\u2029{_BIDI}]")


def visible(text: str) -> str:
    """Return text with control characters escaped as in JSON, except tabs and line ends."""
    return _CONTROLS.sub(_escape, text)


def one_line(text: str) -> str:
    """Return text with all control characters escaped."""
    return _ALL_CONTROLS.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


class Terminal:
    """The answer goes to stdout, everything else to stderr; in a terminal they share a line."""

    def __init__(self) -> None:
        # None if the stream was closed when Python started.
        self.out: TextIO = sys.stdout or io.StringIO()
        self.err: TextIO = sys.stderr or io.StringIO()
        self._terminals = {stream for stream in (self.out, self.err) if stream.isatty()}
        self._is_coloured = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._unfinished: TextIO | None = None  # the stream that began the current line
        for stream in (self.out, self.err):
            if isinstance(stream, io.TextIOWrapper):
                # By default pipes and files on Windows have the encoding of the code page.
                encoding = None if stream.isatty() else "utf-8"
                stream.reconfigure(encoding=encoding, errors="backslashreplace")

    def answer(self, text: str) -> None:
        """Write to stdout; unchanged, unless it is a terminal."""
        self._write(self.out, text)

    def json_line(self, raw: bytes) -> None:
        """Write one JSON value to stdout as one line, otherwise byte for byte."""
        # In JSON, line ends and the spaces around them are outside of strings.
        line = b" ".join(line.strip() for line in raw.splitlines())
        if self.out in self._terminals:
            self.answer(line.decode("utf-8", "replace") + "\n")
            return
        self.out.buffer.write(line + b"\n")
        self.out.flush()

    def thought(self, text: str) -> None:
        """Write to stderr, dimmed, if it is a terminal; thoughts are left out of logs."""
        if text and self.err in self._terminals:
            heading = "" if self._unfinished is self.err else "thought: "
            self._write(self.err, heading + text, DIM)

    def note(self, line: str) -> None:
        """Write a line to stderr."""
        self.end_line()
        self._write(self.err, one_line(line) + "\n")

    def error(self, sentence: str, *, program: str = "cometgem") -> None:
        """Write an error message to stderr, if anyone can read it there."""
        with suppress(OSError):
            self.note(f"{program}: error: {sentence}")

    def paint(self, text: str, style: str) -> str:
        """Return text in a style such as `BOLD` for stdout; unstyled if colours are off."""
        return self._styled(self.out, one_line(text), style)

    def line(self, *painted: str) -> None:
        """Write a line of painted pieces to stdout."""
        self.out.write("".join(painted).rstrip(" ") + "\n")
        self.out.flush()

    def end_line(self) -> None:
        """Begin a new line in the terminal, unless the cursor is at the start of one."""
        if self._unfinished is not None:
            self._write(self._unfinished, "\n")

    def leave(self) -> None:
        """Flush; drop what cannot be written, so that the interpreter does not fail at exit."""
        with suppress(OSError):
            self.end_line()
        for stream in (self.out, self.err):
            try:
                stream.flush()
            except OSError:
                with suppress(OSError):  # the stream has no file descriptor
                    _discard(stream.fileno())

    def _write(self, stream: TextIO, text: str, style: str = "") -> None:
        if not text:
            return
        if stream in self._terminals:
            if self._unfinished not in (None, stream):
                self.end_line()
            self._unfinished = None if text.endswith("\n") else stream
            text = self._styled(stream, visible(text), style)
        stream.write(text)
        stream.flush()

    def _styled(self, stream: TextIO, text: str, style: str) -> str:
        if not style or not self._is_coloured or stream not in self._terminals:
            return text
        return f"\x1b[{style}m{text}\x1b[0m"


def part_words(part: Part) -> tuple[str, str]:
    """Return the kind of a part and its content, in one line."""
    if part.text is not None:
        return "thought" if part.thought else "text", _json(part.text)
    if (call := part.function_call) is not None:
        args = ", ".join(f"{name}={_json(value)}" for name, value in call.args.items())
        return "call", f"{call.name}({args})"
    if (blob := part.inline_data) is not None:
        kind = "image" if blob.mime_type.startswith("image/") else "media"
        return kind, f"{len(blob.data):,} bytes of {blob.mime_type or 'unknown type'}"
    if (code := part.executable_code) is not None:
        return "code", _json(code.code)
    if (result := part.code_execution_result) is not None:
        return "result", f"{result.outcome} {_json(result.output or '')}"
    return "part", encode(part).decode()


def no_answer_reason(response: GenerateContentResponse) -> str:
    """Return why the response has no answer; "" if it has one."""
    feedback = response.prompt_feedback
    if feedback is not None and (feedback.block_reason or feedback.block_reason_message):
        words = (feedback.block_reason, feedback.block_reason_message)
        return f"the prompt was blocked: {': '.join(word for word in words if word)}"
    if response.finish_reason == "STOP":
        return ""
    if any(part.text != "" and not part.thought for part in response.parts):
        return ""
    return f"the model did not answer; finish reason {finish_words(response)}"


def finish_words(response: GenerateContentResponse) -> str:
    """Return the finish reason and its message."""
    messages = [one.finish_message for one in response.candidates if one.finish_message]
    return ": ".join([response.finish_reason or "none", *messages[:1]])


def usage_words(response: GenerateContentResponse) -> str:
    """Return the token counts."""
    words = []
    if (usage := response.usage_metadata) is not None:
        counts = {
            "prompt": usage.prompt_token_count,
            "tool use": usage.tool_use_prompt_token_count,
            "thoughts": usage.thoughts_token_count,
            "answer": usage.candidates_token_count,
            "total": usage.total_token_count,
        }
        words = [f"{count:,} {name}" for name, count in counts.items() if count is not None]
    return ", ".join(words) + " tokens" if words else "no token counts"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _discard(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
