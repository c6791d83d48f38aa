"""Networks on the loopback, as the contract suite controls them.

A plain HTTP network (one request, one post) needs only
[`OneCallFixture`][policenotify.testing.contract.fixtures.OneCallFixture]. A network with state needs a fake server of
its own, and a small subclass of [`HttpFixture`][policenotify.testing.contract.fixtures.HttpFixture] that reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, Final, Literal, Self, TypeAlias

from policenotify.channel import Services
from policenotify.networks._redact import leaves
from policenotify.render.locales import LOCALES
from policenotify.testing.fakes import FakeClock, InMemoryStateStore
from policenotify.testing.servers.http import Answer, Disconnect, FakeServer, NoResponse, RecordedRequest, Reply

Call: TypeAlias = Literal["post", "find", "edit", "delete"]
"""The kind of call that fails. `post` is the call that publishes, not the preparation before it."""

_SILENCE = 90.0  # seconds: longer than `patience` of the contract


class Fault(StrEnum):
    """Failures of a call."""

    REFUSED = "refused"
    """The network rejects the post for good."""
    RATE_LIMITED = "rate_limited"
    """The network asks us to wait."""
    UNREACHABLE = "unreachable"
    """Nothing listens at the network's address."""
    UNAUTHORIZED = "unauthorized"
    """The network rejects our credentials."""
    NO_RESPONSE = "no_response"
    """No answer comes. Nothing was published."""
    DISCONNECTED = "disconnected"
    """The connection is closed before an answer. Nothing was published."""
    DISCONNECTED_AFTER = "disconnected_after"
    """The connection is closed before an answer. The post was published."""
    TRUNCATED = "truncated"
    """The connection is closed within the answer. The post was published."""
    HTML_PAGE = "html_page"
    """A proxy or portal answers with status 200 and a web page. Nothing was published."""
    SERVER_ERROR = "server_error"
    """The network answers with HTTP 500. Nothing was published."""


DOUBTS: Final = (
    Fault.NO_RESPONSE,
    Fault.DISCONNECTED,
    Fault.DISCONNECTED_AFTER,
    Fault.TRUNCATED,
    Fault.HTML_PAGE,
    Fault.SERVER_ERROR,
)
"""Faults after which the post may be published or not."""

UNREAD: Final = tuple(fault for fault in Fault if fault is not Fault.DISCONNECTED_AFTER)
"""Faults after which a lookup has no result. Losing the answer of a lookup is the same as losing the request."""

OUT: Final = frozenset({Fault.DISCONNECTED_AFTER, Fault.TRUNCATED})
"""Faults after which the post is published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisiblePost:
    """A post as a reader sees it.

    Attributes:
        texts: Everything to read (title, text, formatted text), each whole, with LF line ends and without the line ends
            that the network adds.
        breaks_lines: The network breaks long lines, so that a line break equals a space.
        id: The network's id. Empty if the fixture cannot know it.
        parents: Ids of our earlier posts that it names, from the first of its thread to the one it replies to. Networks
            that name only the latter have one. Where a thread is a place of its own, as on Discord and Zulip, they are
            the posts above it there.
        pictures: Alternative text and bytes of each, in order.
        reader: The recipient's address, on networks with recipients.
        whole: Every byte that reached this recipient, on networks with recipients.
    """

    texts: tuple[str, ...]
    breaks_lines: bool = False
    id: str = ""
    parents: tuple[str, ...] = ()
    pictures: tuple[tuple[str, bytes], ...] = ()
    reader: str = ""
    whole: bytes = field(default=b"", repr=False)


class NetworkFixture:
    """A network on the loopback as the contract suite controls it.

    It listens within `with`. Before, it has an address all the same (port 0 will do), because a channel is also created
    only to read its capabilities. A subclass implements `visible_posts`, `fail_next` and `recover`, and
    `refuse_recipient` for a network with recipients.

    Attributes:
        clock: The clock for channels that need one.
        state_store: The store that all channel objects of the account share.
        faults: The faults that this network can have.
        retry_after: The time that `RATE_LIMITED` asks for, or `None` if it is not stated.

    Args:
        clock: The clock. By default a new one.
    """

    faults: frozenset[Fault] = frozenset(Fault)
    retry_after: timedelta | None = None

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock: FakeClock = clock or FakeClock()
        self.state_store: InMemoryStateStore = InMemoryStateStore()
        self.services: Services = Services(self.clock, self.state_store, LOCALES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """Stop listening."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Tokens that the network issued, which must appear nowhere."""
        return ()

    @property
    def visible_posts(self) -> Sequence[VisiblePost]:
        """What readers see, oldest first."""
        raise NotImplementedError(f"{type(self).__name__}.visible_posts: return what readers see on the server.")

    def fail_next(self, fault: Fault, call: Call = "post") -> None:
        """Let the next call of this kind fail, or all until `recover()`."""
        raise NotImplementedError(f"{type(self).__name__}.fail_next: let the next {call} call fail by {fault}.")

    def recover(self) -> None:
        """End every fault."""
        raise NotImplementedError(f"{type(self).__name__}.recover: end every fault.")

    def refuse_recipient(self, address: str) -> None:
        """Reject this recipient for good, until `recover()`."""
        raise NotImplementedError(f"{type(self).__name__}.refuse_recipient: reject one recipient.")


class HttpFixture(NetworkFixture):
    """A network of HTTP calls on a fake server.

    A subclass implements `visible_posts`.

    Attributes:
        routes: Method and path of each kind of call, as in
            [`FakeServer.on`][policenotify.testing.servers.http.FakeServer.on].
        limit: The answer to a rate-limited call. `None`: a 429 with `retry_after` in `Retry-After`.
        refusal: The answer that rejects a post for good.
        denial: The answer that rejects our credentials.

    Args:
        server: The network. A server that uses the time gets the clock of the fixture:
            `clock = FakeClock(); super().__init__(MyServer(now=clock.now), clock)`.
        clock: The clock of the fixture. By default a new one.
    """

    routes: Mapping[Call, tuple[str, str]] = {
        "post": ("POST", "*"),
        "find": ("GET", "*"),
        "edit": ("PUT", "*"),
        "delete": ("DELETE", "*"),
    }
    retry_after: timedelta | None = timedelta(seconds=90)
    limit: ClassVar[Answer | None] = None
    refusal: ClassVar[Answer] = Answer.json({"error": "InvalidRequest", "message": "not in these words"}, 400)
    denial: ClassVar[Answer] = Answer.json({"error": "AuthenticationRequired", "message": "who are you?"}, 401)

    def __init__(self, server: FakeServer, clock: FakeClock | None = None) -> None:
        super().__init__(clock)
        self.server = server

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.server.__exit__(kind, error, traceback)

    @property
    def url(self) -> str:
        """The URL for the channel."""
        return self.server.url

    def fail_next(self, fault: Fault, call: Call = "post") -> None:
        """Let the next call fail, or all for `UNREACHABLE` and `UNAUTHORIZED`."""
        if fault is Fault.UNREACHABLE:
            self.server.refuse_connections()
        elif fault is Fault.UNAUTHORIZED:
            self.server.always(self.denial)
        else:
            self.server.fail_next(*self.routes[call], self._reply(fault), effect=fault in OUT)

    def recover(self) -> None:
        """End every fault."""
        self.server.recover()

    def _reply(self, fault: Fault) -> Reply:
        replies: dict[Fault, Reply] = {
            Fault.REFUSED: self.refusal,
            Fault.RATE_LIMITED: self.limit
            or Answer.rate_limited(retry_after=int(self.retry_after.total_seconds()) if self.retry_after else None),
            Fault.NO_RESPONSE: NoResponse(_SILENCE),
            Fault.DISCONNECTED: Disconnect(),
            Fault.DISCONNECTED_AFTER: Disconnect(),
            Fault.TRUNCATED: Disconnect("half"),
            Fault.HTML_PAGE: Answer.html("<h1>Log in to the Wi-Fi</h1>"),
            Fault.SERVER_ERROR: Answer.json({"error": "InternalServerError", "message": "oh"}, 500),
        }
        return replies[fault]


class OneCallFixture(HttpFixture):
    """A network without state, on which each accepted request is a post.

    Readers see every text of the request: the strings of a JSON body, the values of a form or query, a plain body, and
    the values of the headers.

    Args:
        accepts: The answer to a post. Other requests get an empty JSON object.
    """

    def __init__(self, accepts: Answer) -> None:
        super().__init__(FakeServer(Answer.json({})))
        self._accepts = accepts
        self._accepted: list[RecordedRequest] = []
        self.server.on(*self.routes["post"], self._accept)

    @property
    def visible_posts(self) -> Sequence[VisiblePost]:
        """What readers see, oldest first."""
        return [VisiblePost(texts=tuple(_texts(request))) for request in list(self._accepted)]

    def _accept(self, request: RecordedRequest) -> Answer:
        self._accepted.append(request)
        return self._accepts


def _texts(request: RecordedRequest) -> Iterator[str]:
    body = request.body.decode("utf-8", "replace")
    try:
        yield from leaves(json.loads(body))
    except ValueError:
        if request.headers.get_content_type() == "application/x-www-form-urlencoded":
            yield from (value for values in request.form().values() for value in values)
        else:
            yield body
    yield from (value for values in request.query.values() for value in values)
    for value in request.headers.values():  # parsed as Latin-1 (RFC 9110, section 5.5), but mostly UTF-8
        yield value.encode("latin-1", "replace").decode("utf-8", "replace")
