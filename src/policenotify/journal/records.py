"""Values that go into the journal and come out of it, without the SQL toolkit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from policenotify.channel import Operation, Picture, Post, PostRef, Request
from policenotify.findings import APPROVAL_MISSING, Finding, Level, by_level
from policenotify.journal.clock import Uptime
from policenotify.model.cap import Severity
from policenotify.model.history import History, HistoryEntry, Outcome, PostedPart, RenderedPost, Target
from policenotify.model.lifecycle import IncidentStatus
from policenotify.model.message import Message
from policenotify.model.receipt import local_time
from policenotify.model.status import IncidentLine
from policenotify.translation import AnyText, Text

if TYPE_CHECKING:
    from sqlalchemy import Row

_Row = TypeVar("_Row")
_Read = TypeVar("_Read")

LEASE = timedelta(minutes=2)
"""How long a claim is valid without a heartbeat. No network call may take longer."""

TOLERANCE = timedelta(seconds=30)
"""How far the clocks of two hosts may differ without either having been set back."""

LONGEST_PAUSE = timedelta(days=1)
"""The longest pause of a channel, the longest window of Bluesky and X. No claim lasts so long either."""

MASS_REFUSAL = "recipients_gone"
"""The code of a block because too many recipients were reported as not existing. Only a person lifts it."""


class TakenBack(Exception):
    """A delivery was withdrawn, cancelled or ended since it was claimed."""


DAMAGED = Text(
    "What the journal holds of it, or of the post it is about, is damaged or was changed. Publish it by hand, then: "
    "policenotify resolve."
)
"""The reason of a delivery of which something cannot be read."""

TAKEN_DOWN = Text("It was withdrawn before it could be sent.")
"""The reason of a delivery whose publication was withdrawn."""

LISTED = 10
"""Open incidents that an error text lists."""

_ULID_DIGITS = str.maketrans("ABCDEFGHJKMNPQRSTVWXYZ", "ABCDEFGHIJKLMNOPQRSTUV")  # Crockford's to Python's
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(at: datetime) -> int:
    """Return a time as the journal stores it: microseconds since 1970 in UTC."""
    return (at - _EPOCH) // _MICROSECOND


class DamagedValue(ValueError):
    """A stored value is none that policenotify stores there."""


class DamagedRow(DamagedValue):
    """A row that cannot be read.

    Attributes:
        row: Its table and its key: `pn_draft 01K4…`.
    """

    def __init__(self, table: str, key: object) -> None:
        self.row: str = f"{table} {key}"
        super().__init__(self.row)


@contextmanager
def stored(table: str, key: object) -> Iterator[None]:
    """Report what the reading of a row's values raises as its damage, without quoting them.

    Nothing but the reading is inside: any other error is a fault of the program.

    Raises:
        DamagedRow: A value cannot be read.
        UnsupportedVersion: A newer policenotify wrote it.
    """
    try:
        yield
    except (ValueError, TypeError, KeyError):  # of pydantic and JSON, too
        raise DamagedRow(table, key) from None


def readable(rows: Iterable[_Row], read: Callable[[_Row], _Read]) -> Iterator[_Read]:
    """Yield what is read of the rows, without those that cannot be read: one of them stops nothing but itself."""
    for row in rows:
        try:
            yield read(row)
        except DamagedRow:  # the status names it
            continue


_Word = TypeVar("_Word", bound=StrEnum)


def word(kind: type[_Word], stored: str) -> _Word:
    """Return one of the words that the journal stores.

    Raises:
        DamagedValue: It is none.
    """
    try:
        return kind(stored)
    except ValueError:
        raise DamagedValue from None


def moment(stored: int) -> datetime:
    """Return the time that the journal stored.

    Raises:
        DamagedValue: No time was stored.
    """
    try:
        return _EPOCH + stored * _MICROSECOND
    except OverflowError:
        raise DamagedValue from None


def span(length: timedelta) -> int:
    """Return an interval as the journal stores it."""
    return length // _MICROSECOND


def latest_pause(now: int) -> int:
    """Return the end of the longest pause. A later one was written by a clock that was ahead, and is void."""
    return now + span(LONGEST_PAUSE + TOLERANCE)


def storable(text: AnyText) -> AnyText:
    """Return a network's text as a database accepts it: no lone surrogate, no NUL (PostgreSQL).

    A result that cannot be stored would leave its delivery to be sent again and again.
    """
    if isinstance(text, Text):
        return text.map(lambda part: storable(part) if isinstance(part, str) else part)
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def priority(severity: Severity) -> int:
    """Return the order of claims: 0 (Extreme) is first, 4 (Unknown) last."""
    return list(Severity).index(severity)


def ref_of(row: Row[Any]) -> PostRef | None:
    """Return where the post of a delivery is. `None` if it is nowhere yet, or that cannot be read."""
    try:
        return PostRef.read(row.ref) if row.ref else None
    except ValueError:
        return None


def outcome_of(state: str, *, in_doubt: bool = False) -> Outcome:
    """Return the outcome of a delivery. One that waits in doubt is unconfirmed, and one that cannot be read is held."""
    try:
        return Outcome.UNCONFIRMED if in_doubt and state == Outcome.WAITING else Outcome(state)
    except ValueError:
        return Outcome.HELD


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededApproval:
    """What a new publication needs besides its author.

    Attributes:
        draft: The draft that it is, if it was submitted.
        readers: How many other people must have approved it.
        reasons: They must have written why.
        severe: Of severity Severe or Extreme.
        may_be_urgent: It may be published before they have.
        urgent: Why it is. Empty if it is not.
        second_due_at: When the second reading is due then.
        to: The channels that were named for it.
        authenticated: Authors and readers must be authenticated.
    """

    draft: str | None = None
    readers: int = 0
    reasons: bool = False
    severe: bool = False
    may_be_urgent: bool = False
    urgent: str = ""
    second_due_at: datetime | None = None
    to: tuple[str, ...] = ()
    authenticated: bool = False

    @property
    def is_missing(self) -> bool:
        """True if it is neither a draft, which others may have read, nor urgent."""
        return self.draft is None and not self.urgent

    def finding(self, read: int = 0) -> Finding:
        """Return the finding that others must read it first, of whom so many have, and the option that helps."""
        # Whole sentences, because parts of one do not fit together in every language.
        readers, reason = self.readers - read, Text("Another person must read this message first.")
        if readers > 1:
            reason = Text("{readers} other people must read this message first.", readers=readers)
        if self.reasons:
            reason = Text("{reason} Who approves it writes why.", reason=reason)
        if self.authenticated:
            reason = Text("{reason} All must be authenticated, and the command line is not.", reason=reason)
            remedy = Text("Write it in an application with a login. Another person approves it there.")
        elif self.draft is not None:
            remedy = Text('Another person approves it: policenotify approve DRAFT --reason "WHY".')
        else:
            remedy = Text('To let another person approve it first, add --submit --reason "WHY".')
        if self.may_be_urgent:
            now = Text('To publish it now, add --urgent "WHY": another person reads it afterwards.')
            remedy = Text.join(" ", (now, remedy) if self.severe else (remedy, now))
        return Finding(
            code=APPROVAL_MISSING,
            level=Level.SECOND,
            field="message",
            reason=reason,
            remedy=remedy,
            source=Text("The installation's own rules of approval, or a finding of level second or block."),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPublication:
    """A publication to be stored.

    Attributes:
        digest: The digest of the message as the caller passed it.
        message: The message with all defaults filled in.
        status: The incident's status after it.
        expected_sequence: Its place in the incident's history as it was read, from 1, or 0 outside incidents.
        due_at: The deadline of the incident's next message, if there must be one.
        rules: Versions of the settings and locales that were used.
        posts: The rendered posts, one for each target that has one.
        targets: The targets without a post: skipped, refused, a deletion, or waiting for their channel.
        with_recipients: The channels with recipients, whose people are read after it is stored.
        skips_without_opening: Channels that skip the end of an incident whose opening was never posted there.
        typed: The message as the caller passed it, its images named by digest.
        earlier: The messages of its incident before it.
        approval: The approval that it needs, if any.
        narrowed_to: The channels to which the caller narrowed its beginning. `None`: the routes chose them.
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
    with_recipients: frozenset[str] = frozenset()
    pictures: tuple[Picture, ...] = ()
    skips_without_opening: frozenset[str] = frozenset()
    typed: Message | None = None
    earlier: tuple[Message, ...] = ()
    approval: NeededApproval | None = None
    narrowed_to: tuple[str, ...] | None = None

    @property
    def read_digest(self) -> str:
        """What approvals of it are bound to: the digest of the message as readers would read it."""
        # An incident that it opens has no id before it is stored.
        return self.message.model_copy(update={"lifecycle": (self.typed or self.message).lifecycle}).digest()

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Its findings, with the one that others must read it first, if they must."""
        if self.approval is None or not self.approval.is_missing:
            return self.findings
        return by_level((*self.findings, self.approval.finding()))

    @property
    def begun(self) -> History:
        """The history of the incident that it opens."""
        parts = (
            PostedPart(channel=to.channel, account=to.account, language=to.language, outcome=Outcome.WAITING)
            for to, *_ in self.deliveries
        )
        entry = HistoryEntry(
            publication=self.id,
            sequence=1,
            message=self.message,
            at=self.at,
            posts=tuple(parts),
            narrowed_to=self.narrowed_to,
        )
        return History(incident=self.message.incident, entries=(entry,))

    @property
    def deliveries(self) -> list[tuple[Target, Post | None, Post | None]]:
        """One delivery for each post and target: the target, its standalone post and its reply.

        Posts come first, by part. Delivery ids follow this order.
        """
        found: list[tuple[Target, Post | None, Post | None]] = [(target, None, None) for target in self.targets]
        for rendered in self.posts:
            for number, post in enumerate((rendered.standalone, *rendered.continuations)):
                target = replace(rendered.target, part=rendered.target.part + number)
                found.append((target, post, None if number else rendered.reply))
        return sorted(found, key=lambda delivery: (delivery[0].operation is not Operation.POST, delivery[0].part))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedDelivery:
    """A delivery claimed by one process until its lease expires.

    Attributes:
        account: The account that it was rendered for.
        in_doubt: An earlier attempt may have succeeded.
        unseen_at: The first look-up since the last attempt that did not find the post.
        backoff: The last wait after a failure.
        wording: The chosen one: `reply`, `standalone`, or empty if none was chosen yet or the network has no replies.
        request_version: How often the network has required another request.
        reply_to: The posts above it in the thread, from the opening on.
        reached: What it refers to is posted there.
        over: Nothing of it may be sent any more, since it was withdrawn, cancelled or ended. It is in doubt, else it
            would not have been claimed.
        has_recipients: It is sent to people: the delivery itself, whose people are to be stored, or a batch of them.
        parent: Of a batch, the delivery whose people it has. Post key, request and wording are that delivery's.
    """

    id: int
    owner: str
    publication: str
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
    reached: bool = False
    over: bool = False
    unseen_at: Uptime | None = None
    parent: int | None = None

    @property
    def public_id(self) -> int:
        """The delivery as people know it. A batch has that of its parent."""
        return self.id if self.parent is None else self.parent

    @property
    def published_at(self) -> datetime:
        """When it was published, to the millisecond: the time in the ULID of the publication."""
        return moment(1000 * int(self.publication[:10].translate(_ULID_DIGITS), 32))


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptResult:
    """The result of an attempt, and the delivery's new state.

    Attributes:
        outcome: The outcome. `UNCONFIRMED` leaves the delivery waiting, in doubt.
        unseen_at: The first look-up since the last attempt that did not find the post.
        backoff: The wait after a failure, from which the next one grows.
        reason: What happened, for an officer.
        remedy: What to do now.
        code: The network's own code.
        standalone: The next attempt uses the standalone wording.
        new_request: The next attempt prepares another request.
        resend_as_post: The next attempt publishes a new post instead of editing.
        of_people: It concerns some people of a batch only. The delivery's other batches go on.
        delayed: The attempt has failed, and is repeated or looked into.
    """

    outcome: Outcome
    ref: PostRef | None = None
    not_before: datetime | None = None
    unseen_at: Uptime | None = None
    backoff: timedelta = timedelta(0)
    reason: AnyText = ""
    remedy: AnyText = ""
    code: str = ""
    standalone: bool = False
    new_request: bool = False
    resend_as_post: bool = False
    of_people: bool = False
    delayed: bool = False

    def __post_init__(self) -> None:
        for name in ("reason", "remedy", "code"):
            object.__setattr__(self, name, storable(getattr(self, name)))


def describe_incidents(history: History, open_incidents: Sequence[IncidentLine], zone: tzinfo) -> AnyText:
    """Return the last publication of an incident and the newest open incidents as sentences for an error text."""
    sentences = []
    if history.entries:
        last = history.entries[-1]
        sentences.append(
            Text("Its last publication is the {stage} of {at}.", stage=last.stage, at=local_time(last.at, zone))
        )
    if lines := Text.join("; ", (incident.in_zone(zone) for incident in open_incidents[:LISTED])):
        sentences.append(Text("Open now: {lines}. All: policenotify incidents", lines=lines))
    elif not history.publications:
        sentences.append(Text("No incident is open."))
    return Text.join(" ", sentences)
