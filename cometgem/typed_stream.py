"""A streamed response whose text is the JSON of a type: its value so far, and its items."""

from __future__ import annotations

import contextlib
import copy
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar, overload

from cometgem.errors import ConfigurationError, OutputValidationError
from cometgem.request.arguments import shown
from cometgem.response.json_frame import JSONPathError, JSONSyntaxError
from cometgem.response.typed import MISMATCHES, TypedResponse, explain, problem_of
from cometgem.stream import GenerateContentStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import TypeForm

    from cometgem.hops import Continuation
    from cometgem.http.attempts import Attempts
    from cometgem.request.response_type import ResponseType, TypeAdapterLike
    from cometgem.response.partial_json import PartialJSON
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

    def __init__(
        self,
        attempts: Attempts,
        max_event_size: int,
        continuation: Continuation,
        kind: ResponseType[_T_co],
    ) -> None:
        super().__init__(attempts, max_event_size, continuation)
        self._kind = kind
        # Of the answer that is continued, if it is, and of the chunks handed out.
        self.texts: list[str] = [text] if (text := super().snapshot.text) else []
        self._read_to_end = False
        self._partial: PartialJSON | None = None
        self._partial_read = 0  # how many of the texts it has got

    async def __anext__(self) -> GenerateContentResponse:
        try:
            chunk = await super().__anext__()
        except StopAsyncIteration:
            self._read_to_end = True
            raise
        if text := chunk.text:
            self.texts.append(text)
        return chunk

    def take(self) -> GenerateContentResponse | None:
        """Return a chunk that has been read already, or None if the next one must be awaited."""
        if (chunk := super().take()) is not None and (text := chunk.text):
            self.texts.append(text)
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
            from cometgem.response.partial_json import PartialJSON  # noqa: PLC0415  only when needed

            self._partial = PartialJSON()
        try:
            new = self.texts[self._partial_read :]
            self._partial_read += len(new)
            self._partial.feed("".join(new))  # raises again what it has raised before
        except JSONSyntaxError as error:
            raise self.mismatch(str(error)) from None
        if self._read_to_end:
            with contextlib.suppress(JSONSyntaxError):  # it is cut off
                self._partial.close()
        return self._partial.value

    @overload
    def items(self: TypedStream[Sequence[_E]]) -> ItemStream[_E]: ...

    @overload
    def items(self, path: str, element_type: TypeForm[_E]) -> ItemStream[_E]: ...

    @overload
    def items(self, path: str, element_type: TypeAdapterLike[_E]) -> ItemStream[_E]: ...

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
            from cometgem.request.response_type import as_response_type  # noqa: PLC0415

            kind = as_response_type(element_type)
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

    def mismatch(
        self, message: str, *, path: str = "", index: int | None = None, complete: bool = True
    ) -> OutputValidationError:
        """Return the error for an answer that does not match.

        Args:
            message: What does not match.
            path: Where, as a JSON path.
            index: Which element.
            complete: Whether the JSON could not go on.
        """
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
        from cometgem.response.json_items import JSONItems  # noqa: PLC0415  only when needed

        self._stream = stream
        self._where = ".".join(["$", *path])
        self._kind = kind
        self._finder = JSONItems(path)
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
            if (failure := self._finder.failure) is not None:
                await self._fail_behind(failure, complete=True)
            if self._read < len(self._stream.texts):
                self._elements += self._finder.feed(self._stream.texts[self._read])
                self._read += 1
                continue
            try:
                await self._stream.__anext__()
            except StopAsyncIteration:
                self._finder.close()
                if (failure := self._finder.failure) is None:
                    raise
                await self._fail_behind(failure, complete=False)
        element = self._elements.popleft()
        try:
            value = self._kind.decode(element)
        except MISMATCHES as error:
            message, path = explain(error)
            where = f"{self._where}[{self._index}]{path.removeprefix('$')}"
            await self._fail(self._stream.mismatch(message, path=where, index=self._index), error)
        self._index += 1
        return value

    async def aclose(self) -> None:
        """Close the stream, for ``contextlib.aclosing``."""
        await self._stream.aclose()

    async def _fail_behind(
        self, failure: JSONSyntaxError | JSONPathError, *, complete: bool
    ) -> NoReturn:
        """Raise the error for what comes after the elements found."""
        if isinstance(failure, JSONPathError):
            error = self._stream.mismatch(failure.message, path=failure.path)
        else:
            error = self._stream.mismatch(str(failure), index=self._index, complete=complete)
        await self._fail(error, None)

    async def _fail(self, error: OutputValidationError, cause: Exception | None) -> NoReturn:
        self._failure = copy.copy(error)
        await self._stream.aclose()
        raise error from cause
