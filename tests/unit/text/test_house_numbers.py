"""House numbers, buildings and flats, and texts that only look like them."""

from __future__ import annotations

import pytest

from policenotify.text.house_numbers import HouseNumberRemoval, remove_house_numbers, street_names


def in_prose(text: str) -> HouseNumberRemoval:
    """Without the numbers of the streets that it names."""
    return remove_house_numbers(text, street_names(text), units=True)


@pytest.mark.parametrize(
    "place",
    [
        "avenue du 8 Mai 1945", "rue du 4-Septembre", "sortie 31",
        "A9, sortie 31, route de Béziers", "ligne 3, place de la Comédie", "rue de la 2e DB",
        "rond-point des 4 Chemins",
        "Zénith, porte 4",
    ],
)  # fmt: skip
def test_a_number_that_is_not_a_house_number_stays(place: str) -> None:
    assert remove_house_numbers(place) == (place, ())


@pytest.mark.parametrize(
    "headline",
    [
        "Accident à 17h30 rue Foch",
        "Rue Foch fermée samedi 14",
        "Rue Foch fermée du 12 au 14",
        "Lucas, 12 ans, rue Foch",
        "Feu au 3e étage",
    ],
)
def test_a_headline_keeps_its_other_numbers(headline: str) -> None:
    assert in_prose(headline) == (headline, ())


@pytest.mark.parametrize(
    "house",
    [
        "au 14", "n° 14", "entre le 14 et le 20", "14 – bât. B", "3e ét. gauche",
        "14 34000 Montpellier",
    ],
)  # fmt: skip
def test_a_house_number_is_recognised_behind_its_street_in_each_form(house: str) -> None:
    assert remove_house_numbers(f"rue Foch, {house}").text in {"rue Foch", "rue Foch 34000 Montpellier"}


@pytest.mark.parametrize(
    "way",
    [
        "r. Foch", "Grand'Rue",
        "lieu-dit Foch",
    ],
)  # fmt: skip
def test_a_house_number_is_recognised_on_each_kind_of_way(way: str) -> None:
    for house in (f"14 {way}", f"12 et 14, {way}", f"entre le 12 et le 14 {way}", f"logement 3, 14 {way}"):
        assert remove_house_numbers(house).text == way


@pytest.mark.parametrize("number", ["14", "quatorze", "cent quatre"])
@pytest.mark.parametrize("way", ["rue des Lilas", "r. des Lilas", "av. Foch"])
def test_one_finder_reads_short_forms_and_numbers_in_words(number: str, way: str) -> None:
    for address in (f"{number}, {way}", f"{number} {way}"):
        assert remove_house_numbers(address) == (way, (number,))
        assert in_prose(f"Opération {address}") == (f"Opération {way}", (number,))
        assert remove_house_numbers(f"Opération {address}.", street_names(way)).text == f"Opération {way}."
    assert remove_house_numbers(f"{way}, {number}") == (way, (number,))


@pytest.mark.parametrize("text", ["Ils étaient deux, rue Foch", "Ligne cinq, place Foch"])
def test_a_number_in_words_may_count(text: str) -> None:
    assert in_prose(text) == (text, ())


@pytest.mark.parametrize(
    "order",
    [
        "Appelez le 17, rue Foch fermée.",
        "Témoins de la rue Foch : appelez le n° 116 000.",
        "Commissariat : 04 67 99 35 00, rue Foch.",
        "Rue Foch fermée, dossier n° 4711.",
    ],
)
def test_a_telephone_number_is_not_a_house_number(order: str) -> None:
    assert remove_house_numbers(order, street_names("14 rue Foch")) == (order, ())
    assert in_prose(order) == (order, ())


def test_only_a_number_beside_the_street_goes_with_it() -> None:
    order = "Quittez le 12 et le 14 rue Foch, escalier 3 : sortez par la porte 2 et gagnez l'école au 3e étage."
    shown = "Quittez rue Foch : sortez par la porte 2 et gagnez l'école au 3e étage."
    assert remove_house_numbers(order, street_names("rue Foch")).text == shown
    assert in_prose(order).text == shown
