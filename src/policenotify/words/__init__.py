"""What a category means, and the fixed phrases of a language: data only.

French and English are shipped. An installation adds a language as one more [`Words`][policenotify.words.Words] value,
mostly from a file (`policenotify.words.as_toml.words_as_toml` writes one to begin with), and a
category as one more [`Profile`][policenotify.words.Profile]; nothing else needs to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from policenotify.words.en import EN
from policenotify.words.fr import FR
from policenotify.words.phrases import Phrase, Words
from policenotify.words.profile import Profile, profile_of
from policenotify.words.profiles import PROFILES
from policenotify.words.tags import matching

WORDS: Final[Mapping[str, Words]] = MappingProxyType({"fr": FR, "en": EN})
"""The languages shipped, by BCP 47 tag."""

__all__ = ["EN", "FR", "PROFILES", "WORDS", "Phrase", "Profile", "Words", "matching", "profile_of"]
