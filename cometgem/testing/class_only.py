"""Class methods that no instance has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ClassOnly"]

_T = TypeVar("_T")


class ClassOnly(Generic[_T]):
    """A class method that starts a reply: `reply.text()` would silently drop what `reply` says."""

    def __init__(self, method: classmethod[_T, ..., _T]) -> None:
        self._method = method

    def __get__(self, instance: _T | None, owner: type[_T]) -> Callable[..., _T]:
        if instance is None:
            return self._method.__get__(None, owner)
        name = self._method.__name__
        raise AttributeError(f"Reply.{name}() starts a reply: use .then(Reply.{name}(...))")
