"""What comes back about people, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from policenotify.channel import TokenPurpose
from policenotify.journal.lists.recipients import recipient_key
from policenotify.journal.persons.tokens import make_token
from policenotify.model.history import Outcome
from policenotify.model.person import ReportResult, Source
from tests.support.journal import Desk

A, B, C = "ana@journal.example", "ben@mairie.example", "+33612345678"
DAY = 86_400


def _token(desk: Desk, address: str, purpose: TokenPurpose = "bounce", *, delivery: int = 1) -> str:
    return make_token(desk.keys, purpose, delivery=delivery, recipient=recipient_key(desk.keys, address))


def _publish(desk: Desk, incident: str = "I1") -> None:
    desk.publish(incident=incident, channels=("mail",), people={"mail": [A, B, C]})
    assert sorted(desk.mail()) == sorted([A, B, C])


@pytest.mark.databases
@pytest.mark.parametrize("address", [A, C])
def test_a_second_report_on_another_day_suppresses(desk: Desk, address: str) -> None:
    _publish(desk)
    add = desk.journal.reports.add
    assert add(_token(desk, address), "bounce", "gone", "5.1.1") is ReportResult.REMEMBERED
    assert add(_token(desk, address), "bounce", "gone", "5.1.1") is ReportResult.REPEATED
    desk.clock.pass_by(1.1 * DAY)
    _publish(desk, "I2")
    assert add(_token(desk, address, delivery=3), "bounce", "gone", "5.1.1") is ReportResult.SUPPRESSED
    desk.publish(incident="I3", channels=("mail",), people={"mail": [A, B, C]})
    assert address not in desk.mail()
    assert desk.journal.audit.verify() == 0


def test_a_report_of_another_channel_purpose_or_delivery_is_not_taken(desk: Desk) -> None:
    _publish(desk)
    add = desk.journal.reports.add
    assert add(_token(desk, A), "bounce", "gone", channel="sky") is ReportResult.UNKNOWN
    assert add(_token(desk, A, "stop"), "bounce", "gone") is ReportResult.UNKNOWN
    assert add(_token(desk, A, delivery=77), "bounce", "gone") is ReportResult.UNKNOWN
    assert desk.journal.people.export([A], "desk").reports == ()


@pytest.mark.databases
def test_clicks_at_once_leave_once(desk: Desk) -> None:
    _publish(desk)
    token = _token(desk, A, "stop")
    with ThreadPoolExecutor(4) as pool:
        results = [*pool.map(desk.journal.reports.leave, [token] * 8)]
    assert sorted(results) == [ReportResult.REPEATED] * 7 + [ReportResult.SUPPRESSED]
    [suppression] = desk.journal.suppressions.list("mail")
    assert suppression.source is Source.ONE_CLICK
    assert desk.journal.audit.verify() == 0


def test_one_address_is_no_list_of_them(desk: Desk) -> None:
    _publish(desk)
    before, suppressions = desk.dump(), desk.journal.suppressions
    for refused in (
        lambda: desk.journal.people.export(A, "desk"),
        lambda: desk.journal.people.erase(A, "desk"),
        lambda: suppressions.add(A, None, "desk", evidence="Asked by telephone."),
        lambda: suppressions.release(None, A, "desk"),
    ):
        with pytest.raises(TypeError, match="list of addresses"):
            refused()
    assert desk.dump() == before


@pytest.mark.databases
def test_a_person_is_exported_and_erased(desk: Desk) -> None:
    _publish(desk)
    desk.journal.reports.add(_token(desk, A), "bounce", "soft", "4.2.2")
    desk.journal.reports.leave(_token(desk, A, "stop"))
    record = desk.journal.people.export([A], "desk")
    assert [each.outcome for each in record.deliveries] == [Outcome.POSTED]
    assert [each.status for each in record.reports] == ["4.2.2"]
    erased = desk.journal.people.erase([A], "desk")
    assert (erased.address, erased.deliveries, erased.ended, len(erased.kept)) == (True, 1, 0, 1)
    left = desk.journal.people.export([A], "desk")
    assert (left.deliveries, left.reports, left.address_stored_at) == ((), (), None)
    assert desk.journal.audit.verify() == 0
