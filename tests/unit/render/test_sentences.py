"""The beginnings and ends of sentences, and the names in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.render.locales import LOCALES
from policenotify.render.sentences import follow, lower_first, paragraph, without_colon

WORDS = LOCALES["fr"].lowers_after_colon


@pytest.mark.parametrize(
    ("text", "continued"),
    [
        ("Fin de l'intervention", "fin de l'intervention"),
        ("Une voie rouverte", "une voie rouverte"),
        ("Le feu est maîtrisé", "le feu est maîtrisé"),
        ("L'A9 est rouverte", "l'A9 est rouverte"),
        ("La Poste annonce un retour", "La Poste annonce un retour"),
        ("Les Halles sont rouvertes", "Les Halles sont rouvertes"),
        ("Le RAID intervient", "le RAID intervient"),
        ("Lucas est âgé de 14 ans", "Lucas est âgé de 14 ans"),
        ("Enedis annonce un retour", "Enedis annonce un retour"),
        ("Madame Martin est saine et sauve", "Madame Martin est saine et sauve"),
        ("Clément, 12 ans, est retrouvé", "Clément, 12 ans, est retrouvé"),
        ("Neutralisation d'une voie", "neutralisation d'une voie"),
        ("Sète sous les eaux", "Sète sous les eaux"),
        ("RD612 rouverte", "RD612 rouverte"),
        ("Évitez le secteur", "évitez le secteur"),
    ],
)
def test_only_a_word_that_is_no_name_loses_its_capital_after_a_colon(text: str, continued: str) -> None:
    assert lower_first(text, "Le Crès, avenue de Toulouse", WORDS) == continued
    assert lower_first(text, "", LOCALES["en"].lowers_after_colon) == text


def test_a_word_of_the_place_keeps_its_capital() -> None:
    assert lower_first("Port fermé", "Port, quai 2", WORDS) == "Port fermé"


@given(
    st.sampled_from(
        ["Lucas", "Léa", "Inès", "Enzo", "Rose", "Pierre", "Olive", "Prudence", "Victor", "Enedis", "Orange", "Clément"]
    )
)
def test_a_name_is_never_written_small(name: str) -> None:
    assert lower_first(f"{name} est en vie", "Sète", WORDS) == f"{name} est en vie"


def test_one_sentence_has_one_colon() -> None:
    marks = {"colon": " : ", "dash": " – "}
    assert follow("#Sète", "le pont est rouvert", **marks) == "#Sète : le pont est rouvert"
    assert follow("#Sète", "opération de police : rue Foch", **marks) == "#Sète – Opération de police : rue Foch"
    assert follow("#Sète", "rendez-vous à 18:30", **marks) == "#Sète : rendez-vous à 18:30"
    assert without_colon("Fête : rues fermées") == "Fête, rues fermées"
    assert without_colon("Point à 18:30") == "Point à 18:30"


def test_after_an_address_the_next_sentence_begins_a_line() -> None:
    assert paragraph("Plus d'infos sur www.herault.gouv.fr\nProchain point à 18h30") == (
        "Plus d'infos sur www.herault.gouv.fr\nProchain point à 18h30."
    )
    assert paragraph("Restez prudents\nÉvitez le secteur") == "Restez prudents. Évitez le secteur."
    assert paragraph("") == ""


@given(st.lists(st.sampled_from(["Voir www.herault.gouv.fr", "Évitez le secteur", "Attention !", ""]), max_size=5))
def test_no_sentence_runs_on_after_an_address(lines: list[str]) -> None:
    for line in paragraph("\n".join(lines)).splitlines():
        assert "gouv.fr " not in line
