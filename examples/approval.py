"""Let a person approve what the model wants to do, in another process and perhaps tomorrow.

python examples/approval.py ask "Pay Ada 5 euros."    asks, and saves the chat if a call waits
python examples/approval.py yes | no                  approves or refuses the calls that wait
"""

import asyncio
import sys
from pathlib import Path

from cometgem import Approve, Chat, Client, ConversationItem, FunctionCall, Pause, Refuse

SAVED = Path("approval.json")


def pay(to: str, euros: int) -> str:
    """Pay an amount of money to someone."""
    return f"paid {euros} euros to {to}"


def confirm(call: FunctionCall) -> Pause:
    """Let each call wait for a person."""
    return Pause(f"{call.name} needs approval")


async def main(command: str, message: str, saved: str) -> str:
    """Ask, or go on with what waits; print the outcome and return the chat, to be saved."""
    async with Client() as client:
        if command == "ask":
            chat: Chat[ConversationItem] = client.chat(
                "gemini-3.8-flash", tools=[pay], confirm=confirm
            )
            answer = await chat.send(message)
        else:
            chat = client.load_chat(saved, tools=[pay], confirm=confirm)
            verdict = Approve() if command == "yes" else Refuse("the owner refused")
            answer = await chat.resume(dict.fromkeys(range(len(chat.pending)), verdict))
    for call in chat.pending:
        print(f"waits: {call.name} {call.args}")
    print(answer.text)
    return chat.to_json()


if __name__ == "__main__":
    if sys.argv[1:2] not in (["ask"], ["yes"], ["no"]):
        sys.exit(__doc__)
    earlier = "" if sys.argv[1] == "ask" else SAVED.read_text("utf-8")
    now = asyncio.run(main(sys.argv[1], " ".join(sys.argv[2:]), earlier))
    SAVED.write_text(now, "utf-8")
