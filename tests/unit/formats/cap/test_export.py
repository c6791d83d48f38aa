"""The alerts of a feed: each stage, in the form that warning systems read."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given

from policenotify.formats.cap.export import alert_files, alert_ids
from policenotify.formats.cap.fields import imported
from policenotify.formats.cap.reader import AlertPart, read
from policenotify.formats.drawing import draw
from policenotify.formats.feed import Feed, Site, Thread
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


def files(thread: Thread, site: Site = ALERT_SITE) -> list[bytes]:
    return list(alert_files(Feed(site, thread.items, now=NOW), thread).values())


def drawn(thread: Thread) -> list[AlertPart]:
    return [read(content) for content in files(thread)]


def one(message: Message = ACCIDENT, **changes: Any) -> bytes:
    [content] = files(Thread(THREAD, (alert_item(message.model_copy(update=changes)),)))
    return content


def info(alert: AlertPart) -> AlertPart:
    return alert.parts("info")[0]


def areas(alert: AlertPart) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(area.text("areaDesc"), area.pairs("geocode")) for area in info(alert).parts("area")]


def test_each_stage_names_all_earlier_alerts_in_order() -> None:
    thread = stages(ACCIDENT, Stage.OPENING, Stage.UPDATE, Stage.CORRECTION, Stage.END)
    opening, update, correction, end = drawn(thread)
    kinds = [each.text("msgType") for each in (opening, update, correction, end)]
    assert kinds == ["Alert", "Update", "Update", "Update"]
    assert opening.references == []
    assert end.references == [opening.reference, update.reference, correction.reference]
    assert (opening.text("note"), bool(update.text("note"))) == ("", True)
    assert {each.text("incidents") for each in (opening, end)} == {THREAD}
    named = f"{SENDER},{opening.text('identifier')},2026-06-05T18:00:00+02:00 "
    assert named in end.text("references")


def test_an_end_is_all_clear_and_expires_in_an_hour() -> None:
    *_, end = drawn(stages(ACCIDENT.model_copy(update={"starts_at": NOW}), Stage.OPENING, Stage.END))
    part = info(end)
    assert (part.text("responseType"), part.text("urgency"), part.time("onset")) == ("AllClear", "Past", None)
    assert part.time("expires") == end.reference.sent + timedelta(hours=1)


def test_an_update_without_an_alert_before_it_is_an_alert_and_an_end_is_none() -> None:
    first, second = drawn(stages(ACCIDENT, Stage.UPDATE, Stage.END))
    assert (first.text("msgType"), second.text("msgType")) == ("Alert", "Update")
    assert files(stages(ACCIDENT, Stage.END)) == []


def test_there_is_one_part_for_each_language() -> None:
    french, english = read(one()).parts("info")
    shown = [french.text(name) for name in ("language", "event", "headline")]
    assert shown == ["fr", "Accident", "Accident sur l'A9"]
    shown = [english.text(name) for name in ("language", "event", "description")]
    assert shown == ["en", "Road accident", "Accident on the A9"]
    assert french.text("web") == f"{SITE.url}m/{digest('first')[:16]}.html"


def test_what_is_not_yet_known_never_reads_as_a_fact() -> None:
    known = Known(confirmed="Deux blessés.", unconfirmed="L'origine du feu.")
    assert info(read(one(known=known))).text("description").splitlines() == [
        "Trois véhicules sont en cause.",
        "Deux blessés.",
        "Pas encore établi : L'origine du feu.",
    ]


def test_times_are_in_the_zone_of_the_readers_and_never_end_in_z() -> None:
    text = one(next_update_at=NOW + timedelta(minutes=30), starts_at=NOW - timedelta(minutes=5)).decode()
    assert "<sent>2026-06-05T18:00:00+02:00</sent>" in text
    assert "<onset>2026-06-05T17:55:00+02:00</onset>" in text
    assert "<value>2026-06-05T18:30:00+02:00</value>" in text
    [in_utc] = files(stages(ACCIDENT, Stage.OPENING), replace(ALERT_SITE, zone=UTC))
    assert b"<sent>2026-06-05T16:00:00-00:00</sent>" in in_utc


@pytest.mark.parametrize(
    ("changes", "hours"),
    [
        ({}, 24),
        ({"expires_at": NOW + timedelta(hours=3)}, 3),
        ({"starts_at": NOW + timedelta(hours=48)}, 72),
    ],
)
def test_an_alert_expires_when_its_message_does(changes: dict[str, Any], hours: int) -> None:
    assert info(read(one(**changes))).time("expires") == NOW + timedelta(hours=hours)


def test_a_place_is_written_latitude_first() -> None:
    point = Point(latitude=43.6, longitude=3.9, accuracy=250.4)
    text = one(location=Location(commune="34172", point=point)).decode()
    assert "<circle>43.6,3.9 0.251</circle>" in text
    assert "<valueName>INSEE</valueName><value>34172</value>" in text
    assert "<circle>43.6,3.9 0.1</circle>" in one(location=Location(point=Point(latitude=43.6, longitude=3.9))).decode()
    ring = ((3.8, 43.5), (3.9, 43.5), (3.9, 43.6), (3.8, 43.5))
    area = Area(type="Polygon", coordinates=(ring,))
    assert "<polygon>43.5,3.8 43.5,3.9 43.6,3.9 43.5,3.8</polygon>" in one(location=Location(area=area)).decode()
    two = Area(type="MultiPolygon", coordinates=((ring,), (ring,)))
    assert one(location=Location(area=two)).count(b"<polygon>") == 4  # two in each language


def test_departments_are_areas_of_their_own() -> None:
    place = Location(department="34", also_departments=("30", "978"))
    assert areas(read(one(location=place))) == [
        ("Département 34", [("NUTS3", "FRJ13")]),
        ("Département 30", [("NUTS3", "FRJ12")]),
    ]
    assert areas(read(one(location=Location(also_departments=("30",))))) == [("Département 30", [("NUTS3", "FRJ12")])]


def test_pictures_are_resources_with_their_description() -> None:
    picture = Picture(digest="a" * 64, media_type="image/png", width=1, height=1, alt="Plan")
    item = alert_item(ACCIDENT).model_copy(update={"pictures": (picture,)})
    (alert,) = drawn(Thread(THREAD, (item,)))
    (resource,) = info(alert).parts("resource")
    assert (resource.text("resourceDesc"), resource.text("mimeType")) == ("Plan", "image/png")
    assert resource.text("uri").startswith(SITE.url)


@pytest.mark.parametrize("changes", [{"location": None}, {"category": "recruitment"}])
def test_what_no_program_can_use_has_no_alert(changes: dict[str, Any]) -> None:
    assert files(Thread(THREAD, (alert_item(ACCIDENT.model_copy(update=changes)),))) == []


def test_a_feed_without_a_sender_or_without_the_format_has_no_alerts() -> None:
    thread = stages(ACCIDENT, Stage.OPENING)
    assert alert_ids(SITE, thread) == frozenset()
    assert alert_ids(replace(ALERT_SITE, formats=frozenset()), thread) == frozenset()
    assert alert_ids(ALERT_SITE, thread) == {thread.items[0].id}


def test_pages_and_entries_lead_to_alerts_that_exist() -> None:
    thread = stages(ACCIDENT, Stage.OPENING)
    for site, count in ((ALERT_SITE, 1), (SITE, 0)):
        everything = draw(Feed(site, thread.items, now=NOW))
        path = f"cap/{thread.items[0].id}.xml"
        assert (path in everything) is bool(count)
        for name in ("feed.atom", f"m/{thread.items[0].id}.html"):
            assert everything[name].decode().count(site.url + path) == count


def test_a_withdrawn_alert_is_cancelled_without_its_words() -> None:
    thread = stages(ACCIDENT, Stage.OPENING, Stage.UPDATE)
    gone = replace(thread, items=(thread.items[0].withdrawn(NOW + timedelta(hours=1)), thread.items[1]))
    before, after = files(thread), files(gone)
    assert after[1] == before[1]
    cancel = read(after[0])
    assert (cancel.text("msgType"), cancel.references) == ("Cancel", [read(before[0]).reference])
    assert cancel.parts("info") == []
    assert imported(after[0], codes={}, language="fr", category=None).kind == "Cancel"
    never = alert_item(ACCIDENT.model_copy(update={"location": None})).withdrawn(NOW)
    assert files(Thread(THREAD, (never,))) == []


def test_an_update_and_an_end_without_a_place_are_where_the_alert_was() -> None:
    opening, *later = stages(ACCIDENT, Stage.OPENING, Stage.UPDATE, Stage.END).items
    messages = [item.message.model_copy(update={"location": None}) for item in later]
    update, end = (item.model_copy(update={"message": each}) for item, each in zip(later, messages, strict=True))
    before = files(Thread(THREAD, (opening, update, end)))
    first, second, last = map(read, before)
    assert (last.text("msgType"), info(last).text("responseType")) == ("Update", "AllClear")
    assert last.references == [first.reference, second.reference]
    assert areas(last) == areas(second) == areas(first) != []
    gone = update.withdrawn(NOW + timedelta(hours=1))
    assert files(Thread(THREAD, (opening, gone, end)))[2] == before[2]


@given(threads())
def test_every_alert_is_complete_and_reads_back(thread: Thread) -> None:
    written = files(thread)
    for content, item in zip(written, thread.items, strict=False):
        category = item.message.category
        done = imported(content, codes={}, language=item.message.language, category=category)
        assert not [each for each in done.findings if each.code == "PN701"]
        Message.model_validate(done.fields)
        assert isinstance(done.fields["expires_at"], datetime)
        assert not re.search(rb"T[\d:]+Z<", content)
    alone = files(Thread(thread.id, thread.items[:1]))
    assert alone == written[: len(alone)]
