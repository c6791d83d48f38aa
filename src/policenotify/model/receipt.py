"""A publication with its receipts, and the next message that may follow it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import AwareDatetime, ConfigDict, computed_field

from policenotify.errors import PolicenotifyError
from policenotify.findings import Finding
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import FrozenModel, IncidentStatus, Stage, next_status
from policenotify.model.message import Message
from policenotify.model.post import Operation, PostRef
from policenotify.translation import AnyText, Text

Published: TypeAlias = Literal["yes", "partly", "no", "unknown"]
"""Whether readers have a publication."""

_PUBLISHED = frozenset({Outcome.POSTED, Outcome.DELETED, Outcome.SKIPPED, Outcome.SUPERSEDED, Outcome.SUPPRESSED})
_UNKNOWN = frozenset({Outcome.SENDING, Outcome.UNCONFIRMED, Outcome.HELD})

UNVERIFIED = Text("Accepted by the gateway, not verified.")
"""The note on a post of a network whose `Capabilities.acceptance` is `unverified`."""


class ReasonCount(FrozenModel):
    """How many people have one outcome for one reason.

    Attributes:
        code: The network's own code. People with the same code count together.
        reason: Why, in an officer's words: of people with a code, as it was written for one of them.
    """

    outcome: Outcome
    code: str = ""
    reason: AnyText = ""
    count: int


class Receipt(FrozenModel):
    """The outcome of one delivery.

    Attributes:
        part: Number of the post among those of the channel, from 0.
        delivery: Id of the delivery in the journal.
        ref: The reference of the post, once posted.
        reason: Why it is not posted, in an officer's words.
        code: The network's own code.
        retry_at: The time of the next attempt, in the zone of the publisher.
        attempts: The number of attempts so far.
        standalone: It has the standalone wording, although it belongs to an incident and the network has replies.
        recipients: For a channel with recipients, how many people have which outcome.
        reasons: How many of them did not get it for which reason, the most frequent first.
        expanded: All its people are known. Until then, its list is still being read.
        wrong_rows: Rows of its list that name no person.
        paused: A person has paused it. It waits until it is resumed.
        aborted: A person has stopped its sending to many people for good.
        in_hand: A worker that runs sends it: it waits for no person.
        remains: It was withdrawn, and its readers have it all the same.
        note: For a waiting post, which process will send it and when one last ran. For a sent one, what is not proven.
    """

    channel: str
    language: str
    operation: Operation = Operation.POST
    part: int = 0
    outcome: Outcome
    delivery: int
    ref: PostRef | None = None
    reason: AnyText = ""
    remedy: AnyText = ""
    code: str = ""
    retry_at: AwareDatetime | None = None
    attempts: int = 0
    standalone: bool = False
    recipients: Mapping[Outcome, int] | None = None
    reasons: tuple[ReasonCount, ...] = ()
    expanded: bool = True
    wrong_rows: int = 0
    paused: bool = False
    aborted: bool = False
    in_hand: bool = False
    remains: bool = False
    note: AnyText = ""

    @property
    def url(self) -> str | None:
        """The post's page for readers."""
        return self.ref.url if self.ref else None

    @property
    def ok(self) -> bool:
        """True if no person needs to act."""
        people = self.recipients or {}
        missed = any(count for outcome, count in people.items() if not self._is_settled(outcome))
        nobody = people.get(Outcome.SUPPRESSED) and not people.get(Outcome.POSTED)
        return self._is_settled(self.outcome) and not missed and not nobody and not self.remains

    def count(self, *outcomes: Outcome) -> int:
        """Return how many people of a list have one of these outcomes."""
        return sum((self.recipients or {}).get(outcome, 0) for outcome in outcomes)

    def _is_settled(self, outcome: Outcome) -> bool:
        return outcome.ok or (self.in_hand and not outcome.is_final)

    @property
    def text(self) -> Text:
        """The receipt as one line."""
        people = Text.join(
            ", ", [counted(outcome, count) for outcome, count in (self.recipients or {}).items() if count]
        )
        retry: AnyText = ""
        if self.retry_at and not self.outcome.is_final:
            retry = Text("Not before {retry_at}.", retry_at=local_time(self.retry_at, self.retry_at.tzinfo))
        result = [
            Text("{channel}: {outcome}", channel=self.channel, outcome=self.outcome),
            Text("({people})", people=people) if people else "",
            self.url or "",
        ]
        details = [self.reason, f"[{self.code}]" if self.code else "", self.remedy, retry, self.note]
        return Text.join(" ", (*result, *details))

    def __str__(self) -> str:
        return str(self.text)


class PublicationFailed(PolicenotifyError):
    """A person needs to act on at least one delivery of a publication.

    Attributes:
        receipts: The receipts of these deliveries.
    """

    def __init__(self, receipts: Sequence[Receipt]) -> None:
        self.receipts: tuple[Receipt, ...] = tuple(receipts)
        super().__init__(Text.join("\n", [receipt.text for receipt in self.receipts]))


class Publication(FrozenModel):
    """A message as it was published, with its receipts. Iterating yields the receipts.

    Attributes:
        id: The publication's id (a ULID).
        key: The caller's key.
        message: The resolved message, with the defaults of its profile, the names of its place and its incident's id.
        sequence: Its place in the incident, from 1. It is 0 outside incidents.
        at: The time when it was stored in the journal.
        actor: Who published it.
        repeated: An earlier call had the same key and content. Nothing was published a second time.
        findings: The findings of the checks, none of them blocking.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="ignore")  # its document has computed fields, too

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

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def stage(self) -> Stage:
        """The stage of the message."""
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
        """True if no person needs to act on any delivery."""
        return all(receipt.ok for receipt in self.receipts)

    def __iter__(self) -> Iterator[Receipt]:  # type: ignore[override]  # a publication is read as its receipts
        return iter(self.receipts)

    def on(self, channel: str) -> Receipt:
        """Return the first receipt of a channel.

        Raises:
            KeyError: The publication has no delivery there.
        """
        for receipt in self.receipts:
            if receipt.channel == channel:
                return receipt
        raise KeyError(f"{self.id} was not for {channel!r}")

    def raise_for_failures(self) -> None:
        """Raise if a person needs to act.

        Raises:
            PublicationFailed: A post is not out, or may not be.
        """
        if failed := [receipt for receipt in self.receipts if not receipt.ok]:
            raise PublicationFailed(failed)

    def update(self, headline: str, **fields: object) -> Message:
        """Return the next message of the incident.

        Raises:
            InvalidTransition: The publication belongs to no incident.
        """
        return self._next(Stage.UPDATE, headline, fields)

    def end(self, headline: str, **fields: object) -> Message:
        """Return the last message of the incident.

        Raises:
            InvalidTransition: The publication belongs to no incident.
        """
        return self._next(Stage.END, headline, fields)

    def correct(self, headline: str, **fields: object) -> Message:
        """Return a correction of this publication, or of the standalone message.

        With `reopens=True` the correction of an end takes it back: the incident is open again.
        """
        return self._next(Stage.CORRECTION, headline, fields, corrects=self.id if self.incident else self._standalone)

    def cancel(self, headline: str, **fields: object) -> Message:
        """Return a cancellation of the incident, or of the standalone message."""
        return self._next(Stage.CANCELLATION, headline, fields, corrects=None if self.incident else self._standalone)

    @property
    def _standalone(self) -> str:
        return self.message.lifecycle.corrects or self.id

    def _next(self, stage: Stage, headline: str, fields: dict[str, Any], *, corrects: str | None = None) -> Message:
        if self.incident is None:  # raises in an officer's words, before Lifecycle does in a programmer's
            next_status(IncidentStatus.STANDALONE, stage, incident=None)
        return self.message.followed_by(stage, headline=headline, incident=self.incident, corrects=corrects, **fields)


def _outcomes(receipt: Receipt) -> set[Outcome]:
    if receipt.operation is Operation.DELETE and receipt.outcome is Outcome.DELETED:
        return {Outcome.POSTED}  # the deletion is done, for readers to see
    return {receipt.outcome, *(outcome for outcome, count in (receipt.recipients or {}).items() if count)}


def counted(outcome: Outcome, count: int) -> Text:
    """Return how many have an outcome: `3 posted`."""
    template = f"{{count:,}} {outcome}"
    return Text.counted(template, template, count=count)


def local_time(at: datetime, zone: tzinfo | None, *, seconds: bool = False) -> Text:
    """Return a time in a zone, as `2026-07-26 14:05`. Only UTC is named."""
    at = at.astimezone(zone)
    clock = f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
    named = f"{clock} UTC" if at.tzname() == "UTC" else clock
    return Text("{year}-{month}-{day} {clock}", year=f"{at:%Y}", month=f"{at:%m}", day=f"{at:%d}", clock=named)


def merged(reasons: Iterable[ReasonCount], *, at_most: int | None = None) -> tuple[ReasonCount, ...]:
    """Return reasons with those of the same outcome and code added up, the most frequent first.

    Args:
        reasons: Reasons with their counts. Of the same code, the text of the first counts.
        at_most: How many to keep; the others of an outcome count together, without a text. `None`: all.
    """
    found: dict[tuple[Outcome, str, AnyText], ReasonCount] = {}
    for each in reasons:
        key = (each.outcome, each.code, "" if each.code else each.reason)
        before = found.get(key)
        found[key] = before.model_copy(update={"count": before.count + each.count}) if before else each
    ordered = sorted(found.values(), key=lambda each: (-each.count, each.outcome, each.code, str(each.reason)))
    if at_most is None or len(ordered) <= at_most:
        return tuple(ordered)
    rest = (ReasonCount(outcome=each.outcome, count=each.count) for each in ordered[at_most:])
    return (*ordered[:at_most], *merged(rest))
