"""Overdue messages in the journal: raised once by any number of processes."""

from __future__ import annotations

import threading
from contextlib import ExitStack, closing
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from policenotify.journal import open_journal
from policenotify.journal.database import schema
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from tests.support.journal import Desk
from tests.support.patience import PATIENCE

HOURS = timedelta(hours=2)  # in which the next update is due in these tests


def deadlines(desk: Desk) -> tuple[tuple[datetime | None, int], ...]:
    return tuple((line.due_at, line.reminders) for line in desk.journal.incidents.earliest_due(9))


@pytest.mark.databases
def test_of_many_at_once_one_raises_each_level(desk: Desk) -> None:
    desk.publish()
    due = desk.clock.now() + HOURS
    assert deadlines(desk) == ((due, 0),)
    together, raised = threading.Barrier(4), list[int]()

    def run() -> None:
        with closing(open_journal(desk.url, keys=desk.keys, clock=desk.clock)) as journal:
            for level in (1, 2, 4):
                together.wait(PATIENCE)
                if journal.incidents.record_reminder("I1", due, level):
                    raised.append(level)

    threads = [threading.Thread(target=run) for _ in range(4)]
    with ExitStack() as ended:
        for thread in threads:
            thread.start()
            ended.callback(thread.join)
    assert raised == [1, 2, 4]
    assert deadlines(desk) == ((due, 4),)
    with desk.journal.read() as connection:
        events = select(func.count()).where(schema.event.c.kind == "overdue", schema.event.c.publication == f"{1:026d}")
        assert connection.execute(events).scalar() == 3
    desk.clock.pass_by(60)
    desk.publish(Stage.UPDATE)
    assert deadlines(desk) == ((due + timedelta(minutes=1), 0),)
    assert not desk.journal.incidents.record_reminder("I1", due, 5)  # that update has been published
    desk.publish(Stage.END)
    assert deadlines(desk) == ()
    assert not desk.journal.incidents.record_reminder("I1", due, 5)


@pytest.mark.databases
def test_where_something_of_an_open_incident_is_out(desk: Desk) -> None:
    desk.publish(channels=("sky", "sms", "mail"))
    desk.publish(incident="I2", channels=("sky",))
    assert desk.journal.incidents.open_by_channel() == {}
    desk.deliver("sky")
    desk.deliver("sky")
    desk.deliver("sms", Outcome.UNCONFIRMED)
    desk.deliver("mail", Outcome.REFUSED)
    assert desk.journal.incidents.open_by_channel() == {"sky": ("I1", "I2"), "sms": ("I1",)}
    desk.publish(Stage.END, channels=("sky",))
    assert desk.journal.incidents.open_by_channel() == {"sky": ("I2",)}
