"""One adapter for each client. All do the same work: decode every chunk and read its text.

``take`` is called with the text of each chunk. What the client itself joins or counts is returned
in the ``Ending``. The worker compares both with what the server sent.
"""

# ruff: noqa: PLC0415  a process measures one client and imports only that one

from __future__ import annotations

import base64
import importlib
import importlib.util
import json
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from workload import Dialect

    Take = Callable[[Any], object]

__all__ = ["CLIENTS", "Adapter", "Ending", "missing"]

KEY = "benchmark-key"
PROMPT = "Hi"
BODY = {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}


@dataclass(frozen=True, slots=True)
class Ending:
    """What a client returns at the end of a stream.

    Attributes:
        finish: The finish reason.
        text: The text, if the client joins it itself.
        size: The number of bytes read, if the client decodes nothing.
    """

    finish: str | None = None
    text: str | None = None
    size: int | None = None


class Adapter:
    """A client and its connections, under ``async with``.

    Attributes:
        packages: Modules that must be installed.
        dialect: The API it uses.
        decodes: Whether it decodes the bytes to text.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    dialect: ClassVar[Dialect] = "gemini"
    decodes: ClassVar[bool] = True

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.opened.aclose()

    async def open(self) -> None:
        """Make the client."""
        raise NotImplementedError

    async def stream(self, model: str, take: Take) -> Ending:
        """Read one stream to its end."""
        raise NotImplementedError

    async def single(self, model: str) -> str:
        """Make one call and return its text."""
        raise NotImplementedError

    async def picture(self, model: str) -> bytes:
        """Read a stream of one chunk and return the bytes of the picture in it."""
        raise NotImplementedError

    def url(self, model: str, operation: str = "streamGenerateContent?alt=sse") -> str:
        """Return Gemini's URL."""
        return f"{self.base_url}/v1beta/models/{model}:{operation}"


class CometGem(Adapter):
    """This library, with every feature that its users get."""

    packages = ("cometgem",)

    async def open(self) -> None:
        """Make the client."""
        from cometgem import Client

        self.client = await self.opened.enter_async_context(Client(KEY, base_url=self.base_url))

    async def stream(self, model: str, take: Take) -> Ending:
        """Read one stream to its end and merge it."""
        async with self.client.stream_generate_content(model, PROMPT) as stream:
            async for chunk in stream:
                take(chunk.text)
            final = await stream.get_final_response()
        return Ending(final.finish_reason, final.text)

    async def single(self, model: str) -> str:
        """Make one call and return its text."""
        return (await self.client.generate_content(model, PROMPT)).text

    async def picture(self, model: str) -> bytes:
        """Return the picture of the merged response."""
        final = await self.client.stream_generate_content(model, PROMPT).get_final_response()
        return final.images[0].data


class AiohttpDrain(Adapter):
    """The floor: aiohttp, with the bytes read and discarded."""

    packages: ClassVar[tuple[str, ...]] = ("aiohttp",)
    decodes = False

    async def open(self) -> None:
        """Make the session."""
        import aiohttp

        connector = aiohttp.TCPConnector(limit=0)
        self.session = await self.opened.enter_async_context(
            aiohttp.ClientSession(connector=connector)
        )

    async def stream(self, model: str, take: Take) -> Ending:
        """Read all bytes; ``take`` is called with those of each read."""
        size = 0
        async with self.session.post(self.url(model), json=BODY) as response:
            while data := await response.content.readany():
                size += len(data)
                take(data)
        return Ending(size=size)

    async def single(self, model: str) -> str:
        """Make one call and decode as little as the check needs."""
        async with self.session.post(self.url(model, "generateContent"), json=BODY) as response:
            body = await response.read()
        return body[body.index(b'"text": "') + 9 :].partition(b'"')[0].decode()

    async def picture(self, model: str) -> bytes:
        """Read all bytes without decoding the picture."""
        await self.stream(model, len)
        return b""


class AiohttpMsgspec(AiohttpDrain):
    """What a good engineer would write by hand: see ``by_hand``."""

    packages = ("aiohttp", "msgspec")
    decodes = True

    async def open(self) -> None:
        """Make the session."""
        import by_hand

        self.hand = by_hand
        await super().open()

    async def stream(self, model: str, take: Take) -> Ending:
        """Read one stream to its end."""
        finish = None
        async for chunk in self.hand.stream(self.session, self.url(model), BODY):
            candidate = chunk.candidates[0]
            take(candidate.content.parts[0].text)
            finish = candidate.finish_reason or finish
        return Ending(finish)

    async def single(self, model: str) -> str:
        """Make one call and return its text."""
        url = self.url(model, "generateContent")
        chunk = await self.hand.single(self.session, url, BODY)
        return chunk.candidates[0].content.parts[0].text

    async def picture(self, model: str) -> bytes:
        """Return the picture of the only chunk."""
        async for chunk in self.hand.stream(self.session, self.url(model), BODY):
            blob = chunk.candidates[0].content.parts[0].inline_data
            picture = b"" if blob is None else blob.data
        return picture


class AiohttpLines(AiohttpDrain):
    """The loop found in many examples: line by line, with json."""

    decodes = True

    async def chunks(self, model: str) -> Any:
        """Yield the chunks as dicts."""
        async with self.session.post(self.url(model), json=BODY) as response:
            async for line in response.content:
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])

    async def stream(self, model: str, take: Take) -> Ending:
        """Read one stream to its end."""
        return await _read_dicts(self.chunks(model), take)

    async def single(self, model: str) -> str:
        """Make one call and return its text."""
        async with self.session.post(self.url(model, "generateContent"), json=BODY) as response:
            return _text(await response.json())

    async def picture(self, model: str) -> bytes:
        """Return the picture of the only chunk."""
        return await _read_picture(self.chunks(model))


class HttpxSse(Adapter):
    """httpx, httpx-sse and json."""

    packages = ("httpx", "httpx_sse")

    async def open(self) -> None:
        """Make the client, without its connection limit and its 5 s timeout."""
        import httpx
        import httpx_sse

        self.connect = httpx_sse.aconnect_sse
        self.client = await self.opened.enter_async_context(
            httpx.AsyncClient(limits=httpx.Limits(), timeout=300)
        )

    async def chunks(self, model: str) -> Any:
        """Yield the chunks as dicts."""
        async with self.connect(self.client, "POST", self.url(model), json=BODY) as source:
            async for event in source.aiter_sse():
                yield json.loads(event.data)

    async def stream(self, model: str, take: Take) -> Ending:
        """Read one stream to its end."""
        return await _read_dicts(self.chunks(model), take)

    async def single(self, model: str) -> str:
        """Make one call and return its text."""
        response = await self.client.post(self.url(model, "generateContent"), json=BODY)
        return _text(response.json())

    async def picture(self, model: str) -> bytes:
        """Return the picture of the only chunk."""
        return await _read_picture(self.chunks(model))


class GoogleGenai(Adapter):
    """Google's client; on aiohttp, since that is installed, as with its extra ``aiohttp``."""

    packages = ("google.genai",)

    async def open(self) -> None:
        """Make the client."""
        from google import genai

        options = genai.types.HttpOptions(base_url=self.base_url)
        client = genai.Client(api_key=KEY, http_options=options)
        self.models: Any = (await self.opened.enter_async_context(client.aio)).models

    async def stream(self, model: str, take: Take) -> Ending:
        """Read one stream to its end."""
        finish = None
        async for chunk in await self.models.generate_content_stream(model=model, contents=PROMPT):
            take(chunk.text)
            finish = chunk.candidates[0].finish_reason or finish
        return Ending(finish)

    async def single(self, model: str) -> str:
        """Make one call and return its text."""
        response = await self.models.generate_content(model=model, contents=PROMPT)
        text: str = response.text
        return text

    async def picture(self, model: str) -> bytes:
        """Return the picture of the only chunk."""
        async for chunk in await self.models.generate_content_stream(model=model, contents=PROMPT):
            picture = chunk.candidates[0].content.parts[0].inline_data.data
        return bytes(picture)


class OpenAI(Adapter):
    """OpenAI's client, using the compatible endpoint of gateways."""

    packages = ("openai",)
    dialect = "openai"

    async def open(self) -> None:
        """Make the client, without its connection limit."""
        import openai

        client = openai.AsyncOpenAI(
            api_key=KEY,
            base_url=f"{self.base_url}/v1",
            http_client=openai.DefaultAsyncHttpxClient(limits=_no_limits()),
        )
        opened = await self.opened.enter_async_context(client)
        self.completions: Any = opened.chat.completions

    async def stream(self, model: str, take: Take) -> Ending:
        """Read one stream to its end."""
        finish = None
        messages = [{"role": "user", "content": PROMPT}]
        stream = await self.completions.create(model=model, messages=messages, stream=True)
        async with stream:
            async for chunk in stream:
                choice = chunk.choices[0]
                take(choice.delta.content)
                finish = choice.finish_reason or finish
        return Ending(finish and finish.upper())

    async def single(self, model: str) -> str:
        """Make one call and return its text."""
        messages = [{"role": "user", "content": PROMPT}]
        completion = await self.completions.create(model=model, messages=messages)
        text: str = completion.choices[0].message.content
        return text

    async def picture(self, model: str) -> bytes:
        """Raise: not supported."""
        raise NotImplementedError("this API does not stream pictures")


CLIENTS: dict[str, type[Adapter]] = {
    "aiohttp-drain": AiohttpDrain,
    "aiohttp-msgspec": AiohttpMsgspec,
    "cometgem": CometGem,
    "aiohttp-lines": AiohttpLines,
    "httpx-sse": HttpxSse,
    "openai": OpenAI,
    "google-genai": GoogleGenai,
}


def missing(name: str) -> list[str]:
    """Return the modules that a client needs and that are not installed."""
    return [package for package in CLIENTS[name].packages if not _installed(package)]


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # the parent of the package
        return False


def _part(chunk: Any) -> dict[str, Any]:
    part: dict[str, Any] = chunk["candidates"][0]["content"]["parts"][0]
    return part


def _text(chunk: Any) -> str:
    text: str = _part(chunk)["text"]
    return text


async def _read_dicts(chunks: Any, take: Take) -> Ending:
    finish = None
    async with aclosing(chunks):
        async for chunk in chunks:
            take(_part(chunk)["text"])
            finish = chunk["candidates"][0].get("finishReason") or finish
    return Ending(finish)


async def _read_picture(chunks: Any) -> bytes:
    async with aclosing(chunks):
        async for chunk in chunks:
            picture = base64.b64decode(_part(chunk)["inlineData"]["data"])
    return picture


def _no_limits() -> Any:
    """Return unlimited ``Limits`` of the httpx that openai uses, since there are two."""
    import openai

    base = openai.DefaultAsyncHttpxClient.__mro__[1]
    return importlib.import_module(base.__module__.partition(".")[0]).Limits()
