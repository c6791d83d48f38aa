"""The web server of a feed's folder."""

from __future__ import annotations

import asyncio
import os
import re
import time
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.formats.drawing import draw
from policenotify.web import app, server
from tests.support.feed_items import SITE, make_feed, sample_items
from tests.support.patience import PATIENCE

_SHIPPED = Path(__file__).parents[3] / "docs" / "operations" / "share" / "policenotify" / "web"
_LONG_AGO = 1_780_000_000
WITH_ALERTS = replace(SITE, cap_sender="alerte@police34.example")


class Client:
    """Calls an application without a socket."""

    def __init__(self, feed: Path) -> None:
        self._app = app(feed)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.request("GET", path, **headers)

    def request(self, method: str, path: str, **headers: str) -> httpx.Response:
        named = {"Accept-Encoding": "identity"} | {name.replace("_", "-"): value for name, value in headers.items()}

        async def request() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://feed.example") as client:
                return await client.request(method, path, headers=named)

        return asyncio.run(request())


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    files = draw(make_feed(*sample_items("accident/opening", "accident/end"), site=WITH_ALERTS))
    files |= {"items/a.json": b"{}", "archive/t/b.json": b"{}", ".lock": b"", ".drawn.json": b"{}", ".new/x.html": b"x"}
    files |= {"feed.atom.new": b"x", "notes.txt": b"x", "media/a.png": b"picture"}
    files |= {"cifs.xml": b"<incidents/>", "cifs.json": b"{}", "media/items/x.png": b"x"}
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
        os.utime(tmp_path / path, (_LONG_AGO, _LONG_AGO))
    return tmp_path


@pytest.fixture
def client(feed: Path) -> Client:
    return Client(feed)


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/embed.html", "text/html; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/feed.atom", "application/atom+xml; charset=utf-8"),
        ("/feed.rss", "application/rss+xml; charset=utf-8"),
        ("/feed.json", "application/feed+json"),
        ("/alerts.geojson", "application/geo+json"),
        ("/agenda.ics", "text/calendar; charset=utf-8"),
        ("/cifs.xml", "application/xml"),
        ("/cifs.json", "application/json"),
        ("/media/a.png", "image/png"),
    ],
)
def test_each_file_has_its_media_type(client: Client, feed: Path, path: str, media_type: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert answer.content == (feed / (path.lstrip("/") or "index.html")).read_bytes()
    assert answer.headers["cache-control"] == "public, max-age=30"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["last-modified"] == formatdate(_LONG_AGO, usegmt=True)


def test_every_file_that_a_feed_draws_is_served_with_its_media_type(client: Client) -> None:
    drawn = draw(make_feed(*sample_items("accident/opening", "accident/end"), site=WITH_ALERTS))
    alerts = [path for path in drawn if path.startswith("cap/")]
    assert len(alerts) == 2
    for path in drawn:
        if not path.endswith(".gz"):
            assert client.get(f"/{path}").status_code == 200, path
    assert {client.get(f"/{path}").headers["content-type"] for path in alerts} == {"application/cap+xml"}


@pytest.mark.parametrize(
    "path",
    [
        "/items/a.json", "/archive/t/b.json", "/.lock", "/.drawn.json", "/.new/x.html", "/feed.atom.new", "/notes.txt",
        "/nothing.html", "/m", "/m/", "/media/items/x.png", "/%2e%2e/secret.html", "/m/..%2f..%2fsecret.html",
        "/m/%2e%2e/feed.atom", "//etc/hosts.html", "/feed.atom%00.html", "/feed.atom.gz", "/FEED.ATOM", "/m%5ca.html",
    ],
)  # fmt: skip
def test_nothing_else_is_served(client: Client, feed: Path, path: str) -> None:
    (feed.parent / "secret.html").write_text("secret")

    answer = client.get(path)

    assert answer.status_code == 404
    assert b"secret" not in answer.content


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A feed's folder with one public file, beside a secret."""
    box = tmp_path_factory.mktemp("box")
    for name in ("feed/items/a.json", "feed/archive/t/x.html", "feed/.new/x.html", "feed/.lock", "secret.html"):
        (box / name).parent.mkdir(parents=True, exist_ok=True)
        (box / name).write_text("secret", encoding="utf-8")
    (box / "feed" / "feed.atom").write_text("public", encoding="utf-8")
    return box / "feed"


@given(
    path=st.lists(
        st.sampled_from(
            ("m", "i", "cap", "media", "items", "archive", "..", ".", "", ".new", "a.json", "x.html", ".lock",
             "secret.html", "feed.atom", "%2e%2e", "\\", "\0", "~", "a.png.", "feed.atom.gz", "\u2024\u2024")
        )
        | st.text(max_size=4),
        max_size=5,
    ).map("/".join)
)  # fmt: skip
def test_no_path_leads_to_a_file_that_is_not_public(guarded: Path, path: str) -> None:
    found, _ = server.FeedFiles(directory=guarded).lookup_path(path)

    assert found in {"", str((guarded / "feed.atom").resolve())}


def test_only_the_frame_may_be_framed(client: Client) -> None:
    policies = {
        path: client.get(path).headers["content-security-policy"] for path in ("/", "/embed.html", "/feed.atom")
    }

    assert [path for path, policy in policies.items() if "frame-ancestors *" in policy] == ["/embed.html"]
    assert all("default-src 'none'; style-src 'self'; img-src 'self'" in policy for policy in policies.values())
    assert "frame-ancestors 'none'" in policies["/"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/feed.atom", "/health"])
def test_nothing_can_be_written(client: Client, method: str, path: str) -> None:
    answer = client.request(method, path)

    assert answer.status_code == 405
    assert {*answer.headers["allow"].split(", ")} == {"GET", "HEAD"}


def test_a_reader_that_has_it_gets_304(client: Client) -> None:
    etag = client.get("/feed.atom").headers["etag"]
    assert etag.startswith('"')

    for value in (etag, f"W/{etag}", f'"other", {etag}', "*", f'W/"a,b" , W/{etag}'):
        answer = client.get("/feed.atom", If_None_Match=value)
        assert answer.status_code == 304
        assert answer.content == b""
        assert answer.headers["etag"] == etag
        assert answer.headers["cache-control"] == "public, max-age=30"
        assert "content-type" not in answer.headers
    for value in ('"other"', etag.strip('"'), ""):
        assert client.get("/feed.atom", If_None_Match=value).status_code == 200
    assert client.get("/nothing.html", If_None_Match="*").status_code == 404


def test_a_reader_without_an_etag_names_the_time(client: Client) -> None:
    def status(seconds: int, **more: str) -> int:
        since = formatdate(seconds, usegmt=True)
        return client.get("/feed.rss", If_Modified_Since=since, **more).status_code

    assert status(_LONG_AGO) == status(_LONG_AGO + 5) == 304
    assert status(_LONG_AGO - 1) == 200
    assert status(_LONG_AGO, If_None_Match='"other"') == 200
    assert client.get("/feed.rss", If_Modified_Since="yesterday").status_code == 200


def test_health_is_that_of_the_folder(client: Client, feed: Path) -> None:
    answer = client.get("/health")

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    (feed / "index.html").unlink()  # as in a folder where nothing is mounted
    assert client.get("/health").status_code == 503


def test_a_link_to_a_file_outside_is_not_followed(client: Client, feed: Path) -> None:
    (feed.parent / "secret.html").write_text("secret")
    (feed / "m" / "link.html").symlink_to(feed.parent / "secret.html")
    (feed / "m" / "folder.html").mkdir()

    assert client.get("/m/link.html").status_code == 404
    assert client.get("/m/folder.html").status_code == 404


def test_maps_of_other_sites_may_read_the_feeds(client: Client) -> None:
    assert client.get("/alerts.geojson").headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in client.get("/").headers


def test_the_time_of_a_file_counts_once_it_tells_versions_apart(client: Client, feed: Path) -> None:
    ahead = time.time() + PATIENCE
    os.utime(feed / "feed.rss", (ahead, ahead))

    answer = client.get("/feed.rss", If_Modified_Since=formatdate(ahead, usegmt=True))

    assert answer.status_code == 200
    assert "last-modified" not in answer.headers


@pytest.mark.parametrize("file", ["nginx.conf", "Caddyfile"])
def test_the_shipped_web_servers_serve_the_same_kinds_of_files(file: str) -> None:
    text = (_SHIPPED / file).read_text(encoding="utf-8")
    [served] = re.findall(r"\(\?:(atom[|a-z]+)\)", text)
    assert served.split("|") == sorted(kind[1:] for kind in server.MEDIA_TYPES if kind.startswith("."))
    assert [kind for kind in server.MEDIA_TYPES.values() if kind.partition(";")[0] not in text] == []
