"""The duty channels: with every reminder they get a message, and nothing else ever."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from policenotify.channel import ChannelConfig
from policenotify.errors import IdempotencyConflict, JournalError, PolicenotifyError, PublishingStopped
from policenotify.model.history import History, Target
from policenotify.model.lifecycle import IncidentStatus
from policenotify.publishing.posts import worded
from policenotify.publishing.preparation import PreparedPublication, Preparer
from policenotify.publishing.reminders import Reminder, Reminders, duty_message, duty_profile
from policenotify.render.locales import best_match

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_RUNNER = "runner"  # the actor of what the delivery itself does
_log = logging.getLogger("policenotify")


@dataclass(slots=True, kw_only=True)
class DutyNotifier:
    """Reminds the desk of what it owes, and tells the duty channels.

    Attributes:
        journal: Where the messages to them are written.
        deciding: How these read.
        reminders: What is owed.
    """

    journal: Journal
    deciding: Preparer
    reminders: Reminders
    _done: frozenset[str] = field(default=frozenset(), init=False)  # what they have been told, or never will be

    def run(self) -> None:
        """Raise each reminder that is due, and journal the messages; they are delivered like all others."""
        standing = self.reminders.raise_due()
        for reminder in standing:
            if reminder.key not in self._done:
                self._tell(reminder)
        self._done &= {reminder.key for reminder in standing}

    def _tell(self, reminder: Reminder) -> None:
        """Journal the message to the duty channels, once for all processes; they are the only ones it can go to."""
        reminding = self.reminders.reminding
        channels = [self.deciding.channels[name] for name in reminding.to]
        channels = [self.deciding.learned(channel) for channel in channels if channel.exercise == reminder.exercise]
        try:
            if channels:
                self._publish(reminder, channels)
        except PublishingStopped:
            return  # to be said when all goes on
        except IdempotencyConflict:
            pass  # another process, with other settings, has said it
        except JournalError:
            raise
        except PolicenotifyError as error:
            _log.error("The duty channel is not told of %s: %s", reminder.incident, error)  # its trace tells nothing
        self._done |= {reminder.key}

    def _publish(self, reminder: Reminder, channels: Sequence[ChannelConfig]) -> None:
        at, language = self.journal.now(), channels[0].languages[0]
        publication = self.deciding.ulid(at)
        reminding = self.reminders.reminding
        words = best_match(language, self.deciding.locales) or next(iter(self.deciding.locales.values()))
        message = duty_message(
            reminder, language=language, words=words, phrases=reminding.words, zone=self.deciding.zone
        )
        profile = duty_profile(reminding, reminder.level)
        message = self.deciding.resolved(message, profile, None, History())
        named = {one.name: one for one in channels}
        meant = [Target(channel=one.name, account=one.account, language=language) for one in channels]
        legs, pending, readers = self.deciding.set_apart(meant, named, History())
        scene = partial(self.deciding.scene, message=message, profile=profile, history=History(), pictures=(), at=at)
        wordings, wordless = worded(legs, named, scene, publication, at, elsewhere=bool(pending))
        made = PreparedPublication(
            message=message,
            digest=message.digest(),
            profile=profile,
            history=History(),
            course=IncidentStatus.STANDALONE,
            sequence=0,
            findings=(),
            pictures=(),
            wordings=wordings,
            wordless=wordless,
            pending=pending,
            readers=readers,
        )
        self.journal.publications.add(self.deciding.draft(made, publication, key=reminder.key, actor=_RUNNER, at=at))
