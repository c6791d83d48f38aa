"""What leaves the library while it works: log records and events. None holds a text, an address, a token or an id.

Every sample is published, and the networks answer with failures that quote all of these.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from policenotify.errors import Blocked, PolicenotifyError, Refused, Unavailable, Unconfirmed
from policenotify.events import Event
from policenotify.journal import open_journal
from policenotify.journal.keys import Keys
from policenotify.log import LOG_FIELDS, JsonFormatter, TextFormatter
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.publishing.reminders import ReminderPolicy
from policenotify.testing.fakes import FakeClock
from policenotify.testing.publisher import _RealPace
from policenotify.testing.samples import PARIS, SAMPLES, SENDER
from tests.support.fake_network import MAIL, Scripted
from tests.support.installation import ADDRESSES

TOKEN = "AAAAAAAAAAAAAAAAAAAAAMLheAAAAAAA0%2BuSeid"
PHONE = "+33612345678"
INCIDENT = "DISPATCH-2026-4711"
PERSON = "claire.durand@police.example"
QUOTED = f"{ADDRESSES[0]} {PHONE} {TOKEN} {INCIDENT} "
EVENTS = {
    "published",
    "refused_by_check",
    "posted",
    "refused",
    "held",
    "blocked",
    "overdue",
}


def _failures(text: str) -> Iterator[Exception | None]:
    """Yield what networks answer that quote everything, again and again."""
    said = QUOTED + text
    return cycle(
        (
            None,
            Refused(said, remedy=said, code=ADDRESSES[0]),
            Unconfirmed(said, code=TOKEN),
            Unavailable(said, remedy=said, code=PHONE, retry_at=None),
            Refused(said, remedy=said, code=said),
            ValueError(said),
            Blocked(said, remedy=said, code=PHONE),
        )
    )


def _words(message: Any) -> list[str]:
    """Return the words of a message that would be a text if they were quoted."""
    texts = (message.headline, message.description, message.instruction)
    return [text for text in texts if text and len(text) > 8]


def _lines(caplog: pytest.LogCaptureFixture) -> str:
    """Return all that is logged, in both forms, with every field of ours."""
    form, plain = JsonFormatter(), TextFormatter()
    return "\n".join(
        f"{form.format(record)}\n{plain.format(record)}\n{[getattr(record, name, None) for name in LOG_FIELDS]}"
        for record in caplog.records
    )


def _quoted(said: str, forbidden: list[str]) -> list[str]:
    escaped = [json.dumps(each, ensure_ascii=False)[1:-1] for each in forbidden]
    return [each for each in (*forbidden, *escaped) if each in said]


def test_no_sample_and_no_failure_shows_in_log_or_events(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "policenotify")
    clock, events = FakeClock(), list[Event]()
    sky, mail = Scripted(account="police34"), Scripted(account="alerte", capabilities=MAIL, people=list(ADDRESSES))
    forbidden = [TOKEN, PHONE, INCIDENT, PERSON, *ADDRESSES]
    journal = open_journal(
        str(tmp_path / "journal.db"), keys=Keys.create(secrets.token_bytes), clock=clock, create=True
    )
    publisher = Publisher(
        Installation(
            journal=journal,
            channels=[sky.configured("sky", on_unknown="hold"), mail.configured("mail")],
            zone=PARIS,
            sender=SENDER,
            clock=_RealPace(clock),
            reminders=ReminderPolicy(),
            on_event={"recorder": events.append},
        )
    )
    failures = _failures("")
    with closing(publisher):
        for number, sample in enumerate(SAMPLES):
            stage = sample.message.stage
            lifecycle = Lifecycle(stage=Stage.OPENING, incident=f"{INCIDENT}-{number}") if number % 2 else None
            changes: dict[str, Any] = {"lifecycle": lifecycle or Lifecycle(stage=Stage.STANDALONE)}
            message = sample.message.model_copy(update=changes)
            forbidden += _words(message)
            step, answer = next(failures), next(failures)
            if step is not None:
                sky.sends.append(step)
            if answer is not None:
                mail.sends.append(answer)
            key = f"{PERSON} {INCIDENT} {number} {stage}"
            with suppress(PolicenotifyError):  # a sample that the checks refuse
                publisher.publish(message, key=key, actor=PERSON, wait=timedelta(0))
            for _ in range(2):
                publisher.drain(timedelta(seconds=2))
                clock.pass_by(1800)
            for channel in journal.channels.blocked():
                journal.resume(PERSON, channel)
        assert publisher.events.close(30)  # a busy machine
    told = [event.kind for event in events]
    assert set(told) >= EVENTS - {"refused_by_check"}, sorted(set(told))
    assert _quoted("\n".join(event.model_dump_json() for event in events), forbidden) == []
    assert _quoted(_lines(caplog), forbidden) == []
    logged = [getattr(record, "event", None) for record in caplog.records]
    assert set(logged) >= {"published", "posted", "refused", "held", "blocked", "overdue"}
    levels = {getattr(record, "event", None): record.levelname for record in caplog.records}
    expected = {"published": "INFO", "posted": "INFO", "refused": "WARNING", "held": "WARNING", "blocked": "ERROR"}
    assert levels.items() >= (expected.items() - {("posted", "INFO")})
