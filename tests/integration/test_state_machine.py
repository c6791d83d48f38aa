"""Any order of publishing, delivering, crashes, answers, look-ups and times loses, overtakes and doubles nothing.

The journal's own claims are modelled in `tests/unit/journal/test_state_machine.py`. Here readers are checked.
"""

from __future__ import annotations

import tempfile
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import Row, select

from policenotify.channel import Capabilities, ChannelConfig, PostRef, Request
from policenotify.delivery.attempt import DeliveryAttempt
from policenotify.errors import Blocked, Refused, Unavailable, Unconfirmed
from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.testing.fakes import FakeClock
from policenotify.text import Budget
from tests.support.fake_network import PLAIN, READABLE, Book, Scripted
from tests.support.journal import LEASE

KEYED = Capabilities(budget=Budget(300), replies=True, idempotency_window=timedelta(days=36_500))
KEYS = Keys.create(lambda count: bytes(range(count)))
CHANNELS = ("keyed", "readable", "holds", "resends")
INCIDENTS = ("I1", "I2", None)
ANSWERS = (
    "yes",
    "lost answer",  # it is published, and no answer shows it
    "silence",  # it is not out
    "later",
    "no",
    "not without a person",
    "killed before",
    "killed after",
    "strange",
)

Answer = Literal[
    "yes", "lost answer", "silence", "later", "no", "not without a person", "killed before", "killed after", "strange"
]


class Killed(BaseException):
    """The process is gone: nothing after this runs."""


@dataclass
class Readers:
    """The posts on one channel, and how often the sender could not know their state."""

    keyed: bool
    out: list[tuple[str, datetime]] = field(default_factory=list)  # keys, in the order of arrival
    doubts: Counter[str] = field(default_factory=Counter)

    def take(self, key: str, at: datetime) -> None:
        if not (self.keyed and key in self.keys):
            self.out.append((key, at))

    @property
    def keys(self) -> list[str]:
        return [key for key, _at in self.out]


class WholeMachine(RuleBasedStateMachine):
    """Four channels: one knows keys, one can be read, and of two that can do neither one holds and one resends."""

    lag = timedelta(seconds=50)  # of the timeline; "not there" is believed after a minute

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.book = Book(Path(self._folder.name), self.clock, KEYS)
        self.networks = dict(
            zip(CHANNELS, (Scripted(capabilities=one) for one in (KEYED, READABLE, PLAIN, PLAIN)), strict=True)
        )
        self.hows: dict[str, ChannelConfig] = {
            name: network.configured(name, on_unknown="hold" if name == "holds" else "resend")
            for name, network in self.networks.items()
        }
        self.readers = {name: Readers(keyed=name == "keyed") for name in self.networks}
        self.published: list[str] = []

    def teardown(self) -> None:
        try:
            self.everything_comes_out()
        finally:
            self.book.journal.close()
            self._folder.cleanup()

    # --- what happens

    @rule(
        incident=st.sampled_from(INCIDENTS),
        severity=st.sampled_from(Severity),
        lives=st.sampled_from([None, timedelta(minutes=3)]),
    )
    def publish(self, incident: str | None, severity: Severity, lives: timedelta | None) -> None:
        self.published.append(self.book.publish(*CHANNELS, incident=incident, severity=severity, lives=lives))

    @initialize(incidents=st.lists(st.sampled_from(INCIDENTS), min_size=2, max_size=4))
    def begin(self, incidents: list[str | None]) -> None:
        for incident in incidents:
            self.publish(incident, Severity.MODERATE, None)

    @rule(
        seconds=st.sampled_from([3, 20, 49, 61, 121]) | st.none(),
        answers=st.tuples(*[st.sampled_from(ANSWERS) | st.just("lost answer")] * 4),
        readable=st.sampled_from([True, True, False]),
    )
    def deliver(self, seconds: float | None, answers: tuple[Answer, ...], *, readable: bool) -> None:
        """After so many seconds, or as soon as "it is not there" may be believed of the channel that can be read."""
        if seconds is None:
            self.book.journal.resume("desk", "readable")
            seconds = self._until_it_is_due("readable")
        self.book.pass_by(seconds)
        for channel, answer in zip(CHANNELS, answers, strict=True):
            self._deliver(channel, answer, readable=readable)

    @rule(channel=st.sampled_from(CHANNELS))
    def die_with_a_claim(self, channel: str) -> None:
        self.book.claim(channel)

    @rule()
    def resume(self) -> None:
        for channel in self.networks:
            self.book.journal.resume("desk", channel)

    @rule()
    def a_person_looks_at_what_is_held(self) -> None:
        for row in self._deliveries():
            if row.state == Outcome.HELD:
                self.book.journal.sendings.resolve(
                    row.id, "desk", posted=row.post_key in self.readers[row.channel].keys
                )

    # --- what always holds

    @invariant()
    def nothing_doubles(self) -> None:
        for name, readers in self.readers.items():
            for key, count in Counter(readers.keys).items():
                most = 1 + readers.doubts[key] if name == "resends" else 1
                assert count <= most, f"{name}: {count} times"

    @invariant()
    def nothing_overtakes(self) -> None:
        places = {row.post_key: (row.ordering_key, row.id) for row in self._deliveries()}
        for readers in self.readers.values():
            latest: dict[str, int] = {}
            for key in dict.fromkeys(readers.keys):
                lane, number = places[key]
                assert latest.get(lane, 0) < number, "overtaken"
                latest[lane] = number

    @invariant()
    def the_journal_is_true(self) -> None:
        for row in self._deliveries():
            out = row.post_key in self.readers[row.channel].keys
            match row.state:
                case Outcome.POSTED:
                    assert out, f"{row.channel}: posted, and not out"
                case Outcome.SUPERSEDED:
                    assert not out, f"{row.channel}: {row.state}, and out"
                case Outcome.WAITING | Outcome.HELD:
                    assert row.in_doubt or not out, f"{row.channel}: out, and no doubt"
                case Outcome.REFUSED:
                    assert not out, f"{row.channel}: {row.state}, and out"
                case _:
                    assert row.state == Outcome.SENDING

    def everything_comes_out(self) -> None:
        """Let the networks recover and a worker deliver: all is published, or has a reason."""
        self.resume()
        for _ in range(60):
            self.book.pass_by(LEASE.total_seconds() + 1)
            for name in self.networks:
                while self._deliver(name, "yes"):
                    pass
            if not self.book.journal.deliveries.due(dict.fromkeys(self.networks)):
                break
        rows = self._deliveries()
        assert len(rows) == len(self.published) * len(self.networks)
        for row in rows:
            assert row.state in {Outcome.POSTED, Outcome.HELD, Outcome.SUPERSEDED, Outcome.REFUSED}, row.state
            assert row.state == Outcome.POSTED or row.reason, row.state
            assert row.state != Outcome.HELD or row.remedy
            # What may be out under its key and is now refused is for a person; a timeline can be asked.
            if row.channel == "readable" and row.not_after is None:
                assert row.state in {Outcome.POSTED, Outcome.REFUSED}, f"{row.state}: {row.reason}"
        self.nothing_doubles()
        self.nothing_overtakes()
        self.the_journal_is_true()

    # --- the networks

    def _deliver(self, channel: str, answer: Answer, *, readable: bool = True) -> bool:
        """Make one claim and one attempt. Return whether there was something to claim."""
        claimed = self.book.claim(channel)
        if claimed is None:
            return False
        network, how = self.networks[channel], self.hows[channel]
        network.sends = deque([lambda request: self._answer(channel, answer, request)])
        network.finds = deque([lambda request: self._find(channel, request, readable=readable)] * 2)
        opened = how.open(self.clock, self.book.journal.channels.state_store(channel))
        with suppress(Killed):
            DeliveryAttempt(
                journal=self.book.journal, channel=opened, config=how, clock=self.book.clock, lease=LEASE
            ).run(claimed)
        return True

    def _until_it_is_due(self, channel: str) -> float:
        now = self.clock.now()
        return (self.book.journal.deliveries.due({channel: None}).get(channel, now) - now).total_seconds() + 1

    def _answer(self, channel: str, answer: Answer, request: Request) -> PostRef:
        readers = self.readers[channel]
        known = readers.keyed and request.key in readers.keys
        if answer in {"yes", "lost answer", "killed after"} or (known and answer == "no"):
            readers.take(request.key, self.clock.now())
        if answer in {"lost answer", "silence", "killed before", "killed after", "strange"}:
            readers.doubts[request.key] += 1
        errors: dict[str, BaseException] = {
            "lost answer": Unconfirmed("The connection was cut."),
            "silence": Unconfirmed("No answer came."),
            "later": Unavailable("Too much at once.", retry_at=self.clock.now() + timedelta(seconds=90)),
            "not without a person": Blocked("The token was revoked.", remedy="Give a new one."),
            "killed before": Killed(),
            "killed after": Killed(),
            "strange": ValueError("nobody expects this"),
        }
        if answer == "no" and not known:
            raise Refused("Not like this.", remedy="Say it otherwise.")
        if answer in errors:
            raise errors[answer]
        return PostRef(account=request.account, id=request.key)

    def _find(self, channel: str, request: Request, *, readable: bool) -> PostRef | None:
        if not readable:
            raise Unavailable("The timeline cannot be read.")
        shows = self.clock.now() - self.lag
        there = [key for key, at in self.readers[channel].out if key == request.key and at <= shows]
        return PostRef(account=request.account, id=request.key) if there else None

    def _deliveries(self) -> list[Row[Any]]:
        with self.book.journal.read() as connection:
            return list(connection.execute(select(schema.delivery).order_by(schema.delivery.c.id)).all())


def _search(machine: type[WholeMachine], examples: int, steps: int = 20) -> None:
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )


@pytest.mark.slow
def test_nothing_is_lost_overtaken_or_doubled() -> None:
    _search(WholeMachine, 12)


@pytest.mark.deep
def test_nothing_is_lost_overtaken_or_doubled_in_a_long_search() -> None:
    _search(WholeMachine, 300, 40)


class LagsTooLong(WholeMachine):
    """The network hides a post for longer than it claims, so a second post must follow."""

    lag = timedelta(seconds=75)


@pytest.mark.deep
def test_the_search_is_strong_enough_to_find_what_is_wrong() -> None:
    with pytest.raises((AssertionError, ExceptionGroup)) as caught:  # several faults at once are a group
        _search(LagsTooLong, 60)
    faults = caught.value.exceptions if isinstance(caught.value, ExceptionGroup) else (caught.value,)
    assert any("readable: 2 times" in str(fault) for fault in faults)
