"""`cometgem chat`: a conversation in a terminal, or line by line through a pipe."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple, cast

from cometgem.cli.arguments import MODEL, THINKING, thinking_options
from cometgem.cli.chat_file import load_chat, save_chat
from cometgem.cli.client import make_client
from cometgem.cli.files import path_of, read_part
from cometgem.cli.line_input import is_typed, line_reader
from cometgem.cli.sentences import UsageError, sentence
from cometgem.cli.terminal import finish_words, no_answer_reason, part_words, usage_words
from cometgem.conversation.turns import as_instruction
from cometgem.errors import CometGemError
from cometgem.request.build import build_request
from cometgem.types.response import GenerateContentResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cometgem.cli.terminal import Terminal
    from cometgem.client import Client
    from cometgem.conversation.chat import Chat
    from cometgem.conversation.options import ConversationOptions
    from cometgem.conversation.rounds import ConversationStream
    from cometgem.options import CallOptions, GenerateOptions
    from cometgem.types.content import Part

__all__ = ["run_chat"]


def run_chat(  # noqa: PLR0913  one per option of the command
    terminal: Terminal,
    *,
    model: str | None = None,
    system: str | None = None,
    thinking: CallOptions | None = None,
    load: str | None = None,
    markdown: bool = False,
) -> int:
    """Hold a conversation until /quit or the end of input.

    Args:
        terminal: Where the answers go.
        model: The model to ask. Defaults to that of the loaded chat, or to `MODEL`.
        system: The system instruction; overrides that of the loaded chat.
        thinking: What `thinking_options` returned.
        load: A file written with `/save`, to continue from.
        markdown: Whether to render answers as Markdown if stdout is a terminal.

    Returns:
        The exit code: 1 if the input came through a pipe and any line failed.

    Raises:
        ConfigurationError: There is no key, or an option is not valid.
    """
    client = make_client()
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


class Talk:
    """The lines of one person or script, and the chat they belong to."""

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
        """Take one line after another; return the exit code."""
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
                # Pressed again while the first Ctrl-C was handled.
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
            _check_text(line)
            self._take(line)
        except CometGemError as error:
            self._failed = True
            self._terminal.error(sentence(error))
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
            raise UsageError(
                f"unknown command {name!r}; commands are {', '.join(_COMMANDS)};"
                " start a message with // if it begins with a slash"
            )
        if bool(rest) != bool(command.takes) and not command.takes.startswith("["):
            raise UsageError(
                f"{name} needs {command.takes}" if command.takes else f"{name} takes no argument"
            )
        command.run(self, rest)

    def _say(self, text: str) -> None:
        said: list[Part | str] = [*self._files, text]
        self._files = []
        before = len(self._chat.history)
        try:
            self._ask(said)
        finally:
            if len(said) > 1 and len(self._chat.history) == before:
                self._note("the message was not kept; attach its files again")

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
                self._keep_partial(stream)

    def _report(self, final: GenerateContentResponse) -> None:
        """Show the parts of an answer that are not text, and why it ended."""
        for part in final.parts:
            if part.text is None:
                self._note(": ".join(part_words(part)))
        if problem := no_answer_reason(final):
            raise CometGemError(problem)
        if final.finish_reason != "STOP":
            self._note(f"finish reason {finish_words(final)}")

    async def _show(self, stream: ConversationStream[GenerateContentResponse]) -> None:
        """Show the answer as it arrives."""
        write: Callable[[str], None] = self._terminal.answer
        end: Callable[[], None] = self._terminal.end_line
        if self._renders:
            from cometgem.cli.markdown import MarkdownText  # noqa: PLC0415  needs an extra

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

    def _keep_partial(self, stream: ConversationStream[GenerateContentResponse]) -> None:
        # Thoughts alone are not an answer, and a call would have to be answered next.
        if any(
            part.text != "" and not part.thought and part.function_call is None
            for part in stream.snapshot.parts
        ):
            self._chat.keep_partial()
            self._note("stopped; the partial answer is kept")
        else:
            self._note("stopped before the answer began; the message is not kept")

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
        """Show or change the model."""
        if name:
            _check(name, self._chat.options)
            self._chat.model = name
        self._note(f"model: {self._chat.model}")

    def thinking(self, text: str) -> None:
        """Show or set how much the model thinks."""
        if text:
            self._set({"thoughts": None, **thinking_options(text)})
        thinking = self._chat.options.get("thinking")
        self._note(f"thinking: {'default of the model' if thinking is None else thinking}")

    def save(self, text: str) -> None:
        """Save the conversation to a file."""
        save_chat(self._chat, text)
        self._note(f"saved {_turns(self._chat)} to {text}")

    def load(self, text: str) -> None:
        """Continue the conversation in a file."""
        options = self._chat.options.copy()
        options.pop("system_instruction", None)
        self._chat = load_chat(text, self._client, options)
        self._note(f"loaded {_turns(self._chat)} with {self._chat.model} from {text}")

    def usage(self, _: str) -> None:
        """Show the token counts of all requests so far."""
        usage = self._chat.usage
        words = usage_words(GenerateContentResponse(usage_metadata=usage))
        if usage.cached_content_token_count:
            words += f"; {usage.cached_content_token_count:,} prompt tokens were cached"
        self._note(f"usage: {words}")

    def help(self, _: str) -> None:
        """List the commands."""
        for name, command in _COMMANDS.items():
            self._note(f"{f'{name} {command.takes}':18}  {command.words}")
        self._note(f"{'//TEXT':18}  send a message that begins with a slash")
        self._note(f"{'Ctrl-C':18}  stop the answer")

    def quit(self, _: str) -> None:
        """Leave."""
        self._left = True

    def _set(self, options: CallOptions) -> None:
        changed: ConversationOptions = {**self._chat.options, **options}
        _check(self._chat.model, changed)
        self._chat.options = changed


class _Command(NamedTuple):
    """A command of the conversation, such as `/save PATH`."""

    run: Callable[[Talk, str], None]
    takes: str  # "" for no argument; in brackets if optional
    words: str


_COMMANDS = {
    "/system": _Command(Talk.system, "[TEXT]", "show or set the system instruction"),
    "/file": _Command(Talk.file, "PATH", "attach a file to the next message"),
    "/model": _Command(Talk.model, "[NAME]", "show or change the model"),
    "/thinking": _Command(Talk.thinking, "[LEVEL]", f"{', '.join(THINKING)} or tokens"),
    "/save": _Command(Talk.save, "PATH", "save the conversation to a file"),
    "/load": _Command(Talk.load, "PATH", "continue the conversation in a file"),
    "/usage": _Command(Talk.usage, "", "show the token counts of all requests"),
    "/help": _Command(Talk.help, "", "list the commands"),
    "/quit": _Command(Talk.quit, "", "leave"),
}


@contextmanager
def _ctrl_c(press: Callable[[], object]) -> Iterator[None]:
    """Call a function on Ctrl-C, instead of raising KeyboardInterrupt at any line of code."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda *_: press())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _check(model: str, options: ConversationOptions) -> None:
    """Raise a ConfigurationError now for options that would fail with the first message."""
    build_request("streamGenerateContent", model, "Hi", cast("GenerateOptions", options))


def _check_text(line: str) -> None:
    try:
        line.encode()
    except UnicodeEncodeError as error:
        raise UsageError("the line is not valid UTF-8, and was not sent") from error


def _check_markdown() -> None:
    try:
        import cometgem.cli.markdown  # noqa: F401, PLC0415  needs an extra
    except ImportError as error:
        raise UsageError(
            "--markdown needs the rich package: pip install 'cometgem[cli]'"
        ) from error


def _turns(chat: Chat[GenerateContentResponse]) -> str:
    count = len(chat.history)
    return f"{count} turn{'s' * (count != 1)}"
