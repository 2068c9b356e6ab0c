"""Decodes JSON while it arrives: plain values that grow, showing only what is certain.

The same JSON is accepted as by ``msgspec.json.decode``, inside a `JSONFrame`, with a limit of
nesting. The cost is linear in the length of the text, however it is cut and however often the value
is read:

- Tokens are matched by regular expressions that never go back, since all their repeats are
  possessive. The rest of a token that is cut is at most as long as an escape. Strings and numbers,
  which may be longer, are kept in pieces.
- A string that is still open is part of the value, so each read needs a ``str`` of all of it. The
  new pieces are appended with ``+=`` to the only reference, which CPython does in place, without
  copying the string. A caller who keeps the string itself from one read to the next makes it two
  references, and each read a copy: 30 microseconds for 1 MB.
"""

from __future__ import annotations

import math
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out
from typing import TYPE_CHECKING, Any

from cometgem.response.json_frame import ANY_OF, JSONFrame, JSONSyntaxError, matcher
from cometgem.response.merge_parts import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PartialJSON"]

_BLANKS = r"[ \t\r\n]*+"
_PLAIN = r'[^"\\\x00-\x1f]*+'
# Numbers that need no further checks: neither too long for int() nor too large for a float.
_INT = r"-?(?:0|[1-9][0-9]{0,300}+)"
_END_OF_NUMBER = r"(?=[ \t\r\n,\]}])"
# A value that is complete, without escapes, or the beginning of a list or an object.
_VALUE = (
    rf'(?:"({_PLAIN})"|({_INT}){_END_OF_NUMBER}|({_INT}\.[0-9]++){_END_OF_NUMBER}'
    r"|(true|false|null)|([\[{]))"
)
_STRING, _INTEGER, _FLOAT, _WORD = range(1, 5)

_match_next_value = re.compile(rf"{_BLANKS},{_BLANKS}{_VALUE}").match
_match_key = re.compile(rf'"({_PLAIN})"{_BLANKS}:').match
_match_next_member = re.compile(
    rf'{_BLANKS},{_BLANKS}"({_PLAIN})"{_BLANKS}:{_BLANKS}{_VALUE}'
).match

# msgspec refuses one half of a surrogate pair without the other.
_HEX = "[0-9a-fA-F]"
_HIGH = rf"[dD][89abAB]{_HEX}{{2}}"
_LOW = rf"[dD][c-fC-F]{_HEX}{{2}}"
_skip_string = matcher(
    r'(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]'
    rf"|\\u(?![dD][89a-fA-F]){_HEX}{{4}}|\\u{_HIGH}\\u{_LOW}){ANY_OF}"
)
_CUT_ESCAPE = re.compile(
    rf"\\(?:u(?:{_HEX}{{0,3}}|{_HIGH}(?:\\(?:u(?:[dD](?:[c-fC-F]{_HEX}?)?)?)?)?)?)?"
)
_skip_digits = matcher(r"[-+.0-9eE]*+")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)((?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?)")
_skip_all_blanks = matcher(_BLANKS)

_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_WORD_OF = {word[0]: word for word in _WORDS}


class PartialJSON:
    """Takes JSON in pieces; ``value`` is what is certain of it.

    Half a number, half an escape, half a key and half of ``true`` are not shown, a key without
    the beginning of its value is not, half a string is. Of keys that are there twice the last one
    counts, from when the beginning of its value is there.
    """

    __slots__ = (
        "_base",
        "_failure",
        "_frame",
        "_is_key",
        "_key",
        "_pieces",
        "_rest",
        "_root",
        "_slot",
        "_stack",
        "_start",
        "_state",
        "_top",
    )

    def __init__(self) -> None:
        self._frame = JSONFrame()
        self._root: list[Any] = []  # of one value, so that the root is in a container, too
        self._top: Any = self._root
        self._stack: list[Any] = []  # what is around it
        self._key = ""  # of the value to come
        self._slot: Any = None  # the index or key in `_top` of a string that is open
        self._is_key = False  # what the open string is
        self._pieces: list[str] = []  # of an open string or number, since the last read
        self._rest = ""  # a token that is cut
        self._base = 0  # the position of the text that is being read
        self._start = 0  # the position of an open number
        # A function, not a method, which would be a cycle.
        self._state: Callable[[PartialJSON, str, int], int] = PartialJSON._begin
        self._failure: tuple[str, int] | None = None

    @property
    def value(self) -> Any:
        """The value so far; None before its beginning. The same object grows with each piece."""
        if self._pieces and self._slot is not None:
            self._show()
        return self._root[0] if self._root else None

    @property
    def complete(self) -> bool:
        """Whether the value has ended; a number at the root ends with ``close``."""
        return self._state is PartialJSON._end

    def feed(self, text: str) -> None:
        """Take the next piece.

        Raises:
            JSONSyntaxError: It is not JSON; the value stays as it was before. Later pieces raise
                the same.
        """
        if self._failure is not None:
            raise JSONSyntaxError(*self._failure)
        if self._rest:
            text, self._rest = self._rest + text, ""
        at, end = 0, len(text)
        try:
            while at < end:
                at = self._state(self, text, at)
        except JSONSyntaxError as error:
            self._failure = error.message, error.position
            raise
        self._base += end - len(self._rest)

    def close(self) -> None:
        """Say that nothing more comes.

        Raises:
            JSONSyntaxError: The JSON is not complete.
        """
        if self._failure is not None:
            raise JSONSyntaxError(*self._failure)
        if self._state is PartialJSON._in_number and not self._stack:
            self._end_number()
        if not self.complete:
            raise JSONSyntaxError("the JSON is cut off", self._base + len(self._rest))
        self._frame.close(self._base)

    # The states: each reads on from `at`, sets the next state and returns where that begins. Text
    # that it needs more of goes to `_rest`.

    def _begin(self, text: str, at: int) -> int:
        at += self._frame.skip(text)
        rest = text[at:]
        if not rest or self._frame.is_unclear(rest):
            self._rest = rest
            return len(text)
        self._state = PartialJSON._value
        return at

    def _members(self, text: str, at: int) -> int:
        """After a value in an object."""
        top = self._top
        match = _match_next_member(text, at)
        while match is not None:
            at = match.end()
            kind = match.lastindex
            if kind == _STRING + 1:
                top[match[1]] = match[kind]
            elif kind == _INTEGER + 1:
                top[match[1]] = int(match[kind])
            elif kind == _FLOAT + 1:
                top[match[1]] = float(match[kind])
            elif kind == _WORD + 1:
                top[match[1]] = _WORDS[match[kind]]
            else:
                self._key = match[1]
                return self._open(text, at)
            match = _match_next_member(text, at)
        return self._after_value(text, at)

    def _elements(self, text: str, at: int) -> int:
        """After a value in a list."""
        append = self._top.append
        match = _match_next_value(text, at)
        while match is not None:
            at = match.end()
            kind = match.lastindex
            if kind == _STRING:
                append(match[kind])
            elif kind == _INTEGER:
                append(int(match[kind]))
            elif kind == _FLOAT:
                append(float(match[kind]))
            elif kind == _WORD:
                append(_WORDS[match[kind]])
            else:
                return self._open(text, at)
            match = _match_next_value(text, at)
        return self._after_value(text, at)

    def _after_value(self, text: str, at: int) -> int:
        if (at := _skip_blanks(text, at)) == len(text):
            return at
        in_object = type(self._top) is dict
        if text[at] == ",":
            self._state = PartialJSON._member if in_object else PartialJSON._value
        elif text[at] == ("}" if in_object else "]"):
            self._close()
        else:
            raise self._error(f"expected ',' or {'}' if in_object else ']'!r}", text, at)
        return at + 1

    def _first_member(self, text: str, at: int) -> int:
        """After the beginning of an object."""
        if (at := _skip_blanks(text, at)) == len(text):
            return at
        if text[at] == "}":
            self._close()
            return at + 1
        return self._member(text, at)

    def _first_element(self, text: str, at: int) -> int:
        """After the beginning of a list."""
        if (at := _skip_blanks(text, at)) == len(text):
            return at
        if text[at] == "]":
            self._close()
            return at + 1
        self._state = PartialJSON._value
        return at

    def _member(self, text: str, at: int) -> int:
        """Before a key."""
        if (at := _skip_blanks(text, at)) == len(text):
            return at
        if text[at] != '"':
            raise self._error("expected a key in double quotes", text, at)
        if (match := _match_key(text, at)) is not None:
            self._key = match[1]
            self._state = PartialJSON._value
            return match.end()
        self._is_key = True
        self._state = PartialJSON._in_string
        return at + 1

    def _colon(self, text: str, at: int) -> int:
        """After a key."""
        if (at := _skip_blanks(text, at)) == len(text):
            return at
        if text[at] != ":":
            raise self._error("expected ':'", text, at)
        self._state = PartialJSON._value
        return at + 1

    def _value(self, text: str, at: int) -> int:
        """Before a value that must be there."""
        if (at := _skip_blanks(text, at)) == len(text):
            return at
        char = text[at]
        if char == '"':
            self._store("")
            self._slot = self._key if type(self._top) is dict else len(self._top) - 1
            self._state = PartialJSON._in_string
        elif char in "{[":
            return self._open(text, at + 1)
        elif char in "-0123456789":
            self._start = self._base + at
            self._state = PartialJSON._in_number
            return at
        elif (word := _WORD_OF.get(char)) and text.startswith(word, at):
            self._store(_WORDS[word])
            self._go_on()
            return at + len(word)
        elif word and word.startswith(text[at:]):
            self._rest = text[at:]
            return len(text)
        else:
            raise self._error("expected a value", text, at)
        return at + 1

    def _in_string(self, text: str, at: int) -> int:
        """In a value or a key, after the opening quote."""
        end = _skip_string(text, at).end()
        if end > at:
            run = text[at:end]
            self._pieces.append(scanstring(run + '"', 0)[0] if "\\" in run else run)
        if end == len(text):
            return end
        if text[end] == '"':
            self._end_string()
            return end + 1
        if text[end] != "\\":
            raise self._error("control characters in strings must be escaped", text, end)
        if not _CUT_ESCAPE.fullmatch(text, end):
            raise self._error("invalid escape in a string", text, end)
        self._rest = text[end:]
        return len(text)

    def _in_number(self, text: str, at: int) -> int:
        end = _skip_digits(text, at).end()
        self._pieces.append(text[at:end])
        if end < len(text):
            self._end_number()
        return end

    def _end(self, text: str, at: int) -> int:
        """After the end of the root."""
        self._frame.check_tail(text[at:], self._base + at)
        return len(text)

    def _store(self, value: Any) -> None:
        if type(self._top) is dict:
            self._top[self._key] = value
        else:
            self._top.append(value)

    def _open(self, text: str, at: int) -> int:
        """Begin the list or object whose bracket is before ``at``."""
        inner: Any
        if text[at - 1] == "{":
            inner, self._state = {}, PartialJSON._first_member
        else:
            inner, self._state = [], PartialJSON._first_element
        self._store(inner)
        self._stack.append(self._top)
        if len(self._stack) > MAX_DEPTH:
            raise JSONSyntaxError(
                f"it is nested more than {MAX_DEPTH} levels deep", self._base + at - 1
            )
        self._top = inner
        return at

    def _close(self) -> None:
        self._top = self._stack.pop()
        self._go_on()

    def _go_on(self) -> None:
        """Set the state after a value."""
        if not self._stack:
            self._state = PartialJSON._end
        elif type(self._top) is dict:
            self._state = PartialJSON._members
        else:
            self._state = PartialJSON._elements

    def _show(self) -> None:
        """Bring the open string up to date."""
        new = "".join(self._pieces)
        self._pieces.clear()
        top, slot = self._top, self._slot
        text = top[slot]
        top[slot] = None
        text += new  # in place, since it is the only reference
        top[slot] = text

    def _end_string(self) -> None:
        if self._is_key:
            self._key = "".join(self._pieces)
            self._pieces.clear()
            self._is_key = False
            self._state = PartialJSON._colon
            return
        self._show()
        self._slot = None
        self._go_on()

    def _end_number(self) -> None:
        text = "".join(self._pieces)
        self._pieces.clear()
        if (match := _NUMBER.fullmatch(text)) is None:
            raise JSONSyntaxError("invalid number", self._start)
        try:
            number = float(text) if match[1] else int(text)
        except ValueError:  # too many digits
            number = math.inf
        if number in (math.inf, -math.inf):
            raise JSONSyntaxError("number out of range", self._start)
        self._store(number)
        self._go_on()

    def _error(self, expected: str, text: str, at: int) -> JSONSyntaxError:
        return JSONSyntaxError(f"{expected}, got {text[at]!r}", self._base + at)


def _skip_blanks(text: str, at: int) -> int:
    if at == len(text) or text[at] not in " \t\r\n":
        return at
    return _skip_all_blanks(text, at).end()
