"""A conversation whose last answer is the JSON of a type.

Which round is the last is known at its end only: the model may call a function after text. So what
does not match is an error at the end of the conversation, and each round begins anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from cometgem.conversation.rounds import ConversationStream
from cometgem.item_stream import ItemStream, items_of
from cometgem.response.answer_text import AnswerText
from cometgem.response.json_frame import JSONSyntaxError
from cometgem.response.typed import TypedResponse, mismatch
from cometgem.types.response import GenerateContentResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import TypeForm

    from cometgem.conversation.options import Settings
    from cometgem.conversation.progress import Resumption
    from cometgem.conversation.requests import Caller, Requests
    from cometgem.request.response_type import ResponseType, TypeAdapterLike

__all__ = ["TypedConversationStream"]

ItemT_co = TypeVar("ItemT_co", covariant=True)
_T_co = TypeVar("_T_co", covariant=True)
_E = TypeVar("_E")


class TypedConversationStream(ConversationStream[ItemT_co], Generic[ItemT_co, _T_co]):
    """A conversation whose last answer, the one without calls, is JSON of ``response_type``.

    It is iterated and closed like any conversation. ``partial``, ``items`` and iteration can be
    mixed: each of them reads on from where the others have come to.

    Example::

        async with client.run_tools(
            "gemini-3.8-flash", "The umbrellas", tools=[look_up], response_type=list[Umbrella]
        ) as stream:
            async for umbrella in stream.items():
                print(umbrella.colour)
            umbrellas = (await stream.get_final_response()).parsed
    """

    def __init__(  # noqa: PLR0913  those of the base class, and the type
        self,
        caller: Caller,
        requests: Requests,
        settings: Settings,
        resumption: Resumption | None = None,
        on_end: Callable[[ConversationStream[Any]], object] = bool,
        *,
        kind: ResponseType[_T_co],
    ) -> None:
        self._kind = kind
        self._may_call = requests.runner is not None
        self.answer_text: AnswerText = AnswerText(final=not self._may_call)
        self._answering = 0  # the round that the text is of
        super().__init__(caller, requests, settings, resumption, on_end)

    async def __anext__(self) -> ItemT_co:
        try:
            item = await super().__anext__()
        except StopAsyncIteration:
            if self.complete:
                self.answer_text.end()
            else:
                self.answer_text.drop()
            raise
        self._note(item)
        return item

    def take(self) -> ItemT_co | None:
        """Return an item that has been read already, or None if the next one must be awaited."""
        if (item := super().take()) is not None:
            self._note(item)
        return item

    @property
    def partial(self) -> Any:
        """What is certain of the current round's answer so far, as plain JSON values.

        None before its beginning, and once the round has called a function. Otherwise as
        ``partial`` of a ``TypedStream``.

        Raises:
            OutputValidationError: The last answer is not JSON.
        """
        try:
            return self.answer_text.value
        except JSONSyntaxError as error:
            raise mismatch(self.snapshot, str(error)) from None

    @overload
    def items(self: TypedConversationStream[Any, Sequence[_E]]) -> ItemStream[_E]: ...

    @overload
    def items(self, path: str, element_type: TypeForm[_E]) -> ItemStream[_E]: ...

    @overload
    def items(self, path: str, element_type: TypeAdapterLike[_E]) -> ItemStream[_E]: ...

    def items(self, path: str = "", element_type: Any = None) -> ItemStream[Any]:
        """Return an async iterator of the elements of a list, each as soon as it is complete.

        As ``items`` of a ``TypedStream``, with two differences. If the model writes elements and
        calls a function after that, they have been handed out, and the next round begins with the
        first element again; ``stream.round`` tells them apart. With functions, an element that
        does not match raises at the end of its round, if that is the last one.

        In the states "paused" and "stopped" it ends without an error.

        Args:
            path: As for ``TypedStream.items``.
            element_type: As for ``TypedStream.items``.

        Raises:
            ConfigurationError: As for ``TypedStream.items``.
        """
        return items_of(self, path, element_type, self._kind)

    async def get_final_response(self) -> TypedResponse[_T_co]:
        """Run the conversation to its end and return the last answer, merged.

        In the state "paused" or "stopped", that is the answer with the calls, whose ``parsed``
        raises an ``OutputValidationError``.

        Raises:
            CometGemError: As in iteration; ``partial`` holds what had arrived. That the answer
                does not match its type is raised by ``parsed`` of the response.
        """
        async for _ in self:
            pass
        return self.snapshot

    @property
    def snapshot(self) -> TypedResponse[_T_co]:
        """The chunks of the current round so far, merged."""
        return TypedResponse.of(super().snapshot, self._kind)

    def _note(self, item: object) -> None:
        """Take note of an item that is handed out."""
        if not isinstance(item, GenerateContentResponse):
            return
        text = item.text
        if self._answering != self.round:
            self._answering = self.round
            self.answer_text = AnswerText(final=not self._may_call)
            text = super().snapshot.text  # with what it goes on from, if it is continued
        if self._may_call and item.function_calls:
            self.answer_text.drop()
        else:
            self.answer_text.add(text)
