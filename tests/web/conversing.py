"""Hypothesis strategies for conversations: what streams yield, and the history that it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st
from web.items import SIGNATURE, asked, chunk, merged, placed

from cometgem.types import (
    Blob,
    CodeExecutionResult,
    Content,
    ExecutableCode,
    FunctionResponse,
    FunctionResponseBlob,
    FunctionResponsePart,
    GenerateContentResponse,
    Part,
    ToolCall,
    ToolResponse,
)
from cometgem.types.content import FunctionCall, PartialArg

if TYPE_CHECKING:
    from cometgem import ConversationItem


class Said(NamedTuple):
    """A conversation.

    Attributes:
        items: What the stream yields.
        history: The turns, without thoughts that have no signature.
        pending: The calls that wait for an answer.
    """

    items: list[ConversationItem]
    history: list[Content]
    pending: list[FunctionCall]


TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)
SIGNATURES = st.none() | st.sampled_from([SIGNATURE, "b3RoZXI="])
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("abc", max_size=2), inner),
    max_leaves=4,
)
OBJECTS = st.dictionaries(st.text("abcxyz", min_size=1, max_size=3), VALUES, max_size=2)
BYTES = st.binary(min_size=1, max_size=3)


@st.composite
def texts(draw: st.DrawFn) -> list[Part]:
    thought = draw(st.sampled_from([None, None, True]))
    parts = [Part(text=text, thought=thought) for text in draw(st.lists(TEXTS, max_size=3))]
    signature = draw(SIGNATURES)
    if signature is not None:
        parts.append(Part(text=draw(TEXTS), thought=thought, thought_signature=signature))
    return parts


@st.composite
def calls(draw: st.DrawFn, name: str, call_id: str | None) -> list[Part]:
    args, signature = draw(OBJECTS), draw(SIGNATURES)
    if draw(st.booleans()):
        return [asked(name, args, signature, id=call_id)]
    pieces = [PartialArg(json_path=f"$.{key}", string_value=draw(TEXTS)) for key in "ab"]
    begun = asked(name, {}, signature, id=call_id, will_continue=True)
    return [
        begun,
        *[asked("", {}, partial_args=[one], will_continue=True) for one in pieces],
        asked("", {}),
    ]


@st.composite
def others(draw: st.DrawFn) -> list[Part]:
    signature = draw(SIGNATURES)
    kind = draw(st.sampled_from(["code", "tool", "image"]))
    if kind == "image":
        blob = Blob(data=draw(BYTES), mime_type="image/png")
        return [Part(inline_data=blob, thought_signature=signature)]
    given = draw(st.sampled_from([None, "s1"]))
    if kind == "code":
        code = ExecutableCode(code=draw(TEXTS), language="PYTHON", id=given)
        done = CodeExecutionResult(outcome="OUTCOME_OK", output=draw(st.none() | TEXTS), id=given)
        return [
            Part(executable_code=code, thought_signature=signature),
            Part(code_execution_result=done, thought_signature=draw(SIGNATURES)),
        ]
    call = ToolCall(tool_type="GOOGLE_SEARCH_WEB", args=draw(OBJECTS), id=given)
    answer = ToolResponse(tool_type="GOOGLE_SEARCH_WEB", response=draw(OBJECTS), id=given)
    return [Part(tool_call=call, thought_signature=signature), Part(tool_response=answer)]


@st.composite
def responses(draw: st.DrawFn, call: FunctionCall) -> FunctionResponse:
    kind = draw(st.sampled_from(["object", "error", "media"]))
    response: dict[str, Any] = {"error": draw(TEXTS.filter(bool))}
    if kind != "error":
        response = draw(OBJECTS)
    parts = []
    if kind == "media":
        blob = FunctionResponseBlob(data=draw(BYTES), mime_type="image/png")
        parts.append(FunctionResponsePart(inline_data=blob))
    return FunctionResponse(name=call.name, response=response, id=call.id, parts=parts)


@st.composite
def conversations(draw: st.DrawFn, *, media: bool = True, tools: bool = True) -> Said:
    """Return a conversation of up to three rounds, of which the last may wait for answers."""
    items: list[ConversationItem] = []
    history: list[Content] = []
    rounds = draw(st.integers(1, 3))
    for number in range(rounds):
        chunks: list[GenerateContentResponse] = []
        ids = draw(st.booleans())
        count = 0
        for kind in draw(st.lists(st.sampled_from(["text", "call", "other"]), max_size=4)):
            if kind == "call":
                count += 1
                name = draw(st.sampled_from(["look", "wait"]))
                parts = draw(calls(name, f"id-{number}-{count}" if ids else None))
            else:
                parts = draw(texts() if kind == "text" or not tools else others())
            chunks += [chunk(part) for part in parts]
        chunks.append(chunk(finish_reason="STOP"))
        turn = merged(chunks).content
        found = [part.function_call for part in turn.parts if part.function_call is not None]
        items += [*chunks, *found]
        answers = {at: draw(responses(call)) for at, call in enumerate(found)}
        if not media:
            answers = {
                at: FunctionResponse(name=one.name, response=one.response, id=one.id)
                for at, one in answers.items()
            }
        if number == rounds - 1 and found:
            answers.pop(draw(st.sampled_from(sorted(answers))))
        turns = placed(_kept(turn), answers) if found else [_kept(turn)]
        items += [answers[at] for at in draw(st.permutations(sorted(answers)))]
        history += [one for one in turns if one.parts]
        if not found:
            return Said(items, history, [])
    return Said(items, history, [call for at, call in enumerate(found) if at not in answers])


def _kept(turn: Content) -> Content:
    """Return the turn without thoughts that have no signature."""
    parts = [part for part in turn.parts if not part.thought or part.thought_signature]
    return Content(role="model", parts=parts)
