"""The contract of a network, and its values.

A network is a class. Its objects are *channels*: one account on one network. Its nested class `Options` has a field for
each option of a channel. The constructor takes these options and [`Services`][policenotify.channel.Services]. A channel
encodes posts and never changes their wording.

One thread at a time uses a channel object. Several objects of one account may exist at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from pydantic import Field, InstanceOf

from policenotify.audiences.model import Audience
from policenotify.errors import printable
from policenotify.model.cap import Severity
from policenotify.model.channel_settings import ChannelSettings
from policenotify.model.locale import Locale
from policenotify.model.person import Delivered, Reported
from policenotify.model.post import Body, Digest, Operation, Picture, Post, PostRef, Request, Span, page_url
from policenotify.text import Budget
from policenotify.translation import AnyText

__all__ = [
    "Account",
    "Body",
    "Capabilities",
    "Channel",
    "ChannelConfig",
    "ChannelSettings",
    "Clock",
    "Digest",
    "Operation",
    "Picture",
    "Post",
    "PostRef",
    "Recipient",
    "RecipientOutcome",
    "Request",
    "Services",
    "Span",
    "StateStore",
    "StoredValue",
    "SupportsDelete",
    "SupportsEdit",
    "SupportsLookup",
    "SupportsPeople",
    "SupportsReceipts",
    "SupportsSend",
]


UNKNOWN: Final = Budget(0)
"""The budget of a channel of which nothing is known: it cannot be used, and never was."""

CHUNK: Final = 25
"""People who are marked as being sent to at once, unless a network claims another number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The claims of a network, tested by the contract suite. The core asks no more.

    Attributes:
        budget: How much text a post may carry, and how the network counts it.
        title: A post has a subject line of its own.
        replies: A post can be a reply to an earlier one.
        images: How many images a post may carry.
        idempotency_window: How long the network publishes the same key only once.
        lookup_delay: How long a post may take to appear in a look-up: an earlier "not found" proves nothing. `None` if
            the network has no look-up.
        edits: A post can be changed.
        deletes: A post can be deleted.
        recipients: A post goes to many people, with an outcome for each.
        people_per_call: How many people one call of `send_to` takes at most.
        calls_at_once: How many calls of `send_to` may run at once, each on a channel object of its own.
        people_per_chunk: How many people are marked as being sent to at once. After a crash all of them are in doubt.
        html: A post may carry a formatted version of its text.
        structured: A post carries the message itself, as far as it may be public, in all its languages. There is one
            post of each message, in the first of the channel's languages that the message has.
        traffic: Formats for traffic partners that it writes. A check finds the closures that they do not get.
        hashtags: Readers can follow a hashtag. If not, the words stand without `#`.
        bracketed_hashtags: A hashtag behind a bracket works too. If not, hashtags go to the post's end.
        refuses_repeats: The network refuses the words of a recent post of the account. Each post then also has a
            distinct wording.
        severe_budget: The budget of a Severe or Extreme message, if it is another.
        acceptance: With `unverified`, success only means that a gateway took the call. Receipts carry a note.
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
    people_per_call: int = 1
    calls_at_once: int = 1
    people_per_chunk: int = CHUNK
    html: bool = False
    structured: bool = False
    traffic: frozenset[str] = frozenset()
    hashtags: bool = True
    bracketed_hashtags: bool = True
    refuses_repeats: bool = False
    severe_budget: Budget | None = None
    acceptance: Literal["verified", "unverified"] = "verified"

    def __post_init__(self) -> None:
        """Refuse numbers with which a list would reach no one."""
        if min(self.people_per_call, self.calls_at_once, self.people_per_chunk) < 1:
            raise ValueError("people_per_call, calls_at_once and people_per_chunk must be 1 at least")

    def for_severity(self, severity: Severity | None) -> Capabilities:
        """Return the capabilities for a message of this severity."""
        if self.severe_budget is None or not (severity or Severity.UNKNOWN).at_least(Severity.SEVERE):
            return self
        return replace(self, budget=self.severe_budget)


@dataclass(frozen=True, slots=True)
class Account:
    """The account that the credentials belong to.

    Attributes:
        id: The network's own, unchanging id (a DID, a number, an address).
        name: The handle or display name that readers see.
        url: Its page for readers.
        note: A problem that does not stop posts, and its remedy. May be empty.
    """

    id: str
    name: str
    url: str | None = None
    note: AnyText = ""

    def __post_init__(self) -> None:
        """Take only what may be shown of a server's words."""
        object.__setattr__(self, "name", printable(self.name))
        object.__setattr__(self, "url", page_url(self.url))


TokenPurpose: TypeAlias = Literal["stop", "bounce", "receipt"]
"""What a person's token is for. One for another purpose is not accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One person of a channel with recipients.

    Attributes:
        key: A keyed hash of the address: opaque and stable. Results and logs name the person only by it.
        address: The mail address or telephone number. Never printed.
        sign: See `token`. None without a journal: in a preview, or in a test.
    """

    key: str
    address: str = ""
    sign: Callable[[TokenPurpose], str] | None = field(default=None, repr=False, compare=False)

    def token(self, purpose: TokenPurpose) -> str:
        """Return a signed name of this person and this post, by which the journal knows both again.

        It has at most 56 letters and digits of base32 in lower case, so that it fits into a link and into the local
        part of an address. It is empty without a journal. For one person and post it is always the same, until the
        installation's keys are rotated.

        Args:
            purpose: `stop`: a link to leave. `bounce`: an envelope sender. `receipt`: a gateway's delivery receipt.
        """
        return self.sign(purpose) if self.sign else ""

    def __repr__(self) -> str:
        return f"Recipient({self.key[:8]}…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientOutcome:
    """The outcome of a post for one person.

    Attributes:
        key: The person's opaque key.
        outcome: `posted`: the network accepted it. `refused`: final for this person. `unavailable`: not accepted, may
            be tried again. `unconfirmed`: it may or may not have been accepted.
        code: The network's own code, such as `550 5.1.1`.
        reason: In an officer's words, without the address.
        gone: The address does not exist or has opted out. After a second such outcome on another day, nothing is sent
            to it again on this channel. Many in one delivery block the channel.
        personal: The refusal is about this person alone, such as a full mailbox. Three others before the first success
            block the channel.
    """

    key: str
    outcome: Literal["posted", "refused", "unavailable", "unconfirmed"]
    code: str = ""
    reason: AnyText = ""
    gone: bool = False
    personal: bool = False

    def __post_init__(self) -> None:
        """Take only what may be shown of a server's words."""
        object.__setattr__(self, "code", printable(self.code))
        object.__setattr__(self, "reason", printable(self.reason))


class Clock(Protocol):
    """The source of time, passed in."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""

    def monotonic(self) -> float:
        """Return the seconds since a fixed moment.

        The value never decreases, and grows while the machine sleeps.
        """

    def sleep(self, seconds: float) -> None:
        """Block for this long."""


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A value in a channel's state store, and its version for `compare_and_swap`."""

    value: str
    version: int

    def __repr__(self) -> str:
        return f"StoredValue(<{len(self.value)} characters>, version={self.version})"


class StateStore(Protocol):
    """The encrypted state of one channel across processes: sessions, rotating tokens.

    Each call raises [`JournalError`][policenotify.errors.JournalError] if the journal cannot be read or written.
    """

    def load(self, name: str) -> StoredValue | None:
        """Return the value under *name*, or `None`."""

    def compare_and_swap(self, name: str, value: str, *, version: int | None) -> bool:
        """Replace the value under *name* if its version is still *version*.

        Pass the version that was loaded, or `None` if there was no value. The result is False if another process
        changed the value first: load it again.
        """

    def lease(self, name: str, *, seconds: float) -> AbstractContextManager[None]:
        """Hold an exclusive lock on *name* across processes.

        Raises:
            JournalError: The current holder did not finish within *seconds*.
        """


@dataclass(frozen=True, slots=True)
class Services:
    """What a channel is given beside its options. Its constructor calls neither the clock nor the store.

    Attributes:
        clock: Time. A channel reads no other clock, and never sleeps on a rate limit.
        store: The state of the channel, shared by all processes of the installation.
        locales: The fixed phrases of the installation, by BCP 47 tag.
    """

    clock: Clock
    store: StateStore
    locales: Mapping[str, Locale] = field(default_factory=dict)


@runtime_checkable
class Channel(Protocol):
    """One account on one network."""

    @property
    def capabilities(self) -> Capabilities:
        """What the network can do. No I/O.

        A channel may refine the claims by facts about its server that it keeps in its `StateStore`. Its class then sets
        `discovers_capabilities = True`. Before any fact is known, the claims must be safe. A class whose capabilities
        depend on its options may name the most common ones in the class attribute `default_capabilities`, for
        documentation and for tests of applications.
        """

    @property
    def account(self) -> str:
        """The account as the settings name it. No I/O, and it never changes."""

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Encode *post* as a request. May upload, but makes nothing visible.

        Args:
            post: The post.
            reply_to: The channel's earlier posts of the incident, from the opening to the post to answer. May be empty,
                and a person may have deleted some of them.

        Raises:
            ChannelError: One of the four kinds. `Refused(fallback="standalone")` if no post of *reply_to* can be
                answered. Any other exception counts as `Unavailable`.
        """

    def whoami(self) -> Account:
        """Prove the credentials. Posts nothing.

        Raises:
            ChannelError: One of the four kinds.
        """

    def close(self) -> None:
        """Close connections. May be called twice."""


@runtime_checkable
class SupportsSend(Channel, Protocol):
    """A channel without recipients: every network but mail and SMS."""

    def send(self, request: Request) -> PostRef:
        """Publish the post once and return its reference.

        Raises:
            Refused: Final for this content.
            Blocked: Certainly not posted, and nothing is until a person acts.
            Unavailable: Certainly not posted, and may be tried again.
            Unconfirmed: The post may or may not be out. Any other exception counts as this.
        """


@runtime_checkable
class SupportsPeople(Channel, Protocol):
    """A channel that claims `recipients`."""

    def send_to(self, request: Request, people: Sequence[Recipient]) -> Sequence[RecipientOutcome]:
        """Send the post to these people in one call, and return the outcome of each.

        The core calls it for one chunk of a list after the other, with up to `people_per_call` people, and in up to
        `calls_at_once` threads, each with a channel object of its own. It decides from the outcomes when a network
        refuses everybody or does not answer.

        Args:
            request: The request to send.
            people: One person at least.

        Returns:
            One outcome for each person, in any order. `unconfirmed` where it is in doubt, as after a cut connection.

        Raises:
            ChannelError: As in `SupportsSend.send`, without a `fallback`: all people get one request. The others of the
                list wait, unless it is `Unconfirmed`, which leaves these people in doubt. So does any other exception.
        """


class ReadReceipt(NamedTuple):
    """What a network reports about a message for one person.

    Attributes:
        kind: What it states about the person, or `None` if nothing follows from it.
        code: The network's own code.
        confirmation: The body of an answer that the network takes for a confirmation.
    """

    kind: Reported | Delivered | None
    code: str
    confirmation: str = "ok"


@runtime_checkable
class SupportsReceipts(Protocol):
    """A channel whose network reports afterwards what became of a message for one person."""

    def read_receipt(self, body: bytes, query: str) -> ReadReceipt:
        """Read a call of the network to the address that the request named, with the token for `receipt`. No I/O.

        Raises:
            ValueError: It is not a receipt. The text repeats nothing of the call.
        """


@runtime_checkable
class SupportsLookup(Protocol):
    """A channel that claims `lookup_delay`."""

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        """Look up the post of *request*.

        Two incidents may end in the same words on one street. A post from before *since* and a post in *known* belong
        to another delivery. Of several matching posts return the oldest: a younger one may belong to a delivery that
        was first tried later.

        Args:
            request: The request of the attempt in doubt.
            since: The time of its first attempt, by this machine's clock. It may be wrong, so compare it with the
                network's own clock.
            known: Ids of posts on this account that belong to other deliveries. Never return one of them.

        Returns:
            The post, or `None` if the timeline was read and does not hold it.

        Raises:
            ChannelError: The timeline could not be read, and the delivery stays in doubt.
        """


@runtime_checkable
class SupportsEdit(Protocol):
    """A channel that claims `edits`."""

    def edit(self, ref: PostRef, request: Request) -> PostRef:
        """Replace the post at *ref* with *request*. Raises the errors of `send`."""


@runtime_checkable
class SupportsDelete(Protocol):
    """A channel that claims `deletes`."""

    def delete(self, ref: PostRef) -> None:
        """Delete the post at *ref*, if it still exists. Raises the errors of `send`."""


def missing_methods(channel: object, capabilities: Capabilities) -> list[str]:
    """Return the protocols of the claimed capabilities that a channel does not follow."""
    claims: dict[type, bool] = {
        Channel: True,
        SupportsPeople: capabilities.recipients,
        SupportsSend: not capabilities.recipients,
        SupportsLookup: capabilities.lookup_delay is not None,
        SupportsEdit: capabilities.edits,
        SupportsDelete: capabilities.deletes,
    }
    return [protocol.__name__ for protocol, claimed in claims.items() if claimed and not isinstance(channel, protocol)]


class ChannelConfig(ChannelSettings):
    """A channel as the installation configures it, not opened yet.

    Attributes:
        name: The installation's name for it, shown in receipts.
        account: See `Channel.account`.
        capabilities: See `Channel.capabilities`.
        open: Makes a channel object for one thread. No I/O.
        discovers_capabilities: Facts in its state store refine its capabilities.
        audiences: Whom its posts go to, on a network with recipients. They are read after a message was published.
        blocked: Why nothing can be sent on it now, such as a wrong option or an unreadable secret: `open` raises
            `Blocked` with that reason. Its posts are worded all the same, and wait. Empty if something can.
    """

    name: str
    account: str
    capabilities: InstanceOf[Capabilities]
    open: Callable[[Clock, StateStore], Channel] = Field(repr=False)
    discovers_capabilities: bool = False
    audiences: tuple[InstanceOf[Audience], ...] = Field(default=(), repr=False)
    blocked: AnyText = ""

    @property
    def readers(self) -> tuple[str, ...]:
        """What two channels with the same readers have in common: network, account, and the names of the audiences."""
        return (self.network, self.account, *sorted(audience.name for audience in self.audiences))
