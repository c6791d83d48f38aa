"""The fixed phrases of a language, and how it tells the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from policenotify.model.lifecycle import Stage


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase with a time in it: how it reads on the day itself, and on another day.

    Attributes:
        today: With `{time}`: `Prochain point à {time}`.
        other_day: With `{day}` and `{time}`: `Prochain point {day} à {time}`.
    """

    today: str
    other_day: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Locale:
    """The fixed phrases of one language. Values only; names in braces are filled in.

    Attributes:
        language: BCP 47.
        version: Goes up with every change of a phrase, or is a digest of them all; journalled with each message.
        marks: The word that marks each stage after the opening.
        emojis: The sign of each stage; an opening and a standalone message have it when their category has none.
        ongoing: Added to the headline of a live event's opening: `en cours`.
        exercise: The mark of an exercise: one word.
        exercise_notice: The same as a sentence, for a mail.
        colon: Between a place and what is said of it.
        dash: Between a place and a headline.
        place_joint: Between a headline and a street.
        lowers_after_colon: Whether a sentence goes on with a small letter after a colon.
        sets_spaces: Whether no line may break at a space before `: ; ! ? »`, after `«`, and between a number and its
            unit, as in French; write plain spaces here.
        direction: With `{direction}`: which way of a road.
        sharp: With `{hour}`: a full hour.
        clock: With `{hour}` and `{minute}`: any other time.
        day: With `{weekday}`, `{day}` and `{month}`.
        day_and_year: The same with `{year}`, for a day of another year.
        first: The first day of a month; `{day}` where it is said as the others.
        weekdays: From Monday to Sunday.
        months: From January to December.
        since: Since when it holds.
        starting: From when it will hold.
        over: When it was over.
        until: Until when it holds, as a sentence of its own.
        within: From when until when, on one day: `{start}` and `{end}`; on another day also `{day}`.
        across: The same over more than one day: also `{start_day}` and `{end_day}`.
        next_update: When the desk will say more.
        issued: On what day at what time something was said.
        context: With `{headline}`: what a later message refers to, for those who have not seen the opening.
        context_unknown: With `{label}`: the same when the opening is not known, or was corrected.
        context_correction: What a correction refers to: no words of what was wrong.
        context_cancellation: What a cancellation takes back: no words of it.
        more: With `{where}`, a link or the service's name: where the rest of a shortened message is.
        reference: With `{reference}`: what people may call the incident.
        all_clear: Phrases by which an end says what people may do again; compared without accents and case.
        negations: Words that turn an all-clear into its opposite.
        conjunctions: Words behind which a negation no longer holds.
        mail_since: Label of the time since when it holds.
        mail_starting: Label of the time from when it will hold.
        mail_over: Label of the time when it was over.
        mail_until: Label of the time until when it holds.
        mail_next_update: Label of the time when the desk will say more.
        mail_issued: Label of the time of the message itself.
        mail_action: Label of what to do.
        mail_link: Label of the link.
        mail_footer: With `{sender}`: who speaks, and whom to call.
    """

    language: str
    version: int | str
    marks: Mapping[Stage, str]
    emojis: Mapping[Stage, str]
    ongoing: str
    exercise: str
    exercise_notice: str
    colon: str
    dash: str
    place_joint: str
    lowers_after_colon: bool
    direction: str
    sharp: str
    clock: str
    day: str
    day_and_year: str
    first: str
    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    since: Phrase
    starting: Phrase
    over: Phrase
    until: Phrase
    within: Phrase
    across: str
    next_update: Phrase
    issued: str
    context: Phrase
    context_unknown: str
    context_correction: Phrase
    context_cancellation: Phrase
    more: str
    reference: str
    all_clear: tuple[str, ...]
    negations: tuple[str, ...]
    conjunctions: tuple[str, ...]
    mail_since: str
    mail_starting: str
    mail_over: str
    mail_until: str
    mail_next_update: str
    mail_issued: str
    mail_action: str
    mail_link: str
    mail_footer: str
    sets_spaces: bool = False

    def time(self, moment: datetime, zone: tzinfo) -> str:
        """The time of day: `18h30`, `18h`."""
        there = moment.astimezone(zone)
        form = self.clock if there.minute else self.sharp
        return form.format(hour=there.hour, minute=there.minute)

    def date(self, moment: datetime, today: datetime, zone: tzinfo) -> str:
        """The day: `vendredi 6 juin`; with the year when that is not this one."""
        there = moment.astimezone(zone)
        form = self.day if there.year == today.astimezone(zone).year else self.day_and_year
        return form.format(
            weekday=self.weekdays[there.weekday()],
            day=self.first.format(day=1) if there.day == 1 else there.day,
            month=self.months[there.month - 1],
            year=there.year,
        )

    def tell(self, phrase: Phrase, moment: datetime, today: datetime, zone: tzinfo, **more: str) -> str:
        """A phrase with a time in it, naming the day only when it is another one than today."""
        time, day = self.time(moment, zone), self.date(moment, today, zone)
        form = phrase.today if _same_day(moment, today, zone) else phrase.other_day
        return form.format(time=time, day=day, **more)

    def tell_span(self, start: datetime, end: datetime, today: datetime, zone: tzinfo) -> str:
        """From when until when, naming the days only where needed."""
        times = {"start": self.time(start, zone), "end": self.time(end, zone)}
        day = self.date(start, today, zone)
        if not _same_day(start, end, zone):
            return self.across.format(start_day=day, end_day=self.date(end, today, zone), **times)
        form = self.within.today if _same_day(start, today, zone) else self.within.other_day
        return form.format(day=day, **times)

    def full(self, moment: datetime, today: datetime, zone: tzinfo) -> str:
        """Day and time, for a text that is read later: `vendredi 6 juin à 18h30`."""
        return self.issued.format(day=self.date(moment, today, zone), time=self.time(moment, zone))


def _same_day(one: datetime, other: datetime, zone: tzinfo) -> bool:
    return one.astimezone(zone).date() == other.astimezone(zone).date()
