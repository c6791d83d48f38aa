"""Articles and prepositions before the names of French places."""

from __future__ import annotations

import pytest

from policenotify.text.french import between, of, with_article


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("Le Crès", "du Crès"),
        ("Les Matelles", "des Matelles"),
        ("La Grande-Motte", "de La Grande-Motte"),
        ("L'Haÿ-les-Roses", "de L'Haÿ-les-Roses"),
        ("Agde", "d'Agde"),
        ("Hyères", "d'Hyères"),
        ("Yvetot", "d'Yvetot"),
        ("Montpellier", "de Montpellier"),
    ],
)
def test_a_preposition_merges_with_the_article_or_is_elided(name: str, whose: str) -> None:
    assert of(name) == whose


@pytest.mark.parametrize(
    ("way", "written"),
    [
        ("A9", "l'A9"),
        ("avenue de Toulouse", "l'avenue de Toulouse"),
        ("Mudaison", "Mudaison"),
        ("allées Riquet", "les allées Riquet"),
    ],
)
def test_a_way_has_its_article_and_a_town_has_none(way: str, written: str) -> None:
    assert with_article(way) == written


def test_two_exits_share_their_noun() -> None:
    assert between("sortie 31", "sortie 32") == ("les sorties 31", "32")
    assert between("sortie 31", "échangeur 32") == ("la sortie 31", "l'échangeur 32")
    assert between("rue de Zurich", "place du Corbeau") == ("la rue de Zurich", "la place du Corbeau")
