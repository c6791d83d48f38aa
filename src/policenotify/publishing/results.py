"""Results as JSON documents, whose schemas `policenotify schema` prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue, PlainSerializer, computed_field

from policenotify.channel import ChannelConfig, Operation
from policenotify.errors import Blocked
from policenotify.findings import Finding
from policenotify.journal.records import QUIET, IncidentLine, Takeover
from policenotify.model.draft import Draft
from policenotify.model.history import Outcome, Target
from policenotify.model.lifecycle import IncidentStatus, Stage
from policenotify.model.message import Message
from policenotify.model.receipt import Publication, Receipt
from policenotify.publishing.preparation import ChannelProblem, find_problems

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

Published: TypeAlias = Literal["yes", "partly", "no", "unknown"]
"""Whether readers have a publication."""

_PUBLISHED = frozenset({Outcome.POSTED, Outcome.DELETED, Outcome.SKIPPED, Outcome.SUPERSEDED, Outcome.SUPPRESSED})
_UNKNOWN = frozenset({Outcome.SENDING, Outcome.UNCONFIRMED, Outcome.HELD})

_WITHOUT_NULLS = PlainSerializer(lambda model: model.model_dump(mode="json", exclude_none=True))


class Result(BaseModel):
    """A document that a command answers with."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, arbitrary_types_allowed=True)


class PublicationResult(Publication):
    """A publication with what a program would otherwise have to work out."""

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def stage(self) -> Stage:
        """Stage of the message."""
        return self.message.stage

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def published(self) -> Published:
        """Whether readers have it, on all channels or on some."""
        outcomes = {outcome for receipt in self for outcome in _outcomes(receipt)}
        if outcomes & _UNKNOWN:
            return "unknown"
        if Outcome.POSTED not in outcomes:
            return "no"
        return "yes" if outcomes <= _PUBLISHED else "partly"

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def ok(self) -> bool:
        """Whether no channel needs attention."""
        return super().ok

    @classmethod
    def of(cls, publication: Publication) -> Self:
        """Return the result of a publication."""
        return cls(**vars(publication))


def _outcomes(receipt: Receipt) -> set[Outcome]:
    if receipt.operation is Operation.DELETE and receipt.outcome is Outcome.DELETED:
        return {Outcome.POSTED}  # the deletion is done, for readers to see
    return {receipt.outcome, *(outcome for outcome, count in (receipt.recipients or {}).items() if count)}


PublicationDocument = Annotated[PublicationResult, _WITHOUT_NULLS]
MessageDocument = Annotated[Message, _WITHOUT_NULLS]


class PreviewedWording(Result):
    """One wording of a post.

    Attributes:
        kind: `reply` (in the thread), `standalone`, or `continuation` of the post before.
        used: How much of the channel's budget it takes.
        limit: The channel's budget.
        details: Further details of its length: `UCS-2, 2 segments (1 without accents)`. May be empty.
        post: The fields of `policenotify schema post`, without key and time.
    """

    kind: Literal["reply", "standalone", "continuation"]
    used: int
    limit: int
    details: str
    post: dict[str, JsonValue]


class PreviewedPost(Result):
    """How a message reads on one channel. *omitted* was left out so that the rest fits."""

    channel: str
    language: str
    omitted: tuple[str, ...]
    wordings: tuple[PreviewedWording, ...]


class PreviewedTarget(Result):
    """A channel without a post: it waits, does not fit, or an earlier post is deleted."""

    channel: str
    language: str
    reason: str
    remedy: str

    @classmethod
    def of(cls, target: Target) -> Self:
        """Return the result of a target."""
        reason = target.problem or target.refused
        return cls(channel=target.channel, language=target.language, reason=reason, remedy=target.remedy)


class PreviewedReach(Result):
    """How many people a message reaches on a channel in a language; see `policenotify.publishing.reach.Reach`."""

    channel: str
    language: str
    people: int | None
    messages: int
    price: float | None
    cost: float | None
    problem: str


class PreviewResult(Result):
    """What `publish` would send; `allowed` unless a finding blocks it."""

    allowed: bool
    message: MessageDocument
    findings: tuple[Finding, ...]
    posts: tuple[PreviewedPost, ...]
    pending: tuple[PreviewedTarget, ...]
    refusals: tuple[PreviewedTarget, ...]
    deletions: tuple[PreviewedTarget, ...]
    reach: tuple[PreviewedReach, ...]


class IncidentResult(Result):
    """An incident, and whether its next message is overdue.

    Attributes:
        headline: Headline of the opening.
        due_at: When the next message is due; `None`: no more is due.
        reminders: Number of the last reminder of that message; 0: none.
    """

    id: str
    category: str
    status: IncidentStatus
    headline: str
    place: str
    opened_at: AwareDatetime
    due_at: AwareDatetime | None
    overdue: bool
    overdue_seconds: int | None
    reminders: int
    reminded_at: AwareDatetime | None
    exercise: bool

    @classmethod
    def of(cls, incident: IncidentLine, now: datetime) -> Self:
        """Return the result of an incident at a given time."""
        due = incident.due_at if incident.status is IncidentStatus.OPEN else None
        late = (now - due) // timedelta(seconds=1) if due is not None and due <= now else None
        return cls(**asdict(incident), overdue=late is not None, overdue_seconds=late)


def by_urgency(incidents: Iterable[IncidentLine], now: datetime) -> list[IncidentResult]:
    """Return the open incidents by their deadline, then the closed ones, newest first."""
    never = datetime.max.replace(tzinfo=now.tzinfo)
    results = [IncidentResult.of(incident, now) for incident in incidents]
    open_now = [incident for incident in results if incident.status is IncidentStatus.OPEN]
    closed = [incident for incident in results if incident.status is not IncidentStatus.OPEN]
    open_now.sort(key=lambda incident: (incident.due_at or never, incident.opened_at))
    return [*open_now, *sorted(closed, key=lambda incident: incident.opened_at, reverse=True)]


class BlockedChannel(Result):
    """Why a channel sends nothing until a person acts, with the network's own code."""

    reason: str
    remedy: str
    code: str

    @classmethod
    def of(cls, error: Blocked) -> Self:
        """Return the result of a channel's error."""
        return cls(reason=error.reason, remedy=error.remedy, code=error.code)


class SecondReading(Result):
    """An urgent publication that another person still has to read."""

    publication: str
    headline: str
    reason: str
    published_by: str
    due_at: AwareDatetime
    reminders: int

    @classmethod
    def of(cls, draft: Draft) -> Self:
        """Return the result of its draft."""
        return cls(
            publication=draft.publication or draft.id,
            headline=draft.message.headline,
            reason=draft.urgent,
            published_by=draft.published_by,
            due_at=draft.second_due_at or draft.created_at,
            reminders=draft.reminders,
        )


class InstallationStatus(Result):
    """The state of an installation, read from its journal.

    Attributes:
        stopped: Who stopped everything, and why; `None`: nothing is stopped.
        last_heartbeat: The latest heartbeat of a worker or drain.
        waiting: When each channel has something to do next.
        blocked: Channels that send nothing until a person acts.
        channel_problems: Channels that cannot be used, and why.
        removed_channels: Channels that are no longer in the settings, with the open incidents published there; no
            incident where deliveries only wait for it.
        taken_over_again: Deliveries of the last hour that were taken over twice within one lease.
        incidents: The open incidents, the most urgent first; perhaps not all of them.
        second_readings: Urgent publications whose second reading is owed, the earliest deadline first.
        overdue_readings: How many of them are overdue.
        submitted_drafts: How many drafts wait for their readers.
    """

    at: AwareDatetime
    stopped: str | None
    last_heartbeat: AwareDatetime | None
    waiting: Mapping[str, AwareDatetime]
    blocked: Mapping[str, BlockedChannel]
    channel_problems: Mapping[str, ChannelProblem]
    removed_channels: Mapping[str, tuple[str, ...]]
    taken_over_again: tuple[Takeover, ...]
    open_incidents: int
    overdue_incidents: int
    incidents: tuple[IncidentResult, ...]
    second_readings: tuple[SecondReading, ...] = ()
    overdue_readings: int = 0
    submitted_drafts: int = 0

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def no_worker(self) -> bool:
        """Whether something waits although no worker has run for 2 minutes."""
        return bool(self.waiting) and (self.last_heartbeat is None or self.at - self.last_heartbeat > QUIET)

    @classmethod
    def read(
        cls, journal: Journal, channels: Iterable[ChannelConfig], *, limit: int | None = None
    ) -> InstallationStatus:
        """Read the journal and the lists of recipients.

        Args:
            journal: The journal.
            channels: The channels of the settings, with those that cannot be used.
            limit: Number of incidents to read; `None`: all open ones.
        """
        now, known = journal.now(), {channel.name: channel for channel in channels}
        problems = find_problems(known.values(), journal.deliveries.had_recipients)
        usable_again = {
            delivery.channel: now for delivery in journal.deliveries.unrendered(known.keys() - problems.keys())
        }
        carried = journal.incidents.open_by_channel()
        awaited = {channel.name for channel in journal.deliveries.channel_summaries() if channel.oldest is not None}
        removed = sorted((carried.keys() | awaited) - known.keys())
        due = journal.deliveries.due(name for name, channel in known.items() if not channel.problem)
        stopped = journal.stopped()
        return InstallationStatus(
            at=now,
            stopped=str(stopped) if stopped else None,
            last_heartbeat=journal.workers.last_heartbeat(),
            waiting={**usable_again, **due},
            blocked={name: BlockedChannel.of(error) for name, error in journal.channels.blocked().items()},
            channel_problems=problems,
            removed_channels={name: carried.get(name, ()) for name in removed},
            taken_over_again=journal.deliveries.repeated_takeovers(),
            open_incidents=journal.incidents.count_open(),
            overdue_incidents=journal.incidents.count_overdue(now),
            incidents=tuple(
                by_urgency(journal.incidents.list() if limit is None else journal.incidents.earliest_due(limit), now)
            ),
            second_readings=tuple(SecondReading.of(draft) for draft in journal.drafts.owed(limit)),
            overdue_readings=journal.drafts.count_owed(now),
            submitted_drafts=journal.drafts.count_submitted(now),
        )
