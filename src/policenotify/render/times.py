"""How the times of a message read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.render.locales.category import CategoryProfile
from policenotify.render.locales.phrases import Locale
from policenotify.text.comparison import contains_words

_WEEK: Final = 7


@dataclass(frozen=True, slots=True)
class TimeFormatter:
    """Tells times in one language, as seen from one moment in one zone.

    Attributes:
        words: The language's.
        now: When the message is said.
        zone: The readers' zone.
    """

    words: Locale
    now: datetime
    zone: tzinfo

    def holds(self, message: Message, profile: CategoryProfile, headline: str) -> str:
        """Since, from or from when until when what is said holds, to go with the headline; empty when it says so.

        Where the headline says the time, but not of which other day, only the day is told. Only for what belongs to
        incidents: a campaign's times are when it may be sent, and its author words the rest.
        """
        start, end = message.starts_at, message.expires_at
        if start is None or not _timed(message, profile):
            return ""
        if contains_words(headline, self.words.time(start, self.zone)):
            return "" if self._day_said(start, headline) else self.words.date(start, self.now, self.zone)
        if message.stage is Stage.END:
            return self._tell("over", start)
        if end is not None and message.stage is not Stage.CANCELLATION:
            return self.words.tell_span(start, end, self.now, self.zone)
        return self._tell("starting" if start > self.now else "since", start)

    def outlook(self, message: Message, profile: CategoryProfile, said: str, typed: str) -> str:
        """When the desk will say more, else until when it holds; empty when that is said or does not apply.

        Args:
            message: The message.
            profile: What its category means.
            said: What the post says before.
            typed: What of it the desk wrote itself: since when it holds, told by us, is no promise of news.
        """
        final = message.stage in {Stage.END, Stage.CANCELLATION}
        if message.next_update_at and not final and not self._said(message.next_update_at, typed):
            return self._tell("next_update", message.next_update_at)
        until = None if message.next_update_at else message.expires_at
        if until and not final and _timed(message, profile) and not self._said(until, said):
            return self._tell("until", until)
        return ""

    def facts(self, message: Message, profile: CategoryProfile) -> tuple[tuple[str, str], ...]:
        """All times with their labels, days named: for a mail, which may be read tomorrow."""
        words, timed = self.words, _timed(message, profile)
        ended = message.stage in {Stage.END, Stage.CANCELLATION}
        start = message.starts_at if timed else None
        over = message.stage is Stage.END
        begun = words.mail_over if over else words.mail_starting if start and start > self.now else words.mail_since
        told = (
            (begun, start),
            (words.mail_until, message.expires_at if timed and not ended else None),
            (words.mail_next_update, message.next_update_at if not ended else None),
            (words.mail_issued, self.now),
        )
        return tuple((label, words.full(moment, self.now, self.zone)) for label, moment in told if moment)

    def context(self, headline: str, at: datetime) -> str:
        """What a later message refers to."""
        return self._tell("context", at, headline=headline, colon=self.words.colon)

    def withdraws(self, stage: Stage, at: datetime) -> str:
        """Return what a correction or cancellation takes back: the time of that message, none of its words."""
        return self._tell("context_correction" if stage is Stage.CORRECTION else "context_cancellation", at)

    def _tell(self, phrase: str, moment: datetime, **more: str) -> str:
        return self.words.tell(getattr(self.words, phrase), moment, self.now, self.zone, **more)

    def _said(self, moment: datetime, text: str) -> bool:
        return contains_words(text, self.words.time(moment, self.zone)) and self._day_said(moment, text)

    def _day_said(self, moment: datetime, text: str) -> bool:
        """Whether readers know the day: it is today, or the text names it, or only its weekday in the days around."""
        there = moment.astimezone(self.zone)
        away = abs((there.date() - self.now.astimezone(self.zone).date()).days)
        weekday, date = self.words.weekdays[there.weekday()], self.words.date(moment, self.now, self.zone)
        named = (date, date.replace(weekday, ""), *([weekday] if away < _WEEK else ()))
        return not away or any(contains_words(text, name) for name in named)


def _timed(message: Message, profile: CategoryProfile) -> bool:
    return profile.opens_incident or message.incident is not None
