"""`init` and `doctor`."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from tests.support.installation import ADDRESSES, Desk, accident
from tests.support.shell import ACCIDENT, Earlier, Ran, Run


def _line(ran: Ran, what: str) -> Any:
    [found] = [line for line in ran.document["lines"] if line["check"] == what]
    return found


def test_a_new_installation_and_the_report_of_doctor(run: Run) -> None:
    made = run("init", "désk")
    assert made.code == 0
    assert "  désk/policenotify.toml\n" in made.out
    assert "policenotify doctor --settings désk/policenotify.toml" in made.words
    assert max(map(len, made.out.splitlines())) <= 80
    again = run("init", "désk", "--json")
    assert again.code == 1
    assert "is there already" in again.document["error"]["text"]
    seen = run("doctor", "--settings", "désk/policenotify.toml", "--json")
    assert seen.code == 0
    assert "For development" in _line(seen, "channel console")["detail"]
    here = run("init", "--json").document
    assert here["next"][-1].endswith("policenotify doctor")


def test_all_in_order(run: Run, desk: Desk) -> None:
    ran = run("doctor")
    assert ran.code == 0
    assert ran.out.endswith("Everything is right.\n")
    assert "is police34.example on bluesky" in ran.words
    assert max(map(len, ran.out.splitlines())) <= 80
    assert desk.keys.fingerprint in ran.out
    seen = run("doctor", "--json")
    assert _line(seen, "recipients of presse")["detail"] == "3 people"
    assert all(address not in seen.out for address in ADDRESSES)
    assert desk.bluesky.password not in seen.out
    assert desk.bluesky.posts == ()
    assert desk.mail.mails == []


def test_wrong_credentials_are_reported_and_nothing_else_is_hidden(run: Run, desk: Desk) -> None:
    desk.change_settings(desk.bluesky.password, "aaaa-bbbb-cccc-dddd")
    ran = run("doctor", "--json")
    assert ran.code == 3
    line = _line(ran, "channel bluesky")
    assert line["state"] == "WRONG"
    assert "app password" in line["detail"]
    assert _line(ran, "channel presse")["state"] == "ok"
    assert "aaaa-bbbb" not in ran.out


def test_an_account_with_another_handle_is_noted(run: Run, desk: Desk) -> None:
    assert _line(run("doctor", "--json"), "channel bluesky")["state"] == "ok"
    desk.bluesky.handle = "nouvelle.example"
    ran = run("doctor", "--json")
    assert ran.code == 0
    line = _line(ran, "channel bluesky")
    assert line["state"] == "note"
    assert "is called nouvelle.example now" in line["detail"]


def test_a_library_of_the_journal_that_is_missing_hides_no_other_line(
    run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.change_settings('"journal.db"', '"postgresql://police@127.0.0.1:9/journal"')
    monkeypatch.setitem(sys.modules, "psycopg", None)
    ran = run("doctor", "--json")
    assert ran.code == 6
    assert "policenotify[postgres]" in _line(ran, "journal")["detail"]
    assert _line(ran, "keys")["state"] == "ok"


@pytest.mark.parametrize("wrong", ['law = ["de"]', 'may = "nowhere:rule"'])
def test_what_lets_nothing_be_published_is_reported(run: Run, desk: Desk, wrong: str) -> None:
    desk.change_settings("zone =", f"{wrong}\nzone =")
    ran = run("doctor", "--json")
    assert ran.code == 1
    ok, line = [line for line in ran.document["lines"] if line["check"] == "settings"]
    assert (ok["state"], line["state"], line["alarm"]) == ("ok", "WRONG", "settings")
    assert line["detail"].startswith(f"{wrong[:3]}: ")
    assert _line(ran, "keys")["state"] == "ok"


def test_a_changed_record_is_reported(run: Run, desk: Desk) -> None:
    run("publish", *ACCIDENT)
    with closing(sqlite3.connect(desk.database)) as database, database:
        database.execute("UPDATE pn_event SET body = '{}' WHERE id = 1")
    ran = run("doctor", "--json")
    assert ran.code == 6
    assert "was tampered with" in _line(ran, "journal")["detail"]


def test_an_overdue_incident_and_a_stop(run: Run, desk: Desk) -> None:
    desk.clock = Earlier(timedelta(hours=30))
    desk.publisher().publish(accident(), key="old", actor="desk")
    ran = run("doctor", "--json")
    assert ran.code == 4
    assert _line(ran, "incident 2026-4711")["alarm"] == "overdue"
    assert "nothing is due" in _line(ran, "worker")["detail"]
    run("stop")
    assert "everything was stopped by brigadier" in _line(run("doctor", "--json"), "stop")["detail"]


@pytest.mark.usefixtures("pigeon_network")
def test_a_network_that_does_not_load(run: Run, desk: Desk) -> None:
    ran = run("doctor", "--json")
    assert ran.code == 0
    assert _line(ran, "network magpie")["state"] == "note"
    desk.change_settings('network = "email"', 'network = "magpie"')
    used = run("doctor", "--json")
    assert used.code == 3
    assert _line(used, "network magpie")["state"] == "WRONG"
    assert _line(used, "channel presse")["state"] == "WRONG"
    assert _line(used, "channel bluesky")["state"] == "ok"


def test_a_third_party_network_that_fails_unexpectedly(run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprising(_channel: object) -> None:
        raise LookupError(desk.bluesky.password)

    monkeypatch.setattr("policenotify.networks.bluesky.channel.Bluesky.whoami", surprising)
    ran = run("doctor", "--json")
    assert ran.code == 3
    assert "Unexpected: LookupError" in _line(ran, "channel bluesky")["detail"]
    assert desk.bluesky.password not in ran.out


# --- files that others may read


def _modes(desk: Desk, mode: int) -> None:
    for name in ("policenotify.toml", "presse.txt", "journal.db"):
        (desk.folder / name).chmod(mode)


def test_files_that_others_may_read_are_listed_with_what_they_hold(run: Run, desk: Desk) -> None:
    _modes(desk, 0o644)
    ran = run("doctor", "--json")
    assert ran.code == 6
    assert f"chmod 600 {desk.folder / 'journal.db'}" in _line(ran, "journal")["detail"]
    noted = {line["check"]: line["detail"] for line in ran.document["lines"] if line["check"].startswith("file ")}
    assert noted.keys() == {"file presse.txt"}
    for name, told in noted.items():
        assert "is open to others (mode 0644); close it:" in told
        assert f"chmod 600 {desk.folder / name.removeprefix('file ')}" in told
    assert desk.bluesky.password not in ran.out
    _modes(desk, 0o640)
    assert [line for line in run("doctor", "--json").document["lines"] if line["check"].startswith("file ")] == []
