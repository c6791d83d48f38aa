"""Callbacks for events: called at least once, and never in the way of a delivery."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from policenotify.delivery import event_reader
from policenotify.delivery.event_reader import EventReader
from policenotify.errors import JournalError
from policenotify.events import Event, EventKind
from policenotify.journal import open_journal
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from tests.support.fake_network import Book, Scripted
from tests.support.installation import accident
from tests.support.patience import LONG, PATIENCE

NAME = "back-office"


class Told:
    """A callback that keeps what it is told."""

    def __init__(self, does: Callable[[Event], object] = lambda _event: None) -> None:
        self.events: list[Event] = []
        self.changed = threading.Condition()
        self._does = does

    def __call__(self, event: Event) -> None:
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()
        self._does(event)

    def wait_for(self, count: int) -> list[str]:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.events) >= count, timeout=PATIENCE), self.events
            return [event.kind for event in self.events]


@pytest.fixture
def reader(book: Book) -> Iterator[EventReader]:
    reader = EventReader(book.journal)
    yield reader
    reader.close(0)


def _publisher(book: Book, network: Scripted | None = None, **how: Any) -> Publisher:
    journal = open_journal(str(book.path), keys=book.keys)
    channels = [(network or Scripted()).configured("sky")]
    return Publisher(Installation(journal=journal, channels=channels, zone=PARIS, sender=SENDER, wait=LONG, **how))


def _opening(number: int) -> Message:
    return accident(lifecycle=Lifecycle(stage=Stage.OPENING, incident=f"I{number}"))


# --- what a host sees


def test_a_callback_is_told_what_is_published_and_posted(book: Book) -> None:
    told = Told()
    with closing(_publisher(book, on_event={NAME: told})) as publisher:
        published = publisher.publish(accident(), key="k1", actor="desk")
        assert told.wait_for(2) == ["published", "posted"]
    first, posted = told.events
    assert first.kind is EventKind.PUBLISHED
    assert posted.kind is EventKind.POSTED
    assert {first.publication, posted.publication} == {published.id}
    assert posted.delivery == published.on("sky").delivery


def test_what_one_process_publishes_the_worker_of_another_tells(book: Book) -> None:
    told, later = Told(), Told()
    with closing(_publisher(book, on_event={NAME: told})) as one, closing(_publisher(book)) as other, one.worker():
        deadline = time.monotonic() + PATIENCE
        while not one.events._subscriptions[NAME].known:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        other.publish(accident(), key="k1", actor="desk", wait=timedelta(0))
        assert told.wait_for(2) == ["published", "posted"]
        other.journal.audit.record("desk", "blocked", {}, channel="sky")
        assert told.wait_for(3) == ["published", "posted", "blocked"]
    with closing(_publisher(book, on_event={NAME: later})) as publisher:
        publisher.drain(timedelta(seconds=1))
    assert later.events == []


def test_what_a_process_could_not_tell_the_next_one_tells(book: Book) -> None:
    with closing(_publisher(book, on_event={NAME: Told()})) as publisher:
        publisher.publish(accident(), key="k1", actor="desk", wait=timedelta(0))
    told = Told()
    with closing(_publisher(book, on_event={NAME: told})) as publisher:
        publisher.drain(timedelta(seconds=1))
    assert told.wait_for(2) == ["published", "posted"]


def test_two_processes_with_one_subscriber_tell_it_once(book: Book) -> None:
    told, numbers = Told(), range(20)
    with (
        closing(_publisher(book, on_event={NAME: told})) as one,
        closing(_publisher(book, on_event={NAME: told})) as other,
        one.worker(),
        other.worker(),
    ):
        for publisher in (one, other):
            publisher.events.register()
        for number in numbers:
            (one, other)[number % 2].publish(_opening(number), key=f"k{number}", actor="desk", wait=timedelta(0))
        told.wait_for(2 * len(numbers))
    events = [(event.number, event.kind) for event in told.events]
    assert len(events) == len(set(events))
    assert sum(event in {"published", "posted"} for _, event in events) == 2 * len(numbers)


# --- a callback that fails


def test_a_callback_that_hangs_delays_no_delivery(book: Book, caplog: pytest.LogCaptureFixture) -> None:
    go, also = threading.Event(), Told()
    hanging = Told(lambda _event: go.wait(PATIENCE))
    with closing(_publisher(book, on_event={NAME: hanging, "radio-log": also})) as publisher:
        for number in range(3):
            began = time.monotonic()
            published = publisher.publish(_opening(number), key=f"k{number}", actor="desk")
            assert published.on("sky").ok
            assert time.monotonic() - began < PATIENCE / 2
        assert also.wait_for(6) == ["published", "posted"] * 3
        assert hanging.wait_for(1) == ["published"]
        began = time.monotonic()
        assert not publisher.events.close(0.1)
        assert time.monotonic() - began < PATIENCE / 2
        go.set()
    assert len(hanging.events) == 1
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_callback_that_raises_is_called_again_until_it_has_the_event(
    book: Book, reader: EventReader, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_reader, "_POLL", 0.001)

    def fail(_event: Event) -> None:
        if len(told.events) < 6:
            raise SystemExit("token=abc") if len(told.events) == 1 else ValueError("token=abc")

    told = Told(fail)
    reader.subscribe(NAME, told)
    reader.register()
    for _ in range(2):
        book.publish("sky")
    reader.wake()
    told.wait_for(7)
    assert reader.close()
    *failed, last = (event.number for event in told.events)
    first = told.events[0].number
    assert failed == [first] * 6
    assert first < last
    begin = "Subscriber back-office of events waits: the callback raised"
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, f"{begin} SystemExit for event {first} (published)."),
        (logging.WARNING, f"{begin} ValueError for event {first} (published)."),
    ]
    assert "abc" not in caplog.text


def test_what_is_not_handed_over_when_it_closes_comes_next_time(book: Book, reader: EventReader) -> None:
    begun, go = threading.Event(), threading.Event()

    def wait(_event: Event) -> None:
        begun.set()
        go.wait(PATIENCE)

    told, rest = Told(wait), Told()
    reader.subscribe(NAME, told)
    reader.register()
    for _ in range(3):
        book.publish("sky")
    reader.wake()
    assert begun.wait(PATIENCE)
    assert not reader.close(0)
    go.set()
    _until(lambda: not _lives(reader))
    reader.wake()  # is closed
    later = EventReader(book.journal)
    later.subscribe(NAME, rest)
    later.wake()
    rest.wait_for(2)
    assert later.close()
    assert [event.number for event in (*told.events, *rest.events)] == sorted(
        event.number for event in (*told.events, *rest.events)
    )
    assert len({event.number for event in (*told.events, *rest.events)}) == 3


def test_a_slow_callback_keeps_its_events(book: Book, reader: EventReader) -> None:
    """Another process may not take them over meanwhile, and what was handed over is recorded."""
    other = EventReader(book.journal)
    told, also = Told(lambda _event: book.pass_by(40)), Told()
    for each, callback in ((reader, told), (other, also)):
        each.subscribe(NAME, callback)
        each.register()
    for _ in range(5):
        book.publish("sky")
    reader.wake()
    told.wait_for(1)
    other.wake()
    told.wait_for(5)
    assert reader.close()
    assert other.close()
    assert also.events == []


# --- a journal or a machine that fails


def test_a_journal_that_fails_is_reported_once_and_read_again(
    book: Book, reader: EventReader, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, fails, failures = Told(), threading.Event(), list[Any]()
    take = book.journal.subscribers.take

    def broken(which: str) -> Any:
        if fails.is_set():
            failures.append(which)
            raise JournalError("The disk is full.")
        return take(which)

    monkeypatch.setattr(book.journal.subscribers, "take", broken)
    reader.subscribe(NAME, told)
    reader.register()
    fails.set()
    for count in range(3):
        reader.wake()
        _until(lambda: len(failures) > count)  # noqa: B023 - called at once
    assert [record.getMessage() for record in caplog.records] == [
        "Subscriber back-office of events waits: The disk is full."
    ]
    fails.clear()
    book.publish("sky")
    reader.wake()
    told.wait_for(1)


def test_a_journal_that_cannot_be_written_does_not_keep_a_message_back(
    book: Book, reader: EventReader, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_name: str) -> bool:
        raise JournalError("The disk is full.")

    monkeypatch.setattr(book.journal.subscribers, "add", broken)
    reader.subscribe(NAME, Told())
    reader.register()
    assert "The disk is full." in caplog.text


# --- threads


def test_an_event_is_found_without_being_woken(
    book: Book, reader: EventReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_reader, "_POLL", 0.01)
    told = Told()
    reader.subscribe(NAME, told)
    reader.register()
    reader.wake()
    book.publish("sky")
    told.wait_for(1)
    book.publish("sky")
    told.wait_for(2)
    assert reader.close(PATIENCE)
    assert not _lives(reader)


@pytest.mark.parametrize("name", ["", "Back", "a@b"])
def test_a_wrong_name_is_refused(reader: EventReader, name: str) -> None:
    with pytest.raises(ValueError, match="is not a name of a subscriber"):
        reader.subscribe(name, Told())


def test_a_name_has_one_callback(reader: EventReader) -> None:
    reader.subscribe(NAME, Told())
    with pytest.raises(ValueError, match="is subscribed already"):
        reader.subscribe(NAME, Told())


def _lives(reader: EventReader) -> bool:
    thread = reader._subscriptions[NAME].thread
    return thread is not None and thread.is_alive()


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
