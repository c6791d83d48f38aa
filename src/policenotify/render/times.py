"""The times of a message in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final, Literal

from policenotify.model.lifecycle import Stage
from policenotify.model.locale import Locale, Phrase
from policenotify.model.message import Message
from policenotify.render.sentences import upper_first
from policenotify.text.comparison import contains_words, fold

_WEEK: Final = 7
_STOPS: Final = tuple(".,;:!?…")


@dataclass(frozen=True, slots=True)
class TimeFormatter:
    """Writes the times of a message in one language.

    Days are named as seen from the time of publication in the readers' zone. Outside incidents, an end without a start
    is not shown: until then the message may be sent.

    `start` is what the start of an event of its category is; see `CategoryProfile`.
    """

    message: Message
    of_incident: bool
    locale: Locale
    now: datetime
    zone: tzinfo
    start: Literal["since", "last_seen", "occurred"] = "since"

    @property
    def _until(self) -> datetime | None:
        """Until when it holds, if that is of use to readers."""
        return self.message.expires_at if self.of_incident or self.message.starts_at else None

    @property
    def _is_final(self) -> bool:
        return self.message.stage in {Stage.END, Stage.CANCELLATION}

    def period(self, headline: str) -> str:
        """Return when the message holds, with the space or comma before it after a headline.

        Empty if the headline states it. If the headline names the time but not the other day, only the day is returned,
        and without its weekday if the headline ends with that.
        """
        stage, start, end = self.message.stage, self.message.starts_at, self.message.expires_at
        if start is None:
            return ""
        is_to_come = start > self.now
        if self._names_time(headline, start):  # Braderie à 9h, samedi 6 juin
            return "" if self._names_day(headline, start) else self._after(headline, self._date(start), separator=", ")
        if stage is Stage.END:  # Rue rouverte à 18h
            return self._after_end(headline, start)
        if end and stage is not Stage.CANCELLATION and (is_to_come or self.start == "since"):  # Rue fermée, de 9h à 17h
            return self._after(headline, self.locale.span(start, end, self.now, self.zone), separator=", ")
        begun: Phrase = getattr(self.locale, self.start)
        period = self._fill(self.locale.starting if is_to_come else begun, start)
        if self.start == "since" and stage not in {Stage.OPENING, Stage.STANDALONE}:  # Une voie fermée depuis 17h
            return f" {period}"
        return f", {period}"

    def _after_end(self, headline: str, end: datetime) -> str:
        """Return when it ended. A denial did not take place at a time, so that the time is a sentence of its own."""
        locale = self.locale
        if not any(contains_words(headline, word) for word in locale.negations):
            return self._after(headline, self._fill(locale.ended, end))
        is_today = locale.date(end, self.now, self.zone) == locale.date(self.now, self.now, self.zone)
        time = locale.time(end, self.zone) if is_today else locale.date_and_time(end, self.now, self.zone)
        return f". {locale.mail_ended}{locale.colon}{time}"

    def _after(self, headline: str, period: str, *, separator: str = " ") -> str:
        """Return a period after a headline, and no weekday twice: `braderie samedi 6 juin`."""
        words = fold(headline).split()
        first, _, rest = period.partition(" ")
        twice = bool(words) and fold(first) == words[-1] and fold(first) in map(fold, self.locale.weekdays)
        return f" {rest}" if twice and rest else f"{separator}{period}"

    @staticmethod
    def dated(text: str, period: str, *, comma: bool = False) -> str:
        """Return a text with the period of its headline.

        Args:
            text: The headline with what was added to it.
            period: As `period` returns it.
            comma: Something was added after the headline, so that a comma separates the period.
        """
        if period.startswith("."):
            return f"{text.rstrip('.')}{period}"
        bare = period.lstrip(", ")
        if bare and text.endswith(_STOPS):
            return f"{text} {upper_first(bare)}"
        return f"{text}, {bare}" if bare and comma else f"{text}{period}"

    def validity(self, text: str, typed: str) -> str:
        """Return the time of the next update, else until when it holds, if needed.

        Args:
            text: The text of the post so far.
            typed: The part of it that the desk wrote. A time that we added is not a promise of news.
        """
        start, update, until = self.message.starts_at, self.message.next_update_at, self._until
        if self._is_final:
            return ""
        if update:
            promise = self._fill(self.locale.next_update, update)
            return "" if contains_words(typed, promise) else promise
        if until and not (self._names_time(text, until) and self._names_day(text, until)):
            whole = self.locale.span(start, until, self.now, self.zone) if start else ""
            return "" if whole and contains_words(text, whole) else self._fill(self.locale.until, until)
        return ""

    def facts(self) -> tuple[tuple[str, str], ...]:
        """Return all times with their labels, and with days, for a mail."""
        locale, message = self.locale, self.message
        start = message.starts_at
        labels = {"since": locale.mail_since, "last_seen": locale.mail_last_seen, "occurred": locale.mail_occurred}
        label = locale.mail_starting if start and start > self.now else labels[self.start]
        facts = (
            (locale.mail_ended if message.stage is Stage.END else label, start),
            (locale.mail_until, None if self._is_final else self._until),
            (locale.mail_next_update, None if self._is_final else message.next_update_at),
            (locale.mail_issued, self.now),
        )
        return tuple((name, locale.date_and_time(moment, self.now, self.zone)) for name, moment in facts if moment)

    def _fill(self, phrase: Phrase, moment: datetime) -> str:
        return self.locale.fill(phrase, moment, self.now, self.zone)

    def _date(self, moment: datetime) -> str:
        return self.locale.date(moment, self.now, self.zone)

    def _names_time(self, text: str, moment: datetime) -> bool:
        """Return True if a text names the time of day, however it is typed: `17h30`, `17 h 30`, `17:30`."""
        local, own = moment.astimezone(self.zone), self.locale.time(moment, self.zone)
        if local.replace(fold=1 - local.fold).utcoffset() != local.utcoffset():
            return contains_words(text, own)  # in the hour that comes twice, only this form is clear
        hour, minute = local.hour, f"{local.minute:02d}"
        # No part of a longer number, such as 04 99 17 30 00, and of no other time, such as 17 h 45.
        forms = [rf"{hour}\s?[hH]\s?{minute}", rf"(?<![\d:][: .]){hour}:{minute}"]
        forms += [] if local.minute else [rf"{hour}\s?(?:[hH]|heures)(?!\s?\d)"]
        typed = re.search(rf"(?<!\d)(?:{'|'.join(forms)})(?!\d)", text)
        return typed is not None or (":" not in own and contains_words(text, own))

    def _names_day(self, text: str, moment: datetime) -> bool:
        """Return True if the day is today or named in the text, nearby ones by weekday."""
        local = moment.astimezone(self.zone)
        distance = abs((local.date() - self.now.astimezone(self.zone).date()).days)
        weekday, date = self.locale.weekdays[local.weekday()], self._date(moment)
        names = (date, date.replace(weekday, ""), *([weekday] if distance < _WEEK else ()))
        return not distance or any(contains_words(text, name) for name in names)
