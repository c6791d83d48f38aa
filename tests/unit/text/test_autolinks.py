"""Unintended links and mentions, and how a text reads without them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.testing.strategies import nasty_text
from policenotify.text.links import add_missing_spaces

NOBODY: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("Rue fermée.La circulation est coupée", "Rue fermée. La circulation est coupée"),
        ("(12h.La suite) 18:30.Au pont", "(12h. La suite) 18:30. Au pont"),
        ("av.de Toulouse, Bd.de Metz", "av. de Toulouse, Bd. de Metz"),
        ("sur police.gouv.fr.La suite", "sur police.gouv.fr. La suite"),
        ("а.рф b.xn--p1ai", "а. рф b. xn--p1ai"),
        # No link today; but which words are top-level domains changes every year, so that no list is kept.
        ("¹fermé.La suite, x).Police.fr", "¹fermé. La suite, x). Police.fr"),  # X's domain begins after the digit
    ],
)
def test_a_space_is_put_after_a_full_stop_that_lacks_one(text: str, reads: str) -> None:
    mended = add_missing_spaces(text)
    assert mended == reads


@pytest.mark.parametrize(
    "text",
    [
        "17Cyber.gouv.fr, service-public.fr, police34.fr/alerte et M6.fr.",
        "fermée.Service-public.fr",  # a name below service-public.fr, which is not foreign
        "https://Police.La et http://police.example/Plan.De",
        "jean.Dupont@police.La, contact@police.fr",
    ],
)
def test_an_intended_link_stays_as_it_is(text: str) -> None:
    assert add_missing_spaces(text) == text


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("Feu maîtrisé par les @PompiersHerault.", "Feu maîtrisé par les PompiersHerault."),
        ("@@name et @_@name", "name et _@name"),
        ("RT@name, @RT@RT@name", "RT name, RT RT name"),
        ("écrire à contact@police.fr, @ bientôt, a@", "écrire à contact@police.fr, @ bientôt, a@"),
        ("@police.social", "police. social"),  # else it would become a link
        ("@aé@name", "aé name"),
    ],
)
def test_an_unlisted_account_is_named_and_not_mentioned(text: str, reads: str) -> None:
    assert add_missing_spaces(text) == reads


ANY = st.one_of(
    nasty_text(max_parts=20),
    st.lists(
        st.sampled_from(("a", "La", "la", ".", "@", "＠", "_", "-", "/", "é", "1", "¹", " ", "RT", ":", "x.fr"))
    ).map("".join),
    st.text(st.characters(codec="ascii")),
)
MAY = st.sampled_from((NOBODY, frozenset({"PompiersHerault", "a"})))


@given(ANY, MAY)
def test_nothing_else_is_changed_and_repairing_twice_changes_nothing(text: str, may: frozenset[str]) -> None:
    reads = add_missing_spaces(text, may)
    assert add_missing_spaces(reads, may) == reads
    left_out = str.maketrans("", "", " @＠")
    assert reads.translate(left_out) == text.translate(left_out)
