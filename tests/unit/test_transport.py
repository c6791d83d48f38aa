"""The meaning of failed calls, from real exceptions of real clients at real sockets."""

import logging
import smtplib
import socket
import ssl
import struct
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import trustme
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.testing.servers.http import Disconnect, FakeServer, NoResponse
from policenotify.transport import (
    clock_skew,
    error_for_exception,
    error_for_status,
    mute_loggers,
    retry_at,
    why_unreachable,
)
from tests.support.patience import ANSWERED, PATIENCE, short, until

NOW = datetime(2026, 7, 26, 12, 0, tzinfo=UTC)
SECRET = "s3cr3t-token"  # must not reach any text

Conversation = Callable[[socket.socket], None]


class Listener:
    """A bare TCP server on 127.0.0.1, for what no HTTP or mail server does."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                with connection, suppress(OSError):
                    self._conversation(connection)

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        self._socket.close()
        self._thread.join(timeout=PATIENCE)


def hear(connection: socket.socket) -> bytes:
    """A whole small HTTP request, or one record of TLS."""
    heard = b""
    connection.settimeout(ANSWERED)
    while not heard.endswith((b"secret=1", b"\r\n\r\n")) and heard[:1] != b"\x16":
        if not (more := connection.recv(65536)):
            break
        heard += more
    if b"Content-Length: 8" in heard and not heard.endswith(b"secret=1"):
        heard += connection.recv(65536)
    return heard


def silence(connection: socket.socket) -> None:
    hear(connection)
    with suppress(TimeoutError):
        connection.settimeout(ANSWERED)
        connection.recv(1)


def reset(connection: socket.socket) -> None:
    hear(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def mail_server_refuses(connection: socket.socket) -> None:
    connection.sendall(b"554 5.3.2 not today\r\n")


def mail_server_refuses_ehlo(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example\r\n")
    for _ in ("EHLO", "HELO"):
        connection.recv(1024)
        connection.sendall(b"502 5.5.1 no\r\n")


@pytest.fixture
def listen() -> Iterator[Callable[[Conversation], int]]:
    opened: list[Listener] = []

    def one(conversation: Conversation) -> int:
        opened.append(Listener(conversation))
        return opened[-1].port

    yield one
    for listener in opened:
        listener.close()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Yield a port without a listener, reserved meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture(scope="module")
def untrusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate with its key, and its authority, which nothing trusts."""
    authority = trustme.CA()
    path = tmp_path_factory.mktemp("tls") / "untrusted.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
    authority.cert_pem.write_to_path(path, append=True)
    return path


def with_httpx(url: str, proxy: str | None = None) -> None:
    with httpx.Client(timeout=short(0.25), proxy=proxy, trust_env=False) as client:
        client.post(url, content=b"secret=1", headers={"Authorization": SECRET})


def with_requests(url: str, proxy: str | None = None) -> None:
    with requests.Session() as session:
        session.trust_env = False
        proxies = {"http": proxy, "https": proxy} if proxy else {}
        session.post(url, data=b"secret=1", timeout=short(0.25), headers={"Authorization": SECRET}, proxies=proxies)


def with_urllib3(url: str, proxy: str | None = None) -> None:
    pool = urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager()
    with pool:
        pool.request(
            "POST", url, body=b"secret=1", timeout=short(0.25), retries=False, headers={"Authorization": SECRET}
        )


def with_urllib(url: str, proxy: str | None = None) -> None:
    proxies = {"http": proxy, "https": proxy} if proxy else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies))
    with opener.open(url, b"secret=1", timeout=short(0.25)) as answer:
        answer.read()


Client = Callable[..., None]
every_client = pytest.mark.parametrize("client", [with_httpx, with_requests, with_urllib3, with_urllib])


def failure(call: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as failed:  # noqa: PT011 - which one is the client's business
        call()
    return failed.value


def never_sent(error: BaseException) -> bool:
    return isinstance(error_for_exception(error, where="X"), Unavailable)


# --- certainly not sent --------------------------------------------------------------------------------------------


@every_client
def test_a_closed_port(client: Client, closed_port: int) -> None:
    assert never_sent(failure(lambda: client(f"http://127.0.0.1:{closed_port}/{SECRET}")))


@every_client
def test_no_such_name(client: Client) -> None:
    error = failure(lambda: client("http://nowhere.invalid/"))
    assert never_sent(error)
    told = str(error_for_exception(error, where="X"))
    assert told.startswith("X cannot be reached: its name is not found. [")
    assert told.endswith("Check the channel's address in the settings, and the DNS of this machine.")


@every_client
def test_a_certificate_that_is_not_trusted(client: Client, untrusted: Path, listen: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(untrusted)

    def shake_hands(connection: socket.socket) -> None:
        connection.settimeout(ANSWERED)
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(65536)

    error = failure(lambda: client(f"https://127.0.0.1:{listen(shake_hands)}/"))
    assert never_sent(error)
    assert str(error_for_exception(error, where="X")).startswith("X cannot be reached: its certificate is not trusted.")


@every_client
def test_a_closed_port_of_the_proxy(client: Client, closed_port: int) -> None:
    for url in ("https://network.invalid/", "http://network.invalid/"):
        assert never_sent(failure(lambda: client(url, f"http://127.0.0.1:{closed_port}")))  # noqa: B023 - called at once


@pytest.mark.parametrize("content", [None, "", "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"])
def test_requests_has_no_authorities_to_trust(
    content: str | None, listen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    error = failure(lambda: requests.post(f"https://127.0.0.1:{listen(silence)}/", timeout=short(0.25)))
    assert never_sent(error)
    assert "REQUESTS_CA_BUNDLE" in str(error_for_exception(error, where="X"))


def test_no_mail_server(closed_port: int, listen: Any) -> None:
    assert never_sent(failure(lambda: smtplib.SMTP("127.0.0.1", closed_port, timeout=short(0.25))))
    assert never_sent(failure(lambda: smtplib.SMTP("mail.invalid", 25, timeout=short(0.25))))
    assert never_sent(failure(lambda: smtplib.SMTP("127.0.0.1", listen(mail_server_refuses), timeout=short(0.25))))
    with smtplib.SMTP(
        "127.0.0.1", listen(mail_server_refuses_ehlo), local_hostname="desk.example", timeout=ANSWERED
    ) as mail:
        error = failure(lambda: mail.sendmail("a@desk.example", "b@desk.example", "Subject: x\r\n\r\nx"))
        mail.close()
    assert isinstance(error, smtplib.SMTPHeloError)
    assert never_sent(error)


# --- in doubt ------------------------------------------------------------------------------------------------------


@every_client
@pytest.mark.parametrize(
    "fault",
    [NoResponse(), Disconnect(), Disconnect("half")],
    ids=lambda fault: repr(fault)[:40],
)
def test_the_answer_does_not_come(client: Client, fault: NoResponse | Disconnect) -> None:
    with FakeServer(fault) as server:
        assert not never_sent(failure(lambda: client(server.url)))
        until(lambda: server.requests)  # it did arrive
        assert server.requests[0].body == b"secret=1"


@every_client
@pytest.mark.parametrize("conversation", [silence, reset])
def test_the_proxy_takes_the_request_and_goes(client: Client, conversation: Conversation, listen: Any) -> None:
    """urllib3 calls this a `ProxyError`, exactly as when it could not connect."""
    proxy = f"http://127.0.0.1:{listen(conversation)}"
    assert not never_sent(failure(lambda: client("http://network.invalid/", proxy)))


def test_a_broken_tls_record_in_the_answer_is_not_a_failed_handshake(untrusted: Path, listen: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(untrusted)
    took: list[bytes] = []

    def break_off(connection: socket.socket) -> None:
        connection.settimeout(ANSWERED)
        with connection.dup() as plain, context.wrap_socket(connection, server_side=True) as secured:
            took.append(secured.recv(65536))
            plain.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)  # a record that cannot be decrypted
            secured.unwrap()

    trusting = ssl.create_default_context(cafile=untrusted)
    url = f"https://127.0.0.1:{listen(break_off)}/"
    with httpx.Client(verify=trusting, timeout=ANSWERED, trust_env=False) as client:
        error = failure(lambda: client.post(url, content=b"secret=1"))
    cause = error.__cause__
    assert cause is not None
    assert any(isinstance(one, ssl.SSLError) for one in cause.args)
    assert not never_sent(error)
    with urllib3.PoolManager(ssl_context=trusting) as pool:
        error = failure(lambda: pool.request("POST", url, body=b"secret=1", retries=False, timeout=ANSWERED))
    assert isinstance(error, urllib3.exceptions.SSLError)
    assert not never_sent(error)
    assert len(took) == 2


class Wrapper(Exception):
    """An SDK's own error."""


def wrapped(*behind: BaseException, cause: BaseException | None = None) -> Wrapper:
    error = Wrapper("the SDK's words", *behind)
    error.__cause__ = cause
    return error


def test_a_cause_wrapped_by_an_sdk_is_found() -> None:
    refused, lost = ConnectionRefusedError(), ConnectionResetError()
    assert never_sent(wrapped(cause=refused))
    assert never_sent(wrapped(wrapped(refused)))
    assert not never_sent(wrapped(cause=lost))
    assert not never_sent(wrapped())
    assert not never_sent(wrapped(refused, lost))  # of several attempts, one may have arrived
    assert not never_sent(wrapped(refused, cause=lost))
    assert not never_sent(wrapped(lost, cause=refused))


def test_an_earlier_attempt_proves_nothing_about_the_last_one() -> None:
    def twice() -> None:
        try:
            raise ConnectionRefusedError  # noqa: TRY301 - an attempt that failed
        except ConnectionRefusedError:
            raise Wrapper("no answer")  # noqa: B904 - what is proved

    error = failure(twice)
    assert isinstance(error.__context__, ConnectionRefusedError)
    assert not never_sent(error)


def test_a_chain_of_errors_comes_to_an_end() -> None:
    one, other = Wrapper(), Wrapper()
    one.__cause__, other.__cause__ = other, one
    assert not never_sent(one)
    assert why_unreachable(one) == ("", "")


# --- the verdict ---------------------------------------------------------------------------------------------------


@every_client
def test_the_verdict_repeats_nothing_of_the_client_s_text(client: Client, closed_port: int) -> None:
    error = failure(lambda: client(f"http://127.0.0.1:{closed_port}/{SECRET}?password={SECRET}"))
    verdict = error_for_exception(error, where="Bluesky")
    assert type(verdict) is Unavailable
    assert str(verdict) == f"Bluesky cannot be reached. [{type(error).__name__}] It will be tried again."
    assert (verdict.retry_at, verdict.whole_channel, verdict.published) == (None, False, "no")
    with FakeServer(Disconnect()) as server:
        error = failure(lambda: client(f"{server.url}/{SECRET}"))
    verdict = error_for_exception(error, where="the mail server")
    assert type(verdict) is Unconfirmed
    assert str(verdict) == f"the mail server gave no answer: the connection was lost. [{type(error).__name__}]"


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (200, Unconfirmed, "answered in a way that leaves open whether the post is out. [200]"),
        (302, Unconfirmed, "answered in a way that leaves open whether the post is out. [302]"),
        (400, Refused, "refused the post. [400]"),
        (401, Blocked, "does not accept our credentials. [401] Check the account and its password or token, "),
        (402, Blocked, "wants to be paid first. [402] Check the account's credits or plan, "),
        (407, Blocked, "is behind a proxy that wants a login. [407] Check the proxy's settings of this machine, "),
        (408, Unavailable, "did not take the request. [408]"),
        (413, Refused, "refused the post. [413]"),
        (429, Unavailable, "asks us to wait. [429]"),
        (503, Unconfirmed, "answered in a way that leaves open whether the post is out. [503]"),
    ],
)
def test_the_meaning_of_each_status(status: int, kind: type[ChannelError], text: str) -> None:
    verdict = error_for_status(status, {"Retry-After": "60"}, now=NOW, where="Bluesky")
    assert type(verdict) is kind
    assert str(verdict) == f"Bluesky {text}{'then: policenotify doctor' if kind is Blocked else ''}"


def test_a_verdict_carries_the_network_s_code_and_words() -> None:
    verdict = error_for_status(400, {}, now=NOW, where="X", code="InvalidSwap", detail="Record was at another cid")
    assert str(verdict) == "X refused the post: Record was at another cid. [400 InvalidSwap]"
    assert verdict.code == "400 InvalidSwap"


# --- when ----------------------------------------------------------------------------------------------------------

UNIX = int((NOW + timedelta(minutes=5)).timestamp())


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (" 1.5 ", 1.5),
        ("-5", 0),
        ("999999999", 86400),  # a slip: not for 31 years
        (str(UNIX), 300),
        ("1000000001", 0),
        ("Sun, 26 Jul 2026 14:05:00 +0200", 300),
        ("Sun, 26 Jul 2026 12:05:00 -0000", 300),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400),
        ("2026-07-26T14:05:00.000+02:00", 300),
        ("2026-07-26T12:05:00", 300),
        ("0001-01-01T00:00:00+14:00", 0),
        ("", None),
        ("nan", None),
        ("inf", None),
        (f"{UNIX}000", None),
        ("Mon, 99 Jan 2026 00:00:00 GMT", None),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", None),
    ],
)
@pytest.mark.parametrize("name", ["Retry-After", "RateLimit-Reset", "x-rate-limit-reset"])
def test_the_time_of_the_next_call(name: str, value: str, seconds: float | None) -> None:
    at = retry_at({name: value, "Date": "Sun, 26 Jul 2026 12:00:00 GMT"}, now=NOW)
    assert at == (None if seconds is None else NOW + timedelta(seconds=seconds))
    assert at is None or at.tzinfo is not None


@pytest.mark.parametrize("hours", [-3, 3])
@pytest.mark.parametrize("form", ["{:%a, %d %b %Y %H:%M:%S GMT}", "{:%Y-%m-%dT%H:%M:%SZ}", "unix", "60"])
def test_a_time_of_the_network_clock_is_converted_to_the_local_clock(hours: int, form: str) -> None:
    theirs = NOW + timedelta(hours=hours)
    at = theirs + timedelta(seconds=60)
    value = str(int(at.timestamp())) if form == "unix" else form.format(at)
    headers = {"Retry-After": value, "Date": format_datetime(theirs, usegmt=True)}
    assert retry_at(headers, now=NOW) == NOW + timedelta(seconds=60)


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Sun, 26 Jul 2026 13:00:00 GMT", 3600),
        ("Sun, 26 Jul 2026 11:00:00 +0000", -3600),
        ("Sun, 26 Jul 2026 11:00:00 -0000", 0),  # of no zone
        ("noon", 0),
    ],
)
def test_how_far_the_networks_clock_is_ahead(date: str, seconds: int) -> None:
    assert clock_skew({"date": date}, now=NOW) == timedelta(seconds=seconds)
    assert clock_skew({}, now=NOW) == timedelta(0)


def test_the_first_header_that_can_be_read_counts() -> None:
    assert retry_at({}, now=NOW) is None
    assert retry_at({"RateLimit-Reset": str(UNIX), "Retry-After": "7"}, now=NOW) == NOW + timedelta(seconds=7)
    assert retry_at({"RateLimit-Reset": str(UNIX), "Retry-After": "soon"}, now=NOW) == NOW + timedelta(seconds=300)


@given(st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,6} [0-9:+-]{0,12}"))
def test_no_header_breaks_the_reading(value: str) -> None:
    at = retry_at({"Retry-After": value}, now=NOW)
    assert at is None or NOW <= at <= NOW + timedelta(days=1)


# --- secrets


def test_only_this_thread_is_silenced_and_only_within(caplog: pytest.LogCaptureFixture) -> None:
    chatty = logging.getLogger("policenotify.tests.chatty")
    hush = mute_loggers(chatty)
    with caplog.at_level(logging.DEBUG), ThreadPoolExecutor(1) as other:
        with hush():
            chatty.debug("token=hunter2")
            other.submit(chatty.debug, "another's").result()
        chatty.debug("afterwards")
    assert caplog.messages == ["another's", "afterwards"]
