"""Documents that commands answer with, besides those of `model` and `publishing.results`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal, Self

from pydantic import AwareDatetime

from policenotify.model.decision import HeldDelivery
from policenotify.model.documents import MessageDocument, PublicationDocument
from policenotify.model.draft import Draft, DraftState, Review
from policenotify.model.history import Outcome
from policenotify.model.status import ChannelStatus, IncidentResult, Problem
from policenotify.publishing.results import PreviewResult, Result
from policenotify.translation import AnyText


class TypedTime(Result):
    """A time that was typed, and the moment it was understood as.

    Attributes:
        day: Of the moment, empty for a day farther away than tomorrow or yesterday.
        warning: What to check if an hour was understood as one of another day; else empty.
    """

    field: str
    typed: str
    at: AwareDatetime
    day: Literal["yesterday", "today", "tomorrow", ""]
    warning: AnyText


class PublishAnswer(Result):
    """The answer of `publish`, `update`, `end`, `correct` and `cancel`.

    Attributes:
        repeated: It had been published before; nothing was published a second time.
        channel_problems: Its channels that cannot be used.
    """

    repeated: bool
    publication: PublicationDocument
    times: tuple[TypedTime, ...]
    channel_problems: Mapping[str, Problem]


class PreviewAnswer(PreviewResult):
    """The answer of `preview`."""

    times: tuple[TypedTime, ...] = ()


class CampaignPreview(PreviewAnswer):
    """The preview of one variant of a campaign's message."""

    campaign: str
    variant: str


class PublicationsAnswer(Result):
    """The answer of `status` for an incident, a publication or a key.

    Attributes:
        no_worker: Something of it waits, and no worker has run for 2 minutes, or the last one was killed.
    """

    no_worker: bool
    publications: tuple[PublicationDocument, ...]


class ChannelsAnswer(Result):
    """The answer of `channels`.

    Attributes:
        settings: What is wrong with the settings as a whole, so that nothing can be published.
    """

    settings: AnyText | None
    channels: tuple[ChannelStatus, ...]


class HeldAnswer(Result):
    """The answer of `held` without a number."""

    deliveries: tuple[HeldDelivery, ...]


class IncidentsAnswer(Result):
    """The answer of `incidents`, the most urgent incident first."""

    at: AwareDatetime
    overdue: int
    incidents: tuple[IncidentResult, ...]


class DraftResult(Result):
    """A draft, the answer of `draft`, `submit`, `approve`, `return` and `reject`.

    Attributes:
        for_keys: The beginning of the keys that its approval counts for; empty: it is published once.
        digest: Of the newest revision: what `approve` takes.
        approvals: The readers whose approval of it counts.
        urgent: Why it was published before it was read; else empty.
        second_due_at: When its second reading is due; `None`: none is owed.
    """

    id: str
    key: str | None
    for_keys: str
    to: tuple[str, ...]
    state: DraftState
    revision: int
    digest: str
    message: MessageDocument
    authors: tuple[str, ...]
    approvals: tuple[str, ...]
    reviews: tuple[Review, ...]
    reason: AnyText
    submitted_by: str
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    publication: str | None
    urgent: str
    second_due_at: AwareDatetime | None

    @classmethod
    def of(cls, draft: Draft) -> Self:
        """Return the result of a draft."""
        return cls(**{name: getattr(draft, name) for name in cls.model_fields})


class ImportAnswer(Result):
    """The draft of an alert, the answer of `import-cap`.

    Attributes:
        known: The alert had been imported before.
        findings: What to know of it: code, field and reason.
    """

    draft: DraftResult
    known: bool
    findings: tuple[str, ...]


class DraftsAnswer(Result):
    """The answer of `drafts`, newest first, and how many second readings are overdue."""

    at: AwareDatetime
    overdue: int
    drafts: tuple[DraftResult, ...]


class WithdrawAnswer(Result):
    """The answer of `withdraw` for a publication, and the channels on which one of its posts is or may be out."""

    publication: PublicationDocument
    still_out: tuple[str, ...]


class DrainAnswer(Result):
    """The answer of `drain`: outcomes of what waited, and what needs a person.

    Attributes:
        held: The deliveries that are held, wholly or for some people of a list.
    """

    outcomes: Mapping[Outcome, int]
    held: tuple[int, ...]
    next_due: AwareDatetime | None
    blocked: tuple[str, ...]
    channel_problems: Mapping[str, Problem]


class CalendarEntry(Result):
    """One occurrence in the calendar of campaigns.

    Attributes:
        at: When it is published; `None`: never.
        reason: Why it is later than due, or never.
    """

    campaign: str
    day: date
    due: AwareDatetime
    at: AwareDatetime | None
    variant: str
    headline: str
    reason: AnyText


class CalendarAnswer(Result):
    """The answer of `campaign calendar`, with the iCalendar file if one was written."""

    first: date
    last: date
    occurrences: tuple[CalendarEntry, ...]
    ics: str | None


class CampaignDecision(Result):
    """An occurrence that was due and not published: `wait`, `skip` or `merge`."""

    campaign: str
    day: date
    outcome: str
    reason: AnyText
    until: AwareDatetime | None


class CampaignAnswer(Result):
    """The answer of `campaign run`.

    Attributes:
        unfinished: Earlier publications that are not out everywhere.
        skipped: What is never published.
        problems: Why a campaign could not be published, by its name.
        calendar: What ends with the school calendar, within 90 days or already.
        next_at: When something is due next, as far as that is known.
    """

    published: tuple[PublicationDocument, ...]
    unfinished: tuple[PublicationDocument, ...]
    waiting: tuple[CampaignDecision, ...]
    skipped: tuple[CampaignDecision, ...]
    problems: Mapping[str, AnyText]
    calendar: tuple[AnyText, ...]
    next_at: AwareDatetime | None
