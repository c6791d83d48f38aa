"""Places of France: look-up by code and by name, and areas."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policenotify.model import places
from policenotify.model.places import Commune

DATA = Path(places.__file__).parents[1] / "data"


def rows(table: str) -> list[Any]:
    """One of the tables, read without the code under test."""
    with closing(sqlite3.connect(f"file:{DATA / f'cog_{places.COG_YEAR}.sqlite'}?mode=ro", uri=True)) as database:
        return list(database.execute(f"SELECT * FROM {table} ORDER BY 1"))  # noqa: S608 - our own names


def codes(found: tuple[Commune, ...]) -> list[str]:
    return [place.code for place in found]


# ─── by code ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_montpellier_whole() -> None:
    assert places.commune("34172") == Commune(
        code="34172",
        name="Montpellier",
        kind="COM",
        department="34",
        epci="243400017",
        population=310_240,
        part_of=None,
    )


def test_a_part_has_the_epci_of_the_whole_and_an_island_has_none() -> None:
    assert [it.epci if it else "?" for it in map(places.commune, ("75101", "75056"))] == ["200054781"] * 2
    ouessant = places.commune("29155")
    assert ouessant is not None
    assert ouessant.epci is None


@pytest.mark.parametrize("code", ["", "34", "3417", "99999", "2a004", "\ud800"])
def test_no_such_commune(code: str) -> None:
    assert places.commune(code) is None


def test_departments_and_epci() -> None:
    assert [places.department_name(code) for code in ("34", "2A", "974", "20")] == [
        "Hérault",
        "Corse-du-Sud",
        "La Réunion",
        None,
    ]
    areas = ("epci:243400017", "epci:200046977", "epci:000000000", "dept:34", "dept:20", "commune:34275", "road:A9")
    assert [places.exists(area) for area in areas] == [True, True, False, True, False, True, False]


def test_the_data_is_whole() -> None:
    communes = rows("commune")
    assert Counter(row[2] for row in communes) == {"COM": 34_969, "ARM": 45, "COMD": 1521, "COMA": 471}
    assert len({row[0] for row in communes}) == len(communes)
    assert (len(rows("department")), len(rows("epci"))) == (109, 1255)
    departments, epcis, own = ({row[0] for row in rows(table)} for table in ("department", "epci", "commune"))
    assert {row[4] for row in communes} - {None} <= epcis
    assert {row[7] for row in communes} - {None} <= own
    assert {row[1] for row in rows("dropped")} <= own
    assert {row[3] for row in communes} <= departments


def test_one_file_of_the_year_and_its_source_beside_it() -> None:
    assert sorted(path.name for path in DATA.glob("cog_*")) == [f"cog_{places.COG_YEAR}.sqlite"]
    assert (DATA / f"cog_{places.COG_YEAR}.sqlite").stat().st_size < 3_000_000
    source = (DATA / "SOURCE.md").read_text("utf-8")
    assert all(word in source for word in ("Licence Ouverte", "INSEE", "DGCL", "La Poste", str(places.COG_YEAR)))


# ─── by name ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("Montpellier", "34172"),
        ("  saint jean de vedas ", "34270"),
        ("St-Jean-de-Védas", "34270"),
        ("l’hay les roses", "94038"),
        ("oeuilly", "02565"),
        ("E\u0301pernay", "51230"),  # É as two characters
        ("Bellegarde-sur-Valserine", "01033"),  # the seat of Valserhône
        ("Lyon 7e arrondissement", "69387"),
    ],
)
def test_however_a_name_is_written(typed: str, code: str) -> None:
    assert code in codes(places.communes_named(typed))


def test_a_shared_name_gives_all_of_them() -> None:
    found = places.communes_named("Ste Colombe")
    assert [place.kind for place in found].count("COM") == 12
    assert {place.name for place in found} == {"Sainte-Colombe"}
    assert found == tuple(sorted(found, key=lambda place: (place.kind != "COM", place.code)))
    assert codes(places.communes_named("Sainte-Colombe", department="25")) == ["25515"]


@pytest.mark.parametrize("name", ["", "-", "Vedas", "東京"])
def test_no_commune_of_this_name(name: str) -> None:
    assert places.communes_named(name) == ()


@given(st.sampled_from(rows("commune")), st.sampled_from([str.upper, str.lower, lambda name: name.replace("-", " ")]))
def test_every_commune_is_found_by_its_name(row: list[str], written: object) -> None:
    assert callable(written)
    assert row[0] in codes(places.communes_named(written(row[1])))
    assert row[0] in codes(places.communes_named(row[1], department=row[3]))


def test_one_commune_is_found_by_name_or_code() -> None:
    assert [places.find(typed).code for typed in ("Montpellier", " 2a004", "Lyon 7e arrondissement")] == [
        "34172",
        "2A004",
        "69387",
    ]
    assert places.find("Sainte-Colombe", "25").code == "25515"


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("Monpelier", r"no commune 'Monpelier'\. Did you mean 34172 Montpellier \(34\), "),
        ("34000", r"no commune '34000'\. Did you mean 34172 Montpellier \(34\)\?"),
        ("Sainte-Colombe", r"12 communes are named 'Sainte-Colombe'\. Give the code.*: 05135 Sainte-Colombe \(05\), "),
        ("qqqqqqqqq", "Give its INSEE code"),
        ("", "Give its INSEE code"),
    ],
)
def test_a_name_of_none_or_several_names_the_nearest(typed: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        places.find(typed)


# ─── did you mean ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("Monpelier", "34172"),
        ("Vedas", "34270"),
        ("st etienne", "42218"),  # the most populous of eleven
        ("1001", "01001"),  # a spreadsheet took the zero
        ("34000", "34172"),  # a postcode
        ("34275", "34186"),  # dropped by the COG
    ],
)
def test_did_you_mean(typed: str, first: str) -> None:
    assert codes(places.suggest(typed))[0] == first


def test_suggestions_keep_to_the_department_and_the_limit() -> None:
    assert codes(places.suggest("Monpelier", department="34")) == ["34172"]
    assert len(places.suggest("Saint", limit=5)) == 5
    assert {place.department for place in places.suggest("Saint", department="34", limit=50)} == {"34"}
    assert places.suggest("Saint", limit=0) == ()


@settings(max_examples=10)  # each may be compared with all 37,000 names
@given(st.text(max_size=12))
def test_no_text_breaks_a_look_up(text: str) -> None:
    assert places.commune(text) is None or len(text) == 5
    assert len(places.suggest(text)) <= 3


# ─── areas ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_communes_of_a_department_and_of_an_epci() -> None:
    herault = places.communes_of("34")
    assert len(herault) == 341
    assert (herault[0].name, herault[-1].name) == ("Abeilhan", "La Grande-Motte")
    assert {place.kind for place in herault} == {"COM"}
    assert codes(places.communes_of("75")) == ["75056"]
    metropole = places.communes_of("243400017")
    assert len(metropole) == 31
    assert "34172" in codes(metropole)


@pytest.mark.parametrize(
    ("area", "code", "answer"),
    [
        ("commune:34172", "34270", False),
        ("commune:75056", "75101", True),
        ("epci:243400017", "34172", True),
        ("dept:34", "34172", True),
        ("dept:30", "34172", False),
        ("dept:59", "02285", True),
        ("dept:02", "02285", False),
        # the COG has dropped 34275; it belongs to 34186
        ("commune:34186", "34275", True),
        ("commune:34275", "34186", True),
        ("dept:44", "49144", True),  # Freigné has gone to another department
        # 34999 does not exist
        ("commune:34999", "34999", True),
        ("commune:34172", "34999", False),
        ("epci:243400017", "34999", False),
        ("dept:34", "34999", True),
        # 75001 was Alfortville until 1968; today it is a postcode
        ("dept:94", "75001", False),
        # no area of the COG
        ("road:A9", "34172", False),
    ],
)
def test_contains(area: str, code: str, answer: bool) -> None:  # noqa: FBT001 - the expected answer
    assert places.contains(area, code) is answer


# ─── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_shipped_data_folds_names_as_look_ups_do() -> None:
    names = {(places.fold(row[1]), row[0]) for row in rows("commune")}
    assert names <= set(rows("name"))
