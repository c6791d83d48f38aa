"""The messages to the duty channels, one for each reminder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo

from policenotify.channel import ChannelConfig
from policenotify.delivery.telemetry import span
from policenotify.errors import IdempotencyConflict, JournalError, PolicenotifyError, PublishingStopped
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import STANDALONE
from policenotify.model.message import Message
from policenotify.publishing.arguments import PublishOptions
from policenotify.publishing.images import LoadedMessage
from policenotify.publishing.installation import Installation
from policenotify.publishing.preparation import prepare
from policenotify.publishing.reminders import Reminder, ReminderPolicy, raise_due
from policenotify.render.locales import CategoryProfile, Locale, best_match

_ACTOR = "runner"  # of what delivery itself publishes
_log = logging.getLogger("policenotify")

CATEGORY = "duty_reminder"
"""The category of a message to the duty channels. No route matches it, and no desk publishes it."""


@dataclass(slots=True)
class DutyNotifier:
    """Raises the reminders that are due, and publishes each on the duty channels."""

    installation: Installation
    _done: frozenset[str] = field(default=frozenset(), init=False)  # keys published, or never to be

    def run(self) -> bool:
        """Raise the reminders and store the messages, which are then delivered like all others.

        Returns:
            Whether a message was stored.
        """
        current = raise_due(self.installation.journal, self.installation.reminders)
        stored = [self._publish(reminder) for reminder in current if reminder.key not in self._done]
        self._done &= {reminder.key for reminder in current}
        return any(stored)

    def _publish(self, reminder: Reminder) -> bool:
        """Store the message to the duty channels, once across all processes. Return whether this one did."""
        configs = [self.installation.channel_configs[name] for name in self.installation.reminders.to]
        configs = [config for config in configs if config.exercise == reminder.exercise]
        channels = [
            # A retired duty channel still gets reminders. Each gets them once, in the language of the first.
            config.model_copy(update={"retired": False, "languages": configs[0].languages[:1]})
            for config in configs
        ]
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

    def _store(self, reminder: Reminder, channels: Sequence[ChannelConfig]) -> None:
        installation, policy = self.installation, self.installation.reminders
        locales, language = installation.locales, channels[0].languages[0]
        locale = best_match(language, locales) or next(iter(locales.values()))
        message = duty_message(reminder, language=language, locale=locale, zone=installation.zone)
        alone = replace(
            installation,
            channels=channels,
            routes=(),
            profiles={
                CATEGORY: CategoryProfile(
                    code=CATEGORY,
                    labels={language: locale.reminder.label for language, locale in locales.items()},
                    emoji="⏰",
                    # It expires when the next reminder is due.
                    lifetime=policy.delay(reminder.level + 1) - policy.delay(reminder.level),
                )
            },
            checks=(),
            reminders=ReminderPolicy(),  # on its own channels it is a message like any other
        )
        options = PublishOptions(key=reminder.key, actor=_ACTOR, to=[channel.name for channel in channels])
        installation.journal.publications.add(prepare(alone, LoadedMessage(message), options))


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
