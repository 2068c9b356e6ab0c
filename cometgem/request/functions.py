"""Python functions as tools: declarations, decoding of arguments, results as JSON.

Nothing is called here. msgspec generates the schema from the annotations and decodes the
arguments by the same annotations, so that what is declared is exactly what is accepted.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, Union, cast, get_type_hints

import msgspec

from cometgem.errors import ConfigurationError, ToolCallError
from cometgem.request.arguments import is_number, shown
from cometgem.request.docstring import read_docstring
from cometgem.request.keys import to_wire
from cometgem.request.schema import json_schema
from cometgem.request.tool_context import is_context
from cometgem.types.content import FunctionResponse
from cometgem.types.tools import FunctionDeclaration, Tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cometgem.types.content import FunctionCall
    from cometgem.types.dicts import ToolDict
else:  # not imported: making the TypedDicts takes about 10 ms
    ToolDict = Mapping[str, Any]

__all__ = ["DeclaredTool", "FunctionTool", "ToolLike", "as_function_tools", "tools_to_wire"]

# https://ai.google.dev/api/caching#FunctionDeclaration
_NAME = r"[a-zA-Z_][a-zA-Z0-9_:.\-]{0,127}"


class FunctionTool:
    """A function that the model may ask to call.

    The declaration consists of the function's name, the first paragraph of its docstring, the
    descriptions under ``Args:`` and the types of the annotations. All types that msgspec supports
    can be used, such as ``str``, ``int``, ``float``, ``bool``, enums, ``Literal``, ``list``,
    ``dict``, dataclasses, ``TypedDict`` and msgspec structs, nested and optional. A plain function
    runs in a worker thread, an async one in the event loop.

    Args:
        function: Plain or async; all arguments are passed by name. A parameter of the type
            ``ToolContext`` is not declared: it receives the context of the call. None declares a
            tool without parameters whose calls wait for an answer from elsewhere.
        name: Defaults to the function's name.
        description: Defaults to the first paragraph of the docstring.
        timeout: Seconds that a call may take; None is no limit.

    Attributes:
        function: The function; None if the calls wait for an answer from elsewhere.
        context_parameter: The name of the parameter that receives the ``ToolContext``, if any.
        declaration: The declaration that is sent to the model.

    Raises:
        ConfigurationError: It is not a function with a signature, an argument is not valid, or a
            parameter or the name cannot be declared.
    """

    def __init__(
        self,
        function: Callable[..., object] | None,
        *,
        name: str | None = None,
        description: str | None = None,
        timeout: float | None = None,
    ) -> None:
        if function is not None and (not callable(function) or isinstance(function, type)):
            raise ConfigurationError(f"FunctionTool needs a function, got {shown(function)}")
        if timeout is not None and not (is_number(timeout) and timeout > 0):
            raise ConfigurationError(f"timeout={shown(timeout)} must be seconds above 0, or None")
        for option, text in (("name", name), ("description", description)):
            if text is not None and not isinstance(text, str):
                raise ConfigurationError(f"{option}={shown(text)} must be a str, or None")
        self.name: str = _check_name(name or str(getattr(function, "__name__", "")))
        self.function: Callable[..., object] | None = function
        self.context_parameter: str | None = None
        self.timeout: float | None = timeout
        summary, described = read_docstring(_text(getattr(function, "__doc__", None)))
        hints = {} if function is None else _hints(function, self.name)
        parameters = [] if function is None else _parameters(function, hints, self.name)
        for one in [one for one in parameters if is_context(one.annotation)]:
            if self.context_parameter is not None:
                raise _undeclarable(self.name, one.name, "only one may have the type ToolContext")
            self.context_parameter = one.name
            parameters.remove(one)
        self.declaration: FunctionDeclaration = FunctionDeclaration(
            name=self.name,
            description=description or summary or None,
            parameters_json_schema=_parameters_schema(self.name, parameters, described),
            response_json_schema=_result_schema(self.name, hints.get("return")),
        )
        # Arguments that the model leaves out stay unset, so that Python's own defaults apply.
        fields: list[Any] = [
            (one.name, one.annotation)
            if one.default is one.empty
            else (one.name, Union[one.annotation, msgspec.UnsetType], msgspec.UNSET)  # noqa: UP007
            for one in parameters
        ]
        self._arguments = msgspec.defstruct(
            "Arguments", fields, kw_only=True, forbid_unknown_fields=True
        )

    def __repr__(self) -> str:
        return f"<FunctionTool {self.name}>"

    def parse(self, call: FunctionCall) -> dict[str, Any]:
        """Return a call's arguments, decoded into the annotated types: ``f(**tool.parse(call))``.

        If strict decoding fails, lax decoding is tried: models write "5" for an integer.

        Raises:
            ToolCallError: The arguments do not match the declaration.
        """
        try:
            arguments = msgspec.convert(call.args, self._arguments)
        except RecursionError:
            raise ToolCallError(call, "arguments", "they are nested too deeply") from None
        except msgspec.ValidationError as error:
            try:
                arguments = msgspec.convert(call.args, self._arguments, strict=False)
            except (msgspec.ValidationError, RecursionError):
                raise ToolCallError(call, "arguments", str(error)) from None
        given = msgspec.structs.asdict(arguments)
        return {name: value for name, value in given.items() if value is not msgspec.UNSET}

    def to_response(self, call: FunctionCall, result: object) -> FunctionResponse:
        """Return the response for a result; results that are not objects become {"result": ...}.

        Raises:
            TypeError: The result cannot be written as JSON.
        """
        if isinstance(result, FunctionResponse):
            return msgspec.structs.replace(result, name=call.name, id=call.id)
        value = msgspec.to_builtins(result, str_keys=True)
        answer = value if isinstance(value, dict) else {"result": value}
        return FunctionResponse(name=call.name, id=call.id, response=answer)


ToolLike: TypeAlias = Tool | ToolDict | FunctionTool | Callable[..., object]
"""An item of ``tools``: a tool of the API, as a struct or a dict, or a function."""


DeclaredTool: TypeAlias = Tool | ToolDict | FunctionTool
"""A tool whose declaration is ready: ``as_function_tools`` returns these."""


def as_function_tools(tools: object) -> list[DeclaredTool]:
    """Return the tools, each function as a ``FunctionTool``.

    Raises:
        ConfigurationError: An item is not a tool, a function cannot be declared, or two functions
            have the same name.
    """
    if not isinstance(tools, (list, tuple)):
        raise ConfigurationError(f"tools must be a list, got {type(tools).__name__}")
    made: list[DeclaredTool] = []
    names: set[str] = set()
    for at, item in enumerate(tools):
        tool = item if isinstance(item, (Tool, Mapping)) else _function_tool(item, at)
        if isinstance(tool, FunctionTool):
            if tool.name in names:
                raise ConfigurationError(
                    f"tools[{at}] is the second function named {tool.name!r}: rename it with"
                    " FunctionTool(..., name=...)"
                )
            names.add(tool.name)
        made.append(cast("DeclaredTool", tool))
    return made


def tools_to_wire(tools: Sequence[DeclaredTool]) -> list[Any]:
    """Return the tools in wire form; the API takes all functions as one tool.

    Raises:
        ConfigurationError: A dict has a misspelt key.
    """
    functions = [tool.declaration for tool in tools if isinstance(tool, FunctionTool)]
    rest = [
        to_wire(tool, Tool, f"tools[{at}]")
        for at, tool in enumerate(tools)
        if not isinstance(tool, FunctionTool)
    ]
    return [Tool(function_declarations=functions), *rest] if functions else rest


def _function_tool(item: object, at: int) -> FunctionTool:
    if isinstance(item, FunctionTool):
        return item
    if not callable(item) or isinstance(item, type):
        raise ConfigurationError(
            f"tools[{at}] must be a function, a FunctionTool, a Tool or a dict, got {shown(item)}"
        )
    return FunctionTool(item)


def _text(docstring: object) -> str | None:
    return docstring if isinstance(docstring, str) else None


def _check_name(name: str) -> str:
    if not re.fullmatch(_NAME, name):
        raise ConfigurationError(
            f"{name!r} is not a valid tool name: use FunctionTool(..., name=...) with up to 128"
            " letters, digits and _:.-, starting with a letter or _"
        )
    return name


def _hints(function: Callable[..., object], name: str) -> dict[str, Any]:
    target: Any = function
    while isinstance(target, partial):
        target = target.func
    if not inspect.isroutine(target):
        target = type(target).__call__
    try:
        return get_type_hints(target, include_extras=True)
    except NameError as error:
        annotations = getattr(target, "__annotations__", {}).items()
        where = next((key for key, text in annotations if str(error.name) in str(text)), "")
        raise _undeclarable(name, where, f"{error} where the function is defined") from error
    except Exception as error:  # annotations as text are code of the caller, and may raise anything
        raise ConfigurationError(
            f"the annotations of {name!r} cannot be evaluated: {type(error).__name__}: {error}"
        ) from error


def _parameters(
    function: Callable[..., object], hints: dict[str, Any], name: str
) -> list[inspect.Parameter]:
    """Return the parameters, with evaluated annotations."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{name!r} has no signature that Python can read, like some builtins: wrap it in a"
            " function with annotations"
        ) from error
    parameters = []
    for one in signature.parameters.values():
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD, one.POSITIONAL_ONLY):
            raise _undeclarable(name, one.name, "the model passes each argument by name")
        if one.name not in hints:
            raise _undeclarable(name, one.name, "it has no annotation")
        parameters.append(one.replace(annotation=hints[one.name]))
    return parameters


def _parameters_schema(
    name: str, parameters: list[inspect.Parameter], described: dict[str, str]
) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    recursive: dict[str, Any] = {}
    for one in parameters:
        schema = json_schema(one.annotation, recursive, f"the parameter {one.name!r} of {name!r}")
        if described.get(one.name):
            schema.setdefault("description", described[one.name])
        if one.default not in (one.empty, None):
            with suppress(TypeError):  # a default that JSON cannot express is not declared
                schema["default"] = msgspec.to_builtins(one.default)
        properties[one.name] = schema
    required = [one.name for one in parameters if one.default is one.empty]
    whole = {"type": "object", "properties": properties, "required": required}
    return whole | ({"$defs": recursive} if recursive else {})


def _result_schema(name: str, annotation: Any) -> dict[str, Any] | None:
    """Return the schema of ``to_response(...).response``; None if the annotation gives none."""
    if annotation in (None, Any, object, type(None), FunctionResponse):
        return None
    recursive: dict[str, Any] = {}
    schema = json_schema(annotation, recursive, f"the result of {name!r}")
    if "type" not in schema:
        return None
    if schema["type"] != "object":
        schema = {"type": "object", "properties": {"result": schema}, "required": ["result"]}
    return schema | ({"$defs": recursive} if recursive else {})


def _undeclarable(name: str, parameter: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"the parameter {parameter!r} of {name!r} cannot be declared: {why}")
