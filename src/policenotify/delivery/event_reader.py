"""Hand what the journal recorded to the callbacks of the host application, never in the way of a delivery."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from policenotify.channel import Clock
from policenotify.errors import JournalError, JournalTakenAway, PolicenotifyError
from policenotify.journal.leases import this_process
from policenotify.model.event import JournalEvent

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

OnEvent: TypeAlias = Callable[[JournalEvent], object]
"""A callback. What it returns is ignored."""

RETRIES = (1.0, 5.0)
"""Seconds before an event is handed again to a callback that raised. After these the next event follows."""

HANGS = 30.0
"""Seconds after which a callback that does not return is reported in the log."""

CATCH_UP = 2.0
"""Seconds that a publisher waits for callbacks when it is closed."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_POLL = 1.0  # seconds between two looks for events
_log = logging.getLogger("policenotify")


@dataclass(eq=False, slots=True)
class _Subscription:
    """A callback, and the thread that calls it."""

    name: str
    callback: OnEvent
    known: bool = False  # its cursor is in the journal
    thread: threading.Thread | None = None
    woken: threading.Event = field(default_factory=threading.Event)  # it is to look for events
    handing: tuple[JournalEvent, float] | None = None  # the event that the callback has now, and since when
    hanging: JournalEvent | None = None  # the last event that was reported to hang
    trouble: str = ""  # the last failure of the journal that was reported


@dataclass(eq=False, slots=True)
class EventReader:
    """Hands the journal's events to callbacks, each in a daemon thread of its own.

    A subscriber is a name, whose cursor is in the journal. Of several processes that know it only one hands it events
    at a time, in their order. Each event is handed over once as a rule, and at least once in any case: an event whose
    cursor could not be stored, as after a kill, is handed over again.

    A callback that raises is called again after one and after five seconds, and then its next event follows. One that
    hangs keeps back its own further events only. Both are logged, with the type of the error and not its text.
    """

    journal: Journal
    clock: Clock
    _subscriptions: dict[str, _Subscription] = field(default_factory=dict, init=False)
    _closing: threading.Event = field(default_factory=threading.Event, init=False)  # threads end once they caught up
    _closed: bool = field(default=False, init=False)  # and at their next event

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
        if self._subscriptions.setdefault(name, found := _Subscription(name, callback)) is not found:
            raise ValueError(f"on_event: {name!r} is subscribed already. Choose another name.")

    def register(self) -> None:
        """Make the cursors of new subscribers, before anything is published or delivered. Never fails."""
        for each in tuple(self._subscriptions.values()):
            try:
                if not each.known:
                    self.journal.subscribers.add(each.name)
                    each.known = True
            except JournalError as error:
                _report(each, error)

    def wake(self) -> None:
        """Look for events at once, and report callbacks that hang. Costs nothing without subscribers; never fails."""
        for each in tuple(self._subscriptions.values()):
            self._report_hang(each)
            if self._closing.is_set() or (each.thread is not None and each.thread.is_alive()):
                each.woken.set()
                continue
            each.woken = threading.Event()  # a thread of the parent may hold the lock of the other in a forked child
            thread = threading.Thread(target=self._run, args=(each,), name=f"policenotify {each.name}", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the machine has no more threads
                _report(each, error)
            else:
                each.thread = thread

    def close(self, timeout: float = CATCH_UP) -> bool:
        """Let callbacks catch up, then hand nothing over any more. May be called twice.

        Args:
            timeout: Seconds to wait for each of them. One that hangs is not waited for longer.

        Returns:
            Whether all have caught up. What is left is handed over by the next process.
        """
        self._closing.set()
        threads = [each.thread for each in self._subscriptions.values() if each.thread is not None]
        for each in self._subscriptions.values():
            each.woken.set()
        for thread in threads:
            thread.join(timeout)
        self._closed = True
        return not any(thread.is_alive() for thread in threads)

    def _report_hang(self, subscription: _Subscription) -> None:
        """Log an event whose callback does not return, once."""
        if (handing := subscription.handing) is None or handing[0] is subscription.hanging:
            return
        event, lasts = handing[0], self.clock.monotonic() - handing[1]
        if lasts > HANGS:
            subscription.hanging = event
            _log.error(
                "Subscriber %s: event %d (%s): its callback has not returned for %.0f s. Deliveries go on.",
                subscription.name,
                event.number,
                event.event,
                lasts,
            )

    # --- in the thread

    def _run(self, subscription: _Subscription) -> None:
        while not self._closed:
            subscription.woken.clear()
            closing = self._closing.is_set()  # before the look
            try:
                if self._hand_over_next(subscription):
                    continue
                subscription.trouble = ""
            except JournalTakenAway:  # the journal has raised the alarm
                return
            except Exception as error:  # noqa: BLE001 - nothing above a thread would report it
                _report(subscription, error)
            if closing:
                return
            subscription.woken.wait(_POLL)

    def _hand_over_next(self, subscription: _Subscription) -> bool:
        """Hand over the next events. Return whether there may be more."""
        subscribers, name, holder = self.journal.subscribers, subscription.name, f"{id(self)} {this_process()}"
        cursor = None
        for cursor, events in subscribers.take(name, holder):
            for event in events:
                if self._closed or not self._hand(subscription, event):
                    subscribers.advance(name, holder, None, release=True)
                    return False
            if events and not subscribers.advance(name, holder, cursor):
                return False  # another process has taken over
        return cursor is not None and subscribers.advance(name, holder, cursor, release=True)

    def _hand(self, subscription: _Subscription, event: JournalEvent) -> bool:
        """Call the callback, and again if it raises. Return False if the reader was closed before the last time."""
        for wait in (*RETRIES, None):
            subscription.handing = (event, self.clock.monotonic())
            try:
                subscription.callback(event)
            except BaseException as error:  # noqa: BLE001 - a host's own function may raise anything
                kind = type(error).__name__  # neither its text nor a trace: they would hold values
            else:
                return True
            finally:
                subscription.handing = None
            _log.log(
                logging.ERROR if wait is None else logging.WARNING,
                "Subscriber %s: event %d (%s): its callback raised %s; the event is %s.",
                subscription.name,
                event.number,
                event.event,
                kind,
                "given up" if wait is None else f"repeated in {wait:g} s",
            )
            if wait is not None and self._closing.wait(wait):
                return False
        return True


def _report(subscription: _Subscription, error: Exception) -> None:
    """Log a failure of this machine or of the journal once. It is tried again every second."""
    text = str(error) if isinstance(error, PolicenotifyError) else f"{type(error).__name__} escaped."
    if text != subscription.trouble:
        subscription.trouble = text
        _log.warning("Subscriber %s of events waits: %s", subscription.name, text)  # no trace: it would hold values
