"""A third-party network that satisfies the protocols by its shape alone, and its test."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeAlias, assert_type

from pydantic import JsonValue, SecretStr

from policenotify.channel import (
    Account,
    Capabilities,
    Channel,
    Clock,
    Picture,
    Post,
    PostRef,
    Recipient,
    RecipientOutcome,
    Request,
    Span,
    StateStore,
    StoredValue,
    SupportsDelete,
    SupportsEdit,
    SupportsLookup,
    SupportsPeople,
    SupportsSend,
)
from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.testing import Answer, ChannelContract, HttpFixture, OneCallFixture
from policenotify.text import Budget, utf8_bytes
from policenotify.transport import error_for_exception, error_for_status


class Pigeons:
    """A loft."""

    capabilities = Capabilities(
        budget=Budget(4096, utf8_bytes),
        title=True,
        replies=True,
        images=1,
        idempotency_window=timedelta(hours=1),
        lookup_delay=timedelta(0),
        edits=True,
        deletes=True,
    )

    def __init__(self, *, loft: str, token: SecretStr, clock: Clock, store: StateStore) -> None:
        self.account = loft
        self._token, self._clock, self._store = token, clock, store

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        assert_type(post.spans, tuple[Span, ...])
        assert_type(post.pictures, tuple[Picture, ...])
        body: dict[str, JsonValue] = {"text": post.text, "under": reply_to[-1].id if reply_to else None}
        return Request(account=self.account, key=post.key, body=body)

    def send(self, request: Request) -> PostRef:
        if not request.body["text"]:
            raise Refused("Nothing is said.", remedy="Say something.", fallback="standalone")
        try:
            return PostRef(account=self.account, id="1", url=None, extra={"ring": "7"})
        except OSError as error:
            raise error_for_exception(error, where="the loft") from None

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:
        if since > self._clock.now():
            raise Unavailable("Later.", retry_at=since, whole_channel=True)
        return None

    def edit(self, ref: PostRef, request: Request) -> PostRef:
        return ref

    def delete(self, ref: PostRef) -> None:
        raise error_for_status(404, {"Retry-After": "5"}, now=self._clock.now(), where="the loft")

    def whoami(self) -> Account:
        kept = self._store.load("ring")
        assert_type(kept, StoredValue | None)
        if kept and not self._store.compare_and_swap("ring", self._token.get_secret_value(), version=kept.version):
            raise Blocked("Somebody else was faster.")
        with self._store.lease("ring", seconds=1.5):
            return Account(id="1", name=self.account)

    def close(self) -> None:
        pass


class Letters(Pigeons):
    """A post office: one letter for each person."""

    def send_to(self, request: Request, people: Sequence[Recipient]) -> Sequence[RecipientOutcome]:
        return [RecipientOutcome(key=person.key, outcome="posted") for person in people]


Claims: TypeAlias = tuple[SupportsSend, SupportsLookup, SupportsEdit, SupportsDelete, SupportsPeople]
KINDS: tuple[type[Channel], ...] = (Pigeons, Letters)


def open_lofts(clock: Clock, store: StateStore) -> Claims:
    """It is all that it claims to be."""
    pigeons = Pigeons(loft="nord", token=SecretStr("ring"), clock=clock, store=store)
    letters = Letters(loft="sud", token=SecretStr("ring"), clock=clock, store=store)
    channels: list[Channel] = [pigeons, letters]
    for channel in channels:
        assert_type(channel.capabilities, Capabilities)
        if isinstance(channel, SupportsPeople):
            continue
        if isinstance(channel, SupportsSend):
            assert_type(channel, SupportsSend)
    return pigeons, pigeons, pigeons, pigeons, letters


def in_words(error: ChannelError) -> str:
    """The four kinds are distinguished."""
    match error:
        case Refused(fallback=fallback):
            return fallback or str(error.reason)
        case Unavailable(retry_at=at) if at:
            return at.isoformat()
        case Unconfirmed() | Blocked():
            return error.published
        case _:
            return error.code


class TestPigeons(ChannelContract):
    """Its whole test."""

    accepts = Answer.json({"id": "abc"})
    secrets = ("ring",)
    test_whoami_proves_the_credentials = None

    def make_network(self) -> OneCallFixture:
        return OneCallFixture(self.accepts, post=("POST", "/pigeons"))

    def open(self, network: HttpFixture) -> Channel:
        return Pigeons(loft=network.server.url, token=SecretStr("ring"), clock=network.clock, store=network.state_store)
