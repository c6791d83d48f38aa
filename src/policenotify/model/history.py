"""The history of an incident, and the targets and posts of its next message."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from policenotify.model.lifecycle import IncidentStatus, Stage, status_after
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
    """

    publication: str
    sequence: int
    message: Message
    at: datetime
    posts: tuple[PostedPart, ...] = ()
    erased: bool = False
    withdrawn: bool = False

    @property
    def stage(self) -> Stage:
        """The stage of its message."""
        return self.message.stage


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All publications of one incident, read once from the journal.

    Attributes:
        incident: The incident's id, or `None` for a standalone message with its corrections.
        entries: The publications, in order.
    """

    incident: str | None = None
    entries: tuple[HistoryEntry, ...] = ()

    @property
    def status(self) -> IncidentStatus:
        """The status after the last publication."""
        return status_after(entry.message.lifecycle for entry in self.entries)

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
        corrected = [(entry, standing.get(self.corrected(entry).publication)) for entry in self.entries]
        for entry in reversed(standing.values()):
            if not any(right and _repeats(entry, wrong, right) for wrong, right in corrected):
                return entry
        return next(reversed(standing.values()), None)

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
