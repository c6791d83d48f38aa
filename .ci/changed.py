"""Print the tests that concern the files that differ from the branch `main`, one path a line.

These are the changed tests, those of the packages that changed, those that import a changed module, also through
`tests/support` or a package that offers its names, those that name a changed file, and the tests of what every change
may break: the public names, the pages and the texts.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ALWAYS = ("tests/acceptance/test_*.py", "tests/unit/test_*.py", "tests/unit/cli/test_french.py")
_READ_DATA = ("checks", "model", "render")  # the packages that read words, places and languages from files
SERVERS = {"peers", "crash", "outside", "browser", "readers", "oracles", "benchmarks", "typing"}  # steps of their own


def _git(*arguments: str) -> str:
    command = ("git", *arguments)
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - git itself


def changed() -> set[str]:
    """Return what differs from where this branch left `main`; on `main` itself, from the commit before."""
    base = _git("merge-base", "HEAD", "main")
    if base == _git("rev-parse", "HEAD") and not _git("status", "--porcelain"):
        base = "HEAD~1"
    return {*_git("diff", "--name-only", base).split(), *_git("ls-files", "--others", "--exclude-standard").split()}


def concerned(paths: set[str]) -> Iterator[Path]:
    """Yield the tests of these files."""
    for pattern in ALWAYS:
        yield from ROOT.glob(pattern)
    words = {word for path in paths for word in _words(Path(path))}
    for test in sorted((ROOT / "tests").rglob("test_*.py")):
        parts = test.relative_to(ROOT / "tests").parts
        if SERVERS.intersection(parts) or "node_modules" in parts:
            continue
        text = test.read_text(encoding="utf-8")
        if not paths.isdisjoint(_used(test)) or any(word in text or word in str(test) for word in words):
            yield test


def _used(test: Path) -> frozenset[str]:
    """Return the test, what it and its `conftest.py` import, and what the modules of `tests` among that import."""
    used, left = set[Path](), {test, *(path for folder in test.parents for path in folder.glob("conftest.py"))}
    while left:
        used.add(path := left.pop())
        if ROOT / "tests" in path.parents:
            left |= _imported(path) - used
    return frozenset(str(path.relative_to(ROOT)) for path in used)


@cache
def _imported(path: Path) -> frozenset[Path]:
    """Return the modules that a module names in its imports."""
    found = set[Path]()
    for node in _imports(path):
        if isinstance(node, ast.Import):
            found.update(_module(alias.name) for alias in node.names)
        elif node.module:
            found.update(_origin(node.module, alias.name) for alias in node.names)
    return frozenset(found - {ROOT})


@cache
def _imports(path: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return tuple(node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom))


def _module(name: str) -> Path:
    """Return the file of a module of this repository, or its root folder for any other."""
    path = ROOT.joinpath("src" if name.startswith("policenotify") else "", *name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), ROOT)


def _origin(module: str, name: str) -> Path:
    """Return the module that *module* has the name from, else itself."""
    if (path := _module(f"{module}.{name}")) != ROOT:
        return path
    path = _module(module)
    if path.name == "__init__.py":
        for node in _imports(path):
            if isinstance(node, ast.ImportFrom) and node.module and name in {alias.name for alias in node.names}:
                return _origin(node.module, name)
    return path


def _words(path: Path) -> Iterator[str]:
    """Yield what a test has in its text or path that is about this file. Some name a module in a string only."""
    if path.parts[:2] == ("src", "policenotify"):
        if path.suffix != ".py":
            yield from (f"tests/unit/{package}/" for package in _READ_DATA)
            return
        module = path.with_suffix("").parts[1:]
        yield ".".join(module).removesuffix(".__init__")
        yield f"tests/unit/{'/'.join(module[1:-1])}/" if len(module) > 2 else f"tests/unit/test_{module[-1]}.py"  # noqa: PLR2004 - the package and a module
    elif path.parts[0] in {"examples", "tests"} and not path.name.startswith("test_"):
        yield path.stem if path.suffix == ".py" else path.name


if __name__ == "__main__":
    for found in sorted(set(concerned(changed()))):
        print(found.relative_to(ROOT))
