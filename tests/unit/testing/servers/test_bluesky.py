"""The fake Bluesky server answers as the real one. The expected texts are from @atproto/pds 0.5.35."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from policenotify.testing.servers.bluesky import FakeBlueskyServer

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
KEY = "3mabcdefgh222"
PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100
FAMILY = "👨‍👩‍👧‍👦"


class Caller:
    """A client of the account's owner."""

    def __init__(self, server: FakeBlueskyServer, http: httpx.Client) -> None:
        self.server = server
        self.http = http
        self.tokens = self.call("server.createSession", {"identifier": server.handle, "password": server.password})

    def call(self, name: str, body: object = None, *, bearer: str = "accessJwt", **query: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {getattr(self, 'tokens', {}).get(bearer, bearer)}"}
        url = f"{self.server.url}/xrpc/com.atproto.{name}"
        if isinstance(body, bytes):
            got = self.http.post(url, content=body, headers=headers | {"Content-Type": "*/*"})
        elif body is not None:
            got = self.http.post(url, json=body, headers=headers)
        else:
            got = self.http.get(url, params=query, headers=headers)
        return {"status": got.status_code, "headers": got.headers, **got.json()}

    def put(self, record: dict[str, Any], rkey: str = KEY, **more: Any) -> dict[str, Any]:
        place = {"repo": self.server.did, "collection": "app.bsky.feed.post", "rkey": rkey}
        return self.call("repo.putRecord", place | {"record": record} | more)

    def delete(self, rkey: str = KEY) -> dict[str, Any]:
        place = {"repo": self.server.did, "collection": "app.bsky.feed.post", "rkey": rkey}
        return self.call("repo.deleteRecord", place)

    def upload(self, data: bytes = PNG) -> dict[str, Any]:
        blob: dict[str, Any] = self.call("repo.uploadBlob", data)["blob"]
        return blob


@pytest.fixture
def server() -> Iterator[FakeBlueskyServer]:
    with FakeBlueskyServer(now=lambda: NOW) as server:
        yield server


@pytest.fixture
def caller(server: FakeBlueskyServer) -> Iterator[Caller]:
    with httpx.Client() as http:
        yield Caller(server, http)


def a_record(**more: Any) -> dict[str, Any]:
    return {"$type": "app.bsky.feed.post", "text": "x", "createdAt": "2026-03-02T06:30:00.000Z", **more}


def with_facet(feature: dict[str, Any], start: int = 0) -> dict[str, Any]:
    return a_record(facets=[{"index": {"byteStart": start, "byteEnd": 9}, "features": [feature]}])


def with_link(uri: str) -> dict[str, Any]:
    return with_facet({"$type": "app.bsky.richtext.facet#link", "uri": uri})


def with_tag(tag: str, start: int = 0) -> dict[str, Any]:
    return with_facet({"$type": "app.bsky.richtext.facet#tag", "tag": tag}, start)


def with_images(*images: dict[str, Any]) -> dict[str, Any]:
    return a_record(embed={"$type": "app.bsky.embed.images", "images": list(images)})


def with_card(**card: Any) -> dict[str, Any]:
    return a_record(embed={"$type": "app.bsky.embed.external", "external": card})


BLOB = {"$type": "blob", "ref": {"$link": "bafkreihd"}, "mimeType": "image/png", "size": 108}
REFUSALS: list[tuple[dict[str, Any], str]] = [
    (a_record(text="x" * 301), "grapheme too big (maximum 300, got 301) at $.record.text"),
    (a_record(text=FAMILY * 121), "string too big (maximum 3000, got 3025) at $.record.text"),
    ({"createdAt": "2026-03-02T06:30:00Z"}, 'Missing required key "text" at $.record'),
    ({"text": "x"}, 'Missing required key "createdAt" at $.record'),
    (a_record(langs=["DE"]), 'Invalid language (got "DE") at $.record.langs[0]'),
    (a_record(langs=["de", "fr", "it", "rm"]), "array too big (maximum 3, got 4) at $.record.langs"),
    (a_record(createdAt="2026-03-02T06:30:00"), 'Invalid datetime (got "2026-03-02T06:30:00") at $.record.createdAt'),
    (with_link("www.x.example"), 'Invalid uri (got "www.x.example") at $.record.facets[0].features[0].uri'),
    (with_tag("x" * 65), "grapheme too big (maximum 64, got 65) at $.record.facets[0].features[0].tag"),
    (
        with_images(*[{"image": BLOB, "alt": ""}] * 5),
        "array too big (maximum 4, got 5) at $.record.embed.images",
    ),
    (
        with_images({"image": BLOB | {"size": 2_434_349}, "alt": ""}),
        "blob too big (maximum 2000000, got 2434349) at $.record.embed.images[0].image",
    ),
    (with_images({"image": BLOB}), 'Missing required key "alt" at $.record.embed.images[0]'),
    (with_card(uri="https://x", description=""), 'Missing required key "title" at $.record.embed.external'),
]


@pytest.mark.parametrize(("record", "reason"), REFUSALS, ids=[reason[:60] for _, reason in REFUSALS])
def test_a_refusal_has_the_servers_words(caller: Caller, record: dict[str, Any], reason: str) -> None:
    got = caller.put(record)
    assert (got["status"], got["error"]) == (400, "InvalidRequest")
    assert got["message"] == f"Invalid app.bsky.feed.post record: {reason}"
    assert caller.server.posts == ()


@pytest.mark.parametrize(
    "record",
    [
        a_record(text=FAMILY * 120),
        a_record(langs=["de-CH", "gsw", "zxx"]),
        with_link("https://x.example/straße"),
        with_tag("x", start=50),
    ],
)
def test_texts_accepted_by_the_server(caller: Caller, record: dict[str, Any]) -> None:
    assert caller.put(record)["status"] == 200
    assert len(caller.server.posts) == 1


def test_a_key_must_be_a_tid(caller: Caller) -> None:
    refused = 'Invalid record key for app.bsky.feed.post: Invalid TID string (got "my-own-key") at $'
    assert caller.put(a_record(), "my-own-key")["message"] == refused


def test_putting_again_and_over(caller: Caller, server: FakeBlueskyServer) -> None:
    first = caller.put(a_record(), swapRecord=None)
    assert "commit" in first
    again = caller.put(dict(reversed(a_record().items())), swapRecord=None)
    assert (again["status"], again["cid"]) == (200, first["cid"])
    assert "commit" not in again
    other = caller.put(a_record(text="y"), swapRecord=None)
    assert (other["error"], other["message"]) == ("InvalidSwap", f"Record was at {first['cid']}")
    assert caller.put(a_record(text="y"), swapRecord="bafyother")["error"] == "InvalidSwap"
    assert caller.put(a_record(text="y"), swapRecord=first["cid"])["status"] == 200
    assert caller.put(a_record(text="z"))["status"] == 200  # without swapRecord it overwrites
    assert (server.commits, server.posts[0].text) == (3, "z")


def test_deleting_and_a_late_put_that_brings_it_back(caller: Caller, server: FakeBlueskyServer) -> None:
    caller.put(a_record())
    assert "commit" in caller.delete()
    assert "commit" not in caller.delete()
    got = caller.call("repo.getRecord", repo=server.did, collection="app.bsky.feed.post", rkey=KEY)
    assert (got["status"], got["error"]) == (400, "RecordNotFound")
    caller.put(a_record(), swapRecord=None)
    assert len(server.posts) == 1


def test_a_reply_to_a_deleted_post_is_on_no_page(server: FakeBlueskyServer) -> None:
    def record(text: str, *above: str) -> dict[str, Any]:
        at = f"2026-03-02T06:30:0{len(text)}.000Z"
        reply = {"reply": {"root": {"uri": above[0]}, "parent": {"uri": above[-1]}}} if above else {}
        return {"$type": "app.bsky.feed.post", "text": text, "createdAt": at, **reply}

    opening = server.write(record("a"), "3kdgeujwlq32a")
    update = server.write(record("bb", opening), "3kdgeujwlq32b")
    end = server.write(record("ccc", opening, update), "3kdgeujwlq32c")
    assert [post.uri for post in server.profile] == [opening, update, end]
    server.remove(update)
    assert [post.uri for post in server.profile] == [opening]
    assert [post.uri for post in server.posts] == [opening, end]


def test_sessions(caller: Caller, server: FakeBlueskyServer) -> None:
    def error(name: str, token: str) -> tuple[int, str]:
        got = caller.call(name, b"" if name.endswith("refreshSession") else None, bearer=token)
        return got["status"], got.get("error", "")

    assert error("server.getSession", "accessJwt") == (200, "")
    assert error("server.getSession", "refreshJwt") == (400, "InvalidToken")
    assert error("server.getSession", "eyJ.e30.x") == (400, "InvalidToken")
    assert error("server.refreshSession", "accessJwt") == (400, "InvalidToken")
    assert error("server.refreshSession", "refreshJwt") == (200, "")
    assert error("server.refreshSession", "refreshJwt") == (200, "")  # two hours' grace
    with_body = caller.call("server.refreshSession", {}, bearer="refreshJwt")
    assert with_body["message"] == "A request body was provided when none was expected"
    server.expire_access()
    assert error("server.getSession", "accessJwt") == (400, "ExpiredToken")
    server.revoke_refresh()
    assert error("server.refreshSession", "refreshJwt") == (400, "ExpiredToken")
    missing = caller.http.get(f"{server.url}/xrpc/com.atproto.server.getSession")
    assert (missing.status_code, missing.json()["error"]) == (401, "AuthMissing")
    wrong = caller.call("server.createSession", {"identifier": server.handle, "password": "other"})
    assert (wrong["status"], wrong["message"]) == (401, "Invalid identifier or password")


def test_limits_are_kept(caller: Caller, server: FakeBlueskyServer) -> None:
    caller.put(a_record())
    server.points_left = 5
    caller.put(a_record(text="x" * 301))
    assert server.points_left == 3  # a refusal costs too
    caller.put(a_record())
    limited = caller.put(a_record())
    assert (limited["status"], limited["error"]) == (429, "RateLimitExceeded")
    assert limited["headers"]["retry-after"] == "3600"
    assert "commit" in caller.delete()  # a delete costs one point
    assert caller.delete()["status"] == 429
    server.logins_left = 0
    assert caller.call("server.createSession", {})["status"] == 429
