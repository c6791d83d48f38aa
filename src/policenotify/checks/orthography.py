"""Checks of how the texts are typed: signs, capitals, accents and abbreviations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from policenotify.checks.check import CheckContext, Remark, check, texts_of
from policenotify.findings import Level
from policenotify.render.locales import best_match
from policenotify.text.patterns import lazy_pattern
from policenotify.text.spans import spans_of

_MISSING_SPACE: Final = lazy_pattern(r"(?<![^\W\d_])[^\W\d_]++[,;:](?=[^\W\d_])[\w'’]++")  # but 18:30 and 1,72 m
_REPEATED_SIGN: Final = lazy_pattern(r"!(?:!+|\?[!?]+)|\?(?:\?+|![!?]+)")
_MAY_LACK_SPACE: Final = lazy_pattern(r"[,;:][^\W\d_]")
# French has a few words in -ee without an accent, all from other languages.
_NO_ACCENT: Final = lazy_pattern(
    r"(?<![\w@#./'’-])(?!(?:[fF]ree|[tT]ees?|[yY]ankees?|[pP]edigrees?|[fF]risbees?|[jJ]amborees?|[cC]offee|[sS]quee\w*|"
    r"[lL]ee|[cC]ommittee|[tT]offees?|[rR]eferee|[sS]ee|[tT]hree|[gG]reen?fee)\b)"
    r"(?:[A-Za-zà-ÿ]{1,20}?[b-df-hj-np-tv-zéi]ees?|"
    r"(?:[cC]omedie|[sS]ecurites?|[vV]ehicules?|[pP]erimetres?|[dD]eviations?|[oO]perations?|[pP]refectures?|[fF]enetres?|"
    r"[nN]umeros?|[tT]elephones?|[tT]emoins?|[dD]egats?|[hH]opita(?:l|ux)|Herault|Beziers|Sete|[mM]eteo|[bB]lesses|"
    r"[iI]nterpelles|[eE]vacues?|[fF]oret|[dD]epartement|[rR]egion))(?![\w-])"
)
# What any of them has.
_WITHOUT_ACCENT: Final = (
    *("ee", "omedie", "ecurite", "ehicule", "erimetre", "eviation", "peration", "refecture", "enetre", "umero"),
    *("elephone", "emoin", "egat", "opita", "Herault", "Beziers", "Sete", "eteo", "lesses", "nterpelles", "vacue"),
    *("oret", "epartement", "egion"),
)
_CAPITALS: Final = 4  # words. An abbreviation or two are no shouting.
_WORD: Final = lazy_pattern(r"[^\W\d_]{2,}+")


@check(
    "PN405",
    basis="Charte d'accessibilité de la communication de l'État, 2021: readers do not know a service's abbreviations.",
    levels=(Level.ADVISE,),
)
def words_known(context: CheckContext) -> Iterator[Remark]:
    """Warn of abbreviations that the public does not know, and of capitals without their accents."""
    for language, field, text in texts_of(context.message, "headline", "description", "instruction"):
        locale = best_match(language, context.locales)
        words = locale.plain_words if locale else {}
        for match in _pattern(tuple(words)).finditer(text) if any(map(text.__contains__, words)) else ():
            yield Remark(
                f"Readers may stumble over “{match[0]}”.",
                f"Write “{words[match[0]]}”.",
                field=field,
                span=match.span(),
            )


@check(
    "PN406",
    basis="RGAA 4: a screen reader may spell out capitals, and everyone reads them more slowly.",
    levels=(Level.ADVISE,),
)
def capitals_rare(context: CheckContext) -> Iterator[Remark]:
    """Warn of a sentence in capitals."""
    for _, field, text in texts_of(context.message, "headline", "description", "instruction"):
        for excerpt, start, end in _in_capitals(text):
            yield Remark(
                f"“{excerpt}” is written in capitals.",
                "Write small letters, with a capital at the beginning and in names.",
                field=field,
                span=(start, end),
            )


@check(
    "PN407",
    basis="Lexique des règles typographiques en usage à l'Imprimerie nationale, 2002.",
    levels=(Level.ADVISE,),
)
def signs_in_order(context: CheckContext) -> Iterator[Remark]:
    """Warn of repeated signs, a missing space after a colon, a semicolon or a comma, and missing accents."""
    for language, field, text in texts_of(context.message, "headline", "description", "instruction"):
        addresses = [(span.start, span.end) for span in spans_of(text) if span.kind == "url"]
        accents = language.partition("-")[0] == "fr" and any(map(text.__contains__, _WITHOUT_ACCENT))
        for pattern, reason, remedy in (
            (_REPEATED_SIGN, "repeats a sign", "Write it once."),
            (
                _MISSING_SPACE if _MAY_LACK_SPACE.search(text) else None,
                "lacks a space after the sign",
                "Write the space.",
            ),
            (_NO_ACCENT if accents else None, "lacks its accents", "Write the accents."),
        ):
            for match in pattern.finditer(text) if pattern else ():
                if not any(start < match.end() and match.start() < end for start, end in addresses):
                    yield Remark(f"“{match[0]}” {reason}.", remedy, field=field, span=match.span())


@lru_cache(maxsize=8)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds these words, the longest first."""
    forms = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    return re.compile(rf"(?<![\w.@#/'’-])(?:{forms})(?![\w-])")


def _in_capitals(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each run of words in capitals that is long enough, with its start and end."""
    if sum(map(str.isupper, _WORD.findall(text))) < _CAPITALS:
        return
    run: list[re.Match[str]] = []
    for word in (*_WORD.finditer(text), None):
        if word and word[0].isupper():
            run.append(word)
            continue
        if len(run) >= _CAPITALS:
            start, end = run[0].start(), run[-1].end()
            yield text[start:end], start, end
        run = []
