"""The publisher with await."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from policenotify.errors import IdempotencyConflict, IncidentNotFound
from policenotify.events import Event, EventKind
from policenotify.journal.clock import SystemClock
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.location import Location
from policenotify.model.message import Message
from policenotify.publishing.aio import AsyncPublisher
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from tests.support.fake_network import Book, Hang, Scripted
from tests.support.patience import PATIENCE

MESSAGE = Message(
    category="traffic_accident",
    headline="Accident de la circulation",
    instruction="Évitez le secteur.",
    location=Location(commune="34172", street="avenue de Toulouse"),
    lifecycle=Lifecycle(stage=Stage.OPENING, incident="2026-4711"),
)


@pytest.fixture
def sky() -> Scripted:
    return Scripted()


@pytest.fixture
def publisher(tmp_path: Path, sky: Scripted) -> Iterator[Publisher]:
    clock = SystemClock()
    made = Publisher(
        Installation(
            journal=Book(tmp_path, clock).journal,
            channels=[sky.configured("sky")],
            zone=PARIS,
            sender=SENDER,
            clock=clock,
        )
    )
    yield made
    made.close()


def test_call_it_means_the_same(publisher: Publisher, sky: Scripted) -> None:
    async def desk() -> None:
        async with AsyncPublisher(publisher) as awaited:
            preview = await awaited.preview(MESSAGE)
            assert await awaited.call(lambda desk: desk.operations.blocked()) == {}
            assert preview.message == publisher.preview(MESSAGE).message
            opened = await awaited.publish(MESSAGE, key="open", actor="desk")
            assert opened.on("sky").outcome is Outcome.POSTED
            assert sky.said[0].body["text"] == preview.posts[0].standalone.text
            assert await awaited.call(lambda desk: desk.operations.incident("2026-4711")) == opened
            waiting = await awaited.publish(
                opened.update("Une voie rouverte"), key="update", actor="desk", to=None, wait=timedelta(0)
            )
            assert waiting.on("sky").outcome is Outcome.WAITING
            assert await awaited.call(lambda desk: desk.drain(timedelta(seconds=10))) is None
            [incident] = await awaited.call(lambda desk: desk.operations.incidents())
            assert incident.id == "2026-4711"

    asyncio.run(desk())
    assert len(sky.said) == 2


def test_events_reach_a_callback_in_a_thread_of_its_own(publisher: Publisher) -> None:
    posted: list[str] = []
    beside: list[bool] = []

    def note(event: Event) -> None:
        if event.kind is EventKind.POSTED:
            posted.append(event.channel)
            beside.append(threading.current_thread() is not threading.main_thread())

    async def desk() -> None:
        async with AsyncPublisher(publisher) as awaited:
            awaited.events.subscribe("radio-log", note)
            await awaited.publish(MESSAGE, key="open", actor="desk")

    asyncio.run(desk())  # closing waits for callbacks
    assert (posted, beside) == (["sky"], [True])


def test_a_connection_that_cannot_be_awaited_is_refused_in_words(publisher: Publisher) -> None:
    async def desk() -> None:
        awaited: Any = AsyncPublisher(publisher)  # as an untyped caller has it
        with (
            publisher.journal.read() as plain,
            pytest.raises(TypeError, match=r"this Connection cannot be awaited\. Nothing was sent"),
        ):
            await awaited.publish(MESSAGE, key="open", actor="desk", connection=plain)
        assert publisher.operations.publication("open") is None

    asyncio.run(desk())


def test_its_errors_are_raised_to_the_awaiting_caller(publisher: Publisher) -> None:
    async def desk() -> None:
        awaited = AsyncPublisher(publisher)
        await awaited.publish(MESSAGE, key="open", actor="desk")
        with pytest.raises(IdempotencyConflict):
            await awaited.publish(MESSAGE.model_copy(update={"headline": "Autre"}), key="open", actor="desk")
        with pytest.raises(IncidentNotFound):
            await awaited.call(lambda desk: desk.operations.incident("2026-9999"))

    asyncio.run(desk())


def test_cancelling_stops_the_waiting_and_not_the_post(publisher: Publisher, sky: Scripted) -> None:
    hang = Hang()
    sky.sends.append(hang)

    async def desk() -> None:
        publishing = asyncio.create_task(AsyncPublisher(publisher).publish(MESSAGE, key="open", actor="desk"))
        assert await asyncio.to_thread(hang.begun.wait, PATIENCE)
        publishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await publishing
        hang.go.set()
        await AsyncPublisher(publisher).call(lambda desk: desk.drain(timedelta(seconds=10)))

    asyncio.run(desk())
    told = publisher.operations.publication("open")
    assert told is not None
    assert told.on("sky").outcome is Outcome.POSTED


def test_what_is_cancelled_before_a_thread_is_free_is_published_still(publisher: Publisher, sky: Scripted) -> None:
    async def desk() -> None:
        free = threading.Event()
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        busy = asyncio.create_task(AsyncPublisher(publisher).call(lambda _desk: free.wait(PATIENCE)))
        await asyncio.sleep(0)
        publishing = asyncio.create_task(AsyncPublisher(publisher).publish(MESSAGE, key="open", actor="desk"))
        await asyncio.sleep(0)
        publishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await publishing
        free.set()
        assert await busy
        await AsyncPublisher(publisher).call(lambda desk: desk.drain(timedelta(seconds=10)))

    asyncio.run(desk())
    assert len(sky.said) == 1
