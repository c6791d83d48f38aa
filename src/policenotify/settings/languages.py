"""The languages and categories of an installation."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from policenotify.errors import SettingsError
from policenotify.journal.permissions import READABLE, read_closed
from policenotify.model.languages import best_match, tags_for
from policenotify.render.locales import LOCALES, PROFILES, CategoryProfile, LoadedLocale, Locale
from policenotify.render.locales.loader import read_locale, read_profiles
from policenotify.settings.model import Settings
from policenotify.translation import AnyText, Text, lines_of
from policenotify.validation import at_place, did_you_mean, path, place_in_file


def languages_of(settings: Settings) -> dict[str, LoadedLocale]:
    """Return the languages of this installation by tag. Their files are read again.

    Raises:
        SettingsError: A file cannot be read, or something in it is missing or wrong. There is one line for each.
    """
    languages = {tag: LoadedLocale(locale=locale) for tag, locale in LOCALES.items()}
    errors: list[AnyText] = []
    tables = dict(_tables(settings, errors))
    bases = dict(_bases(settings, tables, errors))
    for tag in _in_order(settings, bases, errors):
        base = bases[tag]
        if base and base not in languages:
            continue  # its own errors are listed already
        try:
            languages[tag] = read_locale(
                tag,
                tables[tag],
                base=languages[base] if base else None,
                categories=settings.categories,
                file=str(settings.place.parent / settings.languages[tag]),
            )
        except SettingsError as error:
            errors += [at_place(str(settings.languages[tag]), line) for line in lines_of(error.text)]
    if errors:
        raise settings.error(errors)
    return languages


def locales_of(settings: Settings) -> Mapping[str, Locale]:
    """Return the phrases of each language of this installation.

    Raises:
        SettingsError: See `languages_of`.
    """
    return {tag: loaded.locale for tag, loaded in languages_of(settings).items()} if settings.languages else LOCALES


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


def _tables(settings: Settings, errors: list[AnyText]) -> Iterator[tuple[str, dict[str, Any]]]:
    for tag, name in settings.languages.items():
        file = settings.place.parent / name
        try:
            yield tag, _table(file)
        except ValueError as error:
            errors.append(
                Text("{value}: the file {file} {error}.", value=path("languages", tag), file=file, error=error)
            )


def _table(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(unicodedata.normalize("NFC", read_closed(file, READABLE).decode("utf-8-sig")))
    except SettingsError as error:
        raise ValueError(Text("is not used. {error}", error=error)) from None
    except OSError as error:
        raise ValueError(Text("cannot be read ({strerror})", strerror=error.strerror)) from None
    except UnicodeDecodeError:
        raise ValueError(Text("is not UTF-8; save it as UTF-8")) from None
    except (ValueError, RecursionError) as error:
        raise ValueError(Text("is not TOML: {error}", error=place_in_file(error))) from None


def _bases(settings: Settings, tables: Mapping[str, Any], errors: list[AnyText]) -> Iterator[tuple[str, str]]:
    """Yield for each language the one that lends what its file leaves out."""
    known = {*LOCALES, *settings.languages}
    for tag, table in tables.items():
        named, at = table.get("base"), f"{settings.languages[tag]}: base"
        others = known - {tag}
        if named is None:
            yield tag, tag if tag in LOCALES else next((wider for wider in tags_for(tag) if wider in others), "")
        elif tag in LOCALES:
            errors.append(Text("{at}: what this file leaves out stays as it is shipped. Remove base.", at=at))
        elif named in others:
            yield tag, str(named)
        else:
            errors.append(
                Text(
                    "{at}: {named!r} is not another language here. {did_you_mean}",
                    at=at,
                    named=named,
                    did_you_mean=did_you_mean(str(named), others),
                )
            )


def _in_order(settings: Settings, bases: Mapping[str, str], errors: list[AnyText]) -> tuple[str, ...]:
    """Return each language after the one that lends to it."""
    graph = {tag: {base} - {tag, ""} for tag, base in bases.items()}
    try:
        return tuple(tag for tag in TopologicalSorter(graph).static_order() if tag in bases)
    except CycleError as error:
        first, *rest = sorted(set(error.args[1]))
        errors.append(
            Text(
                "{languages}: base: {first!r} lends from {rest}, and they from it.",
                languages=settings.languages[first],
                first=first,
                rest=Text.join(Text(" and "), rest),
            )
        )
        return ()
