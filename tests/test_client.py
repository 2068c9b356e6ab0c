"""The client: construction, options, event loop and lifetime."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from cometgem import (
    APIStatusError,
    Client,
    ClosedError,
    CometGemWarning,
    ConfigurationError,
    RetryPolicy,
)
from cometgem.testing import FakeServer, Reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODEL = "gemini-3.8-flash"
KEY = "sk-a-key-that-must-not-leak"


@pytest.fixture
async def client(fake_server: FakeServer) -> AsyncIterator[Client]:
    retry = RetryPolicy(attempts=3, initial=0.0)
    async with Client(KEY, base_url=fake_server.url, retry=retry) as client:
        yield client


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMETAPI_KEY", "COMETAPI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_environment")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "set the environment variable COMETAPI_KEY"),
        ({"api_key": ""}, "api_key is empty"),
        ({"api_key": "a\nb"}, "api_key has a space, a line break"),
        ({"api_key": "k", "base_url": "http://example.com"}, "would send the key unencrypted"),
        ({"api_key": "k", "auth": "basic"}, "use 'x-goog-api-key' or 'bearer'"),
        ({"api_key": "k", "max_event_size": 0}, "max_event_size=0"),
        ({"api_key": "k", "headers": {"Authorization": "x"}}, "must not set 'Authorization'"),
        ({"api_key": "k", "headers": 5}, "headers must be a dict, got int"),
        ({"api_key": "k", "auth": None}, "auth=None is not valid; use 'x-goog-api-key' or"),
        ({"api_key": "k", "base_url": 0}, "base_url must be a str, got int"),
        (
            {"api_key": "k", "max_event_size": 1.5},
            "max_event_size=1.5 is not valid; use an integer",
        ),
        ({"api_key": "k", "max_event_size": None}, "max_event_size=None is not valid"),
        ({"api_key": "k", "max_event_size": True}, "max_event_size=True is not valid"),
        ({"api_key": "k", "max_connections": "5"}, "max_connections='5' is not valid; use an"),
        ({"api_key": "k", "max_connections": True}, "max_connections=True is not valid"),
        ({"api_key": "k", "max_connections": 0}, "max_connections=0 is not valid"),
        ({"api_key": "k", "allow_insecure": "no"}, "allow_insecure='no' is not a bool: use True"),
        ({"api_key": "k", "allow_insecure": None}, "allow_insecure=None is not a bool"),
        ({"api_key": "k", "timeouts": None}, "timeouts=None is not a Timeouts: use timeouts="),
        ({"api_key": "k", "retry": None}, "retry=None is not a RetryPolicy: use retry="),
    ],
)
def test_invalid_arguments_are_refused_at_once(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        Client(**options)


@pytest.mark.usefixtures("no_environment")
def test_the_environment_provides_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Client("k").base_url == "https://api.cometapi.com"
    monkeypatch.setenv("COMETAPI_KEY", "k")
    monkeypatch.setenv("COMETAPI_BASE_URL", "http://127.0.0.1:8080/")
    assert Client().base_url == "http://127.0.0.1:8080"
    assert Client(base_url="https://example.com/x").base_url == "https://example.com/x"
    assert Client(base_url="http://example.com", allow_insecure=True).base_url


async def test_headers_of_the_client_and_of_a_call(fake_server: FakeServer) -> None:
    headers = {"x-a": "client", "x-b": "client", "accept": "application/json;q=1"}
    async with Client(KEY, base_url=fake_server.url, headers=headers) as client:
        await client.generate_content(MODEL, "Hi", headers={"X-B": "call", "user-agent": "mine"})
    sent = fake_server.requests[0].headers
    assert [sent.getall(name) for name in ("x-a", "x-b", "accept", "user-agent")] == [
        ["client"],
        ["call"],
        ["application/json;q=1"],
        ["mine"],
    ]


async def test_a_closed_client_refuses_calls(fake_server: FakeServer) -> None:
    client = Client(KEY, base_url=fake_server.url)
    await client.generate_content(MODEL, "Hi")
    await client.aclose()
    await client.aclose()
    with pytest.raises(ClosedError, match="the client is closed"):
        await client.generate_content(MODEL, "Hi")
    with pytest.raises(ClosedError):
        client.stream_generate_content(MODEL, "Hi")
    assert "closed" in repr(client)


def test_use_in_another_event_loop_is_refused(fake_server: FakeServer) -> None:
    client = Client(KEY, base_url=fake_server.url)

    async def call() -> None:
        await client.generate_content(MODEL, "Hi")

    with asyncio.Runner() as first:
        first.run(call())
        with (
            pytest.raises(ConfigurationError, match="another event loop"),
            asyncio.Runner() as other,
        ):
            other.run(call())
        first.run(client.aclose())


async def test_invalid_arguments_are_refused_before_anything_is_sent(
    client: Client, fake_server: FakeServer
) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'generationConfig'"):
        await client.generate_content(MODEL, "Hi", extra_body={"generatonConfig": {}})
    with pytest.raises(ConfigurationError):
        client.stream_generate_content("../admin", "Hi")
    with pytest.raises(TypeError, match="generation_config="):
        client.stream_generate_content(MODEL, "Hi", temperature=1)  # type: ignore[call-arg]
    assert fake_server.requests == []


async def test_the_key_is_not_in_a_repr_or_pickle(client: Client, fake_server: FakeServer) -> None:
    fake_server.add(Reply.error(400))
    with pytest.raises(APIStatusError) as caught:
        await client.generate_content(MODEL, "Hi")
    assert KEY not in repr(client) + repr(vars(client)) + repr(vars(client._transport))  # noqa: SLF001
    assert KEY not in repr(caught.value) + repr(caught.value.__cause__)
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            way(client)


@pytest.mark.parametrize("config", [{"thinkingLevel": "LOW"}, {"thinkingBudget": 99999}])
async def test_thinking_that_does_not_fit_the_model_is_sent_with_a_warning(
    fake_server: FakeServer, config: dict[str, Any]
) -> None:
    async with Client(fake_server.api_key, base_url=fake_server.url) as client:
        with pytest.warns(CometGemWarning, match="does not fit 'gemini-2.5-flash'") as single:
            await client.generate_content(
                "gemini-2.5-flash", "Hi", generation_config={"thinkingConfig": config}
            )
        with pytest.warns(CometGemWarning, match="does not fit 'gemini-2.5-flash'") as streamed:
            client.stream_generate_content(
                "gemini-2.5-flash", "Hi", generation_config={"thinkingConfig": config}
            )
    assert {warning.filename for warning in (*single, *streamed)} == {__file__}
    assert fake_server.requests[0].body["generationConfig"] == {"thinkingConfig": config}


@pytest.mark.parametrize("key", [KEY.encode(), [KEY], {"key": KEY}, 12345678, True])
def test_a_key_that_is_not_a_str_is_refused_and_not_shown(key: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^api_key must be a str, got ") as caught:
        Client(key)
    traceback = caught.value.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename != __file__:
            assert repr(key) not in repr(traceback.tb_frame.f_locals)
        traceback = traceback.tb_next


async def test_a_secret_is_sent_by_its_value(fake_server: FakeServer) -> None:
    class Secret:
        def get_secret_value(self) -> str:
            return KEY

    sent: list[str] = []

    async def note(_: object, __: object, params: aiohttp.TraceRequestHeadersSentParams) -> None:
        sent.append(params.headers["x-goog-api-key"])

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(note)
    async with (
        aiohttp.ClientSession(trace_configs=[trace]) as session,
        Client(Secret(), base_url=fake_server.url, session=session) as client,
    ):
        await client.generate_content(MODEL, "Hi")
    assert sent == [KEY]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"timeouts": 5}, "timeouts=5 is not a Timeouts: use timeouts=Timeouts(total=5)"),
        (
            {"timeouts": {"total": 1}},
            "timeouts={'total': 1} is not a Timeouts: use timeouts=Timeouts(total=1)",
        ),
        (
            {"timeouts": "soon"},
            "timeouts='soon' is not a Timeouts: use timeouts=Timeouts(total=60)",
        ),
        ({"retry": 3}, "retry=3 is not a RetryPolicy: use retry=RetryPolicy(attempts=3)"),
        ({"retry": False}, "retry=False is not a RetryPolicy: use retry=RetryPolicy(attempts=1)"),
        ({"headers": 5}, "headers must be a dict, got int"),
        ({"tools": 5}, "tools must be a list, got int"),
        ({"thinking": 1.5}, "thinking=1.5 must be 'off', "),
        ({"thinking": True}, "thinking=True must be 'off', "),
        ({"thinking": []}, "thinking=[] must be 'off', "),
        ({"thoughts": "yes"}, "thoughts='yes' is not a bool: use True or False"),
        ({"thoughts": 1}, "thoughts=1 is not a bool: use True or False"),
        (
            {"thoughts": "no", "generation_config": {"thinkingConfig": {"thinkingBudget": 0}}},
            "thoughts='no' is not a bool: use True or False",
        ),
        ({"cached_content": 5}, "cached_content=5 is not a str: use a name such as 'cachedCont"),
        ({"extra_body": []}, "extra_body must be a GenerateContentRequest or a dict, got list"),
        ({"system_instruction": 5}, "system_instruction must be a str, a Path, a Part, "),
        ({"safety_settings": {}}, "safety_settings must be a list of SafetySetting or dict, got "),
        ({"safety_settings": [5]}, "safety_settings[0] must be a SafetySetting or a dict, got int"),
        ({"generation_config": 5}, "generation_config must be a GenerationConfig or a dict, got"),
        ({"tool_config": []}, "tool_config must be a ToolConfig or a dict, got list"),
    ],
)
async def test_options_of_a_wrong_type_are_refused_by_each_call(
    client: Client, fake_server: FakeServer, options: dict[str, Any], sentence: str
) -> None:
    tools = options.get("tools", [])
    rest = {name: value for name, value in options.items() if name != "tools"}
    with pytest.raises(ConfigurationError) as single:
        await client.generate_content(MODEL, "Hi", **options)
    with pytest.raises(ConfigurationError) as streamed:
        client.stream_generate_content(MODEL, "Hi", **options)
    with pytest.raises(ConfigurationError) as conversation:
        client.run_tools(MODEL, "Hi", tools=tools, **rest)
    with pytest.raises(ConfigurationError) as chat:
        client.chat(MODEL, **options)
    for caught in (single, streamed, conversation, chat):
        assert str(caught.value).startswith(sentence)
    assert fake_server.requests == []


@pytest.mark.parametrize("options", [{"timeouts": 5}, {"retry": 3}])
def test_the_defaults_of_a_client_are_checked_like_those_of_a_call(options: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"is not a "):
        Client(KEY, **options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"keep_thoughts": "no"}, "keep_thoughts='no' is not a bool"),
        ({"history": 0}, "history must be a str"),
        ({"history": {}}, "history is an empty part"),
    ],
)
def test_options_of_a_chat_of_a_wrong_type_are_refused(
    client: Client, options: Any, sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        client.chat(MODEL, **options)


@pytest.mark.parametrize("text", [5, None, {"model": MODEL}, []])
def test_a_chat_is_loaded_from_text_alone(client: Client, text: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^text must be the JSON of a chat, as a str "):
        client.load_chat(text)
