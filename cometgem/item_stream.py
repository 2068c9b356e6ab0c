"""The elements of a list in a streamed answer, each as soon as it is complete."""

from __future__ import annotations

import copy
from collections import deque
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, NoReturn, Protocol, Self, TypeVar

from cometgem.errors import ConfigurationError
from cometgem.request.arguments import shown
from cometgem.response.json_frame import JSONPathError
from cometgem.response.typed import MISMATCHES, explain, mismatch

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from cometgem.errors import OutputValidationError
    from cometgem.request.response_type import ResponseType
    from cometgem.response.answer_text import AnswerText
    from cometgem.response.json_frame import JSONSyntaxError
    from cometgem.types.response import GenerateContentResponse

__all__ = ["ItemStream", "items_of"]

_T_co = TypeVar("_T_co", covariant=True)


class Answering(Protocol):
    """A stream whose answer is JSON."""

    @property
    def answer_text(self) -> AnswerText:
        """The text of the answer; another object once another answer has begun."""
        ...

    @property
    def snapshot(self) -> GenerateContentResponse:
        """The answer so far."""
        ...

    def __anext__(self) -> Coroutine[Any, Any, object]:
        """Read on."""
        ...

    async def aclose(self) -> None:
        """Close the connection."""


class _Mismatch(NamedTuple):
    message: str
    path: str
    element: int | None
    complete: bool = True  # whether the JSON could not go on
    cause: Exception | None = None


class ItemStream(Generic[_T_co]):
    """An async iterator of the elements of a streamed list, made by ``stream.items()``."""

    def __init__(self, stream: Answering, path: tuple[str, ...], kind: ResponseType[_T_co]) -> None:
        self._stream = stream
        self._path = path
        self._kind = kind
        self._failure: OutputValidationError | None = None
        # What does not match; raised once it is certain that this is the answer.
        self._mismatch: _Mismatch | None = None
        self._begin(stream.answer_text)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _T_co:
        if self._failure is not None:
            raise copy.copy(self._failure)
        while True:
            while not self._find():
                if self._mismatch is not None and self._answer.final:
                    await self._fail(self._mismatch)
                try:
                    await self._stream.__anext__()
                except StopAsyncIteration:
                    if self._has_ended_well():
                        raise
            try:
                value = self._kind.decode(self._elements.popleft())
            except MISMATCHES as error:
                self._mismatch = self._in_element(error)
            else:
                self._index += 1
                return value

    async def aclose(self) -> None:
        """Close the stream, for ``contextlib.aclosing``."""
        await self._stream.aclose()

    def _begin(self, answer: AnswerText) -> None:
        from cometgem.response.json_items import JSONItems  # noqa: PLC0415  only when needed

        self._answer = answer
        self._finder = JSONItems(self._path)
        self._read = 0  # how many pieces of the text the finder has got
        self._elements: deque[bytes] = deque()
        self._index = 0  # of the next element
        self._mismatch = None

    def _find(self) -> bool:
        """Return whether there is an element in what has come."""
        answer = self._stream.answer_text
        if answer is not self._answer:
            self._begin(answer)
        if self._mismatch is not None or answer.dropped:
            return False
        finder = self._finder
        while not self._elements and self._read < len(answer.pieces):
            self._elements += finder.feed(answer.pieces[self._read])
            self._read += 1
        if not self._elements and finder.failure is not None:
            self._mismatch = self._behind_elements(finder.failure, complete=True)
        return bool(self._elements)

    def _has_ended_well(self) -> bool:
        """Return whether the list was complete at the end, or not part of an answer."""
        if self._answer.dropped:
            return True
        if self._mismatch is None:
            self._finder.close()
            if (failure := self._finder.failure) is None:
                return True
            self._mismatch = self._behind_elements(failure, complete=False)
        return False

    def _in_element(self, error: Exception) -> _Mismatch:
        message, path = explain(error)
        where = f"{'.'.join(['$', *self._path])}[{self._index}]{path.removeprefix('$')}"
        # Without its traceback, which would be a cycle that keeps a dropped stream open.
        return _Mismatch(message, where, self._index, cause=error.with_traceback(None))

    def _behind_elements(
        self, failure: JSONSyntaxError | JSONPathError, *, complete: bool
    ) -> _Mismatch:
        if isinstance(failure, JSONPathError):
            return _Mismatch(failure.message, failure.path, None)
        return _Mismatch(str(failure), "", self._index, complete)

    async def _fail(self, found: _Mismatch) -> NoReturn:
        self._mismatch = None
        error = mismatch(
            self._stream.snapshot,
            found.message,
            path=found.path,
            index=found.element,
            complete=found.complete,
        )
        self._failure = copy.copy(error)
        await self._stream.aclose()
        raise error from found.cause


def items_of(
    stream: Answering, path: object, element_type: Any, kind: ResponseType[Any]
) -> ItemStream[Any]:
    """Return the elements of the list at a path of a stream's answer, which is of some kind.

    Raises:
        ConfigurationError: An argument is not valid, or neither the answer is a list nor a path
            and a type were given.
    """
    if not isinstance(path, str):
        raise ConfigurationError(f"items(path={shown(path)}) must be a str such as 'planets'")
    if element_type is not None:
        from cometgem.request.response_type import as_response_type  # noqa: PLC0415  when needed

        element = as_response_type(element_type)
    elif path:
        raise ConfigurationError(
            f"items({path!r}) needs the type of the elements as its second argument"
        )
    else:
        element = kind.element()
    return ItemStream(stream, tuple(path.split(".")) if path else (), element)
