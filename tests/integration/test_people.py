"""People who leave, mails that come back, and what is held about a person."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from policenotify.errors import NotErasable
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.model.person import PersonRecord, ReportResult, Source
from tests.support.bounces import ABSENCE, COMPLAINT, failure
from tests.support.journal import events
from tests.support.mail_desk import ANA, BEN, DAY, MailDesk

GONE, FULL = failure("5.1.1"), failure("5.2.2")


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
    assert (suppression.channel, suppression.source) == ("press", Source.ONE_CLICK)
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
    assert suppression.source is Source.BOUNCE
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


def test_a_full_mailbox_is_written_to_again(desk: MailDesk) -> None:
    for _ in range(4):
        desk.publish()
        assert desk.comes_back(ANA, FULL) is ReportResult.REMEMBERED
        desk.clock.pass_by(1.1 * DAY)
    assert desk.counts() == {Outcome.POSTED: 3}
    assert desk.door.suppressed() == ()


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


def test_a_person_can_be_suppressed_on_one_channel_or_on_all(desk: MailDesk) -> None:
    assert desk.door.suppress(ANA.title(), actor="desk", reason="Asked by telephone.", channel="press")
    assert not desk.door.suppress(ANA, actor="desk", reason="Asked by telephone.", channel="press")
    assert desk.door.suppress(BEN, actor="desk", reason="Asked by telephone.")
    assert desk.counts() == {Outcome.POSTED: 1, Outcome.SUPPRESSED: 2}
    assert desk.counts("duty") == {Outcome.POSTED: 2, Outcome.SUPPRESSED: 1}
    assert desk.door.release(ANA, actor="desk") == 1
    assert desk.counts() == {Outcome.POSTED: 2, Outcome.SUPPRESSED: 1}
    assert [each.channel for each in desk.door.suppressed()] == [None]
    assert desk.door.suppressed("press") == desk.door.suppressed("duty") == desk.door.suppressed()
    assert desk.door.release(None, actor="desk", channel="*") == 1
    assert desk.counts() == {Outcome.POSTED: 3}
    assert desk.journal.audit.verify() == 0


@pytest.mark.parametrize("reason", ["", "short", f"{ANA} asked for it", "she is ana@journal.example now"])
def test_a_reason_is_given_without_an_address(desk: MailDesk, reason: str) -> None:
    with pytest.raises(ValueError, match="reason"):
        desk.door.suppress(ANA, actor="desk", reason=reason)


def test_who_is_written_to_is_counted(desk: MailDesk) -> None:
    assert desk.door.counts() == {"press": 3, "duty": 3}


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
