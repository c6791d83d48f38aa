"""The languages of an installation: the shipped ones, changed and added to by files.

A file for a shipped language changes it, one for a region (`de-CH`) changes the wider language (`de`): the rest stays.
One for another language stands alone, or names a `base` that lends what is missing: no language goes out with words of
another unless its file says so, and `lent` tells which these are.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from policenotify.model.languages import best_match, tags_for
from policenotify.render.locales import PROFILES, WORDS, CategoryProfile, Locale
from policenotify.settings.language_record import LoadedLocale
from policenotify.settings.model import Settings
from policenotify.validation import did_you_mean, path

_NAMES = ("labels", "hashtags", "severity_hashtags")


def languages_of(settings: Settings) -> dict[str, LoadedLocale]:
    """The languages of this installation, by BCP 47 tag. Reads their files anew.

    Raises:
        SettingsError: A file cannot be read, or something in it is missing or wrong; one line for each.
    """
    spoken = {tag: LoadedLocale.shipped(tag) for tag in WORDS}
    if not settings.languages:
        return spoken
    from policenotify.settings.language_file import dropped_in  # noqa: PLC0415 - most have no such file

    wrong: list[str] = []
    tables = dict(_tables(settings, wrong))
    bases = dict(_bases(settings, tables, wrong))
    named = {tag: frozenset(code for code in settings.categories if tag in _said(settings, code)) for tag in bases}
    for tag in _in_order(settings, bases, wrong):
        base = bases[tag]
        if base and base not in spoken:
            continue  # it is wrong itself, and that has been told
        made, found = dropped_in(
            tag,
            tables[tag],
            settings.place.parent / settings.languages[tag],
            base=spoken[base] if base else None,
            categories=frozenset((*PROFILES, *settings.categories)),
            named=named[tag],
        )
        wrong += [f"{settings.languages[tag]}: {line}" for line in found]
        if made:
            spoken[tag] = made
    if wrong:
        raise settings.error(wrong)
    return spoken


def words_of(settings: Settings) -> Mapping[str, Locale]:
    """The fixed phrases of each language of this installation.

    Raises:
        SettingsError: As `languages_of`.
    """
    return {tag: one.words for tag, one in languages_of(settings).items()} if settings.languages else WORDS


def renamed(profiles: dict[str, CategoryProfile], settings: Settings) -> dict[str, CategoryProfile]:
    """The profiles with their names in the languages that were dropped in; what the settings themselves say stays.

    Raises:
        SettingsError: As `languages_of`.
    """
    if not settings.languages:
        return profiles
    files = {tag: one for tag, one in languages_of(settings).items() if one.file}
    return {code: _renamed(profile, files, settings) for code, profile in profiles.items()}


def unnamed(profiles: Mapping[str, CategoryProfile], settings: Settings) -> Iterator[str]:
    """Where a category has no label in a language that is spoken here, so that another language's stands in."""
    spoken = (tag for channel in settings.channels.values() for tag in channel.languages)
    for tag in dict.fromkeys((*spoken, *settings.languages)):
        yield from (
            path("categories", code, "labels", tag)
            for code, profile in profiles.items()
            if best_match(tag, profile.labels) is None
        )


def _renamed(profile: CategoryProfile, files: Mapping[str, LoadedLocale], settings: Settings) -> CategoryProfile:
    changes: dict[str, Any] = {}
    for kind in _NAMES:
        said = _said(settings, profile.code, kind)
        told = {tag: getattr(one, kind) for tag, one in files.items() if tag not in said}
        changes[kind] = {
            **getattr(profile, kind),
            **{tag: names[profile.code] for tag, names in told.items() if profile.code in names},
        }
    return replace(profile, **changes)


def _said(settings: Settings, code: str, kind: str = "labels") -> Mapping[str, object]:
    """What the settings themselves say of a category, by language."""
    said = settings.categories.get(code, {}).get(kind)
    return said if isinstance(said, dict) else {}


def _tables(settings: Settings, wrong: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for tag, name in settings.languages.items():
        file, at = settings.place.parent / name, path("languages", tag)
        try:
            yield tag, _table(file)
        except ValueError as error:
            wrong.append(f"{at}: the file {file} {error}.")


def _table(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8; save it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not TOML: {error}") from None


def _bases(settings: Settings, tables: Mapping[str, Any], wrong: list[str]) -> Iterator[tuple[str, str]]:
    """Which language lends each what its file does not say: itself as shipped, a wider one, or what it names."""
    known = {*WORDS, *settings.languages}
    for tag, table in tables.items():
        said, at = table.get("base"), f"{settings.languages[tag]}: base"
        others = known - {tag}
        if said is None:
            yield tag, tag if tag in WORDS else next((wider for wider in tags_for(tag) if wider in others), "")
        elif tag in WORDS:
            wrong.append(f"{at}: what this file does not say stays as it is shipped. Leave it out.")
        elif said in others:
            yield tag, str(said)
        else:
            wrong.append(f"{at}: {said!r} is no other language here. {did_you_mean(str(said), others)}")


def _in_order(settings: Settings, bases: Mapping[str, str], wrong: list[str]) -> tuple[str, ...]:
    """Each language after the one that lends to it."""
    graph = {tag: {base} - {tag, ""} for tag, base in bases.items()}
    try:
        return tuple(tag for tag in TopologicalSorter(graph).static_order() if tag in bases)
    except CycleError as error:
        first, *rest = sorted(set(error.args[1]))
        wrong.append(f"{settings.languages[first]}: base: {first!r} lends from {' and '.join(rest)}, and they from it.")
        return ()
