"""The times of a message in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.render.locales.category import CategoryProfile
from policenotify.render.locales.locale import Locale
from policenotify.text.comparison import contains_words

_FINAL: Final = frozenset({Stage.END, Stage.CANCELLATION})
_WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class TimeFormatter:
    """Writes times in one language, as seen from one moment in the readers' zone."""

    locale: Locale
    now: datetime
    zone: tzinfo

    def period(self, message: Message, profile: CategoryProfile, headline: str) -> str:
        """Return when the message holds, to go with the headline. Empty if the headline states it.

        If the headline names the time but not the other day, only the day is returned. Only incidents have a period:
        the times of a campaign are when it may be sent.
        """
        start, end = message.starts_at, message.expires_at
        if start is None or not _has_period(message, profile):
            return ""
        if contains_words(headline, self.locale.time(start, self.zone)):
            return "" if self._names_day(headline, start) else self.locale.date(start, self.now, self.zone)
        if message.stage is Stage.END:
            return self._fill("ended", start)
        if end is not None and message.stage is not Stage.CANCELLATION:
            return self.locale.span(start, end, self.now, self.zone)
        return self._fill("starting" if start > self.now else "since", start)

    def validity(self, message: Message, profile: CategoryProfile, text: str, typed: str) -> str:
        """Return the time of the next update, else until when the message holds. Empty if neither is needed.

        Args:
            message: The message.
            profile: What its category means.
            text: The text of the post so far.
            typed: The part of it that the desk wrote. A time that we added is not a promise of news.
        """
        final, update = message.stage in _FINAL, message.next_update_at
        if update and not final and not self._names(typed, update):
            return self._fill("next_update", update)
        until = None if update else message.expires_at
        if until and not final and _has_period(message, profile) and not self._names(text, until):
            return self._fill("until", until)
        return ""

    def facts(self, message: Message, profile: CategoryProfile) -> tuple[tuple[str, str], ...]:
        """Return all times with their labels and days, for a mail, which may be read tomorrow."""
        locale, has_period, final = self.locale, _has_period(message, profile), message.stage in _FINAL
        start = message.starts_at if has_period else None
        label = locale.mail_starting if start and start > self.now else locale.mail_since
        facts = (
            (locale.mail_ended if message.stage is Stage.END else label, start),
            (locale.mail_until, message.expires_at if has_period and not final else None),
            (locale.mail_next_update, None if final else message.next_update_at),
            (locale.mail_issued, self.now),
        )
        return tuple((name, locale.date_and_time(moment, self.now, self.zone)) for name, moment in facts if moment)

    def back_reference(self, headline: str, at: datetime) -> str:
        """Return what a later message refers to."""
        return self._fill("context", at, headline=headline, colon=self.locale.colon)

    def withdrawal(self, stage: Stage, at: datetime) -> str:
        """Return what a correction or cancellation takes back: the time of that message, none of its words."""
        return self._fill("context_correction" if stage is Stage.CORRECTION else "context_cancellation", at)

    def _fill(self, phrase: str, moment: datetime, **values: str) -> str:
        return self.locale.fill(getattr(self.locale, phrase), moment, self.now, self.zone, **values)

    def _names(self, text: str, moment: datetime) -> bool:
        return contains_words(text, self.locale.time(moment, self.zone)) and self._names_day(text, moment)

    def _names_day(self, text: str, moment: datetime) -> bool:
        """Return True if readers know the day: today, a date in the text, or a weekday of the days around."""
        local = moment.astimezone(self.zone)
        distance = abs((local.date() - self.now.astimezone(self.zone).date()).days)
        weekday, date = self.locale.weekdays[local.weekday()], self.locale.date(moment, self.now, self.zone)
        names = (date, date.replace(weekday, ""), *([weekday] if distance < _WEEK else ()))
        return not distance or any(contains_words(text, name) for name in names)


def _has_period(message: Message, profile: CategoryProfile) -> bool:
    return profile.opens_incident or message.incident is not None
