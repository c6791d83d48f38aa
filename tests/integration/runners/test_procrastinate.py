"""Procrastinate workers get a publication exactly when it is committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from procrastinate import App
from procrastinate.testing import InMemoryConnector
from sqlalchemy import Engine, create_engine, make_url

from policenotify.errors import SettingsError
from policenotify.integrations.procrastinate import DRAIN, PERIODIC_DRAIN, ProcrastinateRunner
from policenotify.model.history import Outcome
from policenotify.publishing.publisher import Publisher
from policenotify.testing.servers.bluesky import FakeBlueskyServer
from tests.integration.runners.conftest import NewSite
from tests.integration.runners.site_process import Site
from tests.support.installation import accident

AT_ONCE = timedelta(0)


@pytest.fixture
def site(new_site: NewSite) -> Site:
    return new_site("server", "procrastinate", every=60)


@pytest.fixture
def app(site: Site) -> Iterator[tuple[App, Publisher]]:
    made, runner = site.procrastinate()
    yield made, runner.publisher
    runner.close()


@pytest.fixture
def host(site: Site) -> Iterator[Engine]:
    made = create_engine(make_url(site.journal).set(drivername="postgresql+psycopg"))
    yield made
    made.dispose()


def _jobs(host: Engine) -> Counter[tuple[str, str]]:
    with host.connect() as connection:
        rows = connection.exec_driver_sql("SELECT task_name, status FROM procrastinate_jobs").all()
    return Counter((row[0], row[1]) for row in rows)


@pytest.mark.runners
def test_the_job_is_there_exactly_if_the_message_is(
    app: tuple[App, Publisher], host: Engine, bluesky: FakeBlueskyServer
) -> None:
    procrastinate, publisher = app
    with host.connect() as connection:
        publisher.publish(accident(), key="open", actor="cad", connection=connection)
        connection.rollback()
    assert _jobs(host) == {}
    with host.begin() as slow:
        publisher.publish(accident(), key="open", actor="cad", connection=slow)
        # Another publisher does not wait for the slow one.
        other = accident(lifecycle=accident().lifecycle.model_copy(update={"incident": "2026-4712"}))
        publisher.publish(other, key="other", actor="cad", wait=AT_ONCE)
        assert _jobs(host) == {(DRAIN, "todo"): 1}
    assert _jobs(host) == {(DRAIN, "todo"): 2}
    with procrastinate.open():
        procrastinate.run_worker(wait=False, install_signal_handlers=False)
    done = _jobs(host)
    assert done.pop((PERIODIC_DRAIN, "succeeded")) == 1  # the one that was just missed
    assert done == {(DRAIN, "succeeded"): 2}
    assert len(bluesky.posts) == 2
    assert publisher.publish(accident(), key="open", actor="cad", wait=AT_ONCE).on("bluesky").outcome is Outcome.POSTED
    assert _jobs(host)[DRAIN, "todo"] == 0


@pytest.mark.runners
def test_a_task_of_the_host_may_publish(app: tuple[App, Publisher], host: Engine, bluesky: FakeBlueskyServer) -> None:
    procrastinate, publisher = app

    @procrastinate.task(name="dispatch")
    def dispatch() -> None:
        publisher.publish(accident(), key="open", actor="cad", wait=AT_ONCE)

    with procrastinate.open():
        dispatch.defer()
        procrastinate.run_worker(wait=False, install_signal_handlers=False)
    assert _jobs(host)[DRAIN, "succeeded"] == 1
    assert len(bluesky.posts) == 1


def test_another_journal_sends_no_notification_and_is_swept(
    new_site: NewSite, bluesky: FakeBlueskyServer, caplog: pytest.LogCaptureFixture
) -> None:
    app = App(connector=InMemoryConnector())
    runner = ProcrastinateRunner(app, new_site("sqlite").publisher)
    runner.publisher.publish(accident(), key="open", actor="cad", wait=AT_ONCE)
    assert "ProcrastinateRunner was not notified that something waits (SettingsError)" in caplog.text
    waits = pytest.raises(SettingsError, match="the publication waits for the periodic drain")
    with runner.publisher.journal.read() as connection, waits:
        runner.enqueue(connection)
    periodic: Any = app.tasks[PERIODIC_DRAIN]
    periodic(timestamp=0)
    assert len(bluesky.posts) == 1
    drained: Any = app.tasks[DRAIN]
    drained()
    runner.close()


@pytest.mark.parametrize("seconds", [0, 0.5, 7, 90])
def test_it_drains_periodically_at_seconds_that_divide_a_minute(seconds: float) -> None:
    with pytest.raises(ValueError, match="every: must be whole seconds that divide a minute"):
        ProcrastinateRunner(App(connector=InMemoryConnector()), every=timedelta(seconds=seconds))
