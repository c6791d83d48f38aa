"""A file of another server is read within bounds, and only by http or https."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from policenotify.errors import InvalidAlert
from policenotify.networks._download import download
from policenotify.testing.servers.http import Answer, FakeServer
from tests.support.patience import PATIENCE


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as started:
        yield started


def why(url: str, **how: float) -> str:
    with pytest.raises(InvalidAlert) as caught:
        download(url, limit=100, **how)
    return str(caught.value.reason)


def test_a_file_is_read(server: FakeServer) -> None:
    server.on("GET", "/cap.xml", lambda _: Answer(body=b"<alert/>"))
    assert download(f"{server.url}/cap.xml", limit=100) == b"<alert/>"


def test_redirects_are_not_followed(server: FakeServer) -> None:
    with FakeServer(Answer(body=b"<alert/>")) as inside:
        server.on("GET", "/old.xml", lambda _: Answer.redirect(f"{inside.url}/cap.xml"))
        assert "another address" in why(f"{server.url}/old.xml")
        assert inside.requests == []


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://police.example/a", "https://a:b@police.example/", "http:///a"]
)
def test_other_addresses_are_refused(url: str) -> None:
    assert "not one of http or https" in why(url)


def test_what_is_too_long_or_late_or_missing_is_refused(server: FakeServer) -> None:
    server.on("GET", "/long", lambda _: Answer(body=b"x" * 101))
    server.on("GET", "/late", lambda _: Answer(body=b"x", delay=PATIENCE))
    server.on("GET", "/missing", lambda _: Answer(404))
    assert "nothing, or too much" in why(f"{server.url}/long")
    assert "did not send it" in why(f"{server.url}/late", timeout=0.1)
    assert "(404)" in why(f"{server.url}/missing")
