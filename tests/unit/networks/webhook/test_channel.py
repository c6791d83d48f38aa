"""What a webhook does beyond the contract: its calls, the meaning of answers, and deletions."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from policenotify.channel import Post, PostRef, Request
from policenotify.errors import (
    Blocked,
    ChannelError,
    Refused,
    SettingsError,
    Unavailable,
    Unconfirmed,
)
from policenotify.formats.item import Item
from policenotify.model.lifecycle import Stage
from policenotify.networks.webhook import Webhook
from policenotify.testing import FakeClock, InMemoryStateStore
from policenotify.testing.servers.http import Answer, RecordedRequest
from policenotify.testing.servers.webhook import FakeWebhookServer
from tests.support.channels import open_channel
from tests.support.feed_items import THREAD
from tests.support.network_calls import error_of, send_post
from tests.unit.networks.feed.test_channel import Desk

OTHER = "whsec_" + base64.b64encode(b"the secret of last year, or so").decode()
URL = "https://redaction.example/police"


@pytest.fixture
def server(clock: FakeClock) -> Iterator[FakeWebhookServer]:
    with FakeWebhookServer(now=clock.now) as running:
        yield running


def webhook(server: FakeWebhookServer, clock: FakeClock, **options: Any) -> Webhook:
    given = {"url": SecretStr(f"{server.url}/t0ken"), "secret": SecretStr(server.secret), "timeout": 2.0}
    return open_channel(Webhook, **{**given, "clock": clock, **options})


@pytest.fixture
def channel(server: FakeWebhookServer, clock: FakeClock, exit_stack: ExitStack) -> Webhook:
    opened = webhook(server, clock)
    exit_stack.callback(opened.close)
    return opened


@pytest.fixture
def desk(tmp_path: Path, clock: FakeClock, store: InMemoryStateStore) -> Desk:
    """A feed, which makes posts."""
    return Desk(tmp_path / "feed", clock, store)


def a_post(desk: Desk, headline: str = "Rue Foch fermée", stage: Stage = Stage.OPENING, **fields: Any) -> Post:
    return desk.post(stage, headline, **fields)


# --- the call


def test_the_body_is_the_item_of_a_feed(server: FakeWebhookServer, channel: Webhook, desk: Desk) -> None:
    opening, end = a_post(desk), a_post(desk, "Rue Foch ouverte", Stage.END)
    first = send_post(channel, opening)
    second = send_post(channel, end, first)
    fed = desk.channel.send(desk.channel.prepare(opening, ()))
    desk.channel.send(desk.channel.prepare(end, (fed,)))
    for request, post in zip(server.requests, (opening, end), strict=True):
        assert request.body + b"\n" == (desk.folder / "items" / f"{post.key}.json").read_bytes()
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["User-Agent"] == "policenotify"
        assert request.headers["webhook-id"] == post.key
    assert (second.id, second.extra["thread"]) == (end.key[:16], opening.message and opening.message.incident)
    assert server.items[1]["answers"] == first.id


def test_a_repeated_call_has_the_id_and_body_of_the_first_and_its_own_time(
    server: FakeWebhookServer, channel: Webhook, clock: FakeClock, desk: Desk
) -> None:
    request = channel.prepare(a_post(desk), ())
    channel.send(request)
    clock.pass_by(3_600)
    channel.send(Request.read(request.model_dump_json()))
    first, second = server.requests
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    stamps = [int(each.headers["webhook-timestamp"]) for each in (first, second)]
    assert stamps == [int(clock.now().timestamp()) - 3_600, int(clock.now().timestamp())]
    assert len(server.items) == 1


@pytest.mark.parametrize("current", [True, False])
def test_during_a_rotation_the_receiver_may_have_either_secret(
    server: FakeWebhookServer, clock: FakeClock, desk: Desk, *, current: bool
) -> None:
    new, old = (server.secret, OTHER) if current else (OTHER, server.secret)
    channel = webhook(server, clock, secret=SecretStr(new), previous_secret=SecretStr(old))
    assert str(channel.whoami().note) == ""
    send_post(channel, a_post(desk))
    assert len(server.items) == 1


def test_a_clock_that_is_wrong_blocks_the_channel_and_is_named(server: FakeWebhookServer, desk: Desk) -> None:
    channel = webhook(server, FakeClock(server._now() + timedelta(seconds=301)))
    error = error_of(lambda: send_post(channel, a_post(desk)))
    assert isinstance(error, Blocked)
    assert "the timestamp is too old or too new" in str(error.reason)
    assert "clock" in str(error.remedy)
    send_post(webhook(server, FakeClock(server._now() + timedelta(seconds=299))), a_post(desk))


# --- answers


@pytest.mark.parametrize(
    "answer",
    [
        Answer(204),
        Answer(200, b"OK", {"Content-Type": "text/html; charset=UTF-8"}),
        Answer(200, b"x" * 200_000),
    ],
)
def test_any_success_is_a_post(server: FakeWebhookServer, channel: Webhook, desk: Desk, answer: Answer) -> None:
    server.on("POST", "*", answer)
    post = a_post(desk)
    assert send_post(channel, post).id == post.key[:16]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer(301, headers={"Location": "/a"}), Blocked, "is at another address"),
        (Answer(302, headers={"Location": "/a"}), Unconfirmed, "leaves open whether"),
        (Answer(307, headers={"Location": "/a"}), Blocked, "is at another address"),
        (Answer(308, headers={"Location": "/a"}), Blocked, "is at another address"),
        (Answer(400), Refused, "refused the post"),
        (Answer(404), Blocked, "is not at the channel's url any more"),
        (Answer(407), Blocked, "is behind a proxy"),
        (Answer(408), Unavailable, "did not take the request"),
        (Answer(409, headers={"webhook-id": "another"}), Refused, "refused the post"),
        (Answer(410), Blocked, "is not at the channel's url any more"),
        (Answer(503), Unconfirmed, "leaves open whether"),
        (Answer.html("<h1>Log in</h1>"), Unconfirmed, "answered with a web page"),
    ],
)
def test_each_answer_has_one_meaning(
    server: FakeWebhookServer, channel: Webhook, desk: Desk, answer: Any, kind: type[ChannelError], words: str
) -> None:
    server.on("POST", "/t0ken", answer)
    error = error_of(lambda: send_post(channel, a_post(desk)))
    assert type(error) is kind
    assert words in str(error.reason)
    assert len(server.requests) == 1, "a redirect was followed, or a call repeated"


def test_a_503_may_be_of_a_proxy_that_the_call_has_passed(
    server: FakeWebhookServer, channel: Webhook, clock: FakeClock, desk: Desk
) -> None:
    request = channel.prepare(a_post(desk), ())
    server.fail_next("POST", "*", Answer(503, headers={"Retry-After": "90"}), effect=True)
    error = error_of(lambda: channel.send(request))
    assert isinstance(error, Unconfirmed)
    assert error.retry_at == clock.now() + timedelta(seconds=90)
    assert len(server.items) == 1


def test_a_receiver_that_names_the_id_it_knows_has_the_post(
    server: FakeWebhookServer, channel: Webhook, desk: Desk
) -> None:
    def known(request: RecordedRequest) -> Answer:
        return Answer(409, headers={"webhook-id": request.headers["webhook-id"]})

    server.on("POST", "*", known)
    assert send_post(channel, a_post(desk)).id == a_post(desk).key[:16]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer.json({"error": "headline too long"}, 422), "refused the post: headline too long."),
        (Answer(422, b"unknown area", {"Content-Type": "text/plain"}), "refused the post: unknown area."),
        (Answer(422, b"unknown area"), "refused the post: unknown area."),
        (Answer.html("<h1>422</h1>", 422), "refused the post: 422."),
        (Answer.json({"error": "ask ana@c.example or 0123456789abcdef0"}, 422), "refused the post: ask … or …"),
    ],
)
def test_the_words_of_the_receiver_are_quoted_without_secrets(
    server: FakeWebhookServer, channel: Webhook, desk: Desk, answer: Answer, words: str
) -> None:
    server.on("POST", "*", answer)
    assert str(error_of(lambda: send_post(channel, a_post(desk))).reason) == f"The webhook's receiver {words}"


def test_a_receiver_that_echoes_the_secret_does_not_spread_it(
    server: FakeWebhookServer, channel: Webhook, desk: Desk
) -> None:
    server.on("POST", "*", Answer.json({"error": f"not {server.secret} !"}, 401))
    assert server.secret not in str(error_of(lambda: send_post(channel, a_post(desk))))


# --- whoami


def test_whoami_is_a_signed_call_without_content(server: FakeWebhookServer, channel: Webhook) -> None:
    account = channel.whoami()
    assert (account.id, account.name, account.url, str(account.note)) == ("127.0.0.1", "127.0.0.1", None, "")
    (request,) = server.requests
    assert (request.method, request.body) == ("HEAD", b"")


@pytest.mark.parametrize("status", [405, 501])
def test_a_receiver_without_head_is_noted(server: FakeWebhookServer, channel: Webhook, status: int) -> None:
    server.on("HEAD", "*", Answer(status))
    assert str(channel.whoami().note) == (
        f"It takes no HEAD ({status}): the first post shows whether it accepts our signature."
    )


@pytest.mark.parametrize(("status", "kind"), [(401, Blocked), (302, Unavailable), (500, Unavailable)])
def test_whoami_names_a_problem(
    server: FakeWebhookServer, channel: Webhook, status: int, kind: type[ChannelError]
) -> None:
    server.on("HEAD", "*", Answer(status))
    assert type(error_of(channel.whoami)) is kind


# --- deletions


def test_a_deleted_post_is_a_further_call_without_words(
    server: FakeWebhookServer, channel: Webhook, clock: FakeClock, desk: Desk
) -> None:
    post = a_post(desk)
    ref = send_post(channel, post)
    clock.pass_by(60)
    channel.delete(PostRef.model_validate_json(ref.model_dump_json()))
    first, second = server.requests
    item = Item.read(second.body)
    assert (second.headers["webhook-id"], item.key, item.thread) == (f"{post.key}-withdrawn", post.key, THREAD)
    assert item.withdrawn_at == clock.now()
    assert json.loads(second.body) == json.loads(Item.read(first.body).withdrawn(clock.now()).model_dump_json())
    assert "Foch" not in second.body.decode() + ref.model_dump_json()


def test_the_post_of_another_newsroom_is_not_taken_down(
    server: FakeWebhookServer, channel: Webhook, desk: Desk
) -> None:
    ref = send_post(channel, a_post(desk)).model_copy(update={"account": "autre.example"})
    assert isinstance(error_of(lambda: channel.delete(ref)), Refused)
    assert len(server.requests) == 1


def test_an_item_of_a_newer_release_is_not_sent(server: FakeWebhookServer, channel: Webhook, desk: Desk) -> None:
    request = channel.prepare(a_post(desk), ())
    document = str(request.body["document"]).replace('"schema_version":1', '"schema_version":2', 1)
    newer = request.model_copy(update={"body": {"document": document}})
    assert isinstance(error_of(lambda: channel.send(newer)), Blocked)
    assert not server.requests


def test_a_post_that_a_person_settled_cannot_be_taken_down(server: FakeWebhookServer, channel: Webhook) -> None:
    for extra in ({}, {"withdrawn": "{}"}, {"withdrawn": "no"}):
        ref = PostRef.model_validate({"account": "127.0.0.1", "id": "a" * 16, "extra": extra})
        error = error_of(partial(channel.delete, ref))
        assert isinstance(error, Refused)
        assert "Nothing was sent" in str(error.reason)
    assert not server.requests


# --- options


@pytest.mark.parametrize(
    "url",
    [
        "http://redaction.example/",
        "https://user:hunter22@redaction.example/",
        "https://redaction.example/#a",
        "https://rédaction.example/",
    ],
)
def test_an_address_that_is_not_safe_is_refused(clock: FakeClock, url: str) -> None:
    with pytest.raises(SettingsError, match="url: must be https") as caught:
        open_channel(Webhook, url=SecretStr(url), secret=SecretStr(OTHER), clock=clock)
    assert "hunter22" not in str(caught.value)


def test_both_secrets_are_checked(clock: FakeClock) -> None:
    short = SecretStr("whsec_c2hvcnQ=")
    with pytest.raises(SettingsError, match=r"^secret: must be"):
        open_channel(Webhook, url=SecretStr(URL), secret=short, clock=clock)
    with pytest.raises(SettingsError, match=r"^previous_secret: must be"):
        open_channel(Webhook, url=SecretStr(URL), secret=SecretStr(OTHER), previous_secret=short, clock=clock)


def test_two_channels_to_one_host_differ_by_their_label(clock: FakeClock) -> None:
    own = open_channel(Webhook, url=SecretStr(f"{URL}?key=1"), secret=SecretStr(OTHER), clock=clock)
    named = open_channel(Webhook, url=SecretStr(URL), secret=SecretStr(OTHER), label=" Midi libre ", clock=clock)
    assert (own.account, named.account) == ("redaction.example", "Midi libre")
