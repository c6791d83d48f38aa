"""Addresses that a mail server refuses: who is suppressed, and when the fault is the channel's."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from policenotify.model.history import Outcome
from tests.support.mail_desk import DAY, MailDesk

GONE = "5.1.1 no such user"
MANY = tuple(f"lecteur{number}@journal.example" for number in range(40))
THREE = ("a@a.example", "b@b.example", "c@c.example")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[MailDesk]:
    with ExitStack() as stack:
        yield MailDesk(tmp_path, stack)


def test_recipients_reported_in_masses_are_a_fault_of_the_channel(desk: MailDesk) -> None:
    desk.people = MANY
    desk.server.refuse("*", 550, GONE)
    published = desk.publish()
    receipt = published.on("press")
    assert (receipt.outcome, receipt.ok) == (Outcome.WAITING, False)
    assert receipt.recipients == {Outcome.WAITING: len(MANY)}
    assert "are reported as not existing" in str(receipt.reason)
    assert "policenotify resume press" in str(receipt.remedy)
    assert not any(address in str(receipt) for address in MANY)
    desk.server.recover()
    desk.journal.resume("brigadier", "press")
    desk.publisher.drain(timedelta(seconds=30))
    again = desk.publisher.operations.publication(published.id)
    assert again is not None
    assert again.on("press").recipients == {Outcome.POSTED: len(MANY)}
    assert desk.journal.suppressions.list() == ()


def test_a_list_of_which_nobody_was_served_needs_a_person(desk: MailDesk, caplog: pytest.LogCaptureFixture) -> None:
    desk.people = ("gone@a.example", "there@b.example")
    desk.server.refuse("gone@a.example", 550, GONE)
    for _ in range(2):
        desk.publish()
        desk.clock.pass_by(DAY)
    desk.people = ("gone@a.example",)
    with caplog.at_level(logging.DEBUG, "policenotify"):
        third = desk.publish()
    assert third.on("press").recipients == {Outcome.SUPPRESSED: 1}
    assert not third.ok
    assert "policenotify people list press" in str(third.on("press").remedy)
    assert "gone@" not in caplog.text


@pytest.mark.parametrize(
    ("people", "gone"),
    [(THREE[:1], THREE[:1]), (MANY[:9], MANY[:9]), ((*MANY[:3], *THREE[:2]), MANY[:3])],
    ids=["one of one", "all of nine", "three of five"],
)
def test_a_server_that_serves_fewer_than_it_reports_as_gone_silences_nobody(
    desk: MailDesk, people: tuple[str, ...], gone: tuple[str, ...]
) -> None:
    desk.people = people
    for address in gone:
        desk.server.refuse(address, 550, GONE)
    for _ in range(3):
        assert not desk.publish().ok
        desk.clock.pass_by(DAY)
    assert desk.journal.suppressions.list() == ()


def test_a_person_in_several_spellings_gets_one_mail_and_is_suppressed_in_all(desk: MailDesk) -> None:
    spellings = ("ana@bücher.example", "ana@xn--bcher-kva.example", "Ana@bu\u0308cher.example.")
    desk.people = (*spellings, "there@b.example")
    assert desk.counts() == {Outcome.POSTED: 2}
    desk.server.refuse("ana@xn--bcher-kva.example", 550, GONE)
    for spelling in spellings:
        desk.people = (spelling, "there@b.example")
        desk.publish()
        desk.clock.pass_by(DAY)
    assert desk.counts() == {Outcome.POSTED: 1, Outcome.SUPPRESSED: 1}
