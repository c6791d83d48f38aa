"""The next delivery, its owner, and its recovery when the owner is gone."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from policenotify.channel import Operation, PostRef, RecipientOutcome
from policenotify.errors import Blocked, LostLease, PublishingStopped, UnsupportedVersion
from policenotify.journal.database import schema
from policenotify.journal.records import LEASE, AttemptResult, TakenBack
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from tests.support.patience import PATIENCE

if TYPE_CHECKING:
    from tests.support.journal import Desk

    Program = Callable[..., subprocess.Popen[str]]

SOON = timedelta(minutes=5)


# --- order


@pytest.mark.databases
def test_the_most_urgent_first_and_among_equals_the_oldest(desk: Desk) -> None:
    said = [
        desk.publish(incident=f"I{number}", severity=severity)
        for number, severity in enumerate(
            [Severity.MINOR, Severity.SEVERE, Severity.MINOR, Severity.EXTREME, Severity.SEVERE, Severity.UNKNOWN]
        )
    ]
    order = [said.index(desk.take().publication) for _ in said]
    assert order == [3, 1, 4, 0, 2, 5]
    assert desk.claim() is None


@pytest.mark.databases
def test_not_before_its_time(desk: Desk) -> None:
    desk.publish(severity=Severity.SEVERE)
    later = desk.clock.now() + SOON
    desk.deliver(outcome=Outcome.WAITING, not_before=later, reason="Busy.")
    assert desk.claim() is None
    assert not desk.journal.deliveries.is_ready("sky", severe_only=True)
    assert desk.journal.deliveries.due({"sky": None, "mail": None}) == {"sky": later}
    desk.clock.pass_by(SOON.total_seconds())
    assert desk.journal.deliveries.due({"sky": None}) == {"sky": desk.clock.now()}
    assert desk.take().attempts == 1


# --- channels


def test_a_blocked_channel_waits_for_a_person(desk: Desk) -> None:
    desk.publish(channels=("sky", "mail"))
    wrong = Blocked("The token was revoked.", remedy="Make a new one.", code="401")
    assert desk.journal.channels.block("sky", wrong)
    assert not desk.journal.channels.block("sky", wrong)  # no news
    assert desk.claim("sky") is None
    assert set(desk.journal.deliveries.due({"sky": None, "mail": None})) == {"mail"}
    [(name, told)] = desk.journal.channels.blocked().items()
    assert (name, str(told.reason), str(told.remedy), told.code) == (
        "sky",
        "The token was revoked.",
        "Make a new one.",
        "401",
    )
    desk.journal.resume("cne Roux", "sky")
    assert desk.journal.channels.blocked() == {}
    desk.take("sky")
    desk.journal.resume("cne Roux", "sky")
    kinds = [(row[2], row[3], row[6]) for row in desk.dump("pn_event")["pn_event"][1:]]
    assert kinds == [("runner", "blocked", "sky"), ("cne Roux", "resumed", "sky")]


# --- staleness


# --- due


# --- owners


@pytest.mark.databases
def test_the_dead_on_this_host_lose_theirs_at_once(program: Program, desk: Desk) -> None:
    first = desk.publish(incident="begun")
    second = desk.publish(incident="claimed")
    process = program(
        "from policenotify.journal.leases import this_process\n"
        "desk = opened()\n"
        "desk.begin(desk.take(owner=this_process() + '/slot'))\n"
        "desk.take(owner=this_process() + '/slot')\n"
        "at_once()\n"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert desk.journal.deliveries.recover() == 0
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE)
    assert desk.journal.deliveries.recover() == 2
    assert desk.journal.deliveries.recover() == 0
    begun, claimed = desk.take(), desk.take()
    assert (begun.publication, begun.in_doubt, begun.attempts) == (first, True, 1)
    assert (claimed.publication, claimed.in_doubt, claimed.attempts) == (second, False, 0)
    [attempt] = desk.dump("pn_attempt")["pn_attempt"]
    assert attempt[5:] == ("unconfirmed", "The sending process stopped.", "interrupted")


def test_a_process_on_another_host_that_was_halted_changes_nothing_any_more(program: Program, desk: Desk) -> None:
    said = desk.publish()
    process = program(
        "from policenotify.journal import leases\n"
        "leases.this_machine = lambda: 'autre-hote/another-boot:1'\n"
        "from policenotify.errors import LostLease\n"
        "from policenotify.journal.leases import this_process\n"
        "desk = opened()\n"
        "claimed = desk.begin(desk.take(owner=this_process() + '/slot'))\n"
        "at_once()\n"
        "try:\n    desk.settle(claimed, Outcome.REFUSED)\nexcept LostLease:\n    print('lost')\n"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    [row] = desk.dump("pn_attempt")["pn_attempt"]
    assert row[2].startswith("autre-hote/")
    desk.clock.pass_by(119)
    assert desk.journal.deliveries.recover() == 0  # of another host nothing is known: it may be sending
    desk.clock.pass_by(1)
    mine = desk.begin(desk.take())
    assert (mine.in_doubt, mine.attempts) == (True, 2)
    desk.settle(mine)
    assert process.communicate("\n", timeout=PATIENCE)[0] == "lost\n"
    assert desk.outcome(said) is Outcome.POSTED


# --- what cannot be read


def test_what_a_newer_policenotify_wrote_blocks_no_other(desk: Desk) -> None:
    strange = desk.publish(incident="I1", severity=Severity.EXTREME)
    desk.change_directly("""UPDATE pn_delivery SET standalone = '{"schema_version": 99}'""")
    other = desk.publish(incident="I2")
    assert desk.take().publication == other
    with pytest.raises(UnsupportedVersion):
        desk.claim()
    assert len(desk.journal.publications.pending(strange, patience=timedelta(0))) == 1


@pytest.mark.parametrize("column", ["standalone", "request"])
def test_a_damaged_delivery_is_held_and_its_lane_goes_on(desk: Desk, column: str) -> None:
    damaged = desk.publish(channels=("sky", "mail"), people={"mail": ["a@x.example"]}, severity=Severity.EXTREME)
    desk.change_directly(f"UPDATE pn_delivery SET {column} = 'not JSON'")  # noqa: S608 - a parameter of this test
    following = desk.publish(Stage.UPDATE, channels=("sky", "mail"), people={"mail": ["a@x.example"]})
    for channel in ("sky", "mail"):
        assert desk.take(channel).publication == following
    with desk.journal.read() as connection:
        rows = connection.execute(select(schema.delivery).where(schema.delivery.c.publication == damaged)).all()
    assert [(row.state, str(row.reason)[:31]) for row in rows] == [("held", "What the journal holds of it, o")] * 2
    desk.journal.sendings.resolve(rows[0].id, "cne Roux", posted=True)


# --- fencing


@pytest.mark.databases
def test_a_process_that_has_lost_it_changes_nothing(desk: Desk) -> None:
    desk.publish(channels=("sky", "mail"), people={"mail": ["a@x.example"]})
    late, late_mass = desk.take(), desk.begin(desk.take("mail"))
    [person] = desk.journal.deliveries.take(late_mass, 25, hold_doubt=False, lease=LEASE)
    desk.clock.pass_by(121)
    now_mine, _ = desk.take(owner="runner B"), desk.take("mail", owner="runner B")
    before = desk.dump()
    posted = AttemptResult(outcome=Outcome.POSTED, ref=desk.ref(late))
    told = [RecipientOutcome(key=person.key, outcome="posted", gone=True)]
    for attempt in (
        lambda: desk.begin(late),
        lambda: desk.journal.deliveries.record_result(late, posted),
        lambda: desk.journal.deliveries.record_result(late_mass, posted),
        lambda: desk.journal.deliveries.record_result(late_mass, AttemptResult(outcome=Outcome.REFUSED)),
        lambda: desk.journal.deliveries.take(late_mass, 0, outcomes=told, hold_doubt=True, lease=SOON),
        lambda: desk.journal.deliveries.take(late_mass, 25, hold_doubt=True, lease=LEASE),
    ):
        with pytest.raises(LostLease, match=r"Delivery \d on '(sky|mail)' was taken over by another runner"):
            attempt()
        assert desk.dump() == before
    desk.settle(desk.begin(now_mine))


def test_nothing_begins_once_everything_is_stopped(desk: Desk) -> None:
    desk.publish(channels=("sky", "mail"), people={"mail": ["a@x.example"]})
    claimed, mass = desk.take(), desk.begin(desk.take("mail"))
    desk.journal.stop("cne Roux")
    with pytest.raises(PublishingStopped, match="stopped by cne Roux"):
        desk.begin(claimed)
    assert desk.journal.deliveries.take(mass, 25, hold_doubt=True, lease=LEASE) == ()
    assert desk.dump("pn_attempt")["pn_attempt"][0][0] == mass.id


@pytest.mark.databases
@pytest.mark.parametrize("how", ["withdrawn", "cancelled", "ended"])
def test_what_is_taken_back_between_claim_and_attempt_is_not_begun(desk: Desk, how: str) -> None:
    """An end takes back what was looked for in vain: its readers would have the end first."""
    opening = desk.publish()
    claimed = desk.take()
    if how == "withdrawn":
        desk.journal.publications.take_down(opening, actor="cne Roux", reason="", deletes=())
    elif how == "cancelled":
        desk.publish(Stage.CANCELLATION)
    else:
        desk.journal.deliveries.record_result(desk.begin(claimed), AttemptResult(outcome=Outcome.UNCONFIRMED))
        claimed = replace(desk.take(), in_doubt=False)
        desk.publish(Stage.END)
    with pytest.raises(TakenBack):
        desk.begin(claimed)


# --- answers


def test_answers_run_from_the_opening_to_the_last_that_landed(desk: Desk) -> None:
    desk.publish()
    opening = desk.deliver()
    desk.publish(Stage.UPDATE)
    update_ = desk.deliver()
    desk.publish(Stage.UPDATE)
    desk.deliver(outcome=Outcome.REFUSED)
    desk.publish(Stage.END)
    assert desk.take().reply_to == (desk.ref(opening), desk.ref(update_))


@pytest.mark.databases
def test_a_second_language_hangs_under_the_first(desk: Desk) -> None:
    desk.publish(languages=("fr", "en"))
    french = desk.deliver()
    english = desk.take()
    assert english.reply_to == (desk.ref(french),)
    desk.settle(desk.begin(english))
    desk.publish(Stage.UPDATE, languages=("fr", "en"))
    update_ = desk.begin(desk.take())
    assert update_.reply_to == (desk.ref(french),)
    desk.settle(update_)
    # Everything hangs under the thread's first post; the last is what it answers.
    assert desk.take().reply_to == (desk.ref(french), desk.ref(english), desk.ref(update_))


# --- expired, and lists that are read


def test_expired_posts_are_settled_in_pages_so_that_others_may_write_between(desk: Desk) -> None:
    said = [desk.publish(incident=f"I{number}", lives=SOON) for number in range(201)]
    desk.clock.pass_by(SOON.total_seconds())
    deliveries = desk.journal.deliveries
    assert [deliveries.settle_expired() for _ in range(3)] == [200, 1, 0]
    assert {desk.outcome(each) for each in said} == {Outcome.SUPERSEDED}


@pytest.mark.databases
def test_while_a_list_is_read_another_drain_looks_again_soon(desk: Desk) -> None:
    desk.publish(channels=("mail",), people={"mail": ["a@press.example"]})
    assert desk.journal.deliveries.claim("mail", "runner A", lease=LEASE)
    assert desk.journal.deliveries.due({"mail": None}) == {"mail": desk.clock.now() + timedelta(seconds=1)}


# --- taken back


@pytest.mark.databases
@pytest.mark.parametrize(
    ("found", "deletion"),
    [(Outcome.POSTED, None), (Outcome.HELD, Outcome.SUPERSEDED), (Outcome.REFUSED, Outcome.SUPERSEDED)],
)
def test_a_deletion_waits_for_what_became_of_its_post(desk: Desk, found: Outcome, deletion: Outcome | None) -> None:
    opening = desk.publish()
    begun = desk.begin(desk.take())
    since = desk.clock.now()
    desk.journal.publications.take_down(opening, actor="c", reason="A wrong street.", deletes=("sky",))
    [stated] = desk.journal.audit.events("taken_down", since)
    assert (stated["deleted"], stated["cancelled"]) == (1, 0)
    assert desk.claim() is None
    ref = PostRef(account="police34.example", id="1") if found is Outcome.POSTED else None
    desk.journal.deliveries.record_result(begun, AttemptResult(outcome=found, ref=ref))
    claimed = desk.claim()
    if deletion is None:
        assert claimed
        assert (claimed.operation, claimed.target) == (Operation.DELETE, ref)
    else:
        assert claimed is None
        publication = desk.journal.publications.get(opening)
        assert publication
        assert [receipt.outcome for receipt in publication if receipt.operation is Operation.DELETE] == [deletion]
