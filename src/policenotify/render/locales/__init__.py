"""Languages and categories, as shipped and as an installation changes them.

French, English and the shipped categories are TOML files beside this module, read like those of an installation.
[`template`][policenotify.render.locales.template] returns one to translate.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from policenotify.model.languages import best_match
from policenotify.model.locale import Locale, Phrase
from policenotify.render.locales.category import CategoryProfile, profile_of
from policenotify.render.locales.loader import read_profiles, shipped_locales, template

LOCALES: Final[Mapping[str, Locale]] = shipped_locales()
"""The languages shipped, by BCP 47 tag."""

PROFILES: Final[Mapping[str, CategoryProfile]] = MappingProxyType(read_profiles(LOCALES, {}))
"""The categories shipped, by code."""

__all__ = ["LOCALES", "PROFILES", "CategoryProfile", "Locale", "Phrase", "best_match", "profile_of", "template"]
