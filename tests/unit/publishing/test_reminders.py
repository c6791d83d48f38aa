"""The end is owed: who is reminded of it, when, how often, and where that is said."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from policenotify.errors import SettingsError
from policenotify.journal import open_journal, schema
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus, Lifecycle, Stage
from policenotify.publishing.publisher import Publisher
from policenotify.publishing.reminders import Reminder, ReminderPolicy, Reminders
from policenotify.testing.fakes import FakeClock
from policenotify.testing.samples import PARIS, SENDER
from policenotify.text import Budget
from tests.support.fake_network import Scripted
from tests.support.installation import INCIDENT, accident

NOW, LONG = timedelta(0), timedelta(seconds=30)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
DUTY = ReminderPolicy(to=("duty", "drill"))


class House:
    """Publishers on one journal, as several processes have them; networks in memory."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self.clock = FakeClock()
        self.sky, self.duty = Scripted(account="sky"), Scripted(account="duty")
        self.practice, self.drill = Scripted(account="practice"), Scripted(account="drill")
        self._folder, self._keys, self._opened = folder, Keys.create(secrets.token_bytes), opened

    def publisher(self, **how: Any) -> Publisher:
        journal = open_journal(str(self._folder / "journal.db"), keys=self._keys, clock=self.clock, create=True)
        self._opened.callback(journal.close)  # also where there is no publisher to close it
        channels = [
            self.sky.configured("sky", tags=frozenset({"all"})),
            self.practice.configured("practice", exercise=True),
            self.duty.configured("duty", tags=frozenset({"all"})),
            self.drill.configured("drill", exercise=True),
        ]
        given = {"channels": channels, "zone": PARIS, "sender": SENDER, "clock": self.clock, "wait": LONG, **how}
        return self._opened.enter_context(Publisher(journal=journal, **given))

    def after(self, span: timedelta, *publishers: Publisher) -> None:
        """Time passes, and everybody drains."""
        self.clock.pass_by(span.total_seconds())
        for one in publishers:
            one.drain(LONG)

    def overdue_events(self, publisher: Publisher) -> list[str]:
        with publisher.journal.read() as connection:
            query = select(schema.event.c.body).where(schema.event.c.kind == "overdue").order_by(schema.event.c.id)
            return list(connection.execute(query).scalars())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with ExitStack() as opened:
        yield House(tmp_path, opened)


def _open(publisher: Publisher, incident: str = INCIDENT, **changes: Any) -> datetime:
    """An incident whose next word is owed in an hour; returns until when."""
    due = publisher.clock.now() + HOUR
    lifecycle = Lifecycle(stage=Stage.OPENING, incident=incident)
    opening = accident(next_update_at=due, lifecycle=lifecycle, **changes)
    publisher.publish(opening, key=incident, actor="desk")
    return due


def _texts(network: Scripted) -> list[str]:
    return [str(request.body["text"]) for request in network.said]


# --- when


@pytest.mark.parametrize(
    ("late", "level"),
    [(-1, 0), (0, 1), (14, 1), (15, 2), (59, 2), (60, 3), (299, 3), (300, 4), (540, 5), (780, 6)],
)
def test_the_level_rises_with_time(late: int, level: int) -> None:
    assert ReminderPolicy().level_after(late * MINUTE) == level
    if level:
        assert ReminderPolicy().level_after(ReminderPolicy().delay(level)) == level
        assert ReminderPolicy().level_after(ReminderPolicy().delay(level) - timedelta(microseconds=1)) == level - 1


@pytest.mark.parametrize(
    "wrong",
    [{"after": ()}, {"after": (HOUR, HOUR)}, {"after": (-HOUR,)}, {"every": timedelta(seconds=59)}],
    ids=["none", "equal", "before", "often"],
)
def test_times_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^(after: give one time|every: give a minute)"):
        ReminderPolicy(**wrong)


def test_each_level_is_raised_once_by_whoever_comes_first(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    told: list[Reminder] = []
    one, other = (house.publisher(on_overdue=told.append) for _ in range(2))
    due = _open(one)
    house.after(HOUR - MINUTE, one, other)
    assert told == []
    for span in (MINUTE, MINUTE, 14 * MINUTE, 45 * MINUTE, 4 * HOUR, 4 * HOUR):
        house.after(span, other, one)
    assert [reminder.level for reminder in told] == [1, 2, 3, 4, 5]
    first = told[0]
    assert (first.incident, first.category, first.due_at, first.lateness, first.exercise) == (
        INCIDENT, "traffic_accident", due, NOW, False,
    )  # fmt: skip
    assert (first.headline, first.place) == ("Accident de la circulation", "Montpellier, avenue de Toulouse")
    assert caplog.records[0].getMessage() == (
        f"Incident {INCIDENT} (traffic_accident) is overdue since 2026-03-02 07:30 UTC, reminder 1: "
        "its end or an update is owed."
    )
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 5
    assert house.overdue_events(one) == [
        f'{{"due_at":"{due.isoformat()}","incident":"{INCIDENT}","level":{level}}}' for level in range(1, 6)
    ]
    [line] = one.incidents()
    assert (line.status, line.reminders, line.reminded_at) == (
        IncidentStatus.OPEN,
        5,
        told[-1].at,
    )  # and is over for nobody


def test_what_fell_due_while_nobody_delivered_is_raised_once(house: House) -> None:
    told: list[Reminder] = []
    publisher = house.publisher(on_overdue=told.append)
    _open(publisher)
    house.clock.pass_by(4 * HOUR.total_seconds())
    _open(publisher, "new")
    house.after(NOW, publisher, publisher)
    assert [(one.incident, one.level, one.lateness) for one in told] == [(INCIDENT, 3, 3 * HOUR)]
    house.after(HOUR, publisher)
    assert [(one.incident, one.level) for one in told[1:]] == [("new", 1)]


def test_a_new_word_begins_anew_and_an_end_ends_it(house: House) -> None:
    told: list[Reminder] = []
    publisher = house.publisher(on_overdue=told.append)
    _open(publisher)
    house.after(2 * HOUR, publisher)
    said = publisher.incident(INCIDENT)
    publisher.publish(said.correct("Accident grave"), key="wrong", actor="desk")  # which is no news of the incident
    assert publisher.incidents()[0].reminders == 3
    update = said.update("Une voie rouverte", next_update_at=house.clock.now() + HOUR)
    publisher.publish(update, key="update", actor="desk")
    assert (publisher.incidents()[0].reminders, publisher.incidents()[0].reminded_at) == (0, None)
    house.after(HOUR, publisher)
    assert [reminder.level for reminder in told] == [3, 1]
    publisher.publish(said.end("Fin", description="Circulation rétablie."), key="end", actor="desk")
    house.after(9 * HOUR, publisher)
    assert len(told) == 2


def test_an_incident_without_a_deadline_has_one_of_a_day(house: House) -> None:
    profiles = {
        "traffic_accident": house.publisher().profiles["traffic_accident"].model_copy(update={"lifetime": None})
    }
    publisher = house.publisher(profiles=profiles)
    publisher.publish(accident(), key="k", actor="desk")
    assert publisher.incidents()[0].due_at == house.clock.now() + timedelta(days=1)


def test_a_callback_that_fails_keeps_nothing_back(house: House, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_reminder: Reminder) -> None:
        raise OSError("token=abc")

    publisher = house.publisher(on_overdue=fail)
    _open(publisher)
    house.after(HOUR, publisher)
    assert caplog.records[-1].getMessage() == f"Reminder of {INCIDENT}: on_overdue raised OSError."
    assert publisher.incidents()[0].reminders == 1


def test_who_was_faster_has_raised_it(house: House) -> None:
    told: list[Reminder] = []
    publisher = house.publisher()
    due = _open(publisher)
    house.clock.pass_by(3600)
    slow = Reminders(journal=publisher.journal, policy=ReminderPolicy(), on_overdue=told.append)
    [line] = publisher.incidents()
    assert publisher.journal.incidents.record_reminder(INCIDENT, due, 1)
    assert not publisher.journal.incidents.record_reminder(INCIDENT, due, 1)
    assert not publisher.journal.incidents.record_reminder(
        INCIDENT, due - MINUTE, 2
    )  # of a word that was said meanwhile
    assert line.reminders == 0
    assert slow.raise_due()[0].level == 1
    assert told == []
    assert slow.next_at() == due + 15 * MINUTE


def test_a_worker_wakes_up_for_it(house: House) -> None:
    publisher = house.publisher()
    due = _open(publisher)
    assert publisher._next_at() == due
    assert publisher._worker._work.seconds_to_next() == 3600.0


# --- where


def test_the_duty_channel_is_told_once_by_all_processes_and_nobody_else(house: House) -> None:
    one, other = (house.publisher(reminders=DUTY) for _ in range(2))
    _open(one)
    assert (len(house.sky.said), house.duty.said) == (1, [])  # without routes everything goes everywhere: not there
    for span in (HOUR, MINUTE, 14 * MINUTE):
        house.after(span, one, other)
    told = (
        "⏰ Incident 2026-4711, nouvelles attendues depuis le lundi 2 mars à 8h30. Rappel n°\xa0{}\xa0: Accident de la "
        "circulation (Montpellier, avenue de Toulouse). Publiez la fin ou un point de situation."
    )
    assert _texts(house.duty) == [told.format(1), told.format(2)]
    assert (len(house.sky.said), house.practice.said, house.drill.said) == (1, [], [])


def test_a_duty_channel_gets_a_reminder_once_whatever_its_languages(house: House) -> None:
    drill = house.sky.configured("drill", languages=("en",))
    channels = [house.duty.configured("duty", languages=("fr", "fr-CA")), drill, house.practice.configured("desk")]
    publisher = house.publisher(channels=channels, reminders=ReminderPolicy(to=("duty", "drill")))
    _open(publisher)
    house.after(HOUR, publisher)
    assert (len(house.duty.said), len(house.sky.said)) == (1, 1)


def test_a_duty_channel_that_is_too_small_silences_no_other(house: House) -> None:
    small = Scripted(account="small")
    tiny = replace(small.capabilities, budget=Budget(40), replies=False)
    channels = [
        house.sky.configured("sky"),
        replace(small.configured("small"), capabilities=tiny),
        house.duty.configured("duty"),
    ]
    publisher = house.publisher(channels=channels, reminders=ReminderPolicy(to=("small", "duty")))
    publisher.publish(accident(next_update_at=publisher.clock.now() + HOUR), key="1", actor="desk", to=["sky"])
    house.after(HOUR, publisher)
    assert (len(house.duty.said), small.said) == (1, [])


@pytest.mark.parametrize("names", [("small", "duty"), ("duty",)])
def test_a_reminder_waits_for_a_duty_channel_that_cannot_be_used_whatever_the_others(
    house: House, names: tuple[str, ...]
) -> None:
    small = Scripted(account="small")
    tiny = replace(small.capabilities, budget=Budget(40), replies=False)
    channels = [
        house.sky.configured("sky"),
        replace(small.configured("small"), capabilities=tiny),
        replace(house.duty.configured("duty"), account="", problem="channels.duty.token: the file is empty."),
    ]
    publisher = house.publisher(channels=channels, reminders=ReminderPolicy(to=names))
    publisher.publish(accident(next_update_at=publisher.clock.now() + HOUR), key="1", actor="desk", to=["sky"])
    house.after(HOUR, publisher)
    [reminder] = publisher.journal.publications.unfinished()
    outcomes = {"small": Outcome.REFUSED, "duty": Outcome.WAITING}
    assert {one.channel: one.outcome for one in reminder} == {name: outcomes[name] for name in names}
    assert reminder.on("duty").unrendered
    assert (house.duty.said, small.said) == ([], [])


def test_the_public_never_reaches_the_duty_channel(house: House) -> None:
    publisher = house.publisher(reminders=DUTY)
    with pytest.raises(SettingsError, match="channel 'duty' is retired"):
        publisher.publish(accident(), key="k", actor="desk", to=["duty"])
    publisher.publish(accident(), key="k", actor="desk", to=["all"])
    update = publisher.incident(INCIDENT).update("Une voie rouverte")
    publisher.publish(update, key="u", actor="desk", to=["all", "duty"])
    assert (len(house.sky.said), house.duty.said) == (2, [])


def test_an_exercise_stays_among_exercises(house: House) -> None:
    publisher = house.publisher(reminders=DUTY)
    _open(publisher, exercise=True)
    house.after(HOUR, publisher)
    assert (house.sky.said, house.duty.said) == ([], [])
    [text] = _texts(house.drill)
    assert text.startswith("EXERCICE – ⏰ Incident 2026-4711")
    only = house.publisher(reminders=ReminderPolicy(to=("duty",)))
    house.after(15 * MINUTE, only)
    assert (house.duty.said, len(house.drill.said)) == ([], 1)


def test_a_stop_halts_its_messages_but_not_the_reminder(house: House) -> None:
    told: list[Reminder] = []
    publisher = house.publisher(reminders=DUTY, on_overdue=told.append)
    _open(publisher)
    publisher.journal.stop("adm")
    house.after(HOUR, publisher)
    assert ([reminder.level for reminder in told], house.duty.said) == ([1], [])
    publisher.journal.resume("adm")
    house.after(MINUTE, publisher, publisher)
    assert (len(told), len(house.duty.said)) == (1, 1)


def test_what_cannot_be_worded_is_told_once(house: House, caplog: pytest.LogCaptureFixture) -> None:
    with closing(house.publisher()) as opened:
        words = {"en": opened.locales["en"]}
    publisher = house.publisher(reminders=DUTY, locales={**words, "fr": opened.locales["fr"]})
    _open(publisher)
    publisher._preparer.locales = words
    caplog.clear()
    house.after(HOUR, publisher, publisher)
    [said] = [record.getMessage() for record in caplog.records if "not published" in record.getMessage()]
    assert said.startswith(
        f"The reminder of {INCIDENT} was not published: Nothing was sent: there are no fixed phrases"
    )


def test_what_another_has_said_in_other_words_is_said(house: House) -> None:
    one, other = house.publisher(reminders=DUTY), house.publisher(reminders=DUTY, sender="Gendarmerie")
    _open(one)
    house.after(HOUR, one, other)
    assert len(house.duty.said) == 1


def test_a_duty_channel_must_be_one(house: House) -> None:
    with pytest.raises(SettingsError, match=r"reminders\.to: 'dutty' is not a channel\. Did you mean 'duty'\?"):
        house.publisher(reminders=ReminderPolicy(to=("dutty",)))


# --- the end goes where the opening is


def test_an_end_follows_the_opening_wherever_the_settings_point_by_now(house: House) -> None:
    press = replace(house.duty.configured("press"), account="press.example")
    before = house.publisher(channels=[house.sky.configured("sky"), press])
    _open(before)
    now = house.publisher(channels=[house.sky.configured("sky", retired=True), house.duty.configured("duty")])
    assert now.journal.incidents.open_by_channel() == {"press": (INCIDENT,), "sky": (INCIDENT,)}
    over = now.publish(now.incident(INCIDENT).end("Fin", description="Rouvert."), key="end", actor="desk")
    assert {receipt.channel: (receipt.outcome.value, receipt.reason) for receipt in over} == {
        "sky": ("posted", ""),
        "press": ("skipped", "'press' is not configured any more."),
    }
    assert now.journal.incidents.open_by_channel() == {}


def test_a_channel_made_one_of_duty_still_ends_what_was_opened_there(house: House) -> None:
    before = house.publisher()
    _open(before)
    now = house.publisher(reminders=DUTY)
    now.publish(now.incident(INCIDENT).end("Fin", description="Rouvert."), key="end", actor="desk")
    assert len(house.duty.said) == 2
