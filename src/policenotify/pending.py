"""What waits for channels that could not be used when it was published: worded and sent once they can."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policenotify.channel import Clock, Configured
from policenotify.deciding import Deciding
from policenotify.errors import JournalError, PolicenotifyError
from policenotify.fault import Fault, fault_of, readers_of

if TYPE_CHECKING:
    from policenotify.journal.store import Journal
    from policenotify.journal.values import Unworded

_log = logging.getLogger("policenotify")
_AGAIN = 10.0  # seconds, at least, between two looks at the settings of what could not be used


@dataclass(slots=True, kw_only=True)
class PendingDeliveries:
    """Words what waits for a channel as soon as that can be used.

    Attributes:
        journal: Where it waits.
        channels: The channels of the installation, by name; one that was mended takes the place of the wrong one.
        deciding: How it reads.
        clock: Tells how much time passes.
        reopen: Makes a channel again from the settings as they are now; `None`: they cannot be read.
    """

    journal: Journal
    channels: dict[str, Configured]
    deciding: Deciding
    clock: Clock
    reopen: Callable[[str], Configured | None] | None = None
    _asked_at: float | None = field(default=None, init=False)

    def faults(self) -> dict[str, Fault]:
        """Return the channels that cannot be used now, and why. Reads the lists of recipients."""
        found = {name: fault_of(channel, self.journal.had_people) for name, channel in self.channels.items()}
        return {name: fault for name, fault in found.items() if fault is not None}

    def look_after(self) -> None:
        """Mend the channels that can be, and word what waits for them."""
        self._mend()
        usable = [name for name, channel in self.channels.items() if not channel.problem]
        closed: set[str] = set()
        for one in self.journal.unworded(usable):
            if one.channel not in closed and not self._word(one):
                closed.add(one.channel)

    def _mend(self) -> None:
        wrong = [channel for channel in self.channels.values() if channel.problem]
        now = self.clock.monotonic()
        if not wrong or self.reopen is None or (self._asked_at is not None and now < self._asked_at + _AGAIN):
            return
        self._asked_at = now
        accounts = {(one.network, one.account): one.name for one in self.channels.values() if not one.problem}
        for channel in wrong:
            mended = self.reopen(channel.name)
            if mended is None:
                continue
            if not mended.problem and (other := accounts.get((mended.network, mended.account))):
                mended = replace(channel, problem=f"channels.{channel.name}: is the same account as {other!r}.")
            if not mended.problem:
                _log.warning("Channel %s can be used again.", channel.name)
                accounts[mended.network, mended.account] = mended.name
            self.channels[channel.name] = mended

    def _word(self, one: Unworded) -> bool:
        """Word a delivery; returns whether its channel can be used."""
        channel = self.channels[one.channel]
        readers, fault = readers_of(channel, self.journal.had_people)
        said = self.journal.publication(one.publication)
        if fault is not None or said is None:
            return fault is None
        try:
            self.journal.word(one, self.deciding.late(said, channel, readers))
        except JournalError:
            raise
        except PolicenotifyError as error:
            _log.error("Publication %s cannot be worded for %s: %s", one.publication, one.channel, error)
            self.journal.refuse_unworded(one, str(error))
        return True
