"""An application that publishes, and its test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import assert_type

import pytest

from policenotify import (
    AsyncPublisher,
    Category,
    Finding,
    IdempotencyConflict,
    Lifecycle,
    Location,
    Message,
    MessageRejected,
    Outcome,
    Preview,
    Publication,
    PublicationFailed,
    Publisher,
    Receipt,
    Severity,
    Stage,
    open_publisher,
    read,
)
from policenotify.channel import Capabilities, PostRef
from policenotify.delivery.worker import Worker
from policenotify.errors import Refused
from policenotify.testing import FakeClock, RecordedPost, Recording, recording_publisher
from policenotify.text import Budget, graphemes

ACCIDENT = Message(
    category=Category.TRAFFIC_ACCIDENT,
    severity=Severity.SEVERE,
    location=Location(commune="34172", street="avenue de Toulouse"),
    headline="Accident de la circulation",
    instruction="Évitez le secteur.",
    lifecycle=Lifecycle(stage=Stage.OPENING, incident="2026-4711"),
)


def publish(publisher: Publisher) -> Sequence[Receipt]:
    """Publish the message."""
    preview = publisher.preview(ACCIDENT)
    assert_type(preview, Preview)
    assert_type(preview.findings, tuple[Finding, ...])
    try:
        said = publisher.publish(ACCIDENT, key="1", actor="desk", to=["x"], wait=timedelta(seconds=5))
        said.raise_for_failures()
    except (MessageRejected, IdempotencyConflict) as error:
        assert_type(error, MessageRejected | IdempotencyConflict)
        return ()
    except PublicationFailed as failed:
        assert_type(failed.receipts, tuple[Receipt, ...])
        return failed.receipts
    assert_type(said, Publication)
    for receipt in said:
        assert_type(receipt, Receipt)
        assert_type(receipt.outcome, Outcome)
        assert_type(receipt.ref, PostRef | None)
    assert_type(said.end("Fin d'intervention"), Message)
    assert_type(publisher.operations.publication("1"), Publication | None)
    assert_type(publisher.drain(timedelta(seconds=1)), datetime | None)
    with publisher.worker() as worker:
        assert_type(worker, Worker)
    assert_type(read(ACCIDENT.model_dump_json()), Message)
    return said.receipts


async def publish_and_wait() -> Publication:
    """The same, awaited."""
    async with AsyncPublisher(open_publisher("policenotify.toml")) as publisher:
        return await publisher.publish(ACCIDENT, key="1", actor="desk")


@pytest.fixture
def desk() -> Iterator[Recording]:
    """Return what would have been published."""
    with recording_publisher({"x": Capabilities(budget=Budget(280, graphemes))}, clock=FakeClock()) as desk:
        yield desk


def test_it_is_published_once(desk: Recording) -> None:
    """Its test."""
    desk.fail_next("x", Refused("No."))
    publish(desk.publisher)
    desk.deliver(after=timedelta(minutes=10))
    assert_type(desk.posts, tuple[RecordedPost, ...])
    assert_type(desk.on("x")[0].parent, str | None)
    with desk.open_publisher() as another:
        assert_type(another, Publisher)
