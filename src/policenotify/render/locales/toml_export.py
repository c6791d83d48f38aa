"""A language as a file: to copy, translate and drop in."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, Final

from policenotify.render.locales.categories import PROFILES
from policenotify.render.locales.category import CategoryProfile
from policenotify.render.locales.phrases import Locale, Phrase

ABOUT: Final[Mapping[str, str]] = MappingProxyType(
    {
        name: " ".join(about.split())
        for name, about in re.findall(
            r"^ {4}(\w+): (.+(?:\n {6,}.+)*)", inspect.cleandoc(Locale.__doc__ or ""), re.MULTILINE
        )
    }
)
"""What each field of `Locale` is, as its documentation says; empty where Python runs without documentation (`-OO`)."""

_HEAD: Final = """\
# A language of policenotify: its fixed phrases, and what categories are called. Names in braces are filled in.
# Name the file in the settings: [languages] {language} = "words/{language}.toml"
"""
_VERSION: Final = """\
# version = "1"   # journalled with each message; without it, a digest of all that stands here
"""


def words_as_toml(words: Locale, profiles: Mapping[str, CategoryProfile] = PROFILES) -> str:
    """A language as the file that an installation would drop in for it.

    Read again, it is the same but for the version, which a copy gives anew.

    Args:
        words: Its fixed phrases, such as [`FR`][policenotify.render.locales.FR].
        profiles: The categories whose names in that language are written too.
    """
    table = as_table(words)
    inner = {name: table.pop(name) for name in ("marks", "emojis")}
    lines = [_HEAD.format(language=words.language), f"language = {_toml(words.language)}", _VERSION]
    for name, value in table.items():
        lines += [f"# {ABOUT[name]}"] if name in ABOUT else []
        lines.append(f"{name} = {_toml(value)}")
    for name, values in inner.items():
        lines += ["", f"[{name}]" + (f"   # {ABOUT[name]}" if name in ABOUT else "")]
        lines += [f"{key} = {_toml(value)}" for key, value in values.items()]
    return "\n".join([*lines, *_categories(words.language, profiles), ""])


def as_table(words: Locale) -> dict[str, Any]:
    """The phrases as the table that a file would hold; without language and version."""
    return {
        field.name: _plain(getattr(words, field.name))
        for field in fields(words)
        if field.name not in {"language", "version"}
    }


def _plain(value: object) -> object:
    if isinstance(value, Phrase):
        return {"today": value.today, "other_day": value.other_day}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _categories(language: str, profiles: Mapping[str, CategoryProfile]) -> Iterator[str]:
    yield from ("", "[labels]   # what the public calls each category, short")
    yield from (f"{code} = {_toml(one.labels[language])}" for code, one in profiles.items() if language in one.labels)
    yield from ("", "[hashtags]   # the first one is that of the category")
    yield from (
        f"{code} = {_toml(list(one.hashtags[language]))}" for code, one in profiles.items() if language in one.hashtags
    )
    for code, one in profiles.items():
        if by_severity := one.severity_hashtags.get(language):
            yield from ("", f"[severity_hashtags.{code}]   # instead of the first one, by how bad it is")
            yield from (f"{severity} = {_toml(tag)}" for severity, tag in by_severity.items())


def _toml(value: object) -> str:
    """A value as TOML; each text in JSON, without control characters, is one in TOML."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {_toml(inner)}' for key, inner in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
