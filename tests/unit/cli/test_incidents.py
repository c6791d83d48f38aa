"""`incidents`: open incidents and overdue messages."""

from __future__ import annotations

from datetime import timedelta

import pytest

from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.publishing.alarms import duration
from tests.support.installation import Desk, accident
from tests.support.shell import ACCIDENT, Earlier, Run


def _opened(desk: Desk, incident: str, ago: timedelta, **changes: object) -> None:
    desk.clock = Earlier(ago)
    lifecycle = Lifecycle(stage=Stage.OPENING, incident=incident)
    desk.publisher().publish(accident(lifecycle=lifecycle, **changes), key=incident, actor="desk", wait=timedelta(0))


def test_overdue_ones_come_first_and_are_for_a_monitor(run: Run, desk: Desk) -> None:
    _opened(desk, "new", timedelta(minutes=1))
    _opened(desk, "late", timedelta(hours=3, minutes=10), headline="Camion renversé")
    _opened(desk, "later", timedelta(days=2, hours=5))
    ran = run("incidents")
    assert ran.code == 0
    assert ran.out.startswith("2 of 3 open incidents are overdue:\n")
    assert [line for line in ran.out.splitlines() if line.startswith("  ") and line[2] != " "] == [
        "  OVERDUE · later · traffic_accident · Montpellier, avenue de Toulouse",
        "  OVERDUE · late · traffic_accident · Montpellier, avenue de Toulouse",
        "  new · traffic_accident · Montpellier, avenue de Toulouse",
    ]
    assert "2 d 3 h overdue." in ran.words
    assert "1 h 40 min overdue." in ran.words
    assert 'policenotify end late "…"' in ran.words
    monitor = run("incidents", "--overdue", "--json")
    assert monitor.code == 4
    document = monitor.document
    assert document["overdue"] == 2
    late = document["incidents"][1]
    assert 6000 <= late.pop("overdue_seconds") <= 6100
    opened, due = late.pop("opened_at"), late.pop("due_at")
    assert opened < due < document["at"]
    assert late == {
        "id": "late", "category": "traffic_accident", "status": "open", "headline": "Camion renversé",
        "place": "Montpellier, avenue de Toulouse", "overdue": True, "exercise": False,
        "reminders": 0,
    }  # fmt: skip


@pytest.mark.usefixtures("desk")
def test_ended_incidents_are_shown_on_request(run: Run) -> None:
    run("publish", *ACCIDENT)
    assert run("incidents").out.startswith("1 open, none overdue:\n")
    run("end", "2026-4711", "Fin d'intervention", "--description", "Rouvert.")
    assert run("incidents", "--json").document["incidents"] == []
    ran = run("incidents", "--all")
    assert "It has ended." in ran.words
    [over] = run("incidents", "--all", "--json").document["incidents"]
    assert (over["status"], over["overdue"], "overdue_seconds" in over) == ("ended", False, False)


@pytest.mark.parametrize(
    ("span", "told"),
    [
        (timedelta(0), "less than a minute"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(days=9, hours=2, minutes=5), "9 d 2 h"),
    ],
)
def test_a_duration_is_shown_in_two_units(span: timedelta, told: str) -> None:
    assert str(duration(span)) == told


def test_a_drain_reminds_and_the_list_shows_it(run: Run, desk: Desk) -> None:
    _opened(desk, "late", timedelta(hours=2, minutes=50))
    assert run("drain", "--budget", "0.1").code == 0
    ran = run("incidents", "--overdue")
    assert ran.code == 4
    assert "Reminder 3 was raised 20" in ran.words
    [late] = run("incidents", "--json").document["incidents"]
    assert (late["reminders"], late["reminded_at"] > late["due_at"]) == (3, True)
