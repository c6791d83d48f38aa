"""The place of a message in words."""

from __future__ import annotations

import pytest

from policenotify.formats.places import place_words
from policenotify.model.location import Location, RoadRef

_TOWN = {"commune_name": "Montpellier", "department_name": "Hérault"}


@pytest.mark.parametrize(
    ("location", "words"),
    [
        (None, ""),
        (Location(), ""),
        (Location(**_TOWN), "Montpellier (Hérault)"),
        (Location(commune_name="Sète"), "Sète"),
        (Location(department_name="Hérault"), "Hérault"),
        (Location(label="devant la gare", street="rue Foch", **_TOWN), "devant la gare, Montpellier (Hérault)"),
        (
            Location(street="rue Foch", between=("place A", "place B"), district="Gambetta", line="ligne 1"),
            "rue Foch, place A / place B, Gambetta, ligne 1",
        ),
        (Location(road=RoadRef(road="A9")), "A9"),
        (
            Location(road=RoadRef(road="A9", direction="Béziers → Nîmes", exit="sortie 31")),
            "A9 (Béziers → Nîmes), sortie 31",
        ),
    ],
)
def test_the_finest_words_come_first(location: Location | None, words: str) -> None:
    assert place_words(location) == words
