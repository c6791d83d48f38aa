"""What goes into the journal and comes out of it; plain values, free of the SQL toolkit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo

from policenotify.channel import Operation, Picture, Post, PostRef, Request
from policenotify.findings import Finding
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome, RenderedPost, Target
from policenotify.model.lifecycle import IncidentStatus
from policenotify.model.message import Message
from policenotify.text.timestamps import local_time

LEASE = timedelta(minutes=2)
"""How long a claimed delivery stays its owner's without a sign of life. No call of a network may take longer."""

QUIET = timedelta(minutes=2)
"""For how long a runner may be silent before it counts as gone; if something waits then, it is an alarm."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(at: datetime) -> int:
    """A moment as the journal stores it: whole microseconds since 1970 in UTC."""
    return (at - _EPOCH) // _MICROSECOND


def moment(stored: int) -> datetime:
    """The moment that the journal stored."""
    return _EPOCH + stored * _MICROSECOND


def span(length: timedelta) -> int:
    """A length of time as the journal counts it."""
    return length // _MICROSECOND


def storable(words: str) -> str:
    """A network's words as a database takes them: neither half a surrogate pair nor, on PostgreSQL, a NUL.

    A result that cannot be written down would leave its delivery to be said again and again.
    """
    return str(words).replace("\0", "").encode("utf-8", "replace").decode()


def priority(severity: Severity) -> int:
    """The order of claims: 0 (Extreme) goes first, 4 (Unknown) last."""
    return list(Severity).index(severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """One delivery about to be journalled.

    Attributes:
        target: Where it goes, or why it does not.
        post_key: Names the post for ever.
        standalone: The wording that reads alone; `None` for a skipped leg.
        reply: The wording that answers, if there is something to answer.
        recipients: For a channel with recipients: who wants to hear it now. `None` for other channels.
        reason: Why its channel cannot be used now, so that it waits without words; empty: it can.
        remedy: What to do then.
    """

    target: Target
    post_key: str
    standalone: Post | None = None
    reply: Post | None = None
    recipients: tuple[str, ...] | None = field(default=None, repr=False)
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPublication:
    """A publication about to be journalled.

    Attributes:
        id: Its id.
        key: The caller's key.
        digest: Of the message as the caller gave it.
        message: As it was resolved.
        status: Where the incident will stand after it.
        expected_sequence: Its place in the incident as the history had it, from 1; 0 outside incidents.
        actor: Who says it.
        at: When.
        not_after: Nothing of it is sent after that.
        due_at: When the desk will owe the next word; `None`: no more is owed.
        findings: What the checks remarked.
        rules: Versions of what resolved and worded it.
        posts: The posts, by target.
        targets: The targets without a post: skipped, refused, a deletion, or waiting for their channel.
        recipients: The recipients now, by channel, of those channels that have any.
        pictures: Its pictures, with their bytes.
        skips_without_opening: Channels that skip the end of what certainly never appeared there.
    """

    id: str
    key: str
    digest: str
    message: Message
    status: IncidentStatus
    expected_sequence: int
    actor: str
    at: datetime
    not_after: datetime | None = None
    due_at: datetime | None = None
    findings: tuple[Finding, ...] = ()
    rules: Mapping[str, str] = field(default_factory=dict)
    posts: tuple[RenderedPost, ...] = ()
    targets: tuple[Target, ...] = ()
    recipients: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    pictures: tuple[Picture, ...] = ()
    skips_without_opening: frozenset[str] = frozenset()

    @property
    def deliveries(self) -> tuple[NewDelivery, ...]:
        """Its deliveries, one for each post and for each target without one."""
        return deliveries_of(self.id, self.posts, self.targets, self.recipients)


def deliveries_of(
    publication: str,
    posts: Iterable[RenderedPost],
    targets: Iterable[Target],
    recipients: Mapping[str, tuple[str, ...]],
) -> tuple[NewDelivery, ...]:
    """Return the deliveries of a publication, one for each post and for each target without one."""
    return (
        *(
            NewDelivery(
                target=replace(rendered.target, part=rendered.target.part + number),
                post_key=post.key,
                standalone=post,
                reply=None if number else rendered.reply,
                recipients=recipients.get(rendered.target.channel),
            )
            for rendered in posts
            for number, post in enumerate((rendered.standalone, *rendered.continuations))
        ),
        *(
            NewDelivery(
                target=target, post_key=target.post_key(publication), reason=target.problem, remedy=target.remedy
            )
            for target in targets
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnrenderedDelivery:
    """What waits for a channel without words, since that could not be used when it was published.

    Attributes:
        publication: Whose.
        channel: Where it goes.
    """

    publication: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedDelivery:
    """A delivery that is ours until the lease runs out.

    Attributes:
        id: Its id.
        owner: Who holds it.
        publication: Whose.
        incident: Of which incident.
        channel: Where it goes.
        account: The account it was worded for.
        key: Names its post for ever.
        operation: What is done.
        severe: It weighs Severe or more.
        has_recipients: It has recipients.
        in_doubt: An earlier attempt may have succeeded.
        attempts: How often it was tried before.
        first_tried_at: When it was first said to the network.
        last_tried_at: When last.
        unseen_at: When a look-up first did not find it, since it was last said; `None`: none has looked.
        clock_steps: By how much the clock had been set in all when these times were read.
        backoff: How long it was made to wait after its last failure; zero: it has not failed.
        not_after: Nothing of it is sent after that.
        standalone: The wording that reads alone.
        reply: The wording that answers.
        wording: Which of the two was chosen: `reply`, `standalone`, or empty: not yet, or the network has no replies.
        request_version: How often the network has asked for another request.
        request: What was said to the network; `None`: not prepared yet.
        reply_to: Where the posts to answer have landed: from the opening to the last.
        target: For an edit or delete: where the post landed.
    """

    id: int
    owner: str
    publication: str
    incident: str | None
    channel: str
    account: str
    key: str
    operation: Operation
    severe: bool
    has_recipients: bool
    in_doubt: bool
    attempts: int
    first_tried_at: datetime | None
    last_tried_at: datetime | None
    backoff: timedelta
    not_after: datetime | None
    standalone: Post | None
    reply: Post | None
    wording: str
    request_version: int
    request: Request | None
    reply_to: tuple[PostRef, ...]
    target: PostRef | None
    unseen_at: datetime | None = None
    clock_steps: timedelta = timedelta(0)

    def at_steps(self, steps: timedelta) -> ClaimedDelivery:
        """The same, its times moved as the clock has been set since; tried first when either clock says so."""
        step = steps - self.clock_steps
        if not step:
            return self
        first, last, unseen = self.first_tried_at, self.last_tried_at, self.unseen_at
        return replace(
            self,
            first_tried_at=first and min(first, first + step),
            last_tried_at=last and last + step,
            unseen_at=unseen and unseen + step,
            clock_steps=steps,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """What became of an attempt, and so of its delivery.

    Attributes:
        outcome: The delivery's new state; `UNCONFIRMED`: waiting, in doubt.
        ref: Where the post landed.
        not_before: When it may be tried again.
        unseen_at: When a look-up first did not find it, since it was last said.
        backoff: How long it is made to wait after a failure, from which the next such wait grows.
        reason: In an officer's words.
        remedy: What to do now.
        code: The network's own code.
        standalone: The next attempt uses the wording that reads alone.
        new_request: The next attempt asks for another request.
        resend_as_post: What could not be edited is said in a post of its own by the next attempt.
    """

    outcome: Outcome
    ref: PostRef | None = None
    not_before: datetime | None = None
    unseen_at: datetime | None = None
    backoff: timedelta = timedelta(0)
    reason: str = ""
    remedy: str = ""
    code: str = ""
    standalone: bool = False
    new_request: bool = False
    resend_as_post: bool = False

    def __post_init__(self) -> None:
        for name in ("reason", "remedy", "code"):
            object.__setattr__(self, name, storable(getattr(self, name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySummary:
    """What became of a publication on one channel, in short.

    Attributes:
        channel: The channel's name.
        language: BCP 47.
        outcome: What became of it.
        ref: Where it landed.
    """

    channel: str
    language: str
    outcome: Outcome
    ref: PostRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationSummary:
    """A publication, as a series of messages knows it again.

    Attributes:
        publication: Its id.
        key: The caller's key.
        at: When it was journalled.
        message: The resolved message.
        deliveries: What became of it.
    """

    publication: str
    key: str
    at: datetime
    message: Message
    deliveries: tuple[DeliverySummary, ...]


def outcome_of(state: str, *, doubt: bool) -> Outcome:
    """Return the outcome of a delivery as people read it: one that waits in doubt is unconfirmed."""
    return Outcome.UNCONFIRMED if doubt and state == Outcome.WAITING else Outcome(state)


@dataclass(frozen=True, slots=True)
class ChannelSummary:
    """What became of all deliveries of one channel.

    Attributes:
        name: The channel's name.
        outcomes: How many came to which outcome; none that no delivery came to.
        oldest: When the oldest publication that still waits here was published; `None`: nothing waits.
    """

    name: str
    outcomes: Mapping[Outcome, int]
    oldest: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentLine:
    """An incident as a list shows it.

    Attributes:
        id: Its id.
        category: What it is about.
        status: Where it stands.
        headline: What its opening said.
        place: Where, in short.
        opened_at: When it was opened.
        due_at: When the desk owes the next word.
        exercise: It is an exercise.
        reminders: Which reminder of that word was raised last; 0: none.
        reminded_at: When.
    """

    id: str
    category: str
    status: IncidentStatus
    headline: str
    place: str
    opened_at: datetime
    due_at: datetime | None
    exercise: bool
    reminders: int = 0
    reminded_at: datetime | None = None

    def __str__(self) -> str:
        return self.in_zone(UTC)

    def in_zone(self, zone: tzinfo) -> str:
        """Return the incident in one line, with its time in that zone."""
        where = f", {self.place}" if self.place else ""
        return f"{self.id} ({self.category}{where}, opened {local_time(self.opened_at, zone)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """A delivery that was taken over twice within one lease.

    Attributes:
        delivery: Its id.
        channel: The channel's name.
        publication: The publication's id.
        at: The time of the last such take-over.
    """

    delivery: int
    channel: str
    publication: str
    at: datetime
