"""The history of an incident, and the targets and posts of its next message."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from policenotify.model.cap import Severity
from policenotify.model.lifecycle import IncidentStatus, Stage, status_after
from policenotify.model.location import Location
from policenotify.model.message import Message
from policenotify.model.post import Operation, Post, PostRef
from policenotify.translation import AnyText


class Outcome(StrEnum):
    """The outcome of a delivery, or of one person's for mail and SMS."""

    WAITING = "waiting"  # not sent yet
    SENDING = "sending"  # an attempt is running
    POSTED = "posted"  # the network has it
    REFUSED = "refused"  # the network does not accept it
    UNCONFIRMED = "unconfirmed"  # in doubt: it may or may not be posted, to be reconciled
    HELD = "held"  # in doubt without a look-up: a person decides (`policenotify resolve`)
    SUPERSEDED = "superseded"  # the incident ended before it was sent
    SKIPPED = "skipped"  # a setting excludes it from this channel
    DELETED = "deleted"  # posted, then deleted
    SUPPRESSED = "suppressed"  # nothing is sent to this person

    @property
    def is_final(self) -> bool:
        """True if the outcome changes only when a person acts."""
        return self not in {Outcome.WAITING, Outcome.SENDING, Outcome.UNCONFIRMED}

    @property
    def ok(self) -> bool:
        """True if no person needs to act."""
        return self in {Outcome.POSTED, Outcome.SKIPPED, Outcome.SUPERSEDED, Outcome.DELETED, Outcome.SUPPRESSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedPart:
    """One post of an earlier publication.

    Attributes:
        part: Number of the post among those of the same channel, from 0.
        ref: Its reference, once posted.
    """

    channel: str
    account: str
    language: str
    outcome: Outcome
    part: int = 0
    ref: PostRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One publication of an incident.

    Attributes:
        sequence: Its place in the incident, from 1.
        message: The resolved message.
        at: The time when it was stored in the journal.
        erased: Its text was erased.
        withdrawn: Its posts were taken down.
        narrowed_to: The channels to which the caller narrowed its beginning. `None`: the routes chose them.
    """

    publication: str
    sequence: int
    message: Message
    at: datetime
    posts: tuple[PostedPart, ...] = ()
    erased: bool = False
    withdrawn: bool = False
    narrowed_to: tuple[str, ...] | None = None

    @property
    def stage(self) -> Stage:
        """The stage of its message."""
        return self.message.stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """What is known of publications of which one cannot be read any more.

    Attributes:
        rows: What cannot be read, by table and key.
        publications: Their ids, in order.
        posts: Their posts, in order.
        status: The status after the last of them.
        exercise: Whether they are an exercise. `None` if that is unknown.
    """

    rows: tuple[str, ...]
    publications: tuple[str, ...]
    posts: tuple[PostedPart, ...]
    status: IncidentStatus
    exercise: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentState:
    """What holds now of an incident.

    Attributes:
        place: The place, as the desk reads it. Empty if none is known.
        channels: The channels on which it goes on, by name.
    """

    headline: str
    place: str
    category: str
    severity: Severity
    exercise: bool
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All publications of one incident, read once from the journal.

    Attributes:
        incident: The incident's id, or `None` for a standalone message with its corrections.
        entries: The publications, in order.
        damage: What is left if one of them cannot be read. There are no entries then: what held is unknown, so that
            nothing is carried on from it or answered, and only its end or cancellation can follow.
    """

    incident: str | None = None
    entries: tuple[HistoryEntry, ...] = ()
    damage: Damage | None = None

    @property
    def publications(self) -> tuple[str, ...]:
        """The ids of the publications, in order."""
        return self.damage.publications if self.damage else tuple(entry.publication for entry in self.entries)

    @property
    def posts(self) -> tuple[PostedPart, ...]:
        """All posts, in order."""
        return self.damage.posts if self.damage else tuple(part for entry in self.entries for part in entry.posts)

    @property
    def exercise(self) -> bool | None:
        """Whether it is an exercise. `None` if it has not begun, or that is unknown."""
        if self.damage:
            return self.damage.exercise
        return self.entries[0].message.exercise if self.entries else None

    @property
    def status(self) -> IncidentStatus:
        """The status after the last publication."""
        return self.damage.status if self.damage else status_after(entry.message.lifecycle for entry in self.entries)

    @property
    def opening(self) -> HistoryEntry | None:
        """The first publication, if any."""
        return self.entries[0] if self.entries else None

    def entry(self, publication: str) -> HistoryEntry | None:
        """Return the publication with this id, if it belongs to the incident."""
        return next((entry for entry in self.entries if entry.publication == publication), None)

    def corrected(self, entry: HistoryEntry) -> HistoryEntry:
        """Return what a correction, or a correction of one, is about. Any other publication is about itself."""
        corrects = entry.message.lifecycle.corrects
        earlier = self.entry(corrects) if corrects else None
        return self.corrected(earlier) if earlier else entry

    @property
    def standing(self) -> dict[str, HistoryEntry]:
        """The publications whose words hold: not corrected, withdrawn or erased.

        Each is under the id of what it is about, in the order of those: a correction stands in the place of what was
        wrong.
        """
        latest = {self.corrected(entry).publication: entry for entry in self.entries}
        return {about: entry for about, entry in latest.items() if not (entry.withdrawn or entry.erased)}

    @property
    def latest(self) -> HistoryEntry | None:
        """The publication that states how things are now, or `None` if none holds.

        It is the last that holds. One is passed over that repeats a place or severity which was corrected after it.
        """
        standing = self.standing
        return next(reversed(self._current() or standing.values()), None)

    def _current(self) -> list[HistoryEntry]:
        """Return the publications that hold, without those that repeat what was corrected after them."""
        standing = self.standing
        corrected = [(entry, standing.get(self.corrected(entry).publication)) for entry in self.entries]
        return [
            entry
            for entry in standing.values()
            if not any(right and _repeats(entry, wrong, right) for wrong, right in corrected)
        ]

    @property
    def narrowed_to(self) -> tuple[str, ...] | None:
        """The channels to which the caller narrowed the beginning. `None`: the routes chose them."""
        return next((entry.narrowed_to for entry in self.entries if entry.narrowed_to is not None), None)

    @property
    def state(self) -> IncidentState | None:
        """What holds now, or `None` without publications.

        If nothing holds, it is what was published last and not erased: the end of that is owed.
        """
        if not self.entries:
            return None
        kept = next((entry for entry in reversed(self.entries) if not entry.erased), self.entries[-1])
        now = (self.latest or kept).message
        place = now.location or self._place()
        reached = {part.channel for part in self.posts}
        return IncidentState(
            headline=now.headline,
            place=str(place or ""),
            category=now.category,
            severity=now.severity or Severity.UNKNOWN,
            exercise=self.entries[0].message.exercise,
            channels=tuple(sorted(reached.union(self.narrowed_to or ()))),
        )

    def _place(self) -> Location | None:
        """Return the newest place that was stated and not corrected since, if the latest publication states none."""
        return next((entry.message.location for entry in reversed(self._current()) if entry.message.location), None)

    def is_end(self, entry: HistoryEntry) -> bool:
        """Return True for an end, and for a correction of one that does not reopen the incident."""
        lifecycle = entry.message.lifecycle
        earlier = self.entry(lifecycle.corrects) if lifecycle.corrects else None
        return not lifecycle.reopens and (self.is_end(earlier) if earlier else entry.stage is Stage.END)


def _repeats(entry: HistoryEntry, wrong: HistoryEntry, right: HistoryEntry) -> bool:
    if not wrong.sequence < entry.sequence < right.sequence:
        return False
    states = ((each.message.location, each.message.severity) for each in (entry, wrong, right))
    return any(repeated == before != after for repeated, before, after in zip(*states, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One channel, language and operation that routing chose for a message.

    Attributes:
        account: The account that publishes. Empty on a blocked channel of which nothing is known.
        part: Number of the post among those of its channel, from 0. A second language is a post of its own.
        reply_to: The incident's earlier publications, from the opening to the one to answer.
        target: For an edit or a deletion, the publication whose post it is about.
        target_part: Number of that post on the channel.
        added_by: What adds the channel to those of its incident: `to` or `routes`. Empty if the incident is there.
        skip: Why nothing is published although the incident was opened here. Empty if something is.
        refused: Why the message cannot be published although it should be. Empty if it can.
    """

    channel: str
    account: str
    language: str
    operation: Operation = Operation.POST
    part: int = 0
    reply_to: tuple[str, ...] = ()
    target: str = ""
    target_part: int = 0
    added_by: str = ""
    skip: AnyText = ""
    refused: AnyText = ""

    def post_key(self, publication: str) -> str:
        """Return the key of the post, the same for each attempt.

        It depends on the channel too, because two networks may have the same account id.
        """
        parts = (publication, self.channel, self.account, self.language, str(self.part), self.operation)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedPost:
    """The wording for a target.

    Attributes:
        standalone: The wording without a parent. It names what it refers to.
        reply: The wording that names nothing earlier: as a reply, and where readers never got what it refers to. `None`
            if it refers to nothing.
        reached: What it refers to is posted there.
        continuations: Further posts if the text is too long for one, each a reply to the one before.
        omitted: What was left out so that the rest fits, in plain words.
    """

    target: Target
    standalone: Post
    reply: Post | None = None
    reached: bool = False
    continuations: tuple[Post, ...] = ()
    omitted: tuple[AnyText, ...] = ()

    @property
    def alone(self) -> Post:
        """The wording without a parent, as the earlier posts are now."""
        return self.standalone if self.reached or self.reply is None else self.reply
