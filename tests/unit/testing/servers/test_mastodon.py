"""The fake Mastodon server answers as the real servers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from policenotify.testing.fakes import FakeClock
from policenotify.testing.servers.mastodon import FakeMastodonServer, PostVersion

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n--\r\n" + b"0" * 100


class Caller:
    """A client of the account's owner."""

    def __init__(self, server: FakeMastodonServer, http: httpx.Client) -> None:
        self.server = server
        self.http = http
        self.token = server.token

    def call(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}", **how.pop("headers", {})}
        got = self.http.request(method, f"{self.server.url}/api/{path}", headers=headers, **how)
        said = got.json() if got.headers["Content-Type"] == "application/json" else got.text
        return {"http": got.status_code, "headers": got.headers, "list": said, **(said if type(said) is dict else {})}

    def post(self, status: str = "x", *, key: str = "", **more: Any) -> dict[str, Any]:
        headers = {"Idempotency-Key": key} if key else {}
        form = {f"{name}[]" if type(value) is list else name: value for name, value in more.items()}
        return self.call("POST", "v1/statuses", data={"status": status, **form}, headers=headers)

    def edit(self, id_: str, status: str, **more: Any) -> dict[str, Any]:
        return self.call("PUT", f"v1/statuses/{id_}", json={"status": status, **more})

    def upload(self, data: bytes = PNG, kind: str = "image/png", description: str = "La route") -> dict[str, Any]:
        files = {"file": ("a.png", data, kind)}
        return self.call("POST", "v2/media", files=files, data={"description": description})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client() as http:
        yield http


@pytest.fixture
def server(clock: FakeClock) -> Iterator[FakeMastodonServer]:
    with FakeMastodonServer(now=clock.now) as server:
        yield server


@pytest.fixture
def caller(server: FakeMastodonServer, http: httpx.Client) -> Caller:
    return Caller(server, http)


def test_a_status_as_written_and_as_displayed(caller: Caller, server: FakeMastodonServer) -> None:
    got = caller.post(" Salut &\nbonjour #A9 #12 (#B) @police34\n\nhttps://x.example/a?b=c ", visibility="unlisted")
    assert got["http"] == 200
    assert got["url"] == f"{server.url}/@police34/{got['id']}"
    assert got["created_at"] == "2026-03-02T06:30:00.000Z"
    assert got["content"].startswith("<p>Salut &amp;<br>bonjour <a")
    assert '<span class="invisible">https://</span>' in got["content"]
    (seen,) = server.posts
    assert seen.text.startswith("Salut &\nbonjour #A9")
    assert (seen.visibility, seen.language, seen.tags) == ("unlisted", "fr", ())
    caller.post("🔴 #A12 #2025 (#A12) #A_12.")
    assert server.posts[1].tags == ("A12", "A_12")


def test_a_key_publishes_once_for_an_hour(caller: Caller, server: FakeMastodonServer, clock: FakeClock) -> None:
    first = caller.post("Une", key="k")
    assert caller.post("Deux", key="k")["id"] == first["id"]
    assert caller.post("Deux", key="l")["id"] != first["id"]
    clock.pass_by(3599)
    assert caller.post("Une", key="k")["id"] == first["id"]
    server.remove(first["id"])
    assert caller.post("Une", key="k")["http"] == 404
    clock.pass_by(1)
    assert caller.post("Une", key="k")["http"] == 200
    assert [post.text for post in server.posts] == ["Deux", "Une"]


@pytest.mark.parametrize(
    ("status", "more", "code", "error"),
    [
        ("x" * 490, {"spoiler_text": "y" * 11}, 422, "limit of 500"),
        ("  ", {}, 422, "can't be blank"),
        ("x", {"in_reply_to_id": "1"}, 404, "does not appear to exist"),
        ("x", {"media_ids": ["7"]}, 422, "Media 7 not found"),
    ],
)
def test_refusals_of_the_server(
    caller: Caller, server: FakeMastodonServer, status: str, more: dict[str, Any], code: int, error: str
) -> None:
    got = caller.post(status, **more)
    assert got["http"] == code
    assert error in got["error"]
    assert server.posts == ()


def test_limits_have_windows_and_no_retry_after(caller: Caller, server: FakeMastodonServer, clock: FakeClock) -> None:
    ref = caller.post()["id"]
    headers = caller.edit(ref, "y")["headers"]
    assert headers["Date"] == "Mon, 02 Mar 2026 06:30:00 GMT"
    server.use_up("statuses")
    got = caller.post()
    assert (got["http"], got["error"]) == (429, "Too many requests")
    assert got["headers"]["X-RateLimit-Reset"] == "2026-03-02T09:00:00.000000Z"
    assert "Retry-After" not in got["headers"]
    assert caller.edit(ref, "z")["http"] == 429
    clock.pass_by(3 * 3600)
    assert caller.edit(ref, "z")["http"] == 200
    server.use_up("all")
    assert caller.call("GET", f"v1/statuses/{ref}")["http"] == 429


def test_an_edit_removes_what_it_does_not_contain(caller: Caller, server: FakeMastodonServer, clock: FakeClock) -> None:
    media = caller.upload()["id"]
    ref = caller.post("x", spoiler_text="Accident", visibility="private", language="oc", media_ids=[media])
    clock.pass_by(60)
    caller.edit(ref["id"], "x", spoiler_text="Accident", media_ids=[media])
    assert server.posts[0].history == ()  # nothing has changed
    alt = [{"id": media, "description": "Le pont"}]
    caller.edit(ref["id"], "x", spoiler_text="Accident", media_ids=[media], media_attributes=alt)
    assert server.posts[0].images[0].alt == "Le pont"
    caller.edit(ref["id"], "y", sensitive="1")
    (seen,) = server.posts
    assert (seen.text, str(seen.warning), seen.sensitive, seen.images) == ("y", "", True, ())
    assert (seen.visibility, seen.language) == ("private", "oc")
    assert seen.edited_at == NOW + timedelta(seconds=60)
    assert seen.history[0] == PostVersion("x", "Accident", NOW)
    versions = caller.call("GET", f"v1/statuses/{ref['id']}/history")["list"]
    assert [each["content"] for each in versions] == ["<p>x</p>", "<p>x</p>", "<p>y</p>"]
    long = [{"id": media, "description": "x" * 1501}]
    assert caller.edit(ref["id"], "z", media_ids=[media], media_attributes=long)["http"] == 422
    assert caller.edit("1", "z")["http"] == 404


def test_gotosocial_counts_code_points_and_forgets_keys(http: httpx.Client) -> None:
    with FakeMastodonServer(software="gotosocial", now=lambda: NOW) as server:
        caller = Caller(server, http)
        assert caller.post("👨‍👩‍👧‍👦" * 80)["http"] == 400
        assert caller.post("x" * 474 + " https://www.police.fr/1234567890")["http"] == 400
        assert caller.post("x", language="zz")["http"] == 400
        assert caller.post("x", in_reply_to_id="1")["http"] == 404
        ids = {caller.post("x", key="k")["id"] for _ in range(2)}
        assert len(ids) == 2
        assert all(id_.startswith("01") for id_ in ids)
        server.use_up("all")
        assert caller.post()["http"] == 200
        assert caller.call("GET", "v2/instance")["version"] == "0.20.0"


def test_a_reply_to_a_deleted_post_starts_a_thread_on_mastodon_alone(http: httpx.Client) -> None:
    for software, shown in (("mastodon", ["Deux"]), ("gotosocial", [])):
        with FakeMastodonServer(software=software, now=lambda: NOW) as server:  # type: ignore[arg-type]  # one of both
            caller = Caller(server, http)
            opening = caller.post("Une")["id"]
            caller.post("Deux", in_reply_to_id=opening)
            assert [post.text for post in server.profile] == ["Une", "Deux"]
            server.remove(opening)
            assert [post.text for post in server.profile] == shown
