# ruff: noqa: S608 - all SQL here is this file's own
"""Every manipulation of the database without the keys is detected, or refused before anything is sent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from policenotify.channel import RecipientOutcome
from policenotify.errors import JournalError
from policenotify.journal import audit
from policenotify.journal.verify import prove
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from tests.support.journal import LEASE

if TYPE_CHECKING:
    from tests.support.journal import Desk

A, B = "a.victim@x.example", "b.attacker@x.example"


@pytest.fixture
def full(desk: Desk) -> Desk:
    """A sealed incident on two channels, a message that waits, and events after the seal."""
    desk.publish(channels=("sky", "mail"), people={"mail": [A, B]})
    desk.deliver()
    desk.mail()
    desk.journal.stop("cne Roux", "Compte compromis ?")
    assert desk.journal.audit.seal() == 4
    desk.journal.resume("cne Roux")
    desk.publish(Stage.STANDALONE, headline="Marché de Noël")
    desk.deliver()
    stated = {"recipients": ["k" * 64], "source": "bounce", "until": None}
    desk.journal.audit.record("cne Roux", "suppressed", stated, channel="mail")
    desk.change_directly(SUPPRESS.format("mail", "k" * 64))
    desk.publish(Stage.UPDATE, channels=("sky", "mail"), people={"mail": [A, B]})
    assert desk.journal.audit.verify() == 1
    return desk


SUPPRESS = (
    "INSERT INTO pn_suppression (channel, key, source, evidence, at, confirmed_at) "
    "VALUES ('{}', '{}', 'bounce', 'x', 1, 2)"
)
FORGED_REF = '{"schema_version":1,"account":"police34.example","id":"x","url":"https://evil.example/1"}'
AFTER_THE_SEAL = "id > (SELECT max(last_event) FROM pn_seal)"
COPY = "INSERT INTO pn_event ({0}) SELECT {0} FROM pn_event WHERE id = 6"
COLUMNS = "at, actor, kind, publication, delivery, channel, body, salt, commitment, follows, mac"

MANIPULATIONS = {
    "text and actor of a publication": (
        "UPDATE pn_publication SET message = replace(message, 'Accident', 'Meurtre'), actor = 'innocent' "
        "WHERE stage = 'opening'"
    ),
    "body and salt blanked": "UPDATE pn_event SET body = '', salt = '' WHERE id = 1",
    "publication and deliveries deleted": (
        "DELETE FROM pn_attempt WHERE delivery IN (SELECT id FROM pn_delivery WHERE publication LIKE '%2'); "
        "DELETE FROM pn_delivery WHERE publication LIKE '%2'; DELETE FROM pn_publication WHERE id LIKE '%2'"
    ),
    "outcome forged": f"UPDATE pn_delivery SET state = 'posted', ref = '{FORGED_REF}' WHERE publication LIKE '%3'",
    "post replaced by another": f"UPDATE pn_delivery SET ref = '{FORGED_REF}' WHERE id = 1",
    "actor of an event": "UPDATE pn_event SET actor = 'innocent' WHERE id = 1",
    "event deleted": "DELETE FROM pn_event WHERE id = 2",
    "body of an event": "UPDATE pn_event SET body = replace(body, 'opening', 'update') WHERE id = 1",
    "event after the seal changed with its commitment": (
        f"UPDATE pn_event SET body = '{{}}', salt = '', "
        f"commitment = 'c5a8af2e9b1cf2e6a8d1d5b0b0bd5df2a4a40d8c7a3c3b3d4ba62ee2c8c2e7a5' WHERE {AFTER_THE_SEAL}"
    ),
    "event after the seal deleted": "DELETE FROM pn_event WHERE kind = 'published' AND publication LIKE '%2'",
    "newest events after the seal deleted": f"DELETE FROM pn_event WHERE {AFTER_THE_SEAL}",
    "event repeated with another actor": (
        f"{COPY.format(COLUMNS)}; UPDATE pn_event SET actor = 'innocent' WHERE id = (SELECT max(id) FROM pn_event)"
    ),
    "newest seal cut off with its events": "DELETE FROM pn_event WHERE id < 5; DELETE FROM pn_seal",
    "suppression removed": "DELETE FROM pn_suppression",
    "suppression added": SUPPRESS.format("mail", "f" * 64),
    "suppression moved to another channel": "UPDATE pn_suppression SET channel = 'press'",
    "suppression that soon ends": "UPDATE pn_suppression SET expires_at = 3",
    "suppression by the person's own will": "UPDATE pn_suppression SET source = 'one-click'",
    "suppression no longer confirmed": "UPDATE pn_suppression SET confirmed_at = NULL",
    "stop": "UPDATE pn_meta SET value = 'innocent' WHERE name = 'stopped'",
    "deadline of an incident": "UPDATE pn_incident SET due_at = due_at + 1",
    "incident closed": "UPDATE pn_incident SET status = 'ended'",
    "outcome put back to repeat a post": "UPDATE pn_delivery SET state = 'waiting', ref = NULL WHERE id = 1",
    "wording that waits": (
        "UPDATE pn_delivery SET standalone = replace(standalone, 'Accident', 'ATTENTAT') WHERE state = 'waiting'"
    ),
    "wording that was sent": "UPDATE pn_delivery SET standalone = replace(standalone, 'Accident', 'X') WHERE id = 1",
    "one of two wordings removed": "UPDATE pn_delivery SET reply = NULL WHERE reply IS NOT NULL",
    "request that was sent": "UPDATE pn_delivery SET request = replace(request, 'delivery', 'other') WHERE id = 1",
    "account": "UPDATE pn_delivery SET account = 'someone.else' WHERE state = 'waiting'",
    "sending paused": "UPDATE pn_delivery SET halt = 'paused' WHERE has_recipients AND state = 'waiting'",
    "sending aborted after it was settled": "UPDATE pn_delivery SET halt = 'aborted' WHERE state = 'posted'",
}


def test_a_sending_that_goes_on_without_a_command_is_detected(full: Desk) -> None:
    sendings = full.journal.sendings
    waiting = full.publish(incident="I2", channels=("mail",), people={"mail": [A]})
    for steer in (sendings.pause, sendings.resume, sendings.pause):
        steer(waiting, "cne Roux")
        full.journal.audit.verify()
    full.change_directly("UPDATE pn_delivery SET halt = '' WHERE halt = 'paused'")
    with pytest.raises(JournalError, match="was paused, resumed or aborted without a command"):
        full.journal.audit.verify()


@pytest.mark.parametrize("script", MANIPULATIONS.values(), ids=list(MANIPULATIONS))
def test_a_manipulation_is_detected(full: Desk, script: str) -> None:
    before = repr(full.dump())
    full.change_directly(script)
    assert repr(full.dump()) != before, "it changed nothing"
    with pytest.raises(JournalError, match=r"^The journal was tampered with: "):
        full.journal.audit.verify()


@pytest.mark.parametrize(
    "name",
    [
        "text and actor of a publication",
        "body and salt blanked",
        "publication and deliveries deleted",
        "outcome forged",
        "post replaced by another",
        "wording that was sent",
    ],
)
def test_an_export_of_a_forgery_proves_nothing(full: Desk, name: str) -> None:
    full.change_directly(MANIPULATIONS[name])
    with pytest.raises(JournalError, match="tampered with"):
        next(iter(full.journal.export()))
    with full.journal.read() as connection:
        signed = list(audit.export(connection, full.keys))  # by somebody with the keys
    with pytest.raises(JournalError, match=r"^Line \d+ of the export: "):
        prove(signed, full.keys.public_key(1))


@pytest.mark.parametrize(
    "name",
    [
        "event after the seal changed with its commitment",
        "event after the seal deleted",
        "event repeated with another actor",
    ],
)
def test_forged_events_are_never_sealed(full: Desk, name: str) -> None:
    full.change_directly(MANIPULATIONS[name])
    with pytest.raises(JournalError, match="tampered with: event"):
        full.journal.audit.seal()


def test_a_swapped_address_gets_nothing(full: Desk) -> None:
    keys = full.person_key(A), full.person_key(B)
    other = f"(SELECT sealed FROM pn_person AS o WHERE o.key = '{keys[1]}')"
    full.change_directly(f"UPDATE pn_person SET sealed = {other} WHERE key = '{keys[0]}'")
    assert full.mail() == [B]


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
    desk.journal.deliveries.resolve(row[0], "adj Petit", posted=posted)
    desk.clock.pass_by(60)
    assert sorted(desk.mail()) == ([B] if posted else [A, B])


def test_an_attempt_that_was_cut_off_does_not_look_like_a_change(desk: Desk) -> None:
    desk.publish(channels=("mail",), people={"mail": [A, B]})
    desk.mail({A: "unavailable", B: "unavailable"})
    desk.clock.pass_by(60)
    claimed = desk.begin(desk.take("mail"))
    [person] = desk.journal.deliveries.take(claimed, 1, hold_doubt=True, lease=LEASE)
    told = [RecipientOutcome(key=person.key, outcome="posted")]
    desk.journal.deliveries.take(claimed, 0, outcomes=told, hold_doubt=True, lease=LEASE)
    desk.clock.pass_by(600)
    assert len(desk.mail()) == 1


@pytest.mark.parametrize("state", ["posted", "waiting"])
def test_a_delivery_that_seems_to_be_sent_by_no_process_is_recovered(desk: Desk, state: str) -> None:
    publication = desk.publish()
    if state == "posted":
        desk.deliver()
    desk.change_directly("UPDATE pn_delivery SET state = 'sending'")
    assert desk.journal.deliveries.due(["sky"])["sky"] <= desk.clock.now()
    claimed = desk.claim()
    assert (claimed is None) is (state == "posted")
    assert desk.outcome(publication) is (Outcome.HELD if state == "posted" else Outcome.SENDING)


def test_every_outcome_is_stated(desk: Desk) -> None:
    """Whatever becomes of a delivery leaves a journal that is verified."""
    for number, outcome in enumerate((Outcome.POSTED, Outcome.REFUSED, Outcome.UNCONFIRMED, Outcome.HELD)):
        desk.publish(incident=f"I{number}", channels=("sky", "mail"), people={"mail": [A, B]})
        desk.deliver(outcome=outcome)
        desk.mail({A: "unconfirmed"})
        assert desk.journal.audit.verify() >= 0
    for row in desk.dump("pn_delivery")["pn_delivery"]:
        if Outcome.HELD in row:
            desk.journal.deliveries.resolve(row[0], "adj Petit", posted=bool(row[0] % 2))
    desk.publish(incident="I9", skip="Not here.")
    desk.publish(incident="I10", channels=("mail",), people={"mail": []})
    desk.journal.publications.add_refused(desk.draft(Stage.STANDALONE))
    assert desk.journal.audit.seal() > 10
    assert desk.journal.audit.verify() == 1


# --- set back


def test_a_journal_that_was_set_back_is_seen_by_its_witness(full: Desk) -> None:
    kept = []
    for number in range(3):
        full.journal.audit.record("adm", "counted", {"number": number})
        assert full.journal.audit.seal()
        kept.append(full.journal.audit.witness())
    assert None not in kept
    seals = [seal for seal in kept if seal is not None]
    assert full.journal.audit.verify(seals) == 4
    newest = "SELECT max(last_event) FROM pn_seal"
    full.change_directly(
        f"DELETE FROM pn_seal WHERE last_event = ({newest}); DELETE FROM pn_event WHERE id > ({newest})"
    )
    assert full.journal.audit.verify() == 3  # from within nothing shows it
    with pytest.raises(JournalError, match=r"seal 4 of .* is missing or another one: the journal was set back"):
        full.journal.audit.verify(seals)
    full.journal.audit.record("innocent", "counted", {"number": 2})
    full.journal.audit.seal()
    with pytest.raises(JournalError, match=r"seal 4 of .* is missing or another one"):
        full.journal.audit.verify(seals)
    with pytest.raises(JournalError, match="The witness is of another journal"):
        full.journal.audit.verify([{**seals[0], "journal": "another"}])


# --- rotation


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
