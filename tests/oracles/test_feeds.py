"""The files of a feed beside schemas, which other programs read. See `schemas/README.md`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings

from policenotify.formats.feed import KEPT, Feed
from policenotify.formats.geojson import geojson
from policenotify.formats.syndication import atom, json_feed
from policenotify.model.cap import Precision
from policenotify.model.location import Area, Location, Point
from policenotify.model.message import Message
from policenotify.testing import strategies
from policenotify.testing.contract.texts import picture
from policenotify.testing.samples import SAMPLES
from tests.support.feed_items import SITE, make_feed, make_item, sample_items

pytestmark = pytest.mark.oracle

HERE = Path(__file__).parent
GRAMMAR = HERE / "schemas" / "rfc4287.rnc"
MESSAGES = 100


@cache
def _feeds() -> tuple[Feed, ...]:
    """Return feeds of all kinds: of each sample, with pictures, hubs, withdrawn entries and deleted ones."""
    return tuple(_shipped()) + tuple(_generated())


def _shipped() -> Iterator[Feed]:
    yield make_feed()
    items = sample_items(*(sample.id for sample in SAMPLES))
    everything = make_feed(*items)
    yield everything
    yield replace(everything, site=replace(SITE, hubs=("https://hub.example/",)))
    yield replace(everything, now=everything.now + KEPT)
    yield make_feed(*(item.withdrawn(everything.now) for item in items))
    yield make_feed(*sample_items("accident/opening", "accident/end", pictures=[picture(1)]))
    for item in items:
        yield make_feed(item)
    opening = sample_items("accident/opening")[0].message
    point = Location(point=Point(longitude=3.8, latitude=43.5), precision=Precision.EXACT)
    yield make_feed(make_item(opening.model_copy(update={"location": point})))
    ring = ((3.8, 43.5), (3.9, 43.5), (3.9, 43.6), (3.8, 43.5))
    for area in (
        Area(type="Polygon", coordinates=(ring,)),
        Area(type="MultiPolygon", coordinates=((ring,), (ring,))),
    ):
        place = Location(area=area)
        yield make_feed(make_item(opening.model_copy(update={"location": place})))


def _generated() -> Iterator[Feed]:
    messages: list[Message] = []

    @settings(max_examples=MESSAGES, derandomize=True, database=None)
    @given(strategies.messages())
    def collect(message: Message) -> None:
        messages.append(message)

    collect()
    for number, message in enumerate(messages):
        yield make_feed(make_item(message, name=str(number)))


def test_jing_finds_no_fault_in_atom(tmp_path: Path) -> None:
    files = []
    for number, feed in enumerate(_feeds()):
        files.append(tmp_path / f"{number}.atom")
        files[-1].write_bytes(atom(feed))
    asked = ["jing", "-c", str(GRAMMAR), *map(str, files)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 - Debian's

    assert done.returncode == 0, done.stdout
    assert len(files) > MESSAGES


def test_jing_finds_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "wrong.atom"
    file.write_bytes(atom(make_feed(*sample_items("accident/opening"))).replace(b"<updated>", b"<updated>on "))
    asked = ["jing", "-c", str(GRAMMAR), str(file)]

    assert subprocess.run(asked, capture_output=True, check=False).returncode == 1  # noqa: S603 - Debian's


def test_json_feeds_fit_the_schema() -> None:
    import jsonschema  # noqa: PLC0415 - of the group `oracle` only

    schema = json.loads((HERE / "schemas" / "json_feed.json").read_text("utf-8"))
    validator = jsonschema.Draft202012Validator(schema)

    assert [error for feed in _feeds() for error in validator.iter_errors(json.loads(json_feed(feed)))] == []


def test_geojson_fits_its_schema() -> None:
    import jsonschema  # noqa: PLC0415 - of the group `oracle` only

    schema = json.loads((HERE / "node_modules" / "geojson-schema" / "GeoJSON.json").read_text("utf-8"))
    validator = jsonschema.Draft7Validator(schema)

    shown = [json.loads(geojson(feed)) for feed in _feeds()]
    assert [error for each in shown for error in validator.iter_errors(each)] == []
    shapes = {(feature["geometry"] or {}).get("type") for each in shown for feature in each["features"]}
    assert shapes == {None, "Point", "LineString", "Polygon", "MultiPolygon"}
