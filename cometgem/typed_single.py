"""A single call with a type: asks again, if wanted, when the answer does not match the type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from cometgem.errors import ConfigurationError, OutputValidationError
from cometgem.request.arguments import is_integer, shown
from cometgem.response.typed import TypedResponse
from cometgem.response.usage import add_usage
from cometgem.types.content import Content, Part
from cometgem.types.response import UsageMetadata

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cometgem.options import CallOptions
    from cometgem.request.response_type import ResponseType
    from cometgem.types.response import GenerateContentResponse

__all__ = ["ask_until_it_fits", "check_reasks", "type_of_call"]

_T = TypeVar("_T")


def type_of_call(
    annotation: Any, dialect: object, reasks: object, options: CallOptions
) -> ResponseType[Any] | None:
    """Return what a ``response_type`` means, and add its schema to the options; None if none.

    Raises:
        ConfigurationError: The type, the dialect or ``reasks`` is not valid, or the options define
            the format of the answer already.
    """
    if annotation is None:
        if reasks or dialect != "json":
            name = "reasks" if reasks else "schema_dialect"
            raise ConfigurationError(f"{name}=... needs response_type=...")
        return None
    # Only when needed, since it would add to the time that importing the package takes.
    from cometgem.request.response_type import as_response_type, check_dialect  # noqa: PLC0415

    check_reasks(reasks)
    kind = as_response_type(annotation)
    options["generation_config"] = kind.add_to(
        options.get("generation_config"), options.get("extra_body"), check_dialect(dialect)
    )
    return kind


async def ask_until_it_fits(
    first: Awaitable[GenerateContentResponse],
    ask_again: Callable[[Content, Content], Awaitable[GenerateContentResponse]],
    kind: ResponseType[_T],
    reasks: int,
) -> TypedResponse[_T]:
    """Return the first answer that matches the type, or the last one.

    Args:
        first: Makes the first request.
        ask_again: Makes another one, given the model's turn, as it came, and the user's reply.
        kind: The type.
        reasks: How many more requests may be made.
    """
    typed = TypedResponse.of(await first, kind)
    attempts: list[GenerateContentResponse] = [typed]
    while len(attempts) <= reasks and (problem := _wrong(typed)) is not None:
        reply = Content(role="user", parts=[Part(text=_complaint(problem))])
        typed = TypedResponse.of(await ask_again(typed.content, reply), kind)
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
    if response.function_calls:  # after a call the API takes its response only
        return None
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
