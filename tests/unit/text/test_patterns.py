"""Expressions that are compiled at their first use."""

from __future__ import annotations

import re

import pytest

from policenotify.text.patterns import lazy_pattern


def test_it_does_what_a_compiled_expression_does() -> None:
    lazy, compiled = lazy_pattern(r"(?P<sign>[a-c])\d", re.IGNORECASE), re.compile(r"(?P<sign>[a-c])\d", re.IGNORECASE)
    text = "A1 b2 z3 c4"
    assert lazy.sub("-", text) == compiled.sub("-", text) == "- - z3 -"
    assert [match["sign"] for match in lazy.finditer(text)] == ["A", "b", "c"]
    assert (lazy.pattern, lazy.flags, lazy.groupindex) == (compiled.pattern, compiled.flags, compiled.groupindex)


def test_a_wrong_one_is_found_at_its_first_use() -> None:
    wrong = lazy_pattern("(")
    with pytest.raises(re.error, match="unterminated"):
        wrong.search("a")


@pytest.mark.parametrize("name", ["_private", "nonsense"])
def test_an_unknown_attribute_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(lazy_pattern("a"), name)
