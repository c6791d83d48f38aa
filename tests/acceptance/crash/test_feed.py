"""A feed whose writers are killed at any instant: every reader always gets whole files, and no link leads nowhere."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from policenotify.channel import Post, PostRef
from policenotify.journal.clock import SystemClock
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.networks.feed.channel import PublicFeed
from policenotify.testing import InMemoryStateStore
from tests.support.channels import open_channel

URL = "https://alertes.police.example/"
SEED = int(os.environ.get("POLICENOTIFY_CRASH_SEED", "2026"))
KILLS = 30
LONGEST = 0.12  # seconds that a writer lives: a post takes some hundredths
STAGES = (Stage.OPENING, Stage.UPDATE, Stage.END)
POSTS_OF_EACH = 15  # of two processes at once
PATIENCE = 120.0  # seconds for all of them

pytestmark = pytest.mark.crash


def _feed(folder: Path) -> PublicFeed:
    # Each process has a store of its own, as two installations on one folder have.
    return open_channel(
        PublicFeed, url=URL, folder=folder, publisher="Police", clock=SystemClock(), store=InMemoryStateStore()
    )


def _send(feed: PublicFeed, writer: str, number: int, refs: list[PostRef]) -> PostRef:
    incident, stage = f"{writer} {number // 3}", STAGES[number % 3]
    if stage is Stage.OPENING:
        refs.clear()
    thread = sha256(incident.encode()).hexdigest()[:16]
    headline = f"{incident}, {stage}"
    post = Post(
        key=sha256(headline.encode()).hexdigest(),
        account=feed.account,
        stage=stage,
        category="road_closure",
        language="fr",
        title=headline,
        text=f"{headline}. Évitez le secteur.",
        created_at=datetime.now(UTC),
        message=Message(category="road_closure", headline=headline, lifecycle=Lifecycle(stage=stage, incident=thread)),
    )
    return feed.send(feed.prepare(post, tuple(refs)))


def _publish(folder: Path, receipts: Path, writer: str, first: int, last: int) -> None:
    """Publish one post after the other, and note each receipt."""
    feed, refs = _feed(folder), list[PostRef]()
    if first % 3:  # the opening and what followed are out
        refs += [_send(feed, writer, number, []) for number in range(first - first % 3, first)]
    with receipts.open("ab", buffering=0) as file:
        for number in range(first, last):
            refs.append(_send(feed, writer, number, refs))
            file.write(f"{refs[-1].url}\n".encode())


def _forked(work: Callable[[], None]) -> int:
    """Do *work* in a process of its own, and return its id."""
    if child := os.fork():
        return child
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def _posted(receipts: Path) -> list[str]:
    lines = receipts.read_text("utf-8").split("\n") if receipts.exists() else []
    return lines[:-1]  # the last one may be half written


def _read_as_readers_do(folder: Path, receipts: Path) -> None:
    """Check every file of the feed, and each link of it and of the receipts."""
    posted = _posted(receipts)  # read first: what was posted is out
    links = []
    for name in ("feed.atom", "feed.rss"):
        with suppress(FileNotFoundError):
            ET.fromstring((folder / name).read_bytes())  # noqa: S314 - our own file
    with suppress(FileNotFoundError):
        links = [entry["url"] for entry in json.loads((folder / "feed.json").read_bytes())["items"]]
    for link in {*links, *posted}:
        page = (folder / link.removeprefix(URL)).read_text("utf-8")
        assert page.rstrip().endswith("</html>"), f"{link} is not whole"


def _titles(folder: Path) -> Iterator[str]:
    for entry in json.loads((folder / "feed.json").read_bytes())["items"]:
        yield entry["title"]


def test_readers_get_whole_files_from_writers_that_are_killed(tmp_path: Path) -> None:
    folder, receipts, chance = tmp_path / "feed", tmp_path / "receipts", random.Random(SEED)  # noqa: S311 - repeatable
    folder.mkdir()
    killed = 0
    for _ in range(KILLS):
        first = len(_posted(receipts))
        child = _forked(lambda first=first: _publish(folder, receipts, "Rue", first, first + 99))  # type: ignore[misc]  # mypy does not infer a default of a lambda
        end = time.monotonic() + chance.uniform(0, LONGEST)
        while time.monotonic() < end:
            _read_as_readers_do(folder, receipts)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        _read_as_readers_do(folder, receipts)
    assert killed == KILLS, "a writer died by itself"

    feed = _feed(folder)
    feed.rebuild()
    assert feed.rebuild() == ()
    _read_as_readers_do(folder, receipts)
    shown, posted = list(_titles(folder)), len(_posted(receipts))
    assert len(set(shown)) == len(shown), "a post is there twice"
    assert min(posted, 100) <= len(shown)
    pages = set(folder.glob("m/*.html"))
    assert len(pages) in {posted, posted + 1}, "the last one may be out without its receipt"
    print(f"{killed} kills, {posted} receipts, seed {SEED}")  # noqa: T201 - the figures, with `-s`


def test_two_processes_publish_on_one_folder_in_one_order(tmp_path: Path) -> None:
    folder, receipts = tmp_path / "feed", [tmp_path / "a", tmp_path / "b"]
    folder.mkdir()
    children = {
        _forked(lambda file=file: _publish(folder, file, file.name, 0, POSTS_OF_EACH))  # type: ignore[misc]  # mypy does not infer a default of a lambda
        for file in receipts
    }
    end = time.monotonic() + PATIENCE
    while children and time.monotonic() < end:
        for file in receipts:
            _read_as_readers_do(folder, file)
        child, status = os.waitpid(-1, os.WNOHANG)
        if child:
            assert os.waitstatus_to_exitcode(status) == 0
            children.remove(child)
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert not children, "the two wait for each other"

    assert _feed(folder).rebuild() == ()
    shown = list(reversed(list(_titles(folder))))
    for writer in ("a", "b"):
        own = [title for title in shown if title.startswith(writer)]
        assert len(own) == len(set(own)) == POSTS_OF_EACH
    items = [json.loads(path.read_bytes()) for path in folder.glob("items/*.json")]
    assert len(items) == 2 * POSTS_OF_EACH
