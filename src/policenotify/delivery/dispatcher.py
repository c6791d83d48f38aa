"""Claim and send due deliveries on all channels at once."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from policenotify.channel import ChannelConfig, Clock
from policenotify.delivery.attempt import DeliveryAttempt
from policenotify.delivery.log_lines import log_blocked
from policenotify.delivery.sender import backoff, waiting
from policenotify.errors import Blocked, JournalError, JournalTakenAway, LostLease, PolicenotifyError
from policenotify.journal.clock import SMALLEST_STEP, offset
from policenotify.journal.leases import this_process
from policenotify.journal.records import LEASE, ClaimedDelivery
from policenotify.log import fields
from policenotify.translation import AnyText, Text

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_log = logging.getLogger("policenotify")

LOOK_INTERVAL = 1.0
"""Seconds between two looks of a worker."""

_POLL_INTERVAL = 0.2  # seconds between two looks of a drain at what other processes have changed
_REST = 5.0  # seconds for which a channel is left alone after a failure of this machine, such as a broken journal
_UPKEEP = 30.0  # seconds between two heartbeats, and two looks for claims of processes that exited
_KEEP_OPEN = 1.5  # seconds an idle connection stays open; common servers close theirs after two or more (gunicorn: 2)
_PATIENCE = timedelta(seconds=3)  # of a call that publishes, with a network that fails: the first two tries again
_LAST_RECIPIENT = 2.0  # seconds a drain whose budget is used up waits for a bulk send to end


class _Lane(threading.Thread):
    """A daemon thread that delivers on one channel while something is due there.

    Attributes:
        alive_at: The monotonic time of its last sign of life.
        claimed: What it delivers.
        looking: It delivers, or looks for a delivery. Else it has found none, and stays for a moment.
        asked: It is to look again.
    """

    def __init__(self, dispatcher: Dispatcher, channel: str, *, severe_only: bool) -> None:
        super().__init__(target=dispatcher.run_lane, args=(self,), name=f"policenotify {channel}", daemon=True)
        self.channel: str = channel
        self.severe_only: bool = severe_only
        self.alive_at: float = dispatcher.clock.monotonic()
        self.claimed: ClaimedDelivery | None = None
        self.looking: bool = True
        self.asked: bool = False


@dataclass(kw_only=True)
class Dispatcher:
    """Delivers what is due in the journal. It may be used from several threads.

    Each channel has two threads. The second takes only deliveries of severity Severe or more, so that a routine post
    that hangs does not delay a warning. One list is sent by one of them. The threads are daemons, start when there is
    work and stop when idle. A thread silent for longer than its lease is replaced, and its delivery is marked in doubt.

    Attributes:
        channels: The channels of the installation, by name. One that is replaced is opened again.
        clock: Measures durations. The journal dates what happens.
        lease: How long a claim holds.
        backoff: Returns the wait after a failure, from the wait after the failure before it.
        refresh: Replaces the channels whose settings may have changed. Called at each look, before anything is sent.
    """

    journal: Journal
    channels: dict[str, ChannelConfig]
    clock: Clock
    lease: timedelta = LEASE
    backoff: Callable[[timedelta], timedelta] = backoff
    refresh: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self._forget_threads()

    def _forget_threads(self) -> None:
        """Begin without threads, as in a forked child: one of its parent may have held the lock."""
        self._process = os.getpid()
        self._changed = threading.Condition()  # its lock guards all below
        self._changes = 0  # how often the drains were to look again
        self._draining = 0  # drains under way
        self._closing = False
        self._lanes: set[_Lane] = set()
        self._leaving: set[_Lane] = set()  # which take nothing new, and may not have ended yet
        self._resting: dict[str, float] = {}  # until when, by channel
        self._upkept_at = -math.inf  # when it was last looked after what others left
        self._offset = 0.0  # the clock minus what cannot be set, then
        self._lists_until = 0.0  # when bulk sends must end, a time that drains extend
        self._ended: set[str] = set()  # owners of claims whose threads a failure has ended
        self._logged: dict[str, AnyText] = {}  # why channels cannot be used, by name

    def drain(
        self,
        budget: timedelta | None,
        *,
        publication: str | None = None,
        stop: Callable[[], bool] = lambda: False,
        duties: Callable[[], bool] = lambda: False,
    ) -> datetime | None:
        """Deliver until nothing is due, the budget is used up, or it is stopped.

        A single post that is under way then is completed in its thread. A bulk send ends between two recipients: the
        last of them is waited for, and the others wait.

        Args:
            budget: How long to deliver at most. `None` makes it a worker: it waits for what is due later, and for
                lists that cannot be read yet, until it is stopped. Then call `finish`.
            publication: Return as soon as nothing more can happen to this publication within the budget.
            stop: Return as soon as this returns True.
            duties: What else is done at each look. It returns whether there is more to deliver.

        Returns:
            When something is due next. `None` if nothing is, or for a *publication*.

        Raises:
            JournalError: The journal cannot be read or written.
        """
        self._leave_parent()
        deadline = math.inf if budget is None else self.clock.monotonic() + budget.total_seconds()
        with self._changed:
            self._draining += 1
            if publication is None:  # else it was done a moment ago, if this process delivers often
                self._upkept_at = -math.inf
        try:
            while not stop() and not self._closing and self._deliver(deadline, publication, duties):
                pass
            self._wait_for_lists()
        finally:
            with self._changed:
                self._draining -= 1
        return None if publication else self.next_due()

    def _deliver(self, deadline: float, publication: str | None, duties: Callable[[], bool]) -> bool:
        """Start threads for what is due, and wait for what changes. Return False if there is nothing to wait for."""
        is_worker = deadline == math.inf
        with self._changed:
            seen = self._changes
            self._lists_until = max(self._lists_until, deadline)
        shown = offset(self.journal.clock)
        was_set = abs(shown - self._offset) >= SMALLEST_STEP
        # What a thread that failed still holds is freed at once. If the disk is full, this call reports it.
        if was_set or self._ended or not 0 <= self.clock.monotonic() - self._upkept_at < _UPKEEP:
            self._look_after(is_worker=is_worker, whole=publication is None)
            self._upkept_at, self._offset = self.clock.monotonic(), shown
        due, may_happen = self._look(publication, deadline)
        self.refresh()  # after the look: a channel that was unblocked before it is not tried with its old secret
        now = self.journal.now()  # read after `due`, so that what is due at once is due by now
        for name in [name for name, at in due.items() if at <= now]:
            self._start(name)
        more, left = duties(), deadline - self.clock.monotonic()
        if left <= 0 or not (may_happen or more):
            return False
        if not more:
            later = [(at - now).total_seconds() for at in due.values() if at > now]
            interval = LOOK_INTERVAL if is_worker else _POLL_INTERVAL
            with self._changed:
                self._changed.wait_for(lambda: self._changes != seen, timeout=min([left, interval, *later]))
        return True

    def next_due(self) -> datetime | None:
        """Return when something is due next."""
        self._leave_parent()
        return min(self._due().values(), default=None)

    def wake(self) -> None:
        """Let the drains of this process look at once."""
        with self._changed:
            self._changes += 1
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
        with self._changed:
            self._leaving = {lane for lane in self._leaving | self._lanes if lane.is_alive()}
            self._lists_until = 0.0
            self._lanes.clear()
            self.wake()
        until = self.clock.monotonic() + timeout
        for lane in self._leaving:
            lane.join(timeout=max(0.0, until - self.clock.monotonic()))
        return not any(lane.is_alive() for lane in self._leaving)

    def close(self, *, timeout: float = 5.0) -> None:
        """Take nothing new any more, and wait for what is under way. May be called twice."""
        self._leave_parent()
        self._closing = True
        self.finish(timeout=timeout)

    def _leave_parent(self) -> None:
        if self._process != os.getpid():
            self._forget_threads()

    # --- what is to be done

    def _look_after(self, *, is_worker: bool, whole: bool) -> None:
        """Give a sign of life, follow the clock, and take back what processes that exited or hang have claimed."""
        ended, blocked = frozenset(self._ended), None
        if whole:  # what the call of a publication cannot use is reported by that call alone
            blocked = {name: config.blocked for name, config in self.channels.items() if config.blocked}
        with self.journal.write(durable=False):
            self.journal.workers.heartbeat(is_worker=is_worker or None, blocked=blocked)
            self.journal.deliveries.recover(ended)
            expired = self.journal.deliveries.settle_expired()
        while expired:
            expired = self.journal.deliveries.settle_expired()
        self._ended -= ended
        if is_worker and blocked is not None:
            for name, why in sorted(blocked.items() - self._logged.items()):
                about = fields("blocked", channel=name)
                _log.error("Channel %s is blocked here, and its messages wait: %s", name, why, extra=about)
            self._logged = blocked

    def _due(self, *, postponed: bool = True) -> dict[str, datetime]:
        """Return the next due time of each channel, honouring rests; see `Deliveries.due`."""
        now, monotonic = self.journal.now(), self.clock.monotonic()
        rates = {name: config.rate for name, config in self.channels.items() if not config.blocked}
        due = self.journal.deliveries.due(rates, postponed=postponed)
        with self._changed:
            rested = {name: now + timedelta(seconds=until - monotonic) for name, until in self._resting.items()}
        return {name: max(at, rested.get(name, at)) for name, at in due.items()}

    def _look(self, publication: str | None, deadline: float) -> tuple[dict[str, datetime], bool]:
        """Return what is due when, and whether anything that the drain waits for is under way, or may begin in time."""
        if deadline == math.inf:
            return self._due(), True
        with self._changed:  # before the journal is read: a thread that has settled something is not missed
            works = any(lane.looking for lane in self._living())
        with self.journal.read():
            soon = self.journal.now() + timedelta(seconds=max(0.0, deadline - self.clock.monotonic()))
            if publication is None:
                due = self._due(postponed=False)
                return due, works or any(at <= soon for at in due.values())
            pending = self.journal.publications.pending(publication, patience=_PATIENCE)
            due = self._due(postponed=False) if pending else {}
            return due, any(at is None or (name in due and max(at, due[name]) <= soon) for name, at in pending.items())

    def _wait_for_lists(self) -> None:
        """Wait a moment for the bulk sends whose time is up, so that receipts do not state that they go on."""

        def ended() -> bool:
            lists = any(lane.claimed is not None and lane.claimed.has_recipients for lane in self._living())
            return not lists or self.clock.monotonic() < self._lists_until

        with self._changed:
            self._changed.wait_for(ended, timeout=_LAST_RECIPIENT)

    # --- threads

    def _living(self) -> set[_Lane]:
        """Return the threads that live and show signs of life. With the lock held."""
        silent = self.clock.monotonic() - self.lease.total_seconds()
        self._lanes = {lane for lane in self._lanes if lane.alive_at > silent and lane.is_alive()}
        return self._lanes

    def _start(self, channel: str) -> None:
        """Ensure that a thread delivers, and a second one if it is busy with a routine post."""
        routine = self._ask(channel, severe_only=False)
        claimed = routine.claimed if routine is not None else None
        # Read without the lock: threads that wait for it may have all the journal's connections.
        if claimed and self.journal.deliveries.is_ready(channel, severe_only=True, beside=claimed.public_id):
            self._ask(channel, severe_only=True)

    def _ask(self, channel: str, *, severe_only: bool) -> _Lane | None:
        """Ask the channel's thread to look for a delivery, or start one. Return it, unless the channel rests."""
        with self._changed:
            if self._resting.get(channel, 0.0) > self.clock.monotonic():
                return None  # since it was found due
            for lane in self._living():
                if (lane.channel, lane.severe_only) == (channel, severe_only):
                    lane.asked = lane.looking = True
                    self._changed.notify_all()
                    return lane
            lane = _Lane(self, channel, severe_only=severe_only)
            try:
                lane.start()
            except RuntimeError as error:  # the machine has no more threads
                _log.error("Channel %s: %s", channel, error, extra=fields(channel=channel))  # the trace adds nothing
                self._let_rest(channel)
                return None
            self._lanes.add(lane)
            return lane

    def run_lane(self, lane: _Lane) -> None:
        """Claim and deliver in a thread, until nothing is due on its channel."""
        config, owner = self.channels[lane.channel], f"{this_process()}/{uuid4().hex[:8]}"
        attempts: DeliveryAttempt | None = None
        try:
            while self._goes_on(lane, people=config.capabilities.recipients):
                lane.asked = False  # what it is asked from now on is for the look after this
                claimed = self.journal.deliveries.claim(
                    config.name,
                    owner,
                    lease=self.lease,
                    severe_only=lane.severe_only,
                    rate=config.rate,
                    beside=self._sent_beside(lane),
                )
                if claimed is not None:
                    with self._changed:
                        lane.alive_at, lane.claimed = self.clock.monotonic(), claimed
                    config = self.channels[lane.channel]
                    if attempts is not None and attempts.config is not config:  # it may have a new secret
                        attempts.close()
                        attempts = None
                    attempts = attempts or self._open(lane, config, claimed)
                    if attempts is None:
                        return
                    attempts.run(claimed)
                    lane.claimed = None
                if attempts is None or not self._is_asked(lane):
                    return
        except BaseException as error:  # noqa: BLE001 - nothing above a thread would report it
            # The claimed delivery is recovered by the next drain here, or when its lease runs out.
            self._ended.add(owner)
            if not isinstance(error, LostLease):  # else another process goes on
                self._let_rest(config.name)
            if not isinstance(error, JournalTakenAway):  # of which the journal has raised the alarm
                text = str(error) if isinstance(error, JournalError) else f"{type(error).__name__} escaped."
                about = fields(channel=config.name)
                _log.error("Channel %s: %s", config.name, text, extra=about)  # a trace would hold values
        finally:
            if attempts is not None:  # closing may hang, too
                attempts.close()
            with self._changed:
                self._lanes.discard(lane)
                self._note_idle()

    def _open(self, lane: _Lane, config: ChannelConfig, claimed: ClaimedDelivery) -> DeliveryAttempt | None:
        """Open the channel for a thread. If it cannot be opened, block it."""
        try:
            channel = config.open(self.clock, self.journal.channels.state_store(config.name))
        except Exception as error:  # noqa: BLE001 - the constructor of another package may raise anything
            why = error if isinstance(error, PolicenotifyError) else f"{type(error).__name__}."
            reason = Text("The channel {name!r} cannot be opened: {why}", name=config.name, why=why)
            blocked = Blocked(reason, remedy=Text("Then: policenotify doctor"))
            if self.journal.channels.block(config.name, blocked):
                log_blocked(config.name)
            self.journal.deliveries.record_result(claimed, waiting(claimed, reason=reason, remedy=blocked.remedy))
            return None
        return DeliveryAttempt(
            journal=self.journal,
            channel=channel,
            config=config,
            clock=self.clock,
            lease=self.lease,
            backoff=self.backoff,
            may_go_on=partial(self._goes_on, lane),
            siblings={name for name, other in self.channels.items() if other.network == config.network},
            on_result=partial(self._look_for_more, lane),
        )

    def _note_idle(self) -> None:
        """Let the drains look, unless a thread still looks for its next delivery without help. With the lock held."""
        if not any(lane.looking for lane in self._lanes):
            self._changes += 1
        self._changed.notify_all()

    def _goes_on(self, lane: _Lane, *, people: bool = True) -> bool:
        """Return whether a thread may take another delivery, or begin another of its *people*: a sign of life."""
        with self._changed:
            lane.alive_at = now = self.clock.monotonic()
            return lane in self._living() and not self._closing and (not people or now < self._lists_until)

    def _look_for_more(self, lane: _Lane) -> None:
        """Let the thread claim again if something is due, in the transaction that stores a result."""
        beside = self._sent_beside(lane)
        if self.journal.deliveries.is_ready(lane.channel, severe_only=lane.severe_only, beside=beside):
            lane.asked = True

    def _sent_beside(self, lane: _Lane) -> int | None:
        """Return what the channel's other thread sends: of a list, two would ask the network twice as much at once."""
        with self._changed:
            others = (each.claimed for each in self._living() if each.channel == lane.channel and each is not lane)
            return next((claimed.public_id for claimed in others if claimed is not None), None)

    def _is_asked(self, lane: _Lane) -> bool:
        """Keep the connection for a moment. Return whether to look for a delivery again."""
        with self._changed:
            lane.looking = lane.asked
            self._note_idle()
            self._changed.wait_for(lambda: lane.asked or lane not in self._lanes, timeout=_KEEP_OPEN)
            lane.alive_at = self.clock.monotonic()
            if not lane.asked:
                self._lanes.discard(lane)
            return lane.asked

    def _let_rest(self, channel: str) -> None:
        with self._changed:
            self._resting[channel] = self.clock.monotonic() + _REST
