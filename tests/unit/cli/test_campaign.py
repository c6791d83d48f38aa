"""`policenotify campaign`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Thread
from time import sleep
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from tests.support.installation import Desk, accident
from tests.support.patience import until
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


def test_run_publishes_what_is_due_once_and_report_shows_it(run: Run, desk: Desk, file: Path) -> None:
    ran = run("campaign", "run", "campaigns")
    assert ran.code == 0
    assert "standalone · Fermez vos volets" in ran.out
    assert re.search(r"ete · \S+: skipped: not published within 2 d\.", ran.out)
    assert len(desk.bluesky.posts) == 1
    again = run("campaign", "run", file, "--json")
    assert (again.code, again.document["published"], again.document["decisions"]) == (0, [], [])
    assert run("campaign", "run", file).out.startswith("Nothing is due.\nNext: ")
    file.with_name("fini.toml").write_text(
        _campaign().replace('"ete"', f'"fini"\nend = {_today() - timedelta(days=8)}'), "utf-8"
    )
    run("campaign", "run", file.with_name("fini.toml"))
    assert run("campaign", "run", file.with_name("fini.toml")).out == "Nothing is due.\n"
    report = run("campaign", "report").words
    assert "1 publication of campaigns since" in report
    assert "burglary_prevention: 1 (100%) on bluesky: 1 post, 1 posted" in report
    assert "ete: 1 published; 1 skipped" in report
    assert run("campaign", "report", "--since", "x").code == 2


def test_what_others_must_read_is_submitted_approved_and_published(run: Run, desk: Desk, file: Path) -> None:
    settings = desk.folder / "policenotify.toml"
    settings.write_text(
        settings.read_text("utf-8") + '\n[[approval]]\ncategories = ["burglary_prevention"]\n', encoding="utf-8"
    )
    file.write_text(_campaign() + '[pacing]\nspacing = "0h"\n', "utf-8")  # today's may be published late in the evening
    checked = run("campaign", "check", file)
    assert (checked.code, "needs the approval of another person. Submit it:" in checked.words) == (0, True)
    refused = run("campaign", "run", file)
    assert (refused.code, "Message 'a' needs the approval" in refused.words) == (1, True)
    drafts = run("campaign", "submit", file, "--actor", "claire", "--json").document["drafts"]
    assert [(each["state"], each["for_keys"]) for each in drafts] == [("submitted", "campaign ete ")] * 2
    for draft in drafts:
        own = run("approve", draft["id"], "--digest", draft["digest"], "--actor", "claire")
        assert own.code == 1
        done = run("approve", draft["id"], "--digest", draft["digest"], "--actor", "hugo")
        assert (done.code, "Its approval counts until" in done.out) == (0, True)
    assert not desk.bluesky.posts
    assert "drafts wait" not in run("status").out
    ran = run("campaign", "run", file)
    assert (ran.code, "standalone · Fermez vos volets" in ran.out) == (0, True)
    assert len(desk.bluesky.posts) == 1
    assert run("campaign", "check", file, "--json").document["remarks"] == []
    assert "For every publication with a key that begins so: campaign ete" in run("drafts").words


def test_an_incident_makes_it_wait_and_a_wrong_campaign_exits_with_1(run: Run, desk: Desk, file: Path) -> None:
    publisher = desk.publisher()
    publisher.publish(
        accident(severity="Severe", next_update_at=datetime.now(UTC) + timedelta(hours=1)),
        key="o",
        actor="desk",
        wait=timedelta(0),
    )
    waits = run("campaign", "run", "campaigns", "--wait", "0")
    assert waits.code == 0
    assert "waits: incident 2026-4711 is open." in waits.out
    other = file.with_name("faux.toml")
    other.write_text(_campaign().replace('"ete"', '"faux"') + '\n[pacing.channels.y]\nspacing = "1h"', encoding="utf-8")
    settings = desk.folder / "policenotify.toml"
    settings.write_text(
        settings.read_text(encoding="utf-8") + '[[routes]]\nto = ["presse"]\ncategories = ["fire"]\n', "utf-8"
    )
    wrong = run("campaign", "run", "campaigns")
    assert wrong.code == 1
    assert "faux: not published. No route takes message 'a'." in wrong.words
    checked = run("campaign", "check", "campaigns", "--json")
    assert checked.code == 1
    assert "faux: pacing.channels names 'y', which is not a channel." in checked.document["problems"]
    assert any("no route takes it" in one for one in checked.document["problems"])


def test_check_names_messages_that_read_the_same(run: Run, file: Path) -> None:
    ends = iter("ab")
    long = "Faites relever votre courrier et programmez l'éclairage de plusieurs pièces. " * 5
    alike = re.sub('headline = ".*"', lambda _: f'headline = "Volets"\ndescription = "{long}{next(ends)}"', _campaign())
    file.write_text(alike, encoding="utf-8")
    checked = run("campaign", "check", file)
    assert checked.code == 1
    assert "ete: Messages 'a' and 'b' read the very same on bluesky (fr)" in checked.words


def test_without_a_readable_file_nothing_is_published_and_each_is_named(run: Run, desk: Desk, file: Path) -> None:
    file.write_text("name = ", encoding="utf-8")
    ran = run("campaign", "run", file, "--json")
    assert (ran.code, ran.document["published"], list(ran.document["problems"])) == (1, [], [str(file)])
    assert not desk.bluesky.posts


def test_one_file_of_several_may_be_looked_at_alone(run: Run, file: Path) -> None:
    file.write_text('yields_to = ["route"]\n' + _campaign(), encoding="utf-8")
    checked = run("campaign", "check", file)
    assert checked.code == 0
    assert "ete: yields to 'route', which is not checked with it." in checked.words
    assert run("campaign", "preview", file).code == run("campaign", "calendar", file).code == 0
    ran = run("campaign", "run", file)
    assert ran.code == 1
    assert "yields to 'route', which is not given" in ran.err


def test_a_file_that_cannot_be_read_silences_no_other(run: Run, desk: Desk, file: Path) -> None:
    file.write_text('yields_to = ["route"]\n' + _campaign(), encoding="utf-8")
    file.with_name("route.toml").write_text("name = ", encoding="utf-8")
    ran = run("campaign", "run", "campaigns", "--json")
    assert ran.code == 1
    assert [one["key"] for one in ran.document["published"]] == [f"campaign ete {_today()} a"]
    assert ["is not TOML" in told for told in ran.document["problems"].values()] == [True]
    assert len(desk.bluesky.posts) == 1


def test_check_reports_unplaced_and_moved_messages(run: Run, desk: Desk, file: Path) -> None:
    assert run("campaign", "check", "campaigns").out.startswith("1 campaign, 2 occurrences in the year ahead.")
    daily = _campaign().replace("dates = [", "rrule = 'FREQ=DAILY' # [") + '[pacing]\nrepeat_after = "7d"\n'

    def write(name: str, top: str, text: str) -> None:
        named = text.replace('name = "ete"', f'name = "{name}"\n{top}')
        file.with_name(f"{name}.toml").write_text(named, encoding="utf-8")

    write("fini", f"end = {_today() - timedelta(days=8)}", _campaign())
    write("jour", 'yields_to = ["ete"]\nmissed = "skip"', daily)
    other_words = daily.replace("Fermez", "Fermer").replace("Prévenez", "Prévenir")
    write("serie", 'missed = "merge"\nlate_for = "9d"', other_words)
    checked = run("campaign", "check", "campaigns")
    assert checked.code == 1
    assert "would never be published: not published within 2 d: all its messages were published" in checked.words
    assert "waits until" in checked.words
    assert "· fini: nothing is due in the year ahead." in checked.words
    assert "is merged: a later one is due as well" in checked.words
    assert re.search(r"and \d+ more", checked.words)
    unknown = desk.folder / "campaigns" / "unknown.toml"
    unknown.write_text(_campaign().replace('"ete"', '"x"\nto = ["nowhere"]'), encoding="utf-8")
    assert "no channel has the name or tag 'nowhere'" in run("campaign", "check", unknown).words


def test_calendar_shows_past_and_future_messages_and_exports_them(run: Run, desk: Desk, file: Path) -> None:
    run("campaign", "run", file, "--wait", "0")
    ran = run("campaign", "calendar", file, "--months", "2", "--ics", "out.ics")
    assert ran.code == 0
    assert "Mo  Tu  We  Th  Fr  Sa  Su" in ran.out
    assert re.search(rf"✔ \w\w {_today():%d} \d\d:\d\d  ete · a · Fermez vos volets", ran.out)
    assert "ete · b · Prévenez vos voisins" in ran.out
    events = Calendar.from_ical((desk.folder / "out.ics").read_bytes()).walk("VEVENT")
    assert [str(one["SUMMARY"]) for one in events] == ["ete : Fermez vos volets", "ete : Prévenez vos voisins"]
    document = run("campaign", "calendar", file, "--months", "2", "--json").document
    assert [(one["variant"], one["published"]) for one in document["occurrences"]] == [("a", True), ("b", False)]
    assert run("campaign", "calendar", file, "--month", "2026-13").code == 2
    assert run("campaign", "calendar", file, "--month", "9999-12", "--months", "2").code == 2
    assert run("campaign", "calendar", file, "--month", "1999-01").out.startswith("January 1999\n")
    month = (_today().replace(day=1) + timedelta(days=75)).replace(day=1)
    dates = f"dates = [{month - timedelta(days=2)}, {month}]"
    file.write_text(re.sub("dates = .*", dates, _campaign()), encoding="utf-8")
    of_the_month = run("campaign", "calendar", file, "--month", f"{month:%Y-%m}", "--json").document
    assert [one["day"] for one in of_the_month["occurrences"]] == [month.isoformat()]
    missing = run("campaign", "calendar", file, "--ics", "no/where.ics")
    assert (missing.code, "cannot be written" in missing.err) == (1, True)


def test_a_later_month_shows_the_turns_that_will_be_taken_then(run: Run, file: Path) -> None:
    file.write_text(re.sub("dates = .*", "rrule = 'FREQ=DAILY;INTERVAL=9'", _campaign()), encoding="utf-8")
    later = f"{_today() + timedelta(days=70):%Y-%m}"
    alone = run("campaign", "calendar", file, "--month", later, "--json").document["occurrences"]
    among = run("campaign", "calendar", file, "--months", "4", "--json").document["occurrences"]
    assert [one for one in among if one["at"][:7] == later] == [one for one in alone if one["at"][:7] == later] != []


def test_preview_shows_each_message(run: Run, file: Path) -> None:
    ran = run("campaign", "preview", file, "--message", "b")
    assert ran.code == 0
    assert "ete · b" in ran.out
    assert "Prévenez vos voisins" in ran.out
    assert "Fermez" not in ran.out
    assert len(run("campaign", "preview", file, "--json").document["previews"]) == 2
    assert "Did you mean" in run("campaign", "preview", file, "--message", "bb").err
    wrong = run("campaign", "preview", "nowhere.toml")
    assert (wrong.code, "cannot be read" in wrong.err) == (1, True)


def _replace(file: Path, text: str) -> None:
    """Replace its text at once: the server may read it at any moment."""
    new = file.parents[1] / "new"
    new.write_text(text, encoding="utf-8")
    new.replace(file)


def _meanwhile(log: Path, *steps: tuple[str, Callable[[], object]]) -> Thread:
    """Do each step as soon as the text before it was printed."""

    def follow() -> None:
        for words, step in steps:
            until(lambda words=words: words in log.read_text(encoding="utf-8"))  # type: ignore[misc]  # bound at once
            step()

    thread = Thread(target=follow)
    thread.start()
    return thread


def test_serve_reports_its_start_and_each_problem_once_and_stops_when_asked(
    run: Run, desk: Desk, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, log = signal.getsignal(signal.SIGTERM), desk.folder / "log"
    publisher = desk.publisher()
    with log.open("w", encoding="utf-8") as out:
        monkeypatch.setattr(sys, "stdout", out)
        following = _meanwhile(
            log,
            ('"published"', lambda: until(lambda: len(desk.bluesky.posts) == 1)),
            ("", lambda: _replace(file, "[")),
            ("SettingsError", lambda: publisher.journal.stop("chef")),
            ('"PublishingStopped"', lambda: os.kill(os.getpid(), signal.SIGTERM)),
        )
        assert run("campaign", "serve", "campaigns", "--every", "0.1", "--json").code == 0
        following.join()
    told = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [len(one["published"]) for one in told if "published" in one] == [1]
    assert [one["error"]["kind"] for one in told if "error" in one] == ["SettingsError", "PublishingStopped"]
    assert len(desk.bluesky.posts) == 1
    assert signal.getsignal(signal.SIGTERM) is before


def test_serve_reports_on_a_terminal_too(run: Run, desk: Desk, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, words = desk.folder / "log", file.read_text(encoding="utf-8")
    with log.open("w", encoding="utf-8") as out:
        monkeypatch.setattr(sys, "stdout", out)
        following = _meanwhile(
            log,
            ("Fermez vos volets", lambda: _replace(file, "[")),
            ("is not TOML", lambda: _replace(file, words.replace('name = "ete"', "nom = 4"))),
            ("nom: is not known", lambda: _replace(file, words.replace("ete", "hiver"))),
            ("hiver · ", lambda: os.kill(os.getpid(), signal.SIGINT)),
        )
        assert run("campaign", "serve", "campaigns", "--every", "0.1").code == 0
        following.join()


@pytest.mark.usefixtures("file")
def test_serve_publishes_although_its_output_is_on_a_full_disk(desk: Desk) -> None:
    code = (  # what the networks load is loaded before a delivery has a lease: on a slow machine that takes minutes
        "import apprise, atproto; from policenotify.cli import main; "
        "main(['campaign', 'serve', 'campaigns', '--every', '0.1'])"
    )
    with (
        Path("/dev/full").open("wb") as full,
        subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", code], stdout=full, stderr=full, cwd=desk.folder
        ) as server,
    ):
        until(lambda: desk.bluesky.posts)
        sleep(0.3)  # it prints what it has published, and goes on
        assert server.poll() is None
        server.terminate()
    assert len(desk.bluesky.posts) == 1
