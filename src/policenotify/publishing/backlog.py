"""Deliveries that wait for a channel that could not be used when they were published."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from policenotify.channel import ChannelConfig
from policenotify.errors import JournalError, PolicenotifyError
from policenotify.log import fields
from policenotify.publishing.duty import CATEGORY, duty_profile
from policenotify.publishing.installation import Installation
from policenotify.publishing.preparation import prepare_pending
from policenotify.publishing.reach import with_consent
from policenotify.translation import Text

if TYPE_CHECKING:
    from policenotify.journal.records import UnrenderedDelivery

_REOPEN_INTERVAL = 10.0  # seconds, at least, between two reads of the settings of a channel that cannot be used
_PUBLISH_AGAIN = Text("If it is still true, publish it again with another key.")
_log = logging.getLogger("policenotify")


@dataclass(slots=True, kw_only=True)
class PendingDeliveries:
    """Renders the deliveries that wait for a channel as soon as it can be used.

    Attributes:
        installation: The installation. A reopened channel replaces the one with the problem.
    """

    installation: Installation
    _reopened_at: float | None = field(default=None, init=False)
    _blocked: set[str] = field(default_factory=set, init=False)  # at the last run

    def retry_lists(self) -> None:
        """Let the first delivery of each channel that waits for a list be tried at once, whatever its delay."""
        self.installation.journal.deliveries.retry_lists()

    def run(self, *, retries_lists: bool = False) -> None:
        """Reopen the channels that can be, and render what waits for them; see `retry_lists`, too."""
        self.reopen_channels()
        self.render(retries_lists=retries_lists)

    def render(self, *, retries_lists: bool = False) -> None:
        """Render what waits for channels that can be used; see `retry_lists`, too."""
        usable = [name for name, channel in self.installation.channel_configs.items() if not channel.problem]
        closed: set[str] = set()
        with self.installation.journal.snapshot():
            unrendered = self.installation.journal.deliveries.unrendered(usable)
            if retries_lists:
                self.retry_lists()
        for delivery in unrendered:
            if delivery.channel not in closed and not self._render(delivery):
                closed.add(delivery.channel)

    def reopen_channels(self) -> None:
        """Reopen the channels with a problem, at most every ten seconds, and those that were unblocked."""
        if self.installation.settings is None:
            return
        blocked = set(self.installation.journal.channels.blocked())
        names = self._blocked - blocked  # an unblocked channel may have a new secret
        now = self.installation.timer.monotonic()
        if self._reopened_at is None or now >= self._reopened_at + _REOPEN_INTERVAL:
            names |= {name for name, channel in self.installation.channel_configs.items() if channel.problem}
            self._reopened_at = now
        for name in sorted(names & self.installation.channel_configs.keys()):
            self._replace(self.installation.channel_configs[name], self.installation.settings.reopen(name))
        self._blocked = blocked  # at last: until then another thread reopens them, too, before it sends

    def _replace(self, channel: ChannelConfig, reopened: ChannelConfig | None) -> None:
        if reopened is None or (channel.account and reopened.account not in {"", channel.account}):
            return  # what was rendered for one account is not for another
        others = (other for other in self.installation.channel_configs.values() if other.name != channel.name)
        same = next((other.name for other in others if other.readers == reopened.readers), "")
        if same and not reopened.problem:
            problem = Text("channels.{name}: is the same account as channels.{same}.", name=channel.name, same=same)
            reopened = channel.model_copy(update={"problem": problem})
        if channel.problem and not reopened.problem:
            _log.warning("Channel %s can be used again.", channel.name, extra=fields("usable", channel=channel.name))
        self.installation.channel_configs[channel.name] = with_consent(reopened, self.installation.profiles)

    def _with_duties(self) -> Installation:
        """Return the installation with the category of the messages to duty channels, which is not one of its own."""
        mine = self.installation
        duty = duty_profile(mine.reminders, level=1, locales=mine.locales)
        return replace(mine, channels=mine.channel_configs.values(), profiles={**mine.profiles, CATEGORY: duty})

    def _render(self, delivery: UnrenderedDelivery) -> bool:
        """Render a delivery. Return whether its channel can be used."""
        channel = self.installation.channel_configs[delivery.channel]
        if (publication := self.installation.journal.publications.get(delivery.publication)) is None:
            return True
        try:
            posts, targets = prepare_pending(self._with_duties(), publication, channel)
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
            self.installation.journal.deliveries.refuse_unrendered(delivery, Text.join(" ", (reason, _PUBLISH_AGAIN)))
        else:
            many = bool(posts) and channel.capabilities.recipients
            self.installation.journal.deliveries.render(delivery, posts, targets, with_recipients=many)
        return True
