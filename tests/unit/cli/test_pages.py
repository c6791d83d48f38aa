"""Receipts on the terminal, for every operation."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from policenotify.channel import Operation
from policenotify.cli.output import printed, receipts
from policenotify.model.history import Outcome
from policenotify.model.receipt import Publication, Receipt
from tests.support.installation import Desk, accident
from tests.support.shell import ACCIDENT, Run

AT = datetime(2026, 11, 24, 18, tzinfo=UTC)


def _publication(*outcomes: tuple[Operation, Outcome]) -> Publication:
    said = (
        Receipt(channel="x", language="fr", operation=operation, outcome=outcome, delivery=number)
        for number, (operation, outcome) in enumerate(outcomes)
    )
    return Publication(id="0" * 26, key="k", message=accident(), at=AT, actor="desk", receipts=tuple(said))


def test_an_operation_other_than_a_post_is_shown() -> None:
    done = _publication(
        (Operation.POST, Outcome.POSTED), (Operation.EDIT, Outcome.POSTED), (Operation.DELETE, Outcome.DELETED)
    )
    assert printed(receipts(done, UTC)).splitlines() == [
        "  ✔ x (fr): posted",
        "  ✔ x (fr) · edit: posted",
        "  ✔ x (fr) · delete: deleted",
    ]


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
