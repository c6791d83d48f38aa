"""The times of a message in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.render.locales.locale import Locale, Phrase
from policenotify.text.comparison import contains_words

_WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class TimeFormatter:
    """Writes the times of a message in one language.

    Days are named as seen from the time of publication in the readers' zone. Only incidents have a period: the times of
    a campaign are when it may be sent.
    """

    message: Message
    of_incident: bool
    locale: Locale
    now: datetime
    zone: tzinfo

    @property
    def _is_final(self) -> bool:
        return self.message.stage in {Stage.END, Stage.CANCELLATION}

    def period(self, headline: str) -> str:
        """Return when the message holds, to go with the headline.

        Empty if the headline states it. If the headline names the time but not the other day, only the day is returned.
        """
        locale, start, end = self.locale, self.message.starts_at, self.message.expires_at
        if start is None or not self.of_incident:
            return ""
        if contains_words(headline, locale.time(start, self.zone)):
            return "" if self._names_day(headline, start) else locale.date(start, self.now, self.zone)
        if self.message.stage is Stage.END:
            return self._fill(locale.ended, start)
        if end is not None and self.message.stage is not Stage.CANCELLATION:
            return locale.span(start, end, self.now, self.zone)
        return self._fill(locale.starting if start > self.now else locale.since, start)

    def validity(self, text: str, typed: str) -> str:
        """Return the time of the next update, else until when it holds, if needed.

        Args:
            text: The text of the post so far.
            typed: The part of it that the desk wrote. A time that we added is not a promise of news.
        """
        update, until = self.message.next_update_at, self.message.expires_at
        if self._is_final:
            return ""
        if update:
            promise = self._fill(self.locale.next_update, update)
            return "" if contains_words(typed, promise) else promise
        if until and self.of_incident and not self._names(text, until):
            return self._fill(self.locale.until, until)
        return ""

    def facts(self) -> tuple[tuple[str, str], ...]:
        """Return all times with their labels, and with days, for a mail."""
        locale, message = self.locale, self.message
        start = message.starts_at if self.of_incident else None
        label = locale.mail_starting if start and start > self.now else locale.mail_since
        facts = (
            (locale.mail_ended if message.stage is Stage.END else label, start),
            (locale.mail_until, message.expires_at if self.of_incident and not self._is_final else None),
            (locale.mail_next_update, None if self._is_final else message.next_update_at),
            (locale.mail_issued, self.now),
        )
        return tuple((name, locale.date_and_time(moment, self.now, self.zone)) for name, moment in facts if moment)

    def back_reference(self, headline: str, at: datetime) -> str:
        """Return what a later message refers to."""
        return self._fill(self.locale.context, at, headline=headline, colon=self.locale.colon)

    def withdrawal(self, at: datetime) -> str:
        """Return what a correction or cancellation takes back, by its time."""
        correction = self.message.stage is Stage.CORRECTION
        return self._fill(self.locale.context_correction if correction else self.locale.context_cancellation, at)

    def _fill(self, phrase: Phrase, moment: datetime, **values: str) -> str:
        return self.locale.fill(phrase, moment, self.now, self.zone, **values)

    def _names(self, text: str, moment: datetime) -> bool:
        return contains_words(text, self.locale.time(moment, self.zone)) and self._names_day(text, moment)

    def _names_day(self, text: str, moment: datetime) -> bool:
        """Return True if the day is today or named in the text, nearby ones by weekday."""
        local = moment.astimezone(self.zone)
        distance = abs((local.date() - self.now.astimezone(self.zone).date()).days)
        weekday, date = self.locale.weekdays[local.weekday()], self.locale.date(moment, self.now, self.zone)
        names = (date, date.replace(weekday, ""), *([weekday] if distance < _WEEK else ()))
        return not distance or any(contains_words(text, name) for name in names)
