"""Write a long answer to a file, and go on where it ended: python examples/long_answer.py out.md.

If the connection breaks, run it again with the same arguments: it goes on from the last checkpoint,
which it keeps beside the file.
"""

import asyncio
import sys
from pathlib import Path

from cometgem import Checkpoint, Client, CometGemError

MODEL = "gemini-4-argon"
LIMIT = {"maxOutputTokens": 300_000}  # of all hops together


async def main(path: Path, question: str) -> int:
    """Write the answer as it arrives, and return the exit code: 1 if it is incomplete."""
    saved = path.with_name(f"{path.name}.checkpoint")
    checkpoint = Checkpoint.from_json(saved.read_text("utf-8")) if saved.exists() else None
    async with Client() as client:
        stream = client.stream_generate_content(
            MODEL, question, generation_config=LIMIT, continuation=checkpoint
        )
        try:
            with path.open("w", encoding="utf-8") as file:
                file.write(checkpoint.response.text if checkpoint else "")
                async for text in stream.text_stream:
                    file.write(text)
        except CometGemError as error:
            print(error, file=sys.stderr)
            if error.checkpoint is not None:
                saved.write_text(error.checkpoint.to_json(), "utf-8")
            return 1
    saved.unlink(missing_ok=True)
    print(f"{len(stream.snapshot.text):,} characters in {path}")
    return 0


if __name__ == "__main__":
    question = " ".join(sys.argv[2:]) or "Tell the history of astronomy, century by century."
    sys.exit(asyncio.run(main(Path(sys.argv[1]), question)))
