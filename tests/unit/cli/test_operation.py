"""`metrics`, `migrate`, `feed rebuild`, `import-cap`, and the log on standard error."""

from __future__ import annotations

import json
import logging
import stat
from pathlib import Path
from typing import Any

import pytest

from policenotify.cli.context import logged
from policenotify.networks.registry import configure_channel
from policenotify.render.locales import LOCALES
from tests.support.alerts import VIGILANCE
from tests.support.installation import Desk, accident
from tests.support.shell import ACCIDENT, Run

pytestmark = pytest.mark.usefixtures("desk")


def test_a_file_for_node_exporter_is_replaced_as_a_whole(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "exporter" / "policenotify.prom"
    file.parent.mkdir()
    file.write_text("old")
    before = file.stat().st_ino
    ran = run("metrics", "--textfile", file)
    assert (ran.code, ran.out) == (0, "")
    assert "policenotify_stopped 0.0" in file.read_text()
    assert file.stat().st_ino != before
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--textfile", "metrics.txt"), ".prom"),
        (("--textfile", "a.prom", "--json"), "text format only"),
    ],
)
def test_what_node_exporter_would_pass_over_is_refused(run: Run, arguments: tuple[str, ...], word: str) -> None:
    ran = run("metrics", *arguments)
    assert ran.code == 2
    assert word in ran.err + ran.out


def test_without_a_journal_there_is_nothing_to_measure(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "policenotify.prom"
    assert run("metrics", "--textfile", file).code == 0
    (tmp_path / "journal.db").unlink()
    assert run("metrics").code == 6
    assert file.exists()
    assert run("metrics", "--textfile", file).code == 6
    assert not file.exists()  # its values would seem to be those of now


def test_a_journal_in_a_file_is_made_if_there_is_none(run: Run) -> None:
    assert run("status").code == 0
    done = run("migrate")
    assert done.code == 0
    assert done.words == "The journal has its tables already: nothing was changed."
    assert run("migrate", "--json").document == {"created": False}


def test_a_journal_in_a_file_has_no_role_to_grant_to(run: Run) -> None:
    told = run("migrate", "--grant-to", "policenotify_app", "--json")
    assert told.code == 6
    assert told.document["error"]["text"].startswith("A journal in a file has no roles to grant anything to.")


def test_an_unreachable_server_is_not_a_journal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLICENOTIFY_JOURNAL", "postgresql://pn:geheim@127.0.0.1:1/pn")
    told = run("migrate", "--json")
    assert told.code == 6
    assert "its server cannot be reached" in told.document["error"]["text"]
    assert "geheim" not in told.out


URL = "https://alertes.police.example/"


@pytest.fixture
def folder(desk: Desk) -> Path:
    """A feed with a message, and a settings file that names it."""
    folder = desk.folder / "feed"
    folder.mkdir()
    desk.add_settings(
        f'\n[channels.alertes]\nnetwork = "feed"\nurl = "{URL}"\npublisher = "Police"\nfolder = "{folder}"\n'
    )
    options = {"url": URL, "publisher": "Police", "folder": str(folder)}
    desk.publisher([configure_channel("alertes", "feed", options, locales=LOCALES)]).publish(
        accident(), key="k", actor="a", wait=10
    )
    return folder


def test_a_feed_is_drawn_again_without_the_journal(run: Run, desk: Desk, folder: Path) -> None:
    (folder / "feed.atom").unlink()
    desk.database.rename(desk.folder / "elsewhere.db")

    shown = run("feed", "rebuild")
    assert (shown.code, shown.out) == (0, "alertes  feed.atom\n1 file has changed.\n")
    again = run("feed", "rebuild", "--json")
    assert again.document == {"changed": {"alertes": []}, "problems": {}}


def test_a_folder_that_is_not_there_needs_a_person(run: Run, folder: Path) -> None:
    folder.rename(folder.with_name("unmounted"))

    shown = run("feed", "rebuild")
    assert shown.code == 3
    assert "does not exist" in shown.words
    assert "does not exist" in run("feed", "rebuild", "--json").document["problems"]["alertes"]


def test_a_file_becomes_a_draft_once(run: Run, desk: Desk) -> None:
    made = run("import-cap", VIGILANCE)
    assert made.code == 0, made.err
    assert "Vigilance jaune orages" in made.out
    document = run("import-cap", VIGILANCE, "--json").document
    assert (document["known"], document["findings"]) == (True, [])
    assert document["draft"]["message"]["translations"][0]["language"] == "en"
    assert len(run("drafts", "--json").document["drafts"]) == 1
    assert not desk.bluesky.posts


@pytest.mark.usefixtures("desk")
def test_what_is_no_alert_is_refused(run: Run) -> None:
    refused = run("import-cap", "policenotify.toml")
    assert (refused.code, "nothing was stored" in " ".join(refused.err.split())) == (1, True)
    assert run("import-cap", "missing.xml").code == 2


@pytest.fixture(autouse=True)
def _unchanged() -> Any:
    """The log is as before after each command."""
    before = (logging.root.handlers[:], logging.getLogger("policenotify").level)
    yield
    assert (logging.root.handlers, logging.getLogger("policenotify").level) == before


def test_each_publication_and_each_post_is_a_line_of_json(run: Run) -> None:
    ran = run("publish", *ACCIDENT, "--log", "json", "--log-level", "info", "--json")
    lines = [json.loads(line) for line in ran.err.splitlines() if line.startswith("{")]
    events = [(line["level"], line["event"], line.get("channel"), line.get("outcome")) for line in lines]
    assert events[0] == ("INFO", "published", None, None)
    posts = {
        receipt["channel"] for receipt in ran.document["publication"]["receipts"] if receipt["outcome"] == "posted"
    }
    assert posts
    assert {channel for _, event, channel, outcome in events if event == outcome == "posted"} == posts
    assert {line["publication"] for line in lines} == {ran.document["publication"]["id"]}
    assert "Accident" not in ran.err
    assert "2026-4711" not in ran.err


def test_by_default_only_warnings_and_errors_are_written(run: Run) -> None:
    assert run("--log", "text", "publish", *ACCIDENT).err == ""


def test_warnings_of_other_libraries_are_mentioned_without_their_text(capsys: pytest.CaptureFixture[str]) -> None:
    with logged("json", "info"):
        logging.getLogger("urllib3.connectionpool").warning("https://hooks.example/T0KEN")
        logging.getLogger("urllib3.connectionpool").debug("https://hooks.example/T0KEN")
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["logger"] == "urllib3.connectionpool"
    assert "T0KEN" not in line


def test_metrics_as_json(run: Run) -> None:
    document = run("metrics", "--json").document
    assert document["policenotify_stopped"] == [{"labels": {}, "value": 0.0}]
