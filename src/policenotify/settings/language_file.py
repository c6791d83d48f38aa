"""A language from its file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from policenotify.model.cap import Severity
from policenotify.model.languages import tags_for
from policenotify.render.locales import FR, PROFILES, WORDS, Locale
from policenotify.render.locales.toml_export import as_table
from policenotify.settings.language_record import LoadedLocale
from policenotify.settings.language_schema import WordsFile, words_form, words_from
from policenotify.text.spans import hashtag
from policenotify.validation import did_you_mean, format_validation_errors, path

_WRITE = 'Write them, or say which language lends them: base = "en"'
_SIGNS = "emojis"  # belong to no language: a file need not repeat them
_TABLES = ("marks", _SIGNS)
_USUAL = frozenset(field.name for field in fields(Locale) if field.default is not MISSING)  # nothing is lacking there


def dropped_in(
    tag: str,
    table: Mapping[str, Any],
    file: Path,
    *,
    base: LoadedLocale | None,
    categories: Collection[str],
    named: Collection[str],
) -> tuple[LoadedLocale | None, list[str]]:
    """The language that a file makes.

    Args:
        tag: Which it is.
        table: What the file says.
        file: Where it is.
        base: What lends what it does not say.
        categories: The codes of all categories here.
        named: Codes of those that are named in this language already.

    Returns:
        The language, `None` where something is wrong; and what is wrong.
    """
    alike = base is not None and base.words.language in tags_for(tag)
    lender = as_table(base.words) if base else {_SIGNS: as_table(FR)[_SIGNS]}
    if not alike:
        lender = {name: value for name, value in lender.items() if name not in _USUAL}
    found = [*_about_itself(tag, table), *_unknown(table, categories)]
    try:
        read = words_form().model_validate(_merged(lender, table))
    except ValidationError as error:
        lines = format_validation_errors(error, words_form())
        missing = [line.removesuffix(": is missing.") for line in lines if line.endswith(": is missing.")]
        found += [f"lacks {', '.join(missing)}. {_WRITE}"] if missing else []
        return None, [*found, *(line for line in lines if not line.endswith(": is missing."))]
    made = _made(tag, read, file, base, alike=alike)
    if lacking := [code for code in PROFILES if code not in made.labels and code not in named]:
        found.append(f"labels: lacks {', '.join(lacking)}. {_WRITE}")
    if found:
        return None, found
    own = {*_names_in(table), *(path("labels", code) for code in named)}
    wanted = base.lent if base and alike else (*_names_in(lender), *(path("labels", code) for code in made.labels))
    return replace(made, lent=tuple(name for name in wanted if name not in own) if base else ()), []


def _made(tag: str, read: WordsFile, file: Path, base: LoadedLocale | None, *, alike: bool) -> LoadedLocale:
    """The language, with the base's names for the categories that the file does not name.

    A hashtag that is not said is made of the label that is, unless the base is the same language: then its own stays.
    """
    hashtags = dict(read.hashtags)
    severities: dict[str, Mapping[Severity, str]] = dict(read.severity_hashtags)
    for code, label in () if alike else read.labels.items():
        hashtags.setdefault(code, tuple(filter(None, [hashtag(label)])))
        severities.setdefault(code, {})
    labels = {**base.labels, **read.labels} if base else read.labels
    hashtags = {**base.hashtags, **hashtags} if base else hashtags
    severities = {**base.severity_hashtags, **severities} if base else severities
    words = words_from(read, tag)
    values = json.dumps([as_table(words), labels, hashtags, severities], ensure_ascii=False, sort_keys=True)
    digest = hashlib.sha256(values.encode()).hexdigest()[:12]
    return LoadedLocale(
        words=replace(words, version=digest if read.version is None else read.version),
        labels=labels,
        hashtags=hashtags,
        severity_hashtags=severities,
        file=file,
        base=base.words.language if base else "",
    )


def _about_itself(tag: str, table: Mapping[str, Any]) -> Iterator[str]:
    said = table.get("language", tag)
    if said != tag:
        yield f"language: is {said!r}, but the settings name this file for {tag!r}."
    if tag in WORDS and str(table.get("version")) == str(WORDS[tag].version):
        yield f"version: {WORDS[tag].version} is that of the words as shipped. Give another one, or none."


def _unknown(table: Mapping[str, Any], categories: Collection[str]) -> Iterator[str]:
    for kind in ("labels", "hashtags", "severity_hashtags"):
        given = table.get(kind)
        for code in given if isinstance(given, dict) else ():
            if code not in categories:
                yield f"{path(kind, code)}: there is no such category. {did_you_mean(code, categories)}"


def _names_in(table: Mapping[str, Any]) -> Iterator[str]:
    """The names of what a table says in a language: `since`, `marks.end`, `labels.fire`."""
    for name, value in table.items():
        if name in {"marks", "labels"} and isinstance(value, Mapping):
            yield from (path(name, inner) for inner in value)
        elif name in as_table(FR) and name != _SIGNS:
            yield name


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    both = [name for name in _TABLES if isinstance(old.get(name), Mapping) and isinstance(new.get(name), Mapping)]
    return {**old, **new, **{name: {**old[name], **new[name]} for name in both}}
