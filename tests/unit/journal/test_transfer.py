"""A journal moves to another database once, completely and verified, and the old one is closed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from policenotify.channel import Picture
from policenotify.errors import JournalError, JournalMissing
from policenotify.events import EventKind
from policenotify.journal import meta, open_journal
from policenotify.journal.database.engine import without_password
from policenotify.journal.database.migrate import move
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.testing.fakes import FakeClock
from tests.support.journal import LEASE, Desk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgresql import Server
    from tests.unit.journal.conftest import NewJournal

AS_OWNER = True  # a move locks all tables
PEOPLE = ("a@x.example", "b@x.example", "c@x.example")
PICTURE = Picture(digest="a" * 64, media_type="image/png", width=2, height=1, alt="Une route", data=b"\x89PNG\0 road")


@pytest.fixture(
    params=[
        ("file", "file"),
        pytest.param(("file", "server"), marks=pytest.mark.postgres),
        pytest.param(("server", "file"), marks=pytest.mark.postgres),
    ],
    ids="-".join,
)
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    both: tuple[str, str] = request.param
    return both


@pytest.fixture
def place(way: tuple[str, str], request: pytest.FixtureRequest, keys: Keys) -> str:
    if way[0] == "file":
        return ""
    make: NewJournal = request.getfixturevalue("new_journal")
    return make(keys)


@pytest.fixture
def to(way: tuple[str, str], request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A place where no journal is yet."""
    if way[1] == "file":
        yield str(tmp_path / "moved.db")
        return
    server: Server = request.getfixturevalue("server")
    name = server.database()
    yield server.url(name)
    server.drop(name)


def _move(desk: Desk, to: str) -> Any:
    return move(desk.url, to, keys=desk.keys, actor="adm", clock=desk.clock)


def _rows(desk: Desk) -> dict[str, list[Any]]:
    """Return all rows, but for what orders events: a database counts its own transactions."""
    rows = desk.dump()
    rows["pn_event"] = [row[:-1] for row in rows["pn_event"]]
    rows["pn_seal"] = [row[:1] + row[2:] for row in rows["pn_seal"]]
    return {name: sorted(found, key=repr) for name, found in rows.items()}


def _lived_in(desk: Desk) -> None:
    """Something in every corner."""
    opening = desk.publish(channels=("sky", "mail"), people={"mail": PEOPLE}, pictures=(PICTURE,))
    desk.deliver()
    desk.mail({PEOPLE[0]: "refused", PEOPLE[1]: "unconfirmed"})
    desk.publish(Stage.UPDATE)
    desk.deliver(outcome=Outcome.UNCONFIRMED)
    desk.publish(Stage.STANDALONE, headline="Été – “prudence” 🚒", channels=("sky", "mail"), people={"mail": PEOPLE})
    assert desk.expand()
    desk.journal.publications.add_refused(desk.draft(Stage.STANDALONE))
    desk.journal.channels.pause("sky", desk.clock.now() + timedelta(hours=1))
    assert desk.journal.channels.state_store("sky").compare_and_swap("session", "très secret", version=None)
    desk.change_directly(
        "INSERT INTO pn_suppression (channel, key, source, evidence, at) "
        "VALUES ('mail', 'someone', 'bounce', 'gone', 1)"
    )
    suppressed = {"recipients": ["someone"], "source": "bounce", "until": None}
    desk.journal.audit.record("runner", "suppressed", suppressed, channel="mail")
    desk.journal.workers.heartbeat()
    desk.journal.audit.record("cne Roux", "noted", {"of": opening})
    desk.journal.audit.seal()
    desk.journal.audit.record("cne Roux", "noted", {"after": "the seal"})


def test_all_of_it_arrives_and_goes_on_there(desk: Desk, to: str) -> None:
    _lived_in(desk)
    desk.journal.stop("cne Roux", "Déménagement")
    before = _rows(desk)
    moved = _move(desk, to)
    assert moved == {**{name: len(rows) for name, rows in before.items()}, "pn_event": len(before["pn_event"]) + 1}
    new = Desk(desk.path.parent, keys=desk.keys, clock=desk.clock, url=to, first=900)
    after = _rows(new)
    [event] = [row for row in after["pn_event"] if row not in before["pn_event"]]
    assert (event[2:4], to.partition("?")[0] in event[7]) == (("adm", "moved"), True)
    after["pn_event"].remove(event)
    assert after == before
    assert new.journal.audit.verify() == 1
    assert new.journal.audit.seal() == 3
    kept = new.journal.channels.state_store("sky").load("session")
    assert kept is not None
    assert kept.value == "très secret"
    assert new.journal.publications.picture("a" * 64, "x").data == PICTURE.data

    new.journal.resume("cne Roux")
    new.journal.resume("cne Roux", "sky")
    assert sorted(new.mail()) == sorted(PEOPLE)  # their addresses open
    assert new.take().in_doubt
    said = new.publish(Stage.STANDALONE)
    numbers = [row[0] for row in new.dump("pn_delivery")["pn_delivery"]]
    assert sorted(numbers) == [*sorted(row[0] for row in before["pn_delivery"]), max(numbers)]
    assert new.outcome(said) is Outcome.WAITING
    assert new.journal.audit.seal() > 1
    assert new.journal.audit.verify() == 3
    new.journal.close()


def test_subscribers_miss_nothing(desk: Desk, to: str) -> None:
    for name in ("early", "late"):
        desk.journal.subscribers.add(name)
    for number in range(3):
        desk.publish(incident=f"I{number}")
    place, [(cursor, _), *_] = desk.journal.subscribers.take("early")
    assert place
    assert desk.journal.subscribers.advance("early", place, cursor)
    _move(desk, to)
    new = Desk(desk.path.parent, keys=desk.keys, clock=desk.clock, url=to, first=900)
    last = new.publish(incident="I3")
    for name, had in (("early", 1), ("late", 0)):
        _, batch = new.journal.subscribers.take(name)
        events = [each.publication for _, handed in batch for each in handed if each.kind is EventKind.PUBLISHED]
        assert len(events) == len(set(events)) == 4 - had
        assert events[-1] == last
    new.journal.close()


def test_no_worker_takes_from_the_old_journal(desk: Desk, to: str) -> None:
    desk.publish()
    _move(desk, to)
    where = r"This journal was moved to (/|postgresql:).*\. Nothing was sent\. Put that into the settings"
    for go_on in (
        lambda: desk.publish(incident="I2"),
        desk.claim,
        lambda: desk.journal.deliveries.due({"sky": None}),
        lambda: open_journal(desk.url, keys=desk.keys),
    ):
        with pytest.raises(JournalError, match=where):
            go_on()
    with pytest.raises(JournalError, match=r"There is a journal already .* in use\. Nothing was moved\."):
        _move(desk, to)


def test_a_move_that_was_cut_off_at_the_end_is_completed(desk: Desk, to: str) -> None:
    said = desk.publish()
    there = Journal(to, keys=desk.keys, create=True)
    with desk.journal.write() as connection:  # all that is written between the two commits
        meta.put(connection, meta.MOVED, without_password(to))
    with pytest.raises(JournalError, match="was moved to"):
        move(desk.url, f"{desk.path.parent}/elsewhere.db", keys=desk.keys, actor="adm", clock=desk.clock)
    assert _move(desk, to)["pn_delivery"] == 1
    with there.write() as connection:
        assert meta.get(connection, meta.MOVED) is None
    found = there.publications.get(said)
    assert found is not None
    assert found.on("sky").outcome is Outcome.WAITING
    there.close()


def test_nothing_is_moved_while_something_is_sent(desk: Desk, to: str) -> None:
    desk.publish()
    claimed = desk.begin(desk.take(owner="elsewhere/boot/1/1/slot"))
    with pytest.raises(
        JournalError, match=r"1 delivery is being sent at this moment\. Nothing was moved\. Run policenotify"
    ):
        _move(desk, to)
    desk.settle(claimed)
    desk.publish(Stage.UPDATE)
    desk.begin(desk.take(owner="elsewhere/boot/1/1/slot"))
    desk.clock.pass_by(LEASE.total_seconds() + 1)  # who holds it is silent: it goes along as a doubt
    assert _move(desk, to)["pn_attempt"] == 2


@pytest.mark.parametrize("seconds", [-86_400, 86_400])
def test_what_is_being_sent_when_the_clock_was_set_keeps_its_lease(tmp_path: Path, keys: Keys, seconds: float) -> None:
    clock = FakeClock(run="the machine")
    desk = Desk(tmp_path, keys=keys, clock=clock)
    desk.journal.deliveries.recover()  # a worker has been delivering
    desk.publish()
    desk.begin(desk.take())
    clock.jump(seconds)
    with pytest.raises(JournalError, match="1 delivery is being sent"):
        _move(desk, str(tmp_path / "moved.db"))
    clock.pass_by(LEASE.total_seconds())
    assert _move(desk, str(tmp_path / "moved.db"))["pn_delivery"] == 1
    desk.journal.close()


def test_a_failed_transfer_leaves_both_as_they_were(desk: Desk, to: str) -> None:
    _lived_in(desk)
    desk.change_directly("UPDATE pn_event SET actor = 'somebody else' WHERE id = 2")
    before = _rows(desk)
    with pytest.raises(JournalError, match="tampered with: seal 1, or an event before it, is not what was sealed"):
        _move(desk, to)
    assert _rows(desk) == before
    desk.change_directly("UPDATE pn_event SET actor = 'cne Roux' WHERE id = 2")
    there = Journal(to, keys=desk.keys)
    with pytest.raises(JournalMissing):
        there.check_schema()
    there.close()
