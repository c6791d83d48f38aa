"""What a category means, and the fixed phrases of a language: data only.

French and English are shipped. An installation adds a language as one more [`Words`][policenotify.render.locales.Words] value,
mostly from a file (`policenotify.render.locales.toml_export.words_as_toml` writes one to begin with), and a
category as one more [`Profile`][policenotify.render.locales.Profile]; nothing else needs to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from policenotify.model.languages import matching
from policenotify.render.locales.categories import PROFILES
from policenotify.render.locales.category import Profile, profile_of
from policenotify.render.locales.en import EN
from policenotify.render.locales.fr import FR
from policenotify.render.locales.phrases import Phrase, Words

WORDS: Final[Mapping[str, Words]] = MappingProxyType({"fr": FR, "en": EN})
"""The languages shipped, by BCP 47 tag."""

__all__ = ["EN", "FR", "PROFILES", "WORDS", "Phrase", "Profile", "Words", "matching", "profile_of"]
