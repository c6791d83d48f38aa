"""The receivers of `docs/howto/webhook.md` take the calls of the real channel, and no others."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http.client import HTTPConnection
from http.server import HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from policenotify.channel import Post
from policenotify.errors import Blocked
from policenotify.formats.item import Item
from policenotify.model.lifecycle import Stage
from policenotify.networks.webhook import Webhook
from policenotify.testing import FakeClock
from policenotify.testing.contract.texts import message
from policenotify.testing.servers.http import Answer, FakeServer, RecordedRequest
from tests.support.channels import open_channel
from tests.support.network_calls import NOW, a_post, error_of, send_post
from tests.support.patience import PATIENCE

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "webhook.md").read_text(encoding="utf-8")
OTHER = "whsec_" + base64.b64encode(b"a secret of another newsroom").decode()
WINDOW = 300  # seconds
HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


class Newsroom:
    """The receiver of the page, and what it shows."""

    def __init__(self, clock: FakeClock) -> None:
        self.shown: list[dict[str, Any]] = []
        self.names: dict[str, Any] = {"show": self.shown.append}
        exec(block("python"), self.names)  # noqa: S102 - our own page
        self.names["time"] = SimpleNamespace(time=lambda: clock.now().timestamp())
        self.names["Receiver"].log_message = lambda *_: None
        self.server = HTTPServer(("127.0.0.1", 0), self.names["Receiver"])
        self.port = self.server.server_address[1]

    @property
    def secret(self) -> str:
        return "whsec_" + base64.b64encode(self.names["KEY"]).decode()

    def post(self, headers: Mapping[str, str], body: bytes) -> int:
        """Make a call by hand, and return the status."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("POST", "/", body, dict(headers))
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def newsroom(clock: FakeClock) -> Iterator[Newsroom]:
    made = Newsroom(clock)
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def channel_to(url: str, secret: str, clock: FakeClock, **options: Any) -> Webhook:
    return open_channel(Webhook, url=SecretStr(url), secret=SecretStr(secret), clock=clock, **options)


@pytest.fixture
def channel(newsroom: Newsroom, clock: FakeClock) -> Webhook:
    return channel_to(f"http://127.0.0.1:{newsroom.port}/", newsroom.secret, clock, remembers_hours=24)


def post(text: str = "Route barrée à Évian.") -> Post:
    return a_post(text, message=message(Stage.OPENING, "Route barrée", text))


def call_of(secret: str, clock: FakeClock, **options: Any) -> RecordedRequest:
    """Return a call as the channel makes it."""
    with FakeServer(Answer(204)) as server:
        send_post(channel_to(server.url, secret, clock, **options), post())
        return server.requests[0]


def headers_of(call: RecordedRequest) -> dict[str, str]:
    return {name: call.headers[name] for name in HEADERS}


def test_it_shows_each_stage_and_a_withdrawal(newsroom: Newsroom, channel: Webhook) -> None:
    assert str(channel.whoami().note) == ""
    assert newsroom.shown == []
    ref = send_post(channel, post())
    send_post(channel, post("Route rouverte."), ref)
    channel.delete(ref)
    items = [Item.read(json.dumps(each)) for each in newsroom.shown]
    assert [item.text for item in items] == ["Route barrée à Évian.", "Route rouverte.", ""]
    assert len({item.thread for item in items}) == 1
    assert items[1].answers == items[0].id
    assert items[2].withdrawn_at is not None


def test_the_same_call_again_is_taken_and_shown_once(newsroom: Newsroom, channel: Webhook, clock: FakeClock) -> None:
    request = channel.prepare(post(), ())
    for _ in range(3):
        channel.send(request)
        clock.pass_by(WINDOW * 2)
    assert len(newsroom.shown) == 1


def test_a_recorded_call_cannot_be_played_again(newsroom: Newsroom, clock: FakeClock) -> None:
    call = call_of(newsroom.secret, clock)
    clock.pass_by(WINDOW + 1)
    assert newsroom.post(headers_of(call), call.body) == 401
    ahead = call_of(newsroom.secret, FakeClock(clock.now() + timedelta(seconds=WINDOW + 1)))
    assert newsroom.post(headers_of(ahead), ahead.body) == 401
    assert newsroom.shown == []


def test_nothing_of_a_call_can_be_changed(newsroom: Newsroom, clock: FakeClock) -> None:
    call = call_of(newsroom.secret, clock)
    genuine = headers_of(call)
    forged = [
        (genuine, call.body.replace(b"barr", b"ouve")),
        (genuine, call.body + b" "),
        (genuine, b""),
        (genuine | {"webhook-id": "another"}, call.body),
        (genuine | {"webhook-timestamp": str(int(genuine["webhook-timestamp"]) + 1)}, call.body),
        (genuine | {"webhook-timestamp": "now"}, call.body),
        (genuine | {"webhook-signature": genuine["webhook-signature"][:-1]}, call.body),
        (genuine | {"webhook-signature": "v1,"}, call.body),
        (genuine | {"webhook-signature": "é".encode().decode("latin-1")}, call.body),
        ({}, call.body),
    ]
    assert [newsroom.post(headers, body) for headers, body in forged] == [401] * len(forged)
    assert newsroom.shown == []
    assert newsroom.post(genuine, call.body) == 204
    assert len(newsroom.shown) == 1


def test_a_wrong_secret_is_refused_and_a_rotated_one_taken(newsroom: Newsroom, clock: FakeClock) -> None:
    url = f"http://127.0.0.1:{newsroom.port}/"
    wrong = channel_to(url, OTHER, clock)
    assert isinstance(error_of(wrong.whoami), Blocked)
    assert isinstance(error_of(lambda: send_post(wrong, post())), Blocked)
    assert newsroom.shown == []
    send_post(channel_to(url, OTHER, clock, previous_secret=SecretStr(newsroom.secret)), post())
    assert len(newsroom.shown) == 1


def test_an_item_that_could_not_be_stored_is_taken_the_next_time(newsroom: Newsroom, channel: Webhook) -> None:
    newsroom.server.handle_error = lambda *_: None  # type: ignore[method-assign]
    newsroom.names["show"] = lambda _: 1 / 0
    request = channel.prepare(post(), ())
    error_of(lambda: channel.send(request))
    newsroom.names["show"] = newsroom.shown.append
    channel.send(request)
    assert len(newsroom.shown) == 1
