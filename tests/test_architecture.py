"""The laws of the package's architecture, checked by reading the imports of every module.

1. `types/`, `request/` and `response/` are pure: no I/O, no clock, no random numbers.
2. Each third-party package is imported in one place: aiohttp only in `http/transport.py`.
3. Imports run downwards and never in a circle.

The source is parsed, not run, so imports under TYPE_CHECKING and inside functions count as well.
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

# A room is a folder or a module of the package. It may import every room on the floors below its
# own, and the rooms before it on its own floor.
FLOORS = (
    ("version", "types", "errors"),
    ("request", "response"),
    ("http",),
    (
        *("files", "hops", "options", "warn", "single", "typed_single", "views", "stream"),
        *("item_stream", "typed_stream"),
    ),
    ("conversation",),
    ("client",),
    ("web", "bulk"),
    ("testing",),
    ("cli", "__main__"),
    ("__init__",),  # the public names: imported by no room
)
ROOMS = [room for floor in FLOORS for room in floor]

# Exceptions to that rule: pairs of rooms of which the first must not import the second.
STRANGERS = {
    ("response", "request"),
    ("__init__", "testing"),  # `import cometgem` costs nothing that only tests need
    ("__init__", "cli"),
    ("__init__", "bulk"),
    ("bulk", "web"),
    # A fake server that shared the client's code would share its mistakes.
    ("testing", "http"),
    ("testing", "hops"),
    ("testing", "options"),
    ("testing", "single"),
    ("testing", "stream"),
    ("testing", "views"),
    ("testing", "conversation"),
    ("testing", "client"),
    ("testing", "bulk"),
}

# Doors from a module to rooms above it, which are imported when they are used.
UPWARDS = {
    "cometgem.client": {
        *("cometgem.bulk.budget.Budget", "cometgem.bulk.budget.Spending"),
        *("cometgem.bulk.limiter.Limiter", "cometgem.bulk.limits.Limits"),
        *("cometgem.bulk.map.MapRun", "cometgem.bulk.plan.Rerun", "cometgem.bulk.plan.plan"),
        *("cometgem.bulk.progress.Progress", "cometgem.bulk.row.Calls"),
    },
}

# The rooms that may import each third-party package.
DOORS = {
    "aiohttp": {"http", "testing", "web"},
    "anyio": {"conversation", "files"},
    "django": {"web"},
    "markdown_it": {"cli"},
    "msgspec": {"types", "request", "response", "http", "conversation", "web", "bulk"},
    "multidict": {"testing"},
    "prompt_toolkit": {"cli"},
    "pyarrow": {"cli"},
    "pytest": {"testing"},
    "quart": {"web"},
    "redis": {"web", "bulk"},
    "rich": {"cli"},
    "starlette": {"web"},
    "yarl": {"http"},
}

# Where only some modules of a room may import a package. The door to aiohttp has three leaves:
# the session, its connector, and its responses.
SOME_FILES = {
    ("http", "aiohttp"): {
        "cometgem.http.transport",
        "cometgem.http.connections",
        "cometgem.http.response",
    },
    **{
        ("web", one): {"cometgem.web.respond"}
        for one in ("aiohttp", "django", "quart", "starlette")
    },
    ("web", "redis"): {"cometgem.web.redis_streams"},
    ("bulk", "redis"): {"cometgem.bulk.shared_law"},
    ("http", "yarl"): {"cometgem.http.transport"},
    ("cli", "prompt_toolkit"): {"cometgem.cli.line_input"},
    ("cli", "pyarrow"): {"cometgem.cli.parquet"},
    ("cli", "rich"): {"cometgem.cli.batch_progress", "cometgem.cli.markdown"},
    ("cli", "markdown_it"): {"cometgem.cli.markdown"},
}

# Packages that a room may import for annotations only, under TYPE_CHECKING.
ONLY_TYPES = {
    "client": {"aiohttp", "typing_extensions"},
    "conversation": {"typing_extensions"},
    "typed_stream": {"typing_extensions"},
}

# Rooms and modules that are pure. The modules decide what to do (retry, time out, replay a
# conversation) and leave doing it to others. A pure module imports pure modules only.
PURE_ROOMS = {"version", "errors", "types", "request", "response"}
PURE_MODULES = {
    "cometgem.http.timeouts",
    "cometgem.http.retry",
    "cometgem.conversation.turns",
    "cometgem.bulk.limits",
    "cometgem.bulk.rate",
    "cometgem.bulk.tokens",
    "cometgem.bulk.law",
    "cometgem.bulk.budget",
    "cometgem.bulk.judge",
    "cometgem.bulk.key_table",
    "cometgem.bulk.lines",
    "cometgem.bulk.progress",
    "cometgem.bulk.result",
}
PURE_PACKAGES = {"msgspec"}

# What pure modules may import from the standard library. A list of forbidden modules would miss
# the next clock; of modules that are partly pure, such as datetime, the pure names are listed.
PURE = {
    "__future__",
    "base64.b64encode",
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
    "io.BytesIO",
    "ipaddress",
    "itertools",
    "json",
    "math",
    "operator",
    "re",
    "types.UnionType",
    "typing",
    "unicodedata",
    "urllib.parse",
}
ALSO_PURE = {
    "cometgem.response.json_frame": {"sys"},  # its version
    # Part.from_file
    "cometgem.types.content": {"os.PathLike"},
    "cometgem.types.mime": {"mimetypes"},
    "cometgem.types.files": {
        *("builtins.open", "errno", "pathlib.Path", "stat.S_ISDIR", "stat.S_ISREG"),
        *("os.O_NONBLOCK", "os.PathLike", "os.fsencode", "os.fstat", "os.open", "sys"),
    },
    "cometgem.bulk.key_table": {"array.array"},
    "cometgem.bulk.lines": {"hashlib"},
    # Part.from_image
    "cometgem.types.pictures": {"io.BytesIO"},
    # Image.save and Audio.save
    "cometgem.types.media": {"os.PathLike", "pathlib.Path"},
    "cometgem.types.saving": {"os.PathLike", "pathlib.Path"},
    # a Path among the contents
    "cometgem.request.contents": {"os.PathLike"},
}


class Import(NamedTuple):
    """One imported name, such as `collections.abc.Mapping`."""

    name: str
    line: int
    only_types: bool


def read_imports(source: str, package: str) -> Iterator[Import]:
    """Yield every name that the source of a module imports, at any depth."""
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
    """Return the room of `cometgem.ROOM...`; the package itself is `__init__`."""
    _, _, path = module.partition(".")
    return path.split(".")[0] or "__init__"


def is_in(name: str, allowed: set[str]) -> bool:
    """Return whether a name is in a set, or inside something that is."""
    return any(name == one or name.startswith(f"{one}.") for one in allowed)


def is_pure(module: str) -> bool:
    return room_of(module) in PURE_ROOMS or is_in(module, PURE_MODULES)


def problems(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """Return the imports of a module that break a law."""
    room = room_of(module)
    if room not in ROOMS:
        return [f"{module} is missing from FLOORS"]
    package = module if is_package else module.rpartition(".")[0]
    found = []
    for one in read_imports(source, package):
        if one.only_types and is_in(one.name, ONLY_TYPES.get(room, set())):
            continue
        if wrong := _problem(module, one):
            found.append(f"{module}, line {one.line}: {one.name} {wrong}")
    return found


def _problem(module: str, one: Import) -> str:
    room, top = room_of(module), one.name.split(".")[0]
    if top == "cometgem":
        if not (_is_below(room, one.name) or one.name in UPWARDS.get(module, ())):
            return "is not below"
        pure = is_pure(one.name) or one.only_types
    elif top in sys.stdlib_module_names:
        pure = is_in(one.name, PURE | ALSO_PURE.get(module, set()))
    elif top not in DOORS:
        return "is missing from DOORS"
    else:
        pure = top in PURE_PACKAGES
    if is_pure(module) and not pure:
        return "is not pure"
    leaves = SOME_FILES.get((room, top), {module})
    if top in DOORS and (room not in DOORS[top] or module not in leaves):
        return "may not be imported here"
    return ""


def _is_below(room: str, name: str) -> bool:
    target = room_of(name)
    if target not in ROOMS:
        target = "__init__"  # `from cometgem import Client`
    if target == room != "__init__":
        return True
    floor = next(floor for floor in FLOORS if room in floor)
    below = ROOMS[: ROOMS.index(floor[0])]
    before = floor[: floor.index(room)]
    return target in (*below, *before) and (room, target) not in STRANGERS


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(("cometgem", *parts)).removesuffix(".__init__")


# A folder without __init__.py is data: the wheel has an example in one, which is never imported.
MODULES = {
    module_of(path): path
    for path in sorted(ROOT.rglob("*.py"))
    if path.with_name("__init__.py").exists()
}


@pytest.mark.parametrize("module", MODULES)
def test_module_keeps_the_laws(module: str) -> None:
    path = MODULES[module]
    source = path.read_text("utf-8")
    assert problems(module, source, is_package=path.name == "__init__.py") == []


def circles(imports: dict[str, set[str]]) -> list[str]:
    """Return the modules that import themselves through others, and those that import these."""
    left = {module: set(targets) for module, targets in imports.items()}
    while free := [module for module, targets in left.items() if not targets & left.keys()]:
        for module in free:
            del left[module]
    return sorted(left)


def module_imports(module: str, path: Path) -> set[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names = {one.name for one in read_imports(path.read_text("utf-8"), package)}
    return {name if name in MODULES else name.rpartition(".")[0] for name in names} & MODULES.keys()


def test_no_circular_imports() -> None:
    assert circles({module: module_imports(module, path) for module, path in MODULES.items()}) == []


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == ["a", "b", "c", "d"]
    assert circles({"a": {"b"}, "b": set(), "c": {"a", "b"}}) == []


def test_every_room_in_the_table_exists() -> None:
    assert set(map(room_of, MODULES)) == set(ROOMS)


@pytest.mark.parametrize(
    ("module", "source", "problem"),
    [
        ("cometgem.utils", "", "cometgem.utils is missing from FLOORS"),
        ("cometgem.response.sse", "import time", "time is not pure"),
        ("cometgem.response.sse", "import asyncio", "asyncio is not pure"),
        ("cometgem.response.sse", "import asyncio.subprocess", "asyncio.subprocess is not pure"),
        ("cometgem.response.sse", "from datetime import datetime", "datetime.datetime is not pure"),
        ("cometgem.response.sse", "from http import client", "http.client is not pure"),
        ("cometgem.response.sse", "from pathlib import Path", "pathlib.Path is not pure"),
        ("cometgem.types.content", "from os import getenv", "os.getenv is not pure"),
        ("cometgem.types.enums", "import random", "random is not pure"),
        ("cometgem.errors", "import socket", "socket is not pure"),
        ("cometgem.response.sse", "import anyio", "anyio is not pure"),
        ("cometgem.response.sse", "def f():\n    import aiohttp", "aiohttp is not pure"),
        ("cometgem.stream", "import aiohttp", "aiohttp may not be imported here"),
        ("cometgem.client", "import aiohttp", "aiohttp may not be imported here"),
        ("cometgem.client", "from yarl import URL", "yarl.URL may not be imported here"),
        ("cometgem.client", "import httpx", "httpx is missing from DOORS"),
        ("cometgem.stream", "from cometgem.client import Client", "Client is not below"),
        ("cometgem.stream", "from .client import Client", "cometgem.client.Client is not below"),
        ("cometgem.stream", "from . import client", "cometgem.client is not below"),
        ("cometgem.testing.reply", "from ..cli import main", "cometgem.cli.main is not below"),
        ("cometgem.http.transport", "from cometgem import stream", "cometgem.stream is not below"),
        ("cometgem.request.build", "import cometgem.response.codec", "codec is not below"),
        ("cometgem.http.retry", "import time", "time is not pure"),
        ("cometgem.http.attempts", "import aiohttp", "aiohttp may not be imported here"),
        ("cometgem.http.retry", "import cometgem.http.deadline", "http.deadline is not pure"),
        ("cometgem.http.timeouts", "from .transport import Transport", "Transport is not pure"),
        ("cometgem.http.timeouts", "import asyncio", "asyncio is not pure"),
        ("cometgem.request.build", "import aiohttp", "aiohttp is not pure"),
        ("cometgem.request.build", "import anyio", "anyio is not pure"),
        ("cometgem.request.build", "import asyncio", "asyncio is not pure"),
        ("cometgem.request.keys", "import time", "time is not pure"),
        ("cometgem.request.keys", "import random", "random is not pure"),
        ("cometgem.response.merge", "import random", "random is not pure"),
        ("cometgem.response.merge", "import importlib", "importlib is not pure"),
        ("cometgem.conversation.turns", "import anyio", "anyio is not pure"),
        ("cometgem.conversation.turns", "import time", "time is not pure"),
        ("cometgem.conversation.turns", "from .rounds import Rounds", "Rounds is not pure"),
        ("cometgem.conversation.turns", "from cometgem.stream import X", "stream.X is not pure"),
        ("cometgem.conversation.rounds", "import aiohttp", "aiohttp may not be imported here"),
        ("cometgem.conversation.chat", "from cometgem.client import Client", "Client is not below"),
        ("cometgem.single", "from cometgem.stream import X", "cometgem.stream.X is not below"),
        ("cometgem.single", "import aiohttp", "aiohttp may not be imported here"),
        ("cometgem.options", "import cometgem.conversation.options", "options is not below"),
        ("cometgem.http.deadline", "from yarl import URL", "yarl.URL may not be imported here"),
        ("cometgem.http.attempts", "import cometgem.single", "cometgem.single is not below"),
        ("cometgem.response.chunks", "import cometgem.http.retry", "http.retry is not below"),
        ("cometgem.bulk.rate", "import time", "time is not pure"),
        ("cometgem.bulk.law", "from .limiter import Lease", "Lease is not pure"),
        ("cometgem.bulk.limiter", "import redis", "redis may not be imported here"),
        ("cometgem.client", "from cometgem.bulk import Limits", "bulk.Limits is not below"),
        ("cometgem", "from cometgem.bulk.limits import Limits", "Limits is not below"),
        ("cometgem.client", "import cometgem.cli.main", "cometgem.cli.main is not below"),
        ("cometgem.conversation.chat", "import cometgem.cli", "cometgem.cli is not below"),
        ("cometgem", "from cometgem.cli.main import main", "cometgem.cli.main.main is not below"),
        ("cometgem", "import cometgem.testing", "cometgem.testing is not below"),
        ("cometgem.testing.server", "from cometgem.http.transport import X", "X is not below"),
        ("cometgem.testing.server", "from cometgem.client import Client", "Client is not below"),
        ("cometgem.cli.main", "import aiohttp", "aiohttp may not be imported here"),
        ("cometgem.cli.chat", "import rich.markdown", "rich.markdown may not be imported here"),
        ("cometgem.cli.chat", "from cometgem import Client", "cometgem.Client is not below"),
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
            "line 4: aiohttp may not be imported here",
        ),
    ],
)
def test_broken_law_is_reported(module: str, source: str, problem: str) -> None:
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
        ("cometgem.http.retry", "import msgspec\nfrom cometgem.http.timeouts import Timeouts"),
        ("cometgem.conversation.turns", "if TYPE_CHECKING:\n    from .rounds import Rounds"),
        ("cometgem.conversation.rounds", "import anyio, asyncio"),
        ("cometgem.testing.server", "import asyncio\nfrom aiohttp import web"),
        (
            "cometgem.cli.demo",
            "from cometgem.testing import Reply\nfrom cometgem.types import Part",
        ),
    ],
)
def test_allowed_imports(module: str, source: str) -> None:
    assert problems(module, source) == []


def test_relative_imports_of_a_package() -> None:
    assert problems("cometgem.testing", "from .server import FakeServer", is_package=True) == []
    (found,) = problems("cometgem.testing", "from ..cli import main", is_package=True)
    assert found.endswith("cometgem.cli.main is not below")
