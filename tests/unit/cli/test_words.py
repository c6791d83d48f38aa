"""Codes by their names in the languages of the desk."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.cli.message import category_words
from policenotify.cli.words import code_of, words_of
from policenotify.model.cap import Severity
from policenotify.render.locales import PROFILES
from tests.support.installation import Desk
from tests.support.shell import Run

CATEGORIES = category_words(PROFILES)
WORDS = [(code, word) for code, words in CATEGORIES.items() for word in (code, *words)]


@given(st.sampled_from(WORDS), st.sampled_from([str.upper, str.title, str.casefold, lambda text: f" {text} "]))
def test_a_category_is_found_by_each_of_its_names_in_any_case(pair: tuple[str, str], change: object) -> None:
    code, word = pair
    assert callable(change)
    assert code_of(change(word), CATEGORIES) == code


@pytest.mark.parametrize(
    ("typed", "code"), [("grave", "Severe"), ("extreme", "Extreme"), ("MODEREE", "Moderate"), ("mineure", "Minor")]
)
def test_a_severity_is_found_by_its_french_word_without_accents(typed: str, code: str) -> None:
    assert code_of(typed, words_of(str(level) for level in Severity)) == code


@pytest.mark.parametrize(("typed", "told"), [("incendi", "Did you mean 'Incendie'?"), ("xyz", "There are: ")])
def test_a_slip_is_met_with_the_nearest_or_all(typed: str, told: str) -> None:
    with pytest.raises(click.BadParameter, match="is not known") as refused:
        code_of(typed, CATEGORIES)
    assert told in str(refused.value)


def test_french_words_are_understood_in_a_command(run: Run, desk: Desk) -> None:
    typed = ("--category", "Incendie", "--severity", "grave", "--commune", "34172", "--basis", "Parquet:réf. 12")
    shown = run("preview", *typed, "--headline", "Feu de garrigue", "--instruction", "Évitez le secteur.", "--json")
    message = shown.document["message"]
    assert (message["category"], message["severity"]) == ("fire", "Severe")
    assert message["basis"] == [{"who": "prosecutor", "reference": "réf. 12"}]
    assert not desk.bluesky.posts
