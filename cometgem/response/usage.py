"""Merges usage: within one request, the last values are its totals; several requests are summed."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from cometgem.types.response import ModalityTokenCount, UsageMetadata
from cometgem.types.wire import Wire

__all__ = ["add_usage", "later_usage", "overlay"]

_S = TypeVar("_S", bound=Struct)


def later_usage(old: UsageMetadata | None, new: UsageMetadata) -> UsageMetadata:
    """Return the usage after another chunk of a request: of each field, the last value that is set.

    Neither argument is changed. Nearly always, the new one has all that the old one has, and is
    returned itself: looking at each field by name would cost more than decoding the chunk.
    """
    if old is None or (
        (new.prompt_token_count is not None or old.prompt_token_count is None)
        and (new.candidates_token_count is not None or old.candidates_token_count is None)
        and (new.total_token_count is not None or old.total_token_count is None)
        and (new.prompt_tokens_details or not old.prompt_tokens_details)
        and (new.thoughts_token_count is not None or old.thoughts_token_count is None)
        and (new.candidates_tokens_details or not old.candidates_tokens_details)
        and (new.cached_content_token_count is not None or old.cached_content_token_count is None)
        and (new.cache_tokens_details or not old.cache_tokens_details)
        and (new.tool_use_prompt_token_count is not None or old.tool_use_prompt_token_count is None)
        and (new.tool_use_prompt_tokens_details or not old.tool_use_prompt_tokens_details)
        and (new.traffic_type is not None or old.traffic_type is None)
        and (new.service_tier is not None or old.service_tier is None)
        and (new.billable_prompt_usage is not None or old.billable_prompt_usage is None)
    ):
        return new
    return overlay(old, new)


def overlay(under: _S, over: _S) -> _S:
    """Return ``under``, overridden by every field that is set in ``over``."""
    fields = ((name, getattr(over, name)) for name in over.__struct_fields__)
    return replace(under, **{name: value for name, value in fields if value not in (None, [])})


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
