from enum import Enum

import pytest

from cometgem.errors import ConfigurationError
from cometgem.request.address import Key, as_key, check_base_url, check_key


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://api.cometapi.com", "https://api.cometapi.com"),
        ("https://api.cometapi.com/", "https://api.cometapi.com"),
        ("HTTPS://api.cometapi.com:8443//", "https://api.cometapi.com:8443"),
        ("https://proxy.example/gemini/", "https://proxy.example/gemini"),
        ("https://proxy.example/v1betas", "https://proxy.example/v1betas"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://api.localhost", "http://api.localhost"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("https://[fe80::1%25eth0]:8443", "https://[fe80::1%25eth0]:8443"),
        ("https://host.example.", "https://host.example."),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://my_service:8443", "https://my_service:8443"),
    ],
)
def test_valid_base_urls(url: str, base: str) -> None:
    assert check_base_url(url, allow_insecure=False) == base
    assert check_base_url(base, allow_insecure=True) == base


NOT_A_HOST = [
    *("http://[::1].evil.test", "http://[::1]evil", "http://[::1].", "http://[::1]:80evil"),
    *("http://x[::1]", "http://[::1][::2]", "https://[::1].evil.test", "http://[127.0.0.1]"),
    *("http://.localhost", "http://a..localhost", "http://localhost..", "http://local%68ost"),
    *("http://localhost%00.evil.test", "http://localhost;evil.test", "http://localhost,evil"),
    *("https://host:0", "https://host:65536", "https://host:-1", "https://host:1:2"),
]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "is not an http"),
        ("api.cometapi.com", "is not an http"),
        ("//api.cometapi.com", "is not an http"),
        ("ftp://api.cometapi.com", "is not an http"),
        ("https://", "is not an http"),
        ("https:///path", "is not an http"),
        ("https://:443", "is not an http"),
        ("https://host:port", "is not a valid URL"),
        ("https://host:99999", "is not a valid URL"),
        ("http://[::1", "is not a valid URL"),
        ("https://ho st", "has characters"),
        ("https://host\n", "has characters"),
        ("\thttps://host", "has characters"),
        ("https://host\\x", "has characters"),
        ("https://h\u00f6st", "has characters"),
        ("https://host/v1", "must end before the version: 'https://host'"),
        ("https://host/v1beta/", "must end before the version: 'https://host'"),
        ("https://host/x/v1beta", "must end before the version: 'https://host/x'"),
        ("http://api.cometapi.com", "would send the key unencrypted"),
        ("http://localhost.example", "would send the key unencrypted"),
        ("http://127.0.0.1.example", "would send the key unencrypted"),
        ("http://0.0.0.0", "would send the key unencrypted"),
        ("http://10.0.0.1", "would send the key unencrypted"),
        ("http://[::2]", "would send the key unencrypted"),
        ("http://localhost.evil.test", "would send the key unencrypted"),
        ("http://127.0.0.1.evil.test", "would send the key unencrypted"),
        ("http://127.0.0.1.", "would send the key unencrypted"),
        ("http://127.1", "would send the key unencrypted"),
        ("http://2130706433", "would send the key unencrypted"),
        ("http://0x7f.1", "would send the key unencrypted"),
        ("http://0177.0.0.1", "would send the key unencrypted"),
        ("http://xn--localhost-x.test", "would send the key unencrypted"),
        *((url, "is not a valid URL") for url in NOT_A_HOST),
        ("http://\uff4cocalhost", "has characters"),
        ("http://localhost\u3002evil.test", "has characters"),
        ("https://b\u00fccher.example", "has characters"),
    ],
)
def test_invalid_base_urls(url: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as caught:
        check_base_url(url, allow_insecure=False)
    assert f"base_url {url!r} " in caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        "https://user:sk-secret@host",
        "https://sk-secret@host",
        "https://host?key=sk-secret",
        "https://host/#sk-secret",
        "ftp://user:sk-secret@host",
        "https://host:99999?key=sk-secret",
        "http://user:sk-secret@host\n",
        "https://user:sk-secret\u00e9@host",
    ],
)
def test_a_secret_in_a_base_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_base_url(url, allow_insecure=True)
    assert str(caught.value).startswith("base_url must not have a user, query or fragment")
    assert "sk-secret" not in repr(caught.value) + repr(vars(caught.value))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("url", ["http://api.cometapi.com", "http://10.0.0.1:80"])
def test_plain_http_is_allowed_on_request(url: str) -> None:
    assert check_base_url(url, allow_insecure=True) == url


@pytest.mark.parametrize("key", ["sk-1", "AIza_-x.y", "!~"])
def test_valid_keys(key: str) -> None:
    assert check_key(Key(key), "COMETAPI_KEY") == key


def test_the_repr_of_a_key_hides_it() -> None:
    assert repr(Key("sk-secret")) == "'***'"
    assert repr({"key": [Key("sk-secret")]}) == "{'key': ['***']}"
    assert f"{Key('sk-secret')!r}" == "'***'"


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^COMETAPI_KEY is empty: set it to your "):
        check_key(Key(""), "COMETAPI_KEY")


@pytest.mark.parametrize(
    "end",
    [" ", "\n", "\r\n", "\x00", "\x1b[0m", "\x7f", "\t", "\u00a0", "\u200b", "\u00e9", "\ud800"],
)
def test_a_key_with_invalid_characters_is_refused_and_not_repeated(end: str) -> None:
    for key in ("sk-secret" + end, end + "sk-secret", "sk-" + end + "secret"):
        with pytest.raises(
            ConfigurationError, match=r"^api_key has a space, a line break"
        ) as caught:
            check_key(Key(key), "api_key")
        assert "secret" not in repr(caught.value) + repr(vars(caught.value))


@pytest.mark.parametrize("url", [5, 0, b"https://host", [], True, object()])
def test_a_base_url_must_be_a_str(url: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^base_url must be a str, got "):
        check_base_url(url, allow_insecure=False)  # type: ignore[arg-type]


class Hidden:
    def __init__(self, value: object) -> None:
        self._value = value

    def get_secret_value(self) -> object:
        return self._value


class Named(str, Enum):  # noqa: UP042  whose str() is "Named.KEY"
    KEY = "sk-secret"


def test_a_key_may_be_a_secret() -> None:
    assert as_key("sk-secret") == as_key(Hidden("sk-secret")) == Key("sk-secret")
    assert as_key(Named.KEY) == Key("sk-secret")
    assert isinstance(as_key(Hidden("sk-secret")), Key)


@pytest.mark.parametrize(
    "given",
    [
        *(b"sk-secret", bytearray(b"sk-secret"), 5, 1.5, True, ["sk-secret"], {"key": "sk-secret"}),
        *(object(), str, Hidden, Hidden(b"sk-secret"), Hidden(None), Hidden(Hidden("sk-secret"))),
    ],
)
def test_a_key_of_another_type_is_refused_and_not_repeated(given: object) -> None:
    error = as_key(given)
    assert isinstance(error, ConfigurationError)
    assert str(error).startswith("api_key must be a str, got ")
    assert "secret" not in str(error)
