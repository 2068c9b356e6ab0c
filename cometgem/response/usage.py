"""Sums the usage of several requests. Within one request, the last values are its totals."""

from __future__ import annotations

from typing import Any

from cometgem.types.response import ModalityTokenCount, UsageMetadata
from cometgem.types.wire import Wire

__all__ = ["add_usage"]


def add_usage(total: UsageMetadata, usage: UsageMetadata | None) -> UsageMetadata:
    """Return the sum of two usages; a value that neither has is None.

    Counts are summed, also those of each modality. Of the service tier and the traffic type, the
    last is kept. Neither argument is changed.
    """
    return total if usage is None else _sum(total, usage)


def _sum(total: Any, more: Any) -> Any:
    """Add two structs of one type, field by field."""
    fields = {name: (getattr(total, name), getattr(more, name)) for name in more.__struct_fields__}
    return type(more)(**{name: _add(before, after) for name, (before, after) in fields.items()})


def _add(before: Any, after: Any) -> Any:
    match before, after:
        case _, None | []:
            return before
        case None | [], _:
            return after
        case list(), list():
            return _by_modality([*before, *after])
        case Wire(), Wire():
            return _sum(before, after)
        case int() | float(), int() | float():
            return before + after
    return after


def _by_modality(counts: list[ModalityTokenCount]) -> list[ModalityTokenCount]:
    sums: dict[str | None, int] = {}
    for one in counts:
        sums[one.modality] = sums.get(one.modality, 0) + (one.token_count or 0)
    return [ModalityTokenCount(modality=name, token_count=sums[name]) for name in sums]
