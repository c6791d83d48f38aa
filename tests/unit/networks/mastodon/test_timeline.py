"""Look-up of a post on our own timeline: which posts match, and which never do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from policenotify.channel import Post, Request
from policenotify.errors import Blocked, ChannelError, Unavailable
from policenotify.networks.mastodon.channel import Mastodon
from policenotify.networks.mastodon.post import plain
from policenotify.testing.fakes import FakeClock, InMemoryStateStore
from policenotify.testing.servers.http import Answer, Disconnect, NoResponse, RecordedRequest
from policenotify.testing.servers.mastodon import FakeMastodonServer
from tests.support.channels import open_channel
from tests.support.network_calls import NOW, a_picture, a_post
from tests.support.patience import ANSWERED, timeout_for

TIMELINE = "/api/v1/accounts/*/statuses"
WHO = "/api/v1/accounts/verify_credentials"
HISTORY = "/api/v1/statuses/*/history"
TEXT = "Route barrée à Évian."


@pytest.fixture
def server(clock: FakeClock) -> Iterator[FakeMastodonServer]:
    with FakeMastodonServer(now=clock.now) as server:
        yield server


@pytest.fixture
def channel(server: FakeMastodonServer, clock: FakeClock, store: InMemoryStateStore) -> Iterator[Mastodon]:
    channel = opened(server, clock, store)
    yield channel
    channel.close()


def opened(server: FakeMastodonServer, clock: FakeClock, store: InMemoryStateStore, **other: Any) -> Mastodon:
    options = {"server": server.url, "handle": "police34", "token": SecretStr(server.token), "timeout": ANSWERED}
    return open_channel(Mastodon, **{**options, "clock": clock, "store": store, **other})


def lost(channel: Mastodon, server: FakeMastodonServer, post: Post) -> Request:
    """Post it, and lose the answer."""
    request = channel.prepare(post, ())
    server.fail_next("POST", "/api/v1/statuses", Disconnect(), effect=True)
    with pytest.raises(ChannelError):
        channel.send(request)
    return request


def found(channel: Mastodon, request: Request, since: datetime = NOW) -> str | None:
    ref = channel.find(request, since=since)
    return ref.id if ref else None


# --- found ---


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        "E\u0301vacuation, cc @prefet@other.example, x@y",
        "https://police.example/a-very-long-address/that-is-shown-in/pieces?a=b&c=d #Évian",
    ],
)
def test_a_post_is_known_by_its_text(channel: Mastodon, server: FakeMastodonServer, text: str) -> None:
    request = lost(channel, server, a_post(text))
    server.write("Autre chose")
    assert found(channel, request) == server.posts[0].id


def test_the_servers_own_name_goes_out_of_mentions(channel: Mastodon, server: FakeMastodonServer) -> None:
    host = server.url.removeprefix("http://")
    request = lost(channel, server, a_post(f"Suivez @police34@{host} et @maire@{host}."))
    assert server.posts[0].text == f"Suivez @police34 et @maire@{host}."
    assert found(channel, request) == server.posts[0].id


def test_a_content_warning_is_compared_too(
    server: FakeMastodonServer, clock: FakeClock, store: InMemoryStateStore
) -> None:
    channel = opened(server, clock, store, content_warnings={"traffic": "Accident"})
    request = lost(channel, server, a_post())
    server.write(TEXT)
    assert found(channel, request) == server.posts[0].id
    channel.close()


def test_pictures_identify_a_post_better_than_its_text(channel: Mastodon, server: FakeMastodonServer) -> None:
    one, two = (lost(channel, server, a_post(key=key * 64, pictures=(a_picture(),))) for key in "ab")
    plain_one = channel.prepare(a_post(key="c" * 64), ())
    server.rewrite(server.posts[0].id, "Route rouverte.")
    asked = len(server.requests)
    assert (found(channel, one), found(channel, two)) == (server.posts[0].id, server.posts[1].id)
    assert [seen for seen in server.requests[asked:] if seen.path.endswith("/history")] == []
    assert found(channel, plain_one) is None


def test_a_post_that_was_edited_by_hand_meanwhile(channel: Mastodon, server: FakeMastodonServer) -> None:
    request = lost(channel, server, a_post())
    server.rewrite(server.posts[0].id, "Route barrée à Évian (D21).")
    assert found(channel, request) == server.posts[0].id


@pytest.mark.parametrize("history", [Answer.json({"error": "no"}, 404), Answer.json([1])])
def test_an_edited_post_whose_versions_are_not_published(
    channel: Mastodon, server: FakeMastodonServer, history: Answer
) -> None:
    server.write("Une")
    server.rewrite(server.posts[0].id, "Deux")
    server.fail_next("GET", HISTORY, history)
    assert found(channel, channel.prepare(a_post("Deux"), ())) == server.posts[0].id


def test_it_looks_back_through_many_pages(channel: Mastodon, server: FakeMastodonServer) -> None:
    request = lost(channel, server, a_post())
    for number in range(90):
        server.write(f"Autre {number}", parent="1")
    asked = len(server.requests)
    assert found(channel, request) == server.posts[0].id
    pages = [seen.query.get("max_id") for seen in server.requests[asked:] if seen.path.endswith("statuses")]
    assert len(pages) == 4  # the last one has nothing: an older post in the same words would be ours
    assert pages[0] is None


@pytest.mark.parametrize("ahead", [timedelta(hours=-2), timedelta(0), timedelta(hours=2)])
def test_the_servers_clock_may_be_wrong(clock: FakeClock, store: InMemoryStateStore, ahead: timedelta) -> None:
    with FakeMastodonServer(now=lambda: clock.now() + ahead) as server:
        channel = opened(server, clock, store)
        server.write(TEXT, at=clock.now() + ahead - timedelta(minutes=10))
        request = channel.prepare(a_post(), ())
        assert found(channel, request) is None
        request = lost(channel, server, a_post(key="b" * 64))
        clock.pass_by(1)
        assert found(channel, request) == server.posts[-1].id
        channel.close()


# --- not found ---


def test_of_two_lost_ones_each_is_found_once(channel: Mastodon, server: FakeMastodonServer) -> None:
    one, two = (lost(channel, server, a_post(key=key * 64)) for key in "ab")
    first = channel.find(one, since=NOW)
    assert first
    second = channel.find(two, since=NOW, known=frozenset({first.id}))
    assert second
    assert {first.id, second.id} == {post.id for post in server.posts}


@pytest.mark.parametrize(
    "other",
    [
        {"text": "Route barrée à Thonon."},
        {"warning": "Accident"},
        {"parent": "12"},
        {"at": NOW - timedelta(minutes=6)},
    ],
)
def test_a_different_post_is_not_taken_for_it(
    channel: Mastodon, server: FakeMastodonServer, other: dict[str, Any]
) -> None:
    server.write(**{"text": TEXT, **other})
    assert found(channel, channel.prepare(a_post(), ())) is None


def test_a_post_with_another_picture_is_another_post(channel: Mastodon, server: FakeMastodonServer) -> None:
    lost(channel, server, a_post(pictures=(a_picture(),)))
    assert found(channel, channel.prepare(a_post("Autre", pictures=(a_picture(b"\x89PNG two"),)), ())) is None


def test_a_boost_is_not_an_own_post(channel: Mastodon, server: FakeMastodonServer) -> None:
    boost = {"id": "9", "url": "https://x.example/9", "created_at": NOW.isoformat(), "reblog": {"id": "8"}}
    server.fail_next("GET", TIMELINE, Answer.json([boost | {"content": f"<p>{TEXT}</p>", "in_reply_to_id": None}]))
    assert found(channel, channel.prepare(a_post(), ())) is None


# --- not to be read ---

GOOD = {"id": "9", "url": "https://x.example/9", "created_at": "2026-03-02T06:30:00.000Z"}


@pytest.mark.parametrize(
    "trouble",
    [
        Answer.json({"error": "This action is outside the authorized scopes"}, 403),
        Answer.json([GOOD | {"id": 9}]),
        Answer.json([GOOD | {"created_at": "soon"}]),
    ],
)
def test_a_timeline_that_cannot_be_read_keeps_the_doubt(
    server: FakeMastodonServer, clock: FakeClock, store: InMemoryStateStore, trouble: Answer | Disconnect | NoResponse
) -> None:
    with closing(opened(server, clock, store, timeout=timeout_for(trouble))) as channel:
        _doubt_is_kept(channel, server, trouble)


def _doubt_is_kept(channel: Mastodon, server: FakeMastodonServer, trouble: Answer | Disconnect | NoResponse) -> None:
    request = lost(channel, server, a_post())
    server.fail_next("GET", TIMELINE, trouble)
    with pytest.raises(Unavailable):
        channel.find(request, since=NOW)
    assert found(channel, request) == server.posts[0].id


def test_a_token_of_another_account_or_of_none(
    channel: Mastodon, server: FakeMastodonServer, clock: FakeClock, store: InMemoryStateStore
) -> None:
    request, later = channel.prepare(a_post(), ()), opened(server, clock, store)
    for answer in (Answer.json({"error": "no"}, 401), Answer.json({"id": "1", "username": "mairie"})):
        for each in (channel, later):  # the first one has proved its token already: it may have been revoked since
            server.fail_next("GET", WHO, answer)
            with pytest.raises(Blocked):
                each.find(request, since=NOW)


def test_a_timeline_without_an_end_is_given_up(channel: Mastodon, server: FakeMastodonServer) -> None:
    request = channel.prepare(a_post(), ())

    def page(seen: RecordedRequest) -> Answer:
        begin = int(seen.query.get("max_id", ["99999"])[0])
        return Answer.json([GOOD | {"id": str(begin - 1 - number), "in_reply_to_id": "1"} for number in range(40)])

    server.on("GET", TIMELINE, page)
    with pytest.raises(Unavailable, match="1000 posts"):
        channel.find(request, since=NOW)
    assert sum(seen.path.endswith("statuses") for seen in server.requests) == 25


# --- comparing ---


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("a  b\r\n\r\nc ", "a b c"),
        ("é", "e\u0301"),
        ("@a@b.example, @c.d@e-f.example:3000.", "@a, @c.d."),
    ],
)
def test_texts_that_are_the_same(one: str, two: str) -> None:
    assert plain(one) == plain(two)
