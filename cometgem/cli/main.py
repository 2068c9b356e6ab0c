"""The command line: `cometgem batch`, `chat`, `demo`, `generate` and `serve`.

Exit codes: 0 success, 1 the API or the stream failed, 2 wrong usage or no key. As in a shell, 130
after Ctrl-C and 141 after the reader of stdout went away.
"""

from __future__ import annotations

import errno
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cometgem.cli.arguments import (
    MODEL,
    Once,
    Parser,
    aspect_ratio,
    config_option,
    count,
    image_size,
    max_tokens,
    port,
    temperature,
    text,
    thinking,
)
from cometgem.cli.line_input import decode_stdin_as_utf_8
from cometgem.cli.pictures import IMAGE_MODEL
from cometgem.cli.sentences import UsageError, sentence, translated
from cometgem.cli.terminal import Terminal
from cometgem.errors import CometGemError, CometGemWarning, ConfigurationError
from cometgem.version import __version__

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    Run = Callable[[Terminal, argparse.Namespace], int]

__all__ = ["main"]

_IS_WINDOWS = sys.platform == "win32"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The arguments after the program's name. Defaults to those of the process.

    Returns:
        The exit code.
    """
    terminal = Terminal()
    try:
        with _warnings_as_notes(terminal):
            status = _run(terminal, argv)
        terminal.out.flush()
    except KeyboardInterrupt:
        status = 130
    except CometGemError as error:
        program = error.program if isinstance(error, UsageError) else "cometgem"
        terminal.error(sentence(error), program=program)
        status = 2 if isinstance(error, ConfigurationError) else 1
    except OSError as error:
        if _is_broken_pipe(error):
            status = 141
        else:
            terminal.error(f"input or output failed: {error.strerror or error}")
            status = 1
    terminal.leave()
    return status


def _is_broken_pipe(error: OSError) -> bool:
    # Windows reports a write to a closed pipe as an invalid argument.
    return isinstance(error, BrokenPipeError) or (_IS_WINDOWS and error.errno == errno.EINVAL)


@contextmanager
def _warnings_as_notes(terminal: Terminal) -> Iterator[None]:
    """Show the library's warnings as one line each, without a line of its source code."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        terminal.note(f"cometgem: warning: {translated(str(message))}")

    with warnings.catch_warnings():
        # Once: each message of a chat has the same options.
        warnings.simplefilter("default", CometGemWarning)
        warnings.showwarning = show
        yield


def _run(terminal: Terminal, argv: Sequence[str] | None) -> int:
    parser = _parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit:  # --help and --version; errors raise
        return 0
    if args.command is None:
        parser.print_help(terminal.err)
        return 2
    if sys.stdout is None:
        raise UsageError("standard output is closed")
    decode_stdin_as_utf_8()
    run: Run = args.run
    return run(terminal, args)


def _parser() -> Parser:
    parser = Parser(
        prog="cometgem",
        description="Stream from Gemini models through the CometAPI gateway.",
        epilog="The API key is read from the environment variable COMETAPI_KEY, the base URL from"
        " COMETAPI_BASE_URL. Exit codes: 0 success, 1 the API or the stream failed, 2 wrong usage"
        " or no API key. See 'cometgem COMMAND --help' for the options of a command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"cometgem {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, run: Run, words: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, help=words, description=f"{words[0].upper()}{words[1:]}.", allow_abbrev=False
        )
        made.set_defaults(run=run)
        return made

    batch = command(
        "batch", _batch, "answer many prompts at the rate that the API allows, and go on if stopped"
    )
    chat = command(
        "chat", _chat, "hold a conversation, in a terminal or line by line through a pipe"
    )
    demo = command(
        "demo",
        _demo,
        "show a stream arriving chunk by chunk, here or in a browser, with or without a key",
    )
    generate = command("generate", _generate, "print the answer to one prompt")
    serve = command("serve", _serve, "run a local test server that needs no API key")
    _add_generate_options(generate)
    _add_batch_options(batch)
    _add_chat_options(chat)
    demo.add_argument(
        "--model", default=MODEL, help="the model to ask if there is a key (default: %(default)s)"
    )
    demo.add_argument(
        "--web", action="store_true", help="serve a chat page for a browser, until Ctrl-C"
    )
    demo.add_argument(
        "--port", type=port, help="the port of the chat page (default: any free port)"
    )
    serve.add_argument(
        "--port", type=port, default=0, help="the port to listen on (default: any free port)"
    )
    serve.add_argument(
        "--strict", action="store_true", help="refuse everything that the API refuses"
    )
    serve.add_argument(
        "--gateway",
        choices=["new-api"],
        help="drop from requests what this gateway drops (new-api)",
    )
    for one in (demo, serve):
        one.add_argument("--replay", metavar="FILE", help="answer with this recorded response body")
    return parser


def _add_prompt_options(command: argparse.ArgumentParser) -> None:
    """Add what ``generate`` and ``chat`` have in common."""
    command.add_argument("--system", type=text, metavar="TEXT", help="the system instruction")
    command.add_argument(
        "--thinking",
        type=thinking,
        action=Once,
        metavar="LEVEL",
        help="how much to think: off, minimal, low, medium, high, xhigh, dynamic (the model"
        " decides), or a number of tokens; translated to what the model takes",
    )


def _add_chat_options(chat: argparse.ArgumentParser) -> None:
    chat.add_argument(
        "--model", help=f"the model to ask (default: {MODEL}, or that of the loaded conversation)"
    )
    _add_prompt_options(chat)
    chat.add_argument(
        "--load", metavar="FILE", help="continue a conversation that was saved with /save"
    )
    chat.add_argument(
        "--markdown",
        action="store_true",
        help="render answers as Markdown (needs cometgem[cli])",
    )


def _add_batch_options(batch: argparse.ArgumentParser) -> None:
    batch.usage = "cometgem batch [OPTION ...] INPUT OUTPUT"
    add = batch.add_argument
    # Optional for argparse only, so that it reports an unknown option first.
    add(
        "input",
        nargs="?",
        metavar="INPUT",
        help='a file of JSON lines, each of which is a string, {"id": ..., "prompt": ...}, or'
        ' {"key": ..., "request": {...}} as the Batch API has it; or a Parquet file; - reads from'
        " stdin",
    )
    add(
        "output",
        nargs="?",
        metavar="OUTPUT",
        help="the file to which results are appended, as JSON lines; what it has already is not"
        " asked for again; a Parquet file is made of such a file at the end; - writes to stdout",
    )
    add("--model", default=MODEL, help="the model to ask (default: %(default)s)")
    _add_prompt_options(batch)
    add("--schema", metavar="FILE", help="request JSON that fits this JSON Schema")
    add("--rpm", type=count, metavar="INT", help="the limit in requests a minute, if it is known")
    add("--tpm", type=count, metavar="INT", help="the limit in tokens a minute")
    add(
        "--concurrency",
        type=count,
        default=500,
        metavar="INT",
        help="how many requests are in flight at most (default: %(default)s)",
    )
    add("--limit-tokens", type=count, metavar="INT", help="stop when so many tokens are used")
    add(
        "--rerun",
        choices=["failed", "none", "all"],
        default="failed",
        help="which prompts with a result are sent again (default: %(default)s)",
    )
    add("--demo", action="store_true", help="show a run against a local test server, without a key")


def _add_generate_options(generate: argparse.ArgumentParser) -> None:
    generate.usage = "cometgem generate [OPTION ...] PROMPT"
    # Optional for argparse only, so that it reports an unknown option first.
    generate.add_argument(
        "prompt", nargs="?", type=text, metavar="PROMPT", help="the prompt; - reads it from stdin"
    )
    generate.add_argument(
        "--model", help=f"the model to ask (default: {MODEL}, with --image-out {IMAGE_MODEL})"
    )
    _add_prompt_options(generate)
    add = generate.add_argument
    add(
        "--temperature",
        type=temperature,
        action=Once,
        metavar="FLOAT",
        help="the sampling temperature, such as 0.7",
    )
    add(
        "--max-tokens",
        type=max_tokens,
        action=Once,
        metavar="INT",
        help="the maximum length of the answer, in tokens",
    )
    add(
        "--option",
        type=config_option,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another field of the generation config, such as topP=0.9 or seed=7; the value is"
        " JSON or plain text; repeatable",
    )
    add(
        "--file",
        action="append",
        default=[],
        metavar="PATH",
        help="send a file with the prompt, such as a picture; repeatable",
    )
    add("--search", action="store_true", help="let the model search the web")
    add(
        "--sources",
        action="store_true",
        help="list the sources of the answer; with --no-stream, also mark them in its text",
    )
    add(
        "--image-out",
        type=text,
        action=Once,
        metavar="PATH",
        help="ask for a picture and save it; without an extension in PATH, the right one is added",
    )
    add(
        "--aspect",
        type=aspect_ratio,
        action=Once,
        metavar="RATIO",
        help="the shape of the picture, such as 16:9",
    )
    add(
        "--size",
        type=image_size,
        action=Once,
        metavar="SIZE",
        help="the size of the picture: 512, 1K, 2K or 4K, as far as the model supports it",
    )
    add(
        "--schema",
        type=text,
        action=Once,
        metavar="FILE",
        help="request JSON that fits the JSON schema in FILE, check it, and print it; exit code 1"
        " if it does not fit. Checked are types, fields, alternatives and limits, but not pattern,"
        " format, uniqueItems and conditions; to the model, the keywords that the API does not"
        " take are described in words",
    )
    add(
        "--items",
        action="store_true",
        help="with --schema: print the elements of the list at the root of the answer, or of its"
        " only property that is a list, one per line, each as soon as it is complete",
    )
    add("--json", action="store_true", help="request an answer in JSON")
    add("--no-stream", action="store_true", help="wait for the complete answer")
    add("--raw", action="store_true", help="print the JSON of each chunk, one per line")


# A command is imported when it runs: demo and serve bring aiohttp's server along.


def _batch(terminal: Terminal, args: argparse.Namespace) -> int:
    if args.demo:
        from cometgem.cli.batch_demo import run_batch_demo  # noqa: PLC0415

        return run_batch_demo(terminal)
    from cometgem.cli.batch import run_batch  # noqa: PLC0415

    for name in ("input", "output"):
        if getattr(args, name) is None:
            raise UsageError(
                f"{name.upper()} is missing; see 'cometgem batch --help'", program="cometgem batch"
            )
    return run_batch(terminal, args)


def _chat(terminal: Terminal, args: argparse.Namespace) -> int:
    from cometgem.cli.chat import run_chat  # noqa: PLC0415

    return run_chat(
        terminal,
        model=args.model,
        system=args.system,
        thinking=args.thinking,
        load=args.load,
        markdown=args.markdown,
    )


def _demo(terminal: Terminal, args: argparse.Namespace) -> int:
    if args.web:
        from cometgem.cli.web_demo import run_web_demo  # noqa: PLC0415

        return run_web_demo(terminal, args.model, args.port or 0, args.replay)
    from cometgem.cli.demo import run_demo  # noqa: PLC0415

    if args.port is not None:
        raise UsageError("--port needs --web: add --web, or leave --port out")
    return run_demo(terminal, args.model, args.replay)


def _generate(terminal: Terminal, args: argparse.Namespace) -> int:
    from cometgem.cli.generate import run_generate  # noqa: PLC0415

    if args.prompt is None:
        raise UsageError(
            "PROMPT is missing; see 'cometgem generate --help'", program="cometgem generate"
        )
    return run_generate(terminal, args)


def _serve(terminal: Terminal, args: argparse.Namespace) -> int:
    from cometgem.cli.serve import run_serve  # noqa: PLC0415

    return run_serve(terminal, args.port, args.replay, strict=args.strict, gateway=args.gateway)
