"""Lines of plain text: where they break."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policenotify.text.wrap import wrap

URL = "https://police.example/actualites/2026/accident-avenue-de-toulouse-sens-centre-a709"


@pytest.mark.parametrize(
    "text",  # ~ is a space at which no line ends
    [
        "l'homme mesure 1,72\u00a0m et pèse 70\u00a0kg",
        "appelez le +33~(0)1~23~45~67~89, jour et nuit",
        "le lieu-dit «\u00a0Les Arceaux\u00a0» et le pont",
        f"plan sur {URL} à lire",
    ],
)
def test_no_line_ends_within_what_belongs_together(text: str) -> None:
    plain = text.replace("~", " ")
    widest = max(len(piece) for piece in text.split(" "))
    ends = set()
    for width in range(widest, len(plain)):
        lines = wrap(plain, width).split("\n")
        assert " ".join(lines) == plain
        assert max(map(len, lines)) <= width
        ends |= {len(" ".join(lines[:number])) for number in range(1, len(lines))}
    assert ends
    assert ends <= {place for place, sign in enumerate(text) if sign == " "}


def test_a_word_wider_than_a_line_is_alone_on_it_and_whole() -> None:
    assert wrap(f"Plan : {URL} à lire", 40) == f"Plan :\n{URL}\nà lire"
    assert wrap("x" * 80) == "x" * 80
    assert wrap("a\u00a0" * 60) == "a\u00a0" * 60


WORDS = st.one_of(
    st.sampled_from(
        ["Évitez", "le", "secteur", URL, "17", "01", "h", "m", "«", "»", ":", "!", "–", "km", "- ", "\n", "  "]
    ),
    st.text(st.characters(exclude_characters="\0"), max_size=6),  # no message holds one
)


@given(st.lists(WORDS, max_size=60).map(" ".join), st.integers(1, 90))
@example("- " * 50, 20)
@example(f"  {URL} {URL}", 30)
def test_nothing_is_lost_and_a_second_call_changes_nothing(text: str, width: int) -> None:
    wrapped = wrap(text, width)
    assert re.sub(r"\s", "", wrapped) == re.sub(r"\s", "", text)
    assert wrap(wrapped, width) == wrapped
    assert all(
        len(line) <= width or len(line.split()) <= 2 or "17" in line or "01" in line for line in wrapped.split("\n")
    )
