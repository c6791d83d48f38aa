"""The languages and categories of an installation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policenotify.errors import SettingsError
from policenotify.model.languages import best_match, tags_for
from policenotify.render.locales import LOCALES, PROFILES, CategoryProfile, Locale
from policenotify.render.locales.loader import read_locale, read_profiles
from policenotify.settings.fields import read_table
from policenotify.settings.model import Settings, settings_error
from policenotify.translation import AnyText, Text, lines_of
from policenotify.validation import at_place, path


def locales_of(settings: Settings) -> Mapping[str, Locale]:
    """Return the phrases of each language of this installation by tag. Their files are read once.

    Raises:
        SettingsError: A file cannot be read, or something in it is missing or wrong. There is one line for each.
    """
    return settings.read_once(_read_languages) if settings.languages else LOCALES


def _read_languages(settings: Settings) -> dict[str, Locale]:
    languages, errors = dict(LOCALES), list[AnyText]()
    for tag, name in settings.languages.items():
        try:
            table = read_table(settings.place.parent / name, composed=True)
            base = LOCALES.get(_base(tag, table))
            languages[tag] = read_locale(tag, table, base=base, categories=settings.categories)
        except SettingsError as error:
            errors += [at_place(str(name), line) for line in lines_of(error.text)]
    if errors:
        raise settings_error(settings.place, errors)
    return languages


def profiles_of(settings: Settings) -> Mapping[str, CategoryProfile]:
    """Return what each category means in this installation.

    Raises:
        SettingsError: A field is unknown, missing or wrong, or a language file is.
    """
    if not (settings.categories or settings.languages):
        return PROFILES
    locales = locales_of(settings)
    first = next((language for channel in settings.channels.values() for language in channel.languages), "fr")
    try:
        return read_profiles(locales, settings.categories, first=first)
    except SettingsError as error:
        raise settings_error(settings.place, lines_of(error.text)) from None


def missing_labels(profiles: Mapping[str, CategoryProfile], settings: Settings) -> Iterator[str]:
    """Yield each label that a category lacks in a language in use."""
    used = (tag for channel in settings.channels.values() for tag in channel.languages)
    for tag in dict.fromkeys((*used, *settings.languages)):
        yield from (
            path("categories", code, "labels", tag)
            for code, profile in profiles.items()
            if best_match(tag, profile.labels) is None
        )


def _base(tag: str, table: Mapping[str, object]) -> str:
    """Return the shipped language that lends what a file leaves out, if any.

    Raises:
        SettingsError: The file names another.
    """
    if (named := table.get("base")) is None:
        return next((wider for wider in (tag, *tags_for(tag)) if wider in LOCALES), "")
    if tag in LOCALES:
        what = Text("what this file leaves out stays as it is shipped. Remove base.")
    elif str(named) in LOCALES:
        return str(named)
    else:
        what = Text("{named!r} does not lend. Write 'fr' or 'en'.", named=named)
    raise SettingsError(Text("base: {what}", what=what))
