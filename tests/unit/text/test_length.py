"""The length of a text on X and on Mastodon."""

from __future__ import annotations

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.testing.strategies import nasty_text
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
        ("", 0),
        ("Zone de 10\u202fkm\u00a0: évitez l’A6\u202f!", 31),
        ("E\u0301vacuation de l'e\u0301cole", 21),
        ("Prime 500 € … • №3", 22),
        (TO_THE_LIMIT, 280),
        ("\ufeffAlerte", 8),
        ("a\r\nb", 4),
        ("€" * 140, 280),
        ("Voir (https://info.police.fr), x.com/a_b-c?d=e.", 56),
        ("Mail : police77@interieur.gouv.fr", 33),
        ("⚠️ ⚠ ℹ️ 🚨 ➡️", 14),
        ("Voir https://police.example/avis", 32),
    ],
)
def test_a_usual_text_weighs_what_it_does_on_x(text: str, weight: int) -> None:
    assert x_weight(text) == weight


# As above: what X counts for a text that counts more here.
@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("évry.fr", 24),
        ("Accès fermé.La RN7 est coupée", 44),
        ("👮🏽‍♀️ 🇫🇷 1️⃣", 8),
        ("https://t.co/AbC123xyz?amp=1!", 29),
        ("Voir http://évry.fr", 28),
        ("St.Michel S.N.C.F 14h30.Fin .Merci", 34),
    ],
)
def test_an_unusual_text_weighs_no_less_than_on_x(text: str, weight: int) -> None:
    assert weight <= x_weight(text) <= weight + 60


def test_a_link_that_x_may_not_know_counts_as_much_as_it_can() -> None:
    link = "https://la-garde.music/concert/du/samedi"
    assert x_weight(link) >= len(link)
    assert x_weight("a.kids") >= 23


@given(nasty_text(max_parts=20))
def test_a_weight_is_between_one_and_two_for_each_character_and_23_for_each_link(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    assert x_weight(text) <= 2 * len(composed) + 23 * text.count(".")
    assert x_weight(composed) == x_weight(text)


@given(st.text(st.characters(codec="utf-8", max_codepoint=0x10FF, exclude_characters=".\u20e3"), max_size=300))
def test_latin_and_its_neighbours_count_one_each(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    if max(composed, default="") <= "\u10ff":
        assert x_weight(text) == len(composed)


# Counted by the validator of a Mastodon server.
@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("https://a.example.com/x.", 24),
        ("cc @brandweer.nl@social.example.nl.", 17),
        (f"{FAMILY}👮🏽‍♀️🚓", 3),
        ("https://localhost:3000/abc", 26),
        ("https://example.com/" + "a" * 4077, 4097),
        ("https://example.nl/a\r\n@a@b.nl", 26),
        ("mail tips@politie.nl of 0800-7000", 33),
        ("Info: www.politie.nl/vermist en politie.nl", 42),
        ("e\u0301e\u0301 = éé", 7),
        ("http://192.0.2.7/abc", 20),
        (REPORT, 145),
        ("✨" * 100, 100),
        ("🏳️‍⚧️" * 100, 100),
        ("a" * 200, 200),
        ("", 0),
    ],
)
def test_a_usual_status_is_as_long_as_on_the_server(text: str, count: int) -> None:
    assert count <= mastodon_length(text) <= count + 23 * (len(text) > 4000)


# As above: what the server counts for a status that may count more here.
@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Info: https://polizei-münchen.de/presse/2025/11?id=4711#top.", 30),
        ("(https://fr.wikipedia.org/wiki/Police_(France)), https://a.example.com/x.", 51),
        ("https://example.com/" + "a" * 4076, 23),
        ("https://mastodon.social/@police@social.example/1098", 23),
        ("https://example.kids/abc", 24),
        ("https://meldkamer.intern/abc", 28),
        ("https://a.example.com/1https://b.example.com/2", 23),
        ("@alice@" + "b" * 249 + ".com", 6),
        ("@alice@" + "b" * 250 + ".com", 261),
        ("@a@example.com@b@example.org", 28),
        ("https://example.com/🚓 x", 25),
        ("_https://example.com/a_", 24),
        ("@polizei@münchen.example gut", 12),
        ("gemini://example.com/abc", 23),
        ("https://user:pw@example.com/a", 29),
        ("#https://example.com", 20),
        ("http://example.com/valid?" + "#foo?" * 1000, 5025),
        ("https://" + "é" * 70 + ".fr", 81),
        ("https://a\uff61b.fr", 23),
        ("@a@b.fré @a://b @aé", 13),
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
        ("\u0928\u092e\u0938\u094d\u0924\u0947", 4),
        ("\u0915\u094d\u200d\u0937", 2),
        ("\u0995\u09cd\u09b7", 2),
        ("\u0d4e\u0d15", 1),
        ("\u1780\u17d2\u1780", 2),
        ("\U00011013\U00011046\U00011013", 2),
        ("\u0600\u0915\u094d\u0937", 2),
        ("a\u094d\u0924", 2),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", 2),
        ("\U0001f469\u200d\u200d\U0001f469", 2),
        ("\xa9\u200d\xae", 1),
        ("1\ufe0f\u20e3e\u0301", 2),
    ],
)
def test_letters_that_only_newer_servers_join_count_no_less_than_on_older_ones(text: str, count: int) -> None:
    assert count <= mastodon_length(text) <= len(text)
    assert mastodon_length(f"Police {text} https://police.fr") == 7 + mastodon_length(text) + 1 + 23


@given(nasty_text(max_parts=20), nasty_text(max_parts=3))
def test_a_status_is_never_longer_than_what_a_reader_sees_and_23_for_each_address(text: str, spoiler: str) -> None:
    addresses = text.count("://") + spoiler.count("://")
    assert mastodon_length(text, spoiler) <= len(spoiler) + len(text) + 23 * addresses
    assert mastodon_length(text, spoiler, code_points=True) == len(text) + len(spoiler)


@given(st.lists(st.sampled_from(list("ab.-_/:@#é 中\ud83d\udea8🚨\u200d")), max_size=60).map("".join))
def test_any_string_is_counted(text: str) -> None:
    assert x_weight(text) >= 0
    assert mastodon_length(text) >= 0


def test_plain_texts_do_not_load_the_unicode_expressions() -> None:
    code = """
import sys
from policenotify.text import find_losses, mastodon_length, sms, to_gsm, x_weight
text = "Accident sur l'A6. Infos : https://www.service-public.fr @police"
print(x_weight(text), mastodon_length(text), sms(text).segments, to_gsm(text) == text, find_losses(text))
print("regex" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - our own code
    assert done.stdout == "58 58 1 True ()\nFalse\n"
