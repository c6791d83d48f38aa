"""What an operator does, from Python: the same results as the command line prints, and values of another type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from policenotify.channel import ChannelConfig
from policenotify.errors import (
    Blocked,
    SettingsError,
    Unavailable,
)
from policenotify.journal.clock import SystemClock
from policenotify.journal.database import schema
from policenotify.journal.leases import this_process
from policenotify.journal.records import microseconds
from policenotify.model.history import Outcome
from policenotify.model.status import Alarm, ChannelStatus, DiagnosisLine, InstallationStatus
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.settings import SettingsFile, open_publisher
from policenotify.testing import recording_publisher
from policenotify.testing.samples import PARIS, SENDER
from tests.support.fake_network import Book, Scripted
from tests.support.installation import Desk, accident, open_desk


@pytest.fixture
def sky() -> Scripted:
    return Scripted()


Make = Callable[..., Publisher]


@pytest.fixture
def make(tmp_path: Path, sky: Scripted) -> Iterator[Make]:
    opened: list[Publisher] = []

    def made(*channels: Any, **how: Any) -> Publisher:
        publisher = Publisher(
            Installation(
                journal=Book(tmp_path, SystemClock()).journal,
                channels=channels or [sky.configured("sky"), _channel("sea")],
                zone=PARIS,
                sender=SENDER,
                wait=timedelta(0),
                **how,
            )
        )
        opened.append(publisher)
        return publisher

    yield made
    for publisher in opened:
        publisher.close()


def _channel(name: str, **how: Any) -> ChannelConfig:
    return Scripted(account=f"@{name}").configured(name, **how)


def _state(publisher: Publisher, name: str) -> ChannelStatus:
    return next(channel for channel in publisher.operations.channels() if channel.name == name)


def _blocked_in_metrics(publisher: Publisher) -> list[str]:
    return [name for (name, _), value in publisher.monitor.samples()["channel_blocked"].items() if value]


# --- stop and resume


def _kinds(status: InstallationStatus) -> list[Alarm]:
    return [alarm.kind for alarm in status.alarms]


def test_a_channel_is_resumed_alone_and_a_stop_is_named(make: Make) -> None:
    publisher = make()
    publisher.journal.channels.block("sky", Blocked("The token was revoked.", remedy="Make another.", code="401"))
    blocked = _state(publisher, "sky")
    assert (blocked.state, str(blocked.reason), str(blocked.remedy), blocked.code, blocked.ok) == (
        "blocked", "The token was revoked.", "Make another.", "401", False,
    )  # fmt: skip
    publisher.operations.stop(actor="claire")
    resumed = publisher.operations.resume("sky", actor="paul")
    assert (resumed.resumed, resumed.channel) == (True, "sky")
    assert "stopped by claire" in (str(resumed.still_stopped or ""))
    assert _state(publisher, "sky").state == "ready"
    with pytest.raises(SettingsError, match=r"'skyy' is not a channel\. Did you mean 'sky'\?"):
        publisher.operations.resume("skyy", actor="paul")


@pytest.mark.parametrize("actor", ["", "a" * 201, "claire\npaul", None])
def test_who_decides_is_named(make: Make, actor: Any) -> None:
    publisher = make()
    for decide in (
        lambda: publisher.operations.stop(actor=actor),
        lambda: publisher.operations.resume(actor=actor),
        lambda: publisher.operations.resolve(1, actor=actor, posted=True),
    ):
        with pytest.raises(ValueError, match="actor: 1 to 200 printable characters"):
            decide()
    assert publisher.operations.status().stopped is None


def test_a_call_returns_when_a_network_fails_and_no_other_try_is_near(make: Make, sky: Scripted) -> None:
    """It would wait for an hour, and the next try is in ten minutes."""
    sky.sends.append(Unavailable("The network is down."))
    publisher = make(sky.configured("sky"), backoff=lambda _: timedelta(minutes=10))
    [receipt] = publisher.publish(accident(), key="open", actor="desk", wait=timedelta(hours=1))
    assert (receipt.outcome, receipt.attempts, receipt.ok) == (Outcome.WAITING, 1, False)
    assert "The next publish or `policenotify drain` sends it" in str(receipt.note)


# --- processes that deliver and cannot use a channel


def _seen(publisher: Publisher, owner: str, blocked: str | None, *, ago: int = 0, is_worker: bool = False) -> None:
    at = microseconds(publisher.journal.now() - timedelta(seconds=ago))
    row = {"owner": owner, "seen_at": at, "is_worker": is_worker, "blocked": blocked}
    with publisher.journal.write() as connection:
        connection.execute(insert(schema.runner).values(**row))


def _hosts(publisher: Publisher) -> dict[str, list[str]]:
    found = sorted(publisher.operations.channels(), key=lambda each: each.name)
    return {each.name: [problem.host for problem in each.blocked_for] for each in found}


def test_without_a_worker_the_last_drain_on_each_host_counts(make: Make) -> None:
    publisher = make()
    _seen(publisher, "first//1/", '{"sky": "old"}', ago=70)
    _seen(publisher, "first//2/", "{}", ago=10)
    _seen(publisher, "second//3/", '{"sky": "not set"}', ago=60)
    _seen(publisher, "third//4/", '{"sea": "long ago"}', ago=500)
    _seen(publisher, "fourth//5/", None)
    assert _hosts(publisher) == {"sea": [], "sky": ["second"]}
    _seen(publisher, "fifth//6/", "{}", is_worker=True)
    assert _hosts(publisher) == {"sea": [], "sky": []}
    _seen(publisher, f"{this_process()}0", '{"sea": "exited"}', is_worker=True)  # no such process
    assert _hosts(publisher) == {"sea": [], "sky": []}


# --- from a settings file


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    with open_desk(tmp_path) as opened:
        opened.write_settings()
        yield opened


def test_the_doctor_of_a_publisher_reads_the_settings_of_now(desk: Desk) -> None:
    with open_publisher(desk.folder / "policenotify.toml") as publisher:
        assert publisher.operations.doctor(actor="paul").ok
        publisher.journal.channels.block("bluesky", Blocked("Suspended."))
        [line] = [
            line for line in publisher.operations.doctor(actor="paul").lines if str(line.check) == "channel bluesky"
        ]
        assert "It was blocked, and is resumed" in str(line.detail)
        desk.change_settings("zone =", "zohne =")
        found = publisher.operations.doctor(actor="paul")
        assert found.alarms == (Alarm.SETTINGS,)
        assert "Did you mean 'zone'?" in str(found.lines[0].detail)
        status = publisher.operations.status()
        assert "Did you mean 'zone'?" in (str(status.settings or ""))
        assert _kinds(status) == [Alarm.SETTINGS]
        assert [alarm["kind"] for alarm in publisher.monitor.status()["alarms"]] == ["settings"]


def test_a_source_of_settings_never_raises(desk: Desk) -> None:
    file = SettingsFile(desk.folder / "policenotify.toml")
    assert file.problem() == ""
    again = '[channels.again]\nnetwork = "bluesky"\nhandle = "{0.handle}"\nservice = "{0.url}"\npassword = "x"\n'
    desk.change_settings("[channels.presse]", again.format(desk.bluesky) + "[channels.presse]")
    assert "are the same account" in str(file.problem())
    assert DiagnosisLine(check="channels", state="WRONG", detail=file.problem(), alarm=Alarm.SETTINGS) in file.examine()
    (desk.folder / "policenotify.toml").write_text("[", encoding="utf-8")
    assert "is not TOML" in str(file.problem())
    assert file.reopen("bluesky") is None


def test_the_monitor_of_a_publisher_sees_a_mended_channel(desk: Desk) -> None:
    desk.change_settings("handle =", "handel =")
    with open_publisher(desk.folder / "policenotify.toml") as publisher:
        assert publisher.monitor.status()["status"] == "degraded"
        assert _blocked_in_metrics(publisher) == ["bluesky"]
        publisher._fresh._looked_at = None  # a minute later
        desk.write_settings()
        assert _blocked_in_metrics(publisher) == []
        assert publisher.monitor.status()["status"] == "ok"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda desk, _: desk.publish({"category": "fire"}, key="a", actor="x"), "message: is of the type dict"),
        (lambda desk, _: desk.preview(None), "message: is of the type NoneType"),
        (lambda desk, _: desk.drafts.create("text", actor="x"), "message: is of the type str"),
        (lambda desk, _: desk.publish(accident(), key=None, actor="x"), "key: 1 to 200 printable characters"),
        (lambda desk, _: desk.publish(accident(), key="a", actor=4711), "actor: 1 to 200 printable characters"),
        (lambda desk, _: desk.drain("soon"), "budget: write a timedelta, or a number of seconds"),
        (lambda desk, _: desk.drafts.create(accident(), actor="x", authenticated="false"), "authenticated: write True"),
        (lambda desk, name: desk.drafts.revise(name, accident(), actor="x", authenticated=1), "authenticated: write"),
        (lambda desk, name: desk.drafts.approve(name, digest="", actor="x", authenticated="no"), "write True or False"),
        (lambda desk, _: desk.operations.resolve(1, actor="x", posted="false"), "Nothing was changed"),
        (lambda desk, name: desk.drafts.second_reading(name, actor="x", objects="false"), "objects: write True or"),
    ],
)
def test_a_value_of_another_type_is_refused(call: Callable[[Publisher, str], Any], told: str) -> None:
    with recording_publisher() as recording:
        desk = recording.publisher
        draft = desk.drafts.create(accident(), actor="claire")
        with pytest.raises((TypeError, ValueError), match=told):
            call(desk, draft.id)
        assert desk.operations.publications() == ()
        assert desk.drafts.get(draft.id) == draft


def test_a_drain_takes_seconds_as_a_publication_does() -> None:
    with recording_publisher() as recording:
        recording.publisher.publish(accident(), key="a", actor="claire", wait=0)
        recording.publisher.drain(5)  # type: ignore[arg-type]  # a time span, for a type checker
        assert recording.publisher.operations.publications()[0].ok
