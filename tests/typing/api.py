"""Uses of the public API, as type checkers see them. Never run."""

# pyright: strict

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack, assert_type

from cometgem import (
    APIStatusError,
    APITimeoutError,
    Approve,
    Audio,
    Blob,
    Candidate,
    Chat,
    Checkpoint,
    Client,
    CometGemError,
    ConfigurationError,
    Content,
    Contents,
    ContinuationUnsupportedError,
    ConversationItem,
    ConversationOptions,
    ConversationState,
    ConversationStream,
    EventTooLargeError,
    FinishReason,
    FunctionCall,
    FunctionDeclaration,
    FunctionResponse,
    FunctionTool,
    GenerateContentResponse,
    GenerateContentStream,
    GenerateOptions,
    GenerationConfig,
    Image,
    Part,
    Pause,
    RateLimitError,
    Refuse,
    ResponseDecodeError,
    RetryPolicy,
    Round,
    SafetySetting,
    Schema,
    Source,
    Span,
    StreamError,
    ThinkingConfig,
    Timeouts,
    Tool,
    ToolCallError,
    ToolConfig,
    ToolContext,
    ToolError,
    ToolFailed,
    ToolLike,
    ToolTimeoutError,
    TypedResponse,
    Usage,
    UsageMetadata,
    part_from_file,
    strip_signatures,
    types,
)
from cometgem.bulk import (
    Budget,
    GeminiMap,
    Lease,
    Limiter,
    Limits,
    MapResult,
    MapRun,
    MemoryLimiter,
    Progress,
    RedisLimiter,
)
from cometgem.testing import FakeServer, RecordedRequest, Reply, ServerLimits
from cometgem.web import (
    AGUIEncoder,
    Encoder,
    NativeEncoder,
    Relay,
    UIMessageEncoder,
    answers_from_ag_ui,
    answers_from_ui_messages,
    contents_from_ag_ui,
    contents_from_ui_messages,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import aiohttp

    from cometgem.types.dicts import (
        ContentDict,
        FunctionCallingModeLike,
        GenerationConfigDict,
        PartDict,
        ThinkingConfigDict,
        ToolConfigDict,
        ToolDict,
    )


def construct(session: aiohttp.ClientSession) -> None:
    assert_type(Client(), Client)
    Client("key")
    Client(
        api_key="key",
        base_url="https://generativelanguage.googleapis.com",
        auth="bearer",
        timeouts=Timeouts(connect=1, stall=None, first_chunk=2.5, total=60),
        retry=RetryPolicy(attempts=1, initial=0, maximum=1.5),
        headers={"X-Team": "search"},
        session=session,
        max_event_size=1024,
        allow_insecure=True,
    )
    assert_type(Client().base_url, str)


async def generate(client: Client) -> None:
    async with client as same, Client() as other:
        assert_type(same, Client)
        assert_type(other, Client)
    response = await client.generate_content("gemini-2.5-flash", "Hi")
    assert_type(response, GenerateContentResponse)
    assert_type(await client.aclose(), None)


def contents(client: Client, turns: list[ContentDict], part: PartDict, loaded: Any) -> None:
    say = client.stream_generate_content
    say("m", "a text")
    say("m", Part(text="a part"))
    say("m", Content(role="user", parts=[Part(text="a turn")]))
    say("m", {"role": "user", "parts": [{"text": "wire form"}]})
    say("m", {"parts": [Part(text="a struct"), {"inline_data": {"data": b"", "mimeType": "a/b"}}]})
    say("m", {"fileData": {"fileUri": "https://example.com/a.png", "mimeType": "image/png"}})
    say("m", {"functionResponse": {"name": "f", "response": {"result": 1}}})
    say("m", part)
    say("m", loaded)
    say("m", ["all of it", Part(text="."), Content(parts=[Part()]), {"text": "."}])
    say("m", ("a", "tuple"))
    say("m", [Part.from_bytes(b"", "image/png"), "What is this?"])
    say("m", [Content(parts=[Part()])])
    say("m", turns)
    say("m", [*turns, part, "a text"])


async def stream(client: Client) -> None:
    assert_type(client.stream_generate_content("m", "Hi"), GenerateContentStream)
    async with client.stream_generate_content("m", "Hi") as stream:
        assert_type(stream, GenerateContentStream)
        async for chunk in stream:
            assert_type(chunk, GenerateContentResponse)
        assert_type(await stream.get_final_response(), GenerateContentResponse)
    async for chunk in client.stream_generate_content("m", "Hi"):
        assert_type(chunk, GenerateContentResponse)
    assert_type(await client.stream_generate_content("m", "Hi"), GenerateContentStream)
    async for chunk in await client.stream_generate_content("m", "Hi"):
        assert_type(chunk, GenerateContentResponse)
        assert_type(chunk.to_dict(), dict[str, Any])
        assert_type(chunk.to_json(), str)
    async for text in stream.text_stream:
        assert_type(text, str)
    async for image in stream.images():
        assert_type(image, Image)
    assert_type(await anext(stream), GenerateContentResponse)
    assert_type(await stream.open(), None)
    assert_type(await stream.aclose(), None)
    assert_type(stream.snapshot, GenerateContentResponse)
    assert_type(stream.status, int)
    assert_type(stream.headers, Mapping[str, str])
    assert_type(stream.request_id, str | None)
    iterate(stream, stream.text_stream)


def iterate(chunks: AsyncIterator[GenerateContentResponse], texts: AsyncIterator[str]) -> None:
    raise NotImplementedError(chunks, texts)


async def options(client: Client, functions: Sequence[ToolDict]) -> None:
    given: GenerateOptions = {
        "system_instruction": ["Be", Part(text="brief.")],
        "tools": [Tool(google_search=types.GoogleSearch()), {"codeExecution": {}}],
        "tool_config": ToolConfig(
            function_calling_config=types.FunctionCallingConfig(
                mode=types.FunctionCallingMode.ANY, allowed_function_names=["f"]
            )
        ),
        "safety_settings": [
            SafetySetting(
                category=types.HarmCategory.HARASSMENT, threshold=types.HarmBlockThreshold.OFF
            ),
            {"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_NONE"},
        ],
        "generation_config": GenerationConfig(
            temperature=0,
            max_output_tokens=100,
            stop_sequences=["END"],
            thinking_config=ThinkingConfig(thinking_level=types.ThinkingLevel.LOW),
            response_modalities=[types.Modality.TEXT, "IMAGE"],
            response_schema=Schema(type=types.SchemaType.OBJECT, properties={"a": Schema()}),
            response_json_schema={"type": "object"},
        ),
        "cached_content": "cachedContents/1",
        "extra_body": {"labels": {"team": "search"}},
        "headers": {"X-Trace": "1"},
        "timeouts": Timeouts(total=5),
        "retry": RetryPolicy(attempts=5),
    }
    assert_type(await client.generate_content("m", "Hi", **given), GenerateContentResponse)
    assert_type(client.stream_generate_content("m", "Hi", **given), GenerateContentStream)
    await client.generate_content("m", "Hi", generation_config={"topK": 1}, tools=None)
    await client.generate_content("m", "Hi", tools=functions, system_instruction="Be brief.")
    dicts: GenerateOptions = {
        "system_instruction": {"parts": [{"text": "Be brief."}]},
        "tools": [
            {"googleSearch": {"timeRangeFilter": {"startTime": "2026-01-01T00:00:00Z"}}},
            {"google_maps": {"enable_widget": True}, "codeExecution": types.CodeExecution()},
            {"functionDeclarations": [FunctionDeclaration(name="f")]},
            {
                "function_declarations": [
                    {
                        "name": "g",
                        "parameters": {
                            "type": "object",
                            "properties": {"a": {"type": "STRING"}, "b": Schema(type="NUMBER")},
                        },
                    }
                ]
            },
        ],
        "tool_config": {
            "functionCallingConfig": {"mode": "AUTO", "allowed_function_names": ["f"]},
            "retrieval_config": {"latLng": {"latitude": 51.4, "longitude": -2.4}},
        },
        "safety_settings": [
            {"category": types.HarmCategory.HARASSMENT, "threshold": types.HarmBlockThreshold.OFF},
        ],
        "generation_config": {
            "temperature": 0,
            "maxOutputTokens": 100,
            "stop_sequences": ("END",),
            "thinkingConfig": {"thinkingLevel": "low", "include_thoughts": True},
            "response_modalities": ["TEXT", types.Modality.IMAGE],
            "mediaResolution": types.MediaResolutionLevel.LOW,
            "image_config": {"aspectRatio": "16:9"},
            "responseSchema": {"type": types.SchemaType.ARRAY, "items": {"type": "INTEGER"}},
            "speechConfig": {
                "multi_speaker_voice_config": {
                    "speakerVoiceConfigs": [
                        {"speaker": "A", "voice_config": types.VoiceConfig()},
                    ]
                }
            },
        },
    }
    client.stream_generate_content("m", "Hi", **dicts)
    modes: list[FunctionCallingModeLike] = ["ANY", types.FunctionCallingMode.ANY]
    for mode in modes:
        only: ToolConfigDict = {"function_calling_config": {"mode": mode}}
        client.stream_generate_content("m", "Hi", tool_config=only)
    config: GenerationConfigDict = {"thinking_config": ThinkingConfig(thinking_budget=0)}
    config["topP"] = 0.5
    client.stream_generate_content("m", "Hi", generation_config=config)
    thinking: ThinkingConfigDict = {"thinkingLevel": types.ThinkingLevel.HIGH}
    client.stream_generate_content("m", "Hi", generation_config={"thinkingConfig": thinking})
    none: GenerateOptions = {
        "system_instruction": None,
        "thinking": None,
        "thoughts": None,
        "tools": None,
        "tool_config": None,
        "safety_settings": None,
        "generation_config": None,
        "cached_content": None,
        "extra_body": None,
        "headers": None,
        "timeouts": None,
        "retry": None,
    }
    client.stream_generate_content("m", "Hi", **none)


async def wrapped(client: Client, text: str, **options: Unpack[GenerateOptions]) -> str:
    """A function of a user's own takes the options as the client does."""
    response = await client.generate_content("m", text, **options)
    return response.text


async def get_weather(city: str, days: int = 1) -> dict[str, float]:
    raise NotImplementedError(city, days)


def get_time(zone: str) -> str:
    raise NotImplementedError(zone)


def get_rows(query: str, context: ToolContext) -> list[str | Blob]:
    assert_type(context.call, FunctionCall)
    assert_type(context.call_id, str | None)
    assert_type(context.round, int)
    assert_type(context.history, Sequence[Content])
    raise NotImplementedError(query)


def schema_tools(schema: dict[str, Any]) -> list[FunctionTool]:
    tool = FunctionTool.from_schema("rows", "Find rows.", schema, get_rows)
    assert_type(tool, FunctionTool)
    assert_type(tool.function, Callable[..., object] | None)
    assert_type(tool.context_parameter, str | None)
    waiting = FunctionTool.from_schema("approve", None, None)
    whole = FunctionTool.from_schema("all", None, schema, get_rows, unpack=False, timeout=5)
    return [tool, waiting, whole, FunctionTool(get_rows), FunctionTool(None, name="ask")]


async def tools(client: Client, call: FunctionCall) -> None:
    tool = FunctionTool(get_weather, name="weather", timeout=5)
    assert_type(tool.name, str)
    assert_type(tool.timeout, float | None)
    assert_type(tool.declaration, FunctionDeclaration)
    assert_type(tool.parse(call), dict[str, Any])
    await client.generate_content("m", "Hi", tools=[get_time, tool, {"googleSearch": {}}])
    stream = client.run_tools(
        "m",
        "Hi",
        tools=[get_weather, get_time, Tool()],
        max_rounds=3,
        concurrency=2,
        on_tool_error="report",
        confirm=lambda call: call.name != "get_time",
        thinking=1024,
        foreign_history="skip",
        thoughts=True,
        timeouts=Timeouts(total=60),
    )
    assert_type(stream, ConversationStream[ConversationItem])
    assert_type(await stream, ConversationStream[ConversationItem])
    async with stream:
        async for item in stream:
            assert_type(item, GenerateContentResponse | FunctionCall | FunctionResponse)
            match item:
                case FunctionCall():
                    assert_type(item.args, dict[str, Any])
                case FunctionResponse():
                    assert_type(item.response, dict[str, Any])
                case GenerateContentResponse():
                    assert_type(item.text, str)
    async for text in stream.text_stream:
        assert_type(text, str)
    async for image in stream.images():
        assert_type(image, Image)
    assert_type(await stream.get_final_response(), GenerateContentResponse)
    assert_type(stream.snapshot, GenerateContentResponse)
    assert_type(stream.turns, list[Content])
    assert_type(stream.usage, UsageMetadata)
    assert_type(stream.complete, bool)
    assert_type(await stream.open(), None)
    assert_type(await stream.aclose(), None)


async def confirm(call: FunctionCall) -> bool | str:
    return call.name != "pay" or "not today"


async def chat(client: Client) -> None:
    plain = client.chat("m", system_instruction="Be brief.", keep_thoughts=False)
    assert_type(plain, Chat[GenerateContentResponse])
    assert_type(await plain.send("Hi", thinking="high"), GenerateContentResponse)
    async with plain.stream(["Hi", Part(text="there")]) as stream:
        assert_type(stream, ConversationStream[GenerateContentResponse])
        async for chunk in stream:
            assert_type(chunk, GenerateContentResponse)
    assert_type(plain.fork(), Chat[GenerateContentResponse])
    assert_type(client.load_chat("{}"), Chat[GenerateContentResponse])
    assert_type(plain.history, list[Content])
    assert_type(plain.usage, UsageMetadata)
    assert_type(plain.to_json(), str)
    assert_type(plain.keep_partial(), None)
    plain.model = "other"
    plain.options["thinking"] = "dynamic"
    plain.options["thinking"] = "xhigh"
    assert_type(strip_signatures(plain.history), list[Content])
    client.chat("m", history=strip_signatures(plain.history), foreign_history="skip")
    client.chat("m", history=strip_signatures(["Hi", Part(text="there"), *plain.history]))

    options: ConversationOptions = {"max_rounds": 5, "confirm": confirm, "on_tool_error": "raise"}
    acting = client.chat("m", tools=[get_weather], history=plain.history, **options)
    assert_type(acting, Chat[ConversationItem])
    assert_type(await acting.send("Hi"), GenerateContentResponse)
    async for item in acting.stream("Hi", max_rounds=1):
        assert_type(item, GenerateContentResponse | FunctionCall | FunctionResponse)
    assert_type(acting.fork(), Chat[ConversationItem])
    assert_type(client.load_chat(b"{}", tools=[get_time]), Chat[ConversationItem])


async def waiting(client: Client) -> None:
    answers: dict[str | int, object] = {"id": Approve(), 1: Refuse("no"), 2: {"any": "result"}}
    stream = client.run_tools("m", "Hi", tools=[get_time], answers=answers, total_time=60)
    assert_type(stream.state, ConversationState)
    if stream.state == "paused":
        assert_type(stream.pending, list[FunctionCall])
        assert_type(stream.pause_reasons, list[str])
    assert_type(stream.history, list[Content])
    assert_type(stream.round, int)
    client.run_tools("m", stream.history, tools=[get_time], answers={"id": "result"})
    client.run_tools("m", stream.history, tools=[get_time], answers={0: Approve({"zone": "UTC"})})
    chat = client.chat("m", tools=[get_time], confirm=wait, on_tool_error=tell)
    assert_type(chat.pending, list[FunctionCall])
    assert_type(await chat.resume(), GenerateContentResponse)
    by_id = {call.id: Approve() for call in chat.pending}
    assert_type(await chat.resume(by_id, max_rounds=2), GenerateContentResponse)
    assert_type(chat.resume_stream({0: 5}), ConversationStream[ConversationItem])
    plain = client.load_chat("{}")
    assert_type(plain.resume_stream({}), ConversationStream[GenerateContentResponse])


async def wait(call: FunctionCall) -> bool | Pause:
    return call.id is None or Pause("later")


def tell(error: ToolError) -> str:
    return f"{error}"


async def tell_later(error: ToolError) -> str:
    raise ToolFailed(f"{error}")


def prepare(asked: Round) -> None:
    assert_type(asked.number, int)
    asked.model = "other"
    asked.tools = [get_time]
    asked.contents.append("Be brief.")
    asked.tool_config = {"functionCallingConfig": {"mode": "ANY"}}
    asked.tool_config = None


async def prepare_later(asked: Round) -> None:
    prepare(asked)


def steps(client: Client) -> None:
    tools: list[ToolLike] = [get_time, FunctionTool(None, name="ask")]
    client.run_tools("m", "Hi", tools=tools, stop_after={"ask"}, prepare_round=prepare)
    client.run_tools("m", "Hi", tools=tools, stop_after=["ask"], prepare_round=prepare_later)
    client.run_tools("m", "Hi", tools=tools, stop_after=lambda response: response.text != "")
    client.chat("m", tools=tools, force_every_round=True, on_tool_error=tell_later)
    client.chat("m", tools=tools, confirm=lambda call: Refuse() if call.id else Pause)


def tool_errors(error: ToolError) -> None:
    assert_type(error.call, FunctionCall)
    assert_type(error.turns, Sequence[Content])
    assert_type(error.responses, list[FunctionResponse])
    match error:
        case ToolTimeoutError():
            assert_type(error.seconds, float)
            builtin(error)
        case ToolCallError():
            assert_type(error.known, list[str])
            assert_type(error.reason, Literal["unknown_tool", "arguments", "unfinished"])
        case _:
            pass


def response(response: GenerateContentResponse) -> None:
    assert_type(response.text, str)
    assert_type(response.thoughts, str)
    assert_type(response.parts, list[Part])
    assert_type(response.content, Content)
    assert_type(response.function_calls, list[FunctionCall])
    assert_type(response.images, list[Image])
    for image in response.images:
        assert_type(image.data, bytes)
        assert_type(image.size, tuple[int, int] | None)
        assert_type(image.save("a").name, str)
        Part(inline_data=image)
    if response.audio:
        assert_type(response.audio, Audio)
        assert_type(response.audio.seconds, float | None)
    assert_type(response.sources, list[Source])
    for source in response.sources:
        assert_type(source.title, str | None)
        assert_type(source.spans, tuple[Span, ...])
        assert_type([response.text[span.start : span.end] for span in source.spans], list[str])
    assert_type(response.text_with_citations(), str)
    response.text_with_citations("brackets")
    response.text_with_citations(lambda number, source: f"{number} {source.title}")
    assert_type(response.search_entry_point, str | None)
    assert_type(response.why_stopped, str | None)
    assert_type(response.usage, Usage)
    assert_type(response.usage.output_tokens, int)
    assert_type(response.finish_reason, str | None)
    assert_type(response.block_reason, str | None)
    assert_type(response.raw, bytes)
    assert_type(response.candidates, list[Candidate])
    assert_type(response.usage_metadata, UsageMetadata | None)
    assert_type(response.usage_metadata_per_hop, list[UsageMetadata])
    if response.usage_metadata:
        assert_type(response.usage_metadata.total_token_count, int | None)
    if response.finish_reason == FinishReason.STOP:
        pass
    for call in response.function_calls:
        assert_type(call.args, dict[str, Any])
        assert_type(call.id, str | None)
        Part.from_function_response(call.name, {"result": 1}, call.id)


async def long_answers(client: Client) -> None:
    stream = client.stream_generate_content("m", "Hi", continuation="off", max_hops=3)
    assert_type(stream.checkpoint, Checkpoint | None)
    try:
        await stream.get_final_response()
    except ContinuationUnsupportedError as error:
        assert_type(error.token, str)
    except CometGemError as error:
        if error.checkpoint is not None:
            assert_type(error.checkpoint, Checkpoint)
            assert_type(error.checkpoint.response, GenerateContentResponse)
            again = Checkpoint.from_json(error.checkpoint.to_json())
            assert_type(again, Checkpoint)
            await client.generate_content("m", "Hi", continuation=again, max_hops=None)
            client.run_tools("m", "Hi", tools=[], continuation="auto")


def parts(path: Path) -> None:
    assert_type(Part.from_bytes(b"", "image/png"), Part)
    assert_type(Part.from_uri("https://example.com/a.png", "image/png"), Part)
    assert_type(Part.from_file("a.png"), Part)
    assert_type(Part.from_file(path), Part)
    assert_type(Part.from_file(path, media_resolution="low"), Part)
    assert_type(Part.from_function_response("f", {}), Part)
    Part(function_response=FunctionResponse(name="f", response={}, id="1"))
    Tool(function_declarations=[FunctionDeclaration(name="f", parameters=Schema(type="OBJECT"))])
    assert_type(Part().text, str | None)
    assert_type(Part().thought, bool | None)
    assert_type(Part().thought_signature, str | None)
    assert_type(Part().inline_data, Blob | None)
    assert_type(Blob().data, bytes)


async def files(client: Client, path: Path) -> None:
    part = await part_from_file(path, max_size=None)
    assert_type(part, Part)
    contents: Contents = [path, part, "What is this?"]
    await client.generate_content("m", contents)
    await client.generate_content("m", path)
    await client.chat("m").send([path, "What is this?"])


async def failures(client: Client) -> None:
    try:
        await client.generate_content("m", "Hi")
    except RateLimitError as error:
        assert_type(error.retry_after, float | None)
    except APIStatusError as error:
        assert_type(error.status, int)
        assert_type(error.code, str | None)
        assert_type(error.reason, str | None)
        assert_type(error.message, str)
        assert_type(error.request_id, str | None)
        assert_type(error.details, list[Any])
        assert_type(error.body, bytes)
    except APITimeoutError as error:
        assert_type(error.phase, Literal["connect", "first_chunk", "stall", "total"])
        assert_type(error.seconds, float)
        builtin(error)
    except StreamError as error:
        assert_type(error.chunks, int)
        assert_type(error.request_id, str | None)
    except ResponseDecodeError as error:
        assert_type(error.path, str)
        assert_type(error.excerpt, str)
    except ConfigurationError as error:
        builtin(error)
    except EventTooLargeError as error:
        assert_type(error.size, int)
        assert_type(error.limit, int)
    except CometGemError as error:
        assert_type(error.partial, GenerateContentResponse | None)


def builtin(error: TimeoutError | ValueError) -> None:
    raise error


def policies(error: CometGemError) -> None:
    assert_type(RetryPolicy().attempts, int)
    assert_type(RetryPolicy().delay(error, 1, 0.5), float | None)
    assert_type(Timeouts().stall, float | None)
    assert_type(Timeouts().first, float | None)


async def fakes(path: Path) -> None:
    with FakeServer(port=0, default=Reply.text("Hi"), validate=False) as server:
        assert_type(server, FakeServer)
        server.respond = lambda request: Reply.text(request.model)
        server.respond = None
        assert_type(server.respond_errors, list[Exception])
        hops = Reply.hops(["a", {"text": "b"}, [{"text": "c"}]], [], checkpoints=[0], cuts=(1,))
        assert_type(hops, Reply)
    FakeServer(strict=True, gateway="new-api")
    async with FakeServer(models=["gemini-x"]) as server, FakeServer(models=str.isdigit):
        assert_type(server.url, str)
        assert_type(server.api_key, str)
        assert_type(server.requests, list[RecordedRequest])
        assert_type(server.connections, int)
        assert_type(server.open_connections, int)
    server.add(Reply.text("Hel", "lo", thought="Hm.", signature="c2ln", delay=0.1))
    server.add(
        Reply.chunks({"text": "a"}, [{"text": "b"}, {"text": "c"}], {"candidates": []}),
        Reply.call("f", {"n": 1}, id="1", in_pieces=True).finish(None).usage({}).meta(),
        Reply.image(b"").cut(1).gzip().pings(every=1),
        Reply.error(429, retry_after=1, dialect="google", retry_delay=3.5, code=None),
        Reply.html(502).with_headers({"Server": None}).delay(headers=1),
        Reply.raw(b"", status=204, content_type="text/plain").cut_at(1, 2),
        Reply.recorded(path).framed(newline="\r\n", done=True),
        Reply.silence(),
        Reply.reset(),
        Reply.text("a").then_pause(1).then(Reply.text("b")).then_stall().then_reset(),
        Reply.text("a").then_error(503, bare=True, message="busy").then_raw(b"").then_end(),
    )
    request = await server.wait_request(0, timeout=1)
    assert_type(request, RecordedRequest)
    assert_type(request.method, str)
    assert_type(request.operation, str)
    assert_type(request.model, str)
    assert_type(request.query, dict[str, str])
    assert_type(request.headers["x-own"], str)
    assert_type(request.auth, str | None)
    assert_type(request.raw_body, bytes)
    assert_type(request.request_id, str)
    assert_type(request.chunks_sent, int)
    assert_type(request.bytes_sent, int)
    assert_type(request.finished, bool)
    assert_type(request.gone, bool)
    assert_type(await request.wait_done(), None)
    assert_type(await request.wait_gone(timeout=1), None)
    assert_type(request.join(), None)
    assert_type(request.resume(), None)
    assert_type(server.start(), None)
    assert_type(server.stop(), None)
    assert_type(server.wait(), None)
    limited = FakeServer(limits=ServerLimits(requests=10, tokens=None, seconds=1, bucket=True))
    assert_type(limited.admitted, int)
    assert_type(limited.refused, int)


async def web(client: Client, body: dict[str, Any]) -> None:
    contents = contents_from_ui_messages(body["messages"], tools=["pay"], allow_files=["data:"])
    answers = answers_from_ui_messages(body["messages"], secret=b"0123456789abcdef")
    stream = client.run_tools("gemini-3.8-flash", contents, tools=[], answers=answers)
    encoder: Encoder = UIMessageEncoder(7, messages=body["messages"], page_runs=["look"])
    relay = Relay(stream, encoder, ping=None)
    async for piece in relay:
        assert_type(piece, bytes)
    assert_type(contents_from_ag_ui(body), list[Content])
    assert_type(answers_from_ag_ui(body, secret=None), dict[int, Approve | Refuse] | None)
    assert_type(FunctionResponse().call_index, int | None)
    Relay(stream, AGUIEncoder(body))
    Relay(client.stream_generate_content("gemini-3.8-flash", contents), NativeEncoder())


async def limiters(limits: Limits) -> None:
    known: list[Limiter] = [MemoryLimiter(limits), RedisLimiter("redis://h", "name", limits)]
    limiter = known[0]
    lease = await limiter.acquire(100)
    assert_type(lease, Lease)
    assert_type(limiter.settle(lease, 80), None)
    assert_type(limiter.refused(lease, retry_after=1.5), float)
    assert_type(limiter.rate, float)
    assert_type(limiter.refusals, int)
    assert_type(limiter.paused, float)
    assert_type(await limiter.aclose(), None)
    assert_type(limits.rpm, float | None)
    assert_type(limits.concurrency, int)
    async with RedisLimiter("redis://h", "name", limits=Limits(rpm=10, tpm=1e6)) as shared:
        assert_type(shared, RedisLimiter)


async def bulk_batches(rows: dict[str, list[str]], limiter: Limiter) -> None:
    gemini = GeminiMap("gemini-3.8-flash", prompt="text", prefix="gemini_", thinking="low")
    assert_type(await gemini(rows), dict[str, list[str]])
    typed = GeminiMap(
        "gemini-3.8-flash",
        prompt=lambda row: {"contents": f"{row['text']}"},
        response_type=list[int],
        reasks=1,
        limits=limiter,
    )
    assert_type(typed.run(rows), dict[str, list[str]])


async def bulk(client: Client, rows: list[int], limiter: Limiter) -> None:
    run = client.map("gemini-3.8-flash", rows, prompt=lambda row: f"{row + 1}", ordered=True)
    assert_type(run, MapRun[int, GenerateContentResponse])
    async with run as entered:
        async for result in entered:
            assert_type(result, MapResult[int, GenerateContentResponse])
            assert_type(result.row, int)
            assert_type(result.key, str | int)
            assert_type(result.response, GenerateContentResponse | None)
            assert_type(result.error, CometGemError | None)
            assert_type(result.usage, Usage)
        assert_type(run.progress, Progress)
        assert_type(run.progress.eta, float | None)
        run.stop()
    typed = client.map(
        "gemini-3.8-flash",
        rows,
        prompt=lambda row: {"contents": f"{row}", "generationConfig": {"seed": row}},
        key=lambda row: row,
        response_type=list[int],
        reasks=1,
        limits=limiter,
        results="out.jsonl",
        rerun="all",
        budget=Budget(tokens=10),
        deadline=1.5,
        on_progress=print,
        thinking="low",
    )
    assert_type(typed, MapRun[int, TypedResponse[list[int]]])
    async for answer in typed:
        if answer.response is not None:
            assert_type(answer.response.parsed, list[int])
    client.map("m", rows, prompt=str, limits=Limits(), budget=lambda usage: usage.total_tokens > 9)
