"""Languages and categories, as shipped and as an installation changes them.

French, English and the shipped categories are TOML files beside this module, read at their first use like those of
an installation. [`template`][policenotify.render.locales.template] returns one to translate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Final, TypeVar

from policenotify.model.languages import best_match
from policenotify.model.locale import Locale, Phrase
from policenotify.render.locales.category import CategoryProfile, profile_of
from policenotify.render.locales.loader import read_profiles, shipped_locales, template

_Value = TypeVar("_Value")


class _Shipped(Mapping[str, _Value]):
    """Values that are read from their files at the first look at one of them: an import reads none."""

    def __init__(self, read: Callable[[], Mapping[str, _Value]]) -> None:
        self._read = cache(read)

    def __getitem__(self, name: str) -> _Value:
        return self._read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())


LOCALES: Final[Mapping[str, Locale]] = _Shipped(shipped_locales)
"""The languages shipped, by BCP 47 tag."""

PROFILES: Final[Mapping[str, CategoryProfile]] = _Shipped(lambda: read_profiles(LOCALES, {}))
"""The categories shipped, by code."""

__all__ = ["LOCALES", "PROFILES", "CategoryProfile", "Locale", "Phrase", "best_match", "profile_of", "template"]
