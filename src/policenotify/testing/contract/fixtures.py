"""How the contract suite scripts a network on the loopback: what goes wrong with the next call, and what readers see.

A plain HTTP network (one request, one post) needs nothing of this:
[`OneCallFixture`][policenotify.testing.contract.fixtures.OneCallFixture] does it. One with a state of its own has a stand of
its own, and a small subclass of [`HttpFixture`][policenotify.testing.contract.fixtures.HttpFixture] that reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, Final, Literal, Protocol, Self, TypeAlias

from policenotify.testing.fakes import FakeClock, InMemoryStateStore
from policenotify.testing.servers.http import Answer, Disconnect, FakeServer, NoResponse, RecordedRequest, Reply

Call: TypeAlias = Literal["post", "find", "edit", "delete"]
"""What is done on the network when trouble comes. `post` is the call that publishes, not what makes ready for it."""

_SILENT = 5.0  # seconds: longer than the patience of the contract


class Fault(StrEnum):
    """What may go wrong with a call."""

    REFUSED = "refused"
    """The network has read the post and says no, for good."""
    RATE_LIMITED = "later"
    """The network asks us to wait."""
    UNREACHABLE = "nobody"
    """Nobody listens at the network's address."""
    UNAUTHORIZED = "denied"
    """The network does not accept our credentials."""
    NO_RESPONSE = "silence"
    """No answer comes. Nothing was published."""
    DISCONNECTED = "cut"
    """The connection is closed before an answer. Nothing was published."""
    DISCONNECTED_AFTER = "cut_after"
    """The same, but it is published."""
    TRUNCATED = "half"
    """It is published, and the connection is closed within the answer."""
    HTML_PAGE = "page"
    """Something in between answers with a success and a page for people. Nothing was published."""
    SERVER_ERROR = "broken"
    """The network answers that it is broken (HTTP 500). Nothing was published."""


DOUBTS: Final = (
    Fault.NO_RESPONSE,
    Fault.DISCONNECTED,
    Fault.DISCONNECTED_AFTER,
    Fault.TRUNCATED,
    Fault.HTML_PAGE,
    Fault.SERVER_ERROR,
)
"""What leaves a doubt whether the post is out."""

UNREAD: Final = tuple(trouble for trouble in Fault if trouble is not Fault.DISCONNECTED_AFTER)
"""What leaves unread whether the post is out, when we look for it. A cut question has no effect, after it or not."""

OUT: Final = frozenset({Fault.DISCONNECTED_AFTER, Fault.TRUNCATED})
"""After these it is out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisiblePost:
    """A post as a reader has it.

    Attributes:
        texts: All that he reads: title, text and formatted text, each whole, lines ended by LF, without the line ends
            that the network adds to a text.
        breaks_lines: The network breaks long lines anew, so that a line break is as good as a space.
        id: The network's id of it; empty where the wire cannot know it.
        parents: Ids of our earlier posts that it names, from the first of its thread to the one that it answers; on
            networks that name only the post answered, this one.
        pictures: Alternative text and bytes of each, in order.
        reader: On networks with recipients: the address that got it.
        whole: On networks with recipients: every byte that reached this person.
    """

    texts: tuple[str, ...]
    breaks_lines: bool = False
    id: str = ""
    parents: tuple[str, ...] = ()
    pictures: tuple[tuple[str, bytes], ...] = ()
    reader: str = ""
    whole: bytes = field(default=b"", repr=False)


class NetworkFixture(Protocol):
    """A network on the loopback, as the contract suite scripts it.

    It listens within `with`. Before, it has an address all the same (port 0 will do), for a channel that is only
    looked at.
    """

    @property
    def clock(self) -> FakeClock:
        """The time, for channels that ask for it."""
        ...

    @property
    def state_store(self) -> InMemoryStateStore:
        """What all channel objects of the account share."""
        ...

    @property
    def faults(self) -> frozenset[Fault]:
        """What this network can suffer."""
        ...

    @property
    def retry_after(self) -> timedelta | None:
        """How long `LATER` asks to wait; `None`: the network does not say."""
        ...

    @property
    def secrets(self) -> tuple[str, ...]:
        """What the network knows and nobody may see: tokens that it gave out."""
        ...

    @property
    def visible_posts(self) -> Sequence[VisiblePost]:
        """What readers see, oldest first."""
        ...

    def fail_next(self, trouble: Fault, call: Call = "post") -> None:
        """Let the next call of this kind go wrong; where that cannot be told apart, all until `recover()`."""
        ...

    def recover(self) -> None:
        """End every trouble."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: object, error: object, traceback: object) -> None: ...


class BulkFixture(NetworkFixture, Protocol):
    """The same for a network with recipients."""

    def refuse_recipient(self, address: str) -> None:
        """Refuse this person for good, until `recover()`."""
        ...


class HttpFixture:
    """A network of HTTP calls on a [`FakeServer`][policenotify.testing.servers.http.FakeServer].

    A subclass tells what readers see.

    Attributes:
        routes: Method and path of each kind of call, as in
            [`FakeServer.on`][policenotify.testing.servers.http.FakeServer.on].
        faults: All of them.
        retry_after: How long the network asks us to wait; `None`: it does not say.
        limit: How it asks us to wait; `None`: with 429, and `retry_after` in `Retry-After`.
        refusal: How it says no to a post, for good.
        denial: How it says no to our credentials.

    Args:
        server: The network. One that looks at the time is made with the wire's clock:
            `clock = FakeClock(); super().__init__(MyStand(now=clock.now), clock)`.
        clock: The wire's clock; else a new one.
    """

    routes: Mapping[Call, tuple[str, str]] = {
        "post": ("POST", "*"),
        "find": ("GET", "*"),
        "edit": ("PUT", "*"),
        "delete": ("DELETE", "*"),
    }
    faults: frozenset[Fault] = frozenset(Fault)
    retry_after: timedelta | None = timedelta(seconds=90)
    limit: ClassVar[Answer | None] = None
    refusal: ClassVar[Answer] = Answer.json({"error": "InvalidRequest", "message": "not in these words"}, 400)
    denial: ClassVar[Answer] = Answer.json({"error": "AuthenticationRequired", "message": "who are you?"}, 401)

    def __init__(self, stand: FakeServer, clock: FakeClock | None = None) -> None:
        self.server = stand
        self.clock: FakeClock = clock or FakeClock()
        self.state_store: InMemoryStateStore = InMemoryStateStore()

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.server.__exit__(kind, error, traceback)

    @property
    def url(self) -> str:
        """Where to point the channel."""
        return self.server.url

    @property
    def secrets(self) -> tuple[str, ...]:
        """The stand gives nothing out."""
        return ()

    @property
    def visible_posts(self) -> Sequence[VisiblePost]:
        """What readers see, oldest first."""
        raise NotImplementedError(f"{type(self).__name__}.shown: tell what readers see on the stand.")

    def fail_next(self, trouble: Fault, call: Call = "post") -> None:
        """Let the next call of this kind go wrong; nobody and denied: all until `recover()`."""
        if trouble is Fault.UNREACHABLE:
            self.server.refuse_connections()
        elif trouble is Fault.UNAUTHORIZED:
            self.server.always(self.denial)
        else:
            self.server.fail_next(*self.routes[call], self._reply(trouble), effect=trouble in OUT)

    def recover(self) -> None:
        """End every trouble."""
        self.server.recover()

    def _reply(self, trouble: Fault) -> Reply:
        replies: dict[Fault, Reply] = {
            Fault.REFUSED: self.refusal,
            Fault.RATE_LIMITED: self.limit
            or Answer.rate_limited(retry_after=int(self.retry_after.total_seconds()) if self.retry_after else None),
            Fault.NO_RESPONSE: NoResponse(_SILENT),
            Fault.DISCONNECTED: Disconnect(),
            Fault.DISCONNECTED_AFTER: Disconnect(),
            Fault.TRUNCATED: Disconnect("half"),
            Fault.HTML_PAGE: Answer.html("<h1>Log in to the Wi-Fi</h1>"),
            Fault.SERVER_ERROR: Answer.json({"error": "InternalServerError", "message": "oh"}, 500),
        }
        return replies[trouble]


class OneCallFixture(HttpFixture):
    """A network without a state of its own: each accepted request is a post, and readers see what it says.

    What they read is every text in the request: the strings of a JSON body, the values of a form or of the query, a
    plain body, the headers' values.

    Args:
        accepts: The answer to a post.
        post: Method and path of the request that posts; any other request is answered with an empty JSON object.
    """

    def __init__(self, accepts: Answer, *, post: tuple[str, str] = ("POST", "*")) -> None:
        super().__init__(FakeServer(Answer.json({})))
        self.routes: Mapping[Call, tuple[str, str]] = {**self.routes, "post": post}
        self._accepts = accepts
        self._taken: list[RecordedRequest] = []
        self.server.on(*post, self._take)

    @property
    def visible_posts(self) -> Sequence[VisiblePost]:
        """What readers see, oldest first."""
        return [VisiblePost(texts=tuple(_texts(seen))) for seen in list(self._taken)]

    def _take(self, seen: RecordedRequest) -> Answer:
        self._taken.append(seen)
        return self._accepts


def _texts(seen: RecordedRequest) -> Iterator[str]:
    body = seen.body.decode("utf-8", "replace")
    try:
        yield from _strings(json.loads(body))
    except ValueError:
        if seen.headers.get_content_type() == "application/x-www-form-urlencoded":
            yield from (value for values in seen.form().values() for value in values)
        else:
            yield body
    yield from (value for values in seen.query.values() for value in values)
    for value in seen.headers.values():  # read as Latin-1 (RFC 9110, section 5.5), meant as UTF-8 by most
        yield value.encode("latin-1", "replace").decode("utf-8", "replace")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)
