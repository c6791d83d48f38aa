"""What waits for channels that could not be used when it was published: worded and sent once they can."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policenotify.channel import ChannelConfig, Clock
from policenotify.errors import JournalError, PolicenotifyError
from policenotify.publishing.fault import Fault, fault_of, readers_of
from policenotify.publishing.preparation import Preparer

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal
    from policenotify.journal.records import UnrenderedDelivery

_log = logging.getLogger("policenotify")
_ANEW = "If it is still true, publish it again with another key."
_AGAIN = 10.0  # seconds, at least, between two looks at the settings of what could not be used


@dataclass(slots=True, kw_only=True)
class PendingDeliveries:
    """Words what waits for a channel as soon as that can be used.

    Attributes:
        journal: Where it waits.
        channels: The channels of the installation, by name; one that was mended takes the place of the wrong one.
        deciding: How it reads.
        clock: Measures how much time passes.
        reopen: Makes a channel again from the settings as they are now; `None`: they cannot be read.
    """

    journal: Journal
    channels: dict[str, ChannelConfig]
    deciding: Preparer
    clock: Clock
    reopen: Callable[[str], ChannelConfig | None] | None = None
    _asked_at: float | None = field(default=None, init=False)
    _blocked: set[str] = field(default_factory=set, init=False)  # at the last look

    def faults(self) -> dict[str, Fault]:
        """Return the channels that cannot be used now, and why. Reads the lists of recipients."""
        found = {
            name: fault_of(channel, self.journal.deliveries.had_recipients) for name, channel in self.channels.items()
        }
        return {name: fault for name, fault in found.items() if fault is not None}

    def look_after(self) -> None:
        """Mend the channels that can be, and word what waits for them."""
        self._mend()
        usable = [name for name, channel in self.channels.items() if not channel.problem]
        closed: set[str] = set()
        for one in self.journal.deliveries.unrendered(usable):
            if one.channel not in closed and not self._word(one):
                closed.add(one.channel)

    def _mend(self) -> None:
        """Make again what could not be used, and what was blocked: its secret may be a new one."""
        if self.reopen is None:
            return
        blocked = set(self.journal.channels.blocked())
        names, self._blocked = self._blocked - blocked, blocked
        now = self.clock.monotonic()
        if self._asked_at is None or now >= self._asked_at + _AGAIN:
            wrong = {name for name, channel in self.channels.items() if channel.problem}
            names, self._asked_at = names | wrong, now
        for name in sorted(names & self.channels.keys()):
            self._make_again(self.channels[name], self.reopen(name))

    def _make_again(self, channel: ChannelConfig, mended: ChannelConfig | None) -> None:
        if mended is None or (channel.account and mended.account not in {"", channel.account}):
            return  # what was worded for one account is not for another
        others = (one for one in self.channels.values() if one.name != channel.name)
        same = next((one.name for one in others if (one.network, one.account) == (mended.network, mended.account)), "")
        if same and not mended.problem:
            mended = replace(channel, problem=f"channels.{channel.name}: is the same account as channels.{same}.")
        if channel.problem and not mended.problem:
            _log.warning("Channel %s can be used again.", channel.name)
        self.channels[channel.name] = mended

    def _word(self, one: UnrenderedDelivery) -> bool:
        """Word a delivery; returns whether its channel can be used."""
        channel = self.channels[one.channel]
        readers, fault = readers_of(channel, self.journal.deliveries.had_recipients)
        publication = self.journal.publications.get(one.publication)
        if fault is not None or publication is None:
            return fault is None
        try:
            drafted = self.deciding.late(publication, channel, readers)
        except JournalError:
            raise
        except Exception as error:  # noqa: BLE001 - what cannot be worded must not stop what is published now
            why = (
                str(error) if isinstance(error, PolicenotifyError) else f"It cannot be worded: {type(error).__name__}."
            )
            _log.error("Publication %s on %s: %s", one.publication, one.channel, why)  # a trace would hold values
            self.journal.deliveries.refuse_unrendered(one, f"{why} {_ANEW}")
        else:
            self.journal.deliveries.render(one, drafted)
        return True
