"""A post and a token go to one server only, on each network, and its words hold nothing private."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.errors import ChannelError, SettingsError
from policenotify.networks._redact import redact
from policenotify.testing.servers.http import Answer, FakeServer
from tests.support.hostile_server import CALLS, HEAD, hostile_server, repeated
from tests.support.patience import ANSWERED


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
        with suppress(ChannelError, SettingsError):
            CALLS[network](int(server.url.rpartition(":")[2]), ANSWERED)
        assert bool(server.requests) or network in {"apprise", "sms"}  # which ask for a NO_PROXY
        assert proxy.requests == []


@pytest.mark.parametrize("network", ["x", "mastodon", "webhook"])
def test_an_answer_without_an_end_ends_the_call(network: str) -> None:
    answer = repeated(HEAD + b"\r\n", piece=b"x" * 65_536, pause=False)
    with hostile_server(answer) as port, suppress(ChannelError):
        CALLS[network](port, ANSWERED)


# --- the parts


SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=20)


@given(SECRETS, st.sampled_from(["no {} here", "{}", "user={}&x", "<{}>", "a {}: b"]))
def test_no_private_value_is_repeated(secret: str, words: str) -> None:
    for form in (secret, secret.upper(), secret.lower()):
        assert secret.lower() not in redact(words.format(form), (secret,)).lower()
