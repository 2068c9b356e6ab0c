"""Reads the turns of a request, which may be anything. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cometgem.testing.bodies import JSONObject

__all__ = ["calls_of", "is_question", "parts_of", "responses_of"]


def parts_of(content: JSONObject) -> list[JSONObject]:
    """Return the parts of a content."""
    parts: Any = content.get("parts")
    return [one for one in parts if isinstance(one, dict)] if isinstance(parts, list) else []


def calls_of(content: JSONObject) -> list[JSONObject]:
    """Return the function calls of a content."""
    return _members(content, "functionCall")


def responses_of(content: JSONObject) -> list[JSONObject]:
    """Return the function responses of a content."""
    return _members(content, "functionResponse")


def is_question(content: JSONObject) -> bool:
    """Return whether a turn of the model begins after this content."""
    return content.get("role", "user") == "user" and not responses_of(content)


def _members(content: JSONObject, name: str) -> list[JSONObject]:
    return [part[name] for part in parts_of(content) if isinstance(part.get(name), dict)]
