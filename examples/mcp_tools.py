"""Let the model use an MCP server's tools: python examples/mcp_tools.py "Question?" COMMAND ARG...

It needs the package mcp, version 2 or later.
"""

import asyncio
import sys
from base64 import b64decode
from functools import partial
from typing import Any

import mcp

from cometgem import Client, CometGemError, FunctionTool


async def call_tool(server: mcp.Client, name: str, arguments: dict[str, Any]) -> object:
    """Call a tool and return its texts, images and sounds."""
    result = await server.call_tool(name, arguments)
    items: list[object] = []
    for item in result.content:
        match item:
            case mcp.types.TextContent():
                items.append(item.text)
            case mcp.types.ImageContent() | mcp.types.AudioContent():
                items.append((b64decode(item.data), item.mime_type))
            case _:
                items.append(item)
    if result.is_error:
        raise RuntimeError(*items)
    return items[0] if len(items) == 1 else items


async def read_tools(server: mcp.Client) -> list[FunctionTool]:
    """Return the tools of an MCP server as tools for the model."""
    return [
        FunctionTool.from_schema(
            tool.name,
            tool.description,
            tool.input_schema,
            partial(call_tool, server, tool.name),
            unpack=False,
        )
        for tool in (await server.list_tools()).tools
    ]


async def main(question: str, command: str, *arguments: str) -> int:
    """Print the answer as it arrives, and return the exit code."""
    start = mcp.StdioServerParameters(command=command, args=[*arguments])
    async with mcp.Client(mcp.stdio_client(start)) as server, Client() as client:
        tools = await read_tools(server)
        try:
            async with client.run_tools(
                "gemini-3.8-flash", question, tools=tools, on_tool_error="report"
            ) as stream:
                async for text in stream.text_stream:
                    print(text, end="", flush=True)
        except CometGemError as error:
            print(f"\n{error}", file=sys.stderr)
            return 1
    print()
    return 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit('usage: python examples/mcp_tools.py "Question?" COMMAND ARG...')
    sys.exit(asyncio.run(main(*sys.argv[1:])))
