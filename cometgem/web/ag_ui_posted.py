"""What an AG-UI page posts: a run, with its messages and its answers to interrupts."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from cometgem.errors import BadMessagesError
from cometgem.request.arguments import shown
from cometgem.web.calls import MADE_UP
from cometgem.web.posted import MAX_SIZE, check_messages

__all__ = ["AskedCall", "PostedRun", "Verdict", "asked_calls", "posted_run"]


class AskedCall(NamedTuple):
    """A call in an assistant's message.

    Attributes:
        name: The function's name.
        id: The API's id, or None.
        page_id: The page's id.
        args: The arguments.
        signature: The thought signature, or None.
    """

    name: str
    id: str | None
    page_id: str
    args: dict[str, Any]
    signature: str | None


class Verdict(NamedTuple):
    """What a person said to an interrupt.

    Attributes:
        approved: Whether the call may run.
        reason: Why, or "".
    """

    approved: bool
    reason: str


class PostedRun(NamedTuple):
    """A run.

    Attributes:
        thread_id: The conversation.
        run_id: The run.
        messages: The messages.
        tools: The names of the tools that the page runs.
        verdicts: The answers to interrupts, by the id of the interrupt.
        last_calls: The calls at the end, and whether they have a result.
        page_ids: The ids of all calls.
    """

    thread_id: str
    run_id: str
    messages: list[dict[str, Any]]
    tools: list[str]
    verdicts: dict[str, Verdict]
    last_calls: list[tuple[AskedCall, bool]]
    page_ids: list[str]

    @property
    def answered(self) -> list[tuple[int, AskedCall, bool]]:
        """The calls that the answers to interrupts are for: position, call, whether refused."""
        found = []
        for at, (call, has_result) in enumerate(self.last_calls):
            verdict = None if has_result else self.verdict(call)
            if verdict is not None:
                found.append((at, call, not verdict[1].approved))
        return found

    def verdict(self, call: AskedCall) -> tuple[str, Verdict] | None:
        """Return the answer for a call, and the id of its interrupt; it is not checked here."""
        for interrupt, verdict in self.verdicts.items():
            if interrupt == call.page_id or interrupt.rpartition(".")[0] == call.page_id:
                return interrupt, verdict
        return None


def posted_run(run: object, max_size: int | None = MAX_SIZE) -> PostedRun:
    """Return the run that a page has posted.

    Raises:
        BadMessagesError: It is not valid, or too large.
    """
    if not isinstance(run, dict):
        raise BadMessagesError(f"a run must be an object with 'messages', got {shown(run)}")
    for key in ("threadId", "runId"):
        if not isinstance(run.get(key), str):
            raise BadMessagesError(f"{key} is not a string, but {shown(run.get(key))}")
    messages = check_messages(run.get("messages"), max_size)
    for at, message in enumerate(messages):
        if not isinstance(message, dict):
            raise BadMessagesError(f"messages[{at}] is not an object")
    calls = [call for message in messages for call in asked_calls(message)]
    tools = run.get("tools")
    names = [one.get("name") for one in tools if isinstance(one, dict)] if tools else []
    return PostedRun(
        run["threadId"],
        run["runId"],
        messages,
        [name for name in names if isinstance(name, str)],
        _verdicts(run.get("resume")),
        _last_calls(messages),
        [call.page_id for call in calls],
    )


def asked_calls(message: dict[str, Any]) -> list[AskedCall]:
    """Return the complete calls in a message."""
    given = message.get("toolCalls") if message.get("role") == "assistant" else None
    found = [] if not isinstance(given, list) else map(_asked, given)
    return [call for call in found if call is not None]


def _asked(given: object) -> AskedCall | None:
    function = given.get("function") if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(function, dict):
        return None
    page_id, name, text = given.get("id"), function.get("name"), function.get("arguments")
    if not isinstance(page_id, str) or not isinstance(name, str) or not isinstance(text, str):
        return None
    try:
        args = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    if not isinstance(args, dict):
        return None
    check_messages([args], None)
    signature = given.get("encryptedValue")
    return AskedCall(
        name,
        None if page_id.startswith(MADE_UP) else page_id,
        page_id,
        args,
        signature if isinstance(signature, str) and signature else None,
    )


def _last_calls(messages: list[dict[str, Any]]) -> list[tuple[AskedCall, bool]]:
    """Return the calls after which only their results come."""
    results: set[object] = set()
    calls: list[AskedCall] = []
    for message in reversed(messages):
        role = message.get("role")
        if role == "tool" and not calls:
            results.add(message.get("toolCallId"))
        elif role == "assistant":
            calls[:0] = asked_calls(message)
        elif role not in ("reasoning", "activity"):
            break
    return [(call, call.page_id in results) for call in calls]


def _verdicts(resume: object) -> dict[str, Verdict]:
    found: dict[str, Verdict] = {}
    for entry in resume if isinstance(resume, list) else ():
        if not isinstance(entry, dict) or not isinstance(entry.get("interruptId"), str):
            raise BadMessagesError("resume has an entry without an interruptId")
        payload = entry.get("payload")
        payload = payload if isinstance(payload, dict) else {}
        approved = entry.get("status") == "resolved" and payload.get("approved") is True
        reason = payload.get("reason")
        found[entry["interruptId"]] = Verdict(approved, reason if isinstance(reason, str) else "")
    return found
