"""Everything that can go wrong, drawn as a tree.

```
PolicenotifyError
├── MessageRejected            a check forbids the message: nothing was sent, the draft is kept
├── InvalidTransition         this stage may not follow in this incident: nothing was sent
├── IdempotencyConflict             the caller's key already named another message: nothing was sent
├── MessageTooLong             what must be said fits no channel: nothing was sent
├── UnsupportedVersion          a stored or received value was written by a newer policenotify
├── NotHeld               the delivery that is to be resolved is not held, or there is none: nothing was changed
├── InvalidImage        a picture cannot be read or used: nothing was sent
├── PublishingStopped               `policenotify stop` is in force: nothing was sent
├── SettingsError         the installation's settings are wrong (names the field)
│   ├── UnknownNetwork    no installed package offers this network
│   └── MissingExtra      the network's or command's library is not installed (names the extra)
├── JournalError          the journal could not be read or written: nothing was sent
│   ├── JournalMissing    there is no journal where the settings name one
│   ├── JournalTakenAway  the journal was deleted or replaced while it was in use
│   └── LostLease         another runner has taken this delivery over
├── PublicationFailed     raised on request by `Publication.raise_for_failures()`
└── ChannelError          what a network's failure means for a post: may I ask again?
    ├── Refused           final for this content; says why and what to do
    ├── Blocked           certainly not posted; nothing more until a person acts
    ├── Unavailable       certainly not posted; again at `retry_at`
    └── Unconfirmed       it may or may not be out there
```

No text in this tree ever carries a password, a token, a telephone number or a mail address.
"""

from __future__ import annotations

import copyreg
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from policenotify.findings import Finding


class PolicenotifyError(Exception):
    """Anything that policenotify raises on purpose. It can be pickled: a worker's error reaches its caller."""

    def __reduce__(self) -> tuple[Any, ...]:
        # The usual way would call the class again with the finished text, where it wants its own arguments.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]  # typeshed has it not


class MessageRejected(PolicenotifyError):
    """A check forbids the message. Nothing was sent; the draft is kept in the journal.

    Attributes:
        findings: What the checks found, blocking ones first.
        publication: Id of the draft in the journal, or `None` when only a preview was asked for.
        in_transaction: The draft is part of the caller's own transaction, and kept only if that commits.
    """

    def __init__(
        self, findings: Sequence[Finding], publication: str | None = None, *, in_transaction: bool = False
    ) -> None:
        self.findings: tuple[Finding, ...] = tuple(findings)
        self.publication = publication
        self.in_transaction = in_transaction
        said = "\n".join(f"  {finding}" for finding in self.findings if finding.blocks)
        condition = " if your transaction commits" if in_transaction else ""
        kept = f" The draft is kept as {publication}{condition}." if publication else ""
        super().__init__(f"Nothing was sent: the message may not go out as it is.{kept}\n{said}")


class InvalidTransition(PolicenotifyError):
    """This stage may not follow in this incident. Nothing was sent.

    Attributes:
        incident: Id of the incident, or `None` when the message named none.
        allowed_stages: The stages that may follow now.
    """

    def __init__(self, text: str, *, incident: str | None, allowed_stages: Iterable[str] = ()) -> None:
        self.incident = incident
        self.allowed_stages: tuple[str, ...] = tuple(allowed_stages)
        super().__init__(f"Nothing was sent. {text}")


class IdempotencyConflict(PolicenotifyError):
    """The caller's key already named a publication with another content. Nothing was sent.

    Attributes:
        key: The caller's key.
        first: Id of the publication that the key named first.
    """

    def __init__(self, key: str, first: str) -> None:
        self.key = key
        self.first = first
        super().__init__(
            f"Nothing was sent: the key {key!r} already names publication {first}, whose content differs. "
            "Use the same content to ask for its receipt, or another key for another message."
        )


class MessageTooLong(PolicenotifyError):
    """What must be said does not fit the channel. It is raised only where it fits no other channel either.

    Attributes:
        channel: Where it does not fit.
        used: Length of the parts that must be said, in the network's own count.
        limit: What the network allows, in the same count.
    """

    def __init__(self, channel: str, used: int, limit: int) -> None:
        self.channel = channel
        self.used = used
        self.limit = limit
        super().__init__(
            f"Nothing was sent: on {channel!r} what, where and the first thing to do take {used} of {limit}. "
            "Shorten the headline, the street or the first sentence of the instruction."
        )


class UnsupportedVersion(PolicenotifyError):
    """A value was written by a newer policenotify than this one.

    Attributes:
        what: Kind of value, such as `message`.
        found: Its schema version.
        known: The newest version that this installation reads.
    """

    def __init__(self, what: str, found: int, known: int, *, where: str = "") -> None:
        self.what = what
        self.found = found
        self.known = known
        told = f"The {what} {where}" if where else f"This {what}"
        super().__init__(
            f"{told} has schema version {found}; this policenotify reads up to {known}. "
            f"Install the release of policenotify that introduced {what} version {found}, or a later one."
        )


class NotHeld(PolicenotifyError):
    """The delivery that is to be resolved is not held, or there is none. Nothing was changed.

    Attributes:
        delivery: The id that was given.
        exists: Whether there is such a delivery.
    """

    def __init__(self, delivery: int, *, outcome: str = "") -> None:
        self.delivery = delivery
        self.exists: bool = bool(outcome)
        why = f"Delivery {delivery} is not held: it is {outcome}" if outcome else f"There is no delivery {delivery}"
        super().__init__(f"{why}. Nothing was changed. Which are held: policenotify status")


class InvalidImage(PolicenotifyError):
    """A picture cannot be read or used. Nothing was sent."""


class PublishingStopped(PolicenotifyError):
    """`policenotify stop` is in force. Nothing was sent.

    Attributes:
        by: Who stopped everything.
    """

    def __init__(self, by: str, reason: str) -> None:
        self.by = by
        why = f" ({reason})" if reason else ""
        super().__init__(f"Nothing was sent: everything was stopped by {by}{why}. Resume first: policenotify resume")


class SettingsError(PolicenotifyError, ValueError):
    """The installation's settings are wrong. The text names the field and, for a slip, the nearest right one."""


class UnknownNetwork(SettingsError):
    """No installed package offers the network."""


class MissingExtra(SettingsError, ImportError):
    """The library behind a network or command is not installed.

    Attributes:
        extra: Name of the extra to install.
        package: The package that has it.
    """

    def __init__(self, what: str, extra: str, *, package: str = "policenotify") -> None:
        self.extra = extra
        self.package = package
        super().__init__(f"{what} needs an extra. Install it: pip install '{package}[{extra}]'")


class JournalError(PolicenotifyError):
    """The journal could not be read or written. Nothing was sent that is not in it.

    Attributes:
        published: `"no"`: nothing of this call was published. `"unknown"`: the call may have stored a publication
            before it failed, and what is stored is published.
        at_commit: The very commit failed, so that even its own changes may be stored.
    """

    published: Literal["no", "unknown"] = "no"
    at_commit: bool = False
    _unknown: str = " Nothing was sent that is not in it."
    _known: str = ""

    def __init__(self, text: str, *, published: Literal["no", "unknown"] = "no") -> None:
        self.published = published
        super().__init__(text)

    @property
    def cause(self) -> str:
        """What failed, without a word on what was published."""
        return super().__str__()

    def __str__(self) -> str:
        return self.cause + (self._unknown if self.published == "unknown" else self._known)

    def mark_not_published(self) -> None:
        """Note that the call had stored nothing before this error, if the error itself leaves no doubt."""
        if self.published == "unknown" and not self.at_commit:
            self.published = "no"
            self._known = " Nothing was sent."


class JournalMissing(JournalError):
    """There is no journal where the settings name one. Only `policenotify init` and `migrate` make one.

    Attributes:
        hint: The program whose commands find the journal, if it is not `policenotify`.
    """

    def __init__(self, text: str, *, hint: str = "") -> None:
        self.hint = hint
        super().__init__(f"{text} {hint}" if hint else text)


class JournalTakenAway(JournalError):
    """The journal was deleted or replaced while it was in use. This process sends nothing more.

    Attributes:
        what: What happened.
    """

    _unknown = ""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"{what} This process sends nothing more. Stop all that publishes and delivers, put the right journal back "
            "(a file together with its -wal file), prove it (policenotify doctor), then start again.",
            published="unknown",
        )


class LostLease(JournalError):
    """Another runner has taken the delivery over; its result will count, not ours."""


class ChannelError(PolicenotifyError):
    """What a network's failure means for a post. Channels raise one of its four kinds.

    Args:
        reason: What happened, in an officer's words.
        remedy: What to do now, in the imperative. May be empty.
        code: The network's own code, for the technician: `"429"`, `"InvalidSwap"`, `"550 5.1.1"`.
    """

    published: Literal["no", "unknown"] = "no"

    def __init__(self, reason: str, *, remedy: str = "", code: str = "") -> None:
        self.reason = reason
        self.remedy = remedy
        self.code = code
        super().__init__(f"{reason}{f' [{code}]' if code else ''}{f' {remedy}' if remedy else ''}")


class Refused(ChannelError):
    """The network's answer is final for this content.

    Attributes:
        fallback: `"standalone"`: the same message may be tried once, worded to stand alone, without answering.
            `"prepare"`: the network certainly refused this *request* (a record key, a lost upload, a deleted post to
            answer), not the content; the post may be prepared anew. `"distinct"`: the account has said these very words
            already. If they are not those of an earlier attempt, the post is prepared anew, with what tells it apart.
    """

    def __init__(
        self,
        reason: str,
        *,
        remedy: str = "",
        code: str = "",
        fallback: Literal["standalone", "prepare", "distinct"] | None = None,
    ) -> None:
        self.fallback = fallback
        super().__init__(reason, remedy=remedy, code=code)


class Blocked(ChannelError):
    """Certainly not posted, and nothing more will be on this channel until a person acts."""


class Unavailable(ChannelError):
    """Certainly not posted; may be asked again.

    Attributes:
        retry_at: Not before this time. `None`: as the delivery's own schedule says.
        whole_channel: The network asked the *account* to wait, not only this post.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry_at: datetime | None = None,
        whole_channel: bool = False,
        remedy: str = "",
        code: str = "",
    ) -> None:
        self.retry_at = retry_at
        self.whole_channel = whole_channel
        super().__init__(reason, remedy=remedy, code=code)


class Unconfirmed(ChannelError):
    """It may or may not be out there: a timeout after sending, a cut connection, an unreadable answer."""

    published: Literal["no", "unknown"] = "unknown"
