"""Two incidents with the same text on one street are both published, and each receipt names its own post."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from policenotify.channel import ChannelConfig
from policenotify.journal import open_journal
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message, Translation
from policenotify.model.receipt import Publication
from policenotify.networks.registry import configure_channel
from policenotify.publishing.installation import Installation as Given
from policenotify.publishing.publisher import Publisher
from policenotify.testing import Answer, Disconnect, FakeClock, FakeMastodonServer, FakeXServer
from policenotify.testing.samples import PARIS, SENDER
from policenotify.testing.servers.http import RecordedRequest, Reply
from policenotify.text import x_weight
from policenotify.text.links import find_links
from tests.support.installation import accident
from tests.support.network_options import x_options

NOW = datetime(2026, 3, 2, 16, 42, tzinfo=UTC)  # 17h42 in Paris
CREATE = ("POST", "/2/tweets")


@dataclass
class Installation:
    """An installation with one channel, whose clock moves only when set."""

    publisher: Publisher
    clock: FakeClock

    def publish(self, message: Message, key: str) -> Publication:
        self.publisher.publish(message, key=key, actor="desk", wait=timedelta(0))
        self.publisher.drain(timedelta(milliseconds=1))
        return self.publication(key)

    def publication(self, key: str) -> Publication:
        publication = self.publisher.operations.publication(key)
        assert publication is not None
        return publication

    def wait(self, key: str) -> Publication:
        """Let time pass until all of it is settled: from one moment at which something is due to the next."""
        for _ in range(30):
            if all(receipt.outcome.is_final for receipt in self.publication(key)):
                break
            due = self.publisher.drain(timedelta(milliseconds=1))
            if due is not None and due > self.clock.now():
                self.clock.pass_by((due - self.clock.now()).total_seconds())
        return self.publication(key)

    def opening(self, incident: str, **changes: Any) -> Publication:
        message = accident(lifecycle=Lifecycle(stage=Stage.OPENING, incident=incident), **changes)
        return self.publish(message, f"{incident}-opening")

    def end(self, incident: str) -> Publication:
        return self.publish(self.publisher.operations.incident(incident).end("Circulation rétablie"), f"{incident}-end")


def ids(*publication: Publication) -> list[str]:
    assert [receipt.outcome for one in publication for receipt in one] == [Outcome.POSTED] * len(publication)
    return [receipt.ref.id for one in publication for receipt in one if receipt.ref is not None]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW, run="the machine")


@pytest.fixture
def x(clock: FakeClock) -> Iterator[FakeXServer]:
    with FakeXServer(now=clock.now) as x:
        yield x


Open = Callable[..., Installation]


@pytest.fixture
def opened(tmp_path: Path, clock: FakeClock) -> Iterator[Open]:
    with ExitStack() as stack:

        def make(*channels: ChannelConfig, **how: Any) -> Installation:
            journal = open_journal(
                str(tmp_path / "journal.db"), keys=Keys.create(secrets.token_bytes), clock=clock, create=True
            )
            stack.callback(journal.close)
            publisher = Publisher(
                Given(journal=journal, channels=channels, zone=PARIS, sender=SENDER, clock=clock, **how)
            )
            stack.callback(publisher.close)
            return Installation(publisher, clock)

        yield make


def on_x(x: FakeXServer, **options: Any) -> ChannelConfig:
    made = x_options(x) | {"timeout": 2.0}
    return configure_channel("x", "x", made | options, languages=("fr", "en"))


@pytest.fixture
def installation(opened: Open, x: FakeXServer) -> Installation:
    return opened(on_x(x))


# --- another incident's post is never taken for ours


@pytest.mark.parametrize("seconds", [1, 3600])
def test_a_second_incident_in_the_same_words_has_posts_of_its_own(
    installation: Installation, x: FakeXServer, seconds: int
) -> None:
    first, first_end = installation.opening("I1"), installation.end("I1")
    installation.clock.pass_by(seconds)
    second, second_end = installation.opening("I2"), installation.end("I2")
    posts = ids(first, first_end, second, second_end)
    assert posts == [post.id for post in x.posts]
    assert len(set(posts)) == 4
    assert [post.parent for post in x.posts] == [None, posts[0], None, posts[2]]


@pytest.mark.parametrize("out", [True, False])
@pytest.mark.parametrize("seconds", [1, 120])
def test_a_lost_answer_finds_its_own_post_and_not_the_one_in_the_same_words(
    installation: Installation, x: FakeXServer, seconds: int, *, out: bool
) -> None:
    """X refuses the second one. The doubt after the cut connection is settled beside the first one's post."""
    x.duplicate_window = timedelta(0)
    first = installation.opening("I1")
    installation.clock.pass_by(seconds)
    x.fail_next(*CREATE, Disconnect(), effect=out)
    assert installation.opening("I2").receipts[0].outcome is Outcome.UNCONFIRMED
    posts = ids(first, installation.wait("I2-opening"))
    assert posts == [post.id for post in x.posts]
    assert len(set(posts)) == 2


@pytest.mark.parametrize("remembers", [True, False])
def test_on_mastodon_a_lost_answer_finds_no_post_of_another(opened: Open, clock: FakeClock, *, remembers: bool) -> None:
    with FakeMastodonServer(now=clock.now, software="mastodon" if remembers else "gotosocial") as server:
        options = {"handle": server.handle, "token": server.token, "server": server.url, "timeout": 2.0}
        installation = opened(configure_channel("mastodon", "mastodon", options))
        first = installation.opening("I1")
        for out in (True, False):
            clock.pass_by(20)
            server.fail_next("POST", "/api/v1/statuses", Disconnect(), effect=out)
            installation.opening(f"I-{out}")
        found = ids(first, *(installation.wait(f"I-{out}-opening") for out in (True, False)))
        assert sorted(found) == sorted(post.id for post in server.posts)
        assert len(set(found)) == 3


@pytest.mark.parametrize("network", ["x", "mastodon"])
def test_of_two_posts_in_doubt_each_delivery_finds_its_own(
    opened: Open, clock: FakeClock, x: FakeXServer, network: str
) -> None:
    """The second one is first tried so much later that its look-up does not reach back to the first one's post."""
    x.duplicate_window = timedelta(0)

    def trouble(seen: RecordedRequest) -> tuple[Reply, bool] | None:
        if not seen.path.endswith(("/tweets", "/statuses")):
            return None
        return (Disconnect(), True) if seen.method == "POST" else (Answer(503), False)

    with FakeMastodonServer(now=clock.now, software="gotosocial") as server:
        options = {"handle": server.handle, "token": server.token, "server": server.url, "timeout": 2.0}
        fake: Any = x if network == "x" else server
        installation = opened(on_x(x) if network == "x" else configure_channel("mastodon", "mastodon", options))
        fake.disturb(trouble)
        for incident in ("I1", "I2"):
            installation.opening(incident)
            clock.pass_by(60)
        fake.recover()
        clock.pass_by(600)
        assert ids(installation.wait("I1-opening"), installation.wait("I2-opening")) == [post.id for post in fake.posts]


# --- texts published that day are published again


@pytest.mark.parametrize("minutes", [2, 600])
def test_an_end_whose_text_was_published_that_day_is_published(
    installation: Installation, x: FakeXServer, minutes: int
) -> None:
    installation.opening("I1")
    installation.end("I1")
    installation.clock.pass_by(60 * minutes)
    opening = installation.opening("I2", headline="Accident entre un camion et un bus")
    end = installation.end("I2")
    said = x.posts[-1]
    assert ids(opening, end) == [x.posts[-2].id, said.id]
    assert said.text.startswith("✅")
    assert said.parent == x.posts[-2].id
    reference = installation.publisher.journal.keys.reference("I2")
    hour = (NOW + timedelta(minutes=minutes)).astimezone(PARIS)
    assert f"Réf. {reference}, {hour.hour}h{f'{hour.minute:02d}' if hour.minute else ''}" in said.text
    assert not end.receipts[0].reason


def test_a_distinct_text_is_in_the_language_of_the_post(installation: Installation, x: FakeXServer) -> None:
    english = Translation(language="en", headline="Traffic accident", instruction="Avoid the area.")
    for incident in ("I1", "I2"):
        installation.opening(incident, translations=(english,))
        installation.wait(f"{incident}-opening")
        installation.clock.pass_by(600)
    texts = [post.text for post in x.posts]
    assert len(texts) == 4
    assert "Réf. " in texts[2]
    assert "Ref. " in texts[3]
    assert ", 17:5" in texts[3]


def _words(length: int) -> str:
    return ("Évitez le secteur et suivez la déviation par l'avenue de Lodève puis la rue Haute " * 9)[:length].rstrip()


@pytest.mark.parametrize("length", [60, 132, 180, 228, 288])
def test_a_distinct_text_has_its_space_at_any_length(installation: Installation, x: FakeXServer, length: int) -> None:
    """Links and hashtags are where the text that is sent has them."""
    link = "https://police.example/a9"
    [wording] = installation.publisher.preview(accident(instruction=_words(length), link=link)).posts
    for post in (wording.standalone, *wording.continuations):
        assert x_weight(post.text) <= 280
        assert x_weight(post.distinct) <= 280
        assert "Réf. " in post.distinct
        assert [(span.start, span.end, span.value) for span in post.distinct_spans] == [
            (span.start, span.end, span.value) for span in find_links(post.distinct)
        ]
    for incident in ("I1", "I2"):
        installation.opening(incident, instruction=_words(length), link=link)
        publication = installation.wait(f"{incident}-opening")
        assert {receipt.outcome for receipt in publication} == {Outcome.POSTED}
        installation.clock.pass_by(600)
    assert len({post.text for post in x.posts}) == 2 * (1 + len(wording.continuations))
