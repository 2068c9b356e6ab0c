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

__all__ = ["CallMerger"]

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d{1,9})\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")

# Deeper than any schema, but safe for recursion.
_MAX_STEPS = 64


class CallMerger:
    """An incomplete call; ``open`` until the piece without ``willContinue`` has arrived."""

    def __init__(self, part: Part, call: FunctionCall) -> None:
        self.open: bool = True
        self._part = part
        self._call = call
        self._args: dict[Any, Any] = {}
        self.add(part, call)

    @staticmethod
    def begins(call: FunctionCall) -> bool:
        """Whether more pieces may follow this one."""
        return bool(call.will_continue or call.partial_args)

    def continues(self, call: FunctionCall) -> bool:
        """Whether a later call is another piece of this one."""
        if call.id and self._call.id:
            return call.id == self._call.id
        return not call.name or (call.name == self._call.name and not call.args)

    def add(self, part: Part, call: FunctionCall) -> None:
        """Add the next piece; the first signature and id are kept."""
        self._args |= _editable(call.args)
        for arg in call.partial_args:
            self._set(arg)
        self._part = replace(
            self._part, thought_signature=self._part.thought_signature or part.thought_signature
        )
        self._call = replace(self._call, id=self._call.id or call.id)
        self.open = bool(call.will_continue)

    def part(self) -> Part:
        """Return the call so far; ``will_continue`` is set if it is incomplete."""
        call = replace(
            self._call,
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
