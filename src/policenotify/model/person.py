"""What the journal holds about one person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from policenotify.model.history import Outcome
from policenotify.model.lifecycle import FrozenModel
from policenotify.translation import AnyText


class Source(StrEnum):
    """Why a person is not written to, the weightiest last: a later reason replaces a lighter one."""

    BOUNCE = "bounce"
    """The network reports that the address does not exist, or takes nothing."""
    OPERATOR = "operator"
    """A person at the service decided it."""
    STOP = "stop"
    """The person answered STOP, or asked for it in another way."""
    COMPLAINT = "complaint"
    """The person marked a mail as unwanted, as the mailbox provider reports."""
    ONE_CLICK = "one-click"
    """The person used the link to leave."""

    @property
    def opted_out(self) -> bool:
        """Whether it is the person's own will. It then outlives the erasure of everything else."""
        return self in {Source.STOP, Source.COMPLAINT, Source.ONE_CLICK}


Reported: TypeAlias = Literal["gone", "soft", "complaint"]
"""What is reported: the address does not exist, it took nothing for now, the person complained."""

Delivered: TypeAlias = Literal["delivered"]
"""What a receipt states of a person who has the message."""


class ReportResult(StrEnum):
    """What became of a report, or of a wish to leave."""

    UNKNOWN = "unknown"
    """The token is not ours, or names no delivery of this journal. Nothing was changed."""
    REPEATED = "repeated"
    """It was recorded before. Nothing was changed."""
    REMEMBERED = "remembered"
    """It is recorded, and alone it suppresses no one."""
    SUPPRESSED = "suppressed"
    """The person is not written to from now on."""


class Suppression(FrozenModel):
    """A person who is not written to, on one channel or on all.

    Attributes:
        channel: The channel, or `None` for all.
        key: The person's opaque key, from which no telephone number can be found in minutes.
        evidence: What shows it, in words, without an address.
        since: From when on nothing is sent.
    """

    channel: str | None
    key: str
    source: Source
    evidence: AnyText
    since: datetime


class PersonDelivery(FrozenModel):
    """A publication that was for a person.

    Attributes:
        headline: Its headline. Empty after a purge.
        code: The network's own code.
    """

    publication: str
    incident: str | None
    category: str
    stage: str
    headline: str
    published_at: datetime
    channel: str
    language: str
    outcome: Outcome
    reason: AnyText
    code: str


class PersonReport(FrozenModel):
    """What came back about a person.

    Attributes:
        kind: `refused` in the session, `gone` or `soft` after the post was accepted, or `complaint`.
        status: The network's own code.
    """

    publication: str
    channel: str
    kind: str
    status: str
    at: datetime


class PersonRecord(FrozenModel):
    """Everything that the journal holds about one person, for a request for access (RGPD, article 15).

    Attributes:
        address_stored_at: When the encrypted address was last stored, or `None` if there is none.
        deliveries: What was for the person, the oldest first. What is older than the erasure of the address is not
            linked to the person any more.
        reports: What came back, of the last 30 days.
        suppressions: Where the person is not written to.
    """

    address_stored_at: datetime | None = None
    deliveries: tuple[PersonDelivery, ...] = ()
    reports: tuple[PersonReport, ...] = ()
    suppressions: tuple[Suppression, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the journal knows nothing about the person."""
        return self == PersonRecord()


class ErasedPerson(FrozenModel):
    """What was erased of a person.

    Attributes:
        address: An encrypted address was erased.
        deliveries: Deliveries that are no longer linked to the person. How many people they reached stays.
        ended: Suppressions that were erased, for they were no wish of the person.
        kept: Suppressions that stay, because the person left: without them the next list would bring the person back.
        listed: Channels whose list still names the person, who is written to again with the next publication.
    """

    address: bool
    deliveries: int
    ended: int = 0
    kept: tuple[Suppression, ...] = ()
    listed: Sequence[str] = ()
