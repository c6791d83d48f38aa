"""Many people are asked for at once, over connections that stay open."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from policenotify.channel import Recipient, RecipientOutcome
from policenotify.errors import (
    Blocked,
    ChannelError,
    JournalError,
    LostLease,
    Refused,
    SettingsError,
    Unavailable,
    Unconfirmed,
)
from policenotify.networks.sms.calls import Calls
from policenotify.networks.sms.channel import Sms
from policenotify.networks.sms.course import Course
from policenotify.testing.fakes import FakeClock
from policenotify.testing.servers.http import Answer, FakeServer, NoResponse, RecordedRequest
from policenotify.testing.servers.sms import FakeSmsServer
from policenotify.transport import publishing_under
from tests.support.network_calls import a_post
from tests.support.patience import ANSWERED, PATIENCE, short, until

CALL = "method=GET&:version=&:title=&:type=&:message=text&:username=desk&:password=s3cret&:charset=UTF-8"
SLOW = 0.05  # seconds until an answer
MANY = 25
DEFAULT = 5  # requests in flight, unless the option says otherwise


def people(count: int = MANY) -> list[Recipient]:
    return [Recipient(key=f"{number:03}", address=f"+3363998{number:04}") for number in range(count)]


def kannel(url: str, **options: Any) -> Sms:
    at = url.removeprefix("http://")
    address = f"form://{at}{FakeSmsServer.KANNEL}?{CALL}&:coding={{coding}}&:to={{recipient}}"
    return Sms(url=SecretStr(address), **{"timeout": ANSWERED, "clock": FakeClock(), **options})


@pytest.fixture
def server() -> Iterator[FakeSmsServer]:
    with FakeSmsServer() as gateway:
        gateway.latency = SLOW
        yield gateway


def outcomes_of(by: Sms, to: list[Recipient]) -> tuple[dict[str, RecipientOutcome], Exception | None]:
    told: dict[str, RecipientOutcome] = {}
    try:
        for each in by.send_each(by.prepare(a_post("Évitez le secteur."), ()), to):
            told[each.key] = each
    except (ChannelError, JournalError) as error:
        return told, error
    return told, None


def in_flight(server: FakeServer, seconds: float = SLOW) -> int:
    """Return how many requests were answered at once, at the most."""
    times = [request.at for request in server.requests]
    return max(sum(at <= other < at + timedelta(seconds=seconds) for other in times) for at in times)


# --- as many at once as allowed


def test_so_many_requests_are_in_flight_and_no_more(server: FakeSmsServer) -> None:
    kannel(server.url).whoami()  # apprise is loaded
    told, error = outcomes_of(kannel(server.url, parallel=8), people())
    assert error is None
    assert {each.outcome for each in told.values()} == {"posted"}
    assert sorted(each.to for each in server.messages) == sorted(each.address for each in people())
    assert 4 <= in_flight(server) <= 8


def test_one_request_at_a_time_needs_no_thread(server: FakeSmsServer) -> None:
    before = threading.active_count()
    server.latency = 0.0
    by = kannel(server.url, parallel=1)
    sending = by.send_each(by.prepare(a_post(), ()), people(3))
    assert next(sending).key == "000"
    assert len(server.requests) == 1
    assert [each.key for each in sending] == ["001", "002"]
    assert threading.active_count() <= before + 2  # the server's own


def test_people_are_taken_by_the_calling_thread_and_only_as_many_as_can_be_asked(server: FakeSmsServer) -> None:
    by, told, most = kannel(server.url, parallel=5), set[str](), 0
    me = threading.current_thread()

    def taken() -> Iterator[Recipient]:
        nonlocal most
        for count, person in enumerate(people(), 1):
            assert threading.current_thread() is me
            most = max(most, count - len(told))
            yield person

    for each in by.send_each(by.prepare(a_post(), ()), taken()):
        told.add(each.key)
    assert most == 5


def test_an_outcome_is_told_as_soon_as_it_is_known(server: FakeSmsServer) -> None:
    server.fail_next("GET", FakeSmsServer.KANNEL, Answer(202, b"0: Accepted", delay=short(0.6)))
    by = kannel(server.url)
    order = [each.key for each in by.send_each(by.prepare(a_post(), ()), people(8))]
    assert sorted(order) == [each.key for each in people(8)]
    assert order[-1] in {f"{number:03}" for number in range(DEFAULT)}  # the first one waits longest


def test_its_threads_end_with_the_list_and_hold_no_process(server: FakeSmsServer) -> None:
    by = kannel(server.url)
    sending = by.send_each(by.prepare(a_post(), ()), people())
    next(sending)
    own = [each for each in threading.enumerate() if each.name == "policenotify-sms"]
    assert len(own) == DEFAULT
    assert all(each.daemon for each in own)
    sending.close()  # type: ignore[attr-defined]  # it is a generator
    for each in own:
        each.join(PATIENCE)
        assert not each.is_alive()


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


def test_connections_stay_open_from_one_list_to_the_next(door: Door) -> None:
    clock = FakeClock()
    by = kannel(door.url, parallel=3, clock=clock)
    for _ in range(3):
        told, error = outcomes_of(by, people(9))
        assert error is None
        assert len(told) == 9
    assert door.connections <= 3
    before = door.connections
    clock.pass_by(2.0)  # the server may close them at any moment now
    outcomes_of(by, people(1))
    assert door.connections == before + 1
    by.close()
    by.close()
    outcomes_of(by, people(1))
    assert door.connections == before + 2


# --- when it ends early


def test_a_request_to_wait_stops_everybody_after_those_in_flight(server: FakeSmsServer) -> None:
    server.always(Answer.rate_limited(retry_after=90))
    clock = FakeClock()
    told, error = outcomes_of(kannel(server.url, clock=clock), people())
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
    told, error = outcomes_of(kannel(server.url, clock=clock), people())
    assert isinstance(error, Unavailable)
    assert error.retry_at == clock.now() + timedelta(seconds=60)
    assert sum(each.outcome == "unconfirmed" for each in told.values()) == 1
    assert len(server.requests) <= 2 * DEFAULT
    assert len(told) == len(server.requests)


def test_wrong_credentials_stop_everybody_after_those_in_flight(server: FakeSmsServer) -> None:
    server.password = "0ther"
    told, error = outcomes_of(kannel(server.url), people())
    assert told == {}
    assert isinstance(error, Blocked)
    assert len(server.requests) <= DEFAULT


def test_a_person_in_flight_when_the_others_are_stopped_has_an_outcome(server: FakeSmsServer) -> None:
    server.on("GET", FakeSmsServer.KANNEL, [Answer(202)] * 6 + [Answer(402)] + [Answer(202)])
    told, error = outcomes_of(kannel(server.url), people())
    assert isinstance(error, Blocked)
    assert {each.outcome for each in told.values()} == {"posted"}
    assert len(told) == len(server.requests) - 1


def test_a_silent_gateway_leaves_only_those_in_flight_in_doubt(server: FakeSmsServer) -> None:
    server.always(NoResponse())
    told, error = outcomes_of(kannel(server.url, timeout=short(0.2)), people())
    assert isinstance(error, Unavailable)
    assert [each.outcome for each in told.values()] == ["unconfirmed"] * DEFAULT
    assert len(server.requests) == DEFAULT


def test_a_call_that_never_ends_is_a_doubt(server: FakeSmsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policenotify.networks.sms.channel._LONGEST_CALL", short(1.0))
    server.fail_next("*", "*", NoResponse())
    told, error = outcomes_of(kannel(server.url), people())
    assert error is None
    assert [each.code for each in told.values() if each.outcome == "unconfirmed"] == ["TimeoutError"]
    assert len(told) == MANY


def test_a_single_doubt_is_followed_by_one_request_at_a_time_until_an_answer(server: FakeSmsServer) -> None:
    server.fail_next("*", "*", Answer(500))
    told, error = outcomes_of(kannel(server.url), people())
    assert error is None
    assert sorted(each.outcome for each in told.values()) == ["posted"] * (MANY - 1) + ["unconfirmed"]


def test_refusals_that_precede_a_success_in_flight_are_these_peoples_own(server: FakeSmsServer) -> None:
    late = short()

    def answer(seen: RecordedRequest) -> Answer:
        good = seen.query["to"] == ["33639980000"]
        return Answer(202 if good else 400, delay=late if good else 0.01)

    server.on("GET", FakeSmsServer.KANNEL, answer)
    told, error = outcomes_of(kannel(server.url, parallel=4), people(8))
    assert error is None
    assert {key for key, each in told.items() if each.outcome == "posted"} == {"000"}
    assert sum(each.outcome == "refused" for each in told.values()) == 7


def test_a_refusal_of_everybody_blocks_after_a_handful_of_requests(server: FakeSmsServer) -> None:
    server.always(Answer(400))
    told, error = outcomes_of(kannel(server.url), people())
    assert told == {}
    assert isinstance(error, Blocked)
    assert "for all recipients" in error.reason
    assert len(server.requests) <= 2 * DEFAULT


def test_a_lost_lease_leaves_nobody_in_doubt(server: FakeSmsServer) -> None:
    allowed, lock = iter([None] * 7), threading.Lock()

    def allow(*_: object) -> None:
        with lock:
            if next(allowed, 0) == 0:
                raise LostLease("over")

    with publishing_under(allow):
        told, error = outcomes_of(kannel(server.url), people())
    assert isinstance(error, LostLease)
    assert len(server.messages) == 7
    kinds = [each.outcome for each in told.values()]
    assert kinds.count("posted") == 7
    assert set(kinds) == {"posted", "unavailable"}
    assert len(told) <= 7 + DEFAULT


def test_an_impossible_number_is_refused_beside_the_others(server: FakeSmsServer) -> None:
    told, error = outcomes_of(kannel(server.url), [*people(2), Recipient(key="bad", address="112"), *people(6)[2:]])
    assert error is None
    assert told["bad"].outcome == "refused"
    assert len(server.messages) == 6


def test_no_error_of_a_thread_holds_a_number(server: FakeSmsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sms, "_service", lambda *_: 1 / 0)
    by = kannel(server.url)
    with pytest.raises(ZeroDivisionError) as caught:
        list(by.send_each(by.prepare(a_post(), ()), people()))
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "3363998" not in shown.split("test_parallel.py")[-1]


# --- options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"parallel": 0}, "parallel: must be 1 to 32"),
        ({"parallel": 33}, "parallel: must be 1 to 32"),
        ({"batch": 0}, "batch: must be 1 to 100"),
        ({"batch": 101}, "batch: must be 1 to 100"),
        ({"batch": 2}, "batch: form does not answer for each person"),
    ],
)
def test_limits_are_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        kannel("http://127.0.0.1:1", **options)


# --- the calls themselves


def test_calls_see_the_context_of_the_caller() -> None:
    variable: ContextVar[int] = ContextVar("variable", default=0)
    variable.set(7)
    with Calls[int, int](lambda item: item + variable.get(), 2, PATIENCE) as calls:
        calls.start(1)
        assert calls.next(wait=True) == (1, 8)
        assert calls.next(wait=True) is None
        assert calls.next(wait=False) is None


def test_a_call_that_does_not_end_is_given_up_and_costs_no_other_its_thread() -> None:
    ends = threading.Event()

    def call(item: str) -> str:
        if item == "stuck":
            ends.wait(PATIENCE)
        return item.upper()

    with Calls(call, 2, short()) as calls:
        calls.start("stuck")
        calls.start("a")
        assert calls.next(wait=True) == ("a", "A")
        _, error = calls.next(wait=True) or ("", None)
        assert isinstance(error, TimeoutError)
        ends.set()
        until(calls._results.qsize)  # its late result is nobody's
        for item in "bc":
            calls.start(item)
        ended = [calls.next(wait=True), calls.next(wait=True)]
        assert sorted(each for each in ended if each) == [("b", "B"), ("c", "C")]
        assert calls.flying == 0


# --- what the answers say of the gateway


ERRORS: dict[str, Callable[[], Exception | None]] = {
    "posted": lambda: None,
    "refused": lambda: Refused("no"),
    "doubt": lambda: Unconfirmed("perhaps", code="500"),
    "blocked": lambda: Blocked("stop"),
    "unavailable": lambda: Unavailable("later"),
    "lost": lambda: LostLease("over"),
    "bug": lambda: ZeroDivisionError("bug"),
}


@given(st.lists(st.lists(st.sampled_from(sorted(ERRORS)), min_size=1, max_size=4), max_size=8))
@settings(max_examples=300)
def test_everybody_has_one_outcome_or_the_failure(calls: list[list[str]]) -> None:
    progress, told, asked = Course(), list[RecipientOutcome](), list[tuple[str, str]]()
    for number, results in enumerate(calls):
        if progress.failure is not None:
            break
        batch = [(Recipient(key=f"{number}.{place}"), ERRORS[kind]()) for place, kind in enumerate(results)]
        asked += [(person.key, kind) for (person, _), kind in zip(batch, results, strict=True)]
        told += progress.record(batch)
        progress.pause()
    failure: Exception | None = None
    try:
        told += progress.finish()
    except Exception as error:  # noqa: BLE001 - of any kind
        failure = error
    outcomes = {each.key: each.outcome for each in told}
    assert len(outcomes) == len(told)
    expected = {"posted": "posted", "doubt": "unconfirmed", "bug": "unconfirmed"}
    for key, kind in asked:
        outcome = outcomes.get(key)
        if kind in expected:
            assert outcome == expected[kind]
        elif isinstance(failure, ChannelError):
            assert outcome in {None, "refused"}
        elif failure is None:
            assert (kind, outcome) == ("refused", "refused")
        else:
            assert outcome in {"refused", "unavailable"}
