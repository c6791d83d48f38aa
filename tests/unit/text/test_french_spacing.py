"""Non-breaking spaces in French, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.testing.strategies import nasty_text
from policenotify.text.french import set_no_break_spaces
from policenotify.text.links import find_links


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("Attention ! Fermé : voir « ici » ; et ?", "Attention~! Fermé~: voir «~ici~»~; et~?"),
        ("à 1 200 m, à 18 h ou 18 h 30", "à 1~200~m, à 18~h ou 18~h~30"),
        ("n° 12, 1 200 300 habitants, 10 t", "n°~12, 1~200~300 habitants, 10~t"),
        ("Voir : https://x.fr/?a=b !", "Voir~: https://x.fr/?a=b !"),
    ],
)
def test_no_line_breaks_there(text: str, reads: str) -> None:
    assert set_no_break_spaces(text) == reads.replace("~", "\u00a0")


@pytest.mark.parametrize(
    "text",
    [
        "bien :) ;-) :D :p :'( :/",
        "Attention! Fermé: voir «ici»",
        "0 805 805 817, 04 67 12 34 56, +33 4 67 12 34 56, +33 1 200 300",
        "le 12 s'est, 12 m’a, le 5 l'homme, 12 m/s, 12 habitants",
        "a !b ?c=d https://x.fr/ ?d",
    ],
)
def test_nothing_else_is_touched(text: str) -> None:
    assert set_no_break_spaces(text) == text


FRENCH = st.lists(
    st.sampled_from(
        (
            "Attention",
            " ",
            " !",
            " : ",
            "« ",
            " »",
            "1 200",
            " m",
            "18 h 30",
            "n° ",
            "12",
            "0 805 805 817",
            "\u202f",
            ":)",
        )
    )
).map("".join)


@given(st.one_of(nasty_text(max_parts=20), FRENCH))
def test_only_spaces_change_and_setting_twice_changes_nothing(text: str) -> None:
    reads = set_no_break_spaces(text)
    assert set_no_break_spaces(reads) == reads
    assert reads.translate({0xA0: " ", 0x202F: " "}) == text.translate({0xA0: " ", 0x202F: " "})
    assert "\u202f" not in reads
    assert [one.value for one in find_links(reads)] == [
        one.value for one in find_links(text.replace("\u202f", "\u00a0"))
    ]
