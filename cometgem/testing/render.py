"""Renders a reply in the form that was requested: events, a JSON array, or one JSON body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cometgem.response.codec import decode_chunk
from cometgem.response.merge import ResponseMerger
from cometgem.testing.actions import Action, Bytes, Head, Item, Wait, actions, ping
from cometgem.testing.bodies import dumps
from cometgem.testing.steps import (
    AUTO,
    EVENT_STREAM,
    JSON,
    Chunk,
    End,
    Error,
    Framing,
    Parts,
    Pause,
    Raw,
    Reset,
    Stall,
    Step,
)
from cometgem.types.wire import encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cometgem.testing.bodies import JSONObject
    from cometgem.testing.reply import Reply

__all__ = ["made_up_usage", "merged", "render"]


def render(
    reply: Reply, *, stream: bool, sse: bool, model: str, request_id: str
) -> Iterator[Action]:
    """Yield the actions that answer one request.

    Args:
        reply: The scripted reply.
        stream: Whether streamGenerateContent was called.
        sse: Whether the query has `alt=sse`; without it, the stream is a JSON array.
        model: The model that was asked.
        request_id: The id of the request.
    """
    steps = list(_completed(reply, model, f"response-{request_id}"))
    # A raw body is sent unchanged for both operations.
    is_bytes = any(isinstance(step, Raw) for step in steps) and not any(
        isinstance(step, Chunk | Error) for step in steps
    )
    is_stream = stream and sse and not is_bytes
    kind = reply.content_type or (EVENT_STREAM if is_stream else JSON)
    framing = reply.framing if EVENT_STREAM in kind else Framing()
    status, length = reply.status, None
    if is_bytes or is_stream:
        items = _events(steps, framing)
    elif stream:
        items = _array(steps)
    else:
        status, items = _single(steps, status)
    if EVENT_STREAM not in kind and (is_bytes or not stream) and not reply.compressed:
        length = sum(len(item.data) for item in items if isinstance(item, Bytes))

    if reply.headers_delay != 0:
        yield Wait(reply.headers_delay, resumable=reply.headers_delay is None)
    if steps and isinstance(steps[0], Reset):
        yield steps[0]
    headers = {"content-type": kind, "x-cometapi-request-id": request_id}
    if reply.compressed:
        headers["content-encoding"] = "gzip"
    for name, value in reply.headers:
        headers.pop(name.lower(), None)
        if value is not None:
            headers[name.lower()] = value
    yield Head(status, headers, length)
    yield from actions(items, reply, framing)


def _completed(reply: Reply, model: str, response_id: str) -> Iterator[Step]:
    """Turn parts into chunks; the last one gets the ending, unless a fault follows."""
    steps = reply.steps
    parts = [index for index, step in enumerate(steps) if isinstance(step, Parts)]
    last = parts[-1] if parts else 0
    is_natural = all(isinstance(step, Parts | Chunk | Pause) for step in steps[last:])
    finish, usage = reply.finish_reason, reply.usage_metadata
    if finish is AUTO:
        finish = "STOP" if is_natural else None
    if usage is AUTO:
        usage = made_up_usage(steps) if is_natural else None
    for index, step in enumerate(steps):
        if not isinstance(step, Parts):
            yield step
            if isinstance(step, End):
                return
            continue
        candidate: JSONObject = {
            "content": {"parts": list(step.parts), "role": "model"},
            "index": 0,
        }
        body: JSONObject = {"candidates": [candidate]}
        if index == last and finish is not None:
            candidate["finishReason"] = finish
        if index == last and usage is not None:
            body["usageMetadata"] = usage
        body["modelVersion"] = reply.model_version or model
        body["responseId"] = reply.response_id or response_id
        yield Chunk(body)


def made_up_usage(steps: Iterable[Step]) -> JSONObject:
    """Return made-up counts: 8 for the prompt, 1 per chunk; thoughts are counted separately."""
    are_thoughts = [
        all(part.get("thought") for part in step.parts) for step in steps if isinstance(step, Parts)
    ]
    thoughts = sum(are_thoughts)
    usage = {"promptTokenCount": 8, "candidatesTokenCount": len(are_thoughts) - thoughts}
    if thoughts:
        usage["thoughtsTokenCount"] = thoughts
    return usage | {"totalTokenCount": 8 + len(are_thoughts)}


def _events(steps: Iterable[Step], framing: Framing) -> list[Item]:
    newline = framing.newline.encode()
    field = b"data: " if framing.space else b"data:"

    def event(data: bytes) -> bytes:
        return b"".join(field + line + newline for line in data.split(b"\n")) + newline

    items: list[Item] = [Bytes(b"\xef\xbb\xbf")] if framing.bom else []
    is_ended = False
    for step in steps:
        match step:
            case Chunk(body):
                if framing.ping is not None:
                    items.append(Bytes(ping(framing)))
                items.append(Bytes(event(dumps(body, indent=1 if framing.pretty else None)), 1))
            case Error(_, body, bare):
                items.append(Bytes(dumps(body, indent=2) + newline if bare else event(dumps(body))))
            case Raw(data):
                items.append(Bytes(data))
            case Pause() | Stall() | Reset():
                items.append(step)
            case _:
                is_ended = True
    if framing.done and not is_ended:
        items.append(Bytes(event(b"[DONE]")))
    if not framing.blank_end and items and isinstance(items[-1], Bytes):
        final = items[-1]
        items[-1] = Bytes(final.data.removesuffix(newline), final.chunks)
    return items


def _array(steps: Iterable[Step]) -> list[Item]:
    """Return a JSON array, the format that Google streams without `alt=sse`."""
    items: list[Item] = []
    before = b"["
    for step in steps:
        match step:
            case Chunk(body) | Error(_, body, _):
                items.append(Bytes(before + dumps(body, indent=2), int(isinstance(step, Chunk))))
                before = b",\r\n"
            case Raw(data):
                items.append(Bytes(data))
            case Pause() | Stall() | Reset():
                items.append(step)
    return [*items, Bytes(b"]")]


def _single(steps: Sequence[Step], status: int) -> tuple[int, list[Item]]:
    """Return one JSON body: the error if there is one, otherwise the merged chunks.

    If a stall or a reset follows the last chunk, it happens in the middle of the body.
    """
    for step in steps:
        if isinstance(step, Error):
            return step.status, [Bytes(dumps(step.body))]
    chunks = [step.body for step in steps if isinstance(step, Chunk)]
    end = max((i for i, step in enumerate(steps, 1) if isinstance(step, Chunk)), default=0)
    before, after = _others(steps[:end]), _others(steps[end:])
    body = merged(chunks)
    if any(isinstance(item, Stall | Reset) for item in after):
        half = len(body) // 2
        items = [Bytes(body[:half]), *after, Bytes(body[half:], len(chunks))]
    else:
        items = [Bytes(body, len(chunks)), *after]
    return status, [*before, *items]


def _others(steps: Iterable[Step]) -> list[Item]:
    return [
        Bytes(step.data) if isinstance(step, Raw) else step
        for step in steps
        if isinstance(step, Raw | Pause | Stall | Reset)
    ]


def merged(chunks: Sequence[JSONObject]) -> bytes:
    """Return the JSON of one response, made of the chunks of a stream."""
    if len(chunks) == 1:
        return dumps(chunks[0])  # even one that cannot be decoded
    merger = ResponseMerger()
    for chunk in chunks:
        merger.add(decode_chunk(dumps(chunk)))
    return encode(merger.response())
