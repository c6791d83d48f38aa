"""An answer is bounded in size and time, on each network."""

from __future__ import annotations

import gzip
import re
from base64 import b64encode
from contextlib import closing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.errors import ChannelError
from policenotify.networks._bounds import ADDRESS, redact
from policenotify.networks._requests import PostSession
from policenotify.testing.servers.http import Answer, FakeServer
from tests.support.hostile_server import CALLS, LONG, LONG_REPLY, SLOW, hostile_server, mail
from tests.support.hostile_server import Answer as HostileAnswer
from tests.support.patience import ANSWERED

TIMEOUT = 0.2  # seconds; the servers go on for hours


@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW)
@pytest.mark.parametrize("network", CALLS)
def test_an_answer_without_an_end_ends_the_call(network: str, answer: HostileAnswer) -> None:
    with hostile_server(answer) as port:
        if network == "sms":  # the person's outcome is in doubt, and the next one may be served
            CALLS[network](port, TIMEOUT)
            return
        with pytest.raises(ChannelError):
            CALLS[network](port, TIMEOUT)


@pytest.mark.parametrize("answer", LONG)
@pytest.mark.parametrize("network", CALLS)
def test_too_long_an_answer_ends_the_call(network: str, answer: str) -> None:
    with hostile_server(LONG[answer]) as port, suppress(ChannelError):
        CALLS[network](port, ANSWERED)  # apprise goes by the status alone


def test_too_long_a_line_of_a_mail_server_ends_the_session() -> None:
    with hostile_server(LONG_REPLY, reads=False) as port, pytest.raises(ChannelError):
        mail(port, ANSWERED)


@pytest.mark.parametrize("network", CALLS)
def test_no_call_asks_for_a_compressed_answer(network: str) -> None:
    with FakeServer() as server:
        with suppress(ChannelError):
            CALLS[network](int(server.url.rpartition(":")[2]), ANSWERED)
        asked = {request.headers["Accept-Encoding"] for request in server.requests}
        assert asked == {"identity"}


def test_a_compressed_answer_is_read_all_the_same() -> None:
    with FakeServer() as server, closing(_session()) as session:
        server.on("GET", "/", Answer(200, gzip.compress(b'{"a": 1}'), {"Content-Encoding": "gzip"}))
        assert session.get(server.url).json() == {"a": 1}


def test_cookies_are_refused() -> None:
    with FakeServer() as server, closing(_session()) as session:
        server.on("GET", "/", Answer.json({}, headers={"Set-Cookie": "mark=1"}))
        for _ in range(2):
            session.get(server.url)
        assert [request.headers["Cookie"] for request in server.requests] == [None, None]
    from policenotify.networks.bluesky.http import open_client  # noqa: PLC0415 - loads atproto

    with FakeServer() as server:
        server.on("*", "*", Answer.json({}, headers={"Set-Cookie": "mark=1"}))
        client = open_client(ANSWERED)
        for _ in range(2):
            client.request.get(server.url)
        client.request.close()
        assert [request.headers["Cookie"] for request in server.requests] == [None, None]


def test_the_body_of_a_redirect_is_not_read() -> None:
    with FakeServer(Answer(302, b"x" * 5_000_000, {"Location": "/"})) as server, closing(_session()) as session:
        response = session.get(server.url)
        assert (response.status_code, response.content) == (302, b"")


def _session() -> PostSession:
    return PostSession(lambda url: url, ANSWERED, plain=True)


@pytest.mark.parametrize("network", CALLS)
def test_no_redirect_is_followed_with_a_post_or_a_token(network: str) -> None:
    with FakeServer() as elsewhere, FakeServer(Answer.redirect(f"{elsewhere.url}/", 307)) as server:
        with suppress(ChannelError):
            CALLS[network](int(server.url.rpartition(":")[2]), ANSWERED)
        assert (len(server.requests), len(elsewhere.requests)) == (1, 0)


@pytest.mark.parametrize("network", CALLS)
@pytest.mark.parametrize("name", ["http_proxy", "all_proxy"])
def test_no_proxy_of_the_environment_carries_plain_http_off_this_machine(
    network: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeServer() as proxy, FakeServer() as server:
        monkeypatch.setenv(name, proxy.url)
        with suppress(ChannelError):
            CALLS[network](int(server.url.rpartition(":")[2]), ANSWERED)
        assert server.requests
        assert proxy.requests == []


# --- the parts


SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=20)


@given(SECRETS, st.sampled_from(["no {} here", "{}", "user={}&x", "<{}>", "a {}: b"]))
def test_no_private_value_is_repeated(secret: str, words: str) -> None:
    for form in (secret, secret.upper(), secret.lower()):
        assert secret.lower() not in redact(words.format(form), (secret,), re.compile(ADDRESS)).lower()


@given(st.text("abcdefghij0123456789", min_size=8, max_size=20), st.integers(0, 4))
def test_no_piece_of_a_private_value_is_repeated(secret: str, at: int) -> None:
    for form in (
        secret[at : at + 4],
        f"x{secret}",
        b64encode(f"\0desk\0{secret}".encode()).decode(),
        secret.encode().hex(),
    ):
        assert redact(f"no {form} here", (), re.compile(ADDRESS), pieces=(secret,)) == "no … here"
