"""The limiter as a function: its guarantee for every window, and the notation of rates."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policenotify.model.rate import Rate

SECOND = 1_000_000
NOON = 1_800_000_000 * SECOND
FIVE = timedelta(minutes=5)


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    posts = draw(st.integers(1, 12))
    per = draw(st.timedeltas(timedelta(microseconds=1), timedelta(seconds=20)))
    return Rate(posts, per, draw(st.integers(0, posts)))


def span(rate: Rate) -> int:
    return rate.per // timedelta(microseconds=1)


@given(rates(), st.lists(st.tuples(st.integers(-3 * SECOND, 5 * SECOND), st.integers(1, 15)), max_size=60))
@example(Rate(2, timedelta(seconds=1), 1), [(0, 1), (166_667, 1), (-166_667, 1)])  # a microsecond back
def test_no_window_ever_holds_more_than_the_rate(rate: Rate, asks: list[tuple[int, int]]) -> None:
    """Also where the clocks of those who ask differ by seconds: the row that they share is one."""
    arrival: int | None = None
    left: list[int] = []
    for number, (later, wanted) in enumerate(asks):
        now = NOON + number * SECOND // 3 + later
        if arrival is not None and arrival > now + span(rate):
            continue  # a clock set back by more than the whole rate: the test below
        granted = min(rate.free(arrival, now), wanted)
        assert 0 <= granted <= rate.at_once
        if granted:
            arrival = rate.after(arrival, now, granted)
            left += [now] * granted
    for start in left:
        assert sum(start <= one < start + span(rate) for one in left) <= rate.posts


@given(rates(), st.lists(st.integers(0, 2 * SECOND), min_size=1, max_size=40), st.data())
def test_a_delivery_is_due_at_its_time_and_not_a_microsecond_earlier(
    rate: Rate, waits: list[int], data: st.DataObject
) -> None:
    arrival, now = None, NOON
    for wait in waits:
        now += wait
        wanted = data.draw(st.integers(1, rate.at_once))
        at = rate.free_at(arrival, now, wanted)
        assert rate.free(arrival, at) >= wanted
        assert at == now or rate.free(arrival, at - 1) < wanted
        if at == now:
            arrival = rate.after(arrival, now, wanted)


def test_half_leave_at_once_and_the_rest_evenly() -> None:
    rate, arrival, now, left = Rate(30, FIVE), None, NOON, []
    while now < NOON + 10 * 60 * SECOND:
        arrival = rate.after(arrival, now)
        left.append((now - NOON) / SECOND)
        now = rate.free_at(arrival, now)
    assert left[:15] == [0.0] * 15
    assert left[15:18] == [18.75, 37.5, 56.25]
    assert len([one for one in left if one < 300]) == 30  # the limit is used up, and not passed


def test_after_a_clock_was_set_back_one_leaves_and_then_evenly() -> None:
    rate = Rate(4, timedelta(seconds=3), 2)  # one each second
    arrival = rate.after(None, NOON, 2)
    hours_before = NOON - 10_000 * SECOND
    assert rate.free(arrival, hours_before) == 1
    assert rate.free_at(arrival, hours_before) == hours_before
    arrival = rate.after(arrival, hours_before)
    assert rate.free(arrival, hours_before) == 0
    assert rate.free_at(arrival, hours_before) == hours_before + SECOND


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("30 per 5 min", Rate(30, FIVE, 15)),
        ("  100 PER day , 100 at once", Rate(100, timedelta(days=1), 100)),
        ("7 per 12h", Rate(7, timedelta(hours=12), 4)),
    ],
)
def test_a_rate_is_read_as_written(text: str, rate: Rate) -> None:
    assert Rate.read(text) == rate


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("fast", "'fast' is not a rate; write one such as '30 per 5 min' or '100 per day, 20 at once'"),
        ("0 per day", "a rate is at least 1 post, in a time above 0 and up to 366 days"),
        ("5 per day, 0 at once", "with 0 at once nothing would ever leave"),
        ("5 per day, 6 at once", "of 5 posts, from 1 to 5 may leave at once"),
    ],
)
def test_an_invalid_rate_has_a_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        Rate.read(text)
