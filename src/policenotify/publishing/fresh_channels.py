"""Channels that are blocked by their settings, made again from the current ones."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from policenotify.channel import ChannelConfig
from policenotify.log import fields
from policenotify.publishing.installation import Installation
from policenotify.publishing.reach import with_consent
from policenotify.publishing.routing import shared_accounts

_INTERVAL = 60.0  # seconds, at least, between two reads of the settings of a blocked channel
_log = logging.getLogger("policenotify")


@dataclass(slots=True)
class FreshChannels:
    """Makes blocked channels again from the settings. What waits for them is then sent.

    Attributes:
        installation: The installation, in which the new channel takes the place of the blocked one.
    """

    installation: Installation
    _looked_at: float | None = field(default=None, init=False)
    _blocked: set[str] = field(default_factory=set, init=False)  # in the journal, at the last look

    def look(self) -> None:
        """Make those again that are blocked by their settings, once a minute, and those that were resumed."""
        settings, configs = self.installation.settings, self.installation.channel_configs
        if settings is None:
            return
        blocked = set(self.installation.journal.channels.blocked())
        names = self._blocked - blocked  # a channel that was resumed may have a new secret
        now = self.installation.timer.monotonic()
        if self._looked_at is None or now >= self._looked_at + _INTERVAL:
            names |= {name for name, channel in configs.items() if channel.blocked}
            self._looked_at = now
        for name in sorted(names & configs.keys()):
            self._replace(configs[name], settings.reopen(name))
        self._blocked = blocked  # at last: until then another thread makes them again, too, before it sends

    def _replace(self, channel: ChannelConfig, fresh: ChannelConfig | None) -> None:
        if fresh is None or (channel.account and fresh.account not in {"", channel.account}):
            return  # what was worded for one account is not for another
        configs = self.installation.channel_configs
        if problem := shared_accounts((*(other for other in configs.values() if other.name != channel.name), fresh)):
            fresh = channel.model_copy(update={"blocked": problem})
        if channel.blocked and not fresh.blocked:
            _log.warning("Channel %s can be used again.", channel.name, extra=fields("usable", channel=channel.name))
        configs[channel.name] = with_consent(fresh, self.installation.profiles)
