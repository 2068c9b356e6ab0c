"""`cometgem generate`: one prompt, one answer."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, cast

from cometgem.cli.arguments import MODEL
from cometgem.cli.client import make_client
from cometgem.cli.files import read_part
from cometgem.cli.json_answer import json_answer
from cometgem.cli.pictures import IMAGE_MODEL, PictureFiles, picture_config
from cometgem.cli.sentences import UsageError
from cometgem.cli.terminal import finish_words, no_answer_reason, part_words, usage_words
from cometgem.types.wire import encode

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from cometgem.cli.terminal import Terminal
    from cometgem.client import Client
    from cometgem.options import CallOptions, GenerateOptions
    from cometgem.request.contents import Contents
    from cometgem.types.dicts import GenerationConfigDict
    from cometgem.types.response import GenerateContentResponse

__all__ = ["run_generate"]

# The fields of the generation config that say what format the answer has.
_FORMATS = ("responseMimeType", "responseJsonSchema", "responseSchema")


def run_generate(terminal: Terminal, args: argparse.Namespace) -> int:
    """Answer the prompt.

    Returns:
        The exit code: 1 if there was no answer.

    Raises:
        CometGemError: There is no key, an option is not valid, or the request failed.
    """
    options = _options(args)
    # The key is checked before files are read and before a prompt is typed.
    client = make_client()
    pictures = None if args.image_out is None else PictureFiles(args.image_out)
    in_json = json_answer(terminal, args)
    contents: Contents = [*map(read_part, args.file), _prompt(args.prompt)]
    if args.model is None:
        args.model = MODEL if pictures is None else IMAGE_MODEL

    def show(chunk: GenerateContentResponse) -> None:
        _show(terminal, chunk, args)
        if pictures is not None:
            pictures.save(terminal, chunk)

    if in_json is None:
        final = asyncio.run(_ask(client, contents, args, options, show))
    else:
        final = asyncio.run(in_json.ask(client, contents, options))
    _note_rest(terminal, final, args)
    problem = (in_json and in_json.problem) or no_answer_reason(final)
    if not problem and pictures is not None and not pictures.count:
        problem = f"the model sent no picture; finish reason {finish_words(final)}"
    if problem:
        terminal.error(problem)
    return int(bool(problem) or (pictures is not None and pictures.failed))


def _note_rest(
    terminal: Terminal, final: GenerateContentResponse, args: argparse.Namespace
) -> None:
    """Note what is not text, and what the answer has cost."""
    for part in final.parts:
        if part.text is None:
            terminal.note(": ".join(part_words(part)))
    if args.sources:
        _note_sources(terminal, final)
    terminal.note(f"usage: {usage_words(final)}; finish reason {finish_words(final)}")


def _note_sources(terminal: Terminal, final: GenerateContentResponse) -> None:
    sources = final.sources
    for number, source in enumerate(sources, 1):
        words = ", ".join(word for word in (source.title, source.uri) if word)
        terminal.note(f"source [{number}]: {words or 'not named'}")
    if not sources:
        terminal.note("sources: none")


def _options(args: argparse.Namespace) -> GenerateOptions:
    thinking: CallOptions = {} if args.thinking is None else args.thinking
    config = cast("GenerationConfigDict | None", _generation_config(args) or None)
    return {
        "system_instruction": args.system,
        "tools": [{"googleSearch": {}}] if args.search else None,
        "generation_config": config,
        **thinking,
    }


def _generation_config(args: argparse.Namespace) -> dict[str, Any]:
    fields = [
        ("--temperature", "temperature", args.temperature),
        ("--max-tokens", "maxOutputTokens", args.max_tokens),
        ("--json", "responseMimeType", "application/json" if args.json else None),
    ]
    config = {key: value for _, key, value in fields if value is not None}
    sources = {key: option for option, key, _ in fields if key in config}
    pictures = picture_config(args)
    config |= pictures
    sources |= dict.fromkeys(pictures, "--image-out")
    if args.schema is not None:
        sources |= dict.fromkeys(_FORMATS, "--schema")
    if args.thinking is not None:
        sources["thinkingConfig"] = "--thinking"
    for key, value in (item for option in args.option for item in option.items()):
        option = f"--option {key}"
        other = sources.setdefault(key, option)
        if key in config or other != option:
            problem = "is given twice" if other == option else f"and {other} exclude each other"
            raise UsageError(f"{option} {problem}", program="cometgem generate")
        config[key] = value
    return config


def _prompt(given: str) -> str:
    prompt = _read_stdin() if given == "-" else given
    if not prompt.strip():
        raise UsageError("the prompt is empty")
    return prompt


def _read_stdin() -> str:
    if sys.stdin is None:
        raise UsageError("standard input is closed: give the prompt as an argument")
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"standard input is not valid UTF-8: byte 0x{error.object[error.start]:02x}"
            f" at offset {error.start:,} cannot be decoded; convert the text to UTF-8"
        ) from error


async def _ask(
    client: Client,
    contents: Contents,
    args: argparse.Namespace,
    options: GenerateOptions,
    show: Callable[[GenerateContentResponse], None],
) -> GenerateContentResponse:
    """Show the answer as it arrives, and return it."""
    async with client:
        if args.no_stream:
            response = await client.generate_content(args.model, contents, **options)
            show(response)
            return response
        async with client.stream_generate_content(args.model, contents, **options) as stream:
            async for chunk in stream:
                show(chunk)
        return stream.snapshot


def _show(terminal: Terminal, chunk: GenerateContentResponse, args: argparse.Namespace) -> None:
    if args.raw:
        terminal.json_line(chunk.raw or encode(chunk))
        return
    # Sources come last in a stream, when the text has been shown; JSON has no place for markers.
    if args.sources and args.no_stream and not args.json:
        terminal.thought(chunk.thoughts)
        terminal.answer(chunk.text_with_citations("brackets"))
        return
    for part in chunk.parts:
        if part.text is not None:
            (terminal.thought if part.thought else terminal.answer)(part.text)
