"""An unmodified HTTP client and the fake server, for every answer and fault."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from policenotify.testing.servers.http import Answer, Disconnect, FakeServer, NoResponse, RecordedRequest, Reply
from tests.support.patience import ANSWERED, PATIENCE, short, until


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as opened:
        yield opened


@pytest.fixture
def client(server: FakeServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=ANSWERED) as opened:
        yield opened


class Posts:
    """A small stateful service, as an author of a network would build one on the server."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, seen: RecordedRequest) -> Reply:
        self.texts.append(seen.json()["text"])
        return Answer.json({"id": len(self.texts)}, 201)


def test_a_request_is_kept_as_it_arrived() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with FakeServer(Answer(204), now=lambda: noon) as server:
        httpx.post(
            f"{server.url}/a%20b/c?uri=1&uri=2&empty=",
            json={"text": "Route barrée"},
            headers={"Authorization": "Bearer t"},
        )
        (seen,) = server.requests

    assert (seen.method, seen.path, seen.at) == ("POST", "/a%20b/c", noon)
    assert seen.query == {"uri": ["1", "2"], "empty": [""]}
    assert seen.headers["authorization"] == seen.headers["AUTHORIZATION"] == "Bearer t"
    assert seen.json() == {"text": "Route barrée"}
    assert RecordedRequest("POST", "/", {}, seen.headers, b"a=%C3%A9&a=2&b=", noon).form() == {
        "a": ["é", "2"],
        "b": [""],
    }
    assert "Bearer" not in repr(seen)


def test_a_chunked_body_arrives_whole(server: FakeServer, client: httpx.Client) -> None:
    client.post("/upload", content=iter([b"first ", b"", b"second" * 1000]))
    client.get("/next")

    assert server.requests[0].body == b"first " + b"second" * 1000
    assert server.requests[1].path == "/next"


def test_an_unknown_path_is_a_404_that_names_it(client: httpx.Client) -> None:
    answer = client.get("/xrpc/none?cursor=1")

    assert answer.status_code == 404
    assert answer.json() == {"error": "NotFound", "message": "The server has no GET /xrpc/none."}


def test_a_sequence_answers_in_turn_and_its_last_stays(server: FakeServer, client: httpx.Client) -> None:
    server.on("GET", "/status", [Answer(503), lambda _: Answer(202), Answer.json({"state": "ready"})])

    assert [client.get("/status").status_code for _ in range(4)] == [503, 202, 200, 200]


def test_a_star_matches_one_segment_and_the_last_route_counts(server: FakeServer, client: httpx.Client) -> None:
    server.on("*", "/statuses/*", Answer(200))
    server.on("GET", "/statuses/*/context", Answer(206))
    server.on("GET", "/statuses/7", Answer(410))

    assert client.get("/statuses/1").status_code == 200
    assert client.delete("/statuses/7").status_code == 200
    assert client.get("/statuses/7").status_code == 410
    assert client.get("/statuses/1/context").status_code == 206
    assert client.get("/statuses/1/context/more").status_code == 404


@pytest.mark.parametrize("effect", [False, True])
@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (NoResponse(), httpx.ReadTimeout),
        (Disconnect(), httpx.RemoteProtocolError),
        (Disconnect(reset=True), httpx.ReadError),
        (Disconnect("half"), httpx.RemoteProtocolError),
    ],
)
def test_a_fault_strikes_once_with_or_without_effect(
    server: FakeServer, fault: Reply, raised: type[Exception], *, effect: bool
) -> None:
    posts = Posts()
    server.on("POST", "/post", posts)
    server.fail_next("POST", "/post", fault, effect=effect)

    timeout = short() if raised is httpx.ReadTimeout else ANSWERED
    with httpx.Client(base_url=server.url, timeout=timeout) as client:
        with pytest.raises(httpx.TransportError) as struck:
            client.post("/post", json={"text": "first"})
        assert struck.type is raised
        until(lambda: server.requests)
        assert posts.texts == (["first"] if effect else [])
        assert client.post("/post", json={"text": "second"}).status_code == 201
    assert len(server.requests) == 2


def test_faults_of_one_route_are_used_up_in_order(server: FakeServer, client: httpx.Client) -> None:
    server.on("*", "*", Answer(200))
    server.fail_next("GET", "/a", Answer(503), times=2)
    server.fail_next("GET", "/a", Answer(429))

    assert client.get("/b").status_code == 200
    assert [client.get("/a").status_code for _ in range(4)] == [503, 503, 429, 200]


def test_always_answers_everything_until_recovery(server: FakeServer, client: httpx.Client) -> None:
    posts = Posts()
    server.on("POST", "/post", posts)
    server.fail_next("POST", "/post", Answer(418))
    server.always(Answer(503))

    assert [client.post("/post", json={"text": "a"}).status_code for _ in range(3)] == [418, 503, 503]
    assert posts.texts == []
    server.recover()
    assert client.post("/post", json={"text": "b"}).status_code == 201


def test_refused_connections_come_back_at_the_same_port(server: FakeServer, client: httpx.Client) -> None:
    server.on("GET", "/", Answer(200))
    assert client.get("/").status_code == 200

    server.refuse_connections()
    server.refuse_connections()
    for _ in range(2):  # the connection kept alive is gone as well
        with pytest.raises(httpx.ConnectError, match="refused"):
            client.get("/")
    server.recover()
    assert client.get("/").status_code == 200


def test_closing_ends_hanging_requests_at_once_and_leaves_nothing_behind() -> None:
    before = set(threading.enumerate())
    caught: list[BaseException] = []

    def ask(url: str) -> None:
        try:
            httpx.get(url, timeout=2 * PATIENCE)
        except httpx.TransportError as error:
            caught.append(error)

    server = FakeServer([NoResponse(PATIENCE), Answer(delay=PATIENCE), Answer(delay=PATIENCE)]).start()
    clients = [threading.Thread(target=ask, args=(server.url,)) for _ in range(3)]
    idle = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))
    for client in clients:
        client.start()
    until(lambda: len(server.requests) == 3)
    begun = time.monotonic()
    server.close()
    server.close()
    for client in clients:
        client.join()

    assert time.monotonic() - begun < PATIENCE / 2
    assert len(caught) == 3
    assert idle.recv(1) == b""
    idle.close()
    assert set(threading.enumerate()) <= before
    assert len(server.requests) == 3
    gc.collect()  # a leaked socket is a ResourceWarning, and with it an error


def test_a_broken_callable_is_a_500_and_fails_the_test() -> None:
    def broken(seen: RecordedRequest) -> Answer:
        assert seen.method == "POST", "only POST is expected here"
        return Answer(200)

    with pytest.raises(AssertionError, match="only POST is expected here"), FakeServer(broken) as server:
        assert httpx.get(server.url).status_code == 500


def test_a_client_that_goes_away_mid_request_has_no_effect(server: FakeServer, client: httpx.Client) -> None:
    posts = Posts()
    server.on("POST", "/post", posts)
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as half:
        half.sendall(b'POST /post HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"text":')

    client.post("/post", json={"text": "whole"})
    assert posts.texts == ["whole"]
    assert len(server.requests) == 1


def test_a_request_that_is_not_http_fails_the_test() -> None:
    with pytest.raises(ValueError, match="invalid literal"), FakeServer(Answer(200)) as server:  # noqa: PT012 - the block's end is under test
        port = int(server.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=ANSWERED) as raw:
            raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
            assert raw.recv(1) == b""
