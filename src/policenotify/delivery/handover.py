"""Leave a publication to a worker of another process, and wait for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from policenotify.channel import Clock
from policenotify.delivery.dispatcher import Dispatcher
from policenotify.delivery.worker import HEARTBEAT_INTERVAL, POLL_INTERVAL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from policenotify.journal.journal import Journal

LIVE: Final = timedelta(seconds=1.5 * HEARTBEAT_INTERVAL)
"""How old the last heartbeat of a worker may be that is waited for."""

REACTION: Final = timedelta(seconds=5 * POLL_INTERVAL)
"""How long a worker may take to notice a publication, which it looks for every second."""

_LOOK: Final = 0.1  # seconds between two looks at whether anything was written
_WHOLE_LOOK: Final = 1.0  # seconds after which the publication is looked at in any case, for the time goes on


@dataclass(frozen=True, slots=True)
class Handover:
    """Leaves publications to workers. Which process delivers is decided by the claims, so that nothing is sent twice.

    Attributes:
        journal: The journal.
        dispatcher: That of this process. It knows what may still happen, and delivers nothing here.
        clock: Measures how long something takes.
    """

    journal: Journal
    dispatcher: Dispatcher
    clock: Clock

    def is_possible(self, publication: str) -> bool:
        """Return whether a worker runs that can use the channels of the publication."""
        seen = self.journal.workers.last_worker_heartbeat()
        if seen is None or self.journal.now() - seen > LIVE:
            return False
        unusable = self.journal.workers.unusable_channels()
        return unusable.keys().isdisjoint(self.journal.publications.pending(publication))

    def wait(self, budget: timedelta, publication: str) -> timedelta | None:
        """Wait until nothing more can happen to the publication within the budget.

        Returns:
            `None`, or what is left of the budget if the worker has ended, or gives no sign of life.
        """
        begun, until = self.journal.now(), self.clock.monotonic() + budget.total_seconds()
        heard: datetime | None = None
        before: Mapping[str, datetime | None] | None = None
        while True:
            token = self.journal.change_token()
            left = timedelta(seconds=until - self.clock.monotonic())
            with self.journal.snapshot():
                now = self.journal.now()
                pending = self.journal.publications.pending(publication)
                seen = self.journal.workers.last_worker_heartbeat()
                if not pending or left <= timedelta(0) or not self.dispatcher.may_deliver(publication, now + left):
                    return None
            if seen is None:
                return left
            if before is not None and pending != before:
                heard = now
            elif seen >= begun:
                heard = max(seen, heard or seen)
            if now - (heard or begun) > (LIVE if heard else REACTION):
                return left
            before = pending
            self._sleep(token, min(left.total_seconds(), _WHOLE_LOOK))

    def _sleep(self, token: object, seconds: float) -> None:
        """Sleep that long, or until something was written."""
        until = self.clock.monotonic() + seconds
        while (left := until - self.clock.monotonic()) > 0:
            self.clock.sleep(min(left, _LOOK))
            if self.journal.change_token() != token:
                return
