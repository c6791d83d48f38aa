"""A desk on a console: receipts, threads and `doctor`."""

from __future__ import annotations

from pathlib import Path

import pytest

from policenotify.settings import write_settings
from tests.support.installation import INCIDENT
from tests.support.shell import ACCIDENT, Run


@pytest.fixture(autouse=True)
def _console(run: Run, tmp_path: Path) -> None:  # noqa: ARG001 - which makes the working directory
    """Write an installation into the working directory."""
    write_settings(tmp_path)
    settings = tmp_path / "policenotify.toml"
    head = settings.read_text(encoding="utf-8").partition("[channels.")[0]
    settings.write_text(f'{head}\n[channels.x]\nnetwork = "console"\nlike = "x"\n', encoding="utf-8")


def test_an_incident_is_published_in_one_thread(run: Run) -> None:
    opening = run("publish", *ACCIDENT, "--json")
    assert opening.code == 0, opening.err
    assert opening.err.startswith("┌─ console · opening · fr · ")
    [receipt] = opening.document["publication"]["receipts"]  # the console leaves the document on standard output alone
    end = run("end", INCIDENT, "Fin d'intervention", "--description", "Circulation rétablie.")
    assert end.code == 0, end.err
    assert f"│ ↳ {receipt['ref']['id']}" in end.err


def test_doctor_reminds_that_no_reader_sees_them(run: Run) -> None:
    ran = run("doctor")
    assert ran.code == 0, ran.out
    assert ran.words.count("For development: only who") == 1
