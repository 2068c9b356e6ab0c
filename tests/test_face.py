"""The public face, by machine: names, docstrings, signatures, and what importing it costs."""

from __future__ import annotations

import ast
import inspect
import pydoc
import re
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import cometgem
from cometgem import Client, CometGemError, GenerateOptions, errors
from cometgem.conversation.options import ConversationOptions
from cometgem.options import CallOptions
from cometgem.request.options import CommonOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

FACES = ["cometgem", "cometgem.types", "cometgem.testing"]

# No name that a user writes, but what public methods hand out.
HANDED_OUT = ["cometgem.stream.TextStream"]

# The caller's own JSON and types: any value is exact.
OWN_JSON = {
    "cometgem.client.Client.chat": {"return"},  # its overloads are exact
    "cometgem.client.Client.load_chat": {"return"},
    "cometgem.conversation.rounds.ConversationStream.__init__": {"on_end"},
    "cometgem.errors.APIStatusError.__init__": {"details"},
    "cometgem.request.functions.FunctionTool.parse": {"return"},
    "cometgem.options.GenerateOptions": {"extra_body"},
    "cometgem.testing.reply.Reply.call": {"args"},
    "cometgem.testing.reply.Reply.chunks": {"items"},
    "cometgem.testing.reply.Reply.usage": {"metadata"},
    "cometgem.types.content.Part.from_function_response": {"response"},
    "cometgem.types.wire.Wire.to_dict": {"return"},
}


def public_classes() -> Iterator[type]:
    names = {f"{face}.{name}" for face in FACES for name in import_module(face).__all__}
    for name in sorted({*names, *HANDED_OUT}):
        module, _, attribute = name.rpartition(".")
        value = getattr(import_module(module), attribute)
        if isinstance(value, type):
            yield value


CLASSES = {f"{cls.__module__}.{cls.__qualname__}": cls for cls in public_classes()}


def methods(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield the class's own public functions, unwrapped, and its constructor."""
    for name, value in vars(cls).items():
        if name.startswith("_") and name != "__init__":
            continue
        function = value.fget if isinstance(value, property) else inspect.unwrap(value)
        function = getattr(function, "__func__", function)
        # msgspec and dataclasses make constructors; those have no code of their own here.
        if inspect.isfunction(function) and Path(function.__code__.co_filename).is_file():
            yield name, function


METHODS = {
    f"{name}.{method}": function
    for name, cls in CLASSES.items()
    for method, function in methods(cls)
}


@pytest.mark.parametrize("face", FACES)
def test_all_is_sorted_and_importable(face: str) -> None:
    module = import_module(face)
    assert module.__all__ == sorted(set(module.__all__))
    assert all(getattr(module, name) is not None for name in module.__all__)


def test_every_error_is_at_the_face() -> None:
    raised = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, CometGemError)
    }
    assert raised <= set(cometgem.__all__)


def test_the_face_only_imports() -> None:
    docstring, *body = ast.parse(Path(cometgem.__file__).read_text("utf-8")).body
    assert isinstance(docstring, ast.Expr)
    assert cometgem.__doc__
    *imports, names = body
    assert all(isinstance(statement, ast.ImportFrom) for statement in imports)
    assert isinstance(names, ast.Assign)
    assert ast.unparse(names.targets[0]) == "__all__"


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_says_what_it_is(name: str) -> None:
    docstring = vars(CLASSES[name])["__doc__"]
    assert docstring
    assert not docstring.startswith(f"{CLASSES[name].__name__}(")  # a dataclass's own


@pytest.mark.parametrize("name", METHODS)
def test_every_method_says_what_it_does(name: str) -> None:
    if not name.endswith(".__init__"):  # the class's docstring describes construction
        assert METHODS[name].__doc__


@pytest.mark.parametrize("name", METHODS)
def test_every_signature_is_exact(name: str) -> None:
    parameters = inspect.signature(METHODS[name]).parameters.values()
    hints = {
        parameter.name: str(parameter.annotation)
        for parameter in parameters
        if parameter.name not in ("self", "cls", "_")
    }
    hints["return"] = str(inspect.signature(METHODS[name]).return_annotation)
    assert not [name for name, hint in hints.items() if "_empty" in hint]
    vague = {name for name, hint in hints.items() if "Any" in hint}
    assert vague == OWN_JSON.get(name, set())


def test_the_clients_constructor() -> None:
    assert str(inspect.signature(Client).replace(return_annotation=None)) == (
        "(api_key: 'str | Secret | None' = None, *,"
        " base_url: 'str | None' = None,"
        " auth: 'Auth' = 'x-goog-api-key',"
        " timeouts: 'Timeouts' ="
        " Timeouts(connect=10.0, stall=300.0, first_chunk=None, total=None),"
        " retry: 'RetryPolicy' = RetryPolicy(attempts=3, initial=0.5, maximum=30.0),"
        " headers: 'Mapping[str, str] | None' = None,"
        " session: 'aiohttp.ClientSession | None' = None,"
        " max_event_size: 'int' = 67108864,"
        " max_connections: 'int | None' = None,"
        " allow_insecure: 'bool' = False)"
        " -> None"
    )


def test_both_operations_take_the_same() -> None:
    one = inspect.signature(Client.generate_content)
    other = inspect.signature(Client.stream_generate_content)
    assert one.parameters == other.parameters
    assert str(one.replace(return_annotation=None)) == (
        "(self, model: 'str', contents: 'Contents', **options: 'Unpack[GenerateOptions]') -> None"
    )
    assert one.return_annotation == "GenerateContentResponse"
    assert other.return_annotation == "GenerateContentStream"


def test_the_options() -> None:
    assert sorted(GenerateOptions.__optional_keys__) == [
        "cached_content",
        "extra_body",
        "generation_config",
        "headers",
        "retry",
        "safety_settings",
        "system_instruction",
        "thinking",
        "thoughts",
        "timeouts",
        "tool_config",
        "tools",
    ]
    assert not GenerateOptions.__required_keys__
    docstring = "\n".join(
        map(str, map(inspect.getdoc, (CommonOptions, CallOptions, GenerateOptions)))
    )
    for name, hint in GenerateOptions.__annotations__.items():
        text = hint.__forward_arg__
        assert f"\n    {name}: " in docstring
        assert text.endswith(" | None")  # as good as not given
        assert ("Any" in text) == (name in OWN_JSON["cometgem.options.GenerateOptions"])


def listed(method: Any) -> dict[str, str]:
    """Return the options that a method's docstring lists, each with what it says of them."""
    pattern = r"^ {8}(\w+): (.+(?:\n {12}.+)*)"
    return dict(re.findall(pattern, inspect.getdoc(method) or "", re.MULTILINE))


@pytest.mark.parametrize("method", [Client.generate_content, Client.stream_generate_content])
def test_help_lists_every_option(method: Any) -> None:
    options = listed(method)
    assert options.keys() == GenerateOptions.__annotations__.keys()
    assert options == listed(Client.generate_content)
    units = {"thinking": "tokens", "timeouts": "seconds", "retry": "seconds"}
    assert all(unit in options[name] for name, unit in units.items())
    assert "tokens" in options["generation_config"]


@pytest.mark.parametrize("method", [Client.run_tools, Client.chat])
def test_help_lists_the_options_of_a_conversation(method: Any) -> None:
    options = listed(method)
    own = ConversationOptions.__annotations__.keys() - CallOptions.__annotations__.keys()
    assert options.keys() == own
    assert options == listed(Client.run_tools)
    # The other options are those of a request, which this method lists.
    assert "``stream_generate_content``" in (inspect.getdoc(method) or "")
    assert CallOptions.__annotations__.keys() < listed(Client.stream_generate_content).keys()


@pytest.mark.parametrize("name", ["generate_content", "stream_generate_content"])
def test_help_shows_the_list(name: str) -> None:
    text = pydoc.render_doc(getattr(Client, name), renderer=pydoc.plaintext)
    assert all(f" {option}: " in text for option in GenerateOptions.__annotations__)


def test_importing_is_cheap() -> None:
    code = "import sys, cometgem; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    imported = set(done.stdout.split())
    assert {"aiohttp", "cometgem.client"} <= imported
    assert not imported & {
        "aiohttp.web",
        "argparse",
        "cometgem.cli.main",
        "cometgem.cli.demo",
        "cometgem.testing",
        "cometgem.types.dicts",
        "pytest",
    }


def test_the_version_is_the_packages() -> None:
    try:
        installed = metadata.version("cometgem")
    except metadata.PackageNotFoundError:
        pytest.skip("cometgem is not installed")
    assert cometgem.__version__ == installed
