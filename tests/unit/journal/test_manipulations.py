# ruff: noqa: S608 - all SQL here is this file's own
"""Changes of the database without the keys: what goes out is authenticated, and the record is sealed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from policenotify.errors import JournalError
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage

if TYPE_CHECKING:
    from tests.support.journal import Desk

A, B = "a.victim@x.example", "b.attacker@x.example"


@pytest.fixture
def full(desk: Desk) -> Desk:
    """A sealed incident on two channels, and an update of it that waits."""
    desk.publish(channels=("sky", "mail"), people={"mail": [A, B]})
    desk.deliver()
    desk.mail()
    desk.journal.stop("cne Roux", "Compte compromis ?")
    assert desk.journal.audit.seal() == 4
    desk.journal.resume("cne Roux")
    desk.publish(Stage.UPDATE, channels=("sky", "mail"), people={"mail": [A, B]})
    assert desk.journal.audit.verify() == 1
    return desk


FORGED_REF = '{"schema_version":1,"account":"police34.example","id":"x","url":"https://evil.example/1"}'

MANIPULATIONS = {
    "wording that waits": (
        "UPDATE pn_delivery SET standalone = replace(standalone, 'Accident', 'ATTENTAT') WHERE state = 'waiting'"
    ),
    "wording that was sent": "UPDATE pn_delivery SET standalone = replace(standalone, 'Accident', 'X') WHERE id = 1",
    "one of two wordings removed": "UPDATE pn_delivery SET reply = NULL WHERE reply IS NOT NULL",
    "account": "UPDATE pn_delivery SET account = 'someone.else' WHERE state = 'waiting'",
    "operation": "UPDATE pn_delivery SET operation = 'delete' WHERE state = 'waiting'",
    "request that was sent": "UPDATE pn_delivery SET request = replace(request, 'delivery', 'other') WHERE id = 1",
    "place of a post": f"UPDATE pn_delivery SET ref = '{FORGED_REF}' WHERE id = 1",
    "outcome with a place": (
        f"UPDATE pn_delivery SET state = 'posted', ref = '{FORGED_REF}' WHERE publication LIKE '%2'"
    ),
    "actor of a sealed event": "UPDATE pn_event SET actor = 'innocent' WHERE id = 1",
    "sealed event deleted": "DELETE FROM pn_event WHERE id = 2",
    "sealed event with its commitment": f"UPDATE pn_event SET body = '', commitment = '{'c' * 64}' WHERE id = 1",
    "body of an event": "UPDATE pn_event SET body = replace(body, 'opening', 'update') WHERE id = 1",
    "body of an event after the seal": "UPDATE pn_event SET body = '{}' WHERE id = (SELECT max(id) FROM pn_event)",
    "seal deleted": "DELETE FROM pn_seal",
    "seals and their events deleted": "DELETE FROM pn_seal; DELETE FROM pn_event WHERE id < 5",
}
UNSEEN = {"seal deleted", "seals and their events deleted"}  # but by a line that was kept elsewhere


@pytest.mark.parametrize("name", MANIPULATIONS)
def test_a_manipulation_is_detected(full: Desk, name: str) -> None:
    line, before = full.journal.audit.printed_seal(), repr(full.dump())
    full.change_directly(MANIPULATIONS[name])
    assert repr(full.dump()) != before, "it changed nothing"
    if name in UNSEEN:
        assert full.journal.audit.verify() == 0
    for against in ("", line)[name in UNSEEN :]:
        with pytest.raises(JournalError, match=r"^The journal was tampered with: "):
            full.journal.audit.verify(against)


_WAITS = "delivery = 1 AND state = 'waiting'"


@pytest.mark.parametrize(
    "script",
    [
        f"UPDATE pn_recipient SET person = (SELECT max(id) FROM pn_person) WHERE {_WAITS} AND person = 1",
        "UPDATE pn_recipient SET delivery = 1, batch = 3 WHERE person = (SELECT max(id) FROM pn_person)",
        f"DELETE FROM pn_recipient WHERE {_WAITS}",
        "UPDATE pn_delivery SET mac = '' WHERE parent = 1",
    ],
)
def test_a_batch_is_sent_to_its_own_people_only(desk: Desk, script: str) -> None:
    publication = desk.publish(channels=("mail",), people={"mail": [A, B]})
    other = desk.publish(channels=("mail",), incident="I2", people={"mail": ["c@x.example"]})
    assert sorted(desk.mail({A: "unavailable", B: "unavailable"})) == [A, B]
    assert desk.expand()  # the other one
    desk.clock.pass_by(60)
    desk.change_directly(script)
    claimed = desk.claim("mail")
    assert claimed is None or claimed.publication == other
    assert desk.outcome(publication, "mail") is Outcome.HELD


@pytest.mark.parametrize("posted", [True, False])
def test_who_was_settled_by_a_person_does_not_look_like_a_change(desk: Desk, *, posted: bool) -> None:
    desk.publish(channels=("mail",), people={"mail": [A, B]})
    desk.mail({A: "unconfirmed", B: "unavailable"})
    desk.clock.pass_by(60)
    assert desk.mail({B: "unavailable"}) == [B]
    row = min(desk.dump("pn_delivery")["pn_delivery"])
    desk.journal.sendings.resolve(row[0], "adj Petit", posted=posted)
    desk.clock.pass_by(60)
    assert sorted(desk.mail()) == ([B] if posted else [A, B])


@pytest.mark.databases
def test_whatever_becomes_of_a_delivery_leaves_a_journal_that_is_verified(desk: Desk) -> None:
    for number, outcome in enumerate((Outcome.POSTED, Outcome.REFUSED, Outcome.UNCONFIRMED, Outcome.HELD)):
        desk.publish(incident=f"I{number}", channels=("sky", "mail"), people={"mail": [A, B]})
        desk.deliver(outcome=outcome)
        desk.mail({A: "unconfirmed"})
        assert desk.journal.audit.verify() >= 0
    for row in desk.dump("pn_delivery")["pn_delivery"]:
        if Outcome.HELD in row:
            desk.journal.sendings.resolve(row[0], "adj Petit", posted=bool(row[0] % 2))
    desk.publish(incident="I9", skip="Not here.")
    desk.publish(incident="I10", channels=("mail",), people={"mail": []})
    desk.journal.publications.add_refused(desk.draft(Stage.STANDALONE))
    assert desk.journal.audit.seal() > 10
    assert desk.journal.audit.verify() == 1


# --- rotation


@pytest.mark.databases
def test_rotated_keys_encrypt_again_and_shut_out_who_has_the_earlier_ones(full: Desk) -> None:
    state = full.journal.channels.state_store("sky")
    assert state.compare_and_swap("session", "jeton", version=None)
    earlier = full.journal.keys
    newer = earlier.rotated(os.urandom)
    assert full.journal.rotate_keys(newer, "adj Petit") == 3
    assert {row[2] for row in full.dump("pn_person")["pn_person"]} == {2}
    loaded = state.load("session")
    assert loaded is not None
    assert loaded.value == "jeton"
    assert full.take().standalone is not None  # what was published before
    assert full.journal.audit.seal() > 0
    assert full.journal.audit.verify() == 2
    full.journal.keys = earlier
    with pytest.raises(JournalError, match="The keys of this installation were rotated; this process has"):
        full.publish(Stage.STANDALONE)
    with pytest.raises(JournalError, match="Copy the keys file to this host"):
        full.claim("mail")


@pytest.mark.parametrize("column", ["at", "actor", "kind", "publication", "delivery", "channel"])
def test_each_column_of_a_sealed_event_is_sealed(desk: Desk, column: str) -> None:
    desk.publish()
    desk.journal.audit.record("desk", "blocked", {}, channel="sky")
    desk.journal.audit.seal()
    desk.change_directly(f"UPDATE pn_event SET {column} = 7 WHERE channel = 'sky'")
    with pytest.raises(JournalError):
        desk.journal.audit.verify()
