"""The bodies of error responses, well formed and not."""

from __future__ import annotations

import gzip
import json
from typing import Any

from faults.raw_server import Act, Flood
from faults.rows import Row, raises
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


_GOOGLE = {
    "code": 400,
    "message": _WORDS,
    "status": "INVALID_ARGUMENT",
    "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}],
}
_HUGE = (head(f"Content-Length: {200 * _MIB}", status="400 Bad Request"), Flood(b"x" * _MIB, 200))
_BOMB = (
    head("Content-Encoding: gzip", "Connection: close", status="400 Bad Request"),
    gzip.compress(b"x" * (64 * _MIB), 1),
    Act.CLOSE,
)
_CUT = (
    head("Transfer-Encoding: chunked", status="400 Bad Request"),
    chunked(b'{"error": {'),
    Act.CLOSE,
)

# fmt: off
ERROR_BODIES = [
    Row(
        "`code` is a string", (_gateway(code="bad_field"),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, "400 bad_field: The field contents is missing",
                    status=400, code="bad_field"),
    ),
    Row(
        "`code` is a number", (_gateway(code=1234),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, "400 1234: The field contents is missing",
                    status=400, code="1234"),
    ),
    Row(
        '`code` is ""', (_gateway(code=""),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, "400: The field contents is missing", status=400),
    ),
    Row(
        "`code` is null", (_gateway(code=None),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, "400: The field contents is missing", status=400),
    ),
    Row(
        "`code` and `param` are missing", (_body({"error": {"message": _WORDS}}),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, "400: The field contents is missing", status=400),
    ),
    Row(
        "`message` is missing", (_body({"error": {"code": "x"}}),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, '400 x: {"error": {"code": "x"}}', status=400, code="x"),
    ),
    Row(
        "the error is not wrapped in `error`",
        (_body({"code": None, "message": "user quota is not enough"}, 403),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(PermissionDeniedError, "403: user quota is not enough", status=403),
    ),
    Row(
        "`error` is a string", (_body({"error": _WORDS}),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, "400: The field contents is missing", status=400),
    ),
    Row(
        "it has Google's form", (_body({"error": _GOOGLE}),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError,
                    "400 INVALID_ARGUMENT API_KEY_INVALID: The field contents is missing",
                    status=400, code="INVALID_ARGUMENT", reason="API_KEY_INVALID"),
    ),
    Row(
        "it has Google's form, in a list of one", (_body([{"error": _GOOGLE}]),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError,
                    "400 INVALID_ARGUMENT API_KEY_INVALID: The field contents is missing",
                    status=400, code="INVALID_ARGUMENT", reason="API_KEY_INVALID"),
    ),
    Row(
        "the request id is in the gateway's header",
        (_gateway().with_headers({"x-cometapi-request-id": "R1"}),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, "400: The field contents is missing (request id: R1)",
                    status=400, request_id="R1"),
    ),
    Row(
        "the request id is in another header",
        (_gateway().with_headers({"x-cometapi-request-id": None, "x-request-id": "R2"}),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, "400: The field contents is missing (request id: R2)",
                    status=400, request_id="R2"),
    ),
    Row(
        "the request id is in the message only",
        (_body({"error": {"message": "No. (request id: R3)"}})
         .with_headers({"x-cometapi-request-id": None}),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, "400: No. (request id: R3)", status=400, request_id="R3"),
    ),
    Row(
        "it is JSON of another shape", (_body({"detail": "no"}),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, '400: {"detail": "no"}', status=400),
    ),
    Row(
        "it is truncated JSON", (_body(b'{"error": {"mess'),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, '400: {"error": {"mess', status=400),
    ),
    Row(
        "it is HTML", (Reply.html(400),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(
            BadRequestError, "400: the server sent an HTML page instead of JSON", status=400),
    ),
    Row(
        "it is plain text", (_body(b"go away\n"),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, "400: go away", status=400),
    ),
    Row(
        "it is empty", (_body(b""),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, "400: Bad Request (no body)", status=400),
    ),
    Row(
        "it is invalid UTF-8", (_body(b"\xff\xfe caf\xe9"),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, "400: \ufffd\ufffd caf\ufffd", status=400),
    ),
    Row(
        "it is JSON with invalid UTF-8",
        (_body(b'{"error": {"message": "caf\xe9", "code": "x"}}'),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, "400 x: caf\ufffd", status=400, code="x"),
    ),
    Row(
        "it is compressed", (_gateway(code="x").gzip(),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(BadRequestError, "400 x: The field contents is missing", status=400, code="x"),
    ),
    Row(
        "it is declared as gzip and is not compressed",
        (_gateway(code="x").with_headers({"content-encoding": "gzip"}),),
        operation="both", requests=1, texts=(), connection="closed",
        ends=raises(BadRequestError, "400: Bad Request (no body)", status=400),
    ),
    Row(
        "it is 200 MB long", (_HUGE,),
        operation="both", requests=1, texts=(), connection="closed", memory=8, reads=32,
        ends=raises(BadRequestError, "400: xxx", status=400),
    ),
    Row(
        "it is compressed, and 64 MB long when decompressed", (_BOMB,),
        operation="both", requests=1, texts=(), connection="closed", memory=8,
        ends=raises(BadRequestError, "400: xxx", status=400),
    ),
    Row(
        "it never ends",
        ((head("Content-Length: 100", status="400 Bad Request"), b"no", Act.SILENCE),),
        client={"timeouts": Timeouts(total=1.0)},
        operation="both", requests=1, texts=(), connection="closed", seconds=4,
        ends=raises(BadRequestError, "400: no", status=400),
    ),
    Row(
        "the connection breaks in the middle of it", (_CUT,),
        operation="both", requests=1, texts=(), connection="closed",
        ends=raises(BadRequestError, '400: {"error": {', status=400),
    ),
    Row(
        "the status is an unusual one (418)",
        (Reply.raw(b"short and stout", status=418, content_type="text/plain"),),
        operation="both", requests=1, texts=(), connection="kept",
        ends=raises(APIStatusError, "418: short and stout", status=418),
    ),
]
