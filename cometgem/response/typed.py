"""A response whose text is the JSON of a type, and what is wrong with it if it does not match."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import msgspec

from cometgem.errors import OutputValidationError
from cometgem.response.codec import is_cut, split_path
from cometgem.response.json_frame import unwrap
from cometgem.types.enums import FinishReason
from cometgem.types.response import Candidate, GenerateContentResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cometgem.errors import OutputProblem

__all__ = ["MISMATCHES", "AnswerDecoder", "TypedResponse", "explain", "mismatch", "problem_of"]

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

# What decoders raise for JSON that does not match: msgspec, pydantic, and nesting too deep.
MISMATCHES = (msgspec.DecodeError, ValueError, RecursionError)

_ENDED_EARLY = (None, "", "FINISH_REASON_UNSPECIFIED", FinishReason.MAX_TOKENS, "CONTINUATION")


class AnswerDecoder(Protocol[_T_co]):
    """Decodes the JSON of an answer."""

    def decode(self, data: bytes) -> _T_co:
        """Return the value, or raise one of ``MISMATCHES``."""
        ...


class TypedResponse(GenerateContentResponse, Generic[_T], kw_only=True, dict=True, gc=True):
    """A response to a request with ``response_type``; ``parsed`` is a value of that type."""

    @property
    def parsed(self) -> _T:
        """The answer as a value of ``response_type``, decoded when it is asked for.

        Blanks and one Markdown fence around the JSON are taken off. Thoughts are not looked at.

        Raises:
            OutputValidationError: The answer was cut off or blocked, has no text, or does not
                match the type.
            RuntimeError: The response was copied or unpickled, which loses its type.
        """
        kept = self.__dict__
        if "_parsed" not in kept:
            kept["_parsed"] = self._decode(self._first)
        value: _T = kept["_parsed"]
        return value

    @property
    def attempts(self) -> Sequence[GenerateContentResponse]:
        """The answers to all requests: more than one if the model was asked again (``reasks``).

        The last is the answer in this response, whose usage metadata is the sum of theirs.
        """
        attempts: Sequence[GenerateContentResponse] = self.__dict__.get("_attempts") or (self,)
        return attempts

    def parse(self, candidate: Candidate) -> _T:
        """Return the value of a further candidate, as ``parsed`` does that of the first.

        Raises:
            OutputValidationError: As for ``parsed``.
        """
        return self._decode(candidate)

    def _decode(self, candidate: Candidate | None) -> _T:
        decoder: AnswerDecoder[_T] | None = self.__dict__.get("_decoder")
        if decoder is None:
            raise RuntimeError(
                "this response was copied, unpickled or built by hand, so its type is not known:"
                " use parsed of the original"
            )
        text = _text(candidate)
        data = unwrap(text).encode("utf-8", "surrogatepass")
        finish_reason = candidate.finish_reason if candidate else None
        failure: Exception | None = None
        try:
            value = decoder.decode(data)
            # The digits of a number may go on; everything else has an end of its own.
            if not (data[-1:].isdigit() and finish_reason in _ENDED_EARLY):
                return value
            message, path = "the number is cut off", ""
        except MISMATCHES as error:
            failure = error
            message, path = explain(error)
        problem = problem_of(text, finish_reason, self.block_reason, complete=not is_cut(data))
        made = OutputValidationError(
            problem,
            message,
            path=path,
            text=text,
            finish_reason=finish_reason,
            block_reason=self.block_reason,
        )
        made.partial = self
        raise made from failure

    @classmethod
    def of(
        cls,
        response: GenerateContentResponse,
        decoder: AnswerDecoder[_T],
        attempts: Sequence[GenerateContentResponse] = (),
    ) -> TypedResponse[_T]:
        """Return a response with a type, without copying what is in it."""
        fields = response.__struct_fields__
        made = cls(**{name: getattr(response, name) for name in fields})
        made.__dict__ |= {**response.__dict__, "_decoder": decoder, "_attempts": attempts}
        return made


def problem_of(
    text: str, finish_reason: str | None, block_reason: str | None, *, complete: bool
) -> OutputProblem:
    """Return what kind of problem an answer has that does not match its type.

    Args:
        text: The text of the answer.
        finish_reason: Why the answer ended.
        block_reason: Why the prompt was blocked.
        complete: Whether the JSON has its end; False for text that could go on.
    """
    if block_reason and not text.strip():
        return "blocked"
    if text.strip() and complete:
        return "wrong"
    if finish_reason in _ENDED_EARLY and (text.strip() or finish_reason == FinishReason.MAX_TOKENS):
        return "cut"
    if finish_reason in (*_ENDED_EARLY, FinishReason.STOP):
        return "wrong" if text.strip() else "empty"
    return "blocked"


def mismatch(
    response: GenerateContentResponse,
    message: str,
    *,
    path: str = "",
    index: int | None = None,
    complete: bool = True,
) -> OutputValidationError:
    """Return the error for an answer that does not match.

    Args:
        response: The answer, as far as it has come.
        message: What does not match.
        path: Where, as a JSON path.
        index: Which element.
        complete: Whether the JSON could not go on.
    """
    problem = problem_of(
        response.text, response.finish_reason, response.block_reason, complete=complete
    )
    error = OutputValidationError(
        problem,
        message,
        path=path,
        text=response.text,
        finish_reason=response.finish_reason,
        block_reason=response.block_reason,
        index=index,
    )
    error.partial = response
    return error


def explain(error: Exception) -> tuple[str, str]:
    """Return what does not match, and where: a JSON path, or "" if it is not JSON."""
    if isinstance(error, msgspec.ValidationError):
        return split_path(str(error))
    if isinstance(error, RecursionError):
        return "it is nested too deeply", ""
    with suppress(Exception):  # only pydantic's errors have this, and their messages are many lines
        first: Any = error.errors()[0]  # type: ignore[attr-defined]
        path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in first["loc"])
        return str(first["msg"]), "" if first["type"] == "json_invalid" else f"${path}"
    return str(error), ""


def _text(candidate: Candidate | None) -> str:
    if candidate is None or candidate.content is None:
        return ""
    parts = candidate.content.parts
    return "".join([part.text for part in parts if part.text and not part.thought])
