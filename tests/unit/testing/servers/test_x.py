"""The fake X server answers as X, according to documents and observed answers."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
import requests
from requests_oauthlib import OAuth1

from policenotify.testing import FakeClock, FakeXServer
from policenotify.testing.servers.x import VisibleXPost
from tests.support.patience import ANSWERED

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100
NOT_PERMITTED = "You are not permitted to perform this action."


class Caller:
    """A client of the account's owner."""

    def __init__(self, server: FakeXServer, http: requests.Session) -> None:
        self.server = server
        self.http = http
        self.auth: Any = OAuth1(*server.consumer, *server.access)

    def call(self, method: str, path: str, body: object = None, **query: str) -> dict[str, Any]:
        got = self.http.request(
            method,
            f"{self.server.url}{path}",
            json=body,
            params=query,
            auth=self.auth,
            timeout=ANSWERED,
            allow_redirects=False,
        )
        return {"status": got.status_code, "headers": got.headers, "json": got.json()}

    def create(self, text: str = "Route barrée", *, parent: str | None = None, **more: Any) -> dict[str, Any]:
        reply = {"reply": {"in_reply_to_tweet_id": parent}} if parent else {}
        return self.call("POST", "/2/tweets", {"text": text} | reply | more)

    def upload(self, data: bytes = PNG) -> str:
        body = {"media": base64.b64encode(data).decode(), "media_category": "tweet_image"}
        return str(self.call("POST", "/2/media/upload", body)["json"]["data"]["id"])

    def timeline(self, **query: str) -> dict[str, Any]:
        return self.call("GET", f"/2/users/{self.server.number}/tweets", **query)

    def renew(self, refresh: str, *, login: bool = True, **more: str) -> dict[str, Any]:
        form = {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": self.server.client[0]} | more
        auth = self.server.client if login else None
        got = self.http.post(f"{self.server.url}/2/oauth2/token", data=form, auth=auth, timeout=ANSWERED)
        return {"status": got.status_code, **got.json()}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def server(clock: FakeClock) -> Iterator[FakeXServer]:
    with FakeXServer(now=clock.now) as server:
        yield server


@pytest.fixture
def caller(server: FakeXServer) -> Iterator[Caller]:
    with requests.Session() as http:
        yield Caller(server, http)


def detail(got: dict[str, Any]) -> tuple[int, str]:
    return got["status"], got["json"]["detail"]


# --- posts and threads ---


def test_the_id_of_a_post_contains_its_time(caller: Caller, server: FakeXServer) -> None:
    got = caller.create("A9 & <D612> : police.fr, https://x.example/é.")
    assert got["status"] == 201
    data = got["json"]["data"]
    (seen,) = server.posts
    assert seen == VisibleXPost(data["id"], "A9 & <D612> : police.fr, https://x.example/é.", NOW, None, data["id"])
    assert (int(data["id"]) >> 22) + 1288834974657 == NOW.timestamp() * 1000
    assert data["text"].startswith("A9 &amp; &lt;D612&gt; : https://t.co/")
    assert data["text"].endswith(".")
    assert data["text"].count("https://t.co/") == 2
    assert got["headers"]["x-rate-limit-remaining"] == "99"


def test_a_conversation_is_what_hangs_under_its_first_post(caller: Caller, server: FakeXServer) -> None:
    first = caller.create("Un")["json"]["data"]["id"]
    second = caller.create("Deux", parent=first)["json"]["data"]["id"]
    third = caller.create("Trois", parent=second)["json"]["data"]["id"]
    caller.create("À côté")
    assert [post.id for post in server.thread(first)] == [first, second, third]
    assert {post.conversation for post in server.thread(first)} == {first}
    caller.call("DELETE", f"/2/tweets/{second}")
    assert [post.id for post in server.thread(first)] == [first]
    assert server.write("Orpheline", parent="7") == server.posts[-1].id
    assert server.posts[-1].conversation == "7"


# --- refusals ---


@pytest.mark.parametrize(("text", "says"), [("x" * 281, NOT_PERMITTED), ("€" * 141, NOT_PERMITTED)])
def test_a_text_that_is_not_taken(caller: Caller, server: FakeXServer, text: str, says: str) -> None:
    assert detail(caller.create(text))[1] == says
    assert server.posts == ()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"quote_tweet_id": "1"}, "$.quote_tweet_id: is not defined in the schema"),
        ({"media": {"media_ids": ["1"] * 5}}, "$.media.media_ids: may only have 4 items"),
        ({"media": {"media_ids": ["1"]}}, "Your media IDs are invalid."),
    ],
)
def test_a_call_that_is_not_as_x_wants_it(caller: Caller, more: dict[str, Any], message: str) -> None:
    got = caller.create(**more)
    assert got["status"] == 400
    assert got["json"]["errors"][0]["message"] == message
    assert got["json"]["type"].endswith("/problems/invalid-request")


def test_the_same_text_is_refused_for_a_day(caller: Caller, server: FakeXServer, clock: FakeClock) -> None:
    first = caller.create()["json"]["data"]["id"]
    duplicate = (403, "You are not allowed to create a Tweet with duplicate content.")
    assert detail(caller.create()) == duplicate
    assert detail(caller.create(parent=first)) == duplicate
    clock.pass_by(86_400)
    assert caller.create()["status"] == 201
    for post in server.posts:
        caller.call("DELETE", f"/2/tweets/{post.id}")
    assert caller.create()["status"] == 201


# --- pictures ---


# --- the timeline ---


@pytest.mark.parametrize(
    ("names", "note", "parents"),
    [
        ("post.fields", "note_post", "referenced_posts"),
        ("tweet.fields", "note_tweet", "referenced_tweets"),
    ],
)
def test_the_timeline_shows_the_requested_posts(
    caller: Caller, server: FakeXServer, names: Literal["post.fields", "tweet.fields"], note: str, parents: str
) -> None:
    server.limit, server.knows_fields = 25_000, names
    first = caller.create("Voir police.fr")["json"]["data"]["id"]
    caller.create("x" * 300, parent=first)
    asked = {"expansions": parents} if names == "post.fields" else {}
    fields = ",".join(["created_at", "entities", note, *([] if asked else [parents])])
    got = caller.timeline(**{names: fields}, **asked)["json"]
    long, short = got["data"]
    assert got["meta"]["result_count"] == 2
    assert short["entities"]["urls"][0]["expanded_url"] == "http://police.fr"
    assert short["created_at"] == "2026-03-02T06:30:00.000Z"
    assert long[note]["text"] == "x" * 300
    assert long["text"].startswith("x" * 250 + "… https://t.co/")
    assert long[parents] == [{"type": "replied_to", "id": first}]
    assert caller.timeline()["json"]["data"][1].keys() == {"id", "text", "edit_history_tweet_ids"}


# --- who is let in ---


def test_a_signature_is_good_once_and_for_one_address(caller: Caller, server: FakeXServer) -> None:
    prepared = caller.http.prepare_request(requests.Request("GET", f"{server.url}/2/users/me", auth=caller.auth))
    assert [caller.http.send(prepared, timeout=ANSWERED).status_code for _ in range(2)] == [200, 401]
    other = caller.http.prepare_request(requests.Request("GET", "https://api.x.example/2/users/me", auth=caller.auth))
    prepared.headers = other.headers
    assert caller.http.send(prepared, timeout=ANSWERED).status_code == 401


class Bearer(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


def test_tokens_replace_one_another(caller: Caller, server: FakeXServer, clock: FakeClock) -> None:
    first = caller.renew(server.refresh_token)
    assert (first["status"], first["expires_in"], first["token_type"]) == (200, 7200, "bearer")
    spent = caller.renew(server.refresh_token)
    assert (spent["status"], spent["error"]) == (400, "invalid_request")
    assert spent["error_description"] == "Value passed for the token was invalid."
    assert caller.renew(first["access_token"])["status"] == 400
    caller.auth = Bearer(first["access_token"])
    assert caller.call("GET", "/2/users/me")["json"]["data"]["username"] == "police34"
    clock.pass_by(7200)
    assert caller.call("GET", "/2/users/me")["status"] == 401
    second = caller.renew(first["refresh_token"])
    caller.auth = Bearer(second["access_token"])
    assert caller.create()["status"] == 201
    server.expire_access()
    assert caller.create("Deux")["status"] == 401
    server.revoke_refresh()
    assert caller.renew(second["refresh_token"])["status"] == 400
    assert caller.renew(server.authorise())["status"] == 200
    assert server.renewals == 3
    assert {first["access_token"], second["refresh_token"], *server.consumer, *server.access} < set(server.secrets)
