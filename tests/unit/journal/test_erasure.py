"""One incident or publication is erased at once (GDPR, article 17), with its drafts; the proof stays."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from policenotify.channel import Picture
from policenotify.errors import DraftConflict, InvalidTransition, NotAllowed, NotErasable
from policenotify.journal import retention
from policenotify.journal.retention import Purged
from policenotify.model.draft import DraftState
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Image
from tests.support import journal as bench
from tests.support.approval import REASON, appeal, reading_publisher
from tests.support.patience import PATIENCE

if TYPE_CHECKING:
    from tests.support.journal import Desk

AS_OWNER = True  # it empties events, which the application may not
A, B = "a.victime@x.example", "b.presse@x.example"
WHY = "Demande de la personne, dossier 12."
NAME = "Jean Dupont"
DIGEST = "ab" * 32
FACE = Picture(digest=DIGEST, media_type="image/jpeg", width=1, height=1, alt=NAME, data=b"visage")


@pytest.fixture(autouse=True)
def _bodies_may_go(desk: Desk) -> None:
    event.remove(desk.journal._engine, "before_cursor_execute", bench._only_added)


def everything(desk: Desk) -> str:
    return repr(desk.dump())


def ended(desk: Desk, incident: str = "I1") -> None:
    desk.publish(
        incident=incident,
        channels=("sky", "mail"),
        people={"mail": [A, B]},
        headline=NAME,
        pictures=(FACE,),
        images=(Image(digest=DIGEST, alt=NAME),),
    )
    desk.deliver()
    desk.mail()
    desk.publish(Stage.END, incident, headline=f"Fin, {NAME}", channels=("sky",))
    desk.deliver()


@pytest.mark.databases
def test_text_images_and_addresses_of_an_incident_go_at_once_and_the_proof_stays(desk: Desk) -> None:
    ended(desk)
    addresses = desk.dump("pn_person")["pn_person"]
    assert len(addresses) == 2
    done = desk.journal.retention.erase("I1", "dpo", WHY)
    assert done.publications == 2
    left = everything(desk)
    assert NAME not in left
    assert "visage" not in left
    assert desk.dump("pn_person")["pn_person"] == []
    assert desk.journal.audit.verify() == 0
    erased = desk.journal.publications.get("key " + f"{1:026d}")
    assert erased is not None
    assert erased.message.headline.startswith("Contenu effacé le ")
    with pytest.raises(InvalidTransition, match="purged"):
        desk.journal.publications.ensure_not_purged(desk.draft(Stage.CORRECTION, corrects=f"{1:026d}").message)


def test_what_may_be_out_or_is_to_be_sent_is_not_erased(desk: Desk) -> None:
    first = desk.publish(Stage.STANDALONE, headline=NAME, channels=("sky", "mast"))
    claimed = desk.begin(desk.take("sky"))
    for settled in (True, False):
        with pytest.raises(NotErasable, match="A post of it is to be sent, or nobody knows"):
            desk.journal.retention.erase(first, "dpo", WHY)
        if settled:
            desk.settle(claimed)
    desk.deliver("mast")
    desk.journal.retention.erase(first, "dpo", WHY)
    assert desk.outcomes(first) == {"sky": Outcome.POSTED, "mast": Outcome.POSTED}
    assert NAME not in everything(desk)
    assert desk.journal.audit.verify() == 0


def test_what_does_not_exist_is_not_erased(desk: Desk) -> None:
    with pytest.raises(NotErasable, match=r"no incident, publication or draft 'I9'.*Nothing was erased"):
        desk.journal.retention.erase("I9", "dpo", WHY)
    desk.journal.may = lambda _actor, action, _message: action != "erase"
    with pytest.raises(NotAllowed):
        desk.journal.retention.erase("I9", "dpo", WHY)


def test_a_name_that_means_two_erases_neither(desk: Desk) -> None:
    ended(desk)
    of_key = desk.publish(Stage.STANDALONE, headline=NAME)
    desk.change_directly(f"UPDATE pn_publication SET key = 'I1' WHERE id = '{of_key}'")  # noqa: S608 - our own
    with pytest.raises(NotErasable, match=r"'I1' is an incident, and also the key of a publication"):
        desk.journal.retention.erase("I1", "dpo", WHY)
    assert NAME in everything(desk)


def test_the_draft_of_an_erased_publication_keeps_who_read_it_and_no_text(desk: Desk) -> None:
    publisher = reading_publisher(desk.journal)
    draft = publisher.drafts.create(appeal(NAME), actor="claire", key=NAME)
    draft = publisher.drafts.submit(draft.id, actor="claire", reason=f"Pour {NAME}.")
    publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo", reason=NAME)
    urgent = publisher.publish(appeal(NAME, lifecycle=Lifecycle()), key="u", actor="claire", urgent=f"Pour {NAME}.")
    publisher.publish(publisher.operations.incident("I1").end("Fin"), key="end", actor="claire")
    publisher.drain(timedelta(seconds=5))
    desk.journal.retention.erase("I1", "dpo", WHY)
    publisher.drain(timedelta(seconds=5))
    desk.journal.retention.erase(urgent.id, "dpo", WHY)
    assert NAME not in everything(desk)
    assert desk.journal.audit.verify() == 0
    left = publisher.drafts.get(draft.id)
    assert [(review.reader, review.verdict) for review in left.reviews] == [("hugo", "approve")]
    assert left.authors == ("claire",)
    with pytest.raises(DraftConflict, match="no second reading"):
        publisher.drafts.second_reading(urgent.id, actor="hugo")
    desk.change_directly("UPDATE pn_draft SET content = replace(content, 'hugo', 'ines')")
    with pytest.raises(Exception, match="tampered with: draft"):
        desk.journal.audit.verify()


@pytest.mark.databases
def test_what_was_never_published_of_an_incident_is_erased_with_it(desk: Desk) -> None:
    """Drafts and refused messages name the person, too. Those of other incidents stay."""
    publisher = reading_publisher(desk.journal)
    publisher.publish(appeal(NAME), key="1", actor="claire", urgent=REASON)
    desk.journal.publications.add_refused(desk.draft(Stage.UPDATE, headline=f"Refusé {NAME}"))
    publisher.publish(
        appeal("Fin", lifecycle=Lifecycle(stage=Stage.END, incident="I1")), key="2", actor="claire", wait=PATIENCE
    )
    update = Lifecycle(stage=Stage.UPDATE, incident="I1")
    publisher.drafts.create(appeal(f"Encore {NAME}", lifecycle=update), actor="claire")
    others = [
        publisher.drafts.create(
            appeal("Autre", lifecycle=Lifecycle(stage=Stage.OPENING, incident=name)), actor="claire"
        )
        for name in ("I11", "i1")
    ]
    done = desk.journal.retention.erase("I1", "dpo", WHY)
    assert (done.publications, done.drafts) == (2, 1)
    assert NAME not in everything(desk)
    assert {draft.id for draft in publisher.drafts.list()} == {other.id for other in others}
    assert desk.journal.audit.verify() == 0


@pytest.mark.databases
def test_old_drafts_are_purged_and_pictures_of_open_ones_stay(desk: Desk) -> None:
    publisher = reading_publisher(desk.journal)
    journal = desk.journal
    old = publisher.drafts.create(appeal(NAME), actor="claire")
    desk.clock.pass_by(86_400)
    face = journal.drafts.create(
        "0" * 26, appeal(images=(Image(digest=DIGEST, alt="x"),)), key="k", author="claire", pictures=[FACE]
    )
    waits = publisher.drafts.submit(face.id, actor="claire")
    before = desk.clock.now() - timedelta(hours=1)
    assert journal.retention.purge(before, "adm", dry_run=True).drafts == 1
    assert journal.retention.purge(before, "adm").drafts == 1
    assert NAME not in everything(desk)
    assert [draft.id for draft in publisher.drafts.list(only_open=False)] == [face.id]
    assert len(desk.dump("pn_blob")["pn_blob"]) == 1
    assert journal.audit.verify() == 0
    with pytest.raises(DraftConflict, match="there is none"):
        publisher.drafts.publish(old.id, actor="claire")
    assert journal.retention.purge(desk.clock.now(), "adm") == Purged()  # somebody may still approve it
    assert publisher.drafts.approve(waits.id, digest=waits.digest, actor="hugo").state is DraftState.PUBLISHED


# --- the bytes of the files

_MOVED = 2  # traces: SQLite may leave a copy of a row that it moves, in the unused part of a page (`rebuildPage`)


class Traces:
    """What the files of a journal hold of some incidents: texts, images, addresses, and the names of people."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._of: dict[str, list[bytes]] = {}

    def publish(self, incident: str, size: int = 7) -> None:
        """Publish an incident of some size, deliver and end it."""
        image = hashlib.shake_256(incident.encode()).digest(300 * size**2)
        digest = hashlib.sha256(image).hexdigest()
        picture = Picture(
            digest=digest, media_type="image/jpeg", width=1, height=1, alt=f"{NAME} {incident}", data=image
        )
        people = [f"{incident}.{number}@x.example" for number in range(3 * size)]
        words = [f"{NAME} {incident}", *(f"mot{incident}x{number}" for number in range(7 * size % 60))]
        self._desk.publish(
            incident=incident,
            channels=("sky", "mail"),
            people={"mail": people},
            headline=words[0],
            description=" ".join(words),
            pictures=(picture,),
            images=(Image(digest=digest, alt=words[0]),),
        )
        self._desk.deliver()
        self._desk.mail()
        self._desk.publish(Stage.END, incident, headline=f"Fin, {words[0]}", channels=("sky",))
        self._desk.deliver()
        with closing(sqlite3.connect(self._desk.path)) as database:
            sealed = dict(database.execute("SELECT key, sealed FROM pn_person WHERE sealed IS NOT NULL"))
        keys = [self._desk.person_key(person) for person in people]
        texts = [word.encode() for word in words]
        slices = [image[start : start + 16] for start in range(0, len(image) - 16, 64)]
        self._of[incident] = [*texts, *slices, *(key.encode() for key in keys), *(sealed[key][:32] for key in keys)]

    def left(self, *incidents: str) -> int:
        """Return how many of these traces are in the files."""
        content = b"".join(file.read_bytes() for file in sorted(self._desk.path.parent.glob("journal.db*")))
        return sum(trace in content for incident in incidents for trace in self._of[incident])


@pytest.fixture
def traces(desk: Desk) -> Iterator[Traces]:
    with closing(sqlite3.connect(desk.path)) as other:  # of a process that has the files open, as a worker
        other.execute("SELECT count(*) FROM pn_event").fetchone()
        yield Traces(desk)


def test_no_byte_of_what_was_erased_or_purged_is_left_in_the_files(desk: Desk, traces: Traces) -> None:
    incidents = [f"I{number:02d}" for number in range(16)]
    for number, incident in enumerate(incidents):
        traces.publish(incident, 1 + 5 * number % 13)
    assert traces.left("I01") > 10
    incidents = incidents[1::2] + incidents[::2]
    for number, incident in enumerate(incidents[:6], start=1):
        desk.journal.retention.erase(incident, "dpo", WHY)
        assert traces.left(*incidents[:number]) <= _MOVED
    traces.publish("J1")  # space is used again
    desk.clock.pass_by(366 * 86400)
    desk.journal.retention.purge(desk.clock.now() - timedelta(days=300), "archives")
    assert traces.left(*incidents, "J1") <= _MOVED
    assert desk.path.with_name("journal.db-wal").stat().st_size == 0
    with closing(sqlite3.connect(desk.path, isolation_level=None)) as administrator:
        administrator.execute("VACUUM")
        administrator.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert traces.left(*incidents, "J1") == 0
    assert desk.journal.audit.verify() == 0


def test_no_byte_of_a_draft_or_a_person_is_left_in_the_files(desk: Desk, traces: Traces) -> None:
    traces.publish("I1")
    publisher = reading_publisher(desk.journal)
    draft = publisher.drafts.create(appeal("Gerücht Überfall"), actor="claire")
    desk.journal.retention.erase(draft.id, "dpo", WHY)
    desk.journal.people.erase(["I1.0@x.example"], "dpo")
    content = b"".join(file.read_bytes() for file in desk.path.parent.glob("journal.db*"))
    assert "Überfall".encode() not in content
    assert desk.person_key("I1.0@x.example").encode() not in content
    assert traces.left("I1") > 10  # the others are still known


def test_an_erasure_waits_for_who_reads_the_log_and_reports_one_who_does_not_end(
    desk: Desk, traces: Traces, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    traces.publish("I1")
    monkeypatch.setattr(retention, "ERASING", 50)
    with closing(sqlite3.connect(desk.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM pn_event").fetchone()
        desk.journal.retention.erase("I1", "dpo", WHY)
        assert traces.left("I1") > 0
        assert "the file that ends in -wal may still hold what was erased" in caplog.text
        reader.execute("COMMIT")
    # As of another process, after one that was killed: it has nothing to purge.
    desk.journal.retention.purge(desk.clock.now() - timedelta(days=300), "archives")
    assert traces.left("I1") == 0
