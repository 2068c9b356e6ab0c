"""The command line: `cometgem chat`, `cometgem demo`, `cometgem generate`, `cometgem serve`.

Exit codes: 0 good, 1 the API or the stream failed, 2 wrong usage or no key; 130 after Ctrl-C and
141 where the reader of stdout went away, as a shell has it for the two signals.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING, NoReturn

from cometgem.cli.chat import MODEL, run_chat, thinking_options
from cometgem.cli.files import read_part
from cometgem.cli.terminal import Terminal, finish_words, no_answer_reason, part_words, usage_words
from cometgem.client import Client
from cometgem.errors import CometGemError, ConfigurationError
from cometgem.types.wire import encode
from cometgem.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cometgem.options import CallOptions, GenerateOptions
    from cometgem.request.contents import Contents
    from cometgem.types.response import GenerateContentResponse

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The arguments after the program's name; by default those of the process.

    Returns:
        The exit code.
    """
    terminal = Terminal()
    try:
        status = _run(terminal, argv)
        terminal.out.flush()
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        status = 141
    except CometGemError as error:
        terminal.error(error)
        status = 2 if isinstance(error, ConfigurationError) else 1
    except OSError as error:
        terminal.error(f"input or output failed: {error.strerror or error}")
        status = 1
    terminal.leave()
    return status


def _run(terminal: Terminal, argv: Sequence[str] | None) -> int:
    parser = _parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit:  # --help and --version: errors raise
        return 0
    if args.command is None:
        parser.print_help(terminal.err)
        return 2
    if sys.stdout is None:
        raise ConfigurationError("standard output is closed: there is nowhere to write to")
    status: int = args.run(terminal, args)
    return status


class _Parser(argparse.ArgumentParser):
    """Ends like everything else here: in one sentence."""

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(f"{message}; see '{self.prog} --help'")


def _parser() -> _Parser:
    parser = _Parser(
        prog="cometgem",
        description="Stream from Gemini models through the CometAPI gateway.",
        epilog="The key is read from COMETAPI_KEY, the host from COMETAPI_BASE_URL. Exit codes: 0"
        " good, 1 the API or the stream failed, 2 wrong usage or no key.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"cometgem {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, run: Any, words: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=words, description=f"{words.capitalize()}.", allow_abbrev=False
        )
        made.set_defaults(run=run)
        return made

    demo = command("demo", _demo, "show a stream arriving chunk by chunk, with or without a key")
    demo.add_argument("--model", default=MODEL, help="which to ask, with a key (%(default)s)")

    generate = command("generate", _generate, "answer a prompt: text to stdout, the rest to stderr")
    add = generate.add_argument
    add("prompt", metavar="PROMPT", help="what to say; - reads it from stdin")
    add("--model", default=MODEL, help="which to ask (%(default)s)")
    add(
        "--file",
        action="append",
        default=[],
        metavar="PATH",
        help="send a file, too, such as a picture; may be given several times",
    )
    add("--search", action="store_true", help="let the model search the web")
    add("--json", action="store_true", help="ask for JSON")
    add("--no-stream", action="store_true", help="wait for the answer as a whole")
    add("--raw", action="store_true", help="print the chunks' own JSON, one a line")

    chat = command(
        "chat", _chat, "start_conversation: in the terminal, or a line at a time through a pipe"
    )
    chat.add_argument("--model", help=f"which to ask ({MODEL}, or as loaded)")
    chat.add_argument("--load", metavar="FILE", help="go on with what /save wrote")
    chat.add_argument(
        "--markdown",
        action="store_true",
        help="render answers, block by block (wants cometgem[cli])",
    )
    for one in (generate, chat):
        one.add_argument("--system", metavar="TEXT", help="the system instruction")
        one.add_argument(
            "--thinking",
            type=_thinking,
            action=_Once,
            metavar="LEVEL|BUDGET",
            help="off, minimal, low, medium, high, dynamic (the model decides), or tokens",
        )

    serve = command("serve", _serve, "run a test server that speaks both operations")
    serve.add_argument("--port", type=_port, default=0, help="by default a free one")
    for one in (demo, serve):
        one.add_argument("--replay", metavar="FILE", help="answer with a recorded body")
    return parser


def _thinking(text: str) -> CallOptions:
    try:
        return thinking_options(text)
    except ConfigurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


class _Once(argparse.Action):
    """An option that cannot mean two things."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        if getattr(namespace, self.dest) is not None:
            parser.error(f"{option_string} is given twice")
        setattr(namespace, self.dest, values)


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() and len(text) < 6 else -1  # noqa: PLR2004  digits
    if not 0 <= port <= 65535:  # noqa: PLR2004  the last one
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give one up to 65535, or 0")
    return port


def _demo(terminal: Terminal, args: argparse.Namespace) -> int:
    # Brings aiohttp's server along, which no other command needs.
    from cometgem.cli.demo import run_demo  # noqa: PLC0415

    return run_demo(terminal, args.model, args.replay)


def _generate(terminal: Terminal, args: argparse.Namespace) -> int:
    # Before any file is read, and before a prompt is typed: is there a key?
    client = Client()
    contents: Contents = [*map(read_part, args.file), _prompt(args.prompt)]
    final = asyncio.run(_ask(terminal, client, contents, args))
    for part in final.parts:
        if part.text is None:
            terminal.note(": ".join(part_words(part)))
    terminal.note(f"usage: {usage_words(final)}; finish reason {finish_words(final)}")
    if problem := no_answer_reason(final):
        terminal.error(problem)
        return 1
    return 0


def _prompt(given: str) -> str:
    prompt = given
    if given == "-":
        if sys.stdin is None:
            raise ConfigurationError("standard input is closed: give the prompt as an argument")
        try:
            prompt = sys.stdin.read()
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"standard input is no text: {error}") from error
    if not prompt.strip():
        raise ConfigurationError("the prompt is empty: say something")
    return prompt


async def _ask(
    terminal: Terminal, client: Client, contents: Contents, args: argparse.Namespace
) -> GenerateContentResponse:
    """Show the answer as it comes, and return it."""
    async with client:
        if args.no_stream:
            response = await client.generate_content(args.model, contents, **_options(args))
            _show(terminal, response, raw=args.raw)
            return response
        async with client.stream_generate_content(args.model, contents, **_options(args)) as stream:
            async for chunk in stream:
                _show(terminal, chunk, raw=args.raw)
        return stream.snapshot


def _options(args: argparse.Namespace) -> GenerateOptions:
    thinking: CallOptions = {} if args.thinking is None else args.thinking
    return {
        "system_instruction": args.system,
        "tools": [{"googleSearch": {}}] if args.search else None,
        "generation_config": {"responseMimeType": "application/json"} if args.json else None,
        **thinking,
    }


def _show(terminal: Terminal, chunk: GenerateContentResponse, *, raw: bool) -> None:
    if raw:
        terminal.json_line(chunk.raw or encode(chunk))
        return
    for part in chunk.parts:
        if part.text is not None:
            (terminal.thought if part.thought else terminal.answer)(part.text)


def _chat(terminal: Terminal, args: argparse.Namespace) -> int:
    return run_chat(
        terminal,
        model=args.model,
        system=args.system,
        thinking=args.thinking,
        load=args.load,
        markdown=args.markdown,
    )


def _serve(terminal: Terminal, args: argparse.Namespace) -> int:
    from cometgem.cli.demo import SCRIPT, recorded  # noqa: PLC0415  as for _demo
    from cometgem.testing import FakeServer  # noqa: PLC0415

    reply = SCRIPT if args.replay is None else recorded(args.replay)
    server = FakeServer(port=args.port, default=reply)
    try:
        server.start()
    except OSError as error:
        raise ConfigurationError(error.strerror or str(error)) from error
    try:
        terminal.answer(_SERVING.format(url=server.url, key=server.api_key, model=MODEL))
        server.wait()
    finally:
        server.stop()
    return 0


_SERVING = """\
Serving {url} until Ctrl-C. Any key will do. Try:

  curl -sN '{url}/v1beta/models/{model}:streamGenerateContent?alt=sse' \\
    -H 'x-goog-api-key: {key}' -H 'content-type: application/json' \\
    -d '{{"contents": [{{"parts": [{{"text": "Hi"}}]}}]}}'

  COMETAPI_BASE_URL={url} COMETAPI_KEY={key} cometgem generate Hi

"""
