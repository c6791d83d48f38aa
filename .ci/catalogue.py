"""Compare the catalogue of translated texts with the texts in the source.

    python .ci/catalogue.py           report what lacks a translation, and what is stale
    python .ci/catalogue.py missing   print what lacks one, as lines for the catalogue

Texts are found in the syntax tree: string literals and f-strings of two words or more, the help of commands, and what
templates of pages hand to `t` or to the filter `say`. A text that no officer reads in English is exempt by where it
stands (`_SILENT`, `_ROOMS`) or by `catalogue_exempt.txt`.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import policenotify

ROOT = Path(__file__).resolve().parent.parent
SOURCE = Path(policenotify.__file__).parent  # also where only the wheel is installed
CATALOGUE = SOURCE / "catalogue"
_PROSE = re.compile(r"[^\W\d_]{2,}[^\w\n]*\s[^\w\n]*[^\W\d_]{2,}")
_FORMATTED = re.compile(r"\{(where|words)\}")  # names that `str.format` fills in
_ADMIN_TEXT = re.compile(r"\{\{ (\"[^\"]*\")\|say \}\}")
_PAGE_TEXT = re.compile(r"\bt\(\s*(\"[^\"]*\"|'[^']*')")

# Calls whose texts are for programmers, logs or machines.
_SILENT = frozenset({
    "AssertionError", "DDL", "Field", "ForeignKeyConstraint", "GetSessionVariable", "Histogram", "KeyError",
    "LookupError", "Metric", "NotImplementedError", "RuntimeError", "Text", "TypeError", "TypeVar", "compile",
    "counted", "import_module", "lazy_pattern", "pragma", "text", "warn", "word",
})  # fmt: skip
_SILENT_OWNERS = frozenset({"_log", "log", "logger", "logging", "warnings"})
_SILENT_ARGUMENTS = frozenset({"basis", "epilog_source", "where"})
# Rooms that write for programmers, for readers of posts, or for machines.
_ROOMS = re.compile(
    r"^(testing/|catalogue/|integrations/(?!django/(?:admin|forms|journal_admin|models))|text/(?!fit)|render/(mail|places|times|sentences)"
    r"|formats/(?!cap|item)|web/|publishing/aio|journal/(database/)?schema)"
)


class Text(NamedTuple):
    """A text in the source: where it stands, its template, and whether officers read it for certain."""

    file: str
    line: int
    template: str
    prose: bool
    source: str


def template_of(node: ast.JoinedStr | ast.Constant) -> tuple[str, str]:
    """Return the template of a literal, and the same with the expressions."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    template, source, number = "", "", 0
    for part in parts:
        if isinstance(part, ast.Constant):
            for position, piece in enumerate(_FORMATTED.split(str(part.value))):
                if position % 2:
                    template, source = f"{template}{{{number}}}", f"{source}{{{piece}}}"
                    number += 1
                else:
                    literal = piece.replace("{", "{{").replace("}", "}}")
                    template, source = template + literal, source + literal
        elif isinstance(part, ast.FormattedValue):
            template, source = f"{template}{{{number}}}", f"{source}{{{ast.unparse(part.value)}}}"
            number += 1
    return normal(template), source


def normal(template: str) -> str:
    """Return a template as the catalogue has it: without white space around it."""
    return template.strip()


class _Finder(ast.NodeVisitor):
    def __init__(self, file: str) -> None:
        self.file = file
        self.texts: list[Text] = []
        self._silent = 0

    def _add(self, line: int, template: str, source: str, *, prose: bool) -> None:
        if re.search(r"[^\W\d_]", template):
            self.texts.append(Text(self.file, line, template, prose and not self._silent, source))

    def _hushed(self, nodes: list[ast.AST]) -> None:
        self._silent += 1
        for node in nodes:
            self.visit(node)
        self._silent -= 1

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring is not shown
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        decorators = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
        if re.search(r"\.(command|group)\(", decorators):
            for paragraph in paragraphs(ast.get_docstring(node) or ""):
                self._add(node.lineno, paragraph.replace("{", "{{").replace("}", "}}"), paragraph, prose=True)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        holder = function.value if isinstance(function, ast.Attribute) else None
        owner = getattr(holder, "id", getattr(holder, "attr", ""))
        if name in _SILENT or owner in _SILENT_OWNERS:
            self._hushed(list(ast.iter_child_nodes(node)))
            return
        self.visit(function)
        for argument in node.args:
            self.visit(argument)
        for keyword in node.keywords:
            if keyword.arg in _SILENT_ARGUMENTS:
                self._hushed([keyword.value])
            else:
                self.visit(keyword.value)

    def visit_Compare(self, node: ast.Compare) -> None:
        self._hushed(list(ast.iter_child_nodes(node)))

    def visit_Assert(self, node: ast.Assert) -> None:
        self._hushed(list(ast.iter_child_nodes(node)))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            template, source = template_of(node)
            for paragraph in template.removeprefix("\b\n").split("\n\n") if "\b" in template else [template]:
                self._add(node.lineno, normal(paragraph), source, prose=bool(_PROSE.search(paragraph)))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        template, source = template_of(node)
        self._add(node.lineno, template, source, prose=bool(_PROSE.search(re.sub(r"\{\d+\}", "{}", template))))
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.visit(part.value)


def paragraphs(docstring: str) -> Iterator[str]:
    """Yield the paragraphs of a command's help that are translated: not its examples."""
    for paragraph in inspect.cleandoc(docstring).split("\n\n"):
        if not paragraph.startswith("\b"):
            yield " ".join(paragraph.split())


def texts() -> Iterator[Text]:
    """Yield all texts of the source."""
    for path in sorted(SOURCE.rglob("*.py")):
        file = path.relative_to(SOURCE).as_posix()
        finder = _Finder(file)
        finder.visit(ast.parse(path.read_text(encoding="utf-8")))
        for text in finder.texts:
            yield text._replace(prose=text.prose and not _ROOMS.match(file))
    for path in sorted((*SOURCE.rglob("*.j2"), *SOURCE.rglob("*.html"))):
        content = path.read_text(encoding="utf-8")
        for match in (_PAGE_TEXT if path.suffix == ".j2" else _ADMIN_TEXT).finditer(content):
            line = content.count("\n", 0, match.start()) + 1
            template = normal(ast.literal_eval(match[1]))
            yield Text(path.relative_to(SOURCE).as_posix(), line, template, prose=True, source=template)


def entries(language: str) -> dict[str, tuple[str, object]]:
    """Return file and translation of each entry of a catalogue.

    Raises:
        ValueError: Two files have the same entry.
    """
    known: dict[str, tuple[str, object]] = {}
    for path in sorted((CATALOGUE / language).glob("*.toml")):
        for key, translation in tomllib.loads(path.read_text(encoding="utf-8")).items():
            english = key.replace(":d}", "}")  # a number, which the source does not mark
            if english in known:
                raise ValueError(f"{path.name}: {english!r} is in {known[english][0]}, too")
            known[english] = path.name, translation
    return known


FOREIGN = frozenset({"libraries.toml", "options.toml", "words.toml"})
"""Files of texts that are no literals: those of libraries, of docstrings of options, and values of enumerations."""


def exempt() -> frozenset[str]:
    """Return the texts that no officer reads in English."""
    lines = (ROOT / ".ci" / "catalogue_exempt.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(json.loads(line) for line in lines if line.startswith('"'))


def missing(language: str) -> list[Text]:
    """Return the texts without a translation."""
    known = entries(language).keys() | exempt()
    return [text for text in texts() if text.prose and text.template not in known]


def stale(language: str) -> list[str]:
    """Return the entries whose text the source no longer has."""
    present = {text.template for text in texts()}
    unused = sorted(exempt() - present)
    return unused + [
        english
        for english, (file, _) in entries(language).items()
        if english not in present and english not in {"forms", "metavars"} and file not in FOREIGN
    ]


def main(arguments: list[str]) -> int:
    """Report, and return 1 if something is missing or stale."""
    lacking = missing("fr")  # texts that are no `Text` yet; see `texts.py`
    if arguments == ["missing"]:
        for text in lacking:
            print(f"# {text.file}:{text.line} {text.source!r}\n{json.dumps(text.template, ensure_ascii=False)} = ''")
        return 0
    for text in lacking:
        print(f"{text.file}:{text.line}: no translation: {text.template!r}")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
