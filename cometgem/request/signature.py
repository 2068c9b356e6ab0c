"""What Python tells of a function: its name, docstring, parameters and evaluated annotations."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from cometgem.errors import ConfigurationError
from cometgem.request.annotations import bind_type_variables, substitute

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Signature", "bound_names", "hint_of", "named_parameters", "own_name", "undeclarable"]


class Signature(NamedTuple):
    """How a function may be called by the model.

    Attributes:
        docstring: That of the function, or of what it wraps.
        parameters: With evaluated annotations; without those that ``functools.partial`` binds.
        result: The evaluated return annotation; None if there is none that can be evaluated.
    """

    docstring: str | None
    parameters: list[inspect.Parameter]
    result: Any


def own_name(function: Callable[..., object]) -> str:
    """Return a function's name, that of the function in a ``partial``, or ""."""
    return str(getattr(function, "__name__", "") or getattr(_unbound(function), "__name__", ""))


def bound_names(function: object) -> set[str]:
    """Return the keyword arguments that ``functools.partial`` binds."""
    names: set[str] = set()
    while isinstance(function, partial) or hasattr(function, "__wrapped__"):
        if isinstance(function, partial):
            names |= function.keywords.keys()
            function = function.func
        else:
            function = function.__wrapped__
    return names


def named_parameters(function: Callable[..., object], name: str) -> Signature:
    """Return the signature of a function whose arguments are passed by name.

    Raises:
        ConfigurationError: It has no signature, or a parameter that cannot be passed by name, has
            no annotation, or has one that cannot be evaluated.
    """
    bound = bound_names(function)
    signature = _signature(function, name)
    hints = _Hints(function, name)
    parameters = []
    for one in signature.parameters.values():
        if one.name in bound:
            continue
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD, one.POSITIONAL_ONLY):
            raise undeclarable(name, one.name, "the model passes each argument by name")
        if not hints.has(one.name):
            raise undeclarable(name, one.name, "it has no annotation")
        parameters.append(one.replace(annotation=hints.evaluate(one.name)))
    try:
        result = hints.evaluate("return") if hints.has("return") else None
    except ConfigurationError:  # what a function returns need not be declared
        result = None
    return Signature(_docstring(function), parameters, result)


def hint_of(function: Callable[..., object], parameter: str) -> Any:
    """Return the evaluated annotation of one parameter; None if it cannot be evaluated."""
    try:
        hints = _Hints(function, "")
        return hints.evaluate(parameter) if hints.has(parameter) else None
    except ConfigurationError:
        return None


def undeclarable(name: str, parameter: str, why: str) -> ConfigurationError:
    """Return the error for a parameter that cannot be declared."""
    return ConfigurationError(f"the parameter {parameter!r} of {name!r} cannot be declared: {why}")


class _Hints:
    """The annotations of a function, evaluated one by one: what is not declared may be wrong."""

    def __init__(self, function: Callable[..., object], name: str) -> None:
        self._name = name
        target = _annotated(function)
        self._globals: dict[str, Any] = getattr(target, "__globals__", {})
        self._locals: dict[str, Any] = _enclosing_names(target)
        try:
            self._annotations = dict(getattr(target, "__annotations__", {}))
        except Exception as error:
            raise _not_evaluable(name, error) from error
        owner = getattr(_unbound(function), "__self__", None)
        self._variables = bind_type_variables(owner)
        for one in (target, *type(owner).__mro__, *getattr(owner, "__mro__", ())):
            for variable in getattr(one, "__type_params__", ()):
                self._locals.setdefault(variable.__name__, variable)

    def has(self, parameter: str) -> bool:
        return parameter in self._annotations

    def evaluate(self, parameter: str) -> Any:
        def holder() -> None: ...

        holder.__annotations__ = {parameter: self._annotations[parameter]}
        try:
            hints = get_type_hints(holder, self._globals, self._locals, include_extras=True)
        except NameError as error:
            why = f"{error} where the function is defined"
            raise undeclarable(self._name, parameter, why) from error
        except Exception as error:  # annotations as text are code of the caller
            raise _not_evaluable(self._name, error) from error
        return (
            substitute(hints[parameter], self._variables) if self._variables else hints[parameter]
        )


def _not_evaluable(name: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"the annotations of {name!r} cannot be evaluated: {type(error).__name__}: {error}"
    )


def _signature(function: Callable[..., object], name: str) -> inspect.Signature:
    try:
        return inspect.signature(_plain(function))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{name!r} has no signature that Python can read, like some builtins: wrap it in a"
            " function with annotations"
        ) from error
    except Exception as error:
        raise _not_evaluable(name, error) from error


def _plain(function: Any) -> Any:
    """Return a partial as it was made: after ``functools.wraps`` its signature is the other's."""
    if not isinstance(function, partial):
        return function
    return partial(_plain(function.func), *function.args, **function.keywords)


def _unbound(function: Any) -> Any:
    """Return the function inside ``functools.partial``."""
    while isinstance(function, partial):
        function = function.func
    return function


def _annotated(function: Any) -> Any:
    """Return the object that has the annotations: inside partials and decorators."""
    target = inspect.unwrap(_unbound(function))
    while isinstance(target, partial):
        target = inspect.unwrap(target.func)
    if not inspect.isroutine(target):  # an object with __call__
        target = inspect.unwrap(type(target).__call__)
    return getattr(target, "__func__", target)


def _docstring(function: Any) -> str | None:
    """Return the docstring: a partial's own says what partials are, a class's what it makes."""
    for one in (function, _unbound(function)):
        own = vars(one).get("__doc__") if hasattr(one, "__dict__") else None
        if isinstance(own, str):
            return own
    target = _unbound(function)
    if not inspect.isroutine(inspect.unwrap(target)):
        target = _first_with_docstring(type(target).__call__, type(target))
    docstring = getattr(target, "__doc__", None)
    return docstring if isinstance(docstring, str) else None


def _first_with_docstring(*targets: Any) -> Any:
    return next((one for one in targets if getattr(one, "__doc__", None)), None)


def _enclosing_names(target: Any) -> dict[str, Any]:
    """Return the names in the functions around a local one, such as classes defined there.

    Annotations as text do not see them by themselves. A function that is still being executed is
    found on the stack, and recognised by its qualified name and its globals.
    """
    names: dict[str, Any] = {}
    outer = str(getattr(target, "__qualname__", ""))
    around = []
    while "<locals>" in outer:
        outer = outer.rpartition(".<locals>")[0]
        around.append(outer)
    frame = inspect.currentframe() if around else None
    found: dict[str, dict[str, Any]] = {}
    while frame is not None:
        code = frame.f_code
        if code.co_qualname in around and frame.f_globals is target.__globals__:
            found.setdefault(code.co_qualname, dict(frame.f_locals))
        frame = frame.f_back
    for outer in reversed(around):
        names |= found.get(outer, {})
    names_of_cells = getattr(getattr(target, "__code__", None), "co_freevars", ())
    for name, cell in zip(names_of_cells, getattr(target, "__closure__", None) or (), strict=False):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return names
