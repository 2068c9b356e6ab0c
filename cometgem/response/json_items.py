"""Finds the elements of a list in JSON while it arrives, each as soon as its last character came.

Only as much structure is read as it takes to find their ends: whether an element is valid is for
its decoder to say. The cost is linear in the length of the text, however it is cut: text is
skipped by regular expressions that never go back, and an element is joined once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cometgem.response.json_frame import ANY_OF, JSONFrame, JSONPathError, JSONSyntaxError, matcher
from cometgem.response.merge_parts import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["JSONItems"]

_skip_blanks = matcher(r"[ \t\r\n]*+")
_skip_string = matcher(rf"(?:[^\"\\]++|\\.){ANY_OF}")
_skip_scalar = matcher(r"[^ \t\r\n,\[\]{}\":]*+")
# Ends before a bracket, unless all of the list or object is there and has no others inside, or
# before a string that is cut.
_FLAT = rf'[^"\[\]{{}}]++|"(?:[^"\\]++|\\.){ANY_OF}"'
_skip_flat = matcher(rf"(?:{_FLAT}|[\[{{](?:{_FLAT}){ANY_OF}[\]}}]){ANY_OF}")

_KINDS = {"{": "an object", "[": "a list", '"': "a string", "t": "true", "f": "false", "n": "null"}
_KINDS |= dict.fromkeys("-0123456789", "a number")


class JSONItems:
    """Takes JSON in pieces and returns the elements of the list at a path.

    Args:
        path: The keys that lead from the root to the list.

    Attributes:
        failure: Why there will be no more elements, or None. It counts after the elements that
            were returned.
    """

    __slots__ = (
        "_after",
        "_base",
        "_depth",
        "_found",
        "_frame",
        "_items",
        "_keeps",
        "_level",
        "_path",
        "_pieces",
        "_rest",
        "_state",
        "failure",
    )

    def __init__(self, path: Sequence[str] = ()) -> None:
        self.failure: JSONSyntaxError | JSONPathError | None = None
        self._path = tuple(path)
        self._level = 0  # how many of the objects around the list are open
        self._found = False
        self._frame = JSONFrame()
        self._items: list[bytes] = []
        self._depth = 0  # of brackets, in the value that is being read
        self._keeps = False  # whether its text is kept
        self._pieces: list[str] = []
        self._rest = ""  # what needs more text to be told
        self._base = 0  # the position of the text that is being read
        # Functions, not methods, which would be cycles. `_after` is called at the end of a value.
        self._state: Callable[[JSONItems, str, int], int] = JSONItems._begin
        self._after: Callable[[JSONItems], None] = JSONItems._end_element

    @property
    def complete(self) -> bool:
        """Whether the JSON has ended."""
        return self._state is JSONItems._end

    def feed(self, text: str) -> list[bytes]:
        """Take the next piece and return the JSON of each element that ends in it."""
        if self.failure is not None:
            return []
        if self._rest:
            text, self._rest = self._rest + text, ""
        at, end = 0, len(text)
        try:
            while at < end:
                at = self._state(self, text, at)
        except (JSONSyntaxError, JSONPathError) as error:
            self.failure = error.with_traceback(None)
        self._base += end - len(self._rest)
        if not self._items:
            return []
        items, self._items = self._items, []
        return items

    def close(self) -> None:
        """Say that nothing more comes; sets ``failure`` if the JSON is not complete."""
        if self.failure is not None:
            return
        if not self.complete:
            self.failure = JSONSyntaxError("the JSON is cut off", self._base + len(self._rest))
            return
        try:
            self._frame.close(self._base)
        except JSONSyntaxError as error:
            self.failure = error.with_traceback(None)

    # The states: each reads on from `at`, sets the next state and returns where that begins. Text
    # that it needs more of goes to `_rest`.

    def _begin(self, text: str, at: int) -> int:
        at += self._frame.skip(text)
        rest = text[at:]
        if not rest or self._frame.is_unclear(rest):
            self._rest = rest
            return len(text)
        self._state = JSONItems._on_path
        return at

    def _on_path(self, text: str, at: int) -> int:
        """Before the list, or an object that it is in."""
        if (at := _skip_blanks(text, at).end()) == len(text):
            return at
        inner = self._level == len(self._path)
        if text[at] != ("[" if inner else "{"):
            if (kind := _KINDS.get(text[at])) is None:
                raise self._error("expected a value", text, at)
            raise JSONPathError(
                self._where(self._level), f"is {kind}, not {'a list' if inner else 'an object'}"
            )
        if inner:
            self._found = True
            self._state = JSONItems._first_element
        else:
            self._level += 1
            self._state = JSONItems._first_member
        return at + 1

    def _first_element(self, text: str, at: int) -> int:
        if (at := _skip_blanks(text, at).end()) == len(text):
            return at
        if text[at] == "]":
            self._end_level()
            return at + 1
        self._state = JSONItems._element
        return at

    def _element(self, text: str, at: int) -> int:
        self._after = JSONItems._end_element
        return self._start_value(text, at, keeps=True)

    def _next_element(self, text: str, at: int) -> int:
        if (at := _skip_blanks(text, at).end()) == len(text):
            return at
        if text[at] == ",":
            self._state = JSONItems._element
        elif text[at] == "]":
            self._end_level()
        else:
            raise self._error("expected ',' or ']'", text, at)
        return at + 1

    def _first_member(self, text: str, at: int) -> int:
        if (at := _skip_blanks(text, at).end()) == len(text):
            return at
        if text[at] == "}":
            self._end_object()
            return at + 1
        return self._key(text, at)

    def _key(self, text: str, at: int) -> int:
        if (at := _skip_blanks(text, at).end()) == len(text):
            return at
        if text[at] != '"':
            raise self._error("expected a key in double quotes", text, at)
        self._after = JSONItems._end_key
        return self._start_value(text, at, keeps=True)

    def _colon(self, text: str, at: int) -> int:
        if (at := _skip_blanks(text, at).end()) == len(text):
            return at
        if text[at] != ":":
            raise self._error("expected ':'", text, at)
        try:
            key = msgspec.json.decode("".join(self._pieces), type=str)
        except msgspec.DecodeError as error:
            raise JSONSyntaxError(f"invalid key: {error}", self._base + at) from None
        self._pieces.clear()
        if key != self._path[self._level - 1]:
            self._state = JSONItems._other
        elif self._found:
            raise JSONPathError(self._where(self._level - 1), f"has the key {key!r} twice")
        else:
            self._state = JSONItems._on_path
        return at + 1

    def _other(self, text: str, at: int) -> int:
        self._after = JSONItems._end_member
        return self._start_value(text, at, keeps=False)

    def _next_member(self, text: str, at: int) -> int:
        if (at := _skip_blanks(text, at).end()) == len(text):
            return at
        if text[at] == ",":
            self._state = JSONItems._key
        elif text[at] == "}":
            self._end_object()
        else:
            raise self._error("expected ',' or '}'", text, at)
        return at + 1

    def _end(self, text: str, at: int) -> int:
        """After the end of the root."""
        self._frame.check_tail(text[at:], self._base + at)
        return len(text)

    def _start_value(self, text: str, at: int, *, keeps: bool) -> int:
        if (at := _skip_blanks(text, at).end()) == len(text):
            return at
        self._keeps = keeps
        char = text[at]
        if char not in _KINDS:
            raise self._error("expected a value", text, at)
        if char == '"':
            self._state = JSONItems._in_string
        elif char in "{[":
            self._depth = 1
            self._state = JSONItems._in_brackets
        else:
            self._state = JSONItems._in_scalar
            return at
        self._keep(char)
        return at + 1

    def _in_brackets(self, text: str, at: int) -> int:
        start, depth = at, self._depth
        while True:
            at = _skip_flat(text, at).end()
            if at == len(text):
                break
            char = text[at]
            at += 1
            if char == '"':  # cut
                self._state = JSONItems._in_string
                at = _skip_string(text, at).end()
                self._rest = text[at:]  # half an escape
                break
            if char in "[{":
                depth += 1
                if depth > MAX_DEPTH:
                    raise JSONSyntaxError(
                        f"it is nested more than {MAX_DEPTH} levels deep", self._base + at
                    )
            else:
                depth -= 1
                if depth == 0:
                    self._depth = 0
                    self._keep(text[start:at])
                    self._after(self)
                    return at
        self._depth = depth
        if self._keeps:
            self._pieces.append(text[start:at])
        return len(text)

    def _in_string(self, text: str, at: int) -> int:
        end = _skip_string(text, at).end()
        if end == len(text):
            self._keep(text[at:end])
            return end
        if text[end] == "\\":  # the last character
            self._keep(text[at:end])
            self._rest = "\\"
            return len(text)
        self._keep(text[at : end + 1])
        if self._depth:
            self._state = JSONItems._in_brackets
        else:
            self._after(self)
        return end + 1

    def _in_scalar(self, text: str, at: int) -> int:
        end = _skip_scalar(text, at).end()
        self._keep(text[at:end])
        if end < len(text):
            self._after(self)
        return end

    def _keep(self, piece: str) -> None:
        if self._keeps:
            self._pieces.append(piece)

    def _end_element(self) -> None:
        self._items.append("".join(self._pieces).encode("utf-8", "surrogatepass"))
        self._pieces.clear()
        self._state = JSONItems._next_element

    def _end_key(self) -> None:
        self._state = JSONItems._colon

    def _end_member(self) -> None:
        self._state = JSONItems._next_member

    def _end_object(self) -> None:
        self._level -= 1
        if self._level == 0 and not self._found:
            raise JSONPathError("$", f"has no list at {'.'.join(self._path)!r}")
        self._end_level()

    def _end_level(self) -> None:
        """Go on after the list, or after an object that it is in."""
        self._state = JSONItems._next_member if self._level else JSONItems._end

    def _where(self, level: int) -> str:
        return ".".join(["$", *self._path[:level]])

    def _error(self, expected: str, text: str, at: int) -> JSONSyntaxError:
        return JSONSyntaxError(f"{expected}, got {text[at]!r}", self._base + at)
