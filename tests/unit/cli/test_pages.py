"""Receipts on the terminal, for every operation."""

from __future__ import annotations

import pytest

from tests.support.installation import Desk
from tests.support.shell import ACCIDENT, Run


@pytest.mark.usefixtures("pigeon_network")
def test_an_unverified_acceptance_is_reported_as_one(run: Run, desk: Desk) -> None:
    settings = desk.folder / "policenotify.toml"
    loft = '\n[channels.loft]\nnetwork = "pigeon"\nloft = "Arnel"\n'
    settings.write_text(settings.read_text(encoding="utf-8") + loft, encoding="utf-8")
    said = run("publish", *ACCIDENT)
    assert (said.code, said.err) == (0, "")
    assert "✔ loft (fr): posted Accepted by the gateway, not verified." in said.words
    shown = run("status")
    assert shown.out.count("    Accepted by the gateway, not verified.\n") == 1
    [one] = run("status", "2026-4711", "--json").document["publications"]
    notes = {receipt["channel"]: receipt["note"] for receipt in one["receipts"]}
    assert notes == {"bluesky": "", "presse": "", "loft": "Accepted by the gateway, not verified."}
    assert "is Arnel on pigeon; what it posts is accepted by the gateway, not verified" in run("doctor").words
    settings.write_text(settings.read_text(encoding="utf-8").replace("handle =", "handel ="), encoding="utf-8")
    last = "Last publications:"  # one channel that is set wrongly hides nothing of the others
    assert run("status").out.partition(last)[2] == shown.out.partition(last)[2] != ""
