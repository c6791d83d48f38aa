"""The state of an installation: its alarms, channels, open incidents and last publications, and what a check finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Literal, TypeAlias

from pydantic import AwareDatetime, computed_field

from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import FrozenModel, IncidentStatus
from policenotify.model.receipt import Publication, local_time
from policenotify.translation import AnyText, Text, text_of

QUIET = timedelta(minutes=2)
"""How long a worker may be silent before it counts as gone."""

WAITS = Text("Its messages wait, and are sent as soon as it can be used. To check: policenotify doctor")
"""What becomes of the messages of a blocked channel."""

MEND = Text("Mend it: its settings, its secret or its library. {waits}", waits=WAITS)
"""What to do about a channel that is blocked by its settings, its secret or its library."""


class Alarm(StrEnum):
    """What kind of help an installation needs, the most urgent first.

    `journal`: it cannot be opened or read. `settings`: settings, keys or the rule `may` are wrong as a whole, so that
    nothing can be published. `no_worker`: something waits, and no worker runs. `overdue`: the next message of an
    incident, or a second reading. `attention`: a channel, a delivery or a file needs a person.
    """

    JOURNAL = "journal"
    SETTINGS = "settings"
    NO_WORKER = "no_worker"
    OVERDUE = "overdue"
    ATTENTION = "attention"


class AlarmLine(FrozenModel):
    """One thing that a person must act on.

    Attributes:
        about: What it is about: `channel bluesky`, `worker`, `incident 2026-4711`.
    """

    kind: Alarm
    about: AnyText
    text: AnyText
    remedy: AnyText = ""


class Problem(FrozenModel):
    """Why a channel is blocked, or a list of recipients cannot be read.

    Attributes:
        reason: What is wrong, in an officer's words.
        code: The network's own code, of a blocked channel.
        host: The machine of the process that cannot use it, although the process that asks perhaps can.
        seen_at: The last heartbeat of that process.
    """

    reason: AnyText
    remedy: AnyText
    code: str = ""
    host: str = ""
    seen_at: AwareDatetime | None = None

    @property
    def text(self) -> Text:
        """Reason and remedy in one."""
        return Text.join(" ", (self.reason, self.remedy))

    def __str__(self) -> str:
        return str(self.text)


class RunningWorker(FrozenModel):
    """A worker that runs.

    Attributes:
        host: Its machine.
        seen_at: Its last heartbeat.
    """

    host: str
    seen_at: AwareDatetime


ChannelState: TypeAlias = Literal["ready", "paused", "blocked", "removed"]
"""Whether something can be sent on a channel: now, later, once a person has acted, or no more."""


class ChannelStatus(FrozenModel):
    """One channel, and what waits for it.

    Attributes:
        network: Its network. Empty if it is not in the settings.
        retired: It takes no new incidents.
        exercise: It carries exercises only.
        state: `paused`: the network, or the channel's rate, lets nothing leave before `opens_at`. `blocked`: nothing
            leaves until a person acts: the network refuses the account, or its settings, secret, library or list of
            recipients are wrong.
            `removed`: it is not in the settings any more, but deliveries wait or open incidents were published there.
        reason: Why it is not ready, in an officer's words. Empty if it is.
        code: The network's own code, of a blocked channel.
        opens_at: When the next post may leave, if not now.
        due_at: When there is something to do next. `None`: nothing waits.
        blocked_for: The processes that deliver and for which it is blocked, unless it is here for the same reason.
        outcomes: How many of its deliveries have which outcome, without zeros. A list of which people are held counts
            as `held`, too.
        oldest_waiting: When the oldest publication that still waits here was published.
        incidents: The open incidents that its readers know of, if it is removed.
    """

    name: str
    network: str = ""
    account: str = ""
    retired: bool = False
    exercise: bool = False
    state: ChannelState
    reason: AnyText = ""
    remedy: AnyText = ""
    code: str = ""
    opens_at: AwareDatetime | None = None
    due_at: AwareDatetime | None = None
    blocked_for: tuple[Problem, ...] = ()
    outcomes: Mapping[Outcome, int] = {}
    oldest_waiting: AwareDatetime | None = None
    incidents: tuple[str, ...] = ()

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def ok(self) -> bool:
        """Whether no person needs to act on it. Its deliveries may still need one."""
        return self.state in {"ready", "paused"} and not self.blocked_for


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentLine:
    """An incident in a list.

    Attributes:
        headline: The headline that holds now, like category, severity and place.
        place: Commune and street, road or line, or what is known of them.
        channels: The channels on which it goes on, by name.
        due_at: The deadline of the next message.
        reminders: The level of the last reminder raised for that deadline, or 0.
        reminded_at: When it was raised.
        overdue_seconds: How long its next message has been overdue. `None`: it is not.
    """

    id: str
    category: str
    severity: Severity
    status: IncidentStatus
    headline: str
    place: str
    channels: tuple[str, ...]
    opened_at: datetime
    due_at: datetime | None
    exercise: bool
    reminders: int = 0
    reminded_at: datetime | None = None
    overdue_seconds: int | None = None

    @property
    def subject(self) -> str:
        """What it is about: headline and place."""
        return " · ".join(filter(None, (self.headline, self.place)))

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def overdue(self) -> bool:
        """Whether its next message is overdue."""
        return self.overdue_seconds is not None

    def __str__(self) -> str:
        return str(self.in_zone(UTC))

    def in_zone(self, zone: tzinfo) -> Text:
        """Return the incident in one line, with its time in *zone*."""
        opened = Text("opened {at}", at=local_time(self.opened_at, zone))
        return Text("{id} ({details})", id=self.id, details=Text.join(", ", (self.category, self.place, opened)))


class SecondReading(FrozenModel):
    """An urgent publication that another person still has to read."""

    publication: str
    headline: str
    reason: str
    published_by: str
    due_at: AwareDatetime
    reminders: int


class InstallationStatus(FrozenModel):
    """The state of an installation: what its journal holds, and what a publication would find now.

    Attributes:
        settings: What is wrong with the settings as a whole, so that nothing can be published; `None`: nothing.
        stopped: Who stopped everything, and why; `None`: nothing is stopped.
        last_heartbeat: The latest heartbeat of a worker or drain.
        workers: The workers that run, the one with the latest heartbeat first. Drains are not workers.
        channels: The channels of the settings, then those that were removed from them.
        incidents: The open incidents, the most urgent first; perhaps not all of them.
        damaged: The rows of open incidents that cannot be read, by table and key.
        second_readings: Urgent publications whose second reading is owed, the earliest deadline first.
        overdue_readings: How many of them are overdue.
        submitted_drafts: How many drafts wait for their readers.
        publications: The last publications, newest first.
        unfinished_count: How many older publications are not finished.
        unfinished: The most pressing of them, or all.
        alarms: What a person must act on, the most urgent first.
    """

    settings: AnyText | None = None
    at: AwareDatetime
    stopped: AnyText | None
    last_heartbeat: AwareDatetime | None
    workers: tuple[RunningWorker, ...] = ()
    channels: tuple[ChannelStatus, ...] = ()
    open_incidents: int
    overdue_incidents: int
    incidents: tuple[IncidentLine, ...]
    damaged: tuple[str, ...] = ()
    second_readings: tuple[SecondReading, ...] = ()
    overdue_readings: int = 0
    submitted_drafts: int = 0
    publications: tuple[Publication, ...] = ()
    unfinished_count: int = 0
    unfinished: tuple[Publication, ...] = ()
    alarms: tuple[AlarmLine, ...] = ()

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def no_worker(self) -> bool:
        """Whether something waits although no worker has run for 2 minutes."""
        silent = self.last_heartbeat is None or self.at - self.last_heartbeat > QUIET
        return bool(self.waiting) and silent

    @property
    def waiting(self) -> tuple[str, ...]:
        """The channels that have something to do, now or later."""
        return tuple(channel.name for channel in self.channels if channel.due_at)

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def ok(self) -> bool:
        """Whether no person needs to act."""
        return not self.alarms


class DiagnosisLine(FrozenModel):
    """One thing that was checked.

    Attributes:
        check: What: `settings`, `journal`, `channel bluesky`.
        state: `note`: to be known. `WRONG`: a person must act.
        detail: More about it, and what to do.
        alarm: The kind of help that is needed, if it is wrong.
    """

    check: AnyText
    state: Literal["ok", "note", "WRONG"]
    detail: AnyText
    alarm: Alarm | None = None


class Diagnosis(FrozenModel):
    """Everything that was checked: settings, keys, journal, and the credentials of every channel."""

    lines: tuple[DiagnosisLine, ...]

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.alarms

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """The kinds of help that are needed, the most urgent first."""
        found = {line.alarm for line in self.lines}
        return tuple(alarm for alarm in Alarm if alarm in found)


def right(check: AnyText, detail: AnyText) -> DiagnosisLine:
    """Return the line of something that is as it should be."""
    return DiagnosisLine(check=check, state="ok", detail=detail)


def note(check: AnyText, detail: AnyText) -> DiagnosisLine:
    """Return the line of something to be known."""
    return DiagnosisLine(check=check, state="note", detail=detail)


def wrong(check: AnyText, problem: object, alarm: Alarm = Alarm.ATTENTION) -> DiagnosisLine:
    """Return the line of something that a person must act on."""
    return DiagnosisLine(check=check, state="WRONG", detail=text_of(problem), alarm=alarm)
