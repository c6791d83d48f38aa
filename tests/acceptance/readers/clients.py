"""Feed readers of other projects. Each polls feeds and keeps what it has seen in a folder of its own."""

from __future__ import annotations

import html
import os
import re
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import httpx

from tests.acceptance.peers.programs import Running, listens, program
from tests.support.ports import free_port
from tests.support.postgresql import Server, binaries

_TAG = re.compile(r"<[^>]+>")
_POLLS = 60.0  # seconds


@dataclass(frozen=True)
class Shown:
    """An entry as a reader shows it.

    Attributes:
        title: Its title.
        text: Its text, without tags.
        link: Where it leads.
    """

    title: str
    text: str
    link: str


class Reader:
    """A feed reader.

    Args:
        folder: An empty folder of its own.
        urls: The feeds by name.
    """

    formats: ClassVar[tuple[str, ...]] = ("atom", "rss")
    """What it reads."""

    def __init__(self, folder: Path, urls: Mapping[str, str]) -> None:
        self.folder, self.urls = folder, urls

    def poll(self) -> None:
        """Ask for all feeds."""
        raise NotImplementedError

    def shown(self) -> Mapping[str, Sequence[Shown]]:
        """Return the entries that it shows of each feed."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop it."""


def _run(*command: str | Path, folder: Path) -> str:
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder), "no_proxy": "*"}
    done = subprocess.run(  # noqa: S603 - named by us
        [program(str(command[0]), ".ci/run"), *command[1:]],
        check=False,
        capture_output=True,
        text=True,
        timeout=_POLLS,
        cwd=folder,
        env={**os.environ, **home, "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _plain(text: str) -> str:
    return html.unescape(_TAG.sub(" ", text))


class Newsboat(Reader):
    """newsboat, whose entries are in its cache. An id is in a cache once, so each feed has a cache of its own."""

    def __init__(self, folder: Path, urls: Mapping[str, str]) -> None:
        super().__init__(folder, urls)
        (folder / "config").write_text("", "utf-8")
        for name, url in urls.items():
            (folder / f"{name}.urls").write_text(f"{url}\n", "utf-8")

    def poll(self) -> None:
        for name in self.urls:
            files = ("-C", "config", "-u", f"{name}.urls", "-c", f"{name}.db")
            _run("newsboat", *files, "-x", "reload", folder=self.folder)

    def shown(self) -> Mapping[str, Sequence[Shown]]:
        return {name: self._cached(name) for name in self.urls}

    def _cached(self, feed: str) -> list[Shown]:
        rows = "SELECT title, content, url FROM rss_item WHERE deleted = 0"
        with closing(sqlite3.connect(self.folder / f"{feed}.db")) as cache:
            return [Shown(title, _plain(text), link) for title, text, link in cache.execute(rows)]


class Miniflux(Reader):
    """miniflux on PostgreSQL, asked by its API."""

    formats = ("atom", "rss", "json")

    def __init__(self, folder: Path, urls: Mapping[str, str]) -> None:
        super().__init__(folder, urls)
        programs = binaries()
        assert programs, "needs postgresql: .ci/run"
        login, port = ("reader", "s3cret-of-the-test"), free_port()
        with ExitStack() as stack:
            database = Server(programs)
            stack.callback(database.end)
            place = f"user=postgres dbname={database.database()} host={database.folder} port={database.port}"
            settings = {
                "DATABASE_URL": f"{place} sslmode=disable",
                "LISTEN_ADDR": f"127.0.0.1:{port}",
                "RUN_MIGRATIONS": "1",
                "CREATE_ADMIN": "1",
                "ADMIN_USERNAME": login[0],
                "ADMIN_PASSWORD": login[1],
                "DISABLE_SCHEDULER_SERVICE": "1",
                "no_proxy": "*",
            }
            server = Running(program("miniflux", "miniflux"), folder=folder, env=settings)
            stack.callback(server.end)
            server.until(lambda: listens(port))
            self._client = stack.enter_context(
                httpx.Client(base_url=f"http://127.0.0.1:{port}/v1", auth=login, timeout=_POLLS, trust_env=False)
            )
            self.close = stack.pop_all().close  # type: ignore[method-assign]
        self._feeds: dict[str, int] = {}

    def _ask(self, method: str, path: str, **how: object) -> httpx.Response:
        answer = self._client.request(method, path, **how)  # type: ignore[arg-type]
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def poll(self) -> None:
        for name, url in self.urls.items():
            if name in self._feeds:
                self._ask("PUT", f"/feeds/{self._feeds[name]}/refresh")
            else:
                asked = {"feed_url": url, "category_id": 1}
                self._feeds[name] = self._ask("POST", "/feeds", json=asked).json()["feed_id"]

    def shown(self) -> Mapping[str, Sequence[Shown]]:
        entries = {
            name: self._ask("GET", f"/feeds/{feed}/entries", params={"limit": "100"}).json()["entries"]
            for name, feed in self._feeds.items()
        }
        return {
            name: [Shown(each["title"], _plain(each["content"]), each["url"]) for each in found]
            for name, found in entries.items()
        }


class Feedparser(Reader):
    """feedparser, which programs of newsrooms use: it shows what is in the feed now."""

    def __init__(self, folder: Path, urls: Mapping[str, str]) -> None:
        super().__init__(folder, urls)
        self._shown: dict[str, list[Shown]] = {}

    def poll(self) -> None:
        import feedparser  # noqa: PLC0415 - of the group `oracle` only

        for name, url in self.urls.items():
            found = feedparser.parse(url)
            assert not found.bozo, found
            self._shown[name] = [
                Shown(each.title, _plain(each.content[0].value if "content" in each else each.summary), each.link)
                for each in found.entries
            ]

    def shown(self) -> Mapping[str, Sequence[Shown]]:
        return dict(self._shown)


READERS: dict[str, type[Reader]] = {
    "newsboat": Newsboat,
    "miniflux": Miniflux,
    "feedparser": Feedparser,
}
