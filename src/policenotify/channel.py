"""The contract of a network: what its author writes, and the values that travel there and back.

A network is a class whose objects are *channels*: one account of ours on one network. It is made from options
(the keyword parameters of its constructor, validated by name and type), plus what the house hands in by type:
[`Clock`][policenotify.channel.Clock] and [`StateStore`][policenotify.channel.StateStore]. It encodes; it never words.

A channel object is used by one thread at a time; several objects of one account may exist at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

from policenotify.model.post import Body, Digest, Operation, Picture, Post, PostRef, Request, Span
from policenotify.model.rate import Rate
from policenotify.text import Budget

__all__ = [
    "Account",
    "Body",
    "Capabilities",
    "Channel",
    "ChannelConfig",
    "Clock",
    "Digest",
    "Operation",
    "Picture",
    "Post",
    "PostRef",
    "Recipient",
    "RecipientOutcome",
    "Request",
    "Span",
    "StateStore",
    "StoredValue",
    "SupportsBulkSend",
    "SupportsDelete",
    "SupportsEdit",
    "SupportsLookup",
    "SupportsSend",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a network can do. The core never asks for more; the contract suite tests the claims.

    Attributes:
        budget: How much text a post may carry, and how it is counted.
        title: The post has a subject line of its own.
        replies: A post can hang under an earlier one.
        images: How many pictures a post may carry.
        idempotency_window: For how long the same key publishes only once.
        lookup_delay: `None`: the network cannot be asked whether a post is out. Else how long to wait until
            its "not there" may be believed.
        edits: A post can be changed.
        deletes: A post can be taken back.
        recipients: One post, many people: an outcome for each.
        html: The post may carry a formatted version of its text.
        hashtags: Readers can follow a hashtag; else words stand without `#`.
        bracketed_hashtags: They can follow one that a bracket stands before, too; else it stands at the post's end.
        refuses_repeats: It refuses words that the account has said lately; each post then also has words that tell it
            from another one.
        acceptance: `unverified`: its yes says only that a gateway took the call, not that it took the post; receipts
            say so.
    """

    budget: Budget
    title: bool = False
    replies: bool = False
    images: int = 0
    idempotency_window: timedelta = timedelta(0)
    lookup_delay: timedelta | None = None
    edits: bool = False
    deletes: bool = False
    recipients: bool = False
    html: bool = False
    hashtags: bool = True
    bracketed_hashtags: bool = True
    refuses_repeats: bool = False
    acceptance: Literal["verified", "unverified"] = "verified"


@dataclass(frozen=True, slots=True)
class Account:
    """Who the credentials belong to.

    Attributes:
        id: The network's own, unchanging id (a DID, a number, an address).
        name: What readers see (a handle, a display name).
        url: Where readers find it.
        note: What a person should know of it and do, although posts go out. May be empty.
    """

    id: str
    name: str
    url: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One person of a channel with recipients.

    Attributes:
        key: Opaque and stable: a keyed hash of the address. The only name by which results and logs know the person.
        address: Where the post goes; never printed.
    """

    key: str
    address: str = ""

    def __repr__(self) -> str:
        return f"Recipient({self.key[:8]}…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientOutcome:
    """What became of a post for one person.

    Attributes:
        key: The person's opaque key.
        outcome: `posted`: the network took it. `refused`: final for this person. `unavailable`: not taken, may be
            asked again. `unconfirmed`: it may or may not have been taken.
        code: The network's own code, such as `550 5.1.1`.
        reason: In an officer's words, without the address.
        gone: The address does not exist or wants nothing more: never write to it again.
    """

    key: str
    outcome: Literal["posted", "refused", "unavailable", "unconfirmed"]
    code: str = ""
    reason: str = ""
    gone: bool = False


class Clock(Protocol):
    """Time, handed in."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back, and goes on while the machine sleeps."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A value in a channel's keep.

    Attributes:
        value: What was stored.
        version: Counts the changes; hand it back to change the value.
    """

    value: str
    version: int

    def __repr__(self) -> str:
        return f"StoredValue(<{len(self.value)} characters>, version={self.version})"


class StateStore(Protocol):
    """What one channel must remember between calls and processes: sessions, rotating tokens. Stored encrypted.

    Each call raises [`JournalError`][policenotify.errors.JournalError] where the journal cannot be read or written, and
    `lease` also where the other has not finished in time.
    """

    def load(self, name: str) -> StoredValue | None:
        """The value under *name*, or `None`."""
        ...

    def compare_and_swap(self, name: str, value: str, *, version: int | None) -> bool:
        """Replace the value, if nobody else has since.

        Args:
            name: Which value.
            value: The new one.
            version: The version that was loaded; `None` when there was none.

        Returns:
            Whether it was replaced; `False`: somebody was faster, load again.
        """
        ...

    def lease(self, name: str, *, seconds: float) -> AbstractContextManager[None]:
        """Be the only one, across processes, who renews *name*; waits for the other at most *seconds*."""
        ...


@runtime_checkable
class Channel(Protocol):
    """One account on one network."""

    @property
    def capabilities(self) -> Capabilities:
        """What the network can do.

        No I/O. A channel may refine the claims by facts about its server that it has put into its `StateStore`. Its
        class then sets `discovers_capabilities = True`. Before any fact is known, the claims must be safe. A class
        whose capabilities depend on its options may name the most common ones in the class attribute
        `default_capabilities`, for documentation and for tests of applications.
        """
        ...

    @property
    def account(self) -> str:
        """Names the account by what the installation knows of it (a handle, an address). No I/O; never changes."""
        ...

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Turn *post* into the network's own words. May upload, and make ready; makes nothing visible.

        Whatever escapes is taken for `Unavailable`: nothing is out.

        Args:
            post: What to say.
            reply_to: Our earlier posts of the incident here, from the opening to the one to answer; may be empty. A
                person may have deleted some of them.

        Raises:
            ChannelError: One of its four kinds. `Refused(fallback="standalone")`: none of *reply_to* can be answered.
        """
        ...

    def whoami(self) -> Account:
        """Prove the credentials. Posts nothing.

        Raises:
            ChannelError: One of its four kinds.
        """
        ...

    def close(self) -> None:
        """Let go of connections. May be called twice."""
        ...


@runtime_checkable
class SupportsSend(Channel, Protocol):
    """A channel whose posts are each one thing on the network: all but mail and SMS."""

    def send(self, request: Request) -> PostRef:
        """Bring the post out, once, and say where it landed.

        Raises:
            Refused: Final for this content.
            Blocked: Certainly not posted, and nothing will be until a person acts.
            Unavailable: Certainly not posted; may be asked again.
            Unconfirmed: It may or may not be out. Whatever else escapes counts as this.
        """
        ...


@runtime_checkable
class SupportsBulkSend(Channel, Protocol):
    """A channel that claims `recipients`: one post, many people."""

    def send_each(self, request: Request, recipients: Iterable[Recipient]) -> Iterator[RecipientOutcome]:
        """Send the post to each person, and yield each outcome as soon as it is known.

        Take a recipient from *recipients* only when you are about to ask the network for that person: who was taken
        counts as asked. It may end early (a time limit, a stop, a lost lease); then finish as after the last one.
        A network that takes many people in one call takes all of them first.

        A person whose outcome is in doubt (the connection went in the middle of the mail) is yielded as
        `unconfirmed`, and the others go on.

        Args:
            request: What is sent.
            recipients: Can be iterated once.

        Yields:
            One outcome for each recipient taken, in any order.

        Raises:
            Refused: Final for this content; holds for every recipient not yet yielded.
            Blocked: Likewise: certainly not posted, and nothing will be until a person acts.
            Unavailable: Likewise: certainly not posted; may be asked again. Any other exception leaves every
                recipient taken and not yet yielded in doubt.
        """
        ...


@runtime_checkable
class SupportsLookup(Protocol):
    """A channel that claims `lookup_delay`."""

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        """Look whether the post of *request* is out.

        Two incidents may end in the same words on one street: what was there before *since* is another's, and so is
        what is *known* as such. Of several posts that may be it, the oldest is: a younger one may be of a delivery that
        was first tried later.

        Args:
            request: What was said to the network.
            since: When it was first said, by our clock: it may be wrong, so compare it with the network's own.
            known: Ids of posts on this account that are known to be others; none of them is ever the answer.

        Returns:
            Where it landed, or `None`: the readable timeline does not hold it.

        Raises:
            ChannelError: The timeline could not be read; the doubt stays.
        """
        ...


@runtime_checkable
class SupportsEdit(Protocol):
    """A channel that claims `edits`."""

    def edit(self, ref: PostRef, request: Request) -> PostRef:
        """Replace the post at *ref* by what *request* says. Raises as `send` does."""
        ...


@runtime_checkable
class SupportsDelete(Protocol):
    """A channel that claims `deletes`."""

    def delete(self, ref: PostRef) -> None:
        """Take the post at *ref* back; one that is gone already is no error. Raises as `send` does."""
        ...


OnUnknown: TypeAlias = Literal["resend", "hold"]
"""What becomes of a post in doubt that cannot be looked up: post it again, or hold it for a person to settle."""

OnCorrection: TypeAlias = Literal["reply", "edit", "both"]
"""What a correction does: answer the post that it is about, edit it, or both."""

_Choice_co = TypeVar("_Choice_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BySeverity(Generic[_Choice_co]):
    """A choice of an installation that depends on a message's severity.

    Attributes:
        severe: The choice at severity Severe and above.
        minor: The choice below Severe, and for a message without a severity.
    """

    severe: _Choice_co
    minor: _Choice_co


DEFAULT_ON_UNKNOWN: BySeverity[OnUnknown] = BySeverity(severe="resend", minor="hold")
"""A severe post in doubt is posted again, since readers can bear to read it twice. Any other one is held."""

DEFAULT_ON_CORRECTION: BySeverity[OnCorrection] = BySeverity(severe="both", minor="edit")
"""A severe correction also answers, so that those who read the wrong post learn of it. Any other one only edits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConfig:
    """A channel as an installation uses it: what the core must know of it without opening it.

    Attributes:
        name: The installation's name for it, shown in receipts.
        network: Which network it is on.
        account: As the channel names it.
        capabilities: What it can do.
        open: Make a channel object for one thread; no I/O yet.
        languages: What its readers read, BCP 47, the first one first. A message that speaks none of them is said
            in its own language.
        tags: Names by which routes and callers may mean several channels at once.
        exercise: It is for exercises, and for nothing else.
        retired: Nothing new is opened on it; incidents opened on it are still followed to their end.
        without_opening: What becomes of an end or cancellation where the opening certainly never appeared.
        on_unknown: What becomes of a post in doubt that cannot be looked up: one choice for every message, or one by
            severity.
        on_correction: What a correction does, likewise. Where a post cannot be edited it always replies.
        on_cancellation: What a cancellation does: `reply`, `delete` what was posted, or `both`. Where a post cannot be
            deleted, or may be out unseen, it always says so in a post.
        mentions: Accounts that its posts may mention, without `@`; any other is named without it.
        discovers_capabilities: Its abilities are refined by what it has left in its keep.
        recipients: The addresses of those who want to hear from it now, for a channel with recipients.
        rate: How fast it may go at most, all processes of the installation together: posts, edits and deletions, each
            attempt; on a channel with recipients every person who is written to. What is more severe goes first.
        problem: Why it cannot be used now (a wrong option, a secret that cannot be read); empty: it can. Such a
            channel has no account, and what is meant for it waits.
    """

    name: str
    network: str
    account: str
    capabilities: Capabilities
    open: Callable[[Clock, StateStore], Channel] = field(repr=False)
    languages: tuple[str, ...] = ("fr",)
    tags: frozenset[str] = frozenset()
    exercise: bool = False
    retired: bool = False
    without_opening: Literal["standalone", "skip"] = "standalone"
    on_unknown: OnUnknown | BySeverity[OnUnknown] = DEFAULT_ON_UNKNOWN
    on_correction: OnCorrection | BySeverity[OnCorrection] = DEFAULT_ON_CORRECTION
    on_cancellation: Literal["reply", "delete", "both"] = "reply"
    mentions: frozenset[str] = frozenset()
    discovers_capabilities: bool = False
    recipients: Callable[[], Iterable[str]] | None = field(default=None, repr=False)
    rate: Rate | None = None
    problem: str = ""

    def unknown_policy(self, *, severe: bool) -> OnUnknown:
        """Return what becomes of a post in doubt, of a message that is at least Severe or less than that."""
        choice = self.on_unknown
        return choice if isinstance(choice, str) else choice.severe if severe else choice.minor

    def correction_policy(self, *, severe: bool) -> OnCorrection:
        """Return what a correction does that is at least Severe or less than that."""
        choice = self.on_correction
        return choice if isinstance(choice, str) else choice.severe if severe else choice.minor
