"""Sendings to many people: how far they are, how a person steers them, and who is in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from policenotify.channel import Recipient, RecipientOutcome
from policenotify.errors import NotHeld
from policenotify.journal.database import schema
from policenotify.journal.persons.tokens import make_token
from policenotify.journal.records import AttemptResult
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.model.receipt import Receipt
from tests.support.journal import LEASE, Told

if TYPE_CHECKING:
    from policenotify.journal.records import ClaimedDelivery
    from tests.support.journal import Desk

A, B, C, D = (f"{name}@x.example" for name in "abcd")


def mailed(desk: Desk, *people: str, **fields: Any) -> str:
    return desk.publish(channels=("mail",), people={"mail": people or (A, B, C, D)}, **fields)


def on_mail(desk: Desk, publication: str) -> Receipt:
    [found] = desk.journal.sendings.progress(publication).bulk
    return found


def answer(desk: Desk, claimed: ClaimedDelivery, *told: RecipientOutcome, more: int = 0) -> tuple[Recipient, ...]:
    """Record what became of those who were marked, and mark *more*."""
    return desk.journal.deliveries.take(claimed, more, outcomes=told, hold_doubt=True, lease=LEASE)


def posted(person: Recipient) -> RecipientOutcome:
    return RecipientOutcome(key=person.key, outcome="posted")


def doubted_one(person: Recipient) -> RecipientOutcome:
    return RecipientOutcome(key=person.key, outcome="unconfirmed")


def interrupted(desk: Desk, claimed: ClaimedDelivery) -> None:
    """Release the batch as a worker does that stops between two chunks."""
    result = AttemptResult(outcome=Outcome.WAITING, not_before=desk.clock.now(), ref=desk.ref(claimed), reason="Cut.")
    desk.journal.deliveries.record_result(claimed, result)


def begun(desk: Desk, owner: str = "runner A", *, marked: int = 25) -> tuple[ClaimedDelivery, tuple[Recipient, ...]]:
    claimed = desk.begin(desk.take("mail", owner))
    return claimed, desk.journal.deliveries.take(claimed, marked, hold_doubt=True, lease=LEASE)


def events(desk: Desk, *kinds: str) -> list[tuple[str, str]]:
    table = schema.event
    with desk.journal.read() as connection:
        query = select(table.c.kind, table.c.actor).where(table.c.kind.in_(kinds)).order_by(table.c.id)
        return [(row.kind, row.actor) for row in connection.execute(query)]


# --- progress


@pytest.mark.databases
def test_progress_follows_a_delivery_from_the_list_to_its_end(desk: Desk) -> None:
    said = mailed(desk)
    first = on_mail(desk, said)
    assert (first.count(*Outcome), first.expanded, first.outcome) == (0, False, Outcome.WAITING)
    claimed, people = begun(desk)
    taken = on_mail(desk, said)
    assert (taken.recipients, taken.expanded, taken.outcome) == ({Outcome.SENDING: 4}, True, Outcome.SENDING)
    outcomes: list[Told] = ["posted", "refused", "unavailable", "unconfirmed"]
    told = [
        RecipientOutcome(key=person.key, outcome=each, reason=f"It is {each}.", code="550" if each == "refused" else "")
        for person, each in zip(people, outcomes, strict=True)
    ]
    answer(desk, claimed, *told)
    now = on_mail(desk, said)
    assert now.recipients == dict.fromkeys((Outcome.POSTED, Outcome.REFUSED, Outcome.HELD, Outcome.WAITING), 1)
    interrupted(desk, claimed)
    kept = on_mail(desk, said)
    assert (kept.recipients, kept.outcome) == (now.recipients, Outcome.WAITING)
    assert {(one.outcome, one.code, str(one.reason), one.count) for one in kept.reasons} == {
        (Outcome.REFUSED, "550", "It is refused.", 1),
        (Outcome.WAITING, "", "It is unavailable.", 1),
        (Outcome.HELD, "", "It is unconfirmed.", 1),
    }
    desk.mail()
    last = on_mail(desk, said)
    assert (last.count(Outcome.POSTED), last.count(Outcome.WAITING), last.outcome) == (2, 0, Outcome.POSTED)
    found = desk.journal.publications.get(said)
    assert found is not None
    assert found.on("mail") == last


# --- steering


@pytest.mark.databases
def test_an_aborted_sending_reaches_nobody_more_and_holds_who_is_in_doubt(desk: Desk) -> None:
    said = mailed(desk)
    claimed, people = begun(desk)
    answer(desk, claimed, posted(people[0]), doubted_one(people[1]))
    interrupted(desk, claimed)
    done = desk.journal.sendings.abort(said, "cne Roux", reason="Mauvaise liste")
    assert (done.channels, done.people) == (("mail",), 2)
    found = on_mail(desk, said)
    assert found.recipients == {Outcome.POSTED: 1, Outcome.HELD: 1, Outcome.SUPERSEDED: 2}
    assert (found.aborted, found.outcome) == (True, Outcome.POSTED)
    assert desk.claim("mail") is None
    assert "cne Roux has aborted the sending." in {one.reason for one in found.reasons}
    assert desk.journal.sendings.resume(said, "cne Roux").channels == ()
    assert desk.journal.sendings.abort(said, "cne Roux").channels == ()
    end = desk.publish(Stage.END, channels=("mail",), people={"mail": (A, B, C, D)})
    assert sorted(desk.mail()) == sorted(person.address for person in people[:2])
    assert on_mail(desk, end).count(Outcome.POSTED) == 2
    assert events(desk, "sending_aborted") == [("sending_aborted", "cne Roux")]
    desk.journal.audit.seal()
    desk.journal.audit.verify()


@pytest.mark.databases
def test_who_leaves_while_a_list_is_sent_gets_nothing(desk: Desk) -> None:
    said = mailed(desk)
    claimed, people = begun(desk, marked=1)
    left = {A, B, C, D} - {people[0].address}
    desk.suppress(leaving := min(left))
    following = answer(desk, claimed, posted(people[0]), more=25)
    assert {person.address for person in following} == left - {leaving}
    answer(desk, claimed, *map(posted, following))
    interrupted(desk, claimed)
    assert on_mail(desk, said).recipients == {Outcome.POSTED: 3, Outcome.SUPPRESSED: 1}


@pytest.mark.databases
@pytest.mark.parametrize("taken_back", ["withdrawn", "ended", "cancelled"])
@pytest.mark.parametrize("moment", ["waits", "is read", "is sent"])
def test_nothing_of_a_list_that_was_taken_back_is_sent_but_to_those_who_are_marked(
    desk: Desk, taken_back: str, moment: str
) -> None:
    """Each moment of its course: before it is claimed, while its list is read, and between two chunks."""
    desk.size = 3
    said = mailed(desk, *(f"p{number:02}@x.example" for number in range(9)))
    reading = desk.journal.deliveries.claim("mail", "runner A", lease=LEASE) if moment == "is read" else None
    claimed, people = begun(desk, marked=1) if moment == "is sent" else (None, ())
    if taken_back == "withdrawn":
        desk.journal.publications.take_down(said, actor="cne Roux", reason="", deletes=())
    else:
        stage = Stage.END if taken_back == "ended" else Stage.CANCELLATION
        desk.publish(stage, channels=("mail",), people={"mail": ()}, skips=("mail",))
    if reading is not None:
        assert desk.fill(reading) is None
    if claimed is not None:
        assert answer(desk, claimed, posted(people[0]), more=25) == ()
        interrupted(desk, claimed)
    found = on_mail(desk, said)
    left = {Outcome.POSTED: 1, Outcome.SUPERSEDED: 2} if moment == "is sent" else {}
    assert (found.recipients, found.outcome.is_final) == (left, True)
    following = desk.claim("mail")
    assert following is None or following.publication != said
    desk.journal.audit.verify()


# --- in doubt


def doubted(desk: Desk) -> tuple[str, int]:
    """Return a publication of which A and B are held, and its delivery."""
    said = mailed(desk)
    desk.mail({A: "unconfirmed", B: "unconfirmed", C: "refused"})
    return said, on_mail(desk, said).delivery


def test_people_in_doubt_are_listed_by_key_and_with_addresses_only_on_record(desk: Desk) -> None:
    _said, delivery = doubted(desk)
    found = desk.journal.sendings.in_doubt(delivery)
    assert {one.key for one in found} == {desk.person_key(A), desk.person_key(B)}
    assert {(one.outcome, one.address, one.tried_at) for one in found} == {(Outcome.HELD, None, desk.clock.now())}
    shown = desk.journal.sendings.in_doubt(delivery, shown_to="cne Roux")
    assert {one.address for one in shown} == {A, B}
    assert A not in repr(shown)
    assert events(desk, "addresses_shown") == [("addresses_shown", "cne Roux")]
    with pytest.raises(NotHeld):
        desk.journal.sendings.in_doubt(delivery + 1)  # a batch
    with desk.journal.write() as connection:
        connection.execute(update(schema.person).values(sealed=None))
    assert {one.address for one in desk.journal.sendings.in_doubt(delivery, shown_to="cne Roux")} == {None}


@pytest.mark.databases
def test_one_person_is_settled_and_the_others_stay_held(desk: Desk) -> None:
    said, delivery = doubted(desk)
    assert desk.journal.sendings.resolve(delivery, "cne Roux", [A.upper()], posted=True) is Outcome.POSTED
    assert (desk.person(said, A), desk.person(said, B)) == (Outcome.POSTED, Outcome.HELD)
    receipt = desk.journal.publications.get(said)
    assert receipt is not None
    assert str(receipt.on("mail").reason) == "1 of 4 may or may not have it, and the network cannot be asked."
    assert said in desk.journal.publications.unfinished_ids()
    short = desk.person_key(B)[:12]
    assert desk.journal.sendings.resolve(delivery, "cne Roux", [short], posted=False) is Outcome.WAITING
    assert desk.mail() == [B]
    assert on_mail(desk, said).recipients == {Outcome.POSTED: 3, Outcome.REFUSED: 1}
    assert said not in desk.journal.publications.unfinished_ids()
    desk.journal.audit.seal()
    desk.journal.audit.verify()


def test_the_answer_of_the_gateway_settles_only_doubts(desk: Desk) -> None:
    said, delivery = doubted(desk)

    def confirm(person: str, channel: str = "mail") -> bool:
        token = make_token(desk.keys, "receipt", delivery=delivery, recipient=desk.person_key(person))
        return desk.journal.sendings.confirm(token, channel=channel)

    before = desk.dump()
    assert confirm(D)
    assert confirm(C)
    assert not confirm(A, "sms")
    assert not desk.journal.sendings.confirm("a" * 48, channel="mail")
    assert desk.dump() == before
    assert confirm(A)
    assert confirm(A)
    assert desk.person(said, A) is Outcome.POSTED
    assert events(desk, "resolved") == [("resolved", "gateway")]
    assert confirm(B)
    assert on_mail(desk, said).count(Outcome.UNCONFIRMED, Outcome.HELD) == 0
    desk.journal.audit.verify()


def test_who_leaves_while_in_doubt_gets_nothing_more(desk: Desk) -> None:
    said = desk.publish(Stage.STANDALONE, channels=("mail",), people={"mail": [A, B]})
    desk.mail({A: "unconfirmed"}, hold_doubt=False)
    desk.suppress(A)
    desk.clock.pass_by(30)
    assert desk.mail(hold_doubt=False) == []
    assert desk.person(said, A) is Outcome.SUPPRESSED
