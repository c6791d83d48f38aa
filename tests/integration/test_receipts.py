"""Delivery receipts of an SMS gateway: numbers that do not exist are suppressed."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.keys import Keys
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.networks.registry import configure_channel
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing import FakeClock, FakeSmsServer
from policenotify.testing.samples import PARIS, SENDER
from policenotify.testing.servers.http import Answer
from policenotify.web import app
from tests.support.audiences import listed
from tests.support.installation import accident
from tests.support.journal import events
from tests.support.network_options import sms_options
from tests.support.patience import LONG

NUMBERS = ("+33612345678", "+33612345679", "+33612345680")


class SmsDesk:
    """A publisher with an SMS channel that asks its gateway for receipts."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.server = stack.enter_context(FakeSmsServer())
        self.clock = FakeClock()
        self.journal = open_journal(
            str(folder / "journal.db"), keys=Keys.create(secrets.token_bytes), clock=self.clock, create=True
        )
        options = {
            **sms_options(self.server),
            "receipt_url": "https://police.example/dlr/sms/{token}",
            "receipt_format": "kannel",
        }
        channel = configure_channel("sms", "sms", options, audiences=listed("sms", lambda: NUMBERS), on_unknown="hold")
        self.publisher = stack.enter_context(
            Publisher(
                Installation(journal=self.journal, channels=[channel], zone=PARIS, sender=SENDER, clock=SystemClock())
            )
        )
        self._count = 0

    def counts(self) -> dict[Outcome, int]:
        self._count += 1
        published = self.publisher.publish(
            accident(lifecycle=Lifecycle(stage=Stage.OPENING, incident=f"I{self._count}")),
            key=str(self._count),
            actor="desk",
            wait=LONG,
        )
        return dict(published.on("sms").recipients or {})

    def address_for(self, number: str) -> str:
        """Return the path that the gateway is to call about its last SMS to a number."""
        asked = [{name: last for name, [*_, last] in request.query.items()} for request in self.server.requests]
        [*_, last] = [fields["dlr-url"] for fields in asked if fields["to"].endswith(number.removeprefix("+"))]
        path, _, form = last.removeprefix("https://police.example").partition("?")
        assert form == "status=%d&id=%F&reply=%A"
        return path

    def report(self, path: str, status: str, reply: str = "") -> int:
        """Call as Kannel does."""

        async def call() -> int:
            transport = httpx.ASGITransport(app(people=self.publisher.people))
            async with httpx.AsyncClient(transport=transport, base_url="https://police.example") as client:
                return (await client.get(path, params={"status": status, "reply": reply})).status_code

        return asyncio.run(call())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[SmsDesk]:
    with ExitStack() as stack:
        yield SmsDesk(tmp_path, stack)


NO_SUCH_NUMBER = ("16", "NACK/0x0000000b/Invalid Destination Address")  # as Kannel passes it on


def test_a_number_that_does_not_exist_is_suppressed_by_a_second_receipt_on_another_day(desk: SmsDesk) -> None:
    for expected in (0, 1):
        assert desk.counts() == {Outcome.POSTED: 3}
        for _ in range(2):
            assert desk.report(desk.address_for(NUMBERS[0]), *NO_SUCH_NUMBER) == 200
        assert len(desk.publisher.people.suppressed()) == expected
        desk.clock.pass_by(2 * 86_400)
    assert desk.counts() == {Outcome.POSTED: 2, Outcome.SUPPRESSED: 1}
    [suppression] = desk.publisher.people.suppressed()
    assert suppression.channel == "sms"
    assert "612345678" not in repr(suppression)
    assert desk.publisher.people.release("06 12 34 56 78", actor="desk") == 1
    assert desk.counts() == {Outcome.POSTED: 3}


@pytest.mark.parametrize("status", ["1", "8", "4"])
def test_a_receipt_of_success_or_on_the_way_changes_nothing(desk: SmsDesk, status: str) -> None:
    desk.counts()
    before = events(desk.journal)
    assert desk.report(desk.address_for(NUMBERS[0]), status) == 200
    assert events(desk.journal) == before


def test_a_receipt_settles_the_person_in_doubt_who_has_the_message(desk: SmsDesk) -> None:
    desk.server.fail_next("*", "*", Answer(500))  # to the first of the three
    assert desk.counts() == {Outcome.POSTED: 2, Outcome.HELD: 1}
    for number in NUMBERS:
        assert desk.report(desk.address_for(number), "1") == 200
    publication = desk.publisher.operations.publication("1")
    assert publication is not None
    assert publication.on("sms").recipients == {Outcome.POSTED: 3}
    before = events(desk.journal)
    assert desk.report(desk.address_for(NUMBERS[0]), "1") == 200
    assert events(desk.journal) == before


def test_a_forged_receipt_is_not_found(desk: SmsDesk) -> None:
    desk.counts()
    path = desk.address_for(NUMBERS[0])
    before = events(desk.journal)
    for wrong in (path[:-1], f"{path}a", path.replace("/sms/", "/sns/"), "/dlr/sms/x"):
        assert desk.report(wrong, *NO_SUCH_NUMBER) == 404
    assert desk.report(path.replace("/dlr/sms", "/stop"), *NO_SUCH_NUMBER) == 404
    assert events(desk.journal) == before
