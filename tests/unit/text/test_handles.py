"""Accounts and hashtags in running text, in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.testing.strategies import prose
from policenotify.text.handles import handles_in_words, hashtags_in_words, split_hashtag
from policenotify.text.spans import find_mentions, spans_of

NAMES = {"@PompiersHerault": "sapeurs-pompiers de l'Hérault", "#OTV": "opération Tranquillité vacances"}


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("PoliceNationale", "Police nationale"),
        ("OpérationTranquillitéVacances", "Opération Tranquillité Vacances"),
        ("AppelÀTémoins", "Appel à témoins"),
        ("SécuritéRoutière", "Sécurité routière"),
        ("Police34", "Police 34"),
        ("OTV", "OTV"),
        ("A9", "A9"),
        ("D612E7", "D612E7"),
        ("InfoSNCFDirect", "Info SNCF Direct"),
        ("hérault", "hérault"),
    ],
)
def test_a_hashtag_is_split_at_its_capitals(tag: str, words: str) -> None:
    assert split_hashtag(tag) == words


def test_an_account_is_named_in_words_where_it_may_not_be_mentioned() -> None:
    text = "Merci aux @pompiersherault et à @Inconnu. @PompiersHerault : restez prudents."
    assert handles_in_words(text, NAMES) == (
        "Merci aux sapeurs-pompiers de l'Hérault et à @Inconnu. Sapeurs-pompiers de l'Hérault : restez prudents."
    )
    assert handles_in_words(text, NAMES, frozenset({"PompiersHerault"})) == text
    assert handles_in_words("Écrivez à contact@PompiersHerault.fr", NAMES) == "Écrivez à contact@PompiersHerault.fr"


def test_hashtags_become_words_and_addresses_stay() -> None:
    text = "Avec l'#OTV et la #PoliceNationale : https://police.example/#OTV"
    assert hashtags_in_words(text, NAMES) == (
        "Avec l'opération Tranquillité vacances et la Police nationale : https://police.example/#OTV"
    )


@given(prose())
def test_no_hashtag_stays_and_nothing_else_changes(text: str) -> None:
    words = hashtags_in_words(text, {})
    if any(span.kind == "tag" for span in spans_of(text)):
        assert not {span.value for span in spans_of(text) if span.kind == "tag"} & {
            f"#{span.value}" for span in spans_of(words)
        }
        letters = [sign for sign in text.casefold() if sign.isalnum()]
        assert [sign for sign in words.casefold() if sign.isalnum()] == letters
    else:
        assert words == text


@given(prose(), st.sampled_from(["Prefet34", "SDIS34"]))
def test_a_named_account_is_never_mentioned(text: str, handle: str) -> None:
    words = handles_in_words(f"{text} @{handle} {text}", {f"@{handle}": "préfecture"})
    assert handle not in {mention.value for mention in find_mentions(words)} or f"@{handle}" in text
