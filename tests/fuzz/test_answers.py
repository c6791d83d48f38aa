"""Whatever a server answers, a channel returns its result or raises one of the four errors, without a secret.

Each example takes one call of a series, and changes the real answer of the fake server to it. The client libraries are
those of production.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policenotify.channel import (
    Account,
    Channel,
    ChannelConfig,
    PostRef,
    Recipient,
    RecipientOutcome,
    Request,
    SupportsDelete,
    SupportsEdit,
    SupportsLookup,
    SupportsPeople,
    SupportsSend,
)
from policenotify.errors import ChannelError
from policenotify.networks.registry import configure_channel
from policenotify.testing import (
    FakeBlueskyServer,
    FakeClock,
    FakeMastodonServer,
    FakeServer,
    FakeSmsServer,
    FakeXServer,
    InMemoryStateStore,
)
from policenotify.testing.contract.texts import message
from policenotify.testing.servers.http import Answer, Disconnect, RecordedRequest, Reply
from policenotify.testing.servers.webhook import FakeWebhookServer
from tests.support.audiences import listed
from tests.support.fuzz import FEW, ODD_NUMBERS, damaged, json_texts, only_ours, values
from tests.support.matrix_server import matrix_server
from tests.support.network_calls import NOW, a_picture, a_post
from tests.support.network_options import (
    bluesky_options,
    mastodon_options,
    sms_options,
    webhook_options,
    x_options,
)

PEOPLE: Final = tuple(Recipient(key=f"key-of-{number}", address=f"+3363998000{number}") for number in (1, 2))
STATUSES: Final = (
    200, 201, 202, 204, 206, 300, 301, 304, 400, 401, 403, 404, 409, 410, 413, 418, 422, 425, 429, 451, 499, 500, 502,
    503, 504, 520, 599, 600, 999,
)  # fmt: skip
HEADERS: Final = (
    "Content-Type", "Content-Encoding", "Retry-After", "RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset",
    "X-Rate-Limit-Remaining", "RateLimit-Remaining", "RateLimit-Limit", "X-App-Limit-24Hour-Reset", "Date",
    "Location",
    "Set-Cookie", "DPoP-Nonce", "WWW-Authenticate", "Link", "Server", "Connection", "Transfer-Encoding",
)  # fmt: skip
HEADER_VALUES: Final = (
    "", "0", "-1", "1e9", "99999999999999999999", "NaN", "Wed, 21 Oct 2015 07:28:00 GMT", "Thu, 99 Foo 0000 99:99",
    "9999-12-31T23:59:59Z", "gzip", "gzip, gzip", "br", "identity", "text/html; charset=utf-16", "image/png", "close",
    "application/json; charset=x", "application/json; charset=\xff", "http://127.0.0.1:1/", "a=b; Domain=.example",
    "\xff\xfe", ",,,;;;",
)  # fmt: skip


def matrix(server: FakeServer) -> dict[str, Any]:
    at = server.url.removeprefix("http://")
    return {"url": f"matrix://desk:s3cret@{at}/%23alertes", "unencrypted": True}


def webhook_server() -> FakeWebhookServer:
    return FakeWebhookServer(now=lambda: NOW)


@dataclass
class Network:
    """A channel on a new fake server for each series of calls."""

    name: str
    make: Callable[[], Any]
    options: Callable[[Any], dict[str, Any]]
    genuine: tuple[Answer, ...] = ()

    def call(self, number: int = -1, reply: Reply | None = None) -> tuple[Answer, ...]:
        """Call all that a channel can do. Return the answers, of which one is replaced."""
        answers: list[Answer] = []
        with self.make() as server, pytest.MonkeyPatch.context() as patch:
            for variable, value in getattr(server, "environment", {}).items():
                patch.setenv(variable, value)  # nothing called here reaches the outside
            run = server._run

            def changed(request: RecordedRequest) -> Reply:
                answer: Reply = run(request)
                answers.append(answer if isinstance(answer, Answer) else Answer())
                return reply if reply is not None and number == len(answers) - 1 else answer

            server._run = changed
            people = listed("sms", lambda: [one.address for one in PEOPLE]) if self.name == "sms" else ()
            config = configure_channel(self.name, self.name, {"timeout": 2.0, **self.options(server)}, audiences=people)
            with closing(config.open(FakeClock(NOW), InMemoryStateStore())) as channel:
                secrets = tuple(secret for secret in getattr(server, "secrets", ()) if len(secret) > 4)
                Calls(channel, config, secrets).make()
        return tuple(answers)


@dataclass
class Calls:
    """Every call of the contract, each within the rule."""

    channel: Channel
    config: ChannelConfig
    secrets: tuple[str, ...]
    request: Request | None = None
    ref: PostRef | None = None

    def make(self) -> None:
        """Make them all, as far as the ones before succeed."""
        self.call(self.ask)
        self.call(self.prepare)
        if self.request is None:
            return
        if isinstance(self.channel, SupportsPeople):
            self.call(partial(self.send_to, self.channel, self.request))
            return
        assert isinstance(self.channel, SupportsSend)
        self.call(partial(self.keep, partial(self.channel.send, self.request)))
        if isinstance(self.channel, SupportsLookup):
            self.call(partial(self.keep, partial(self.channel.find, self.request, since=NOW)))
        if self.ref is not None and isinstance(self.channel, SupportsEdit) and self.config.capabilities.edits:
            self.call(partial(self.keep, partial(self.channel.edit, self.ref, self.request)))
        if self.ref is not None and isinstance(self.channel, SupportsDelete):
            self.call(partial(self.channel.delete, self.ref))

    def call(self, step: Callable[[], None]) -> None:
        with only_ours(secrets=self.secrets) as raised:
            step()
        assert all(isinstance(error, ChannelError) for error in raised), raised

    def ask(self) -> None:
        account = self.channel.whoami()
        assert isinstance(account, Account)
        assert not [secret for secret in self.secrets if secret in repr(account)]

    def prepare(self) -> None:
        pictures = (a_picture(),) if self.config.capabilities.images else ()
        post = a_post(account=self.config.account, pictures=pictures)
        if self.config.capabilities.structured:
            post = post.model_copy(update={"message": message(post.stage, "Route barrée", post.text)})
        self.request = self.channel.prepare(post, ())
        assert Request.model_validate_json(self.request.model_dump_json()) == self.request

    def send_to(self, channel: SupportsPeople, request: Request) -> None:
        outcomes = [each for person in PEOPLE for each in channel.send_to(request, [person])]
        assert all(isinstance(one, RecipientOutcome) for one in outcomes)
        assert not [secret for secret in self.secrets if secret in repr(outcomes)]

    def keep(self, step: Callable[[], PostRef | None]) -> None:
        if (ref := step()) is not None:
            assert PostRef.model_validate_json(ref.model_dump_json()) == ref
            self.ref = self.ref or ref


NETWORKS: Final[dict[str, tuple[str, Callable[[], Any], Callable[[Any], dict[str, Any]]]]] = {
    "x": ("x", FakeXServer, x_options),
    "mastodon": ("mastodon", FakeMastodonServer, mastodon_options),
    "bluesky": ("bluesky", FakeBlueskyServer, bluesky_options),
    "matrix": ("apprise", matrix_server, matrix),
    "kannel": ("sms", FakeSmsServer, sms_options),
    "webhook": ("webhook", webhook_server, webhook_options),
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    made = Network(*NETWORKS[request.param])
    made.genuine = made.call()
    return made


def bodies(genuine: bytes) -> st.SearchStrategy[bytes]:
    """Generate bodies of an answer: a changed one of the server, or something else."""
    other = st.sampled_from(
        (b"", b"null", b"[]", b"{}", b'""', b"0", b"NaN", b"[" * 2_000, b"<html>502", b"\xef\xbb\xbf{}", b"\xff\xfe{\0")
    )
    with suppress(ValueError):
        return json_texts(json.loads(genuine)) | other | values().map(lambda value: json.dumps(value).encode())
    return damaged(genuine) | other | st.binary(max_size=20)


@st.composite
def replies(draw: st.DrawFn, genuine: Answer) -> Reply:
    """Generate replies like a server's: other status, headers and body, whole or cut."""
    headers = {
        name: value
        for name, value in genuine.headers.items()
        if name != "Content-Encoding" and not draw(st.sampled_from((True, False, False)))
    }
    odd = st.sampled_from(HEADER_VALUES) | st.sampled_from(ODD_NUMBERS).map(str)
    headers |= draw(st.dictionaries(st.sampled_from(HEADERS), odd.map(lambda text: text[:200]), max_size=2))
    answer = replace(
        genuine,
        status=draw(st.just(genuine.status) | st.sampled_from(STATUSES)),
        headers=headers,
        body=draw(st.just(genuine.body) | bodies(genuine.body)),
    )
    if draw(st.integers(0, 9)):
        return answer
    return Disconnect(draw(st.sampled_from(("nothing", "half"))), reset=draw(st.booleans()), of=answer)


@settings(max_examples=FEW, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_any_answer_is_judged(network: Network, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(network.genuine) - 1))
    network.call(number, data.draw(replies(network.genuine[number])))


def test_every_call_is_answered(network: Network) -> None:
    assert network.genuine
    assert any(answer.status // 100 == 2 for answer in network.genuine)
