"""Hand what the journal recorded to the callbacks of the host application, never in the way of a delivery."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeAlias

from policenotify.channel import Clock
from policenotify.errors import JournalError, JournalTakenAway, PolicenotifyError
from policenotify.model.event import JournalEvent

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal
    from policenotify.journal.subscribers import EventBatch

OnEvent: TypeAlias = Callable[[JournalEvent], object]
"""A callback. What it returns is ignored."""

RETRIES = (1.0, 5.0)
"""Seconds before an event is handed again to a callback that raised. After these the next event follows."""

HANGS = 30.0
"""Seconds after which a callback that does not return is reported in the log."""

CATCH_UP = 2.0
"""Seconds that a publisher waits for callbacks when it is closed."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_RENEW = 1.0  # seconds between two signs of life while events are handed over
_POLL = 1.0  # seconds between two looks for events
_LINGER = 10.0  # seconds without events after which a thread ends
_log = logging.getLogger("policenotify")


@dataclass(eq=False, slots=True)
class _Subscription:
    """A callback, and the thread that calls it while there are events."""

    name: str
    callback: OnEvent
    known: bool = False  # its cursor is in the journal
    thread: threading.Thread | None = None
    woken: bool = False  # it is to look for events
    idle: bool = False  # it has looked, and found none
    handing: JournalEvent | None = None  # the event that the callback has now
    since: float = 0.0  # monotonic time since when it has it
    reported: bool = False  # that it hangs
    trouble: str = ""  # the last failure of the journal that was reported
    handed: tuple[EventBatch, int] | None = None  # its events, and the number of the last one that it was handed


@dataclass(eq=False, slots=True)
class EventReader:
    """Hands the journal's events to callbacks, each in a daemon thread of its own.

    A subscriber is a name, whose cursor is in the journal. Of several processes that know it only one hands it events
    at a time. Each event is handed over once as a rule, and at least once in any case: a process that is killed in
    between leaves up to a second of events to be handed over again. They come in the order of their numbers. Only an
    event whose transaction was committed after a later one's comes late.

    A callback that raises is called again after one and after five seconds, and then its next event follows. One that
    hangs keeps back its own further events only. Both are logged, with the type of the error and not its text.
    """

    journal: Journal
    clock: Clock
    _subscriptions: dict[str, _Subscription] = field(default_factory=dict, init=False)
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False)  # guards all of it
    _closing: bool = field(default=False, init=False)
    _process: int = field(default_factory=os.getpid, init=False)

    def subscribe(self, name: str, callback: OnEvent) -> None:
        """Call *callback* with each event from now on. Nothing starts before the publisher delivers.

        A name that is new to the journal gets what happens from the next publication or delivery of this process on,
        or where its worker runs from a second later on. A known one goes on where it was.

        Args:
            name: Names the subscriber in the journal: up to 40 letters from a to z, digits, `-` and `_`.
            callback: Called in a daemon thread.

        Raises:
            ValueError: It is not a name, or another callback has it.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"on_event: {name!r} is not a name of a subscriber. It begins with a letter from a to z, and has up to "
                "40 letters from a to z, digits, - and _."
            )
        with self._changed:
            if name in self._subscriptions:
                raise ValueError(f"on_event: {name!r} is subscribed already. Choose another name.")
            self._subscriptions[name] = _Subscription(name, callback)

    def register(self) -> None:
        """Make the cursors of new subscribers, before anything is published or delivered. Never fails.

        The worker calls it every second.
        """
        for each in tuple(self._subscriptions.values()):
            if not each.known:
                try:
                    self._register(each)
                except JournalError as error:
                    _report(each, error)

    def wake(self) -> None:
        """Look for events at once. Costs nothing without subscribers, and never fails."""
        if not self._subscriptions:
            return
        self._leave_parent()
        with self._changed:
            for each in self._subscriptions.values():
                if not self._closing:
                    self._start(each)
            self._changed.notify_all()

    def report_hangs(self) -> None:
        """Log each callback that hangs, once. The worker calls it every second."""
        self._leave_parent()
        for each in tuple(self._subscriptions.values()):
            with self._changed:
                event, lasts = each.handing, self.clock.monotonic() - each.since
                if event is None or each.reported or lasts <= HANGS:
                    continue
                each.reported = True
            _log.error(
                "Subscriber %s: event %d (%s): its callback has not returned for %.0f s. Deliveries go on.",
                each.name,
                event.number,
                event.event,
                lasts,
            )

    def close(self, timeout: float = CATCH_UP) -> bool:
        """Let callbacks catch up, then hand nothing over any more. May be called twice.

        Args:
            timeout: Seconds to wait for them. One that hangs is not waited for longer.

        Returns:
            Whether all have caught up. What is left is handed over by the next process.
        """
        self._leave_parent()
        with self._changed:
            started = [each for each in self._subscriptions.values() if each.thread is not None]
            for each in started if not self._closing else ():
                each.woken, each.idle = True, False
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: all(each.idle or each.thread is None for each in started), timeout)
            self._closing = True
            self._changed.notify_all()
        return done

    def _leave_parent(self) -> None:
        """Forget the threads of the parent in a forked child, which has none."""
        if self._process != os.getpid():
            self._changed = threading.Condition()
            for each in self._subscriptions.values():
                each.thread = each.handing = each.handed = None
            self._process = os.getpid()

    def _register(self, subscription: _Subscription) -> None:
        self.journal.subscribers.add(subscription.name)
        subscription.known = True

    def _start(self, subscription: _Subscription) -> None:
        """Start the thread, or have it look again. With the lock held."""
        subscription.woken, subscription.idle = True, False
        if subscription.thread is not None:
            return
        name = f"policenotify {subscription.name}"
        subscription.thread = threading.Thread(target=self._run, args=(subscription,), name=name, daemon=True)
        try:
            subscription.thread.start()
        except RuntimeError as error:  # the machine has no more threads
            subscription.thread = None
            _report(subscription, error)

    # --- in the thread

    def _run(self, subscription: _Subscription) -> None:
        changed, idle_since = self._changed, self.clock.monotonic()
        while True:
            handed = self._step(subscription)
            if handed:
                idle_since = self.clock.monotonic()
            with changed:
                if handed is False and not subscription.woken:
                    subscription.idle = True
                    changed.notify_all()
                    changed.wait(_POLL)
                lingered = subscription.idle and self.clock.monotonic() - idle_since > _LINGER
                if handed is None or self._closing or lingered:
                    subscription.thread = None  # with the lock held: a later wake starts another thread
                    changed.notify_all()
                    return
                subscription.woken = subscription.idle = False

    def _step(self, subscription: _Subscription) -> bool | None:
        """Hand over the next events. Return whether there were any, or None if it cannot go on."""
        try:
            if not subscription.known:
                self._register(subscription)
            self._record(subscription)  # what a failure of the journal has prevented
            batch = self.journal.subscribers.take(subscription.name)
            if batch is not None:
                self._hand_over(subscription, batch)
        except JournalTakenAway:  # the journal has raised the alarm
            return None
        except Exception as error:  # noqa: BLE001 - nothing above a thread would report it
            subscription.known = False  # whoever emptied the journal has deleted the cursor, too
            _report(subscription, error)
            return None
        subscription.trouble = ""
        return batch is not None

    def _hand_over(self, subscription: _Subscription, batch: EventBatch) -> None:
        recorded_at = self.clock.monotonic()
        subscription.handed = batch, 0
        for event, following in zip_longest(batch.events, batch.events[1:]):
            if self._closing or not self._hand(subscription, event):
                self._record(subscription)
                return
            if following is not None and following.number != event.number:  # an event of the journal may be two
                subscription.handed = batch, event.number
                if self.clock.monotonic() - recorded_at >= _RENEW:
                    if not self._record(subscription, release=False):
                        return  # another process has taken over
                    recorded_at = self.clock.monotonic()
        subscription.handed = batch, batch.last
        self._record(subscription)

    def _record(self, subscription: _Subscription, *, release: bool = True) -> bool:
        """Record what was handed over. Return False if another process has taken over."""
        if subscription.handed is None:
            return True
        recorded = self.journal.subscribers.advance(*subscription.handed, release=release)
        if release or not recorded:
            subscription.handed = None
        return recorded

    def _hand(self, subscription: _Subscription, event: JournalEvent) -> bool:
        """Call the callback, and again if it raises. Return False if the reader was closed before the last time."""
        for wait in (*RETRIES, None):
            with self._changed:
                subscription.handing, subscription.since = event, self.clock.monotonic()
                subscription.reported = False
            error = _called(subscription.callback, event)
            with self._changed:
                subscription.handing = None
                if subscription.reported:
                    _log.warning("Subscriber %s goes on after event %d.", subscription.name, event.number)
                if error is None:
                    return True
                _log.log(
                    logging.ERROR if wait is None else logging.WARNING,
                    "Subscriber %s: event %d (%s): its callback raised %s; the event is %s.",
                    subscription.name,
                    event.number,
                    event.event,
                    error,  # no trace: it would hold values
                    "given up" if wait is None else f"repeated in {wait:g} s",
                )
                if wait is not None and self._changed.wait_for(lambda: self._closing, timeout=wait):
                    return False
        return True


def _called(callback: OnEvent, event: JournalEvent) -> str | None:
    """Return the type of the error that a callback raises, if it does."""
    try:
        callback(event)
    except BaseException as error:  # noqa: BLE001 - a host's own function may raise anything
        return type(error).__name__
    return None


def _report(subscription: _Subscription, error: Exception) -> None:
    """Log a failure of this machine or of the journal once. It is tried again at the next delivery."""
    text = str(error) if isinstance(error, PolicenotifyError) else f"{type(error).__name__} escaped."
    if text != subscription.trouble:
        subscription.trouble = text
        _log.warning("Subscriber %s of events waits: %s", subscription.name, text)  # no trace: it would hold values
