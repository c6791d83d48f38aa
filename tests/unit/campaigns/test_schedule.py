"""The days on which a campaign is due."""

from __future__ import annotations

from datetime import MAXYEAR, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr

from policenotify.campaigns import occurrences, recurrence
from tests.support.campaigns import campaign, utc


def days(schedule: dict[str, Any], first: date, last: date, **changes: Any) -> list[str]:
    made = campaign(**{"schedule": [schedule], **changes})
    return [one.day.isoformat() for one in occurrences(made, first, last)]


PARIS = ZoneInfo("Europe/Paris")
YEAR = (date(2026, 1, 1), date(2026, 12, 31))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({"dates": ["2026-07-04", "2025-07-04", "2026-02-01"]}, ["2026-02-01", "2026-07-04"]),
        ({"rrule": "FREQ=MONTHLY;BYDAY=-1FR;COUNT=3"}, ["2026-01-30", "2026-02-27", "2026-03-27"]),
        ({"cron": "30 8,18 24 12 *"}, ["2026-12-24"]),
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
        {"rrule": "FREQ=DAILY"},
        date(2026, 4, 30),
        date(2027, 1, 1),
        excluded=["public_holidays", "weekends", "2026-05-04"],
        end="2026-05-11",
    )
    assert found == ["2026-04-30", "2026-05-05", "2026-05-06", "2026-05-07", "2026-05-11"]
    assert days({"rrule": "FREQ=DAILY"}, date(2025, 1, 1), date(2025, 12, 31)) == []


def test_two_schedules_of_one_day_are_one_occurrence_at_the_earlier_hour() -> None:
    made = campaign(schedule=[{"dates": ["2026-07-04"], "at": "19:00"}, {"cron": "15 9 * 7 SAT"}])
    first, *_ = occurrences(made, *YEAR)
    assert (first.day, first.due) == (date(2026, 7, 4), utc("2026-07-04T07:15"))


@pytest.mark.parametrize("schedule", [{"rrule": "FREQ=DAILY", "at": "02:30"}, {"cron": "30 2 * * *"}])
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


def test_a_year_has_each_day_once_in_any_zone() -> None:
    for zone in ("Europe/Paris", "Indian/Reunion", "America/Cayenne", "Australia/Lord_Howe"):
        found = occurrences(campaign(zone=zone), *YEAR)
        assert [one.day for one in found] == [YEAR[0] + timedelta(days=number) for number in range(365)]


def test_the_key_has_campaign_day_and_alternative() -> None:
    first, *_ = occurrences(campaign(), *YEAR)
    assert first.key("a") == "campaign ete 2026-01-01 a"


@pytest.mark.parametrize(
    ("rule", "last"),
    [
        ("FREQ=DAILY;UNTIL=20260105T170000Z", "2026-01-05"),  # as RFC 5545 has it, and Outlook: 18:00 in Paris
        ("FREQ=DAILY;UNTIL=20260105T165959Z", "2026-01-04"),
        ("FREQ=DAILY;UNTIL=20260105T180000", "2026-01-05"),
        ("FREQ=DAILY;UNTIL=20260105", "2026-01-05"),
        ("FREQ=DAILY;COUNT=5", "2026-01-05"),
    ],
)
def test_a_rule_ends_on_its_last_day(rule: str, last: str) -> None:
    found = occurrences(campaign(schedule=[{"rrule": rule}]), date(2026, 1, 1), date(2026, 12, 31))
    assert found[-1].day.isoformat() == last
    assert len(found) == found[-1].day.day


NEVER = (
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MONTHLY;BYMONTH=4;BYMONTHDAY=31",
    "FREQ=YEARLY;BYYEARDAY=1;BYMONTH=6",
)


@pytest.mark.parametrize("rule", NEVER)
def test_a_rule_that_never_happens_is_searched_for_a_few_years_only(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[datetime] = []

    def noted(text: str, dtstart: datetime) -> Any:
        begun.append(dtstart)
        return rrulestr(text, dtstart=dtstart)

    monkeypatch.setattr(recurrence, "rrulestr", noted)
    found = tuple(recurrence.rrule_times(rule, date(2026, 1, 1), time(18), date(2026, 1, 1), date(2027, 12, 31), PARIS))
    assert found == ()
    [start] = begun
    assert MAXYEAR - start.year < 60  # dateutil gives up after the last year of all
    assert occurrences(campaign(schedule=[{"rrule": rule}]), date(2026, 1, 1), date(2026, 12, 31)) == ()


_RULES = (
    "FREQ=DAILY;INTERVAL=13",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU",
    "FREQ=MONTHLY;BYDAY=-1FR,2TU",
    "FREQ=MONTHLY;BYMONTHDAY=31,-2",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=YEARLY;BYWEEKNO=1,53;BYDAY=MO,SU",
    "FREQ=YEARLY;INTERVAL=3;BYYEARDAY=1,-1,366",
)


@pytest.mark.parametrize("rule", _RULES)
@pytest.mark.parametrize(("start", "years"), [(date(2026, 1, 1), 3), (date(2027, 12, 31), 9), (date(2098, 2, 3), 5)])
def test_a_rule_happens_on_the_days_of_its_own_years(rule: str, start: date, years: int) -> None:
    last = date(start.year + years, 6, 30)
    found = list(recurrence.rrule_times(rule, start, time(18), start, last, PARIS))
    begin = datetime.combine(start, time(18))
    assert found == list(rrulestr(rule, dtstart=begin).between(begin, datetime.combine(last, time.max), inc=True))
    assert found or rule == "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"  # no leap day from 2098 to 2103


def test_a_rule_that_only_dateutil_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="name a public holiday"):
        recurrence.validate_rrule("FREQ=YEARLY;BYEASTER=0")


def test_a_rule_that_ended_before_it_began_happens_on_no_day() -> None:
    rule = "FREQ=DAILY;UNTIL=20251231T235959"
    assert not list(
        recurrence.rrule_times(rule, date(2026, 1, 1), time(18), date(2026, 1, 1), date(2026, 12, 31), PARIS)
    )


def test_a_rule_happens_up_to_the_last_year_of_all() -> None:
    start, last = date(9990, 1, 1), date(9999, 12, 31)
    found = list(recurrence.rrule_times("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", start, time(18), start, last, PARIS))
    assert [wall.date() for wall in found] == [date(9992, 2, 29), date(9996, 2, 29)]
