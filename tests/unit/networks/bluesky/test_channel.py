"""The Bluesky channel, through the unmodified SDK, against a server on the loopback."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from policenotify.channel import Post, PostRef, Span
from policenotify.errors import (
    Blocked,
    ChannelError,
    JournalError,
    Refused,
    SettingsError,
    Unavailable,
    Unconfirmed,
)
from policenotify.model.lifecycle import Stage
from policenotify.networks.bluesky.api import account_host
from policenotify.networks.bluesky.channel import Bluesky
from policenotify.testing.fakes import FakeClock, InMemoryStateStore
from policenotify.testing.servers.bluesky import FakeBlueskyServer, RichTextLink
from policenotify.testing.servers.http import Answer, Disconnect, FakeServer
from tests.support import network_calls
from tests.support.channels import open_channel
from tests.support.network_calls import JPEG, NOW, a_picture, error_of, send_post
from tests.support.patience import ANSWERED

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


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"handle": "police"}, "handle:"),
        ({"handle": "desk@police.example"}, "handle:"),
        ({"service": "http://pds.example"}, "service:"),
        ({"timeout": 0.0}, "timeout:"),
    ],
)
def test_options_that_cannot_be_right_are_named(opened: Open, options: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError, match=field):
        opened(**options)


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


@pytest.mark.parametrize("trouble", [Disconnect(), xrpc(400, "HandleNotFound")])
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


# --- posts that were deleted by hand ---


def three_posts(channel: Bluesky) -> list[PostRef]:
    thread: list[PostRef] = []
    for number, text in enumerate(("Route barrée", "Toujours barrée", "Bouchon de 3 km")):
        thread.append(send_post(channel, a_post(text, created_at=NOW + timedelta(seconds=number)), *thread))
    return thread


AN_END = a_post("Route rouverte", stage=Stage.END, created_at=NOW + timedelta(seconds=9))


@pytest.mark.parametrize(("deleted", "parent"), [((), 2), ((1,), 0), ((0,), None), ((0, 2), None)])
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


@pytest.mark.parametrize("trouble", [Disconnect(), xrpc(400, "InvalidRequest"), Answer.json({"uri": "at://x"})])
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


# --- once, and never twice ---


def test_the_key_is_claimed_only_if_it_is_free(channel: Bluesky, server: FakeBlueskyServer) -> None:
    send_post(channel, a_post())
    (put,) = [r.json() for r in server.requests if r.path == PUT]
    assert put["swapRecord"] is None
    assert put["repo"] == server.did


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


@pytest.mark.parametrize("trouble", [Disconnect(), xrpc(400, "RecordNotFound")])
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


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (Answer.json("Bad gateway", 502), Unconfirmed, "read"),  # the SDK fails on it: ModelError
        (
            Answer.json({"uri": "at://did:plc:x/y/z", "cid": "bafyreigh2akiscaild"}),
            Unconfirmed,
            "does not name the post",
        ),
        (Answer.redirect("https://elsewhere.invalid/", 303), Unconfirmed, "server's address"),
        (xrpc(400, "InvalidRequest", "Invalid record: no"), Refused, "Invalid record: no"),
        (xrpc(401, "AuthenticationRequired"), Blocked, "doctor"),
        (xrpc(401, "AccountTakedown"), Blocked, "taken this account down"),
        (xrpc(400, "AccountSuspended"), Blocked, "suspended"),
        (xrpc(403, "AccountDeactivated"), Blocked, "deactivated"),
        (Answer.html("<h1>Forbidden by the firewall</h1>", 403), Unavailable, "proxy"),
        (xrpc(404, "NotFound"), Unavailable, "server's address"),
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


def test_a_rate_limit_holds_for_the_account(channel: Bluesky, server: FakeBlueskyServer) -> None:
    request, reset = channel.prepare(a_post(), ()), str(int(NOW.timestamp()) + 42)
    server.fail_next("POST", PUT, xrpc(429, "RateLimitExceeded", **{"RateLimit-Reset": reset}))
    error = error_of(lambda: channel.send(request))
    assert isinstance(error, Unavailable)
    assert error.whole_channel
    assert error.retry_at == NOW + timedelta(seconds=42)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Disconnect(), Unavailable),
        (Answer.json({"blob": "here"}), Unavailable),
        (xrpc(413, "PayloadTooLarge", "request entity too large"), Refused),
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


def test_a_session_that_is_never_accepted_ends(channel: Bluesky, server: FakeBlueskyServer) -> None:
    request = channel.prepare(a_post(), ())
    server.fail_next("POST", PUT, xrpc(400, "InvalidToken"), times=99)
    assert type(error_of(lambda: channel.send(request))) is Unavailable
    assert (server.logins, server.refreshes) == (1, 1)


def test_an_unreadable_session_does_not_put_the_post_in_doubt(opened: Open, server: FakeBlueskyServer) -> None:
    class Broken(InMemoryStateStore):
        def load(self, name: str) -> Any:
            raise JournalError(name)

    request = opened().prepare(a_post(), ())
    error = error_of(lambda: opened(store=Broken()).send(request))
    assert type(error) is Unavailable
    assert "Nothing was posted" in str(error.reason)
    assert server.posts == ()


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (xrpc(401, "AuthenticationRequired", "Invalid identifier or password"), Blocked, "app password"),
        (xrpc(401, "AuthFactorTokenRequired", "A code was sent"), Blocked, "A code was sent"),
        (xrpc(400, "InvalidRequest", "No such handle"), Blocked, "No such handle"),
        (xrpc(429, "RateLimitExceeded", **{"Retry-After": "300"}), Unavailable, ""),
        (Answer.html("<h1>Portal</h1>", 403), Unavailable, "proxy"),
        (Answer.json({"did": "did:plc:x", "accessJwt": 1}), Unavailable, "read"),
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
        (Disconnect(), Unavailable),
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


def test_a_handle_that_has_become_another_account(opened: Open, server: FakeBlueskyServer) -> None:
    request = opened().prepare(a_post(), ())
    server.did = "did:plc:successor"
    error = error_of(lambda: opened(store=InMemoryStateStore()).send(request))
    assert type(error) is Blocked
    assert "another account than when" in str(error)
    assert [r for r in server.requests if r.path == PUT] == []


def test_a_reply_of_a_closed_account_blocks_the_channel(channel: Bluesky, server: FakeBlueskyServer) -> None:
    opening = send_post(channel, a_post("Route barrée"))
    request = channel.prepare(AN_END, (opening,))
    server.closed = "takendown"
    assert type(error_of(lambda: channel.prepare(AN_END, (opening,)))) is Blocked
    assert type(error_of(lambda: channel.send(request))) is Blocked


def test_an_account_with_another_handle_goes_on_and_is_named(
    channel: Bluesky, opened: Open, server: FakeBlueskyServer
) -> None:
    opening = send_post(channel, a_post("Route barrée"))
    assert str(channel.whoami().note) == ""
    server.handle = "nouvelle.example"
    server.expire_access()
    server.revoke_refresh()
    end = send_post(opened(), AN_END, opening)
    assert [post.uri for post in server.profile] == [opening.id, end.id]
    assert server.logins == 2
    account = channel.whoami()
    assert account.name == "nouvelle.example"
    assert "police.example is called nouvelle.example now" in str(account.note)
    assert "put the new handle into its settings" in str(account.note)


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
        ("http://127.0.0.1:1", "http://127.0.0.1:2/", "http://127.0.0.1:2"),
        ("http://127.0.0.1:1", "http://10.0.0.1:2", "http://127.0.0.1:1"),
        ("https://bsky.social", 7, "https://bsky.social"),
    ],
)
def test_a_server_is_believed_only_over_a_safe_line(service: str, endpoint: object, host: str) -> None:
    entry = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": endpoint}
    assert account_host(service, {"id": "did:plc:server", "service": [entry]}) == host


@pytest.mark.parametrize("document", [None, {"id": 1, "service": 2}])
def test_a_did_document_that_names_no_server(document: object) -> None:
    assert account_host("https://bsky.social", document) == "https://bsky.social"


# --- looking up, taking back, asking who ---


def test_a_post_of_another_account_is_not_deleted(channel: Bluesky, server: FakeBlueskyServer) -> None:
    ref = send_post(channel, a_post())
    for change in ({"account": "other@x"}, {"id": "https://x.example"}):
        foreign = ref.model_copy(update=change)
        assert type(error_of(lambda: channel.delete(foreign))) is Refused  # noqa: B023 - called at once
    assert len(server.posts) == 1


def test_a_deletion_that_is_only_queued_is_in_doubt(channel: Bluesky, server: FakeBlueskyServer) -> None:
    ref = send_post(channel, a_post())
    server.fail_next("POST", DELETE, Answer.json({"queued": True}, 202))  # not of a server of the protocol
    assert type(error_of(lambda: channel.delete(ref))) is Unconfirmed


# --- secrets ---


def test_a_server_that_quotes_a_secret_does_not_spread_it(
    channel: Bluesky, server: FakeBlueskyServer, store: InMemoryStateStore
) -> None:
    request = channel.prepare(a_post(), ())
    stored = store.load("session")
    assert stored is not None
    kept = json.loads(stored.value)
    leaky = f"Bad {PASSWORD} {kept['access']} {kept['refresh']} of {server.email}"
    said = []
    for path, trouble in (
        (PUT, xrpc(400, "InvalidRequest", leaky)),
        (PUT, xrpc(401, leaky, leaky)),
        (PUT, Answer.json({"uri": leaky, "cid": leaky})),
        (LOGIN, xrpc(401, "AuthenticationRequired", leaky)),
        (LOGIN, Answer.json({"accessJwt": leaky, "refreshJwt": leaky, "did": 5})),
    ):
        if path == LOGIN:
            server.expire_access()
            server.revoke_refresh()
        server.fail_next("POST", path, trouble)
        said += traceback.format_exception(error_of(lambda: channel.send(request)))
    seen = "".join(said)
    assert [secret for secret in server.secrets if secret in seen] == []
    assert "eyJ" not in seen


# --- the environment


def test_an_sdk_that_cannot_be_opened_keeps_the_post_waiting(
    channel: Bluesky, server: FakeBlueskyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks://desk:s3cret@127.0.0.1:9")
    with pytest.raises(Unavailable, match="ALL_PROXY") as caught:
        channel.whoami()
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    monkeypatch.delenv("ALL_PROXY")
    assert channel.whoami().id == server.did
