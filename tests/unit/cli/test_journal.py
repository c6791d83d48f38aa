"""`journal`: export, seal, verify, purge, and its page of the docs."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from policenotify.cli.commands.journal import journal
from policenotify.cli.times import parse_age
from tests.support.installation import INCIDENT, Desk, accident
from tests.support.shell import Earlier, Run, with_other

PAGE = (Path(__file__).parents[3] / "docs" / "howto" / "retention.md").read_text(encoding="utf-8")
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.fixture
def old(desk: Desk, run: Run) -> Desk:
    """An installation with an incident and a tip of four years ago, and one open incident."""
    desk.clock = Earlier(timedelta(days=4 * 366))
    then = desk.publisher()
    opening = then.publish(accident(next_update_at=None), key="cad:1", actor="cne Roux")
    then.publish(opening.end("Fin d'intervention"), key="cad:2", actor="cne Roux")
    assert run("publish", *with_other("--incident", "2026-9")).code == 0
    return desk


@contextmanager
def _changed(desk: Desk) -> Iterator[sqlite3.Connection]:
    """The file, behind the journal's back."""
    database = sqlite3.connect(desk.database)
    yield database
    database.commit()
    database.close()


# --- ages


@pytest.mark.parametrize(
    ("typed", "at"),
    [
        ("90 j", datetime(2025, 12, 31, 12, tzinfo=UTC)),
        ("1mo", datetime(2026, 2, 28, 12, tzinfo=UTC)),
        ("3A", datetime(2023, 3, 31, 12, tzinfo=UTC)),
        ("36mois", datetime(2023, 3, 31, 12, tzinfo=UTC)),
        ("2w", datetime(2026, 3, 17, 12, tzinfo=UTC)),
    ],
)
def test_an_age_is_counted_back_in_the_calendar(typed: str, at: datetime) -> None:
    assert parse_age(typed, NOW) == at


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("3", "is not an age"),
        ("-3y", "is not an age"),
        ("30m", "is not an age"),  # minutes, as in a time
        ("PT3H", "is not an age"),
        ("0d", "is not an age"),
        ("3000y", "longer than there are years"),
    ],
)
def test_an_invalid_age_is_refused(typed: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_age(typed, NOW)


# --- purge


def test_a_purge_has_a_dry_run_is_done_and_reported(run: Run, old: Desk) -> None:
    tried = run("journal", "purge", "--older-than", "3y", "--dry-run", "--json")
    assert tried.code == 0
    assert tried.document["dry_run"] is True
    assert tried.document["publications"] == 2
    assert "Circulation très difficile." in _raw(old)
    ran = run("journal", "purge", "--older-than", "3y", "--actor", "adj Petit")
    assert ran.code == 0
    assert "2 publications" in ran.words
    shown = run("status", INCIDENT)
    assert shown.code == 0
    assert "Contenu effacé le" in shown.out
    assert "3 posted" in shown.out
    [named] = run("status", "cad:1", "--json").document["publications"]
    assert (named["stage"], named["message"]["category"]) == ("opening", "traffic_accident")
    assert run("journal", "verify").code == 0
    again = run("journal", "purge", "--older-than", "3y", "--json").document
    assert (again["publications"], again["kept"], again["actor"]) == (0, 0, "brigadier")
    assert "avenue de Lodève" not in _raw(old)
    assert "Accident de la circulation" in _raw(old)  # the open incident's


def _raw(desk: Desk) -> str:
    files = desk.folder.glob("journal.db*")
    return "".join(file.read_bytes().decode("utf-8", errors="replace") for file in files)


def test_a_category_that_the_settings_had_once_is_purged(run: Run, desk: Desk) -> None:
    table = '\n[categories.lost_dog]\nlabels = { fr = "Chien perdu" }\n'
    desk.add_settings(table)
    place, urgent = ("--commune", "34172"), ("--urgent", "Nobody else is on duty.")
    words = ("--incident", "9", "--headline", "Chien perdu", "--wait", "0")
    assert run("publish", "--category", "lost_dog", *place, *urgent, *words).code not in {1, 2}
    desk.change_settings(table, "")
    assert run("journal", "purge", "--older-than", "1y", "--category", "lost_dog", "--dry-run").code == 0
    assert run("journal", "purge", "--older-than", "1y", "--category", "lost_cat", "--dry-run").code == 2


def test_only_a_category_is_purged_and_a_misspelt_one_is_refused(run: Run, old: Desk) -> None:
    assert old.database.exists()
    assert run("journal", "purge", "--older-than", "3y", "--category", "fire", "--json").document["publications"] == 0
    wrong = run("journal", "purge", "--older-than", "3y", "--category", "traffic_acident")
    assert wrong.code == 2
    assert "'traffic_acident' is not known. Did you mean 'traffic_accident'?" in wrong.err
    done = run("journal", "purge", "--older-than", "3y", "--category", "traffic_accident", "--json").document
    assert (done["publications"], done["category"]) == (2, "traffic_accident")


# --- export, seal and verify


def test_all_events_are_exported_and_no_address(run: Run, old: Desk) -> None:
    ran = run("journal", "export", "--actor", "adj Petit")
    assert ran.code == 0
    events = [json.loads(line) for line in ran.out.splitlines()]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert [event["kind"] for event in events].count("published") == 3
    first = events[0]
    assert (first["actor"], first["body"]["category"]) == ("cne Roux", "traffic_accident")
    assert datetime.fromisoformat(first["at"]) < datetime.now(UTC) - timedelta(days=4 * 365)
    for address in old.addresses:
        assert address not in ran.out
    again = [json.loads(line) for line in run("journal", "export", "--json").out.splitlines()]
    assert again[:-1] == events
    assert (again[-1]["kind"], again[-1]["actor"]) == ("exported", "adj Petit")


def test_what_was_changed_is_not_exported(run: Run, old: Desk) -> None:
    with _changed(old) as database:
        database.execute("UPDATE pn_event SET body = '{}' WHERE id = 1")
    ran = run("journal", "export")
    assert (ran.code, ran.out, "was tampered with" in ran.err) == (6, "", True)


def test_a_line_kept_elsewhere_shows_that_the_journal_was_set_back(run: Run, old: Desk) -> None:
    line = run("journal", "seal").out
    assert "The seal that was kept is among them." in run("journal", "verify", "--against", line).words
    with _changed(old) as database:
        database.execute("DELETE FROM pn_seal")
    assert run("journal", "verify").code == 0  # from within nothing shows it
    back = run("journal", "verify", "--against", line)
    assert (back.code, "the journal was set back" in back.err) == (6, True)
    assert "That is not the line of a seal" in run("journal", "verify", "--against", "x").err


# --- help and the page


def test_the_options_are_those_that_the_page_names() -> None:
    known = {option for one in journal.commands.values() for param in one.params for option in param.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", PAGE)) <= known
    assert isinstance(journal, click.Group)
    assert set(re.findall(r"policenotify journal ([a-z-]+)", PAGE)) == set(journal.commands)


@pytest.mark.slow
@pytest.mark.usefixtures("old")
def test_the_page_is_followed(run: Run) -> None:
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            first, *args = shlex.split(line.partition(" > ")[0])
            assert first == "policenotify"
            ran = run(*args)
            assert ran.code == 0, ran.err or ran.out


# --- moved


@pytest.mark.usefixtures("old")
def test_a_journal_moves_and_its_settings_follow(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = run("status", "cad:2", "--json").document["publications"]
    monkeypatch.setenv("COLUMNS", "300")
    moved = run("journal", "move", "moved.db")
    assert moved.code == 0
    assert f"The journal is at {tmp_path}/moved.db now." in moved.words
    for command in (("status",), ("publish", *with_other("--incident", "2026-10")), ("resume",)):
        told = run(*command)
        assert told.code == 6
        assert f"This journal was moved to {tmp_path}/moved.db." in " ".join(told.err.split())
    monkeypatch.setenv("POLICENOTIFY_JOURNAL", "moved.db")
    assert run("status", "cad:2", "--json").document["publications"] == said
    assert run("journal", "move", "back.db").code == 0
    assert run("journal", "move", "back.db").code == 6
