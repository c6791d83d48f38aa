"""The place in words: said once, in the grammar of its language."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.model import places
from policenotify.model.location import Location
from policenotify.render.locales import LOCALES
from policenotify.render.places import LONGEST, Place, direction_of, place_of
from policenotify.text.comparison import fold
from policenotify.text.links import find_links

FR, EN = LOCALES["fr"], LOCALES["en"]


@pytest.mark.parametrize(
    ("text", "name", "shown"),
    [
        ("Feu d'appartement au Crès", "Le Crès", "Feu d'appartement au Crès"),
        ("Accident à la Grande-Motte", "La Grande-Motte", "Accident à #LaGrandeMotte"),
        ("Accident à St-Jean-de-Védas", "Saint-Jean-de-Védas", "Accident à #SaintJeanDeVédas"),
        ("Feu à Oeuf-en-Ternois", "Œuf-en-Ternois", "Feu à #ŒufEnTernois"),
        ("Feu à Paris 11e", "Paris 11e", "Feu à #Paris11"),
        ("Coupure dans les deux sens", "Sens", None),
        ("Feu du ciel", "Le Crès", None),
    ],
)
def test_a_place_that_the_headline_names_is_recognised(text: str, name: str, shown: str | None) -> None:
    assert Place(name).tagged_in(text) == shown


@given(st.sampled_from([place.name for place in places.communes_of("34")]), st.sampled_from(["Feu à {}", "{} : feu"]))
def test_any_commune_is_recognised_with_and_without_its_capital_article(name: str, form: str) -> None:
    for written in (name, name.upper(), name.replace("Saint-", "St-")):
        shown = Place(name).tagged_in(form.format(written))
        assert shown is not None
        assert [span.value for span in find_links(shown)] == [Place(name).tag]


@pytest.mark.parametrize(
    ("typed", "french", "english"),
    [
        ("Béziers → Montpellier", "sens Béziers vers Montpellier", "from Béziers towards Montpellier"),
        ("sens Sète vers Frontignan", "sens Sète vers Frontignan", "from Sète towards Frontignan"),
        ("dans les deux sens", "dans les deux sens", "in both directions"),
        ("Agde", "en direction d'Agde", "towards Agde"),
        ("direction Le Havre", "en direction du Havre", "towards Le Havre"),
        ("A709", "en direction de l'A709", "towards A709"),
        ("nord-sud", "sens nord-sud", "direction nord-sud"),
        ("", "", ""),
    ],
)
def test_a_direction_is_a_phrase_that_says_sens_once(typed: str, french: str, english: str) -> None:
    assert direction_of(typed, FR) == french
    assert direction_of(typed, EN) == english


@given(st.text(st.characters(codec="utf-8", categories=["L"]), min_size=1, max_size=20))
def test_no_direction_says_sens_twice_or_shows_an_arrow(name: str) -> None:
    for typed in (name, f"sens {name}", f"dans le sens {name}", f"{name} → Sète", f"Sète -> {name}"):
        phrase = fold(direction_of(typed, FR))
        assert "sens sens" not in phrase
        assert "→" not in direction_of(typed, FR)


def _place(**fields: Any) -> Place:
    location = Location.model_validate({"commune_name": "Lattes", "department_name": "Hérault", **fields})
    return place_of(location, FR)


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        ({"street": "rue Foch", "between": ("rue A", "avenue B")}, "Accident, rue Foch, entre la rue A et l'avenue B"),
        ({"between": ("rue A", "avenue B")}, "Accident entre la rue A et l'avenue B"),
        ({"street": "rue Foch", "between": ("\N{RIGHT-TO-LEFT OVERRIDE}", "avenue B")}, "Accident, rue Foch"),
        (
            {"road": {"road": "A9"}, "between": ("sortie 31", "sortie 32")},
            "Accident sur l'A9, entre les sorties 31 et 32",
        ),
        ({"label": "devant la gare, quai 2"}, "Accident devant la gare, quai 2"),
    ],
)
def test_a_place_follows_the_event_as_one_would_say_it(fields: dict[str, Any], event: str | None) -> None:
    expected = event or "Accident, ligne 1 du tramway, entre Comédie et Corum"
    assert _place(**fields).added_to("Accident", "Accident", directly=True) == expected


def test_after_punctuation_a_place_is_set_off() -> None:
    place = _place(road={"road": "D4"})
    assert place.added_to("Choc, un blessé", "Choc, un blessé", directly=False) == "Choc, un blessé, sur la D4"
    assert place.added_to("Verglas !", "Verglas !", directly=False) == "Verglas ! Sur la D4"
    assert place.added_to("Choc sur la D4", "Choc sur la D4", directly=True) == "Choc sur la D4"


def test_a_long_route_is_named_by_its_first_piece() -> None:
    route = _place(label="départ place de la Comédie, rue de la Loge, rue Foch, boulevard Gambetta, arrivée au parc")
    assert route.details_missing_in("", longest=LONGEST) == "place de la Comédie"
    assert len(route.details_missing_in("")) > LONGEST
    assert _place(street="rue Foch").details_missing_in("", longest=LONGEST) == "rue Foch"
    spaced = _place(line=f"ligne 1 \u202e, {'arrêt Comédie ' * 5}")  # an unseen character was between space and comma
    assert spaced.details_missing_in("", longest=LONGEST) == "ligne 1"


def test_a_department_of_the_same_name_is_named_once() -> None:
    place = place_of(Location(commune="75056", commune_name="Paris", department_name="Paris"), FR)
    assert (place.name, place.department) == ("Paris", "")
