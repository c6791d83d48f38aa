"""`drain`, `stop`, `resolve` and `sending`."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime
from unittest.mock import patch

import pytest

from policenotify.cli.commands import sendings
from policenotify.journal.lists.sendings import Sendings
from policenotify.model.history import Outcome
from policenotify.model.progress import Progress
from policenotify.settings import open_publisher
from tests.support.installation import ADDRESSES, INCIDENT, Desk
from tests.support.shell import ACCIDENT, Run
from tests.unit.cli.test_terminal import on_a_terminal


def test_a_drain_reports_when_something_is_due_next(run: Run, desk: Desk) -> None:
    run("publish", *ACCIDENT, "--wait", "0")
    desk.mail.refuse_connections()
    ran = run("drain", "--budget", "5", "--json")  # it ends when the next try is due later than that
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
    desk.add_settings('on_unknown = "hold"\n')
    desk.mail.hang_up("DATA", delivered=True, times=1)
    published = run("publish", *ACCIDENT, "--json")
    assert published.code == 3
    [receipt] = [one for one in published.document["publication"]["receipts"] if one["channel"] == "presse"]
    assert receipt["recipients"]["held"] == 1
    return str(receipt["delivery"])


@pytest.mark.parametrize(("answer", "mails"), [("--posted", 1), ("--not-posted", 2)])
def test_a_held_delivery_is_settled_by_an_operator(run: Run, desk: Desk, held: str, answer: str, mails: int) -> None:
    listed = run("resolve")
    assert (listed.code, f"→ policenotify resolve {held}" in listed.words) == (3, True)
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


@pytest.fixture
def published(run: Run, desk: Desk) -> str:
    """A publication of which nothing is sent yet, and its mails go to three people."""
    desk.add_settings('on_unknown = "hold"\n')
    ran = run("publish", *ACCIDENT, "--wait", "0", "--json")
    return str(ran.document["publication"]["id"])


@pytest.fixture
def doubted(run: Run, desk: Desk, published: str) -> str:
    """The number of a delivery of which one person is held and one was refused."""
    desk.mail.hang_up("DATA", delivered=True, times=1)
    desk.mail.refuse(ADDRESSES[2])
    run("drain", "--budget", "10")
    [found] = run("sending", "progress", published, "--json").document["deliveries"][1:]
    return str(found["delivery"])


def test_a_sending_is_paused_resumed_and_followed(run: Run, desk: Desk, published: str) -> None:
    paused = run("sending", "pause", INCIDENT, "--channel", "presse", "--reason", "Erreur  de date")
    assert (paused.code, paused.out) == (0, f"Paused on presse. To go on: policenotify sending resume {published}\n")
    assert run("sending", "pause", published).words.startswith("Nothing was changed")
    assert run("drain", "--budget", "10").code in {0, 3}
    assert (len(desk.bluesky.posts), len(desk.mail.mails)) == (1, 0)
    shown = run("sending", "progress", published, "--once")
    assert shown.code == 3
    assert "presse (fr): nobody yet; paused\n    brigadier has paused it." in shown.out
    receipt = run("status", published)
    assert "brigadier has paused it." in receipt.out
    assert f"policenotify sending resume {published}" in receipt.words
    assert "The next publish or" not in receipt.words
    resumed = run("sending", "resume", published, "--reason", "Corrigé", "--json")
    assert (resumed.code, resumed.document["channels"]) == (0, ["presse"])
    assert run("sending", "resume", INCIDENT).words.startswith("Nothing was changed")
    assert run("drain", "--budget", "10").code == 0
    assert len(desk.mail.mails) == 3
    followed = run("sending", "progress")  # it is settled, and so it ends
    assert followed.code == 0
    assert "presse (fr): 3 posted\n" in followed.out
    document = run("sending", "progress", "--json").document
    assert (document["publication"], document["is_settled"]) == (published, True)
    assert [found.get("recipients") for found in document["deliveries"]] == [None, {"posted": 3}]


def test_people_in_doubt_are_listed_and_settled_one_by_one(run: Run, desk: Desk, doubted: str) -> None:
    shown = run("resolve", doubted)
    assert shown.code == 3
    [line] = shown.out.splitlines()
    assert re.match(r"[0-9a-f]{12}  held  since ", line)
    assert "@" not in line
    assert f"Who is held: policenotify resolve {doubted}" in run("sending", "progress", "--once").words
    [person] = run("resolve", doubted, "--json").document["people"]
    assert person["outcome"] == "held"
    assert run("resolve", doubted, "--show-addresses").code == 2
    unknown = run("resolve", doubted, "--recipient", "nobody@x.example", "--posted")
    assert unknown.code == 2
    assert "1 of the people named is not in doubt" in unknown.err
    assert "nobody@" not in unknown.err
    done = run("resolve", doubted, "--recipient", person["key"][:12], "--posted")
    assert (done.code, done.out) == (0, f"Delivery {doubted} counts as posted for 1 person.\n")
    assert run("resolve", doubted).out == "Nobody is in doubt.\n"
    assert run("resolve", "999").code == 2
    assert "brigadier has settled who was held." in run("status").words
    assert len(desk.mail.mails) == 2


@pytest.mark.slow
def test_addresses_are_shown_on_a_terminal(desk: Desk, doubted: str) -> None:
    settings = str(desk.folder / "policenotify.toml")
    shown = on_a_terminal(200, "--settings", settings, "resolve", doubted, "--show-addresses")
    assert sum(address in shown for address in ADDRESSES) == 1


def test_an_aborted_sending_reaches_nobody(run: Run, desk: Desk, published: str) -> None:
    aborted = run("sending", "abort", published, "--reason", "Mauvaise liste", "--json")
    assert (aborted.code, aborted.document) == (
        0, {"publication": published, "channels": ["presse"], "people": 0, "actor": "brigadier"},
    )  # fmt: skip
    assert run("drain", "--budget", "10").code == 0
    assert desk.mail.mails == []
    assert "presse (fr): nobody yet; aborted\n    brigadier has aborted the sending." in run("sending", "progress").out
    assert run("sending", "abort", published).words.startswith("Nothing was changed")


def test_lines_go_to_a_pipe_until_it_is_settled(run: Run, desk: Desk, published: str) -> None:
    with closing(open_publisher(desk.folder / "policenotify.toml")) as publisher, publisher.worker():
        followed = run("sending", "progress", published)
    assert followed.code == 0
    assert "presse (fr): 3 posted\n" in followed.out


def sampled(seconds: int, posted: int, **fields: object) -> Progress:
    people = {Outcome.POSTED: posted, Outcome.WAITING: 100 - posted}
    mail = {"delivery": 2, "channel": "presse", "language": "fr", "outcome": "sending", "recipients": people}
    at = datetime(2026, 11, 26, 18, 0, seconds, tzinfo=UTC)
    return Progress.model_validate({"publication": "P", "at": at, "deliveries": [mail | fields]})


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({}, "; 5.0 per second; time left: less than a minute"),
        ({"expanded": False}, "; 5.0 per second; the list is still being read"),
    ],
)
def test_a_line_has_the_rate(fields: dict[str, object], more: str) -> None:
    samples = [sampled(40, 0), sampled(50, 50, **fields)]
    assert str(sendings.progress_line(samples[-1].bulk[0], samples)) == f"presse (fr): 50 posted, 50 waiting{more}"


@pytest.mark.parametrize(
    ("delivery", "code"),
    [
        ({"outcome": "unconfirmed", "recipients": None}, 3),  # a post of which nobody knows whether it is out
        ({"outcome": "waiting", "recipients": None}, 0),
        ({"recipients": {"posted": 9, "unconfirmed": 1}}, 3),
        ({"recipients": {"posted": 9, "waiting": 1}}, 0),
    ],
)
@pytest.mark.usefixtures("published")
def test_what_is_in_doubt_needs_a_person(run: Run, delivery: dict[str, object], code: int) -> None:
    with patch.object(Sendings, "progress", return_value=sampled(40, 10, **delivery)):
        assert run("sending", "progress", "--once").code == code
