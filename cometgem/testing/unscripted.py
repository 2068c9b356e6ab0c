"""Replies that make sense of the request: calls, texts about results, JSON, pictures. No I/O."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from cometgem.testing.bodies import dumps
from cometgem.testing.reply import Reply
from cometgem.testing.sample import Sampler
from cometgem.testing.turns import is_question, parts_of, responses_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cometgem.testing.bodies import JSONObject
    from cometgem.testing.journal import RecordedRequest

__all__ = ["HELLO", "PICTURE", "unscripted"]

HELLO = Reply.text("Hello ", "from the ", "fake server.", thought="A greeting will do.")

# A PNG of one grey pixel.
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg=="
)

_SIGNATURE = "bWFkZSB1cA=="
_PIECE = 24  # characters of a chunk

_SCHEMAS = ("responseJsonSchema", "_responseJsonSchema", "responseSchema")


def unscripted(request: RecordedRequest) -> Reply:
    """Return a reply that a model could give: the first of these that applies.

    A text about the results of functions; JSON that fits the schema; a call to a declared function;
    a picture; a greeting.
    """
    body = request.body if isinstance(request.body, dict) else {}
    contents = [one for one in _list(body.get("contents")) if isinstance(one, dict)]
    config = _object(body.get("generationConfig"))
    results = responses_of(contents[-1]) if contents else []
    if not results and (function := _function(body)) is not None:
        return _call(function, _question(contents), request)
    if (answer := _json(config)) is not None:
        return _text(answer)
    if results:
        return _text(" ".join(map(_sentence, results)))
    modalities = {str(one).upper() for one in _list(config.get("responseModalities"))}
    if "IMAGE" in modalities:
        picture = Reply.image(PICTURE)
        return Reply.text("A picture: ").then(picture) if "TEXT" in modalities else picture
    return HELLO


def _text(text: str) -> Reply:
    """Return a text in pieces, as a model streams it."""
    pieces = re.findall(rf".{{1,{_PIECE}}}(?:\s+|$)|.{{1,{_PIECE}}}", text, re.DOTALL)
    return Reply.text(*pieces)


def _json(config: JSONObject) -> str | None:
    schema = next((config[name] for name in _SCHEMAS if name in config), None)
    kind = config.get("responseMimeType")
    if schema is None:
        return '{"answer": "Hello from the fake server."}' if kind == "application/json" else None
    value = Sampler(_object(schema)).value()
    if kind == "text/x.enum":
        return str(value)
    return dumps(value).decode()


def _function(body: JSONObject) -> JSONObject | None:
    """Return the declaration of the first function that may be called."""
    calling = _object(_object(body.get("toolConfig")).get("functionCallingConfig"))
    if str(calling.get("mode", "")).upper() == "NONE":
        return None
    allowed = _list(calling.get("allowedFunctionNames"))
    for function in _declarations(body):
        if not allowed or function.get("name") in allowed:
            return function
    return None


def _declarations(body: JSONObject) -> Iterator[JSONObject]:
    for tool in _list(body.get("tools")):
        declared = _object(tool)
        for name in ("functionDeclarations", "function_declarations"):
            yield from (one for one in _list(declared.get(name)) if isinstance(one, dict))


def _call(function: JSONObject, question: str, request: RecordedRequest) -> Reply:
    schema = function.get("parametersJsonSchema", function.get("parameters"))
    sampler = Sampler(_object(schema), text=_name_in(question), optional=False)
    args = sampler.value() if schema else {}
    name = str(function.get("name"))
    return Reply.call(name, _object(args), id=f"call-of-{request.request_id}", signature=_SIGNATURE)


def _question(contents: Sequence[JSONObject]) -> str:
    """Return the text of the last question."""
    for content in reversed(contents):
        if is_question(content):
            return " ".join(str(part["text"]) for part in parts_of(content) if "text" in part)
    return ""


def _name_in(question: str) -> str | None:
    """Return the last name in a question, a capitalized word that does not begin a sentence."""
    names = re.findall(r"(?<![.?!:])(?<=\s)([A-Z][\w'-]+)", question)
    return names[-1] if names else None


def _sentence(result: JSONObject) -> str:
    """Return a sentence about the result of a function."""
    name, response = result.get("name"), _object(result.get("response"))
    if set(response) == {"error"}:
        return f"{name} failed: {_said(response['error'])}."
    if len(response) == 1:
        ((key, value),) = response.items()
        is_wrapped = key in {"result", "output"}
        return f"{name} says: {_said(value) if is_wrapped else f'{key}: {_said(value)}'}."
    return f"{name} says: {_said(response)}."


def _said(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.strip().rstrip(".")


def _object(value: Any) -> JSONObject:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
