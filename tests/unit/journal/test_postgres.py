"""PostgreSQL only: row locks, its clock, its schema, its failures."""

from __future__ import annotations

import logging
import re
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection, event, insert, select, text, update

from policenotify.channel import RecipientOutcome
from policenotify.errors import JournalError, JournalTakenAway, LostLease
from policenotify.journal import open_journal
from policenotify.journal.database import schema
from policenotify.journal.database.migrate import migrate
from policenotify.journal.database.postgresql import DatabaseClock, grants
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.journal.publications import IncidentChanged
from policenotify.journal.records import AttemptResult, microseconds
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.testing.fakes import FakeClock
from tests.support.journal import LEASE, Desk, _only_added
from tests.support.postgresql import APPLICATION, GUARDED, USER, Server
from tests.unit.journal.test_transactions import fork

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.journal.conftest import NewJournal

pytestmark = pytest.mark.postgres
AS_OWNER = True  # some of these purge and change tables; the last section is about the application
PASSWORD = "geheim-Ünïcode%40"


@pytest.fixture
def place(new_journal: NewJournal, keys: Keys) -> str:
    return new_journal(keys)


@pytest.fixture
def empty(server: Server) -> Iterator[str]:
    """The URL of a database without tables."""
    name = server.database()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def other(desk: Desk) -> Iterator[Desk]:
    """Yield another publisher on the same journal."""
    made = Desk(desk.path.parent, keys=desk.keys, clock=desk.clock, url=desk.url, first=500)
    yield made
    made.journal.close()


def _impatient(url: str, **settings: str) -> str:
    return url + "&options=" + "%20".join(f"-c%20{name}%3D{value}" for name, value in settings.items())


def _whole(error: BaseException | None) -> str:
    """Return the texts of an error and of what is shown with it. The driver's frames had a password."""
    said, one = "", error
    while one is not None:
        frames = traceback.extract_tb(one.__traceback__)
        assert not [frame for frame in frames if "psycopg" in frame.filename or "sqlalchemy/" in frame.filename]
        said += f"{one!s} {one!r} {one.args!r}\n"
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return said


# --- claiming


def test_a_delivery_being_claimed_by_another_process_is_skipped(desk: Desk, other: Desk) -> None:
    for incident in ("I1", "I2"):
        desk.publish(incident=incident)
    with desk.journal.write() as connection:
        first = connection.execute(
            select(schema.delivery.c.id).order_by(schema.delivery.c.id).limit(1).with_for_update()
        ).scalar_one()
        claimed = other.take()  # at once, while the first is locked
        assert claimed.id == first + 1
        assert other.claim() is None
    assert desk.take().id == first


def test_processes_claim_different_deliveries_at_one_instant(together: Callable[..., list[str]], desk: Desk) -> None:
    for number in range(20):
        desk.publish(incident=f"I{number}")
    told = together(
        "desk = opened()\nat_once()\nmine = []\n"
        "while (one := desk.claim('sky', 'elsewhere/b/1/' + sys.argv[2])) is not None:\n    mine.append(one.id)\n"
        "print('claimed', *mine)\n",  # by a late one, nothing
        processes=3,
    )
    claimed = [int(one) for line in told for one in line.split()[1:]]
    assert sorted(claimed) == sorted(set(claimed))
    assert len(claimed) == 20


def test_of_two_runners_one_takes_back_what_is_lost(desk: Desk, other: Desk) -> None:
    desk.publish()
    claimed = desk.begin(desk.take(owner="elsewhere/b/1/1"))
    desk.clock.pass_by(LEASE.total_seconds() + 1)
    start, found = threading.Barrier(2), list[int]()

    def run(one: Desk) -> None:
        start.wait()
        found.append(one.journal.deliveries.recover())

    threads = [threading.Thread(target=run, args=(one,)) for one in (desk, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 1]
    with pytest.raises(LostLease):
        desk.settle(claimed)


def test_an_end_waits_for_the_opening_that_is_just_being_claimed(desk: Desk, other: Desk) -> None:
    """It must see that the opening is under way, not supersede it behind its back."""
    opening = desk.publish()
    draft = other.draft(Stage.END)
    with desk.journal.write() as connection:
        connection.execute(
            update(schema.delivery).values(
                state=Outcome.SENDING, owner="elsewhere/b/1/1", lease_until=microseconds(desk.clock.now() + LEASE)
            )
        )
        late = threading.Thread(target=other.journal.publications.add, args=(draft,))
        late.start()
        _until_a_lock_is_waited_for(desk)
    late.join()
    assert desk.outcome(opening) is Outcome.SENDING
    assert desk.outcome(draft.id) is Outcome.WAITING
    assert desk.claim() is None


@pytest.mark.parametrize("late_for", ["take", "result"])
def test_recipients_and_their_delivery_are_consistent_while_another_process_publishes(
    desk: Desk, other: Desk, late_for: str
) -> None:
    """A worker locks the batch alone, or all of the incident, parents first, like who publishes: so none deadlocks."""
    mail: dict[str, Any] = {"channels": ("mail",), "people": {"mail": ["a@x.example"]}}
    desk.publish(**mail)
    desk.mail()
    update = desk.publish(Stage.UPDATE, **mail)
    claimed = desk.begin(desk.take("mail"))
    told = [
        RecipientOutcome(key=one.key, outcome="posted")
        for one in desk.journal.deliveries.take(claimed, 25, hold_doubt=True, lease=LEASE)
    ]
    draft = other.draft(Stage.END, **mail)
    late = threading.Thread(target=other.journal.publications.add, args=(draft,))
    steps: dict[str, Callable[[], object]] = {
        "take": lambda: desk.journal.deliveries.take(claimed, 0, outcomes=told, hold_doubt=True, lease=LEASE),
        "result": lambda: desk.journal.deliveries.record_result(
            claimed, AttemptResult(outcome=Outcome.WAITING, ref=desk.ref(claimed))
        ),
    }
    for name, step in steps.items():  # each is a transaction of its own, as in a worker
        with desk.journal.write():
            step()
            if name == late_for:
                late.start()
                _until_a_lock_is_waited_for(other)
    late.join()
    assert desk.outcome(update, "mail") is Outcome.POSTED
    assert desk.outcome(draft.id, "mail") is Outcome.WAITING


def _until_a_lock_is_waited_for(desk: Desk) -> None:
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    for _ in range(2_000):
        with desk.journal._engine.connect() as connection:  # this thread has a transaction open, with one snapshot
            if connection.execute(query).scalar():
                return
    pytest.fail("nobody waits for the lock")


# --- publishing


def test_of_two_publishers_that_open_one_incident_the_second_waits_and_is_informed(desk: Desk, other: Desk) -> None:
    first, second = desk.draft(), other.draft()
    told: list[object] = []

    def late() -> None:
        try:
            told.append(other.journal.publications.add(second))
        except IncidentChanged as error:
            told.append(error)

    with desk.journal.write() as connection:
        from policenotify.journal import publications  # noqa: PLC0415 - the door of a race that lasts milliseconds

        publications._write(connection, first, desk.keys)
        thread = threading.Thread(target=late)
        thread.start()
        _until_a_lock_is_waited_for(desk)
    thread.join()
    assert isinstance(told[0], IncidentChanged)
    assert [one.id for one in desk.journal.publications.latest(9)] == [first.id]


def test_one_key_at_one_instant_is_one_publication(together: Callable[..., list[str]], desk: Desk) -> None:
    told = together(
        "desk = opened()\ndraft = desk.draft(key='cad:1')\nat_once()\nprint(desk.journal.publications.add(draft))\n",
        processes=3,
    )
    assert len(set(told)) == 1
    assert [one.id for one in desk.journal.publications.latest(9)] == [told[0]]


def test_an_incident_under_correction_is_not_erased(desk: Desk) -> None:
    tips = [desk.publish(Stage.STANDALONE) for _ in range(2)]
    for _ in tips:
        desk.deliver()
    desk.clock.pass_by(timedelta(days=400).total_seconds())
    from policenotify.journal import publications  # noqa: PLC0415 - as above

    forgotten: list[int] = []
    other = open_journal(desk.url, keys=desk.keys, clock=desk.clock)  # a purge empties events, which no publisher does

    def forget() -> None:
        forgotten.append(other.retention.purge(desk.clock.now() - timedelta(days=300), "archives").publications)

    draft = desk.draft(Stage.CORRECTION, None, corrects=tips[0])
    with desk.journal.write() as connection:
        publications._write(connection, draft, desk.keys)
        late = threading.Thread(target=forget)
        late.start()
        _until_a_lock_is_waited_for(desk)
    late.join()
    other.close()
    assert forgotten == [1]
    kept, gone = (desk.journal.publications.get(tip) for tip in tips)
    assert kept is not None
    assert gone is not None
    assert (kept.message.headline, gone.message.headline[:14]) == ("Accident sur l’A9", "Contenu effacé")


# --- records


# --- settings of a session, and the clock


def test_every_session_is_set_for_safety(desk: Desk) -> None:
    names = (
        "synchronous_commit",  # which the server has switched off
        "lock_timeout",
        "statement_timeout",
        "idle_in_transaction_session_timeout",
        "transaction_isolation",
        "application_name",
    )
    with desk.journal.write() as connection:
        told = {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names}
    assert list(told.values()) == ["on", "30s", "1min", "1min", "read committed", "policenotify"]
    with desk.journal.read() as connection:
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "repeatable read"
    with desk.journal.write() as connection:  # the same connection
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "read committed"


def test_without_a_clock_the_servers_counts(desk: Desk) -> None:
    journal = open_journal(desk.url, keys=desk.keys)
    before = _clock(journal)
    told = journal.now()
    assert isinstance(journal.clock, DatabaseClock)
    assert told.tzinfo is UTC
    way_back = timedelta(milliseconds=100)  # of an answer, by which the time counted on is late
    assert before - way_back <= told <= _clock(journal)
    with journal.write() as connection:
        # In a session that lives elsewhere the moment is the same.
        connection.exec_driver_sql("SET LOCAL TimeZone = 'Asia/Tokyo'")
        journal.clock.ask(connection)
    assert abs(journal.now() - _clock(journal)) < timedelta(seconds=1)
    journal.close()


def _clock(journal: Journal) -> datetime:
    with journal.read() as connection:
        at: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    return at


class _Aware:
    """SQLite has no times with a zone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, query: object) -> _Aware:
        self._told = str(self._connection.execute(query).scalar_one())  # type: ignore[call-overload]  # handed through
        return self

    def scalar_one(self) -> datetime:
        return datetime.fromisoformat(self._told)


# --- the schema


# --- failures


def test_a_lock_that_does_not_end(desk: Desk) -> None:
    desk.publish()
    other = open_journal(_impatient(desk.url, lock_timeout="50ms"), keys=desk.keys, clock=desk.clock)
    with desk.journal.write() as connection:
        connection.execute(select(schema.incident).with_for_update()).all()
        draft = desk.draft(Stage.UPDATE)
        with pytest.raises(JournalError) as caught:
            other.publications.add(draft)
        assert len(other.publications.latest(9)) == 1  # readers are not kept waiting
    other.close()
    assert str(caught.value) == (
        "The journal could not be written: another process keeps it locked. Look for one that hangs, then try "
        "again (55P03). Nothing was sent that is not in it."
    )


def test_a_process_halted_in_the_middle_loses_its_locks(desk: Desk, other: Desk) -> None:
    desk.publish()
    frozen = open_journal(
        _impatient(desk.url, idle_in_transaction_session_timeout="100ms"), keys=desk.keys, clock=desk.clock
    )

    def halt() -> None:
        with frozen.write() as connection:
            connection.execute(select(schema.incident).with_for_update()).all()
            other.publish(Stage.UPDATE)  # waits no longer than that
            connection.execute(select(schema.incident)).all()

    with pytest.raises(JournalError, match="paused for too long"):
        halt()
    frozen.close()
    assert len(desk.journal.incidents.history("I1").entries) == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork beside threads
def test_a_child_of_a_fork_within_a_transaction_opens_the_journal_again(desk: Desk) -> None:
    def go_on() -> None:
        with pytest.raises(JournalError, match="Open the journal after the fork"):
            desk.publish()
        with closing(open_journal(desk.url, keys=desk.keys, clock=desk.clock)) as own:
            own.stop("cne Roux")

    with desk.journal.write():
        assert fork(go_on) == 0
    assert desk.journal.stopped() is not None


def test_no_error_shows_a_statement_or_its_values(desk: Desk) -> None:
    with pytest.raises(JournalError) as caught, desk.journal.write() as connection:
        connection.execute(insert(schema.publication).values(id="geheim", actor="geheim"))
    assert "NotNullViolation (23502)" in str(caught.value)
    assert "geheim" not in _whole(caught.value)
    row = {"channel": "mail", "key": "geheim", "source": "bounce", "evidence": "x", "at": 1}
    with desk.journal.write() as connection:
        connection.execute(insert(schema.suppression).values(row))
    with pytest.raises(JournalError) as caught, desk.journal.write() as connection:
        connection.execute(insert(schema.suppression).values(row))
    assert "UniqueViolation (23505, pn_suppression_pkey)" in str(caught.value)
    assert "geheim" not in _whole(caught.value)
    with pytest.raises(JournalError, match=r"a table is missing\. Run: policenotify migrate \(42P01\)"):
        _read(desk.journal, "SELECT * FROM nowhere")


def _read(journal: Journal, statement: str) -> None:
    with journal.read() as connection:
        connection.execute(text(statement))


def test_a_server_that_restarts_in_the_middle_loses_nothing(desk: Desk, other: Desk, server: Server) -> None:
    first = desk.publish()
    claimed = desk.begin(desk.take())

    def restart() -> None:
        with desk.journal.write() as connection:
            connection.execute(update(schema.incident).values(status="ended"))
            server.stop()
            try:
                with pytest.raises(JournalError, match=r"cannot be reached|connection to its server was lost"):
                    other.journal.publications.latest(1)
            finally:
                server.start()
            connection.execute(select(schema.incident)).all()

    with pytest.raises(JournalError, match=r"was lost|starting or stopping|be reached") as caught:
        restart()
    assert str(server.folder) not in _whole(caught.value)
    desk.settle(claimed)  # the pool finds its way back by itself
    assert desk.outcome(first) is Outcome.POSTED
    assert [one.status for one in desk.journal.incidents.list()] == ["open"]


def test_an_absent_server(keys: Keys, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(JournalError) as caught:
        open_journal(f"postgresql://desk:{PASSWORD}@127.0.0.1:1/pn", keys=keys, clock=clock)
    assert str(caught.value) == (
        "The journal could not be read: its server cannot be reached, or does not accept the user, password or "
        "database. Check that it runs, and that the settings name the right ones; its log has the reason. Nothing was "
        "sent that is not in it."
    )
    assert "geheim" not in _whole(caught.value) + caplog.text
    assert "127.0.0.1" not in _whole(caught.value)


@pytest.fixture
def guarded(server: Server) -> Iterator[str]:
    name = server.database()
    server.ask(f"CREATE ROLE {GUARDED} LOGIN PASSWORD 'richtig'")
    yield name
    server.drop(name)
    server.ask(f"DROP ROLE {GUARDED}")


def test_a_wrong_password_is_not_repeated(
    server: Server, guarded: str, keys: Keys, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(JournalError) as caught:
        open_journal(server.guarded_url(guarded, PASSWORD), keys=keys, clock=clock)
    assert "does not accept the user, password or database" in str(caught.value)
    with pytest.raises(JournalError) as said:
        open_journal(server.guarded_url(guarded, "") + f"?password={PASSWORD}", keys=keys, clock=clock)
    shown = _whole(caught.value) + _whole(said.value) + caplog.text
    assert "geheim" not in shown
    assert "127.0.0.1" not in _whole(caught.value)
    assert guarded not in _whole(caught.value)


# --- another journal at the same place, after a failover or a restored copy


def _another_id(desk: Desk) -> None:
    desk.change_directly("UPDATE pn_meta SET value = 'another' WHERE name = 'id'")


def _other_tables(desk: Desk) -> None:
    desk.change_directly("UPDATE pn_meta SET value = '99' WHERE name = 'schema_version'")


def _no_tables(desk: Desk) -> None:
    desk.change_directly("DROP SCHEMA public CASCADE")


def _older_state(desk: Desk) -> None:
    desk.change_directly("DELETE FROM pn_event WHERE id = (SELECT max(id) FROM pn_event)")


@pytest.mark.parametrize(
    ("way", "says"),
    [
        (_another_id, "Another journal is now"),
        (_other_tables, "those of another version"),
        (_no_tables, "tables were deleted"),
        (_older_state, "set back to an older state"),
    ],
)
def test_another_journal_at_the_same_url_is_noticed_before_a_claim(
    desk: Desk, way: Callable[[Desk], None], says: str, caplog: pytest.LogCaptureFixture
) -> None:
    desk.publish()
    claimed = desk.take()
    way(desk)
    for does in (desk.take, lambda: desk.begin(claimed), lambda: desk.journal.publications.latest(1)):
        with pytest.raises(JournalTakenAway, match=says):
            does()
    assert [record.levelname for record in caplog.records] == ["ERROR"]


# --- the application's role


@pytest.fixture
def application(desk: Desk, tmp_path: Path, keys: Keys, clock: FakeClock) -> Iterator[Desk]:
    """The same journal, as a role that owns none of its tables."""
    made = Desk(tmp_path, keys=keys, clock=clock, url=desk.url.replace(f"//{USER}@", f"//{APPLICATION}@"))
    yield made
    made.journal.close()


@pytest.mark.parametrize("table", ["pn_event", "pn_seal"])
@pytest.mark.parametrize("change", ["UPDATE {} SET at = 1", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_application_cannot_rewrite_the_record(application: Desk, table: str, change: str) -> None:
    application.publish()
    application.journal.audit.seal()
    with (
        pytest.raises(JournalError, match="this user may not do that to its tables") as caught,
        application.journal.write() as connection,
    ):
        connection.exec_driver_sql(f"/* by hand */ {change.format(table)}")  # the desk lets a comment pass
    assert "42501" in str(caught.value)
    assert application.journal.audit.verify() == 1


def test_the_application_erases_nothing_at_all(application: Desk) -> None:
    """It may remove drafts and recipients, but not empty an event, and so it does neither."""
    tip = application.publish(Stage.STANDALONE)
    application.deliver()
    event.remove(application.journal._engine, "before_cursor_execute", _only_added)
    before = application.dump()
    with pytest.raises(JournalError, match="Purge, migrate, move and restore as their owner"):
        application.journal.retention.erase(tip, "dpo", "Demande 12.")
    assert application.dump() == before


def test_the_migration_grants_in_the_same_step(empty: str, keys: Keys, clock: FakeClock) -> None:
    for _ in range(2):  # again after each upgrade
        migrate(empty, keys=keys, grant_to=APPLICATION)
    journal = open_journal(empty.replace(f"//{USER}@", f"//{APPLICATION}@"), keys=keys, clock=clock)
    journal.stop("adj Petit")
    assert journal.stopped() is not None
    journal.close()


def test_the_grants_cover_every_table() -> None:
    sql = grants('a"b')
    assert {table.name for table in schema.metadata.sorted_tables} <= set(re.findall(r"pn_[a-z_]+", sql))
    assert 'TO "a""b";' in sql
