"""Stream an answer to a question: python examples/stream.py "Why is the sky blue?"."""

import asyncio
import sys

from cometgem import Client, CometGemError


async def main(question: str) -> int:
    """Print the answer as it arrives, and return the exit code: 1 if it is incomplete."""
    async with Client() as client:
        try:
            async with client.stream_generate_content("gemini-3.8-flash", question) as stream:
                async for text in stream.text_stream:
                    print(text, end="", flush=True)
        except CometGemError as error:
            print(f"\n{error}", file=sys.stderr)
            return 1
    print()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(" ".join(sys.argv[1:]) or "Why is the sky blue?")))
