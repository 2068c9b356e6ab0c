"""A backend of one process whose runs are in Redis: run_backend.py PORT MODEL_URL KEY REDIS_URL."""

from __future__ import annotations

import sys

from aiohttp import web

from cometgem import Client
from cometgem.web import EventEncoder, RedisLog, Relay, Runs, aiohttp_response


async def application(base_url: str, key: str, redis_url: str) -> web.Application:
    client = Client(key, base_url=base_url)
    runs = Runs(RedisLog(redis_url, heartbeat=1.0))

    async def start(request: web.Request) -> web.StreamResponse:
        stream = client.stream_generate_content("gemini-3.8-flash", "Hi")
        viewer = await runs.start(request.match_info["id"], Relay(stream, EventEncoder()))
        return await aiohttp_response(request, viewer)

    async def resume(request: web.Request) -> web.StreamResponse:
        after = request.headers.get("Last-Event-ID")
        return await aiohttp_response(request, await runs.resume(request.match_info["id"], after))

    async def stop(request: web.Request) -> web.Response:
        return web.json_response(await runs.stop(request.match_info["id"]))

    async def close(_: web.Application) -> None:
        await runs.aclose()
        await client.aclose()

    app = web.Application()
    app.add_routes([web.post("/{id}", start), web.get("/{id}", resume), web.delete("/{id}", stop)])
    app.on_shutdown.append(close)
    return app


if __name__ == "__main__":
    port, *rest = sys.argv[1:]
    web.run_app(application(*rest), host="127.0.0.1", port=int(port), print=None)
