"""The page of what readers see: what it serves, to whom, and who may use its switches."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from policenotify.testing import DevNetworks, DevPage
from policenotify.testing.dev.kinds import FeedDevNetwork, MastodonDevNetwork, XDevNetwork
from policenotify.testing.servers import VisibleImage
from tests.support.patience import ANSWERED

KINDS = (XDevNetwork, MastodonDevNetwork, FeedDevNetwork)


@pytest.fixture
def networks() -> Iterator[DevNetworks]:
    with DevNetworks(kinds=KINDS) as running:
        yield running


@pytest.fixture
def client(networks: DevNetworks) -> Iterator[httpx.Client]:
    with DevPage(networks) as page, httpx.Client(base_url=page.url, trust_env=False) as opened:
        yield opened


@pytest.mark.parametrize(
    ("path", "kind"), [("", "text/html"), ("page.css", "text/css"), ("page.js", "text/javascript")]
)
def test_the_page_needs_no_other_server(client: httpx.Client, path: str, kind: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
    assert "default-src 'none'; script-src 'self'" in answer.headers["content-security-policy"]
    assert "://" not in answer.text.replace("https?:\\/\\/", "")
    assert client.head(path).content == b""


def test_the_state_has_what_readers_see(client: httpx.Client, networks: DevNetworks) -> None:
    opening = networks["x"].server.write("Route <b>barrée</b>.")
    networks["x"].server.write("Terminé.", parent=opening)
    state = client.get("state.json").json()
    assert [network["channel"] for network in state["networks"]] == ["x", "mastodon", "feed"]
    first, second = state["networks"][0]["posts"]
    assert (first["text"], first["parent"]) == ("Route <b>barrée</b>.", None)
    assert second["parent"] == opening
    assert state["networks"][1]["posts"] == []


def test_an_unchanged_state_is_not_sent_again(client: httpx.Client, networks: DevNetworks) -> None:
    tag = client.get("state.json").headers["etag"]
    assert client.get("state.json", headers={"If-None-Match": tag}).status_code == 304
    networks["x"].server.write("Route barrée.")
    assert client.get("state.json", headers={"If-None-Match": tag}).status_code == 200


def test_pictures_are_shown(client: httpx.Client, networks: DevNetworks) -> None:
    server = networks["x"].server
    server._put("Plan", None, (VisibleImage("Plan du secteur", b"\x89PNG", "image/png"),), server._clock())
    [image] = client.get("state.json").json()["networks"][0]["posts"][0]["images"]
    assert image["alt"] == "Plan du secteur"
    answer = client.get(image["src"])
    assert (answer.content, answer.headers["content-type"]) == (b"\x89PNG", "image/png")
    assert client.get("/images/0123").status_code == 404


def test_the_feed_is_served_at_the_address_that_its_items_name(client: httpx.Client, networks: DevNetworks) -> None:
    feed = networks["feed"]
    assert isinstance(feed, FeedDevNetwork)
    assert feed.options["url"] == f"{client.base_url}feed/"
    (feed.folder / "index.html").write_text("<h1>Alertes</h1>")
    (feed.folder / "feed.atom").write_text("<feed/>")
    assert client.get("feed/").text == "<h1>Alertes</h1>"
    assert client.get("feed/feed.atom").headers["content-type"].startswith("application/atom+xml")
    assert client.get("feed/.lock").status_code == client.get("feed/nothing.html").status_code == 404


def test_the_settings_can_be_copied(client: httpx.Client, networks: DevNetworks) -> None:
    assert client.get("settings.toml").text == networks.toml


def test_the_switches(client: httpx.Client, networks: DevNetworks) -> None:
    networks["x"].server.write("Route barrée.")
    assert client.post("mode", json={"channel": "x", "mode": "down"}).status_code == 204
    assert networks["x"].mode == "down"
    assert client.post("reset", json={}).status_code == 204
    assert (networks["x"].mode, networks.posts("x")) == ("normal", [])
    calls: list[Any] = [{"channel": "x", "mode": "asleep"}, {"channel": "y", "mode": "down"}, {}, [], "x"]
    for wrong in calls:
        assert client.post("mode", json=wrong).status_code == 400
    assert client.post("mode", content=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    assert client.post("nothing", json={}).status_code == 404
    assert client.post("mode", json={"channel": "x" * 20_000}).status_code == 413


@pytest.mark.parametrize("length", ["-1", "many", "9" * 5_000])
def test_a_length_that_is_none_is_refused(client: httpx.Client, length: str) -> None:
    with closing(HTTPConnection(client.base_url.host, client.base_url.port, timeout=ANSWERED)) as connection:
        connection.request("POST", "/mode", headers={"Content-Length": length, "Content-Type": "application/json"})
        assert connection.getresponse().status == 413


def test_a_browser_that_leaves_prints_no_trace(networks: DevNetworks, capfd: pytest.CaptureFixture[str]) -> None:
    networks["x"].server.write("Route barrée. " * 500_000)
    with DevPage(networks) as page:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", httpx.URL(page.url).port)) as browser:
                browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() resets
                browser.sendall(
                    f"GET /state.json HTTP/1.1\r\nHost: {httpx.URL(page.url).netloc.decode()}\r\n\r\n".encode()
                )
                browser.recv(1)
        assert httpx.get(f"{page.url}page.js", trust_env=False).status_code == 200
        for thread in [each for each in threading.enumerate() if "process_request" in each.name]:
            thread.join(0.5)  # a connection that is kept open ends later
    assert capfd.readouterr().err == ""


def test_a_page_of_another_site_sees_and_changes_nothing(client: httpx.Client, networks: DevNetworks) -> None:
    call = json.dumps({"channel": "x", "mode": "down"}).encode()
    as_json = {"Content-Type": "application/json"}
    for headers in (
        {"Host": "evil.example", **as_json},  # a name that was pointed at this machine
        {"Origin": "https://evil.example", **as_json},
        {"Origin": "null", **as_json},
        {"Content-Type": "text/plain"},  # which a form can send
        {"Content-Type": "application/x-www-form-urlencoded"},
    ):
        assert client.post("mode", content=call, headers=headers).status_code == 403
    assert networks["x"].mode == "normal"
    assert client.get("state.json", headers={"Host": "evil.example:8040"}).status_code == 403


def test_a_page_without_switches_changes_nothing(networks: DevNetworks) -> None:
    with DevPage(networks, switches=False) as page, httpx.Client(base_url=page.url, trust_env=False) as client:
        assert client.post("mode", json={"channel": "x", "mode": "down"}).status_code == 404
        assert not client.get("state.json").json()["switches"]
