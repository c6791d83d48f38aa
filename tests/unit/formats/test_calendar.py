"""Planned events for calendars."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import icalendar

from policenotify.formats.calendar import calendar
from policenotify.formats.item import Item
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.location import Location, Point
from policenotify.model.message import Message, Translation
from tests.support.feed_items import NOW, make_feed, make_item, sample_items

_START, _END = NOW + timedelta(days=1), NOW + timedelta(days=1, hours=4)
_OPENING = Message(
    category="road_closure",
    headline="Fermeture de l'A9; travaux, de nuit",
    description="Déviation \\ par la D613.\nSuivez les panneaux.",
    lifecycle=Lifecycle(stage=Stage.OPENING, incident="2026-17"),
    location=Location(commune_name="Montpellier", point=Point(latitude=43.6, longitude=3.9)),
    starts_at=_START,
    expires_at=_END,
)


def _items(*messages: Message) -> list[Item]:
    return [make_item(each, name=str(n), at=NOW + timedelta(minutes=n)) for n, each in enumerate(messages)]


def _later(stage: Stage, **fields: Any) -> Message:
    corrects = "0" * 26 if stage is Stage.CORRECTION else None
    return _OPENING.followed_by(stage, headline=stage.value, incident="2026-17", corrects=corrects, **fields)


def _events(*items: Item) -> list[Any]:
    read: Any = icalendar.Calendar.from_ical(calendar(make_feed(*items)))
    return list(read.walk("VEVENT"))


def test_a_planned_closure_is_an_event() -> None:
    [item] = _items(_OPENING)
    [event] = _events(item)

    assert f"urn:uuid:{event['UID']}" == item.urn
    assert event.decoded("DTSTART") == _START
    assert event.decoded("DTEND") == _END
    assert event.decoded("SEQUENCE") == 0
    assert event["STATUS"] == "CONFIRMED"
    assert event["SUMMARY"] == "Fermeture de l'A9; travaux, de nuit"
    assert event["DESCRIPTION"].endswith("Déviation \\ par la D613.\nSuivez les panneaux.")
    assert event["LOCATION"] == "Montpellier"
    assert event["GEO"].to_ical() == "43.6;3.9"


def test_an_event_has_the_words_of_all_its_languages() -> None:
    words = {"translations": (Translation(language="en", headline="A9 closed", instruction="Follow the signs."),)}
    [event] = _events(*_items(_OPENING.model_copy(update=words)))
    assert event["DESCRIPTION"].endswith("\n\nA9 closed\nFollow the signs.")


def test_what_has_begun_when_it_is_published_is_none() -> None:
    begun = sample_items("fire/opening", "fire/end", "arrest/info")
    undated = _OPENING.model_copy(update={"category": "planned_event", "starts_at": None, "expires_at": None})

    assert _events(*begun) == []
    assert _events(*_items(undated)) == []


def test_a_planned_event_is_one_even_if_it_is_published_late() -> None:
    late = _OPENING.model_copy(
        update={
            "category": "planned_event",
            "starts_at": NOW - timedelta(hours=1),
            "expires_at": None,
            "location": None,
        }
    )

    [event] = _events(*_items(late))

    assert "DTEND" not in event
    assert "LOCATION" not in event
    assert "GEO" not in event


def test_a_postponement_moves_the_event_and_raises_its_sequence() -> None:
    later = _START + timedelta(days=7)
    opening, correction = _items(_OPENING, _later(Stage.CORRECTION, starts_at=later))

    [event] = _events(opening, correction)

    assert event.decoded("DTSTART") == later
    assert event.decoded("SEQUENCE") == 1
    assert f"urn:uuid:{event['UID']}" == opening.urn


def test_the_end_is_its_end() -> None:
    ended_at = _START + timedelta(hours=3)
    [opening] = _items(_OPENING)
    end = make_item(_later(Stage.END, starts_at=ended_at), name="end", at=ended_at + timedelta(minutes=5))

    [event] = _events(opening, end)

    assert event.decoded("DTEND") == ended_at
    assert event["STATUS"] == "CONFIRMED"
    assert event["SUMMARY"].startswith("TERMINÉ – ")


def test_what_is_cancelled_or_ends_before_its_beginning_is_cancelled_and_keeps_its_end() -> None:
    for stage in (Stage.CANCELLATION, Stage.END):
        [event] = _events(*_items(_OPENING, _later(stage)))

        assert event["STATUS"] == "CANCELLED"
        assert event.decoded("SEQUENCE") == 1
        assert event.decoded("DTEND") == _END


def test_a_withdrawn_message_raises_the_sequence_and_its_words_are_gone() -> None:
    first, second = _items(_OPENING, _later(Stage.UPDATE, starts_at=_START + timedelta(hours=1)))
    withdrawn = second.withdrawn(NOW + timedelta(minutes=5))

    [event] = _events(first, withdrawn)

    assert event.decoded("SEQUENCE") == 2
    assert event.decoded("DTSTART") == _START
    assert event.decoded("DTSTAMP") == NOW + timedelta(minutes=5)
    assert _events(first.withdrawn(NOW), withdrawn) == []
