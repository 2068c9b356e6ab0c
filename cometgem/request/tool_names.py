"""Names of functions in a request: each may be declared once, in whatever form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cometgem.errors import ConfigurationError
from cometgem.types.tools import FunctionDeclaration, Tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["check_declared_names"]


def check_declared_names(tools: Sequence[Any]) -> None:
    """Check that no two declarations have the same name, which the API refuses.

    Args:
        tools: Tools in wire form, structs and dicts, as ``tools_to_wire`` returns them.

    Raises:
        ConfigurationError: Two have.
    """
    seen: set[str] = set()
    for name in _declared_names(tools):
        if name in seen:
            raise ConfigurationError(
                f"tools declares the function {name!r} twice: rename one, or leave it out"
            )
        seen.add(name)


def _declared_names(tools: Sequence[Any]) -> Iterator[str]:
    for tool in tools:
        declarations: Any = (
            tool.function_declarations
            if isinstance(tool, Tool)
            else tool.get("functionDeclarations")
        )
        for one in declarations or ():
            name = None
            if isinstance(one, FunctionDeclaration):
                name = one.name
            elif isinstance(one, Mapping):
                name = one.get("name")
            if isinstance(name, str):
                yield name
