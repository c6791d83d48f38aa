"""Many people are asked for at once, over connections that stay open."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from policenotify.channel import Recipient, RecipientOutcome
from policenotify.errors import (
    Blocked,
    SettingsError,
    Unavailable,
)
from policenotify.networks.sms.channel import Sms
from policenotify.testing.fakes import FakeClock
from policenotify.testing.servers.http import Answer, FakeServer, NoResponse
from policenotify.testing.servers.sms import FakeSmsServer
from tests.support.channels import open_channel
from tests.support.network_calls import a_post, send_list
from tests.support.patience import ANSWERED, short

CALL = "method=GET&:version=&:title=&:type=&:message=text&:username=desk&:password=s3cret&:charset=UTF-8"
SLOW = 0.05  # seconds until an answer
MANY = 25
DEFAULT = 5  # requests in flight, unless the option says otherwise


def people(count: int = MANY) -> list[Recipient]:
    return [Recipient(key=f"{number:03}", address=f"+3363998{number:04}") for number in range(count)]


def kannel(url: str, **options: Any) -> Sms:
    at = url.removeprefix("http://")
    address = f"form://{at}{FakeSmsServer.KANNEL}?{CALL}&:coding={{coding}}&:to={{recipient}}"
    return open_channel(Sms, url=SecretStr(address), **{"timeout": ANSWERED, "clock": FakeClock(), **options})


@pytest.fixture
def server() -> Iterator[FakeSmsServer]:
    with FakeSmsServer() as gateway:
        gateway.latency = SLOW
        yield gateway


def outcomes_of(
    url: str, to: list[Recipient], *, calls: int = DEFAULT, **options: Any
) -> tuple[dict[str, RecipientOutcome], Exception | None]:
    """Send through so many channel objects at once. Return the outcomes of those who do not wait, and the failure."""
    objects = [kannel(url, **options) for _ in range(calls)]
    chunk = send_list(objects[0].prepare(a_post("Évitez le secteur."), ()), to, *objects)
    for each in objects:
        each.close()
    settled = {key: each for key, each in chunk.outcomes.items() if each.outcome != "unavailable"}
    return settled, chunk.failure


def in_flight(server: FakeServer, seconds: float = SLOW) -> int:
    """Return how many requests were answered at once, at the most."""
    times = [request.at for request in server.requests]
    return max(sum(at <= other < at + timedelta(seconds=seconds) for other in times) for at in times)


# --- as many at once as allowed


def test_so_many_requests_are_in_flight_and_no_more(server: FakeSmsServer) -> None:
    kannel(server.url).whoami()  # apprise is loaded
    told, error = outcomes_of(server.url, people(), calls=8)
    assert error is None
    assert {each.outcome for each in told.values()} == {"posted"}
    assert sorted(each.to for each in server.messages) == sorted(each.address for each in people())
    assert 4 <= in_flight(server) <= 8


def test_the_options_are_claimed(server: FakeSmsServer) -> None:
    can = kannel(server.url, parallel=8).capabilities
    assert (can.people_per_call, can.calls_at_once, can.people_per_chunk) == (1, 8, 8)
    assert kannel(server.url, parallel=1).capabilities.people_per_chunk == 3  # refusals that block the channel


class Door(ThreadingHTTPServer):
    """A gateway that counts connections and accepts every message."""

    daemon_threads = True

    def __init__(self) -> None:
        self.connections = 0
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                door.connections += 1
                super().setup()

            def do_GET(self) -> None:
                self.send_response(202)
                self.send_header("Content-Length", "2")
                self.send_header("Set-Cookie", "who=you")
                self.end_headers()
                self.wfile.write(b"ok")
                assert "Cookie" not in self.headers

            def log_message(self, *_: object) -> None: ...

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.shutdown()
    made.server_close()


def test_a_connection_stays_open_from_one_call_to_the_next(door: Door) -> None:
    clock = FakeClock()
    by = kannel(door.url, clock=clock)
    request = by.prepare(a_post(), ())
    for person in people(9):
        assert [each.outcome for each in by.send_to(request, [person])] == ["posted"]
    assert door.connections == 1
    clock.pass_by(2.0)  # the server may close it at any moment now
    by.send_to(request, people(1))
    assert door.connections == 2
    by.close()
    by.close()
    by.send_to(request, people(1))
    assert door.connections == 3
    by.close()


# --- when it ends early


def test_a_request_to_wait_stops_everybody_after_those_in_flight(server: FakeSmsServer) -> None:
    server.always(Answer.rate_limited(retry_after=90))
    clock = FakeClock()
    told, error = outcomes_of(server.url, people(), clock=clock)
    assert told == {}
    assert isinstance(error, Unavailable)
    assert error.whole_channel
    assert error.retry_at == clock.now() + timedelta(seconds=90)
    assert len(server.requests) <= DEFAULT


def test_an_overloaded_gateway_that_names_a_time_stops_everybody_and_leaves_the_asked_in_doubt(
    server: FakeSmsServer,
) -> None:
    clock = FakeClock()
    server.fail_next("*", "*", Answer(503, headers={"Retry-After": "60"}))
    told, error = outcomes_of(server.url, people(), clock=clock)
    assert isinstance(error, Unavailable)
    assert error.retry_at == clock.now() + timedelta(seconds=60)
    assert sum(each.outcome == "unconfirmed" for each in told.values()) == 1
    assert len(server.requests) <= 2 * DEFAULT
    assert len(told) == len(server.requests)


def test_wrong_credentials_stop_everybody_after_those_in_flight(server: FakeSmsServer) -> None:
    server.password = "0ther"
    told, error = outcomes_of(server.url, people())
    assert told == {}
    assert isinstance(error, Blocked)
    assert len(server.requests) <= DEFAULT


def test_a_person_in_flight_when_the_others_are_stopped_has_an_outcome(server: FakeSmsServer) -> None:
    server.on("GET", FakeSmsServer.KANNEL, [Answer(202)] * 6 + [Answer(402)] + [Answer(202)])
    told, error = outcomes_of(server.url, people())
    assert isinstance(error, Blocked)
    assert {each.outcome for each in told.values()} == {"posted"}
    assert len(told) == len(server.requests) - 1


def test_a_silent_gateway_leaves_only_those_in_flight_in_doubt(server: FakeSmsServer) -> None:
    server.always(NoResponse())
    told, error = outcomes_of(server.url, people(), timeout=short(0.2))
    assert isinstance(error, Unavailable)
    assert {each.outcome for each in told.values()} == {"unconfirmed"}
    assert len(told) == len(server.requests) <= DEFAULT + 1  # one may follow the first doubt


def test_a_single_doubt_is_followed_by_one_request_at_a_time_until_an_answer(server: FakeSmsServer) -> None:
    server.fail_next("*", "*", Answer(500))
    told, error = outcomes_of(server.url, people())
    assert error is None
    assert sorted(each.outcome for each in told.values()) == ["posted"] * (MANY - 1) + ["unconfirmed"]


def test_a_refusal_of_everybody_blocks_after_a_handful_of_requests(server: FakeSmsServer) -> None:
    server.always(Answer(400))
    told, error = outcomes_of(server.url, people())
    assert told == {}
    assert isinstance(error, Blocked)
    assert "for all recipients" in str(error.reason)
    assert len(server.requests) <= 2 * DEFAULT


def test_an_impossible_number_is_refused_beside_the_others(server: FakeSmsServer) -> None:
    told, error = outcomes_of(server.url, [*people(2), Recipient(key="bad", address="112"), *people(6)[2:]])
    assert error is None
    assert told["bad"].outcome == "refused"
    assert len(server.messages) == 6


# --- options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"parallel": 0}, "parallel: .* greater than or equal to 1"),
        ({"parallel": 33}, "parallel: .* less than or equal to 32"),
        ({"batch": 0}, "batch: .* greater than or equal to 1"),
        ({"batch": 101}, "batch: .* less than or equal to 100"),
        ({"batch": 2}, "batch: form does not answer for each person"),
    ],
)
def test_limits_are_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        kannel("http://127.0.0.1:1", **options)
