"""DATEX II by its model: the order of the elements, their values and the versions."""

from __future__ import annotations

from datetime import datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from policenotify.formats.feed import Feed
from policenotify.formats.traffic import datex
from tests.support.feed_items import NOW, THREAD, make_feed
from tests.unit.formats.test_roads import POINT, closure, items

NS = {
    prefix: f"http://datex2.eu/schema/3/{name}"
    for prefix, name in {
        "con": "messageContainer", "com": "common", "sit": "situation", "loc": "locationReferencing",
        "ex": "exchangeInformation", "inf": "informationManagement",
    }.items()
}  # fmt: skip
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_RECORD = [
    "situationRecordCreationTime", "situationRecordVersionTime", "probabilityOfOccurrence", "source", "validity",
    "generalPublicComment", "locationReference",
]  # fmt: skip
_OF_KINDS = {
    "Accident": {"accidentType": "accident"},
    "RoadOrCarriagewayOrLaneManagement": {
        "complianceOption": "mandatory", "roadOrCarriagewayOrLaneManagementType": "roadClosed",
    },
    "AbnormalTraffic": {"abnormalTrafficType": "unspecifiedAbnormalTraffic"},
    "EnvironmentalObstruction": {"environmentalObstructionType": "seriousFire"},
    "DisturbanceActivity": {"disturbanceActivityType": "demonstration"},
    "PublicEvent": {"publicEventType": "other"},
}  # fmt: skip
_OPERATIONS = {"bombSquadInAction", "policeInvestigation"}


def read(feed: Feed) -> tuple[list[ET.Element], ET.Element]:
    """Return the records and the whole document, whose elements must be those of the standard, in its order."""
    content = datex(feed)
    assert b"estricted" not in content
    top = ET.fromstring(content)  # noqa: S314 - our own
    names = [each.tag.rpartition("}")[2] for each in top]
    assert names in ([*names[:2]], ["payload", "exchangeInformation", "informationManagement"])
    assert names[:2] == ["payload", "exchangeInformation"]
    records = []
    for situation in top.iterfind("con:payload/sit:situation", NS):
        assert situation.findtext("sit:headerInformation/com:confidentiality", None, NS) == "noRestriction"
        assert situation.findtext("sit:headerInformation/com:informationStatus", None, NS) == "real"
        [record] = situation.iterfind("sit:situationRecord", NS)
        children = [each.tag.rpartition("}")[2] for each in record]
        assert children[: len(_RECORD)] == _RECORD
        kind = record.attrib[_TYPE].removeprefix("sit:")
        rest = {each.tag.rpartition("}")[2]: each.text for each in record[len(_RECORD) :]}
        if kind == "AuthorityOperation":
            assert rest["authorityOperationType"] in _OPERATIONS
        else:
            assert rest == _OF_KINDS[kind]
        times = [each for each in record.iter() if each.tag.endswith("Time")]
        assert all(datetime.fromisoformat(each.text or "").tzinfo for each in times)
        for value in record.iterfind(".//com:value", NS):
            assert value.text
            assert len(value.text) <= 1_024
        records.append(record)
    return records, top


def _end(record: ET.Element) -> str | None:
    return record.findtext("sit:validity/com:validityTimeSpecification/com:overallEndTime", None, NS)


def test_a_closure_gets_a_version_with_each_message_and_is_closed_by_the_end() -> None:
    opening, update, end = items(closure(), closure("update"), closure("end", headline="Avenue rouverte"))
    versions = []
    for known in ([opening], [opening, update], [opening, update, end]):
        [record], document = read(make_feed(*known, now=known[-1].published_at))
        assert record.get("id") == f"{THREAD}-1"
        versions.append((record.get("version"), _end(record)))
    assert versions == [("1", None), ("2", None), ("3", "2026-06-05T18:20:00+02:00")]
    [reference] = document.iterfind(".//inf:elementReference", NS)
    assert reference.findtext("inf:managementStatus", None, NS) == "closed"
    versioned = reference.find("inf:versionedReference", NS)
    assert versioned is not None
    assert versioned.attrib == {"id": f"{THREAD}-1", "version": "3"}
    records, document = read(make_feed(opening, update, end, now=end.published_at + timedelta(hours=1)))
    assert records == []
    assert document.find("con:informationManagement", NS) is None


def test_a_cancelled_closure_is_cancelled() -> None:
    thread = items(closure(), closure("cancellation"))
    [record], document = read(make_feed(*thread, now=thread[-1].published_at))
    assert document.findtext(".//inf:managementStatus", None, NS) == "cancelled"
    assert _end(record) == "2026-06-05T18:10:00+02:00"


@pytest.mark.parametrize(
    "category",
    [
        "traffic_accident", "road_closure", "traffic_disruption", "bomb_disposal", "police_operation", "fire",
        "demonstration", "planned_event",
    ],
)  # fmt: skip
def test_each_category_has_its_record(category: str) -> None:
    records, _ = read(make_feed(*items(closure(category=category)), now=NOW))
    assert len(records) == 1


def test_a_line_and_a_point_are_latitude_first() -> None:
    [record], _ = read(make_feed(*items(closure()), now=NOW))
    line = record.find("sit:locationReference", NS)
    assert line is not None
    assert line.get(_TYPE) == "loc:LinearLocation"
    assert line.findtext("loc:gmlLineString/loc:posList", None, NS) == "43.590000 3.840000 43.600000 3.850000"

    [record], _ = read(make_feed(*items(closure(location=POINT)), now=NOW))
    point = record.find("sit:locationReference", NS)
    assert point is not None
    assert point.get(_TYPE) == "loc:PointLocation"
    position = point.find("loc:pointByCoordinates/loc:pointCoordinates", NS)
    assert position is not None
    assert [each.text for each in position] == ["43.600000", "3.880000"]


def test_the_words_are_told_in_every_language() -> None:
    translation = {"language": "en", "headline": "Avenue closed", "instruction": "Avoid the area."}
    message = closure(instruction="Évitez le secteur.", translations=[translation], severity="Severe")
    [record], document = read(make_feed(*items(message), now=NOW))
    values = record.iterfind("sit:generalPublicComment/sit:comment/com:values/com:value", NS)
    assert [(each.get("lang"), each.text) for each in values] == [
        ("fr", "Avenue fermée\nÉvitez le secteur."), ("en", "Avenue closed\nAvoid the area."),
    ]  # fmt: skip
    assert document.findtext(".//sit:overallSeverity", None, NS) == "high"
