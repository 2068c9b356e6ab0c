"""The turns of a conversation and their usage, and both as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec.structs import replace

from cometgem.errors import ConfigurationError
from cometgem.request.contents import Contents, contents_to_wire, instruction_to_wire
from cometgem.types.content import Content, Part
from cometgem.types.nesting import deep_copy
from cometgem.types.response import UsageMetadata  # noqa: TC001  msgspec reads the annotation
from cometgem.types.unknown import inlined
from cometgem.types.wire import encode

if TYPE_CHECKING:
    from cometgem.types.response import GenerateContentResponse

__all__ = [
    "Transcript",
    "as_instruction",
    "as_turns",
    "closed_calls",
    "model_turn",
    "read_transcript",
    "without_calls",
    "without_thoughts",
    "write_transcript",
]

_T = TypeVar("_T")


class Transcript(msgspec.Struct, rename="camel", omit_defaults=True):
    """A saved conversation.

    Attributes:
        model: The model's name.
        history: The turns so far.
        system_instruction: The system instruction of all turns.
        usage_metadata: The tokens of all requests.
    """

    model: str
    history: list[Content]
    system_instruction: Content | None = None
    usage_metadata: UsageMetadata | None = None


def write_transcript(transcript: Transcript) -> str:
    """Return the transcript as JSON, with the API's own structs in wire form.

    Raises:
        ConfigurationError: The history holds something that is not valid JSON.
    """
    try:
        return encode(transcript).decode()
    except RecursionError:
        raise ConfigurationError("the chat is nested too deeply to be written as JSON") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigurationError(f"the chat cannot be written as JSON: {error}") from error


def read_transcript(text: str | bytes) -> Transcript:
    """Return the transcript that ``write_transcript`` wrote.

    Raises:
        ConfigurationError: The text is not a transcript.
    """
    if not isinstance(text, (str, bytes)):
        raise ConfigurationError(
            f"text must be the JSON of a chat, as a str or bytes, got {type(text).__name__}"
        )
    try:
        try:
            return msgspec.json.decode(text, type=Transcript)
        except msgspec.ValidationError:
            return _mended(msgspec.json.decode(text), Transcript)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ConfigurationError(f"not the JSON of a chat: {error}") from error


def as_turns(contents: Contents, name: str = "contents") -> list[Content]:
    """Convert a caller's contents to turns; adjacent parts become one turn of the user.

    Args:
        contents: The caller's contents.
        name: The name of the argument, for errors.

    Raises:
        ConfigurationError: It is empty, or of a wrong type.
    """
    return _converted(contents_to_wire(contents, name), list[Content])


def as_instruction(instruction: Contents) -> Content:
    """Convert a system instruction to one content, without a role.

    Raises:
        ConfigurationError: It is empty, or of a wrong type.
    """
    return _converted(instruction_to_wire(instruction), Content)


def model_turn(response: GenerateContentResponse) -> Content:
    """Return the model's turn, to be sent back; ``will_continue`` is removed from cut-off calls."""
    return closed_calls(response.content)


def closed_calls(turn: Content) -> Content:
    """Return the turn with ``will_continue`` removed from cut-off calls."""
    if not any(part.function_call and part.function_call.will_continue for part in turn.parts):
        return turn
    return replace(turn, parts=[_closed(part) for part in turn.parts])


def without_calls(content: Content) -> Content:
    """Return the turn without its function calls, as the API requires a response to each."""
    return replace(content, parts=[part for part in content.parts if part.function_call is None])


def without_thoughts(content: Content) -> Content:
    """Return the turn without thought summaries, except those that carry a signature."""
    parts = [part for part in content.parts if not part.thought or part.thought_signature]
    return replace(content, parts=parts)


def _converted(said: object, kind: type[_T]) -> _T:
    try:
        try:
            turns = msgspec.convert(said, kind, from_attributes=True)
        except msgspec.ValidationError:
            turns = _mended(said, kind)
        turns = deep_copy(turns)
        kept = msgspec.to_builtins(inlined(turns))
    except RecursionError:
        raise ConfigurationError("not valid as history: it is nested too deeply") from None
    except (msgspec.ValidationError, TypeError, ValueError, OverflowError) as error:
        raise ConfigurationError(f"not valid as history: {error}") from error
    if (key := _lost(said, kept)) is not None:
        raise ConfigurationError(
            f"{key!r} is not known to this version and cannot be kept in the history; leave it out"
        )
    return turns


def _mended(document: object, kind: type[_T]) -> _T:
    """Convert a document with URL-safe base64, or with keys of parts newer than the library."""
    from cometgem.response.lenient import mend  # noqa: PLC0415  only when needed

    return msgspec.convert(mend(document, kind), kind, from_attributes=True)


def _lost(said: object, kept: object) -> str | None:
    """Return the first key with a value in the caller's contents that is lost in the turns."""
    pairs = [(said, kept)]
    while pairs:
        said, kept = pairs.pop()
        if isinstance(said, list) and isinstance(kept, list):
            if len(said) > len(kept):  # a null in a list of the API's own is nothing
                said = [item for item in said if item is not None]
            pairs += reversed([*zip(said, kept, strict=True)])
        elif isinstance(said, dict) and isinstance(kept, dict):
            given = {key: value for key, value in said.items() if value}
            for key in given:
                if key not in kept:
                    return str(key)
            pairs += reversed([(value, kept[key]) for key, value in given.items()])
    return None


def _closed(part: Part) -> Part:
    call = part.function_call
    return part if call is None else replace(part, function_call=replace(call, will_continue=None))
