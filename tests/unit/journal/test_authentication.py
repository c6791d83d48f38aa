"""Who can write the database, but has no keys, cannot speak: what waits is proved before it is sent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.errors import UnsupportedVersion
from policenotify.journal.authentication import batch_mac, is_whole_batch, request_mac
from policenotify.journal.keys import Keys
from policenotify.journal.lists.recipients import CHANGED_ADDRESS
from policenotify.journal.order import FORGED
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage

if TYPE_CHECKING:
    from tests.support.journal import Desk

A, B = "a.victim@x.example", "b.attacker@x.example"
KEYS = Keys.create(os.urandom)


@pytest.mark.parametrize(
    "change",
    [
        "standalone = replace(standalone, 'Accident', 'ATTENTAT EN COURS')",
        "reply = standalone",
        "standalone = (SELECT standalone FROM pn_delivery AS other WHERE other.id = 2)",
        "account = 'someone.else'",
        "operation = 'delete'",
        "reply_to = (SELECT publication FROM pn_delivery AS other WHERE other.id = 2)",
        "publication = (SELECT publication FROM pn_delivery AS other WHERE other.id = 2)",
        "not_after = 1",  # it would look expired
        "not_after = 9000000000000000",  # "avoid the area", hours later
        "mac = (SELECT mac FROM pn_delivery AS other WHERE other.id = 2)",
        "mac = ''",
    ],
)
def test_a_delivery_changed_in_the_database_is_held_and_never_sent(
    desk: Desk, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    publication = desk.publish(channels=("sky",))
    desk.publish(Stage.STANDALONE, channels=("x",), headline="Marché de Noël")
    desk.change_directly(f"UPDATE pn_delivery SET {change} WHERE id = 1")  # noqa: S608 - a parameter of this test
    assert desk.claim() is None
    assert "delivery 1: held [forged]" in caplog.text
    row = min(desk.dump("pn_delivery")["pn_delivery"], key=lambda row: row[0])
    assert Outcome.HELD in row
    assert FORGED in row
    assert desk.take("x").standalone is not None
    assert desk.journal.sendings.resolve(1, "adj Petit", posted=False) is Outcome.WAITING
    assert desk.claim() is None  # it cannot be released either
    assert publication


def test_a_row_put_in_by_hand_is_held(desk: Desk) -> None:
    desk.publish()
    desk.deliver()
    columns = [name for name in _columns(desk) if name not in {"id", "post_key", "state"}]
    listed = ", ".join(columns)
    desk.change_directly(
        f"INSERT INTO pn_delivery (post_key, state, {listed}) SELECT 'another', 'waiting', {listed} FROM pn_delivery"  # noqa: S608 - our own names
    )
    assert desk.claim() is None
    assert Outcome.HELD in max(desk.dump("pn_delivery")["pn_delivery"], key=lambda row: row[0])


def _columns(desk: Desk) -> list[str]:
    from policenotify.journal.database import schema  # noqa: PLC0415 - only for the names

    assert desk
    return [column.name for column in schema.delivery.columns]


@pytest.mark.parametrize("change", ["request = replace(request, 'delivery', 'text')", "request_mac = ''"])
def test_a_request_changed_before_its_retry_is_held(desk: Desk, change: str) -> None:
    desk.publish()
    desk.deliver(outcome=Outcome.UNCONFIRMED)
    desk.change_directly(f"UPDATE pn_delivery SET {change}")  # noqa: S608 - a parameter of this test
    desk.clock.pass_by(3600)
    assert desk.claim() is None
    assert Outcome.HELD in desk.dump("pn_delivery")["pn_delivery"][0]


@pytest.mark.parametrize("change", ["ref = replace(ref, 'post of 1', 'post of 9')", "ref_mac = ''"])
def test_a_reply_does_not_go_where_the_database_was_changed_to(desk: Desk, change: str) -> None:
    desk.publish()
    desk.deliver()
    update = desk.publish(Stage.UPDATE)
    desk.change_directly(f"UPDATE pn_delivery SET {change} WHERE id = 1")  # noqa: S608 - a parameter of this test
    claimed = desk.claim()
    assert claimed is not None
    assert (claimed.publication, claimed.reply_to) == (update, ())  # it goes out on its own


def test_deliveries_of_newer_keys_are_left_to_hosts_that_have_them(desk: Desk) -> None:
    newer = desk.keys.rotated(os.urandom)
    desk.journal.keys = newer
    desk.publish()
    desk.journal.keys = desk.keys
    with pytest.raises(UnsupportedVersion, match="keys file"):
        desk.claim()
    desk.journal.keys = newer
    assert desk.take()


def test_a_sealed_address_opens_in_its_own_row_only(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    publication = desk.publish(channels=("mail",), people={"mail": [A, B]})
    assert desk.expand()
    victim, attacker = (desk.person_key(address) for address in (A, B))
    desk.change_directly(
        f"UPDATE pn_person SET sealed = (SELECT sealed FROM pn_person AS o WHERE o.key = '{attacker}') "  # noqa: S608 - keys of this test
        f"WHERE key = '{victim}'"
    )
    assert desk.mail() == [B]
    assert desk.person(publication, A) is Outcome.REFUSED
    assert str(CHANGED_ADDRESS) in repr(desk.dump("pn_recipient"))
    assert "the stored addresses of 1 recipients were changed" in caplog.text
    desk.publish(incident="I2", channels=("mail",), people={"mail": [A, B]})
    assert sorted(desk.mail()) == [A, B]


# --- the people of a batch

PEOPLE = st.lists(st.integers(1, 9), unique=True, max_size=6)


@given(people=PEOPLE, others=PEOPLE, whole=st.sampled_from(["1:aa", "1:bb"]), number=st.integers(0, 1))
def test_a_batch_has_the_people_with_whom_it_was_stored(
    people: list[int], others: list[int], whole: str, number: int
) -> None:
    code = batch_mac(KEYS, "1:aa", 0, people)
    same = (whole, number, set(others)) == ("1:aa", 0, set(people))
    assert is_whole_batch(KEYS, whole, number, others, code) is same
    assert is_whole_batch(KEYS, "1:aa", 0, people[::-1], code)
    assert not is_whole_batch(KEYS, "1:aa", 0, [*people, 10], code)
    assert not is_whole_batch(KEYS, "1:aa", 0, people, request_mac(KEYS, "1:aa", 0, ""))
