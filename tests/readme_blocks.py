"""Write the Python blocks of README.md as modules that a type checker can read.

    python tests/readme_blocks.py FOLDER

A block that awaits or uses `client` is the body of a `main` with that `client`, as the README says.
What it takes from the blocks above it, an import or a function, comes first. Each line keeps its
number: `block_2.py:120` is line 120 of README.md.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import sys
import textwrap
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def as_module(block: str, line: int, above: dict[str, ast.stmt]) -> str:
    """Return the block as a module, its first line at the given line.

    Args:
        block: The text.
        line: Where it starts in the README.
        above: What the blocks above it define, by name.
    """
    code = compile(block, README.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    missing = free_names(ast.parse(block))
    head = [
        row
        for definition in definitions(missing, above)
        for row in ast.unparse(definition).splitlines()
    ]
    if code.co_flags & inspect.CO_COROUTINE or "client" in missing:
        head += ["from cometgem import Client", "async def main(client: Client) -> None:"]
        block = textwrap.indent(block, "    ")
    assert len(head) < line, f"no room above line {line}"
    return "".join(f"{row}\n" for row in head) + "\n" * (line - 1 - len(head)) + block


def free_names(tree: ast.AST) -> set[str]:
    """Return the names that the code uses and does not define."""
    used: set[str] = set()
    known = set(vars(builtins))
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
            case ast.Name(id=name) | ast.arg(arg=name):
                known.add(name)
            case ast.alias(name=name, asname=asname):
                known.add(asname or name)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                known.add(node.name)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                known.add(name)
    return used - known


def defined(tree: ast.Module) -> dict[str, ast.stmt]:
    """Return the imports, functions and classes of the code, by name."""
    found: dict[str, ast.stmt] = {}
    for statement in tree.body:
        match statement:
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {alias.asname or alias.name: statement for alias in names}
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found[statement.name] = statement
    return found


def definitions(names: set[str], above: dict[str, ast.stmt]) -> list[ast.stmt]:
    """Return what defines the names, after what these definitions use themselves."""
    found: list[ast.stmt] = []
    for name in sorted(names & above.keys()):
        statement = above[name]
        found += [*definitions(free_names(statement), above), statement]
    return found


def write_blocks(text: str, folder: Path) -> int:
    """Write each Python block of the text into the folder and return their number."""
    above: dict[str, ast.stmt] = {}
    blocks = list(re.finditer(r"```python\n(.*?)```", text, re.DOTALL))
    for number, match in enumerate(blocks):
        line = 1 + text.count("\n", 0, match.start(1))
        module = as_module(match[1], line, above)
        (folder / f"block_{number}.py").write_text(module, "utf-8")
        above |= defined(ast.parse(match[1]))
    return len(blocks)


if __name__ == "__main__":
    write_blocks(README.read_text("utf-8"), Path(sys.argv[1]))
