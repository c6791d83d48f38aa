"""Claim and send due deliveries on all channels at once."""

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
from policenotify.delivery.attempt import DeliveryAttempt, Following, backoff
from policenotify.delivery.audience_reader import AudienceReader
from policenotify.delivery.bulk_attempt import waiting
from policenotify.delivery.log_lines import log_blocked
from policenotify.errors import Blocked, JournalError, JournalTakenAway, LostLease, PolicenotifyError
from policenotify.journal.leases import this_process
from policenotify.journal.records import LEASE, ClaimedDelivery
from policenotify.log import fields

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_log = logging.getLogger("policenotify")

_RECOVERIES = 24  # how often in the time of a lease a drain recovers what processes that exited or hang have claimed
_KEEP_OPEN = 1.5  # seconds an idle connection stays open; common servers close theirs after two or more (gunicorn: 2)
_QUIET = 2.5  # poll intervals between two looks of a drain that only waits: half a second
_LAST_RECIPIENT = 2.0  # seconds a drain whose budget is used up waits for a bulk send to end


@dataclass(eq=False, slots=True)
class _WorkerThread:
    """A daemon thread that delivers on one channel while something is due there."""

    channel: str
    severe_only: bool
    alive_at: float  # monotonic time of its last sign of life
    busy: bool = False  # it has a delivery, and does not look for one
    publication: str | None = None  # of that delivery
    bulk: bool = False  # that delivery has recipients
    idle: bool = False  # it has found nothing, and stays for a moment
    requested: threading.Event = field(default_factory=threading.Event)  # it is asked to look for a delivery
    stopping: bool = False  # it takes no further delivery
    thread: threading.Thread | None = None

    def sign_of_life(self, clock: Clock, *, busy: bool) -> None:
        self.alive_at, self.busy = clock.monotonic(), busy


@dataclass(eq=False, slots=True)
class _Deadline:
    """When the bulk sends of a drain must end. A worker's is infinite until `finish`."""

    at: float


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
        poll_interval: Seconds between two looks at what other processes and the clock have changed. While nothing has,
            looks are rarer, and read only the number of the newest event.
        rest: Seconds for which a channel is left alone after a failure of this machine, such as a broken journal.
    """

    journal: Journal
    channels: dict[str, ChannelConfig]
    clock: Clock
    lease: timedelta = LEASE
    backoff: Callable[[timedelta], timedelta] = backoff
    poll_interval: float = 0.2
    rest: float = 5.0
    _threads: list[_WorkerThread] = field(default_factory=list, init=False)
    _resting: dict[str, float] = field(default_factory=dict, init=False)  # until when, by channel
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)  # guards the two above
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False)
    _changes: int = field(default=0, init=False)  # how often a thread has finished something
    _closing: bool = field(default=False, init=False)
    _deadlines: list[_Deadline] = field(default_factory=list, init=False)  # of the drains that are under way
    _left_over: float = field(default=0.0, init=False)  # the deadline that drains which returned early have left
    _ended: set[str] = field(default_factory=set, init=False)  # owners of claims whose threads a failure has ended
    _logged: dict[str, str] = field(default_factory=dict, init=False)  # why channels cannot be used, by name
    _process: int = field(default_factory=os.getpid, init=False)

    def drain(
        self,
        budget: timedelta,
        *,
        publication: str | None = None,
        enough: Callable[[], bool] = lambda: False,
        is_worker: bool = False,
    ) -> datetime | None:
        """Deliver until nothing is due, or the budget is used up.

        A single post that is under way then is completed in its thread. A bulk send ends between two recipients, and
        the last of them is waited for. Only a worker waits until a list that cannot be read is tried again.

        Args:
            budget: How long to deliver at most.
            publication: Return as soon as nothing more can happen to this publication within the budget.
            enough: Return as soon as this returns True.
            is_worker: The caller goes on draining until it calls `Journal.stop_heartbeat`.

        Returns:
            When something is due next. `None` if nothing is, or if *publication* is settled.

        Raises:
            JournalError: The journal cannot be read or written.
        """
        self._reset_after_fork()
        deadline = self.clock.monotonic() + budget.total_seconds()
        with self._deadline(math.inf if is_worker else deadline):
            return self._drain(deadline, publication=publication, enough=enough, is_worker=is_worker)

    def _drain(
        self, deadline: float, *, publication: str | None, enough: Callable[[], bool], is_worker: bool
    ) -> datetime | None:
        next_recovery = self.clock.monotonic()
        quiet = False
        while True:
            changes = self._changes
            # Read before what it stands for. Only a drain that waits needs it.
            token = self.journal.change_token() if quiet else None
            if self.clock.monotonic() >= next_recovery:
                with self.journal.write(durable=False):
                    # What the call of a publication cannot use is reported by that call alone.
                    unusable = self._unusable(is_worker=is_worker) if publication is None else None
                    self.journal.workers.heartbeat(is_worker=is_worker, unusable=unusable)
                    self.journal.workers.record_lost()
                    ended = frozenset(self._ended)
                    self.journal.deliveries.recover(self.lease, ended)
                self._ended -= ended
                self.journal.sendings.finish_aborts()
                next_recovery = self.clock.monotonic() + self.lease.total_seconds() / _RECOVERIES
            with self.journal.snapshot():
                if publication is not None and not self.journal.publications.pending(publication):
                    return None
                due = self._due(postponed=is_worker)
            if enough():
                return self.next_due()
            now = self.journal.now()  # read after `due`, so that what is due at once is due by now
            for name in [name for name, at in due.items() if at <= now]:
                self._start(name)
            left = deadline - self.clock.monotonic()
            if left <= 0 or self._closing:
                self._wait_for_bulk_sends()
                return self.next_due()
            soon = now + timedelta(seconds=left)
            if not self._may_happen(soon, due, publication):
                # Something may have been settled between two reads of the journal, so one more must agree.
                due = self._due(postponed=is_worker)
                if not self._may_happen(soon, due, publication):
                    return self.next_due()
            later = [(at - now).total_seconds() for at in due.values() if at > now]
            seconds = min([left, *later])
            if token is None or len(later) < len(due):  # what is due and was not claimed is looked at again
                quiet = enough() or self._wait(changes, min(seconds, self.poll_interval), publication)
            else:
                until = min(self.clock.monotonic() + seconds, next_recovery)
                self._wait_for_news(changes, token, until, publication, enough)

    def next_due(self) -> datetime | None:
        """Return when something is due next."""
        self._reset_after_fork()
        return min(self._due().values(), default=None)

    def may_deliver(self, publication: str, until: datetime) -> bool:
        """Return whether something of the publication is being sent, or may be sent by then. See `drain`."""
        return self._may_happen(until, self._due(postponed=False), publication)

    def finish(self, *, timeout: float = 5.0) -> bool:
        """Take nothing new, and wait for what is under way. Return whether all of it has ended."""
        self._reset_after_fork()
        with self._lock:
            self._left_over = 0.0
            for deadline in self._deadlines:
                deadline.at = 0.0 if deadline.at == math.inf else deadline.at
            threads = [worker.thread for worker in self._threads if worker.thread is not None]
            for worker in self._threads:
                worker.stopping = True
                worker.requested.set()
        self._notify()
        until = self.clock.monotonic() + timeout
        for thread in threads:
            thread.join(timeout=max(0.0, until - self.clock.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def close(self, *, timeout: float = 5.0) -> None:
        """Take nothing new any more, and wait for what is under way. May be called twice."""
        self._closing = True
        self.finish(timeout=timeout)

    def _reset_after_fork(self) -> None:
        """Forget the parent's threads in a forked child, and the locks that they may have held."""
        if self._process != os.getpid():
            self._lock, self._changed = threading.Lock(), threading.Condition()
            self._deadlines, self._left_over = [], 0.0
            self._threads, self._resting, self._process = [], {}, os.getpid()

    # --- how long bulk sends may go on

    @contextmanager
    def _deadline(self, at: float) -> Iterator[None]:
        """Let bulk sends go on until then, even if the drain returns early."""
        deadline = _Deadline(at)
        with self._lock:
            self._deadlines.append(deadline)
        try:
            yield
        finally:
            with self._lock:
                self._deadlines.remove(deadline)
                self._left_over = max(self._left_over, deadline.at)

    def _bulk_may_go_on(self, worker: _WorkerThread) -> bool:
        """Return whether the thread may ask for another recipient. This is a sign of life, too."""
        worker.sign_of_life(self.clock, busy=True)
        return self._goes_on(worker) and self._bulk_has_time()

    def _bulk_has_time(self) -> bool:
        with self._lock:
            until = max([self._left_over, *(deadline.at for deadline in self._deadlines)])
        return self.clock.monotonic() < until

    def _wait_for_bulk_sends(self) -> None:
        """Wait a moment for the bulk sends whose time is up, for the receipts."""
        until = self.clock.monotonic() + _LAST_RECIPIENT
        while (left := until - self.clock.monotonic()) > 0:
            changes = self._changes
            with self._lock:
                ending = any(worker.bulk for worker in self._living())
            if not ending or self._bulk_has_time() or not self._wait_for_change(changes, left):
                return

    # --- what is to be done

    def _unusable(self, *, is_worker: bool) -> dict[str, str]:
        """Return the channels that cannot be used in this process, with the reason. A worker logs each once."""
        unusable = {name: config.problem for name, config in self.channels.items() if config.problem}
        if is_worker and unusable != self._logged:
            for name in sorted(unusable):
                if unusable[name] != self._logged.get(name):
                    why, about = unusable[name], fields("unusable", channel=name)
                    _log.error("Channel %s cannot be used here, and its messages wait: %s", name, why, extra=about)
            self._logged = unusable
        return unusable

    def _due(self, *, postponed: bool = True) -> dict[str, datetime]:
        """Return the next due time of each channel, honouring rests; see `Deliveries.due`."""
        now, monotonic = self.journal.now(), self.clock.monotonic()
        usable = {name: config for name, config in self.channels.items() if not config.problem}
        rates = {name: config.rate for name, config in usable.items()}
        with self._lock:
            rested = {name: now + timedelta(seconds=until - monotonic) for name, until in self._resting.items()}
        due = self.journal.deliveries.due(usable, rates=rates, postponed=postponed)
        return {name: max(at, rested.get(name, at)) for name, at in due.items()}

    def _may_happen(self, soon: datetime, due: dict[str, datetime], publication: str | None) -> bool:
        """Return whether anything that the drain waits for is under way, or may begin by then."""
        if publication is None:
            with self._lock:
                works = not all(worker.idle for worker in self._living())
            return works or any(at <= soon for at in due.values())
        unsettled = self.journal.publications.pending(publication, postponed=False)
        return any(at is None or (name in due and max(at, due[name]) <= soon) for name, at in unsettled.items())

    def _wait(self, changes: int, seconds: float, publication: str | None) -> bool:
        """Wait that long, or until no thread has anything that the drain waits for. Return whether nothing happened."""
        until, quiet = self.clock.monotonic() + seconds, True
        while (left := until - self.clock.monotonic()) > 0:
            if not self._wait_for_change(changes, left):
                return quiet
            changes, quiet = self._changes, False
            with self._lock:  # a thread looks for its next delivery without our help
                busy = any(
                    not worker.idle if publication is None else worker.publication == publication
                    for worker in self._living()
                )
            if not busy:
                return False
        return quiet

    def _wait_for_news(
        self, changes: int, token: object, until: float, publication: str | None, enough: Callable[[], bool]
    ) -> None:
        """Wait until then, or until a thread, another process or the clock has changed something."""
        offset = self.journal.now().timestamp() - self.clock.monotonic()
        while (left := until - self.clock.monotonic()) > 0:
            quiet = self._wait(changes, min(left, _QUIET * self.poll_interval), publication)
            if not quiet or enough() or self._closing or self.journal.change_token() != token:
                return
            if abs(self.journal.now().timestamp() - self.clock.monotonic() - offset) > self.poll_interval:
                return

    def _wait_for_change(self, changes: int, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._changes != changes, timeout=seconds)

    def _notify(self) -> None:
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    # --- threads

    def _living(self) -> list[_WorkerThread]:
        """Return the threads that live and show signs of life. With the lock held."""
        silent = self.clock.monotonic() - self.lease.total_seconds()
        self._threads = [
            each for each in self._threads if each.alive_at > silent and each.thread and each.thread.is_alive()
        ]
        return self._threads

    def _goes_on(self, worker: _WorkerThread) -> bool:
        """Return whether the thread may take another delivery."""
        with self._lock:
            return worker in self._living() and not (worker.stopping or self._closing)

    def _start(self, channel: str) -> None:
        """Ensure that a thread delivers, and a second one if it is busy with a routine post."""
        with self._lock:
            if self._resting.get(channel, 0.0) > self.clock.monotonic():
                return  # since it was found due
            routine = self._thread_of(channel, severe_only=False)
            self._request(routine, channel, severe_only=False)
        # Read without the lock: threads that wait for it may have all the journal's connections.
        if routine is not None and routine.busy and self.journal.deliveries.severe_is_ready(channel):
            with self._lock:
                self._request(self._thread_of(channel, severe_only=True), channel, severe_only=True)

    def _thread_of(self, channel: str, *, severe_only: bool) -> _WorkerThread | None:
        """Return the channel's thread. With the lock held."""
        threads = [each for each in self._living() if (each.channel, each.severe_only) == (channel, severe_only)]
        return threads[0] if threads else None

    def _request(self, worker: _WorkerThread | None, channel: str, *, severe_only: bool) -> None:
        """Ask the thread to look for a delivery, or start one. With the lock held."""
        if worker is not None:
            worker.idle = False
            worker.requested.set()
            return
        worker = _WorkerThread(channel, severe_only, alive_at=self.clock.monotonic())
        worker.thread = threading.Thread(target=self._run, args=(worker,), name=f"policenotify {channel}", daemon=True)
        try:
            worker.thread.start()
        except RuntimeError as error:  # the machine has no more threads
            _log.error("Channel %s: %s", channel, error, extra=fields(channel=channel))  # the trace adds nothing
            self._resting[channel] = self.clock.monotonic() + self.rest
            return
        self._threads.append(worker)

    def _run(self, worker: _WorkerThread) -> None:
        config = self.channels[worker.channel]
        channel: Channel | None = None
        owner = f"{this_process()}/{uuid4().hex[:8]}"
        siblings = {name for name, other in self.channels.items() if other.network == config.network}
        reader = AudienceReader()
        try:
            following = Following()
            while following.claimed or self._may_take(worker, config):
                claimed = following.claimed
                if not following.looked:
                    worker.requested.clear()
                    claimed = self.journal.deliveries.claim(
                        config.name, owner, lease=self.lease, severe_only=worker.severe_only, rate=config.rate
                    )
                following = Following()
                if claimed is None:
                    if channel is None or not self._requested_again(worker):
                        return
                    continue
                worker.sign_of_life(self.clock, busy=True)
                worker.publication, worker.bulk = claimed.publication, claimed.has_recipients
                channel = channel or self._open(config, claimed)
                if channel is None:
                    return
                following = DeliveryAttempt(
                    journal=self.journal,
                    channel=channel,
                    config=config,
                    clock=self.clock,
                    lease=self.lease,
                    backoff=self.backoff,
                    may_go_on=partial(self._bulk_may_go_on, worker),
                    siblings=siblings,
                    reader=reader,
                    takes_next=partial(self._takes_next, worker, config),
                    severe_only=worker.severe_only,
                ).run(claimed)
                worker.sign_of_life(self.clock, busy=False)
                worker.publication, worker.bulk = None, False
                self._notify()
        except JournalTakenAway:  # the journal has raised the alarm, and hands nothing out any more
            self._let_rest(config.name)
        except LostLease as error:
            _log.warning("Channel %s: %s", config.name, error, extra=fields(channel=config.name))
        except BaseException as error:  # noqa: BLE001 - nothing above a thread would report it
            # The claimed delivery is recovered by the next drain here, or when its lease runs out. A trace would hold
            # values.
            self._ended.add(owner)
            text = str(error) if isinstance(error, JournalError) else f"{type(error).__name__} escaped."
            _log.error("Channel %s: %s", config.name, text, extra=fields(channel=config.name))  # no trace, see above
            self._let_rest(config.name)
        finally:
            worker.busy = True  # closing may hang, too
            if channel is not None:
                _close(channel, config.name)
            with self._lock:
                self._threads = [other for other in self._threads if other is not worker]
            self._notify()

    def _may_take(self, worker: _WorkerThread, config: ChannelConfig) -> bool:
        """Return whether the thread may claim a delivery."""
        return self._goes_on(worker) and (self._bulk_has_time() or not config.capabilities.recipients)

    def _takes_next(self, worker: _WorkerThread, config: ChannelConfig) -> bool:
        """Return whether the thread claims a delivery now. What it is asked from now on is for the look after that."""
        worker.requested.clear()
        return self._may_take(worker, config)

    def _requested_again(self, worker: _WorkerThread) -> bool:
        """Keep the connection for a moment. Return whether to look for a delivery again."""
        with self._lock:
            worker.idle = not worker.requested.is_set()
        self._notify()
        worker.requested.wait(_KEEP_OPEN)
        worker.sign_of_life(self.clock, busy=False)
        with self._lock:
            requested = worker.requested.is_set()
            if not requested:
                self._threads = [other for other in self._threads if other is not worker]
            return requested

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
