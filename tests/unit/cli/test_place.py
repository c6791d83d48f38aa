"""Places as officers type them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from policenotify.cli.place import commune_code, location_of
from policenotify.model.location import Location, Point, Polyline

BEFORE = Location(
    commune="34172", commune_name="Montpellier", department="34", street="avenue de Toulouse",
    point=Point(latitude=43.6, longitude=3.87),
)  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "department", "code"),
    [
        ("2a004", None, "2A004"),
        ("St Jean de Védas", None, "34270"),
        ("Sainte-Colombe", "69", "69189"),
    ],
)
def test_a_commune_by_code_or_by_a_name_that_only_one_has(typed: str, department: str | None, code: str) -> None:
    assert commune_code(typed, department) == code


def test_a_name_of_several_lists_them_with_code_and_department() -> None:
    with pytest.raises(click.BadParameter) as refused:
        commune_code("Sainte-Colombe")
    said = refused.value.format_message()
    assert "12 communes are named 'Sainte-Colombe'. Give the code" in said
    assert "33390 Sainte-Colombe (33)" in said
    assert said.count("Sainte-Colombe (") == 12


def test_a_misspelt_name_is_met_with_the_nearest() -> None:
    with pytest.raises(click.BadParameter, match=r"no commune 'Monpelier'. Did you mean 34172 Montpellier \(34\)"):
        commune_code("Monpelier")
    with pytest.raises(click.BadParameter, match=r"no commune 'q+'\. Give its INSEE code"):
        commune_code("qqqqqqqqqqqqqqqq", "2a")


def test_a_new_street_stays_in_the_commune_and_leaves_the_old_street() -> None:
    assert location_of({"street": "rue Foch"}, BEFORE) == {
        "commune": "34172", "commune_name": "Montpellier", "department": "34", "street": "rue Foch",
        "also_departments": [],
    }  # fmt: skip


def test_another_commune_leaves_all_of_the_old_place() -> None:
    assert location_of({"commune": "34032"}, BEFORE) == {"commune": "34032"}


@pytest.mark.parametrize(
    ("typed", "said"), [({"direction": "Nîmes"}, "goes with a road"), ({"point": "43"}, "43.6109,")]
)
def test_half_a_place_is_refused(typed: dict[str, str], said: str) -> None:
    with pytest.raises(click.BadParameter, match=said):
        location_of(typed)


@pytest.mark.parametrize("typed", ["43.6109,3.8772 43.6121,3.879", "43.6109, 3.8772; 43.6121, 3.879"])
def test_a_line_is_typed_latitude_first(typed: str) -> None:
    place = location_of({"polyline": typed})
    assert Location.model_validate(place).polyline == Polyline(coordinates=((3.8772, 43.6109), (3.879, 43.6121)))


LINE: dict[str, Any] = {"type": "LineString", "coordinates": [[3.8772, 43.6109], [3.879, 43.6121]], "bbox": []}
FEATURE = {"type": "Feature", "properties": {}, "geometry": LINE}


@pytest.mark.parametrize("geojson", [LINE, FEATURE, {"type": "FeatureCollection", "features": [FEATURE]}])
def test_a_line_is_read_from_a_geojson_file(geojson: object, tmp_path: Path) -> None:
    file = tmp_path / "fermeture.geojson"
    file.write_text(json.dumps(geojson), "utf-8")
    place = location_of({"polyline": str(file)}, BEFORE)
    assert Location.model_validate(place).polyline == Polyline(coordinates=((3.8772, 43.6109), (3.879, 43.6121)))


@pytest.mark.parametrize(
    "content",
    [
        "{", "[" * 100_000, '{"type": "Point", "coordinates": [3.8, 43.6]}',
        json.dumps({"type": "FeatureCollection", "features": [FEATURE, FEATURE]}),
        " " * 1_000_001,
    ],
)  # fmt: skip
def test_a_file_without_one_line_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "fermeture.geojson"
    file.write_text(content, "utf-8")
    with pytest.raises(click.BadParameter, match="does not hold one GeoJSON LineString"):
        location_of({"polyline": str(file)})


@pytest.mark.parametrize("typed", ["43.6,3.8 43.7", "rue\0Foch", "no-such-file.geojson"])
def test_a_line_that_is_neither_typed_nor_a_file_is_refused(typed: str) -> None:
    with pytest.raises(click.BadParameter, match=r"Write positions, 43\.6109"):
        location_of({"polyline": typed})
