"""Read languages and categories from tables.

The shipped ones are read like those of an installation. A file for a shipped language changes it, and one for a region
(`de-CH`) changes the wider language (`de`). A file for another language stands alone, or names a `base` that lends what
is missing.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib.resources import files
from string import Formatter
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from policenotify.errors import SettingsError
from policenotify.model.languages import tags_for
from policenotify.model.lifecycle import Stage
from policenotify.model.locale import Locale
from policenotify.render.locales.category import CategoryProfile
from policenotify.text.links import hashtag
from policenotify.translation import AnyText, Text
from policenotify.validation import IS_MISSING, at_place, did_you_mean, path, validation_errors

SHIPPED: Final = ("fr", "en")
"""The languages shipped."""

NAMES: Final = ("labels", "hashtags", "severity_labels", "severity_hashtags", "stage_marks")
"""The fields of a language that name categories, by code."""

_TABLES: Final = ("marks", "emojis", "plain_words", "reminder", "feed", *NAMES)  # of which a file may hold a part
_OF_ONE_LANGUAGE: Final = frozenset({"plain_words", "severity_labels", "stage_marks", "sets_spaces"})  # never lent
_MARKED: Final = (Stage.UPDATE, Stage.END, Stage.CORRECTION, Stage.CANCELLATION)
_OPTIONAL: Final = frozenset({"weekday", "colon", "sender"})  # names that any phrase may leave out
_MORE_NAMES: Final[Mapping[str, set[str]]] = MappingProxyType({"full_hour": {"minute"}, "day": {"year"}})


def template(language: str) -> str:
    """Return the file of a shipped language, `fr` or `en`, to be translated."""
    return (files(__package__) / f"{language}.toml").read_text("utf-8")


@cache
def shipped_locales() -> Mapping[str, Locale]:
    """Return the languages shipped, by BCP 47 tag."""
    return MappingProxyType({tag: read_locale(tag, tomllib.loads(template(tag))) for tag in SHIPPED})


@cache
def shipped_categories() -> Mapping[str, Mapping[str, Any]]:
    """Return the tables of the categories shipped, by code, without their names."""
    return MappingProxyType(tomllib.loads(template("categories")))


def read_profiles(
    locales: Mapping[str, Locale], changes: Mapping[str, Mapping[str, Any]], *, first: str = "fr"
) -> dict[str, CategoryProfile]:
    """Return the categories shipped, named in these languages, changed and added to.

    Args:
        locales: The languages, which name the categories.
        changes: Tables by category code. They take precedence over the names that the languages give.
        first: The language whose name stands in where another one lacks it. After it English does.

    Raises:
        SettingsError: A field is unknown, missing or wrong. There is one line for each.
    """
    profiles: dict[str, CategoryProfile] = {}
    errors: list[AnyText] = []
    shipped = shipped_categories()
    for code in dict.fromkeys((*shipped, *changes)):
        change = changes.get(code, {})
        table = _merged(shipped.get(code, {}), change)
        table |= {kind: _names(kind, code, locales, change.get(kind, {}), first) for kind in NAMES}
        renamed = {*_table(change.get("labels"))} - {*_table(change.get("severity_labels"))}
        if isinstance(by_severity := table["severity_labels"], Mapping):
            table["severity_labels"] = {tag: by_severity[tag] for tag in by_severity if tag not in renamed}
        if not table["labels"]:
            del table["labels"]
        try:
            profiles[code] = CategoryProfile.model_validate({**table, "code": code})
        except ValidationError as error:
            errors += [each.line for each in validation_errors(error, CategoryProfile, at=f"categories.{code}")]
            if code not in shipped:
                new = Text(
                    "categories.{code}: is not a shipped category, so it is new. {did_you_mean}",
                    code=code,
                    did_you_mean=did_you_mean(code, shipped),
                )
                errors.append(new)
    if errors:
        raise SettingsError(Text.join("\n", errors))
    return profiles


def _names(
    kind: str,
    code: str,
    locales: Mapping[str, Locale],
    change: Any,  # noqa: ANN401 - as it is written
    first: str,
) -> Any:  # noqa: ANN401 - the same
    """Return the names of a category by language, in the order in which they stand in for one another."""
    if not isinstance(change, Mapping):
        return change
    given = {tag: names[code] for tag, locale in locales.items() if code in (names := getattr(locale, kind))}
    both = _merged(given, change)
    order = dict.fromkeys((*tags_for(first), "en", *SHIPPED, *change, *given))
    return {tag: both[tag] for tag in order if tag in both}


def read_locale(
    tag: str, table: Mapping[str, Any], *, base: Locale | None = None, categories: Collection[str] = ()
) -> Locale:
    """Read a language from the table of its file.

    Args:
        tag: Its BCP 47 tag.
        table: The content of its file.
        base: The language that lends what the table leaves out.
        categories: The codes of further categories of the installation.

    Raises:
        SettingsError: Something is missing or wrong. There is one line for each.
    """
    own = {name: value for name, value in table.items() if name not in {"base", "language"}}
    combined = _combined(
        _values(base) if base else {}, own, is_wider=base is not None and base.language in tags_for(tag)
    )
    codes = (*shipped_categories(), *categories)
    unknown = ((path(kind, code), code) for kind in NAMES for code in _table(own.get(kind)) if code not in codes)
    errors: list[AnyText] = [
        Text("{kind}: there is no such category. {did_you_mean}", kind=kind, did_you_mean=did_you_mean(code, codes))
        for kind, code in unknown
    ]
    if (named := table.get("language", tag)) != tag:
        errors.append(
            Text("language: is {language!r}, but the settings name this file for {tag!r}.", language=named, tag=tag)
        )
    if base or tag not in SHIPPED:
        errors += _text_errors(own)
    if tag not in SHIPPED and not base:
        combined.setdefault("reminder", _values(shipped_locales()["fr"])["reminder"])
    marks = combined["marks"]
    missing = [f"marks.{stage}" for stage in _MARKED if isinstance(marks, Mapping) and stage not in marks]
    try:
        locale = Locale.model_validate({**combined, "language": tag})
    except ValidationError as error:
        wrong = validation_errors(error, Locale)
        missing += [each.place for each in wrong if each.text == IS_MISSING]
        errors += [each.line for each in wrong if each.text != IS_MISSING]
    if missing:
        lacks = Text(
            'lacks {missing}. Write them, or name a language that lends them: base = "en"', missing=", ".join(missing)
        )
        errors.append(lacks)
    if errors:
        raise SettingsError(Text.join("\n", errors))
    if locale.version == "":
        digest = hashlib.sha256(json.dumps(_values(locale), ensure_ascii=False, sort_keys=True).encode()).hexdigest()
        locale = locale.model_copy(update={"version": digest[:12]})
    return locale


def locale_schema() -> dict[str, Any]:
    """Return the JSON Schema of a language file, which may leave anything out. The `template` describes the fields."""
    schema = Locale.model_json_schema()
    del schema["required"]
    lends = Text("The language that lends what this file leaves out.")
    schema["properties"]["base"] = {**schema["properties"]["language"], "title": "Base", "description": lends}
    return schema


def _values(locale: Locale) -> dict[str, Any]:
    return locale.model_dump(mode="json", exclude={"language", "version"})


def _combined(lent: Mapping[str, Any], own: Mapping[str, Any], *, is_wider: bool) -> dict[str, Any]:
    """Return the values of a language, with what a wider or another language lends."""
    labels = _table(own.get("labels"))
    lent = {**lent, "severity_labels": {**lent.get("severity_labels", {})}}
    if not is_wider:  # another language: its own labels make hashtags
        made = {code: list(filter(None, [hashtag(str(label))])) for code, label in labels.items()}
        lent = {name: value for name, value in lent.items() if name not in _OF_ONE_LANGUAGE}
        lent["hashtags"] = {**lent.get("hashtags", {}), **made}
        lent["severity_hashtags"] = {**lent.get("severity_hashtags", {}), **{code: {} for code in labels}}
    # A label of its own is used at every severity.
    by_severity = lent.get("severity_labels", {})
    lent["severity_labels"] = {code: by_severity[code] for code in by_severity if code not in labels}
    combined = {"marks": {}, **lent, **own}
    for name in _TABLES:
        if isinstance(lent.get(name), Mapping) and isinstance(own.get(name), Mapping):
            combined[name] = {**lent[name], **own[name]}
    return combined


def _text_errors(table: Mapping[str, Any]) -> Iterator[AnyText]:
    """Yield what is wrong with each text of a table."""
    for name, value in table.items():
        if name not in Locale.model_fields or name in {"version", "hashtags", "severity_hashtags"}:
            continue
        for place, text in _texts(value, name):
            both = (f"{place}.today", f"{place}.other_day")  # one text for both
            for each in both if both[0] in _shipped_phrases() else (place,):
                if error := phrase_error(each, text):
                    yield at_place(each, error)


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    items = enumerate(value) if isinstance(value, list) else _table(value).items()
    for name, item in items:
        yield from _texts(item, path(place, name))


@cache
def _shipped_phrases() -> Mapping[str, tuple[str, ...]]:
    """Return each phrase in the shipped languages, by its place: `since.today`."""
    phrases: dict[str, tuple[str, ...]] = {}
    for locale in shipped_locales().values():
        for name, value in locale:
            form = value.model_dump() if isinstance(value, BaseModel) else value
            for place, text in _texts(form, name) if isinstance(value, str | BaseModel) else ():
                phrases[place] = (*phrases.get(place, ()), text)
    return phrases


def phrase_error(place: str, form: str) -> AnyText | None:
    """Fill in a phrase for a trial, and return what is wrong with it.

    Args:
        place: Its place in the file, such as `since.today`. Elsewhere nothing is filled in.
        form: The phrase.
    """
    shipped = _shipped_phrases().get(place)
    if shipped is None:
        return None
    names = [{name for _, name, _, _ in Formatter().parse(each) if name} for each in shipped]
    known = set.union(*names) | _MORE_NAMES.get(place, set()) | ({"day"} if place.endswith(".today") else set())
    shown = {name: f"<{name}>" for name in known} | {"hour": "8", "minute": "05"}
    try:
        filled = form.format(**{name: int(shown[name]) if shown[name].isdigit() else shown[name] for name in known})
    except KeyError as error:
        name = str(error.args[0])
        return Text(
            "{{{name}}} is not filled in here. {did_you_mean}", name=name, did_you_mean=did_you_mean(name, known)
        )
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        return Text("cannot be filled in ({error}). A brace for readers is written twice.", error=error)
    required = sorted(set.intersection(*names) - _OPTIONAL)
    if missing := [name for name in required if shown[name] not in filled]:
        return Text(
            "must hold {name}, as in {shown}.",
            name=", ".join(f"{{{name}:02d}}" if name == "minute" else f"{{{name}}}" for name in missing),
            shown=" or ".join(map(repr, shipped)),
        )
    return None


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the old values changed by the new ones, tables within likewise."""
    both = {name: _merged(old[name], new[name]) for name in new if _table(old.get(name)) and _table(new[name])}
    return {**old, **new, **both}


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
