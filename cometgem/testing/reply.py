"""The script language. No I/O, except that `Reply.recorded` reads its file."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cometgem.testing import bodies
from cometgem.testing.class_only import ClassOnly
from cometgem.testing.hops import Hops, hop_steps
from cometgem.testing.steps import (
    AUTO,
    EVENT_STREAM,
    HTML,
    JSON,
    Auto,
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
    step,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Unpack

    from cometgem.testing.bodies import ErrorFields, JSONObject

__all__ = ["Reply"]

_PAGE = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body></body></html>"

_PLAIN = Framing()


@dataclass(frozen=True, kw_only=True)
class Reply:
    r"""The answer to one request. Class methods start a reply, all others return a changed copy.

    Content is kept as chunks in wire form, so that a reply works for both operations: streamed as
    events, or merged into one JSON body. The last chunk made of parts carries the finish reason
    and usage, unless a fault follows it.

    ======================================  ====================================================
    start with                              to answer with
    ======================================  ====================================================
    ``Reply.text("Hel", "lo")``             text, a chunk per piece; thought=, signature=, delay=
    ``Reply.chunks({...}, [{...}])``        parts, lists of parts, whole chunks; delay=
    ``Reply.call("f", {...})``              a function call; id=, signature=, in_pieces=True
    ``Reply.image(data)``                   a picture as inlineData
    ``Reply.hops(["a", "b"], ["c"])``       a long answer; checkpoints=, cuts=, stalls=, resets=
    ``Reply.error(429, retry_after=1)``     an error; code=, message=, dialect=, retry_delay= ...
    ``Reply.html(502)``                     the HTML page of a proxy
    ``Reply.raw(b"...")``                   any bytes; status=, content_type=
    ``Reply.recorded(path)``                a recorded body
    ``Reply.silence()``                     nothing, not even headers, until request.resume()
    ``Reply.reset()``                       a reset before the headers
    --------------------------------------  ----------------------------------------------------
    continue with                           to send
    --------------------------------------  ----------------------------------------------------
    ``.then(reply)``                        the content and faults of another reply
    ``.then_pause(0.1)``                    nothing for some seconds
    ``.then_error(503)``                    an error event; bare=True: raw JSON between events
    ``.then_raw(b"data: {oops\n\n")``       any bytes
    ``.then_stall()``                       nothing until request.resume()
    ``.then_reset()``                       a reset of the connection
    ``.then_end()``                         a clean end without a finish reason
    --------------------------------------  ----------------------------------------------------
    refine with                             to set
    --------------------------------------  ----------------------------------------------------
    ``.finish("MAX_TOKENS")``               the finish reason; None for none
    ``.usage({...})``                       usageMetadata; None for none
    ``.meta(model_version=)``               the model version; response_id=
    ``.delay(between=0.01)``                delays in seconds; headers=, first=
    ``.framed(newline="\r\n")``             framing: space=, pretty=, bom=, done=, blank_end=
    ``.pings(every=0.1)``                   comments before chunks and while waiting
    ``.cut(1)``, ``.cut_at(3, 700)``        where the body is cut into writes, in bytes
    ``.gzip()``                             compression, flushed per event
    ``.with_headers({...})``                response headers; None removes one
    ======================================  ====================================================
    """

    steps: tuple[Step, ...] = ()
    status: int = 200
    content_type: str | None = None
    headers: tuple[tuple[str, str | None], ...] = ()
    headers_delay: float | None = 0.0
    framing: Framing = _PLAIN
    cut_size: int | None = None
    cut_offsets: tuple[int, ...] = ()
    compressed: bool = False
    finish_reason: str | Auto | None = AUTO
    usage_metadata: JSONObject | Auto | None = AUTO
    model_version: str | None = None
    response_id: str | None = None
    long: Hops | None = None

    @classmethod
    def text(
        cls,
        *pieces: str,
        thought: str | None = None,
        signature: str | None = None,
        delay: float = 0.0,
    ) -> Reply:
        """Answer with text, one chunk per piece.

        Args:
            pieces: The text.
            thought: A thought before the text, in a separate chunk.
            signature: The thoughtSignature of the last chunk, in base64.
            delay: Seconds between chunks.
        """
        parts: list[JSONObject] = [] if thought is None else [{"text": thought, "thought": True}]
        parts += [{"text": piece} for piece in pieces]
        if signature is not None:
            parts[-1]["thoughtSignature"] = signature
        return cls.chunks(*parts, delay=delay)

    @classmethod
    def chunks(
        cls, *items: Mapping[str, Any] | Sequence[Mapping[str, Any]], delay: float = 0.0
    ) -> Reply:
        """Answer with chunks in wire form.

        Args:
            items: Parts, lists of parts, or whole chunks, which are sent unchanged.
            delay: Seconds between chunks.
        """
        return cls(steps=tuple(step(item) for item in items)).delay(between=delay)

    @classmethod
    def call(
        cls,
        name: str,
        args: Mapping[str, Any] | None = None,
        *,
        id: str | None = None,  # noqa: A002  # the name on the wire
        signature: str | None = None,
        in_pieces: bool = False,
    ) -> Reply:
        """Answer with a function call.

        Args:
            name: The name of the function.
            args: The arguments; None leaves `args` out.
            id: The id of the call.
            signature: The thoughtSignature, in base64.
            in_pieces: Whether to stream it as Vertex does: partialArgs by path, willContinue, and
                an empty call at the end.
        """
        fields = {"name": name, "id": id, "args": args}
        call = {field: value for field, value in fields.items() if value is not None}
        pieces = bodies.call_pieces(call) if in_pieces else [call]
        parts: list[JSONObject] = [{"functionCall": piece} for piece in pieces]
        if signature is not None:
            parts[0]["thoughtSignature"] = signature
        return cls.chunks(*parts)

    @classmethod
    def image(cls, data: bytes, mime_type: str = "image/png") -> Reply:
        """Answer with a picture as inlineData."""
        encoded = base64.b64encode(data).decode()
        return cls.chunks({"inlineData": {"mimeType": mime_type, "data": encoded}})

    @classmethod
    def hops(
        cls,
        *hops: Sequence[str | Mapping[str, Any] | Sequence[Mapping[str, Any]]],
        checkpoints: Collection[int] = (),
        cuts: Collection[int] = (),
        stalls: Collection[int] = (),
        resets: Collection[int] = (),
    ) -> Reply:
        """Answer all requests of a long answer, as Gemini 4 does: one hop for each request.

        A hop but the last ends with finishReason CONTINUATION and a `continuationToken`. The same
        request with this token gets what follows it, and does not use up the script. `docs/testing`
        has the rules. Chunks are numbered over the whole answer, from 0; a number that is given
        twice counts twice.

        Args:
            hops: Their chunks: text, parts, lists of parts, or whole chunks. An empty hop is sent
                as one chunk with empty text.
            checkpoints: Chunks before the end of a hop that carry a token when they are streamed.
            cuts: Chunks after which the connection breaks, once each; in the middle of the body
                for generateContent.
            stalls: Chunks after which nothing is sent until `request.resume()`, once each.
            resets: Hops, from 0, whose connection breaks between headers and first chunk, once
                each.

        Raises:
            ValueError: The reply has no hops, or no chunk or hop with that number.
        """
        steps = hop_steps(hops)
        return cls(steps=steps, long=Hops.of(steps, checkpoints, cuts, stalls, resets))

    @classmethod
    def error(
        cls, status: int, *, retry_after: float | str | None = None, **fields: Unpack[ErrorFields]
    ) -> Reply:
        """Answer with an error.

        Args:
            status: The HTTP status.
            retry_after: The Retry-After header: seconds or a date.
            fields: code, message, dialect, retry_delay and request_id; see `ErrorFields`. The
                request id is also sent in the header `x-cometapi-request-id`.
        """
        body = bodies.dumps(bodies.error(status, fields))
        headers: dict[str, str | None] = {}
        if retry_after is not None:
            headers["retry-after"] = str(retry_after)
        if "request_id" in fields:
            headers["x-cometapi-request-id"] = fields["request_id"]
        return cls.raw(body, status=status, content_type=JSON).with_headers(headers)

    @classmethod
    def html(cls, status: int = 502, page: str = _PAGE) -> Reply:
        """Answer with an HTML page."""
        return cls.raw(page.encode(), status=status, content_type=HTML)

    @classmethod
    def raw(cls, data: bytes, *, status: int = 200, content_type: str = EVENT_STREAM) -> Reply:
        """Answer with these bytes, for both operations."""
        return cls(steps=(Raw(data),), status=status, content_type=content_type)

    @classmethod
    def recorded(cls, path: str | Path, status: int | None = None) -> Reply:
        """Answer with a recorded body, for both operations; its first byte determines its type.

        Args:
            path: The file, which is read immediately.
            status: Defaults to `error.code` for a JSON error, 404 for an HTML page, 200 otherwise.

        Raises:
            OSError: The file cannot be read.
        """
        data = Path(path).read_bytes()
        found, content_type = 200, EVENT_STREAM
        if data.lstrip().startswith((b"{", b"[")):
            found, content_type = bodies.error_code(data), JSON
        elif data.lstrip().startswith(b"<"):
            found, content_type = 404, HTML
        return cls.raw(data, status=status or found, content_type=content_type)

    @classmethod
    def silence(cls) -> Reply:
        """Send nothing, not even headers, until `request.resume()`."""
        return cls(headers_delay=None)

    @classmethod
    def reset(cls) -> Reply:
        """Break the connection before the headers."""
        return cls(steps=(Reset(),))

    def then(self, other: Reply) -> Reply:
        """Continue with the content, faults, finish reason and usage of another reply.

        Raises:
            ValueError: The other reply is one of hops.
        """
        if other.long is not None:
            raise ValueError("Reply.hops() cannot continue a reply: begin with it")
        finish = self.finish_reason if other.finish_reason is AUTO else other.finish_reason
        usage = self.usage_metadata if other.usage_metadata is AUTO else other.usage_metadata
        steps = self.steps + other.steps
        return replace(self, steps=steps, finish_reason=finish, usage_metadata=usage)

    def then_pause(self, seconds: float) -> Reply:
        """Send nothing for some seconds."""
        return self._plus(Pause(seconds))

    def then_error(
        self, status: int = 500, *, bare: bool = False, **fields: Unpack[ErrorFields]
    ) -> Reply:
        """Send an error in mid-stream. A generateContent request gets only the error.

        Args:
            status: The HTTP status that corresponds to the error.
            bare: Whether to send pretty-printed JSON without `data:` (seen on Vertex).
            fields: See `ErrorFields`.
        """
        return self._plus(Error(status, bodies.error(status, fields), bare))

    def then_raw(self, data: bytes) -> Reply:
        """Send these bytes."""
        return self._plus(Raw(data))

    def then_stall(self) -> Reply:
        """Send nothing until `request.resume()`."""
        return self._plus(Stall())

    def then_reset(self, after: float = 0.05) -> Reply:
        """Break the connection.

        Args:
            after: Seconds before the reset, which can overtake data that was not read yet.
        """
        return self._plus(Pause(after), Reset())

    def then_end(self) -> Reply:
        """End the body cleanly, without a finish reason."""
        return self._plus(End())

    def finish(self, reason: str | None) -> Reply:
        """Set the finish reason of the last chunk made of parts; None for none."""
        return replace(self, finish_reason=reason)

    def usage(self, metadata: Mapping[str, Any] | None) -> Reply:
        """Set the usageMetadata of the last chunk made of parts, in wire form; None for none."""
        return replace(self, usage_metadata=None if metadata is None else dict(metadata))

    def meta(self, *, model_version: str | None = None, response_id: str | None = None) -> Reply:
        """Set the ids in chunks made of parts. Default to the requested model and a made-up id."""
        return replace(self, model_version=model_version, response_id=response_id)

    def delay(self, *, headers: float = 0.0, first: float = 0.0, between: float = 0.0) -> Reply:
        """Add delays in seconds: before the headers, before the first step, between chunks."""
        steps: list[Step] = [Pause(first)] if first else []
        for index, one in enumerate(self.steps):
            if between and index and isinstance(one, Parts | Chunk):
                steps.append(Pause(between))
            steps.append(one)
        wait = None if self.headers_delay is None else self.headers_delay + headers
        return replace(self, steps=tuple(steps), headers_delay=wait)

    def framed(  # noqa: PLR0913  # one per variation among servers
        self,
        *,
        newline: str = "\n",
        space: bool = True,
        pretty: bool = False,
        bom: bool = False,
        done: bool = False,
        blank_end: bool = True,
    ) -> Reply:
        r"""Change how events are written.

        Args:
            newline: "\n" as gateways send it, "\r\n" as Google does, or "\r".
            space: Whether a space follows "data:".
            pretty: Whether to write JSON over several data lines.
            bom: Whether to begin with a byte order mark.
            done: Whether to end with "data: [DONE]".
            blank_end: Whether a blank line follows the last event.
        """
        ping, every = self.framing.ping, self.framing.every
        framing = Framing(newline, space, pretty, bom, done, blank_end, ping, every)
        return replace(self, framing=framing)

    def pings(self, line: str = ": keepalive", *, every: float | None = None) -> Reply:
        """Send a keep-alive line, followed by a blank line, before each chunk.

        Args:
            line: The line, a comment by default.
            every: The interval in seconds at which to send it also while the body pauses or stalls.

        Raises:
            ValueError: `every` is not positive.
        """
        if every is not None and every <= 0:
            raise ValueError(f"every={every} must be a positive number of seconds")
        return replace(self, framing=replace(self.framing, ping=line, every=every))

    def cut(self, size: int) -> Reply:
        """Write the body in slices of this many bytes; a wait flushes the rest.

        Raises:
            ValueError: It is not positive.
        """
        if size < 1:
            raise ValueError(f"size={size} must be at least 1 byte")
        return replace(self, cut_size=size, cut_offsets=())

    def cut_at(self, *offsets: int) -> Reply:
        """Cut the body into writes at these byte offsets, and otherwise only at waits."""
        return replace(self, cut_size=None, cut_offsets=tuple(o for o in offsets if o > 0))

    def gzip(self) -> Reply:
        """Compress the body and flush after each event, even if the client did not ask for it."""
        return replace(self, compressed=True)

    def with_headers(self, headers: Mapping[str, str | None]) -> Reply:
        """Set response headers; None removes one."""
        return replace(self, headers=(*self.headers, *headers.items()))

    def _plus(self, *steps: Step) -> Reply:
        return replace(self, steps=self.steps + steps)


for _name, _member in list(vars(Reply).items()):
    if isinstance(_member, classmethod):
        setattr(Reply, _name, ClassOnly(_member))
