"""Languages and categories, as shipped and as an installation changes them.

French, English and the shipped categories are TOML files beside this module, read at their first use like those of
an installation. [`template`][policenotify.render.locales.template] returns one to translate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from policenotify.model.languages import best_match
from policenotify.render.locales.category import CategoryProfile, profile_of
from policenotify.render.locales.loader import LoadedLocale, shipped_locales, shipped_profiles, template
from policenotify.render.locales.locale import Locale, Phrase

LOCALES: Mapping[str, Locale]
"""The languages shipped, by BCP 47 tag."""

PROFILES: Mapping[str, CategoryProfile]
"""The categories shipped, by code."""

_LAZY: Final[Mapping[str, Callable[[], object]]] = {"LOCALES": shipped_locales, "PROFILES": shipped_profiles}

__all__ = [
    "LOCALES",
    "PROFILES",
    "CategoryProfile",
    "LoadedLocale",
    "Locale",
    "Phrase",
    "best_match",
    "profile_of",
    "template",
]


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _LAZY[name]()
