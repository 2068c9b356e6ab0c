"""What an error's body may look like, on an answer that is refused anyway."""

from __future__ import annotations

import gzip
import json
from typing import Any

from faults.raw_server import Act, Flood
from faults.rows import Row
from faults.statuses import refused
from faults.wire import chunked, head

from cometgem import APIStatusError, BadRequestError, PermissionDeniedError, Timeouts
from cometgem.testing import Reply

__all__ = ["ERROR_BODIES"]

_JSON = "application/json"
_WORDS = "The field contents is missing"
_MIB = 1 << 20


def _body(document: object, status: int = 400) -> Reply:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Reply.raw(data, status=status, content_type=_JSON)


def _gateway(**fields: Any) -> Reply:
    error = {"message": _WORDS, "type": "comet_api_error", "param": "", **fields}
    return _body({"error": error})


def _bad(when: str, reply: Reply, says: str = _WORDS, **fields: Any) -> Row:
    return refused(when, reply, BadRequestError, says=says, **fields)


_GOOGLE = {
    "code": 400,
    "message": _WORDS,
    "status": "INVALID_ARGUMENT",
    "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
}
_GOOGLES = {"code": "INVALID_ARGUMENT", "reason": "API_KEY_INVALID"}

ERROR_BODIES = [
    _bad("`code` is a string", _gateway(code="bad_field"), code="bad_field"),
    _bad("`code` is a number", _gateway(code=1234), code="1234"),
    _bad('`code` is ""', _gateway(code="")),
    _bad("`code` is null", _gateway(code=None)),
    _bad("there is no `code` and no `param`", _body({"error": {"message": _WORDS}})),
    _bad(
        "there is no `message`", _body({"error": {"code": "x"}}), says='400 x: {"error"', code="x"
    ),
    refused(
        "there is no `error` around it",
        _body({"code": None, "message": "user quota is not enough"}, 403),
        PermissionDeniedError,
        says="403: user quota is not enough",
    ),
    _bad("`error` is a string", _body({"error": _WORDS})),
    _bad("it is Google's", _body({"error": _GOOGLE}), **_GOOGLES),
    _bad("it is Google's, in a list of one", _body([{"error": _GOOGLE}]), **_GOOGLES),
    _bad(
        "the request id stands in a header",
        _gateway().with_headers({"x-cometapi-request-id": "R1"}),
        request_id="R1",
    ),
    _bad(
        "the request id stands in another header",
        _gateway().with_headers({"x-cometapi-request-id": None, "x-request-id": "R2"}),
        request_id="R2",
    ),
    _bad(
        "the request id stands in the message only",
        _body({"error": {"message": "No. (request id: R3)"}}).with_headers(
            {"x-cometapi-request-id": None}
        ),
        says="400: No. (request id: R3)",
        request_id="R3",
    ),
    _bad("it is JSON of another shape", _body({"detail": "no"}), says='400: {"detail": "no"}'),
    _bad("it is cut JSON", _body(b'{"error": {"mess'), says='400: {"error": {"mess'),
    _bad("it is HTML", Reply.html(400), says="the server sent an HTML page instead of JSON"),
    _bad("it is plain text", _body(b"go away\n"), says="400: go away"),
    _bad("it is empty", _body(b""), says="400: Bad Request (no body)"),
    _bad("it is invalid UTF-8", _body(b"\xff\xfe caf\xe9"), says="400: \ufffd\ufffd caf\ufffd"),
    _bad(
        "it is JSON with invalid UTF-8",
        _body(b'{"error": {"message": "caf\xe9", "code": "x"}}'),
        says="400 x: caf\ufffd",
        code="x",
    ),
    _bad("it is compressed", _gateway(code="x").gzip(), code="x"),
    Row(
        when="it claims to be compressed and is not",
        serves=(_gateway(code="x").with_headers({"content-encoding": "gzip"}),),
        error=BadRequestError,
        fields={"status": 400},
        says="400: Bad Request (no body)",
        calls="both",
    ),
    Row(
        when="it is 200 MB long",
        serves=(
            (
                head(f"Content-Length: {200 * _MIB}", status="400 Bad Request"),
                Flood(b"x" * _MIB, 200),
            ),
        ),
        error=BadRequestError,
        fields={"status": 400},
        says="400: xxx",
        calls="both",
        grows=8,
        sends=32,
    ),
    Row(
        when="it is compressed, and 64 MB long when it is not",
        serves=(
            (
                head("Content-Encoding: gzip", "Connection: close", status="400 Bad Request"),
                gzip.compress(b"x" * (64 * _MIB), 1),
                Act.CLOSE,
            ),
        ),
        error=BadRequestError,
        fields={"status": 400},
        says="400: xxx",
        calls="both",
        grows=8,
    ),
    Row(
        when="it never ends",
        serves=((head("Content-Length: 100", status="400 Bad Request"), b"no", Act.SILENCE),),
        client={"timeouts": Timeouts(total=1.0)},
        within=4.0,
        error=BadRequestError,
        fields={"status": 400},
        says="400: no",
        calls="both",
    ),
    Row(
        when="the connection breaks in the middle of it",
        serves=(
            (
                head("Transfer-Encoding: chunked", status="400 Bad Request"),
                chunked(b'{"error": {'),
                Act.CLOSE,
            ),
        ),
        error=BadRequestError,
        fields={"status": 400},
        says='400: {"error": {',
        calls="both",
    ),
    Row(
        when="the status is 418, which nobody expects",
        serves=(Reply.raw(b"short and stout", status=418, content_type="text/plain"),),
        error=APIStatusError,
        fields={"status": 418},
        says="418: short and stout",
        reused=True,
        calls="both",
    ),
]
