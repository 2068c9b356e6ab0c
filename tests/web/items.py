"""What streams yield, and what encoders make of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from cometgem.conversation.open_turn import OpenTurn
from cometgem.response.merge import ResponseMerger
from cometgem.types import (
    Candidate,
    Content,
    FunctionCall,
    FunctionResponse,
    GenerateContentResponse,
    Part,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cometgem import ConversationItem
    from cometgem.web import Encoder

SIGNATURE = "c2lnbmF0dXJl"


def chunk(*parts: Part | str, **fields: Any) -> GenerateContentResponse:
    """Return a chunk with these parts; other fields are the candidate's."""
    said = [Part(text=part) if isinstance(part, str) else part for part in parts]
    content = Content(role="model", parts=said) if said else None
    usage = fields.pop("usage_metadata", None)
    candidate = Candidate(content=content, **fields)
    return GenerateContentResponse(candidates=[candidate], usage_metadata=usage)


def thought(text: str, signature: str | None = None) -> Part:
    return Part(text=text, thought=True, thought_signature=signature)


def asked(name: str, args: dict[str, Any], signature: str | None = None, **fields: Any) -> Part:
    """Return a part with a call."""
    call = FunctionCall(name=name, args=args, **fields)
    return Part(function_call=call, thought_signature=signature)


def result(name: str, response: dict[str, Any], **fields: Any) -> FunctionResponse:
    return FunctionResponse(name=name, response=response, **fields)


def merged(chunks: Sequence[GenerateContentResponse]) -> GenerateContentResponse:
    merger = ResponseMerger()
    for one in chunks:
        merger.add(one)
    return merger.response()


def final_of(items: Sequence[ConversationItem]) -> GenerateContentResponse:
    """Return the last answer: the chunks after the last result."""
    last: list[GenerateContentResponse] = []
    for item in items:
        if isinstance(item, FunctionResponse):
            last = []
        elif isinstance(item, GenerateContentResponse):
            last.append(item)
    return merged(last)


def written(
    encoder: Encoder,
    *items: ConversationItem,
    pending: Sequence[FunctionCall] = (),
    error: str | None = None,
) -> bytes:
    """Return the body of a response with these items, which ends well or with an error."""
    body = encoder.start() + b"".join(map(encoder.item, items))
    if error is not None:
        return body + encoder.fail(error)
    return body + encoder.end(final_of(items), pending)


def events(body: bytes) -> list[Any]:
    """Return the data of server-sent events, and those with a name with it."""
    found: list[Any] = []
    assert body == b"" or body.endswith(b"\n\n")
    for block in body.decode().split("\n\n")[:-1]:
        fields: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            fields[name] = f"{fields[name]}\n{value}" if name in fields else value
        if "data" not in fields:
            continue
        text = fields["data"]
        data = text if text == "[DONE]" else json.loads(text)
        found.append((fields["event"], data) if "event" in fields else data)
    return found


def kinds(body: bytes) -> list[str]:
    """Return the types of the events of a UI message stream or of AG-UI."""
    return [one if isinstance(one, str) else one["type"] for one in events(body)]


def placed(turn: Content, responses: dict[int, FunctionResponse]) -> list[Content]:
    """Return the turns of a conversation after these responses, each marked with its call."""
    kept = OpenTurn(turn)
    for at, response in responses.items():
        kept.add_response(at, response)
    return kept.turns()


def plain(contents: Sequence[Content]) -> Any:
    """Return contents as JSON, so that None and "" of a text without characters are equal."""
    found = msgspec.to_builtins(list(contents))
    for turn in found:
        for part in turn["parts"]:
            if part.get("text") == "":
                del part["text"]
            if part.get("thought") is False:
                del part["thought"]
    return found
