"""Channels that only record posts, and fail on request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Final, Literal

from policenotify.channel import (
    Account,
    Capabilities,
    Channel,
    ChannelConfig,
    Clock,
    Operation,
    Post,
    PostRef,
    Recipient,
    RecipientOutcome,
    Request,
    StateStore,
)
from policenotify.errors import ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.networks.console import post_block

OUTCOMES: Final[dict[type[ChannelError], Literal["refused", "unavailable", "unconfirmed"]]] = {
    Refused: "refused",
    Unavailable: "unavailable",
    Unconfirmed: "unconfirmed",
}
"""The outcomes of one recipient, by their errors."""


class RecordedPost(Post):
    """A post that would have been published, with its text and its title as the network shows them.

    Attributes:
        operation: A post, an edit of an earlier one (with the same `id`), or a deletion, which has the deleted text.
        id: The network's id of the post, as in the receipt's `ref`.
        reply_to: Ids of our posts above it, from the opening to the one it replies to.
        recipients: Addresses that received it, on a channel with recipients.
    """

    channel: str
    network: str
    operation: Operation
    id: str
    reply_to: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()

    @property
    def parent(self) -> str | None:
        """Id of the post that it replies to."""
        return self.reply_to[-1] if self.reply_to else None

    def __repr__(self) -> str:  # without addresses: a test report may be published
        parent = f" answers {self.parent[:12]}" if self.parent else ""
        count = f" to {len(self.recipients)}" if self.recipients else ""
        content = f"{self.title} | {self.text}" if self.title else self.text
        start = f"{self.channel} {self.operation} {self.id[:12]}"
        return f"<{start}: {self.stage}, {self.language}{parent}{count} {content!r}>"

    def __str__(self) -> str:
        """Return it as the network `console` prints a post."""
        stage = self.stage if self.operation is Operation.POST else f"{self.stage} ({self.operation})"
        return post_block(
            f"{self.channel} · {stage} · {self.language} · {self.id[:12]}",
            parent=(self.parent or "")[:12],
            title=self.title,
            text=self.text.rstrip("\n"),
            pictures=[picture.alt for picture in self.pictures],
        )


class Recorder:
    """The posts and pending failures of all channels of a recording. Thread-safe.

    Args:
        clock: Gives the time of deletions.
        order: The channels, in the order in which posts of one publication are listed.

    Attributes:
        faults: The failures, each of which happens once: its error, and whether the post is published all the same. By
            channel and by the address for which it fails, which is empty for all. The next one first.
    """

    def __init__(self, clock: Clock, *, order: list[str]) -> None:
        self.faults: defaultdict[tuple[str, str], list[tuple[ChannelError, bool]]] = defaultdict(list)
        self._order = order
        self._clock = clock
        self._posts: list[RecordedPost] = []
        self._lock = Lock()

    @property
    def posts(self) -> tuple[RecordedPost, ...]:
        """All posts in order."""
        with self._lock:
            return tuple(sorted(self._posts, key=lambda post: (post.created_at, self._order.index(post.channel))))

    def check_faults(self) -> None:
        """Check that every requested failure happened.

        Raises:
            AssertionError: One did not.
        """
        if left := [f"{len(faults)} on {name!r}" for (name, _), faults in self.faults.items() if faults]:
            raise AssertionError(
                f"A requested failure did not happen, because nothing more was published: {', '.join(left)}."
            )

    @contextmanager
    def failing(self, channel: str, address: str = "") -> Iterator[None]:
        """Raise the next failure of a channel, or of one person there: in place of what is done, or after it."""
        with self._lock:
            faults = self.faults[channel, address]
            error, published = faults.pop(0) if faults else (None, True)
        if published:
            yield
        if error is not None:
            raise error

    def published(self, channel: str, key: str) -> RecordedPost | None:
        """Return the post with this key, if it is published."""
        with self._lock:
            posts = (post for post in self._posts if (post.channel, post.key) == (channel, key))
            return next((post for post in posts if post.operation is Operation.POST), None)

    def add(self, post: RecordedPost) -> RecordedPost:
        """Record a post, and give it an id if it has none."""
        with self._lock:
            if not post.id:
                number = len({each.id for each in self._posts if each.channel == post.channel}) + 1
                post = post.model_copy(update={"id": f"{post.channel}-{number}"})
            self._posts.append(post)
            return post

    def add_reader(self, post: RecordedPost, address: str) -> None:
        """Record one more recipient of a post."""
        with self._lock:
            known = next((each for each in self._posts if (each.channel, each.key) == (post.channel, post.key)), None)
            if known:
                self._posts.remove(known)
            post = known or post
            self._posts.append(post.model_copy(update={"recipients": (*post.recipients, address)}))

    def delete(self, channel: str, post_id: str) -> None:
        """Record the deletion of a post."""
        with self._lock:
            last = next((post for post in reversed(self._posts) if (post.channel, post.id) == (channel, post_id)), None)
            if last and last.operation is not Operation.DELETE:
                gone = {"operation": Operation.DELETE, "created_at": self._clock.now()}
                self._posts.append(last.model_copy(update=gone))


def opener(recorder: Recorder, config: ChannelConfig) -> Callable[[Clock, StateStore], Channel]:
    """Return a function that opens recording channel objects in place of *config*."""
    capabilities = replace(config.capabilities, calls_at_once=1)  # so that people come in order
    kind = _BulkRecordingChannel if config.capabilities.recipients else _PostRecordingChannel
    return lambda _clock, _keep: kind(recorder, config.name, config.network, capabilities)


@dataclass(frozen=True, slots=True)
class _RecordingChannel:
    """A channel whose requests hold the whole post."""

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

    def _recorded(self, request: Request, operation: Operation = Operation.POST, post_id: str = "") -> RecordedPost:
        can, words = self.capabilities, Post.model_validate(request.body["post"])
        return RecordedPost.model_validate(
            {
                **dict(words),
                "text": can.budget.displayed(words.text) if can.budget.displayed else words.text,
                "title": words.title if can.title else "",
                "channel": self.account,
                "network": self.network,
                "operation": operation,
                "id": post_id,
                "reply_to": request.body["answers"],
            }
        )


class _PostRecordingChannel(_RecordingChannel):
    """A channel whose posts are public."""

    def send(self, request: Request) -> PostRef:
        with self.recorder.failing(self.account):
            has_keys = bool(self.capabilities.idempotency_window)
            known = self.recorder.published(self.account, request.key) if has_keys else None
            post = known or self.recorder.add(self._recorded(request))
        return self._ref(post.id)

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:  # noqa: ARG002 - keys identify posts
        post = self.recorder.published(self.account, request.key)
        return self._ref(post.id) if post and post.id not in known else None

    def edit(self, ref: PostRef, request: Request) -> PostRef:
        with self.recorder.failing(self.account):
            self.recorder.add(self._recorded(request, Operation.EDIT, ref.id))
        return self._ref(ref.id)

    def delete(self, ref: PostRef) -> None:
        with self.recorder.failing(self.account):
            self.recorder.delete(self.account, ref.id)

    def _ref(self, post_id: str) -> PostRef:
        # RFC 2606, section 2: a name that never exists
        return PostRef(account=self.account, id=post_id, url=f"https://{self.network}.invalid/{post_id}")


class _BulkRecordingChannel(_RecordingChannel):
    """A channel with recipients."""

    def send_to(self, request: Request, people: Sequence[Recipient]) -> Sequence[RecipientOutcome]:
        return [self._send_one(request, person) for person in people]

    def _send_one(self, request: Request, person: Recipient) -> RecipientOutcome:
        error: ChannelError | None = None
        with self.recorder.failing(self.account):
            try:
                with self.recorder.failing(self.account, person.address):
                    self.recorder.add_reader(self._recorded(request, post_id=request.key), person.address)
            except ChannelError as own:
                error = own
        if error is None:
            return RecipientOutcome(key=person.key, outcome="posted")
        return RecipientOutcome(key=person.key, outcome=OUTCOMES[type(error)], code=error.code, reason=error.reason)
