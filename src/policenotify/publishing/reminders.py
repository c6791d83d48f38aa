"""Overdue-incident reminders, raised until something is published on the incident.

They never announce that a danger is over.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BeforeValidator, model_validator

from policenotify.log import fields
from policenotify.model.channel_settings import Name
from policenotify.model.lifecycle import FrozenModel
from policenotify.model.receipt import local_time
from policenotify.translation import Text

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_FIRST = 20  # reminders of which each is a message of its own: more, and nobody reads them
_log = logging.getLogger("policenotify")


class ReminderPolicy(FrozenModel):
    """When reminders are raised, and on which channels they are published.

    Attributes:
        after: How long after the deadline each reminder is raised, in rising order.
        every: The interval of the further reminders after the last of these.
        to: The names of the duty channels. Each gets a message with every reminder, and nothing else. Reminders of an
            exercise go only to duty channels for exercises.
    """

    after: tuple[timedelta, ...] = (timedelta(0), timedelta(minutes=15), timedelta(hours=1))
    every: timedelta = timedelta(hours=4)
    to: Annotated[tuple[Name, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)] = ()

    @model_validator(mode="after")
    def _rises(self) -> Self:
        rising = all(delay < longer for delay, longer in zip(self.after, self.after[1:], strict=False))
        if not self.after or self.after[0] < timedelta(0) or not rising:
            raise ValueError(Text("after: give one time or more, each longer than the one before"))
        if self.every < timedelta(minutes=1):
            raise ValueError(Text("every: give a minute or more"))
        return self

    def level_after(self, lateness: timedelta) -> int:
        """Return the number of the reminder due so long after the deadline, or 0."""
        further = (lateness - self.after[-1]) // self.every if lateness >= self.after[-1] else 0
        return sum(delay <= lateness for delay in self.after) + further

    def delay(self, level: int) -> timedelta:
        """Return how long after the deadline this reminder is due."""
        listed = min(level, len(self.after))
        return self.after[listed - 1] + (level - listed) * self.every


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """An open incident whose deadline has passed, or an urgent publication whose second reading is owed.

    Attributes:
        incident: The incident's id. For a second reading outside incidents that of the publication.
        headline: The headline that holds now, or that of the urgent publication.
        place: Its place, in short.
        due_at: The deadline.
        level: Number of the reminder for this deadline, from 1.
        others: How many further overdue incidents it stands for.
        publication: The publication whose second reading is owed. Empty if an end or update is.
    """

    incident: str
    headline: str
    place: str
    due_at: datetime
    level: int
    exercise: bool
    others: int = 0
    publication: str = ""

    @property
    def key(self) -> str:
        """The publication key: one for each incident or second reading, deadline and level."""
        what = f"second reading of {self.publication}" if self.publication else self.incident
        return f"reminder {self.level} of {what}, due {self.due_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def raise_due(journal: Journal, policy: ReminderPolicy) -> tuple[Reminder, ...]:
    """Raise the reminders that are due, each level of each deadline once across all processes.

    Of several that fell due while no process was running, only the last is raised. The 20 incidents with the earliest
    deadlines have reminders of their own, exercises apart. That of the next one stands for all others, so that the
    work and the messages stay few.

    Returns:
        The current reminder of each overdue incident and second reading.
    """
    now = journal.now()
    ends = [each for exercise in (False, True) for each in _raise_ends(journal, policy, now, exercise=exercise)]
    return (*ends, *_raise_readings(journal, policy, now))


def _raise_readings(journal: Journal, policy: ReminderPolicy, now: datetime) -> Iterator[Reminder]:
    """Yield the current reminders of second readings. An urgent publication is rare, and so are they."""
    for draft in journal.drafts.owed(_FIRST):
        due, message = draft.second_due_at, draft.message
        if due is None or not (level := policy.level_after(now - due)):
            continue
        publication = draft.publication or draft.id
        if level > draft.reminders and journal.drafts.record_reminder(draft.id, due, level):
            _log.warning(
                "Publication %s (%s) went out urgently, and its second reading has been overdue since %s, reminder %d.",
                publication,
                message.category,
                local_time(due, UTC),
                level,
                extra=fields("overdue", publication=publication),
            )
        yield Reminder(
            incident=message.incident or publication,
            headline=message.headline,
            place="",
            due_at=due,
            level=max(level, draft.reminders),
            exercise=message.exercise,
            publication=publication,
        )


def _raise_ends(journal: Journal, policy: ReminderPolicy, now: datetime, *, exercise: bool) -> Iterator[Reminder]:
    incidents = journal.incidents
    if not (overdue := incidents.count_open(due_by=now - policy.after[0], exercise=exercise)):
        return
    lines = incidents.earliest_due(_FIRST + 1, exercise=exercise)
    for place, line in enumerate(lines):
        if line.due_at is None or not (level := policy.level_after(now - line.due_at)):
            continue
        if level > line.reminders and incidents.record_reminder(line.id, line.due_at, level):
            _log.warning(  # an incident's id is the desk's own
                "An incident (%s) has been overdue since %s, reminder %d: its end or an update is owed.",
                line.category,
                local_time(line.due_at, UTC),
                level,
                extra=fields("overdue"),
            )
        yield Reminder(
            incident=line.id,
            headline=line.headline,
            place=line.place,
            due_at=line.due_at,
            level=max(level, line.reminders),
            exercise=line.exercise,
            others=max(0, overdue - len(lines)) if place == _FIRST else 0,
        )
