"""`policenotify import-cap`: a draft of a foreign alert, from a file or an address."""

from __future__ import annotations

from pathlib import Path

import pytest

from policenotify.testing.servers.http import Answer, FakeServer
from tests.support.alerts import VIGILANCE, key_and_certificate, signed_alert
from tests.support.installation import Desk
from tests.support.shell import Run


def test_a_file_becomes_a_draft_once(run: Run, desk: Desk) -> None:
    made = run("import-cap", VIGILANCE)
    assert made.code == 0, made.err
    assert "Vigilance jaune orages" in made.out
    document = run("import-cap", VIGILANCE, "--json").document
    assert (document["known"], document["signed"], document["findings"]) == (True, None, [])
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


def test_findings_and_signatures_are_shown(run: Run, desk: Desk, tmp_path: Path) -> None:
    key, certificate = key_and_certificate()
    settings = tmp_path / "policenotify.toml"
    (tmp_path / "meteo.pem").write_bytes(certificate)
    settings.write_text(settings.read_text("utf-8") + '\n[certificates]\n"vigilance@meteo.fr" = "meteo.pem"\n', "utf-8")
    unsigned = run("import-cap", VIGILANCE)
    assert "The alert is not signed" in unsigned.out
    (tmp_path / "signed.xml").write_bytes(signed_alert(VIGILANCE.read_bytes(), key, certificate))
    assert "Its signature is that of its sender." in run("import-cap", "signed.xml").out
    (tmp_path / "meteo.pem").unlink()
    assert "meteo.pem cannot be read" in " ".join(run("import-cap", "signed.xml").err.split())
    assert desk


@pytest.mark.parametrize("name", ["missing.xml", "policenotify.toml", "file:///etc/passwd"])
def test_what_is_no_alert_is_refused(run: Run, desk: Desk, name: str) -> None:
    refused = run("import-cap", name)
    assert (refused.code, "nothing was stored" in " ".join(refused.err.split())) == (1, True)
    assert desk
