"""The days on which a campaign is due."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from policenotify.campaigns import occurrences
from tests.support.campaigns import campaign, utc


def days(schedule: dict[str, Any], first: date, last: date, **changes: Any) -> list[str]:
    made = campaign(**{"schedule": [schedule], **changes})
    return [one.day.isoformat() for one in occurrences(made, first, last)]


YEAR = (date(2026, 1, 1), date(2026, 12, 31))
DAYS = [f"2026-{day}" for day in ("03-28", "03-29", "03-30", "10-24", "10-25", "10-26")]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"dates": ["2026-07-04", "2025-07-04", "2026-02-01"]}, ["2026-02-01", "2026-07-04"]),
        ({"cron": "0 12 * 1-3 MON#1"}, ["2026-01-05", "2026-02-02", "2026-03-02"]),
        ({"event": "Ascension", "days_before": [3, 1]}, ["2026-05-11", "2026-05-13"]),
        ({"event": "Noël", "days_before": [-7]}, ["2026-01-01"]),  # that of 2025
        ({"event": "salon", "days_before": [0, 2]}, ["2026-03-05", "2026-03-07"]),
        (
            {"event": "school_holidays:C"},
            ["2026-02-21", "2026-04-18", "2026-05-14", "2026-07-04", "2026-10-17", "2026-12-19"],
        ),
        # New Year and Ascension with their bridges, Easter, 1 and 8 May, Whitsun, 14 July (a Tuesday), Christmas; not
        # the Assumption (a Saturday), the Armistice (a Wednesday), All Saints (a Sunday).
        (
            {"event": "long_weekends"},
            [f"2026-{day}" for day in ("01-01", "04-04", "05-01", "05-08", "05-14", "05-23", "07-11", "12-25")],
        ),
    ],
)
def test_each_kind_of_schedule(schedule: dict[str, Any], expected: list[str]) -> None:
    assert days(schedule, *YEAR, events={"salon": ["2026-03-07"]}) == expected


def test_alsace_has_more_holidays_and_the_school_calendar_is_not_guessed() -> None:
    assert "2026-04-03" in days({"event": "public_holidays:57"}, *YEAR)  # Good Friday
    assert "2026-04-03" not in days({"event": "public_holidays"}, *YEAR)
    assert days({"event": "school_holidays:A"}, date(2028, 9, 1), date(2030, 1, 1)) == []


def test_excluded_days_the_start_and_the_end() -> None:
    found = days(
        {"cron": "0 18 * * *"},
        date(2026, 4, 30),
        date(2027, 1, 1),
        excluded=["public_holidays", "weekends", "2026-05-04"],
        end="2026-05-11",
    )
    assert found == ["2026-04-30", "2026-05-05", "2026-05-06", "2026-05-07", "2026-05-11"]
    assert days({"cron": "0 18 * * *"}, date(2025, 1, 1), date(2025, 12, 31)) == []


def test_two_schedules_of_one_day_are_one_occurrence_at_the_earlier_hour() -> None:
    made = campaign(schedule=[{"dates": ["2026-07-04"], "at": "19:00"}, {"cron": "15 9 * 7 SAT"}])
    first, *_ = occurrences(made, *YEAR)
    assert (first.day, first.due) == (date(2026, 7, 4), utc("2026-07-04T07:15"))


@pytest.mark.parametrize("schedule", [{"dates": DAYS, "at": "02:30"}, {"cron": "30 2 * * *"}])
def test_a_change_of_the_clocks_neither_skips_nor_doubles(schedule: dict[str, Any]) -> None:
    """Europe/Paris: 29 March 2026 has no 02:30, 25 October has it twice."""
    made = campaign(schedule=[schedule])
    spring = occurrences(made, date(2026, 3, 28), date(2026, 3, 30))
    assert [one.due for one in spring] == [
        utc("2026-03-28T01:30"),
        utc("2026-03-29T01:30"),  # 03:30 on the clock
        utc("2026-03-30T00:30"),
    ]
    autumn = occurrences(made, date(2026, 10, 24), date(2026, 10, 26))
    assert [one.due for one in autumn] == [
        utc("2026-10-24T00:30"),
        utc("2026-10-25T00:30"),
        utc("2026-10-26T01:30"),
    ]
