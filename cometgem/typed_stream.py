"""A streamed response whose text is the JSON of a type: its value so far, and its items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from cometgem.item_stream import ItemStream, items_of
from cometgem.response.answer_text import AnswerText
from cometgem.response.json_frame import JSONSyntaxError
from cometgem.response.typed import TypedResponse, mismatch
from cometgem.stream import GenerateContentStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import TypeForm

    from cometgem.hops import Continuation
    from cometgem.http.attempts import Attempts
    from cometgem.request.response_type import ResponseType, TypeAdapterLike
    from cometgem.types.response import GenerateContentResponse

__all__ = ["TypedStream"]

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
        self.answer_text: AnswerText = AnswerText()
        self.answer_text.add(super().snapshot.text)  # of the answer that is continued, if it is

    async def __anext__(self) -> GenerateContentResponse:
        try:
            chunk = await super().__anext__()
        except StopAsyncIteration:
            self.answer_text.end()
            raise
        self.answer_text.add(chunk.text)
        return chunk

    def take(self) -> GenerateContentResponse | None:
        """Return a chunk that has been read already, or None if the next one must be awaited."""
        if (chunk := super().take()) is not None:
            self.answer_text.add(chunk.text)
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
        try:
            return self.answer_text.value
        except JSONSyntaxError as error:
            raise mismatch(self.snapshot, str(error)) from None

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
        return items_of(self, path, element_type, self._kind)

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
