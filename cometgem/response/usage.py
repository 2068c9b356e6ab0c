"""The tokens of several answers, summed."""

from __future__ import annotations

from typing import Any

from cometgem.types.response import ModalityTokenCount, UsageMetadata

__all__ = ["add_usage"]


def add_usage(total: UsageMetadata, usage: UsageMetadata | None) -> UsageMetadata:
    """Return the sums of all counts, also per modality; of any other field, the last value set.

    A count that neither has stays None.
    """
    if usage is None:
        return total
    return UsageMetadata(
        **{
            name: _sum(getattr(total, name), getattr(usage, name))
            for name in UsageMetadata.__struct_fields__
        }
    )


def _sum(before: Any, more: Any) -> Any:
    if isinstance(before, list) and isinstance(more, list):
        return _sum_details(before, more)
    if isinstance(before, int) and isinstance(more, int):
        return before + more
    return before if more is None else more


def _sum_details(
    before: list[ModalityTokenCount], more: list[ModalityTokenCount]
) -> list[ModalityTokenCount]:
    counts: dict[str | None, int | None] = {}
    for one in [*before, *more]:
        counts[one.modality] = _sum(counts.get(one.modality), one.token_count)
    return [ModalityTokenCount(modality=name, token_count=count) for name, count in counts.items()]
