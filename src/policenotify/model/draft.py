"""A message that other people read before it is published: its revisions and their reviews."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import computed_field

from policenotify.model.message import Message

_PROVIDER = re.compile(r"^[a-z][a-z0-9+.-]*:")
_UNSEEN = frozenset({"Cc", "Cf", "Mn", "Me"})  # general categories: controls, formats, and marks such as accents


class DraftState(StrEnum):
    """Where a draft is on its way. Only a draft, submitted or approved one can still be published."""

    DRAFT = "draft"  # being written
    SUBMITTED = "submitted"  # another person is to read it
    APPROVED = "approved"  # enough people have read it
    RETURNED = "returned"  # a reader wants it changed
    REJECTED = "rejected"  # a reader does not want it published
    WITHDRAWN = "withdrawn"  # its authors do not want it published any more
    EXPIRED = "expired"  # no one approved it in time
    PUBLISHED = "published"

    @property
    def is_open(self) -> bool:
        """True if it may still be published, perhaps after a change."""
        return self in {DraftState.DRAFT, DraftState.SUBMITTED, DraftState.APPROVED, DraftState.RETURNED}

    @property
    def is_read(self) -> bool:
        """True if readers decide about it."""
        return self in {DraftState.SUBMITTED, DraftState.APPROVED}

    def at(self, now: datetime, expires_at: datetime | None) -> DraftState:
        """Return what it is at a time: a state that readers decide about is over once its time is."""
        late = self.is_read and expires_at is not None and expires_at <= now
        return DraftState.EXPIRED if late else self


class ReviewVerdict(StrEnum):
    """What a reader decided."""

    APPROVE = "approve"
    RETURN = "return"
    REJECT = "reject"
    SECOND_OK = "second_ok"  # the second reading of an urgent publication: nothing to change
    SECOND_OBJECTION = "second_objection"  # the same: to be corrected or cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One version of a draft's message.

    Attributes:
        number: From 1.
        digest: `Message.digest()` of what was written.
        authenticated: The caller has verified who that is. On the command line, an actor is only named.
    """

    number: int
    digest: str
    author: str
    at: datetime
    authenticated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a reader decided about one revision.

    Attributes:
        digest: `Draft.digest` of what the reader read.
        reason: In the reader's words. May be empty for an approval.
        authenticated: The caller has verified who the reader is.
    """

    revision: int
    digest: str
    verdict: ReviewVerdict
    reader: str
    reason: str
    at: datetime
    authenticated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message on its way to publication, or one that was published before it was read.

    Attributes:
        key: The key under which it is published. `None` for an urgent publication, which has a key of its own.
        for_keys: The beginning of the keys of all publications that its approval counts for: `campaign ete `. Until it
            expires, its message is published under each such key. Empty: it is published once, under its own key.
        to: The channels or tags that were named for it. Empty: the routes decide.
        digest: Of the newest revision. From its submission on, with what it takes from its incident and the settings:
            approvals are bound to it.
        message: The newest revision.
        reason: The author's word to the readers.
        submitted_by: Who submitted the newest revision.
        expires_at: When a submitted draft expires.
        urgent: Why it was published before it was read. Empty if it was not.
        second_due_at: When its second reading is due. `None`: none is owed.
        reminders: The level of the last reminder of the second reading, or 0.
    """

    id: str
    message: Message
    digest: str
    revisions: tuple[Revision, ...]
    created_at: datetime
    state: DraftState = DraftState.DRAFT
    key: str | None = None
    for_keys: str = ""
    to: tuple[str, ...] = ()
    reviews: tuple[Review, ...] = ()
    reason: str = ""
    submitted_by: str = ""
    expires_at: datetime | None = None
    publication: str | None = None
    published_by: str = ""
    urgent: str = ""
    second_due_at: datetime | None = None
    reminders: int = 0

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def revision(self) -> int:
        """The number of the newest revision."""
        return self.revisions[-1].number

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def authors(self) -> tuple[str, ...]:
        """Everybody who wrote a revision."""
        return tuple(dict.fromkeys(revision.author for revision in self.revisions))

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def approvals(self) -> tuple[str, ...]:
        """The readers whose approval of the newest revision counts: none of them an author, except in an exercise."""
        return approvals(self, digest=self.digest)

    def is_author(self, actor: str) -> bool:
        """Return True if the actor wrote a revision of it."""
        return person(actor) in set(map(person, self.authors))


def person(actor: str) -> str:
    """Return what all spellings of one actor have in common, so that no one is two people.

    Capitals, spaces, accents, invisible signs, and what names the provider of an identity (`oidc:claire`) make no other
    person.
    """
    plain = unicodedata.normalize("NFKD", actor).casefold()
    shown = (each for each in plain if each.isspace() or unicodedata.category(each) not in _UNSEEN)
    folded = " ".join("".join(shown).split())
    return _PROVIDER.sub("", folded, count=1).strip() or folded


def approvals(draft: Draft, *, digest: str, authenticated: bool = False, reasons: bool = False) -> tuple[str, ...]:
    """Return the readers whose approval of the newest revision counts, each once: those who read what has *digest*.

    With *authenticated*, only those who were: and none if an author was not, who may be any of them. With *reasons*,
    only those who wrote why.
    """
    if authenticated and not all(revision.authenticated for revision in draft.revisions):
        return ()
    approval = (draft.revision, digest, ReviewVerdict.APPROVE)
    readers: dict[str, str] = {}
    for review in draft.reviews:
        if (authenticated and not review.authenticated) or (reasons and not review.reason):
            continue
        counts = draft.message.exercise or not draft.is_author(review.reader)
        if counts and (review.revision, review.digest, review.verdict) == approval:
            readers.setdefault(person(review.reader), review.reader)
    return tuple(readers.values())
