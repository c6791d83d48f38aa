"""The length of a text on X and on Mastodon."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.text import mastodon_length, x_weight

FAMILY = "👨‍👩‍👧‍👦"
TO_THE_LIMIT = "x" * 256 + " https://www.service-public.fr/particuliers/vosdroits/F1234"
REPORT = (
    "🔴 Ongeval A12 richting Utrecht thv afrit 14. Weg afgesloten, volg omleiding. Update volgt. "
    "https://www.politie.nl/nieuws/2025/november/24/ongeval-a12.html #A12 #Utrecht "
    "@rijkswaterstaat@social.overheid.nl"
)


# Counted by npm twitter-text 3.1.0.
@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("Zone de 10\u202fkm\u00a0: évitez l’A6\u202f!", 31),
        ("E\u0301vacuation de l'e\u0301cole", 21),
        (TO_THE_LIMIT, 280),
        ("Voir (https://info.police.fr), x.com/a_b-c?d=e.", 56),
        ("⚠️ ⚠ ℹ️ 🚨 ➡️", 14),
    ],
)
def test_a_usual_text_weighs_what_it_does_on_x(text: str, weight: int) -> None:
    assert x_weight(text) == weight


# As above: what X counts for a text that counts more here.
@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("Accès fermé.La RN7 est coupée", 44),
        ("👮🏽‍♀️ 🇫🇷 1️⃣", 8),
        ("St.Michel S.N.C.F 14h30.Fin .Merci", 34),
    ],
)
def test_an_unusual_text_weighs_no_less_than_on_x(text: str, weight: int) -> None:
    assert weight <= x_weight(text) <= weight + 60


def test_a_link_that_x_may_not_know_counts_as_much_as_it_can() -> None:
    link = "https://la-garde.music/concert/du/samedi"
    assert x_weight(link) >= len(link)
    assert x_weight("a.kids") >= 23


@given(st.text(st.characters(codec="utf-8", max_codepoint=0x10FF, exclude_characters=".\u20e3"), max_size=300))
def test_latin_and_its_neighbours_count_one_each(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    if max(composed, default="") <= "\u10ff":
        assert x_weight(text) == len(composed)


# Counted by the validator of a Mastodon server.
@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("cc @brandweer.nl@social.example.nl.", 17),
        (f"{FAMILY}👮🏽‍♀️🚓", 3),
        ("Info: www.politie.nl/vermist en politie.nl", 42),
        (REPORT, 145),
        ("🏳️‍⚧️" * 100, 100),
    ],
)
def test_a_usual_status_is_as_long_as_on_the_server(text: str, count: int) -> None:
    assert mastodon_length(text) == count


# As above: what the server counts for a status that may count more here.
@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Info: https://polizei-münchen.de/presse/2025/11?id=4711#top.", 30),
        ("https://mastodon.social/@police@social.example/1098", 23),
        ("https://example.kids/abc", 24),
        ("@alice@" + "b" * 250 + ".com", 261),
        ("https://example.com/🚓 x", 25),
        ("@polizei@münchen.example gut", 12),
    ],
)
def test_an_unusual_status_is_no_shorter_than_on_the_server(text: str, count: int) -> None:
    assert mastodon_length(text) >= count


def test_the_spoiler_counts_as_it_is() -> None:
    assert mastodon_length("text", "https://example.com/a/very/long/path/that/is/not/shortened") == 62
    assert mastodon_length("a" * 50, "a" * 55) == 105
    assert mastodon_length(" texte\n\0", "\t@a@b.fr ") >= 12


def test_a_spoiler_over_a_blank_text_becomes_the_text() -> None:
    assert mastodon_length(" \u00a0\n", "https://example.com/a/very/long/path ") == 24
    assert mastodon_length("\u00a0", "") == 0


def test_the_server_sets_the_length_of_an_address() -> None:
    assert mastodon_length("Voir https://example.fr", url=32) == 37


def test_gotosocial_counts_every_code_point() -> None:
    assert mastodon_length(FAMILY * 80, code_points=True) == 560
    assert mastodon_length("a" * 474 + " https://example.fr/abcdefgh", "Avis", code_points=True) == 506


# Counted by Ruby 3.3 (`each_grapheme_cluster`, Unicode 15.0), as servers of its time do; later ones count fewer.
@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("\u0915\u094d\u0937\u093f", 2),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", 2),
        ("1\ufe0f\u20e3e\u0301", 2),
    ],
)
def test_letters_that_only_newer_servers_join_count_no_less_than_on_older_ones(text: str, count: int) -> None:
    assert count <= mastodon_length(text) <= len(text)
    assert mastodon_length(f"Police {text} https://police.fr") == 7 + mastodon_length(text) + 1 + 23
