"""`policenotify people` and `policenotify bounce`."""

from __future__ import annotations

import io
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from policenotify.journal.persons.tokens import make_token
from policenotify.model.lifecycle import Lifecycle, Stage
from tests.support.bounces import ABSENCE, failure
from tests.support.installation import ADDRESSES, Desk, accident
from tests.support.shell import Ran, Run

ANA, BEN, _ = ADDRESSES
WHY = ("--reason", "By telephone.")


def _publish(desk: Desk) -> None:
    with closing(desk.publisher()) as publisher:
        opening = Lifecycle(stage=Stage.OPENING, incident="2026-1")
        publisher.publish(accident(lifecycle=opening), key="1", actor="desk", to=["presse"], wait=timedelta(seconds=20))


def _suppress(run: Run, *how: str) -> Ran:
    return run("people", "suppress", ANA, *WHY, *how)


@pytest.mark.usefixtures("desk")
def test_suppressed_people_are_listed_and_released(run: Run) -> None:
    assert run("people", "list").out.endswith("0 suppressions.\n")
    assert _suppress(run, "--channel", "presse").out == "Nothing is sent to this person any more.\n"
    assert _suppress(run, "--channel", "presse").out == "This person was suppressed already.\n"
    assert _suppress(run, "--json").document["suppressed"]
    shown = run("people", "list", "presse")
    assert shown.code == 0
    assert "operator" in shown.out
    assert "By telephone." in shown.words
    assert ANA not in shown.out
    listed = run("people", "list", "--json").document["suppressed"]
    assert {each["channel"] for each in listed} == {"presse", None}
    assert run("people", "release", listed[0]["key"][:12], "--channel", "presse").out == "1 suppression ended.\n"
    assert run("people", "release", ANA.upper(), "--json").document["released"] == 1
    assert run("people", "release", ANA).out == "Nobody like that is suppressed.\n"
    _suppress(run, "--channel", "presse")
    assert run("people", "release", "--channel", "presse", "--all", "--json").document["released"] == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("release", ANA, "--all"), 2),
        (("release", ANA, "--channel", "press"), 1), (("suppress", ANA, "--reason", "short"), 2),
        (("suppress", ANA, "--reason", f"It is {ANA} indeed"), 2),
    ],
)  # fmt: skip
def test_wrong_calls_change_nothing(run: Run, desk: Desk, arguments: tuple[str, ...], code: int) -> None:
    before = desk.folder.joinpath("presse.txt").read_bytes()
    ran = run("people", *arguments)
    assert ran.code == code, ran
    assert desk.folder.joinpath("presse.txt").read_bytes() == before
    assert run("people", "list", "--json").document["suppressed"] == []


@pytest.mark.usefixtures("desk")
def test_an_export_is_readable_and_a_document(run: Run, desk: Desk) -> None:
    assert run("people", "export", ANA).out == "The journal holds nothing about this person.\n"
    _publish(desk)
    _suppress(run)
    shown = run("people", "export", ANA)
    assert "posted  Accident de la circulation" in shown.out
    assert "No longer written to: *" in shown.words
    document = run("people", "export", ANA, "--json").document
    assert [each["outcome"] for each in document["deliveries"]] == ["posted"]
    assert document["suppressions"][0]["source"] == "operator"
    assert ANA not in shown.out + str(document)


def test_an_erasure_states_what_stays(run: Run, desk: Desk) -> None:
    _publish(desk)
    _suppress(run)
    erased = run("people", "erase", ANA)
    assert "The address was erased, and 1 publication is not linked to the person any more." in erased.words
    assert "Still on the list of: presse." in erased.out
    assert "No address was stored" in run("people", "erase", ANA).out
    assert run("people", "erase", BEN, "--json").document["deliveries"] == 1
    assert run("journal", "verify").code == 0


# --- bounce


def _bounce(run: Run, monkeypatch: pytest.MonkeyPatch, mail: bytes, *arguments: str) -> Ran:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(mail)))
    return run("bounce", *arguments)


def test_a_mail_from_the_relays_pipe_is_recorded(run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _publish(desk)
    with closing(desk.publisher()) as publisher:
        key = publisher.journal.people.export([ANA], "desk").deliveries
        assert len(key) == 1
        from policenotify.journal.lists.recipients import recipient_key  # noqa: PLC0415 - only here

        token = make_token(publisher.journal.keys, "bounce", delivery=1, recipient=recipient_key(desk.keys, ANA))
    sent_to = f"bounce+{token}@police34.example"
    assert _bounce(run, monkeypatch, failure("5.1.1"), sent_to).out == "gone 5.1.1: remembered\n"
    named = failure("5.1.1").replace(b"bounce+abc@police.example", sent_to.encode())
    again = _bounce(run, monkeypatch, named, "--json")
    assert (again.code, again.document) == (0, {"kind": "gone", "status": "5.1.1", "result": "repeated"})
    assert "gone  5.1.1" in run("people", "export", ANA).out
    assert _bounce(run, monkeypatch, failure("5.1.1")).out == "gone 5.1.1: unknown\n"
    assert _bounce(run, monkeypatch, ABSENCE, sent_to).out == "other: ignored\n"
    assert _bounce(run, monkeypatch, b"x" * 3_000_000, sent_to).code == 0


def test_a_journal_that_is_away_lets_the_relay_try_again(
    run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    desk.database.unlink(missing_ok=True)
    ran = _bounce(run, monkeypatch, failure("5.1.1"), "bounce+x@police34.example")
    assert ran.code == 75
    assert ran.err
    assert ran.out == ""
    tmp_path.joinpath("policenotify.toml").write_text("broken", "utf-8")
    assert _bounce(run, monkeypatch, ABSENCE).code == 75
