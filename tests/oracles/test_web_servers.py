"""The shipped files for nginx and Caddy: they serve a feed as our own web server does."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import httpx
import pytest
import trustme
import uvicorn

from policenotify.formats.drawing import draw
from policenotify.web import app
from tests.support.feed_items import make_feed, sample_items
from tests.support.ports import free_port

pytestmark = pytest.mark.oracle

SHIPPED = Path(__file__).parents[2] / "docs" / "operations" / "share" / "policenotify" / "web"
HOST = "alertes.police.example"
PUBLIC = (
    "/", "/index.html", "/embed.html", "/style.css", "/feed.atom", "/feed.rss", "/feed.json", "/alerts.geojson",
    "/agenda.ics", "/cifs.xml", "/cifs.json", "/media/a.png", "/cap/0123456789abcdef.xml", "/m/0123456789abcdef.html",
)  # fmt: skip
HIDDEN = (
    "/items/a.json", "/items/", "/archive/t/b.json", "/.lock", "/.drawn.json", "/.new/x.html", "/notes.txt", "/m/",
    "/media/items/x.png", "/nothing.html", "/feed.atom.gz", "/m/%2e%2e/items/a.json", "/m/..%2fitems%2fa.json",
)  # fmt: skip
SAME = (
    "content-type", "cache-control", "content-security-policy", "referrer-policy", "x-content-type-options",
    "access-control-allow-origin",
)  # fmt: skip


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("feed")
    files = draw(make_feed(*sample_items("accident/opening", "accident/end")))
    files |= {"items/a.json": b"{}", "archive/t/b.json": b"{}", ".lock": b"", ".drawn.json": b"{}", ".new/x.html": b"x"}
    files |= {"notes.txt": b"x", "media/a.png": b"picture", "cap/0123456789abcdef.xml": b"<alert/>"}
    files |= {"m/0123456789abcdef.html": b"<!doctype html>", "cifs.xml": b"<incidents/>", "cifs.json": b"{}"}
    files |= {"media/items/x.png": b"x"}
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        os.utime(folder / path, (1_780_000_000, 1_780_000_000))
    return folder


def _program(name: str) -> str:
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    assert path, f"needs {name}: .ci/run"
    return path


@contextmanager
def _ours(feed: Path, _box: Path) -> Iterator[httpx.Client]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app(feed), log_level="error", lifespan="off"))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", trust_env=False) as client:
            yield client
        server.should_exit = True
        thread.join(10)


@contextmanager
def _nginx(feed: Path, box: Path) -> Iterator[httpx.Client]:
    port, authority = free_port(), trustme.CA()
    certificate = authority.issue_cert(HOST, "127.0.0.1")
    certificate.private_key_pem.write_to_path(box / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(box / "certificate.pem")
    authority.cert_pem.write_to_path(box / "authority.pem")
    changes = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        f"/etc/ssl/certs/{HOST}.pem": str(box / "certificate.pem"),
        f"/etc/ssl/private/{HOST}.key": str(box / "key.pem"),
        "/srv/policenotify/feed": str(feed),
    }
    site = _changed(SHIPPED / "nginx.conf", changes)
    (box / "site.conf").write_text(site, encoding="utf-8")
    temporary = "".join(f"{kind}_temp_path {box};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (box / "nginx.conf").write_text(
        f"user root; daemon off; pid {box}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {temporary} include {box}/site.conf; }}\n",
        encoding="utf-8",
    )
    program = [_program("nginx"), "-p", str(box), "-e", "stderr", "-c", str(box / "nginx.conf")]
    tested = subprocess.run([*program, "-t"], check=False, capture_output=True, text=True)  # noqa: S603 - Debian's
    assert tested.returncode == 0, tested.stderr
    assert "warn" not in tested.stderr
    context = ssl.create_default_context(cafile=box / "authority.pem")
    with (
        _running(program, port),
        httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=context, trust_env=False) as client,
    ):
        yield client


@contextmanager
def _caddy(feed: Path, box: Path) -> Iterator[httpx.Client]:
    port = free_port()
    changes = {f"\n{HOST} {{": f"\nhttp://127.0.0.1:{port} {{", "/srv/policenotify/feed": str(feed)}
    (box / "Caddyfile").write_text(
        "{\n\tadmin off\n\tauto_https off\n}\n" + _changed(SHIPPED / "Caddyfile", changes), encoding="utf-8"
    )
    program = [_program("caddy"), "run", "--adapter", "caddyfile", "--config", str(box / "Caddyfile")]
    environment = {**os.environ, "HOME": str(box), "XDG_DATA_HOME": str(box), "XDG_CONFIG_HOME": str(box)}
    with (
        _running(program, port, environment),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


def _changed(path: Path, changes: dict[str, str]) -> str:
    text = path.read_text(encoding="utf-8")
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    return text


@contextmanager
def _running(program: list[str], port: int, environment: dict[str, str] | None = None) -> Iterator[None]:
    with subprocess.Popen(program, env=environment, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - Debian's
        try:
            for _ in range(500):
                assert process.poll() is None, program
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.02)
            yield
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def ours(feed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with _ours(feed, tmp_path_factory.mktemp("ours")) as client:
        yield client


@pytest.fixture(scope="module", params=[_nginx, _caddy], ids=["nginx", "caddy"])
def theirs(
    request: pytest.FixtureRequest, feed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    with request.param(feed, tmp_path_factory.mktemp("theirs")) as client:
        yield client


def _normal(name: str, value: str | None) -> str:
    """Return a header's value as readers understand it: a charset is optional where UTF-8 is the only one."""
    value = (value or "").lower().replace(" ", "")
    return value.removesuffix(";charset=utf-8") if name == "content-type" else value


@pytest.mark.parametrize("path", PUBLIC)
def test_each_file_is_served_alike(ours: httpx.Client, theirs: httpx.Client, path: str) -> None:
    mine, other = (each.get(path, headers={"Accept-Encoding": "identity"}) for each in (ours, theirs))

    assert (mine.status_code, other.status_code) == (200, 200)
    assert mine.content == other.content
    assert {name: _normal(name, other.headers.get(name)) for name in SAME} == {
        name: _normal(name, mine.headers.get(name)) for name in SAME
    }
    assert other.headers["last-modified"] == mine.headers["last-modified"]
    assert "charset=utf-8" in other.headers["content-type"].lower() or not mine.headers["content-type"].startswith(
        "text"
    )


@pytest.mark.parametrize("path", ["/feed.atom", "/feed.json", "/feed.rss"])
def test_a_large_file_is_compressed(ours: httpx.Client, theirs: httpx.Client, path: str) -> None:
    zipped = theirs.get(path, headers={"Accept-Encoding": "gzip"})

    assert zipped.content == ours.get(path).content
    assert (zipped.headers["content-encoding"], zipped.headers["vary"]) == ("gzip", "Accept-Encoding")


@pytest.mark.parametrize("path", ["/feed.atom", "/", "/alerts.geojson"])
def test_a_reader_that_has_it_gets_304(theirs: httpx.Client, path: str) -> None:
    first = theirs.get(path, headers={"Accept-Encoding": "gzip"})

    again = theirs.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "public, max-age=30"


@pytest.mark.parametrize("path", HIDDEN)
def test_nothing_else_is_served(ours: httpx.Client, theirs: httpx.Client, path: str) -> None:
    assert {each.get(path).status_code for each in (ours, theirs)} <= {400, 404}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_written(theirs: httpx.Client, method: str) -> None:
    assert theirs.request(method, "/feed.atom").status_code in {403, 404, 405}
