"""Channels that only write down what they are to say, and fail when they are told to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from threading import Lock
from typing import Final, Literal

from policenotify.channel import (
    Account,
    Capabilities,
    Channel,
    ChannelConfig,
    Clock,
    Operation,
    Picture,
    Post,
    PostRef,
    Recipient,
    RecipientOutcome,
    Request,
    StateStore,
)
from policenotify.errors import ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.model.lifecycle import Stage

_OUTCOMES: Final[dict[type[ChannelError], Literal["refused", "unavailable", "unconfirmed"]]] = {
    Refused: "refused",
    Unavailable: "unavailable",
    Unconfirmed: "unconfirmed",
}
"""What an error means for one person."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RecordedPost:
    """What would have been said to a network.

    Attributes:
        channel: The channel's name.
        network: Which network it is on.
        operation: What is done: a post, an edit of an earlier one (the same `id`), or a deletion.
        id: The network's id of the post, as in the receipt's `ref`.
        key: The post's own key, a SHA-256: the same post has the same one at each attempt.
        text: What readers read, as the network shows it. For a deletion: what they had read.
        title: The subject, where the network has one.
        html: The formatted version, where the network takes one.
        link: A page with more, or `None`.
        pictures: What it shows, without the bytes.
        language: BCP 47.
        stage: Where the message stands in its incident.
        category: The message's category code.
        exercise: It is an exercise.
        answers: Ids of our posts above it, from the opening to the one that it answers.
        recipients: Who has got it, by address, on a channel with recipients.
        at: When it was said.
    """

    channel: str
    network: str
    operation: Operation
    id: str
    key: str
    text: str
    title: str
    html: str
    link: str | None
    pictures: tuple[Picture, ...]
    language: str
    stage: Stage
    category: str
    exercise: bool
    answers: tuple[str, ...]
    recipients: tuple[str, ...]
    at: datetime

    @property
    def parent(self) -> str | None:
        """Id of the post that it answers."""
        return self.answers[-1] if self.answers else None

    def __repr__(self) -> str:  # no address: a test report may be anywhere
        answers = f" answers {self.parent[:12]}" if self.parent else ""
        people = f" to {len(self.recipients)}" if self.recipients else ""
        said = f"{self.title} | {self.text}" if self.title else self.text
        return (
            f"<{self.channel} {self.operation} {self.id[:12]}: {self.stage}, {self.language}{answers}{people} {said!r}>"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A failure that is to happen once.

    Attributes:
        error: What the channel raises.
        published: Readers have the post all the same.
        recipient: Whose fails; empty: everybody's.
        people: The channel has recipients.

    Raises:
        ValueError: No network could fail like that.
    """

    error: ChannelError
    published: bool
    recipient: str
    people: bool

    def __post_init__(self) -> None:
        if self.published and not isinstance(self.error, Unconfirmed):
            raise ValueError("published: only behind an Unconfirmed a post may be out")
        if self.recipient and not self.people:
            raise ValueError("recipient: this channel has none")
        if self.recipient and type(self.error) not in _OUTCOMES:
            raise ValueError("recipient: for one person it is Refused, Unavailable or Unconfirmed")


class Recorder:
    """What all channels of one recording have said, and how they are to fail; for several threads.

    Args:
        clock: Tells when something is taken back.
        order: The channels, in the order in which their posts of one publication are shown.

    Attributes:
        faults: By channel, the next one first.
    """

    def __init__(self, clock: Clock, *, order: list[str]) -> None:
        self.faults: defaultdict[str, list[Fault]] = defaultdict(list)
        self._order = order
        self._clock = clock
        self._said: list[RecordedPost] = []
        self._numbers: defaultdict[str, count[int]] = defaultdict(lambda: count(1))
        self._lock = Lock()

    @property
    def posts(self) -> tuple[RecordedPost, ...]:
        """What was said, in order."""
        with self._lock:
            return tuple(sorted(self._said, key=lambda post: (post.at, self._order.index(post.channel))))

    def check_faults(self) -> None:
        """See that all has happened that was to happen.

        Raises:
            AssertionError: Some has not.
        """
        if left := [f"{len(faults)} on {name!r}" for name, faults in self.faults.items() if faults]:
            raise AssertionError(f"A failure was asked for, but nothing was said there any more: {', '.join(left)}.")

    def fault(self, channel: str, recipient: str = "") -> Fault | None:
        """The failure that is to happen now."""
        with self._lock:
            found = next((fault for fault in self.faults[channel] if fault.recipient == recipient), None)
            if found:
                self.faults[channel].remove(found)
            return found

    def said(self, channel: str, key: str) -> RecordedPost | None:
        """The post under a key, if it is out."""
        with self._lock:
            mine = (post for post in self._said if (post.channel, post.key) == (channel, key))
            return next((post for post in mine if post.operation is Operation.POST), None)

    def add(self, post: RecordedPost) -> RecordedPost:
        """Write it down; a post without an id is given one."""
        with self._lock:
            post = replace(post, id=post.id or f"{post.channel}-{next(self._numbers[post.channel])}")
            self._said.append(post)
            return post

    def add_reader(self, post: RecordedPost, address: str) -> None:
        """Write down one more who has got a post."""
        with self._lock:
            for number, known in enumerate(self._said):
                if (known.channel, known.key) == (post.channel, post.key):
                    self._said[number] = replace(known, recipients=(*known.recipients, address))
                    return
            self._said.append(replace(post, recipients=(address,)))

    def take_back(self, channel: str, post_id: str) -> None:
        """Write down that a post is gone."""
        with self._lock:
            last = next((one for one in reversed(self._said) if (one.channel, one.id) == (channel, post_id)), None)
            if last and last.operation is not Operation.DELETE:
                self._said.append(replace(last, operation=Operation.DELETE, at=self._clock.now()))


def opener(recorder: Recorder, how: ChannelConfig) -> Callable[[Clock, StateStore], Channel]:
    """What opens channel objects that record what *how* would say."""
    kind = _Mailing if how.capabilities.recipients else _Posting

    def opened(_clock: Clock, _keep: StateStore) -> Channel:
        return kind(recorder, how.name, how.network, how.capabilities)

    return opened


@dataclass(frozen=True, slots=True)
class _Recording:
    """A channel; its requests hold the whole post, so that they may be repeated by another object."""

    recorder: Recorder = field(repr=False)
    account: str
    network: str
    capabilities: Capabilities

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        body = {"post": post.model_dump(mode="json"), "answers": [ref.id for ref in reply_to]}
        return Request(account=self.account, key=post.key, body=body)

    def whoami(self) -> Account:
        return Account(id=self.account, name=self.account)

    def close(self) -> None:
        """Nothing is open."""

    def _as_said(self, request: Request, operation: Operation = Operation.POST, post_id: str = "") -> RecordedPost:
        post, can = Post.model_validate(request.body["post"]), self.capabilities
        answers = request.body["answers"]
        assert isinstance(answers, list)  # noqa: S101 - for the type checker: `prepare` made it
        return RecordedPost(
            channel=self.account,
            network=self.network,
            operation=operation,
            id=post_id,
            key=request.key,
            text=can.budget.displayed(post.text) if can.budget.displayed else post.text,
            title=post.title if can.title else "",
            html=post.html,
            link=post.link,
            pictures=post.pictures,
            language=post.language,
            stage=post.stage,
            category=post.category,
            exercise=post.exercise,
            answers=tuple(map(str, answers)),
            recipients=(),
            at=post.created_at,
        )


class _Posting(_Recording):
    """A channel whose posts are each one thing on the network."""

    def send(self, request: Request) -> PostRef:
        with self._may_fail():
            known = self.recorder.said(self.account, request.key) if self.capabilities.idempotency_window else None
            said = known or self.recorder.add(self._as_said(request))
        return self._ref(said.id)

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:  # noqa: ARG002 - all of it is new
        said = self.recorder.said(self.account, request.key)
        return self._ref(said.id) if said and said.id not in known else None

    def edit(self, ref: PostRef, request: Request) -> PostRef:
        with self._may_fail():
            self.recorder.add(self._as_said(request, Operation.EDIT, ref.id))
        return self._ref(ref.id)

    def delete(self, ref: PostRef) -> None:
        with self._may_fail():
            self.recorder.take_back(self.account, ref.id)

    @contextmanager
    def _may_fail(self) -> Iterator[None]:
        fault = self.recorder.fault(self.account)
        if fault and not fault.published:
            raise fault.error
        yield
        if fault:
            raise fault.error

    def _ref(self, post_id: str) -> PostRef:
        # RFC 2606, section 2: a name that nobody ever has
        return PostRef(account=self.account, id=post_id, url=f"https://{self.network}.invalid/{post_id}")


class _Mailing(_Recording):
    """A channel whose posts go to people."""

    def send_each(self, request: Request, recipients: Iterable[Recipient]) -> Iterator[RecipientOutcome]:
        fault = self.recorder.fault(self.account)
        if fault and not fault.published:
            raise fault.error
        for person in recipients:
            own = self.recorder.fault(self.account, person.address)
            if own is None or own.published:
                self.recorder.add_reader(self._as_said(request, post_id=request.key), person.address)
            if own:
                yield RecipientOutcome(
                    key=person.key, outcome=_OUTCOMES[type(own.error)], code=own.error.code, reason=own.error.reason
                )
            elif not fault:
                yield RecipientOutcome(key=person.key, outcome="posted")
        if fault:
            raise fault.error
