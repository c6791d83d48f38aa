"""The threat model of the security page: each row names tests, and each of them exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "explanation" / "security.md"
TEXT = PAGE.read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\*\*.*) \|$", TEXT, re.MULTILINE)
NAMES = re.findall(r"`(\w[\w/]*\.py)::(\w+)`", TEXT)


@cache
def _tests_of(file: str) -> dict[str, ast.FunctionDef]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_each_row_names_a_test() -> None:
    assert len(ROWS) > 20
    for row in ROWS:
        assert re.search(r"\.py::test_\w+`$", row), row.partition("|")[0]


@pytest.mark.parametrize(("file", "name"), NAMES, ids=["::".join(names) for names in NAMES])
def test_each_named_test_exists_and_is_run(file: str, name: str) -> None:
    assert name.startswith("test_")
    found = _tests_of(file).get(name)
    assert found is not None
    assert not [mark for mark in found.decorator_list if re.search(r"mark\.(skip|xfail)\b", ast.unparse(mark))]
