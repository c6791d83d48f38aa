"""Handles and hashtags in running text as words, for readers whose network has neither."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from policenotify.text.patterns import lazy_pattern
from policenotify.text.spans import TextSpan, find_mentions, is_allowed, spans_of

_CODE: Final = lazy_pattern(r"[A-Z]{1,3}[0-9]++(?:[A-Z][0-9]*+)?|[^a-zà-öø-ÿ]++|[^A-ZÀ-ÖØ-Þ]++")
_SENTENCE_BEFORE: Final = lazy_pattern(r"(?:[.!?…]\s|\n)\s{0,2}\Z")
_NEAR: Final = 4  # characters before a handle that show whether it begins a sentence
# Words that keep no capital letter inside a French name.
_SMALL: Final = frozenset(
    {"à", "au", "aux", "d", "de", "des", "du", "en", "et", "l", "la", "le", "les", "par", "pour", "sur", "sans"}
    | {"civile", "civil", "judiciaire", "municipale", "municipal", "national", "nationale", "nationaux", "nationales"}
    | {"publique", "public", "publics", "routier", "routière", "routiers", "scolaire", "témoins"}
)


def handles_in_words(text: str, names: Mapping[str, str], mentions: frozenset[str] = frozenset()) -> str:
    """Return the text with accounts by their names in words.

    Args:
        text: The text as the desk wrote it.
        names: The words for a handle (`@PompiersHerault`), in any case of letters.
        mentions: Accounts that readers can follow there. They stay.
    """
    if not names or ("@" not in text and "＠" not in text):
        return text
    known = _folded(names)
    spans = [span for span in find_mentions(text) if not is_allowed(span.value, mentions)]
    return _replaced(text, spans, {span.value: known.get(f"@{span.value.casefold()}") for span in spans})


def hashtags_in_words(text: str, names: Mapping[str, str]) -> str:
    """Return the text without hashtags: `#PoliceNationale` becomes `Police nationale`.

    Args:
        text: The text.
        names: The words for a hashtag (`#OTV`), in any case of letters. Any other one is split at its capitals.
    """
    if "#" not in text and "＃" not in text:
        return text
    known = _folded(names)
    spans = [span for span in spans_of(text) if span.kind == "tag"]
    return _replaced(
        text, spans, {span.value: known.get(f"#{span.value.casefold()}") or split_hashtag(span.value) for span in spans}
    )


def split_hashtag(tag: str) -> str:
    """Return the words of a hashtag: `OpérationTranquillitéVacances` has three, `A9` and `OTV` one."""
    if _CODE.fullmatch(tag):
        return tag
    ends = [0]
    for place, (before, after) in enumerate(pairwise(tag), 1):
        begins_word = after.isupper() and (not before.isupper() or tag[place + 1 : place + 2].islower())
        if begins_word or after.isdigit() != before.isdigit():
            ends.append(place)
    first, *others = (tag[start:end] for start, end in pairwise([*ends, len(tag)]))
    return " ".join((first, *(word.lower() if word.lower() in _SMALL else word for word in others)))


def _folded(names: Mapping[str, str]) -> dict[str, str]:
    return {handle.casefold(): words for handle, words in names.items()}


def _replaced(text: str, spans: list[TextSpan], words: Mapping[str, str | None]) -> str:
    pieces, done = [], 0
    for span in spans:
        name = words[span.value]
        if name is None:
            continue
        before = text[max(span.start - _NEAR, 0) : span.start]
        if _SENTENCE_BEFORE.search(before) or (span.start <= _NEAR and not before.strip()):
            name = name[:1].upper() + name[1:]
        pieces += [text[done : span.start], name]
        done = span.end
    return "".join([*pieces, text[done:]])
