"""`cometgem chat`: a conversation in the terminal, or with a script at the other end of a pipe."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, cast

from cometgem.cli.chat_file import load_chat, save_chat
from cometgem.cli.files import path_of, read_part
from cometgem.cli.line_input import is_typed, line_reader
from cometgem.cli.terminal import finish_words, no_answer_reason, part_words, usage_words
from cometgem.client import Client
from cometgem.conversation.turns import as_instruction
from cometgem.errors import CometGemError, ConfigurationError
from cometgem.request.build import build_request
from cometgem.types.response import GenerateContentResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cometgem.cli.terminal import Terminal
    from cometgem.conversation.chat import Chat
    from cometgem.conversation.options import ConversationOptions
    from cometgem.conversation.rounds import ConversationStream
    from cometgem.options import CallOptions, GenerateOptions
    from cometgem.request.thinking import Thinking
    from cometgem.types.content import Part

__all__ = ["MODEL", "run_chat", "thinking_options"]

MODEL = "gemini-2.5-flash"

_THINKING = ("off", "minimal", "low", "medium", "high", "dynamic")


def run_chat(  # noqa: PLR0913  one for each option of the command
    terminal: Terminal,
    *,
    model: str | None = None,
    system: str | None = None,
    thinking: CallOptions | None = None,
    load: str | None = None,
    markdown: bool = False,
) -> int:
    """Converse until /quit or the end of input.

    Args:
        terminal: Where the answers go.
        model: Who is asked; by default who was asked in the chat that is loaded, or `MODEL`.
        system: The system instruction, over that of the chat that is loaded.
        thinking: As `thinking_options` has it.
        load: A file of `Chat.to_json`, to go on with.
        markdown: Whether to render the answers, where they go to a terminal.

    Returns:
        The exit code: with a script it is 1 if anything failed.

    Raises:
        ConfigurationError: There is no key, or an option that can never work.
    """
    client = Client()
    options = cast("ConversationOptions", thinking or {})
    if system is not None:
        options["system_instruction"] = system
    if load is None:
        chat = client.chat(MODEL if model is None else model, **options)
    else:
        chat = load_chat(load, client, {})
        chat.model = chat.model if model is None else model
        chat.options = {**chat.options, **options}
        _check(chat.model, chat.options)
    typed = is_typed()
    if markdown:
        _check_markdown()
    renders = markdown and terminal.out.isatty()
    return Talk(terminal, client, chat, typed=typed, renders=renders).run()


def thinking_options(text: str) -> CallOptions:
    """Return the options for what a person writes: a level, "off", "dynamic" or tokens.

    Raises:
        ConfigurationError: It is none of these.
    """
    wish = text.strip().lower()
    if wish in _THINKING:
        thinking = cast("Thinking", wish)
    else:
        try:
            thinking = int(wish)
        except ValueError:
            thinking = -2
        if thinking < -1:
            raise ConfigurationError(
                f"{text!r} is none of {', '.join(_THINKING)}, and no number of tokens"
            )
    # Without thinking the API refuses to include what there cannot be.
    if thinking in ("off", 0):
        return {"thinking": thinking}
    return {"thinking": thinking, "thoughts": True}


class Talk:
    """One person, or one script, and the chat that it leads."""

    def __init__(
        self,
        terminal: Terminal,
        client: Client,
        chat: Chat[GenerateContentResponse],
        *,
        typed: bool,
        renders: bool,
    ) -> None:
        self._terminal = terminal
        self._client = client
        self._chat = chat
        self._typed = typed
        self._renders = renders
        self._runner = asyncio.Runner()
        self._files: list[Part] = []
        self._failed = False
        self._left = False

    def run(self) -> int:
        """Take line after line; returns the exit code."""
        with self._runner:
            try:
                self._take_all()
            finally:
                self._runner.run(self._client.aclose())
        return int(self._failed and not self._typed)

    def _take_all(self) -> None:
        read = line_reader(self._terminal)
        if self._typed:
            self._note(f"{self._chat.model}: /help lists the commands, /quit or Ctrl-D leaves")
            self._note("")
        while not self._left:
            try:
                self._take_next(read)
            except EOFError:
                return
            except KeyboardInterrupt:
                # A person who presses it twice stops no more than one who presses it once.
                if not self._typed:
                    raise

    def _take_next(self, read: Callable[[], str]) -> None:
        self._terminal.end_line()
        hint = "/quit or Ctrl-D leaves"
        try:
            line = read()
            hint = "stopped"
            if not line.strip():
                return
            self._take(line)
        except CometGemError as error:
            self._failed = True
            self._terminal.error(error)
        except KeyboardInterrupt:
            if not self._typed:
                raise
            self._note(hint)
        if self._typed:
            self._note("")

    def _take(self, line: str) -> None:
        if not line.startswith("/"):
            self._say(line)
            return
        if line.startswith("//"):
            self._say(line[1:])
            return
        name, rest = (*line.split(maxsplit=1), "")[:2]
        command, rest = _COMMANDS.get(name), rest.strip()
        if command is None:
            raise ConfigurationError(
                f"{name!r} is no command: there are {', '.join(_COMMANDS)},"
                " and // begins a text with a slash"
            )
        if bool(rest) != bool(command.takes) and not command.takes.startswith("["):
            raise ConfigurationError(f"{name} takes {command.takes or 'nothing'}")
        command.run(self, rest)

    def _say(self, text: str) -> None:
        said: list[Part | str] = [*self._files, text]
        self._files = []
        before = len(self._chat.history)
        try:
            self._ask(said)
        finally:
            if len(said) > 1 and len(self._chat.history) == before:
                self._note("the message is not kept: attach its files again")

    def _ask(self, said: list[Part | str]) -> None:
        stream = self._chat.stream(said)
        if not self._typed:
            self._runner.run(self._show(stream))
            self._report(stream.snapshot)
            return
        loop = self._runner.get_loop()
        task = loop.create_task(self._show(stream))
        with _ctrl_c(lambda: loop.call_soon_threadsafe(task.cancel)):
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
            if stream.complete:
                self._report(stream.snapshot)
            else:
                self._keep_what_came(stream)

    def _report(self, final: GenerateContentResponse) -> None:
        """Tell what of an answer is no text."""
        for part in final.parts:
            if part.text is None:
                self._note(": ".join(part_words(part)))
        if problem := no_answer_reason(final):
            raise CometGemError(problem)
        if final.finish_reason != "STOP":
            self._note(f"finish reason {finish_words(final)}")

    async def _show(self, stream: ConversationStream[GenerateContentResponse]) -> None:
        """Show the answer as it comes."""
        write: Callable[[str], None] = self._terminal.answer
        end: Callable[[], None] = self._terminal.end_line
        if self._renders:
            from cometgem.cli.markdown import MarkdownText  # noqa: PLC0415  wants an extra

            markdown = MarkdownText(self._terminal)
            write, end = markdown.add, markdown.end
        try:
            async with stream:
                async for chunk in stream:
                    for part in chunk.parts:
                        if part.text is not None:
                            (self._terminal.thought if part.thought else write)(part.text)
        finally:
            end()
            text = stream.snapshot.text
            if text and not text.endswith("\n") and not self._terminal.out.isatty():
                self._terminal.answer("\n")

    def _keep_what_came(self, stream: ConversationStream[GenerateContentResponse]) -> None:
        # Thoughts alone are no answer, and calls would want one.
        if any(
            part.text != "" and not part.thought and part.function_call is None
            for part in stream.snapshot.parts
        ):
            self._chat.keep_partial()
            self._note("stopped: the answer is kept as far as it came")
        else:
            self._note("stopped before an answer came: the message is not kept")

    def _note(self, line: str) -> None:
        self._terminal.note(line)

    # The commands.

    def system(self, text: str) -> None:
        """Show or set the system instruction."""
        if text:
            self._set({"system_instruction": text})
        instruction = self._chat.options.get("system_instruction")
        if instruction is None:
            self._note("system: none")
            return
        for part in as_instruction(instruction).parts:
            for line in (part.text or "").splitlines():
                self._note(f"system: {line}")

    def file(self, text: str) -> None:
        """Attach a file to the next message."""
        path = path_of(text)
        part = read_part(path)
        self._files.append(part)
        self._note(f"attached to the next message: {path.name}, {part_words(part)[1]}")

    def model(self, name: str) -> None:
        """Show or change who is asked."""
        if name:
            _check(name, self._chat.options)
            self._chat.model = name
        self._note(f"model: {self._chat.model}")

    def thinking(self, text: str) -> None:
        """Show or set how much the model thinks."""
        if text:
            self._set({"thoughts": None, **thinking_options(text)})
        wish = self._chat.options.get("thinking")
        self._note(f"thinking: {'as the model likes' if wish is None else wish}")

    def save(self, text: str) -> None:
        """Write the chat to a file."""
        save_chat(self._chat, text)
        self._note(f"saved {_turns(self._chat)} to {text}")

    def load(self, text: str) -> None:
        """Go on with the chat in a file."""
        options = self._chat.options.copy()
        options.pop("system_instruction", None)
        self._chat = load_chat(text, self._client, options)
        self._note(f"loaded {_turns(self._chat)} with {self._chat.model} from {text}")

    def usage(self, _: str) -> None:
        """Show the tokens of all requests."""
        usage = self._chat.usage
        words = usage_words(GenerateContentResponse(usage_metadata=usage))
        if usage.cached_content_token_count:
            words += f"; {usage.cached_content_token_count:,} of the prompt's were cached"
        self._note(f"usage: {words}")

    def help(self, _: str) -> None:
        """List the commands."""
        for name, command in _COMMANDS.items():
            self._note(f"{f'{name} {command.takes}':18}  {command.words}")
        self._note(f"{'//TEXT':18}  say a text that begins with a slash")
        self._note(f"{'Ctrl-C':18}  stop the answer")

    def quit(self, _: str) -> None:
        """Leave."""
        self._left = True

    def _set(self, options: CallOptions) -> None:
        changed: ConversationOptions = {**self._chat.options, **options}
        _check(self._chat.model, changed)
        self._chat.options = changed


class _Command(NamedTuple):
    """What follows a slash."""

    run: Callable[[Talk, str], None]
    takes: str
    words: str


_COMMANDS = {
    "/system": _Command(Talk.system, "[TEXT]", "show or set the system instruction"),
    "/file": _Command(Talk.file, "PATH", "attach a file to the next message"),
    "/model": _Command(Talk.model, "[NAME]", "show or change who is asked"),
    "/thinking": _Command(Talk.thinking, "[LEVEL]", f"{', '.join(_THINKING)} or tokens"),
    "/save": _Command(Talk.save, "PATH", "write the conversation to a file"),
    "/load": _Command(Talk.load, "PATH", "go on with the conversation in a file"),
    "/usage": _Command(Talk.usage, "", "show the tokens of all requests"),
    "/help": _Command(Talk.help, "", "list the commands"),
    "/quit": _Command(Talk.quit, "", "leave"),
}


@contextmanager
def _ctrl_c(press: Callable[[], object]) -> Iterator[None]:
    """Have Ctrl-C do this, where it would raise KeyboardInterrupt at whatever line it finds."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: press())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _check(model: str, options: ConversationOptions) -> None:
    """Raise for what can never work, before anything is typed in vain."""
    build_request("streamGenerateContent", model, "Hi", cast("GenerateOptions", options))


def _check_markdown() -> None:
    try:
        import cometgem.cli.markdown  # noqa: F401, PLC0415  as where it is used
    except ImportError as error:
        raise ConfigurationError(
            "--markdown wants the package rich: pip install 'cometgem[cli]'"
        ) from error


def _turns(chat: Chat[GenerateContentResponse]) -> str:
    count = len(chat.history)
    return f"{count} turn{'s' * (count != 1)}"
