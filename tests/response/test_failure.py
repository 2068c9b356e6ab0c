import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from cometgem.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from cometgem.response.failure import (
    MAX_ERROR_BODY,
    event_failure,
    find_error,
    request_id,
    status_failure,
)

# Sun, 06 Nov 1994 08:49:37 GMT
DATE = 784111777.0


def failure(
    body: object, status: int = 400, headers: dict[str, str] | None = None, now: float = DATE
) -> APIStatusError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return status_failure(status, headers or {}, data, now=now)


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (429, RateLimitError),
        (500, ServerError),
        (503, ServerError),
        (529, ServerError),
        (599, ServerError),
        (301, APIStatusError),
        (402, APIStatusError),
        (408, APIStatusError),
        (413, APIStatusError),
        (499, APIStatusError),
    ],
)
def test_the_status_determines_the_class(status: int, cls: type[APIStatusError]) -> None:
    for body in (
        b"",
        b"<html>",
        {"error": {"message": "m", "code": 418}},
        {"code": 1, "message": "m"},
    ):
        error = failure(body, status)
        assert type(error) is cls
        assert error.status == status


def google(**fields: Any) -> dict[str, Any]:
    return {"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT", **fields}}


def gateway(**fields: Any) -> dict[str, Any]:
    return {"error": {"message": "m", "type": "comet_api_error", "param": "", **fields}}


# Each shape of an error body, with its code.
SHAPES: list[tuple[Any, str | None]] = [
    (google(), "INVALID_ARGUMENT"),
    ([google()], "INVALID_ARGUMENT"),
    (google(status=""), "400"),
    (google(status=None), "400"),
    (google(status=400), "400"),
    (google(status="400"), "400"),
    (google(status="400", code="c"), "c"),
    (gateway(code="invalid_request"), "invalid_request"),
    (gateway(code=1001), "1001"),
    (gateway(code=0), "0"),
    (gateway(code=""), None),
    (gateway(code=None), None),
    (gateway(code=True), None),
    (gateway(code={}), None),
    (gateway(), None),
    ({"error": {"message": "m"}}, None),
    ({"error": "m"}, None),
    ({"error": "m", "code": "c"}, "c"),
    ({"error": True, "message": "m", "code": "c"}, "c"),
    ({"error": 5, "message": "m"}, None),
    ({"code": None, "message": "m"}, None),
    ({"code": "c", "message": "m"}, "c"),
    ({"message": "m", "code": 7, "data": None, "error": None}, "7"),
]


@pytest.mark.parametrize(("body", "code"), SHAPES)
def test_every_known_error_shape_is_parsed(body: Any, code: str | None) -> None:
    pretty = b"\xef\xbb\xbf \r\n" + json.dumps(body, indent=2).encode() + b"\n"
    for data in (json.dumps(body).encode(), pretty):
        error = failure(data)
        assert (error.message, error.code, error.body) == ("m", code, data)
        assert (error.reason, error.request_id, error.retry_after) == (None, None, None)
        assert error.details == []
        assert error.partial is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Bad Gateway (no body)"),
        (b" \r\n", "Bad Gateway (no body)"),
        (b"\nupstream connect error\n", "upstream connect error"),
        (b"  " + b"x" * 1000, "x" * 200),
        (b"\xff\xfe no UTF-8", "\ufffd\ufffd no UTF-8"),
        (b"[" * 60_000, "[" * 200),
        (b"{}", "{}"),
        (b'{"message":"m"}', '{"message":"m"}'),
        (b'{"code":"c"}', '{"code":"c"}'),
        (b'{"error":{}}', '{"error":{}}'),
        (b'{"error":["m"]}', '{"error":["m"]}'),
        (b'{"error":null}', '{"error":null}'),
        (b'{"error":""}', '{"error":""}'),
        (b'{"error":{"message":""}}', '{"error":{"message":""}}'),
        (b'{"error":{"message":["m"]}}', '{"error":{"message":["m"]}}'),
        (b'[{"error":"a"},{"error":"b"}]', '[{"error":"a"},{"error":"b"}]'),
        (b'"m"', '"m"'),
        (b"<html><body>x", "the server sent an HTML page instead of JSON"),
        (b"<html><title></title>", "the server sent an HTML page instead of JSON"),
        (
            b"\n<!DOCTYPE html><HTML><TITLE lang='en'>\n 502 Bad\xff Gateway </TITLE>",
            "the server sent an HTML page instead of JSON: 502 Bad\ufffd Gateway",
        ),
    ],
)
def test_errors_without_a_message_are_described(body: bytes, message: str) -> None:
    error = failure(body, 502)
    assert (error.message, error.code, error.body) == (message, None, body)


def test_a_status_without_a_name() -> None:
    assert failure(b"", 529).message == "no body"


@pytest.mark.parametrize("body", [b"<title>" + b" " * 4000, b"<title" * 50_000, b"<" * 50_000])
def test_a_hostile_page_is_searched_quickly(body: bytes) -> None:
    started = time.process_time()
    assert failure(body).message == "the server sent an HTML page instead of JSON"
    assert time.process_time() - started < 3  # takes milliseconds; a backtracking search takes 20 s


def test_a_message_that_is_not_utf8_is_decoded() -> None:
    error = failure(b'{"error":{"message":"caf\xe9\n","code":"c"}}')
    assert (error.message, error.code) == ("caf\ufffd\n", "c")


def test_the_body_is_limited_to_64_kib() -> None:
    body = b'{"error":{"message":"m","details":["' + b"x" * 100_000 + b'"]}}'
    error = failure(body)
    assert MAX_ERROR_BODY == 64 * 1024
    assert (error.message, error.body) == ("m", body[:MAX_ERROR_BODY])


IN_MESSAGE = "quota (request id: 20260205132859798638387SIHCnxzJ)"


@pytest.mark.parametrize(
    ("headers", "message", "expected"),
    [
        ({"x-cometapi-request-id": "a"}, "m", "a"),
        ({"x-request-id": "b"}, "m", "b"),
        ({"x-request-id": "b", "x-cometapi-request-id": "a"}, IN_MESSAGE, "a"),
        ({"x-request-id": "b", "x-cometapi-request-id": ""}, IN_MESSAGE, "b"),
        ({"x-request-id": ""}, IN_MESSAGE, "20260205132859798638387SIHCnxzJ"),
        ({}, IN_MESSAGE + " and more", "20260205132859798638387SIHCnxzJ"),
        ({}, "(request id: )", None),
        ({}, "m", None),
    ],
)
def test_the_request_id(headers: dict[str, str], message: str, expected: str | None) -> None:
    body = {"error": {"message": message}}
    assert failure(body, headers=headers).request_id == expected
    assert event_failure(body["error"], b"", headers).request_id == expected
    in_headers = request_id(headers)
    assert in_headers == expected or (in_headers is None and "request id" in message)


INFO = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
WAIT = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3.5s"}

DEEP = json.loads('{"a":' * 64 + "[1]" + "}" * 64)


@pytest.mark.parametrize(
    ("given", "details", "reason"),
    [
        ([INFO, WAIT], [INFO, WAIT], "API_KEY_INVALID"),
        ([WAIT, {"reason": ""}, {"reason": "B"}], [WAIT, {"reason": ""}, {"reason": "B"}], "B"),
        ([None, "x", 1, [], WAIT], [WAIT], None),
        ([{"reason": 5}], [{"reason": 5}], "5"),
        ([DEEP, WAIT, DEEP["a"]], [WAIT, DEEP["a"]], None),
        ({"reason": "A"}, [], None),
        (None, [], None),
    ],
)
def test_details_and_their_reason(given: Any, details: list[Any], reason: str | None) -> None:
    error = failure(google(details=given))
    assert error.details == details
    assert error.reason == reason


@pytest.mark.parametrize(
    ("header", "delay", "seconds"),
    [
        ("7", None, 7.0),
        (" 0.5 ", None, 0.5),
        ("0", None, 0.0),
        ("Sun, 06 Nov 1994 08:50:07 GMT", None, 30.0),
        ("Sunday, 06-Nov-94 08:50:07 GMT", None, 30.0),
        ("Sun Nov  6 08:50:07 1994", None, 30.0),
        ("Sun, 06 Nov 1994 09:50:07 +0100", None, 30.0),
        ("Sun, 06 Nov 1994 08:49:07 GMT", None, 0.0),
        (None, "3.5s", 3.5),
        (None, "3s", 3.0),
        (None, "3", 3.0),
        ("7", "3.5s", 7.0),
        ("1", "3.5s", 3.5),
        ("soon", "3.5s", 3.5),
        ("7", "soon", 7.0),
        ("", None, None),
        ("-1", None, None),
        ("1e3", None, None),
        ("inf", None, None),
        ("tomorrow", None, None),
        ("Sun, 99 Nov 1994 08:50:07 GMT", None, None),
        ("Sun, 06 Nov 99999999999 08:50:07 GMT", None, None),
        (None, "-3s", None),
        (None, 3, 3.0),
        (None, 3.5, 3.5),
        (None, 0, 0.0),
        (None, -3, None),
        (None, True, None),
        (None, float("nan"), None),
        (None, 10**400, float("inf")),
        (None, [3], None),
        (None, None, None),
        (None, {"seconds": 3}, 3.0),
        (None, {"seconds": "3", "nanos": 500_000_000}, 3.5),
        (None, {"nanos": 250_000_000}, 0.25),
        (None, {"seconds": "soon"}, None),
        (None, {"seconds": -3}, None),
        (None, {"seconds": 3, "nanos": None}, None),
        (None, {}, None),
        ("9" * 400, None, float("inf")),
        ("86400000000", None, 86400000000.0),
    ],
)
def test_retry_after(header: str | None, delay: object, seconds: float | None) -> None:
    headers = {} if header is None else {"retry-after": header}
    body = {"error": {"message": "m", "details": [{"retryDelay": delay}]}}
    assert failure(body, 429, headers).retry_after == seconds


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("skipped: this system has no tzset")
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("new_york")
@pytest.mark.parametrize("zone", ["", " GMT", " -0000"])
def test_dates_are_in_gmt_in_every_local_time_zone(zone: str) -> None:
    headers = {"retry-after": "Sun, 06 Nov 1994 08:50:07" + zone}
    assert failure(b"", 429, headers).retry_after == 30.0


def test_in_band_errors_ignore_retry_after_dates() -> None:
    headers = {"retry-after": "Sun, 06 Nov 1994 08:50:07 GMT"}
    assert event_failure({"message": "m"}, b"", headers).retry_after is None
    assert event_failure({"message": "m"}, b"", {"retry-after": "7"}).retry_after == 7.0


@pytest.mark.parametrize(
    ("error", "status"),
    [
        *(
            ({"status": name}, status)
            for name, status in {
                "CANCELLED": 499,
                "UNKNOWN": 500,
                "INVALID_ARGUMENT": 400,
                "DEADLINE_EXCEEDED": 504,
                "NOT_FOUND": 404,
                "ALREADY_EXISTS": 409,
                "PERMISSION_DENIED": 403,
                "UNAUTHENTICATED": 401,
                "RESOURCE_EXHAUSTED": 429,
                "FAILED_PRECONDITION": 400,
                "ABORTED": 409,
                "OUT_OF_RANGE": 400,
                "UNIMPLEMENTED": 501,
                "INTERNAL": 500,
                "UNAVAILABLE": 503,
                "DATA_LOSS": 500,
            }.items()
        ),
        ({"code": 400}, 400),
        ({"code": 429}, 429),
        ({"code": 599}, 599),
        ({"code": "abc"}, 500),
        ({"code": "429"}, 429),
        ({"status": 503}, 503),
        ({"code": 404, "status": "INTERNAL"}, 404),
        ({"code": "", "status": "UNAVAILABLE"}, 503),
        ({"code": "UNAVAILABLE"}, 503),
        ({"code": "invalid_api_key"}, 401),
        ({"code": "insufficient_user_quota"}, 403),
        ({"code": "model_not_found"}, 503),
        ({"code": "rate_limit_exceeded"}, 429),
        ({"code": "invalid_request"}, 500),
        ({"code": 200}, 500),
        ({"code": 14}, 500),
        ({"code": 4290}, 500),
        ({"code": "\u0664\u0662\u0669"}, 500),
        ({"code": True}, 500),
        ({"code": None}, 500),
        ({"code": 429.0}, 500),
        ({"code": [429]}, 500),
        ({"code": "a_new_code"}, 500),
        ({}, 500),
        (None, 500),
    ],
)
def test_the_status_of_an_error_in_band(error: dict[str, Any] | None, status: int) -> None:
    raised = event_failure(error, b"body", {})
    assert raised.status == status
    assert type(raised) is type(failure(b"", status))
    assert raised.body == b"body"


@pytest.mark.parametrize(
    "document",
    [
        *(None, 5, "m", [], {}, [{}], [{"error": {}}] * 2, {"message": "m"}, {"code": 5}),
        *(
            {"error": None},
            {"error": ""},
            {"error": False},
            {"error": {}},
            {"error": []},
            {"error": {"code": 0, "message": ""}},
            {"errors": []},
            {"errors": ["m"]},
            {"errors": {"message": "m"}},
            {"errors": [{"message": ""}]},
            {"message": 5, "code": 5},
            {"candidates": []},
        ),
    ],
)
def test_documents_that_are_not_errors(document: object) -> None:
    assert find_error(document) is None
