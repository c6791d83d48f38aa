"""`policenotify campaign`."""

from __future__ import annotations

import os
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from tests.support.installation import Desk
from tests.support.shell import Run


def _today() -> date:
    return datetime.now(ZoneInfo("Europe/Paris")).date()


def _campaign() -> str:
    """Return a campaign with messages nine days ago, today and tomorrow."""
    today = _today()
    return f"""
name = "ete"
start = {today - timedelta(days=9)}
quiet = {{ begins = 00:00:00, ends = 00:00:00 }}
at = 00:00:00
grace = "1d"
[message]
category = "burglary_prevention"
[[messages]]
name = "a"
headline = "Fermez vos volets"
[[messages]]
name = "b"
headline = "Prévenez vos voisins"
[[schedule]]
dates = [{today - timedelta(days=9)}, {today}, {today + timedelta(days=1)}]
"""


@pytest.fixture
def file(desk: Desk) -> Path:
    path = desk.folder / "campaigns" / "ete.toml"
    path.parent.mkdir()
    path.write_text(_campaign(), encoding="utf-8")
    return path


def test_run_publishes_what_is_due_once(run: Run, desk: Desk, file: Path) -> None:
    ran = run("campaign", "run", "campaigns")
    assert ran.code == 0
    assert "standalone · Fermez vos volets" in ran.out
    assert re.search(r"ete · \S+: skipped: not published within 2 d\.", ran.out)
    assert len(desk.bluesky.posts) == 1
    again = run("campaign", "run", file, "--json")
    assert (again.code, again.document["published"], again.document["decisions"]) == (0, [], [])
    assert run("campaign", "run", file).out == "Nothing is due.\n"


def test_one_file_of_several_may_be_looked_at_alone(run: Run, file: Path) -> None:
    file.write_text('yields_to = ["route"]\n' + _campaign(), encoding="utf-8")
    checked = run("campaign", "check", file)
    assert checked.code == 0
    assert "ete: yields to 'route', which is not checked with it." in checked.words
    assert run("campaign", "check", file, "--posts").code == run("campaign", "calendar", file).code == 0
    ran = run("campaign", "run", file)
    assert ran.code == 1
    assert "yields to 'route', which is not given" in ran.err


def test_a_file_that_cannot_be_read_silences_no_other(run: Run, desk: Desk, file: Path) -> None:
    file.write_text('yields_to = ["route"]\n' + _campaign(), encoding="utf-8")
    file.with_name("route.toml").write_text("name = ", encoding="utf-8")
    ran = run("campaign", "run", "campaigns", "--json")
    assert ran.code == 1
    assert [one["key"] for one in ran.document["published"]] == [f"campaign ete {_today()}"]
    assert ["is not TOML" in told for told in ran.document["problems"].values()] == [True]
    assert len(desk.bluesky.posts) == 1


def test_calendar_shows_coming_messages_and_exports_them(run: Run, desk: Desk, file: Path) -> None:
    file.write_text(_campaign() + '[pacing]\nspacing = "0h"\n', "utf-8")  # however late in the evening
    run("campaign", "run", file, "--wait", "0")
    ran = run("campaign", "calendar", file, "--ics", "out.ics")
    assert ran.code == 0
    assert f"· {_today() + timedelta(days=1)} 00:00  ete · b · Prévenez vos voisins" in ran.out
    assert "Fermez" not in ran.out
    events = Calendar.from_ical((desk.folder / "out.ics").read_bytes()).walk("VEVENT")
    assert [str(one["SUMMARY"]) for one in events] == ["ete : Prévenez vos voisins"]
    document = run("campaign", "calendar", file, "--json").document
    assert [one["variant"] for one in document["occurrences"]] == ["b"]
    file.write_text(re.sub("dates = .*", f"dates = [{_today() + timedelta(days=40)}]", _campaign()), encoding="utf-8")
    assert run("campaign", "calendar", file).out == "Nothing is due.\n"
    assert "ete · b" in run("campaign", "calendar", file, "--days", "60").out
    shared = desk.folder / "shared.ics"
    (desk.folder / "link.ics").symlink_to(shared)
    assert run("campaign", "calendar", file, "--ics", "link.ics").code == 0
    assert shared.read_bytes().startswith(b"BEGIN:VCALENDAR")
    missing = run("campaign", "calendar", file, "--ics", "no/where.ics")
    assert (missing.code, "cannot be written" in missing.err) == (1, True)


def test_a_check_shows_each_message(run: Run, file: Path) -> None:
    ran = run("campaign", "check", file, "--posts")
    assert ran.code == 0
    assert "ete · b" in ran.out
    assert "Prévenez vos voisins" in ran.out
    assert len(run("campaign", "check", file, "--posts", "--json").document["previews"]) == 2
    assert "Prévenez" not in run("campaign", "check", file).out
    wrong = run("campaign", "check", "nowhere.toml")
    assert (wrong.code, "cannot be read" in wrong.err) == (1, True)


def test_what_is_not_out_is_reported_and_tried_again(run: Run, desk: Desk, file: Path) -> None:
    desk.bluesky.closed = "suspended"
    first = run("campaign", "run", file, "--json")
    assert (first.code, len(first.document["published"]), first.document["unfinished"]) == (3, 1, [])
    again = run("campaign", "run", file, "--json")
    assert (again.code, again.document["published"], len(again.document["unfinished"])) == (3, [], 1)
    assert "Fermez vos volets" in run("campaign", "run", file).out
    desk.bluesky.closed = None
    assert run("doctor").code == 0
    out = run("campaign", "run", file, "--json")
    assert (out.code, out.document["unfinished"], len(desk.bluesky.posts)) == (0, [], 1)


def test_check_reports_what_is_due_in_quiet_hours_or_never(run: Run, file: Path) -> None:
    assert run("campaign", "check", "campaigns").out.startswith("1 campaign, 2 occurrences in the year ahead.")
    night = re.sub("quiet = .*", "", _campaign()).replace('"ete"', '"nuit"')
    file.with_name("nuit.toml").write_text(night, encoding="utf-8")
    over = _campaign().replace('"ete"', f'"fini"\nend = {_today() - timedelta(days=8)}')
    file.with_name("fini.toml").write_text(over, encoding="utf-8")
    checked = run("campaign", "check", "campaigns")
    assert checked.code == 0
    assert "nuit: it is due in its quiet hours, and waits for their end." in checked.words
    assert "fini: nothing is due in the year ahead." in checked.words


def test_the_reader_of_a_file_tells_what_is_wrong_with_it(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("name =", encoding="utf-8")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)  # as for a file of another person
    monkeypatch.setenv("POLICENOTIFY_LANGUAGE", "fr")
    ran = run("campaign", "check", file)
    assert (ran.code, "n'est pas du TOML" in ran.err) == (1, True)
