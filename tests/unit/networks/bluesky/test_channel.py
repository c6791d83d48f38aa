"""The Bluesky channel, through the unmodified SDK, against a server on the loopback."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from pydantic import SecretStr

from policenotify.channel import Post, PostRef, Span, SupportsDelete, SupportsLookup, SupportsSend
from policenotify.errors import (
    Blocked,
    ChannelError,
    JournalError,
    MissingExtra,
    Refused,
    SettingsError,
    Unavailable,
    Unconfirmed,
)
from policenotify.model.lifecycle import Stage
from policenotify.networks.bluesky.channel import Bluesky
from policenotify.networks.bluesky.session import account_host
from policenotify.testing.fakes import FakeClock, InMemoryStateStore
from policenotify.testing.servers.bluesky import FakeBlueskyServer, RichTextLink
from policenotify.testing.servers.http import Answer, Disconnect, FakeServer, NoResponse
from tests.support import network_calls
from tests.support.channels import open_channel
from tests.support.network_calls import JPEG, NOW, a_picture, error_of, send_post
from tests.support.patience import ANSWERED, short, timeout_for

PUT = "/xrpc/com.atproto.repo.putRecord"
GET = "/xrpc/com.atproto.repo.getRecord"
DELETE = "/xrpc/com.atproto.repo.deleteRecord"
UPLOAD = "/xrpc/com.atproto.repo.uploadBlob"
LOGIN = "/xrpc/com.atproto.server.createSession"
REFRESH = "/xrpc/com.atproto.server.refreshSession"
WHO = "/xrpc/com.atproto.server.getSession"
PASSWORD = "abcd-efgh-ijkl-mnop"

Open = Callable[..., Bluesky]


@pytest.fixture
def server() -> Iterator[FakeBlueskyServer]:
    with FakeBlueskyServer("police.example", PASSWORD, now=lambda: NOW) as server:
        yield server


@pytest.fixture
def opened(server: FakeBlueskyServer, store: InMemoryStateStore, exit_stack: ExitStack) -> Open:
    """Open channels on the server."""

    def make(**other: Any) -> Bluesky:
        options: dict[str, Any] = {
            "handle": "police.example",
            "password": SecretStr(PASSWORD),
            "service": server.url,
            "timeout": ANSWERED,
            "clock": FakeClock(NOW),
            "store": store,
        }
        return exit_stack.enter_context(closing(open_channel(Bluesky, **options | other)))

    return make


@pytest.fixture
def channel(opened: Open) -> Bluesky:
    return opened()


def a_post(text: str = "Route barrée à Évian.", **other: Any) -> Post:
    return network_calls.a_post(text, **{"account": "police.example"} | other)


def spans(text: str, *parts: tuple[str, str, str]) -> tuple[Span, ...]:
    """Spans by the words that they cover: (kind, words, value)."""
    return tuple(
        Span.model_validate({"kind": k, "start": text.index(w), "end": text.index(w) + len(w), "value": v})
        for k, w, v in parts
    )


def xrpc(status: int, error: str, message: str = "So it is", **headers: str) -> Answer:
    return Answer.json({"error": error, "message": message}, status, headers=headers)


# --- what it is, before anything is sent ---


def test_it_keeps_the_contract(channel: Bluesky) -> None:
    assert isinstance(channel, SupportsSend)
    assert isinstance(channel, SupportsLookup)
    assert isinstance(channel, SupportsDelete)
    can = channel.capabilities
    assert (can.budget.limit, can.budget.max_bytes, can.images) == (300, 3000, 4)
    assert (can.replies, can.deletes) == (True, True)
    assert (can.edits, can.html, can.title, can.recipients) == (False, False, False, False)
    assert can.lookup_delay == timedelta(0)
    assert can.idempotency_window > timedelta(days=3650)


def test_opening_it_loads_no_sdk_and_shows_no_secret() -> None:
    code = (
        "import sys; from pydantic import SecretStr; from policenotify.networks.bluesky.channel import Bluesky\n"
        "from tests.support.channels import open_channel\n"
        "c = open_channel(Bluesky, handle='@police.example', password=SecretStr('hush'))\n"
        "c.capabilities; c.close(); print(repr(c), c.account)\n"
        "print([m for m in sys.modules if m.split('.')[0] in {'atproto', 'atproto_client', 'httpx'}])"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own interpreter and code
    assert said == "Bluesky(police.example@bsky.social) police.example@bsky.social\n[]\n"


def test_the_account_names_handle_and_host(channel: Bluesky, server: FakeBlueskyServer) -> None:
    assert channel.account == f"police.example@{server.url.removeprefix('http://')}"
    assert server.requests == []


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"handle": "police"}, "handle:"),
        ({"handle": "desk@police.example"}, "handle:"),
        ({"service": "bsky.social"}, "service:"),
        ({"service": "http://pds.example"}, "service:"),
        ({"service": "https://desk:word@pds.example"}, "service:"),
        ({"service": "https://[pds"}, "service:"),
        ({"timeout": 0.0}, "timeout:"),
    ],
)
def test_options_that_cannot_be_right_are_named(opened: Open, options: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError, match=field):
        opened(**options)


def test_a_missing_sdk_is_named_with_its_extra_before_anything_is_sent(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("policenotify.networks.bluesky.api.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"pip install 'policenotify\[bluesky\]'"):
        opened()


# --- what readers see ---


def test_a_post_as_a_reader_sees_it(channel: Bluesky, server: FakeBlueskyServer) -> None:
    text = "🚨 Genève\u0301 barrée #évite https://straße.example/é @prefet.example"
    server.on("GET", "/xrpc/com.atproto.identity.resolveHandle", Answer.json({"did": "did:plc:prefet"}))
    marked = spans(
        text,
        ("tag", "#évite", "évite"),
        ("url", "https://straße.example/é", "https://straße.example/é"),
        ("mention", "@prefet.example", "prefet.example"),
    )
    ref = send_post(channel, a_post(text, spans=marked))
    (seen,) = server.posts
    assert (seen.uri, seen.cid) == (ref.id, ref.extra["cid"])
    assert ref.url == f"https://bsky.app/profile/{server.did}/post/{ref.extra['rkey']}"
    assert ref.account == channel.account
    assert seen.text == text
    assert seen.tags == (RichTextLink("#évite", "évite"),)
    assert seen.links == (RichTextLink("https://straße.example/é", "https://xn--strae-oqa.example/%C3%A9"),)
    assert seen.mentions == (RichTextLink("@prefet.example", "did:plc:prefet"),)
    assert seen.langs == ("fr",)
    assert seen.created_at == "2026-03-02T06:30:00.000Z"
    assert (seen.root, seen.parent, seen.card) == (None, None, None)


def test_a_long_address_is_read_short_followed_whole_and_found_again(
    channel: Bluesky, server: FakeBlueskyServer
) -> None:
    url = "https://www.police.example/actualites/2026/accident-avenue-de-toulouse"
    text = f"🚨 Déviation : {url} #évite"
    marked = spans(text, ("url", url, url), ("tag", "#évite", "évite"))
    request = channel.prepare(a_post(text, spans=marked), ())
    server.fail_next("POST", PUT, Disconnect(), effect=True)
    with pytest.raises(Unconfirmed):
        channel.send(request)
    (seen,) = server.posts
    assert seen.text == "🚨 Déviation : www.police.example/actualites/2… #évite"
    assert seen.links == (RichTextLink("www.police.example/actualites/2…", url),)
    assert seen.tags == (RichTextLink("#évite", "évite"),)
    found = channel.find(request, since=NOW)
    assert found is not None
    assert found == channel.send(request)
    assert (found.id, len(server.posts)) == (seen.uri, 1)


@pytest.mark.parametrize("trouble", [xrpc(502, "UpstreamFailure"), Disconnect(), xrpc(400, "HandleNotFound")])
def test_a_mention_that_cannot_be_resolved_is_plain_text(
    channel: Bluesky, server: FakeBlueskyServer, trouble: Answer | Disconnect
) -> None:
    server.fail_next("GET", "/xrpc/com.atproto.identity.resolveHandle", trouble)
    text = "Avec @prefet.example"
    send_post(channel, a_post(text, spans=spans(text, ("mention", "@prefet.example", "prefet.example"))))
    assert server.posts[0].mentions == ()
    assert server.posts[0].text == text


def test_pictures_go_up_with_their_type_and_win_over_the_card(channel: Bluesky, server: FakeBlueskyServer) -> None:
    pictures = (a_picture(), a_picture(JPEG + b"2", alt="La déviation"))
    send_post(channel, a_post("Inondation https://x.example/a", pictures=pictures, link="https://x.example/a"))
    (seen,) = server.posts
    assert [(i.alt, i.media_type, i.width, i.height, i.data) for i in seen.images] == [
        ("La route sous l’eau", "image/jpeg", 1200, 800, JPEG),
        ("La déviation", "image/jpeg", 1200, 800, JPEG + b"2"),
    ]
    assert seen.card is None
    assert [r.headers["Content-Type"] for r in server.requests if r.path == UPLOAD] == ["image/jpeg"] * 2


def test_a_link_without_pictures_is_a_card(channel: Bluesky, server: FakeBlueskyServer) -> None:
    text = "Déviation. " + "Suivez les panneaux. " * 12
    send_post(channel, a_post(text, title="Route barrée", link="https://x.example/é", sender="Police de l’Hérault"))
    assert server.posts[0].card == ("https://x.example/%C3%A9", "Route barrée", "Police de l’Hérault")


@pytest.mark.parametrize("sender", ["", "Police 34", "POLICE 34"])
def test_a_card_repeats_nothing_of_its_post(channel: Bluesky, server: FakeBlueskyServer, sender: str) -> None:
    text = "Route barrée. " * 18 + "La police 34 vous informe."
    send_post(channel, a_post(text, title="Route barrée", link="https://x.example/", sender=sender))
    assert server.posts[0].card == ("https://x.example/", "Route barrée", "")


def test_a_post_of_another_account_is_not_answered(channel: Bluesky, server: FakeBlueskyServer) -> None:
    ours = send_post(channel, a_post("Route barrée"))
    foreign_posts = [
        ours.model_copy(update={"account": "other.example@127.0.0.1"}),
        ours.model_copy(update={"extra": {}}),
        ours.model_copy(update={"id": "at://did:plc:former/app.bsky.feed.post/3kdgeujwlq32y"}),
    ]
    for number, foreign in enumerate(foreign_posts, 1):
        ref = send_post(channel, a_post(f"Fin {number}", created_at=NOW + timedelta(seconds=number)), foreign)
        assert next(p for p in server.posts if p.uri == ref.id).root is None
    later = a_post("Fin", created_at=NOW + timedelta(seconds=9))
    assert send_post(channel, later, foreign_posts[0], ours).id in [p.uri for p in server.thread(ours.id)]


# --- posts that were deleted by hand ---


def three_posts(channel: Bluesky) -> list[PostRef]:
    thread: list[PostRef] = []
    for number, text in enumerate(("Route barrée", "Toujours barrée", "Bouchon de 3 km")):
        thread.append(send_post(channel, a_post(text, created_at=NOW + timedelta(seconds=number)), *thread))
    return thread


AN_END = a_post("Route rouverte", stage=Stage.END, created_at=NOW + timedelta(seconds=9))


@pytest.mark.parametrize(
    ("deleted", "parent"),
    [((), 2), ((2,), 1), ((1,), 0), ((1, 2), 0), ((0,), None), ((0, 1, 2), None), ((0, 2), None)],
)
def test_a_reply_hangs_where_its_readers_see_it(
    channel: Bluesky, server: FakeBlueskyServer, deleted: tuple[int, ...], parent: int | None
) -> None:
    thread = three_posts(channel)
    for number in deleted:
        server.remove(thread[number].id)
    if parent is None:
        error = error_of(lambda: channel.prepare(AN_END, tuple(thread)))
        assert isinstance(error, Refused)
        assert error.fallback == "standalone"
        end = send_post(channel, AN_END)
    else:
        end = send_post(channel, AN_END, *thread)
        assert [p.parent for p in server.posts if p.uri == end.id] == [thread[parent].id]
        assert end.id in [p.uri for p in server.thread(thread[0].id)]
    assert end.id in [p.uri for p in server.profile]


def test_a_thread_that_began_again_has_the_root_that_its_readers_see(
    channel: Bluesky, server: FakeBlueskyServer
) -> None:
    opening = send_post(channel, a_post("Route barrée"))
    server.remove(opening.id)
    update = send_post(channel, a_post("Toujours barrée", created_at=NOW + timedelta(seconds=1)))
    end = send_post(channel, AN_END, opening, update)
    assert [post.uri for post in server.thread(update.id)] == [update.id, end.id]
    assert [post.uri for post in server.profile] == [update.id, end.id]


@pytest.mark.parametrize("deleted", [0, 1, 2])
def test_a_stored_reply_is_not_sent_below_a_deleted_post(
    channel: Bluesky, server: FakeBlueskyServer, deleted: int
) -> None:
    thread = three_posts(channel)
    request = channel.prepare(AN_END, tuple(thread))
    server.remove(thread[deleted].id)
    puts = sum(seen.path == PUT for seen in server.requests)
    error = error_of(lambda: channel.send(request))
    assert isinstance(error, Refused)
    assert error.fallback == "prepare"
    assert sum(seen.path == PUT for seen in server.requests) == puts


@pytest.mark.parametrize(
    "trouble",
    [Disconnect(), xrpc(500, "InternalServerError"), xrpc(400, "InvalidRequest"), Answer.json({"uri": "at://x"})],
)
def test_a_thread_that_cannot_be_looked_up_publishes_nothing(
    channel: Bluesky, server: FakeBlueskyServer, trouble: Answer | Disconnect
) -> None:
    thread = tuple(three_posts(channel))
    request = channel.prepare(AN_END, thread)
    calls: tuple[Callable[[], object], ...] = (
        lambda: channel.prepare(AN_END, thread),
        lambda: channel.send(request),
    )
    for call in calls:
        server.fail_next("GET", GET, trouble)
        assert type(error_of(call)) is Unavailable
    assert len(server.posts) == 3


@pytest.mark.parametrize(
    ("reply", "starts"),
    [
        (None, True),
        ("odd", True),
        ({"parent": "odd"}, True),
        ({"parent": {"uri": 7}}, True),
        ({"parent": {"uri": "https://elsewhere.example/1"}}, False),
    ],
)
def test_a_record_that_was_put_there_by_hand_is_read_with_care(
    channel: Bluesky, server: FakeBlueskyServer, reply: object, *, starts: bool
) -> None:
    opening = send_post(channel, a_post("Route barrée"))
    written = {"$type": "app.bsky.feed.post", "text": "Route barrée", "createdAt": NOW.isoformat(), "reply": reply}
    answer = Answer.json({"uri": opening.id, "cid": opening.extra["cid"], "value": written})
    server.fail_next("GET", GET, answer)
    if not starts:
        error = error_of(lambda: channel.prepare(AN_END, (opening,)))
        assert isinstance(error, Refused)
        assert error.fallback == "standalone"
        return
    record = channel.prepare(AN_END, (opening,)).body["record"]
    assert isinstance(record, dict)
    strong = {"uri": opening.id, "cid": opening.extra["cid"]}
    assert record["reply"] == {"root": strong, "parent": strong}


def test_a_reply_that_is_out_is_found_although_its_parent_is_gone(channel: Bluesky, server: FakeBlueskyServer) -> None:
    opening = send_post(channel, a_post("Route barrée"))
    request = channel.prepare(AN_END, (opening,))
    ref = channel.send(request)
    server.remove(opening.id)
    assert isinstance(error_of(lambda: channel.send(request)), Refused)
    assert channel.find(request, since=NOW) == ref


# --- once, and never twice ---


def test_the_key_is_claimed_only_if_it_is_free(channel: Bluesky, server: FakeBlueskyServer) -> None:
    send_post(channel, a_post())
    (put,) = [r.json() for r in server.requests if r.path == PUT]
    assert put["swapRecord"] is None
    assert put["repo"] == server.did


@pytest.mark.parametrize(
    "cut",
    [
        Disconnect(),
        Disconnect(reset=True),
        Disconnect("headers"),
        Disconnect("half"),
        Disconnect("half", reset=True),
        NoResponse(),
    ],
)
def test_cut_after_it_was_accepted(opened: Open, server: FakeBlueskyServer, cut: Disconnect | NoResponse) -> None:
    channel = opened(timeout=timeout_for(cut))
    request = channel.prepare(a_post(), ())
    server.fail_next("POST", PUT, cut, effect=True)
    error = error_of(lambda: channel.send(request))
    assert type(error) is Unconfirmed
    assert error.published == "unknown"
    found = channel.find(request, since=NOW)
    assert found == channel.send(request)
    assert len(server.posts) == server.commits == 1


def test_sixteen_at_once_are_one_post_and_one_login(opened: Open, server: FakeBlueskyServer) -> None:
    channels = [opened() for _ in range(16)]
    start = Barrier(16)
    refs: list[PostRef] = []

    def run(channel: Bluesky) -> None:
        start.wait()
        refs.append(send_post(channel, a_post()))

    threads = [Thread(target=run, args=(channel,)) for channel in channels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refs) == 16
    assert len({ref.id for ref in refs}) == 1
    assert (server.commits, server.logins) == (1, 1)


def test_a_key_that_another_post_has(channel: Bluesky, server: FakeBlueskyServer) -> None:
    request = channel.prepare(a_post(), ())
    body = dict(request.body)
    other = {"$type": "app.bsky.feed.post", "text": "Autre", "createdAt": "2026-03-02T06:30:00Z"}
    server.write(other, str(body["rkey"]))
    error = error_of(lambda: channel.send(request))
    assert isinstance(error, Refused)
    assert (error.fallback, error.code) == ("prepare", "InvalidSwap")
    assert server.posts[0].text == "Autre"
    assert channel.find(request, since=NOW) is None
    again = channel.prepare(a_post(variant=1), ())
    assert again.body["rkey"] != body["rkey"]
    assert again.body["record"] == body["record"]
    channel.send(again)
    assert len(server.posts) == 2


def test_a_taken_key_that_holds_our_own_post(channel: Bluesky, server: FakeBlueskyServer) -> None:
    request = channel.prepare(a_post(), ())
    first = channel.send(request)
    server.fail_next("POST", PUT, xrpc(400, "InvalidSwap", "Record was at bafy"))
    assert channel.send(request) == first


@pytest.mark.parametrize("trouble", [xrpc(500, "InternalServerError"), Disconnect(), xrpc(400, "RecordNotFound")])
def test_a_taken_key_that_cannot_be_read_stays_in_doubt(
    channel: Bluesky, server: FakeBlueskyServer, trouble: Answer | Disconnect
) -> None:
    request = channel.prepare(a_post(), ())
    channel.send(request)
    server.fail_next("POST", PUT, xrpc(400, "InvalidSwap", "Record was at bafy"))
    server.fail_next("GET", GET, trouble)
    assert type(error_of(lambda: channel.send(request))) is Unconfirmed


def test_a_taken_key_that_cannot_be_looked_up_stays_in_doubt(
    channel: Bluesky, server: FakeBlueskyServer, store: InMemoryStateStore
) -> None:
    request = channel.prepare(a_post(), ())

    def taken(_: object) -> Answer:
        store.compare_and_swap("session", "lost", version=1)
        server.logins_left = 0
        return xrpc(400, "InvalidSwap", "Record was at bafy")

    server.on("POST", PUT, taken)
    error = error_of(lambda: channel.send(request))
    assert type(error) is Unconfirmed
    assert error.code == "429 RateLimitExceeded"


def test_a_record_key_with_a_bad_word_in_it(channel: Bluesky, server: FakeBlueskyServer) -> None:
    request = channel.prepare(a_post(), ())
    server.fail_next("POST", PUT, xrpc(400, "InvalidRequest", "Unacceptable slur in record key"))
    error = error_of(lambda: channel.send(request))
    assert isinstance(error, Refused)
    assert error.fallback == "prepare"
    send_post(channel, a_post(variant=1))
    assert server.commits == 1


def test_an_upload_that_was_lost(channel: Bluesky, server: FakeBlueskyServer) -> None:
    request = channel.prepare(a_post(pictures=(a_picture(),)), ())
    server.forget_blobs()
    error = error_of(lambda: channel.send(request))
    assert isinstance(error, Refused)
    assert (error.fallback, error.code) == ("prepare", "400 BlobNotFound")
    again = channel.prepare(a_post(pictures=(a_picture(),)), ())
    assert again == request
    channel.send(again)
    assert server.posts[0].images[0].data == JPEG


# --- what an answer means ---

RESET = str(int(NOW.timestamp()) + 42)


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (xrpc(500, "InternalServerError"), Unconfirmed, ""),
        (Answer.html("<h1>Bad Gateway</h1>", 502), Unconfirmed, ""),
        (xrpc(503, "NotEnoughResources"), Unconfirmed, ""),
        (Answer.json("Bad gateway", 502), Unconfirmed, "read"),  # the SDK fails on it: ModelError
        (Answer.json(["no"], 400), Unconfirmed, "read"),
        (Answer.html("<h1>Log in to the Wi-Fi</h1>"), Unconfirmed, "does not name the post"),
        (Answer(200, b'{"uri": ', {"Content-Type": "application/json"}), Unconfirmed, "read"),  # ValueError
        (Answer(200, b"", {"Content-Type": "application/json"}), Unconfirmed, "read"),
        (Answer.json({}), Unconfirmed, "does not name the post"),
        (
            Answer.json({"uri": "at://did:plc:x/y/z", "cid": "bafyreigh2akiscaild"}),
            Unconfirmed,
            "does not name the post",
        ),
        (Answer.json({"hello": "world"}, 202), Unconfirmed, ""),
        (Answer.redirect("https://elsewhere.invalid/", 303), Unconfirmed, "service"),
        (xrpc(400, "InvalidRequest", "Invalid record: no"), Refused, "Invalid record: no"),
        (xrpc(400, "InvalidRequest", "Unacceptable slur in record"), Refused, "slur"),
        (xrpc(400, "ValidationError", "bad"), Refused, "bad"),
        (xrpc(401, "AuthenticationRequired"), Blocked, "doctor"),
        (xrpc(403, "Forbidden"), Blocked, "doctor"),
        (xrpc(401, "AccountTakedown"), Blocked, "taken this account down"),
        (xrpc(400, "AccountSuspended"), Blocked, "suspended"),
        (xrpc(403, "AccountDeactivated"), Blocked, "deactivated"),
        (xrpc(400, "RepoTakendown"), Blocked, "taken this account down"),
        (Answer.html("<h1>Forbidden by the firewall</h1>", 403), Unavailable, "proxy"),
        (Answer.html("<h1>Proxy login</h1>", 407), Unavailable, "proxy"),
        (xrpc(401, " ", "no"), Unavailable, "proxy"),
        (xrpc(404, "NotFound"), Unavailable, "service"),
        (xrpc(408, "RequestTimeout"), Unavailable, ""),
    ],
)
def test_the_meaning_of_an_answer_to_a_post(
    channel: Bluesky, server: FakeBlueskyServer, answer: Answer, kind: type[ChannelError], says: str
) -> None:
    request = channel.prepare(a_post(), ())
    server.fail_next("POST", PUT, answer)
    error = error_of(lambda: channel.send(request))
    assert type(error) is kind
    assert says in str(error)
    assert "elsewhere" not in str(error)
    assert getattr(error, "fallback", None) is None
    assert error.published == ("unknown" if kind is Unconfirmed else "no")
    assert server.posts == ()
    channel.send(request)
    assert len(server.posts) == 1


@pytest.mark.parametrize(
    ("headers", "at"),
    [
        ({"Retry-After": "290"}, 290),
        ({"RateLimit-Reset": RESET}, 42),
        ({"Retry-After": "7", "RateLimit-Reset": RESET}, 7),
    ],
)
def test_a_rate_limit_holds_for_the_account(
    channel: Bluesky, server: FakeBlueskyServer, headers: dict[str, str], at: int
) -> None:
    request = channel.prepare(a_post(), ())
    server.fail_next("POST", PUT, xrpc(429, "RateLimitExceeded", "Rate Limit Exceeded", **headers))
    error = error_of(lambda: channel.send(request))
    assert isinstance(error, Unavailable)
    assert error.whole_channel
    assert error.retry_at == NOW + timedelta(seconds=at)


def test_the_hourly_points_run_out(channel: Bluesky, server: FakeBlueskyServer) -> None:
    server.points_left = 3
    request = channel.prepare(a_post(), ())
    channel.send(request)
    error = error_of(lambda: channel.send(request))  # a put that changes nothing costs 2 points as well
    assert isinstance(error, Unavailable)
    assert error.retry_at == NOW + timedelta(hours=1)


def test_a_closed_port(channel: Bluesky, server: FakeBlueskyServer) -> None:
    request = channel.prepare(a_post(), ())
    server.refuse_connections()
    for call in (
        lambda: channel.send(request),
        lambda: channel.find(request, since=NOW),
        channel.whoami,
        lambda: channel.prepare(a_post(pictures=(a_picture(),)), ()),
    ):
        assert type(error_of(call)) is Unavailable
    server.recover()
    channel.send(request)
    assert len(server.posts) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_neither_post_nor_password_follows_a_redirect(channel: Bluesky, server: FakeBlueskyServer, status: int) -> None:
    with FakeServer() as elsewhere:
        server.fail_next("POST", LOGIN, Answer.redirect(f"{elsewhere.url}{LOGIN}", status))
        assert type(error_of(channel.whoami)) is Unavailable
        request = channel.prepare(a_post(), ())
        server.fail_next("POST", PUT, Answer.redirect(f"{elsewhere.url}{PUT}", status))
        assert type(error_of(lambda: channel.send(request))) is Unconfirmed
        server.fail_next("GET", GET, Answer.redirect(f"{elsewhere.url}{GET}", status))
        assert type(error_of(lambda: channel.find(request, since=NOW))) is Unavailable
        assert elsewhere.requests == []


@pytest.mark.parametrize("text", ["x" * 301, "👨‍👩‍👧‍👦" * 121])
def test_a_text_that_is_too_long_is_refused_by_the_server(
    channel: Bluesky, server: FakeBlueskyServer, text: str
) -> None:
    error = error_of(lambda: send_post(channel, a_post(text)))
    assert type(error) is Refused
    assert "too big" in str(error.reason)
    assert server.posts == ()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (xrpc(500, "InternalServerError"), Unavailable),
        (Disconnect(), Unavailable),
        (Answer.json({"blob": "here"}), Unavailable),
        (Answer.json({"blob": {"$type": "blob", "size": 1}}), Unavailable),
        (xrpc(413, "PayloadTooLarge", "request entity too large"), Refused),
        (Answer.html("<h1>Too large for this proxy</h1>", 413), Refused),
        (xrpc(429, "RateLimitExceeded"), Unavailable),
    ],
)
def test_a_failed_upload_does_not_put_the_post_in_doubt(
    channel: Bluesky, server: FakeBlueskyServer, answer: Answer | Disconnect, kind: type[ChannelError]
) -> None:
    channel.whoami()
    server.fail_next("POST", UPLOAD, answer)
    error = error_of(lambda: channel.prepare(a_post(pictures=(a_picture(),)), ()))
    assert type(error) is kind
    assert error.published == "no"


# --- the session ---


def test_one_login_for_all_channels_and_calls(channel: Bluesky, opened: Open, server: FakeBlueskyServer) -> None:
    send_post(channel, a_post())
    assert opened().whoami() == channel.whoami()
    assert (server.logins, server.refreshes) == (1, 0)
    assert channel.whoami().id == server.did
    assert channel.whoami().name == "police.example"


def test_an_expired_session_is_refreshed_once_and_the_same_bytes_repeated(
    channel: Bluesky, opened: Open, server: FakeBlueskyServer
) -> None:
    request = channel.prepare(a_post(), ())
    server.expire_access()
    channel.send(request)
    puts = [r.body for r in server.requests if r.path == PUT]
    assert len(puts) == 2
    assert puts[0] == puts[1]
    opened().send(request)
    assert (server.logins, server.refreshes, server.commits) == (1, 1, 1)


def test_a_dead_refresh_token_costs_one_login(channel: Bluesky, server: FakeBlueskyServer) -> None:
    request = channel.prepare(a_post(), ())
    server.expire_access()
    server.revoke_refresh()
    channel.send(request)
    assert (server.logins, server.refreshes, server.commits) == (2, 0, 1)
    server.expire_access()
    channel.send(request)  # and the new session is alive
    assert (server.logins, server.refreshes) == (2, 1)


@pytest.mark.parametrize("hours", [-72, -3, 3, 72])
def test_our_clock_neither_renews_nor_keeps_a_session_nor_moves_a_post(
    opened: Open, server: FakeBlueskyServer, hours: int
) -> None:
    """Only the server knows whether a token has expired. A post made before its parent is still its reply."""
    clock = FakeClock(NOW)
    channel = opened(clock=clock)
    opening = send_post(channel, a_post("Début"))
    clock._at += timedelta(hours=hours)
    update = send_post(channel, a_post("Suite", created_at=clock.now()), opening)
    assert (server.logins, server.refreshes) == (1, 0)
    assert (update.extra["rkey"] < opening.extra["rkey"]) is (hours < 0), "keys follow our clock"
    [reply] = [post for post in server.posts if post.text == "Suite"]
    assert (reply.root, reply.parent) == (opening.id, opening.id)
    assert send_post(channel, a_post("Suite", created_at=clock.now()), opening) == update
    assert len(server.posts) == 2


def test_many_find_the_session_expired_and_one_renews_it(opened: Open, server: FakeBlueskyServer) -> None:
    channels = [opened() for _ in range(8)]
    channels[0].whoami()
    server.expire_access()
    start = Barrier(8)

    def run(channel: Bluesky) -> None:
        start.wait()
        channel.whoami()

    threads = [Thread(target=run, args=(channel,)) for channel in channels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (server.logins, server.refreshes) == (1, 1)


def test_a_session_that_is_never_accepted_ends(channel: Bluesky, server: FakeBlueskyServer) -> None:
    request = channel.prepare(a_post(), ())
    server.fail_next("POST", PUT, xrpc(400, "InvalidToken"), times=99)
    assert type(error_of(lambda: channel.send(request))) is Unavailable
    assert (server.logins, server.refreshes) == (1, 1)


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (xrpc(401, "AuthenticationRequired", "Invalid identifier or password"), Blocked, "app password"),
        (xrpc(401, "AuthFactorTokenRequired", "A code was sent"), Blocked, "main one"),
        (xrpc(400, "InvalidRequest", "No such handle"), Blocked, "No such handle"),
        (xrpc(401, "AccountTakedown"), Blocked, "taken this account down"),
        (xrpc(429, "RateLimitExceeded", **{"Retry-After": "300"}), Unavailable, ""),
        (xrpc(500, "InternalServerError"), Unavailable, "logging in"),
        (Answer.html("<h1>Portal</h1>"), Unavailable, "logging in"),
        (Answer.html("<h1>Portal</h1>", 403), Unavailable, "proxy"),
        (Answer.json({"did": "did:plc:x", "accessJwt": 1}), Unavailable, "read"),
        (Disconnect(), Unavailable, "logging in"),
    ],
)
def test_a_login_is_tried_once_and_reported_plainly(
    channel: Bluesky, server: FakeBlueskyServer, answer: Answer | Disconnect, kind: type[ChannelError], says: str
) -> None:
    server.fail_next("POST", LOGIN, answer, times=9)
    error = error_of(lambda: channel.prepare(a_post(), ()))
    assert type(error) is kind
    assert says in str(error)
    assert len(server.requests) == 1
    if error.code.startswith("429"):
        assert isinstance(error, Unavailable)
        assert error.retry_at == NOW + timedelta(seconds=300)
        assert error.whole_channel


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (xrpc(500, "InternalServerError"), Unavailable),
        (Disconnect(), Unavailable),
        (xrpc(429, "RateLimitExceeded"), Unavailable),
        (xrpc(401, "AccountTakedown"), Blocked),
        (Answer.json({"did": None}), Unavailable),
    ],
)
def test_a_refresh_that_fails_for_now_costs_no_login(
    channel: Bluesky, server: FakeBlueskyServer, answer: Answer | Disconnect, kind: type[ChannelError]
) -> None:
    request = channel.prepare(a_post(), ())
    server.expire_access()
    server.fail_next("POST", REFRESH, answer)
    error = error_of(lambda: channel.send(request))
    assert type(error) is kind
    assert error.published == "no"
    assert server.logins == 1
    channel.send(request)
    assert (server.logins, server.commits) == (1, 1)


@pytest.mark.parametrize("kept", ["no json", "[]", '{"owner": "only"}', None])
def test_a_kept_session_that_is_not_ours_is_replaced(
    channel: Bluesky, server: FakeBlueskyServer, store: InMemoryStateStore, kept: str | None
) -> None:
    other = {"owner": "other@x", "did": "did:plc:other", "host": server.url, "access": "a", "refresh": "r"}
    store.compare_and_swap("session", kept or json.dumps(other), version=None)
    assert channel.whoami().id == server.did
    assert server.logins == 1


def test_a_renewal_by_another_process_that_takes_too_long(opened: Open, store: InMemoryStateStore) -> None:
    channel = opened(timeout=0.02)
    with store.lease("session", seconds=1):
        error = error_of(channel.whoami)
    assert type(error) is Unavailable
    assert "another process" in str(error)


def test_a_session_that_cannot_be_stored_does_not_put_the_post_in_doubt(
    opened: Open, server: FakeBlueskyServer
) -> None:
    class Broken(InMemoryStateStore):
        def compare_and_swap(self, name: str, value: str, *, version: int | None) -> bool:
            raise JournalError(f"{name} {value} {version}")

    request = opened().prepare(a_post(), ())
    error = error_of(lambda: opened(store=Broken()).send(request))
    assert type(error) is Unavailable
    assert server.posts == ()


def test_a_session_that_could_not_be_stored_is_stored_by_the_next_call(opened: Open, server: FakeBlueskyServer) -> None:
    class Stumbling(InMemoryStateStore):
        stumbles = 1

        def compare_and_swap(self, name: str, value: str, *, version: int | None) -> bool:
            if self.stumbles:
                self.stumbles -= 1
                raise JournalError("the disk is full")
            return super().compare_and_swap(name, value, version=version)

    channel = opened(store=Stumbling())
    assert type(error_of(channel.whoami)) is Unavailable
    assert channel.whoami().id == server.did
    assert server.logins == 1


def test_an_unreadable_session_does_not_put_the_post_in_doubt(opened: Open, server: FakeBlueskyServer) -> None:
    class Broken(InMemoryStateStore):
        def load(self, name: str) -> Any:
            raise JournalError(name)

    request = opened().prepare(a_post(), ())
    error = error_of(lambda: opened(store=Broken()).send(request))
    assert type(error) is Unavailable
    assert "Nothing was posted" in str(error.reason)
    assert server.posts == ()


def test_a_lease_that_ran_out_does_not_undo_the_others_session(opened: Open, server: FakeBlueskyServer) -> None:
    class Overtaken(InMemoryStateStore):
        def compare_and_swap(self, name: str, value: str, *, version: int | None) -> bool:
            if version is None:
                super().compare_and_swap(name, value, version=None)  # the other one's, which is kept
                return False
            return super().compare_and_swap(name, value, version=version)

    store = Overtaken()
    assert opened(store=store).whoami().id == server.did
    kept = store.load("session")
    assert kept is not None
    assert kept.version == 1


def test_a_handle_that_has_become_another_account(opened: Open, server: FakeBlueskyServer) -> None:
    request = opened().prepare(a_post(), ())
    server.did = "did:plc:successor"
    error = error_of(lambda: opened(store=InMemoryStateStore()).send(request))
    assert type(error) is Blocked
    assert "another account than when" in str(error)
    assert [r for r in server.requests if r.path == PUT] == []


def test_a_reply_of_another_account_is_not_sent(opened: Open, server: FakeBlueskyServer) -> None:
    channel = opened()
    opening = send_post(channel, a_post("Route barrée"))
    request = channel.prepare(AN_END, (opening,))
    server.did = "did:plc:successor"
    error = error_of(lambda: opened(store=InMemoryStateStore()).send(request))
    assert type(error) is Blocked
    assert "another account than when" in str(error)


@pytest.mark.parametrize("closed", ["takendown", "suspended", "deactivated"])
def test_a_reply_of_a_closed_account_blocks_the_channel(
    channel: Bluesky, server: FakeBlueskyServer, closed: Any
) -> None:
    opening = send_post(channel, a_post("Route barrée"))
    request = channel.prepare(AN_END, (opening,))
    server.closed = closed
    assert type(error_of(lambda: channel.prepare(AN_END, (opening,)))) is Blocked
    assert type(error_of(lambda: channel.send(request))) is Blocked


def test_an_account_with_another_handle_goes_on_and_is_named(
    channel: Bluesky, opened: Open, server: FakeBlueskyServer, caplog: pytest.LogCaptureFixture
) -> None:
    opening = send_post(channel, a_post("Route barrée"))
    assert str(channel.whoami().note) == ""
    server.handle = "nouvelle.example"
    server.expire_access()
    server.revoke_refresh()
    with caplog.at_level(logging.WARNING, logger="policenotify"):
        end = send_post(opened(), AN_END, opening)
    assert [post.uri for post in server.profile] == [opening.id, end.id]
    assert server.logins == 2
    (line,) = [record.getMessage() for record in caplog.records]
    account = channel.whoami()
    assert account.name == "nouvelle.example"
    for text in (line, account.note):
        assert "police.example is called nouvelle.example now" in str(text)
        assert "put the new handle into its settings" in str(text)


def test_a_handle_that_has_moved_to_another_account_lets_that_one_in(opened: Open, server: FakeBlueskyServer) -> None:
    opened().whoami()
    server.did, server.password = "did:plc:successor", "mnop-ijkl-efgh-abcd"
    server.expire_access()
    server.revoke_refresh()
    assert opened(password=SecretStr(server.password)).whoami().id == "did:plc:successor"
    assert server.logins == 2


def test_a_new_password_is_proved_though_the_old_session_is_good(opened: Open, server: FakeBlueskyServer) -> None:
    opened().whoami()
    assert type(error_of(opened(password=SecretStr("mnop-ijkl-efgh-abcd")).whoami)) is Blocked
    opened().whoami()
    assert server.logins == 2


def test_the_case_of_a_handle_makes_no_other_account(opened: Open) -> None:
    assert opened(handle="Police.Example").account == opened().account


def test_a_login_that_fails_is_reported_once(opened: Open, server: FakeBlueskyServer) -> None:
    opened().whoami()
    server.expire_access()
    server.revoke_refresh()
    server.password = "mnop-ijkl-efgh-abcd"
    error = error_of(opened().whoami)
    assert type(error) is Blocked
    assert "Invalid identifier or password. Nothing can be posted." in str(error.reason)
    assert "handle" in str(error.remedy)
    assert server.logins == 2


def test_calls_go_to_the_server_of_the_did_document(opened: Open, server: FakeBlueskyServer) -> None:
    with FakeServer() as pds:
        pds.on("GET", WHO, Answer.json({"did": server.did, "handle": "police.example"}))
        server.pds = pds.url
        opened().whoami()
        assert [r.path for r in pds.requests] == [WHO]
        assert [r.path for r in server.requests] == [LOGIN]


@pytest.mark.parametrize(
    ("service", "endpoint", "host"),
    [
        ("https://bsky.social", "https://oyster.us-east.host.bsky.network", "https://oyster.us-east.host.bsky.network"),
        ("https://bsky.social", "http://oyster.example", "https://bsky.social"),
        ("https://bsky.social", "http://127.0.0.1:8080", "https://bsky.social"),
        ("http://127.0.0.1:1", "http://127.0.0.1:2/", "http://127.0.0.1:2"),
        ("http://127.0.0.1:1", "http://10.0.0.1:2", "http://127.0.0.1:1"),
        ("https://bsky.social", "https://user:word@oyster.example", "https://bsky.social"),
        ("https://bsky.social", "ftp://oyster.example", "https://bsky.social"),
        ("https://bsky.social", 7, "https://bsky.social"),
    ],
)
def test_a_server_is_believed_only_over_a_safe_line(service: str, endpoint: object, host: str) -> None:
    entry = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": endpoint}
    assert account_host(service, {"id": "did:plc:server", "service": [entry]}) == host


@pytest.mark.parametrize("document", [None, "did:plc:server", {}, {"id": "did:plc:server"}, {"id": 1, "service": 2}])
def test_a_did_document_that_names_no_server(document: object) -> None:
    assert account_host("https://bsky.social", document) == "https://bsky.social"


# --- looking up, taking back, asking who ---


@pytest.mark.parametrize(
    "trouble",
    [
        xrpc(500, "InternalServerError"),
        xrpc(400, "InvalidRequest", "Could not locate record"),
        Answer.html("<h1>Portal</h1>"),
        Answer.json({"value": {}}),
        Disconnect(),
        NoResponse(),
    ],
)
def test_a_record_that_cannot_be_read_keeps_the_doubt(
    opened: Open, server: FakeBlueskyServer, trouble: Answer | Disconnect | NoResponse
) -> None:
    channel = opened(timeout=timeout_for(trouble))
    request = channel.prepare(a_post(), ())
    ref = channel.send(request)
    server.fail_next("GET", GET, trouble)
    assert type(error_of(lambda: channel.find(request, since=NOW))) is Unavailable
    server.expire_access()
    server.revoke_refresh()
    assert channel.find(request, since=NOW) == ref  # reading needs no session
    assert server.logins == 1


def test_a_post_is_taken_back_once_or_twice(channel: Bluesky, server: FakeBlueskyServer) -> None:
    request = channel.prepare(a_post(), ())
    ref = channel.send(request)
    channel.delete(ref)
    channel.delete(ref)
    assert server.posts == ()
    assert channel.find(request, since=NOW) is None


def test_taking_back_can_fail(channel: Bluesky, server: FakeBlueskyServer) -> None:
    ref = send_post(channel, a_post())
    assert type(error_of(lambda: channel.delete(ref.model_copy(update={"account": "other@x"})))) is Refused
    assert type(error_of(lambda: channel.delete(ref.model_copy(update={"id": "https://x.example"})))) is Refused
    server.fail_next("POST", DELETE, Disconnect(), effect=True)
    assert type(error_of(lambda: channel.delete(ref))) is Unconfirmed
    server.fail_next("POST", DELETE, Answer.json({"queued": True}, 202))  # not of a server of the protocol
    assert type(error_of(lambda: channel.delete(ref))) is Unconfirmed
    server.fail_next("POST", DELETE, xrpc(400, "RecordNotFound"))
    channel.delete(ref)
    server.closed = "takendown"
    assert type(error_of(lambda: channel.delete(ref))) is Blocked


def test_whoami(channel: Bluesky, server: FakeBlueskyServer) -> None:
    assert channel.whoami().url == f"https://bsky.app/profile/{server.did}"
    server.fail_next("GET", WHO, Answer.json({"did": 1}))
    assert type(error_of(channel.whoami)) is Unavailable
    server.closed = "deactivated"
    error = error_of(channel.whoami)
    assert type(error) is Blocked
    assert "deactivated" in str(error)
    request = channel.prepare(a_post(), ())
    assert type(error_of(lambda: channel.send(request))) is Blocked


def test_closed_twice_and_opened_again(channel: Bluesky, server: FakeBlueskyServer) -> None:
    channel.close()
    send_post(channel, a_post())
    channel.close()
    channel.close()
    send_post(channel, a_post())
    assert server.commits == 1


# --- secrets ---


def test_no_secret_is_seen_anywhere(
    opened: Open, server: FakeBlueskyServer, store: InMemoryStateStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = opened(timeout=short())
    request = channel.prepare(a_post(pictures=(a_picture(),)), ())
    channel.delete(channel.send(request))
    server.expire_access()
    channel.whoami()
    said = [repr(channel), repr(request), request.model_dump_json()]
    stored = store.load("session")
    assert stored is not None
    kept = json.loads(stored.value)
    leaky = f"Bad {PASSWORD} {kept['access']} {kept['refresh']} of {server.email}"
    for path, trouble in (
        (PUT, xrpc(400, "InvalidRequest", leaky)),
        (PUT, xrpc(401, leaky, leaky)),
        (PUT, xrpc(500, "InternalServerError", leaky)),
        (PUT, Answer.json({"uri": leaky, "cid": leaky})),
        (PUT, Disconnect()),
        (PUT, NoResponse()),
        (LOGIN, xrpc(401, "AuthenticationRequired", leaky)),
        (LOGIN, Answer.json({"accessJwt": leaky, "refreshJwt": leaky, "did": 5})),
        (LOGIN, Answer(200, b'{"accessJwt": "' + kept["access"].encode(), {"Content-Type": "application/json"})),
    ):
        if path == LOGIN:
            server.expire_access()
            server.revoke_refresh()
        server.fail_next("POST", path, trouble)
        error = error_of(lambda: channel.send(request))
        said += [repr(error), *traceback.format_exception(error)]
    said += [record.getMessage() for record in caplog.records]
    assert any(record.name.startswith("httpcore") for record in caplog.records)
    seen = "\n".join(said)
    assert [secret for secret in server.secrets if secret in seen] == []
    assert "eyJ" not in seen


# --- a machine with a wrong clock


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SSL_CERT_FILE", "/nonexistent/ca.pem"),
        ("ALL_PROXY", "socks://desk:s3cret@127.0.0.1:9"),
        ("NO_PROXY", "[::1],127.0.0.1"),
    ],
)
def test_an_sdk_that_cannot_be_opened_keeps_the_post_waiting(
    channel: Bluesky, server: FakeBlueskyServer, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Unavailable, match=name) as caught:
        channel.whoami()
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    monkeypatch.delenv(name)
    assert channel.whoami().id == server.did


# --- proxies


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy"])
def test_no_proxy_of_the_environment_carries_plain_http_off_this_machine(
    channel: Bluesky, server: FakeBlueskyServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with FakeServer() as proxy:
        monkeypatch.setenv(name, proxy.url)
        channel.whoami()
        assert proxy.requests == []
    assert server.requests
