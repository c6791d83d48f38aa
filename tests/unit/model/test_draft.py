"""Who counts as one person, and whose approval counts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.model.draft import Draft, Review, ReviewVerdict, Revision, approvals, person
from policenotify.model.message import Message

AT = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
INVISIBLE = st.sampled_from(["", "\N{COMBINING GRAPHEME JOINER}", "\N{VARIATION SELECTOR-16}", "\N{ZERO WIDTH SPACE}"])


@pytest.mark.parametrize(
    ("one", "other"),
    [("claire", "oidc:Claire"), ("José", "JOSE"), ("cne  Roux", "cne\N{NO-BREAK SPACE}roux")],
)
def test_spellings_of_one_person(one: str, other: str) -> None:
    assert person(one) == person(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("claire", "claire2"), ("cne Roux", "adj Roux"), ("poste nord: Roux", "poste sud: Roux"), ("oidc:", "saml:")],
)
def test_names_of_two_people(one: str, other: str) -> None:
    assert person(one) != person(other)


@given(st.lists(INVISIBLE, min_size=6, max_size=6), st.booleans())
def test_nothing_invisible_makes_another_person(marks: list[str], upper: bool) -> None:  # noqa: FBT001 - drawn
    name = "".join(letter + mark for letter, mark in zip("claire", marks, strict=True))
    assert person(name.upper() if upper else name) == "claire"


def _revision(author: str, *, number: int = 1, digest: str = "d", authenticated: bool = True) -> Revision:
    return Revision(number=number, digest=digest, author=author, at=AT, authenticated=authenticated)


def _review(reader: str, **changes: Any) -> Review:
    given = {"revision": 1, "digest": "d", "verdict": ReviewVerdict.APPROVE, "reason": "", "at": AT, **changes}
    return Review(reader=reader, **given)


def _draft(*revisions: Revision, reviews: tuple[Review, ...], exercise: bool = False) -> Draft:
    message = Message(category="recruitment", headline="Concours", exercise=exercise)
    return Draft(id="D", message=message, digest="d", revisions=revisions, reviews=reviews, created_at=AT)


def test_only_approvals_by_others_of_the_newest_revision_count_and_each_person_once() -> None:
    revisions = (_revision("omar", digest="c"), _revision("claire", number=2))
    reviews = (
        _review("hugo", revision=2),
        _review("oidc:hugo", revision=2),
        _review("ines", revision=2, digest="c"),
        _review("paul"),
        _review("Omar", revision=2),
        _review("luc", revision=2, verdict=ReviewVerdict.RETURN),
    )
    draft = _draft(*revisions, reviews=reviews)
    assert approvals(draft, digest="d") == draft.approvals == ("hugo",)
    assert approvals(draft, digest="c") == ("ines",)
    assert approvals(_draft(*revisions, reviews=reviews, exercise=True), digest="d") == ("hugo", "Omar")


def test_who_is_only_named_does_not_count_where_that_is_demanded() -> None:
    reviews = (_review("hugo"), _review("ines", authenticated=True))
    assert approvals(_draft(_revision("claire"), reviews=reviews), digest="d", authenticated=True) == ("ines",)
    named = _draft(_revision("claire", authenticated=False), reviews=reviews)
    assert approvals(named, digest="d", authenticated=True) == ()
    assert approvals(named, digest="d") == ("hugo", "ines")


def test_an_approval_without_a_reason_does_not_count_where_one_is_demanded() -> None:
    reviews = (_review("hugo"), _review("ines", reason="Le parquet est d'accord."))
    assert approvals(_draft(_revision("claire"), reviews=reviews), digest="d", reasons=True) == ("ines",)
