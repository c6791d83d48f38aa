"""What the journal knows of an incident, and what is planned and worded for it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum

from policenotify.model.lifecycle import IncidentStatus, Stage, status_after
from policenotify.model.message import Message
from policenotify.model.post import Operation, Post, PostRef
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
    DELETED = "deleted"  # was posted, and taken back
    SUPPRESSED = "suppressed"  # a person who is not to be written to

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self not in {Outcome.WAITING, Outcome.SENDING, Outcome.UNCONFIRMED}

    @property
    def ok(self) -> bool:
        """Whether nobody needs to act."""
        return self in {Outcome.POSTED, Outcome.SKIPPED, Outcome.SUPERSEDED, Outcome.DELETED, Outcome.SUPPRESSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedPart:
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
class HistoryEntry:
    """One publication of an incident.

    Attributes:
        publication: Its id.
        sequence: Its place in the incident, from 1.
        message: The resolved message.
        at: When it was journalled.
        posts: What became of its posts.
    """

    publication: str
    sequence: int
    message: Message
    at: datetime
    posts: tuple[PostedPart, ...] = ()

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
    entries: tuple[HistoryEntry, ...] = ()

    @property
    def status(self) -> IncidentStatus:
        """Where the incident stands, or the standalone message with its corrections."""
        return status_after(entry.stage for entry in self.entries)

    @property
    def opening(self) -> HistoryEntry | None:
        """The publication that opened the incident."""
        return self.entries[0] if self.entries else None

    def entry(self, publication: str) -> HistoryEntry | None:
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
class Target:
    """One channel, language and operation that routing chose for a message.

    Attributes:
        channel: The channel's name.
        account: The account that will publish; empty while the channel cannot be used.
        language: BCP 47.
        operation: Post, edit or delete.
        part: Number of the post among those of its channel, from 0. A second language is a post of its own.
        reply_to: The incident's earlier publications, from the opening to the one to answer.
        target: For an edit or a deletion, the publication whose post it is about.
        target_part: Number of that post on the channel.
        skip: Why nothing is published here although the incident was opened here; empty if something is.
        refused: Why the message cannot be published here although it should be; empty if it can.
        problem: Why the channel cannot be used now, so that the message waits without a post; empty if it can.
        remedy: What to do about the problem.
    """

    channel: str
    account: str
    language: str
    operation: Operation = Operation.POST
    part: int = 0
    reply_to: tuple[str, ...] = ()
    target: str = ""
    target_part: int = 0
    skip: str = ""
    refused: str = ""
    problem: str = ""
    remedy: str = ""

    def post_key(self, publication: str) -> str:
        """Return the key of the post: the same for each attempt, different for any other post.

        It contains the channel too, because two networks may give us the same account id.
        """
        parts = (publication, self.channel, self.account, self.language, str(self.part), self.operation)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedPost:
    """The text for one target: the post that answers, if there is one to answer, and the one that stands alone.

    Attributes:
        target: Where it goes.
        standalone: Reads alone.
        reply: Reads below our earlier posts; `None` where there is nothing to answer.
        continuations: Posts that continue the first one where the text is too long, each a reply to the one before.
        omitted: What was left out so that the rest fits, in plain words.
    """

    target: Target
    standalone: Post
    reply: Post | None = None
    continuations: tuple[Post, ...] = ()
    omitted: tuple[str, ...] = ()
