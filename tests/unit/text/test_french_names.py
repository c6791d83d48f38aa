"""Articles and prepositions before the names of French places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.model import places
from policenotify.text.french_names import at, between, contract, of, with_article


@pytest.mark.parametrize(
    ("name", "where", "whose"),
    [
        ("Le Crès", "au Crès", "du Crès"),
        ("Les Matelles", "aux Matelles", "des Matelles"),
        ("La Grande-Motte", "à La Grande-Motte", "de La Grande-Motte"),
        ("L'Haÿ-les-Roses", "à L'Haÿ-les-Roses", "de L'Haÿ-les-Roses"),
        ("Agde", "à Agde", "d'Agde"),
        ("Évian-les-Bains", "à Évian-les-Bains", "d'Évian-les-Bains"),
        ("Œuf-en-Ternois", "à Œuf-en-Ternois", "d'Œuf-en-Ternois"),
        ("Hyères", "à Hyères", "d'Hyères"),
        ("Houilles", "à Houilles", "de Houilles"),
        ("Hœnheim", "à Hœnheim", "de Hœnheim"),
        ("Yvetot", "à Yvetot", "d'Yvetot"),
        ("Yutz", "à Yutz", "de Yutz"),
        ("Montpellier", "à Montpellier", "de Montpellier"),
        ("Les Abymes", "aux Abymes", "des Abymes"),
    ],
)
def test_a_preposition_merges_with_the_article_or_is_elided(name: str, where: str, whose: str) -> None:
    assert at(name) == where
    assert of(name) == whose


@pytest.mark.parametrize(
    ("typed", "name", "written"),
    [
        ("Feu à Le Crès", "Le Crès", "Feu au Crès"),
        ("À Le Crès, rue Foch", "Le Crès", "Au Crès, rue Foch"),
        ("Les habitants de Les Matelles sortent de Les Matelles.", "Les Matelles", None),
        ("Sortie de Agde", "Agde", "Sortie d'Agde"),
        ("Route de Agde-la-Vieille", "Agde", "Route de Agde-la-Vieille"),
        ("Feu à La Grande-Motte", "La Grande-Motte", "Feu à La Grande-Motte"),
        ("Feu à #LeCrès", "Le Crès", "Feu à #LeCrès"),
        ("Il lit de Le Corbusier", "Le Crès", "Il lit de Le Corbusier"),
    ],
)
def test_typed_prepositions_are_set_right_before_the_name_of_the_place(
    typed: str, name: str, written: str | None
) -> None:
    expected = "Les habitants des Matelles sortent des Matelles." if written is None else written
    assert contract(typed, name) == expected
    assert contract(expected, name) == expected


@pytest.mark.parametrize(
    ("way", "written"),
    [
        ("rue Foch", "la rue Foch"),
        ("Avenue de Toulouse", "l'avenue de Toulouse"),
        ("boulevard Gambetta", "le boulevard Gambetta"),
        ("allées Paul-Riquet", "les allées Paul-Riquet"),
        ("A9", "l'A9"),
        ("D612", "la D612"),
        ("N113", "la N113"),
        ("Mudaison", "Mudaison"),
        ("la rue Foch", "la rue Foch"),
        ("échangeur de Sète", "l'échangeur de Sète"),
    ],
)
def test_a_way_has_its_article_and_a_town_has_none(way: str, written: str) -> None:
    assert with_article(way) == written
    assert with_article(written) == written


def test_two_exits_share_their_noun() -> None:
    assert between("sortie 31", "sortie 32") == ("les sorties 31", "32")
    assert between("sortie 31", "échangeur 32") == ("la sortie 31", "l'échangeur 32")
    assert between("rue de Zurich", "place du Corbeau") == ("la rue de Zurich", "la place du Corbeau")


@given(
    st.sampled_from([place.name for place in places.communes_of("34")] + ["Le Havre", "Les Abymes", "Œuf-en-Ternois"])
)
def test_no_commune_stands_after_a_preposition_that_should_merge(name: str) -> None:
    for text in (at(name), of(name), contract(f"Feu à {name}, près de {name}", name)):
        assert not any(f"{word} {article} " in f" {text} " for word in ("à", "de") for article in ("Le", "Les"))
        assert not any(f" de {vowel}" in f" {text}" for vowel in "AEIOUÉÈŒÎ")
