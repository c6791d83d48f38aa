"""Any order of list edits, kills, failures and restarts: each person of a list has one outcome, and none gets two."""

from __future__ import annotations

import itertools
import secrets
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from policenotify.audiences.model import Row
from policenotify.channel import Capabilities, ChannelConfig, RecipientOutcome
from policenotify.delivery.batch import ListSender
from policenotify.errors import SettingsError
from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.journal.leases import this_process
from policenotify.journal.lists.recipients import recipient_key
from policenotify.journal.records import AttemptResult, ClaimedDelivery
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.testing.fakes import FakeClock
from policenotify.text import Budget
from tests.support.audiences import ListedPeople
from tests.support.journal import LEASE, Desk, is_list

KEYS = Keys.create(secrets.token_bytes)
PEOPLE = tuple(f"{name}@x.example" for name in "abcdefgh")
WORKERS = ("A", "B")


class KilledError(BaseException):
    """The process ends here."""


class Fragile(ListedPeople):
    """A list that fails, or behind which the process is killed, at a row."""

    error: BaseException | None = None
    at = 0

    def rows(self, *, start: int = 0) -> Iterator[Row]:
        for row in super().rows(start=start):
            if self.error is not None and row.position >= self.at:
                raise self.error
            yield row


class Lists(RuleBasedStateMachine):
    """A journal with a channel whose list two workers send to, batch by batch."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.desk = Desk(Path(self._folder.name), keys=KEYS, clock=self.clock)
        self.audience = Fragile(PEOPLE[:5])
        self.listed: set[str] = set(PEOPLE[:5])
        self.named: set[str] = set(PEOPLE[:5])  # now
        self.awaited: set[str] = set()  # when the list was read to its end
        self.publications: list[str] = []
        self.held: dict[str, ClaimedDelivery] = {}
        self.asked: Counter[tuple[str, str]] = Counter()  # how often a person was written to, by publication
        self.owners = itertools.count()

    @initialize()
    def opening(self) -> None:
        self.publications.append(self.desk.publish(channels=("mail",), people={"mail": ()}))
        self.awaited = self.named

    @precondition(lambda self: len(self.publications) < 3)
    @rule()
    def update(self) -> None:
        self.publications.append(self.desk.publish(Stage.UPDATE, channels=("mail",), people={"mail": ()}))
        self.awaited = self.named

    @rule(people=st.lists(st.sampled_from(PEOPLE), min_size=1, unique=True))
    def edit(self, people: list[str]) -> None:
        self.audience.people, self.named = people, {*people}
        self.listed |= self.named
        if not self._is_read():
            self.awaited = self.named

    def _is_read(self) -> bool:
        """Return whether the list was read to its end for the last publication. A later change concerns the next."""
        delivery = schema.delivery
        query = select(delivery.c.reading).where(delivery.c.publication == self.publications[-1])
        with self.desk.journal.read() as connection:
            return not any(connection.execute(query).scalars())

    @rule(worker=st.sampled_from(WORKERS), size=st.integers(1, 3), at=st.none() | st.integers(0, 4), kill=st.booleans())
    def claim(self, worker: str, size: int, at: int | None, *, kill: bool) -> None:
        """Claim a batch, or make one, unless the list fails or the process is killed at a row."""
        if worker in self.held:
            return
        self.audience.at = at or 0
        self.audience.error = None if at is None else KilledError() if kill else SettingsError("It cannot be read.")
        try:
            self._claim(worker, size)
        except KilledError:
            self.restart(worker)
        self.audience.error = None

    def _claim(self, worker: str, size: int) -> None:
        deliveries = self.desk.journal.deliveries
        owner = f"{this_process()}/{worker}{next(self.owners)}"
        claimed = deliveries.claim("mail", owner, lease=LEASE)
        if claimed is not None and is_list(claimed):
            made = self._maker(size).make_batch(claimed)
            if not isinstance(made, ClaimedDelivery):
                deliveries.record_result(claimed, made)
                return
            claimed = made
        if claimed is not None:
            self.held[worker] = self.desk.begin(claimed)

    def _maker(self, size: int) -> ListSender:
        config = ChannelConfig(
            name="mail",
            network="email",
            account="police34.example",
            capabilities=Capabilities(budget=Budget(300), recipients=True),
            open=lambda _clock, _store: None,
            audiences=(self.audience,),
        )
        return ListSender(
            journal=self.desk.journal,
            channel=cast("Any", None),  # it makes batches only
            clock=self.desk.clock,
            config=config,
            siblings=("mail",),
            lease=LEASE,
            backoff=lambda _before: timedelta(seconds=5),
            size=size,
        )

    @rule(
        worker=st.sampled_from(WORKERS),
        outcome=st.sampled_from(["posted", "posted", "refused", "unavailable", "unconfirmed", "killed"]),
    )
    def send(self, worker: str, outcome: Any) -> None:
        """Write to the next person of the batch that a worker has."""
        if (begun := self.held.get(worker)) is None:
            return
        people = self.desk.journal.deliveries.take(begun, 1, hold_doubt=True, lease=LEASE)
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

    @rule(worker=st.sampled_from(WORKERS))
    def release(self, worker: str) -> None:
        """End the attempt between two people."""
        if (begun := self.held.pop(worker, None)) is not None:
            wait = self.clock.now() + timedelta(seconds=5)
            result = AttemptResult(outcome=Outcome.WAITING, not_before=wait, of_people=True)
            self.desk.journal.deliveries.record_result(begun, result)

    def restart(self, worker: str) -> None:
        """The process is gone. Another one takes over what it left once its lease is over."""
        others = [other for other in self.held if other != worker]
        for other in others:
            self.release(other)
        self.held.pop(worker, None)
        self.clock.pass_by(LEASE.total_seconds() + 1)
        self.desk.journal.deliveries.recover()

    def teardown(self) -> None:
        try:
            self._finish()
            self._check()
        finally:
            self.desk.journal.close()
            self._folder.cleanup()

    def _finish(self) -> None:
        for worker in WORKERS:
            self.release(worker)
        for _ in range(200):
            self.clock.pass_by(10)
            self._claim("A", 3)
            if "A" in self.held:
                while "A" in self.held:
                    self.send("A", "posted")
            elif not self.desk.journal.deliveries.unsettled():
                return
        raise AssertionError("it never ends")

    def _check(self) -> None:
        table, person, delivery = schema.recipient, schema.person, schema.delivery
        query = (
            select(delivery.c.publication, person.c.key, table.c.state)
            .join(delivery, delivery.c.id == table.c.delivery)
            .join(person, person.c.id == table.c.person)
        )
        with self.desk.journal.read() as connection:
            rows = connection.execute(query).all()
        address = {recipient_key(KEYS, each): each for each in PEOPLE}
        found = {(row.publication, address[row.key]): row.state for row in rows}
        assert len(found) == len(rows)  # no one twice
        assert max(self.asked.values(), default=0) <= 1
        assert self.asked.keys() <= found.keys()
        reached = {Outcome.POSTED, Outcome.HELD}  # held: a person must find out
        assert {key for key, state in found.items() if state in reached} == self.asked.keys()
        assert set(found.values()) <= reached | {Outcome.REFUSED, Outcome.SUPERSEDED}
        last = {name for publication, name in found if publication == self.publications[-1]}
        had_it = {name for publication, name in self.asked if publication != self.publications[-1]}
        assert self.awaited <= last <= self.listed
        assert had_it <= last  # who had an earlier message gets what follows


def test_each_person_has_one_outcome_whatever_happens() -> None:
    run_state_machine_as_test(Lists, settings=settings(max_examples=12, stateful_step_count=25, deadline=None))
