"""The page of what readers see: what it serves, to whom, and who may send its form."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from policenotify.testing import DevNetworks
from policenotify.testing.dev import dev_page


@pytest.fixture
def networks() -> Iterator[DevNetworks]:
    with DevNetworks(channels=("x", "mastodon")) as running:
        yield running


@pytest.fixture
def client(networks: DevNetworks) -> Iterator[httpx.Client]:
    with dev_page(networks) as url, httpx.Client(base_url=url, trust_env=False) as opened:
        opened.headers["Origin"] = url.rstrip("/")
        yield opened


def test_the_page_needs_no_script_and_no_other_server(client: httpx.Client) -> None:
    answer = client.get("")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "script" not in answer.headers["content-security-policy"] + answer.text
    assert "://" not in answer.text
    assert client.get("page.js").status_code == 404


def test_it_reloads_itself_until_a_reader_stops_it(client: httpx.Client) -> None:
    assert '<meta http-equiv="refresh" content="5">' in client.get("").text
    assert 'href="/?still"' in client.get("").text
    assert 'http-equiv="refresh"' not in client.get("?still").text
    assert client.post("?still", data={"x": "down"}).headers["location"] == "/?still"


def test_posts_stand_as_in_a_preview(client: httpx.Client, networks: DevNetworks) -> None:
    opening = networks["x"].server.write("Route <b>barrée</b>.")
    networks["x"].server.write("Terminé.", parent=opening)
    page = client.get("").text
    assert page.count("<article") == 2
    assert "Route &lt;b&gt;barrée&lt;/b&gt;." in page
    assert '<a href="#d1-1">In reply to an earlier post</a>' in page
    assert 'class="device timeline net-x"' in page


def test_the_form(client: httpx.Client, networks: DevNetworks) -> None:
    answer = client.post("", data={"x": "down"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert networks["x"].mode == "down"
    page = client.get("").text
    assert '<button name="x" value="down" aria-pressed="true">down</button>' in page
    for wrong in ({"x": "asleep"}, {"y": "down"}, {}, {"x": ["down", "slow"]}):
        assert client.post("", data=wrong).status_code == 400
    assert client.post("", content=b"x=\xff\xfe").status_code == 400


def test_a_page_of_another_site_sees_and_changes_nothing(client: httpx.Client, networks: DevNetworks) -> None:
    for headers in (
        {"Host": "evil.example"},  # a name that was pointed at this machine
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
    ):
        assert client.post("", data={"x": "down"}, headers=headers).status_code == 403
    del client.headers["Origin"]
    assert client.post("", data={"x": "down"}).status_code == 403
    assert networks["x"].mode == "normal"
    assert client.get("", headers={"Host": "evil.example:8040"}).status_code == 403
