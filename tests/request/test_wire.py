"""What the client sends: the calls of aiohttp, and the bytes on the socket."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import Mock

import aiohttp
import pytest
from aioresponses import aioresponses

from cometgem import (
    Client,
    Content,
    FunctionDeclaration,
    GenerationConfig,
    Part,
    SafetySetting,
    Schema,
    ThinkingConfig,
    Tool,
    ToolConfig,
    __version__,
)
from cometgem.types import (
    CodeExecution,
    FunctionCallingConfig,
    FunctionCallingMode,
    GoogleMaps,
    GoogleSearch,
    HarmBlockThreshold,
    HarmCategory,
    ImageConfig,
    LatLng,
    Modality,
    RetrievalConfig,
    ThinkingLevel,
    UrlContext,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cometgem import GenerateOptions

KEY = "sk-a-key-like-any-other"
MODEL = "gemini-2.5-flash"
ANSWER = (
    b'{"candidates":[{"content":{"role":"model","parts":[{"text":"Hello"}]},'
    b'"finishReason":"STOP"}]}'
)
STREAM = b"data: " + ANSWER + b"\r\n\r\n"
OPERATIONS = ["generateContent", "streamGenerateContent"]

HI: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
CITY = {
    "type": "OBJECT",
    "properties": {"city_name": {"type": "STRING", "maxLength": "80"}},
    "required": ["city_name"],
}
JSON_SCHEMA = {"type": "object", "properties": {"max_items": {"type": "integer"}}}


class Response(aiohttp.ClientResponse):
    """aiohttp 3.14 requires a stream writer, which aioresponses 0.7.9 does not pass."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, stream_writer=Mock(output_size=0), **options)


class Sent(NamedTuple):
    """A request, as it was passed to aiohttp."""

    method: str
    url: str
    headers: dict[str, str]
    body: Any
    options: dict[str, Any]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMETAPI_KEY", "COMETAPI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


async def send(
    operation: str,
    contents: Any = "Hi",
    options: GenerateOptions | None = None,
    *,
    model: str = MODEL,
    client: dict[str, Any] | None = None,
) -> Sent:
    """Call the API once, and return what was sent."""
    with aioresponses() as mock:
        streamed = operation == "streamGenerateContent"
        content_type = "text/event-stream" if streamed else "application/json"
        body = STREAM if streamed else ANSWER
        mock.post(re.compile(""), body=body, content_type=content_type, response_class=Response)
        async with Client(**({"api_key": KEY} if client is None else client)) as made:
            if streamed:
                stream = made.stream_generate_content(model, contents, **(options or {}))
                response = await stream.get_final_response()
            else:
                response = await made.generate_content(model, contents, **(options or {}))
        assert response.text == "Hello"
        (((method, url), (call,)),) = mock.requests.items()
    passed = dict(call.kwargs)
    return Sent(method, str(url), passed.pop("headers"), json.loads(passed.pop("data")), passed)


@pytest.mark.parametrize(
    ("operation", "query", "accepted"),
    [
        ("generateContent", "", "application/json"),
        ("streamGenerateContent", "?alt=sse", "text/event-stream"),
    ],
)
async def test_both_operations(operation: str, query: str, accepted: str) -> None:
    sent = await send(operation)
    assert sent.method == "POST"
    assert sent.url == f"https://api.cometapi.com/v1beta/models/{MODEL}:{operation}{query}"
    assert sent.headers == {
        "Accept": accepted,
        "Content-Type": "application/json",
        "User-Agent": f"cometgem/{__version__}",
        "x-goog-api-key": KEY,
    }
    assert sent.body == HI
    assert sent.options["allow_redirects"] is False
    assert sent.options["proxy"] is None
    assert not {"auth", "cookies", "params"} & sent.options.keys()


FUNCTION = FunctionDeclaration(
    name="get_weather",
    description="The weather in a city.",
    parameters=Schema(
        type="OBJECT",
        properties={"city_name": Schema(type="STRING", max_length="80")},
        required=["city_name"],
    ),
)
FUNCTION_WIRE = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": CITY,
}
HISTORY = [
    Content(role="user", parts=[Part(text="Weather in Bath?")]),
    {
        "role": "model",
        "parts": [
            {
                "function_call": {"name": "get_weather", "args": {"city_name": "Bath"}, "id": "7"},
                "thought_signature": "c2ln",
            }
        ],
    },
    Part.from_function_response("get_weather", {"wind_speed": 3}, id="7"),
]
HISTORY_WIRE = [
    {"role": "user", "parts": [{"text": "Weather in Bath?"}]},
    {
        "role": "model",
        "parts": [
            {
                "functionCall": {"name": "get_weather", "args": {"city_name": "Bath"}, "id": "7"},
                "thoughtSignature": "c2ln",
            }
        ],
    },
    {
        "role": "user",
        "parts": [
            {
                "functionResponse": {
                    "name": "get_weather",
                    "response": {"wind_speed": 3},
                    "id": "7",
                }
            }
        ],
    },
]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("contents", "turns"),
    [
        pytest.param("Hi", HI["contents"], id="text"),
        pytest.param(
            [
                "What is this?",
                Part.from_bytes(b"\x00\xff\xfe", "image/png"),
                Part.from_uri("https://example.com/a.mp4", "video/mp4"),
                {"inline_data": {"mime_type": "audio/wav", "data": "UklGRg=="}},
            ],
            [
                {
                    "role": "user",
                    "parts": [
                        {"text": "What is this?"},
                        {"inlineData": {"mimeType": "image/png", "data": "AP/+"}},
                        {
                            "fileData": {
                                "mimeType": "video/mp4",
                                "fileUri": "https://example.com/a.mp4",
                            }
                        },
                        {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
                    ],
                }
            ],
            id="multimodal",
        ),
        pytest.param(HISTORY, HISTORY_WIRE, id="history"),
    ],
)
async def test_contents(operation: str, contents: Any, turns: Any) -> None:
    assert (await send(operation, contents)).body == {"contents": turns}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("name", "values", "wire"),
    [
        pytest.param(
            "system_instruction",
            [
                "Be brief.",
                Part(text="Be brief."),
                Content(parts=[Part(text="Be brief.")]),
                {"parts": [{"text": "Be brief."}]},
            ],
            {"parts": [{"text": "Be brief."}]},
            id="system instruction",
        ),
        pytest.param(
            "generation_config",
            [
                GenerationConfig(
                    thinking_config=ThinkingConfig(
                        thinking_level=ThinkingLevel.LOW, include_thoughts=True
                    )
                ),
                {"thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True}},
                {"thinking_config": {"thinking_level": "LOW", "include_thoughts": True}},
            ],
            {"thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True}},
            id="thinking level",
        ),
        pytest.param(
            "generation_config",
            [
                GenerationConfig(thinking_config=ThinkingConfig(thinking_budget=0)),
                {"thinkingConfig": {"thinkingBudget": 0}},
            ],
            {"thinkingConfig": {"thinkingBudget": 0}},
            id="thinking budget",
        ),
        pytest.param(
            "generation_config",
            [
                GenerationConfig(
                    temperature=0.0,
                    top_p=0.5,
                    top_k=40,
                    seed=7,
                    candidate_count=2,
                    max_output_tokens=100,
                    stop_sequences=["END"],
                ),
                {
                    "temperature": 0.0,
                    "top_p": 0.5,
                    "topK": 40,
                    "seed": 7,
                    "candidate_count": 2,
                    "maxOutputTokens": 100,
                    "stop_sequences": ["END"],
                },
            ],
            {
                "temperature": 0.0,
                "topP": 0.5,
                "topK": 40,
                "seed": 7,
                "candidateCount": 2,
                "maxOutputTokens": 100,
                "stopSequences": ["END"],
            },
            id="sampling",
        ),
        pytest.param(
            "generation_config",
            [
                GenerationConfig(response_mime_type="application/json"),
                {"response_mime_type": "application/json"},
            ],
            {"responseMimeType": "application/json"},
            id="JSON",
        ),
        pytest.param(
            "generation_config",
            [
                GenerationConfig(
                    response_mime_type="application/json", response_schema=FUNCTION.parameters
                ),
                {"responseMimeType": "application/json", "responseSchema": CITY},
                {
                    "response_mime_type": "application/json",
                    "response_schema": {
                        **CITY,
                        "properties": {"city_name": {"type": "STRING", "max_length": "80"}},
                    },
                },
            ],
            {"responseMimeType": "application/json", "responseSchema": CITY},
            id="JSON by a schema",
        ),
        pytest.param(
            "generation_config",
            [
                GenerationConfig(
                    response_mime_type="application/json", response_json_schema=JSON_SCHEMA
                ),
                {"response_mime_type": "application/json", "response_json_schema": JSON_SCHEMA},
            ],
            {"responseMimeType": "application/json", "responseJsonSchema": JSON_SCHEMA},
            id="JSON by a JSON schema",
        ),
        pytest.param(
            "generation_config",
            [
                GenerationConfig(
                    response_modalities=[Modality.TEXT, Modality.IMAGE],
                    image_config=ImageConfig(aspect_ratio="16:9", image_size="4K"),
                ),
                {
                    "responseModalities": ["TEXT", "IMAGE"],
                    "image_config": {"aspectRatio": "16:9", "image_size": "4K"},
                },
            ],
            {
                "responseModalities": ["TEXT", "IMAGE"],
                "imageConfig": {"aspectRatio": "16:9", "imageSize": "4K"},
            },
            id="pictures",
        ),
        pytest.param(
            "tools",
            [
                [Tool(function_declarations=[FUNCTION])],
                [{"functionDeclarations": [FUNCTION_WIRE]}],
                [{"function_declarations": [FUNCTION_WIRE]}],
            ],
            [{"functionDeclarations": [FUNCTION_WIRE]}],
            id="functions",
        ),
        pytest.param(
            "tools",
            [
                [
                    Tool(google_search=GoogleSearch()),
                    Tool(google_maps=GoogleMaps(enable_widget=True)),
                    Tool(code_execution=CodeExecution()),
                    Tool(url_context=UrlContext()),
                ],
                [
                    {"googleSearch": {}},
                    {"googleMaps": {"enableWidget": True}},
                    {"codeExecution": {}},
                    {"urlContext": {}},
                ],
                [
                    {"google_search": {}},
                    {"google_maps": {"enable_widget": True}},
                    {"code_execution": {}},
                    {"url_context": {}},
                ],
            ],
            [
                {"googleSearch": {}},
                {"googleMaps": {"enableWidget": True}},
                {"codeExecution": {}},
                {"urlContext": {}},
            ],
            id="the server's tools",
        ),
        pytest.param(
            "tool_config",
            [
                ToolConfig(
                    function_calling_config=FunctionCallingConfig(
                        mode=FunctionCallingMode.ANY, allowed_function_names=["get_weather"]
                    ),
                    retrieval_config=RetrievalConfig(lat_lng=LatLng(latitude=0.0, longitude=-2.36)),
                ),
                {
                    "function_calling_config": {
                        "mode": "ANY",
                        "allowed_function_names": ["get_weather"],
                    },
                    "retrieval_config": {"lat_lng": {"latitude": 0.0, "longitude": -2.36}},
                },
            ],
            {
                "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["get_weather"]},
                "retrievalConfig": {"latLng": {"latitude": 0.0, "longitude": -2.36}},
            },
            id="tool config",
        ),
        pytest.param(
            "safety_settings",
            [
                [
                    SafetySetting(
                        category=HarmCategory.HARASSMENT,
                        threshold=HarmBlockThreshold.BLOCK_ONLY_HIGH,
                    )
                ],
                [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}],
            ],
            [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}],
            id="safety settings",
        ),
        pytest.param(
            "cached_content", ["cachedContents/1a"], "cachedContents/1a", id="cached content"
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:thinkingLevel")  # the model takes budgets
async def test_options(operation: str, name: str, values: list[Any], wire: Any) -> None:
    head, *words = name.split("_")
    key = head + "".join(map(str.title, words))
    for value in values:
        options: Any = {name: value}
        assert (await send(operation, options=options)).body == {**HI, key: wire}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_extra_body(operation: str) -> None:
    options: GenerateOptions = {
        "generation_config": GenerationConfig(temperature=0.5),
        "extra_body": {"generationConfig": {"newKnob": 1}, "labels": {"team_name": "search"}},
    }
    assert (await send(operation, options=options)).body == {
        **HI,
        "generationConfig": {"temperature": 0.5, "newKnob": 1},
        "labels": {"team_name": "search"},
    }


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_the_header_of_the_key(operation: str) -> None:
    for auth, name, value in [
        ("x-goog-api-key", "x-goog-api-key", KEY),
        ("bearer", "Authorization", f"Bearer {KEY}"),
    ]:
        sent = await send(operation, client={"api_key": KEY, "auth": auth})
        assert sent.headers[name] == value
        assert not {"x-goog-api-key", "Authorization"} - {name} & sent.headers.keys()
        assert KEY not in sent.url
        assert KEY not in repr(sent.headers)


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_headers_of_the_user(operation: str) -> None:
    client = {
        "api_key": KEY,
        "headers": {"X-Team": "search", "X-Trace": "0", "User-Agent": "mine"},
    }
    options: GenerateOptions = {"headers": {"X-Trace": "1", "X-Call": "2"}}
    sent = await send(operation, options=options, client=client)
    assert {
        "User-Agent": "mine",
        "X-Call": "2",
        "X-Team": "search",
        "X-Trace": "1",
        "x-goog-api-key": KEY,
    }.items() <= sent.headers.items()


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_the_url_of_a_request(operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "?alt=sse" if operation == "streamGenerateContent" else ""
    path = f"/v1beta/models/{MODEL}:{operation}{query}"
    for base_url in ("https://example.com", "https://example.com/gemini/", "https://[::1]:8443"):
        sent = await send(operation, client={"api_key": KEY, "base_url": base_url})
        assert sent.url == base_url.rstrip("/") + path
    monkeypatch.setenv("COMETAPI_KEY", "sk-of-the-environment")
    monkeypatch.setenv("COMETAPI_BASE_URL", "https://gateway.example.com/")
    sent = await send(operation, client={}, model=f"models/{MODEL}")
    assert sent.url == "https://gateway.example.com" + path
    assert sent.headers["x-goog-api-key"] == "sk-of-the-environment"


class Trace:
    """A server that records all it receives; of HTTP it knows only the length of a body."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"\r\nContent-Length: (\d+)\r\n", head)
                self.heads.append(head)
                self.bodies.append(await reader.readexactly(int(length[1]) if length else 0))
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                    b"Set-Cookie: session=1; Path=/\r\n"
                    b"Content-Length: %d\r\n\r\n%b" % (len(STREAM), STREAM)
                )
        except asyncio.IncompleteReadError:  # the client has disconnected
            writer.close()


@pytest.fixture
async def trace() -> AsyncIterator[tuple[Trace, str]]:
    trace = Trace()
    server = await asyncio.start_server(trace.serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        yield trace, f"{host}:{port}"


@pytest.mark.parametrize(
    ("auth", "key_line"),
    [("x-goog-api-key", f"x-goog-api-key: {KEY}"), ("bearer", f"Authorization: Bearer {KEY}")],
)
async def test_the_bytes_of_a_request(trace: tuple[Trace, str], auth: Any, key_line: str) -> None:
    server, address = trace
    async with Client(KEY, base_url=f"http://{address}", auth=auth) as client:
        for _ in range(2):
            stream = client.stream_generate_content(MODEL, "H\u00e9\U0001f30d\u2028")
            assert (await stream.get_final_response()).text == "Hello"
    assert server.connections == 1
    body = '{"contents":[{"role":"user","parts":[{"text":"H\u00e9\U0001f30d\u2028"}]}]}'.encode()
    assert server.bodies == [body, body]
    # Both requests are equal: the cookie that the server set is not sent.
    assert server.heads[0] == server.heads[1]
    request_line, *lines = server.heads[0].decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
    assert request_line == f"POST /v1beta/models/{MODEL}:streamGenerateContent?alt=sse HTTP/1.1"
    # Which encodings are accepted depends on the packages that are installed.
    assert sorted(line for line in lines if not line.startswith("Accept-Encoding: ")) == sorted(
        [
            f"Host: {address}",
            f"User-Agent: cometgem/{__version__}",
            key_line,
            "Accept: text/event-stream",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
    )
    assert len(lines) == 7
    assert server.heads[0].count(KEY.encode()) == 1


async def test_header_names_are_case_insensitive(trace: tuple[Trace, str]) -> None:
    server, address = trace
    headers = {"user-agent": "mine", "X-Trace": "0"}
    async with Client(KEY, base_url=f"http://{address}", headers=headers) as client:
        stream = client.stream_generate_content(
            MODEL, "Hi", headers={"x-trace": "1", "accept": "text/event-stream;q=1"}
        )
        await stream.get_final_response()
    lines = server.heads[0].decode("ascii").lower().splitlines()
    sent = [line for line in lines if line.startswith(("user-agent:", "x-trace:", "accept:"))]
    assert sorted(sent) == ["accept: text/event-stream;q=1", "user-agent: mine", "x-trace: 1"]
