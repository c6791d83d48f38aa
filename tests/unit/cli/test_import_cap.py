"""`policenotify import-cap`: a draft of a foreign alert, from a file or an address."""

from __future__ import annotations

import pytest

from policenotify.testing.servers.http import Answer, FakeServer
from tests.support.alerts import VIGILANCE
from tests.support.installation import Desk
from tests.support.shell import Run


def test_a_file_becomes_a_draft_once(run: Run, desk: Desk) -> None:
    made = run("import-cap", VIGILANCE)
    assert made.code == 0, made.err
    assert "Vigilance jaune orages" in made.out
    document = run("import-cap", VIGILANCE, "--json").document
    assert (document["known"], document["findings"]) == (True, [])
    assert document["draft"]["message"]["translations"][0]["language"] == "en"
    assert len(run("drafts", "--json").document["drafts"]) == 1
    assert not desk.bluesky.posts


def test_an_address_is_read(run: Run, desk: Desk) -> None:
    with FakeServer() as server:
        server.on("GET", "/cap.xml", lambda _: Answer(body=VIGILANCE.read_bytes()))
        assert run("import-cap", f"{server.url}/cap.xml").code == 0
    gone = run("import-cap", f"{server.url}/cap.xml")
    assert (gone.code, "nothing was stored" in " ".join(gone.err.split())) == (1, True)
    assert desk


@pytest.mark.parametrize("name", ["missing.xml", "policenotify.toml", "file:///etc/passwd"])
def test_what_is_no_alert_is_refused(run: Run, desk: Desk, name: str) -> None:
    refused = run("import-cap", name)
    assert (refused.code, "nothing was stored" in " ".join(refused.err.split())) == (1, True)
    assert desk
