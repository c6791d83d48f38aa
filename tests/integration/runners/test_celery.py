"""A host with Celery delivers whatever the broker does, and its periodic drain cannot vanish unseen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from celery import signals
from celery.beat import Service

from policenotify.integrations.celery import DRAIN, PERIODIC_DRAIN, CeleryRunner
from policenotify.integrations.host import ProcessPublisher
from policenotify.model.history import Outcome
from policenotify.testing.servers.bluesky import FakeBlueskyServer
from tests.integration.runners.conftest import NewSite
from tests.integration.runners.site_process import Site
from tests.support.installation import accident
from tests.support.patience import PATIENCE

AT_ONCE = timedelta(0)


@pytest.fixture
def site(new_site: NewSite) -> Site:
    return replace(new_site("sqlite"), broker="memory://", every=60)


@pytest.fixture
def host(site: Site) -> Iterator[tuple[Any, CeleryRunner]]:
    app, runner = site.celery()
    _forget(app)  # a broker in memory is one for all of this process
    yield app, runner
    signals.worker_shutdown.send(sender=None)
    assert runner._publisher is None
    _forget(app)


def _forget(app: Any) -> None:
    with app.connection_for_write() as connection:
        connection.SimpleQueue("celery").clear()


def _asked(app: Any) -> int:
    with app.connection_for_read() as connection:
        return int(connection.SimpleQueue("celery").qsize())


def test_each_publication_requests_a_drain(host: tuple[Any, CeleryRunner], bluesky: FakeBlueskyServer) -> None:
    app, runner = host
    opened = runner.publisher.publish(accident(), key="open", actor="cad", wait=AT_ONCE)
    runner.publisher.publish(opened.update("Un point"), key="update", actor="cad", wait=AT_ONCE)
    assert _asked(app) == 2
    app.tasks[DRAIN]()
    assert len(bluesky.posts) == 2
    app.tasks[DRAIN]()
    assert len(bluesky.posts) == 2


@pytest.mark.slow
def test_a_broker_that_is_down_keeps_nothing_from_being_published(
    site: Site, bluesky: FakeBlueskyServer, caplog: pytest.LogCaptureFixture
) -> None:
    app, runner = replace(site, broker="redis://127.0.0.1:9/0").celery()
    told = runner.publisher.publish(accident(), key="open", actor="cad", wait=AT_ONCE)
    assert told.on("bluesky").outcome is Outcome.WAITING
    assert "CeleryRunner was not notified that something waits" in caplog.text
    app.tasks[DRAIN]()
    assert len(bluesky.posts) == 1
    runner.close()


def test_the_periodic_drain_is_in_the_schedule_and_put_back_where_it_vanished(
    host: tuple[Any, CeleryRunner], caplog: pytest.LogCaptureFixture
) -> None:
    app, _ = host
    entry = app.conf.beat_schedule[PERIODIC_DRAIN]
    assert (entry["task"], entry["schedule"], entry["options"]) == (DRAIN, timedelta(seconds=60), {"expires": 60.0})
    beat = Service(app)
    signals.beat_init.send(sender=beat)
    assert caplog.text == ""
    app.conf.beat_schedule = {}
    beat = Service(app)
    assert PERIODIC_DRAIN not in beat.scheduler.schedule
    signals.beat_init.send(sender=beat)
    assert beat.scheduler.schedule[PERIODIC_DRAIN].task == DRAIN
    assert "policenotify.periodic_drain was added again" in caplog.text
    beat.scheduler.close()


# --- what all of them share


def test_a_drain_also_delivers_what_others_of_its_process_requested(site: Site) -> None:
    hosted = ProcessPublisher(site.publisher)
    begun, go = threading.Event(), threading.Event()
    drains: list[timedelta] = []

    def drain(budget: timedelta) -> None:
        drains.append(budget)
        begun.set()
        assert go.wait(PATIENCE)

    publisher: Any = hosted.publisher
    publisher.drain = drain
    first = threading.Thread(target=hosted.drain, args=(timedelta(seconds=1),))
    first.start()
    assert begun.wait(PATIENCE)
    hosted.drain(timedelta(seconds=2))  # returns at once
    go.set()
    first.join()
    assert drains == [timedelta(seconds=1)] * 2
    publisher.drain = lambda _budget: 1 / 0
    for _ in range(2):  # a failing one blocks no other
        with suppress(ZeroDivisionError):
            hosted.drain(timedelta(seconds=1))
            pytest.fail("it did not drain")
    hosted.close()
    hosted.close()


def test_each_process_has_a_publisher_of_its_own(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    hosted = ProcessPublisher(site.publisher)
    ours = hosted.publisher
    assert hosted.publisher is ours
    monkeypatch.setattr("os.getpid", lambda: -1)  # as after a fork
    theirs = hosted.publisher
    assert theirs is not ours
    monkeypatch.undo()
    hosted.close()  # which is not ours to close
    theirs.close()
    ours.close()
