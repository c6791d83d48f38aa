"""`status` and `incidents`: open incidents, overdue messages, channels, workers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from policenotify.cli.commands.status import _publications
from policenotify.cli.documents import json_fields
from policenotify.cli.output import printed
from policenotify.journal.clock import SystemClock
from policenotify.journal.leases import host_of, this_machine
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.receipt import Receipt
from policenotify.publishing.alarms import duration
from policenotify.settings import open_publisher
from tests.support.installation import Desk, accident
from tests.support.shell import ACCIDENT, Earlier, Run


def test_a_missing_worker_has_an_exit_code(run: Run, desk: Desk) -> None:
    publisher = desk.publisher()
    publisher.publish(accident(), key="one", actor="desk", wait=timedelta(0))
    ran = run("status")
    assert ran.code == 5
    assert "✘ worker: Deliveries wait (bluesky, presse), and no worker has run yet." in ran.words
    assert run("status", "2026-4711").code == 5
    desk.clock = Earlier(timedelta(minutes=3))
    desk.publisher().journal.workers.heartbeat()
    assert "no worker has run since" in run("status").words
    publisher.journal.workers.heartbeat()
    waiting = run("status", "--json")
    assert waiting.code == 3
    assert waiting.document["no_worker"] is False
    assert [each["name"] for each in waiting.document["channels"] if each["due_at"]] == ["bluesky", "presse"]


def test_the_workers_that_run_are_shown(run: Run, desk: Desk) -> None:
    publisher = desk.publisher()
    publisher.publish(accident(), key="one", actor="desk", wait=timedelta(0))
    publisher.journal.workers.heartbeat(is_worker=True)
    assert f"A worker runs on {host_of(this_machine())}, seen 20" in run("status").words
    publisher.journal.workers.heartbeat(is_worker=False)
    assert run("status").code == 3


def _backlog(desk: Desk, count: int) -> None:
    """Publish undelivered openings, the first one overdue."""
    desk.clock = Earlier(timedelta(hours=30))
    for number in range(count):
        life = Lifecycle(stage=Stage.OPENING, incident=f"I{number:03d}")
        opening = accident(headline=f"Accident {number}", lifecycle=life)
        desk.publisher().publish(opening, key=f"key {number}", actor="desk", wait=timedelta(0))
        desk.clock = Earlier(timedelta(minutes=30 - number))


def test_a_backlog_is_counted_and_the_most_pressing_of_it_shown(run: Run, desk: Desk) -> None:
    _backlog(desk, 25)
    ran = run("status")
    assert ran.code == 5  # no worker delivers
    lines = ran.out.splitlines()
    assert len(lines) <= 54
    assert max(map(len, lines)) <= 100
    assert "25 incidents are open, 1 of them overdue. The most urgent:" in lines
    assert "  … and 22 more: policenotify incidents" in lines
    assert "  ✔ bluesky (bluesky): ready · 25 waiting" in lines
    assert "The oldest has been waiting since 20" in ran.out
    assert "  … and 17 more: policenotify status --all" in lines
    _, _, older = ran.out.partition("\nOlder, and not finished yet:\n")
    assert "opening of I000" in older.splitlines()[0]
    assert sum("2 waiting (bluesky, presse)" in line for line in lines) + ran.out.count("✘ bluesky (fr): waiting") == 8
    assert "more: policenotify" not in run("status", "--all").out
    short, full = (run("status", *more, "--json") for more in ((), ("--all",)))
    assert short.code == full.code == 5
    for key in ("open_incidents", "overdue_incidents", "unfinished_count", "publications"):
        assert short.document[key] == full.document[key]
    assert (short.document["open_incidents"], short.document["overdue_incidents"]) == (25, 1)
    assert short.document["channels"][1]["outcomes"] == {"waiting": 25}
    assert short.document["channels"][1]["oldest_waiting"] < short.document["at"]
    assert [len(one.document["incidents"]) for one in (short, full)] == [3, 25]
    assert [len(one.document["unfinished"]) for one in (short, full)] == [3, 20]
    assert short.document["unfinished_count"] == 20
    assert full.document["unfinished"][:3] == short.document["unfinished"]
    assert full.document["incidents"][0]["id"] == short.document["incidents"][0]["id"] == "I000"


@pytest.mark.parametrize(
    ("outcome", "people", "full"),
    [
        ("waiting", {}, False), ("waiting", {"posted": 2, "waiting": 1}, False), ("posted", {"posted": 3}, False),
        ("waiting", {"held": 1, "waiting": 2}, True), ("posted", {"posted": 2, "refused": 1}, True),
        ("held", {}, True), ("refused", {}, True),
    ],
)  # fmt: skip
def test_an_older_publication_is_in_full_where_waiting_does_not_help(
    desk: Desk, outcome: str, people: dict[str, int], *, full: bool
) -> None:
    with open_publisher(desk.write_settings()) as publisher:
        publication = publisher.publish(accident(), key="k", actor="desk", wait=0)
    counts = {Outcome(each): count for each, count in people.items()}
    receipt = Receipt(channel="presse", language="fr", outcome=Outcome(outcome), delivery=1, recipients=counts)
    older = publication.model_copy(update={"receipts": (receipt,)})
    page = printed(_publications([older], UTC, full=0))
    assert (" · key k · by desk" in page) is full


def test_the_command_line_prints_what_python_returns(run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _backlog(desk, 5)
    now, passed = datetime.now(UTC), SystemClock().monotonic()
    monkeypatch.setattr(SystemClock, "now", lambda _clock: now)
    monkeypatch.setattr(SystemClock, "monotonic", lambda _clock: passed)
    with open_publisher(desk.folder / "policenotify.toml") as publisher:
        for command, result in (
            ("status", publisher.operations.status(last=5, limit=3)),
            ("doctor", publisher.operations.doctor(actor="brigadier")),
            ("stop", publisher.operations.stop(actor="brigadier")),
            ("resume", publisher.operations.resume(actor="brigadier").model_copy(update={"resumed": True})),
        ):
            assert run(command, "--json").document == json_fields(result), command


def test_the_channels_are_shown_with_what_to_do(run: Run, desk: Desk) -> None:
    assert "Channels:\n  ✔ bluesky (bluesky): ready\n  ✔ presse (email): ready\n" in run("status").out
    run("publish", *ACCIDENT, "--to", "bluesky")
    desk.bluesky.closed = "suspended"
    run("update", "2026-4711", "Une voie rouverte")
    (desk.folder / "presse.txt").unlink()
    ran = run("status")
    assert ran.code == 3
    assert "✘ bluesky (bluesky): blocked · 1 waiting, 1 posted\n" in ran.out
    assert "✘ presse (email): blocked" in ran.out
    assert "→ Make it readable. Its messages wait" in ran.words
    assert "The oldest has been waiting since 20" in ran.out
    run("resume", "bluesky")
    with desk.publisher([]) as publisher:
        publisher.journal.channels.pause("bluesky", publisher.journal.now() + timedelta(hours=1))
    assert "bluesky (bluesky): paused" in run("status").out
    assert "Nothing leaves before 20" in run("status").out


def _opened(desk: Desk, incident: str, ago: timedelta, **changes: object) -> None:
    desk.clock = Earlier(ago)
    lifecycle = Lifecycle(stage=Stage.OPENING, incident=incident)
    desk.publisher().publish(accident(lifecycle=lifecycle, **changes), key=incident, actor="desk", wait=timedelta(0))


def test_overdue_ones_come_first_and_are_for_a_monitor(run: Run, desk: Desk) -> None:
    _opened(desk, "new", timedelta(minutes=1))
    _opened(desk, "late", timedelta(hours=3, minutes=10), headline="Camion renversé")
    _opened(desk, "later", timedelta(days=2, hours=5))
    ran = run("incidents")
    assert ran.code == 0
    assert ran.out.startswith("3 open incidents, 2 overdue.\n")
    assert [line for line in ran.out.splitlines() if line.startswith("  ") and line[2] != " "] == [
        "  OVERDUE · later · traffic_accident · Montpellier, avenue de Toulouse",
        "  OVERDUE · late · traffic_accident · Montpellier, avenue de Toulouse",
        "  new · traffic_accident · Montpellier, avenue de Toulouse",
    ]
    assert "2 d 3 h overdue." in ran.words
    assert "1 h 40 min overdue." in ran.words
    assert 'policenotify end late "…"' in ran.words
    monitor = run("incidents", "--overdue", "--json")
    assert monitor.code == 4
    document = monitor.document
    assert document["overdue"] == 2
    late = document["incidents"][1]
    assert 6000 <= late.pop("overdue_seconds") <= 6100
    opened, due = late.pop("opened_at"), late.pop("due_at")
    assert opened < due < document["at"]
    assert late == {
        "id": "late", "category": "traffic_accident", "severity": "Moderate", "status": "open",
        "channels": ["bluesky", "presse"], "headline": "Camion renversé",
        "place": "Montpellier, avenue de Toulouse", "overdue": True, "exercise": False,
        "reminders": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("span", "told"),
    [
        (timedelta(0), "less than a minute"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(days=9, hours=2, minutes=5), "9 d 2 h"),
    ],
)
def test_a_duration_is_shown_in_two_units(span: timedelta, told: str) -> None:
    assert str(duration(span)) == told


def test_a_drain_reminds_and_the_list_shows_it(run: Run, desk: Desk) -> None:
    _opened(desk, "late", timedelta(hours=2, minutes=50))
    assert run("drain", "--budget", "0.1").code == 0
    ran = run("incidents", "--overdue")
    assert ran.code == 4
    assert "Reminder 3 was raised 20" in ran.words
    [late] = run("incidents", "--json").document["incidents"]
    assert (late["reminders"], late["reminded_at"] > late["due_at"]) == (3, True)
