import math
from typing import Any

import pytest

from cometgem.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ClosedError,
    CometGemError,
    ConfigurationError,
    EventTooLargeError,
    ResponseDecodeError,
    StreamInterruptedError,
    StreamTruncatedError,
)
from cometgem.http.retry import RetryPolicy
from cometgem.response.failure import event_failure, status_failure

POLICY = RetryPolicy()


def status(number: int, code: str | None = None, **fields: float) -> APIStatusError:
    return APIStatusError(number, "m", code=code, **fields)


AGAIN = [
    APIConnectionError("refused"),
    APITimeoutError("connect", 10.0),
    *(status(number) for number in (408, 429, 500, 502, 503, 504, 524, 529)),
    status(429, "insufficient_quota"),
    status(500, "INTERNAL"),
    status(500, "model_not_found"),
    status(503, "invalid_request"),
    status_failure(429, {}, b"", now=0.0),
    event_failure({"status": "UNAVAILABLE"}, b"", {}),
    event_failure({"code": "a_new_code"}, b"", {}),
    StreamInterruptedError("m"),
    StreamTruncatedError("m"),
]

NOT_AGAIN = [
    *(status(number) for number in (301, 400, 401, 402, 403, 404, 409, 413, 422, 499, 501, 505)),
    status(500, "invalid_request"),
    status(503, "model_not_found"),
    event_failure({"code": "invalid_request"}, b"", {}),
    event_failure({"code": "model_not_found"}, b"", {}),
    event_failure({"status": "CANCELLED"}, b"", {}),
    APITimeoutError("first_chunk", 300.0),
    APITimeoutError("stall", 300.0),
    APITimeoutError("total", 300.0),
    StreamInterruptedError("m", chunks=1),
    StreamTruncatedError("m", chunks=1),
    ConfigurationError("m"),
    ClosedError("m"),
    ResponseDecodeError("m"),
    EventTooLargeError(2, 1),
    CometGemError("m"),
]


@pytest.mark.parametrize("error", AGAIN, ids=repr)
def test_transient_errors_are_retried(error: CometGemError) -> None:
    assert POLICY.delay(error, 1, 0.5) == 0.25


@pytest.mark.parametrize("error", NOT_AGAIN, ids=repr)
def test_permanent_errors_are_not_retried(error: CometGemError) -> None:
    assert POLICY.delay(error, 1, 0.5) is None


def test_the_defaults() -> None:
    assert RetryPolicy(attempts=3, initial=0.5, maximum=30.0) == POLICY


@pytest.mark.parametrize("attempts", [1, 2, 3, 10])
def test_attempts_counts_all_requests(attempts: int) -> None:
    policy = RetryPolicy(attempts=attempts)
    delays = [policy.delay(status(503), sent, 0.0) for sent in range(1, attempts + 2)]
    assert delays == [0.0] * (attempts - 1) + [None, None]


@pytest.mark.parametrize("jitter", [0.0, 0.25, 0.999])
def test_waits_grow_exponentially_with_full_jitter(jitter: float) -> None:
    policy = RetryPolicy(attempts=100)
    delays = [policy.delay(status(503), sent, jitter) for sent in range(1, 9)]
    assert delays == [jitter * bound for bound in (0.5, 1, 2, 4, 8, 16, 30, 30)]


def test_waits_never_exceed_the_maximum() -> None:
    policy = RetryPolicy(attempts=10**9, initial=2.0, maximum=3.0)
    assert [policy.delay(status(503), sent, 1.0) for sent in (1, 2, 5000, 10**8)] == [2, 3, 3, 3]
    assert RetryPolicy(initial=0.0).delay(status(503), 2, 1.0) == 0.0
    assert RetryPolicy(maximum=0.0).delay(status(503), 2, 1.0) == 0.0


@pytest.mark.parametrize(
    ("asked", "jitter", "delay"),
    [
        (None, 1.0, 0.5),
        (0.0, 1.0, 0.5),
        (0.1, 1.0, 0.5),
        (5.0, 0.0, 5.0),
        (5.0, 1.0, 5.5),
        (0.8, 1.0, 0.9),
        (30.0, 0.0, 30.0),
        (30.0, 1.0, 33.0),
        (30.1, 1.0, None),
        (math.inf, 1.0, None),
    ],
)
def test_a_retry_after_is_honored_up_to_the_maximum_and_spread_by_a_tenth(
    asked: float | None, jitter: float, delay: float | None
) -> None:
    error = APIStatusError(429, "m", retry_after=asked)
    assert POLICY.delay(error, 1, jitter) == delay
    assert error.retry_after == asked


def test_retry_after_does_not_make_an_error_transient() -> None:
    assert POLICY.delay(APIStatusError(400, "m", retry_after=1.0), 1, 0.5) is None
    assert POLICY.delay(APIStatusError(503, "m", retry_after=1.0), 3, 0.5) is None


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"attempts": 0}, r"RetryPolicy\(attempts=0\) would send nothing; use at least 1"),
        ({"attempts": -1}, r"attempts=-1"),
        ({"initial": -0.1}, r"initial=-0.1, maximum=30.0\): times must be 0 seconds or more"),
        ({"maximum": -1}, r"maximum=-1"),
        ({"maximum": math.nan}, r"maximum=nan"),
    ],
)
def test_invalid_arguments_are_refused(fields: dict[str, float], what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        RetryPolicy(**fields)


def test_a_policy_is_hashable_and_frozen() -> None:
    assert hash(POLICY) == hash(RetryPolicy())
    with pytest.raises(AttributeError):
        POLICY.attempts = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"attempts": 2.5}, "RetryPolicy(attempts=2.5): use an integer of at least 1"),
        ({"attempts": True}, "RetryPolicy(attempts=True): use an integer of at least 1"),
        ({"attempts": "3"}, "RetryPolicy(attempts='3'): use an integer of at least 1"),
        ({"attempts": None}, "RetryPolicy(attempts=None): use an integer of at least 1"),
        ({"initial": "1"}, "RetryPolicy(initial='1', maximum=30.0): times must be 0 seconds or"),
        ({"maximum": None}, "RetryPolicy(initial=0.5, maximum=None): times must be 0 seconds or"),
        ({"maximum": True}, "RetryPolicy(initial=0.5, maximum=True): times must be 0 seconds or"),
        ({"maximum": 10**400}, "RetryPolicy(initial=0.5, maximum=1000"),
    ],
)
def test_fields_of_a_wrong_type_are_refused(options: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RetryPolicy(**options)
    assert str(caught.value).startswith(sentence)
