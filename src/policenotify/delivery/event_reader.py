"""Hand what the journal recorded to the callbacks of the host application, never in the way of a delivery."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from policenotify.delivery.log_lines import shown_error
from policenotify.errors import JournalError, JournalTakenAway, PolicenotifyError
from policenotify.events import Event
from policenotify.translation import Text

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

OnEvent: TypeAlias = Callable[[Event], object]
"""A callback. What it returns is ignored."""

CATCH_UP = 2.0
"""Seconds that a publisher waits for callbacks when it is closed."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_POLL = 1.0  # seconds between two looks for events, and after a failure, doubled each time
_LONGEST_WAIT = 60.0  # seconds after many failures
_log = logging.getLogger("policenotify")


@dataclass(eq=False, slots=True)
class _Subscription:
    """A callback, and the thread that calls it."""

    name: str
    callback: OnEvent
    known: bool = False  # its cursor is in the journal
    thread: threading.Thread | None = None
    woken: threading.Event = field(default_factory=threading.Event)  # it is to look for events
    trouble: str = ""  # the last failure that was reported

    def report(self, error: Exception) -> None:
        """Log a failure once."""
        text = shown_error(error)
        if text != self.trouble:
            self.trouble = text
            _log.warning("Subscriber %s of events waits: %s", self.name, text)


@dataclass(eq=False, slots=True)
class EventReader:
    """Hands the journal's events to callbacks, each in a daemon thread of its own.

    A subscriber is a name, whose cursor is in the journal. Of several processes that know it only one hands it events
    at a time, in their order. Each event is handed over once as a rule, and at least once in any case: an event whose
    cursor could not be stored, as after a kill, is handed over again.

    A callback that raises is called again with the same event, after one second, then two, and so on up to a minute.
    It keeps back its own further events only, like one that does not return.
    """

    journal: Journal
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
                Text(
                    "on_event: {name!r} is not a name of a subscriber. It begins with a letter from a to z, "
                    "and has up to 40 letters from a to z, digits, - and _.",
                    name=name,
                )
            )
        if self._subscriptions.setdefault(name, found := _Subscription(name, callback)) is not found:
            raise ValueError(Text("on_event: {name!r} is subscribed already. Choose another name.", name=name))

    def register(self) -> None:
        """Make the cursors of new subscribers, before anything is published or delivered. Never fails."""
        for each in tuple(self._subscriptions.values()):
            try:
                if not each.known:
                    self.journal.subscribers.add(each.name)
                    each.known = True
            except JournalError as error:
                each.report(error)

    def wake(self) -> None:
        """Look for events at once. Costs nothing without subscribers, and never fails."""
        for each in tuple(self._subscriptions.values()):
            if self._closing.is_set() or (each.thread is not None and each.thread.is_alive()):
                each.woken.set()
                continue
            each.woken = threading.Event()  # a thread of the parent may hold the lock of the other in a forked child
            thread = threading.Thread(target=self._run, args=(each,), name=f"policenotify {each.name}", daemon=True)
            try:
                thread.start()
                each.thread = thread
            except RuntimeError as error:  # the machine has no more threads
                each.report(error)

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

    # --- in the thread

    def _run(self, subscription: _Subscription) -> None:
        wait = 0.0  # after failures
        while not self._closed:
            subscription.woken.clear()
            closing = self._closing.is_set()  # before the look
            try:
                more = self._hand_over_next(subscription)
                subscription.trouble, wait = "", 0.0
            except JournalTakenAway:  # the journal has raised the alarm
                return
            except Exception as error:  # noqa: BLE001 - else the thread would end with a trace
                subscription.report(error)
                more, wait = False, min(2 * wait or _POLL, _LONGEST_WAIT)
            if closing and not more:
                return
            if wait:  # what else happens does not hurry it
                self._closing.wait(wait)
            elif not more:
                subscription.woken.wait(_POLL)

    def _hand_over_next(self, subscription: _Subscription) -> bool:
        """Hand over the next events. Return whether there may be more."""
        subscribers, name = self.journal.subscribers, subscription.name
        place, batch = subscribers.take(name)
        try:
            for cursor, events in batch:
                for event in events:
                    if self._closed:
                        return False
                    try:
                        subscription.callback(event)
                    except BaseException as error:  # noqa: BLE001 - a host's own function may raise anything
                        # Neither the text of its error nor a trace: they would hold values.
                        where = {"name": type(error).__name__, "number": event.number, "event": event.kind}
                        problem = Text("the callback raised {name} for event {number} ({event}).", **where)
                        raise PolicenotifyError(problem) from None
                place = place and subscribers.advance(name, place, cursor)
                if place is None:  # this one was silent for so long that another process hands them over
                    return False
        finally:
            if place is not None:
                subscribers.advance(name, place, place.cursor, keep=False)
        return bool(batch)
