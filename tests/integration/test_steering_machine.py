"""Any order of pauses, aborts, kills and failures: the counts are those of the people, and a halt is kept."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from policenotify.channel import RecipientOutcome
from policenotify.journal.database import schema
from policenotify.journal.persons.tokens import make_token
from policenotify.journal.records import outcome_of
from policenotify.model.history import Outcome
from tests.integration.test_audience_machine import WORKERS, Lists
from tests.support.journal import LEASE


class Steered(Lists):
    """The same lists, with persons who pause, resume and abort sendings, and settle doubts."""

    def __init__(self) -> None:
        super().__init__()
        self.paused: set[str] = set()
        self.aborted: set[str] = set()

    @precondition(lambda self: self.publications)
    @rule(newest=st.booleans())
    def pause(self, *, newest: bool) -> None:
        publication = self.publications[-1 if newest else 0]
        if self.desk.journal.sendings.pause(publication, "cne Roux").channels:
            self.paused.add(publication)

    @precondition(lambda self: self.paused)
    @rule()
    def resume(self) -> None:
        self.desk.journal.sendings.resume(self.paused.pop(), "cne Roux")

    @precondition(lambda self: self.publications)
    @rule(newest=st.booleans())
    def abort(self, *, newest: bool) -> None:
        publication = self.publications[-1 if newest else 0]
        if self.desk.journal.sendings.abort(publication, "cne Roux").channels:
            self.aborted.add(publication)
            self.paused.discard(publication)

    @precondition(lambda self: self.publications)
    @rule()
    def settle(self) -> None:
        """A gateway states that the first person in doubt has it."""
        delivery = self._progress(self.publications[0]).delivery
        for person in self.desk.journal.sendings.in_doubt(delivery)[:1]:
            token = make_token(self.desk.keys, "receipt", delivery=delivery, recipient=person.key)
            assert self.desk.journal.sendings.confirm(token, channel="mail")
            assert person.key not in {each.key for each in self.desk.journal.sendings.in_doubt(delivery)}

    @rule(
        worker=st.sampled_from(WORKERS),
        outcome=st.sampled_from(["posted", "posted", "refused", "unavailable", "unconfirmed", "killed"]),
    )
    def send(self, worker: str, outcome: Any) -> None:
        if (begun := self.held.get(worker)) is None:
            return
        people = self.desk.journal.deliveries.take(begun, 1, hold_doubt=True, lease=LEASE)
        halted = begun.publication in self.paused | self.aborted
        assert not (people and halted)
        if not people:
            self.release(worker)
            return
        if outcome in {"posted", "unconfirmed", "killed"}:
            self.asked[begun.publication, people[0].address] += 1
        if outcome == "killed":
            self.restart(worker)
            return
        told = [RecipientOutcome(key=people[0].key, outcome=outcome)]
        self.desk.journal.deliveries.take(begun, 0, outcomes=told, hold_doubt=True, lease=LEASE)

    @invariant()
    def the_counts_are_those_of_the_people(self) -> None:
        person = schema.recipient
        for publication in self.publications:
            found = self._progress(publication)
            with self.desk.journal.read() as connection:
                rows = connection.execute(select(person).where(person.c.delivery == found.delivery)).all()
            assert found.recipients == Counter(outcome_of(row.state, in_doubt=row.in_doubt) for row in rows)

    def _progress(self, publication: str) -> Any:
        return self.desk.journal.sendings.progress(publication).deliveries[0]

    def _finish(self) -> None:
        while self.paused:
            self.resume()
        super()._finish()

    def _check(self) -> None:
        assert max(self.asked.values(), default=0) <= 1
        for publication in self.publications:
            found = self._progress(publication)
            reached = sum(publication == name for name, _ in self.asked)
            assert found.count(Outcome.POSTED, Outcome.UNCONFIRMED, Outcome.HELD) == reached
            assert found.outcome.is_final
            assert found.aborted is (publication in self.aborted)
            assert found.count(*Outcome) == reached + found.count(Outcome.REFUSED, Outcome.SUPERSEDED)
        self.desk.journal.audit.verify()


def test_a_halt_is_kept_whatever_happens() -> None:
    run_state_machine_as_test(Steered, settings=settings(max_examples=12, stateful_step_count=25, deadline=None))
