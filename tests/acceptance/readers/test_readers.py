"""One story, published by us and polled after each step by feed readers of other projects."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import pytest
import uvicorn

from policenotify.formats.feed import FILES
from policenotify.journal.keys import Keys
from policenotify.model.lifecycle import STANDALONE, Lifecycle, Stage
from policenotify.model.location import Location
from policenotify.model.message import Message
from policenotify.networks.registry import configure_channel
from policenotify.publishing.publisher import Publisher
from policenotify.render.locales import LOCALES
from policenotify.testing.samples import SENDER
from policenotify.web import app
from tests.acceptance.readers.clients import READERS, Reader, Shown
from tests.support.installation import INCIDENT, accident, open_journal_publisher

pytestmark = pytest.mark.readers

FALSE_ALARM = "2026-4712"
ENDED = ("Accident de la circulation", "Une voie rouverte", "Les deux voies sont fermées", "Circulation rétablie")
"""Headlines of the incident that ends: its opening, an update, the correction of this update, and the end."""

CANCELLED = "Feu de végétation"
ANNOUNCED = "Contrôles renforcés"
CANCELLATION = "ANNUL"
"""A cancellation names category and place only."""

STEPS: tuple[tuple[str, ...], ...] = (
    (ENDED[0], CANCELLED),
    (ENDED[1], ANNOUNCED),
    (ENDED[2],),
    (ENDED[3], CANCELLATION),
)
"""What each step publishes."""


WITHDRAWN = "Publication retirée"


@dataclass
class Story:
    """What each reader has shown of each feed.

    Attributes:
        seen: After each step, and once more without a change.
        withdrawn: After the standalone message was withdrawn.
    """

    seen: dict[str, list[Mapping[str, Sequence[Shown]]]] = field(default_factory=lambda: {name: [] for name in READERS})
    withdrawn: dict[str, Mapping[str, Sequence[Shown]]] = field(default_factory=dict)

    def last(self, reader: str, feed: str) -> Sequence[Shown]:
        return self.seen[reader][-1][feed]


def _publish(publisher: Publisher, step: int, known: dict[str, str]) -> None:
    opening = accident()
    false = accident(
        category="fire",
        headline=CANCELLED,
        location=Location(commune="34108", street="route de Balaruc"),
        lifecycle=Lifecycle(stage=Stage.OPENING, incident=FALSE_ALARM),
    )
    match step:
        case 0:
            messages = [opening, false]
        case 1:
            alone = Message(category="road_safety", headline=ANNOUNCED, lifecycle=STANDALONE)
            messages = [opening.followed_by(Stage.UPDATE, headline=ENDED[1], incident=INCIDENT), alone]
        case 2:
            corrects = known[ENDED[1]]
            messages = [opening.followed_by(Stage.CORRECTION, headline=ENDED[2], corrects=corrects, incident=INCIDENT)]
        case _:
            messages = [
                opening.followed_by(Stage.END, headline=ENDED[3], incident=INCIDENT),
                false.followed_by(Stage.CANCELLATION, headline="Fausse alerte", incident=FALSE_ALARM),
            ]
    for message in messages:
        published = publisher.publish(message, key=message.headline, actor="desk", wait=10)
        assert published.ok, str(published)
        known[message.headline] = published.id


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app(folder), log_level="error", lifespan="off"))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join(10)


def _publisher(box: Path, url: str) -> Publisher:
    options = {"url": url, "publisher": SENDER, "folder": str(box / "feed")}
    channel = configure_channel("feed", "feed", options, locales=LOCALES)
    return open_journal_publisher(box / "journal.db", Keys.create(secrets.token_bytes), channel)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    box = tmp_path_factory.mktemp("story")
    (box / "feed").mkdir()
    story, known = Story(), dict[str, str]()
    with ExitStack() as stack:
        url = stack.enter_context(_served(box / "feed"))
        publisher = stack.enter_context(_publisher(box, url))
        threads = stack.enter_context(ThreadPoolExecutor(len(READERS)))
        readers = dict(zip(READERS, threads.map(lambda name: _opened(box, name, url, stack), READERS), strict=True))

        def poll() -> Mapping[str, Mapping[str, Sequence[Shown]]]:
            return dict(zip(readers, threads.map(_polled, readers.values()), strict=True))

        for step in range(len(STEPS) + 1):
            if step < len(STEPS):
                _publish(publisher, step, known)
            for name, shown in poll().items():
                story.seen[name].append(shown)
        publisher.withdraw(ANNOUNCED, actor="desk", reason="Une erreur de lieu.", wait=10)
        story.withdrawn.update(poll())
    return story


def _opened(box: Path, name: str, url: str, stack: ExitStack) -> Reader:
    (box / name).mkdir()
    reader = READERS[name](box / name, {each: url + FILES[each] for each in READERS[name].formats})
    stack.callback(reader.close)
    return reader


def _polled(reader: Reader) -> Mapping[str, Sequence[Shown]]:
    reader.poll()
    return reader.shown()


def _of(headline: str, shown: Sequence[Shown]) -> list[Shown]:
    return [each for each in shown if headline in each.title]


each_feed = pytest.mark.parametrize(
    ("reader", "feed"), [(name, each) for name, reader in READERS.items() for each in reader.formats]
)


@each_feed
def test_each_stage_is_shown_once_as_soon_as_it_is_published(story: Story, reader: str, feed: str) -> None:
    for step, seen in enumerate(story.seen[reader]):
        published = [headline for each in STEPS[: step + 1] for headline in each]
        counts = {headline: len(_of(headline, seen[feed])) for headline in published}

        assert counts == dict.fromkeys(published, 1), (step, seen[feed])
        assert len(seen[feed]) == len(published)


@each_feed
def test_each_stage_leads_to_a_page_of_its_own(story: Story, reader: str, feed: str) -> None:
    links = {each.link for each in story.last(reader, feed)}

    assert len(links) == len(story.last(reader, feed))
    assert all("/m/" in link for link in links)


@each_feed
def test_what_became_of_an_entry_is_shown(story: Story, reader: str, feed: str) -> None:
    def tells(word: str) -> set[str]:
        return {each.title for each in story.last(reader, feed) if each.text.lstrip().startswith(f"{word} ")}

    shown = story.last(reader, feed)
    ended = {each.title for headline in ENDED[:3] for each in _of(headline, shown)}
    cancelled = {each.title for each in _of(CANCELLED, shown)}
    assert (tells("Terminé"), tells("Annulé")) == (ended, cancelled)


@each_feed
def test_no_title_tells_that_something_ended_is_under_way(story: Story, reader: str, feed: str) -> None:
    assert [each.title for each in story.last(reader, feed) if "EN COURS" in each.title] == []


@each_feed
def test_a_withdrawn_message_loses_its_words(story: Story, reader: str, feed: str) -> None:
    shown = story.withdrawn[reader][feed]
    assert [each for each in shown if ANNOUNCED in each.title + each.text] == []
    assert len([each for each in shown if each.title == WITHDRAWN]) == 1
