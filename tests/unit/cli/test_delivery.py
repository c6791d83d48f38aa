"""`drain`, `stop` and `resume`."""

from __future__ import annotations

import pytest

from tests.support.installation import ADDRESSES, Desk
from tests.support.shell import ACCIDENT, Run


def test_a_drain_reports_when_something_is_due_next(run: Run, desk: Desk) -> None:
    run("publish", *ACCIDENT, "--wait", "0")
    desk.mail.refuse_connections()
    ran = run("drain", "--budget", "1", "--json")
    assert ran.code == 0
    assert ran.document["outcomes"] == {"posted": 1, "waiting": 1}
    assert ran.document["next_due"]
    assert "Something is due next at 20" in run("drain", "--budget", "0.1").out


def test_a_drain_that_a_person_must_follow_up_has_an_exit_code(run: Run, desk: Desk) -> None:
    run("publish", *ACCIDENT, "--wait", "0")
    desk.bluesky.closed = "suspended"
    for address in ADDRESSES:
        desk.mail.refuse(address, 550, "5.2.1 mailbox disabled")
    ran = run("drain", "--budget", "5")
    assert ran.code == 3
    assert "Deliveries: 1 refused, 1 waiting." in ran.out
    assert "Blocked, until a person acts: bluesky." in ran.out
    assert "Deliveries: 1 waiting." in run("drain", "--budget", "1").out


def test_a_stop_holds_everything_until_resume(run: Run, desk: Desk) -> None:
    run("publish", *ACCIDENT, "--wait", "0")
    stopped = run("stop", "--reason", "Compte compromis ?")
    assert stopped.code == 0
    assert "Everything is stopped by brigadier." in stopped.out
    for command in (("update", "2026-4711", "Une voie rouverte"), ("drain",)):
        refused = run(*command)
        assert refused.code == 1
        assert "everything was stopped by brigadier (Compte compromis ?)" in refused.err
    shown = run("status")
    assert shown.code == 3
    assert "✘ stop: " in shown.out
    assert "But: Nothing was sent: everything was stopped" in run("resume", "bluesky").words
    assert run("resume", "--json").document == {"resumed": True, "actor": "brigadier"}
    assert run("resume").out == "Nothing was stopped.\n"
    assert desk.bluesky.posts == ()
    assert run("drain", "--budget", "10").code == 0
    assert len(desk.bluesky.posts) == 1


@pytest.mark.usefixtures("desk")
def test_a_user_without_a_name_must_give_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)
    ran = run("stop")
    assert ran.code == 2
    assert "Say who you are: --actor NAME" in ran.err


@pytest.fixture
def held(run: Run, desk: Desk) -> str:
    """A delivery of which one person is in doubt, and is not written to again by itself."""
    settings = desk.folder / "policenotify.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + 'on_unknown = "hold"\n', encoding="utf-8")
    desk.mail.hang_up("DATA", delivered=True, times=1)
    published = run("publish", *ACCIDENT, "--json")
    assert published.code == 3
    [receipt] = [one for one in published.document["publication"]["receipts"] if one["channel"] == "presse"]
    assert receipt["recipients"]["held"] == 1
    return str(receipt["delivery"])


@pytest.mark.parametrize(("answer", "mails"), [("--posted", 1), ("--not-posted", 2)])
def test_a_held_delivery_is_settled_by_an_operator(run: Run, desk: Desk, held: str, answer: str, mails: int) -> None:
    resolved = run("resolve", held, answer, "--json")
    assert resolved.code == 0
    outcome = "posted" if answer == "--posted" else "waiting"
    assert resolved.document == {
        "delivery": int(held), "posted": answer == "--posted", "actor": "brigadier", "outcome": outcome,
    }  # fmt: skip
    assert run("drain", "--budget", "10").code == 0
    assert sorted(len(desk.mail.mailbox(address)) for address in ADDRESSES) == [1, 1, mails]
    again = run("resolve", held, answer, "--json")
    assert again.code == 2
    assert again.document["error"]["kind"] == "NotHeld"
    assert f"Delivery {held} is not held: it is posted." in again.document["error"]["text"]


def test_an_overtaken_message_is_reported_as_not_to_be_repeated(run: Run, desk: Desk, held: str) -> None:
    run("end", "2026-4711", "Fin d'intervention")
    before = len(desk.mail.mails)
    assert (
        "is not sent again: a newer message of its incident is published" in run("resolve", held, "--not-posted").words
    )
    assert run("drain", "--budget", "10").code == 0
    assert len(desk.mail.mails) == before
    assert run("status").code == 0
