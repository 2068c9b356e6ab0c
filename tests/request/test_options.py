"""Options of a request: headers, and the names of options."""

from typing import Any

import pytest

from cometgem.errors import ConfigurationError
from cometgem.options import GenerateOptions
from cometgem.request.build import build_request
from cometgem.request.options import check_headers, check_names


def sent_headers(headers: Any) -> dict[str, str]:
    return build_request("streamGenerateContent", "m", "a", {"headers": headers}).headers


def test_headers_of_the_caller_are_added() -> None:
    given = {"X-Trace": "a\tb c~", "Cookie": "", "!#$%&'*+-.^_`|~09": "1"}
    assert sent_headers(given) == {
        "Accept": "text/event-stream",
        "Content-Type": "application/json",
        **given,
    }
    assert check_headers(None) == {}
    assert check_headers(given) == given
    assert check_headers(given) is not given


@pytest.mark.parametrize("name", ["Accept", "accept", "ACCEPT"])
def test_headers_of_the_caller_override_the_defaults(name: str) -> None:
    headers = sent_headers({name: "*/*"})
    assert headers == {"Content-Type": "application/json", name: "*/*"}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("", "a", "headers: '' is not a valid header name"),
        ("a b", "a", "headers: 'a b' is not a valid header name"),
        ("a:", "a", "headers: 'a:' is not a valid header name"),
        ("a\r\nb", "a", r"headers: 'a\r\nb' is not a valid header name"),
        ("\u00e9", "a", "headers: '\u00e9' is not a valid header name"),
        (b"a", "a", "headers: b'a' is not a valid header name"),
        (5, "a", "headers: 5 is not a valid header name"),
        *(
            ("x-a", value, "headers: the value of 'x-a' must be a str of visible ASCII characters")
            for value in ("a\nb", "a\r", "\x00", "\x7f", "\u00e9", None, 5, b"a")
        ),
    ],
)
def test_invalid_headers_are_refused(name: Any, value: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        sent_headers({"x-good": "1", name: value})
    assert str(caught.value) == message


@pytest.mark.parametrize("headers", [["x-a"], [("x-a", "1")], "x-a: 1", 5])
def test_headers_must_be_a_dict(headers: Any) -> None:
    with pytest.raises(ConfigurationError, match="headers must be a dict, got "):
        check_headers(headers)


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "x-goog-api-key", "X-Goog-Api-Key", "HOST"),
        *("connection", "Content-Length", "transfer-encoding"),
    ],
)
def test_reserved_headers_are_refused_and_their_values_not_repeated(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_headers({name: "sk-secret"})
    assert str(caught.value) == (
        f"headers must not set {name!r}: the client sets it (api_key=, auth=, base_url=)"
    )


@pytest.mark.parametrize("option", ["temperature", "thinking_config", "response_schema"])
def test_an_option_that_belongs_in_the_generation_config(option: str) -> None:
    with pytest.raises(TypeError, match=rf"^unknown option '{option}': use generation_config="):
        check_names({option: 1}, GenerateOptions.__annotations__)


def test_an_unknown_option_lists_the_valid_ones() -> None:
    with pytest.raises(
        TypeError, match=r"^unknown option 'sytem_instruction'; valid options are "
    ) as caught:
        check_names({"sytem_instruction": "s"}, GenerateOptions.__annotations__)
    assert all(name in str(caught.value) for name in GenerateOptions.__annotations__)
