"""Measure the package: its size, its files, its imports and its prose.

`python .ci/metrics.py` prints a table of each figure beside its limit and exits with 1 if one is missed.
`python .ci/metrics.py prose [PATH ...]` lists each forbidden word with its place.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "policenotify"
DATA = {"_data"}  # folders of generated tables

# The sizes stand a tenth above what has been reached, for ordinary growth. Lower them when the package shrinks.
LIMITS: dict[str, float] = {
    "lines without testing": 53_400,
    "lines": 59_400,
    "files": 349,
    "files at the top level": 8,
    "files in the fullest folder": 26,
    "lines of the longest file": 530,
    "file names that are participles or -ing words": 3,
    "files with one importer, per cent": 24,  # each check and each format of a feed is a file of its own
    "forbidden words": 0,
    "semicolons in 1,000 docstring words": 3,
    "public class names that stand twice": 0,
    "import circles": 0,
}

# Words of a private dialect, or of speech where a term of the field exists. The style page names what to write instead.
FORBIDDEN = re.compile(
    r"\b(said|told|tell|tells|say|says|whoever|somebody|nobody|strangers?|anew|oftener|let go|lets go|"
    r"(?:set|put|sets|puts) right|of ours|houses?(?! numbers?\b)|rooms?|"
    r"(?<!there )(?:is|are) no (?:\w+)(?<!longer)(?<!more))\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"```.*?```|`[^`\n]*`|\"[^\"\n]*\"|«[^»]*»|“[^”]*”|\]\([^)\n]*\)", re.DOTALL)
_PARTICIPLES = re.compile(r"^_?\w*(?:ing|ed|en)$")
_NOUNS = {"wording", "token", "screen", "open", "children", "seed", "feed", "json_feed", "drawing", "string"}


def modules() -> dict[str, Path]:
    """Return the path of each module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(("policenotify", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        found[name] = path
    return found


def imports(known: dict[str, Path]) -> dict[str, set[str]]:
    """Return which modules of the package each module imports, lazily or for type checkers included."""
    edges: dict[str, set[str]] = {name: set() for name in known}
    for name, path in known.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                edges[name] |= {alias.name for alias in node.names if alias.name in known}
            elif isinstance(node, ast.ImportFrom) and node.module in known and not node.level:
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    edges[name].add(inner if inner in known else node.module)
        edges[name].discard(name)
    return edges


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components of more than one module (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in edges[name]:
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            component = []
            while not component or component[-1] != name:
                component.append(stack.pop())
            if len(component) > 1:
                found.append(sorted(component))

    for name in edges:
        if name not in index:
            visit(name)
    return found


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each docstring of a file with its first line number."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for position, statement in enumerate(body):
            if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                continue
            after = position and isinstance(body[position - 1], ast.Assign | ast.AnnAssign)
            if isinstance(statement.value.value, str) and (not position or after):
                yield statement.lineno, statement.value.value


def help_texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each `help=` text of a file with its line number."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "help":
            for part in ast.walk(node.value):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.lineno, part.value


def forbidden(paths: list[Path]) -> Iterator[str]:
    """Yield each forbidden word of the docstrings, help texts and pages with its place."""
    for path in paths:
        python = path.suffix == ".py"
        texts = [*docstrings(path), *help_texts(path)] if python else [(1, path.read_text("utf-8"))]
        for first, text in texts:
            plain = _QUOTED.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
            for match in FORBIDDEN.finditer(plain):
                line = first + plain.count("\n", 0, match.start())
                yield f"{path.relative_to(ROOT)}:{line}: {match[0]}"


def pages() -> list[Path]:
    """Return the written pages: the README and the documentation, without the changelog's past and the decisions."""
    docs = [path for path in (ROOT / "docs").rglob("*.md") if "decisions" not in path.parts]
    return [ROOT / "README.md", *sorted(docs), *sorted((ROOT / ".github").rglob("*.md"))]


def figures() -> tuple[dict[str, float], dict[str, object]]:
    """Return each figure, and the names behind those that list something."""
    known = modules()
    lines = {name: len(path.read_text("utf-8").splitlines()) for name, path in known.items()}
    edges = imports(known)
    importers: dict[str, set[str]] = defaultdict(set)
    for name, others in edges.items():
        for other in others:
            importers[other].add(name)
    plain = {name: path for name, path in known.items() if not DATA & set(path.parts)}
    files = {name: path for name, path in plain.items() if path.name != "__init__.py"}
    folders = Counter(path.parent for path in known.values())
    words = semicolons = 0
    for path in known.values():
        for _, text in docstrings(path):
            words += len(text.split())
            semicolons += text.count(";")
    classes: dict[str, list[str]] = defaultdict(list)
    for name, path in known.items():
        for node in ast.parse(path.read_text("utf-8")).body:
            named_by_django = ".management." in name
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not named_by_django:
                classes[node.name].append(name)
    participles = sorted({path.stem for path in files.values() if _PARTICIPLES.match(path.stem)} - _NOUNS)
    single = sorted(name for name in files if len(importers[name]) == 1)
    quaint = list(forbidden([*known.values(), *pages()]))
    rings = circles(edges)
    twice = {name: where for name, where in classes.items() if len(where) > 1}
    listed: dict[str, object] = {
        "file names that are participles or -ing words": participles,
        "public class names that stand twice": twice,
        "import circles": rings,
        "lines of the longest file": max((lines[name], name) for name in plain),
        "files in the fullest folder": str(max(folders, key=lambda each: folders[each]).relative_to(ROOT)),
    }
    return {
        "lines without testing": sum(
            count for name, count in lines.items() if not name.startswith("policenotify.testing")
        ),
        "lines": sum(lines.values()),
        "files": len(known),
        "files at the top level": folders[PACKAGE],
        "files in the fullest folder": max(folders.values()),
        "lines of the longest file": max(lines[name] for name in plain),
        "file names that are participles or -ing words": len(participles),
        "files with one importer, per cent": round(100 * len(single) / len(files), 1),
        "forbidden words": len(quaint),
        "semicolons in 1,000 docstring words": round(1000 * semicolons / words, 1),
        "public class names that stand twice": len(twice),
        "import circles": len(rings),
    }, listed


def main(arguments: list[str]) -> int:
    """Print the table, or the forbidden words."""
    if arguments[:1] == ["prose"]:
        chosen = [path for given in arguments[1:] for path in _files(ROOT / given)]
        found = list(forbidden(chosen or [*modules().values(), *pages()]))
        print("\n".join(found) or "No forbidden word.")
        return 1 if found else 0
    measured, listed = figures()
    missed = 0
    for name, value in measured.items():
        over = value > LIMITS[name]
        missed += over
        detail = f"  {listed[name]}" if over and name in listed else ""
        print(f"{'MISSED' if over else 'ok':<7}{name:<48}{value:>10,}  limit {LIMITS[name]:,}{detail}")
    if missed:
        print(
            "Forbidden words: `python .ci/metrics.py prose` lists them. Write the plain word.\n"
            "A size: delete what is not needed, or raise the limit in .ci/metrics.py, with the reason in the commit."
        )
    return 1 if missed else 0


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.rglob("*.md")])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
