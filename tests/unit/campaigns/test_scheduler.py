"""Decisions on due campaigns."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.campaigns import (
    Action,
    Campaign,
    Decision,
    forecast,
    inhibited_campaigns,
    occurrences,
    order_campaigns,
)
from policenotify.errors import SettingsError
from policenotify.model.message import Message
from tests.support.campaigns import Machine, campaign, tip, utc

SAY, WAIT, SKIP, MERGE = Action.PUBLISH, Action.WAIT, Action.SKIP, Action.MERGE


def actions(made: tuple[Decision, ...]) -> list[tuple[int, Action, str]]:
    return [(one.occurrence.day.day, one.action, one.variant) for one in made]


def test_due_messages_are_published_once_and_alternatives_take_turns() -> None:
    machine, mine = Machine(), campaign()
    assert machine.run([mine], utc("2026-01-01T16:59")) == ()
    assert actions(machine.run([mine], utc("2026-01-01T17:00"))) == [(1, SAY, "a")]
    assert machine.run([mine], utc("2026-01-01T17:00")) == ()
    assert actions(machine.run([mine], utc("2026-01-02T17:00"))) == [(2, SAY, "b")]
    without_c = campaign(messages=[tip("b"), tip("a"), tip("d")])  # edited while it runs
    assert actions(machine.run([without_c], utc("2026-01-03T17:00"))) == [(3, SAY, "d")]
    assert actions(machine.run([without_c], utc("2026-01-04T17:00"))) == [(4, SAY, "a")]


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("late", [(2, SKIP, ""), (3, SAY, "a"), (4, SAY, "b"), (5, SAY, "c")]),
        ("skip", [(2, SKIP, ""), (3, SKIP, ""), (4, SKIP, ""), (5, SAY, "a")]),
        ("merge", [(2, SKIP, ""), (3, MERGE, ""), (4, MERGE, ""), (5, SAY, "a")]),
    ],
)
def test_a_missed_message_is_published_late_skipped_or_merged(
    missed: str, expected: list[tuple[int, Action, str]]
) -> None:
    mine = campaign(missed=missed, start="2026-01-02", pacing={"spacing": "0m", "daily_cap": 9, "repeat_after": "0m"})
    machine = Machine()
    made = machine.run([mine], utc("2026-01-05T17:00"))
    assert actions(made) == expected
    assert [one.reason for one in made if one.action is SAY][-1] == ""
    assert machine.run([mine], utc("2026-01-05T17:00")) == ()


def test_a_deferred_message_is_not_skipped() -> None:
    mine, machine = campaign(missed="skip", quiet={"begins": "17:30", "ends": "08:00"}), Machine()
    [waits] = machine.run([mine], utc("2026-01-01T17:00"))
    assert (waits.action, str(waits.reason), waits.until) == (WAIT, "quiet hours", utc("2026-01-02T07:00"))
    assert actions(machine.run([mine], utc("2026-01-02T06:59"))) == [(1, WAIT, "")]
    assert actions(machine.run([mine], utc("2026-01-02T07:00"))) == [(1, SAY, "a")]


def test_what_is_late_is_not_said_on_an_excluded_day() -> None:
    [waits] = Machine().run([campaign(late_for="20h", excluded=["2026-01-02"])], utc("2026-01-02T08:00"))
    assert (waits.action, str(waits.reason), waits.until) == (WAIT, "today is excluded", utc("2026-01-02T23:00"))


def test_a_message_is_not_said_again_soon() -> None:
    machine, mine = Machine(), campaign(messages=[tip("a")], pacing={"spacing": "0m", "repeat_after": "3d"})
    assert actions(machine.run([mine], utc("2026-01-01T17:00"))) == [(1, SAY, "a")]
    [waits] = machine.run([mine], utc("2026-01-02T17:00"))
    assert (waits.action, str(waits.reason)) == (WAIT, "all its messages were published lately")
    assert waits.until == utc("2026-01-04T17:00")


def alert(severity: str, **place: Any) -> Message:
    return Message.model_validate(
        {
            "category": "armed_threat",
            "headline": "Danger",
            "severity": severity,
            "location": place or None,
            "lifecycle": {"stage": "opening", "incident": "4711"},
        }
    )


def test_a_burglary_tip_does_not_bury_an_alert() -> None:
    mine, machine = campaign(inhibition={"at_least": "Severe", "areas": ["dept:34"]}, missed="skip"), Machine()
    now = utc("2026-01-01T17:00")
    [waits] = machine.run([mine], now, [alert("Minor", commune="34172"), alert("Extreme", commune="34172")])
    assert (waits.action, str(waits.reason), waits.until) == (WAIT, "incident 4711 is open", None)
    elsewhere = alert("Extreme", commune="75056")
    assert actions(machine.run([mine], now + timedelta(hours=20), [elsewhere])) == [(1, SAY, "a")]


@pytest.mark.parametrize(
    ("about", "silent", "heard"),
    [
        (None, {"commune": "34172"}, None),
        ({"epci": "243400017"}, {"commune": "34172"}, {"commune": "34003"}),
        ({"department": "34"}, {"commune": "34003"}, {"commune": "75056"}),
        ({"commune": "34172"}, {"commune": "30189", "also_departments": ["34"]}, {"commune": "30189"}),
        ({"label": "partout"}, {"commune": "75056"}, None),
    ],
)
def test_it_is_silent_where_it_is_about(
    about: dict[str, str] | None, silent: dict[str, Any], heard: dict[str, Any] | None
) -> None:
    one = tip("a")
    mine = campaign(messages=[{**one, "message": {**one["message"], "location": about}}])
    assert inhibited_campaigns([mine], [alert("Extreme", **silent)]) == {"ete": "4711"}
    assert inhibited_campaigns([mine], [alert("Extreme")]) == {"ete": "4711"}
    assert inhibited_campaigns([mine], [alert("Moderate", **silent), alert("Moderate")]) == {}
    if heard:
        assert inhibited_campaigns([mine], [alert("Extreme", **heard)]) == {}


def test_a_campaign_yields_for_a_day() -> None:
    weekend = campaign(name="route", messages=[tip("r")], schedule=[{"dates": ["2026-01-02", "2026-01-03"]}])
    mine = campaign(yields_to=["route"], end="2026-01-03", quiet={"begins": "21:00", "ends": "08:00"}, late_for="30h")
    machine = Machine()
    for hours in range(24 * 5):
        machine.run([mine, weekend], utc("2026-01-01T00:00") + timedelta(hours=hours))
    assert [(one.campaign, one.day.day, one.at) for one in machine.past] == [
        ("ete", 1, utc("2026-01-01T17:00")),
        ("route", 2, utc("2026-01-02T17:00")),
        ("route", 3, utc("2026-01-03T17:00")),
        ("ete", 3, utc("2026-01-04T07:00")),
    ]
    assert [day.day for (_, day), action in machine.notes.items() if action is SKIP] == [2]


def test_campaigns_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(SettingsError, match="Two campaigns have the name 'ete'"):
        order_campaigns([campaign(), campaign()])
    with pytest.raises(SettingsError, match="which is not given"):
        order_campaigns([campaign(yields_to=["route"])])
    with pytest.raises(SettingsError, match="in a circle: ete, route"):
        order_campaigns([campaign(yields_to=["route"]), campaign(name="route", yields_to=["ete"])])


_STEPS = 60
_START, _END = date(2026, 3, 20), date(2026, 4, 2)  # over the change to summer time
_ZONES = ("Europe/Paris", "Indian/Reunion", "America/Cayenne", "Pacific/Kiritimati")
_MISSED = st.sampled_from(["late", "skip", "merge"])
_versions = st.fixed_dictionaries(
    {
        "zone": st.sampled_from(_ZONES),
        "missed": _MISSED,
        "at": st.sampled_from(["00:10", "02:30", "12:00", "18:00", "23:50"]),
        "messages": st.permutations([tip("a"), tip("b"), tip("c"), tip("d")]).map(lambda all_of: all_of[:3]),
        "quiet": st.sampled_from([{"begins": "21:00", "ends": "08:00"}, {"begins": "00:00", "ends": "00:00"}]),
        "late_for": st.sampled_from(["26h", "2d", "4d"]),
        "pacing": st.sampled_from(
            [
                {"spacing": "0m", "daily_cap": 1, "repeat_after": "2d"},
                {"spacing": "5h", "daily_cap": 3, "repeat_after": "0m"},
            ]
        ),
    }
)  # fmt: skip
_other = campaign(
    name="route", messages=[tip("r"), tip("s")], schedule=[{"cron": "0 12 * * 5"}], start=_START, end=_END
)


@given(
    ups=st.lists(st.booleans(), min_size=_STEPS, max_size=_STEPS),
    changes=st.lists(_versions, min_size=1, max_size=4),
)
def test_no_occurrence_is_lost_or_doubled(ups: list[bool], changes: list[dict[str, Any]]) -> None:
    """Whatever the down-times and restarts, and however the file is edited and its zone moved meanwhile."""
    machine, versions = Machine(), [_version(change) for change in changes]
    for number, up in enumerate([*ups, True, True, True]):
        now = utc("2026-03-19T00:00") + timedelta(hours=7, minutes=7) * number
        if number >= _STEPS:
            now += timedelta(days=7)  # long after the last one is owed
        if up:
            mine = order_campaigns([versions[number * len(versions) // (_STEPS + 3)], _other])
            assert all(made.occurrence.due <= now for made in machine.run(mine, now))
    said = [(one.campaign, one.day) for one in machine.past]
    assert len(said) == len(set(said))
    never = {occurrence for occurrence, action in machine.notes.items() if action in {SKIP, MERGE}}
    assert not never & set(said)
    everything = {one.id for mine in (versions[-1], _other) for one in occurrences(mine, _START, _END)}
    assert everything <= never | set(said)


def _version(change: dict[str, Any]) -> Campaign:
    return campaign(start=_START, end=_END, yields_to=["route"], **change)


def test_a_machine_that_is_always_up_does_what_was_forecast() -> None:
    mine = campaign(start=_START, end=_END, messages=[tip("a"), tip("b")])
    machine, plan = Machine(), forecast([mine], _START, _END)
    for minutes in range(0, 20 * 24 * 60, 30):
        machine.run([mine], utc("2026-03-19T00:00") + timedelta(minutes=minutes))
    said = [(one.day, one.at, one.fingerprint) for one in machine.past]
    fingerprints = {one.name: one.fingerprint for one in mine.messages}
    assert said == [(one.occurrence.day, one.occurrence.due, fingerprints[one.variant]) for one in plan] != []


@given(ups=st.lists(st.booleans(), min_size=_STEPS, max_size=_STEPS), change=_versions)
def test_the_pace_holds_after_any_down_time(ups: list[bool], change: dict[str, Any]) -> None:
    machine, mine = Machine(), campaign(start=_START, end=_END, **change)
    for number, up in enumerate(ups):
        if up:
            machine.run([mine], utc("2026-03-20T00:00") + timedelta(hours=5, minutes=3) * number)
    times = [one.at for one in machine.past]
    days = Counter(mine.local(at).date() for at in times)
    assert max(days.values(), default=0) <= mine.pacing.daily_cap
    assert all(after - before >= mine.pacing.spacing for before, after in pairwise(times))
    for words in {one.fingerprint for one in machine.past}:
        again = [one.at for one in machine.past if one.fingerprint == words]
        assert all(after - before >= mine.pacing.repeat_after for before, after in pairwise(again))
    assert not any(mine.quiet.includes(mine.local(at).time()) for at in times)
