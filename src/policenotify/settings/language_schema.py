"""The form of a file of words: what must stand in it, and how."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache, partial
from types import MappingProxyType
from typing import Annotated, Any, cast, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    StringConstraints,
    create_model,
)

from policenotify.model.cap import Severity
from policenotify.model.lifecycle import Stage
from policenotify.model.message import CategoryCode, Language
from policenotify.render.locales import FR, Locale, Phrase
from policenotify.render.locales.placeholders import wrong_in
from policenotify.render.locales.toml_export import ABOUT
from policenotify.text.characters import one_line
from policenotify.text.spans import hashtag

_JOINTS = frozenset({"colon", "dash", "place_joint"})  # these begin or end with a space, the others do not
_BY_STAGE = ("marks", "emojis")
_LENGTHS = {"weekdays": 7, "months": 12}


def _text(value: str, *, joint: bool = False) -> str:
    value = unicodedata.normalize("NFC", value)
    if not (value if joint else value.strip()):
        raise ValueError("must not be empty.")
    if value.splitlines() != [value] or one_line(value) != " ".join(value.split()):
        raise ValueError("holds a line break, or a character that nobody can see: remove it")
    if not joint and value != value.strip():
        raise ValueError("begins or ends with a space: remove it")
    return value


def _form(field: str, part: str, value: str) -> str:
    value = _text(value, joint=field in _JOINTS)
    if wrong := wrong_in(field, value, part):
        raise ValueError(" ".join(wrong))
    return value


def _hashtag(value: str) -> str:
    name = value.removeprefix("#")
    right = hashtag(name)
    if not right:
        raise ValueError(f"{value!r} is no hashtag: there is no letter in it")
    if right != unicodedata.normalize("NFC", name):
        raise ValueError(f"{value!r} is no hashtag; write {right!r}")
    return right


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _counted(wanted: int | None, values: tuple[str, ...]) -> tuple[str, ...]:
    if wanted and len(values) != wanted:
        raise ValueError(f"must be {wanted}, and are {len(values)}.")
    if not values:
        raise ValueError("must not be empty.")
    return values


def _both(value: object) -> object:
    """A phrase that reads alike on the day itself and on another."""
    return {"today": value, "other_day": value} if isinstance(value, str) else value


_CONFIG = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, protected_namespaces=())

_Plain = Annotated[str, AfterValidator(_text)]
_Hashtag = Annotated[str, AfterValidator(_hashtag)]
_Tags = Annotated[tuple[_Hashtag, ...], BeforeValidator(_several)]
_Version = Annotated[str, StringConstraints(pattern=r"^[\w.+-]{1,40}$")] | StrictInt


class WordsFile(BaseModel):
    """A language: its fixed phrases, and what categories are called.

    Attributes:
        language: Which it is, as the settings name it.
        base: The language that lends what is not said here.
        version: Journalled with each message; `None`: a digest of the words is.
        labels: What the public calls each category, short.
        hashtags: Those of each category, with or without `#`; the first one is *the* hashtag of the category.
        severity_hashtags: The first hashtag of a category where it depends on how bad it is.
    """

    model_config = _CONFIG

    language: Language | None = None
    base: Language | None = None
    version: _Version | None = None
    labels: dict[CategoryCode, _Plain] = Field(default_factory=dict)
    hashtags: dict[CategoryCode, _Tags] = Field(default_factory=dict)
    severity_hashtags: dict[CategoryCode, dict[Severity, _Hashtag]] = Field(default_factory=dict)


def _model(name: str, about: str, values: Mapping[str, Any]) -> type[BaseModel]:
    return cast("type[BaseModel]", create_model(name, __config__=_CONFIG, __doc__=about, **cast("Any", values)))


def _of_stages(name: str, stages: Mapping[Stage, str]) -> type[BaseModel]:
    return _model(name, ABOUT.get(name, ""), {str(stage): (_Plain, ...) for stage in stages})


def _kind(name: str, hint: object) -> object:
    """How a field of `Locale` stands in a file."""
    if name in _BY_STAGE:
        return _of_stages(name, getattr(FR, name))
    if hint is Phrase:
        parts = ("today", "other_day")
        values = {part: (Annotated[str, AfterValidator(partial(_form, name, part))], ...) for part in parts}
        return Annotated[_model(name, ABOUT.get(name, ""), values), BeforeValidator(_both)]
    if hint is str:
        return Annotated[str, AfterValidator(partial(_form, name, ""))]
    if hint == tuple[str, ...]:
        length = _LENGTHS.get(name)
        return Annotated[tuple[_Plain, ...], AfterValidator(partial(_counted, length))]
    return hint


@cache
def words_form() -> type[WordsFile]:
    """The form of a file of words, with all fields of `Locale`; made when the first file is read."""
    hints = get_type_hints(Locale)
    own = {
        field.name: (_kind(field.name, hints[field.name]), ... if field.default is MISSING else field.default)
        for field in fields(Locale)
        if field.name not in WordsFile.model_fields
    }
    return create_model("WordsFile", __base__=WordsFile, __doc__=WordsFile.__doc__, **cast("Any", own))


def words_schema() -> dict[str, Any]:
    """The JSON Schema of a file of words: one that stands alone, or changes another language."""
    made = words_form().model_json_schema()
    made.pop("required", None)  # what another language lends need not stand in the file
    text, texts = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
    fields_of = made["properties"]
    for name, hint in get_type_hints(Locale).items():
        if hint is Phrase:
            fields_of[name] = {"anyOf": [text, {"$ref": fields_of[name]["$ref"]}]}
        if name in ABOUT and name not in WordsFile.model_fields:
            fields_of[name]["description"] = ABOUT[name]
    for name, length in _LENGTHS.items():
        fields_of[name] |= {"minItems": length, "maxItems": length}
    tables = fields_of["hashtags"]["patternProperties"]
    fields_of["hashtags"]["patternProperties"] = {code: {"anyOf": [text, texts]} for code in tables}
    for name in _BY_STAGE:
        made["$defs"][name].pop("required", None)  # the rest may be lent, too
    return made


def words_from(file: WordsFile, language: str) -> Locale:
    """The phrases of a file that has been found right; their version is yet to be given."""
    values: dict[str, Any] = {field.name: getattr(file, field.name) for field in fields(Locale)}
    for name, value in values.items():
        if name in _BY_STAGE:
            values[name] = MappingProxyType({Stage(stage): text for stage, text in value.model_dump().items()})
        elif isinstance(value, BaseModel):
            values[name] = Phrase(**value.model_dump())
    return Locale(**{**values, "language": language, "version": ""})
