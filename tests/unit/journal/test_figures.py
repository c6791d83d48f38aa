"""Figures for metrics: projected from the journal, the same in every process, and totals only rise."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from policenotify.errors import Blocked
from policenotify.findings import Finding, Level
from policenotify.journal.database import schema
from policenotify.journal.figures.figures import Figures, JournalFigures
from policenotify.journal.figures.totals import BASE, Totals
from policenotify.journal.records import POST_BUCKETS, SEND_BUCKETS, AttemptResult, microseconds
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from tests.support import journal as bench
from tests.support.journal import Desk

AS_OWNER = True  # a purge empties events, which the application may not
A, B, C = (f"{name}@x.example" for name in "abc")
YEAR = 366 * 86_400


@pytest.fixture(autouse=True)
def _bodies_may_go(desk: Desk) -> None:
    event.remove(desk.journal._engine, "before_cursor_execute", bench._only_added)


def _read(desk: Desk) -> JournalFigures:
    """Return the figures as this process has added them up, which are those of a process that has just started."""
    figures, fresh = desk.journal.figures.read(), Figures(desk.journal).read()
    assert figures == fresh
    return figures


def _counts(desk: Desk, name: str) -> dict[tuple[str, ...], int]:
    return {key[1:]: count for key, count in _read(desk).totals.counts.items() if key[0] == name}


def _purge(desk: Desk) -> None:
    desk.clock.pass_by(YEAR)
    desk.journal.retention.purge(desk.clock.now() - timedelta(days=100), "adj Petit")


def _incident(desk: Desk, name: str, **how: Any) -> None:
    for stage in (Stage.OPENING, Stage.END):
        desk.publish(stage, name, **how)
        desk.clock.pass_by(3)
        for channel in how.get("channels", ("sky",)):
            if channel != "mail":
                desk.deliver(channel)
        if "mail" in how.get("channels", ()):
            desk.mail({B: "refused"})


def test_an_empty_journal_counts_nothing(desk: Desk) -> None:
    figures = _read(desk)
    assert (figures.totals, figures.recipients, figures.pending) == (Totals(), {}, {})
    assert (figures.last_heartbeat, figures.last_seal, figures.first_deadline, figures.oldest_draft) == (None,) * 4
    assert not figures.stopped
    assert figures.size > 0


def test_publications_count_by_category_stage_severity_and_result(desk: Desk) -> None:
    desk.publish(severity=Severity.SEVERE)
    desk.publish(Stage.UPDATE)
    finding = Finding(code="PN400", level=Level.BLOCK, field="headline", reason="A name.", remedy="Remove it.")
    desk.journal.publications.add_refused(desk.draft(Stage.STANDALONE, findings=(finding,)))
    assert _counts(desk, "publications") == {
        ("traffic_accident", "opening", "Severe", "published"): 1,
        ("traffic_accident", "update", "Moderate", "published"): 1,
        ("traffic_accident", "standalone", "Moderate", "refused_by_check"): 1,
    }


def test_a_delivery_counts_once_it_is_settled_and_each_try_of_it(desk: Desk) -> None:
    desk.publish()
    assert _counts(desk, "deliveries") == {}
    claimed = desk.begin(desk.take())
    desk.clock.pass_by(2)
    desk.settle(claimed, Outcome.WAITING, not_before=desk.clock.now())
    assert (_counts(desk, "deliveries"), _counts(desk, "attempts")) == ({}, {("sky", "waiting"): 1})
    claimed = desk.begin(desk.take())
    desk.clock.pass_by(0.2)
    desk.settle(claimed)
    assert _counts(desk, "deliveries") == {("sky", "post", "posted"): 1}
    assert _counts(desk, "attempts") == {("sky", "waiting"): 1, ("sky", "posted"): 1}
    sums = {("sky", "post", "sum"): 2_200_000}
    assert _counts(desk, "send_duration") == {
        ("sky", "post", str(SEND_BUCKETS.index(2.5))): 1,
        ("sky", "post", str(SEND_BUCKETS.index(0.25))): 1,
        **sums,
    }
    assert _counts(desk, "time_to_post") == {
        ("sky", "Moderate", str(POST_BUCKETS.index(5.0))): 1,
        ("sky", "Moderate", "sum"): 2_200_000,
    }
    assert _read(desk).totals.posted_at == {"sky": microseconds(desk.clock.now())}


def test_lengths_beyond_the_last_bucket_and_of_a_clock_that_was_set_back_count_too(desk: Desk) -> None:
    desk.publish()
    claimed = desk.begin(desk.take())
    desk.clock.pass_by(7_200)
    desk.settle(claimed)
    assert _counts(desk, "time_to_post")["sky", "Moderate", str(len(POST_BUCKETS))] == 1
    assert _counts(desk, "send_duration")["sky", "post", str(len(SEND_BUCKETS))] == 1


def test_an_interrupted_attempt_counts_as_unconfirmed(desk: Desk) -> None:
    desk.publish()
    desk.begin(desk.take())
    desk.clock.pass_by(300)
    desk.journal.deliveries.recover()
    assert _counts(desk, "attempts") == {("sky", "unconfirmed"): 1}
    assert _read(desk).pending == {("sky", Outcome.UNCONFIRMED): 1}


def test_what_a_person_resolves_counts_with_its_new_outcome(desk: Desk) -> None:
    desk.publish()
    claimed = desk.deliver(outcome=Outcome.HELD, reason="Nobody knows.")
    assert _read(desk).pending == {("sky", Outcome.HELD): 1}
    desk.journal.deliveries.resolve(claimed.id, "adj Petit", posted=True)
    assert _counts(desk, "deliveries") == {("sky", "post", "held"): 1, ("sky", "post", "posted"): 1}
    assert _read(desk).pending == {}


def test_a_delivery_that_was_never_to_be_sent_counts_as_skipped(desk: Desk) -> None:
    desk.publish(skip="This channel carries no such message.")
    assert _counts(desk, "deliveries") == {("sky", "post", "skipped"): 1}
    _purge(desk)
    desk.publish(Stage.STANDALONE, skip="This channel carries no such message.")
    assert _counts(desk, "deliveries") == {("sky", "post", "skipped"): 2}


def test_an_opening_that_is_over_counts_as_superseded(desk: Desk) -> None:
    desk.publish()
    desk.publish(Stage.END, skips=("sky",))
    assert _counts(desk, "deliveries") == {("sky", "post", "superseded"): 1, ("sky", "post", "skipped"): 1}


def test_people_count_once_their_outcome_is_final(desk: Desk) -> None:
    desk.size = 2
    desk.publish(channels=("mail",), people={"mail": [A, B, C]})
    assert _read(desk).recipients == {}
    desk.mail({B: "refused"})
    figures = _read(desk)
    assert figures.recipients == {("mail", Outcome.POSTED): 1}  # the delivery goes on
    assert figures.recipients_pending == {"mail": 0}
    desk.mail()
    assert _read(desk).recipients == {("mail", Outcome.POSTED): 2, ("mail", Outcome.REFUSED): 1}
    assert _counts(desk, "deliveries") == {("mail", "post", "posted"): 1}


def test_people_who_wait_are_pending_and_those_in_doubt_are_held(desk: Desk) -> None:
    desk.publish(channels=("mail",), people={"mail": [A, B, C]})
    desk.mail({A: "unavailable", B: "unconfirmed"})
    figures = _read(desk)
    assert figures.recipients_pending == {"mail": 1}
    assert figures.pending == {("mail", Outcome.WAITING): 1, ("mail", Outcome.HELD): 1}
    assert figures.recipients == {("mail", Outcome.POSTED): 1}


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


def test_incidents_and_their_deadlines(desk: Desk) -> None:
    desk.publish(incident="I1")
    desk.publish(incident="I2")
    due = microseconds(desk.clock.now() + timedelta(hours=2))
    assert (_read(desk).incidents_open, _read(desk).incidents_overdue) == ({"traffic_accident": 2}, 0)
    assert _read(desk).first_deadline == due
    desk.clock.pass_by(10_800)
    assert _read(desk).incidents_overdue == 2
    assert desk.journal.incidents.record_reminder("I1", desk.clock.now() - timedelta(hours=1), 1)
    assert _counts(desk, "reminders") == {("incident", "1"): 1}


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


def test_a_purge_takes_nothing_from_a_total(desk: Desk) -> None:
    how = {"channels": ("sky", "mail"), "people": {"mail": [A, B]}}
    for name in ("I1", "I2"):
        _incident(desk, name, **how)
    before = _read(desk)
    _purge(desk)
    after = _read(desk)
    assert (after.totals, after.recipients) == (before.totals, before.recipients)
    with desk.journal.read() as connection:
        bodies = connection.execute(select(schema.event.c.body).where(schema.event.c.kind == "settled")).scalars().all()
        stored = connection.execute(select(schema.meta.c.value).where(schema.meta.c.name == BASE)).scalar_one()
    assert set(bodies) == {""}
    assert Totals.from_text(stored) == before.totals
    _incident(desk, "I3", **how)
    _purge(desk)  # once more on top of the base
    final = _read(desk)
    assert final.totals.counts == Counter({key: count // 2 * 3 for key, count in before.totals.counts.items()})
    assert final.recipients == {key: count // 2 * 3 for key, count in before.recipients.items()}


def test_what_is_purged_before_it_was_read_once_counts(desk: Desk) -> None:
    _incident(desk, "I1")
    _read(desk)
    _incident(desk, "I2")
    _purge(desk)
    assert _counts(desk, "deliveries") == {("sky", "post", "posted"): 4}


def test_an_erased_incident_still_counts(desk: Desk) -> None:
    _incident(desk, "I1")
    before = _read(desk).totals
    desk.journal.retention.erase("I1", "adj Petit", "asked for by a court")
    assert _read(desk).totals == before


def test_a_journal_that_was_emptied_begins_again(desk: Desk) -> None:
    _incident(desk, "I1")
    _read(desk)
    with desk.journal.write() as connection:
        for table in (schema.attempt, schema.delivery, schema.publication, schema.incident, schema.event):
            connection.execute(table.delete())
    assert _read(desk).totals == Totals()


def test_the_base_keeps_its_form() -> None:
    totals = Totals(Counter({("deliveries", "sky", "post", "posted"): 2}), {"sky": 5})
    text = '{"counts":[["deliveries","sky","post","posted",2]],"posted_at":{"sky":5}}'
    assert totals.to_text() == text
    assert Totals.from_text(text) == totals
    assert json.loads(text)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"counts":[[]],"posted_at":[]}', '{"counts":5,"posted_at":{}}'])
def test_a_damaged_base_counts_nothing(text: str) -> None:
    assert Totals.from_text(text) == Totals()


_numbers = count(1)
_Act = Callable[[Desk], object]


def _pass(desk: Desk) -> None:
    desk.clock.pass_by(10_800)


def _resolve(desk: Desk, *, posted: bool) -> None:
    held = select(schema.delivery.c.id).where(schema.delivery.c.state == Outcome.HELD)
    with desk.journal.read() as connection:
        ids = connection.execute(held).scalars().all()
    for delivery in ids:
        desk.journal.deliveries.resolve(delivery, "adj Petit", posted=posted)


def _try(desk: Desk, outcome: Outcome) -> None:
    if (claimed := desk.claim()) is not None:
        desk.settle(desk.begin(claimed), outcome, reason="x")


def _mail(desk: Desk) -> None:
    if (claimed := desk.claim("mail")) is None:
        return
    desk.journal.deliveries.record_result(claimed, AttemptResult(outcome=Outcome.WAITING))
    desk.mail({A: "unconfirmed", B: "refused"})


def _open(desk: Desk) -> None:
    desk.publish(Stage.OPENING, f"I{next(_numbers)}", channels=("sky", "mail"), people={"mail": [A, B, C]})
    desk.clock.pass_by(1)


def _end(desk: Desk) -> None:
    for incident in desk.journal.incidents.list(limit=1):
        desk.publish(Stage.END, incident.id, channels=("sky", "mail"), people={"mail": [A, B, C]})


_ACTS: dict[str, _Act] = {
    "open": _open,
    "end": _end,
    "skip": lambda desk: desk.publish(Stage.STANDALONE, skip="no"),
    "interrupt": lambda desk: (claimed := desk.claim()) and desk.begin(claimed),
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
}


@pytest.mark.sqlite
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(acts=st.lists(st.sampled_from(sorted(_ACTS)), min_size=5, max_size=25))
def test_whatever_happens_totals_only_rise_and_all_processes_agree(desk: Desk, acts: list[str]) -> None:
    before = _read(desk)
    for name in acts:
        _ACTS[name](desk)
        after = _read(desk) if name != "purge" or len(acts) % 2 else before  # sometimes purged before it was read
        assert not [key for key, count in before.totals.counts.items() if after.totals.counts[key] < count]
        assert not [key for key, count in before.recipients.items() if after.recipients.get(key, 0) < count]
        before = after
