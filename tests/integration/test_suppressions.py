"""A server that wrongly reports recipients as not existing silences nobody for good."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from policenotify.journal import open_journal
from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.receipt import Publication
from policenotify.networks.registry import configure_channel
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing import FakeClock, FakeMailServer
from policenotify.testing.samples import PARIS, SENDER
from tests.support.installation import accident
from tests.support.network_options import mail_options
from tests.support.patience import LONG

GONE = "5.1.1 no such user"
MANY = tuple(f"lecteur{number}@journal.example" for number in range(200))
THREE = ("a@a.example", "b@b.example", "c@c.example")


class MailDesk:
    """A publisher with two mail channels at one server."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.server = stack.enter_context(FakeMailServer())
        self.clock = FakeClock()
        self.people: tuple[str, ...] = MANY
        journal = open_journal(
            str(folder / "journal.db"), keys=Keys.create(secrets.token_bytes), clock=self.clock, create=True
        )
        duty = {"url": mail_options(self.server)["url"].replace("alerte@", "permanence@")}
        channels = [
            configure_channel("press", "email", mail_options(self.server), recipients=lambda: self.people),
            configure_channel("duty", "email", duty, recipients=lambda: self.people),
        ]
        self.publisher = stack.enter_context(
            Publisher(Installation(journal=journal, channels=channels, zone=PARIS, sender=SENDER, clock=self.clock))
        )
        self.journal = journal

    def publish(self, key: str, channel: str = "press") -> Publication:
        opening = Lifecycle(stage=Stage.OPENING, incident=f"I-{key}")
        return self.publisher.publish(accident(lifecycle=opening), key=key, actor="brigadier", to=[channel], wait=LONG)

    def again(self, key: str) -> Publication:
        self.publisher.drain(timedelta(seconds=30))
        found = self.publisher.operations.publication(key)
        assert found is not None
        return found

    def events(self, kind: str) -> list[Any]:
        query = select(schema.event.c.body).where(schema.event.c.kind == kind)
        with self.journal.read() as connection:
            return [json.loads(body) for body in connection.execute(query).scalars()]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[MailDesk]:
    with ExitStack() as stack:
        yield MailDesk(tmp_path, stack)


def test_recipients_reported_in_masses_are_a_fault_of_the_channel(desk: MailDesk) -> None:
    people = desk.people = MANY
    desk.server.refuse("*", 550, GONE)
    receipt = desk.publish("first").on("press")
    assert (receipt.outcome, receipt.ok) == (Outcome.WAITING, False)
    assert receipt.recipients == {Outcome.WAITING: len(people)}
    assert "are reported as not existing" in str(receipt.reason)
    assert "policenotify resume press" in str(receipt.remedy)
    assert not any(address in str(receipt) for address in people)
    desk.server.recover()
    desk.journal.resume("brigadier", "press")
    assert desk.again("first").on("press").recipients == {Outcome.POSTED: len(people)}
    assert desk.journal.suppressions.list() == ()
    assert desk.publish("second").ok


def test_fewer_than_ten_block_no_channel_and_silence_nobody(desk: MailDesk) -> None:
    desk.people = MANY[:9]
    desk.server.refuse("*", 550, GONE)
    for key, days in (("first", 0), ("later", 2), ("last", 2)):
        desk.clock.pass_by(days * 86400)
        assert desk.publish(key).on("press").recipients == {Outcome.REFUSED: 9}
    assert desk.journal.suppressions.list() == ()


def test_a_stale_list_is_served_after_a_person_has_resumed_it(desk: MailDesk) -> None:
    desk.server.refuse(lambda address: address in MANY[:40], 550, GONE)
    receipt = desk.publish("first").on("press")
    resumed = 0
    while receipt.outcome is Outcome.WAITING:
        resumed += 1
        assert resumed < 10, receipt
        desk.journal.resume("brigadier", "press")
        receipt = desk.again("first").on("press")
    assert receipt.recipients == {Outcome.POSTED: 160, Outcome.REFUSED: 40}


def test_a_recipient_is_suppressed_by_a_second_report_on_another_day(desk: MailDesk) -> None:
    desk.people = ("gone@a.example", "there@b.example")
    desk.server.refuse("gone@a.example", 550, GONE)
    for key, days in (("first", 0), ("hours-later", 0.1), ("days-later", 2)):
        desk.clock.pass_by(days * 86400)
        assert desk.publish(key).on("press").recipients == {Outcome.POSTED: 1, Outcome.REFUSED: 1}
    suppressed = desk.publish("then").on("press")
    assert suppressed.recipients == {Outcome.POSTED: 1, Outcome.SUPPRESSED: 1}
    assert suppressed.ok
    assert len(desk.events("suppressed")) == 1
    desk.server.recover()
    assert desk.publish("elsewhere", "duty").on("duty").recipients == {Outcome.POSTED: 2}
    assert desk.publisher.people.release("Gone@a.example", actor="brigadier", channel="press") == 1
    [released] = desk.events("released")
    assert released["recipients"] == desk.events("suppressed")[0]["recipients"]
    assert desk.publish("released").on("press").recipients == {Outcome.POSTED: 2}


def test_a_mail_taken_between_two_reports_clears_the_first(desk: MailDesk) -> None:
    desk.people = ("gone@a.example", "there@b.example")
    for key, refuses in (("1", True), ("2", False), ("3", True), ("4", True)):
        desk.server.recover()
        if refuses:
            desk.server.refuse("gone@a.example", 550, GONE)
        desk.publish(key)
        desk.clock.pass_by(86400)
        assert len(desk.journal.suppressions.list()) == (key == "4")


def test_a_list_of_which_nobody_was_served_needs_a_person(desk: MailDesk, caplog: pytest.LogCaptureFixture) -> None:
    desk.people = ("gone@a.example", "there@b.example")
    desk.server.refuse("gone@a.example", 550, GONE)
    desk.publish("1")
    desk.clock.pass_by(86400)
    desk.publish("2")
    desk.people = ("gone@a.example",)
    with caplog.at_level(logging.DEBUG):
        third = desk.publish("3")
    assert third.on("press").recipients == {Outcome.SUPPRESSED: 1}
    assert not third.ok
    assert "policenotify people list press" in str(third.on("press").remedy)
    assert "gone@" not in caplog.text


@pytest.mark.parametrize(
    ("people", "gone"),
    [
        (THREE[:1], THREE[:1]),
        (THREE[:2], THREE[:2]),
        (MANY[:9], MANY[:9]),  # of one domain
        (THREE, THREE[:2]),
        ((*MANY[:3], *THREE[:2]), MANY[:3]),
    ],
)
def test_a_server_that_serves_fewer_than_it_reports_as_gone_silences_nobody(
    desk: MailDesk, people: tuple[str, ...], gone: tuple[str, ...]
) -> None:
    desk.people = people
    desk.server.refuse(lambda address: address in gone, 550, GONE)
    for day in range(3):
        assert not desk.publish(f"day-{day}").ok
        desk.clock.pass_by(86400)
    assert desk.journal.suppressions.list() == ()


def test_a_server_silences_no_list_little_by_little(desk: MailDesk) -> None:
    desk.people = MANY[:100]
    for day in range(16):
        gone = MANY[day // 2 * 8 : day // 2 * 8 + 8]  # eight others every second day
        desk.server.recover()
        desk.server.refuse(lambda address, gone=gone: address in gone, 550, GONE)  # type: ignore[misc]  # mypy does not infer a default of a lambda
        desk.publish(f"day-{day}")
        desk.clock.pass_by(86400)
    assert len(desk.journal.suppressions.list()) == 8


def test_a_person_in_several_spellings_gets_one_mail_and_is_suppressed_in_all(desk: MailDesk) -> None:
    spellings = ("ana@bücher.example", "ana@xn--bcher-kva.example", "Ana@bu\u0308cher.example.")
    desk.people = (*spellings, "there@b.example")
    assert desk.publish("first").on("press").recipients == {Outcome.POSTED: 2}
    desk.server.refuse("ana@xn--bcher-kva.example", 550, GONE)
    for number, spelling in enumerate(spellings):
        desk.people = (spelling, "there@b.example")
        desk.publish(f"day-{number}")
        desk.clock.pass_by(86400)
    assert desk.publish("then").on("press").recipients == {Outcome.POSTED: 1, Outcome.SUPPRESSED: 1}
