"""The alerts of a feed: each stage, in the form that warning systems read."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from policenotify.formats.cap.alert import Alert, AlertStatus, MessageType
from policenotify.formats.cap.export import alert_ids, alerts
from policenotify.formats.cap.profile import missing
from policenotify.formats.cap.reader import read
from policenotify.formats.cap.writer import cap_time, write
from policenotify.formats.drawing import draw
from policenotify.formats.feed import Feed, Thread
from policenotify.model.cap import Precision, ResponseType, Urgency
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.location import Area, Location, Point
from policenotify.model.message import Known, Message, Translation
from policenotify.model.post import Picture
from tests.support.alerts import ALERT_SITE, SENDER, alert_item, stages, threads
from tests.support.feed_items import NOW, SITE, THREAD, digest

ACCIDENT = Message(
    category="traffic_accident",
    headline="Accident sur l'A9",
    description="Trois véhicules sont en cause.",
    instruction="Évitez le secteur.",
    location=Location(commune="34172", commune_name="Montpellier", department="34", department_name="Hérault"),
    translations=(Translation(language="en", headline="Accident on the A9"),),
    lifecycle=Lifecycle(stage=Stage.OPENING, incident=THREAD),
)


def drawn(thread: Thread) -> list[Alert]:
    return [alert for _, alert in alerts(ALERT_SITE, thread)]


def one(message: Message = ACCIDENT, **changes: Any) -> Alert:
    item = alert_item(message.model_copy(update=changes))
    return drawn(Thread(THREAD, (item,)))[0]


def test_each_stage_names_all_earlier_alerts_in_order() -> None:
    opening, update, correction, end = drawn(stages(ACCIDENT, Stage.OPENING, Stage.UPDATE, Stage.CORRECTION, Stage.END))
    assert [each.message_type for each in (opening, update, correction, end)] == ["Alert", "Update", "Update", "Update"]
    assert opening.references == ()
    assert end.references == (opening.reference, update.reference, correction.reference)
    assert (str(opening.note), bool(update.note)) == ("", True)
    assert {each.incidents for each in (opening, end)} == {THREAD}
    assert f"{SENDER},{opening.identifier},2026-06-05T18:00:00+02:00 " in write(end).decode()


def test_an_end_is_all_clear_and_expires_in_an_hour() -> None:
    *_, end = drawn(stages(ACCIDENT.model_copy(update={"starts_at": NOW}), Stage.OPENING, Stage.END))
    info = end.infos[0]
    assert (info.responses, info.urgency, info.onset) == ((ResponseType.ALL_CLEAR,), Urgency.PAST, None)
    assert info.expires == end.sent + timedelta(hours=1)


def test_a_cancellation_cancels() -> None:
    *_, last = drawn(stages(ACCIDENT, Stage.OPENING, Stage.CANCELLATION))
    assert last.message_type is MessageType.CANCEL


def test_an_update_without_an_alert_before_it_is_an_alert_and_an_end_is_none() -> None:
    first, second = drawn(stages(ACCIDENT, Stage.UPDATE, Stage.END))
    assert (first.message_type, second.message_type) == ("Alert", "Update")
    assert drawn(stages(ACCIDENT, Stage.END)) == []


def test_there_is_one_part_for_each_language() -> None:
    french, english = one().infos
    assert (french.language, french.event, french.headline) == ("fr", "Accident", "Accident sur l'A9")
    assert (english.language, english.event, english.description) == ("en", "Road accident", "Accident on the A9")
    assert french.web == f"{SITE.url}m/{digest('first')[:16]}.html"


def test_times_are_in_the_zone_of_the_readers() -> None:
    alert = one(next_update_at=NOW + timedelta(minutes=30), starts_at=NOW - timedelta(minutes=5))
    text = write(alert).decode()
    assert "<sent>2026-06-05T18:00:00+02:00</sent>" in text
    assert "<onset>2026-06-05T17:55:00+02:00</onset>" in text
    assert "<value>2026-06-05T18:30:00+02:00</value>" in text
    assert cap_time(NOW) == "2026-06-05T16:00:00-00:00"


@pytest.mark.parametrize(
    ("changes", "hours"),
    [({}, 24), ({"expires_at": NOW + timedelta(hours=3)}, 3), ({"expires_at": NOW - timedelta(hours=3)}, 1)],
)
def test_an_alert_expires_when_its_message_does(changes: dict[str, Any], hours: int) -> None:
    assert one(**changes).infos[0].expires == NOW + timedelta(hours=hours)


def test_what_is_known_belongs_to_the_description() -> None:
    known = Known(confirmed="Deux blessés légers.", unconfirmed="L'origine du feu.")
    assert one(known=known).infos[0].description.splitlines()[1:] == ["Deux blessés légers.", "L'origine du feu."]


def test_a_place_is_written_latitude_first() -> None:
    point = Point(latitude=43.6, longitude=3.9, accuracy=250.4)
    text = write(one(location=Location(commune="34172", point=point))).decode()
    assert "<circle>43.6,3.9 0.251</circle>" in text
    assert "<valueName>INSEE</valueName><value>34172</value>" in text
    ring = ((3.8, 43.5), (3.9, 43.5), (3.9, 43.6), (3.8, 43.5))
    area = Area(type="Polygon", coordinates=(ring,))
    assert "<polygon>43.5,3.8 43.5,3.9 43.6,3.9 43.5,3.8</polygon>" in write(one(location=Location(area=area))).decode()
    two = Area(type="MultiPolygon", coordinates=((ring,), (ring,)))
    assert len(one(location=Location(area=two)).infos[0].areas[0].polygons) == 2


def test_departments_are_areas_of_their_own() -> None:
    areas = one(location=Location(department="34", also_departments=("30", "978"))).infos[0].areas
    assert [(area.description, area.geocodes[0].value) for area in areas] == [
        ("Département 34", "FRJ13"),
        ("Département 30", "FRJ12"),
    ]


def test_pictures_are_resources_with_their_description() -> None:
    picture = Picture(digest="a" * 64, media_type="image/png", width=1, height=1, alt="Plan")
    item = alert_item(ACCIDENT).model_copy(update={"pictures": (picture,)})
    (alert,) = drawn(Thread(THREAD, (item,)))
    (resource,) = alert.infos[0].resources
    assert (resource.description, resource.mime_type) == ("Plan", "image/png")
    assert resource.uri.startswith(SITE.url)


def test_an_exercise_is_marked() -> None:
    assert one(exercise=True).status is AlertStatus.EXERCISE


@pytest.mark.parametrize(
    "changes", [{"location": None}, {"location": Location(label="Au port")}, {"category": "recruitment"}]
)
def test_what_no_program_can_use_has_no_alert(changes: dict[str, Any]) -> None:
    assert drawn(Thread(THREAD, (alert_item(ACCIDENT.model_copy(update=changes)),))) == []


def test_a_feed_without_a_sender_or_without_the_format_has_no_alerts() -> None:
    thread = stages(ACCIDENT, Stage.OPENING)
    assert alert_ids(SITE, thread) == frozenset()
    assert alert_ids(replace(ALERT_SITE, formats=frozenset()), thread) == frozenset()
    assert alert_ids(ALERT_SITE, thread) == {thread.items[0].id}


def test_pages_and_entries_lead_to_alerts_that_exist() -> None:
    thread = stages(ACCIDENT, Stage.OPENING)
    for site, count in ((ALERT_SITE, 1), (SITE, 0)):
        files = draw(Feed(site, thread.items, now=NOW))
        path = f"cap/{thread.items[0].id}.xml"
        assert (path in files) is bool(count)
        for name in ("feed.atom", f"m/{thread.items[0].id}.html"):
            assert files[name].decode().count(site.url + path) == count


def test_a_withdrawn_alert_is_cancelled_without_its_words() -> None:
    thread = stages(ACCIDENT, Stage.OPENING, Stage.UPDATE)
    gone = replace(thread, items=(thread.items[0].withdrawn(NOW + timedelta(hours=1)), thread.items[1]))
    before, after = drawn(thread), drawn(gone)
    assert after[1] == before[1]
    assert (after[0].message_type, after[0].references, after[0].infos) == ("Cancel", (before[0].reference,), ())
    never = alert_item(ACCIDENT.model_copy(update={"location": None})).withdrawn(NOW)
    assert drawn(Thread(THREAD, (never,))) == []


def test_what_was_never_an_alert_is_not_cancelled() -> None:
    label = ACCIDENT.model_copy(update={"location": Location(label="place du marché")})
    opening, (_, update) = alert_item(label), stages(ACCIDENT, Stage.OPENING, Stage.UPDATE).items
    before, after = (drawn(Thread(THREAD, (first, update))) for first in (opening, opening.withdrawn(NOW)))
    assert [each.references for each in before] == [()]
    assert after == before


def test_an_update_and_an_end_without_a_place_are_where_the_alert_was() -> None:
    opening, *later = stages(ACCIDENT, Stage.OPENING, Stage.UPDATE, Stage.END).items
    messages = [item.message.model_copy(update={"location": None}) for item in later]
    update, end = (item.model_copy(update={"message": each}) for item, each in zip(later, messages, strict=True))
    first, second, last = drawn(Thread(THREAD, (opening, update, end)))
    assert (last.message_type, last.infos[0].responses) == ("Update", (ResponseType.ALL_CLEAR,))
    assert last.references == (first.reference, second.reference)
    assert last.infos[0].areas == second.infos[0].areas == first.infos[0].areas
    gone = update.withdrawn(NOW + timedelta(hours=1))
    assert drawn(Thread(THREAD, (opening, gone, end)))[2] == last


@given(threads())
def test_every_alert_is_complete_and_reads_back(thread: Thread) -> None:
    alone = Thread(thread.id, thread.items[:1])
    for alert in drawn(thread):
        assert missing(alert) == ()
        assert read(write(alert)).reference == alert.reference
        assert len(read(write(alert)).infos) == len(alert.infos)
        assert not re.search(r"T[\d:]+Z<", write(alert).decode())
    assert drawn(alone) == drawn(thread)[: len(drawn(alone))]


@given(threads())
def test_no_alert_is_finer_than_its_place_nor_names_the_incident(thread: Thread) -> None:
    items = []
    for item in thread.items:
        place = item.message.location
        place = place.model_copy(update={"precision": Precision.COMMUNE}) if place else None
        message = item.message.model_copy(update={"location": place.blur(Precision.COMMUNE) if place else None})
        items.append(item.model_copy(update={"message": message}))
    for alert in drawn(Thread(thread.id, tuple(items))):
        assert alert.incidents == THREAD
        for area in alert.infos[0].areas:
            assert all(circle.radius >= 3 for circle in area.circles)
