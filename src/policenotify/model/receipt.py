"""The values that travel: what the checks found, what the journal knows, what became of a publication."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict

from policenotify.errors import PolicenotifyError
from policenotify.findings import Finding
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus, Stage, next_status
from policenotify.model.message import Message
from policenotify.model.post import Operation, PostRef


class _Value(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")


UNVERIFIED = "Accepted by the gateway, not verified."
"""The note of what is posted through a network whose yes says no more (`Capabilities.acceptance`)."""


class Receipt(_Value):
    """What became of a publication on one channel, in one language.

    Attributes:
        channel: The channel's name.
        language: BCP 47.
        operation: What was done.
        part: Number of the post among those of the channel.
        outcome: What became of it.
        delivery: Id of the delivery in the journal.
        ref: Where it landed.
        reason: Why it is not posted, in an officer's words.
        remedy: What to do now.
        code: The network's own code.
        retry_at: When it will be tried again, in the zone of the publisher.
        attempts: How often it was tried.
        standalone: It was worded to stand alone although it belongs to an incident and the network has replies.
        recipients: For a channel with recipients: how many people have which outcome.
        note: Who will send what is waiting, and when a runner was last seen; of what is posted, how far that is known.
        unrendered: Its channel could not be used when it was published: it is worded, and sent, once the channel can.
    """

    channel: str
    language: str
    operation: Operation = Operation.POST
    part: int = 0
    outcome: Outcome
    delivery: int
    ref: PostRef | None = None
    reason: str = ""
    remedy: str = ""
    code: str = ""
    retry_at: AwareDatetime | None = None
    attempts: int = 0
    standalone: bool = False
    recipients: Mapping[Outcome, int] | None = None
    note: str = ""
    unrendered: bool = False

    @property
    def url(self) -> str | None:
        """Where readers find it."""
        return self.ref.url if self.ref else None

    @property
    def ok(self) -> bool:
        """Whether nobody needs to act."""
        missed = any(count for outcome, count in (self.recipients or {}).items() if not outcome.ok)
        return self.outcome.ok and not missed

    def __str__(self) -> str:
        people = ", ".join(f"{count} {outcome}" for outcome, count in (self.recipients or {}).items() if count)
        told = [f"{self.channel}: {self.outcome}", f"({people})" if people else "", self.url or ""]
        again = ""
        if self.retry_at and not self.outcome.is_final:
            again = f"Not before {local_time(self.retry_at, self.retry_at.tzinfo)}."
        why = [self.reason, f"[{self.code}]" if self.code else "", self.remedy, again, self.note]
        return " ".join(filter(None, (*told, *why)))


class PublicationFailed(PolicenotifyError):
    """On at least one channel the post is not out, or may not be.

    Attributes:
        receipts: The receipts that are not in order.
    """

    def __init__(self, receipts: Sequence[Receipt]) -> None:
        self.receipts: tuple[Receipt, ...] = tuple(receipts)
        super().__init__("\n".join(str(receipt) for receipt in self.receipts))


class Publication(_Value):
    """A message as it was published, and what became of it. Iterating gives its receipts; `model_dump()`, its fields.

    Attributes:
        id: The publication's id (a ULID).
        key: The caller's key.
        message: The resolved message: with the defaults of its profile, the names of its place and its incident's id.
        sequence: Its place in the incident, from 1; 0 when it belongs to none.
        at: When it was journalled.
        actor: Who published it.
        repeated: The key had been used before for the same content; nothing was published a second time.
        receipts: What became of it on each channel.
        findings: What the checks remarked, none of it blocking.
    """

    id: str
    key: str
    message: Message
    sequence: int = 0
    at: AwareDatetime
    actor: str
    repeated: bool = False
    receipts: tuple[Receipt, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def incident(self) -> str | None:
        """Id of the incident, if it belongs to one."""
        return self.message.incident

    @property
    def ok(self) -> bool:
        """Whether nobody needs to act on any channel."""
        return all(receipt.ok for receipt in self.receipts)

    def __iter__(self) -> Iterator[Receipt]:  # type: ignore[override]  # a publication is read as its receipts
        return iter(self.receipts)

    def on(self, channel: str) -> Receipt:
        """The (first) receipt of a channel.

        Raises:
            KeyError: It did not go there.
        """
        for receipt in self.receipts:
            if receipt.channel == channel:
                return receipt
        raise KeyError(f"{self.id} was not for {channel!r}")

    def raise_for_failures(self) -> None:
        """Raise when on any channel the post is not out, or may not be.

        Raises:
            PublicationFailed: Its `receipts` are those where somebody may need to act.
        """
        if failed := [receipt for receipt in self.receipts if not receipt.ok]:
            raise PublicationFailed(failed)

    def update(self, headline: str, **fields: object) -> Message:
        """The next message of the incident: the situation has changed.

        Raises:
            InvalidTransition: It belongs to no incident.
        """
        return self._next(Stage.UPDATE, headline, fields)

    def end(self, headline: str, **fields: object) -> Message:
        """The last message of the incident: it is over.

        Raises:
            InvalidTransition: It belongs to no incident.
        """
        return self._next(Stage.END, headline, fields)

    def correct(self, headline: str, **fields: object) -> Message:
        """A message that sets *this* publication right; outside incidents, the standalone message that it is about."""
        return self._next(Stage.CORRECTION, headline, fields, corrects=self.id if self.incident else self._about)

    def cancel(self, headline: str, **fields: object) -> Message:
        """A message that takes the incident (or this standalone publication) back: it should not have been said."""
        return self._next(Stage.CANCELLATION, headline, fields, corrects=None if self.incident else self._about)

    @property
    def _about(self) -> str:
        return self.message.lifecycle.corrects or self.id

    def _next(self, stage: Stage, headline: str, fields: dict[str, object], *, corrects: str | None = None) -> Message:
        if self.incident is None:  # in words: what a Lifecycle says of it is for who builds one
            next_status(IncidentStatus.STANDALONE, stage, incident=None)
        return self.message.followed_by(stage, headline=headline, incident=self.incident, corrects=corrects, **fields)


def local_time(at: datetime, zone: tzinfo | None, *, seconds: bool = False) -> str:
    """Return a time in the zone of the installation.

    Only UTC is named, so that it is not taken for the time on the wall.
    """
    at = at.astimezone(zone)
    shown = f"{at:%Y-%m-%d %H:%M:%S}" if seconds else f"{at:%Y-%m-%d %H:%M}"
    return f"{shown} UTC" if at.tzname() == "UTC" else shown
