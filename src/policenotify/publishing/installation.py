"""What an installation is: its journal, its channels, its phrases and its rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING, Protocol

from policenotify.channel import ChannelConfig, Clock
from policenotify.checks import CHECKS, SHIPPED, Rule, Vocabulary
from policenotify.delivery.event_reader import OnEvent
from policenotify.delivery.sender import backoff
from policenotify.errors import SettingsError
from policenotify.journal.records import LEASE
from policenotify.model.cap import Severity
from policenotify.model.status import DiagnosisLine
from policenotify.publishing.approval import ApprovalRule
from policenotify.publishing.reach import with_consent
from policenotify.publishing.reminders import ReminderPolicy
from policenotify.publishing.routing import Route, shared_accounts
from policenotify.render.locales import LOCALES, PROFILES, CategoryProfile, Locale
from policenotify.translation import AnyText, Text
from policenotify.validation import did_you_mean

if TYPE_CHECKING:
    from policenotify.journal.database.transactions import May
    from policenotify.journal.journal import Journal


class SettingsSource(Protocol):
    """Where the settings of an installation come from, to be read again while it runs."""

    def reopen(self, name: str) -> ChannelConfig | None:
        """Make a channel from the current settings, or return `None` if they cannot be read."""
        ...

    def problem(self) -> AnyText:
        """Return what is wrong with the current settings as a whole, so that nothing could be published."""
        ...

    def examine(self) -> Iterator[DiagnosisLine]:
        """Check the current settings, the files of secrets and the installed networks."""
        ...


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What a publisher works with. `open_publisher` makes one from the settings, which describe what is not below.

    Attributes:
        journal: The journal.
        channels: The channels of the installation.
        channel_configs: The same by name. A channel that is made again from the settings takes its place here.
        profiles: The categories.
        locales: The fixed phrases, by language.
        checks: The checks before anything is published.
        words: The word lists of the checks.
        approval: Which messages others read before they are published. Without rules none, except those with a finding
            of level `second` or `block`.
        clock: Measures how long something takes, and is the clock of channels. By default the journal's, which in any
            case dates what is published.
        lease: How long a claimed delivery is held without a heartbeat.
        backoff: Returns the wait after a failure, from the wait after the failure before it.
        may: Called with actor, action and message before each publication and each step of a draft, before one
            approves, or publishes urgently, despite a finding of level `block` (action `overrule`), and without a
            message before `stop`, `resume`, `pause`, `abort`, `resolve`, `show`, `purge`, `suppress` and `release`. It
            returns `True`, or the reason why the actor may not. Who the actor is, is not verified.
        on_event: Callbacks by the names of their subscribers; see `Publisher.events`.
        settings: Where the settings come from. A channel with a problem is made again from them.

    Raises:
        SettingsError: Two channels are the same account, or a duty channel does not exist.
    """

    journal: Journal
    channels: InitVar[Iterable[ChannelConfig]]
    channel_configs: dict[str, ChannelConfig] = field(init=False)
    zone: tzinfo
    sender: str
    routes: Sequence[Route] = ()
    profiles: Mapping[str, CategoryProfile] = field(default_factory=lambda: PROFILES)
    locales: Mapping[str, Locale] = field(default_factory=lambda: LOCALES)
    checks: Sequence[Rule] = CHECKS
    links: tuple[str, ...] = ()
    words: Vocabulary = SHIPPED
    approval: Sequence[ApprovalRule] = ()
    reminders: ReminderPolicy = field(default_factory=ReminderPolicy)
    wait: timedelta = timedelta(seconds=20)
    clock: Clock | None = None
    lease: timedelta = LEASE
    backoff: Callable[[timedelta], timedelta] = backoff
    may: May | None = None
    on_event: Mapping[str, OnEvent] | None = None
    settings: SettingsSource | None = None

    def __post_init__(self, channels: Iterable[ChannelConfig]) -> None:
        configs = {channel.name: with_consent(channel, self.profiles) for channel in channels}
        object.__setattr__(self, "channel_configs", configs)
        if problem := shared_accounts(configs.values()):
            raise SettingsError(problem)
        for name in self.reminders.to:
            if name not in configs:
                known = did_you_mean(name, configs)
                raise SettingsError(
                    Text("reminders.to: {name!r} is not a channel. {did_you_mean}", name=name, did_you_mean=known)
                )

    @property
    def timer(self) -> Clock:
        """The clock of channels, which also measures how long something takes."""
        return self.clock or self.journal.clock

    def severity_of(self, category: str) -> Severity:
        """Return the severity of a category. `Unknown` for one that the installation has no more."""
        return self.profiles[category].severity if category in self.profiles else Severity.UNKNOWN
