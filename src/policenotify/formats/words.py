"""The words that a feed adds of its own, by language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words of one language. See `words.toml` for each."""

    ended: str
    ended_at: str
    corrected: str
    corrected_at: str
    cancelled: str
    cancelled_at: str
    withdrawn: str
    on_the_day: str
    on_another_day: str
    on_date: str
    hour: str
    open_incidents: str
    no_open_incident: str
    all_messages: str
    incident: str
    published: str
    exercise: str
    exercise_note: str
    feeds: str
    languages: str

    def time(self, moment: datetime, zone: tzinfo, *, seen_from: datetime) -> str:
        """Return a time in words: `à 18h55`, and with its date on another day than *seen_from*."""
        local, day = moment.astimezone(zone), seen_from.astimezone(zone).date()
        hour = self.hour.format(hour=local.hour, minute=local.minute)
        phrase = self.on_the_day if local.date() == day else self.on_another_day
        return phrase.format(hour=hour, day=local.day, month=local.month)

    def date(self, moment: datetime, zone: tzinfo) -> str:
        """Return a time with its whole date: `le 05/06/2026 à 18h55`."""
        local = moment.astimezone(zone)
        hour = self.hour.format(hour=local.hour, minute=local.minute)
        return self.on_date.format(hour=hour, day=local.day, month=local.month, year=local.year)


@cache
def shipped_words() -> Mapping[str, Words]:
    """Return the words of each language that the package has."""
    tables = tomllib.loads((files(__package__) / "words.toml").read_text("utf-8"))
    return {language: Words(**table) for language, table in tables.items()}


def words_in(language: str) -> Words:
    """Return the words of a language, or French ones if the package lacks it."""
    shipped = shipped_words()
    return shipped.get(language.partition("-")[0], shipped["fr"])
