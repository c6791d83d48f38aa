"""Deliveries that wait for a channel that could not be used when they were published."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from policenotify.channel import ChannelConfig, Clock
from policenotify.errors import JournalError, PolicenotifyError
from policenotify.log import fields
from policenotify.publishing.preparation import Preparer
from policenotify.publishing.reach import with_consent
from policenotify.translation import Text

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal
    from policenotify.journal.records import UnrenderedDelivery

_REOPEN_INTERVAL = 10.0  # seconds, at least, between two reads of the settings of a channel that cannot be used
_PUBLISH_AGAIN = Text("If it is still true, publish it again with another key.")
_log = logging.getLogger("policenotify")


@dataclass(slots=True, kw_only=True)
class PendingDeliveries:
    """Renders the deliveries that wait for a channel as soon as it can be used.

    Attributes:
        channels: The channels of the installation, by name. A reopened channel replaces the one with the problem.
        clock: Measures the time between two reads of the settings.
        reopen: Makes a channel from the current settings, or returns `None` if they cannot be read.
    """

    journal: Journal
    channels: dict[str, ChannelConfig]
    preparer: Preparer
    clock: Clock
    reopen: Callable[[str], ChannelConfig | None] | None = None
    _reopened_at: float | None = field(default=None, init=False)
    _blocked: set[str] = field(default_factory=set, init=False)  # at the last run

    def retry_lists(self) -> None:
        """Let the first delivery of each channel that waits for a list be tried at once, whatever its delay."""
        self.journal.deliveries.retry_lists()

    def run(self, *, retries_lists: bool = False) -> None:
        """Reopen the channels that can be, and render what waits for them; see `retry_lists`, too."""
        self.reopen_channels()
        self.render(retries_lists=retries_lists)

    def render(self, *, retries_lists: bool = False) -> None:
        """Render what waits for channels that can be used; see `retry_lists`, too."""
        usable = [name for name, channel in self.channels.items() if not channel.problem]
        closed: set[str] = set()
        with self.journal.snapshot():
            unrendered = self.journal.deliveries.unrendered(usable)
            if retries_lists:
                self.retry_lists()
        for delivery in unrendered:
            if delivery.channel not in closed and not self._render(delivery):
                closed.add(delivery.channel)

    def reopen_channels(self) -> None:
        """Reopen the channels with a problem, at most every ten seconds, and those that were unblocked."""
        if self.reopen is None:
            return
        blocked = set(self.journal.channels.blocked())
        names = self._blocked - blocked  # an unblocked channel may have a new secret
        now = self.clock.monotonic()
        if self._reopened_at is None or now >= self._reopened_at + _REOPEN_INTERVAL:
            names |= {name for name, channel in self.channels.items() if channel.problem}
            self._reopened_at = now
        for name in sorted(names & self.channels.keys()):
            self._replace(self.channels[name], self.reopen(name))
        self._blocked = blocked  # at last: until then another thread reopens them, too, before it sends

    def _replace(self, channel: ChannelConfig, reopened: ChannelConfig | None) -> None:
        if reopened is None or (channel.account and reopened.account not in {"", channel.account}):
            return  # what was rendered for one account is not for another
        others = (other for other in self.channels.values() if other.name != channel.name)
        same = next((other.name for other in others if other.readers == reopened.readers), "")
        if same and not reopened.problem:
            problem = Text("channels.{name}: is the same account as channels.{same}.", name=channel.name, same=same)
            reopened = channel.model_copy(update={"problem": problem})
        if channel.problem and not reopened.problem:
            _log.warning("Channel %s can be used again.", channel.name, extra=fields("usable", channel=channel.name))
        self.channels[channel.name] = with_consent(reopened, self.preparer.profiles)

    def _render(self, delivery: UnrenderedDelivery) -> bool:
        """Render a delivery. Return whether its channel can be used."""
        channel = self.channels[delivery.channel]
        if (publication := self.journal.publications.get(delivery.publication)) is None:
            return True
        try:
            posts, targets = self.preparer.prepare_pending(publication, channel)
        except JournalError:
            raise
        except Exception as error:  # noqa: BLE001 - a delivery that cannot be rendered must not stop the others
            reason = (
                error.text
                if isinstance(error, PolicenotifyError)
                else Text("It cannot be worded: {name}.", name=type(error).__name__)
            )
            name, publication_id = delivery.channel, delivery.publication
            about = fields("refused", channel=name, publication=publication_id, outcome="refused")
            _log.warning(  # without the reason, which may quote it
                "Channel %s: publication %s: refused [%s]", name, publication_id, type(error).__name__, extra=about
            )
            self.journal.deliveries.refuse_unrendered(delivery, Text.join(" ", (reason, _PUBLISH_AGAIN)))
        else:
            many = bool(posts) and channel.capabilities.recipients
            self.journal.deliveries.render(delivery, posts, targets, with_recipients=many)
        return True
