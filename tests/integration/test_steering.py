"""A sending to many people is watched and steered while a worker sends it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from policenotify.channel import CHUNK
from policenotify.journal import open_journal
from policenotify.journal.database import schema
from policenotify.journal.journal import Journal
from policenotify.model.history import Outcome
from policenotify.model.progress import Progress
from policenotify.publishing.publisher import Publisher
from tests.support.installation import Desk, accident, open_desk
from tests.support.patience import LONG, until

PEOPLE = tuple(f"p{number:03}@habitant.example" for number in range(120))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        opened.addresses = PEOPLE
        opened.mail.latency = 0.01
        yield opened


@contextmanager
def sending(desk: Desk, at_least: int = 10) -> Iterator[tuple[Publisher, str]]:
    """A publisher whose worker is in the middle of the list."""
    with closing(desk.publisher([desk.by_mail()])) as publisher, publisher.worker():
        said = publisher.publish(accident(), key="k", actor="desk", wait=0)
        until(lambda: len(desk.mail.mails) >= at_least)
        yield publisher, said.id


def is_being_sent(journal: Journal) -> bool:
    """Return whether a worker holds a batch."""
    with journal.read() as connection:
        query = select(schema.delivery.c.id).where(schema.delivery.c.state == Outcome.SENDING)
        return connection.execute(query).first() is not None


def each_got_one(desk: Desk) -> bool:
    counts = Counter(mail.recipient for mail in desk.mail.mails)
    return counts.keys() == set(PEOPLE) and set(counts.values()) == {1}


def is_paused(progress: Progress) -> bool:
    return all(each.paused and each.outcome is not Outcome.SENDING for each in progress.deliveries)


def test_another_process_pauses_and_resumes_it_between_two_chunks(desk: Desk) -> None:
    with sending(desk) as (publisher, said), closing(open_journal(str(desk.database), keys=desk.keys)) as other:
        other.sendings.pause(said, "cne Roux")
        sent = len(desk.mail.mails)
        until(lambda: is_paused(publisher.operations.progress(said)) and not is_being_sent(other))
        got = len(desk.mail.mails)
        assert got <= sent + CHUNK < len(PEOPLE)  # who was marked when it was paused
        assert got % CHUNK == 0  # the chunk on the wire is sent whole
        time.sleep(0.3)
        found = publisher.operations.progress(said)
        assert found.deliveries[0].count(Outcome.POSTED) == len(desk.mail.mails) == got
        assert found.deliveries[0].count(*Outcome) == len(PEOPLE)
        other.sendings.resume(said, "cne Roux")
        until(lambda: publisher.operations.progress(said).is_settled)
    assert each_got_one(desk)


def test_an_aborted_sending_is_settled_and_its_end_reaches_who_got_it(desk: Desk) -> None:
    with sending(desk) as (publisher, said):
        done = publisher.operations.abort_sending("k", actor="cne Roux", reason="Mauvaise liste")
        until(lambda: publisher.operations.progress(said).is_settled)
        [found] = publisher.operations.progress(said).deliveries
        got = len(desk.mail.mails)
        assert (found.count(Outcome.POSTED), found.count(*Outcome)) == (got, len(PEOPLE))
        assert found.count(Outcome.SUPERSEDED) == len(PEOPLE) - got >= done.people
        report = publisher.operations.publication(said)
        assert report is not None
        assert str(report.on("presse").reasons[0].reason) == "cne Roux has aborted the sending."
        assert report.ok
        end = publisher.publish(report.end("Fin d’intervention"), key="end", actor="desk", wait=LONG)
    assert end.on("presse").recipients == {Outcome.POSTED: got}
    assert len(desk.mail.mails) == 2 * got
