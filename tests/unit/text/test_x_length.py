"""The weighted length of a text on X."""

from __future__ import annotations

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.testing.strategies import nasty_text
from policenotify.text import x_entities, x_valid, x_weight
from policenotify.text._data.tlds import FROZEN, KNOWN

POLICEWOMAN = "\U0001f46e\U0001f3fd\u200d\u2640\ufe0f"
POLICEWOMAN_IN_HASTE = "\U0001f46e\u200d\u2640"  # without the form that makes it known
FIREFIGHTER = "\U0001f9d1\u200d\U0001f692"  # newer than the table
TO_THE_LIMIT = "x" * 256 + " https://www.service-public.fr/particuliers/vosdroits/F1234"


# Counted by npm twitter-text 3.1.0.
@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("", 0),
        ("évry.fr", 24),
        ("Voir évry.fr", 28),
        ("Accès fermé.La RN7 est coupée", 44),
        ("M.Dupont recherché", 33),
        ("Zone de 10\u202fkm\u00a0: évitez l’A6\u202f!", 31),
        ("E\u0301vacuation de l'e\u0301cole", 21),
        ("Prime 500 € … • №3", 22),
        (POLICEWOMAN + POLICEWOMAN_IN_HASTE + FIREFIGHTER, 12),
        ("Mail : police77@interieur.gouv.fr ou https://www.police-nationale.interieur.gouv.fr/nous-contacter?x=é", 61),
        (TO_THE_LIMIT, 280),
        ("\ufeffAlerte", 8),
        ("a\r\nb", 4),
        ("(info.paris), https://t.co/AbC123xyz?amp=1!", 51),
        ("€" * 140, 280),
        ("https:exemple.fr", 29),
        ("\u2066police.fr\u2069", 27),
        ("\U0001faf7\U0001f3ff", 4),
        ("x.com 112.be contact@police.fr", 65),
        ("http://évry.fr", 23),
        ("St.Michel S.N.C.F 14h30.Fin .Merci", 34),
        ("© ® ©️ ⚠️ ⚠ ℹ️ 1️⃣ 🇫🇷 👮🏽‍♀️ 🚨", 27),
        ("\ud83d\udea8", 2),
        ("\ud83d", 2),
    ],
)
def test_a_text_weighs_what_it_does_on_x(text: str, weight: int) -> None:
    assert x_weight(text) == weight
    assert x_weight(text, tlds=FROZEN) == weight


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("Alerte", True),
        ("", False),
        ("\ufeffAlerte", False),
        ("Alerte\uffff", False),
        (TO_THE_LIMIT, True),
        ("x" + TO_THE_LIMIT, False),
        ("€" * 141, False),
    ],
)
def test_a_text_is_valid_or_not(text: str, valid: bool) -> None:  # noqa: FBT001 - an expected value
    assert x_valid(text) is valid


def test_a_subscription_gives_more_room() -> None:
    assert x_valid("x" * 25_000, limit=25_000)


def test_the_top_level_domains_are_those_of_twitter_text_and_those_that_came_later() -> None:
    assert len(FROZEN) == 1574
    assert FROZEN < KNOWN
    assert {"music", "spa", "kids", "amazon"} <= KNOWN - FROZEN


@pytest.mark.parametrize(
    ("text", "frozen", "known"),
    [
        ("Voir la-garde.spa", 17, 28),  # a link if X knows .spa
        ("Voir https://la-garde.music/concert/du/samedi", 45, 45),  # none if it does not
        ("a.kids https://la-garde.music/concert/du/samedi", 47, 24 + 40),  # the first may be one, the second not
        ("x.fr.spa", 27, 27),
        ("Voir police.fr", 28, 28),
    ],
)
def test_a_possible_link_counts_as_much_as_it_can(text: str, frozen: int, known: int) -> None:
    assert x_weight(text, tlds=FROZEN) == frozen
    assert x_weight(text) == known


def test_the_caller_names_the_top_level_domains() -> None:
    assert x_weight("a.zz", tlds=FROZEN | {"zz"}) == 23
    assert x_weight("a.zz", tlds=frozenset({"zz"})) == 23
    assert x_weight("police.fr", tlds=frozenset({"zz"})) == 9
    assert x_entities("police.fr a.zz", tlds=frozenset({"zz"}))[0].value == "a.zz"


@given(nasty_text(max_parts=20))
def test_a_weight_is_between_one_and_two_for_each_character_or_23_for_each_link(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    links = [one for one in x_entities(composed, tlds=FROZEN) if one.kind == "url"]
    assert x_weight(text, tlds=FROZEN) <= 2 * len(composed) + 23 * len(links)
    assert x_weight(text) >= x_weight(text, tlds=FROZEN)
    assert x_weight(composed) == x_weight(text)


@given(st.text(st.characters(codec="utf-8", max_codepoint=0x10FF, exclude_characters=".\u20e3"), max_size=300))
def test_latin_and_its_neighbours_count_one_each(text: str) -> None:
    composed = unicodedata.normalize("NFC", text)
    if max(composed, default="") <= "\u10ff":
        assert x_weight(text) == len(composed)


@given(st.lists(st.sampled_from(list("ab.-_/:@#é 中\ud83d\udea8🚨\u200d")), max_size=60).map("".join))
def test_any_string_is_counted(text: str) -> None:
    assert x_weight(text) >= 0
    assert x_valid(text) in {True, False}


def test_plain_texts_load_neither_the_unicode_expressions_nor_the_alphabets_of_hashtags() -> None:
    code = """
import sys
from policenotify.text import mastodon_length, sms, to_gsm, x_weight
text = "Accident sur l'A6. Infos : https://www.service-public.fr @police"
print(x_weight(text), mastodon_length(text), sms(text).segments, to_gsm(text).lost)
print("regex" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - our own code
    assert done.stdout == "58 58 1 ()\nFalse\n"
