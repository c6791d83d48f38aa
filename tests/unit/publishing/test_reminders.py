"""Reminders of overdue ends: who is reminded, when, how often, and where."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from policenotify.errors import SettingsError
from policenotify.events import Event, EventKind
from policenotify.journal import open_journal
from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus, Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.publishing.approval import ApprovalRule
from policenotify.publishing.installation import Installation as Given
from policenotify.publishing.publisher import Publisher
from policenotify.publishing.reminders import ReminderPolicy
from policenotify.testing.fakes import FakeClock
from policenotify.testing.samples import PARIS, SENDER
from policenotify.text import Budget
from tests.support.fake_network import Scripted
from tests.support.installation import INCIDENT, accident
from tests.support.patience import until

NOW, LONG = timedelta(0), timedelta(seconds=30)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
TIP = Message(category="scam_cyber", headline="Faux conseiller bancaire", instruction="Raccrochez.")
DUTY = ReminderPolicy(to=("duty", "drill"))


class Installation:
    """Publishers on one journal, as of several processes, with networks in memory."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self.clock = FakeClock()
        self.sky, self.duty = Scripted(account="sky"), Scripted(account="duty")
        self.practice, self.drill = Scripted(account="practice"), Scripted(account="drill")
        self._folder, self._keys, self._opened = folder, Keys.create(secrets.token_bytes), opened

    def publisher(self, **how: Any) -> Publisher:
        journal = open_journal(str(self._folder / "journal.db"), keys=self._keys, clock=self.clock, create=True)
        self._opened.callback(journal.close)  # also without a publisher to close it
        channels = [
            self.sky.configured("sky", tags=frozenset({"all"})),
            self.practice.configured("practice", exercise=True),
            self.duty.configured("duty", tags=frozenset({"all"})),
            self.drill.configured("drill", exercise=True),
        ]
        given = {"channels": channels, "zone": PARIS, "sender": SENDER, "clock": self.clock, "wait": LONG, **how}
        return self._opened.enter_context(Publisher(Given(journal=journal, **given)))

    def after(self, span: timedelta, *publishers: Publisher) -> None:
        """Time passes, and everybody drains."""
        self.clock.pass_by(span.total_seconds())
        for one in publishers:
            one.drain(LONG)

    def raised(self, publisher: Publisher) -> list[tuple[str, int]]:
        """Return incident and level of each reminder that was raised."""
        with publisher.journal.read() as connection:
            query = select(schema.event.c.body).where(schema.event.c.kind == "overdue").order_by(schema.event.c.id)
            bodies = map(json.loads, connection.execute(query).scalars())
            return [(body["incident"], body["level"]) for body in bodies]


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with ExitStack() as opened:
        yield Installation(tmp_path, opened)


def _open(publisher: Publisher, incident: str = INCIDENT, **changes: Any) -> datetime:
    """Publish an incident whose next update is due in an hour. Return until when."""
    due = publisher.installation.timer.now() + HOUR
    lifecycle = Lifecycle(stage=Stage.OPENING, incident=incident)
    opening = accident(next_update_at=due, lifecycle=lifecycle, **changes)
    publisher.publish(opening, key=incident, actor="desk")
    return due


def _texts(network: Scripted) -> list[str]:
    return [str(request.body["text"]) for request in network.said]


# --- when


def test_each_level_is_raised_once_by_the_first_process(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    one, other = installation.publisher(), installation.publisher()
    _open(one)
    installation.after(HOUR - MINUTE, one, other)
    assert installation.raised(one) == []
    for span in (MINUTE, MINUTE, 14 * MINUTE, 45 * MINUTE, 4 * HOUR, 4 * HOUR):
        installation.after(span, other, one)
    assert installation.raised(one) == [(INCIDENT, level) for level in (1, 2, 3, 4, 5)]
    assert caplog.records[0].getMessage() == (
        "An incident (traffic_accident) has been overdue since 2026-03-02 07:30 UTC, reminder 1: "
        "its end or an update is owed."
    )
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 5
    [line] = one.operations.incidents()
    assert (line.status, line.reminders) == (IncidentStatus.OPEN, 5)  # and it is not over


def test_a_program_learns_of_an_owed_end_by_an_event_that_names_the_publication(installation: Installation) -> None:
    events: list[Event] = []
    publisher = installation.publisher(on_event={"radio-log": events.append})
    _open(publisher)
    installation.after(HOUR, publisher)
    until(lambda: any(event.kind is EventKind.OVERDUE for event in events))
    [event] = [event for event in events if event.kind is EventKind.OVERDUE]
    assert (event.publication, event.details) == (publisher.operations.incident(INCIDENT).id, {"level": 1})


def test_a_reminder_that_fell_due_without_a_worker_is_raised_once(installation: Installation) -> None:
    publisher = installation.publisher()
    _open(publisher)
    installation.clock.pass_by(4 * HOUR.total_seconds())
    _open(publisher, "new")
    installation.after(NOW, publisher, publisher)
    assert installation.raised(publisher) == [(INCIDENT, 3)]
    installation.after(HOUR, publisher)
    assert installation.raised(publisher)[1:] == [("new", 1)]


def test_an_update_restarts_the_reminders_and_an_end_stops_them(installation: Installation) -> None:
    publisher = installation.publisher()
    _open(publisher)
    installation.after(2 * HOUR, publisher)
    said = publisher.operations.incident(INCIDENT)
    publisher.publish(said.correct("Accident grave"), key="wrong", actor="desk")  # which does not update the incident
    assert publisher.operations.incidents()[0].reminders == 3
    update = said.update("Une voie rouverte", next_update_at=installation.clock.now() + HOUR)
    publisher.publish(update, key="update", actor="desk")
    assert (publisher.operations.incidents()[0].reminders, publisher.operations.incidents()[0].reminded_at) == (0, None)
    installation.after(HOUR, publisher)
    assert [level for _, level in installation.raised(publisher)] == [3, 1]
    publisher.publish(said.end("Fin", description="Circulation rétablie."), key="end", actor="desk")
    installation.after(9 * HOUR, publisher)
    assert len(installation.raised(publisher)) == 2


# --- where


def test_the_duty_channel_is_notified_once_by_all_processes_and_no_other_is(installation: Installation) -> None:
    one, other = (installation.publisher(reminders=DUTY) for _ in range(2))
    _open(one)
    assert (len(installation.sky.said), installation.duty.said) == (
        1,
        [],
    )  # without routes everything goes everywhere: not there
    for span in (HOUR, MINUTE, 14 * MINUTE):
        installation.after(span, one, other)
    told = (
        "⏰ Incident 2026-4711, nouvelles attendues depuis le lundi 2 mars à 8h30.\n"
        "Publiez la fin ou un point de situation.\n"
        "Rappel n°\xa0{}\xa0: Accident de la circulation (Montpellier, avenue de Toulouse)."
    )
    assert _texts(installation.duty) == [told.format(1), told.format(2)]
    assert (len(installation.sky.said), installation.practice.said, installation.drill.said) == (1, [], [])


@pytest.mark.parametrize("names", [("small", "duty"), ("duty",)])
def test_a_reminder_waits_for_an_unusable_duty_channel_despite_the_others(
    installation: Installation, names: tuple[str, ...]
) -> None:
    small = Scripted(account="small")
    tiny = replace(small.capabilities, budget=Budget(40), replies=False)
    channels = [
        installation.sky.configured("sky"),
        small.configured("small").model_copy(update={"capabilities": tiny}),
        installation.duty.configured("duty").model_copy(update={"blocked": "channels.duty.token: the file is empty."}),
    ]
    publisher = installation.publisher(channels=channels, reminders=ReminderPolicy(to=names))
    publisher.publish(
        accident(next_update_at=publisher.installation.timer.now() + HOUR), key="1", actor="desk", to=["sky"]
    )
    installation.after(HOUR, publisher)
    publications = publisher.journal.publications
    [reminder] = filter(None, map(publications.get, publications.unfinished_ids()))
    outcomes = {"small": Outcome.REFUSED, "duty": Outcome.WAITING}
    assert {one.channel: one.outcome for one in reminder} == {name: outcomes[name] for name in names}
    assert (installation.duty.said, small.said) == ([], [])


def test_the_public_never_reaches_the_duty_channel(installation: Installation) -> None:
    publisher = installation.publisher(reminders=DUTY)
    with pytest.raises(SettingsError, match="channel 'duty' is retired"):
        publisher.publish(accident(), key="k", actor="desk", to=["duty"])
    publisher.publish(accident(), key="k", actor="desk", to=["all"])
    update = publisher.operations.incident(INCIDENT).update("Une voie rouverte")
    publisher.publish(update, key="u", actor="desk", to=["all", "duty"])
    assert (len(installation.sky.said), installation.duty.said) == (2, [])


def test_an_exercise_stays_among_exercises(installation: Installation) -> None:
    publisher = installation.publisher(reminders=DUTY)
    _open(publisher, exercise=True)
    installation.after(HOUR, publisher)
    assert (installation.sky.said, installation.duty.said) == ([], [])
    [text] = _texts(installation.drill)
    assert text.startswith("EXERCICE – ⏰ Incident 2026-4711")
    only = installation.publisher(reminders=ReminderPolicy(to=("duty",)))
    installation.after(15 * MINUTE, only)
    assert (installation.duty.said, len(installation.drill.said)) == ([], 1)


def test_a_stop_halts_its_messages_but_not_the_reminder(installation: Installation) -> None:
    publisher = installation.publisher(reminders=DUTY)
    _open(publisher)
    publisher.journal.stop("adm")
    installation.after(HOUR, publisher)
    assert (installation.raised(publisher), installation.duty.said) == ([(INCIDENT, 1)], [])
    publisher.journal.resume("adm")
    installation.after(MINUTE, publisher, publisher)
    assert (len(installation.raised(publisher)), len(installation.duty.said)) == (1, 1)


# --- many at once


def _open_many(publisher: Publisher, count: int, **changes: Any) -> None:
    for number in range(count):
        lifecycle = Lifecycle(stage=Stage.OPENING, incident=f"{'E' if changes else 'I'}-{number:03d}")
        opening = accident(next_update_at=publisher.installation.timer.now() + HOUR, lifecycle=lifecycle, **changes)
        publisher.publish(opening, key=lifecycle.incident or "", actor="desk", wait=NOW)


def test_deliveries_do_not_wait_for_reminders(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_given: object) -> tuple[()]:
        until(lambda: len(installation.sky.said) == 2)
        return ()

    publisher = installation.publisher()
    _open(publisher)
    installation.clock.pass_by(HOUR.total_seconds())
    publisher.publish(TIP, key="tip", actor="desk", wait=NOW)
    monkeypatch.setattr("policenotify.publishing.duty.raise_due", slow)
    publisher.drain(LONG)
    assert len(installation.sky.said) == 2


def test_of_many_overdue_incidents_one_reminder_stands_for_those_beyond_twenty(installation: Installation) -> None:
    publisher = installation.publisher(reminders=DUTY)
    _open_many(publisher, 30)
    _open_many(publisher, 2, exercise=True)
    installation.after(HOUR, publisher, publisher)
    raised = [incident for incident, _ in installation.raised(publisher)]
    assert raised == [*(f"I-{number:03d}" for number in range(21)), "E-000", "E-001"]
    assert (len(installation.duty.said), len(installation.drill.said)) == (21, 2)
    [last] = [text for text in _texts(installation.duty) if "(+ 9)" in text]  # severe channels have two threads
    assert "I-020" in last
    first = publisher.operations.incident("I-000")
    publisher.publish(first.end("Fin", description="Rouvert."), key="end", actor="desk", to=None)
    installation.after(MINUTE, publisher)
    assert [incident for incident, _ in installation.raised(publisher)[23:]] == ["I-021"]


def test_a_second_reading_is_reminded_of_like_an_end(installation: Installation) -> None:
    publisher = installation.publisher(reminders=DUTY, approval=[ApprovalRule()])
    urgent = publisher.publish(TIP, key="k", actor="claire", urgent="Arnaque en cours, des victimes.")
    installation.after(29 * MINUTE, publisher)
    assert installation.duty.said == []
    installation.after(MINUTE, publisher)
    [first] = installation.duty.said
    assert "relecture attendue" in str(first.body["text"])
    assert urgent.id in str(first.body["text"])
    installation.after(15 * MINUTE, publisher, installation.publisher(reminders=DUTY))
    assert len(installation.duty.said) == 2
    publisher.drafts.second_reading(urgent.id, actor="hugo")
    installation.after(HOUR, publisher)
    assert len(installation.duty.said) == 2
    assert publisher.journal.audit.verify() == 0
