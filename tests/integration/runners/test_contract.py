"""What every runner guarantees on every journal, whatever calls `drain` and however it dies."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from policenotify.errors import Blocked
from policenotify.journal.database import schema
from policenotify.journal.records import moment
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.message import Category, Message
from policenotify.model.rate import Rate
from policenotify.publishing.publisher import Publisher
from policenotify.testing.servers.bluesky import FakeBlueskyServer
from policenotify.testing.servers.http import Answer, NoResponse
from tests.integration.runners.conftest import NewSite
from tests.integration.runners.site_process import RATE, Site, SiteProcesses, kill
from tests.support.installation import accident
from tests.support.patience import PATIENCE, until

pytestmark = pytest.mark.runners

PUT = ("POST", "/xrpc/com.atproto.repo.putRecord")
HOSTS = [("sqlite", "thread"), ("server", "process"), ("sqlite", "celery"), ("server", "procrastinate")]
"""Each runner once, and each kind of journal. The guarantees of a journal are shown by its own tests."""


@pytest.fixture(params=HOSTS, ids="-".join)
def host(request: pytest.FixtureRequest, new_site: NewSite) -> tuple[Site, str]:
    """An installation, and who is to deliver for it."""
    database, runner = request.param
    return new_site(database, runner), runner


@pytest.fixture
def desk(host: tuple[Site, str]) -> Iterator[Publisher]:
    """Yield a publisher in another process than the one that delivers."""
    site, runner = host
    opened: Any = site.publisher()
    if runner in {"celery", "procrastinate"}:
        opened.close()
        _, engine = getattr(site, runner)()
        opened = engine.publisher
    yield opened
    opened.close()


def tip(number: int) -> Message:
    return Message(category=Category.SCAM_CYBER, headline=f"Conseil numéro {number}", instruction="Raccrochez.")


def publish(desk: Publisher, message: Message, key: str) -> Any:
    return desk.publish(message, key=key, actor="desk", wait=timedelta(0))


def outcome(desk: Publisher, key: str) -> Outcome:
    told = desk.operations.publication(key)
    assert told is not None
    return told.on("bluesky").outcome


def becomes(desk: Publisher, wanted: Outcome, *keys: str) -> None:
    end = time.monotonic() + PATIENCE
    while any(outcome(desk, key) is not wanted for key in keys):
        if time.monotonic() > end:
            pytest.fail(f"should become {wanted}: { {key: str(outcome(desk, key)) for key in keys} }")
        time.sleep(0.02)


def test_it_keeps_order_urgency_rate_and_pauses_and_survives_poison(
    host: tuple[Site, str], desk: Publisher, bluesky: FakeBlueskyServer, site_processes: SiteProcesses
) -> None:
    for number in range(3):
        publish(desk, tip(number), f"tip {number}")
    opened = publish(desk, accident(severity=Severity.MINOR), "open")
    danger = opened.update(
        "Produit dangereux",
        severity=Severity.SEVERE,
        instruction="Fermez vos fenêtres.",
        starts_at=desk.installation.timer.now(),
    )
    publish(desk, danger, "update")
    with site_processes.running(*host):
        becomes(desk, Outcome.POSTED, "open", "update", *(f"tip {number}" for number in range(3)))
        attempts = {each.key: each for each in _attempts(desk)}
        opening, update = attempts["open"], attempts["update"]
        assert opening.ended_at <= update.started_at
        # What an urgent message waits for is as urgent as it. A second process may send tips while the first, which has
        # claimed the opening, opens its channel, or has begun one when the opening ends.
        tips = [attempts[f"tip {number}"] for number in range(3)]
        assert not [tip for tip in _of_process(opening, tips) if tip.started_at < opening.started_at], attempts
        between = [tip for tip in _of_process(update, tips) if opening.ended_at < tip.started_at < update.started_at]
        assert len(between) <= 1, attempts

        bluesky.fail_next(*PUT, Answer.json({"error": "InvalidRequest", "message": "bad"}, 400), effect=False)
        publish(desk, tip(3), "poison")
        becomes(desk, Outcome.REFUSED, "poison")  # before the next is published: two processes may deliver side by side
        publish(desk, tip(4), "tip 4")
        becomes(desk, Outcome.POSTED, "tip 4")

        desk.journal.channels.block("bluesky", Blocked("The token was revoked."))
        publish(desk, tip(5), "paused")
        time.sleep(1.5)  # each runner has looked for itself by then
        assert outcome(desk, "paused") is Outcome.WAITING
        desk.journal.resume("adm", "bluesky")
        becomes(desk, Outcome.POSTED, "paused")
        with site_processes.running(*host):  # two at once
            for number in range(6, 12):
                publish(desk, tip(number), f"tip {number}")
            becomes(desk, Outcome.POSTED, *(f"tip {number}" for number in range(6, 12)))
    texts = [post.text for post in bluesky.posts]
    assert len(set(texts)) == len(texts) == 13
    times = sorted(moment(each.started_at) for each in _attempts(desk))
    limit = Rate.read(RATE)
    crowds = [sum(at <= other < at + limit.per for other in times) for at in times]
    assert len(times) == 14
    assert max(crowds) <= limit.posts


def _attempts(desk: Publisher) -> Sequence[Any]:
    """Return each attempt with the key of its publication, by the journal."""
    one, of, said = schema.attempt, schema.delivery, schema.publication
    query = select(said.c.key, one.c.owner, one.c.started_at, one.c.ended_at).join(of, of.c.publication == said.c.id)
    with desk.journal.read() as connection:
        return connection.execute(query.join(one, one.c.delivery == of.c.id)).all()


def _of_process(of: Any, attempts: Sequence[Any]) -> Sequence[Any]:
    """Return the attempts of the process that made the attempt *of*. An owner is a process and a thread of it."""
    return [each for each in attempts if each.owner.rpartition("/")[0] == of.owner.rpartition("/")[0]]


def test_killed_in_the_middle_it_loses_nothing(
    host: tuple[Site, str], desk: Publisher, bluesky: FakeBlueskyServer, site_processes: SiteProcesses
) -> None:
    bluesky.fail_next(*PUT, NoResponse(), effect=True)  # it is published, and no answer shows it
    with site_processes.running(*host) as first:
        opened = publish(desk, accident(), "open")
        until(lambda: bluesky.posts)
        kill(first)
    publish(desk, opened.end("Circulation rétablie"), "end")
    assert outcome(desk, "open") is Outcome.SENDING
    with site_processes.running(*host):
        becomes(desk, Outcome.POSTED, "open", "end")
    assert [post.parent for post in bluesky.posts] == [None, bluesky.posts[0].uri]


@pytest.mark.parametrize("host", [("server", "process")], indirect=True)
def test_clocks_that_are_hours_apart_lose_and_double_nothing(
    host: tuple[Site, str], desk: Publisher, bluesky: FakeBlueskyServer, site_processes: SiteProcesses
) -> None:
    site, runner = host
    with site_processes.running(replace(site, host="behind", ahead=-3600), runner):
        with site_processes.running(replace(site, host="ahead", ahead=3600), runner):
            opened = publish(desk, accident(), "open")
            becomes(desk, Outcome.POSTED, "open")
            publish(desk, opened.end("Circulation rétablie"), "end")
            becomes(desk, Outcome.POSTED, "open", "end")
        # The clock of this one is right: for it the others' times are to come, and do not count.
        with site_processes.running(*host):
            publish(desk, tip(1), "tip")
            becomes(desk, Outcome.POSTED, "tip")
    assert [post.parent for post in bluesky.posts] == [None, bluesky.posts[0].uri, None]
