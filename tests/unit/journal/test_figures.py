"""Figures for metrics: counted in the journal, the same in every process, and what is counted only rises."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from policenotify.errors import Blocked
from policenotify.journal.database import schema
from policenotify.journal.figures import JournalFigures
from policenotify.journal.records import AttemptResult, TakenBack, microseconds
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.publishing.metrics import samples
from tests.support import journal as bench
from tests.support.journal import Desk

AS_OWNER = True  # a purge empties events, which the application may not
A, B, C = (f"{name}@x.example" for name in "abc")
YEAR = 366 * 86_400


@pytest.fixture(autouse=True)
def _bodies_may_go(desk: Desk) -> None:
    event.remove(desk.journal._engine, "before_cursor_execute", bench._only_added)


def _read(desk: Desk) -> JournalFigures:
    return desk.journal.figures.read()


def _rising(figures: JournalFigures) -> dict[tuple[object, ...], float]:
    """Return what only rises: the counters of a monitoring system."""
    totals = samples(figures, (), blocked=(), schema=1)
    names = ("publications", "deliveries", "recipients")
    return {(name, *key): count for name in names for key, count in totals[name].items()}


def _purge(desk: Desk) -> None:
    desk.clock.pass_by(YEAR)
    desk.journal.retention.purge(desk.clock.now() - timedelta(days=100), "adj Petit")


def test_an_empty_journal_counts_nothing(desk: Desk) -> None:
    figures = _read(desk)
    assert (_rising(figures), figures.pending) == ({}, {})
    assert (figures.last_heartbeat, figures.last_seal, figures.first_deadline, figures.drafts.oldest) == (None,) * 4
    assert not figures.stopped


@pytest.mark.databases
def test_a_delivery_counts_once_it_is_settled(desk: Desk) -> None:
    desk.publish()
    assert _read(desk).deliveries == {}
    claimed = desk.begin(desk.take())
    desk.settle(claimed, Outcome.WAITING, not_before=desk.clock.now())
    assert _read(desk).deliveries == {}
    desk.settle(desk.begin(desk.take()))
    assert _read(desk).deliveries == {("sky", "post", "posted"): 1}


@pytest.mark.databases
def test_a_post_that_is_deleted_was_posted(desk: Desk) -> None:
    desk.publish()
    desk.settle(desk.begin(desk.take()))
    before = _rising(_read(desk))
    _take_down(desk)
    desk.settle(desk.begin(desk.take()), Outcome.DELETED)
    posted, deleted = (("deliveries", "sky", "removed", "post", each) for each in ("posted", "deleted"))
    after = _rising(_read(desk))
    assert (before[posted], after[posted], after[deleted]) == (1, 1, 1)


@pytest.mark.databases
def test_what_waits_is_dated_by_channel_and_severity(desk: Desk) -> None:
    now = microseconds(desk.clock.now())
    desk.publish(incident="I1", channels=("sky", "mail"))
    desk.clock.pass_by(60)
    desk.publish(incident="I2", severity=Severity.EXTREME)
    figures = _read(desk)
    assert figures.oldest_due == {("mail", False): now, ("sky", False): now, ("sky", True): now + 60_000_000}
    assert figures.oldest_pending == {"mail": now, "sky": now}
    claimed = desk.begin(desk.take())  # the urgent one
    later = desk.clock.now() + timedelta(minutes=9)
    desk.settle(claimed, Outcome.WAITING, not_before=later)
    assert ("sky", True) not in _read(desk).oldest_due
    assert _read(desk).pending == {("sky", Outcome.WAITING): 2, ("mail", Outcome.WAITING): 1}


@pytest.mark.databases
def test_channels_stop_heartbeats_and_seals(desk: Desk) -> None:
    journal, now = desk.journal, desk.clock.now()
    journal.channels.block("sky", Blocked("The token was revoked.", remedy="Make a new one."))
    journal.channels.pause("mail", now + timedelta(minutes=5))
    journal.workers.heartbeat(is_worker=True)
    journal.stop("cne Roux", "exercise")
    journal.audit.seal()
    figures = _read(desk)
    assert (figures.blocked, figures.stopped) == (frozenset({"sky"}), True)
    assert figures.paused_until == {"mail": microseconds(now + timedelta(minutes=5))}
    assert figures.last_heartbeat == figures.last_seal == microseconds(now)
    desk.clock.jump(-3600)  # a heartbeat of the future is of a clock that was set back since
    assert _read(desk).last_heartbeat is None


def test_no_count_reads_a_whole_table_of_deliveries_or_events(desk: Desk) -> None:
    seen: list[str] = []

    def plan(_c: object, cursor: Any, statement: str, given: Any, *_: object) -> None:
        if statement.startswith("SELECT"):
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", given)
            seen.extend(row[3] for row in cursor.fetchall())

    event.listen(desk.journal._engine, "before_cursor_execute", plan)
    _read(desk)
    event.remove(desk.journal._engine, "before_cursor_execute", plan)
    scans = [step for step in seen if step.startswith("SCAN pn_") and "INDEX" not in step]
    assert not [
        step for step in scans if step.split()[1] in {"pn_publication", "pn_delivery", "pn_attempt", "pn_event"}
    ]
    assert len(seen) > 10


_numbers = count(1)
_Act = Callable[[Desk], object]


def _pass(desk: Desk) -> None:
    desk.clock.pass_by(10_800)


def _resolve(desk: Desk, *, posted: bool) -> None:
    held = select(schema.delivery.c.id).where(schema.delivery.c.state == Outcome.HELD)
    with desk.journal.read() as connection:
        ids = connection.execute(held).scalars().all()
    for delivery in ids:
        desk.journal.sendings.resolve(delivery, "adj Petit", posted=posted)


def _try(desk: Desk, outcome: Outcome) -> None:
    if (claimed := desk.claim()) is not None:
        with suppress(TakenBack):  # it is recovered once its lease ends
            desk.settle(desk.begin(claimed), outcome, reason="x")


def _interrupt(desk: Desk) -> None:
    if (claimed := desk.claim()) is not None:
        with suppress(TakenBack):
            desk.begin(claimed)


def _mail(desk: Desk) -> None:
    if (claimed := desk.claim("mail")) is None:
        return
    desk.journal.deliveries.record_result(claimed, AttemptResult(outcome=Outcome.WAITING))
    desk.mail({A: "unconfirmed", B: "refused"})


def _open(desk: Desk) -> None:
    desk.publish(Stage.OPENING, f"I{next(_numbers)}", channels=("sky", "mail"), people={"mail": [A, B, C]})
    desk.clock.pass_by(1)


def _take_down(desk: Desk) -> None:
    for publication in desk.journal.publications.latest(1):
        desk.journal.publications.take_down(publication.id, actor="adj Petit", reason="x", deletes=("sky",))


def _end(desk: Desk) -> None:
    for incident in desk.journal.incidents.list(limit=1):
        desk.publish(Stage.END, incident.id, channels=("sky", "mail"), people={"mail": [A, B, C]})


_ACTS: dict[str, _Act] = {
    "open": _open,
    "end": _end,
    "skip": lambda desk: desk.publish(Stage.STANDALONE, skip="no"),
    "interrupt": _interrupt,
    "posted": partial(_try, outcome=Outcome.POSTED),
    "refused": partial(_try, outcome=Outcome.REFUSED),
    "held": partial(_try, outcome=Outcome.HELD),
    "waiting": partial(_try, outcome=Outcome.WAITING),
    "mail": _mail,
    "post it": partial(_resolve, posted=True),
    "send it again": partial(_resolve, posted=False),
    "pass": _pass,
    "recover": lambda desk: desk.journal.deliveries.recover(),
    "purge": _purge,
    "take down": _take_down,
}


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(acts=st.lists(st.sampled_from(sorted(_ACTS)), min_size=5, max_size=25))
def test_whatever_happens_what_is_counted_only_rises(desk: Desk, acts: list[str]) -> None:
    before = _rising(_read(desk))
    for name in acts:
        _ACTS[name](desk)
        after = _rising(_read(desk))
        assert not [key for key, count in before.items() if after.get(key, 0) < count]
        before = after


def test_who_has_a_message_counts_while_the_list_is_under_way(desk: Desk) -> None:
    desk.publish(Stage.STANDALONE, channels=("mail",), people={"mail": [A, B]})
    desk.mail({B: "unavailable"})
    assert _read(desk).recipients["mail", Outcome.POSTED] == 1
