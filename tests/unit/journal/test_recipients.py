"""The recipients of a mail: everyone entitled, none twice, and no address in clear or kept for ever."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from policenotify.journal.lists.recipients import recipient_key
from policenotify.journal.retention import KEPT_AFTER
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage

if TYPE_CHECKING:
    from tests.support.journal import Desk

A, B, C, D = (f"{name}@x.example" for name in "abcd")
DAY = 86_400
MONTH = KEPT_AFTER.total_seconds()


# --- who


@pytest.mark.databases
def test_an_update_goes_to_the_list_and_to_everyone_who_got_the_opening(desk: Desk) -> None:
    opening = desk.publish(channels=("mail",), people={"mail": [A, B]})
    desk.mail({B: "refused"})
    update = desk.publish(Stage.UPDATE, channels=("mail",), people={"mail": [B, C]})
    assert sorted(desk.mail()) == [A, B, C]
    assert [desk.person(opening, one) for one in (A, B, C)] == [Outcome.POSTED, Outcome.REFUSED, None]
    end = desk.publish(Stage.END, channels=("mail",), people={"mail": []})
    assert sorted(desk.mail()) == [A, B, C]
    assert desk.person(end, C) is desk.person(update, C) is Outcome.POSTED


@pytest.mark.parametrize("stage", [Stage.OPENING, Stage.STANDALONE])
def test_a_mail_without_recipients_is_skipped(desk: Desk, stage: Stage) -> None:
    said = desk.publish(stage, channels=("mail",), people={"mail": []})
    assert desk.claim("mail") is None
    found = desk.journal.publications.get(said)
    assert found is not None
    assert (found.on("mail").outcome, found.on("mail").recipients) == (Outcome.SKIPPED, {})
    assert str(found.on("mail").reason).startswith("This message concerns nobody on this channel's list, or")
    assert str(found.on("mail").remedy) == "", "nobody is suppressed"


# --- what a mass delivery has come to


# --- secrecy


def test_no_part_of_an_address_is_in_the_files(desk: Desk) -> None:
    address = "Jeanne.Vraisemblable+alerte@mairie-introuvable.example"
    said = desk.publish(channels=("mail",), people={"mail": [address, A]})
    desk.mail({address: "unavailable"})
    desk.journal.channels.state_store("mail").compare_and_swap("session", "Vraisemblable", version=None)
    files = sorted(Path(desk.path).parent.glob("journal.db*"))
    assert {file.name for file in files} >= {"journal.db", "journal.db-wal"}
    for file in files:
        content = file.read_bytes().lower()
        for part in (b"jeanne", b"vraisemblable", b"alerte@", b"mairie", b"introuvable"):
            assert part not in content, file.name
    desk.clock.pass_by(30)
    assert desk.mail() == [address]
    assert "vraisemblable" not in repr(desk.journal.publications.get(said)).lower()


# --- for a while


def _kept(desk: Desk) -> int:
    return sum(row[3] is not None for row in desk.dump("pn_person")["pn_person"])


def test_addresses_are_erased_thirty_days_after_the_incident_closed(desk: Desk) -> None:
    desk.publish(channels=("mail",), people={"mail": [A, B]})
    desk.mail()
    desk.clock.pass_by(2 * MONTH)
    assert desk.journal.retention.erase_addresses() == 0  # the incident is open
    desk.publish(Stage.END, channels=("mail",), people={"mail": []})
    assert sorted(desk.mail()) == [A, B]
    desk.clock.pass_by(MONTH - 1)
    assert desk.journal.retention.erase_addresses() == 0
    desk.clock.pass_by(1)
    assert desk.journal.retention.erase_addresses() == 2
    assert _kept(desk) == 0
    assert desk.journal.retention.erase_addresses() == 0


@pytest.mark.databases
def test_no_telephone_number_can_be_found_after_its_address_was_erased(desk: Desk) -> None:
    """Who has keys and database tries all numbers against the keys of recipients, in minutes."""
    numbers = ["+33612345678", "+33687654321"]
    said = desk.publish(Stage.STANDALONE, channels=("sms",), people={"sms": numbers})
    desk.mail(channel="sms")
    tags = {recipient_key(desk.keys, number) for number in numbers}
    assert {row[1] for row in desk.dump("pn_person")["pn_person"]} == tags
    desk.clock.pass_by(31 * DAY)
    assert desk.journal.retention.erase_addresses() == 2
    left = {row[1] for row in desk.dump("pn_person")["pn_person"]}
    assert len(left) == 2
    assert all(len(bytes.fromhex(key)) == 16 for key in left)
    assert not any(tag in repr(desk.dump()) for tag in tags)
    found = desk.journal.publications.get(said)
    assert found is not None
    assert found.on("sms").recipients == {Outcome.POSTED: 2}
    assert desk.journal.audit.verify() == 0


def test_what_was_erased_leaves_the_log_while_others_have_the_file_open(desk: Desk) -> None:
    log = desk.path.with_name(desk.path.name + "-wal")
    desk.publish(Stage.STANDALONE, channels=("mail",), people={"mail": [A]})
    desk.mail()
    [sealed] = [row[3] for row in desk.dump("pn_person")["pn_person"]]
    desk.clock.pass_by(31 * DAY)
    with closing(sqlite3.connect(desk.path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM pn_person").fetchone()
        assert desk.journal.retention.erase_addresses() == 1
        assert sealed in log.read_bytes()  # it is being read
        reader.execute("COMMIT")
        assert desk.journal.retention.erase_addresses() == 0  # and is truncated the next time
        assert log.read_bytes() == b""
        assert sealed not in desk.path.read_bytes()


def test_erased_records_are_not_left_in_the_file(desk: Desk) -> None:
    desk.publish(Stage.STANDALONE, channels=("mail",), people={"mail": [A]})
    desk.mail()
    [[_, _, _, sealed, *_]] = desk.dump("pn_person")["pn_person"]
    desk.clock.pass_by(MONTH)
    desk.journal.retention.erase_addresses()
    desk.journal.close()  # the last one writes the log into the file, and removes it
    assert not desk.path.with_name("journal.db-wal").exists()
    assert sealed not in desk.path.read_bytes()


# --- many
