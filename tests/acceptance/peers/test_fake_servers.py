"""A fake server answers as the server that it imitates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from policenotify.testing import FakeBlueskyServer, FakeSmsServer
from tests.acceptance.peers.kannel_server import Kannel
from tests.acceptance.peers.pds_server import BlueskyAccount, Pds

pytestmark = pytest.mark.peers

KEY, OTHER = "3lbqh5nq2k22a", "3lbqh5nq2k22b"
POSTS = "app.bsky.feed.post"


def answers(service: str, account: BlueskyAccount) -> Iterator[tuple[str, int, Any]]:
    """Return the call, the status and the error of each of a row of calls."""
    token = ""

    def ask(
        name: str,
        body: dict[str, Any] | None = None,
        *,
        bearer: str | None = None,
        query: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        url = f"{service}/xrpc/{name}?{urlencode(query or {})}".rstrip("?")
        said = token if bearer is None else bearer
        headers = {"Authorization": f"Bearer {said}"} if said else {}
        return httpx.get(url, headers=headers) if body is None else httpx.post(url, json=body, headers=headers)

    def put(record: dict[str, Any], rkey: str = KEY, **more: Any) -> httpx.Response:
        place = {"repo": account.did, "collection": POSTS, "rkey": rkey}
        return ask("com.atproto.repo.putRecord", {**place, "record": record, **more})

    def post(text: str, **more: Any) -> dict[str, Any]:
        return {"$type": POSTS, "text": text, "createdAt": "2026-03-02T06:30:00.000Z", **more}

    login: dict[str, Any] = {"identifier": account.handle, "password": account.password}
    yield "a wrong password", *_status_and_error(ask("com.atproto.server.createSession", {**login, "password": "abcd"}))
    entered = ask("com.atproto.server.createSession", login).json()
    yield "a session of nobody", *_status_and_error(ask("com.atproto.server.getSession", bearer=""))
    yield "a token that is none", *_status_and_error(ask("com.atproto.server.getSession", bearer="abc"))
    yield (
        "a refresh token as access",
        *_status_and_error(ask("com.atproto.server.getSession", bearer=entered["refreshJwt"])),
    )
    token = entered["accessJwt"]
    place: dict[str, str] = {"repo": account.did, "collection": POSTS, "rkey": KEY}
    yield "no record", *_status_and_error(ask("com.atproto.repo.getRecord", query=place))
    yield "deleting none", *_status_and_error(ask("com.atproto.repo.deleteRecord", place))
    first = put(post("Une"), swapRecord=None)
    yield "a new record", first.status_code, sorted(first.json())
    again = put(post("Une"), swapRecord=None)
    yield "the same again", again.status_code, sorted(again.json())
    yield "the same place", 0, first.json()["cid"] == again.json()["cid"]
    status, said = _status_and_error(put(post("Deux"), swapRecord=None))
    yield "another record", status, str(said).partition("baf")[0]
    wrongs: dict[str, dict[str, Any]] = {
        "too long": post("x" * 301),
        "too many bytes": post("👨‍👩‍👧‍👦" * 121),
        "no text": {"$type": POSTS, "createdAt": "2026-03-02T06:30:00.000Z"},
        "no zone": post("x") | {"createdAt": "2026-03-02T06:30:00"},
        "a language that is none": post("x", langs=["german!"]),
        "four languages": post("x", langs=["fr", "de", "en", "it"]),
        "a link that is none": post("x", facets=[_link("www.police.example")]),
    }
    for why, wrong in wrongs.items():
        yield why, *_status_and_error(put(wrong, OTHER, swapRecord=None))
    yield "a key that is none", *_status_and_error(put(post("x"), "my-own-key", swapRecord=None))
    yield (
        "a renewal with a body",
        *_status_and_error(ask("com.atproto.server.refreshSession", {}, bearer=entered["refreshJwt"])),
    )
    for call in ("a session renewed", "renewed again"):
        headers = {"Authorization": f"Bearer {entered['refreshJwt']}"}
        renewed = httpx.post(f"{service}/xrpc/com.atproto.server.refreshSession", headers=headers)
        yield call, renewed.status_code, {"accessJwt", "refreshJwt", "did"} <= renewed.json().keys()


def _link(uri: str) -> dict[str, Any]:
    feature = {"$type": "app.bsky.richtext.facet#link", "uri": uri}
    return {"index": {"byteStart": 0, "byteEnd": 1}, "features": [feature]}


def _status_and_error(answer: httpx.Response) -> tuple[int, Any]:
    body = answer.json() if answer.content else {}
    return answer.status_code, f"{body.get('error')}: {body.get('message')}"


def test_the_fake_bluesky_server_answers_as_the_real_one(pds: Pds) -> None:
    account = pds.account(f"stand{datetime.now(UTC):%H%M%S}.test")
    with FakeBlueskyServer(account.handle, did=account.did) as server:
        ours = BlueskyAccount(handle=server.handle, did=server.did, password=server.password)
        believed = {call: said for call, *said in answers(server.url, ours)}
    true = {call: said for call, *said in answers(pds.url, account)}
    assert believed.keys() == true.keys()
    assert {call: (said, true[call]) for call, said in believed.items() if said != true[call]} == {}


def test_the_fake_kannel_answers_as_kannel(kannel: Kannel) -> None:
    def answers(service: str, password: str) -> list[tuple[int, str]]:
        calls = (
            {"to": "33639980001", "text": "Forêt", "coding": "2"},
            {"to": "33639980999", "text": "x"},  # on the black list
            {"to": "33639980001", "text": "x", "password": "another"},
        )
        known = {"username": "desk", "password": password, "from": "POLICE34", "charset": "UTF-8"}
        got = [httpx.get(f"{service}{Kannel.path}", params=known | call) for call in calls]
        return [(each.status_code, each.text) for each in got]

    with FakeSmsServer() as server:
        server.refuse("+33639980999")
        believed = answers(server.url, server.password)
    assert believed == answers(f"http://127.0.0.1:{kannel.port}", kannel.password)
