"""Merges a function call that is streamed in pieces into one call.

Vertex-backed channels send a call with ``willContinue``, then its arguments as ``partialArgs``,
each a value with a JSON path, then a final piece without ``willContinue``.
https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from msgspec import UNSET
from msgspec.structs import replace

if TYPE_CHECKING:
    from cometgem.types.content import FunctionCall, Part, PartialArg

__all__ = ["CallMerger", "OpenCalls"]

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d{1,9})\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")

# Deeper than any schema, but safe for recursion.
_MAX_STEPS = 64


class CallMerger:
    """An incomplete call.

    Attributes:
        open: Whether the piece without ``willContinue`` is still to come.
        name: The function's name.
        id: The id of the call, or None as long as no piece had one.
    """

    def __init__(self, part: Part, call: FunctionCall) -> None:
        self.open: bool = True
        self.name: str = call.name
        self.id: str | None = None
        self._part = part
        self._call = call
        self._args: dict[Any, Any] = {}
        self.add(part, call)

    @staticmethod
    def begins(call: FunctionCall) -> bool:
        """Whether more pieces may follow this one."""
        return bool(call.will_continue or call.partial_args)

    def add(self, part: Part, call: FunctionCall) -> None:
        """Add the next piece; the first signature and id are kept."""
        self._args |= _editable(call.args)
        for arg in call.partial_args:
            self._set(arg)
        old = self._part
        self._part = replace(
            old,
            thought_signature=old.thought_signature or part.thought_signature,
            unknown=(old.unknown or {}) | part.unknown if part.unknown else old.unknown,
        )
        self.id = self.id or call.id
        self.open = bool(call.will_continue)

    def part(self) -> Part:
        """Return the call so far; ``will_continue`` is set if it is incomplete."""
        call = replace(
            self._call,
            id=self.id,
            args=_plain(self._args),
            partial_args=[],
            will_continue=True if self.open else None,
        )
        return replace(self._part, function_call=call)

    def _set(self, arg: PartialArg) -> None:
        steps = _steps(arg.json_path)
        node = self._args
        for step, following in pairwise(steps):
            child = node.get(step)
            container = _Items if isinstance(following, int) else dict
            if type(child) is not container:
                child = node[step] = container()
            node = child
        last = steps[-1]
        if arg.bool_value is not None:
            node[last] = arg.bool_value
        elif arg.number_value is not None:
            node[last] = arg.number_value
        elif arg.string_value is not None:
            text = node.get(last)
            if not isinstance(text, _Text):
                text = node[last] = _Text([text] if isinstance(text, str) else [])
            text.append(arg.string_value)
        elif arg.null_value is not UNSET:
            node[last] = None
        else:  # the start of a string without text yet, or the end of a value
            node.setdefault(last, "")


class OpenCalls:
    """The calls of which more pieces may follow.

    The call that a piece continues is found in constant time, however many are open.
    """

    def __init__(self) -> None:
        # Each call is filed under all that a piece may refer to it by, in the order of the calls.
        # One that no longer belongs there is dropped when it is met.
        self._filed: dict[tuple[str, str], list[tuple[int, CallMerger]]] = {}
        self._count = 0

    def add(self, part: Part, call: FunctionCall) -> CallMerger | Part | None:
        """Merge a call that is a piece of an open one, or open it if more pieces may follow.

        Returns:
            None for a piece; otherwise the opened call, or the part if the call is complete.
        """
        if (found := self._find(call)) is not None:
            place, merger = found
            had_id = merger.id
            merger.add(part, call)
            if merger.id != had_id:
                self._file(("id", merger.id or ""), place, merger)
            return None
        if not CallMerger.begins(call):
            return part
        merger = CallMerger(part, call)
        if merger.open:
            self._count += 1
            keys = {("open", ""), ("open", merger.name)}
            keys |= {("id", merger.id)} if merger.id else {("no id", ""), ("no id", merger.name)}
            for key in keys:
                self._file(key, self._count, merger)
        return merger

    def _find(self, call: FunctionCall) -> tuple[int, CallMerger] | None:
        """Return the latest open call that a later call is a piece of, and its place.

        Ids decide if both have one. Otherwise a piece has no name, or the same name and no
        arguments.
        """
        by_id = [self._latest(("id", call.id))] if call.id else []
        by_name = []
        if not call.name or not call.args:
            by_name = [self._latest(("no id" if call.id else "open", call.name))]
        return max(filter(None, [*by_id, *by_name]), default=None)

    def _latest(self, key: tuple[str, str]) -> tuple[int, CallMerger] | None:
        filed = self._filed.get(key, [])
        while filed:
            _, merger = filed[-1]
            if merger.open and not (key[0] == "no id" and merger.id):
                return filed[-1]
            filed.pop()
        return None

    def _file(self, key: tuple[str, str], place: int, merger: CallMerger) -> None:
        self._filed.setdefault(key, []).append((place, merger))


class _Items(dict[int, Any]):
    """An incomplete list; indices may arrive out of order and may be large."""


class _Text(list[str]):
    """The pieces of a string."""


def _steps(path: str) -> list[str | int]:
    """Split a path such as ``$.stops[0].name``.

    Anything that is not such a path is returned as a single key, so that no value is lost.
    """
    steps: list[str | int] = []
    at = 1 if path.startswith("$") else 0
    while match := _STEP.match(path, at):
        name, index, single, double = match.groups()
        steps.append(int(index) if index else name or single or double or "")
        at = match.end()
    complete = at == len(path) and 0 < len(steps) <= _MAX_STEPS
    return steps if complete and isinstance(steps[0], str) else [path]


def _editable(value: Any, depth: int = 0) -> Any:
    if depth > _MAX_STEPS:  # no path reaches this deep
        return value
    if isinstance(value, dict):
        return {key: _editable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return _Items((at, _editable(item, depth + 1)) for at, item in enumerate(value))
    return value


def _plain(value: Any, depth: int = 0) -> Any:
    match value:
        case _ if depth > _MAX_STEPS:
            return value
        case _Items():
            return [_plain(value[at], depth + 1) for at in sorted(value)]
        case dict():
            return {key: _plain(item, depth + 1) for key, item in value.items()}
        case _Text():
            return "".join(value)
        case _:
            return value
