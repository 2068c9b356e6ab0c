"""The answer of `cometgem generate --schema`: checked and then printed, or by its elements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cometgem.cli.answer_schema import list_in, read_schema
from cometgem.cli.sentences import UsageError, sentence
from cometgem.errors import OutputValidationError
from cometgem.types.response import GenerateContentResponse
from cometgem.types.wire import encode

if TYPE_CHECKING:
    import argparse

    from cometgem.cli.terminal import Terminal
    from cometgem.client import Client
    from cometgem.options import GenerateOptions
    from cometgem.request.contents import Contents
    from cometgem.response.typed import TypedResponse

__all__ = ["JSONAnswer", "json_answer"]


class JSONAnswer:
    """Asks for JSON that fits the schema, and prints it.

    Args:
        terminal: Where it is printed.
        args: What was typed, with ``--schema``.

    Attributes:
        problem: In which way the answer does not fit; "" if it does.

    Raises:
        UsageError: The options are not valid, or exclude each other.
    """

    def __init__(self, terminal: Terminal, args: argparse.Namespace) -> None:
        self.problem: str = ""
        if args.image_out is not None:
            raise _exclusive("--schema", "--image-out")
        for option, given in {"--no-stream": args.no_stream, "--raw": args.raw}.items():
            if args.items and given:
                raise _exclusive("--items", option)
        self._terminal = terminal
        self._args = args
        self._schema = read_schema(args.schema)
        self._list = list_in(self._schema) if args.items else None

    async def ask(
        self, client: Client, contents: Contents, options: GenerateOptions
    ) -> GenerateContentResponse:
        """Print the answer and return it; ``problem`` says whether it fits."""
        try:
            async with client:
                if self._args.no_stream:
                    response = await self._ask_once(client, contents, options)
                else:
                    response = await self._stream(client, contents, options)
            answer = response.parsed
        except OutputValidationError as error:
            self.problem = sentence(error)
            return error.partial or GenerateContentResponse()
        if not self._args.raw and self._list is None:
            self._terminal.answer(answer.decode() + "\n")
        return response

    async def _ask_once(
        self, client: Client, contents: Contents, options: GenerateOptions
    ) -> TypedResponse[bytes]:
        response = await client.generate_content(
            self._args.model, contents, response_type=self._schema, **options
        )
        self._show(response)
        return response

    async def _stream(
        self, client: Client, contents: Contents, options: GenerateOptions
    ) -> TypedResponse[bytes]:
        async with client.stream_generate_content(
            self._args.model, contents, response_type=self._schema, **options
        ) as stream:
            if self._list is not None:
                async for element in stream.items(*self._list):
                    self._terminal.json_line(element)
            async for chunk in stream:
                self._show(chunk)
            return stream.snapshot

    def _show(self, chunk: GenerateContentResponse) -> None:
        if self._args.raw:
            self._terminal.json_line(chunk.raw or encode(chunk))
        else:
            self._terminal.thought(chunk.thoughts)


def json_answer(terminal: Terminal, args: argparse.Namespace) -> JSONAnswer | None:
    """Return what asks for JSON if ``--schema`` is given.

    Raises:
        UsageError: The options are not valid, or exclude each other.
    """
    if args.schema is not None:
        return JSONAnswer(terminal, args)
    if args.items:
        raise UsageError("--items needs --schema", program="cometgem generate")
    return None


def _exclusive(option: str, other: str) -> UsageError:
    return UsageError(f"{option} and {other} exclude each other", program="cometgem generate")
