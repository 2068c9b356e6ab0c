"""What a function that the model calls may know about the call."""

from __future__ import annotations

from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cometgem.types.content import Content, FunctionCall

__all__ = ["ToolContext", "is_context"]


class ToolContext(msgspec.Struct, frozen=True, kw_only=True):
    """The call that a function answers, given to its parameter of this type.

    The parameter is not declared to the model, which cannot set it.

    Attributes:
        call: The call, as the model wrote it.
        call_id: The id of the call, if the model gave it one.
        round: The number of the round, from 1; 0 for a call of the history that is resumed.
        history: The contents sent so far, and the turn of the model that has the call.
    """

    call: FunctionCall
    call_id: str | None = None
    round: int = 1
    history: Sequence[Content] = ()


def is_context(annotation: Any) -> bool:
    """Return whether a parameter with this annotation receives the context, None included."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return is_context(get_args(annotation)[0])
    if origin in (Union, UnionType):
        inner = [one for one in get_args(annotation) if one is not type(None)]
        return len(inner) == 1 and is_context(inner[0])
    return annotation is ToolContext
