"""A feed in a directory keeps the contract."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from re import findall
from typing import Any, Self
from xml.etree import ElementTree as ET

import pytest

from policenotify.channel import Channel
from policenotify.networks.feed import store as store_module
from policenotify.networks.feed.channel import PublicFeed
from policenotify.testing import (
    ChannelContract,
    Fault,
    NetworkFixture,
    VisiblePost,
)
from policenotify.testing.contract.fixtures import Call
from policenotify.testing.contract.texts import HEADLINE_IN_ENGLISH
from tests.support.channels import open_channel

URL = "https://alertes.police.example/"


class DeniedSystem:
    """The module `os` of a user without rights: tests run as root, to whom nothing is denied."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: str, *_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", path)


class FeedFixture(NetworkFixture):
    """A directory, as a reader of its Atom and its JSON Feed sees it."""

    faults = frozenset({Fault.UNREACHABLE, Fault.UNAUTHORIZED, Fault.DISCONNECTED_AFTER})

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path("/nowhere")
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> Self:
        self._box = tempfile.TemporaryDirectory()
        self.folder = Path(self._box.name) / "feed"
        self.folder.mkdir()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.recover()
        self._box.cleanup()

    @property
    def visible_posts(self) -> list[VisiblePost]:
        folder = self.folder if self.folder.exists() else self._elsewhere
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        return seen({name: path.read_bytes() for name, path in files.items()})

    def fail_next(self, fault: Fault, call: Call = "post") -> None:
        del call  # all of them read and write the same folder
        if fault in {Fault.UNREACHABLE, Fault.DISCONNECTED}:
            self.folder.rename(self._elsewhere)
        elif fault is Fault.UNAUTHORIZED:
            self._patch.setattr(store_module, "os", DeniedSystem())
        else:
            self._fail_at_the_end()

    def recover(self) -> None:
        self._patch.undo()
        if self._elsewhere.exists():
            self._elsewhere.rename(self.folder)

    @property
    def _elsewhere(self) -> Path:
        return self.folder.with_name("unmounted")

    def _fail_at_the_end(self) -> None:
        """Let the disk fail once everything is written."""
        last, force = self.folder / "index.html", store_module._force
        before = last.read_bytes() if last.exists() else b""

        def failing(folder: Path) -> None:
            force(folder)
            if last.exists() and last.read_bytes() != before:
                raise OSError(errno.EIO, "Input/output error")

        self._patch.setattr(store_module, "_force", failing)


def seen(files: Mapping[str, bytes]) -> list[VisiblePost]:
    """Return the posts of a feed as its readers see them."""
    if "feed.json" not in files:
        return []
    entries = json.loads(files["feed.json"])["items"]
    parents = _parents(files["feed.atom"])
    return [_seen(entry, parents, files) for entry in reversed(entries) if entry["title"] != "Publication retirée"]


def _parents(atom: bytes) -> Mapping[str, str]:
    names = {"a": "http://www.w3.org/2005/Atom", "t": "http://purl.org/syndication/thread/1.0"}
    return {
        entry.findtext("a:id", "", names): reply.get("href", "").rpartition("/")[2].removesuffix(".html")
        for entry in ET.fromstring(atom).iterfind("a:entry", names)  # noqa: S314 - our own file
        for reply in entry.iterfind("t:in-reply-to", names)
    }


def _seen(entry: dict[str, Any], parents: Mapping[str, str], files: Mapping[str, bytes]) -> VisiblePost:
    images = findall(r'<img src="([^"]*)" alt="([^"]*)"', entry["content_html"])
    assert all(address.startswith(URL) for address, _ in images)
    page = entry["url"].removeprefix(URL)
    assert page in files, "a link leads nowhere"
    return VisiblePost(
        texts=(entry["title"], entry["content_text"].removesuffix(f"\n\n{HEADLINE_IN_ENGLISH}")),
        id=Path(page).stem,
        parents=(parents[entry["id"]],) if entry["id"] in parents else (),
        pictures=tuple((unescape(alt), files[link.removeprefix(URL)]) for link, alt in images),
    )


class TestFeed(ChannelContract):
    secrets = ("2026-0815",)  # a dispatch number: a feed has no credentials
    # A directory takes every content, and sets no limit.
    test_refusal_raises_refused = None
    test_rate_limit_raises_unavailable = None

    def make_network(self) -> FeedFixture:
        return FeedFixture()

    def open(self, network: FeedFixture) -> Channel:
        return open_channel(
            PublicFeed,
            url=URL,
            folder=network.folder,
            publisher="Police",
            clock=network.clock,
            store=network.state_store,
        )
