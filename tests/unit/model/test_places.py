"""Places of France: look-up by code and by name, areas, and the script that builds the data."""

from __future__ import annotations

import importlib.util
import json
import random
import sqlite3
import subprocess
import sys
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policenotify.model import places
from policenotify.model.places import Commune
from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[3]
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
        postcodes=("34000", "34070", "34080", "34090"),
        population=310_240,
        part_of=None,
    )


@pytest.mark.parametrize(
    ("code", "name", "kind", "department", "part_of"),
    [
        ("01001", "L'Abergement-Clémenciat", "COM", "01", None),  # the first line
        ("98901", "Île de Clipperton", "COM", "989", None),  # the last one
        ("2A004", "Ajaccio", "COM", "2A", None),
        ("2B033", "Bastia", "COM", "2B", None),
        ("97411", "Saint-Denis", "COM", "974", None),
        ("97801", "Saint-Martin", "COM", "978", None),
        ("42218", "Saint-Étienne", "COM", "42", None),
        ("75056", "Paris", "COM", "75", None),
        ("75101", "Paris 1er Arrondissement", "ARM", "75", "75056"),
        ("69387", "Lyon 7e Arrondissement", "ARM", "69", "69123"),
        ("13216", "Marseille 16e Arrondissement", "ARM", "13", "13055"),
        ("02285", "Escaufourt", "COMA", "59", "59545"),  # its code begins with 02
    ],
)
def test_known_codes(code: str, name: str, kind: str, department: str, part_of: str | None) -> None:
    found = places.commune(code)
    assert found is not None
    assert (found.code, found.name, found.kind, found.department, found.part_of) == (
        code,
        name,
        kind,
        department,
        part_of,
    )


def test_a_part_has_the_epci_of_the_whole_and_an_island_has_none() -> None:
    assert [it.epci if it else "?" for it in map(places.commune, ("75101", "75056"))] == ["200054781"] * 2
    ouessant = places.commune("29155")
    assert ouessant is not None
    assert ouessant.epci is None


def test_fields_missing_in_the_source_are_none() -> None:
    crozet = places.commune("98412")
    assert crozet is not None
    assert (crozet.population, crozet.postcodes) == (None, ())


@pytest.mark.parametrize(
    "code", ["", "34", "3417", "341722", "00000", "99999", "2a004", "34172\t", "\n", "\ud800", "é"]
)
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


def test_every_line_is_found_again() -> None:
    some = rows("commune")[::11]
    assert len(some) > 3000
    assert [(it.code, it.name) for row in some if (it := places.commune(row[0]))] == [(row[0], row[1]) for row in some]


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
        ("MONTPELLIER", "34172"),
        ("  saint jean de vedas ", "34270"),
        ("St-Jean-de-Védas", "34270"),
        ("L'Haÿ-les-Roses", "94038"),
        ("l’hay les roses", "94038"),
        ("Stes Maries de la Mer", "13096"),
        ("Ste.-Menehould", "51507"),
        ("Œuilly", "02565"),
        ("oeuilly", "02565"),
        ("E\u0301pernay", "51230"),  # É as two characters
        ("Bellegarde-sur-Valserine", "01033"),  # the seat of Valserhône
        ("Château-Chinon (Ville)", "58062"),
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


def test_a_seat_that_differs_by_an_accent_does_not_double_its_commune() -> None:
    assert codes(places.communes_named("Colombey-les-Deux-Églises")) == ["52140"]


def test_a_name_without_what_insee_adds_in_brackets() -> None:
    assert codes(places.communes_named("Château-Chinon")) == ["58062", "58063"]


@pytest.mark.parametrize("name", ["", " ", "-", "Montpel", "Vedas", "Atlantis", "Montpellier\t34", "\n", "東京"])
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
        ("Bezier", "34032"),
        ("Lyon 7", "69387"),
        ("Vedas", "34270"),
        ("st etienne", "42218"),  # the most populous of eleven
        ("1001", "01001"),  # a spreadsheet took the zero
        ("34000", "34172"),  # a postcode
        ("1000", "01053"),  # both
        ("75001", "75056"),
        ("2a004", "2A004"),
        ("34275", "34186"),  # dropped by the COG
    ],
)
def test_did_you_mean(typed: str, first: str) -> None:
    assert codes(places.suggest(typed))[0] == first


def test_near_matches_are_left_out_beside_exact_ones() -> None:
    assert codes(places.suggest("Vedas")) == ["34270"]  # and not Venas
    assert codes(places.suggest("34275")) == ["34186"]  # and not 34257


def test_a_postcode_is_not_sought_in_other_numbers() -> None:
    found = places.suggest("24340", limit=100)  # also the first digits of SIREN in Hérault
    assert len(found) > 1
    assert all("24340" in place.postcodes or place.code == "24340" for place in found)


def test_suggestions_keep_to_the_department_and_the_limit() -> None:
    assert codes(places.suggest("Monpelier", department="34")) == ["34172"]
    assert len(places.suggest("Saint", limit=5)) == 5
    assert {place.department for place in places.suggest("Saint", department="34", limit=50)} == {"34"}
    assert places.suggest("Saint", limit=0) == ()


@pytest.mark.parametrize("typed", ["", "?", "zzzzqqq", "99999"])
def test_nothing_to_suggest(typed: str) -> None:
    assert places.suggest(typed) == ()


@settings(max_examples=25)  # each may be compared with all 37,000 names
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


def test_every_commune_is_in_one_department() -> None:
    assert sum(len(places.communes_of(row[0])) for row in rows("department")) == 34_969


@pytest.mark.parametrize("code", ["", "3", "20", "034", "34172", "000000000"])
def test_the_communes_of_nothing(code: str) -> None:
    assert places.communes_of(code) == ()


@pytest.mark.parametrize(
    ("area", "code", "answer"),
    [
        ("commune:34172", "34172", True),
        ("commune:34172", "34270", False),
        ("commune:75056", "75101", True),
        ("commune:75101", "75056", False),
        ("epci:243400017", "34172", True),
        ("epci:243400017", "34032", False),
        ("epci:200054781", "75101", True),
        ("epci:200030633", "29155", False),
        ("dept:34", "34172", True),
        ("dept:30", "34172", False),
        ("dept:2A", "2A004", True),
        ("dept:974", "97411", True),
        ("dept:59", "02285", True),
        ("dept:02", "02285", False),
        # the COG has dropped 34275; it belongs to 34186
        ("commune:34186", "34275", True),
        ("commune:34275", "34186", True),
        ("commune:34275", "34275", True),
        ("epci:243400355", "34275", True),
        ("dept:34", "34275", True),
        ("dept:44", "49144", True),  # Freigné has gone to another department
        ("dept:49", "49144", False),
        # 34999 does not exist
        ("commune:34999", "34999", True),
        ("commune:34172", "34999", False),
        ("epci:243400017", "34999", False),
        ("dept:34", "34999", True),
        # 75001 was Alfortville until 1968; today it is a postcode
        ("dept:94", "75001", False),
        # no area of the COG
        ("road:A9", "34172", False),
        ("34", "34172", False),
        ("dept:2a", "2A004", False),
        ("epci:1", "34172", False),
    ],
)
def test_contains(area: str, code: str, answer: bool) -> None:  # noqa: FBT001  the expected answer
    assert places.contains(area, code) is answer


# ─── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_many_threads_may_come_first() -> None:
    expected = places.commune("34172"), places.communes_named("Sainte-Colombe")
    places._rows.cache_clear()
    gate = Barrier(8)

    def look(_: int) -> tuple[Commune | None, tuple[Commune, ...]]:
        gate.wait(PATIENCE)
        return places.commune("34172"), places.communes_named("Sainte-Colombe")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(look, range(8))) == [expected] * 8


def test_it_reads_from_a_zip_and_not_before_it_is_needed(tmp_path: Path) -> None:
    packed = tmp_path / "policenotify.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for package in ("policenotify", "policenotify/model"):
            archive.writestr(f"{package}/__init__.py", "")
        archive.write(places.__file__, "policenotify/model/places.py")
        for file in ("__init__.py",):
            archive.write(Path(places.__file__).parents[1] / "translation" / file, f"policenotify/translation/{file}")
        for path in DATA.iterdir():
            archive.write(path, f"policenotify/data/{path.name}")
    program = (
        f"import sys; sys.path.insert(0, {str(packed)!r}); from policenotify.model import places; "
        "print('policenotify.zip' in places.__file__, places._rows.cache_info().currsize, places.commune('2A004').name)"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=PATIENCE)  # noqa: S603  our own text
    assert said.stdout.split() == ["True", "0", "Ajaccio"]


# ─── building ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_places", ROOT / ".ci" / "build_places.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SMALL: dict[str, list[dict[str, object]]] = {
    "regions": [{"code": "84", "nom": "Auvergne-Rhône-Alpes"}],
    "departements": [{"code": "01", "nom": "Ain", "region": "84"}, {"code": "69", "nom": "Rhône", "region": "84"}],
    "epci": [{"code": "240100891", "nom": "CC  Terre Valserhône", "membres": [{"code": "01033"}]}],
    "communes": [
        {
            "code": "69123",
            "nom": "Lyon",
            "type": "commune-actuelle",
            "departement": "69",
            "codesPostaux": ["69001", "69002"],
            "population": 519127,
        },
        {
            "code": "69381",
            "nom": "Lyon 1er Arrondissement",
            "type": "arrondissement-municipal",
            "departement": "69",
            "commune": "69123",
        },
        {
            "code": "01033",
            "nom": "Valserhône",
            "type": "commune-actuelle",
            "departement": "01",
            "anciensCodes": ["01091", "01126", "75001"],
        },
        {
            "code": "01033",
            "nom": "Bellegarde-sur-Valserine",
            "type": "commune-deleguee",
            "departement": "01",
            "chefLieu": "01033",
        },
        {"code": "01091", "nom": "Châtillon", "type": "commune-deleguee", "departement": "01", "chefLieu": "01033"},
        {"code": "01002", "nom": "Bors (Sud)", "type": "commune-actuelle", "departement": "01"},
    ],
}
SMALL_TABLES = {
    "department": [("01", "Ain", "Auvergne-Rhône-Alpes"), ("69", "Rhône", "Auvergne-Rhône-Alpes")],
    "epci": [("240100891", "CC Terre Valserhône")],
    "commune": [
        ("01002", "Bors (Sud)", "COM", "01", None, "", None, None),
        ("01033", "Valserhône", "COM", "01", "240100891", "", None, None),
        ("01091", "Châtillon", "COMD", "01", "240100891", "", None, "01033"),
        ("69123", "Lyon", "COM", "69", None, "69001 69002", 519127, None),
        ("69381", "Lyon 1er Arrondissement", "ARM", "69", None, "", None, "69123"),
    ],
    "name": [
        ("bellegarde sur valserine", "01033"),
        ("bors", "01002"),
        ("bors sud", "01002"),
        ("chatillon", "01091"),
        ("lyon", "69123"),
        ("lyon 1er arrondissement", "69381"),
        ("valserhone", "01033"),
    ],
    "dropped": [("01126", "01033")],
}


def package(directory: Path, *, shuffled: int) -> Path:
    (directory / "data").mkdir(parents=True)
    for name, records in SMALL.items():
        mixed = random.Random(shuffled).sample(records, len(records))  # noqa: S311  an order, not a secret
        (directory / "data" / f"{name}.json").write_text(json.dumps(mixed), "utf-8")
    return directory


def test_the_build_is_the_same_byte_for_byte(script: ModuleType, tmp_path: Path) -> None:
    built = [tmp_path / f"{n}.sqlite" for n in range(3)]
    for n, target in enumerate(built):
        script.main(["--from", str(package(tmp_path / str(n), shuffled=n)), "--to", str(target)])
    assert len({target.read_bytes() for target in built}) == 1
    assert script.read(built[0], SMALL_TABLES) == SMALL_TABLES


def test_the_check_reports_a_file_that_differs(script: ModuleType, tmp_path: Path) -> None:
    source, target = package(tmp_path / "source", shuffled=0), tmp_path / "cog.sqlite"
    arguments = ["--check", "--from", str(source), "--to", str(target)]
    script.main(["--from", str(source), "--to", str(target)])
    script.main(arguments)
    with closing(sqlite3.connect(target, isolation_level=None)) as database:
        database.execute("UPDATE commune SET name = 'Lion' WHERE code = '69123'")
    with pytest.raises(SystemExit, match="is not what"):
        script.main(arguments)


def test_a_source_that_would_break_the_tables_is_refused(script: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="source has changed"):
        script.write({"epci": [("01", "a"), ("01", "b")]}, tmp_path / "cog.sqlite")
    with pytest.raises(SystemExit, match="source has changed"):
        script.clean(("01", "a\tb"))


def test_the_shipped_data_folds_names_as_look_ups_do(script: ModuleType) -> None:
    assert script.YEAR == places.COG_YEAR
    names = {(places.fold(row[1]), row[0]) for row in rows("commune")}
    assert names <= set(rows("name"))
