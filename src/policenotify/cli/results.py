"""Documents that commands answer with, besides those that `publishing.results` has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal

from pydantic import AwareDatetime

from policenotify.cli.exit_codes import Exit
from policenotify.model.history import Outcome
from policenotify.publishing.preparation import ChannelProblem
from policenotify.publishing.results import (
    IncidentResult,
    InstallationStatus,
    PreviewResult,
    PublicationDocument,
    Result,
)


class TypedTime(Result):
    """A time that was typed, and the moment it was understood as.

    Attributes:
        field: The message's field.
        typed: What was typed.
        at: The moment, in the installation's zone.
        day: `today`, `tomorrow`, `yesterday`, or empty for any other day.
        warning: What to check if an hour was understood as one of another day; else empty.
    """

    field: str
    typed: str
    at: AwareDatetime
    day: Literal["yesterday", "today", "tomorrow", ""]
    warning: str


class PublishAnswer(Result):
    """The answer of `publish`, `update`, `end`, `correct` and `cancel`.

    Attributes:
        repeated: It had been published before; nothing was published a second time.
        publication: The publication.
        times: The times that were typed.
        faults: Its channels that cannot be used, and why.
    """

    repeated: bool
    publication: PublicationDocument
    times: tuple[TypedTime, ...]
    faults: Mapping[str, ChannelProblem]


class PreviewAnswer(PreviewResult):
    """The answer of `preview`.

    Attributes:
        times: The times that were typed.
    """

    times: tuple[TypedTime, ...] = ()


class CampaignPreview(PreviewAnswer):
    """The preview of one message of a campaign.

    Attributes:
        campaign: Name of the campaign.
        variant: Name of the message.
    """

    campaign: str
    variant: str


class ChannelDeliveries(Result):
    """The deliveries of one channel.

    Attributes:
        outcomes: How many have which outcome.
        oldest_waiting: When the oldest publication that still waits here was published; `None`: nothing waits.
    """

    outcomes: Mapping[Outcome, int]
    oldest_waiting: AwareDatetime | None


class StatusAnswer(InstallationStatus):
    """The answer of `status`.

    Attributes:
        settings: What is wrong with the settings as a whole.
        deliveries: The deliveries of each channel.
        publications: The last publications.
        unfinished_count: How many older publications are not finished.
        unfinished: The most pressing of them, or all.
    """

    settings: str | None
    deliveries: Mapping[str, ChannelDeliveries]
    publications: tuple[PublicationDocument, ...]
    unfinished_count: int
    unfinished: tuple[PublicationDocument, ...]


class IncidentsAnswer(Result):
    """The answer of `incidents`.

    Attributes:
        at: When.
        overdue: How many are overdue.
        incidents: The incidents, the most urgent first.
    """

    at: AwareDatetime
    overdue: int
    incidents: tuple[IncidentResult, ...]


class DrainAnswer(Result):
    """The answer of `drain`.

    Attributes:
        outcomes: How many of the waiting deliveries have which outcome now.
        next_due: When something is due next; `None`: nothing is.
        blocked: Channels that send nothing until a person acts.
        faults: Channels that cannot be used, and why.
    """

    outcomes: Mapping[Outcome, int]
    next_due: AwareDatetime | None
    blocked: tuple[str, ...]
    faults: Mapping[str, ChannelProblem]


class DoctorLine(Result):
    """One thing that `doctor` has checked.

    Attributes:
        what: The thing.
        state: Its state.
        detail: More about it, and what to do.
        exit: The exit code, were this all.
    """

    what: str
    state: Literal["ok", "note", "WRONG"]
    detail: str
    exit: Exit = Exit.OK


class DoctorAnswer(Result):
    """The answer of `doctor`.

    Attributes:
        ok: Nothing is wrong.
        lines: What was checked.
    """

    ok: bool
    lines: tuple[DoctorLine, ...]


class CalendarEntry(Result):
    """One occurrence in the calendar of campaigns.

    Attributes:
        campaign: Name of the campaign.
        day: Day of the occurrence.
        due: When it is due.
        at: When it is published; `None`: never.
        variant: Name of the message.
        headline: Headline of the message.
        published: It is published already.
        reason: Why it is later than due, or never.
    """

    campaign: str
    day: date
    due: AwareDatetime
    at: AwareDatetime | None
    variant: str
    headline: str
    published: bool
    reason: str


class CalendarAnswer(Result):
    """The answer of `campaign calendar`.

    Attributes:
        first: The first day.
        last: The last day.
        occurrences: What was or will be published, in order.
        ics: The iCalendar file that was written.
    """

    first: date
    last: date
    occurrences: tuple[CalendarEntry, ...]
    ics: str | None


class CampaignDecision(Result):
    """What became of an occurrence that was due and was not published.

    Attributes:
        campaign: Name of the campaign.
        day: Day of the occurrence.
        outcome: `wait`, `skip` or `merge`.
        reason: Why.
        until: Until when it waits.
    """

    campaign: str
    day: date
    outcome: str
    reason: str
    until: AwareDatetime | None


class CampaignAnswer(Result):
    """The answer of `campaign run`.

    Attributes:
        published: What was published.
        waiting: What waits.
        skipped: What is never published.
        problems: Why a campaign could not be published, by its name.
        next_at: When something is due next, as far as that is known.
    """

    published: tuple[PublicationDocument, ...]
    waiting: tuple[CampaignDecision, ...]
    skipped: tuple[CampaignDecision, ...]
    problems: Mapping[str, str]
    next_at: AwareDatetime | None
