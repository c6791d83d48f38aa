"""Texts are read as readers read them, and every finding is at its place in the text as typed."""

from __future__ import annotations

import pytest

from policenotify.checks.folds import FoldedText
from policenotify.checks.words import Vocabulary, WordListChange, WordLists

LISTS = WordLists({"guilt": ("coupable", "meurtri(er|ère)", "auteur du meurtre", "handicap*")})


@pytest.mark.parametrize(
    "typed",
    [
        "coupable",
        "COUPABLES",
        "Coúpàble",
        "Cou\u0301pable",
        "cou\u00adpable",
        "c\u200bo\u200bu\u200bp\u200bable",
        "соuраblе",  # Cyrillic
        "𝗰𝗼𝘂𝗽𝗮𝗯𝗹𝗲",
        "ｃｏｕｐａｂｌｅ",
        "🅒🅞🅤🅟🅐🅑🅛🅔",
        "c0up4bl3",
        "c o u p a b l e",
        "C.O.U.P.A.B.L.E",
        "c\u00a0o\u00a0u\u00a0p\u00a0a\u00a0b\u00a0l\u00a0e",
        "cou-pable",
        "#CoupableDeFait",
        "#cOuPaBlE",
        "meurtriere",
        "auteur  du\u00a0meurtre",
        "a u t e u r d u m e u r t r e",
        "handicapée",
    ],
)
def test_a_word_is_found_however_it_is_written(typed: str) -> None:
    text = f"Il est {typed} hier"
    folded = FoldedText(text)
    [match] = LISTS.find(folded)["guilt"]
    start, end = folded.span(folded.tokens[match.first].start, folded.tokens[match.end - 1].end)
    assert text[start:end].strip("#").startswith(typed.strip("#")[:3])
    assert not LISTS.find(FoldedText(text[:start] + text[end:]))


@pytest.mark.parametrize("typed", ["coupe", "incoupable", "auteur de meurtre", "handi cap", "cou et pable"])
def test_another_word_is_not_found(typed: str) -> None:
    assert not LISTS.find(FoldedText(f"Il est {typed} hier"))


def test_a_desk_adds_to_a_list_removes_from_it_and_switches_it_off() -> None:
    lists = Vocabulary(
        {
            "unfinished": WordListChange(add=("en chantier",), remove={"brouillon": "C'est le nom d'un bar."}),
            "test": WordListChange(off="Nous publions des essais de sirènes."),
        }
    ).of("fr-FR")
    found = lists.find(FoldedText("TEST en chantier, brouillon"))
    assert [match.first for match in found["unfinished"]] == [1]
    assert "test" not in found


def test_a_language_without_lists_has_those_of_every_language() -> None:
    assert "unfinished" in Vocabulary().of("oc").find(FoldedText("TODO"))
    assert "guilt" not in Vocabulary().of("oc").entries


def test_an_hour_before_an_article_is_no_spelt_word() -> None:
    assert FoldedText("dès 21 h à l'entrée").text == "des 21 h a l'entree"


def test_the_cache_of_words_met_is_emptied_when_it_is_full() -> None:
    lists = WordLists({"guilt": ("coupable",)})
    assert not any(lists.holds("guilt", f"mot{number}") for number in range(5_001))
    assert lists.holds("guilt", "coupable")


@pytest.mark.parametrize(
    ("entry", "text", "is_found"),
    [
        ("(|tres )grave", "c'est grave", True),
        ("(|tres )grave", "un tres grave accident", True),
        ("(a|e)bime", "un ebime", True),
        ("l'auteur", "on a vu l'auteur", True),
        ("éléphant*", "les ELEPHANTEAUX", True),
        ("œuvre", "une oeuvre", True),
        ("u20", "le match U20", True),
        ("a (|ne pas )relire", "brouillon a-relire", True),
        ("a (|ne pas )relire", "#aNePasRelire", True),
        ("(|un )(|grand )", "un grand jour", True),
        ("(|un )(|grand )", "rien", False),
        ("coupable", "c0upable", True),
        ("coupable", "coupe", False),
    ],
)
def test_an_entry_is_found_however_it_begins(entry: str, text: str, *, is_found: bool) -> None:
    assert bool(WordLists({"guilt": (entry,)}).find(FoldedText(text))) is is_found
