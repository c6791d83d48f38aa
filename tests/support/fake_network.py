"""Networks in memory that follow a script, and a journal with publications for them."""

from __future__ import annotations

import itertools
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

from policenotify.channel import (
    Account,
    Capabilities,
    Channel,
    ChannelConfig,
    Clock,
    Picture,
    Post,
    PostRef,
    Recipient,
    RecipientOutcome,
    Request,
    StateStore,
)
from policenotify.delivery.attempt import DeliveryAttempt
from policenotify.errors import Unconfirmed
from policenotify.journal.keys import Keys
from policenotify.journal.records import ClaimedDelivery
from policenotify.model.history import Outcome, RenderedPost
from policenotify.model.lifecycle import Stage
from policenotify.model.receipt import Publication, Receipt
from policenotify.testing.fakes import FakeClock
from policenotify.text import Budget
from tests.support.audiences import ListedPeople
from tests.support.journal import LEASE, Desk
from tests.support.patience import PATIENCE

PLAIN = Capabilities(budget=Budget(300))
KEYED = Capabilities(budget=Budget(300), replies=True, idempotency_window=timedelta(hours=1))
READABLE = Capabilities(budget=Budget(300), replies=True, lookup_delay=timedelta(minutes=1))
MAIL = Capabilities(budget=Budget(10_000), replies=True, recipients=True)

Step = Exception | Callable[..., Any]
"""What a call does: raise this, or return what this makes of the call's arguments."""


@dataclass
class Scripted:
    """A network in memory with one account. Each call takes the next step of its script, and else succeeds."""

    account: str = "police34.example"
    capabilities: Capabilities = PLAIN
    sends: deque[Step] = field(default_factory=deque)
    prepares: deque[Step] = field(default_factory=deque)
    finds: deque[Step] = field(default_factory=deque)
    opens: deque[Step] = field(default_factory=deque)
    closes: deque[Step] = field(default_factory=deque)
    said: list[Request] = field(default_factory=list)
    prepared: list[tuple[Post, tuple[PostRef, ...]]] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    known: list[frozenset[str]] = field(default_factory=list)
    since: list[datetime] = field(default_factory=list)
    written_to: list[tuple[str, ...]] = field(default_factory=list)
    opened: int = 0
    closed: int = 0
    people: list[str] = field(default_factory=list)  # of its audience
    one_by_one: bool = False  # a network of people takes one person in a call, and not a whole chunk

    def __post_init__(self) -> None:
        if self.capabilities.recipients and not self.one_by_one:
            self.capabilities = replace(self.capabilities, people_per_call=self.capabilities.people_per_chunk)

    def configured(self, name: str, **how: Any) -> ChannelConfig:
        if self.capabilities.recipients:
            how.setdefault("audiences", (ListedPeople(self.people),))
        return ChannelConfig(
            name=name, network="scripted", account=self.account, capabilities=self.capabilities, open=self.open, **how
        )

    def open(self, _clock: Clock, _keep: StateStore) -> Channel:
        self.opened += 1
        taken(self.opens, lambda: None)
        if self.capabilities.recipients:
            return OnMail(self)
        return OnReadable(self) if self.capabilities.lookup_delay is not None else OnPlain(self)

    def ref(self, request: Request) -> PostRef:
        return PostRef(account=self.account, id=f"{request.body['text']}#{request.body['variant']}")


def taken(script: deque[Step], otherwise: Callable[..., Any], *given: Any) -> Any:
    step = script.popleft() if script else otherwise
    if isinstance(step, Exception):
        raise step
    return step(*given)


class OnNetwork:
    """The state that all channels share."""

    def __init__(self, network: Scripted) -> None:
        self.network = network

    @property
    def capabilities(self) -> Capabilities:
        return self.network.capabilities

    @property
    def account(self) -> str:
        return self.network.account

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        self.network.prepared.append((post, reply_to))

        def request(post: Post) -> Request:
            body = {"text": post.text, "variant": post.variant, "answers": [ref.id for ref in reply_to]}
            return Request(account=self.account, key=post.key, body=body)

        made: Request = taken(self.network.prepares, request, post)
        return made

    def whoami(self) -> Account:
        return Account(id=self.account, name=self.account)

    def close(self) -> None:
        self.network.closed += 1
        taken(self.network.closes, lambda: None)


class OnPlain(OnNetwork):
    """A channel whose posts are each one thing."""

    def send(self, request: Request) -> PostRef:
        self.network.said.append(request)
        ref: PostRef = taken(self.network.sends, self.network.ref, request)
        return ref


class OnReadable(OnPlain):
    """The same network with a timeline that can be read."""

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        assert since.tzinfo is not None
        self.network.asked.append(request)
        self.network.known.append(known)
        self.network.since.append(since)
        found: PostRef | None = taken(self.network.finds, lambda _request: None, request)
        return found


class OnMail(OnNetwork):
    """A channel with recipients."""

    def send_to(self, request: Request, people: Sequence[Recipient]) -> Sequence[RecipientOutcome]:
        self.network.said.append(request)
        self.network.written_to.append(tuple(person.address for person in people))
        if not self.network.one_by_one:
            return list(taken(self.network.sends, everybody, tuple(people)))
        (person,) = people
        return [taken(self.network.sends, lambda each: RecipientOutcome(key=each.key, outcome="posted"), person)]


def everybody(people: Iterable[Recipient]) -> Iterator[RecipientOutcome]:
    return (RecipientOutcome(key=person.key, outcome="posted") for person in people)


@dataclass
class Hang:
    """A step that signals its begin, and continues only when released."""

    begun: Event = field(default_factory=Event)
    go: Event = field(default_factory=Event)

    def __call__(self, request: Request, *_more: Any) -> PostRef:
        self.begun.set()
        assert self.go.wait(PATIENCE), "nobody let it go on"
        return PostRef(account=request.account, id=str(request.body["text"]))


class Book(Desk):
    """A journal in *folder*, with publications whose texts are their numbers."""

    clock: Clock  # type: ignore[assignment]  # one that runs, too

    def __init__(self, folder: Path, clock: Clock | None = None, keys: Keys | None = None) -> None:
        given: Any = clock or FakeClock()
        super().__init__(folder, keys=keys or Keys.create(secrets.token_bytes), clock=given)
        self._texts = itertools.count(1)
        self._owners = itertools.count(1)

    def pass_by(self, seconds: float) -> None:
        assert isinstance(self.clock, FakeClock)
        self.clock.pass_by(seconds)

    def publish(
        self,
        *channels: str,
        incident: str | None = None,
        people: Sequence[str] | None = None,
        pictures: Sequence[Picture] = (),
        keeps_pictures: bool = True,
        wordless: bool = False,
        distinct: str = "",
        **fields: Any,
    ) -> str:
        before = self.journal.incidents.history(incident).entries if incident else ()
        stage = Stage.STANDALONE if incident is None else Stage.UPDATE if before else Stage.OPENING
        lists = {} if people is None else dict.fromkeys(channels, people)
        text = f"post {next(self._texts)}"
        drafted = self.draft(stage, incident, channels=channels, people=lists, headline=text, **fields)
        posts: list[RenderedPost] = []
        for each in drafted.posts:
            words = f"{text} {each.target.language}" if each.target.part else text
            shared = {"pictures": tuple(pictures), "distinct": distinct}
            alone = each.standalone.model_copy(update={**shared, "text": f"{words} alone" if before else words})
            reply = alone.model_copy(update={"text": f"{words} reply"}) if before else None
            posts.append(replace(each, standalone=alone, reply=reply))
        return self.journal.publications.add(
            replace(
                drafted,
                key=drafted.id,
                actor="desk",
                due_at=None,
                posts=() if wordless else tuple(posts),
                targets=tuple(post.target for post in posts) if wordless else (),
                pictures=tuple(pictures) if keeps_pictures else (),
            )
        )

    def publication(self, publication: str) -> Publication:
        told = self.journal.publications.get(publication)
        assert told is not None
        return told

    def receipt(self, publication: str, channel: str = "sky") -> Receipt:
        return self.publication(publication).on(channel)

    def claim(
        self, channel: str = "sky", owner: str = "", *, lease: timedelta = LEASE, **how: Any
    ) -> ClaimedDelivery | None:
        return super().claim(channel, owner or f"test/-/-/{next(self._owners)}", lease=lease, **how)


def list_network(**more: Any) -> Scripted:
    """Return a network that writes to people, one by one."""
    return Scripted(capabilities=MAIL, one_by_one=True, **more)


def claim(book: Book, name: str = "") -> ClaimedDelivery:
    """Return the next delivery, claimed by a process of this name."""
    claimed = book.claim(owner=name)
    assert claimed is not None
    return claimed


def attempts(book: Book, network: Scripted, how: ChannelConfig | None = None, **more: Any) -> DeliveryAttempt:
    """Return what makes attempts on the channel "sky" of a journal."""
    channel = network.open(book.clock, book.journal.channels.state_store("sky"))
    how = how or network.configured("sky")
    return DeliveryAttempt(journal=book.journal, channel=channel, config=how, clock=book.clock, lease=LEASE, **more)


def attempt(book: Book, network: Scripted, how: ChannelConfig | None = None) -> bool:
    """Make the next attempt on the channel, if something is due there."""
    claimed = book.claim()
    if claimed is not None:
        attempts(book, network, how).run(claimed)
    return claimed is not None


def doubted(book: Book, network: Scripted, how: ChannelConfig | None = None, **publication: Any) -> str:
    """Return a publication whose first attempt timed out, and whose next one is due at once."""
    published = book.publish("sky", **publication)
    network.sends.append(Unconfirmed("No answer came."))
    assert attempt(book, network, how)
    assert book.receipt(published).outcome is Outcome.UNCONFIRMED
    book.pass_by(2)
    return published


def retry_in(book: Book, receipt: Receipt) -> timedelta:
    """Return how long a delivery waits for its next attempt."""
    assert receipt.retry_at is not None
    return receipt.retry_at - book.clock.now()
