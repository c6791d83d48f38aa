"""Receipts and errors describe what is under way, with times in the right zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.receipt import PublicationFailed
from policenotify.publishing.arguments import PublishOptions
from policenotify.publishing.images import LoadedMessage
from policenotify.publishing.preparation import prepare
from policenotify.testing.servers.http import Answer
from tests.support.installation import INCIDENT, Desk, accident
from tests.support.patience import LONG

PUT = ("POST", "/xrpc/com.atproto.repo.putRecord")
NOUMEA = ZoneInfo("Pacific/Noumea")  # eleven hours ahead of UTC, all the year


def test_all_times_of_a_receipt_are_in_the_zone_of_the_installation(desk: Desk) -> None:
    desk.bluesky.fail_next(*PUT, Answer.rate_limited(retry_after=3_600))
    publisher = desk.publisher(zone=NOUMEA, backoff=lambda _age: timedelta(hours=1))
    publication = publisher.publish(accident(), key="open", actor="desk", wait=LONG)
    receipt = publication.on("bluesky")
    assert receipt.outcome is Outcome.WAITING
    with pytest.raises(PublicationFailed) as raised:
        publication.raise_for_failures()
    told = str(raised.value)
    times = [datetime.fromisoformat(found).replace(tzinfo=NOUMEA) for found in re.findall(r"\d{4}-\S+ \d\d:\d\d", told)]
    assert "Not before" in told
    assert len(times) >= 2
    assert "UTC" not in told
    now = datetime.now(UTC)
    assert all(now - timedelta(minutes=5) < at < now + timedelta(hours=2) for at in times)


def test_an_undelivered_message_has_no_time_of_delivery(desk: Desk) -> None:
    publication = desk.publisher().publish(accident(), key="open", actor="desk", wait=timedelta(0))
    note = publication.on("bluesky").note
    assert note == "The next publish or `policenotify drain` sends it; none has run yet."


def test_a_delivery_to_a_blocked_channel_is_not_announced_for_the_next_drain(desk: Desk) -> None:
    desk.bluesky.closed = "suspended"
    publisher = desk.publisher()
    publication = publisher.publish(accident(), key="open", actor="desk")
    note = publication.on("bluesky").note
    assert note == "It waits until the channel may go on: policenotify doctor, or policenotify resume bluesky"
    publisher.journal.stop("desk", "Piratage")
    stopped = publisher.operations.publication("open")
    assert stopped is not None
    assert str(stopped.on("bluesky").note) == "It waits, for everything is stopped. Go on with: policenotify resume"
    without = desk.publisher([desk.by_mail()]).operations.publication("open")  # the channel was removed meanwhile
    assert without is not None
    assert without.on("bluesky").note == stopped.on("bluesky").note


def test_a_faster_process_is_not_a_journal_error(desk: Desk) -> None:
    from policenotify.cli.errors import error_report  # noqa: PLC0415 - the same
    from policenotify.cli.exit_codes import Exit  # noqa: PLC0415 - of this test alone
    from policenotify.journal.publications import IncidentChanged  # noqa: PLC0415 - the same

    publisher = desk.publisher()
    publisher.publish(accident(), key="open", actor="desk", wait=timedelta(0))
    message = accident(headline="Une voie rouverte", lifecycle=Lifecycle(stage=Stage.UPDATE, incident=INCIDENT))
    drafts = [
        prepare(publisher.installation, LoadedMessage(message), PublishOptions(key=key, actor="desk"))
        for key in ("one", "two")
    ]
    publisher.journal.publications.add(drafts[0])
    with pytest.raises(IncidentChanged) as raised:
        publisher.journal.publications.add(drafts[1])
    assert raised.value.incident == INCIDENT
    told = error_report(raised.value, may_have_published=True, command="update")
    assert (told.exit, told.published) == (Exit.REJECTED, "no")
    assert str(told.text).startswith("Nothing was sent. Other desks keep publishing")
