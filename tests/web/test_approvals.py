"""Signed requests for approval."""

from __future__ import annotations

from typing import Any

import pytest

from cometgem import BadMessagesError, ConfigurationError
from cometgem.web.approvals import approval_id, check_approval, check_secret

SECRET = b"0123456789abcdef"


def test_what_was_asked_for_is_accepted() -> None:
    given = approval_id(SECRET, "1", "pay", {"euros": 5, "to": "Ada"})
    assert given.startswith("1.")
    check_approval(SECRET, given, "1", "pay", {"to": "Ada", "euros": 5.0})


@pytest.mark.parametrize(
    ("secret", "page_id", "name", "args"),
    [
        (b"another-secret-another-secret", "1", "pay", {"euros": 5}),
        (SECRET, "2", "pay", {"euros": 5}),
        (SECRET, "1", "pay_all", {"euros": 5}),
        (SECRET, "1", "pay", {"euros": 500}),
        (SECRET, "1", "pay", {"euros": 5.5}),
        (None, "1", "pay", {"euros": 5}),
    ],
)
def test_nothing_else_is(secret: bytes | None, page_id: str, name: str, args: Any) -> None:
    given = approval_id(SECRET, "1", "pay", {"euros": 5})
    with pytest.raises(BadMessagesError, match="is not one that was asked for"):
        check_approval(secret, given, page_id, name, args)


@pytest.mark.parametrize("given", ["", "1", "1.", "1.\ud800", "ü"])
def test_made_up_ids_are_refused(given: str) -> None:
    with pytest.raises(BadMessagesError):
        check_approval(SECRET, given, "1", "pay", {})


def test_without_a_secret_the_id_is_that_of_the_call() -> None:
    assert approval_id(None, "1", "pay", {}) == "1"
    check_approval(None, "1", "1", "pay", {"anything": 1})


def test_secrets() -> None:
    assert check_secret(None) is None
    assert check_secret("0123456789abcdef") == SECRET
    with pytest.raises(ConfigurationError, match="secret has 5 bytes, and at least 16 are needed"):
        check_secret("short")
    with pytest.raises(ConfigurationError, match="must be a str or bytes, got int"):
        check_secret(7)  # type: ignore[arg-type]
