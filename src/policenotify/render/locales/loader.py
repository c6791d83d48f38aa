"""Read languages and categories from tables.

The shipped ones are read like those of an installation. A file for a shipped language changes it, and one for a region
(`de-CH`) changes the wider language (`de`). A file for another language stands alone, or names a `base` that lends what
is missing.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Formatter
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from policenotify.errors import SettingsError
from policenotify.model.languages import tags_for
from policenotify.model.lifecycle import Stage
from policenotify.render.locales.category import CategoryProfile
from policenotify.render.locales.locale import Locale, Phrase, ReminderPhrases
from policenotify.text.characters import one_line
from policenotify.text.spans import hashtag
from policenotify.translation import AnyText, Text
from policenotify.validation import at_place, did_you_mean, format_validation_errors, path

SHIPPED: Final = ("fr", "en")
"""The languages shipped."""

NAMES: Final = ("labels", "hashtags", "severity_labels", "severity_hashtags", "stage_marks")
"""The fields of a language that name categories, by code."""

_CHOSEN: Final = frozenset({"plain_words", "severity_labels", "stage_marks"})
_MARKED: Final = (Stage.UPDATE, Stage.END, Stage.CORRECTION, Stage.CANCELLATION)
_SEPARATORS: Final = frozenset({"colon", "dash"})  # may begin and end with a space
_IS_MISSING: Final = ": is missing."  # as `format_validation_errors` ends such a line
_WRITE: Final = Text('Write them, or name a language that lends them: base = "en"')
# The names in braces of each phrase. A name with ? may be left out.
_PLACEHOLDERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "direction": "direction",
        "direction_between": "start end",
        "direction_word": "direction",
        "on_road": "road",
        "between": "first second",
        "night": "weekday day",
        "summer_time": "time",
        "winter_time": "time",
        "full_hour": "hour minute?",
        "clock": "hour minute",
        "day": "weekday? day month year?",
        "day_and_year": "weekday? day month year",
        "first_day": "day?",
        "within.today": "start end day?",
        "within.other_day": "day start end",
        "across": "start_day start end_day end",
        "all_day.today": "day?",
        "all_day.other_day": "day",
        "across_days": "start_day end_day",
        "issued": "day time",
        "context.today": "time headline colon? day?",
        "context.other_day": "day time headline colon?",
        "more": "where",
        "source": "source",
        "confirmed": "text",
        "unconfirmed": "text",
        "contact": "contact",
        "reference": "reference",
        "mail_footer": "sender?",
        "reminder.headline": "incident since",
        "reminder.reading_headline": "incident since",
        "reminder.description": "number headline place",
    }
)
_PHRASE: Final[Mapping[str, str]] = MappingProxyType({"today": "time day?", "other_day": "day time"})
_SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"hour": ("", ":02d"), "minute": (":02d",)})
# The keys that lead to a phrase with names in braces. A value of another form is left to the model.
_DEPTHS: Final[Mapping[object, int]] = MappingProxyType({str: 1, Phrase: 2, ReminderPhrases: 2})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedLocale:
    """A language with its origin.

    Attributes:
        locale: Its phrases and names.
        file: The file that it comes from, empty for a language as shipped.
        base: The language that lends what the file leaves out, if any.
        lent: The names of what another language lends, such as `labels.fire`. A wider language's do not count.
    """

    locale: Locale
    file: str = ""
    base: str = ""
    lent: tuple[str, ...] = ()

    @property
    def text(self) -> Text:
        """Where it is from, and what is lent to it."""
        origin = self.file or Text("as shipped")
        text = Text("{origin}, version {version}", origin=origin, version=self.locale.version)
        if not self.lent:
            return text
        lent = Text.counted(
            "{count} phrase is in {base}: {lent}",
            "{count} phrases are in {base}: {lent}",
            count=len(self.lent),
            base=self.base,
            lent=", ".join(self.lent),
        )
        return Text.join(Text("; "), (text, lent))

    def __str__(self) -> str:
        return str(self.text)


def template(language: str) -> str:
    """Return the file of a shipped language, `fr` or `en`, to be translated."""
    return (files(__package__) / f"{language}.toml").read_text("utf-8")


@cache
def shipped_locales() -> Mapping[str, Locale]:
    """Return the languages shipped, by BCP 47 tag."""
    return MappingProxyType({tag: read_locale(tag, tomllib.loads(template(tag))).locale for tag in SHIPPED})


@cache
def shipped_categories() -> Mapping[str, Mapping[str, Any]]:
    """Return the tables of the categories shipped, by code, without their names."""
    return MappingProxyType(tomllib.loads(template("categories")))


@cache
def shipped_profiles() -> Mapping[str, CategoryProfile]:
    """Return the categories shipped, by code."""
    return MappingProxyType(read_profiles(shipped_locales(), {}))


def read_profiles(
    locales: Mapping[str, Locale], changes: Mapping[str, Mapping[str, Any]]
) -> dict[str, CategoryProfile]:
    """Return the categories shipped, named in these languages, changed and added to.

    The changes are tables by category code. They take precedence over the names that the languages give.

    Raises:
        SettingsError: A field is unknown, missing or wrong. There is one line for each.
    """
    profiles, errors, shipped = {}, [], shipped_categories()
    for code in dict.fromkeys((*shipped, *changes)):
        change = changes.get(code, {})
        table = _merged(shipped.get(code, {}), change)
        table |= {kind: _names(kind, code, locales, change.get(kind, {})) for kind in NAMES}
        renamed = {*_table(change.get("labels"))} - {*_table(change.get("severity_labels"))}
        if isinstance(by_severity := table["severity_labels"], Mapping):
            table["severity_labels"] = {tag: by_severity[tag] for tag in by_severity if tag not in renamed}
        if not table["labels"]:
            del table["labels"]
        try:
            profiles[code] = CategoryProfile.model_validate({**table, "code": code})
        except ValidationError as error:
            errors += format_validation_errors(error, CategoryProfile, at=f"categories.{code}")
            if code not in shipped:
                errors.append(
                    Text(
                        "categories.{code}: is not a shipped category, so it is new. {did_you_mean}",
                        code=code,
                        did_you_mean=did_you_mean(code, shipped),
                    )
                )
    if errors:
        raise SettingsError(Text.join("\n", errors))
    return profiles


def _names(kind: str, code: str, locales: Mapping[str, Locale], change: Any) -> Any:  # noqa: ANN401 - as it is written
    """Return the names of a category by language, the shipped languages first."""
    if not isinstance(change, Mapping):
        return change
    given = {tag: names[code] for tag, locale in locales.items() if code in (names := getattr(locale, kind))}
    order = dict.fromkeys((*(tag for tag in SHIPPED if tag in given), *change, *given))
    both = _merged(given, change)
    return {tag: both[tag] for tag in order}


def read_locale(
    tag: str,
    table: Mapping[str, Any],
    *,
    base: LoadedLocale | None = None,
    categories: Collection[str] = (),
    named: Collection[str] = (),
    file: str = "",
) -> LoadedLocale:
    """Read a language from the table of its file.

    Args:
        tag: Its BCP 47 tag.
        table: The content of its file.
        base: The language that lends what the table leaves out.
        categories: The codes of further categories of the installation.
        named: The codes of the categories that the settings name in this language.
        file: Where the table comes from.

    Raises:
        SettingsError: Something is missing or wrong. There is one line for each.
    """
    alike = base is not None and base.locale.language in tags_for(tag)
    own = {name: value for name, value in table.items() if name not in {"base", "language"}}
    lent = _values(base.locale) if base else {}
    if not alike:
        lent.pop("sets_spaces", None)  # typography belongs to one language
    combined = _combined(lent, own, alike=alike)
    codes = (*shipped_categories(), *categories)
    errors = [*_origin_errors(tag, table, base), *_unknown_categories(own, codes), *_text_errors(own)]
    if tag not in SHIPPED and not base:
        combined.setdefault("reminder", _values(shipped_locales()["fr"])["reminder"])
    marks = combined["marks"]
    missing = [f"marks.{stage}" for stage in _MARKED if isinstance(marks, Mapping) and stage not in marks]
    try:
        locale = Locale.model_validate({**combined, "language": tag})
    except ValidationError as error:
        lines = format_validation_errors(error, Locale, hidden=".[key]")
        missing += [str(line).removesuffix(_IS_MISSING) for line in lines if str(line).endswith(_IS_MISSING)]
        errors += [line for line in lines if not str(line).endswith(_IS_MISSING)]
    else:
        unnamed = [code for code in shipped_categories() if code not in locale.labels and code not in named]
        errors += (
            [Text("labels: lacks {unnamed}. {write}", unnamed=", ".join(unnamed), write=_WRITE)] if unnamed else []
        )
    if missing:
        errors.append(Text("lacks {missing}. {write}", missing=", ".join(missing), write=_WRITE))
    if errors:
        raise SettingsError(Text.join("\n", errors))
    if locale.version == "":
        digest = hashlib.sha256(json.dumps(_values(locale), ensure_ascii=False, sort_keys=True).encode()).hexdigest()
        locale = locale.model_copy(update={"version": digest[:12]})
    written = {*_field_names(own), *(path("labels", code) for code in named)}
    foreign = base.lent if base and alike else _field_names(lent)
    return LoadedLocale(
        locale=locale,
        file=file,
        base=base.locale.language if base else "",
        lent=tuple(name for name in foreign if name not in written),
    )


def locale_schema() -> dict[str, Any]:
    """Return the JSON Schema of a language file, which may leave anything out."""
    schema = Locale.model_json_schema()
    del schema["required"]
    lends = Text("The language that lends what this file leaves out.")
    schema["properties"]["base"] = {**schema["properties"]["language"], "title": "Base", "description": lends}
    comment: list[str] = []
    for line in template("en").splitlines():
        if key := re.match(r"(?:# )?\[?(\w+)(?:\.\w+)?(?:\]| =)", line):
            schema["properties"].get(key[1], {})["description"] = " ".join(comment)
        comment = [*comment, line[2:]] if line.startswith("# ") and not key else []
    return schema


def _values(locale: Locale) -> dict[str, Any]:
    return locale.model_dump(mode="json", exclude={"language", "version"})


def _combined(lent: Mapping[str, Any], own: Mapping[str, Any], *, alike: bool) -> dict[str, Any]:
    """Return the values of a language. Its own labels also make hashtags."""
    labels = _table(own.get("labels"))
    made: dict[str, dict[str, Any]] = {
        "hashtags": {code: list(filter(None, [hashtag(str(label))])) for code, label in labels.items()},
        "severity_hashtags": {code: {} for code in labels},
    }
    # What is lent for a case of its own would take precedence over what this file has for all cases.
    lent = {name: value for name, value in lent.items() if alike or name not in _CHOSEN}
    by_severity = _table(lent.get("severity_labels"))
    lent |= {"severity_labels": {code: by_severity[code] for code in by_severity if code not in labels}}
    combined = {"marks": {}, **lent, **own}
    for name in ("marks", "emojis", "plain_words", "reminder", *NAMES):
        if isinstance(combined.get(name, {}), Mapping):
            merged = {**lent.get(name, {}), **({} if alike else made.get(name, {})), **own.get(name, {})}
            combined |= {name: merged} if merged else {}
    return combined


def _origin_errors(tag: str, table: Mapping[str, Any], base: LoadedLocale | None) -> Iterator[AnyText]:
    language = table.get("language", tag)
    if language != tag:
        yield Text(
            "language: is {language!r}, but the settings name this file for {tag!r}.", language=language, tag=tag
        )
    if base and base.locale.language == tag and str(table.get("version")) == str(base.locale.version):
        yield Text(
            "version: {version} is that of the language as shipped. Give another one, or none.",
            version=base.locale.version,
        )


def _unknown_categories(table: Mapping[str, Any], codes: Collection[str]) -> Iterator[AnyText]:
    for kind in NAMES:
        for code in _table(table.get(kind)):
            if code not in codes:
                yield Text(
                    "{kind}: there is no such category. {did_you_mean}",
                    kind=path(kind, code),
                    did_you_mean=did_you_mean(code, codes),
                )


def _field_names(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of a table's phrases: `since`, `marks.end`, `labels.fire`."""
    for name, value in table.items():
        if name in {"marks", "labels"}:
            yield from (path(name, inner) for inner in _table(value))
        elif name in Locale.model_fields and name not in {"emojis", "plain_words", "reminder", *NAMES}:
            yield name


def _text_errors(table: Mapping[str, Any]) -> Iterator[AnyText]:
    """Yield what is wrong with each phrase and label of a table."""
    for name, value in table.items():
        field = Locale.model_fields.get(name)
        if field is None or name in {"version", "hashtags", "severity_hashtags"}:
            continue
        both = field.annotation is Phrase and isinstance(value, str)
        for place, text in _texts({"today": value, "other_day": value} if both else value, name):
            errors = _visible_errors(text, spaces=name in _SEPARATORS)
            if not errors and len(place) == _DEPTHS.get(field.annotation):
                errors = placeholder_errors(text, *map(str, place))
            if errors:
                yield at_place(path(*place), Text.join(" ", errors))


def _texts(value: object, *place: str | int) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield each text within a value, with its place."""
    if isinstance(value, str):
        yield place, value
    items: Iterable[tuple[Any, Any]] = enumerate(value) if isinstance(value, list) else _table(value).items()
    for name, item in items:
        yield from _texts(item, *place, name)


def _visible_errors(text: str, *, spaces: bool) -> list[AnyText]:
    joined = " ".join(text.split())
    if not (text if spaces else joined):
        return [Text("must not be empty.")]
    if text.splitlines() != [text] or one_line(joined) != joined:
        return [Text("holds a line break or an invisible character: remove it")]
    if not spaces and text != text.strip():
        return [Text("begins or ends with a space: remove it")]
    return []


def placeholder_errors(form: str, field: str, part: str = "") -> list[AnyText]:
    """Return what is wrong with the names in braces of a phrase.

    If the field of `Locale` is a table, *part* is the key in it, such as `today`.
    """
    try:
        parsed = [field for field in Formatter().parse(form) if field[1] is not None]
    except ValueError:
        return [Text("has a {{ or }} without its other half. A brace for readers is written twice.")]
    allowed = _PLACEHOLDERS.get(path(field, part), _PHRASE.get(part, "")).split()
    known = {name.removesuffix("?") for name in allowed}
    names = dict.fromkeys(name for _, name, _, _ in parsed if name is not None)
    unknown = [name for name in names if name not in known]
    errors: list[AnyText] = [
        Text("{{{name}}} is not filled in here. {did_you_mean}", name=name, did_you_mean=did_you_mean(name, known))
        for name in unknown
    ]
    for _, name, spec, conversion in parsed:
        suffix = (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
        suffixes = _SUFFIXES.get(name or "", ("",))
        if name in known and suffix not in suffixes:
            forms = " or ".join(f"{{{name}{suffix}}}" for suffix in suffixes)
            errors.append(
                Text("{{{name}}} is written {forms}, not {{{name}{suffix}}}.", name=name, forms=forms, suffix=suffix)
            )
    if missing := sorted(name for name in allowed if not name.endswith("?") and name not in names):
        examples = (getattr(locale, field) for locale in shipped_locales().values())
        shown = " or ".join(repr(getattr(example, part) if part else example) for example in examples)
        errors.append(
            Text("must hold {name}, as in {shown}.", name=", ".join(f"{{{name}}}" for name in missing), shown=shown)
        )
    return errors


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the old values changed by the new ones, tables within likewise."""
    both = {name: _merged(old[name], new[name]) for name in new if _table(old.get(name)) and _table(new[name])}
    return {**old, **new, **both}


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
