"""Wrong uses of the public API: each ignored error must be one, or the checker complains.

Never run.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true, reportUnnecessaryComparison=true

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cometgem import (
    Approve,
    Candidate,
    Client,
    Content,
    GenerateOptions,
    GenerationConfig,
    Part,
    Refuse,
    RetryPolicy,
    SafetySetting,
    Timeouts,
    Tool,
)
from cometgem.testing import Reply

if TYPE_CHECKING:
    from cometgem import APITimeoutError, Chat, GenerateContentResponse
    from cometgem.types.dicts import GenerationConfigDict


def construct() -> None:
    Client(b"key")  # type: ignore[arg-type]
    Client("key", "https://api.cometapi.com")  # type: ignore[call-arg]
    Client(auth="basic")  # type: ignore[arg-type]
    Client(timeout=5)  # type: ignore[call-arg]
    Client(timeouts=5)  # type: ignore[arg-type]
    Client(retry=3)  # type: ignore[arg-type]
    Client(headers={"X-Number": 1})  # type: ignore[dict-item]
    Client(max_event_size=1.5)  # type: ignore[arg-type]
    Timeouts(stall="5s")  # type: ignore[arg-type]
    Timeouts(read=5)  # type: ignore[call-arg]
    Timeouts().total = 5  # type: ignore[misc]
    RetryPolicy(attempts=None)  # type: ignore[arg-type]


def call(client: Client) -> None:
    client.stream_generate_content("m")  # type: ignore[call-overload]
    client.stream_generate_content("m", "Hi", continuation="on")  # type: ignore[call-overload]
    client.stream_generate_content("m", None)  # type: ignore[call-overload]
    client.stream_generate_content("m", b"bytes")  # type: ignore[arg-type]
    client.stream_generate_content("m", [1])  # type: ignore[list-item]
    client.stream_generate_content("m", "Hi", "Be brief.")  # type: ignore[call-overload]
    client.stream_generate_content("m", "Hi", temperature=0)  # type: ignore[call-overload]
    client.stream_generate_content("m", "Hi", stream=True)  # type: ignore[call-overload]
    client.stream_generate_content("m", "Hi", tools=Tool())  # type: ignore[call-overload]
    client.stream_generate_content("m", "Hi", timeouts=5)  # type: ignore[call-overload]
    client.stream_generate_content("m", "Hi", generation_config=[])  # type: ignore[call-overload]
    options: GenerateOptions = {"temperature": 0}  # type: ignore[typeddict-unknown-key]
    client.stream_generate_content("m", "Hi", **options)


def dicts(client: Client, plain: dict[str, Any], mode: str) -> None:
    say = client.stream_generate_content
    say("m", "Hi", generation_config={"temprature": 1})  # type: ignore[call-overload]
    say("m", "Hi", generation_config={"temperature": "hot"})  # type: ignore[call-overload]
    say("m", "Hi", generation_config={"stopSequences": "END"})  # type: ignore[call-overload]
    say("m", "Hi", generation_config={"responseModalities": "TEXT"})  # type: ignore[call-overload]
    say("m", "Hi", generation_config={"thinkingConfig": {"level": "low"}})  # type: ignore[call-overload]
    say("m", "Hi", generation_config={"thinking_config": {"thinkingLevel": "Low"}})  # type: ignore[call-overload]
    say("m", "Hi", generation_config=plain)  # type: ignore[call-overload]
    say("m", "Hi", tool_config={"functionCallingConfig": {"mode": "ANNY"}})  # type: ignore[call-overload]
    say("m", "Hi", tool_config={"functionCallingConfig": {"mode": "any"}})  # type: ignore[call-overload]
    say("m", "Hi", tool_config={"functionCallingConfig": {"mode": mode}})  # type: ignore[call-overload]
    say("m", "Hi", tools=[{"googleSerch": {}}])  # type: ignore[list-item]
    say("m", "Hi", tools=[{"googleSearch": {"timeRange": {}}}])  # type: ignore[list-item]
    say("m", "Hi", tools=[{"functionDeclarations": {"name": "f"}}])  # type: ignore[list-item]
    say("m", "Hi", tools=[plain])  # type: ignore[list-item]
    say("m", "Hi", safety_settings=[{"category": "HARASSMENT"}])  # type: ignore[list-item]
    say("m", "Hi", safety_settings={"category": "HARM_CATEGORY_TOXICITY"})  # type: ignore[call-overload]
    say("m", "Hi", system_instruction={"parts": [{"tekst": "a"}]})  # type: ignore[call-overload]
    say("m", {"role": "user", "part": [{"text": "a"}]})  # type: ignore[call-overload]
    say("m", {"role": "user", "parts": ["a"]})  # type: ignore[call-overload]
    say("m", [{"inlineData": {"data": 1, "mimeType": "image/png"}}])  # type: ignore[list-item]
    say("m", plain)  # type: ignore[call-overload]
    config: GenerationConfigDict = {"top_P": 1}  # type: ignore[typeddict-unknown-key]
    config["topp"] = 1  # type: ignore[typeddict-unknown-key]
    options: GenerateOptions = {"generation_config": {"maxTokens": 1}}  # type: ignore[typeddict-item]
    say("m", "Hi", **options)
    say("m", "Hi", generation_config=config)


def double(number: int) -> int:
    return 2 * number


async def start_conversation(client: Client) -> None:
    client.run_tools("m", "Hi")  # type: ignore[call-overload]
    client.run_tools("m", "Hi", tools=double)  # type: ignore[call-overload]
    client.run_tools("m", "Hi", tools=["double"])  # type: ignore[list-item]
    client.run_tools("m", "Hi", tools=[double], on_tool_error="ignore")  # type: ignore[call-overload]
    client.run_tools("m", "Hi", tools=[double], confirm=double)  # type: ignore[arg-type]
    client.stream_generate_content("m", "Hi", max_rounds=1)  # type: ignore[call-overload]
    client.stream_generate_content("m", "Hi", thinking="max")  # type: ignore[call-overload]
    client.stream_generate_content("m", "Hi", foreign_history="strip")  # type: ignore[call-overload]
    async for item in client.run_tools("m", "Hi", tools=[double]):
        item.text  # type: ignore[union-attr]
    async for item in client.chat("m", tools=[double]).stream("Hi"):
        item.text  # type: ignore[union-attr]
    client.chat("m").send("Hi").text  # type: ignore[attr-defined]


async def read(client: Client) -> None:
    (await client.stream_generate_content("m", "Hi")).text  # type: ignore[attr-defined]
    client.generate_content("m", "Hi").text  # type: ignore[attr-defined]
    for _ in client.stream_generate_content("m", "Hi"):  # type: ignore[attr-defined]
        pass
    async for _ in client.generate_content("m", "Hi"):  # type: ignore[attr-defined]
        pass
    with client:  # type: ignore[attr-defined]
        pass
    with client.stream_generate_content("m", "Hi"):  # type: ignore[attr-defined]
        pass


def write(response: GenerateContentResponse, error: APITimeoutError) -> None:
    response.text = "mine"  # type: ignore[misc]
    response.raw = b""  # type: ignore[misc]
    response.usage_metadata.total_token_count  # type: ignore[union-attr]
    response.text_with_citations("html")  # type: ignore[arg-type]
    response.images = []  # type: ignore[misc]
    Candidate().content.parts  # type: ignore[union-attr]
    print(error.phase == "stall")
    print(error.phase == "read")  # type: ignore[comparison-overlap]


def build() -> None:
    Part("text")  # type: ignore[call-arg]
    Part(tekst="a")  # type: ignore[call-arg]
    Part(text=b"a")  # type: ignore[arg-type]
    Part.from_bytes("a", "text/plain")  # type: ignore[arg-type]
    Part.from_file(b"a.png")  # type: ignore[arg-type]
    Part.from_file("a.mp4", video_metadata={"fps": 1})  # type: ignore[arg-type]
    Part.from_image("a.png")  # type: ignore[arg-type]
    Content(parts=["text"])  # type: ignore[list-item]
    GenerationConfig(max_tokens=5)  # type: ignore[call-arg]
    GenerationConfig(temperature="hot")  # type: ignore[arg-type]
    SafetySetting(category="HARM_CATEGORY_HARASSMENT")  # type: ignore[call-arg]
    Reply.error(429, dialect="openai")  # type: ignore[arg-type]
    Reply.error("429")  # type: ignore[arg-type]


async def conversation(client: Client, chat: Chat[GenerateContentResponse]) -> None:
    client.run_tools("m", "Hi", tools=[], answers=[1])  # type: ignore[call-overload]
    client.run_tools("m", "Hi", tools=[], answers={1.5: "no"})  # type: ignore[arg-type]
    client.run_tools("m", "Hi", tools=[], on_tool_error="ignore")  # type: ignore[call-overload]
    client.run_tools("m", "Hi", tools=[], stop_after=5)  # type: ignore[call-overload]
    client.run_tools("m", "Hi", tools=[], confirm=lambda _: None)  # type: ignore[arg-type,return-value]
    client.run_tools("m", "Hi", tools=[], prepare_round=True)  # type: ignore[call-overload]
    await chat.resume("Hi")  # type: ignore[call-overload]
    Approve("id")  # type: ignore[arg-type]
    Refuse(5)  # type: ignore[arg-type]
