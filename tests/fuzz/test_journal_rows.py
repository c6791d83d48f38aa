# ruff: noqa: S608 - the names in all SQL here are those of the schema
"""Any column of the journal may hold any value: all works, or is refused by our own errors, and nothing is forged.

Rows and columns come from the schema itself, so that new ones are covered.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from sqlalchemy import select

from policenotify.cli import main
from policenotify.errors import MessageRejected
from policenotify.journal.database import schema
from policenotify.journal.journal import Journal as OpenJournal
from policenotify.journal.persons.tokens import make_token
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus, Lifecycle, Stage
from policenotify.model.message import Image
from policenotify.model.person import ReportResult
from policenotify.publishing.approval import ApprovalRule
from policenotify.publishing.drafts import Drafts
from policenotify.publishing.publisher import Publisher
from policenotify.testing.servers.http import Disconnect
from tests.support.five_networks import AheadClock
from tests.support.fuzz import FEW, ODD_NUMBERS, ODD_TEXTS, damaged, mutated, only_ours
from tests.support.installation import ADDRESSES, Desk, accident, later, open_desk

AT_ONCE: Final = timedelta(0)
PUT: Final = "/xrpc/com.atproto.repo.putRecord"
CELLS: Final = [(table.name, column.name) for table in schema.metadata.sorted_tables for column in table.columns]
WORDS: Final = (*Outcome, *Stage, *IncidentStatus, "published", "refused_by_check", "edit", "stopped", "reply")
GONE: Final = "gone@habitant.example"
LARGEST: Final = 2**63
READ_BY_TWO: Final = ApprovalRule(categories=frozenset({"fire"}), readers=2, expires=timedelta(days=2))


@dataclass
class Journal:
    """An installation with something in every table, put back as it was before each change."""

    desk: Desk
    clock: AheadClock = field(default_factory=AheadClock)
    content: bytes = b""
    rows: dict[str, list[tuple[int, tuple[Any, ...]]]] = field(default_factory=dict)
    posts: dict[str, Any] = field(default_factory=dict)
    allowed: Counter[str] = field(default_factory=Counter)

    def open(self, **how: Any) -> Publisher:
        channels = [self.desk.on_bluesky(on_unknown="hold"), self.desk.by_mail(on_unknown="hold")]
        return self.desk.publisher(channels, approval=[READ_BY_TWO], **how)

    def fill(self) -> None:
        """Publish what ended, what waits, what is in doubt, held, refused, partly served and suppressed."""
        desk, picture = self.desk, io.BytesIO()
        desk.addresses = (*ADDRESSES, GONE)
        desk.write_settings()
        desk.clock = self.clock
        Pillow.new("RGB", (8, 8), (200, 30, 30)).save(picture, "PNG")
        publisher = self.open(backoff=later, wait=timedelta(seconds=2))

        def say(stage: Stage, incident: str | None, *, wait: timedelta | None = None, **fields: Any) -> None:
            link = Lifecycle(stage=stage, incident=incident)
            message = accident(**{"lifecycle": link, "headline": f"Accident {incident}", **fields})
            publisher.publish(message, key=f"{stage} {incident}", actor="desk", wait=wait)

        say(Stage.OPENING, "I1", images=[Image(data=picture.getvalue(), alt="Plan de la déviation par le nord")])
        say(Stage.END, "I1")
        desk.mail.refuse(GONE)
        say(Stage.OPENING, "I2")
        desk.bluesky.fail_next("POST", PUT, Disconnect(), effect=True, times=9)
        desk.mail.hang_up("DATA", delivered=True)
        say(Stage.OPENING, "I3")
        desk.bluesky.recover()
        desk.mail.recover()
        desk.mail.refuse(GONE)
        desk.mail.refuse(ADDRESSES[0], 451, "4.2.1 later")
        say(Stage.OPENING, "I4")
        desk.mail.recover()
        with suppress(MessageRejected):
            say(Stage.OPENING, "I5", images=[Image(data=picture.getvalue(), alt="Plan")])
        self.write_drafts(publisher.drafts)
        self.report_a_bounce(publisher.journal)
        publisher.journal.audit.seal()
        say(Stage.UPDATE, "I2", wait=AT_ONCE)
        publisher.journal.channels.pause("bluesky", self.clock.now() + timedelta(minutes=5))
        with publisher.journal.lock("session", seconds=3600), closing(sqlite3.connect(desk.database)) as raw:
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.content = desk.database.read_bytes()
            for table in schema.metadata.tables:
                self.rows[table] = [
                    (row[0], row[1:]) for row in raw.execute(f"SELECT {_row_of(table)}, * FROM {table}")
                ]
        publisher.close()
        self.posts = copy.deepcopy(desk.bluesky._records)
        self.mails = list(desk.mail._mails)

    def write_drafts(self, drafts: Drafts) -> None:
        """Write a draft that one of two has read, and one that was returned."""
        for name in ("read", "returned"):
            headline = f"Feu, {name}"
            draft = drafts.create(accident(category="fire", headline=headline), actor="writer", key=name)
            draft = drafts.revise(draft.id, accident(category="fire", headline=f"{headline} deux fois"), actor="writer")
            draft = drafts.submit(draft.id, actor="writer")
            if name == "read":
                drafts.approve(draft.id, digest=draft.digest, actor="reader")
            else:
                drafts.return_to_author(draft.id, digest=draft.digest, actor="reader", reason="Le lieu manque encore.")

    def report_a_bounce(self, journal: OpenJournal) -> None:
        """Report a mail that came back."""
        named = select(schema.recipient.c.delivery, schema.person.c.key).join_from(
            schema.recipient, schema.person, schema.person.c.id == schema.recipient.c.person
        )
        with journal.read() as connection:
            delivery, key = connection.execute(named.limit(1)).one()
        token = make_token(journal.keys, "bounce", delivery=delivery, recipient=key)
        assert journal.reports.add(token, "bounce", "gone", "5.1.1") is ReportResult.REMEMBERED
        assert journal.suppressions.add(["parti@x.example"], None, "desk", evidence="Demandé par téléphone.")

    def put_back(self) -> None:
        for name in ("journal.db", "journal.db-wal", "journal.db-shm", "export.jsonl"):
            self.desk.folder.joinpath(name).unlink(missing_ok=True)
        self.desk.database.write_bytes(self.content)
        self.desk.bluesky._records = copy.deepcopy(self.posts)
        self.desk.bluesky.points_left = self.desk.bluesky.logins_left = 1000
        with self.desk.mail._lock:
            self.desk.mail._mails[:] = self.mails
        self.clock.ahead = timedelta(hours=1)

    def use(self) -> Counter[str]:
        """Do all that an installation does, and return what readers have then."""
        self.command("status", "--all")
        self.command("incidents")
        self.command("drafts")
        self.command("journal", "verify")
        self.command("journal", "export", str(self.desk.folder / "export.jsonl"))
        with only_ours(), no_other_error():
            publisher = self.open()
            try:
                for step in self.steps(publisher):
                    with only_ours():
                        step()
            finally:
                publisher.close()
                self.desk.opened.clear()
        return self.visible()

    def steps(self, publisher: Publisher) -> Iterator[Callable[[], object]]:
        new = accident(lifecycle=Lifecycle(), headline="Marché de Noël")
        yield lambda: publisher.publish(new, key="new", actor="desk", wait=AT_ONCE)
        yield lambda: publisher.drain(timedelta(seconds=20))  # ends when nothing is due
        yield lambda: publisher.operations.publication("new")
        yield lambda: [publisher.drafts.publish(draft.id, actor="writer") for draft in publisher.drafts.list()]
        yield publisher.operations.incidents
        yield lambda: publisher.operations.incident("I2")
        yield lambda: publisher.journal.retention.purge(self.clock.now() + timedelta(hours=1), "desk")
        yield publisher.journal.retention.erase_addresses
        yield publisher.journal.audit.seal
        yield publisher.journal.audit.verify

    def command(self, *words: str, debug: bool = False) -> str:
        """Run a command, and return what it printed. An error that is not ours is printed with its traceback."""
        asked = [*words, "--settings", str(self.desk.folder / "policenotify.toml"), *(["--debug"] * debug)]
        printed = io.StringIO()
        with redirect_stdout(printed), redirect_stderr(printed), pytest.raises(SystemExit):
            main(asked)
        if "Unexpected" in printed.getvalue():
            pytest.fail(printed.getvalue() if debug else self.command(*words, debug=True))
        return printed.getvalue()

    def visible(self) -> Counter[str]:
        posts = [f"post {post.text}" for post in self.desk.bluesky.posts]
        mails = [f"mail {mail.recipient} {mail.message['Subject']}" for mail in self.desk.mail.mails]
        return Counter(re.sub(r"\d\dh\d\d", "#", text) for text in posts + mails)


def _row_of(table: str) -> str:
    """Return the expression that names a row of a table."""
    return "batch || ' ' || person" if table == "pn_recipient" else "rowid"


@contextmanager
def no_other_error() -> Iterator[None]:
    """Check that no thread has met an error that is not ours, which it reports by its name alone."""
    notes: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: notes.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("policenotify").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("policenotify").removeHandler(handler)
    assert not [note for note in notes if re.search("(Type|Value|Key|Attribute|Overflow)Error", note)], notes


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    with open_desk(tmp_path_factory.mktemp("rows")) as desk:
        made = Journal(desk)
        made.fill()
        made.put_back()
        seen = made.use()
        published = {text.split(" ", 2)[2] for text in seen if text.startswith("mail ")}
        mails = [f"mail {address} {subject}" for address in desk.addresses for subject in published]
        made.allowed = seen | Counter(mails)  # also to those who were refused
        yield made


def test_every_table_has_rows_to_change(journal: Journal) -> None:
    assert [table for table, _ in CELLS if not journal.rows[table]] == []
    at = list(schema.delivery.columns.keys()).index("state")
    states = {row[at] for _, row in journal.rows["pn_delivery"]}
    assert states >= {Outcome.POSTED, Outcome.WAITING}
    assert len(journal.allowed) > len(journal.posts) + 3
    assert set(journal.allowed.values()) == {1}


@st.composite
def stored(draw: st.DrawFn, old: object, others: list[object]) -> object:
    """Generate a value that SQLite can store in any column. Bytes in a list are text that is not UTF-8."""
    numbers = [number for number in ODD_NUMBERS if not isinstance(number, int) or -LARGEST <= number < LARGEST]
    some: list[st.SearchStrategy[Any]] = [
        st.sampled_from((None, *numbers, b"", b"\0" * 16, *WORDS)),
        st.sampled_from(others),
        st.sampled_from(ODD_TEXTS).map(lambda text: text.encode("utf-8", "replace").decode()),
        st.binary(max_size=3).map(lambda text: [text + b"\xff"]),
    ]
    match old:
        case bool() | int():
            steps = (1, -1, 2, 1000, 10**6, -(10**6), 3600 * 10**6, -3600 * 10**6, 10**15, 10**17)
            some += [st.sampled_from([old + step for step in steps if -LARGEST <= old + step < LARGEST])] * 2
        case bytes():
            some += [damaged(old)] * 2
        case str() if old:
            some += [damaged(old.encode()).map(lambda text: [text])]
            with suppress(ValueError):
                document = json.loads(old)
                changed = mutated(document).map(lambda value: json.dumps(value, separators=(",", ":")))
                some += [changed] * 3
        case _:
            pass
    return draw(st.one_of(some))


def change(journal: Journal, table: str, column: str, rowid: object, value: object) -> bool:
    """Change one cell behind the journal's back. Return whether the tables allow it."""
    place, value = ("CAST(? AS TEXT)", value[0]) if isinstance(value, list) else ("?", value)
    with closing(sqlite3.connect(journal.desk.database)) as raw:
        try:
            raw.execute(f'UPDATE {table} SET "{column}" = {place} WHERE {_row_of(table)} = ?', (value, rowid))
        except sqlite3.IntegrityError:
            return False
        raw.commit()
    return True


def assert_survived(journal: Journal, table: str, column: str, rowid: object, value: object) -> None:
    journal.put_back()
    try:
        if change(journal, table, column, rowid, value):
            unpublished = journal.use() - journal.allowed
            if table == "pn_recipient" and column in {"state", "in_doubt"}:  # this person alone may get it again
                assert unpublished.total() <= 1, unpublished
                assert unpublished.keys() <= journal.allowed.keys(), unpublished
            else:
                assert not unpublished, unpublished
    except BaseException:  # shown in any case, also where Hypothesis cannot repeat it
        logging.getLogger(__name__).exception("%s.%s of row %s was %r", table, column, rowid, value)
        raise


on_each = settings(
    max_examples=FEW,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a cell is small, and each try takes a second
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@on_each
@given(data=st.data())
def test_any_value_in_any_column_is_survived(journal: Journal, data: st.DataObject) -> None:
    table, column = data.draw(st.sampled_from(CELLS))
    rows = journal.rows[table]
    at = list(schema.metadata.tables[table].columns.keys()).index(column)
    rowid, old = data.draw(st.sampled_from([(rowid, row[at]) for rowid, row in rows]))
    value = data.draw(stored(old, [row[at] for _, row in rows]))
    assert_survived(journal, table, column, rowid, value)
