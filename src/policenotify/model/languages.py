"""Look-up of BCP 47 language tags."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeVar

_REGION: Final = re.compile(r"-(?:[A-Z]{2}|[0-9]{3})\Z")

_Value = TypeVar("_Value")


def tags_for(language: str) -> tuple[str, ...]:
    """Return the tags that match a language, the closest first: `de-CH`, then `de`.

    Only the region may be dropped, as in the lookup of RFC 4647 (section 3.4). A script is kept, although RFC 4647
    drops it: a text in one script has no phrases in another (`sr-Latn` and `sr`, as in the parent locales of UTS #35).
    """
    wider = _REGION.sub("", language)
    return (language,) if wider == language else (language, wider)


def is_same_language(language: str, other: str) -> bool:
    """Return True if two tags are the same but for a region that only one of them has: `fr-CA` and `fr`."""
    return language in tags_for(other) or other in tags_for(language)


def best_match(language: str, values: Mapping[str, _Value]) -> _Value | None:
    """Return the value of the closest matching tag, or `None`."""
    return next((values[tag] for tag in tags_for(language) if tag in values), None)
