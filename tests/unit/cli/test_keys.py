"""`keys`: rotation."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from policenotify.journal import open_journal
from policenotify.journal.keys import Keys
from tests.support.installation import Desk
from tests.support.shell import ACCIDENT, Run


def test_rotation_leaves_an_installation_that_works(run: Run, desk: Desk) -> None:
    assert run("publish", *ACCIDENT).code == 0
    ran = run("rotate-keys", "--json")
    assert ran.code == 0
    keys = Keys.load(desk.folder / "keys")
    assert (ran.document["version"], ran.document["fingerprint"]) == (2, keys.fingerprint)
    assert ran.document["sealed_again"] >= len(desk.addresses)
    with closing(sqlite3.connect(desk.database)) as database:
        assert database.execute("SELECT DISTINCT key_version FROM pn_person").fetchall() == [(2,)]
    assert run("journal", "seal").code == 0
    assert run("journal", "verify").code == 0
    assert "Copy " in run("rotate-keys").out
    with closing(open_journal(str(desk.database), keys=Keys.load(desk.folder / "keys"))) as journal:
        assert journal.keys.version == 3


def test_the_rule_of_the_installation_is_asked_before_keys_change_and_before_an_export(run: Run, desk: Desk) -> None:
    desk.change_settings("zone =", 'may = "tests.integration.test_authority:only_claire"\nzone =')
    before = (desk.folder / "keys").read_bytes()
    for command in (("rotate-keys",), ("journal", "export")):
        refused = run("--actor", "Préfet", *command)
        assert (refused.code, refused.out, "only Claire is on duty" in refused.err) == (1, "", True)
    assert (desk.folder / "keys").read_bytes() == before
    assert run("--actor", "claire", "rotate-keys").code == 0


def test_a_journal_that_was_tampered_with_does_not_keep_the_keys_from_being_rotated(run: Run, desk: Desk) -> None:
    assert run("publish", *ACCIDENT).code == 0
    with closing(sqlite3.connect(desk.database)) as database:
        database.execute("UPDATE pn_event SET body = '{}' WHERE id = 1")
        database.commit()
    ran = run("rotate-keys")
    assert ran.code == 0
    assert "Not sealed before the rotation: The journal was tampered with: the body of event 1" in ran.words
    assert Keys.load(desk.folder / "keys").version == 2
