"""A turn of the model whose calls are being answered, and how it is kept until all are. Pure.

A conversation may end while calls wait for an answer. Its history then ends with the model's turn,
or with a user turn that has the responses so far. A response is assigned to its call by the id, or
by name and order; where that would be ambiguous, ``partMetadata`` holds the position of the call.
The metadata is removed when the turn is completed, so it is never sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from msgspec.structs import replace

from cometgem.conversation.turns import as_turns, closed_calls
from cometgem.errors import ConfigurationError
from cometgem.types.content import Content, FunctionCall, FunctionResponse, Part
from cometgem.types.nesting import deep_copy

__all__ = ["OpenTurn", "Tail", "find_tail", "pending_of"]

_PLACE = "callPlace"


class OpenTurn:
    """The calls of a turn and their responses so far.

    Args:
        turn: The model's turn. Its calls are copied, so that a change by whoever was handed a
            call does not change the history behind the conversation's back.

    Attributes:
        calls: The calls, in order; what runs and what is kept, so that both see a change.
        responses: The responses so far, by the position of the call.
        failed: The positions of calls that were refused or whose failure was reported.
        rest: Other parts of the user's turn, which stay behind the responses.
    """

    def __init__(self, turn: Content) -> None:
        parts = [_with_own_call(part) for part in turn.parts]
        self._turn = replace(turn, parts=parts)
        self.calls: list[FunctionCall] = [
            part.function_call for part in parts if part.function_call is not None
        ]
        self.responses: dict[int, FunctionResponse] = {}
        self.failed: set[int] = set()
        self.rest: list[Part] = []

    @property
    def pending(self) -> list[int]:
        """The positions of the calls without a response."""
        return [at for at in range(len(self.calls)) if at not in self.responses]

    def model_turn(self) -> Content:
        """Return the model's turn, to be sent back."""
        return closed_calls(self._turn)

    def turns(self) -> list[Content]:
        """Return the model's turn and, if there are any responses, the user's turn with them."""
        parts = [self._response_part(at) for at in sorted(self.responses)] + self.rest
        return [self.model_turn(), *([Content(role="user", parts=parts)] if parts else [])]

    def add_response(self, at: int, response: FunctionResponse) -> None:
        """Take the response to a call, and mark it with the position of the call."""
        response.__dict__["call_index"] = at
        self.responses[at] = response

    def add_known_responses(self, parts: Sequence[Part]) -> None:
        """Take the parts of the user's turn that follows in a history."""
        for part in parts:
            at = self._place(part)
            if at is None or part.function_response is None:
                self.rest.append(part)
            else:
                self.responses[at] = part.function_response

    def _response_part(self, at: int) -> Part:
        part = Part(function_response=self.responses[at])
        if len(self.responses) < len(self.calls) and not self._has_own_id(at):
            part.part_metadata = {_PLACE: at}
        return part

    def _has_own_id(self, at: int) -> bool:
        ids = Counter(call.id for call in self.calls)
        return self.calls[at].id is not None and ids[self.calls[at].id] == 1

    def _place(self, part: Part) -> int | None:
        response = part.function_response
        place = (part.part_metadata or {}).get(_PLACE)
        # From JSON, a number of protobuf's Struct may come back as a float.
        if isinstance(place, (int, float)) and place in self.pending:
            return int(place)
        if response is None:
            return None
        named = [at for at in self.pending if self.calls[at].name == response.name]
        exact = [at for at in named if self.calls[at].id == response.id]
        loose = [at for at in named if response.id is None]  # written by hand, without the id
        return next(iter(exact or loose), None)


class Tail(NamedTuple):
    """The end of a conversation, from the last turn of the model that has calls.

    Attributes:
        start: The index of that turn in the contents.
        turn: The turn and its responses.
    """

    start: int
    turn: OpenTurn


def find_tail(contents: Sequence[Any]) -> Tail | None:
    """Return the last turn of the model, with what answers it, if it has calls.

    Only the end of the contents is converted; what cannot be is left for the request to refuse.
    """
    for start in range(len(contents) - 1, -1, -1):
        if _role(contents[start]) == "model":
            break
    else:
        return None
    if not _has_calls(contents[start]):
        return None
    turns: list[Content] = []
    with suppress(ConfigurationError):
        turns = as_turns(contents[start:])
    if not turns:
        return None
    turn = OpenTurn(turns[0])
    turn.add_known_responses([part for after in turns[1:] for part in after.parts])
    return Tail(start, turn)


def pending_of(contents: Sequence[Content]) -> list[FunctionCall]:
    """Return the calls at the end of a history that have no response."""
    tail = find_tail(contents)
    return [] if tail is None else [tail.turn.calls[at] for at in tail.turn.pending]


def _with_own_call(part: Part) -> Part:
    call = part.function_call
    if call is None:
        return part
    return replace(part, function_call=replace(call, args=deep_copy(call.args)))


def _role(item: object) -> object:
    return item.get("role") if isinstance(item, Mapping) else getattr(item, "role", None)


def _has_calls(item: object) -> bool:
    if isinstance(item, Content):
        return any(part.function_call is not None for part in item.parts)
    parts = item.get("parts") if isinstance(item, Mapping) else None
    return isinstance(parts, (list, tuple)) and any(
        part.function_call is not None
        if isinstance(part, Part)
        else isinstance(part, Mapping) and bool(part.get("functionCall", part.get("function_call")))
        for part in parts
    )
