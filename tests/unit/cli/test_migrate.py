"""`migrate`: create the tables of the journal."""

from __future__ import annotations

import pytest

from tests.support.shell import Run


@pytest.mark.usefixtures("desk")
def test_a_journal_in_a_file_is_made_if_there_is_none(run: Run) -> None:
    assert run("status").code == 0
    done = run("migrate")
    assert done.code == 0
    assert done.words == "The journal has its tables already: nothing was changed."
    assert run("migrate", "--json").document == {"created": False}


@pytest.mark.usefixtures("desk")
def test_a_journal_in_a_file_has_no_role_to_grant_to(run: Run) -> None:
    told = run("migrate", "--grant-to", "policenotify_app", "--json")
    assert told.code == 6
    assert told.document["error"]["text"].startswith("A journal in a file has no roles to grant anything to.")
    both = run("migrate", "--grant-to", "policenotify_app", "--grants", "policenotify_app")
    assert (both.code, both.out) == (2, "")


@pytest.mark.usefixtures("desk")
def test_an_unreachable_server_is_not_a_journal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLICENOTIFY_JOURNAL", "postgresql://pn:geheim@127.0.0.1:1/pn")
    told = run("migrate", "--json")
    assert told.code == 6
    assert "its server cannot be reached" in told.document["error"]["text"]
    assert "geheim" not in told.out
