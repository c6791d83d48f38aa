"""Old settled records are erased with all texts and recipients, and every seal still verifies."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, or_, update

from policenotify.channel import Picture
from policenotify.errors import IdempotencyConflict
from policenotify.findings import Finding, Level
from policenotify.journal import audit, retention
from policenotify.journal.database import schema
from policenotify.journal.lists.recipients import recipient_key
from policenotify.journal.retention import Purged
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus, Stage
from policenotify.model.message import Image
from tests.support import journal as bench

if TYPE_CHECKING:
    from tests.support.journal import Desk

AS_OWNER = True  # a purge empties events, which the application may not
A, B, C = (f"{name}.secret@x.example" for name in "abc")
SECRET = "Dupont"
HEADLINE = f"Accident, {SECRET} attendu"
YEAR = 366 * 86_400
NOTHING = Purged()


def _only_bodies_go(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
    """Of an event nothing but its body and its salt is ever changed."""
    if bench._written_over.match(statement):
        assert statement.startswith("UPDATE pn_event SET body="), statement
        assert statement.partition(" WHERE ")[0].count("=") == 2
        assert ", salt=" in statement


@pytest.fixture(autouse=True)
def _bodies_may_go(desk: Desk) -> None:
    event.remove(desk.journal._engine, "before_cursor_execute", bench._only_added)
    event.listen(desk.journal._engine, "before_cursor_execute", _only_bodies_go)


def _incident(desk: Desk, name: str = "I1", **how: Any) -> list[str]:
    """Return an incident that was opened, published everywhere, and ended."""
    how = {"headline": HEADLINE, "channels": ("sky", "mail"), "people": {"mail": [A, B]}, **how}
    key = how.pop("key", f"cad:{SECRET}:{name}")
    said = []
    for stage in (Stage.OPENING, Stage.END):
        said.append(desk.publish(stage, name, key=f"{key}:{stage}", **how))
        desk.deliver()
        desk.mail({B: "refused"})
    return said


def _year_ago(desk: Desk) -> datetime:
    return desk.clock.now() - timedelta(days=365)


def _purge(desk: Desk, **how: Any) -> Purged:
    planned = desk.journal.retention.purge(_year_ago(desk), "adj Petit", dry_run=True, **how)
    done = desk.journal.retention.purge(_year_ago(desk), "adj Petit", **how)
    assert done == planned
    return done


def _picture(name: str) -> Picture:
    data = name.encode()
    digest = hashlib.sha256(data).hexdigest()
    return Picture(digest=digest, media_type="image/png", width=1, height=1, alt=name, data=data)


def _shows(*pictures: Picture) -> dict[str, Any]:
    return {"pictures": pictures, "images": tuple(Image(alt=one.alt, digest=one.digest) for one in pictures)}


@pytest.mark.databases
def test_no_text_and_no_recipient_is_left(desk: Desk) -> None:
    finding = Finding(
        code="PN1", level=Level.ADVISE, field="headline", reason=f"{SECRET} is a name.", remedy="Leave out."
    )
    opening, end = _incident(desk, findings=(finding,))
    desk.clock.pass_by(YEAR)
    before = desk.dump("pn_publication")["pn_publication"]
    assert _purge(desk) == Purged(publications=2)
    left = repr(desk.dump())
    for gone in (SECRET, "Accident", *(row[9] for row in before), recipient_key(desk.keys, A), "post of"):
        assert gone not in left
    for said, stage in ((opening, Stage.OPENING), (end, Stage.END)):
        found = desk.journal.publications.get(said)
        assert found is not None
        assert found.message.headline == f"Contenu effacé le {desk.clock.now():%Y-%m-%d} (fin de conservation)."
        assert (found.message.stage, found.message.category, found.incident) == (stage, "traffic_accident", "I1")
        assert (found.actor, found.findings, found.ok) == ("cne Roux", (), stage is Stage.END)
        assert (found.on("sky").outcome, found.on("sky").attempts, found.on("sky").ref) == (Outcome.POSTED, 1, None)
        refused = {Outcome.REFUSED: 1} if stage is Stage.OPENING else {}  # the end went to who had the opening
        assert found.on("mail").recipients == {Outcome.POSTED: 1, **refused}
        assert found in desk.journal.publications.latest(2)
    history = desk.journal.incidents.history("I1")
    assert (history.status, [entry.publication for entry in history.entries]) == (IncidentStatus.ENDED, [opening, end])
    [line] = desk.journal.incidents.list(only_open=False)
    assert line.headline.startswith("Contenu effacé le ")
    assert desk.journal.publications.unfinished_ids() == {}


@pytest.mark.databases
def test_events_keep_actors_and_seals(desk: Desk) -> None:
    _incident(desk)
    assert desk.journal.audit.seal() == 7
    before = desk.dump("pn_event", "pn_seal")
    desk.clock.pass_by(YEAR)
    _purge(desk)
    after = {name: sorted(rows) for name, rows in desk.dump("pn_event", "pn_seal").items()}
    assert [row[:7] for row in sorted(before["pn_event"])] == [row[:7] for row in after["pn_event"][:7]]
    assert [row[9] for row in sorted(before["pn_event"])] == [row[9] for row in after["pn_event"][:7]]
    assert {row[7:9] for row in after["pn_event"][:7]} == {("", "")}
    assert after["pn_seal"] == before["pn_seal"]
    assert [(row[2], row[3]) for row in after["pn_event"][7:]] == [
        ("adj Petit", "purge_begun"),
        ("adj Petit", "purged"),
    ]
    assert '"publications":2' in after["pn_event"][-1][7]
    assert desk.journal.audit.verify() == 1
    bodies = [event["body"] for event in desk.journal.audit.export()]
    assert [bool(body) for body in bodies] == [False] * 7 + [True] * 2


def _set_state(desk: Desk, said: str, state: str) -> None:
    """The first delivery, and that of a publication, are in another state."""
    one = schema.delivery
    with desk.journal.write() as connection:
        connection.execute(update(one).where(or_(one.c.id == 1, one.c.publication == said)).values(state=state))


@pytest.mark.parametrize("state", ["waiting", "sending", "held"])
def test_an_unsettled_publication_keeps_all_of_it(desk: Desk, state: str) -> None:
    _incident(desk)
    tip = desk.publish(Stage.STANDALONE, headline=HEADLINE)
    desk.deliver()
    _set_state(desk, tip, state)
    desk.clock.pass_by(YEAR)
    before = desk.dump()
    assert _purge(desk) == Purged(kept=2)
    assert desk.dump() == before


def test_keys_are_never_taken_twice(desk: Desk) -> None:
    tip = desk.draft(Stage.STANDALONE, key="cad:7")
    desk.journal.publications.add(tip)
    desk.deliver()
    desk.clock.pass_by(YEAR)
    _purge(desk)
    assert desk.journal.publications.find_repeated("cad:7", tip.digest) == tip.id
    assert desk.journal.publications.add(tip) == tip.id
    with pytest.raises(IdempotencyConflict, match=rf"the key 'cad:7' already names publication {tip.id}"):
        desk.publish(Stage.STANDALONE, key="cad:7", headline="Autre chose")
    with pytest.raises(IdempotencyConflict):
        desk.journal.publications.find_repeated("cad:7", "0" * 64)
    assert desk.journal.publications.find_repeated("cad:8", tip.digest) is None
    found = desk.journal.publications.get("cad:7")
    assert found is not None
    assert (found.id, found.key == "cad:7") == (tip.id, False)


def test_pictures_go_with_the_last_message_that_shows_them(desk: Desk) -> None:
    shared, alone = _picture("shared"), _picture("alone")
    desk.publish(Stage.STANDALONE, **_shows(shared, alone))
    desk.deliver()
    desk.clock.pass_by(YEAR)
    desk.publish(Stage.STANDALONE, **_shows(shared))
    desk.deliver()
    assert _purge(desk).publications == 1
    assert {row[0] for row in desk.dump("pn_blob")["pn_blob"]} == {shared.digest}
    desk.clock.pass_by(YEAR)
    assert _purge(desk).publications == 1
    assert desk.dump("pn_blob")["pn_blob"] == []


def test_what_is_published_meanwhile_keeps_its_incident(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    [_, end] = _incident(desk)
    desk.clock.pass_by(YEAR)
    lock = retention._lock

    def publish_first(*given: Any) -> Any:
        desk.publish(Stage.CORRECTION, corrects=end, headline=HEADLINE)
        return lock(*given)

    monkeypatch.setattr(retention, "_lock", publish_first)
    assert desk.journal.retention.purge(_year_ago(desk), "adj Petit") == NOTHING
    assert SECRET in repr(desk.dump("pn_publication"))


def test_a_purge_that_was_interrupted_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    openings = [_incident(desk, name)[0] for name in ("I1", "I2")]
    desk.clock.pass_by(YEAR)

    class Killed(BaseException):
        """The process is gone."""

    lock = retention._lock

    def killed(*given: Any) -> Any:
        if given[1] == ["I2"]:
            raise Killed
        return lock(*given)

    with monkeypatch.context() as patched:
        patched.setattr(retention, "_THREADS", 1)
        patched.setattr(retention, "_lock", killed)
        with pytest.raises(Killed):
            desk.journal.retention.purge(_year_ago(desk), "adj Petit")
    assert _purge(desk) == Purged(publications=2)
    assert SECRET not in repr(desk.dump())
    for opening in openings:
        found = desk.journal.publications.get(opening)
        assert found is not None
        assert found.on("mail").recipients == {Outcome.POSTED: 1, Outcome.REFUSED: 1}


def test_an_erasure_is_done_wholly_or_not_at_all(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails last: no text is gone."""
    tip = desk.publish(Stage.STANDALONE, headline=HEADLINE)
    desk.deliver()
    before = desk.dump()
    with monkeypatch.context() as patched:
        patched.setattr(audit, "record", lambda *_given, **_named: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            desk.journal.retention.erase(tip, "dpo", "Demande 12.")
    assert desk.dump() == before
    assert desk.journal.retention.erase(tip, "dpo", "Demande 12.").publications == 1
    assert SECRET not in repr(desk.dump())
