"""The languages and categories of an installation."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from policenotify.errors import SettingsError
from policenotify.journal.permissions import READABLE, read_closed
from policenotify.model.languages import best_match, tags_for
from policenotify.render.locales import LOCALES, PROFILES, CategoryProfile, Locale
from policenotify.render.locales.loader import read_locale, read_profiles
from policenotify.settings.model import Settings
from policenotify.translation import AnyText, Text, lines_of, text_of
from policenotify.validation import at_place, path, place_in_file


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
            table = _table(settings.place.parent / name, path("languages", tag))
            base = LOCALES.get(_base(tag, table, str(name)))
            languages[tag] = read_locale(tag, table, base=base, categories=settings.categories)
        except SettingsError as error:
            errors += [at_place(str(name), line) for line in lines_of(error.text)]
        except ValueError as error:
            errors.append(text_of(error))
    if errors:
        raise settings.error(errors)
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
        raise settings.error(lines_of(error.text)) from None


def missing_labels(profiles: Mapping[str, CategoryProfile], settings: Settings) -> Iterator[str]:
    """Yield each label that a category lacks in a language in use."""
    used = (tag for channel in settings.channels.values() for tag in channel.languages)
    for tag in dict.fromkeys((*used, *settings.languages)):
        yield from (
            path("categories", code, "labels", tag)
            for code, profile in profiles.items()
            if best_match(tag, profile.labels) is None
        )


def lent_phrases(settings: Settings) -> Iterator[tuple[str, str, list[str]]]:
    """Yield each language whose file names a base, the base, and the phrases and labels that it lends."""
    phrases = {name for name, field in Locale.model_fields.items() if field.is_required()}
    phrases -= {"language", "marks", "reminder"}
    for tag, name in settings.languages.items():
        own = _table(settings.place.parent / name, path("languages", tag))
        base = own.get("base", tag)
        if base not in {tag, *tags_for(tag)}:
            lent = sorted(phrases - own.keys())
            for table in ("marks", "labels"):
                lent += [path(table, each) for each in getattr(LOCALES[base], table) if each not in own.get(table, {})]
            yield tag, base, lent


def _table(file: Path, at: str) -> dict[str, Any]:
    """Read a language file.

    Raises:
        ValueError: It cannot be read.
    """
    try:
        return tomllib.loads(unicodedata.normalize("NFC", read_closed(file, READABLE).decode("utf-8-sig")))
    except SettingsError as error:
        why: AnyText = Text("is not used. {error}", error=error)
    except OSError as error:
        why = Text("cannot be read ({strerror})", strerror=error.strerror)
    except UnicodeDecodeError:
        why = Text("is not UTF-8; save it as UTF-8")
    except (ValueError, RecursionError) as error:
        why = Text("is not TOML: {error}", error=place_in_file(error))
    raise ValueError(Text("{at}: the file {file} {why}.", at=at, file=file, why=why))


def _base(tag: str, table: Mapping[str, object], file: str) -> str:
    """Return the shipped language that lends what a file leaves out, if any.

    Raises:
        ValueError: The file names another.
    """
    if (named := table.get("base")) is None:
        return next((wider for wider in (tag, *tags_for(tag)) if wider in LOCALES), "")
    if tag in LOCALES:
        what = Text("what this file leaves out stays as it is shipped. Remove base.")
    elif str(named) in LOCALES:
        return str(named)
    else:
        what = Text("{named!r} does not lend. Write 'fr' or 'en'.", named=named)
    raise ValueError(Text("{file}: base: {what}", file=file, what=what))
