"""CIFS and DATEX II beside schemas, which xmllint and jing read. See `schemas/README.md`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest

from policenotify.formats.feed import Feed
from policenotify.formats.traffic import cifs, datex
from policenotify.model.message import Message
from tests.support.feed_items import NOW, make_feed, make_item

OURS: Final = Path(__file__).with_name("schemas")
OFFICIAL: Final = Path(os.environ.get("POLICENOTIFY_SCHEMAS", "/nonexistent"))
_CIFS: Final = [path for path in (OURS / "cifs.xsd", OFFICIAL / "cifsv2.xsd") if path.exists()]
_DATEX: Final = [path for path in (OURS / "datex.rnc", OFFICIAL / "DATEXII_3_MessageContainer.xsd") if path.exists()]
_CATEGORIES: Final = (
    "traffic_accident", "road_closure", "traffic_disruption", "bomb_disposal", "police_operation", "fire",
    "demonstration", "planned_event",
)  # fmt: skip
_PLACE: Final = {
    "commune": "34172",
    "road": {"road": "A9", "direction": "Béziers → Montpellier"},
    "precision": "exact",
    "point": {"latitude": 43.6, "longitude": 3.88},
}
_LINE: Final = {"coordinates": [[3.84, 43.59], [3.85, 43.6]]}

pytestmark = pytest.mark.oracle


def _message(stage: str, category: str, **fields: Any) -> Message:
    usual = {"category": category, "headline": "Route <fermée> & déviée", "instruction": "Évitez le secteur."}
    lifecycle = {"stage": stage, "incident": "i1"}
    return Message.model_validate(
        {"lifecycle": lifecycle, "location": {**_PLACE, "polyline": _LINE}, **usual, **fields}
    )


def _feeds() -> Iterator[Feed]:
    yield make_feed()
    later = NOW + timedelta(minutes=10)
    for category in _CATEGORIES:
        opening = make_item(_message("opening", category, severity="Severe", expires_at=NOW + timedelta(hours=2)))
        yield make_feed(opening)
        yield make_feed(make_item(_message("opening", category, location={**_PLACE, "precision": "street"})))
        for stage in ("end", "cancellation"):
            final = make_item(_message(stage, category), name=stage, at=later, answers=opening)
            yield make_feed(opening, final, now=later)


def _faults(schema: Path, *files: bytes, box: Path) -> str:
    """Return what xmllint, or jing for a RELAX NG schema, finds wrong in files."""
    paths = [box / f"{number}.xml" for number in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        path.write_bytes(content)
    program = ["jing", "-c"] if schema.suffix == ".rnc" else ["xmllint", "--nonet", "--noout", "--schema"]
    asked = [*program, str(schema), *map(str, paths)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 - programs of Debian
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("schema", _CIFS, ids=lambda each: each.name)
def test_cifs_is_valid(schema: Path, tmp_path: Path) -> None:
    files = [cifs(feed)["cifs.xml"] for feed in _feeds()]

    assert _faults(schema, *files, box=tmp_path) == ""
    assert sum(b"<incident " in each for each in files) > 2 * len(_CATEGORIES)


@pytest.mark.parametrize("schema", _CIFS, ids=lambda each: each.name)
def test_xmllint_finds_what_is_wrong(schema: Path, tmp_path: Path) -> None:
    opening = make_item(_message("opening", "road_closure", expires_at=NOW + timedelta(hours=2)))
    content = cifs(make_feed(opening))["cifs.xml"]
    assert b">ROAD_CLOSED<" in content

    assert _faults(schema, content.replace(b">ROAD_CLOSED<", b">CLOSED<"), box=tmp_path)


def test_both_forms_of_cifs_have_the_same() -> None:
    for feed in _feeds():
        files = cifs(feed)
        in_json = [each["incident"] for each in json.loads(files["cifs.json"])["incidents"]]
        in_xml = [
            {"id": each.get("id"), **{field.tag: _content(field) for field in each}}
            for each in ET.fromstring(files["cifs.xml"])  # noqa: S314 - our own file
        ]
        assert in_json == in_xml


def _content(element: ET.Element) -> object:
    return {each.tag: each.text for each in element} if len(element) else element.text


@pytest.mark.parametrize("schema", _DATEX, ids=lambda each: each.name)
def test_datex_is_valid(schema: Path, tmp_path: Path) -> None:
    files = [datex(feed) for feed in _feeds()]

    assert _faults(schema, *files, box=tmp_path) == ""
    assert sum(b"<sit:situation " in each for each in files) > 2 * len(_CATEGORIES)


@pytest.mark.parametrize("schema", _DATEX, ids=lambda each: each.name)
def test_a_validator_finds_what_is_wrong_in_datex(schema: Path, tmp_path: Path) -> None:
    opening = make_item(_message("opening", "road_closure", certainty="Observed"))
    content = datex(make_feed(opening))
    assert b">certain<" in content

    assert _faults(schema, content.replace(b">certain<", b">sure<"), box=tmp_path)
