"""The end is owed: the desk is reminded of each open incident whose deadline has passed, until somebody speaks.

It never says that a danger is over by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from policenotify.model.cap import Severity
from policenotify.model.lifecycle import STANDALONE
from policenotify.model.message import Message
from policenotify.render.locales import CategoryProfile, Locale, best_match
from policenotify.render.locales.duty import DUTY, ReminderPhrases

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal
    from policenotify.journal.records import IncidentLine

_log = logging.getLogger("policenotify")

CATEGORY = "duty_reminder"
"""The category of a message to the duty channel; no route takes it, and no desk says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderPolicy:
    """When the desk is reminded of a word that it owes, and where.

    Attributes:
        after: How long after the deadline each reminder is raised, the first one first. By default at once, after a
            quarter of an hour, and after an hour: our own choice, for there is no standard of it.
        every: How long after the last of these, and after each further one, another follows, until somebody speaks.
        to: The duty channels, by name: each gets a message with every reminder, and nothing else ever. What is an
            exercise is told on those for exercises only. None: nobody is written to.
        words: The phrases of that message, by language.
    """

    after: tuple[timedelta, ...] = (timedelta(0), timedelta(minutes=15), timedelta(hours=1))
    every: timedelta = timedelta(hours=4)
    to: tuple[str, ...] = ()
    words: Mapping[str, ReminderPhrases] = field(default_factory=lambda: DUTY)

    def __post_init__(self) -> None:
        rising = all(one < other for one, other in zip(self.after, self.after[1:], strict=False))
        if not self.after or self.after[0] < timedelta(0) or not rising:
            raise ValueError("after: give one time or more, each longer than the one before")
        if self.every < timedelta(minutes=1):
            raise ValueError("every: give a minute or more")

    def level(self, late: timedelta) -> int:
        """Which reminder is due after so long, from 1; 0: none yet."""
        further = (late - self.after[-1]) // self.every if late >= self.after[-1] else 0
        return sum(one <= late for one in self.after) + further

    def late(self, level: int) -> timedelta:
        """How long after the deadline this reminder is due."""
        within = min(level, len(self.after))
        return self.after[within - 1] + (level - within) * self.every


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """A word is owed on an open incident, and its deadline has passed.

    Attributes:
        incident: The incident's id.
        category: What it is about.
        headline: What its opening said.
        place: Where, in short.
        due_at: Until when the word was owed.
        at: When the reminder was raised.
        level: Which one it is, from 1: the higher, the longer the public has heard nothing.
        exercise: It is an exercise.
    """

    incident: str
    category: str
    headline: str
    place: str
    due_at: datetime
    at: datetime
    level: int
    exercise: bool

    @property
    def late(self) -> timedelta:
        """For how long the word had been owed."""
        return self.at - self.due_at

    @property
    def key(self) -> str:
        """Names it for ever: one for each incident, deadline and level."""
        return f"reminder {self.level} of {self.incident}, due {self.due_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"

    def __str__(self) -> str:
        return (
            f"Incident {self.incident} ({self.category}) is overdue since {self.due_at.astimezone(UTC):%Y-%m-%d %H:%M} "
            f"UTC, reminder {self.level}: its end or an update is owed."
        )

    @classmethod
    def of(cls, line: IncidentLine, due_at: datetime, level: int, at: datetime) -> Reminder:
        """The reminder of an incident."""
        return cls(
            incident=line.id,
            category=line.category,
            headline=line.headline,
            place=line.place,
            due_at=due_at,
            at=at,
            level=level,
            exercise=line.exercise,
        )


@dataclass(slots=True, kw_only=True)
class Reminders:
    """Raises them: each level of each deadline once, whichever process comes first.

    Attributes:
        journal: Where it is written down that one was raised.
        reminding: When.
        on_overdue: Called with each one that this process raises, in the thread that drains.
    """

    journal: Journal
    reminding: ReminderPolicy
    on_overdue: Callable[[Reminder], object] | None = None

    def next_at(self) -> datetime | None:
        """When one is due next; `None`: nothing is owed."""
        return min(
            (due + self.reminding.late(level + 1) for due, level in self.journal.incidents.deadlines()), default=None
        )

    def raise_due(self) -> tuple[Reminder, ...]:
        """Raise what is due; returns for each overdue incident the last reminder that was raised, by whomever.

        What fell due while nobody was delivering is raised once, at the level that it has reached by now.
        """
        now = self.journal.now()
        if not any(due + self.reminding.after[0] <= now for due, _ in self.journal.incidents.deadlines()):
            return ()
        found = []
        for line in self.journal.incidents.list():
            level = self.reminding.level(now - line.due_at) if line.due_at else 0
            if line.due_at is None or level == 0:
                continue
            reminder = Reminder.of(line, line.due_at, max(level, line.reminders), now)
            if level > line.reminders and self.journal.incidents.record_reminder(line.id, line.due_at, level):
                self._tell(reminder)
            found.append(reminder)
        return tuple(found)

    def _tell(self, reminder: Reminder) -> None:
        _log.warning("%s", reminder)
        if self.on_overdue is None:
            return
        try:
            self.on_overdue(reminder)
        except Exception as error:  # noqa: BLE001 - a host's own function must not keep posts from going out
            _log.error("The reminder of %s was not taken: %s.", reminder.incident, type(error).__name__)  # no trace


def duty_message(
    reminder: Reminder, *, language: str, words: Locale, phrases: Mapping[str, ReminderPhrases], zone: tzinfo
) -> Message:
    """What the duty channel is told. The same reminder gives the same message, in every process."""
    said = best_match(language, phrases) or DUTY["fr"]
    since = words.date_and_time(reminder.due_at, reminder.due_at, zone)
    place = f" ({reminder.place})" if reminder.place else ""
    return Message(
        category=CATEGORY,
        severity=Severity.SEVERE,
        headline=said.headline.format(incident=reminder.incident, since=since),
        description=said.description.format(number=reminder.level, headline=reminder.headline, place=place),
        instruction=said.instruction,
        language=language,
        exercise=reminder.exercise,
        lifecycle=STANDALONE,
    )


def duty_profile(reminding: ReminderPolicy, level: int) -> CategoryProfile:
    """How that message is worded; it is of no use any more once the next one is due."""
    return CategoryProfile(
        code=CATEGORY,
        labels={language: said.label for language, said in reminding.words.items()} or {"fr": DUTY["fr"].label},
        emoji="⏰",
        lifetime=reminding.late(level + 1) - reminding.late(level),
    )
