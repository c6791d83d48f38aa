"""The X channel, through the unmodified tweepy, against a server on the loopback."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from pydantic import SecretStr

from policenotify.channel import (
    PostRef,
)
from policenotify.errors import (
    Blocked,
    ChannelError,
    JournalError,
    Refused,
    SettingsError,
    Unavailable,
    Unconfirmed,
)
from policenotify.networks.x.channel import X
from policenotify.testing import Answer, Disconnect, FakeClock, FakeXServer, InMemoryStateStore, NoResponse
from tests.support.channels import open_channel
from tests.support.network_calls import JPEG, NOW, a_picture, a_post, error_of, send_post
from tests.support.patience import ANSWERED, timeout_for

CREATE = ("POST", "/2/tweets")
TIMELINE = ("GET", "/2/users/1234567890/tweets")
DELETE = ("DELETE", "/2/tweets/*")
UPLOAD = ("POST", "/2/media/upload")
ALT = ("POST", "/2/media/metadata")
ME = ("GET", "/2/users/me")
TOKEN = ("POST", "/2/oauth2/token")

Open = Callable[..., X]


@pytest.fixture
def server(clock: FakeClock) -> Iterator[FakeXServer]:
    with FakeXServer(now=clock.now) as server:
        yield server


@pytest.fixture
def opened(server: FakeXServer, store: InMemoryStateStore, clock: FakeClock, exit_stack: ExitStack) -> Open:
    """Open channels on the server."""

    def make(**other: Any) -> X:
        options: dict[str, Any] = signing(server) | {
            "handle": "police34",
            "service": server.url,
            "timeout": ANSWERED,
            "clock": clock,
            "store": store,
        }
        given = {name: value for name, value in (options | other).items() if value != ()}
        return exit_stack.enter_context(closing(open_channel(X, **given)))

    return make


@pytest.fixture
def channel(opened: Open) -> X:
    return opened()


@pytest.fixture
def rotating(opened: Open, server: FakeXServer) -> Open:
    """Open channels that use OAuth 2."""

    def make(**other: Any) -> X:
        return opened(**dict.fromkeys(signing(server), None) | tokens(server) | other)

    return make


def signing(server: FakeXServer) -> dict[str, SecretStr]:
    names = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    return dict(zip(names, map(SecretStr, (*server.consumer, *server.access)), strict=True))


def tokens(server: FakeXServer) -> dict[str, Any]:
    return {
        "client_id": server.client[0],
        "client_secret": SecretStr(server.client[1]),
        "refresh_token": SecretStr(server.refresh_token),
    }


def calls(server: FakeXServer, route: tuple[str, str]) -> list[Any]:
    return [seen for seen in server.requests if (seen.method, seen.path) == route]


def problem(
    status: int, detail: str = "", kind: str = "about:blank", title: str = "Forbidden", **headers: str
) -> Answer:
    """A problem as X sends it."""
    body = {"title": title, "detail": detail, "type": kind, "status": status}
    return Answer.json(body, status, headers=headers)


def problem_v1(status: int, code: int, message: str = "So it is") -> Answer:
    """An error as X's API v1.1 sends it, and v2 sometimes."""
    return Answer.json({"errors": [{"code": code, "message": message}]}, status)


PROBLEM = "https://api.twitter.com/2/problems/"
DUPLICATE = problem(403, "You are not allowed to create a Tweet with duplicate content.")
NO_REPLY = problem(
    403,
    "Reply to this conversation is not allowed because you have not been mentioned or otherwise engaged by the author "
    "of the post you are replying to.",
)
MISSING = problem(403, "You attempted to reply to a Tweet that is deleted or not visible to you.")


# --- what it is, before anything is sent ---


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"handle": "police.example"}, "handle:"),
        ({"limit": 0}, "limit:"),
        ({"access_token_secret": None}, "access_token_secret: is missing"),
        ({"consumer_key": SecretStr("")}, "consumer_key: must not be empty"),
        ({"client_id": "app"}, "client_id: .* not both"),
    ],
)
def test_options_that_cannot_be_right_are_named(opened: Open, options: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError, match=field):
        opened(**options)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "consumer_key: is missing"),
        ({"client_id": "app"}, "refresh_token: is missing"),
        ({"consumer_key": SecretStr("k")}, "consumer_secret: is missing"),
    ],
)
def test_credentials_that_are_not_all_there_are_named(given: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError, match=field):
        open_channel(X, handle="police34", clock=FakeClock(), store=InMemoryStateStore(), **given)


# --- what readers see ---


def test_a_post_as_a_reader_sees_it(opened: Open, server: FakeXServer) -> None:
    ref = send_post(opened(handle="Police34"), a_post("🚨 A9 <barrée> & D612 : https://police.example/a?b=c"))
    (seen,) = server.posts
    assert seen.text == "🚨 A9 <barrée> & D612 : https://police.example/a?b=c"
    assert ref == PostRef(account=opened().account, id=seen.id, url=f"https://x.com/Police34/status/{seen.id}")


def test_pictures_go_up_with_what_they_show(channel: X, server: FakeXServer) -> None:
    long = "Vue aérienne. " * 100
    send_post(channel, a_post(pictures=(a_picture(), a_picture(JPEG + b"2", alt=long))))
    (seen,) = server.posts
    assert [image.data for image in seen.images] == [JPEG, JPEG + b"2"]
    assert seen.images[0].alt == "La route sous l’eau"
    assert (len(seen.images[1].alt), seen.images[1].alt[-1]) == (1000, "…")


@pytest.mark.parametrize("route", [UPLOAD, ALT])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Disconnect(), Unavailable),
        (Answer.html("<h1>Too large for this proxy</h1>", 413), Refused),
        (problem(429, "Too Many Requests"), Unavailable),
        (problem(400, "File size exceeds the limit."), Refused),
    ],
)
def test_a_failed_upload_does_not_put_the_post_in_doubt(
    channel: X, server: FakeXServer, route: tuple[str, str], answer: Answer | Disconnect, kind: type[ChannelError]
) -> None:
    server.fail_next(*route, answer)
    error = error_of(lambda: channel.prepare(a_post(pictures=(a_picture(),)), ()))
    assert type(error) is kind
    assert error.published == "no"
    assert not getattr(error, "whole_channel", False)
    assert server.posts == ()


def test_an_upload_without_an_id_is_reported(channel: X, server: FakeXServer) -> None:
    server.fail_next(*UPLOAD, Answer.json({"data": {"id": "7a"}}))
    assert type(error_of(lambda: channel.prepare(a_post(pictures=(a_picture(),)), ()))) is Unavailable


def test_where_answers_are_refused_nothing_is_answered(opened: Open, server: FakeXServer) -> None:
    channel = opened(link_mode="standalone")
    assert channel.capabilities.replies is False
    opening = send_post(channel, a_post("Route barrée"))
    send_post(channel, a_post("Route rouverte"), opening)
    assert [post.parent for post in server.posts] == [None, None]


def test_premium_accounts_have_longer_posts(opened: Open, server: FakeXServer) -> None:
    channel, text = opened(limit=25_000), "Inondation à Évian. " * 100
    error = error_of(lambda: send_post(channel, a_post(text)))  # the account has no Premium after all
    assert type(error) is Refused
    assert "limit" in str(error) or "280" in str(error)
    server.limit = 25_000
    request = channel.prepare(a_post(text), ())
    ref = channel.send(request)
    assert channel.find(request, since=NOW) == ref


# --- whose the credentials are ---


def test_nothing_is_sent_before_the_account_is_known_and_it_is_requested_once(
    opened: Open, server: FakeXServer, store: InMemoryStateStore
) -> None:
    for number in range(3):
        send_post(opened(), a_post(f"Un {number}"))
    assert len(calls(server, ME)) == 1
    kept = store.load("owner")
    assert kept is not None
    assert kept.value.endswith(" 1234567890")
    assert not [secret for secret in server.secrets if secret in kept.value]


def test_other_credentials_start_a_new_session(opened: Open, server: FakeXServer) -> None:
    request = opened().prepare(a_post(), ())
    server.access = (server.access[0], "another-access-secret")
    server.handle = "police35"
    error = error_of(lambda: opened(**signing(server)).send(request))
    assert type(error) is Blocked
    assert "police35" in str(error)
    assert "police34" in str(error)
    assert server.posts == ()


def test_a_failing_state_store_does_not_put_the_post_in_doubt(
    opened: Open, server: FakeXServer, rotating: Open
) -> None:
    class Broken(InMemoryStateStore):
        def load(self, name: str) -> Any:
            raise JournalError(name)

    request = opened().prepare(a_post(), ())
    assert type(error_of(lambda: rotating(store=Broken()).send(request))) is Unavailable
    assert server.posts == ()
    opened(store=Broken()).send(request)  # the account is only asked for each time
    assert len(server.posts) == 1


# --- once, and never twice ---


def test_the_same_words_of_some_time_ago_are_not_this_post(channel: X, server: FakeXServer, clock: FakeClock) -> None:
    server.write("Route barrée à Évian.", at=NOW - timedelta(hours=3))
    request = channel.prepare(a_post(), ())
    assert channel.find(request, since=NOW) is None
    error = error_of(lambda: channel.send(request))
    assert type(error) is Refused
    assert error.fallback == "distinct"
    assert "the same text" in str(error)
    assert clock.slept == []


@pytest.mark.parametrize("trouble", [Disconnect(), problem(403, "client-not-enrolled")])
def test_a_duplicate_that_cannot_be_looked_up_stays_in_doubt(
    channel: X, server: FakeXServer, trouble: Answer | Disconnect
) -> None:
    request = channel.prepare(a_post(), ())
    server.fail_next(*CREATE, DUPLICATE)
    server.fail_next(*TIMELINE, trouble)
    error = error_of(lambda: channel.send(request))
    assert type(error) is Unconfirmed
    assert "out already" in str(error)


def test_of_posts_with_the_same_text_the_first_unclaimed_one_after_the_call_is_ours(
    channel: X, server: FakeXServer
) -> None:
    request = channel.prepare(a_post(), ())
    ids = [server.write("Route barrée à Évian.", at=NOW + timedelta(seconds=at)) for at in (-45, -10, 5, 20)]
    for known, ours in ((0, 2), (3, 3), (4, None)):
        found = channel.find(request, since=NOW, known=frozenset(ids[:known]))
        assert (found and found.id) == (None if ours is None else ids[ours])
    assert channel.find(request, since=NOW + timedelta(seconds=30)) is None  # what was there before the call is not


@pytest.mark.parametrize("ahead", [timedelta(hours=-3), timedelta(hours=3)])
@pytest.mark.parametrize("learnt", [True, False])
def test_a_clock_that_is_not_that_of_x_finds_the_post_and_no_older_one(
    opened: Open, server: FakeXServer, clock: FakeClock, ahead: timedelta, *, learnt: bool
) -> None:
    ours = FakeClock(NOW)
    clock._at += ahead
    channel = opened(clock=ours)
    request = channel.prepare(a_post(), ())
    server.write("Route barrée à Évian.", at=clock.now() - timedelta(minutes=10))
    channel = channel if learnt else opened(clock=ours)  # of another process, which has not heard from X yet
    assert channel.find(request, since=NOW) is None
    out = server.write("Route barrée à Évian.")
    for passing in (clock, ours):
        passing.pass_by(600)
    found = channel.find(request, since=NOW)
    assert found is not None
    assert found.id == out
    assert len(server.posts) == 2


def test_a_clock_that_was_set_on_hides_no_post_from_the_first_answer(
    opened: Open, server: FakeXServer, clock: FakeClock
) -> None:
    """By the clock as it was before, the question leaves out the time of the post, which X has no reason to refuse."""
    ours = FakeClock(NOW)
    channel = opened(clock=ours)
    request = channel.prepare(a_post(), ())
    out = server.write("Route barrée à Évian.")
    for passing in (clock, ours):
        passing.pass_by(60)
    ours.jump(150)
    found = channel.find(request, since=NOW + timedelta(seconds=150))
    assert found is not None
    assert found.id == out


def test_a_wrong_clock_is_named_and_not_the_keys(opened: Open, server: FakeXServer, clock: FakeClock) -> None:
    """X need not explain why it rejects a signature. The time of its answer shows it."""
    channel = opened()
    request = channel.prepare(a_post(), ())
    plain = problem(401, "Unauthorized")
    for apart, names_clock in ((0, False), (110, False), (130, True), (-10_000, True)):
        there = format_datetime(clock.now() + timedelta(seconds=apart), usegmt=True)
        server.fail_next(*CREATE, replace(plain, headers={"Date": there}))
        error = error_of(lambda: channel.send(request))
        assert type(error) is Blocked
        assert ("clock is wrong" in str(error), "Set the clock" in str(error)) == (names_clock, names_clock)
        assert ("new keys" in str(error)) is not names_clock
    assert server.posts == ()


def test_an_answer_to_a_post_just_made_waits_for_it_by_the_clock_of_x(
    opened: Open, server: FakeXServer, clock: FakeClock
) -> None:
    """Else a clock hours ahead would take the post for an old one that is gone, and tear the thread."""
    channel = opened(clock=FakeClock(NOW + timedelta(hours=3)))
    opening = send_post(channel, a_post("Début"))
    answer = channel.prepare(a_post("Suite"), (opening,))
    server.fail_next(*CREATE, MISSING, times=2)
    early = error_of(lambda: channel.send(answer))
    assert isinstance(early, Unavailable)
    assert early.retry_at is not None
    assert not early.whole_channel
    clock.pass_by(120)
    error = error_of(lambda: channel.send(answer))
    assert type(error) is Refused
    assert error.fallback == "standalone"


def test_a_post_of_another_place_in_the_thread_is_not_ours(channel: X, server: FakeXServer) -> None:
    opening = send_post(channel, a_post("Début"))
    answer = channel.prepare(a_post("Suite"), (opening,))
    server.write("Suite", parent="99")
    assert channel.find(answer, since=NOW) is None
    assert channel.find(channel.prepare(a_post("Suite"), ()), since=NOW) is None
    ref = server.write("Suite", parent=opening.id)
    found = channel.find(answer, since=NOW)
    assert found is not None
    assert found.id == ref


def test_the_timeline_is_read_to_its_end(channel: X, server: FakeXServer) -> None:
    request = channel.prepare(a_post(), ())
    server.page = 5
    assert channel.find(request, since=NOW) is None
    ours = server.write("Route barrée à Évian.", at=NOW)
    for number in range(12):
        server.write(f"Autre {number}", at=NOW)
    found = channel.find(request, since=NOW)
    assert found is not None
    assert found.id == ours
    assert [seen.query.get("pagination_token") for seen in calls(server, TIMELINE)] == [None, None, ["5"], ["10"]]
    assert calls(server, TIMELINE)[0].query["start_time"] == ["2026-03-02T06:28:00Z"]


def test_a_timeline_without_end_keeps_the_doubt(channel: X, server: FakeXServer) -> None:
    page = {"data": [{"id": "1", "text": "x"}], "meta": {"result_count": 1, "next_token": "again"}}
    request = channel.prepare(a_post(), ())
    server.on(*TIMELINE, Answer.json(page))
    assert type(error_of(lambda: channel.find(request, since=NOW))) is Unavailable
    assert len(calls(server, TIMELINE)) == 32


def test_the_timeline_is_read_by_the_names_of_its_fields_that_x_knows(channel: X, server: FakeXServer) -> None:
    request = channel.prepare(a_post("Voir https://police.example/a", pictures=(a_picture(),)), ())
    ref = channel.send(request)
    server.knows_fields = "tweet.fields"
    assert channel.find(request, since=NOW) == ref
    asked = [[name for name in seen.query if name.endswith(".fields")] for seen in calls(server, TIMELINE)]
    assert asked == [["post.fields"], ["tweet.fields"]]
    server.knows_fields = "post.fields"
    assert channel.find(request, since=NOW) == ref
    server.knows_fields = "none"  # without them no link can be compared
    assert type(error_of(lambda: channel.find(request, since=NOW))) is Unavailable


@pytest.mark.parametrize(
    "trouble",
    [
        Answer.json({}),
        Answer.json({"errors": [{"detail": "Could not find user"}]}),
        Answer.json({"meta": {"result_count": 2}}),
        problem(400, "The query parameter [start_time] is wrong"),
        problem_v1(403, 453, "You currently have access to a subset of X API V2 endpoints"),
        problem(429, "Too Many Requests"),
    ],
)
def test_a_timeline_that_cannot_be_read_keeps_the_doubt(
    opened: Open, server: FakeXServer, trouble: Answer | Disconnect | NoResponse
) -> None:
    channel = opened(timeout=timeout_for(trouble))
    request = channel.prepare(a_post(), ())
    ref = channel.send(request)
    server.fail_next(*TIMELINE, trouble)
    error = error_of(lambda: channel.find(request, since=NOW))
    assert type(error) is Unavailable
    assert not error.whole_channel  # a limit on questions is none on posts
    assert channel.find(request, since=NOW) == ref


# --- what an answer means ---


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (Answer.json(["no"], 400), Unconfirmed, "read"),  # tweepy fails on it: AttributeError
        (Answer(201), Unconfirmed, ""),  # tweepy would fail on it: JSONDecodeError
        (Answer.json({"errors": [{"detail": "Half of it"}]}, 201), Unconfirmed, "Half of it"),
        (DUPLICATE, Unconfirmed, "does not show it yet"),
        (problem(403, "You are not permitted to perform this action."), Refused, "280"),
        (problem_v1(403, 186, "Tweet needs to be a bit shorter."), Refused, "limit"),
        (problem(403, "You may use a maximum of one cashtag."), Refused, "cashtag"),
        (
            problem(400, "One or more parameters to your request was invalid.", PROBLEM + "invalid-request"),
            Refused,
            "invalid",
        ),
        (problem(401, "Unauthorized", title="Unauthorized"), Blocked, "credentials"),
        (problem_v1(401, 135, "Timestamp out of bounds."), Blocked, "clock"),
        (Answer.html("Payment Required", 402), Blocked, "Buy credits"),
        (problem(403, "Not configured", PROBLEM + "oauth1-permissions"), Blocked, "Read and write"),
        (problem(403, "You must use keys of a Project", PROBLEM + "client-forbidden"), Blocked, "project"),
        (problem_v1(403, 453, "You currently have access to a subset of X API V2 endpoints"), Blocked, "doctor"),
        (problem_v1(401, 261, "Application cannot perform write actions."), Blocked, "Read and write"),
        (
            problem(403, "The user used for authentication is suspended", PROBLEM + "user-suspended"),
            Blocked,
            "suspended",
        ),
        (problem_v1(403, 326, "this account is temporarily locked"), Blocked, "locked"),
        (problem(429, "Usage cap exceeded: Monthly product cap", PROBLEM + "usage-capped"), Blocked, "quota"),
        (problem_v1(403, 185, "User is over daily status update limit."), Unavailable, "today"),
        (problem_v1(403, 226, "This request looks like it might be automated."), Unavailable, "automated"),
        (Answer.html("<h1>Forbidden by the firewall</h1>", 403), Unavailable, "proxy"),
        (Answer.html("<h1>Who are you?</h1>", 401), Unavailable, "proxy"),
        (problem(404, "Not Found"), Unavailable, "server's address"),
    ],
)
def test_the_meaning_of_an_answer_to_a_post(
    channel: X, server: FakeXServer, answer: Answer, kind: type[ChannelError], says: str
) -> None:
    request = channel.prepare(a_post(), ())
    server.fail_next(*CREATE, answer)
    error = error_of(lambda: channel.send(request))
    assert type(error) is kind
    assert says in str(error)
    assert str(answer.status) in error.code
    assert "elsewhere" not in str(error)
    assert getattr(error, "fallback", None) is None
    assert error.__context__ is None
    assert len(calls(server, CREATE)) == 1
    assert server.posts == ()
    channel.send(request)
    assert len(server.posts) == 1


def test_a_reply_that_x_does_not_take_may_be_a_post_of_its_own(channel: X, server: FakeXServer) -> None:
    opening = send_post(channel, a_post("Début"))
    server.fail_next(*CREATE, NO_REPLY)
    error = error_of(lambda: send_post(channel, a_post("Fin"), opening))
    assert isinstance(error, Refused)
    assert error.fallback == "standalone"
    assert 'link_mode = "standalone"' in str(error)
    send_post(channel, a_post("Fin"))
    assert [post.text for post in server.posts] == ["Début", "Fin"]


def test_an_upload_that_was_lost(channel: X, server: FakeXServer) -> None:
    post = a_post(pictures=(a_picture(),))
    request = channel.prepare(post, ())
    server.forget_media()
    for _ in range(2):
        error = error_of(lambda: channel.send(request))
        assert isinstance(error, Refused)
        assert error.fallback == "prepare"
        server.fail_next(*CREATE, problem_v1(400, 324, "The validation of media ids failed."))
    server.recover()
    send_post(channel, post.model_copy(update={"variant": 1}))
    assert server.posts[0].images[0].data == JPEG


RESET = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "290"}, 290),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(RESET + 42), "Retry-After": "7"}, 42),
        (
            {
                "x-rate-limit-remaining": "99",
                "x-rate-limit-reset": str(RESET + 42),
                "x-app-limit-24hour-remaining": "0",
                "x-app-limit-24hour-reset": str(RESET + 7200),
                "x-user-limit-24hour-remaining": "0",
                "x-user-limit-24hour-reset": str(RESET + 3600),
            },
            7200,
        ),
        ({"x-user-limit-24hour-remaining": "0", "x-user-limit-24hour-reset": str(RESET + 10**6)}, 86_400),
    ],
)
def test_a_rate_limit_holds_for_the_account(
    channel: X, server: FakeXServer, clock: FakeClock, headers: dict[str, str], seconds: int | None
) -> None:
    request = channel.prepare(a_post(), ())
    server.fail_next(*CREATE, problem(429, "Too Many Requests", title="Too Many Requests", **headers))
    error = error_of(lambda: channel.send(request))
    assert isinstance(error, Unavailable)
    assert error.whole_channel
    assert error.retry_at == (None if seconds is None else NOW + timedelta(seconds=seconds))
    assert clock.slept == []
    assert len(calls(server, CREATE)) == 1


def test_a_quota_of_a_day_comes_back_by_itself(channel: X, server: FakeXServer) -> None:
    request = channel.prepare(a_post(), ())
    server.fail_next(*CREATE, problem(429, "Usage cap exceeded: Daily product cap", PROBLEM + "usage-capped"))
    error = error_of(lambda: channel.send(request))
    assert isinstance(error, Unavailable)
    assert (error.whole_channel, error.retry_at) == (True, NOW + timedelta(seconds=900))


# --- signatures and tokens ---


def test_a_netrc_does_not_replace_our_token(
    rotating: Open, server: FakeXServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert rotating(client_secret=SecretStr(server.client[1])).whoami().id == server.number


def test_an_app_without_a_secret_names_itself_in_the_form(clock: FakeClock, store: InMemoryStateStore) -> None:
    with FakeXServer(client_secret="", now=clock.now) as server:
        channel = open_channel(
            X,
            handle="police34",
            client_id=server.client[0],
            refresh_token=SecretStr(server.refresh_token),
            service=server.url,
            clock=clock,
            store=store,
        )
        assert channel.whoami().id == server.number
        channel.close()
        assert calls(server, TOKEN)[0].headers["Authorization"] is None


def test_a_new_pair_is_stored_before_it_is_used(rotating: Open, server: FakeXServer) -> None:
    used: list[int] = []

    class Watched(InMemoryStateStore):
        def compare_and_swap(self, name: str, value: str, *, version: int | None) -> bool:
            if name == "tokens":
                used.append(len(calls(server, ME)))
            return super().compare_and_swap(name, value, version=version)

    rotating(store=Watched()).whoami()
    assert used == [0]


def test_a_lost_answer_to_a_renewal_is_reported_as_such(rotating: Open, server: FakeXServer) -> None:
    channel = rotating()
    server.fail_next(*TOKEN, Disconnect(), effect=True)
    assert type(error_of(channel.whoami)) is Unavailable
    error = error_of(channel.whoami)
    assert type(error) is Blocked
    assert "successor got lost" in str(error)


def test_many_find_the_token_expired_and_one_renews_it(rotating: Open, server: FakeXServer) -> None:
    channels = [rotating() for _ in range(8)]
    channels[0].whoami()
    server.expire_access()
    start = Barrier(8)
    seen: list[str] = []

    def run(channel: X) -> None:
        start.wait()
        seen.append(channel.whoami().id)

    threads = [Thread(target=run, args=(channel,)) for channel in channels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(seen), server.renewals) == (8, 2)


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (Answer.json({"error": "invalid_grant"}, 400), Blocked, "Authorise the app"),
        (Answer.json({"error": "unauthorized_client"}, 401), Blocked, "client_id"),
        (problem(429, "Too Many Requests"), Unavailable, "wait"),
        (Answer.html("<h1>Portal</h1>", 403), Unavailable, "proxy"),
        (Answer.json({"access_token": "a", "refresh_token": None}), Unavailable, "cannot be read"),
    ],
)
def test_a_renewal_is_tried_once_and_reported_plainly(
    rotating: Open, server: FakeXServer, answer: Answer | Disconnect, kind: type[ChannelError], says: str
) -> None:
    server.fail_next(*TOKEN, answer, times=9)
    error = error_of(lambda: rotating().prepare(a_post(), ()))
    assert type(error) is kind
    assert says in str(error)
    assert len(server.requests) == 1


@pytest.mark.parametrize("kept", ["no json", None])
def test_kept_tokens_that_are_not_ours_are_replaced(
    rotating: Open, server: FakeXServer, store: InMemoryStateStore, kept: str | None
) -> None:
    other = {"owner": "other", "access": "a", "refresh": "r"}
    store.compare_and_swap("tokens", kept or json.dumps(other), version=None)
    assert rotating().whoami().id == server.number


def test_a_renewal_by_another_process_that_takes_too_long(rotating: Open, store: InMemoryStateStore) -> None:
    channel = rotating(timeout=0.02)
    with store.lease("tokens", seconds=1):
        error = error_of(channel.whoami)
    assert type(error) is Unavailable
    assert "another process" in str(error)


def test_a_pair_that_could_not_be_stored_is_stored_by_the_next_call(rotating: Open, server: FakeXServer) -> None:
    class Stumbling(InMemoryStateStore):
        stumbles = 1

        def compare_and_swap(self, name: str, value: str, *, version: int | None) -> bool:
            if self.stumbles:
                self.stumbles -= 1
                raise JournalError("the disk is full")
            return super().compare_and_swap(name, value, version=version)

    store = Stumbling()
    channel = rotating(store=store)
    error = error_of(channel.whoami)
    assert type(error) is Unavailable
    assert "stored" in str(error)
    assert store.load("tokens") is None
    assert channel.whoami().id == server.number  # a second renewal would find the refresh token used up
    assert server.renewals == 1
    assert store.load("tokens") is not None


def test_a_lease_that_ran_out_does_not_undo_the_others_tokens(rotating: Open, server: FakeXServer) -> None:
    class Overtaken(InMemoryStateStore):
        def compare_and_swap(self, name: str, value: str, *, version: int | None) -> bool:
            if name == "tokens" and version is None:
                super().compare_and_swap(name, value, version=None)  # the other one's, which is kept
                return False
            return super().compare_and_swap(name, value, version=version)

    store = Overtaken()
    assert rotating(store=store).whoami().id == server.number
    kept = store.load("tokens")
    assert kept is not None
    assert kept.version == 1


def test_a_refresh_token_that_another_process_has_just_used(rotating: Open, server: FakeXServer) -> None:
    class Late(InMemoryStateStore):
        """While we ask, another process, whose lease we took for dead, stores what it got."""

        def __init__(self) -> None:
            super().__init__()
            self.waiting: list[str] = []

        def supersede_partial_sends(self, _: object) -> Answer:
            kept = self.load("tokens")
            self.compare_and_swap("tokens", self.waiting.pop(), version=kept.version if kept else None)
            return Answer.json({"error": "invalid_request"}, 400)

    store = Late()
    channel = rotating(store=store)
    channel.whoami()
    kept = store.load("tokens")
    assert kept is not None
    fresh = json.loads(kept.value) | {"access": "theirs"}
    store.waiting.append(json.dumps(fresh))
    server.expire_access()
    server.on(*TOKEN, store.supersede_partial_sends)
    server.fail_next(*ME, problem(401, "Unauthorized"))
    server.fail_next(*ME, Answer.json({"data": {"id": "7", "username": "police34"}}))
    assert channel.whoami().id == "7"
    assert calls(server, ME)[-1].headers["Authorization"] == "Bearer theirs"


# --- taking back, closing ---


def test_a_post_of_another_account_is_not_deleted(channel: X, server: FakeXServer) -> None:
    ref = send_post(channel, a_post())
    for change in ({"account": "other"}, {"id": "../2/users/me"}):
        assert type(error_of(lambda change=change: channel.delete(ref.model_copy(update=change)))) is Refused  # type: ignore[misc]  # a default binds it
    assert len(server.posts) == 1


# --- secrets ---


def test_a_server_that_quotes_a_secret_does_not_spread_it(
    opened: Open, rotating: Open, server: FakeXServer, store: InMemoryStateStore
) -> None:
    said = []
    for make, own in ((opened, (*server.consumer, *server.access)), (rotating, (server.client[1],))):
        channel = make()
        request = channel.prepare(a_post(), ())
        kept = store.load("tokens")
        pair = json.loads(kept.value).values() if kept else ()
        leaky = " ".join(("Bad desk@police.example", *own, *pair, "eyJhbGciOiJIUzI1NiJ9" * 3))
        for route, trouble in (
            (CREATE, problem(400, leaky)),
            (CREATE, problem(403, leaky, PROBLEM + leaky, leaky)),
            (CREATE, Answer.json({"errors": [{"message": leaky, "code": 1}]}, 400)),
            (CREATE, Answer.json({"data": {"id": leaky}}, 201)),
            *([(TOKEN, Answer.json({"error": leaky, "error_description": leaky}, 400))] if kept else []),
        ):
            if route == TOKEN:
                server.expire_access()
            server.fail_next(*route, trouble)
            said += traceback.format_exception(error_of(lambda: channel.send(request)))  # noqa: B023 - called at once
    seen = "".join(said)
    assert [secret for secret in server.secrets if secret in seen] == []
    assert "desk@police.example" not in seen
    assert "eyJhbGci" not in seen
