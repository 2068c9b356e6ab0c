"""The arguments of a bulk run, checked."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar, get_args

from cometgem.bulk.budget import Budget, Spending, as_budget
from cometgem.bulk.limits import Limits
from cometgem.bulk.row import Asker, Calls
from cometgem.errors import ConfigurationError
from cometgem.request.arguments import check_bool, is_number, shown
from cometgem.types.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Mapping
    from os import PathLike

    from cometgem.bulk.limiter import Limiter
    from cometgem.bulk.progress import Progress
    from cometgem.bulk.result import Key
    from cometgem.options import GenerateOptions
    from cometgem.request.contents import Contents
    from cometgem.request.response_type import ResponseType

__all__ = ["Plan", "Rerun", "plan"]

R = TypeVar("R")

Rerun: TypeAlias = Literal["failed", "none", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Generic[R]):
    """What a run is to do; ``Client.map`` describes the arguments."""

    model: str
    rows: Iterable[R] | AsyncIterable[R]
    prompt: Callable[[R], Contents | Mapping[str, Any]]
    key: Callable[[R], Key] | None
    asker: Asker
    limits: Limits
    limiter: Limiter | None
    results: str | PathLike[str] | None
    save_prompts: bool
    rerun: Rerun
    ordered: bool
    budget: Budget | Spending | None
    deadline: float | None
    on_progress: Callable[[Progress], object] | None


def plan(  # noqa: PLR0913  the arguments of Client.map
    calls: Calls,
    model: str,
    rows: Iterable[R] | AsyncIterable[R],
    *,
    prompt: Callable[[R], Contents | Mapping[str, Any]],
    key: Callable[[R], Key] | None,
    kind: ResponseType[Any] | None,
    reasks: int,
    limits: Limits | Limiter | None,
    results: str | PathLike[str] | None,
    save_prompts: bool,
    rerun: Rerun,
    ordered: bool,
    budget: Budget | Spending | None,
    deadline: float | None,
    on_progress: Callable[[Progress], object] | None,
    options: GenerateOptions,
) -> Plan[R]:
    """Check the arguments of a run.

    Raises:
        ConfigurationError: One is not valid.
    """
    _check_function("prompt", prompt)
    for name, function in (("key", key), ("on_progress", on_progress)):
        if function is not None:
            _check_function(name, function)
    if results is not None and not isinstance(results, (str, os.PathLike)):
        raise ConfigurationError(f"results={shown(results)} is not valid: use the path of a file")
    check_bool("ordered", ordered)
    check_bool("save_prompts", save_prompts)
    if rerun not in get_args(Rerun):
        raise ConfigurationError(
            f"rerun={shown(rerun)} is not valid: use 'failed', 'none' or 'all'"
        )
    if deadline is not None and not (is_number(deadline) and 0 < deadline < math.inf):
        raise ConfigurationError(
            f"deadline={shown(deadline)} is not valid: use a positive number of seconds, or None"
        )
    if isinstance(options.get("continuation"), Checkpoint):
        raise ConfigurationError(
            "continuation=Checkpoint(...) is for one answer: use 'auto' or 'off'"
        )
    given, limiter = _as_limits(limits)
    return Plan(
        model=model,
        rows=rows,
        prompt=prompt,
        key=key,
        asker=Asker(calls, options, kind, reasks),
        limits=given,
        limiter=limiter,
        results=results,
        save_prompts=save_prompts,
        rerun=rerun,
        ordered=ordered,
        budget=as_budget(budget),
        deadline=deadline,
        on_progress=on_progress,
    )


def _as_limits(given: Limits | Limiter | None) -> tuple[Limits, Limiter | None]:
    if given is None or isinstance(given, Limits):
        return given or Limits(), None
    if not callable(getattr(given, "acquire", None)):
        raise ConfigurationError(
            f"limits={shown(given)} is not valid: use Limits(rpm=..., tpm=...) or a limiter"
        )
    return given.limits, given


def _check_function(name: str, given: object) -> None:
    if not callable(given):
        raise ConfigurationError(f"{name}={shown(given)} is not valid: use a function of the row")
