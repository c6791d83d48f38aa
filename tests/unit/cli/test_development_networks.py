"""A desk on a console and a folder of files: receipts, threads, permalinks and `doctor`."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from policenotify.settings import write_settings
from tests.support.installation import INCIDENT
from tests.support.shell import ACCIDENT, Run

_CHANNELS = """
[channels.x]
network = "console"
like = "x"
[channels.mastodon]
network = "file"
folder = "{folder}"
like = "mastodon"
"""


@pytest.fixture
def folder(run: Run, tmp_path: Path) -> Path:  # noqa: ARG001 - which makes the working directory
    """Write an installation into the working directory, and return the folder of its posts."""
    write_settings(tmp_path)
    settings, folder = tmp_path / "policenotify.toml", tmp_path / "posts"
    folder.mkdir()
    head = settings.read_text(encoding="utf-8").partition("[channels.")[0]
    settings.write_text(head + _CHANNELS.format(folder=folder), encoding="utf-8")
    return folder


def test_an_incident_is_published_in_one_thread(run: Run, folder: Path) -> None:
    opening = run("publish", *ACCIDENT, "--json")
    assert opening.code == 0, opening.err
    assert opening.err.startswith("┌─ console · opening · fr · ")
    receipts = opening.document["publication"]["receipts"]  # the console leaves the document on standard output alone
    end = run("end", INCIDENT, "Fin d'intervention", "--description", "Circulation rétablie.")
    assert end.code == 0, end.err
    assert "│ ↳ " in end.err
    first, last = (json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json")))
    assert (first["stage"], last["stage"], last["parent"]) == ("opening", "end", first["id"])
    [receipt] = [each for each in receipts if each["channel"] == "mastodon"]
    text = Path(unquote(urlsplit(receipt["ref"]["url"]).path)).read_text(encoding="utf-8")
    assert first["text"].splitlines()[0] in text


def test_a_cancellation_takes_the_files_back(run: Run, folder: Path) -> None:
    settings = folder.parent / "policenotify.toml"
    changed = settings.read_text(encoding="utf-8").replace(
        'network = "file"', 'network = "file"\non_cancellation = "delete"'
    )
    settings.write_text(changed, encoding="utf-8")
    run("publish", *ACCIDENT)
    assert len(list(folder.glob("*.txt"))) == 1
    cancelled = run("cancel", INCIDENT, "Fausse alerte", "--json")
    outcomes = {(each["channel"], each["outcome"]) for each in cancelled.document["publication"]["receipts"]}
    assert ("mastodon", "deleted") in outcomes, cancelled.out
    assert list(folder.glob("*-*")) == []


def test_doctor_reminds_that_no_reader_sees_them(run: Run, folder: Path) -> None:
    ran = run("doctor")
    assert ran.code == 0, ran.out
    assert ran.words.count("For development: only who") == 2
    folder.rename(folder.with_name("unmounted"))
    missing = run("doctor")
    assert missing.code != 0
    assert "does not exist" in missing.words
