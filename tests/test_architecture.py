"""Laws 1 to 3 of the house: pure rooms, one door to each foreign package, imports downwards.

The imports are read, not run, so those under TYPE_CHECKING and inside functions count as well.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import cometgem

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(cometgem.__file__).parent

# A room may import the floors below its own and, on its own floor, the rooms before it.
FLOORS = (
    ("version", "types", "errors"),
    ("request", "response"),
    ("http",),
    ("options", "warn", "single", "views", "stream"),
    ("conversation",),
    ("client",),
    ("testing",),
    ("cli", "__main__"),
    ("__init__",),  # the public face: it shows all rooms, and no room imports it
)
ROOMS = [room for floor in FLOORS for room in floor]

# Rooms of the same floor that must not know each other.
STRANGERS = {("response", "request")}

# Which rooms may import a third-party package.
DOORS = {
    "aiohttp": {"http", "testing"},
    "anyio": {"conversation"},
    "markdown_it": {"cli"},
    "msgspec": {"types", "request", "response", "http", "conversation"},
    "multidict": {"testing"},
    "prompt_toolkit": {"cli"},
    "pytest": {"testing"},
    "rich": {"cli"},
    "yarl": {"http"},
}

# Narrower than a room: of `http/` only the transport opens the door to aiohttp.
ONE_FILE = {
    ("http", "aiohttp"): {
        "cometgem.http.transport",
        "cometgem.http.connections",
        "cometgem.http.response",
    },
    ("http", "yarl"): {"cometgem.http.transport"},
    ("cli", "prompt_toolkit"): {"cometgem.cli.line_input"},
    ("cli", "rich"): {"cometgem.cli.markdown"},
    ("cli", "markdown_it"): {"cometgem.cli.markdown"},
}

# Imported for annotations only, never at run time.
ONLY_TYPES = {"client": {"aiohttp"}}

# All that pure modules may import from the standard library. A list of what they may not would
# not know the next clock; modules that mix both, such as datetime, are listed by name.
PURE_ROOMS = {"version", "errors", "types", "request", "response"}
# Control laws: what they decide depends on their arguments alone.
PURE_MODULES = {"cometgem.http.timeouts", "cometgem.http.retry", "cometgem.conversation.turns"}
PURE = {
    "__future__",
    "collections.abc",
    "contextlib",
    "copy.deepcopy",
    "datetime.UTC",
    "difflib",
    "email.utils.parsedate_to_datetime",
    "enum",
    "functools",
    "http.HTTPStatus",
    "inspect",
    "ipaddress",
    "itertools",
    "json",
    "math",
    "re",
    "typing",
    "urllib.parse",
}
PURE_BUT = {
    # Part.from_file
    "cometgem.types.content": {"mimetypes", "os.PathLike"},
    "cometgem.types.files": {
        *("builtins.open", "errno", "pathlib.Path", "stat.S_ISDIR", "stat.S_ISREG"),
        *("os.O_NONBLOCK", "os.PathLike", "os.fsencode", "os.fstat", "os.open", "sys"),
    },
}


class Import(NamedTuple):
    """One imported name, such as `collections.abc.Mapping`."""

    name: str
    line: int
    only_types: bool


def read_imports(source: str, package: str) -> Iterator[Import]:
    """Yield all names that a module's source imports, wherever in it."""
    todo: list[tuple[ast.AST, bool]] = [(ast.parse(source), False)]
    while todo:
        node, only_types = todo.pop()
        match node:
            case ast.Import(names=names):
                yield from (Import(name.name, node.lineno, only_types) for name in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                above = package.split(".")[: 1 - level or None] if level else []
                base = ".".join([*above, module] if module else above)
                for name in names:
                    yield Import(f"{base}.{name.name}", node.lineno, only_types)
            case ast.If(test=ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                todo += [(child, True) for child in node.body]
                todo += [(child, only_types) for child in node.orelse]
            case _:
                todo += [(child, only_types) for child in ast.iter_child_nodes(node)]


def room_of(module: str) -> str:
    """Return the room of `cometgem.ROOM...`; whatever is no room is the face."""
    _, _, path = module.partition(".")
    return path.split(".")[0] or "__init__"


def is_in(name: str, allowed: set[str]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in allowed)


def problems(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """Return what a module imports against the laws."""
    room = room_of(module)
    if room not in ROOMS:
        return [f"{module} has no place in FLOORS"]
    package = module if is_package else module.rpartition(".")[0]
    found = []
    for name, line, only_types in read_imports(source, package):
        if only_types and is_in(name, ONLY_TYPES.get(room, set())):
            continue
        top = name.split(".")[0]
        if top == "cometgem":
            wrong = _looks_up(room, name)
        elif top in sys.stdlib_module_names:
            allowed = PURE | PURE_BUT.get(module, set())
            pure = room in PURE_ROOMS or module in PURE_MODULES
            wrong = "is not pure" if pure and not is_in(name, allowed) else ""
        elif top not in DOORS:
            wrong = "has no place in DOORS"
        else:
            doors = ONE_FILE.get((room, top), {module})
            wrong = "" if room in DOORS[top] and module in doors else "has other doors"
        if wrong:
            found.append(f"{module}, line {line}: {name} {wrong}")
    return found


def _looks_up(room: str, name: str) -> str:
    target = room_of(name)
    if target not in ROOMS:
        target = "__init__"  # `from cometgem import Client`
    if target == room != "__init__":
        return ""
    floor = next(floor for floor in FLOORS if room in floor)
    below = ROOMS[: ROOMS.index(floor[0])]
    before = floor[: floor.index(room)]
    allowed = target in (*below, *before) and (room, target) not in STRANGERS
    return "" if allowed else "is not below"


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("cometgem", *parts)).removesuffix(".__init__")


MODULES = {module_of(path): path for path in sorted(ROOT.rglob("*.py"))}


@pytest.mark.parametrize("module", MODULES)
def test_laws(module: str) -> None:
    path = MODULES[module]
    source = path.read_text("utf-8")
    assert problems(module, source, is_package=path.name == "__init__.py") == []


def circles(imports: dict[str, set[str]]) -> list[str]:
    """Return the modules that import themselves by way of others: what no order can lay out."""
    left = {module: set(targets) for module, targets in imports.items()}
    while free := [module for module, targets in left.items() if not targets & left.keys()]:
        for module in free:
            del left[module]
    return sorted(left)


def module_imports(module: str, path: Path) -> set[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names = {one.name for one in read_imports(path.read_text("utf-8"), package)}
    return {name if name in MODULES else name.rpartition(".")[0] for name in names} & MODULES.keys()


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert circles({module: module_imports(module, path) for module, path in MODULES.items()}) == []


def test_a_circle_would_be_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == ["a", "b", "c", "d"]
    assert circles({"a": {"b"}, "b": set(), "c": {"a", "b"}}) == []


def test_every_place_in_the_table_is_taken() -> None:
    assert set(map(room_of, MODULES)) == set(ROOMS)


@pytest.mark.parametrize(
    ("module", "source", "problem"),
    [
        ("cometgem.utils", "", "cometgem.utils has no place in FLOORS"),
        ("cometgem.response.sse", "import time", "time is not pure"),
        ("cometgem.response.sse", "import asyncio", "asyncio is not pure"),
        ("cometgem.response.sse", "import asyncio.subprocess", "asyncio.subprocess is not pure"),
        ("cometgem.response.sse", "from datetime import datetime", "datetime.datetime is not pure"),
        ("cometgem.response.sse", "from http import client", "http.client is not pure"),
        ("cometgem.response.sse", "from pathlib import Path", "pathlib.Path is not pure"),
        ("cometgem.types.content", "from os import getenv", "os.getenv is not pure"),
        ("cometgem.types.enums", "import random", "random is not pure"),
        ("cometgem.errors", "import socket", "socket is not pure"),
        ("cometgem.response.sse", "import anyio", "anyio has other doors"),
        ("cometgem.response.sse", "def f():\n    import aiohttp", "aiohttp has other doors"),
        ("cometgem.stream", "import aiohttp", "aiohttp has other doors"),
        ("cometgem.client", "import aiohttp", "aiohttp has other doors"),
        ("cometgem.client", "from yarl import URL", "yarl.URL has other doors"),
        ("cometgem.client", "import httpx", "httpx has no place in DOORS"),
        ("cometgem.stream", "from cometgem.client import Client", "Client is not below"),
        ("cometgem.stream", "from .client import Client", "cometgem.client.Client is not below"),
        ("cometgem.stream", "from . import client", "cometgem.client is not below"),
        ("cometgem.testing.reply", "from ..cli import main", "cometgem.cli.main is not below"),
        ("cometgem.http.transport", "from cometgem import stream", "cometgem.stream is not below"),
        ("cometgem.request.build", "import cometgem.response.codec", "codec is not below"),
        ("cometgem.http.retry", "import time", "time is not pure"),
        ("cometgem.http.attempts", "import aiohttp", "aiohttp has other doors"),
        ("cometgem.client", "from cometgem import Tool", "cometgem.Tool is not below"),
        ("cometgem.client", "import cometgem", "cometgem is not below"),
        ("cometgem.client", "from cometgem.testing import Reply", "testing.Reply is not below"),
        ("cometgem.types.tools", "from cometgem.response.sse import x", "sse.x is not below"),
        ("cometgem.types.wire", "import cometgem.errors", "cometgem.errors is not below"),
        (
            "cometgem.http.retry",
            "if TYPE_CHECKING:\n    from cometgem.stream import TextStream",
            "line 2: cometgem.stream.TextStream is not below",
        ),
        (
            "cometgem.client",
            "if TYPE_CHECKING:\n    pass\nelse:\n    import aiohttp",
            "line 4: aiohttp has other doors",
        ),
    ],
)
def test_each_law_can_be_broken(module: str, source: str, problem: str) -> None:
    (found,) = problems(module, source)
    assert found.endswith(problem)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("cometgem.client", "if typing.TYPE_CHECKING:\n    import aiohttp"),
        (
            "cometgem.http.transport",
            "import time, aiohttp\nfrom cometgem.http.deadline import Deadline",
        ),
        ("cometgem.response.chunks", "from .sse import SSEDecoder\nfrom urllib.parse import quote"),
        (
            "cometgem.cli.demo",
            "from cometgem.testing import Reply\nfrom cometgem.types import Part",
        ),
    ],
)
def test_what_the_laws_allow(module: str, source: str) -> None:
    assert problems(module, source) == []


def test_a_package_imports_from_itself() -> None:
    assert problems("cometgem.testing", "from .server import FakeServer", is_package=True) == []
    (found,) = problems("cometgem.testing", "from ..cli import main", is_package=True)
    assert found.endswith("cometgem.cli.main is not below")
