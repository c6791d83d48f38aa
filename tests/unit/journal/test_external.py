"""A publication in the caller's transaction is published if it commits, and not if it rolls back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine

from policenotify.errors import IdempotencyConflict, InvalidTransition, JournalError, MessageRejected, PublishingStopped
from policenotify.journal import open_journal
from policenotify.journal.keys import Keys
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.publishing.aio import AsyncPublisher
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from tests.support.fake_network import KEYED, Scripted
from tests.support.installation import INCIDENT, accident, soon
from tests.support.patience import LONG
from tests.unit.journal.conftest import NewJournal

AS_OWNER = True  # the host's own tables are in the same database
LATER = accident(headline="Une voie rouverte")


@pytest.fixture
def url(place: str, tmp_path: Path) -> str:
    return place or f"sqlite:///{tmp_path}/journal.db"


@pytest.fixture
def sky() -> Scripted:
    return Scripted(capabilities=KEYED)


@pytest.fixture
def publisher(url: str, keys: Keys, sky: Scripted) -> Iterator[Publisher]:
    made = Publisher(
        Installation(
            journal=open_journal(url, keys=keys, create=True),
            channels=[sky.configured("sky")],
            zone=PARIS,
            sender=SENDER,
            backoff=soon,
        )
    )
    yield made
    made.close()


@pytest.fixture
def host(url: str) -> Iterator[Engine]:
    """The caller's own engine, with a table of its own beside the journal's."""
    made = create_engine(make_url(url).set(drivername="postgresql+psycopg") if url.startswith("post") else url)
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE accident (id TEXT)"))
    yield made
    made.dispose()


def _note(connection: Connection, what: str) -> None:
    connection.execute(text("INSERT INTO accident VALUES (:id)"), {"id": what})


def _noted(host: Engine) -> list[str]:
    with host.connect() as connection:
        return list(connection.execute(text("SELECT id FROM accident ORDER BY id")).scalars())


@pytest.mark.databases
def test_a_commit_publishes_everything_and_nothing_is_published_before(
    publisher: Publisher, host: Engine, sky: Scripted
) -> None:
    with host.begin() as connection:
        opened = publisher.publish(accident(), key="open", actor="dispatch", connection=connection)
        assert opened.on("sky").outcome is Outcome.WAITING
        _note(connection, INCIDENT)
        update = opened.update("Une voie rouverte")  # of what is not committed yet
        publisher.publish(update, key="update", actor="dispatch", connection=connection)
        again = publisher.publish(accident(), key="open", actor="dispatch", connection=connection)
        assert (again.id, again.repeated) == (opened.id, True)
        assert publisher.operations.publication("open") is None
    assert sky.said == []
    assert publisher.drain(LONG) is None
    assert ["MISE À JOUR" in str(request.body["text"]) for request in sky.said] == [False, True]
    assert _noted(host) == [INCIDENT]


@pytest.mark.databases
def test_a_rollback_leaves_nothing(publisher: Publisher, host: Engine, sky: Scripted) -> None:
    with host.connect() as connection:
        publisher.publish(accident(), key="open", actor="dispatch", connection=connection)
        _note(connection, INCIDENT)
        connection.rollback()
    assert publisher.operations.publication("open") is None
    assert publisher.operations.incidents(only_open=False) == ()
    assert publisher.drain(LONG) is None
    assert (sky.said, _noted(host)) == ([], [])
    with host.connect() as connection:
        tables = ("publication", "incident", "delivery", "event")
        counts = [connection.execute(text(f"SELECT count(*) FROM pn_{table}")).scalar() for table in tables]  # noqa: S608 - of the line above
    assert counts == [0, 0, 0, 0]
    assert publisher.publish(accident(), key="open", actor="dispatch").on("sky").outcome is Outcome.POSTED


@pytest.mark.databases
def test_a_failed_call_leaves_the_transaction_usable(publisher: Publisher, host: Engine) -> None:
    elsewhere = LATER.lifecycle.model_copy(update={"incident": "2026-4712"})
    nowhere = accident(
        lifecycle=elsewhere, location=None, severity=Severity.SEVERE, instruction="Évitez le secteur. " * 30
    )
    with host.begin() as connection:

        def publish(message: Any, key: str) -> Any:
            return publisher.publish(message, key=key, actor="dispatch", connection=connection)

        opened = publish(accident(), "open")
        with pytest.raises(IdempotencyConflict):
            publish(LATER, "open")
        with pytest.raises(InvalidTransition):
            publish(LATER, "again")
        with pytest.raises(MessageRejected) as refused:
            publish(nowhere, "nowhere")
        assert "is recorded as" in str(refused.value)
        assert "if your transaction commits" in str(refused.value)
        _note(connection, INCIDENT)
        publish(opened.end("Circulation rétablie"), "end")
    assert _noted(host) == [INCIDENT]
    assert [one.status for one in publisher.operations.incidents(only_open=False)] == ["ended"]
    with host.connect() as connection:
        draft = text("SELECT state FROM pn_publication WHERE id = :id")
        kept = connection.execute(draft, {"id": refused.value.publication}).scalar()
    assert kept == "refused_by_check"
    publisher.journal.stop("cne Roux")
    with host.begin() as connection, pytest.raises(PublishingStopped):
        publisher.publish(accident(lifecycle=elsewhere), key="new", actor="dispatch", connection=connection)


@pytest.mark.databases
def test_only_a_transaction_on_the_journal_is_joined(
    publisher: Publisher, host: Engine, url: str, tmp_path: Path
) -> None:
    def refused(engine: Engine, why: str) -> None:
        with engine.connect() as connection, pytest.raises(JournalError, match=why) as caught:
            publisher.publish(accident(), key="open", actor="dispatch", connection=connection)
        assert "Nothing was sent." in str(caught.value)

    places: list[str | URL] = ["sqlite://", f"sqlite:///{tmp_path}/other.db"]
    if url.startswith("post"):
        places += [
            host.url.set(database="postgres"),
            host.url.update_query_dict({"options": "-csearch_path=pg_catalog"}),
        ]
    for elsewhere in places:
        other = create_engine(elsewhere)
        refused(other, "not on the journal's database")
        other.dispose()
    refused(host.execution_options(isolation_level="AUTOCOMMIT"), "commits each statement by itself")
    with host.connect() as connection, pytest.raises(ValueError, match=r"wait: .* Nothing was sent"):
        publisher.publish(accident(), key="open", actor="dispatch", connection=connection, wait=LONG)
    assert publisher.operations.publication("open") is None


def test_a_transaction_that_has_begun_by_itself_is_joined_as_it_is(publisher: Publisher, host: Engine) -> None:
    event.listen(host, "connect", lambda raw, _record: setattr(raw, "isolation_level", None))
    event.listen(host, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    host.dispose()
    for end in (Connection.rollback, Connection.commit):
        ended: Callable[[Connection], None] = end
        with host.connect() as connection:
            publisher.publish(accident(), key="open", actor="dispatch", connection=connection)
            ended(connection)
        assert (publisher.operations.publication("open") is None) is (end is Connection.rollback)


# --- runners are notified


class Told:
    """A runner that writes into the caller's table when it is notified."""

    def __init__(self) -> None:
        self.woke = 0
        self.fails = False

    def enqueue(self, connection: Connection) -> None:
        _note(connection, "kicked")
        if self.fails:
            connection.execute(text("INSERT INTO nowhere VALUES (1)"))

    def on_commit(self) -> None:
        self.woke += 1
        if self.fails:
            raise OSError("geheim")


@pytest.mark.databases
def test_a_runner_is_notified_inside_the_transaction_and_after_it(
    publisher: Publisher, host: Engine, sky: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    runner = Told()
    publisher.runners.append(runner)
    with host.connect() as connection:
        publisher.publish(accident(), key="open", actor="dispatch", connection=connection)
        connection.rollback()
    assert (_noted(host), runner.woke) == ([], 0)
    for _ in range(2):
        opened = publisher.publish(accident(), key="open", actor="dispatch", wait=timedelta(0))
    assert (_noted(host), runner.woke) == (["kicked"], 1)
    with host.begin() as connection:
        publisher.publish(opened.update("Une voie"), key="update", actor="dispatch", connection=connection)
    assert (_noted(host), runner.woke) == (["kicked"] * 2, 1)
    publisher.wake()
    assert runner.woke == 2
    runner.fails = True  # which blocks no other
    publisher.publish(opened.end("Circulation rétablie"), key="end", actor="dispatch", wait=LONG)
    assert (_noted(host), runner.woke, len(sky.said)) == (["kicked"] * 2, 3, 1)  # the opening was never out
    said = [record.getMessage() for record in caplog.records if "Told was not notified" in record.getMessage()]
    assert [one.partition("(")[2].partition(")")[0] for one in said][1] == "OSError"
    assert (len(said), "geheim" in caplog.text) == (2, False)


@pytest.mark.postgres
def test_an_awaited_transaction_is_joined_by_its_own_task_only(new_journal: NewJournal, keys: Keys) -> None:
    url, sky = new_journal(keys), Scripted()
    desk = Publisher(
        Installation(journal=open_journal(url, keys=keys), channels=[sky.configured("sky")], zone=PARIS, sender=SENDER)
    )

    awaited = AsyncPublisher(desk)

    async def publish(connection: AsyncConnection | AsyncSession, message: Message, key: str) -> Publication:
        return await awaited.publish(message, key=key, actor="dispatch", connection=connection)

    async def others() -> Publication | None:
        return desk.operations.publication("open")

    async def host() -> None:
        engine = create_async_engine(make_url(url).set(drivername="postgresql+psycopg"))
        async with engine.connect() as connection:
            await publish(connection, accident(), "open")
            await connection.rollback()
            opened = await publish(connection, accident(), "open")
            _, seen = await asyncio.gather(publish(connection, opened.update("Une voie"), "update"), others())
            assert seen is None
            await connection.commit()
        await awaited.call(lambda desk: desk.drain(LONG))  # an end supersedes what was never posted
        async with AsyncSession(engine) as session, session.begin():
            await publish(session, opened.end("Fin d'intervention", description="Rouvert."), "end")
            with pytest.raises(ValueError, match="wait: nothing can be delivered before you commit"):
                await awaited.publish(accident(), key="x", actor="dispatch", connection=session, wait=1)
        await awaited.call(Publisher.wake)
        await engine.dispose()

    asyncio.run(host())
    desk.drain(LONG)
    assert len(sky.said) == 3
    desk.close()
