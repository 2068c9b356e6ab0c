"""The calls in the messages that ``useChat`` posts, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cometgem.web.calls import MADE_UP

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "PostedCall",
    "api_id",
    "is_tool",
    "last_answer",
    "last_calls",
    "metadata_of",
    "page_ids",
    "posted_call",
    "steps_of",
]


class PostedCall(NamedTuple):
    """A call of a function.

    Attributes:
        name: The function's name.
        call_id: The API's id, or None.
        page_id: The page's id.
        args: The arguments.
        state: The state in the page, such as "output-available".
        approved: What the person said, or None.
        reason: Why, or "".
        approval: The id of the request for approval, or "".
    """

    name: str
    call_id: str | None
    page_id: str
    args: dict[str, Any]
    state: str
    approved: bool | None = None
    reason: str = ""
    approval: str = ""

    @property
    def answered(self) -> bool:
        """Whether a person has approved or refused the call, and nothing came of it yet."""
        return self.state == "approval-responded" and self.approved is not None


def is_tool(part: dict[str, Any]) -> bool:
    """Whether a part is a call of a tool."""
    kind = part.get("type")
    return isinstance(kind, str) and (kind == "dynamic-tool" or kind.startswith("tool-"))


def posted_call(part: object) -> PostedCall | None:
    """Return the call in a part; None if it is incomplete, or the API's own tool."""
    if not isinstance(part, dict) or not is_tool(part) or part.get("providerExecuted") is True:
        return None
    dynamic = part["type"] == "dynamic-tool"
    name = part.get("toolName") if dynamic else part["type"].removeprefix("tool-")
    page_id, args = part.get("toolCallId"), part.get("input")
    if not isinstance(name, str) or not isinstance(page_id, str) or not isinstance(args, dict):
        return None
    state = part.get("state")
    if state == "input-streaming":
        return None
    said = part.get("approval")
    said = said if isinstance(said, dict) else {}
    approved, reason, approval = said.get("approved"), said.get("reason"), said.get("id")
    return PostedCall(
        name,
        api_id(part),
        page_id,
        args,
        state if isinstance(state, str) else "",
        approved if isinstance(approved, bool) else None,
        reason if isinstance(reason, str) else "",
        approval if isinstance(approval, str) else "",
    )


def api_id(part: dict[str, Any]) -> str | None:
    """Return the id that the API had given to a call, or None."""
    call_id = metadata_of(part, "callProviderMetadata", "cometgem").get("callId")
    found = call_id if isinstance(call_id, str) else part.get("toolCallId")
    return found if isinstance(found, str) and found and not found.startswith(MADE_UP) else None


def last_answer(messages: object) -> dict[str, Any] | None:
    """Return the last message if it is an answer, which then goes on."""
    last = messages[-1] if isinstance(messages, list) and messages else None
    if isinstance(last, dict) and last.get("role") == "assistant":
        return last if isinstance(last.get("parts"), list) else None
    return None


def last_calls(message: dict[str, Any]) -> list[PostedCall]:
    """Return the calls of the last step of an answer."""
    *_, step = steps_of(message["parts"])
    return [call for part in step if (call := posted_call(part)) is not None]


def page_ids(message: dict[str, Any]) -> list[str]:
    """Return the ids of all calls of an answer."""
    parts = message["parts"]
    found = [part.get("toolCallId") for part in parts if isinstance(part, dict) and is_tool(part)]
    return [one for one in found if isinstance(one, str)]


def steps_of(parts: list[Any]) -> Iterator[list[Any]]:
    """Yield the parts of each step; the first is empty in what ``useChat`` posts."""
    step: list[Any] = []
    for part in parts:
        if isinstance(part, dict) and part.get("type") == "step-start":
            yield step
            step = []
        else:
            step.append(part)
    yield step


def metadata_of(part: dict[str, Any], key: str, provider: str) -> dict[str, Any]:
    """Return the metadata that an encoder had written for a provider."""
    metadata = part.get(key)
    found = metadata.get(provider) if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}
