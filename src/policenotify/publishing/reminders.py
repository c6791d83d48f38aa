"""Overdue-incident reminders, raised until something is published on the incident.

They never announce that a danger is over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from policenotify.channel import ChannelConfig
from policenotify.delivery.telemetry import span
from policenotify.errors import IdempotencyConflict, JournalError, PolicenotifyError, PublishingStopped
from policenotify.log import fields
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import STANDALONE
from policenotify.model.message import Message
from policenotify.model.receipt import local_time
from policenotify.render.locales import CategoryProfile, Locale, best_match
from policenotify.translation import Text

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal
    from policenotify.publishing.preparation import Preparer

_ACTOR = "runner"  # of what delivery itself publishes
_FIRST = 20  # reminders of which each is a message of its own: more, and nobody reads them
_log = logging.getLogger("policenotify")

CATEGORY = "duty_reminder"
"""The category of a message to the duty channels. No route matches it, and no desk publishes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderPolicy:
    """When reminders are raised, and on which channels they are published.

    Attributes:
        after: How long after the deadline each reminder is raised, in rising order. The default, at once, after 15
            minutes and after an hour, is our own choice. No standard gives one.
        every: The interval of the further reminders after the last of these.
        to: The names of the duty channels. Each gets a message with every reminder, and nothing else. Reminders of an
            exercise go only to duty channels for exercises.
    """

    after: tuple[timedelta, ...] = (timedelta(0), timedelta(minutes=15), timedelta(hours=1))
    every: timedelta = timedelta(hours=4)
    to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rising = all(delay < longer for delay, longer in zip(self.after, self.after[1:], strict=False))
        if not self.after or self.after[0] < timedelta(0) or not rising:
            raise ValueError(Text("after: give one time or more, each longer than the one before"))
        if self.every < timedelta(minutes=1):
            raise ValueError(Text("every: give a minute or more"))

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
        headline: The headline of its opening, or of the urgent publication.
        place: Its place, in short.
        due_at: The deadline.
        at: When the reminder was raised.
        level: Number of the reminder for this deadline, from 1.
        others: How many further overdue incidents it stands for.
        publication: The publication whose second reading is owed. Empty if an end or update is.
    """

    incident: str
    category: str
    headline: str
    place: str
    due_at: datetime
    at: datetime
    level: int
    exercise: bool
    others: int = 0
    publication: str = ""

    @property
    def lateness(self) -> timedelta:
        """The time since the deadline."""
        return self.at - self.due_at

    @property
    def key(self) -> str:
        """The publication key: one for each incident or second reading, deadline and level."""
        what = f"second reading of {self.publication}" if self.publication else self.incident
        return f"reminder {self.level} of {what}, due {self.due_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"

    def without_incident(self) -> str:
        """Return its text for the log: all but the incident's id, which is the desk's own."""
        return str(self) if self.publication else f"{replace(self, incident='…')} See: policenotify incidents"

    @property
    def text(self) -> Text:
        """The reminder in one or two sentences."""
        if self.publication:
            return Text(
                "Publication {publication} ({category}) went out urgently, and its second reading has been "
                "overdue since {due_at}, reminder {level}. Read it: policenotify drafts {publication}",
                publication=self.publication,
                category=self.category,
                due_at=local_time(self.due_at, UTC),
                level=self.level,
            )
        return Text(
            "Incident {incident} ({category}) has been overdue since {due_at}, reminder {level}: its end "
            "or an update is owed.{text}",
            incident=self.incident,
            category=self.category,
            due_at=local_time(self.due_at, UTC),
            level=self.level,
            text=Text.counted(
                " {count} more is overdue: policenotify incidents",
                " {count} more are overdue: policenotify incidents",
                count=self.others,
            )
            if self.others
            else "",
        )

    def __str__(self) -> str:
        return str(self.text)


@dataclass(slots=True, kw_only=True)
class Reminders:
    """Raises reminders, each level of each deadline once across all processes.

    The 20 incidents with the earliest deadlines have reminders of their own, exercises apart. That of the next one
    stands for all others, so that the work and the messages stay few.

    Attributes:
        on_overdue: Called with each reminder that this process raises, in the thread that drains.
    """

    journal: Journal
    policy: ReminderPolicy
    on_overdue: Callable[[Reminder], object] | None = None

    def raise_due(self) -> tuple[Reminder, ...]:
        """Raise the reminders that are due.

        Of several that fell due while no process was running, only the last is raised.

        Returns:
            The current reminder of each overdue incident and second reading.
        """
        now = self.journal.now()
        ends = [reminder for exercise in (False, True) for reminder in self._raise_due(now, exercise=exercise)]
        return (*ends, *self._raise_readings(now))

    def _raise_readings(self, now: datetime) -> Iterator[Reminder]:
        """Yield the current reminders of second readings. An urgent publication is rare, and so are they."""
        for draft in self.journal.drafts.owed(_FIRST):
            due, message = draft.second_due_at, draft.message
            level = self.policy.level_after(now - due) if due else 0
            if due is None or level == 0:
                continue
            reminder = Reminder(
                incident=message.incident or draft.publication or draft.id,
                category=message.category,
                headline=message.headline,
                place="",
                due_at=due,
                at=now,
                level=max(level, draft.reminders),
                exercise=message.exercise,
                publication=draft.publication or draft.id,
            )
            if level > draft.reminders and self.journal.drafts.record_reminder(draft.id, due, level):
                self._notify(reminder)
            yield reminder

    def _raise_due(self, now: datetime, *, exercise: bool) -> Iterator[Reminder]:
        incidents, first = self.journal.incidents, now - self.policy.after[0]
        if not (overdue := incidents.count_overdue(first, exercise=exercise)):
            return
        lines = incidents.earliest_due(_FIRST + 1, exercise=exercise)
        for place, line in enumerate(lines):
            level = self.policy.level_after(now - line.due_at) if line.due_at else 0
            if line.due_at is None or level == 0:
                continue
            others = overdue - len(lines) if place == _FIRST else 0
            reminder = Reminder(
                incident=line.id,
                category=line.category,
                headline=line.headline,
                place=line.place,
                due_at=line.due_at,
                at=now,
                level=max(level, line.reminders),
                exercise=line.exercise,
                others=max(0, others),
            )
            if level > line.reminders and self.journal.incidents.record_reminder(line.id, line.due_at, level):
                self._notify(reminder)
            yield reminder

    def _notify(self, reminder: Reminder) -> None:
        about = reminder.publication or None
        _log.warning("%s", reminder.without_incident(), extra=fields("overdue", publication=about))
        if self.on_overdue is None:
            return
        try:
            self.on_overdue(reminder)
        except Exception as error:  # noqa: BLE001 - a host's own function must not keep posts from going out
            _log.error("Reminder %d: on_overdue raised %s.", reminder.level, type(error).__name__)  # no trace


@dataclass(slots=True, kw_only=True)
class DutyNotifier:
    """Raises the reminders that are due, and publishes each on the duty channels."""

    journal: Journal
    preparer: Preparer
    reminders: Reminders
    _done: frozenset[str] = field(default=frozenset(), init=False)  # keys published, or never to be

    def run(self) -> bool:
        """Raise the reminders and store the messages, which are then delivered like all others.

        Returns:
            Whether a message was stored.
        """
        current = self.reminders.raise_due()
        stored = [self._publish(reminder) for reminder in current if reminder.key not in self._done]
        self._done &= {reminder.key for reminder in current}
        return any(stored)

    def _publish(self, reminder: Reminder) -> bool:
        """Store the message to the duty channels, once across all processes. Return whether this one did."""
        configs = [self.preparer.channels[name] for name in self.reminders.policy.to]
        configs = [config for config in configs if config.exercise == reminder.exercise]
        channels = {
            # A retired duty channel still gets reminders. Each gets them once, in the language of the first.
            config.name: config.model_copy(update={"retired": False, "languages": configs[0].languages[:1]})
            for config in configs
        }
        stored = bool(channels)
        try:
            if channels:
                with span("remind", attributes={"policenotify.level": reminder.level}):
                    self._store(reminder, channels)
        except PublishingStopped:
            return False  # published after `resume`
        except IdempotencyConflict:
            stored = False  # another process, with other settings, has published it
        except JournalError:
            raise
        except PolicenotifyError as error:
            stored = False
            _log.error("A reminder was not published: %s", error)  # its trace adds nothing
        self._done |= {reminder.key}
        return stored

    def _store(self, reminder: Reminder, channels: Mapping[str, ChannelConfig]) -> None:
        policy, locales = self.reminders.policy, self.preparer.locales
        language = next(iter(channels.values())).languages[0]
        locale = best_match(language, locales) or next(iter(locales.values()))
        message = duty_message(reminder, language=language, locale=locale, zone=self.preparer.zone)
        profiles = {CATEGORY: duty_profile(policy, reminder.level, locales)}
        preparer = replace(self.preparer, channels=channels, duty_channels=(), routes=(), profiles=profiles, checks=())
        self.journal.publications.add(preparer.prepare(message, key=reminder.key, actor=_ACTOR, to=tuple(channels)))


def duty_message(reminder: Reminder, *, language: str, locale: Locale, zone: tzinfo) -> Message:
    """Return the message to the duty channels, the same in every process."""
    phrase = locale.reminder
    since = locale.date_and_time(reminder.due_at, reminder.due_at, zone)
    place = f" ({reminder.place})" if reminder.place else ""
    others = f" (+ {reminder.others})" if reminder.others else ""
    headline = phrase.reading_headline if reminder.publication else phrase.headline
    return Message(
        category=CATEGORY,
        severity=Severity.SEVERE,
        headline=headline.format(incident=reminder.incident, since=since) + others,
        description=phrase.description.format(number=reminder.level, headline=reminder.headline, place=place),
        instruction=phrase.reading_instruction if reminder.publication else phrase.instruction,
        language=language,
        exercise=reminder.exercise,
        lifecycle=STANDALONE,
    )


def duty_profile(policy: ReminderPolicy, level: int, locales: Mapping[str, Locale]) -> CategoryProfile:
    """Return the category of that message. It expires when the next reminder is due."""
    return CategoryProfile(
        code=CATEGORY,
        labels={language: locale.reminder.label for language, locale in locales.items()},
        emoji="⏰",
        lifetime=policy.delay(level + 1) - policy.delay(level),
    )
