"""Stream a list of typed values: python examples/typed_answers.py "The moons of Jupiter"."""

import asyncio
import sys
from dataclasses import dataclass

from cometgem import Client, CometGemError


@dataclass
class Body:
    """A body of the solar system."""

    name: str
    radius_km: float


async def main(question: str) -> int:
    """Print each body as soon as it is complete, and the largest, and return the exit code."""
    async with Client() as client:
        try:
            async with client.stream_generate_content(
                "gemini-3.8-flash", question, response_type=list[Body]
            ) as stream:
                async for body in stream.items():
                    print(f"{body.name}: {body.radius_km:,.0f} km", flush=True)
                bodies = (await stream.get_final_response()).parsed
        except CometGemError as error:  # an OutputValidationError, among others
            print(f"\n{error}", file=sys.stderr)
            return 1
    if bodies:
        print(f"The largest is {max(bodies, key=lambda body: body.radius_km).name}.")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(" ".join(sys.argv[1:]) or "The planets")))
