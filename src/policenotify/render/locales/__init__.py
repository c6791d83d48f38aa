"""What a category means, and the fixed phrases of a language: data only.

French and English are shipped. An installation adds a language as one more
[`Locale`][policenotify.render.locales.Locale] value, mostly from a file
(`policenotify.render.locales.toml_export.words_as_toml` writes one to begin with), and a category as one more
[`CategoryProfile`][policenotify.render.locales.CategoryProfile]; nothing else needs to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from policenotify.model.languages import best_match
from policenotify.render.locales.categories import PROFILES
from policenotify.render.locales.category import CategoryProfile, profile_of
from policenotify.render.locales.en import EN
from policenotify.render.locales.fr import FR
from policenotify.render.locales.phrases import Locale, Phrase

WORDS: Final[Mapping[str, Locale]] = MappingProxyType({"fr": FR, "en": EN})
"""The languages shipped, by BCP 47 tag."""

__all__ = ["EN", "FR", "PROFILES", "WORDS", "CategoryProfile", "Locale", "Phrase", "best_match", "profile_of"]
