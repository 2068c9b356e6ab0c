"""A streamed response whose text is the JSON of a type: its value so far, and its items."""

from __future__ import annotations

import copy
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast, overload

from cometgem.errors import ConfigurationError, OutputValidationError
from cometgem.request.arguments import shown
from cometgem.request.response_type import response_type
from cometgem.response.json_frame import JSONSyntaxError
from cometgem.response.json_items import JSONItems, JSONPathError
from cometgem.response.partial_json import PartialJSON
from cometgem.response.typed import MISMATCHES, TypedResponse, explain, problem_of
from cometgem.stream import GenerateContentStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import TypeForm

    from cometgem.http.attempts import Attempts
    from cometgem.request.response_type import ResponseType
    from cometgem.types.response import GenerateContentResponse

__all__ = ["ItemStream", "TypedStream"]

_T_co = TypeVar("_T_co", covariant=True)
_E = TypeVar("_E")


class TypedStream(GenerateContentStream, Generic[_T_co]):
    """A stream of chunks whose text is the JSON of ``response_type``.

    It is iterated and closed like any stream. ``partial``, ``items`` and iteration can be mixed:
    each of them reads on from where the others have come to, and misses nothing.

    Example::

        async with client.stream_generate_content(
            "gemini-3.8-flash", "The planets", response_type=list[Planet]
        ) as stream:
            async for planet in stream.items():
                print(planet.name)
            planets = (await stream.get_final_response()).parsed
    """

    def __init__(self, attempts: Attempts, max_event_size: int, kind: ResponseType[_T_co]) -> None:
        super().__init__(attempts, max_event_size)
        self._kind = kind
        self._texts: list[str] = []  # of the chunks handed out
        self._partial: PartialJSON | None = None
        self._partial_read = 0  # how many of the texts it has got

    async def __anext__(self) -> GenerateContentResponse:
        chunk = await super().__anext__()
        if text := chunk.text:
            self._texts.append(text)
        return chunk

    def take(self) -> GenerateContentResponse | None:
        """Return a chunk that has been read already, or None if the next one must be awaited."""
        if (chunk := super().take()) is not None and (text := chunk.text):
            self._texts.append(text)
        return chunk

    @property
    def partial(self) -> Any:
        """What is certain of the answer so far, as plain JSON values; None before its beginning.

        A number, a key or a word such as ``true`` is there once it is complete, a string grows.
        The same object grows with each chunk: copy what is to stay as it is. Reading it at each
        chunk costs time in proportion to the answer's length, all in all, as long as its strings
        are not kept.

        Raises:
            OutputValidationError: What has come is not JSON.
        """
        if self._partial is None:
            self._partial = PartialJSON()
        try:
            while self._partial_read < len(self._texts):
                self._partial_read += 1
                self._partial.feed(self._texts[self._partial_read - 1])
        except JSONSyntaxError as error:
            raise self._mismatch(str(error)) from None
        if self._ended and not self._partial.complete:
            self._end_partial(self._partial)
        return self._partial.value

    @overload
    def items(self: TypedStream[Sequence[_E]]) -> ItemStream[_E]: ...

    @overload
    def items(self, path: str, element_type: TypeForm[_E]) -> ItemStream[_E]: ...

    def items(self, path: str = "", element_type: Any = None) -> ItemStream[Any]:
        """Return an async iterator of the elements of a list, each as soon as it is complete.

        Elements are decoded and validated one by one. The iterator begins with the first element,
        also if chunks have been read before. An element that does not match raises after those
        before it were handed out, and closes the connection. Leaving it closes the stream as
        leaving the stream does.

        Args:
            path: The keys that lead from the whole answer to the list, with dots in between, such
                as ``"planets"`` or ``"data.planets"``. By default the answer is the list.
            element_type: The type of the elements. By default that of the elements of
                ``response_type``.

        Raises:
            ConfigurationError: ``response_type`` is not a list and no path and type were given,
                or an argument is not valid.
        """
        if not isinstance(path, str):
            raise ConfigurationError(f"items(path={shown(path)}) must be a str such as 'planets'")
        if element_type is not None:
            kind = response_type(element_type)
        elif path:
            raise ConfigurationError(
                f"items({path!r}) needs the type of the elements as its second argument"
            )
        else:
            kind = self._kind.element()
        return ItemStream(self, tuple(path.split(".")) if path else (), kind)

    async def get_final_response(self) -> TypedResponse[_T_co]:
        """Read the remaining chunks and return all chunks merged into one response.

        Raises:
            CometGemError: As in iteration; ``partial`` holds what had arrived. That the answer
                does not match its type is raised by ``parsed`` of the response.
        """
        async for _ in self:
            pass
        return self.snapshot

    @property
    def snapshot(self) -> TypedResponse[_T_co]:
        """The chunks handed out so far, merged; later chunks do not change it."""
        return TypedResponse.of(super().snapshot, self._kind)

    def _end_partial(self, partial: PartialJSON) -> None:
        """Show a number that is the whole answer and has ended with the stream."""

    def _mismatch(
        self, message: str, *, path: str = "", index: int | None = None, complete: bool = True
    ) -> OutputValidationError:
        response = self.snapshot
        problem = problem_of(
            response.text, response.finish_reason, response.block_reason, complete=complete
        )
        error = OutputValidationError(
            problem,
            message,
            path=path,
            text=response.text,
            finish_reason=response.finish_reason,
            block_reason=response.block_reason,
            index=index,
        )
        error.partial = response
        return error


class ItemStream(Generic[_T_co]):
    """An async iterator of the elements of a streamed list, made by ``stream.items()``."""

    def __init__(
        self, stream: TypedStream[Any], path: tuple[str, ...], kind: ResponseType[_T_co]
    ) -> None:
        self._stream = stream
        self._where = ".".join(["$", *path])
        self._kind = kind
        self._found = JSONItems(path)
        self._read = 0  # how many texts of the stream it has got
        self._elements: deque[bytes] = deque()
        self._index = 0  # of the next element
        self._failure: OutputValidationError | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _T_co:
        if self._failure is not None:
            raise copy.copy(self._failure)
        while not self._elements:
            if self._found.failure is not None:
                await self._fail_at_end(self._found.failure)
            texts = self._stream._texts  # noqa: SLF001  of the class above
            if self._read < len(texts):
                self._elements += self._found.feed(texts[self._read])
                self._read += 1
                continue
            try:
                await self._stream.__anext__()
            except StopAsyncIteration:
                self._found.close()
                if self._found.failure is None:
                    raise
        return await self._decode(self._elements.popleft())

    async def aclose(self) -> None:
        """Close the stream, for ``contextlib.aclosing``."""
        await self._stream.aclose()

    async def _decode(self, element: bytes) -> _T_co:
        try:
            value = self._kind.decode(element)
        except MISMATCHES as error:
            message, path = explain(error)
            where = f"{self._where}[{self._index}]{path.removeprefix('$')}"
            await self._fail(
                self._stream._mismatch(message, path=where, index=self._index),  # noqa: SLF001
                error,
            )
        self._index += 1
        return value

    async def _fail_at_end(self, failure: JSONSyntaxError | JSONPathError) -> None:
        is_path = isinstance(failure, JSONPathError)
