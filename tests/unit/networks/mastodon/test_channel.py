"""The Mastodon channel, through the unmodified SDK, against a server on the loopback."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from policenotify.channel import Post, PostRef
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
from policenotify.networks.mastodon.channel import Mastodon
from policenotify.testing.fakes import FakeClock, InMemoryStateStore
from policenotify.testing.servers import VisibleImage
from policenotify.testing.servers.http import Answer, Disconnect, FakeServer, RecordedRequest
from policenotify.testing.servers.mastodon import FakeMastodonServer, PostVersion
from tests.support import network_calls
from tests.support.channels import open_channel
from tests.support.network_calls import JPEG, NOW, a_picture, error_of, send_post
from tests.support.patience import ANSWERED

TOKEN = "server-token-0123456789"
POST = "/api/v1/statuses"
ONE = "/api/v1/statuses/*"
TIMELINE = "/api/v1/accounts/*/statuses"
WHO = "/api/v1/accounts/verify_credentials"
V2 = "/api/v2/instance"
HIDDEN = Answer.json({"error": "Not found"}, 404)
UPLOAD, MEDIA = "/api/v2/media", "/api/v1/media/*"

Open = Callable[..., Mastodon]


@pytest.fixture
def server(clock: FakeClock) -> Iterator[FakeMastodonServer]:
    with FakeMastodonServer(token=TOKEN, now=clock.now) as server:
        yield server


@pytest.fixture
def opened(server: FakeMastodonServer, clock: FakeClock, store: InMemoryStateStore, exit_stack: ExitStack) -> Open:
    """Open channels on the server."""

    def make(**other: Any) -> Mastodon:
        options: dict[str, Any] = {
            "server": server.url,
            "handle": "police34",
            "token": SecretStr(TOKEN),
            "timeout": ANSWERED,
            "clock": clock,
            "store": store,
        }
        return exit_stack.enter_context(closing(open_channel(Mastodon, **options | other)))

    return make


@pytest.fixture
def channel(opened: Open) -> Mastodon:
    return opened()


def a_post(text: str = "Route barrée à Évian.", **other: Any) -> Post:
    return network_calls.a_post(text, **{"language": "fr-FR"} | other)


def refusal(status: int, error: object = "So it is", **headers: str) -> Answer:
    return Answer.json({"error": error}, status, headers=headers)


def paths(server: FakeServer) -> list[str]:
    return [f"{seen.method} {seen.path}" for seen in server.requests]


def posted(server: FakeServer) -> list[RecordedRequest]:
    return [seen for seen in server.requests if (seen.method, seen.path) == ("POST", POST)]


# --- what it is, before anything is sent ---


def test_before_it_knows_its_server_it_claims_what_is_safe(channel: Mastodon) -> None:
    can = channel.capabilities
    assert (can.budget.limit, can.images, can.replies, can.deletes) == (500, 4, True, True)
    assert (can.idempotency_window, can.edits) == (timedelta(0), False)
    assert can.lookup_delay == timedelta(minutes=1)
    assert (can.html, can.title, can.recipients, can.hashtags) == (False, False, False, True)
    whole = "https://police.fr/a/very/long/way/to/say/it @a@b.fr"
    assert can.budget.measure(whole) == len(whole)  # GoToSocial counts so, and refuses for good
    assert Mastodon.discovers_capabilities


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"handle": "police 34"}, "handle:"),
        ({"server": "http://social.example"}, "server:"),
        ({"server": "https://social.example/api"}, "server:"),
        ({"token": SecretStr("two words")}, "token:"),
        ({"sensitive": ("Missing person",)}, r"sensitive\[0\]: .* of the form"),
        ({"content_warnings": {"Missing person": "Image"}}, r"content_warnings\.Missing person: .* of the form"),
        ({"content_warnings": {"missing": "x" * 101}}, r"content_warnings\.missing: .* at most 100"),
    ],
)
def test_options_that_cannot_be_right_are_named(opened: Open, options: dict[str, Any], field: str) -> None:
    with pytest.raises(SettingsError, match=field):
        opened(**options)


# --- what readers see ---


def test_a_post_as_a_reader_sees_it(channel: Mastodon, server: FakeMastodonServer) -> None:
    text = "🚨 Genève\u0301 barrée #évite https://straße.example/é\n\n@prefet@other.example & <b>"
    ref = send_post(channel, a_post(text))
    (seen,) = server.posts
    assert (seen.id, seen.url, seen.text) == (ref.id, ref.url, text)
    assert (seen.language, seen.visibility, str(seen.warning), seen.sensitive) == ("fr", "public", "", False)
    assert seen.tags == ("évite",)
    assert (seen.parent, seen.images, seen.edited_at, seen.history) == (None, (), None, ())
    assert ref.account == channel.account == f"police34@{server.url.removeprefix('http://')}"


def test_a_first_post_with_a_picture_is_five_calls(channel: Mastodon, server: FakeMastodonServer) -> None:
    """No hidden question for the version; whose the token is; the upload that may take its time; a look at the post."""
    ref = send_post(channel, a_post(pictures=(a_picture(),)))
    assert paths(server) == [f"GET {V2}", f"GET {WHO}", f"POST {UPLOAD}", f"POST {POST}", f"GET {POST}/{ref.id}"]
    assert server.posts[0].images == (VisibleImage("La route sous l’eau", JPEG, "image/jpeg"),)


def test_the_audience_of_a_post_depends_on_its_stage(
    channel: Mastodon, opened: Open, server: FakeMastodonServer
) -> None:
    for stage in Stage:
        send_post(channel, a_post(f"Stage {stage}", stage=stage))
    assert [post.visibility for post in server.posts] == ["public", "unlisted", *["public"] * 4]
    set_otherwise = opened(visibility={Stage.UPDATE: "public", Stage.STANDALONE: "private"})
    for stage in (Stage.OPENING, Stage.UPDATE, Stage.STANDALONE):
        send_post(set_otherwise, a_post(f"Again {stage}", stage=stage))
    assert [post.visibility for post in server.posts[-3:]] == ["public", "public", "private"]


def test_a_content_warning_precedes_its_category_and_counts(opened: Open, server: FakeMastodonServer) -> None:
    channel = opened(content_warnings={"disaster": " Images choquantes ", "x": "Courte"})
    assert channel.capabilities.budget.limit == 500 - len("Images choquantes")
    send_post(channel, a_post("x" * 500))
    send_post(channel, a_post("x" * 483, category="disaster"))
    assert [(str(post.warning), post.sensitive) for post in server.posts] == [("", False), ("Images choquantes", True)]
    error = error_of(lambda: channel.prepare(a_post("x" * 484, category="disaster"), ()))
    assert type(error) is Refused
    assert "501" in str(error)


# --- the library's traps ---


def test_a_file_named_like_the_token_is_not_read(
    channel: Mastodon, server: FakeMastodonServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / TOKEN).write_text("another\nhttps://elsewhere.example\n")
    monkeypatch.chdir(tmp_path)
    send_post(channel, a_post())
    assert posted(server)[0].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-RateLimit-Reset": "soon", "X-RateLimit-Remaining": "many"},  # the library raises over both
        {"Deprecation": "true"},  # the library warns; as an error, it escapes
        {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-03-02T09:00:00.000000Z"},
    ],
)
def test_a_success_status_counts_despite_an_error_of_the_library(
    channel: Mastodon, server: FakeMastodonServer, headers: dict[str, str]
) -> None:
    said = {"id": "77", "url": f"{server.url}/@police34/77"}
    channel.whoami()
    server.fail_next("POST", POST, Answer.json(said, headers=headers))
    server.fail_next("GET", ONE, Answer.json(said))
    assert send_post(channel, a_post()).id == "77"


def test_a_limit_on_posts_stops_the_channel_and_one_on_pictures_does_not(
    channel: Mastodon, server: FakeMastodonServer
) -> None:
    server.use_up("media")
    error = error_of(lambda: channel.prepare(a_post(pictures=(a_picture(),)), ()))
    assert isinstance(error, Unavailable)
    assert error.retry_at == NOW + timedelta(minutes=30)
    assert not error.whole_channel
    server.use_up("statuses")
    error = error_of(lambda: send_post(channel, a_post()))
    assert isinstance(error, Unavailable)
    assert error.whole_channel


@pytest.mark.parametrize("hidden", [Answer.html("<h1>WAF</h1>", 403), Answer.json({"version": 4})])
def test_a_server_that_hides_its_limits_is_posted_to_all_the_same(
    channel: Mastodon, server: FakeMastodonServer, hidden: Answer
) -> None:
    server.fail_next("GET", V2, hidden)
    send_post(channel, a_post(pictures=(a_picture(),)))
    assert paths(server)[:4] == [f"GET {V2}", f"GET {WHO}", f"POST {UPLOAD}", f"POST {POST}"]
    can = channel.capabilities
    assert not can.idempotency_window
    assert can.budget.limit == 500


def test_the_first_long_post_fits_a_server_that_counts_addresses_in_full(opened: Open) -> None:
    with server_of(opened, "gotosocial") as (channel, server):
        budget = channel.capabilities.budget
        text = "https://police.example/" + "a" * 40 + " x" * 300
        while not budget.fits(text):
            text = text[:-1]
        send_post(channel, a_post(text))
        assert len(server.posts) == 1


def test_a_limit_that_was_lower_than_assumed_counts_from_then_on(channel: Mastodon, server: FakeMastodonServer) -> None:
    limits = {"statuses": {"max_characters": 300}}
    server.fail_next("GET", V2, Answer.json({"version": "4.5.2", "configuration": limits}))
    error = error_of(lambda: channel.prepare(a_post("x" * 400), ()))
    assert type(error) is Refused
    assert "publish the message again" in str(error.remedy)
    assert channel.capabilities.budget.limit == 300


def test_a_server_that_asks_us_to_wait_is_not_posted_to(channel: Mastodon, server: FakeMastodonServer) -> None:
    server.fail_next("GET", V2, refusal(429, **{"Retry-After": "60"}))
    error = error_of(lambda: channel.prepare(a_post(), ()))
    assert isinstance(error, Unavailable)
    assert error.retry_at == NOW + timedelta(seconds=60)


def test_the_limits_are_read_once_a_day(
    channel: Mastodon, opened: Open, server: FakeMastodonServer, clock: FakeClock
) -> None:
    def asked() -> int:
        return sum(path.startswith(f"GET {V2}") for path in paths(server))

    for each in (channel, channel, opened()):
        each.prepare(a_post(), ())
    assert asked() == 1
    clock.pass_by(86_400)
    channel.prepare(a_post(), ())
    opened().prepare(a_post(), ())
    assert asked() == 2
    clock.pass_by(86_400)
    server.on("GET", V2, HIDDEN)
    channel.prepare(a_post(), ())
    assert channel.capabilities.edits  # as it was


@pytest.mark.parametrize("value", ["[1]", '{"major": "many"}'])
def test_limits_stored_in_another_form_are_read_again(opened: Open, store: InMemoryStateStore, value: str) -> None:
    store.compare_and_swap("instance", value, version=None)
    channel = opened()
    assert not channel.capabilities.edits
    channel.prepare(a_post(), ())
    assert opened().capabilities.edits


def test_a_keep_that_fails_costs_no_post(opened: Open, server: FakeMastodonServer) -> None:
    class Broken(InMemoryStateStore):
        def load(self, name: str) -> None:
            raise JournalError(name)

        def compare_and_swap(self, name: str, value: str, *, version: int | None) -> bool:
            raise JournalError(f"{name} {value} {version}")

    channel = opened(store=Broken())
    assert not channel.capabilities.edits
    send_post(channel, a_post())
    assert len(server.posts) == 1


# --- once, and never twice ---


def test_the_key_follows_from_the_post_and_its_variant(channel: Mastodon, server: FakeMastodonServer) -> None:
    same = a_post("Fin d’intervention")
    other = same.model_copy(update={"key": "f" * 64})
    for post in (same, same, other, same.model_copy(update={"variant": 1})):
        send_post(channel, post)
    keys = [seen.headers["Idempotency-Key"] for seen in posted(server)]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert len(server.posts) == 3


def test_a_post_deleted_by_hand_stays_deleted(channel: Mastodon, server: FakeMastodonServer) -> None:
    opening = send_post(channel, a_post("Route barrée"))
    for request in (channel.prepare(a_post("Une"), ()), channel.prepare(a_post("Deux"), (opening,))):
        server.remove(channel.send(request).id)
        error = error_of(lambda request=request: channel.send(request))  # type: ignore[misc]  # mypy cannot infer it
        assert isinstance(error, Refused)
        assert error.fallback is None
        assert "deleted on Mastodon" in str(error)


def test_a_404_of_another_software_is_a_doubt(opened: Open) -> None:
    with FakeMastodonServer(token=TOKEN, software="gotosocial", now=lambda: NOW) as server:
        channel = opened(server=server.url, store=InMemoryStateStore())
        request = channel.prepare(a_post(), ())
        server.fail_next("POST", POST, refusal(404))
        assert type(error_of(lambda: channel.send(request))) is Unconfirmed
        channel.close()


# --- posts that were deleted by hand ---

SOFTWARE = ("mastodon", "gotosocial")


@contextmanager
def server_of(opened: Open, software: Any) -> Iterator[tuple[Mastodon, FakeMastodonServer]]:
    with FakeMastodonServer(token=TOKEN, software=software, now=lambda: NOW) as server:
        channel = opened(server=server.url, store=InMemoryStateStore())
        yield channel, server
        channel.close()


def three_posts(channel: Mastodon) -> list[PostRef]:
    thread: list[PostRef] = []
    for text in ("Route barrée", "Toujours barrée", "Bouchon de 3 km"):
        thread.append(send_post(channel, a_post(text), *thread))
    return thread


@pytest.mark.parametrize("software", SOFTWARE)
@pytest.mark.parametrize("deleted", [(), (1,), (0, 2), (0, 1, 2)])
def test_a_reply_hangs_where_its_readers_see_it(opened: Open, software: str, deleted: tuple[int, ...]) -> None:
    with server_of(opened, software) as (channel, server):
        thread = three_posts(channel)
        for number in deleted:
            server.remove(thread[number].id)
        seen = {post.id for post in server.profile}
        newest = next((ref.id for ref in reversed(thread) if ref.id in seen), None)
        if newest is None:
            error = error_of(lambda: channel.prepare(a_post("Fin"), tuple(thread)))
            assert isinstance(error, Refused)
            assert error.fallback == "standalone"
        end = send_post(channel, a_post("Fin"), *(thread if newest else ()))
        assert {post.id: post.parent for post in server.profile}[end.id] == newest


@pytest.mark.parametrize("software", SOFTWARE)
def test_a_stored_reply_is_not_sent_below_a_deleted_post(opened: Open, software: str) -> None:
    with server_of(opened, software) as (channel, server):
        opening, update, _ = thread = three_posts(channel)
        request = channel.prepare(a_post("Fin"), tuple(thread))
        server.remove(thread[2].id)
        error = error_of(lambda: channel.send(request))
        assert isinstance(error, Refused)
        assert error.fallback == "prepare"
        assert len(server.posts) == 2
        again = channel.prepare(a_post("Fin", variant=1), tuple(thread))
        assert channel.send(again).id in {post.id for post in server.thread(opening.id)}
        assert again.body["in_reply_to_id"] == update.id


@pytest.mark.parametrize("status", [404, 422])
def test_a_parent_deleted_at_the_last_moment_costs_only_the_thread(
    channel: Mastodon, server: FakeMastodonServer, status: int
) -> None:
    opening = send_post(channel, a_post("Route barrée"))
    request = channel.prepare(a_post("Fin"), (opening,))
    server.remove(opening.id)
    server.fail_next("POST", POST, refusal(status))
    error = error_of(lambda: channel.send(request))
    assert isinstance(error, Refused)
    assert error.fallback == "prepare"


def test_a_parent_that_a_late_copy_does_not_show_is_there(
    channel: Mastodon, server: FakeMastodonServer, clock: FakeClock
) -> None:
    opening = send_post(channel, a_post("Route barrée"))
    server.fail_next("GET", ONE, refusal(404))
    before = clock.now()
    send_post(channel, a_post("Fin"), opening)
    assert server.posts[1].parent == opening.id
    assert timedelta(0) < clock.now() - before < timedelta(seconds=10)


@pytest.mark.parametrize("software", SOFTWARE)
def test_a_proxy_page_is_not_a_deleted_parent(opened: Open, software: str) -> None:
    with server_of(opened, software) as (channel, server):
        opening = send_post(channel, a_post("Route barrée"))
        server.always(Answer.html("<h1>404</h1>", 404))
        assert type(error_of(lambda: channel.prepare(a_post("Fin"), (opening,)))) is Unavailable


# --- parents that are there, or cannot be asked for ---


def test_a_parent_that_is_there_is_not_blamed(channel: Mastodon, server: FakeMastodonServer) -> None:
    request = channel.prepare(a_post("Fin"), (send_post(channel, a_post("Route barrée")),))
    server.fail_next("POST", POST, refusal(422, "Validation failed: Tags are forbidden"))
    error = error_of(lambda: channel.send(request))
    assert isinstance(error, Refused)
    assert error.fallback is None
    assert "Tags are forbidden" in str(error)


@pytest.mark.parametrize("trouble", [Disconnect(), Answer.html("<h1>Portal</h1>")])
def test_a_parent_that_cannot_be_looked_up(
    channel: Mastodon, server: FakeMastodonServer, trouble: Answer | Disconnect
) -> None:
    request = channel.prepare(a_post("Fin"), (send_post(channel, a_post("Route barrée")),))
    server.fail_next("POST", POST, refusal(404))
    server.fail_next("GET", ONE, trouble)
    assert type(error_of(lambda: channel.send(request))) is Unavailable


# --- what an answer means ---


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (refusal(503, "temporary problem"), Unconfirmed, "temporary problem"),  # another holds the key's lock
        (refusal(404), Refused, "published before"),
        (Answer.html("<h1>Not found</h1>", 404), Unconfirmed, ""),
        (refusal(422, "Validation failed: Text character limit of 500 exceeded"), Refused, "limit of 500"),
        (Answer.html("<h1>Too large for this proxy</h1>", 413), Refused, ""),
        (refusal(401, "The access token is invalid"), Blocked, "doctor"),
        (refusal(403, "This action is outside the authorized scopes"), Blocked, "write:statuses"),
        (refusal(403, "Your login is currently disabled"), Blocked, "disabled"),
        (Answer.html("<h1>Forbidden by the firewall</h1>", 403), Unavailable, "proxy"),
    ],
)
def test_the_meaning_of_an_answer_to_a_post(
    channel: Mastodon, server: FakeMastodonServer, answer: Answer, kind: type[ChannelError], says: str
) -> None:
    request = channel.prepare(a_post(), ())
    server.fail_next("POST", POST, answer)
    error = error_of(lambda: channel.send(request))
    assert type(error) is kind
    assert says in str(error)
    assert getattr(error, "fallback", None) is None
    assert error.published == ("unknown" if kind is Unconfirmed else "no")
    assert server.posts == ()
    channel.send(request)
    assert len(server.posts) == 1


def test_a_post_that_is_not_shown_is_in_doubt(channel: Mastodon, server: FakeMastodonServer, clock: FakeClock) -> None:
    server.drops_posts = True
    error = error_of(lambda: send_post(channel, a_post()))
    assert type(error) is Unconfirmed
    assert "spam filter" in str(error)
    assert clock.slept == [2.0]


@pytest.mark.parametrize("troubles", [[refusal(404)], [Disconnect()], [refusal(404), Disconnect()]])
def test_a_post_that_is_only_late_is_not_swallowed(
    channel: Mastodon, server: FakeMastodonServer, troubles: list[Answer | Disconnect]
) -> None:
    for trouble in troubles:
        server.fail_next("GET", ONE, trouble)
    assert send_post(channel, a_post()).id == server.posts[0].id


def test_a_text_that_is_too_long_is_refused_before_anything_is_uploaded(
    channel: Mastodon, server: FakeMastodonServer
) -> None:
    error = error_of(lambda: channel.prepare(a_post("x" * 501, pictures=(a_picture(),)), ()))
    assert type(error) is Refused
    assert "501" in str(error)
    assert "500" in str(error)
    assert paths(server) == [f"GET {V2}"]


# --- pictures ---


def test_pictures_that_take_their_time_are_waited_for(
    channel: Mastodon, server: FakeMastodonServer, clock: FakeClock
) -> None:
    server.polls = 3
    send_post(channel, a_post(pictures=(a_picture(), a_picture(JPEG + b"2", alt="La déviation"))))
    assert [image.alt for image in server.posts[0].images] == ["La route sous l’eau", "La déviation"]
    assert clock.slept == [0.5, 1.0, 2.0, 4.0] * 2


def test_pictures_are_not_waited_for_without_an_end(
    channel: Mastodon, server: FakeMastodonServer, clock: FakeClock
) -> None:
    server.polls = 99
    error = error_of(lambda: channel.prepare(a_post(pictures=(a_picture(),)), ()))
    assert type(error) is Unavailable
    assert sum(clock.slept) < 40


def test_a_picture_that_cannot_be_processed_is_refused(channel: Mastodon, server: FakeMastodonServer) -> None:
    server.polls, server.processing_fails = 1, True
    error = error_of(lambda: channel.prepare(a_post(pictures=(a_picture(),)), ()))
    assert type(error) is Refused
    assert "Error processing" in str(error)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Disconnect(), Unavailable),
        (Answer.json({"id": 7}), Unavailable),
        (refusal(422, "Validation failed: File content type is invalid"), Refused),
        (Answer.html("<h1>Too large for this proxy</h1>", 413), Refused),
        (refusal(401), Blocked),
    ],
)
def test_a_failed_upload_does_not_put_the_post_in_doubt(
    channel: Mastodon, server: FakeMastodonServer, answer: Answer | Disconnect, kind: type[ChannelError]
) -> None:
    server.fail_next("POST", UPLOAD, answer)
    error = error_of(lambda: channel.prepare(a_post(pictures=(a_picture(),)), ()))
    assert type(error) is kind
    assert error.published == "no"


def test_an_upload_that_was_lost(channel: Mastodon, server: FakeMastodonServer) -> None:
    request = channel.prepare(a_post(pictures=(a_picture(),)), ())
    server.forget_media()
    error = error_of(lambda: channel.send(request))
    assert isinstance(error, Refused)
    assert (error.fallback, error.code) == ("prepare", "422")
    send_post(channel, a_post(pictures=(a_picture(),), variant=1))
    assert server.posts[0].images[0].data == JPEG


# --- editing, taking back ---


def test_an_edit_repeats_everything(opened: Open, server: FakeMastodonServer, clock: FakeClock) -> None:
    channel = opened(content_warnings={"traffic": "Accident"})
    wrong = a_post("A12, sortie 13", pictures=(a_picture(), a_picture(JPEG + b"2", alt="Plan")), stage=Stage.UPDATE)
    ref = send_post(channel, wrong)
    clock.pass_by(60)
    right = a_post("A12, sortie 14", pictures=(a_picture(alt="La route"), a_picture(JPEG + b"2", alt="Le plan")))
    request = channel.prepare(right, ())
    assert channel.edit(ref, request) == ref
    assert channel.edit(ref, request) == ref  # sent again, it changes nothing
    (seen,) = server.posts
    assert (seen.text, str(seen.warning), seen.sensitive) == ("A12, sortie 14", "Accident", True)
    assert [(image.alt, image.data) for image in seen.images] == [("La route", JPEG), ("Le plan", JPEG + b"2")]
    assert (seen.visibility, seen.language) == ("unlisted", "fr")
    assert seen.history == (PostVersion("A12, sortie 13", "Accident", NOW),)
    assert seen.edited_at == NOW + timedelta(seconds=60)


def test_a_post_of_another_account_is_neither_edited_nor_deleted(channel: Mastodon, server: FakeMastodonServer) -> None:
    ref, request = send_post(channel, a_post("Faux")), channel.prepare(a_post("Juste"), ())
    for change in ({"account": "other@x"}, {"id": "../1"}):
        foreign = ref.model_copy(update=change)
        assert type(error_of(lambda: channel.edit(foreign, request))) is Refused  # noqa: B023 - called at once
        assert type(error_of(lambda: channel.delete(foreign))) is Refused  # noqa: B023 - called at once
    assert [post.text for post in server.posts] == ["Faux"]


@pytest.mark.parametrize("answer", [refusal(404), Answer.html("<h1>404 Not Found</h1>", 404)])
def test_a_server_that_does_not_delete_says_so(channel: Mastodon, server: FakeMastodonServer, answer: Answer) -> None:
    ref = send_post(channel, a_post())
    server.fail_next("DELETE", ONE, answer)
    error = error_of(lambda: channel.delete(ref))
    assert type(error) is Refused
    assert "still there" in str(error)
    channel.delete(ref)
    channel.delete(ref)  # it is not there any more
    assert server.posts == ()


def test_a_deleted_post_cannot_be_edited(channel: Mastodon, server: FakeMastodonServer) -> None:
    ref = send_post(channel, a_post("Faux"))
    server.remove(ref.id)
    assert type(error_of(lambda: channel.edit(ref, channel.prepare(a_post("Juste"), ())))) is Refused


# --- who we are ---


def test_whoami(channel: Mastodon, server: FakeMastodonServer) -> None:
    account = channel.whoami()
    assert (account.id, account.name, account.url) == ("109000000000000001", "police34", f"{server.url}/@police34")
    assert paths(server) == [f"GET {WHO}", f"GET {V2}"]
    server.fail_next("GET", WHO, Answer.json({"id": "1", "username": "Police34"}))
    assert channel.whoami().url is None


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (Answer.json({"id": "1", "username": "mairie"}), Blocked, "@mairie, not to @police34"),
        (refusal(422, "This method requires an authenticated user"), Blocked, "authenticated user"),
        (Answer.html("<h1>422</h1>", 422), Blocked, "does not take the token"),
        (Answer.html("<h1>Portal</h1>"), Unavailable, "who we are"),
    ],
)
def test_whoami_of_another_account(
    channel: Mastodon, server: FakeMastodonServer, answer: Answer, kind: type[ChannelError], says: str
) -> None:
    server.fail_next("GET", WHO, answer)
    error = error_of(channel.whoami)
    assert type(error) is kind
    assert says in str(error)


# --- secrets ---


def test_a_server_that_quotes_a_secret_does_not_spread_it(channel: Mastodon, server: FakeMastodonServer) -> None:
    request = channel.prepare(a_post(), ())
    leaky = f"Bad {TOKEN} of desk@police.example"
    for trouble in (refusal(422, leaky), refusal(401, leaky), refusal(500, leaky), Answer.json({"id": leaky})):
        server.fail_next("POST", POST, trouble)
        error = error_of(lambda: channel.send(request))
        seen = "".join([repr(error), *traceback.format_exception(error)])
        assert TOKEN not in seen
        assert "desk@" not in seen


# --- whose the token is


def test_nothing_is_sent_with_the_token_of_another_account(opened: Open, server: FakeMastodonServer) -> None:
    with pytest.raises(Blocked, match="belongs to @police34, not to @prefet34"):
        opened(handle="prefet34").prepare(a_post(), ())
    assert not posted(server)


def test_the_owner_of_the_token_is_requested_once(opened: Open, server: FakeMastodonServer) -> None:
    for _ in range(2):
        opened().prepare(a_post(), ())
    assert paths(server).count(f"GET {WHO}") == 1
