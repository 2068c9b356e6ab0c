"""A long answer while it is given: which hop answers a request, and which tokens are valid.

No I/O: the server asks for the reply to each request and says how it ended.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from cometgem.testing.render import merged
from cometgem.testing.steps import AUTO, Chunk, HopEnd, Parts, Pause, Reset, Stall, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cometgem.testing.bodies import JSONObject
    from cometgem.testing.journal import RecordedRequest
    from cometgem.testing.reply import Reply

__all__ = ["LongAnswer", "LongAnswers", "TokenError"]

_PROMPT = 8  # tokens, as for every other reply

# A reset can overtake data that the client has not read yet.
_BEFORE_RESET = 0.05  # seconds

_tokens = count(1)


class TokenError(Exception):
    """A `continuationToken` that the API refuses; its text is the API's message."""


class LongAnswer:
    """One long answer: it numbers the chunks, issues tokens, and breaks where it should.

    Args:
        reply: A reply made with `Reply.hops`.
        request: The request that it answers first.
    """

    def __init__(self, reply: Reply, request: RecordedRequest) -> None:
        if reply.long is None:
            raise ValueError("not a reply of Reply.hops()")
        self._reply = reply
        self._hops = reply.long
        self._request = same(request)
        self._id = request.request_id
        self._faults = {
            "cut": Counter(reply.long.cuts),
            "stall": Counter(reply.long.stalls),
            "reset": Counter(reply.long.resets),
        }
        self._places: dict[str, int] = {}  # by token, the number of the chunk that follows it
        self._used: set[str] = set()
        self._begun: dict[str, str] = {}  # by request id, the token that the hop began with
        # The places of the chunks among the steps.
        self._chunks = [i for i, one in enumerate(reply.steps) if isinstance(one, Parts | Chunk)]
        self._is_broken_early = False

    def knows(self, token: str) -> bool:
        """Return whether it has issued this token."""
        return token in self._places

    def is_repeated_by(self, request: RecordedRequest) -> bool:
        """Return whether a request without a token repeats one that broke before any token."""
        return self._is_broken_early and same(request) == self._request

    def begin(self, request: RecordedRequest, token: str | None = None) -> Reply:
        """Return the reply to one request.

        Args:
            request: The request.
            token: Its token, one that this answer has issued; None begins the answer anew.

        Raises:
            TokenError: The token was used, or issued for another request.
        """
        if token is not None:
            if same(request) != self._request:
                raise TokenError("The continuation_token does not belong to this request.")
            if token in self._used:
                raise TokenError("The continuation_token has already been used.")
            self._begun[request.request_id] = token
        self._is_broken_early = False
        place = 0 if token is None else self._places[token]
        if request.operation == "streamGenerateContent":
            steps = self._streamed(place, request.model)
        else:
            steps = self._single(place, request.model)
        return replace(self._reply, steps=tuple(steps), long=None)

    def ended(self, request: RecordedRequest) -> None:
        """Note that the reply to a request has ended: a completed hop uses up its token."""
        token = self._begun.pop(request.request_id, None)
        if request.finished and token is not None:
            self._used.add(token)

    def _streamed(self, place: int, model: str) -> Iterator[Step]:
        if self._fails("reset", self._hop_of(place)):
            self._is_broken_early = place == 0
            yield from (Pause(_BEFORE_RESET), Reset())
            return
        has_token = place > 0
        for number, before, body in self._bodies(place, model):
            yield from before
            if self._is_last_of_hop(number) or number in self._hops.checkpoints:
                self._add_token(body, number)
            has_token = has_token or bool(_candidate(body).get("continuationToken"))
            yield Chunk(body)
            if self._fails("stall", number):
                yield Stall()
            if self._fails("cut", number):
                self._is_broken_early = not has_token
                yield from (Pause(_BEFORE_RESET), Reset())
                return
        yield from self._after(place)

    def _single(self, place: int, model: str) -> Iterator[Step]:
        """Yield one chunk, since the token of a single response is that of its end."""
        bodies: list[JSONObject] = []
        faults: list[Step] = []
        last = place
        is_broken = self._fails("reset", self._hop_of(place))
        for last, before, body in self._bodies(place, model):
            yield from before
            bodies.append(body)
            if not is_broken and self._fails("stall", last):
                faults.append(Stall())
            is_broken = is_broken or self._fails("cut", last)
        if is_broken:
            faults += [Pause(_BEFORE_RESET), Reset()]
            self._is_broken_early = place == 0
        whole: JSONObject = json.loads(merged(bodies))
        if self._is_last_of_hop(last) or last in self._hops.checkpoints:
            self._add_token(whole, last)
        yield Chunk(whole)
        yield from faults
        yield from self._after(place)

    def _bodies(self, place: int, model: str) -> Iterator[tuple[int, Sequence[Step], JSONObject]]:
        """Yield the chunks of the hop that begins there: number, steps before, body without token.

        At the place after the last chunk, which a token of that chunk leads to, it is empty text.
        """
        steps = self._reply.steps
        if place == len(self._chunks):
            yield place, (), self._body(Parts(({"text": ""},)), place, place, model)
            return
        end = self._end_of_hop(place)
        before = 0 if place == 0 else self._chunks[place - 1] + 1
        for number in range(place, end):
            at = self._chunks[number]
            chunk = steps[at]
            waits = [one for one in steps[before:at] if not isinstance(one, HopEnd)]
            before = at + 1
            if isinstance(chunk, Parts | Chunk):
                yield number, waits, self._body(chunk, place, number, model)

    def _body(self, chunk: Parts | Chunk, place: int, number: int, model: str) -> JSONObject:
        reply = self._reply
        if isinstance(chunk, Parts):
            content = {"parts": deepcopy(list(chunk.parts)), "role": "model"}
            body: JSONObject = {"candidates": [{"content": content, "index": 0}]}
        else:
            body = deepcopy(chunk.body)
        candidate = _candidate(body)
        is_last = number >= len(self._chunks) - 1
        reason: Any = None
        if number == len(self._chunks):  # a larger budget has found nothing more to say
            reason = "STOP"
        elif self._is_last_of_hop(number):
            reason = "CONTINUATION"
        elif is_last:
            reason = reply.finish_reason
            if reason is AUTO:
                reason = "STOP" if self._ends_naturally() else None
        if reason is not None:
            candidate.setdefault("finishReason", reason)
        usage = reply.usage_metadata
        if usage is AUTO:
            body.setdefault("usageMetadata", self._usage(place, number))
        elif usage is not None and is_last:
            body.setdefault("usageMetadata", deepcopy(usage))
        body.setdefault("modelVersion", reply.model_version or model)
        body.setdefault("responseId", reply.response_id or f"response-{self._id}")
        return body

    def _usage(self, place: int, number: int) -> JSONObject:
        """Return the counts so far of the hop that began at a place, a token for each chunk.

        Each hop reads the prompt and all that was generated before it.
        """
        prompt = _PROMPT + place
        chunks = [self._reply.steps[at] for at in self._chunks[place : number + 1]]
        thoughts = sum(map(_is_thought, chunks))
        usage = {"promptTokenCount": prompt, "candidatesTokenCount": len(chunks) - thoughts}
        if thoughts:
            usage["thoughtsTokenCount"] = thoughts
        return usage | {"totalTokenCount": prompt + len(chunks)}

    def _add_token(self, body: JSONObject, number: int) -> None:
        """Add a new token that leads to the chunk after this one. Tokens are opaque."""
        token = base64.b64encode(f"hop-{self._id}-{next(_tokens)}".encode()).decode()
        candidate = _candidate(body)
        candidate.setdefault("continuationToken", token)
        self._places[candidate["continuationToken"]] = number + 1

    def _fails(self, fault: str, number: int) -> bool:
        """Return whether a fault is due at a chunk or hop, and count it."""
        left = self._faults[fault]
        is_due = left[number] > 0
        left[number] -= is_due
        return is_due

    def _end_of_hop(self, place: int) -> int:
        """Return the number of the first chunk of the next hop."""
        for number in range(place, len(self._chunks)):
            if self._is_last_of_hop(number):
                return number + 1
        return len(self._chunks)

    def _is_last_of_hop(self, number: int) -> bool:
        """Whether another hop follows this chunk."""
        if number + 1 >= len(self._chunks):
            return False
        between = self._reply.steps[self._chunks[number] : self._chunks[number + 1]]
        return any(isinstance(one, HopEnd) for one in between)

    def _hop_of(self, place: int) -> int:
        at = self._chunks[place] if place < len(self._chunks) else len(self._reply.steps)
        return sum(isinstance(one, HopEnd) for one in self._reply.steps[:at])

    def _after(self, place: int) -> Sequence[Step]:
        """Return the steps after the last chunk, if the hop that begins there ends with it."""
        is_last = place < len(self._chunks) == self._end_of_hop(place)
        return self._reply.steps[self._chunks[-1] + 1 :] if is_last else ()

    def _ends_naturally(self) -> bool:
        return all(isinstance(one, Pause) for one in self._reply.steps[self._chunks[-1] + 1 :])


class LongAnswers:
    """The long answers that a server has begun."""

    def __init__(self) -> None:
        self._answers: list[LongAnswer] = []
        self._by_request: dict[str, LongAnswer] = {}

    def start(self, reply: Reply, request: RecordedRequest) -> Reply:
        """Begin a long answer and return its first hop."""
        answer = LongAnswer(reply, request)
        self._answers.append(answer)
        return self._begin(answer, request, None)

    def next(self, request: RecordedRequest, token: str) -> Reply | None:
        """Return the hop that a token leads to, or None if no long answer has issued it.

        Raises:
            TokenError: The token was used, or issued for another request.
        """
        for answer in self._answers:
            if answer.knows(token):
                return self._begin(answer, request, token)
        return None

    def again(self, request: RecordedRequest, lost_token: str | None) -> Reply | None:
        """Return the first hop anew for a request without a token, if that is what it asks for.

        Args:
            request: The request, which may repeat one that broke before a token was sent.
            lost_token: A token that the gateway has dropped from it.
        """
        for answer in self._answers:
            lost = lost_token is not None and answer.knows(lost_token)
            if lost or answer.is_repeated_by(request):
                return self._begin(answer, request, None)
        return None

    def ended(self, request: RecordedRequest) -> None:
        """Note that the reply to a request has ended."""
        answer = self._by_request.pop(request.request_id, None)
        if answer is not None:
            answer.ended(request)

    def _begin(self, answer: LongAnswer, request: RecordedRequest, token: str | None) -> Reply:
        reply = answer.begin(request, token)
        self._by_request[request.request_id] = answer
        return reply


def same(request: RecordedRequest) -> object:
    """Return what all requests of a long answer have in common.

    The token differs, and so may maxOutputTokens: a larger budget goes on after MAX_TOKENS.
    """
    if not isinstance(request.body, dict):
        return request.model, request.body
    body = {key: value for key, value in request.body.items() if key != "continuationToken"}
    config = body.pop("generationConfig", None)
    if isinstance(config, dict):
        config = {key: value for key, value in config.items() if key != "maxOutputTokens"}
    return request.model, body, config or None


def _candidate(body: JSONObject) -> JSONObject:
    candidates = body.setdefault("candidates", [{}])
    candidate: JSONObject = candidates[0]
    return candidate


def _is_thought(chunk: Step) -> bool:
    """Whether a chunk is counted as thinking; one with empty text is a hop that only thinks."""
    if isinstance(chunk, Parts):
        parts: Sequence[JSONObject] = chunk.parts
    elif isinstance(chunk, Chunk):
        candidates = chunk.body.get("candidates") or [{}]
        parts = (candidates[0].get("content") or {}).get("parts") or []
    else:
        return False
    return all(part.get("thought") or part == {"text": ""} for part in parts)
