"""When a thread holds, and that every format shows the same."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from xml.etree import ElementTree as ET

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.formats.drawing import draw
from policenotify.formats.item import Item
from policenotify.formats.period import Period
from policenotify.model.message import Message
from tests.support.alerts import ALERT_SITE, event_of
from tests.support.feed_items import NOW, make_feed, make_item
from tests.unit.formats.test_roads import closure

Times: TypeAlias = tuple[datetime | None, datetime | None]

HOUR = timedelta(hours=1)
START, END = NOW + 24 * HOUR, NOW + 30 * HOUR
PLANNED = closure(starts_at=START, expires_at=END, urgency="Immediate", certainty="Observed")
FORMATS = ("cifs", "datex", "geojson", "cap", "calendar")
_CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"
_DATEX = "{http://datex2.eu/schema/3/common}"


def items(*messages: Message) -> list[Item]:
    """Return the items of one thread, an hour apart."""
    event = event_of("road_closure")
    return [make_item(each, name=str(n), at=NOW + n * HOUR, event=event) for n, each in enumerate(messages)]


def stated(*messages: Message) -> Times:
    """Return beginning and end of a thread."""
    known = Period.of(items(*messages))
    assert known
    return known.starts_at, known.ends_at


def files(*of: Item, now: datetime | None = None) -> dict[str, bytes]:
    return draw(make_feed(*of, now=now or of[-1].published_at, site=ALERT_SITE))


def in_formats(*of: Item) -> dict[str, Times]:
    """Return beginning and end of one thread as each format shows them."""
    drawn = files(*of)

    def moment(text: str | None) -> datetime | None:
        return datetime.fromisoformat(text) if text else None

    [road] = json.loads(drawn["cifs.json"])["incidents"]
    [feature] = json.loads(drawn["alerts.geojson"])["features"]
    datex, cap = (ET.fromstring(drawn[name]) for name in ("datex.xml", f"cap/{of[-1].id}.xml"))  # noqa: S314 - our own
    calendar: Any = icalendar.Calendar.from_ical(drawn["agenda.ics"])
    [event] = calendar.walk("VEVENT")
    return {
        "cifs": (moment(road["incident"]["starttime"]), moment(road["incident"].get("endtime"))),
        "datex": (
            moment(datex.findtext(f".//{_DATEX}overallStartTime")),
            moment(datex.findtext(f".//{_DATEX}overallEndTime")),
        ),
        "geojson": (moment(feature["properties"]["since"]), moment(feature["properties"]["expires"])),
        "cap": (moment(cap.findtext(f".//{_CAP}onset")), moment(cap.findtext(f".//{_CAP}expires"))),
        "calendar": (event.decoded("DTSTART"), event.decoded("DTEND")),
    }


@pytest.mark.parametrize("stage", ["update", "correction"])
def test_a_closure_that_is_moved_has_its_new_times_only_in_every_format(stage: str) -> None:
    moved = closure(stage, starts_at=START + 24 * HOUR, expires_at=END + 24 * HOUR)
    shown = in_formats(*items(PLANNED, moved))
    assert shown == dict.fromkeys(FORMATS, (START + 24 * HOUR, END + 24 * HOUR))


@pytest.mark.parametrize("stage", ["update", "correction"])
def test_what_states_no_times_keeps_those_that_were_stated_in_every_format(stage: str) -> None:
    assert in_formats(*items(PLANNED, closure(stage))) == dict.fromkeys(FORMATS, (START, END))


@pytest.mark.parametrize(
    ("stage", "fields", "expected"),
    [
        ("update", {"expires_at": END + HOUR}, (START, END + HOUR)),
        ("update", {"starts_at": START + HOUR}, (START + HOUR, END)),
        ("update", {"starts_at": END + HOUR}, (END + HOUR, None)),  # the end was that of the old beginning
        ("update", {"starts_at": NOW + HOUR / 2}, (START, END)),  # when its news was
        ("correction", {"starts_at": NOW + HOUR / 2}, (NOW + HOUR / 2, END)),
    ],
)
def test_one_time_alone_replaces_that_one(stage: str, fields: dict[str, datetime], expected: Times) -> None:
    assert stated(PLANNED, closure(stage, **fields)) == expected


def test_news_of_what_has_begun_move_its_beginning_only_with_an_end() -> None:
    opening, later = closure(starts_at=NOW), NOW + 5 * HOUR
    assert stated(opening, closure("update", starts_at=later)) == (NOW, None)
    assert stated(opening, closure("update", starts_at=later, expires_at=later + HOUR)) == (later, later + HOUR)


def test_a_stated_end_that_is_past_when_news_come_holds_no_more() -> None:
    opening = closure(expires_at=NOW + HOUR / 2)
    assert stated(opening) == (NOW, NOW + HOUR / 2)
    assert stated(opening, closure("update")) == (NOW, None)


def test_what_is_withdrawn_states_nothing() -> None:
    opening, moved = items(PLANNED, closure("update", starts_at=START + HOUR))
    known = Period.of([opening, moved.withdrawn(NOW + 2 * HOUR)])
    assert known
    assert (known.starts_at, known.ends_at) == (START, END)
    assert Period.of([opening.withdrawn(NOW)]) is None


def test_what_is_past_its_stated_end_is_marked_on_maps_and_pages_and_leaves_the_roads() -> None:
    [opening] = items(PLANNED)

    def shown(now: datetime) -> tuple[list[bool], int, list[int], list[int], int]:
        drawn = files(opening, now=now)
        pages = [drawn[name].decode() for name in ("index.html", "embed.html")]
        return (
            [each["properties"]["past_end"] for each in json.loads(drawn["alerts.geojson"])["features"]],
            len(json.loads(drawn["cifs.json"])["incidents"]),
            [page.count('class="open"') for page in pages],
            [page.count("Fin annoncée dépassée, non confirmée") for page in pages],
            drawn["feed.atom"].count(b"<entry"),
        )

    assert shown(END - HOUR) == ([False], 1, [1, 1], [0, 0], 1)
    assert shown(END) == ([True], 1, [1, 1], [1, 1], 1)
    assert shown(END + HOUR) == ([True], 0, [1, 1], [1, 1], 1)
    assert shown(END + 48 * HOUR) == ([], 0, [0, 0], [0, 0], 0)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("Immediate", "Observed")),
        ({"starts_at": NOW + HOUR}, ("Expected", "Likely")),
        ({"starts_at": NOW + 2 * HOUR}, ("Future", "Likely")),
        ({"starts_at": NOW + HOUR, "urgency": "Future"}, ("Future", "Likely")),
        # What was not published as seen is not corrected: "leave now, the water comes at six".
        ({"starts_at": NOW + HOUR, "certainty": "Possible"}, ("Immediate", "Possible")),
    ],
)
def test_what_is_planned_is_neither_immediate_nor_observed(fields: dict[str, Any], expected: tuple[str, str]) -> None:
    [item] = items(closure(**{"urgency": "Immediate", "certainty": "Observed", **fields}))
    drawn = files(item)
    cap = ET.fromstring(drawn[f"cap/{item.id}.xml"])  # noqa: S314 - our own
    [feature] = json.loads(drawn["alerts.geojson"])["features"]
    assert (cap.findtext(f".//{_CAP}urgency"), cap.findtext(f".//{_CAP}certainty")) == expected
    assert (feature["properties"]["urgency"], feature["properties"]["certainty"]) == expected
    if expected[1] == "Likely":
        assert b">probable<" in drawn["datex.xml"]


_MOMENTS = st.none() | st.integers(-5, 60).map(lambda hours: NOW + hours * HOUR)


@given(st.lists(st.tuples(st.sampled_from(["update", "correction"]), _MOMENTS, _MOMENTS), max_size=4))
def test_no_thread_ends_before_it_begins(later: list[tuple[str, datetime | None, datetime | None]]) -> None:
    messages = [
        closure(stage, starts_at=start, expires_at=end if not (start and end) or end > start else None)
        for stage, start, end in later
    ]
    known = Period.of(items(PLANNED, *messages))
    assert known
    assert known.stated is None or known.ends_at is None or known.ends_at > known.stated
