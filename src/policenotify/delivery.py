"""Claim and deliver, channel beside channel: one that is slow or down never stops another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from policenotify.attempt import Attempts, patience
from policenotify.channel import Channel, Clock, Configured
from policenotify.errors import Blocked, JournalError, PolicenotifyError, Stopped
from policenotify.journal.owner import this_process
from policenotify.journal.values import Claimed, Settlement
from policenotify.receipt import Outcome

if TYPE_CHECKING:
    from policenotify.journal.store import Journal

_log = logging.getLogger("policenotify")

LEASE = timedelta(minutes=2)
"""For how long a claimed delivery stays its owner's without a word: longer than any network's call may take."""

_GLANCE = 0.05  # seconds before looking again at work that is there for the taking
_GLANCE_AT_OTHERS = 0.2  # seconds between two looks at what another process is doing


@dataclass(eq=False, slots=True)
class _Slot:
    """A daemon thread that delivers on one channel until nothing is due there."""

    channel: str
    severe_only: bool
    thread: threading.Thread | None = None
    busy_since: float | None = None


@dataclass(slots=True, kw_only=True)
class Delivery:
    """Delivers what is due in the journal.

    Each channel has two slots; the second takes only what is Severe or more, so that a hanging routine post never
    stands in the way of a warning. Slots are daemon threads, started when there is work and gone when there is none.
    A slot that has not said a word for longer than its lease is abandoned: another takes its place, and its delivery
    is recovered as a doubt.

    Attributes:
        journal: Where it is claimed.
        channels: The channels of the installation, by name.
        clock: Tells the time.
        lease: For how long a claim holds.
        patience: How long to wait before the next try of a post of a given age.
    """

    journal: Journal
    channels: dict[str, Configured]
    clock: Clock
    lease: timedelta = LEASE
    patience: Callable[[timedelta], timedelta] = patience
    _slots: list[_Slot] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _closing: bool = False

    def drain(self, budget: timedelta, *, publication: str | None = None) -> datetime | None:
        """Deliver until nothing is due, or the budget is used up; what is under way then goes on by itself.

        Args:
            budget: For how long to deliver at most.
            publication: Return as soon as nothing of this publication can happen within the budget any more.

        Returns:
            When something is due next; `None`: nothing is.

        Raises:
            JournalError: The journal cannot be read or written.
        """
        deadline = self.clock.monotonic() + budget.total_seconds()
        self.journal.saw_runner()
        self.journal.recover()
        while True:
            due = self.journal.due(self.channels)
            now = self.clock.now()
            ready = [name for name, at in due.items() if at <= now]
            for name in ready:
                self._start(name)
            left = deadline - self.clock.monotonic()
            soon = now + timedelta(seconds=left)
            if left <= 0 or not self._may_happen(soon, due, publication):
                return min(due.values(), default=None)
            later = [(at - now).total_seconds() for at in due.values() if at > now]
            self._wait(min(left, _GLANCE if ready else min([*later, _GLANCE_AT_OTHERS])))

    def close(self, *, patience: float = 5.0) -> None:
        """Take nothing new, and give what is under way some seconds to finish. May be called twice."""
        self._closing = True
        until = self.clock.monotonic() + patience
        for thread in [slot.thread for slot in self._slots if slot.thread is not None]:
            thread.join(timeout=max(0.0, until - self.clock.monotonic()))

    def _may_happen(self, soon: datetime, due: dict[str, datetime], publication: str | None) -> bool:
        """Whether anything that we wait for is under way, or may be begun by then."""
        if publication is None:
            return bool(self._busy()) or any(at <= soon for at in due.values())
        waiting = self.journal.unsettled(publication)
        return any(at is None or (name in due and max(at, due[name]) <= soon) for name, at in waiting.items())

    def _wait(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait(timeout=seconds)

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _busy(self) -> set[str]:
        return {slot.channel for slot in self._living() if slot.busy_since is not None}

    def _living(self) -> list[_Slot]:
        """The slots that still work: alive, and not silent for longer than their lease."""
        now, longest = self.clock.monotonic(), self.lease.total_seconds()
        with self._lock:
            self._slots = [
                slot
                for slot in self._slots
                if slot.thread is not None
                and slot.thread.is_alive()
                and (slot.busy_since is None or now - slot.busy_since < longest)
            ]
            return list(self._slots)

    def _start(self, channel: str) -> None:
        """See that somebody delivers on the channel; where the ordinary slot is busy, a second for what is Severe."""
        here = [slot for slot in self._living() if slot.channel == channel]
        for severe_only in (False, True):
            mine = next((slot for slot in here if slot.severe_only is severe_only), None)
            if mine is None and not self._closing and (not severe_only or self.journal.severe_is_ready(channel)):
                slot = _Slot(channel, severe_only)
                slot.thread = threading.Thread(
                    target=self._run, args=(slot,), name=f"policenotify {channel}", daemon=True
                )
                with self._lock:
                    self._slots.append(slot)
                slot.thread.start()
                return
            if mine is not None and mine.busy_since is None:
                return  # it is about to look

    def _run(self, slot: _Slot) -> None:
        how = self.channels[slot.channel]
        channel: Channel | None = None
        owner = f"{this_process()}/{uuid4().hex[:8]}"
        try:
            while not self._closing:
                claimed = self.journal.claim(how.name, owner, lease=self.lease, severe_only=slot.severe_only)
                if claimed is None:
                    return
                slot.busy_since = self.clock.monotonic()
                channel = channel or self._open(how, claimed)
                if channel is None:
                    return
                Attempts(journal=self.journal, channel=channel, how=how, lease=self.lease, patience=self.patience).make(
                    claimed
                )
                slot.busy_since = None
                self._tell()
        except (Stopped, JournalError) as error:
            # What was claimed is taken back when its lease runs out. A trace would hold the statement's values.
            _log.error("Channel %s: %s", how.name, error)
        finally:
            slot.busy_since = None
            if channel is not None:
                _close(channel, how.name)
            with self._lock:
                if slot in self._slots:
                    self._slots.remove(slot)
            self._tell()

    def _open(self, how: Configured, claimed: Claimed) -> Channel | None:
        """A channel object for this thread; where there is none to be had, the channel is blocked."""
        try:
            return how.open(self.clock, self.journal.keep(how.name))
        except Exception as error:  # noqa: BLE001  # a stranger's constructor may raise anything
            said = f": {error}" if isinstance(error, PolicenotifyError) else f" ({type(error).__name__})."
            blocked = Blocked(f"The channel {how.name!r} cannot be opened{said}", remedy="Run: policenotify doctor")
            self.journal.block(how.name, blocked)
            self.journal.settle(claimed, Settlement(outcome=Outcome.WAITING, reason=blocked.reason))
            _log.error("%s", blocked.reason)  # a trace might hold an option's value
            return None


def _close(channel: Channel, name: str) -> None:
    try:
        channel.close()
    except Exception as error:  # noqa: BLE001  # the delivery is settled; a failing goodbye changes nothing
        _log.warning("Channel %s did not close: %s", name, type(error).__name__)


def by_name(channels: Iterable[Configured]) -> dict[str, Configured]:
    """The channels by their names."""
    return {channel.name: channel for channel in channels}
