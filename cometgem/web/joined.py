"""Joins what a slow reader has missed: text that came in many chunks becomes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from msgspec.structs import replace

from cometgem.types.content import Content, Part
from cometgem.types.response import Candidate, GenerateContentResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cometgem.conversation.rounds import ConversationItem

__all__ = ["joined"]


def joined(items: Iterable[ConversationItem]) -> Iterator[ConversationItem]:
    """Yield the items, with adjacent chunks that hold only text of one kind joined into one."""
    texts: list[GenerateContentResponse] = []
    for item in items:
        if not _is_text(item):
            yield from _join(texts)
            texts = []
            yield item
            continue
        if texts and _is_thought(texts[0]) != _is_thought(item):
            yield from _join(texts)
            texts = []
        texts.append(item)
    yield from _join(texts)


def _is_text(item: ConversationItem) -> TypeGuard[GenerateContentResponse]:
    """Whether it is a chunk that only continues the text."""
    if not isinstance(item, GenerateContentResponse) or item.prompt_feedback is not None:
        return False
    parts = item.parts
    return (
        len(parts) == 1
        and parts[0] == Part(text=parts[0].text, thought=parts[0].thought)
        and item.candidates == [Candidate(content=item.candidates[0].content)]
    )


def _is_thought(chunk: GenerateContentResponse) -> bool:
    return bool(chunk.parts[0].thought)


def _join(texts: list[GenerateContentResponse]) -> Iterator[GenerateContentResponse]:
    if len(texts) < 2:  # noqa: PLR2004  nothing to join
        yield from texts
        return
    text = "".join([one.parts[0].text or "" for one in texts])
    part = Part(text=text, thought=texts[0].parts[0].thought)
    content = Content(role=texts[0].content.role, parts=[part])
    yield replace(texts[-1], candidates=[Candidate(content=content)])
