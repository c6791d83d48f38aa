"""The fixed phrases of a language, and how it writes times and dates."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StringConstraints
from pydantic.fields import FieldInfo

from policenotify.model.cap import Severity
from policenotify.model.lifecycle import Stage
from policenotify.model.message import CategoryCode, Language
from policenotify.text.spans import hashtag

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


def _hashtag(value: str) -> str:
    name = value.removeprefix("#")
    valid = hashtag(name)
    if not valid:
        raise ValueError(f"{value!r} is not a hashtag: there is no letter in it")
    if valid != unicodedata.normalize("NFC", name):
        raise ValueError(f"{value!r} is not a hashtag; write {valid!r}")
    return valid


def _exactly(number: int) -> tuple[AfterValidator, FieldInfo]:
    def check(values: tuple[str, ...]) -> tuple[str, ...]:
        if len(values) != number:
            raise ValueError(f"must have {number} items, not {len(values)}.")
        return values

    return AfterValidator(check), Field(json_schema_extra={"minItems": number, "maxItems": number})


_Emojis = Annotated[
    Mapping[Stage, str], BeforeValidator(lambda value: {**EMOJIS, **value} if isinstance(value, Mapping) else value)
]
_Weekdays = Annotated[tuple[str, ...], *_exactly(7)]
_Months = Annotated[tuple[str, ...], *_exactly(12)]
_Texts = Annotated[tuple[str, ...], Field(min_length=1)]
_Hashtag = Annotated[str, AfterValidator(_hashtag)]
_Hashtags = Annotated[
    tuple[_Hashtag, ...],
    BeforeValidator(
        lambda value: [value] if isinstance(value, str) else value, json_schema_input_type=str | tuple[str, ...]
    ),
]
_Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.+-]{1,40}$")] | StrictInt
_CONFIG: Final = ConfigDict(
    extra="forbid", frozen=True, hide_input_in_errors=True, protected_namespaces=(), defer_build=True
)


class Phrase(BaseModel):
    """A phrase with a time in it, for the day itself and for another day.

    Attributes:
        today: With `{time}`: `Prochain point à {time}`.
        other_day: With `{day}` and `{time}`: `Prochain point {day} à {time}`.
    """

    model_config: ClassVar[ConfigDict] = _CONFIG

    today: str
    other_day: str


class ReminderPhrases(BaseModel):
    """The phrases of a reminder on the duty channels.

    Attributes:
        reading_headline: Of a second reading that is owed after an urgent publication.
        reading_instruction: The same.
    """

    model_config: ClassVar[ConfigDict] = _CONFIG

    label: str
    headline: str
    description: str
    instruction: str
    reading_headline: str
    reading_instruction: str


_Phrase = Annotated[
    Phrase,
    BeforeValidator(
        lambda value: {"today": value, "other_day": value} if isinstance(value, str) else value,
        json_schema_input_type=str | Phrase,
    ),
]


class Locale(BaseModel):
    """The fixed phrases of one language, and its names for the categories.

    Names in braces are filled in. The shipped files describe each field: see
    [`template`][policenotify.render.locales.template].

    Attributes:
        version: Stored in the journal with each message. By default a digest of the values.
    """

    model_config: ClassVar[ConfigDict] = _CONFIG

    language: Language
    version: _Version = ""
    marks: Mapping[Stage, str]
    emojis: _Emojis = Field(default_factory=EMOJIS.copy)
    ongoing: str
    exercise: str
    exercise_notice: str
    colon: str
    dash: str
    place_separator: str
    lowers_after_colon: bool
    direction: str
    full_hour: str
    clock: str
    day: str
    day_and_year: str
    first_day: str
    weekdays: _Weekdays
    months: _Months
    since: _Phrase
    starting: _Phrase
    ended: _Phrase
    until: _Phrase
    within: _Phrase
    across: str
    next_update: _Phrase
    issued: str
    context: _Phrase
    context_unknown: str
    context_correction: _Phrase
    context_cancellation: _Phrase
    more: str
    reference: str
    all_clear: _Texts
    negations: _Texts
    conjunctions: _Texts
    mail_since: str
    mail_starting: str
    mail_ended: str
    mail_until: str
    mail_next_update: str
    mail_issued: str
    mail_action: str
    mail_link: str
    mail_footer: str
    reminder: ReminderPhrases
    sets_spaces: bool = False
    labels: Mapping[CategoryCode, str] = Field(default_factory=dict)
    hashtags: Mapping[CategoryCode, _Hashtags] = Field(default_factory=dict)
    severity_hashtags: Mapping[CategoryCode, Mapping[Severity, _Hashtag]] = Field(default_factory=dict)

    def time(self, moment: datetime, zone: tzinfo) -> str:
        """Return the time of day: `18h30`, `18h`."""
        local = moment.astimezone(zone)
        form = self.clock if local.minute else self.full_hour
        return form.format(hour=local.hour, minute=local.minute)

    def date(self, moment: datetime, today: datetime, zone: tzinfo) -> str:
        """Return the day, with its year if it is not this one: `vendredi 6 juin`."""
        local = moment.astimezone(zone)
        form = self.day if local.year == today.astimezone(zone).year else self.day_and_year
        return form.format(
            weekday=self.weekdays[local.weekday()],
            day=self.first_day.format(day=1) if local.day == 1 else local.day,
            month=self.months[local.month - 1],
            year=local.year,
        )

    def fill(self, phrase: Phrase, moment: datetime, today: datetime, zone: tzinfo, **values: str) -> str:
        """Return a phrase with its time, and with the day if that is not today."""
        time, day = self.time(moment, zone), self.date(moment, today, zone)
        form = phrase.today if _same_day(moment, today, zone) else phrase.other_day
        return form.format(time=time, day=day, **values)

    def span(self, start: datetime, end: datetime, today: datetime, zone: tzinfo) -> str:
        """Return a span of time, naming the days only where needed."""
        times = {"start": self.time(start, zone), "end": self.time(end, zone)}
        day = self.date(start, today, zone)
        if not _same_day(start, end, zone):
            return self.across.format(start_day=day, end_day=self.date(end, today, zone), **times)
        form = self.within.today if _same_day(start, today, zone) else self.within.other_day
        return form.format(day=day, **times)

    def date_and_time(self, moment: datetime, today: datetime, zone: tzinfo) -> str:
        """Return day and time, for a text that is read later: `vendredi 6 juin à 18h30`."""
        return self.issued.format(day=self.date(moment, today, zone), time=self.time(moment, zone))


def _same_day(first: datetime, second: datetime, zone: tzinfo) -> bool:
    return first.astimezone(zone).date() == second.astimezone(zone).date()
