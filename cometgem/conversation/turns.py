"""What a conversation keeps: its turns, what they cost, and both as JSON."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from cometgem.errors import ConfigurationError
from cometgem.request.contents import Contents, contents_to_wire, instruction_to_wire
from cometgem.types.content import Content, Part
from cometgem.types.response import GenerateContentResponse, UsageMetadata
from cometgem.types.wire import encode

__all__ = [
    "Transcript",
    "add_usage",
    "as_instruction",
    "as_turns",
    "model_turn",
    "read_transcript",
    "without_calls",
    "without_thoughts",
    "write_transcript",
]

_T = TypeVar("_T")

_COUNTS = tuple(name for name in UsageMetadata.__struct_fields__ if name.endswith("_token_count"))


class Transcript(msgspec.Struct, rename="camel", omit_defaults=True):
    """A conversation at rest.

    Attributes:
        model: Who was asked.
        history: The turns.
        system_instruction: What held for all of them.
        usage_metadata: The tokens of all requests.
    """

    model: str
    history: list[Content]
    system_instruction: Content | None = None
    usage_metadata: UsageMetadata | None = None


def write_transcript(transcript: Transcript) -> str:
    """Return the transcript as JSON; the API's own structs are in wire form."""
    return encode(transcript).decode()


def read_transcript(text: str | bytes) -> Transcript:
    """Return the transcript in the JSON.

    Raises:
        ConfigurationError: It is none.
    """
    try:
        return msgspec.json.decode(text, type=Transcript)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ConfigurationError(f"this is no chat's JSON: {error}") from error


def as_turns(contents: Contents, name: str = "contents") -> list[Content]:
    """Return what a caller says as turns; adjacent parts become one turn of the user.

    Args:
        contents: What is said.
        name: The argument's, for the error.

    Raises:
        ConfigurationError: Nothing is said, or it is of another type.
    """
    return _converted(contents_to_wire(contents, name), list[Content])


def as_instruction(instruction: Contents) -> Content:
    """Return a system instruction as one content, without a role.

    Raises:
        ConfigurationError: Nothing is said, or it is of another type.
    """
    return _converted(instruction_to_wire(instruction), Content)


def model_turn(response: GenerateContentResponse) -> Content:
    """Return the model's turn, to be sent back; that a call was left open is no one's business."""
    content = response.content
    if not any(call.will_continue for call in response.function_calls):
        return content
    return replace(content, parts=[_closed(part) for part in content.parts])


def without_calls(content: Content) -> Content:
    """Return the turn without its function calls: the API wants each of them answered."""
    return replace(content, parts=[part for part in content.parts if part.function_call is None])


def without_thoughts(content: Content) -> Content:
    """Return the turn without summaries of thinking; one that carries a signature stays."""
    parts = [part for part in content.parts if not part.thought or part.thought_signature]
    return replace(content, parts=parts)


def add_usage(total: UsageMetadata, usage: UsageMetadata | None) -> UsageMetadata:
    """Return the sums of the token counts; what neither has is None."""
    counts: dict[str, Any] = {}
    for name in _COUNTS:
        one, other = getattr(total, name), getattr(usage, name, None)
        counts[name] = other if one is None else one + (other or 0)
    return UsageMetadata(**counts)


def _converted(said: object, kind: type[_T]) -> _T:
    try:
        turns = deepcopy(msgspec.convert(said, kind, from_attributes=True))
    except (msgspec.ValidationError, RecursionError) as error:
        raise ConfigurationError(f"this cannot be kept as history: {error}") from error
    if (key := _lost(said, msgspec.to_builtins(turns))) is not None:
        raise ConfigurationError(
            f"{key!r} is newer than this library and cannot be kept as history: leave it out"
        )
    return turns


def _lost(said: object, kept: Any) -> str | None:
    """Return the first key that has a value in what was said, and none in what is kept."""
    if isinstance(said, list):
        return next(filter(None, map(_lost, said, kept)), None)
    if isinstance(said, dict):
        for key, value in said.items():
            if value and key not in kept:
                return str(key)
            if (lost := _lost(value, kept.get(key))) is not None:
                return lost
    return None


def _closed(part: Part) -> Part:
    call = part.function_call
    return part if call is None else replace(part, function_call=replace(call, will_continue=None))
