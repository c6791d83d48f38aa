"""Times as officers type them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.cli.times import parse_future, parse_near

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
        ("mardi 9h", _paris(1, 9, month=12)),  # today's has passed
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
        ("lundi 9h", NOW, _paris(23, 9)),
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


@pytest.mark.parametrize("read", [parse_future, parse_near])
def test_the_edge_of_all_years_is_not_a_time(read: Callable[..., datetime]) -> None:
    with pytest.raises(ValueError, match="outside the years 1 to 9999"):
        read("0001-01-01T00:00", now=NOW, zone=PARIS)
