"""A scripted HTTP server on the loopback that fails on demand.

```python
with FakeServer() as server:
    server.on("POST", "/api/v1/statuses", Answer.json({"id": "1"}))
    server.fail_next("POST", "/api/v1/statuses", Disconnect(), effect=True)   # published, but not answered
    ...                                                                       # the SDK, with server.url
    assert server.requests[0].json()["status"] == "Route barrée"
```

A route is answered by a value, by a sequence of values (one for each request, the last one repeated) or by a callable,
on which a fake of a whole service can be built. Faults have priority over routes.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread, current_thread
from typing import Any, Literal, Self, TypeAlias, cast
from urllib.parse import parse_qs, urlsplit

from policenotify.testing.servers import LoopbackServer


@dataclass(frozen=True)
class RecordedRequest:
    """A request as it arrived.

    Attributes:
        method: In capitals.
        path: As sent: still percent-encoded, without the query.
        query: Values by name, each a list in the order sent.
        headers: With names in any case.
        body: The whole body, with chunked encoding decoded.
        at: Time after the request was read, aware.
    """

    method: str
    path: str
    query: dict[str, list[str]] = field(repr=False)
    headers: HTTPMessage = field(repr=False)
    body: bytes = field(repr=False)
    at: datetime

    def json(self) -> Any:  # noqa: ANN401 - JSON holds anything
        """Parse the body as JSON. Raises `ValueError` for any other."""
        return json.loads(self.body)

    def form(self) -> dict[str, list[str]]:
        """Parse the body as a form, like `query`, with empty values."""
        return parse_qs(self.body.decode(), keep_blank_values=True)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer.

    Attributes:
        status: The status code (RFC 9110, section 15).
        body: The body, which defines `Content-Length`.
        headers: Further headers.
        delay: Seconds before the first byte. The request takes effect before.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0

    @classmethod
    def json(
        cls, value: object, status: int = 200, *, headers: Mapping[str, str] | None = None, delay: float = 0.0
    ) -> Self:
        """Return an answer with `value` as JSON."""
        kind = {"Content-Type": "application/json"}
        return cls(status, json.dumps(value).encode(), kind | dict(headers or {}), delay)

    @classmethod
    def html(cls, text: str, status: int = 200) -> Self:
        """Return a web page, as a proxy (502) or a captive portal (200) sends it."""
        return cls(status, text.encode(), {"Content-Type": "text/html; charset=utf-8"})

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> Self:
        """Return a redirect (RFC 9110, section 15.4)."""
        return cls(status, headers={"Location": location})

    @classmethod
    def rate_limited(cls, *, retry_after: int | None = None) -> Self:
        """Return a 429 (RFC 6585, section 4), with seconds for `Retry-After` (RFC 9110, section 10.2.3)."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return cls.json({"error": "RateLimitExceeded", "message": "Rate Limit Exceeded"}, 429, headers=headers)


@dataclass(frozen=True)
class NoResponse:
    """No answer: the connection stays open, then closes.

    Attributes:
        seconds: How long; `FakeServer.close()` ends it at once.
    """

    seconds: float = 60.0


@dataclass(frozen=True)
class Disconnect:
    """The connection is closed before the whole answer is sent.

    Attributes:
        after: The part of the answer that is sent: `"nothing"`, or its headers and `"half"` of the body.
        reset: Close with a TCP reset (RST) instead of a FIN.
        of: The answer that is cut short. With `effect=True` the route's own answer replaces it.
    """

    after: Literal["nothing", "half"] = "nothing"
    reset: bool = False
    of: Answer = field(default_factory=lambda: Answer.json({"server": "this answer is cut short"}))


Reply: TypeAlias = Answer | NoResponse | Disconnect
Route: TypeAlias = Reply | Callable[[RecordedRequest], Reply]
Script: TypeAlias = Route | Sequence[Route]


class Refusal(Exception):
    """Raised by a callable of a script: the request is answered with *answer*."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class FakeServer(LoopbackServer):
    """A scripted HTTP/1.1 server on 127.0.0.1, at a free port, in daemon threads.

    Callables run one at a time, so that a stateful fake needs no lock. One that raises is answered with a 500, and its
    exception is raised again at the end of the `with` block, so that an `assert` in it fails the test.

    Args:
        answer: The answer where no route matches. By default a 404 in JSON that names the path.
        now: The clock for `RecordedRequest.at` and the `Date` of answers.

    Attributes:
        latency: Seconds from a request's arrival to the first byte of its answer. The request takes effect before. An
            `Answer` with its own `delay` keeps that.
    """

    def __init__(
        self, answer: Script | None = None, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        super().__init__(now)
        self._requests: list[RecordedRequest] = []
        self._routes = [_Rule("*", "*", _not_found if answer is None else answer)]
        self._faults: list[_Rule] = []
        self._choose: Callable[[RecordedRequest], tuple[Reply, bool] | None] | None = None

    @property
    def url(self) -> str:
        """The URL for the SDK: `http://127.0.0.1:PORT`, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request in order of arrival, as a copy."""
        with self._lock:
            return list(self._requests)

    def on(self, method: str, path: str, script: Script) -> None:
        """Set the answer of a route. Of several matching routes the last one set is used.

        Args:
            method: `"POST"`, or `"*"` for any.
            path: As sent, without query. A `*` stands for one segment (`/api/v1/statuses/*/context`); `"*"` alone for
                any path.
            script: A value, a sequence of values (one for each request, the last one repeated), or a callable from
                `RecordedRequest` to a value.
        """
        with self._lock:
            self._routes.insert(0, _Rule(method, path, script))

    def fail_next(self, method: str, path: str, fault: Reply, *, effect: bool = False, times: int = 1) -> None:
        """Answer the next `times` requests of a route with `fault`.

        Args:
            method: As in `on()`.
            path: As in `on()`.
            fault: The answer.
            effect: Run the route first: the post is published, but the client does not learn it.
            times: Number of requests. Several faults of one route are used in the order set.
        """
        with self._lock:
            self._faults += [_Rule(method, path, fault, effect=effect)] * times

    def always(self, fault: Reply) -> None:
        """Answer each request without another fault with `fault` until `recover()`. It replaces `disturb()`."""
        self.disturb(lambda _: (fault, False))

    def disturb(self, choose: Callable[[RecordedRequest], tuple[Reply, bool] | None]) -> None:
        """Let *choose* return fault and `effect`, or `None`, until `recover()`.

        It is called once for each request without another fault, one request at a time.
        """
        with self._lock:
            self._choose = choose

    def recover(self) -> None:
        """End every failure, and accept connections again at the same port."""
        with self._lock:
            self._faults.clear()
            self._choose = None
        super().recover()

    def _listen(self, bound: socket.socket) -> _Server:
        return _Server(bound, self._reply, self._broken.append, self._now)

    def _stop(self, server: _Server) -> None:
        server.stop()

    def _reply(self, method: str, target: str, headers: HTTPMessage, body: bytes) -> Reply:
        url = urlsplit(target)
        query = parse_qs(url.query, keep_blank_values=True)
        with self._lock:
            request = RecordedRequest(method, url.path, query, headers, body, self._now())
            self._requests.append(request)
            fault = self._fault(request)
            if fault is None:
                reply = self._run(request)
                return replace(reply, delay=reply.delay or self.latency) if isinstance(reply, Answer) else reply
            failure = cast("Reply", fault.next_route())
            answer = self._run(request) if fault.effect else None
            if isinstance(failure, Disconnect) and isinstance(answer, Answer):
                return replace(failure, of=answer)
            return failure

    def _fault(self, request: RecordedRequest) -> _Rule | None:
        if fault := next((each for each in self._faults if each.matches(request)), None):
            self._faults.remove(fault)
        elif self._choose is not None and (chosen := self._choose(request)) is not None:
            return _Rule("*", "*", chosen[0], effect=chosen[1])
        return fault

    def _run(self, request: RecordedRequest) -> Reply:
        route = next(rule for rule in self._routes if rule.matches(request)).next_route()
        if not callable(route):
            return route
        try:
            reply = route(request)
            if not isinstance(reply, Answer | NoResponse | Disconnect):
                raise TypeError(f"{request.method} {request.path} was answered with {reply!r}.")  # noqa: TRY301 - stored like any other
        except Refusal as refusal:
            reply = refusal.answer
        except Exception as error:  # noqa: BLE001 - a route may fail in any way; __exit__ raises it
            self._broken.append(error)
            return Answer.json({"error": "RouteFailed", "message": f"{type(error).__name__}: {error}"}, 500)
        return reply


class _Rule:
    """The script of a route, or a failure of it. See `FakeServer.on` and `FakeServer.fail_next`."""

    def __init__(self, method: str, path: str, script: Script, *, effect: bool = False) -> None:
        self.effect = effect
        self._method = method
        self._path = None if path == "*" else re.compile(re.escape(path).replace(r"\*", "[^/]+"))
        self._routes = deque(script if isinstance(script, Sequence) else (script,))
        if not self._routes:
            raise ValueError(f"{method} {path} has no answer: the sequence is empty.")

    def matches(self, request: RecordedRequest) -> bool:
        right_path = self._path is None or self._path.fullmatch(request.path) is not None
        return right_path and self._method in {"*", request.method}

    def next_route(self) -> Route:
        return self._routes.popleft() if len(self._routes) > 1 else self._routes[0]


class _Server(ThreadingHTTPServer):
    """The listener and the threads of its connections."""

    request_queue_size = 128

    def __init__(
        self,
        bound: socket.socket,
        reply: Callable[[str, str, HTTPMessage, bytes], Reply],
        broken: Callable[[BaseException], None],
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(bound.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = bound
        self.server_activate()
        self.reply = reply
        self.broken = broken
        self.now = now
        self.closing = Event()
        self._handlers: dict[Thread, socket.socket] = {}
        # seconds between checks for the end
        self._acceptor = Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._acceptor.start()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the parent's types
        thread = Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        alive = {known: each for known, each in self._handlers.items() if known.is_alive()}
        self._handlers = alive | {thread: request}
        thread.start()

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - the parent's types
        self.close_request(request)  # the parent would send FIN first, which prevents a reset

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the parent's
        error = sys.exception()
        if error is not None and not isinstance(error, OSError):  # clients may disconnect
            self.broken(error)

    def stop(self) -> None:
        self.closing.set()
        self.shutdown()
        self._acceptor.join()
        self.server_close()
        handlers = self._handlers
        for connection in handlers.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if current_thread() not in handlers:  # a route that stops its own server must not wait
            for thread, connection in handlers.items():
                thread.join()
                connection.close()


class _Handler(BaseHTTPRequestHandler):
    """One connection: reads requests and sends replies."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    headers: HTTPMessage

    def _serve(self) -> None:
        reply = self.server.reply(self.command, self.path, self.headers, self._body())
        match reply:
            case Answer():
                self._pause(reply.delay)
                self._send(reply, len(reply.body), len(reply.body))
            case NoResponse():
                self._pause(reply.seconds)
                self.close_connection = True
            case Disconnect():
                self._hang_up(reply)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815 - the parent's names

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length", 0))
            whole = self.rfile.read(length)
            if len(whole) < length:
                raise ConnectionAbortedError("the client disconnected within its request")
            return whole
        body = bytearray()
        while size := int(self.rfile.readline().partition(b";")[0], 16):  # RFC 9112, section 7.1
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return bytes(body)

    def _pause(self, seconds: float) -> None:
        if seconds and self.server.closing.wait(seconds):
            raise ConnectionAbortedError("the server closes")

    def _send(self, answer: Answer, promised: int, sent: int) -> None:
        bodiless = answer.status in {204, 304}  # RFC 9110, section 6.4.1
        self.send_response_only(answer.status)
        if "date" not in map(str.lower, answer.headers):
            self.send_header("Date", format_datetime(self.server.now().astimezone(UTC), usegmt=True))  # RFC 9110, 6.6.1
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if not bodiless:
            self.send_header("Content-Length", str(promised))
        self.end_headers()
        if not bodiless and self.command != "HEAD":
            self.wfile.write(answer.body[:sent])

    def _hang_up(self, fault: Disconnect) -> None:
        self.close_connection = True
        if fault.after == "half":
            self._send(fault.of, max(len(fault.of.body), 1), len(fault.of.body) // 2)
        if fault.reset:  # close() discards at once and sends RST: SO_LINGER on, for 0 seconds (socket(7))
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Log nothing."""


def _not_found(request: RecordedRequest) -> Answer:
    return Answer.json({"error": "NotFound", "message": f"The server has no {request.method} {request.path}."}, 404)
