"""Any order of publishing, claiming, crashing and settling has one owner at a time, in order, settled once."""

from __future__ import annotations

import itertools
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from policenotify.errors import LostLease
from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.journal.records import ClaimedDelivery, TakenBack
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.testing.fakes import FakeClock
from tests.support.journal import LEASE, Desk

KEYS = Keys.create(secrets.token_bytes)
INCIDENTS = ("I1", "I2")
SETTLED = frozenset({Outcome.POSTED, Outcome.REFUSED, Outcome.HELD, Outcome.SUPERSEDED, Outcome.SKIPPED})


@dataclass
class _Held:
    claimed: ClaimedDelivery
    until: datetime
    begun: bool = False


class Lanes(RuleBasedStateMachine):
    """The journal beside a model of it: for each lane the deliveries in order, and who holds what until when."""

    new_journal: ClassVar[Callable[[Keys], str] | None] = None  # in a file

    def __init__(self) -> None:
        super().__init__()
        make = type(self).new_journal
        self._folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.desk = Desk(Path(self._folder.name), keys=KEYS, clock=self.clock, url=make(KEYS) if make else "")
        self.lanes: dict[str, list[int]] = {incident: [] for incident in INCIDENTS}
        self.closed: set[str] = set()
        self.priority: dict[int, int] = {}
        self.held: dict[int, _Held] = {}
        self.lost: list[_Held] = []
        self.settled: dict[int, Outcome] = {}
        self.owners = itertools.count(1)

    def teardown(self) -> None:
        self.desk.journal.close()
        self._folder.cleanup()

    # --- what happens

    @rule(incident=st.sampled_from(INCIDENTS), severity=st.sampled_from(Severity), ends=st.booleans())
    def publish(self, incident: str, severity: Severity, *, ends: bool) -> None:
        lane = self.lanes[incident]
        if incident in self.closed:
            return
        stage = (Stage.END if ends else Stage.UPDATE) if lane else Stage.OPENING
        self.desk.publish(stage, incident, severity=severity)
        if stage is Stage.END:
            self.closed.add(incident)
        urgent = list(Severity).index(severity)
        for before in lane:
            if before not in self.settled:
                self.priority[before] = min(self.priority[before], urgent)
        delivery = len(self.priority) + 1
        self.priority[delivery] = urgent
        lane.append(delivery)

    @rule(severe_only=st.booleans())
    def claim(self, *, severe_only: bool) -> None:
        owner = f"elsewhere/boot/1/1/{next(self.owners)}"
        claimed = self.desk.claim("sky", owner, severe_only=severe_only)
        self._run_out()
        self._see_superseded()
        if claimed is None:
            assert not [one for one in self._claimable() if not severe_only or self.priority[one] <= 1]
            return
        best = min(self._claimable(), key=lambda one: (self.priority[one], one))
        assert claimed.id == best
        assert claimed.owner == owner
        assert claimed.severe is (self.priority[claimed.id] <= 1)
        self.held[claimed.id] = _Held(claimed, self.clock.now() + LEASE)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        held = self.held[data.draw(st.sampled_from(sorted(self.held)))]
        if not held.begun:
            try:
                held.claimed = self.desk.begin(held.claimed)
            except TakenBack:  # what is in doubt is not sent again after the end
                assert held.claimed.in_doubt
                return
            held.until = self.clock.now() + LEASE  # the lease begins again
            held.begun = True

    @precondition(lambda self: any(held.begun for held in self.held.values()))
    @rule(
        data=st.data(),
        outcome=st.sampled_from([Outcome.POSTED, Outcome.REFUSED, Outcome.HELD, Outcome.WAITING, Outcome.UNCONFIRMED]),
    )
    def settle(self, data: st.DataObject, outcome: Outcome) -> None:
        delivery = data.draw(st.sampled_from(sorted(one for one, held in self.held.items() if held.begun)))
        held = self.held.pop(delivery)
        self.desk.settle(held.claimed, outcome)
        self.lost.append(held)  # it has been settled: that attempt may not be settled again
        if outcome in SETTLED:
            self.settled[delivery] = outcome

    @rule(seconds=st.sampled_from([1, 60, 119, 120, 121]))
    def pass_by(self, seconds: int) -> None:
        self.clock.pass_by(seconds)

    @rule()
    def recover(self) -> None:
        before = len(self.held)
        recovered = self.desk.journal.deliveries.recover()
        self._run_out()
        assert recovered == before - len(self.held)

    @precondition(lambda self: self.lost)
    @rule(data=st.data(), outcome=st.sampled_from([Outcome.POSTED, Outcome.WAITING]))
    def speak_too_late(self, data: st.DataObject, outcome: Outcome) -> None:
        held = data.draw(st.sampled_from(self.lost))
        for act in (self.desk.begin, lambda claimed: self.desk.settle(claimed, outcome)):
            try:
                act(held.claimed)
            except LostLease:
                continue
            raise AssertionError("a lost claim was heard")

    # --- what always holds

    @invariant()
    def no_delivery_overtakes(self) -> None:
        for lane in self.lanes.values():
            open_ones = [one for one in lane if one not in self.settled]
            for delivery in self.held:
                if delivery in lane:
                    assert open_ones[0] == delivery

    @invariant()
    def what_is_settled_stays(self) -> None:
        table = schema.delivery
        self._see_superseded()
        with self.desk.journal.read() as connection:
            rows = connection.execute(select(table.c.id, table.c.state, table.c.owner, table.c.priority)).all()
        assert len(rows) == len(self.priority)
        for row in rows:
            if row.id in self.settled:
                assert row.state == self.settled[row.id]
            elif row.id in self.held:
                assert (row.state, row.owner) == (Outcome.SENDING, self.held[row.id].claimed.owner)
            else:
                assert row.state == Outcome.WAITING
                assert row.priority == self.priority[row.id]

    # --- the model

    def _run_out(self) -> None:
        for delivery, held in list(self.held.items()):
            if held.until <= self.clock.now():
                self.lost.append(self.held.pop(delivery))

    def _claimable(self) -> list[int]:
        heads = (next((one for one in lane if one not in self.settled), None) for lane in self.lanes.values())
        return [head for head in heads if head is not None and head not in self.held]

    def _see_superseded(self) -> None:
        """Superseded is only what belongs to a closed incident, and never its last word."""
        table = schema.delivery
        with self.desk.journal.read() as connection:
            rows = connection.execute(select(table.c.id).where(table.c.state == Outcome.SUPERSEDED)).scalars().all()
        for delivery in rows:
            if delivery not in self.settled:
                [incident] = [one for one, lane in self.lanes.items() if delivery in lane]
                lane = self.lanes[incident]
                assert incident in self.closed
                assert delivery != lane[-1]
                assert not {self.settled.get(one) for one in lane} & {Outcome.POSTED, Outcome.HELD}
                self.settled[delivery] = Outcome.SUPERSEDED


def test_lanes_hold_whatever_happens() -> None:
    run_state_machine_as_test(Lanes, settings=settings(max_examples=15, stateful_step_count=25, deadline=None))


@pytest.mark.postgres
def test_they_hold_on_postgresql_too(new_journal: Callable[[Keys], str]) -> None:
    class OnTheServer(Lanes):
        pass

    OnTheServer.new_journal = staticmethod(new_journal)
    run_state_machine_as_test(OnTheServer, settings=settings(max_examples=5, stateful_step_count=25, deadline=None))
