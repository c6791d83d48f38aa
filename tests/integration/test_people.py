"""People who leave, mails that come back, and what is held about a person."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from policenotify.errors import NotErasable, SettingsError
from policenotify.journal import open_journal
from policenotify.journal.clock import SystemClock
from policenotify.journal.keys import Keys
from policenotify.journal.persons.reports import SOFT_DAYS, SOFT_FOR
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.person import PersonRecord, ReportResult, Source
from policenotify.model.receipt import Publication
from policenotify.networks.registry import configure_channel
from policenotify.publishing.installation import Installation
from policenotify.publishing.people import People
from policenotify.publishing.publisher import Publisher
from policenotify.testing import FakeClock, FakeMailServer
from policenotify.testing.samples import PARIS, SENDER
from policenotify.web import app
from tests.support.bounces import ABSENCE, COMPLAINT, failure
from tests.support.installation import accident
from tests.support.journal import events
from tests.support.network_options import mail_options
from tests.support.patience import PATIENCE

ANA, BEN = "ana@journal.example", "ben@mairie.example"
DAY = 86_400
GONE, FULL = failure("5.1.1"), failure("5.2.2")


class MailDesk:
    """A publisher with two mail channels at one server."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.server = stack.enter_context(FakeMailServer())
        self.clock = FakeClock()
        self.people: tuple[str, ...] = (ANA, BEN, "chloe@c.example")
        self.journal = open_journal(
            str(folder / "journal.db"), keys=Keys.create(secrets.token_bytes), clock=self.clock, create=True
        )
        shared = {"unsubscribe": "https://police.example/stop/{token}", "bounces": "bounce@police.example"}
        press = {**mail_options(self.server), **shared}
        duty = {**shared, "url": press["url"].replace("alerte@", "permanence@")}
        channels = [
            configure_channel("press", "email", press, recipients=lambda: self.people),
            configure_channel("duty", "email", duty, recipients=lambda: self.people),
        ]
        self.publisher = stack.enter_context(
            Publisher(
                Installation(journal=self.journal, channels=channels, zone=PARIS, sender=SENDER, clock=SystemClock())
            )
        )
        self.door: People = self.publisher.people
        self.wait = 20.0
        self._count = 0

    def publish(
        self, channel: str = "press", *, stage: Stage = Stage.OPENING, incident: str | None = None
    ) -> Publication:
        self._count += 1
        lifecycle = Lifecycle(stage=stage, incident=incident or f"I{self._count}")
        return self.publisher.publish(
            accident(lifecycle=lifecycle),
            key=str(self._count),
            actor="desk",
            to=[channel] if stage in {Stage.OPENING, Stage.UPDATE} else None,
            wait=timedelta(seconds=self.wait),
        )

    def counts(self, channel: str = "press", **how: object) -> dict[Outcome, int]:
        return dict(self.publish(channel, **how).on(channel).recipients or {})  # type: ignore[arg-type]

    def sender_to(self, address: str) -> str:
        """Return the envelope's sender of the last mail to an address, to which its bounces go."""
        return self.server.mailbox(address)[-1].sender

    def comes_back(self, address: str, mail: bytes) -> ReportResult | None:
        return self.door.bounce(mail, [self.sender_to(address)]).result

    def link_to(self, address: str) -> str:
        mail = self.server.mailbox(address)[-1].message
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        found = re.fullmatch(r"<https://police\.example(/stop/[a-z2-7]+)>", str(mail["List-Unsubscribe"]))
        assert found
        return found[1]

    def click(self, path: str) -> int:
        async def post() -> int:
            transport = httpx.ASGITransport(app(people=self.door))
            async with httpx.AsyncClient(transport=transport, base_url="https://police.example") as client:
                return (await client.post(path, content=b"List-Unsubscribe=One-Click")).status_code

        return asyncio.run(post())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[MailDesk]:
    with ExitStack() as stack:
        yield MailDesk(tmp_path, stack)


# --- leaving


def test_who_leaves_by_the_link_of_a_mail_gets_nothing_more_of_that_channel(desk: MailDesk) -> None:
    desk.publish(incident="2026-1")
    link = desk.link_to(ANA)
    assert [desk.click(link), desk.click(link), desk.click(link.upper().replace("/STOP", "/stop"))] == [200] * 3
    desk.publish(stage=Stage.UPDATE, incident="2026-1")
    end = desk.publish(stage=Stage.END, incident="2026-1")
    assert end.on("press").recipients == {Outcome.POSTED: 2, Outcome.SUPPRESSED: 1}
    assert len(desk.server.mailbox(ANA)) == 1
    assert desk.counts() == {Outcome.POSTED: 2, Outcome.SUPPRESSED: 1}
    assert desk.counts("duty") == {Outcome.POSTED: 3}
    [suppression] = desk.door.suppressed()
    assert (suppression.channel, suppression.source, suppression.until) == ("press", Source.ONE_CLICK, None)
    assert "publication" in str(suppression.evidence)
    assert ANA not in repr(suppression)
    assert desk.journal.audit.verify() == 0


def test_a_link_works_after_the_publication_and_the_address_were_erased(desk: MailDesk) -> None:
    desk.publish(incident="2026-1")
    desk.publish(stage=Stage.END, incident="2026-1")
    link = desk.link_to(ANA)
    desk.clock.pass_by(400 * DAY)
    desk.journal.retention.purge(desk.clock.now(), "desk")
    assert not desk.door.export(ANA, actor="desk").address_stored_at
    assert desk.click(link) == 200
    assert desk.counts() == {Outcome.POSTED: 2, Outcome.SUPPRESSED: 1}


def test_who_left_one_list_still_gets_the_message_of_the_other(desk: MailDesk) -> None:
    """Two channels to the same people send each of them one mail, as a rule."""
    desk.publish()
    desk.click(desk.link_to(ANA))
    published = desk.publisher.publish(accident(), key="both", actor="desk", to=["press", "duty"], wait=PATIENCE)
    assert len(desk.server.mailbox(ANA)) == 2
    counts = [published.on(channel).recipients or {} for channel in ("press", "duty")]
    assert sum(each.get(Outcome.POSTED, 0) for each in counts) == 3


def test_no_two_people_or_publications_share_a_link_or_a_return_path(desk: MailDesk) -> None:
    for _ in range(2):
        desk.publish()
    mails = [mail for address in desk.people for mail in desk.server.mailbox(address)]
    assert len({str(mail.message["List-Unsubscribe"]) for mail in mails}) == len(mails) == 6
    assert len({mail.sender for mail in mails}) == 6
    assert all(len(mail.sender.partition("@")[0]) <= 64 for mail in mails)


# --- mails that come back


def test_an_address_is_gone_when_it_is_reported_on_two_days(desk: MailDesk) -> None:
    desk.publish()
    assert desk.comes_back(ANA, GONE) is ReportResult.REMEMBERED
    assert desk.comes_back(ANA, GONE) is ReportResult.REPEATED
    desk.clock.pass_by(3600)
    desk.publish()
    assert desk.comes_back(ANA, GONE) is ReportResult.REMEMBERED  # on the same day
    desk.clock.pass_by(2 * DAY)
    assert desk.counts() == {Outcome.POSTED: 3}
    assert desk.comes_back(ANA, GONE) is ReportResult.SUPPRESSED
    assert desk.counts() == {Outcome.POSTED: 2, Outcome.SUPPRESSED: 1}
    [suppression] = desk.door.suppressed("press")
    assert (suppression.source, suppression.until) == (Source.BOUNCE, None)
    assert "5.1.1" in str(suppression.evidence)
    assert desk.door.release(ANA, actor="desk") == 1
    assert desk.counts() == {Outcome.POSTED: 3}
    assert desk.journal.audit.verify() == 0


def test_a_refusal_at_once_and_a_mail_that_comes_back_count_together(desk: MailDesk) -> None:
    desk.publish()
    sender = desk.sender_to(ANA)
    desk.clock.pass_by(DAY)
    desk.server.refuse(ANA, 550, "5.1.1 no such user")
    assert desk.counts() == {Outcome.POSTED: 2, Outcome.REFUSED: 1}
    desk.clock.pass_by(1.1 * DAY)
    assert desk.door.bounce(GONE, [sender]).result is ReportResult.SUPPRESSED
    assert desk.counts() == {Outcome.POSTED: 2, Outcome.SUPPRESSED: 1}


def test_reports_older_than_thirty_days_do_not_count(desk: MailDesk) -> None:
    for _ in range(3):
        desk.publish()
        assert desk.comes_back(ANA, GONE) is ReportResult.REMEMBERED
        desk.clock.pass_by(31 * DAY)


def test_a_full_mailbox_is_left_alone_for_a_month_after_three_days(desk: MailDesk) -> None:
    results = []
    for day in range(SOFT_DAYS + 1):
        desk.publish()
        results.append(desk.comes_back(ANA, FULL))
        desk.clock.pass_by(DAY if day else 3600)
    assert results == [*[ReportResult.REMEMBERED] * SOFT_DAYS, ReportResult.SUPPRESSED]  # two of them on one day
    assert desk.counts() == {Outcome.POSTED: 2, Outcome.SUPPRESSED: 1}
    [suppression] = desk.door.suppressed()
    assert suppression.until is not None
    assert suppression.until - suppression.since == SOFT_FOR
    desk.clock.pass_by(SOFT_FOR.total_seconds())
    assert desk.door.suppressed() == ()
    assert desk.counts() == {Outcome.POSTED: 3}
    assert desk.journal.audit.verify() == 0


def test_full_mailboxes_in_more_than_ten_days_count_for_nothing(desk: MailDesk) -> None:
    for _ in range(5):
        desk.publish()
        assert desk.comes_back(ANA, FULL) is ReportResult.REMEMBERED
        desk.clock.pass_by(5.1 * DAY)


def test_a_suppression_that_has_ended_can_begin_again(desk: MailDesk) -> None:
    for _ in range(2):
        for _ in range(SOFT_DAYS):
            desk.publish()
            last = desk.comes_back(ANA, FULL)
            desk.clock.pass_by(1.5 * DAY)
        assert last is ReportResult.SUPPRESSED
        desk.clock.pass_by(60 * DAY)
    assert desk.journal.audit.verify() == 0


def test_a_complaint_suffices(desk: MailDesk) -> None:
    desk.publish()
    mail = COMPLAINT.replace(b"bounce+abc@police.example", desk.sender_to(ANA).encode())
    assert desk.door.bounce(mail).result is ReportResult.SUPPRESSED
    [suppression] = desk.door.suppressed()
    assert suppression.source is Source.COMPLAINT


def test_a_relay_that_returns_everything_silences_nobody(desk: MailDesk, caplog: pytest.LogCaptureFixture) -> None:
    desk.people = tuple(f"p{number}@x.example" for number in range(40))
    with caplog.at_level(logging.ERROR, "policenotify"):
        for _ in range(4):
            desk.publish()
            for address in desk.people:
                assert desk.comes_back(address, GONE) is ReportResult.REMEMBERED
            desk.clock.pass_by(1.1 * DAY)
    assert desk.door.suppressed() == ()
    assert "So many are a fault of the server" in caplog.text
    assert "x.example" not in caplog.text


def test_one_in_twenty_of_a_long_list_is_believed(desk: MailDesk) -> None:
    desk.people = tuple(f"p{number}@x.example" for number in range(40))
    for _ in range(2):
        desk.publish()
        last = [desk.comes_back(address, GONE) for address in desk.people[:2]]
        desk.clock.pass_by(1.1 * DAY)
    assert last == [ReportResult.SUPPRESSED] * 2
    assert desk.counts() == {Outcome.POSTED: 38, Outcome.SUPPRESSED: 2}


@pytest.mark.parametrize("mail", [ABSENCE, failure("4.4.1", action="delayed"), failure("5.7.1"), b"", b"Bonjour."])
def test_what_reports_no_failure_changes_nothing(desk: MailDesk, mail: bytes) -> None:
    desk.publish()
    before = events(desk.journal)
    assert desk.comes_back(ANA, mail) is None
    assert events(desk.journal) == before


def test_a_forged_return_path_changes_nothing(desk: MailDesk) -> None:
    desk.publish()
    sender, link = desk.sender_to(ANA), desk.link_to(ANA).rpartition("/")[2]
    before = events(desk.journal)
    for forged in ("bounce@police.example", "bounce+x@police.example", f"bounce+{link}@police.example"):
        assert desk.door.bounce(GONE, [forged]).result is ReportResult.UNKNOWN
    assert desk.door.bounce(GONE).result is ReportResult.UNKNOWN
    assert desk.click(f"/stop/{sender.partition('+')[2].partition('@')[0]}") == 404
    assert events(desk.journal) == before


# --- decisions of the service


def test_a_person_can_be_suppressed_on_one_channel_or_on_all_for_a_time(desk: MailDesk) -> None:
    until = desk.clock.now() + timedelta(days=2)
    assert desk.door.suppress(ANA.title(), actor="desk", reason="Asked by telephone.", channel="press", until=until)
    assert not desk.door.suppress(ANA, actor="desk", reason="Asked by telephone.", channel="press", until=until)
    assert desk.door.suppress(BEN, actor="desk", reason="Asked by telephone.")
    assert desk.counts() == {Outcome.POSTED: 1, Outcome.SUPPRESSED: 2}
    assert desk.counts("duty") == {Outcome.POSTED: 2, Outcome.SUPPRESSED: 1}
    desk.clock.pass_by(2 * DAY)
    assert desk.counts() == {Outcome.POSTED: 2, Outcome.SUPPRESSED: 1}
    assert [each.channel for each in desk.door.suppressed()] == [None]
    assert desk.door.suppressed("press") == desk.door.suppressed("duty") == desk.door.suppressed()
    assert desk.door.release(None, actor="desk", channel="*") == 1
    assert desk.counts() == {Outcome.POSTED: 3}
    assert desk.journal.audit.verify() == 0


def test_a_weightier_reason_replaces_a_lighter_one_and_not_the_other_way(desk: MailDesk) -> None:
    desk.publish()
    assert desk.door.suppress(
        ANA, actor="desk", reason="Away for a week.", channel="press", until=desk.clock.now() + timedelta(days=7)
    )
    assert desk.click(desk.link_to(ANA)) == 200
    assert not desk.door.suppress(ANA, actor="desk", reason="Away for a week.", channel="press")
    [suppression] = desk.door.suppressed()
    assert (suppression.source, suppression.until) == (Source.ONE_CLICK, None)


@pytest.mark.parametrize("reason", ["", "short", f"{ANA} asked for it", "she is ana@journal.example now"])
def test_a_reason_is_given_without_an_address(desk: MailDesk, reason: str) -> None:
    with pytest.raises(ValueError, match="reason"):
        desk.door.suppress(ANA, actor="desk", reason=reason)


def test_an_unknown_channel_and_nobody_at_all_are_errors(desk: MailDesk) -> None:
    with pytest.raises(SettingsError, match="is not a channel"):
        desk.door.suppress(ANA, actor="desk", reason="Asked by telephone.", channel="prss")
    with pytest.raises(SettingsError, match="is not a channel"):
        desk.door.release(ANA, actor="desk", channel="prss")
    with pytest.raises(ValueError, match="name a person or a channel"):
        desk.door.release(None, actor="desk")


def test_who_is_written_to_is_counted(desk: MailDesk) -> None:
    assert desk.door.counts() == {"press": 3, "duty": 3}
    assert not desk.door.is_suppressed(ANA, "press")
    desk.door.suppress(ANA, actor="desk", reason="Asked by telephone.", channel="press")
    assert desk.door.is_suppressed(ANA.upper(), "press")
    assert not desk.door.is_suppressed(ANA, "duty")


# --- access and erasure


def test_an_export_holds_everything_about_one_person_and_nothing_about_another(desk: MailDesk) -> None:
    assert desk.door.export(ANA, actor="desk") == PersonRecord()
    desk.publish(incident="2026-1")
    desk.server.refuse(ANA, 550, "5.1.1 no such user")
    desk.publish(stage=Stage.UPDATE, incident="2026-1")
    desk.comes_back(ANA, FULL)
    desk.click(desk.link_to(ANA))
    record = desk.door.export("Ana@JOURNAL.example", actor="desk")
    assert [(each.stage, each.outcome, each.channel) for each in record.deliveries] == [
        ("opening", Outcome.POSTED, "press"),
        ("update", Outcome.REFUSED, "press"),
    ]
    assert record.deliveries[0].headline == "Accident de la circulation"
    assert record.deliveries[1].code == "550 5.1.1"
    assert [(each.kind, each.status) for each in record.reports] == [
        ("refused", "550 5.1.1"),
        ("soft", "5.2.2"),
    ]
    assert [each.source for each in record.suppressions] == [Source.ONE_CLICK]
    assert record.address_stored_at is not None
    assert PersonRecord.model_validate_json(record.model_dump_json()) == record
    assert desk.door.export(BEN, actor="desk").suppressions == ()


def test_an_erased_person_is_unlinked_and_stays_away(desk: MailDesk) -> None:
    desk.publish(incident="2026-1")
    desk.click(desk.link_to(ANA))
    desk.door.suppress(ANA, actor="desk", reason="Asked by telephone.", channel="duty")
    desk.comes_back(ANA, FULL)
    erased = desk.door.erase(ANA, actor="desk")
    assert (erased.address, erased.deliveries, erased.ended) == (True, 1, 1)
    assert [(each.channel, each.source) for each in erased.kept] == [("press", Source.ONE_CLICK)]
    assert erased.listed == ("press", "duty")
    left = desk.door.export(ANA, actor="desk")
    assert (left.deliveries, left.reports, left.address_stored_at) == ((), (), None)
    assert len(left.suppressions) == 1
    assert desk.journal.audit.verify() == 0
    assert desk.counts() == {Outcome.POSTED: 2, Outcome.SUPPRESSED: 1}
    assert desk.counts("duty") == {Outcome.POSTED: 3}
    again = desk.door.erase(BEN, actor="desk")
    assert (again.kept, again.ended, again.deliveries) == ((), 0, 3)


def test_nobody_is_erased_while_a_publication_is_delivered_to_the_person(desk: MailDesk) -> None:
    desk.server.refuse(BEN, 451, "4.7.1 later")
    desk.wait = 0.5
    assert desk.publish().on("press").outcome is Outcome.WAITING
    for address in (ANA, BEN):
        with pytest.raises(NotErasable, match=r"Nothing was erased\."):
            desk.door.erase(address, actor="desk")
    assert desk.door.erase("someone@else.example", actor="desk").deliveries == 0
