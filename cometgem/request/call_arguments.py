"""The arguments of a call: their schema, and how they are decoded.

Those of an annotated function are declared and decoded by the same annotations; those of a tool
with a schema of its own are passed on as the model wrote them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Protocol, Union, get_args, get_origin

import msgspec

from cometgem.errors import ConfigurationError
from cometgem.request.annotations import decode, encode_model, field_of, resolve
from cometgem.request.arguments import shown
from cometgem.request.media import is_media_type
from cometgem.request.schema import json_schema
from cometgem.request.schema_subset import add_note, to_subset
from cometgem.request.signature import bound_names, hint_of, undeclarable
from cometgem.request.tool_context import is_context
from cometgem.types.content import FunctionResponse
from cometgem.types.wire import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AnnotatedArguments",
    "ArgumentsDecoder",
    "GivenArguments",
    "context_parameter",
    "result_schema",
    "whole_arguments",
]


class ArgumentsDecoder(Protocol):
    """The arguments of one function."""

    schema: dict[str, Any]

    def decode(self, args: dict[str, Any]) -> dict[str, Any]:
        """Return the keyword arguments for the function.

        Raises:
            ValueError: They do not match the schema.
            TypeError: They do not match the function's signature.
        """
        ...


class AnnotatedArguments:
    """Arguments that are declared and decoded by the annotations of a function."""

    def __init__(
        self, name: str, parameters: Sequence[inspect.Parameter], described: Mapping[str, str]
    ) -> None:
        self._defaults: dict[str, Any] = {}  # pydantic's Field, which may make a default each time
        fields: list[Any] = []
        properties: dict[str, Any] = {}
        recursive: dict[str, Any] = {}
        required: list[str] = []
        for one in parameters:
            annotation, default = self._read(one)
            what = f"the parameter {one.name!r} of {name!r}"
            schema = json_schema(annotation, recursive, what)
            if described.get(one.name):
                schema["description"] = " ".join(
                    filter(None, (described[one.name], schema.get("description")))
                )
            if default is one.empty:
                required.append(one.name)
                fields.append((one.name, resolve(annotation)))
            else:
                if default is not None:
                    _note_default(schema, default)
                # Arguments that the model leaves out stay unset, so that Python's defaults apply.
                kind: Any = Union[resolve(annotation), msgspec.UnsetType]  # noqa: UP007
                fields.append((one.name, kind, msgspec.UNSET))
            properties[one.name] = schema
        whole = {"type": "object", "properties": properties, "required": required}
        self.schema: dict[str, Any] = whole | ({"$defs": recursive} if recursive else {})
        self._struct = msgspec.defstruct(
            "Arguments", fields, kw_only=True, forbid_unknown_fields=True
        )

    def _read(self, parameter: inspect.Parameter) -> tuple[Any, Any]:
        """Return the annotation and the default, which pydantic's ``Field`` may give as well."""
        annotation: Any = parameter.annotation
        default: Any = parameter.default
        field = field_of(default)
        if field is not None:
            annotation, default = Annotated[annotation, field], parameter.empty
        else:
            field = field_of(annotation)
        if field is not None and default is parameter.empty and not field.is_required():
            self._defaults[parameter.name] = field
            default = field.get_default(call_default_factory=True)
        return annotation, default

    def decode(self, args: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments in the annotated types."""
        try:
            arguments = msgspec.convert(args, self._struct, dec_hook=decode)
        except msgspec.ValidationError:
            arguments = msgspec.convert(args, self._struct, strict=False, dec_hook=decode)
        given = msgspec.structs.asdict(arguments)
        made = {name: value for name, value in given.items() if value is not msgspec.UNSET}
        for name, field in self._defaults.items():
            if name not in made:
                made[name] = field.get_default(call_default_factory=True)
        return made


class GivenArguments:
    """Arguments that are declared by a schema from elsewhere."""

    def __init__(
        self,
        name: str,
        parameters: Mapping[str, Any] | None,
        function: Callable[..., object] | None,
        *,
        unpack: bool,
    ) -> None:
        self.schema: dict[str, Any] = _object_schema(name, parameters)
        self.context_parameter: str | None = None if function is None else _context_of(function)
        self._hidden = bound_names(function)
        if self.context_parameter is not None:
            self._hidden.add(self.context_parameter)
        declared = self.schema.get("properties", {})
        if hidden := sorted(self._hidden & declared.keys()):
            raise undeclarable(name, hidden[0], "the model must not set it")
        try:
            signature = None if function is None else inspect.signature(function)
        except (TypeError, ValueError):  # such as of some builtins
            signature = None
        self._signature = signature if unpack else None

    def decode(self, args: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments as they are."""
        for name in args:
            if name in self._hidden:
                raise ValueError(f"Object contains unknown field `{name}`")
        if self._signature is not None:
            context = {self.context_parameter: None} if self.context_parameter else {}
            self._signature.bind(**args, **context)
        return dict(args)


def context_parameter(name: str, parameters: Sequence[inspect.Parameter]) -> str | None:
    """Return the name of the parameter that receives the context.

    Raises:
        ConfigurationError: There are several.
    """
    names = [one.name for one in parameters if is_context(one.annotation)]
    if len(names) > 1:
        raise undeclarable(name, names[1], "only one may have the type ToolContext")
    return names[0] if names else None


def result_schema(name: str, annotation: Any) -> dict[str, Any] | None:
    """Return the schema of ``to_response(...).response``; None if the annotation gives none."""
    if annotation in (None, Any, object, type(None)) or _has_media(annotation):
        return None
    recursive: dict[str, Any] = {}
    try:
        schema = json_schema(annotation, recursive, f"the result of {name!r}")
    except ConfigurationError:  # it may still return what JSON can express
        return None
    if "type" not in schema:
        return None
    if schema["type"] != "object":
        schema = {"type": "object", "properties": {"result": schema}, "required": ["result"]}
    return schema | ({"$defs": recursive} if recursive else {})


def whole_arguments(function: Callable[..., object], context: str | None) -> Callable[..., object]:
    """Return a function of keyword arguments that passes them on as one dict."""

    def split(arguments: dict[str, Any]) -> dict[str, Any]:
        return {context: arguments.pop(context)} if context in arguments else {}

    def call(**arguments: Any) -> object:
        more = split(arguments)
        return function(arguments, **more)

    async def call_async(**arguments: Any) -> object:
        more = split(arguments)
        result: Any = function(arguments, **more)
        return await result

    return call_async if _is_async(function) else call


def _is_async(function: Any) -> bool:
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  asks whether it is async, not whether it is callable
    )


def _note_default(schema: dict[str, Any], default: Any) -> None:
    try:
        value = msgspec.to_builtins(default, enc_hook=encode_model)
    except (TypeError, ValueError, RecursionError):  # JSON cannot express it
        return
    add_note(schema, "Default", value)


def _context_of(function: Callable[..., object]) -> str | None:
    try:
        names = [*inspect.signature(function).parameters]
    except (TypeError, ValueError):
        return None
    return next((name for name in names if is_context(hint_of(function, name))), None)


def _object_schema(name: str, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    if parameters is None:
        parameters = {}
    if not isinstance(parameters, Mapping):
        raise ConfigurationError(
            f"the parameters of {name!r} must be a JSON schema, got {shown(parameters)}"
        )
    kind = parameters.get("type")
    if not parameters:
        return {"type": "object", "properties": {}}
    if kind not in (None, "object"):
        raise ConfigurationError(
            f"the parameters of {name!r} must be of the type 'object', got {shown(kind)}"
        )
    try:
        made: dict[str, Any] = msgspec.json.decode(encode(to_subset(parameters)))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"the parameters of {name!r} cannot be written as JSON: {error}"
        ) from error
    return made


def _has_media(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is not None:
        return any(map(_has_media, get_args(annotation)))
    return annotation is FunctionResponse or is_media_type(annotation)
