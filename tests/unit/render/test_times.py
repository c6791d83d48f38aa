"""The times of a message, by category, at midnight, and in the hour that comes twice."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.model.message import Message
from policenotify.render.locales import LOCALES
from policenotify.render.times import TimeFormatter

FR, EN = LOCALES["fr"], LOCALES["en"]
PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 6, 5, 17, 42, tzinfo=PARIS)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - in UTC


def _at(hour: int, minute: int = 0, day: int = 5) -> datetime:
    return datetime(2026, 6, day, hour, minute, tzinfo=PARIS)


def _times(
    stage: str = "opening", start: Any = "since", locale: Any = FR, now: datetime = NOW, **fields: Any
) -> TimeFormatter:
    lifecycle = {"stage": stage, "incident": "i1"}
    message = Message.model_validate({"category": "fire", "headline": "Feu", "lifecycle": lifecycle, **fields})
    return TimeFormatter(message, True, locale, now, PARIS, start)  # noqa: FBT003 - of an incident


@pytest.mark.parametrize(
    ("start", "moment", "french", "english"),
    [
        ("last_seen", _at(8), ", sans nouvelles depuis 8h", ", last seen at 8:00"),
        ("last_seen", _at(8, day=3), ", sans nouvelles depuis le mercredi 3 juin à 8h", None),
        ("occurred", _at(18, 30, 4), ", faits survenus jeudi 4 juin à 18h30", ", on Thursday 4 June at 18:30"),
        ("occurred", _at(20), ", à partir de 20h", ", from 20:00"),
    ],
)
def test_the_start_is_worded_by_category(start: str, moment: datetime, french: str, english: str | None) -> None:
    assert _times(start=start, starts_at=moment).period("Disparition inquiétante") == french
    if english:
        assert _times(start=start, starts_at=moment, locale=EN).period("Missing person") == english


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("Accident à 17 h 30", True),
        ("Accident à 17h", False),
        ("Accident, 04 99 17 30 00", False),
        ("Accident à 7h30", False),
    ],
)
def test_a_typed_time_is_recognised(typed: str, *, named: bool) -> None:
    assert (_times(starts_at=_at(17, 30)).period(typed) == "") == named


def test_another_time_of_the_same_hour_is_not_taken_for_the_full_hour() -> None:
    for typed in ("Accident à 8 h 30", "Accident à 8h30", "Accident à 18h"):
        assert _times(starts_at=_at(8)).period(typed) == ", depuis 8h"
    for typed in ("Accident à 8 h", "Accident à 8h", "Accident à 8 heures, deux blessés"):
        assert _times(starts_at=_at(8)).period(typed) == ""


@given(MOMENTS, st.sampled_from(["Europe/Paris", "Indian/Reunion", "America/Miquelon", "Pacific/Noumea"]))
def test_two_moments_of_a_day_are_never_written_alike(moment: datetime, zone: str) -> None:
    there = ZoneInfo(zone)
    hours = [moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=ahead) for ahead in range(25)]
    written = [FR.date_and_time(hour, moment, there) for hour in hours]
    assert len(set(written)) == len(written)


@given(MOMENTS, MOMENTS)
def test_no_single_time_is_0h(now: datetime, moment: datetime) -> None:
    moment = moment.astimezone(PARIS).replace(hour=0, minute=0, second=0, microsecond=0)
    for text in (FR.fill(FR.next_update, moment, now, PARIS), FR.date_and_time(moment, now, PARIS)):
        assert "minuit" in text
        assert not re.search(r"\b0h\b", text)


def test_a_start_in_the_hour_that_comes_twice_is_known_by_its_clock_only() -> None:
    start = datetime(2026, 10, 25, 2, 30, tzinfo=PARIS)
    times = _times(starts_at=start, now=start + timedelta(minutes=5))
    assert times.period(f"Accident à {FR.time(start, PARIS)}") == ""
    assert "2h30" in times.period("Accident à 2h30")


def test_after_the_end_of_a_sentence_a_period_begins_one() -> None:
    assert TimeFormatter.dated("Où est Lucas ?", ", à partir de 20h") == "Où est Lucas ? À partir de 20h"
