"""Which of several languages answers for a tag."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

_REGION: Final = re.compile(r"-(?:[A-Z]{2}|[0-9]{3})\Z")

_Value = TypeVar("_Value")


def tags_for(language: str) -> Iterator[str]:
    """The tags under which a language may be found, the closest first: `de-CH`, then `de`.

    Only the region gives way, as in the lookup of RFC 4647 (section 3.4). A script does not, although it would there:
    a text in one script has no phrases in another (`sr-Latn` never becomes `sr`, as in the parent locales of UTS #35).
    """
    yield language
    wider = _REGION.sub("", language)
    if wider != language:
        yield wider


def matching(language: str, values: Mapping[str, _Value]) -> _Value | None:
    """What there is for a language, by BCP 47 tag; `None`: nothing."""
    return next((values[tag] for tag in tags_for(language) if tag in values), None)
