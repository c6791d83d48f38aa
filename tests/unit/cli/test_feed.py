"""`feed rebuild`: the files of a feed from its items, without the journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from policenotify.networks.registry import configure_channel
from policenotify.render.locales import LOCALES
from tests.support.installation import Desk, accident
from tests.support.shell import Run

URL = "https://alertes.police.example/"


@pytest.fixture
def folder(desk: Desk) -> Path:
    """A feed with a message, and a settings file that names it."""
    folder = desk.folder / "feed"
    folder.mkdir()
    settings = desk.folder / "policenotify.toml"
    lines = f'\n[channels.alertes]\nnetwork = "feed"\nurl = "{URL}"\npublisher = "Police"\nfolder = "{folder}"\n'
    settings.write_text(settings.read_text("utf-8") + lines, "utf-8")
    options = {"url": URL, "publisher": "Police", "folder": str(folder)}
    desk.publisher([configure_channel("alertes", "feed", options, locales=LOCALES)]).publish(
        accident(), key="k", actor="a", wait=10
    )
    return folder


def test_a_feed_is_drawn_again_without_the_journal(run: Run, desk: Desk, folder: Path) -> None:
    (folder / "feed.atom").unlink()
    desk.database.rename(desk.folder / "elsewhere.db")

    shown = run("feed", "rebuild")
    assert (shown.code, shown.out) == (0, "alertes  feed.atom\n1 file of alertes has changed.\n")
    again = run("feed", "rebuild", "alertes", "--json")
    assert again.document == {"changed": {"alertes": []}, "problems": {}}


def test_a_folder_that_is_not_there_needs_a_person(run: Run, folder: Path) -> None:
    folder.rename(folder.with_name("unmounted"))

    shown = run("feed", "rebuild")
    assert shown.code == 3
    assert "does not exist" in shown.words
    assert "does not exist" in run("feed", "rebuild", "--json").document["problems"]["alertes"]


@pytest.mark.usefixtures("folder")
def test_only_a_feed_is_drawn(run: Run) -> None:
    assert "is on 'email', which writes no files" in run("feed", "rebuild", "presse").err
    unknown = run("feed", "rebuild", "alerte")
    assert unknown.code == 1
    assert "Did you mean 'alertes'" in unknown.err
