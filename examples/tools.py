"""Let the model call a function: python examples/tools.py "What time is it in Tokyo?"."""

import asyncio
import sys
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cometgem import Client, CometGemError, FunctionCall, FunctionResponse


def local_time(zone: str) -> str:
    """Look up the local time.

    Args:
        zone: A time zone's name, such as Europe/Zurich.
    """
    try:
        return datetime.now(ZoneInfo(zone)).strftime("%A %H:%M")
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"unknown time zone: {zone!r}") from None


async def main(question: str) -> int:
    """Print the answer as it arrives, and the function calls, and return the exit code."""
    async with Client() as client:
        try:
            async with client.run_tools(
                "gemini-3.8-flash", question, tools=[local_time], on_tool_error="report"
            ) as stream:
                async for item in stream:
                    match item:
                        case FunctionCall():
                            print(f"[{item.name} {item.args}]", file=sys.stderr)
                        case FunctionResponse():
                            print(f"[{item.response}]", file=sys.stderr)
                        case chunk:
                            print(chunk.text, end="", flush=True)
        except CometGemError as error:
            print(f"\n{error}", file=sys.stderr)
            return 1
    print()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(" ".join(sys.argv[1:]) or "What time is it in Tokyo?")))
