"""A single call with a type: asks again, if wanted, when the answer does not match the type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from cometgem.errors import ConfigurationError, OutputValidationError
from cometgem.request.arguments import is_integer, shown
from cometgem.request.contents import contents_to_wire
from cometgem.response.typed import TypedResponse
from cometgem.response.usage import add_usage
from cometgem.types.content import Content, Part
from cometgem.types.response import UsageMetadata

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cometgem.request.contents import Contents
    from cometgem.request.response_type import ResponseType
    from cometgem.types.response import GenerateContentResponse

__all__ = ["check_reasks", "generate_typed"]

_T = TypeVar("_T")


async def generate_typed(
    generate: Callable[[Contents], Awaitable[GenerateContentResponse]],
    contents: Contents,
    kind: ResponseType[_T],
    reasks: int,
) -> TypedResponse[_T]:
    """Return the first answer that matches the type, or the last one.

    Args:
        generate: Makes one request.
        contents: Those of the first request.
        kind: The type.
        reasks: How many more requests may be made.
    """
    typed = TypedResponse.of(await generate(contents), kind)
    attempts: list[GenerateContentResponse] = [typed]
    turns: list[Any] = contents_to_wire(contents) if reasks else []
    while len(attempts) <= reasks and (problem := _wrong(typed)) is not None:
        # The model's turn as it came, with the signatures of its thoughts.
        turns += [typed.content, Content(role="user", parts=[Part(text=_complaint(problem))])]
        typed = TypedResponse.of(await generate(turns), kind)
        attempts.append(typed)
    if len(attempts) == 1:
        return typed
    usage = UsageMetadata()
    for one in attempts:
        usage = add_usage(usage, one.usage_metadata)
    whole = TypedResponse.of(typed, kind, attempts)
    whole.usage_metadata = usage
    return whole


def check_reasks(reasks: object) -> int:
    """Return how often to ask again.

    Raises:
        ConfigurationError: It is not an integer of at least 0.
    """
    if not is_integer(reasks) or not isinstance(reasks, int) or reasks < 0:
        raise ConfigurationError(
            f"reasks={shown(reasks)} is not valid; use an integer of at least 0"
        )
    return reasks


def _wrong(response: TypedResponse[Any]) -> OutputValidationError | None:
    """Return what is wrong with an answer that another one may put right."""
    try:
        _ = response.parsed
    except OutputValidationError as error:
        # Cut again, blocked again: the same request would most likely end in the same way.
        return error if error.problem == "wrong" else None
    return None


def _complaint(problem: OutputValidationError) -> str:
    where = f" at {problem.path}" if problem.path else ""
    return (
        f"Your answer does not match the schema: {problem.message}{where}."
        " Answer again with the corrected JSON and nothing else."
    )
