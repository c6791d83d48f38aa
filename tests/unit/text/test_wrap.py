"""Lines of plain text: where they break, and how wide they are."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from policenotify.text.wrap import display_width, wrap

URL = "https://police.example/actualites/2026/accident-avenue-de-toulouse-sens-centre-a709"


@pytest.mark.parametrize(
    ("text", "wide"),
    [
        ("", 0),
        ("Évitez le secteur – « l’avenue »\u202f!", 34),
        ("e\u0301vite\u0301", 5),
        ("日本語", 6),
        ("한글", 4),
        ("\u1112\u1161\u11ab", 2),  # the same syllable in its letters
        ("🚨", 2),
        ("👮🏽‍♀️👨‍👩‍👧‍👦", 4),
        ("⚠", 1),
        ("⚠️", 2),
        ("1️⃣", 2),
        ("🇫🇷", 2),
        ("ﾊﾝｶｸ", 4),
        ("\u200b\u00ad", 0),
        ("a\tb", 10),
    ],
)
def test_a_text_is_as_wide_as_in_a_terminal(text: str, wide: int) -> None:
    assert display_width(text) == wide


@pytest.mark.parametrize(
    "text",
    ["🚨 Accident 🚨", "✅ TERMINÉ", "ℹ️ Info", "👮‍♀️ 🇫🇷 🏳️‍🌈 1️⃣", "Œuvre à 18 h 30 → « ça »", "東京 Αθήνα Москва"],
)
def test_rich_wraps_the_same(text: str) -> None:
    assert display_width(text) == cell_len(text)


@pytest.mark.parametrize(
    "text",  # ~ is a space at which no line ends
    [
        "l'homme mesure 1,72~m et pèse 70~kg",
        "appelez le 01~23~45~67~89 sans attendre",
        "appelez le +33~(0)1~23~45~67~89, jour et nuit",
        "gratuit au (0~805~805~817), ou au 17",
        "rendez-vous à 18~h~30 devant la mairie",
        "vendredi 5~juin à 17h42",
        "amende de 135~€ et 50~% de plus, n°~17",
        "deux témoins~: M.~Dupont et Mme~Martin",
        "sur l'autoroute A9, au km~14,2",
        "la route est fermée~! que faire~? attendre~; merci",
        "le lieu-dit «~Les Arceaux~» et le (~pont~)",
        "sens Lyon~→ Paris, Accident~– TERMINÉ, en cours~- suite",
        "en 2025, trois morts",
        "un mot,\u00a0puis\u202fdeux autres",
        f"plan sur {URL} à lire",
        "écrire à desk@police.example ou @police",
    ],
)
def test_no_line_ends_within_what_belongs_together(text: str) -> None:
    plain = text.replace("~", " ")
    widest = max(display_width(piece.replace("~", " ")) for piece in text.split(" "))
    ends = set()
    for width in range(widest, display_width(plain)):
        lines = wrap(plain, width).split("\n")
        assert " ".join(lines) == plain
        assert max(map(display_width, lines)) <= width
        ends |= {len(" ".join(lines[:number])) for number in range(1, len(lines))}
    assert ends
    assert ends <= {place for place, sign in enumerate(text) if sign == " "}


def test_a_word_wider_than_a_line_is_alone_on_it_and_whole() -> None:
    assert wrap(f"Plan : {URL} à lire", 40) == f"Plan :\n{URL}\nà lire"
    assert wrap(f"Plan : {URL} !", 40) == f"Plan :\n{URL} !"
    assert wrap("x" * 80) == "x" * 80
    assert wrap("a\u00a0" * 60) == "a\u00a0" * 60


def test_a_row_of_numbers_wider_than_a_line_is_parted_all_the_same() -> None:
    lines = wrap("1 22 333 " * 30).split("\n")
    assert len(lines) == 4
    assert max(map(display_width, lines)) <= 72


def test_lines_that_fit_are_not_touched() -> None:
    text = "-- \n  deux   espaces  \n\n\tx\n" + "a" * 72
    assert wrap(text) == text


@pytest.mark.parametrize("mark", ["- ", "• ", "* ", "– ", "1. ", "12) ", "   - "])
def test_an_item_goes_on_under_its_first_word(mark: str) -> None:
    first, *others = wrap(mark + "Évitez le secteur. " * 10 + "\nSuite").split("\n")
    assert first.startswith(f"{mark}Évitez")
    assert others.pop() == "Suite"
    assert len(others) >= 2
    assert {len(line) - len(line.lstrip()) for line in others} == {len(mark)}


def test_an_indent_of_half_a_line_is_given_up() -> None:
    assert wrap(" " * 50 + "Évitez le secteur, suivez la déviation.", 60).startswith("Évitez")
    assert wrap(" " * 90) == ""


ITEM = re.compile(r"^ *(([-*•–—·▪]|\(?\d{1,2}[.)]) +)?")
WORDS = st.one_of(
    st.sampled_from(
        ["Évitez", "le", "secteur", URL, "17", "01", "h", "1,72", "m", "n°", "«", "»", ":", "!", "–", "km"]
    ),
    st.sampled_from(
        [
            "🚨",
            "日本語",
            "e\u0301",
            "\u0301",
            "👮🏽‍♀️",
            "a\u00a0b",
            "x" * 80,
            "- ",
            "* ",
            "\n",
            "  ",
            "\t",
            "(0)1",
            "+33",
        ]
    ),
    st.text(max_size=6),
)
TEXTS = st.lists(WORDS, max_size=60).map(" ".join)


@given(TEXTS, st.integers(1, 90))
@example("- " * 50, 20)
@example(f"  {URL} {URL}", 30)
def test_nothing_is_lost_and_no_line_is_too_wide_that_could_be_parted(text: str, width: int) -> None:
    wrapped = wrap(text, width)
    assert wrapped.replace("\n", " ").replace(" ", "") == text.replace("\n", " ").replace(" ", "")
    assert wrap(wrapped, width) == wrapped
    for line in wrapped.split("\n"):
        words = ITEM.sub("", line).strip(" ")
        assert display_width(line) <= width or wrap(words, 1) == words
