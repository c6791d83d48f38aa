"""The values that travel: what the checks found, what the journal knows, what became of a publication."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict

from policenotify.channel import Operation, Post, PostRef
from policenotify.errors import PublicationFailed
from policenotify.model.lifecycle import Course, Stage, course_after, next_course
from policenotify.model.message import Message
from policenotify.text.timestamps import local_time


class Outcome(StrEnum):
    """What became of a delivery (or, for mail and SMS, of one person's)."""

    WAITING = "waiting"  # not sent yet; somebody will
    SENDING = "sending"  # being sent now
    POSTED = "posted"  # the network has it
    REFUSED = "refused"  # the network does not want it; final
    UNCONFIRMED = "unconfirmed"  # it may or may not be out; will be found out
    HELD = "held"  # in doubt, and nobody can be asked: a person decides (`policenotify resolve`)
    SUPERSEDED = "superseded"  # the incident had ended before it could be sent: better silent than stale
    SKIPPED = "skipped"  # not for this channel, by a setting
    WITHDRAWN = "withdrawn"  # was posted, and taken back
    SUPPRESSED = "suppressed"  # a person who is not to be written to

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self not in {Outcome.WAITING, Outcome.SENDING, Outcome.UNCONFIRMED}

    @property
    def in_order(self) -> bool:
        """Whether nobody needs to act."""
        return self in {Outcome.POSTED, Outcome.SKIPPED, Outcome.SUPERSEDED, Outcome.WITHDRAWN, Outcome.SUPPRESSED}


class Level(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One remark of a check about a message.

    Attributes:
        code: Names the rule, for ever: `PN101`.
        level: An `error` keeps the message from going out.
        field: The message's field that it is about.
        reason: What is wrong, in an officer's words.
        remedy: What to do, in the imperative.
        span: First and one-past-last character in the field, where it is about a part of it.
    """

    code: str
    level: Level
    field: str
    reason: str
    remedy: str
    span: tuple[int, int] | None = None

    @property
    def blocks(self) -> bool:
        """Whether the message may not go out."""
        return self.level is Level.ERROR

    def __str__(self) -> str:
        return f"{self.code} {self.level} · {self.field}: {self.reason} {self.remedy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An earlier publication on one channel, in one language.

    Attributes:
        channel: The channel's name.
        account: The account it was meant for.
        language: BCP 47.
        outcome: What became of it.
        part: Number of the post among those of the same channel.
        ref: Where it landed, once posted.
    """

    channel: str
    account: str
    language: str
    outcome: Outcome
    part: int = 0
    ref: PostRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One publication of an incident.

    Attributes:
        publication: Its id.
        sequence: Its place in the incident, from 1.
        message: The resolved message.
        at: When it was journalled.
        said: What became of its posts.
    """

    publication: str
    sequence: int
    message: Message
    at: datetime
    said: tuple[Said, ...] = ()

    @property
    def stage(self) -> Stage:
        """Its stage."""
        return self.message.stage


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the journal knows of one incident, read once.

    Attributes:
        incident: The incident's id; `None` for a message that belongs to none.
        entries: Its publications, in order.
    """

    incident: str | None = None
    entries: tuple[Entry, ...] = ()

    @property
    def course(self) -> Course:
        """Where the incident stands, or the standalone message with its corrections."""
        return course_after(entry.stage for entry in self.entries)

    @property
    def opening(self) -> Entry | None:
        """The publication that opened the incident."""
        return self.entries[0] if self.entries else None

    def entry(self, publication: str) -> Entry | None:
        """One of the incident's publications."""
        return next((entry for entry in self.entries if entry.publication == publication), None)

    def known(self, open_now: Iterable[str] = (), *, zone: tzinfo = UTC) -> str:
        """What the journal knows, in a sentence or two, for the text of an error; *open_now*: the incidents."""
        lines = "; ".join(open_now)
        told = []
        if self.entries:
            last = self.entries[-1]
            told.append(f"Its last publication is the {last.stage} of {local_time(last.at, zone)}.")
        if lines:
            told.append(f"Open now: {lines}.")
        elif not self.entries:
            told.append("No incident is open.")
        return " ".join(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """What one channel is to say of a message, in one language.

    Attributes:
        channel: The channel's name.
        account: The account that will say it.
        language: BCP 47.
        operation: What is done.
        part: Number of the post among those of the same channel, from 0: a second language is a post of its own.
        answers: The incident's earlier publications, from the opening to the one to answer.
        target: For an edit or a deletion: the publication whose post it is about.
        target_part: And which of its posts on the channel.
        skip: Why nothing is said here although the incident was opened here; empty: it is said.
        refused: Why it cannot be said here although it should be; empty: it can.
    """

    channel: str
    account: str
    language: str
    operation: Operation = Operation.POST
    part: int = 0
    answers: tuple[str, ...] = ()
    target: str = ""
    target_part: int = 0
    skip: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How a leg reads: the post that answers, if there is something to answer, and the one that stands alone.

    Attributes:
        leg: Where it goes.
        standalone: Reads alone.
        reply: Reads under our earlier posts; `None` where there is nothing to answer.
        further: Posts that go on where the first one ends, each under the one before, where all that must be said is
            too long for one.
        gave_way: What was left out so that the rest fits, in plain words.
    """

    leg: Leg
    standalone: Post
    reply: Post | None = None
    further: tuple[Post, ...] = ()
    gave_way: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A message that waits for a channel that cannot be used: it has no wording until then.

    Attributes:
        leg: Where it goes.
        reason: Why the channel cannot be used now, in an officer's words.
        remedy: What to do.
    """

    leg: Leg
    reason: str
    remedy: str


class _Value(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")


UNVERIFIED = "Accepted by the gateway, not verified."
"""The note of what is posted through a network whose yes says no more (`Abilities.acceptance`)."""


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
        unworded: Its channel could not be used when it was published: it is worded, and sent, once the channel can.
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
    unworded: bool = False

    @property
    def url(self) -> str | None:
        """Where readers find it."""
        return self.ref.url if self.ref else None

    @property
    def in_order(self) -> bool:
        """Whether nobody needs to act."""
        missed = any(count for outcome, count in (self.recipients or {}).items() if not outcome.in_order)
        return self.outcome.in_order and not missed

    def __str__(self) -> str:
        people = ", ".join(f"{count} {outcome}" for outcome, count in (self.recipients or {}).items() if count)
        told = [f"{self.channel}: {self.outcome}", f"({people})" if people else "", self.url or ""]
        again = ""
        if self.retry_at and not self.outcome.settled:
            again = f"Not before {local_time(self.retry_at, self.retry_at.tzinfo)}."
        why = [self.reason, f"[{self.code}]" if self.code else "", self.remedy, again, self.note]
        return " ".join(filter(None, (*told, *why)))


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
    def in_order(self) -> bool:
        """Whether nobody needs to act on any channel."""
        return all(receipt.in_order for receipt in self.receipts)

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
        if failed := [receipt for receipt in self.receipts if not receipt.in_order]:
            raise PublicationFailed(failed)

    def update(self, headline: str, **fields: object) -> Message:
        """The next message of the incident: the situation has changed.

        Raises:
            IllegalCourse: It belongs to no incident.
        """
        return self._next(Stage.UPDATE, headline, fields)

    def end(self, headline: str, **fields: object) -> Message:
        """The last message of the incident: it is over.

        Raises:
            IllegalCourse: It belongs to no incident.
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
            next_course(Course.STANDALONE, stage, incident=None)
        return self.message.followed_by(stage, headline=headline, incident=self.incident, corrects=corrects, **fields)
