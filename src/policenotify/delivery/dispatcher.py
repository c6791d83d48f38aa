"""Claim and deliver, channel beside channel: one that is slow or down never stops another."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from policenotify.channel import Channel, ChannelConfig, Clock
from policenotify.delivery.attempt import DeliveryAttempt, patience
from policenotify.errors import Blocked, JournalError, JournalTakenAway, LostLease, PolicenotifyError
from policenotify.journal.leases import this_process
from policenotify.journal.records import LEASE, AttemptResult, ClaimedDelivery
from policenotify.model.history import Outcome

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_log = logging.getLogger("policenotify")

_GLANCE = 0.2  # seconds between two looks at what other processes and the clock have done meanwhile
_ROUNDS = 24  # in the time of a lease, how often a drain looks for what dead or silent runners hold
_STAY = 1.5  # seconds; connections are kept open for less than the shortest time that common servers do (gunicorn: 2 s)
_LAST = 2.0  # seconds for which a drain whose time is up waits for the person who is just being asked
_REST = 5.0  # seconds for which a channel is left alone after a failure of our own: a broken journal, no more threads


@dataclass(eq=False, slots=True)
class _Slot:
    """A daemon thread that delivers on one channel until nothing has been due there for a moment."""

    channel: str
    severe_only: bool
    word_at: float  # when it last gave a sign of life
    busy: bool = False  # it has a delivery, and is not about to look for one
    publication: str | None = None  # of which it has one
    in_list: bool = False  # which goes to many people
    idle: bool = False  # it has found nothing, and stays for a moment
    wanted: threading.Event = field(default_factory=threading.Event)  # to look (again) for something
    last: bool = False  # what it has is the last one that it takes
    thread: threading.Thread | None = None

    def word(self, clock: Clock, *, busy: bool) -> None:
        """Give a sign of life."""
        self.word_at, self.busy = clock.monotonic(), busy


@dataclass(eq=False, slots=True)
class _Time:
    """How long the lists of one drain may go on: until it is up; of a worker, until `Dispatcher.finish`."""

    until: float


@dataclass(slots=True, kw_only=True)
class Dispatcher:
    """Delivers what is due in the journal.

    Each channel has two slots; the second takes only what is Severe or more, so that a hanging routine post never
    stands in the way of a warning. Slots are daemon threads, started when there is work and gone a moment after it. A
    slot that has not said a word for longer than its lease is abandoned: another takes its place, and its delivery
    is recovered as a doubt.

    A post to one network that is under way when the time is up goes on by itself. A list of people ends between two
    of them, and the others wait.

    It may be used from several threads.

    Attributes:
        journal: Where it is claimed.
        channels: The channels of the installation, by name.
        clock: Tells how much time passes; what time it is, the journal tells.
        lease: For how long a claim holds.
        patience: Returns how long to wait after a failure, from how long the wait after the one before it was.
    """

    journal: Journal
    channels: dict[str, ChannelConfig]
    clock: Clock
    lease: timedelta = LEASE
    patience: Callable[[timedelta], timedelta] = patience
    _slots: list[_Slot] = field(default_factory=list, init=False)
    _resting: dict[str, float] = field(default_factory=dict, init=False)  # by channel: until when
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)  # guards the two above
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False)
    _changes: int = field(default=0, init=False)  # how often a slot has finished something
    _closing: bool = field(default=False, init=False)
    _times: list[_Time] = field(default_factory=list, init=False)  # of the drains that are under way
    _until: float = field(default=0.0, init=False)  # how long lists may go on after their drain has returned early
    _process: int = field(default_factory=os.getpid, init=False)

    def drain(
        self,
        budget: timedelta,
        *,
        publication: str | None = None,
        enough: Callable[[], bool] = lambda: False,
        stays: bool = False,
    ) -> datetime | None:
        """Deliver until nothing is due, or the budget is used up.

        A post that is under way then goes on by itself. A list ends between two people, the last of whom is waited
        for a moment.

        Args:
            budget: For how long to deliver at most.
            publication: Return as soon as nothing of this publication can happen within the budget any more; without
                a word of what is due next if all of it is settled.
            enough: Return as soon as this is so.
            stays: Whoever asks will go on asking, until he says that he is leaving (`Journal.stop_heartbeat`).

        Returns:
            When something is due next; `None`: nothing is.

        Raises:
            JournalError: The journal cannot be read or written.
        """
        self._here()
        deadline = self.clock.monotonic() + budget.total_seconds()
        with self._time(math.inf if stays else deadline):
            return self._drain(deadline, publication=publication, enough=enough, stays=stays)

    def _drain(
        self, deadline: float, *, publication: str | None, enough: Callable[[], bool], stays: bool
    ) -> datetime | None:
        next_round = self.clock.monotonic()
        while True:
            changes = self._changes
            if self.clock.monotonic() >= next_round:
                self.journal.workers.heartbeat(is_worker=stays)
                self.journal.deliveries.recover(self.lease)
                next_round = self.clock.monotonic() + self.lease.total_seconds() / _ROUNDS
            if publication is not None and not self.journal.publications.pending(publication):
                return None
            due = self._due()
            if enough():
                return min(due.values(), default=None)
            now = self.journal.now()  # after asking: what is due at once is due by now
            for name in [name for name, at in due.items() if at <= now]:
                self._start(name)
            left = deadline - self.clock.monotonic()
            if left <= 0 or self._closing:
                self._wait_for_lists()
                return min(self._due().values(), default=None)
            soon = now + timedelta(seconds=left)
            if not self._may_happen(soon, due, publication):
                # Something may have been settled between the journal's answers: only what holds twice is so.
                due = self._due()
                if not self._may_happen(soon, due, publication):
                    return min(due.values(), default=None)
            later = [(at - now).total_seconds() for at in due.values() if at > now]
            if not enough():
                self._wait(changes, min([left, _GLANCE, *later]), publication)

    def next_due(self) -> datetime | None:
        """When something is due next; `None`: nothing is."""
        self._here()
        return min(self._due().values(), default=None)

    def finish(self, *, patience: float = 5.0) -> bool:
        """Give what is under way some seconds to finish; the slots take nothing new. Whether all has ended."""
        self._here()
        with self._lock:
            self._until = 0.0
            for each in self._times:
                each.until = 0.0 if each.until == math.inf else each.until
            threads = [slot.thread for slot in self._slots if slot.thread is not None]
            for slot in self._slots:
                slot.last = True
                slot.wanted.set()
        self._tell()
        until = self.clock.monotonic() + patience
        for thread in threads:
            thread.join(timeout=max(0.0, until - self.clock.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def close(self, *, patience: float = 5.0) -> None:
        """Take nothing new, and give what is under way some seconds to finish. May be called twice."""
        self._closing = True
        self.finish(patience=patience)

    def _here(self) -> None:
        """A forked child has none of its parent's slots, and no use for locks that they may have held."""
        if self._process != os.getpid():
            self._slots, self._resting, self._process = [], {}, os.getpid()
            self._times, self._until = [], 0.0
            self._lock, self._changed = threading.Lock(), threading.Condition()

    # --- how long lists may go on

    @contextmanager
    def _time(self, until: float) -> Iterator[None]:
        """Let lists go on until then. A drain that returns early leaves what it has begun the rest of its time."""
        mine = _Time(until)
        with self._lock:
            self._times.append(mine)
        try:
            yield
        finally:
            with self._lock:
                self._times.remove(mine)
                self._until = max(self._until, mine.until)

    def _list_may_go_on(self, slot: _Slot) -> bool:
        """Return whether the slot may ask another person of its list; a sign of life, too."""
        slot.word(self.clock, busy=True)
        return self._goes_on(slot) and self._lists_have_time()

    def _lists_have_time(self) -> bool:
        with self._lock:
            until = max([self._until, *(each.until for each in self._times)])
        return self.clock.monotonic() < until

    def _wait_for_lists(self) -> None:
        """Wait a moment for the lists whose time is up too, so that receipts do not call them under way."""
        until = self.clock.monotonic() + _LAST
        while (left := until - self.clock.monotonic()) > 0:
            changes = self._changes
            with self._lock:
                ending = any(slot.in_list for slot in self._living())
            if not ending or self._lists_have_time():
                return
            with self._changed:
                if not self._changed.wait_for(partial(self._differs, changes), timeout=left):
                    return

    # --- what is to be done

    def _due(self) -> dict[str, datetime]:
        """When each channel has something to do next; one that rests, not before it has."""
        now, monotonic = self.journal.now(), self.clock.monotonic()
        usable = {name: how for name, how in self.channels.items() if not how.problem}
        rates = {name: how.rate for name, how in usable.items()}
        with self._lock:
            rest = {name: now + timedelta(seconds=until - monotonic) for name, until in self._resting.items()}
        return {
            name: max(at, rest.get(name, at)) for name, at in self.journal.deliveries.due(usable, rates=rates).items()
        }

    def _may_happen(self, soon: datetime, due: dict[str, datetime], publication: str | None) -> bool:
        """Whether anything that we wait for is under way, or may be begun by then."""
        if publication is None:
            return self._works() or any(at <= soon for at in due.values())
        waiting = self.journal.publications.pending(publication)
        return any(at is None or (name in due and max(at, due[name]) <= soon) for name, at in waiting.items())

    def _goes_on_by_itself(self, publication: str | None) -> bool:
        """Whether a slot has something that we wait for: it looks itself for what comes next."""
        with self._lock:
            return any(publication in {None, slot.publication} for slot in self._living())

    def _wait(self, changes: int, seconds: float, publication: str | None) -> None:
        """Wait that long, or until the slots have finished something since *changes*, and nothing goes on by itself."""
        until = self.clock.monotonic() + seconds
        while (left := until - self.clock.monotonic()) > 0:
            with self._changed:
                if not self._changed.wait_for(partial(self._differs, changes), timeout=left):
                    return
            changes = self._changes
            if not self._goes_on_by_itself(publication):
                return

    def _differs(self, changes: int) -> bool:
        return self._changes != changes

    def _tell(self) -> None:
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    # --- slots

    def _living(self) -> list[_Slot]:
        """The slots that still work: alive, and not silent for longer than their lease. With the lock held."""
        silent = self.clock.monotonic() - self.lease.total_seconds()
        self._slots = [slot for slot in self._slots if slot.word_at > silent and slot.thread and slot.thread.is_alive()]
        return self._slots

    def _works(self) -> bool:
        with self._lock:
            return not all(slot.idle for slot in self._living())

    def _goes_on(self, slot: _Slot) -> bool:
        """Whether the slot may take another delivery: not at the end, and not when it was abandoned."""
        with self._lock:
            return slot in self._living() and not (slot.last or self._closing)

    def _start(self, channel: str) -> None:
        """See that somebody delivers on the channel; where the ordinary slot is busy, a second for what is Severe."""
        with self._lock:
            if self._resting.get(channel, 0.0) > self.clock.monotonic():
                return  # since it was found due
            here = {slot.severe_only: slot for slot in self._living() if slot.channel == channel}
            self._want(here.get(False), channel, severe_only=False)
            if False in here and here[False].busy and self.journal.deliveries.severe_is_ready(channel):
                self._want(here.get(True), channel, severe_only=True)

    def _want(self, slot: _Slot | None, channel: str, *, severe_only: bool) -> None:
        """See that there is such a slot, and that it looks for something from now on. With the lock held."""
        if slot is not None:
            slot.idle = False
            slot.wanted.set()
            return
        slot = _Slot(channel, severe_only, word_at=self.clock.monotonic())
        slot.thread = threading.Thread(target=self._run, args=(slot,), name=f"policenotify {channel}", daemon=True)
        try:
            slot.thread.start()
        except RuntimeError as error:  # the machine has no more threads
            _log.error("Channel %s: %s", channel, error)  # the trace tells nothing
            self._resting[channel] = self.clock.monotonic() + _REST
            return
        self._slots.append(slot)

    def _run(self, slot: _Slot) -> None:
        how = self.channels[slot.channel]
        channel: Channel | None = None
        owner = f"{this_process()}/{uuid4().hex[:8]}"
        try:
            while self._goes_on(slot) and (self._lists_have_time() or not how.capabilities.recipients):
                slot.wanted.clear()
                claimed = self.journal.deliveries.claim(
                    how.name, owner, lease=self.lease, severe_only=slot.severe_only, rate=how.rate
                )
                if claimed is None:
                    if channel is None or not self._is_wanted_again(slot):
                        return
                    continue
                slot.word(self.clock, busy=True)
                slot.publication, slot.in_list = claimed.publication, claimed.has_recipients
                channel = channel or self._open(how, claimed)
                if channel is None:
                    return
                DeliveryAttempt(
                    journal=self.journal,
                    channel=channel,
                    how=how,
                    clock=self.clock,
                    lease=self.lease,
                    patience=self.patience,
                    may_go_on=partial(self._list_may_go_on, slot),
                ).make(claimed)
                slot.word(self.clock, busy=False)
                slot.publication, slot.in_list = None, False
                self._tell()
        except JournalTakenAway:  # the journal has raised the alarm, and hands nothing out any more
            self._rest(how.name)
        except LostLease as error:
            _log.warning("Channel %s: %s", how.name, error)
        except BaseException as error:  # noqa: BLE001 - nobody is above a thread
            # What was claimed is taken back when its lease runs out. A trace would hold values.
            said = str(error) if isinstance(error, JournalError) else f"{type(error).__name__} escaped."
            _log.error("Channel %s: %s", how.name, said)  # the same
            self._rest(how.name)
        finally:
            slot.busy = True  # a goodbye may hang, too
            if channel is not None:
                _close(channel, how.name)
            with self._lock:
                self._slots = [other for other in self._slots if other is not slot]
            self._tell()

    def _is_wanted_again(self, slot: _Slot) -> bool:
        """Stay for a moment, with what is open; whether there is something to look for by then. If not, it is gone."""
        with self._lock:
            slot.idle = not slot.wanted.is_set()
        self._tell()
        slot.wanted.wait(_STAY)
        slot.word(self.clock, busy=False)
        with self._lock:
            if not slot.wanted.is_set():
                self._slots = [other for other in self._slots if other is not slot]
            return slot.wanted.is_set()

    def _rest(self, channel: str) -> None:
        with self._lock:
            self._resting[channel] = self.clock.monotonic() + _REST

    def _open(self, how: ChannelConfig, claimed: ClaimedDelivery) -> Channel | None:
        """A channel object for this thread; where there is none to be had, the channel is blocked."""
        try:
            return how.open(self.clock, self.journal.channels.state_store(how.name))
        except Exception as error:  # noqa: BLE001 - a stranger's constructor may raise anything
            said = f": {error}" if isinstance(error, PolicenotifyError) else f" ({type(error).__name__})."
            blocked = Blocked(f"The channel {how.name!r} cannot be opened{said}", remedy="Then: policenotify doctor")
            if self.journal.channels.block(how.name, blocked):
                _log.error("%s %s", blocked.reason, blocked.remedy)  # a trace might hold an option
            waits = Outcome.UNCONFIRMED if claimed.in_doubt else Outcome.WAITING
            self.journal.deliveries.record_result(
                claimed, AttemptResult(outcome=waits, reason=blocked.reason, remedy=blocked.remedy)
            )
            return None


def _close(channel: Channel, name: str) -> None:
    try:
        channel.close()
    except Exception as error:  # noqa: BLE001 - the delivery is settled; a failing goodbye changes nothing
        _log.warning("Channel %s did not close: %s", name, type(error).__name__)
