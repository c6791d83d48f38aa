"""Which of several languages answers for a tag."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeVar

_REGION: Final = re.compile(r"-(?:[A-Z]{2}|[0-9]{3})\Z")

_Value = TypeVar("_Value")


@lru_cache(maxsize=64)
def tags_for(language: str) -> tuple[str, ...]:
    """The tags under which a language may be found, the closest first: `de-CH`, then `de`.

    Only the region gives way, as in the lookup of RFC 4647 (section 3.4). A script does not, although it would there:
    a text in one script has no phrases in another (`sr-Latn` never becomes `sr`, as in the parent locales of UTS #35).
    """
    wider = _REGION.sub("", language)
    return (language,) if wider == language else (language, wider)


def best_match(language: str, values: Mapping[str, _Value]) -> _Value | None:
    """What there is for a language, by BCP 47 tag; `None`: nothing."""
    return next((values[tag] for tag in tags_for(language) if tag in values), None)
