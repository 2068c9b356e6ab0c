"""The function calls of a stream as a page knows them: each has an id, and a result at most.

The API's ids are optional, and a streamed call comes in pieces. Both are settled here, once for all
formats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cometgem.response.merge_calls import CallMerger, OpenCalls
from cometgem.types.content import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cometgem.types.content import FunctionCall, FunctionResponse

__all__ = ["MADE_UP", "Calls", "KnownCall"]

MADE_UP = "local-"
"""How the ids begin that the API did not send, and must not get."""


class KnownCall:
    """A call that the page knows, or is about to.

    Attributes:
        name: The function's name.
        id: The API's id, or None.
        page_id: The id for the page; not empty, and unique in the response.
        place: The step of the response, and the position among the calls of that step.
        args: The arguments, so far.
        signature: The thought signature of its part.
        complete: Whether all of it has come.
        posted: Whether an earlier response had it, so that the page has sent it with its messages.
        refused: Whether the person has refused it.
    """

    def __init__(
        self, name: str, call_id: str | None, page_id: str, place: tuple[int, int]
    ) -> None:
        self.name = name
        self.id = call_id
        self.page_id = page_id
        self.place = place
        self.args: dict[str, Any] = {}
        self.signature: str | None = None
        self.complete: bool = False
        self.posted: bool = False
        self.refused: bool = False
        self._handed_out = False

    def set(self, part: Part) -> None:
        """Take what a part, merged so far, has of the call."""
        if (call := part.function_call) is not None:
            self.id = self.id or call.id
            self.args = call.args
            self.signature = part.thought_signature
            self.complete = not call.will_continue

    def is_for(self, call: FunctionCall) -> bool:
        """Whether this is the item of a conversation for a call that a chunk had."""
        same = (call.name, call.id, call.args) == (self.name, self.id, self.args)
        found = same and self.complete and not (self.posted or self._handed_out)
        self._handed_out = self._handed_out or found
        return found


class Calls:
    """Finds the calls in what a stream yields.

    Attributes:
        open: The calls without a result, in their order.
    """

    def __init__(self) -> None:
        self.open: list[KnownCall] = []
        self._step = self._count = 0
        self._ids: set[str] = set()
        self._pieces = OpenCalls()
        self._mergers: list[tuple[CallMerger, KnownCall]] = []  # of calls that are incomplete

    def begin_step(self) -> None:
        """Forget the pieces of calls that were cut off: those of the next answer are others'."""
        self._pieces = OpenCalls()
        self._mergers = []
        self._step += 1
        self._count = 0

    def reserve(self, page_ids: Iterable[str]) -> None:
        """Keep ids of earlier responses from being given to other calls."""
        self._ids.update(page_ids)

    def add_posted(
        self, at: int, name: str, call_id: str | None, page_id: str, *, refused: bool
    ) -> None:
        """Add a call of an earlier response, to which this one may have the result."""
        known = KnownCall(name, call_id, page_id, (0, at))
        known.complete, known.posted, known.refused = True, True, refused
        self.open.append(known)

    def of_part(self, part: Part) -> Iterator[KnownCall]:
        """Yield the call that a part of a chunk begins, and those that it completes."""
        if part.function_call is None:
            return
        found = self._pieces.add(part, part.function_call)
        if isinstance(found, Part):
            yield self._new(found)
        elif found is not None:
            known = self._new(found.part())
            if found.open:
                self._mergers.append((found, known))
            yield known
        else:
            for merger, known in list(self._mergers):
                if not merger.open:
                    known.set(merger.part())
                    self._mergers.remove((merger, known))
                    yield known

    def of_item(self, call: FunctionCall) -> KnownCall | None:
        """Return the call that a conversation hands out, or None if it was found in a chunk."""
        if any(known.is_for(call) for known in self.open):
            return None
        return self._new(Part(function_call=call))

    def of_result(self, response: FunctionResponse) -> KnownCall | None:
        """Return the call that a response belongs to, which is open no longer; None if unknown."""
        index = response.call_index
        for known in self.open:
            if known.name != response.name or response.id not in (None, known.id):
                continue
            if index is None or known.place == (self._step, index):
                self.open.remove(known)
                if not known.complete:
                    self._cut(known)
                return known
        return None

    def waiting(self, calls: Iterable[FunctionCall]) -> Iterator[tuple[KnownCall, FunctionCall]]:
        """Yield what the page knows of the calls that a conversation waits for, and these."""
        left = list(self.open)
        for call in calls:
            for known in left:
                if (known.name, known.id) == (call.name, call.id):
                    left.remove(known)
                    yield known, call
                    break

    def cut_off(self) -> Iterator[KnownCall]:
        """Yield the calls that will not be completed, once; they are open no longer."""
        for known in [one for one in self.open if not one.complete]:
            self.open.remove(known)
            self._cut(known)
            yield known

    def new_id(self, given: str | None) -> str:
        """Return an id that no other call of the response has."""
        name = given or f"{MADE_UP}{len(self._ids) + 1}"
        while name in self._ids:
            name += "_"
        self._ids.add(name)
        return name

    def _new(self, part: Part) -> KnownCall:
        call = part.function_call
        name, call_id = ("", None) if call is None else (call.name, call.id)
        known = KnownCall(name, call_id, self.new_id(call_id), (self._step, self._count))
        self._count += 1
        known.set(part)
        self.open.append(known)
        return known

    def _cut(self, known: KnownCall) -> None:
        """Take what came of the arguments of a call that was cut off."""
        for merger, one in self._mergers:
            if one is known:
                known.set(merger.part())
                known.complete = False
