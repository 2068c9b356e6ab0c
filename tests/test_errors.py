import copy
import pickle
import re
from typing import Any

import pytest

from cometgem import errors
from cometgem.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadMessagesError,
    BadRequestError,
    ClosedError,
    CometGemError,
    ConfigurationError,
    ContinuationUnsupportedError,
    EventTooLargeError,
    IncompleteAnswerError,
    NotFoundError,
    OutputProblem,
    OutputValidationError,
    PermissionDeniedError,
    RateLimitError,
    ResponseDecodeError,
    RunError,
    ServerError,
    StreamError,
    StreamInterruptedError,
    StreamTruncatedError,
    ToolCallError,
    ToolError,
    ToolTimeoutError,
    TooManyRoundsError,
)
from cometgem.types import Candidate, Content, FunctionCall, GenerateContentResponse, Part


def status(number: int, message: str, **fields: Any) -> dict[str, Any]:
    """The fields of an APIStatusError."""
    nothing = dict.fromkeys(("code", "reason", "request_id", "retry_after"))
    return {"status": number, "message": message, **nothing, "details": [], "body": b"", **fields}


def ended(message: str, chunks: int = 0, request_id: str | None = None) -> dict[str, Any]:
    """The fields of a StreamError."""
    return {"message": message, "chunks": chunks, "request_id": request_id}


def timeout(phase: str, seconds: float, chunks: int = 0) -> dict[str, Any]:
    return {
        "message": "",
        "phase": phase,
        "seconds": seconds,
        "chunks": chunks,
        "option": phase,
    }


CALL = FunctionCall(name="f", args={"x": 1}, id="1")


def called(**fields: Any) -> dict[str, Any]:
    """The fields of a ToolError."""
    return {"message": "", "call": CALL, "responses": [], **fields}


DETAILS = [{"@type": "t", "reason": "QUOTA"}]
FULL = {"code": "RESOURCE_EXHAUSTED", "reason": "QUOTA", "request_id": "id-1"}
FULL |= {"retry_after": 3.5, "details": DETAILS, "body": b"{}"}
DECODE = {"path": "$.a", "excerpt": "'\n"}
LIMIT = "Client(max_event_size=...) sets this limit"


# Each error: what it is besides its class, what it says, and its fields.
def unfit(problem: OutputProblem, **fields: Any) -> dict[str, Any]:
    """The fields of an OutputValidationError."""
    nothing = dict.fromkeys(("finish_reason", "block_reason", "index"))
    return {"problem": problem, "message": "", "path": "", "text": "", **nothing, **fields}


ERRORS: list[tuple[CometGemError, type[BaseException], str, dict[str, Any]]] = [
    (CometGemError(), Exception, "", {"message": ""}),
    (CometGemError("m"), Exception, "m", {"message": "m"}),
    (ConfigurationError("m"), ValueError, "m", {"message": "m"}),
    (BadMessagesError("m"), ConfigurationError, "m", {"message": "m"}),
    (ClosedError("m"), CometGemError, "m", {"message": "m"}),
    (APIConnectionError("m"), CometGemError, "m", {"message": "m"}),
    (
        APITimeoutError("connect", 10.0),
        TimeoutError,
        "no connection within 10 s; Timeouts(connect=...) sets this limit",
        timeout("connect", 10.0),
    ),
    (
        APITimeoutError("first_chunk", 0.25),
        APIConnectionError,
        "no first chunk within 0.25 s; Timeouts(first_chunk=...) sets this limit",
        timeout("first_chunk", 0.25),
    ),
    (
        APITimeoutError("stall", 300, chunks=2),
        OSError,
        "nothing arrived for 300 s after 2 chunks; Timeouts(stall=...) sets this limit",
        timeout("stall", 300, 2),
    ),
    (
        APITimeoutError("total", 60, chunks=1),
        TimeoutError,
        "not finished within 60 s after 1 chunk; Timeouts(total=...) sets this limit",
        timeout("total", 60, 1),
    ),
    (
        APITimeoutError("total", 60),
        TimeoutError,
        "not finished within 60 s; Timeouts(total=...) sets this limit",
        timeout("total", 60),
    ),
    (APIStatusError(418, "m"), CometGemError, "418: m", status(418, "m")),
    (
        BadRequestError(400, "bad field.", code="INVALID_ARGUMENT", reason="R"),
        APIStatusError,
        "400 INVALID_ARGUMENT R: bad field",
        status(400, "bad field.", code="INVALID_ARGUMENT", reason="R"),
    ),
    (
        AuthenticationError(401, "m", code="401", reason="401"),
        APIStatusError,
        "401: m; check that the API key is correct and belongs to this base URL",
        status(401, "m", code="401", reason="401"),
    ),
    (
        PermissionDeniedError(403, "m"),
        APIStatusError,
        "403: m; check the key's permissions and balance",
        status(403, "m"),
    ),
    (
        NotFoundError(404, "m", request_id="id-1"),
        APIStatusError,
        "404: m; check the model's name and the base URL (request id: id-1)",
        status(404, "m", request_id="id-1"),
    ),
    (
        RateLimitError(429, "m"),
        APIStatusError,
        "429: m; send fewer requests at a time, or raise RetryPolicy(attempts=...)",
        status(429, "m"),
    ),
    (
        RateLimitError(429, "m", **FULL),
        APIStatusError,
        "429 RESOURCE_EXHAUSTED QUOTA: m; retry after 3.5 s (request id: id-1)",
        status(429, "m", **FULL),
    ),
    (
        RateLimitError(429, "m", retry_after=0.0),
        APIStatusError,
        "429: m; retry after 0 s",
        status(429, "m", retry_after=0.0),
    ),
    (
        ServerError(503, "m (request id: id-1)", request_id="id-1"),
        APIStatusError,
        "503: m (request id: id-1)",
        status(503, "m (request id: id-1)", request_id="id-1"),
    ),
    (
        StreamError("it ended"),
        CometGemError,
        "it ended after 0 chunks",
        ended("it ended"),
    ),
    (
        StreamInterruptedError("it broke", chunks=1, request_id="id-1"),
        StreamError,
        "it broke after 1 chunk; what had arrived is in error.partial (request id: id-1)",
        ended("it broke", 1, "id-1"),
    ),
    (
        ContinuationUnsupportedError("it began again", token="t"),
        StreamError,
        "it began again after 0 chunks",
        {**ended("it began again"), "token": "t"},
    ),
    (
        StreamTruncatedError("it ended", chunks=2),
        StreamError,
        "it ended after 2 chunks; what had arrived is in error.partial",
        ended("it ended", 2),
    ),
    (
        OutputValidationError("wrong", "Expected `int`", path="$[7].a", text="[", index=7),
        ValueError,
        (
            "the answer does not match its type: Expected `int` at $[7].a, in element 7;"
            " the text is in error.text"
        ),
        unfit("wrong", message="Expected `int`", path="$[7].a", text="[", index=7),
    ),
    (
        OutputValidationError("cut", finish_reason="MAX_TOKENS"),
        CometGemError,
        (
            "the answer was cut off (MAX_TOKENS) before its JSON was complete;"
            " raise max_output_tokens in generation_config, which includes thinking"
        ),
        unfit("cut", finish_reason="MAX_TOKENS"),
    ),
    (
        OutputValidationError("cut"),
        CometGemError,
        "the JSON of the answer is not complete yet; the text is in error.text",
        unfit("cut"),
    ),
    (
        OutputValidationError("blocked", block_reason="SAFETY"),
        CometGemError,
        "the prompt was blocked (SAFETY); the response is in error.partial",
        unfit("blocked", block_reason="SAFETY"),
    ),
    (
        OutputValidationError("blocked", finish_reason="SAFETY"),
        CometGemError,
        (
            "the answer was stopped (SAFETY) before its JSON was complete;"
            " the response is in error.partial"
        ),
        unfit("blocked", finish_reason="SAFETY"),
    ),
    (
        OutputValidationError("empty", finish_reason="STOP"),
        CometGemError,
        "the answer has no text (STOP); the response is in error.partial",
        unfit("empty", finish_reason="STOP"),
    ),
    (
        IncompleteAnswerError("it was cut off", finish_reason="MAX_TOKENS"),
        CometGemError,
        "the answer is not complete: it was cut off",
        {"message": "it was cut off", "finish_reason": "MAX_TOKENS", "block_reason": None},
    ),
    (
        ResponseDecodeError("no JSON"),
        CometGemError,
        "no JSON: ''",
        {"message": "no JSON", "path": "", "excerpt": ""},
    ),
    (
        ResponseDecodeError("another shape", **DECODE),
        CometGemError,
        r"""another shape at $.a: "'\n" """.strip(),
        {"message": "another shape", **DECODE},
    ),
    (
        EventTooLargeError(67108865, 67108864),
        CometGemError,
        f"read an event of at least 67,108,865 bytes, expected no more than 67,108,864; {LIMIT}",
        {"message": "", "size": 67108865, "limit": 67108864},
    ),
    (
        EventTooLargeError(1001, 1000, counted="candidates"),
        CometGemError,
        "read an event of at least 1,001 candidates, expected no more than 1,000",
        {"message": "", "size": 1001, "limit": 1000, "counted": "candidates"},
    ),
    (ToolError(CALL, "raised"), CometGemError, "the tool 'f' raised", called(message="raised")),
    (
        ToolTimeoutError(CALL, 1.5),
        TimeoutError,
        "the tool 'f' did not finish within 1.5 s; FunctionTool(timeout=...) sets this limit",
        called(seconds=1.5),
    ),
    (
        ToolCallError(CALL, "arguments", "Expected `int` - at `$.x`"),
        ToolError,
        "arguments for tool 'f' do not match its signature: Expected `int` - at `$.x`",
        called(message="Expected `int` - at `$.x`", reason="arguments", known=[]),
    ),
    (
        ToolCallError(CALL, "unknown_tool", known=["g", "h"]),
        ToolError,
        "unknown tool 'f'; available tools: 'g', 'h'",
        called(reason="unknown_tool", known=["g", "h"]),
    ),
    (
        ToolCallError(CALL, "unknown_tool"),
        ToolError,
        "unknown tool 'f'; available tools: none",
        called(reason="unknown_tool", known=[]),
    ),
    (
        ToolCallError(CALL, "unfinished"),
        ToolError,
        "the call of tool 'f' was cut off; the tool was not run",
        called(reason="unfinished", known=[]),
    ),
    (
        TooManyRoundsError(10),
        CometGemError,
        "the model was still calling tools after 10 rounds; max_rounds=... sets this limit",
        {"message": "", "rounds": 10, "finish_reason": ""},
    ),
    (
        TooManyRoundsError(1, "MALFORMED_FUNCTION_CALL"),
        CometGemError,
        (
            "the model wrote no valid function call in 1 round (MALFORMED_FUNCTION_CALL);"
            " max_rounds=... sets this limit"
        ),
        {"message": "", "rounds": 1, "finish_reason": "MALFORMED_FUNCTION_CALL"},
    ),
    (
        RunError("the run was lost"),
        CometGemError,
        "the run was lost",
        {"message": "the run was lost"},
    ),
]

NAMES = [type(row[0]).__name__ for row in ERRORS]
EACH = pytest.mark.parametrize(("error", "base", "says", "fields"), ERRORS, ids=NAMES)


@EACH
def test_the_base_message_and_fields_of_each_error(
    error: CometGemError, base: type[BaseException], says: str, fields: dict[str, Any]
) -> None:
    assert isinstance(error, base)
    assert isinstance(error, CometGemError)
    assert str(error) == says
    assert repr(error) == f"{type(error).__name__}({says!r})"
    assert vars(error) == fields
    assert error.partial is None
    assert error.args == ()


@EACH
def test_errors_survive_pickle_and_copy(
    error: CometGemError, base: type[BaseException], says: str, fields: dict[str, Any]
) -> None:
    partial = GenerateContentResponse(
        candidates=[Candidate(content=Content(parts=[Part(text="a")]))]
    )
    error = copy.copy(error)
    error.partial = partial
    error.add_note("a note")
    protocols = range(pickle.HIGHEST_PROTOCOL + 1)
    pickled = [pickle.loads(pickle.dumps(error, protocol)) for protocol in protocols]  # noqa: S301
    for again in (copy.copy(error), copy.deepcopy(error), *pickled):
        assert type(again) is type(error)
        assert isinstance(again, base)
        assert str(again) == says
        assert vars(again) == {**fields, "partial": partial, "__notes__": ["a note"]}


def test_a_copy_is_independent() -> None:
    error = StreamTruncatedError("m")
    again = copy.copy(error)
    again.chunks, again.partial = 5, GenerateContentResponse()
    assert (error.chunks, error.partial) == (0, None)


def test_details_are_a_new_list() -> None:
    details = ({"a": 1},)
    assert APIStatusError(400, "m", details=details).details == [{"a": 1}]
    assert APIStatusError(400, "m").details is not APIStatusError(400, "m").details


HOSTILE = "a\x1b[31m\r\n\x00\x7f\u202e\u2028\ud800\u00e9\U0001f600"
HARMLESS = r"a\x1b[31m\r\n\x00\x7f\u202e\u2028\ud800" + "\u00e9\U0001f600"


@pytest.mark.parametrize(
    "error",
    [
        CometGemError(HOSTILE),
        ConfigurationError(HOSTILE),
        APIConnectionError(HOSTILE),
        APIStatusError(400, HOSTILE),
        APIStatusError(400, "m", code=HOSTILE),
        APIStatusError(400, "m", reason=HOSTILE),
        APIStatusError(400, "m", request_id=HOSTILE),
        StreamInterruptedError(HOSTILE),
        StreamTruncatedError("m", request_id=HOSTILE),
        IncompleteAnswerError(HOSTILE),
        OutputValidationError("wrong", HOSTILE),
        OutputValidationError("wrong", path=HOSTILE),
        OutputValidationError("cut", finish_reason=HOSTILE),
        OutputValidationError("blocked", block_reason=HOSTILE),
        ResponseDecodeError(HOSTILE),
        ResponseDecodeError("m", path=HOSTILE),
        ResponseDecodeError("m", excerpt=HOSTILE),
        ToolError(CALL, HOSTILE),
        ToolCallError(CALL, "arguments", HOSTILE),
    ],
)
def test_control_characters_in_messages_are_escaped(error: CometGemError) -> None:
    assert HARMLESS in str(error)
    assert str(error).isprintable()
    assert repr(error).isprintable()


CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, CometGemError)
}


def test_every_class_is_public_and_in_the_table() -> None:
    types = ["CometGemWarning", "OutputProblem", "TimeoutPhase", "ToolCallReason"]
    assert sorted([*CLASSES, *types]) == errors.__all__
    assert {type(row[0]) for row in ERRORS} == set(CLASSES.values())
    assert all(cls.__doc__ for cls in CLASSES.values())


def test_the_tree_in_the_docstring_matches_the_classes() -> None:
    assert errors.__doc__ is not None
    drawn: dict[str, tuple[str, ...]] = {}
    above = ["Exception"]
    for line in errors.__doc__.splitlines():
        if found := re.match(r" {4}([│├└─ ]*)(\w+Error)\s+(?:\(also (\w+)\))?", line):
            branch, name, also = found.groups()
            del above[1 + len(branch) // 4 :]
            drawn[name] = (above[-1], also) if also else (above[-1],)
            above.append(name)
    assert drawn == {
        name: tuple(base.__name__ for base in cls.__bases__) for name, cls in CLASSES.items()
    }


def test_hints_belong_to_the_class_not_the_fields() -> None:
    hinted = {cls for cls in CLASSES.values() if getattr(cls, "hint", "")}
    assert hinted == {AuthenticationError, PermissionDeniedError, NotFoundError, RateLimitError}
    assert "hint" not in vars(NotFoundError(404, "m"))


@pytest.mark.parametrize(
    "code", [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)
def test_the_direction_of_text_cannot_be_changed(code: int) -> None:
    for error in (APIStatusError(400, chr(code)), ResponseDecodeError("", excerpt=chr(code))):
        assert chr(code) not in str(error) + repr(error)
        assert f"\\u{code:04x}" in str(error)
