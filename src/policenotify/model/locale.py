"""The fixed phrases of a language, and how it writes times and dates."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, StringConstraints

from policenotify.model.cap import Severity
from policenotify.model.lifecycle import FrozenModel, Stage
from policenotify.model.location import ONE_LINE, PRINTABLE
from policenotify.model.message import CategoryCode, Language
from policenotify.text.french import set_no_break_spaces
from policenotify.text.links import hashtag
from policenotify.translation import Text

EMOJIS: Final = MappingProxyType(
    {
        Stage.OPENING: "🚨",
        Stage.UPDATE: "🔄",
        Stage.END: "✅",
        Stage.CORRECTION: "✏️",
        Stage.CANCELLATION: "🚫",
        Stage.STANDALONE: "ℹ️",
    }
)
"""The emoji of each stage, in every language that does not choose another."""

_MINUTE: Final = timedelta(minutes=1)
_LAST_MINUTE: Final = (23, 59)  # as desks type the end of a day


def _hashtag(value: str) -> str:
    name = value.removeprefix("#")
    valid = hashtag(name)
    if not valid:
        raise ValueError(Text("{value!r} is not a hashtag: there is no letter in it", value=value))
    if valid != unicodedata.normalize("NFC", name):
        raise ValueError(Text("{value!r} is not a hashtag; write {valid!r}", value=value, valid=valid))
    return valid


_Emojis = Annotated[
    Mapping[Stage, str], BeforeValidator(lambda value: {**EMOJIS, **value} if isinstance(value, Mapping) else value)
]
Words = Annotated[str, StringConstraints(min_length=1), ONE_LINE, PRINTABLE]
"""A phrase in one line."""

_Separator = Annotated[str, StringConstraints(pattern=r"^.+$"), PRINTABLE]  # may begin and end with a space

_Weekdays = tuple[Words, Words, Words, Words, Words, Words, Words]
_Months = tuple[Words, Words, Words, Words, Words, Words, Words, Words, Words, Words, Words, Words]
_Texts = Annotated[tuple[str, ...], Field(min_length=1)]
_Hashtag = Annotated[str, AfterValidator(_hashtag)]
_Hashtags = Annotated[
    tuple[_Hashtag, ...],
    BeforeValidator(
        lambda value: [value] if isinstance(value, str) else value, json_schema_input_type=str | tuple[str, ...]
    ),
]
_Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.+-]{1,40}$")] | StrictInt


class Phrase(FrozenModel):
    """A phrase with a time in it, for the day itself and for another day.

    Attributes:
        today: With `{time}`: `Prochain point à {time}`.
        other_day: With `{day}` and `{time}`: `Prochain point {day} à {time}`.
    """

    today: Words
    other_day: Words


_Phrase = Annotated[
    Phrase,
    BeforeValidator(
        lambda value: {"today": value, "other_day": value} if isinstance(value, str) else value,
        json_schema_input_type=str | Phrase,
    ),
]


class ReminderPhrases(FrozenModel):
    """The phrases of a reminder on the duty channels.

    Attributes:
        reading_headline: Of a second reading that is owed after an urgent publication.
        reading_instruction: The same.
    """

    label: Words
    headline: Words
    description: Words
    instruction: Words
    reading_headline: Words
    reading_instruction: Words


class FeedPhrases(FrozenModel):
    """The phrases of feeds and of their pages.

    Attributes:
        end: What became of a message that was ended, as a mark: `TERMINÉ`.
        end_at: The same as a sentence, with which its text begins.
        correction: The same of one that was corrected.
        cancellation: The same of one that was cancelled.
        past_end: What is open although its stated end has passed.
        incident: The link to the page of an incident.
    """

    end: Words
    end_at: _Phrase
    correction: Words
    correction_at: _Phrase
    cancellation: Words
    cancellation_at: _Phrase
    withdrawn: Words
    open_incidents: Words
    no_open_incident: Words
    past_end: Words
    all_messages: Words
    incident: Words
    feeds: Words
    languages: Words


class Locale(FrozenModel):
    """The fixed phrases of one language, and its names for the categories.

    Names in braces are filled in. The shipped files describe each field: see
    [`template`][policenotify.render.locales.template].

    Attributes:
        version: Stored in the journal with each message. By default a digest of the values.
    """

    language: Language
    version: _Version = ""
    marks: Mapping[Stage, Words]
    emojis: _Emojis = Field(default_factory=EMOJIS.copy)
    exercise: Words
    exercise_notice: Words
    colon: _Separator
    dash: _Separator
    direction: Words
    direction_between: Words
    direction_word: Words
    both_directions: Words
    on_road: Words
    between: Words
    full_hour: Words
    clock: Words
    midnight: Words
    night: Words
    summer_time: Words
    winter_time: Words
    day: Words
    day_and_year: Words
    first_day: Words
    weekdays: _Weekdays
    months: _Months
    since: _Phrase
    last_seen: _Phrase
    occurred: _Phrase
    starting: _Phrase
    ended: _Phrase
    until: _Phrase
    within: _Phrase
    across: Words
    all_day: _Phrase
    across_days: Words
    next_update: _Phrase
    issued: Words
    context: _Phrase
    context_correction: _Phrase
    context_cancellation: _Phrase
    untranslated_end: Words
    untranslated_correction: Words
    untranslated_cancellation: Words
    more: Words
    source: Words
    confirmed: Words
    unconfirmed: Words
    contact: Words
    reference: Words
    all_clear: _Texts
    negations: _Texts
    conjunctions: _Texts
    mail_since: Words
    mail_last_seen: Words
    mail_occurred: Words
    mail_starting: Words
    mail_ended: Words
    mail_until: Words
    mail_next_update: Words
    mail_issued: Words
    mail_source: Words
    mail_action: Words
    mail_now: Words
    mail_link: Words
    mail_emergency: Words
    emergency_by_text: str = ""
    mail_footer: Words
    reminder: ReminderPhrases
    feed: FeedPhrases
    sets_spaces: bool = False
    plain_words: Mapping[str, str] = Field(default_factory=dict)
    labels: Mapping[CategoryCode, Words] = Field(default_factory=dict)
    hashtags: Mapping[CategoryCode, _Hashtags] = Field(default_factory=dict)
    severity_labels: Mapping[CategoryCode, Mapping[Severity, Words]] = Field(default_factory=dict)
    severity_hashtags: Mapping[CategoryCode, Mapping[Severity, _Hashtag]] = Field(default_factory=dict)
    stage_marks: Mapping[CategoryCode, Mapping[Stage, Words]] = Field(default_factory=dict)

    def typeset(self, text: str) -> str:
        """Return a finished text with the spaces of the language."""
        return set_no_break_spaces(text) if self.sets_spaces else text

    def time(self, moment: datetime, zone: tzinfo) -> str:
        """Return the time of day: `18h30`, `18h`, `minuit`, `2h45 (heure d'hiver)` in the hour that comes twice."""
        local = moment.astimezone(zone)
        if _is_midnight(local):
            return self.midnight
        time = self._clock_time(local)
        if local.replace(fold=1 - local.fold).utcoffset() == local.utcoffset():
            return time
        return (self.winter_time if local.fold else self.summer_time).format(time=time)

    def _clock_time(self, local: datetime) -> str:
        form = self.clock if local.minute else self.full_hour
        return form.format(hour=local.hour, minute=local.minute)

    def date(self, moment: datetime, today: datetime | None, zone: tzinfo) -> str:
        """Return the day, with its year if it is not this one: `vendredi 6 juin`.

        Without *today* the year is always named.
        """
        local = moment.astimezone(zone)
        form = self.day if today and local.year == today.astimezone(zone).year else self.day_and_year
        return form.format(
            weekday=self.weekdays[local.weekday()],
            day=self.first_day.format(day=1) if local.day == 1 else local.day,
            month=self.months[local.month - 1],
            year=local.year,
        )

    def fill(self, phrase: Phrase, moment: datetime, today: datetime, zone: tzinfo, **values: str) -> str:
        """Return a phrase with its time, and with the day if that is not today.

        Midnight belongs to two days. That of the coming night needs none, any other one is named by its night.
        """
        time, day = self.time(moment, zone), self.date(moment, today, zone)
        form = phrase.today if _same_day(moment, today, zone) else phrase.other_day
        if form is phrase.other_day and _is_midnight(moment.astimezone(zone)):
            form = phrase.today
            tonight = _same_day(moment - _MINUTE, today, zone)
            time = time if tonight else self._night(moment, today, zone)
        return form.format(time=time, day=day, **values)

    def span(self, start: datetime, end: datetime, today: datetime, zone: tzinfo) -> str:
        """Return a span of time, naming the days only where needed.

        A span that ends at midnight ends on the day before, as in speech: `de 20h à minuit`.
        """
        first, last = start.astimezone(zone), end.astimezone(zone)
        ends_at_night = _is_midnight(last) or (last.hour, last.minute) == _LAST_MINUTE
        last_day = end - _MINUTE if _is_midnight(last) else end
        whole_days, one_day = ends_at_night and _is_midnight(first), _same_day(start, last_day, zone)
        is_today = one_day and _same_day(start, today, zone)
        day, end_day = self.date(start, today, zone), self.date(last_day, today, zone)
        times = {
            # With its day, 0h is clearer than midnight, which ends a day, too.
            "start": self.time(start, zone) if is_today or not _is_midnight(first) else self._clock_time(first),
            "end": self.midnight if ends_at_night else self.time(end, zone),
        }
        if whole_days and one_day:
            return (self.all_day.today if is_today else self.all_day.other_day).format(day=day)
        if whole_days:
            return self.across_days.format(start_day=day, end_day=end_day)
        if not one_day:
            return self.across.format(start_day=day, end_day=end_day, **times)
        return (self.within.today if is_today else self.within.other_day).format(day=day, **times)

    def date_and_time(self, moment: datetime, today: datetime | None, zone: tzinfo) -> str:
        """Return day and time, for a text that is read later: `vendredi 6 juin à 18h30`."""
        if _is_midnight(moment.astimezone(zone)):
            return self._night(moment, today, zone)
        return self.issued.format(day=self.date(moment, today, zone), time=self.time(moment, zone))

    def _night(self, midnight: datetime, today: datetime | None, zone: tzinfo) -> str:
        before = (midnight - _MINUTE).astimezone(zone)
        return self.night.format(weekday=self.weekdays[before.weekday()], day=self.date(midnight, today, zone))


def _same_day(first: datetime, second: datetime, zone: tzinfo) -> bool:
    return first.astimezone(zone).date() == second.astimezone(zone).date()


def _is_midnight(local: datetime) -> bool:
    return local.hour == local.minute == 0
