"""What `Reply.hops` says: the steps of a long answer, its checkpoints and its faults. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cometgem.testing.steps import Chunk, HopEnd, Parts, Step, step

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = ["Hops", "hop_steps"]


@dataclass(frozen=True, slots=True)
class Hops:
    """The checkpoints and faults of a long answer; see `Reply.hops` for the fields."""

    checkpoints: frozenset[int]
    cuts: tuple[int, ...]
    stalls: tuple[int, ...]
    resets: tuple[int, ...]

    @classmethod
    def of(
        cls,
        steps: Sequence[Step],
        checkpoints: Collection[int],
        cuts: Collection[int],
        stalls: Collection[int],
        resets: Collection[int],
    ) -> Hops:
        """Check the numbers against the steps of `hop_steps`."""
        chunks = sum(isinstance(one, Parts | Chunk) for one in steps)
        hops = 1 + sum(isinstance(one, HopEnd) for one in steps)
        for name, numbers, count, thing in (
            ("checkpoints", checkpoints, chunks, "chunk"),
            ("cuts", cuts, chunks, "chunk"),
            ("stalls", stalls, chunks, "chunk"),
            ("resets", resets, hops, "hop"),
        ):
            for number in numbers:
                if not 0 <= number < count:
                    raise ValueError(
                        f"{name}={list(numbers)}: there is no {thing} {number},"
                        f" only {thing}s 0 to {count - 1}"
                    )
        return cls(frozenset(checkpoints), tuple(cuts), tuple(stalls), tuple(resets))


def hop_steps(
    hops: Sequence[Sequence[str | Mapping[str, Any] | Sequence[Mapping[str, Any]]]],
) -> tuple[Step, ...]:
    """Return the steps of all hops, with a `HopEnd` between two hops."""
    if not hops:
        raise ValueError("Reply.hops() needs at least one hop, a list of chunks")
    steps: list[Step] = []
    for number, hop in enumerate(hops):
        if isinstance(hop, str):
            raise ValueError(f"hop {number} is a string: give a list of chunks, [{hop!r}]")  # noqa: TRY004
        if number:
            steps.append(HopEnd())
        steps += [step({"text": item} if isinstance(item, str) else item) for item in hop or [""]]
    return tuple(steps)
