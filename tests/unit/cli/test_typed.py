"""What officers type: codes by their names, places and times."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.cli.message import category_words
from policenotify.cli.place import commune_code, location_of
from policenotify.cli.times import parse_future, parse_near
from policenotify.cli.words import code_of, words_of
from policenotify.model.cap import Severity
from policenotify.model.location import Location, Point, Polyline
from policenotify.render.locales import PROFILES
from tests.support.installation import Desk
from tests.support.shell import Run

CATEGORIES = category_words(PROFILES)
WORDS = [(code, word) for code, words in CATEGORIES.items() for word in (code, *words)]


@given(st.sampled_from(WORDS), st.sampled_from([str.upper, str.title, str.casefold, lambda text: f" {text} "]))
def test_a_category_is_found_by_each_of_its_names_in_any_case(pair: tuple[str, str], change: object) -> None:
    code, word = pair
    assert callable(change)
    assert code_of(change(word), CATEGORIES) == code


@pytest.mark.parametrize(
    ("typed", "code"), [("grave", "Severe"), ("extreme", "Extreme"), ("MODEREE", "Moderate"), ("mineure", "Minor")]
)
def test_a_severity_is_found_by_its_french_word_without_accents(typed: str, code: str) -> None:
    assert code_of(typed, words_of(str(level) for level in Severity)) == code


@pytest.mark.parametrize(("typed", "told"), [("incendi", "Did you mean 'Incendie'?"), ("xyz", "There are: ")])
def test_a_slip_is_met_with_the_nearest_or_all(typed: str, told: str) -> None:
    with pytest.raises(click.BadParameter, match="is not known") as refused:
        code_of(typed, CATEGORIES)
    assert told in str(refused.value)


def test_french_words_are_understood_in_a_command(run: Run, desk: Desk) -> None:
    typed = ("--category", "Incendie", "--severity", "grave", "--commune", "34172", "--basis", "Parquet:réf. 12")
    shown = run("preview", *typed, "--headline", "Feu de garrigue", "--instruction", "Évitez le secteur.", "--json")
    message = shown.document["message"]
    assert (message["category"], message["severity"]) == ("fire", "Severe")
    assert message["basis"] == [{"who": "prosecutor", "reference": "réf. 12"}]
    assert not desk.bluesky.posts


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
    with pytest.raises(click.BadParameter, match=r"is no line\. Write positions"):
        location_of({"polyline": str(file)})


@pytest.mark.parametrize("typed", ["43.6,3.8 43.7", "rue\0Foch", "no-such-file.geojson"])
def test_a_line_that_is_neither_typed_nor_a_file_is_refused(typed: str) -> None:
    with pytest.raises(click.BadParameter, match=r"is no line\. Write positions"):
        location_of({"polyline": typed})


PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 24, 18, 2, 37, tzinfo=PARIS)


def _paris(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=PARIS)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("18:30", _paris(24, 18, 30)),
        ("18:02", _paris(25, 18, 2)),  # has just passed: tomorrow's
        ("+30m", _paris(24, 18, 32)),
        ("+1h30", _paris(24, 19, 32)),
        ("2026-11-24 18h30", _paris(24, 18, 30)),
        ("18 h 30", _paris(24, 18, 30)),
        ("aujourd’hui à 18h30", _paris(24, 18, 30)),
        ("Demain à 7h", _paris(25, 7)),
        ("2/1 9h", datetime(2027, 1, 2, 9, tzinfo=PARIS)),
    ],
)
def test_the_next_such_time(typed: str, meant: datetime) -> None:
    assert parse_future(typed, now=NOW, zone=PARIS) == meant


@pytest.mark.parametrize(
    ("typed", "now", "meant"),
    [
        ("17h50", NOW, _paris(24, 17, 50)),
        ("22h", _paris(24, 9), _paris(24, 22)),
        ("23h50", _paris(25, 0, 10), _paris(24, 23, 50)),
        ("0h30", _paris(24, 23, 50), _paris(25, 0, 30)),
        ("il y a 10 min", NOW, _paris(24, 17, 52)),
        ("31/12 18h", _paris(2, 9, month=1), datetime(2025, 12, 31, 18, tzinfo=PARIS)),
    ],
)
def test_a_time_that_may_lie_behind(typed: str, now: datetime, meant: datetime) -> None:
    assert parse_near(typed, now=now, zone=PARIS) == meant


@pytest.mark.parametrize(
    "typed",
    [
        "24h00",
        "1830",
        "+m",
        "2026-11-24",
        "2026-02-30T10:00",
        "١٨:٣٠",
        "18h30 demain",
        "26 brumaire 18h",
        "30/2 18h",
    ],
)
def test_an_invalid_time_is_refused_with_the_valid_forms(typed: str) -> None:
    with pytest.raises(ValueError, match="is not a time; write it as 18h30"):
        parse_future(typed, now=NOW, zone=PARIS)


@pytest.mark.parametrize("typed", ["-5m", "hier 18h30", "24/11/2026 17h"])
def test_a_future_time_cannot_have_passed(typed: str) -> None:
    with pytest.raises(ValueError, match="has passed already"):
        parse_future(typed, now=NOW, zone=PARIS)


def test_an_hour_that_the_clocks_skip_is_refused_and_not_moved() -> None:
    evening = _paris(28, 22, month=3)
    with pytest.raises(ValueError, match="does not exist on 2026-03-29: the clocks go forward"):
        parse_future("2h30", now=evening, zone=PARIS)
    with pytest.raises(ValueError, match="does not exist"):
        parse_future("2026-03-29T02:30", now=evening, zone=PARIS)
    noon = _paris(29, 12, month=3)
    assert parse_future("2h30", now=noon, zone=PARIS) == _paris(30, 2, 30, month=3)


def test_an_hour_that_comes_twice_is_the_next_of_both() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 2h30, summer time
    assert parse_future("2h45", now=first, zone=PARIS) == first + timedelta(minutes=15)
    assert parse_future("2h15", now=first, zone=PARIS) == first + timedelta(minutes=45)


@given(
    now=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds are naive
    hour=st.integers(4, 23),
    minute=st.integers(0, 59),
)
def test_the_next_such_hour_lies_within_a_day_and_reads_as_typed(now: datetime, hour: int, minute: int) -> None:
    found = parse_future(f"{hour}h{minute:02}", now=now, zone=PARIS)
    assert timedelta(0) < found - now <= timedelta(hours=25)
    assert (found.astimezone(PARIS).hour, found.astimezone(PARIS).minute) == (hour, minute)
