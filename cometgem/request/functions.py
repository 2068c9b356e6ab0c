"""Python functions as tools: declarations, decoding of arguments, results as JSON.

Nothing is called here. msgspec generates the schema from the annotations and decodes the
arguments by the same annotations, so that what is declared is what is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast

import msgspec

from cometgem.errors import ConfigurationError, ToolCallError
from cometgem.request.annotations import encode_model
from cometgem.request.arguments import check_bool, is_number, shown
from cometgem.request.call_arguments import (
    AnnotatedArguments,
    ArgumentsDecoder,
    GivenArguments,
    context_parameter,
    result_schema,
    whole_arguments,
)
from cometgem.request.docstring import read_docstring
from cometgem.request.keys import to_wire
from cometgem.request.media import split_media
from cometgem.request.signature import Signature, named_parameters, own_name
from cometgem.types.content import FunctionResponse
from cometgem.types.tools import FunctionDeclaration, Tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cometgem.types.content import FunctionCall
    from cometgem.types.dicts import ToolDict
else:  # not imported: making the TypedDicts takes about 10 ms
    ToolDict = Mapping[str, Any]

__all__ = ["DeclaredTool", "FunctionTool", "ToolLike", "as_function_tools", "tools_to_wire"]

# https://ai.google.dev/api/caching#FunctionDeclaration
_NAME = r"[a-zA-Z_][a-zA-Z0-9_:.\-]{0,127}"


class FunctionTool:
    """A function that the model may ask to call.

    The declaration consists of the function's name, its docstring, the descriptions of its
    parameters (Google, NumPy or Sphinx style), and the types of the annotations. All types that
    msgspec supports can be used, such as ``str``, ``int``, ``float``, ``bool``, enums, ``Literal``,
    ``list``, ``dict``, dataclasses, ``TypedDict`` and msgspec structs, nested and optional, as well
    as pydantic models. A plain function runs in a worker thread, an async one in the event loop.

    Args:
        function: Plain or async; all arguments are passed by name. A parameter of the type
            ``ToolContext`` is not declared: it receives the context of the call. None declares a
            tool without parameters whose calls wait for an answer from elsewhere.
        name: Defaults to the function's name.
        description: Defaults to the docstring without the lines on parameters.
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
        _check_function(function)
        if timeout is not None and not (is_number(timeout) and timeout > 0):
            raise ConfigurationError(f"timeout={shown(timeout)} must be seconds above 0, or None")
        for option, text in (("name", name), ("description", description)):
            if text is not None and not isinstance(text, str):
                raise ConfigurationError(f"{option}={shown(text)} must be a str, or None")
        self.name: str = _check_name(name or ("" if function is None else own_name(function)))
        self.function: Callable[..., object] | None = function
        self.timeout: float | None = timeout
        signature = Signature(None, [], None)
        if function is not None:
            signature = named_parameters(function, self.name)
        context = context_parameter(self.name, signature.parameters)
        self.context_parameter: str | None = context
        text, described = read_docstring(signature.docstring)
        self._arguments: ArgumentsDecoder = AnnotatedArguments(
            self.name, [one for one in signature.parameters if one.name != context], described
        )
        self.declaration: FunctionDeclaration = FunctionDeclaration(
            name=self.name,
            description=description or text or None,
            parameters_json_schema=self._arguments.schema,
            response_json_schema=result_schema(self.name, signature.result),
        )

    @classmethod
    def from_schema(  # noqa: PLR0913  what a declaration consists of, and the function
        cls,
        name: str,
        description: str | None,
        parameters: Mapping[str, Any] | None,
        function: Callable[..., object] | None = None,
        *,
        unpack: bool = True,
        timeout: float | None = None,
    ) -> Self:
        """Declare a function by a JSON schema that exists already, such as that of an MCP tool.

        The schema is sent unchanged, except for keywords that the API does not take: these are
        translated, written into the description, or left out. Arguments are passed as the model
        wrote them: they are not checked against the schema.

        Args:
            name: The function's name.
            description: What it does, for the model.
            parameters: The JSON schema of an object; None if there are no parameters.
            function: Plain or async. A parameter of the type ``ToolContext`` receives the context
                of the call. Without a function, the calls wait for an answer from elsewhere.
            unpack: Whether to call ``function(**arguments)`` or ``function(arguments)``.
            timeout: Seconds that a call may take; None is no limit.

        Raises:
            ConfigurationError: An argument is not valid.
        """
        check_bool("unpack", unpack)
        _check_function(function)
        tool = cls(None, name=name, description=description, timeout=timeout)
        arguments = GivenArguments(tool.name, parameters, function, unpack=unpack)
        tool._arguments = arguments
        tool.declaration.parameters_json_schema = arguments.schema
        tool.context_parameter = arguments.context_parameter
        tool.function = function
        if function is not None and not unpack:
            tool.function = whole_arguments(function, tool.context_parameter)
        return tool

    def __repr__(self) -> str:
        return f"<FunctionTool {self.name}>"

    def parse(self, call: FunctionCall) -> dict[str, Any]:
        """Return a call's arguments, decoded into the annotated types: ``f(**tool.parse(call))``.

        If strict decoding fails, lax decoding is tried: models write "5" for an integer. A tool
        declared by ``from_schema`` gets the arguments as the model wrote them.

        Raises:
            ToolCallError: The arguments do not match the declaration.
        """
        try:
            return self._arguments.decode(call.args)
        except RecursionError:
            raise ToolCallError(call, "arguments", "they are nested too deeply") from None
        except (TypeError, ValueError, msgspec.ValidationError) as error:
            raise ToolCallError(call, "arguments", str(error)) from None

    def to_response(self, call: FunctionCall, result: object) -> FunctionResponse:
        """Return the response for a result.

        Results that are not objects become {"result": ...}. Media become ``parts`` of the
        response: ``Part`` and ``Blob``, ``(bytes, "image/png")``, images of PIL, and those among
        the items of a list.

        Raises:
            TypeError: The result cannot be written as JSON.
            ValueError: An image of PIL cannot be encoded.
        """
        if isinstance(result, FunctionResponse):
            return msgspec.structs.replace(result, name=call.name, id=call.id)
        rest, media = split_media(result)
        value = msgspec.to_builtins(rest, str_keys=True, enc_hook=encode_model)
        answer = value if isinstance(value, dict) else {"result": value}
        return FunctionResponse(name=call.name, id=call.id, response=answer, parts=media)


ToolLike: TypeAlias = Tool | ToolDict | FunctionTool | Callable[..., object]
"""An item of ``tools``: a tool of the API, as a struct or a dict, or a function."""


DeclaredTool: TypeAlias = Tool | ToolDict | FunctionTool
"""A tool whose declaration is ready: ``as_function_tools`` returns these."""


def as_function_tools(tools: object) -> list[DeclaredTool]:
    """Return the tools, each function as a ``FunctionTool``.

    Raises:
        ConfigurationError: An item is not a tool, a function cannot be declared, or two functions
            have the same name, also if one is in a ``Tool`` or a dict.
    """
    if not isinstance(tools, (list, tuple)):
        raise ConfigurationError(f"tools must be a list, got {type(tools).__name__}")
    made: list[DeclaredTool] = []
    names: set[str] = set()
    for at, item in enumerate(tools):
        tool = item if isinstance(item, (Tool, Mapping)) else _function_tool(item, at)
        for name in _declared_names(tool):
            if name in names:
                has = "is" if isinstance(tool, FunctionTool) else "has"
                raise ConfigurationError(
                    f"tools[{at}] {has} the second function named {name!r}: rename it with"
                    " FunctionTool(..., name=...)"
                )
            names.add(name)
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


def _declared_names(tool: object) -> Iterator[str]:
    if isinstance(tool, FunctionTool):
        yield tool.name
        return
    declarations = getattr(tool, "function_declarations", None)
    if isinstance(tool, Mapping):
        declarations = tool.get("functionDeclarations") or tool.get("function_declarations")
    for one in declarations if isinstance(declarations, (list, tuple)) else ():
        name = one.get("name") if isinstance(one, Mapping) else getattr(one, "name", None)
        if isinstance(name, str):
            yield name


def _function_tool(item: object, at: int) -> FunctionTool:
    if isinstance(item, FunctionTool):
        return item
    if not callable(item) or isinstance(item, type):
        raise ConfigurationError(
            f"tools[{at}] must be a function, a FunctionTool, a Tool or a dict, got {shown(item)}"
        )
    return FunctionTool(item)


def _check_function(function: object) -> None:
    if function is not None and (not callable(function) or isinstance(function, type)):
        raise ConfigurationError(f"FunctionTool needs a function, got {shown(function)}")


def _check_name(name: str) -> str:
    if not re.fullmatch(_NAME, name):
        raise ConfigurationError(
            f"{name!r} is not a valid tool name: use FunctionTool(..., name=...) with up to 128"
            " letters, digits and _:.-, starting with a letter or _"
        )
    return name
