"""Forms of French verbs of the first group, made from the infinitive, in plain small letters.

A list of offences names each verb once. What a text states as done is a form of the third person: the participle behind
*a* or *ont*, the imperfect, the simple past, the future, or the gerund.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from policenotify.checks.folds import FoldedText

VERBS: Final = "crime_verb"
"""The list of infinitives."""

_INFINITIVE: Final = "er"
_GERUND: Final = "en (|lui |leur |les |la |le |l )"


def with_forms(lists: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Return the lists with the forms of the verbs: `crime_done` has the participles, `crime_doing` the others."""
    known = {name: tuple(words) for name, words in lists.items()}
    stems = [word.removesuffix(_INFINITIVE) for entry in known.get(VERBS, ()) if (word := _plain(entry))]
    made = {
        "crime_done": (f"{stem}e(|e|s|es)" for stem in stems),
        "crime_doing": (form for stem in stems for form in _finite(stem)),
    }
    return known | {name: (*known.get(name, ()), *forms) for name, forms in made.items() if stems}


def _finite(stem: str) -> Iterator[str]:
    """Yield imperfect, simple past, future, present plural and gerund of a stem: `mangeait`, `menacerent`."""
    soft = f"{stem}e" if stem.endswith("g") else stem
    yield f"{soft}a(it|ient|)"
    yield f"{stem}e(rent|ra|ront|nt)"
    yield f"{_GERUND}{soft}ant"


def _plain(entry: str) -> str:
    """Return an infinitive in plain small letters, an empty text for any other entry."""
    tokens = FoldedText(entry).tokens
    return tokens[0].word if len(tokens) == 1 and tokens[0].word.endswith(_INFINITIVE) else ""
