"""Claim and send due deliveries on all channels at once."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from policenotify.channel import Channel, ChannelConfig, Clock
from policenotify.delivery.attempt import DeliveryAttempt, backoff
from policenotify.delivery.audience_reader import AudienceReader
from policenotify.delivery.batch import waiting
from policenotify.delivery.log_lines import log_blocked
from policenotify.errors import Blocked, JournalError, JournalTakenAway, LostLease, PolicenotifyError
from policenotify.journal.clock import SMALLEST_STEP, offset
from policenotify.journal.leases import this_process
from policenotify.journal.records import LEASE, ClaimedDelivery
from policenotify.log import fields

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_log = logging.getLogger("policenotify")

LOOK_INTERVAL = 1.0
"""Seconds between two looks of a worker."""

_UPKEEP = 30.0  # seconds between two heartbeats, and two looks for claims of processes that exited
_KEEP_OPEN = 1.5  # seconds an idle connection stays open; common servers close theirs after two or more (gunicorn: 2)
_LAST_RECIPIENT = 2.0  # seconds a drain whose budget is used up waits for a bulk send to end


@dataclass(eq=False, slots=True)
class _Lane:
    """A daemon thread that delivers on one channel while something is due there.

    Attributes:
        alive_at: The monotonic time of its last sign of life.
        claimed: What it delivers.
        looking: It delivers, or looks for a delivery. Else it has found none, and stays for a moment.
        asked: It is to look again.
        more_is_due: The journal held another delivery for it when it stored its last result.
        stopping: It takes no further delivery.
    """

    channel: str
    severe_only: bool
    alive_at: float
    claimed: ClaimedDelivery | None = None
    looking: bool = True
    asked: bool = False
    more_is_due: bool = False
    stopping: bool = False
    thread: threading.Thread | None = None


@dataclass(slots=True, kw_only=True)
class Dispatcher:
    """Delivers what is due in the journal. It may be used from several threads.

    Each channel has two threads. The second takes only deliveries of severity Severe or more, so that a routine post
    that hangs does not delay a warning. The threads are daemons, start when there is work and stop when idle. A thread
    silent for longer than its lease is replaced, and its delivery is marked in doubt.

    A single post that is under way when the time is up is completed. A bulk send ends between two recipients, and the
    others wait.

    Attributes:
        channels: The channels of the installation, by name.
        clock: Measures durations. The journal dates what happens.
        lease: How long a claim holds.
        backoff: Returns the wait after a failure, from the wait after the failure before it.
        poll_interval: Seconds between two looks at what other processes have changed. A worker looks every second.
        rest: Seconds for which a channel is left alone after a failure of this machine, such as a broken journal.
    """

    journal: Journal
    channels: dict[str, ChannelConfig]
    clock: Clock
    lease: timedelta = LEASE
    backoff: Callable[[timedelta], timedelta] = backoff
    poll_interval: float = 0.2
    rest: float = 5.0
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False)  # guards all below
    _changed: threading.Condition = field(init=False)
    _changes: int = field(default=0, init=False)  # how often a thread has finished something
    _wakes: int = field(default=0, init=False)  # how often a drain was to look at once
    _lanes: list[_Lane] = field(default_factory=list, init=False)
    _resting: dict[str, float] = field(default_factory=dict, init=False)  # until when, by channel
    _lists_until: float = field(default=0.0, init=False)  # when bulk sends must end, a time that drains extend
    _draining: int = field(default=0, init=False)  # drains under way
    _closing: bool = field(default=False, init=False)
    _ended: set[str] = field(default_factory=set, init=False)  # owners of claims whose threads a failure has ended
    _logged: dict[str, str] = field(default_factory=dict, init=False)  # why channels cannot be used, by name
    _process: int = field(default_factory=os.getpid, init=False)

    def __post_init__(self) -> None:
        self._changed = threading.Condition(self._lock)

    def drain(
        self,
        budget: timedelta | None,
        *,
        publication: str | None = None,
        stop: Callable[[], bool] = lambda: False,
        duties: Callable[[], object] = lambda: None,
    ) -> datetime | None:
        """Deliver until nothing is due, the budget is used up, or it is stopped.

        A single post that is under way then is completed in its thread. A bulk send ends between two recipients, and
        the last of them is waited for.

        Args:
            budget: How long to deliver at most. `None` makes it a worker: it waits for what is due later, and for
                lists that cannot be read yet, until it is stopped. Then call `finish`.
            publication: Return as soon as nothing more can happen to this publication within the budget.
            stop: Return as soon as this returns True.
            duties: What else is to be done, at each look.

        Returns:
            When something is due next. `None` if nothing is, or if *publication* is settled.

        Raises:
            JournalError: The journal cannot be read or written.
        """
        self._leave_parent()
        with self._lock:
            self._draining += 1
        try:
            return self._drain(budget, publication, stop, duties)
        finally:
            with self._lock:
                self._draining -= 1

    def _drain(
        self,
        budget: timedelta | None,
        publication: str | None,
        stop: Callable[[], bool],
        duties: Callable[[], object],
    ) -> datetime | None:
        is_worker = budget is None
        interval = LOOK_INTERVAL if is_worker else self.poll_interval
        deadline = math.inf if budget is None else self.clock.monotonic() + budget.total_seconds()
        next_upkeep, shown = -math.inf, 0.0
        while not stop() and not self._closing:
            with self._lock:
                seen = self._changes, self._wakes
                self._lists_until = max(self._lists_until, deadline)
            was_set = abs(offset(self.journal.clock) - shown) >= SMALLEST_STEP
            # What a thread that failed still holds is freed at once. If the disk is full, this call reports it.
            if was_set or self._ended or self.clock.monotonic() >= next_upkeep:
                shown = offset(self.journal.clock)
                self._look_after(is_worker=is_worker, whole=publication is None)
                next_upkeep = self.clock.monotonic() + _UPKEEP
            duties()
            due, may_happen = self._look(publication, deadline)
            if due is None:
                return None
            now = self.journal.now()  # read after `due`, so that what is due at once is due by now
            for name in [name for name, at in due.items() if at <= now]:
                self._start(name)
            left = deadline - self.clock.monotonic()
            if left <= 0:
                break
            if not may_happen:
                return self.next_due()
            later = [(at - now).total_seconds() for at in due.values() if at > now]
            self._wait(seen, min([left, interval, *later]), publication)
        self._wait_for_lists()
        return self.next_due()

    def next_due(self) -> datetime | None:
        """Return when something is due next."""
        self._leave_parent()
        return min(self._due().values(), default=None)

    def wake(self) -> None:
        """Let the drains of this process look at once."""
        with self._lock:
            self._wakes += 1
            self._changed.notify_all()

    def interrupt(self) -> bool:
        """Let the drains of this process return soon, and take nothing more. Return whether there are any.

        It takes no lock, for a handler of signals.
        """
        self._closing = self._closing or self._draining > 0
        return self._closing

    def finish(self, *, timeout: float = 5.0) -> bool:
        """Take nothing new, and wait for what is under way. Return whether all of it has ended."""
        self._leave_parent()
        with self._lock:
            self._lists_until = 0.0
            for lane in self._lanes:
                lane.stopping = True
            threads = [lane.thread for lane in self._lanes if lane.thread is not None]
            self.wake()
        until = self.clock.monotonic() + timeout
        for thread in threads:
            thread.join(timeout=max(0.0, until - self.clock.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def close(self, *, timeout: float = 5.0) -> None:
        """Take nothing new any more, and wait for what is under way. May be called twice."""
        self._closing = True
        self.finish(timeout=timeout)

    def _leave_parent(self) -> None:
        """Forget the parent's threads in a forked child, and the lock that one may have held."""
        if self._process != os.getpid():
            self._lock = threading.RLock()
            self._changed = threading.Condition(self._lock)
            self._lanes, self._resting, self._lists_until, self._draining = [], {}, 0.0, 0
            self._process = os.getpid()

    # --- what is to be done

    def _look_after(self, *, is_worker: bool, whole: bool) -> None:
        """Give a sign of life, follow the clock, and take back what processes that exited or hang have claimed."""
        ended = frozenset(self._ended)
        with self.journal.write(durable=False):
            # What the call of a publication cannot use is reported by that call alone.
            unusable = self._unusable(is_worker=is_worker) if whole else None
            self.journal.workers.heartbeat(is_worker=is_worker, unusable=unusable)
            self.journal.workers.record_lost()
            self.journal.deliveries.recover(self.lease, ended)
            expired = self.journal.deliveries.settle_expired()
            aborted = self.journal.sendings.ended()
        while expired:
            expired = self.journal.deliveries.settle_expired()
        self._ended -= ended
        self.journal.sendings.finish(aborted)

    def _unusable(self, *, is_worker: bool) -> dict[str, str]:
        """Return the channels that cannot be used in this process, with the reason. A worker logs each once."""
        unusable = {name: config.problem for name, config in self.channels.items() if config.problem}
        if is_worker:
            for name in sorted(unusable):
                if unusable[name] != self._logged.get(name):
                    why, about = unusable[name], fields("unusable", channel=name)
                    _log.error("Channel %s cannot be used here, and its messages wait: %s", name, why, extra=about)
            self._logged = unusable
        return unusable

    def _due(self, *, postponed: bool = True) -> dict[str, datetime]:
        """Return the next due time of each channel, honouring rests; see `Deliveries.due`."""
        now, monotonic = self.journal.now(), self.clock.monotonic()
        rates = {name: config.rate for name, config in self.channels.items() if not config.problem}
        due = self.journal.deliveries.due(rates, rates=rates, postponed=postponed)
        with self._lock:
            rested = {name: now + timedelta(seconds=until - monotonic) for name, until in self._resting.items()}
        return {name: max(at, rested.get(name, at)) for name, at in due.items()}

    def _look(self, publication: str | None, deadline: float) -> tuple[dict[str, datetime] | None, bool]:
        """Return what is due when, and whether anything that the drain waits for is under way, or may begin in time.

        There is nothing due for a publication that is settled.
        """
        if deadline == math.inf:
            return self._due(), True
        with self._lock:  # before the journal is read: a thread that has settled something is not missed
            works = any(lane.looking for lane in self._living())
        with self.journal.snapshot():
            pending = None if publication is None else self.journal.publications.pending(publication)
            if pending is not None and not (pending.due or pending.postponed):
                return None, False
            due, now = self._due(postponed=False), self.journal.now()
        soon = now + timedelta(seconds=max(0.0, deadline - self.clock.monotonic()))
        if pending is None:
            return due, works or any(at <= soon for at in due.values())
        return due, any(at is None or (name in due and max(at, due[name]) <= soon) for name, at in pending.due.items())

    # --- waiting

    def _wait(self, seen: tuple[int, int], seconds: float, publication: str | None) -> None:
        """Wait that long, until woken, or until no thread has anything more that the drain waits for."""
        changes, wakes = seen

        def over() -> bool:
            if self._wakes != wakes:
                return True
            return self._changes != changes and not any(self._is_awaited(lane, publication) for lane in self._lanes)

        with self._lock:
            self._changed.wait_for(over, timeout=seconds)

    def _is_awaited(self, lane: _Lane, publication: str | None) -> bool:
        """Return whether a drain waits for a thread, which looks for its next delivery without help."""
        if publication is None or lane.claimed is None:
            return lane.looking
        return lane.claimed.publication == publication

    def _wait_for_lists(self) -> None:
        """Wait a moment for the bulk sends whose time is up, for the receipts."""

        def ended() -> bool:
            lists = any(lane.claimed is not None and lane.claimed.has_recipients for lane in self._living())
            return not lists or self._lists_have_time()

        with self._lock:
            self._changed.wait_for(ended, timeout=_LAST_RECIPIENT)

    def _lists_have_time(self) -> bool:
        return self.clock.monotonic() < self._lists_until

    # --- threads

    def _living(self) -> list[_Lane]:
        """Return the threads that live and show signs of life. With the lock held."""
        silent = self.clock.monotonic() - self.lease.total_seconds()
        alive = (lane for lane in self._lanes if lane.thread is not None and lane.thread.is_alive())
        self._lanes = [lane for lane in alive if lane.alive_at > silent]
        return self._lanes

    def _start(self, channel: str) -> None:
        """Ensure that a thread delivers, and a second one if it is busy with a routine post."""
        with self._lock:
            if self._resting.get(channel, 0.0) > self.clock.monotonic():
                return  # since it was found due
            routine = self._ask(channel, severe_only=False)
        # Read without the lock: threads that wait for it may have all the journal's connections.
        if routine is not None and routine.claimed and self.journal.deliveries.is_ready(channel, severe_only=True):
            with self._lock:
                self._ask(channel, severe_only=True)

    def _ask(self, channel: str, *, severe_only: bool) -> _Lane | None:
        """Ask the channel's thread to look for a delivery, or start one. Return it. With the lock held."""
        for lane in self._living():
            if (lane.channel, lane.severe_only) == (channel, severe_only):
                lane.asked = lane.looking = True
                self._changed.notify_all()
                return lane
        lane = _Lane(channel, severe_only, alive_at=self.clock.monotonic())
        lane.thread = threading.Thread(target=self._run, args=(lane,), name=f"policenotify {channel}", daemon=True)
        try:
            lane.thread.start()
        except RuntimeError as error:  # the machine has no more threads
            _log.error("Channel %s: %s", channel, error, extra=fields(channel=channel))  # the trace adds nothing
            self._let_rest(channel)
            return None
        self._lanes.append(lane)
        return lane

    def _run(self, lane: _Lane) -> None:
        config = self.channels[lane.channel]
        channel: Channel | None = None
        owner = f"{this_process()}/{uuid4().hex[:8]}"
        siblings = {name for name, other in self.channels.items() if other.network == config.network}
        reader = AudienceReader()
        try:
            while self._may_take(lane, config):
                claimed = self.journal.deliveries.claim(
                    config.name, owner, lease=self.lease, severe_only=lane.severe_only, rate=config.rate
                )
                if claimed is not None:
                    self._is_at(lane, claimed)
                    channel = channel or self._open(config, claimed)
                    if channel is None:
                        return
                    DeliveryAttempt(
                        journal=self.journal,
                        channel=channel,
                        config=config,
                        clock=self.clock,
                        lease=self.lease,
                        backoff=self.backoff,
                        may_go_on=partial(self._list_goes_on, lane),
                        siblings=siblings,
                        reader=reader,
                        on_result=partial(self._look_for_more, lane),
                    ).run(claimed)
                    self._is_at(lane, None)
                if (claimed is None or not lane.more_is_due) and not (channel and self._is_asked(lane)):
                    return
        except JournalTakenAway:  # the journal has raised the alarm, and hands nothing out any more
            self._let_rest(config.name)
        except LostLease as error:
            self._ended.add(owner)  # what this thread still holds is free
            _log.warning("Channel %s: %s", config.name, error, extra=fields(channel=config.name))
        except BaseException as error:  # noqa: BLE001 - nothing above a thread would report it
            # The claimed delivery is recovered by the next drain here, or when its lease runs out. A trace would hold
            # values.
            self._ended.add(owner)
            text = str(error) if isinstance(error, JournalError) else f"{type(error).__name__} escaped."
            _log.error("Channel %s: %s", config.name, text, extra=fields(channel=config.name))  # no trace, see above
            self._let_rest(config.name)
        finally:
            if channel is not None:  # closing may hang, too
                _close(channel, config.name)
            with self._lock:
                self._lanes = [other for other in self._lanes if other is not lane]
                self._note_change()

    def _note_change(self) -> None:
        with self._lock:
            self._changes += 1
            self._changed.notify_all()

    def _is_at(self, lane: _Lane, claimed: ClaimedDelivery | None) -> None:
        """Note what a thread delivers, which is a sign of life."""
        with self._lock:
            lane.alive_at, lane.claimed = self.clock.monotonic(), claimed
            if claimed is None:
                self._note_change()

    def _goes_on(self, lane: _Lane) -> bool:
        """Return whether the thread may take another delivery. With the lock held."""
        return lane in self._living() and not (lane.stopping or self._closing)

    def _may_take(self, lane: _Lane, config: ChannelConfig) -> bool:
        """Return whether the thread claims a delivery now. What it is asked from now on is for the look after that."""
        with self._lock:
            lane.asked = False
            return self._goes_on(lane) and (self._lists_have_time() or not config.capabilities.recipients)

    def _list_goes_on(self, lane: _Lane) -> bool:
        """Return whether the thread may ask for another recipient, which is a sign of life."""
        with self._lock:
            lane.alive_at = self.clock.monotonic()
            return self._goes_on(lane) and self._lists_have_time()

    def _look_for_more(self, lane: _Lane) -> None:
        """Look whether to claim again, in the transaction that stores a result."""
        lane.more_is_due = self.journal.deliveries.is_ready(lane.channel, severe_only=lane.severe_only)

    def _is_asked(self, lane: _Lane) -> bool:
        """Keep the connection for a moment. Return whether to look for a delivery again."""
        with self._lock:
            lane.looking = lane.asked
            self._note_change()
            self._changed.wait_for(lambda: lane.asked or lane.stopping, timeout=_KEEP_OPEN)
            lane.alive_at = self.clock.monotonic()
            if not lane.asked:
                self._lanes = [other for other in self._lanes if other is not lane]
            return lane.asked

    def _let_rest(self, channel: str) -> None:
        with self._lock:
            self._resting[channel] = self.clock.monotonic() + self.rest

    def _open(self, config: ChannelConfig, claimed: ClaimedDelivery) -> Channel | None:
        """Return a channel object for this thread. If it cannot be made, block the channel."""
        try:
            return config.open(self.clock, self.journal.channels.state_store(config.name))
        except Exception as error:  # noqa: BLE001 - the constructor of another package may raise anything
            why = f": {error}" if isinstance(error, PolicenotifyError) else f" ({type(error).__name__})."
            blocked = Blocked(f"The channel {config.name!r} cannot be opened{why}", remedy="Then: policenotify doctor")
            if self.journal.channels.block(config.name, blocked):
                log_blocked(config.name)
            self.journal.deliveries.record_result(
                claimed, waiting(claimed, reason=blocked.reason, remedy=blocked.remedy)
            )
            return None


def _close(channel: Channel, name: str) -> None:
    try:
        channel.close()
    except Exception as error:  # noqa: BLE001 - the delivery is settled already
        _log.warning("Channel %s did not close: %s", name, type(error).__name__, extra=fields(channel=name))
