"""`status`: open incidents, overdue messages, latest publications and workers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from policenotify.channel import ChannelConfig, Services
from policenotify.cli.documents import json_fields
from policenotify.journal import workers
from policenotify.journal.clock import SystemClock
from policenotify.journal.database import schema
from policenotify.journal.leases import host_of, this_machine
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.settings import open_publisher
from tests.support.installation import Desk, accident
from tests.support.outside_package import Pigeon
from tests.support.patience import LONG, PATIENCE
from tests.support.shell import ACCIDENT, Earlier, Run


@pytest.mark.usefixtures("desk")
def test_a_quiet_installation(run: Run) -> None:
    ran = run("status")
    ready = "Channels:\n  ✔ bluesky (bluesky): ready\n  ✔ presse (email): ready\n"
    assert (ran.code, ran.out) == (0, f"No incident is open.\n{ready}\nNothing was published yet.\n")


@pytest.mark.usefixtures("desk")
def test_open_incidents_and_their_messages(run: Run) -> None:
    run("publish", *ACCIDENT)
    ran = run("status")
    assert ran.code == 0
    assert "2026-4711 · traffic_accident · Montpellier, avenue de Toulouse" in ran.out
    assert "The next message is due at" in ran.out
    assert "https://bsky.app/profile/" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 100
    document = run("status", "--json").document
    assert document["incidents"][0]["overdue"] is False
    assert document["publications"][0]["published"] == "yes"
    assert document["last_heartbeat"]
    assert "stopped" not in document


def test_a_subscriber_of_events_that_fails(run: Run, desk: Desk) -> None:
    with open_publisher(desk.folder / "policenotify.toml") as publisher:
        subscribers = publisher.journal.subscribers
        subscribers.add("radio-log")
        run("publish", *ACCIDENT)
        place, _ = subscribers.take("radio-log")
        assert place
        subscribers.release("radio-log", place, "the callback raised ValueError for event 1 (published).")
    ran = run("status")
    assert ran.code == 0
    assert "Events wait for the subscriber radio-log: the callback raised ValueError for event 1" in ran.out
    assert [*run("status", "--json").document["waiting_subscribers"]] == ["radio-log"]


@pytest.mark.usefixtures("desk")
def test_one_incident_publication_or_key(run: Run) -> None:
    opened = run("publish", *ACCIDENT, "--key", "dispatch-1", "--json").document["publication"]
    run("update", "2026-4711", "Une voie rouverte")
    assert [one["stage"] for one in run("status", "2026-4711", "--json").document["publications"]] == [
        "opening",
        "update",
    ]
    for which in ("dispatch-1", opened["id"]):
        [found] = run("status", which, "--json").document["publications"]
        assert found["key"] == "dispatch-1"
    assert "opening of 2026-4711 · Accident de la circulation" in run("status", "dispatch-1").out
    unknown = run("status", "dispatch-2")
    assert unknown.code == 1
    assert "There is no incident, publication or key 'dispatch-2'. Open now: 2026-4711" in unknown.err


def test_an_overdue_incident_comes_first_and_has_an_exit_code(
    run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = desk.publisher()
    publisher.publish(accident(), key="new", actor="desk")
    desk.clock = Earlier(timedelta(hours=30))
    old = accident(headline="Camion renversé", lifecycle=Lifecycle(stage=Stage.OPENING, incident="old"))
    desk.publisher().publish(old, key="old", actor="desk")
    ran = run("status")
    assert ran.code == 4
    assert ran.out.index("OVERDUE · old") < ran.out.index("2026-4711 · traffic_accident")
    assert 'policenotify end old "…"' in ran.out
    assert [one["overdue"] for one in run("status", "--json").document["incidents"]] == [True, False]
    monkeypatch.setenv("POLICENOTIFY_LANGUAGE", "fr")
    for command in ("status", "incidents"):
        words = run(command).words
        assert '…", ou policenotify update' in words
        assert " or policenotify" not in words


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


def test_a_killed_worker_is_an_alarm_at_once(run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = desk.publisher()
    publisher.publish(accident(), key="one", actor="desk", wait=timedelta(0))
    publisher.journal.workers.start_heartbeat()
    assert f"A worker runs on {host_of(this_machine())}, seen 20" in run("status").words
    publisher.journal.workers.stop_heartbeat()
    assert run("status").code == 3
    monkeypatch.setattr(workers, "this_process", lambda: f"{this_machine()}/4194305/1")
    publisher.journal.workers.start_heartbeat()
    ran = run("status")
    assert ran.code == 5
    assert ", when the last one was killed. → Run: policenotify drain" in ran.words
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    assert "quand le dernier a été tué" in run("status").words


def test_a_clock_that_was_set_is_an_alarm_for_an_hour(run: Run, desk: Desk) -> None:
    publisher = desk.publisher()
    publisher.publish(accident(), key="one", actor="desk")
    assert run("status").code == 0
    publisher.journal.audit.record("runner", "clock_set", {"seconds": -3600.0})
    publisher.journal.audit.record("runner", "clock_set", {"seconds": 90.0})
    for command in ("status", "doctor"):
        ran = run(command)
        assert ran.code == 3, command
        assert "the clock was set back by 3,600 s. All that waits was moved with it." in ran.words
        assert "the clock was set forward by 90 s." in ran.words
        assert "timedatectl" in ran.words


def test_a_blocked_channel_is_reported_with_its_remedy(run: Run, desk: Desk) -> None:
    desk.bluesky.closed = "takendown"
    assert run("publish", *ACCIDENT).code == 3
    ran = run("status")
    assert ran.code == 3
    assert "✘ channel bluesky: blocked. " in ran.out
    assert "policenotify resume bluesky" in ran.words
    assert "→ " in ran.out
    [alarm, _] = run("status", "--json").document["alarms"]
    assert (alarm["kind"], alarm["about"]) == ("attention", "channel bluesky")
    assert alarm["remedy"].endswith("Then: policenotify doctor, or policenotify resume bluesky")


def test_a_postponed_delivery_has_the_time_of_the_next_attempt(
    run: Run, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("policenotify.delivery.sender._SHORTEST_BACKOFF", 2 * LONG)
    desk.mail.refuse_connections()
    ran = run("publish", *ACCIDENT, "--wait", f"{PATIENCE}")
    assert ran.code == 3
    assert "Published, but not everywhere." in ran.out
    assert "Not before 20" in ran.words


def test_a_journal_that_cannot_be_read_has_an_exit_code(run: Run, desk: Desk) -> None:
    desk.database.write_bytes(b"no journal " * 1000)
    ran = run("status")
    assert ran.code == 6
    assert "its file is not a journal, or it is damaged" in ran.err
    error = run("publish", *ACCIDENT, "--json").document["error"]
    assert (error["kind"], error["published"]) == ("JournalError", "no")


def test_an_answer_of_a_network_moves_no_cursor(run: Run, desk: Desk) -> None:
    desk.mail.fail_next("DATA", 554, "5.7.1 looks\x1b[2Jlike spam", times=9)
    ran = run("publish", *ACCIDENT)
    assert ran.code == 3
    assert "\x1b" not in ran.out


@pytest.mark.slow
def test_waiting_deliveries_are_found_however_long_ago_they_were_published(run: Run, desk: Desk) -> None:
    desk.bluesky.closed = "suspended"
    old = run("publish", *ACCIDENT, "--json").document["publication"]["id"]
    quick = ChannelConfig(
        name="loft", network="pigeon", account="Arnel", capabilities=Pigeon.capabilities,
        open=lambda clock, keep: Pigeon(Pigeon.Options(loft="Arnel"), Services(clock, keep)),
    )  # fmt: skip
    publisher = desk.publisher([quick])
    for number in range(101):
        tip = accident(category="road_safety", headline=f"Conseil {number}", lifecycle={})
        assert publisher.publish(tip, key=str(number), actor="desk").ok
    ran = run("status", "--last", "3")
    assert ran.code == 3
    _, _, older = ran.out.partition("\nOlder, and not finished yet:\n")
    assert "opening of 2026-4711" in older.splitlines()[0]
    assert f"  {old} · key cli-" in older
    document = run("status", "--last", "3", "--json").document
    assert [one["id"] for one in document["unfinished"]] == [old]
    assert old not in [one["id"] for one in document["publications"]]
    desk.bluesky.closed = None
    run("resume", "bluesky")
    drained = run("drain", "--budget", "10", "--json")
    assert (drained.code, drained.document["outcomes"]) == (0, {"posted": 1})
    assert run("status", "--last", "3", "--json").document["unfinished"] == []


def test_a_delivery_held_for_some_recipients_is_found_too(run: Run, desk: Desk) -> None:
    settings = desk.folder / "policenotify.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + 'on_unknown = "hold"\n', encoding="utf-8")
    desk.mail.hang_up("DATA", delivered=True, times=1)
    first = run("publish", *ACCIDENT, "--json").document["publication"]["id"]
    publisher = desk.publisher()
    tip = accident(category="road_safety", headline="Conseil", lifecycle={})
    assert publisher.publish(tip, key="tip", actor="desk").ok
    ran = run("status", "--last", "1", "--json")
    assert [one["id"] for one in ran.document["unfinished"]] == [first]


def test_a_channel_that_is_gone_is_named_with_what_is_open_there(run: Run, desk: Desk) -> None:
    run("publish", *ACCIDENT, "--to", "bluesky")
    settings = desk.folder / "policenotify.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("[channels.bluesky]", "[channels.sky]"), encoding="utf-8")
    told = (
        "removed. It is no longer in the settings, and its readers know of 2026-4711, whose end would not reach them."
    )
    ran = run("status")
    assert ran.code == 3
    assert f"✘ channel bluesky: {told}" in ran.words
    removed = run("status", "--json").document["channels"][-1]
    assert (removed["name"], removed["state"], removed["incidents"]) == ("bluesky", "removed", ["2026-4711"])
    lines = run("doctor", "--json").document["lines"]
    [line] = [one for one in lines if one["check"] == "channel bluesky"]
    assert (line["state"], line["alarm"]) == ("WRONG", "attention")
    assert line["detail"].startswith(told)
    run("end", "2026-4711", "Fin", "--description", "Rouvert.")
    assert [one["name"] for one in run("status", "--json").document["channels"]] == ["sky", "presse"]


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
    assert len(lines) <= 48
    assert max(map(len, lines)) <= 100
    assert "25 incidents are open, 1 of them overdue. The most urgent:" in lines
    assert "  … and 22 more: policenotify incidents" in lines
    assert "  ✔ bluesky (bluesky): ready · 25 waiting" in lines
    assert "The oldest has been waiting since 20" in ran.out
    assert "  … and 17 more: policenotify status --all" in lines
    _, _, older = ran.out.partition("\nOlder, and not finished yet:\n")
    assert "opening of I000" in older.splitlines()[0]
    assert sum("2 waiting (bluesky, presse)" in line for line in lines) + ran.out.count("✘ bluesky (fr): waiting") == 8


def test_the_document_of_a_backlog_is_bounded_and_complete_on_demand(run: Run, desk: Desk) -> None:
    _backlog(desk, 25)
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


def test_a_backlog_of_a_channel_that_cannot_be_used_fits_the_screen(run: Run, desk: Desk) -> None:
    _backlog(desk, 25)
    (desk.folder / "presse.txt").unlink()
    ran = run("status")
    assert "✘ channel presse: blocked. " in ran.out
    assert len(ran.out.splitlines()) <= 52
    document = run("status", "--json").document
    assert [len(document[key]) for key in ("incidents", "publications", "unfinished")] == [3, 5, 3]
    assert (document["channels"][1]["state"], document["channels"][1]["outcomes"]) == ("blocked", {"waiting": 25})


def test_all_is_shown_in_full_on_demand(run: Run, desk: Desk) -> None:
    _backlog(desk, 12)
    ran = run("status", "--all")
    assert ran.code == 5
    assert "more: policenotify" not in ran.out
    assert ran.out.count("✘ bluesky (fr): waiting") == 12
    assert run("status", "I001", "--all").code == 2


def test_deliveries_for_an_operator_come_before_waiting_ones(run: Run, desk: Desk) -> None:
    _backlog(desk, 12)
    with desk.publisher().journal.write() as connection:
        held = update(schema.delivery).where(
            schema.delivery.c.channel == "presse", schema.delivery.c.ordering_key.like("I004 %")
        )
        connection.execute(held.values(state=Outcome.HELD))
    unfinished = run("status", "--json").document["unfinished"]
    assert [one["message"]["lifecycle"]["incident"] for one in unfinished] == ["I004", "I000", "I001"]


def test_a_channel_that_is_gone_names_only_some_of_many_incidents(run: Run, desk: Desk) -> None:
    _backlog(desk, 12)
    with desk.publisher().journal.write() as connection:
        connection.execute(update(schema.delivery).values(state=Outcome.POSTED))
    settings = desk.folder / "policenotify.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("[channels.bluesky]", "[channels.sky]"))
    assert "its readers know of I000, I001," in run("status").words
    assert "I009, 2 more incidents, whose end would not reach them." in run("status").words
    assert len(run("status", "--json").document["channels"][-1]["incidents"]) == 12


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


def test_what_only_the_worker_cannot_use_is_an_alarm(run: Run, desk: Desk) -> None:
    with desk.publisher([]) as publisher:
        publisher.journal.workers.heartbeat(is_worker=True, blocked={"presse": "channels.presse.url: is not set."})
    for command in ("status", "doctor"):
        ran = run(command)
        assert ran.code == 3, command
        assert "channels.presse.url: is not set." in ran.words
        assert "Mend it where that process runs" in ran.words
    [_, presse] = run("status", "--json").document["channels"]
    assert (presse["name"], presse["state"], len(presse["blocked_for"])) == ("presse", "ready", 1)


def test_what_is_held_is_listed_with_the_command_that_settles_it(run: Run, desk: Desk) -> None:
    assert (run("resolve").code, run("resolve").out) == (0, "Nothing is held.\n")
    assert run("resolve", "--show-addresses").code == 2
    settings = desk.folder / "policenotify.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + 'on_unknown = "hold"\n', encoding="utf-8")
    desk.mail.hang_up("DATA", delivered=True, times=1)
    run("publish", *ACCIDENT)
    with desk.publisher([]) as publisher, publisher.journal.write() as connection:
        posted = update(schema.delivery).where(schema.delivery.c.channel == "bluesky")
        connection.execute(posted.values(state=Outcome.HELD))
    ran = run("resolve")
    assert ran.code == 3
    assert "→ policenotify resolve 1 --posted" in ran.out
    assert "→ policenotify resolve 2" in ran.out
    assert " · 1 person\n" in ran.out
    assert [one["delivery"] for one in run("resolve", "--json").document["deliveries"]] == [1, 2]
