"""The posts that a reply can be attached to."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.channel import PostRef
from policenotify.errors import Refused
from policenotify.networks._http import ParentOf, is_connected, newest_connected


def refs(*names: str) -> list[PostRef]:
    return [PostRef(account="police", id=name) for name in names]


def newest_of(posts: list[PostRef], parent_of: ParentOf) -> PostRef | None:
    try:
        return newest_connected(posts, parent_of, code="404")
    except Refused:
        return None


@pytest.mark.parametrize(
    ("parents", "newest"),
    [
        ({"a": None, "b": "a", "c": "b"}, "c"),
        ({"a": None, "c": "b"}, "a"),
        ({"b": "a", "c": "b"}, None),
        ({"b": None, "c": "b"}, "c"),
        ({"b": "c", "c": "b"}, None),
        ({}, None),
    ],
)
def test_the_newest_post_with_a_complete_thread(parents: dict[str, str | None], newest: str | None) -> None:
    found = newest_of(refs("a", "b", "c"), parents.__getitem__)
    assert (found.id if found else None) == newest
    assert newest_connected([], parents.__getitem__, code="404") is None


@given(st.dictionaries(st.sampled_from("abcdef"), st.none() | st.sampled_from("abcdef")))
def test_each_post_is_looked_up_once_and_a_circle_ends(parents: dict[str, str | None]) -> None:
    asked: Counter[str] = Counter()

    def parent_of(post: str) -> str | None:
        asked[post] += 1
        return parents[post]

    found = newest_of(refs(*"abcdef"), parent_of)
    assert max(asked.values(), default=0) <= 1
    whole = [name for name in "abcdef" if is_connected(name, parents.__getitem__)]
    assert (found.id if found else None) == (whole[-1] if whole else None)
    for name in whole:
        above = parents[name]
        assert above is None or above in whole
