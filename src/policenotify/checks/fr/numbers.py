"""Numbers that lead to a person: telephones, accounts, papers, number plates, dates of birth, mail addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from policenotify.checks.text import TextPart
from policenotify.checks.words import Match

Place = tuple[int, int]
"""Start and end in a folded text."""

_FIGURES: Final = re.compile(r"(?:\d[ .,/·()_-]{0,3}){9}")  # what any telephone number has
_MOBILE: Final = re.compile(
    r"(?<![\d+])(?<!\d[-_/.])(?:(?:\+|00)33[ .]?(?:\(0\))?|\(?0)[ .]?[67]\)?(?:[ ./,·()_-]{0,3}\d){8}(?!\d)"
)
_ACCOUNT: Final = re.compile(r"(?<![^\W_])[a-z]{2}\d{2}(?: ?[a-z0-9]{4}){3,7}(?: ?[a-z0-9]{1,3})?(?![^\W_])")
_SECURITY: Final = re.compile(r"(?<!\d)[12378](?:[ .-]?\d){4}[ .-]?(?:\d|[ab])(?:[ .-]?\d){9}(?!\d)")
_PAPER: Final = re.compile(r"(?<!\w)(?=[a-z0-9]{8,15}(?!\w))(?:[a-z]*\d){2}[a-z0-9]+")
IP: Final = re.compile(r"(?<![\d.])(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?!\.?\d)")
"""IP addresses."""
OLD_DATE: Final = re.compile(r"(?<![\d/.])[0-3]?\d[/.][01]?\d[/.](?:19\d\d|20(?:0\d|1[0-5]))(?![\d/.]*\d)")
"""Dates so long ago that they are those of a birth."""
_BIRTH: Final = re.compile(
    r"(?<!\w)(?:nee?s? (?:le|en|a|un|une|sous x) (?:\d|[a-z])|nee? \(?\d{1,2}[-/. ]\d{1,2}[-/. ](?:19|20)\d\d"
    r"|(?:date|lieu|jour|annee) de naissance(?=[^.!?\d]{0,20}\d)|naissance ?:|ddn(?!\w)|(?:vu|voit|vit) le jour [aeilu]"
    r"|venue?s? au monde|anniversaire (?:est |tombe )?le \d|born (?:on|in) |date of birth|dob(?!\w))"
)
# What is not a person and was founded on a day.
_FOUNDED: Final = re.compile(
    r"(?:brigade|service|association|club|unite|police|festival|compagnie|commissariat|plateforme|ecole|idee|projet"
    r"|poulain|chiot|chiens?|chienne|cheval|corps|creation|journee|fondation|application|operation)[^.!?]{0,30}\Z"
)
_FRENCH: Final = re.compile(r"(?<![^\W_])([a-hj-np-tv-z]{2})[ .-]?\d{3}[ .-]?([a-hj-np-tv-z]{2})(?![^\W_])")
_OLD: Final = re.compile(r"(?<![^\W_])\d{2,4}[ .-]?[a-z]{2,3}[ .-]?(?:\d{2}|2[ab])(?![^\W_])")
_FOREIGN: Final = re.compile(  # Germany, Great Britain, Belgium, Spain, Italy, Poland, Romania, the Netherlands
    r"(?<![^\W_])(?:[a-z]{1,3}-[a-z]{1,2} ?\d{1,4}|[a-z]{2}\d{2} ?[a-z]{3}|\d{4}[ -]?[a-z]{3}|[a-z]{2} \d{5}"
    r"|[a-z]{1,2} \d{2,3} [a-z]{3}|\d-[a-z]{3}-\d{3}|\d{2}-[a-z]{2,3}-\d{1,2}|[a-z]{2}-\d{2,3}-[a-z]{1,2})"
    r"(?![^\W_]|-\w)"
)
_PIECE: Final = re.compile(
    r"(?<![^\W_])(?:[a-z]{1,3}[ -]?\d{1,4}(?:[ -]?[a-z]{1,3})?|\d{2,4}[ -]?[a-z]{2,3})(?![^\W_])"
)
_LETTERS: Final = re.compile(r"(?<!\w)(?:par|lettres|contient|en) ([a-z]{2,3})(?![^\W_])")
_NO_PLATE: Final = re.compile(
    r"[adnrm]{1,2}[ -]?\d{1,4}|\d{1,2} ?h\d{0,2}|\d+ ?(?:er?|eme|km|ans|h)|(?:de|le|du|au) ?\d+.*"
)
_WITHIN: Final = 10  # words around the word for a plate in which a part of it stands
_MAIL: Final = re.compile(
    r"(?<![^\s<>(),;:@])[^\s<>(),;:@]{1,64} ?(?:@|[(\[](?:at|a|arobase|chez)[)\]] ?|(?<= )arobase )"
    r"([a-z0-9][a-z0-9-]{0,62}(?:(?:\.| ?[(\[](?:dot|point|pt)[)\]] ?| point )[a-z0-9-]{1,62})+)"
)
_DOT: Final = re.compile(r" ?[(\[](?:dot|point|pt)[)\]] ?| point ")


def telephones(part: TextPart) -> Iterator[tuple[Place, str, str]]:
    """Yield place, kind and figures of telephone numbers: `mobile` of a person, `premium`, or `` for any other."""
    if not _FIGURES.search(part.text):
        return
    import phonenumbers  # noqa: PLC0415 - a message without a number needs none of it

    known = phonenumbers.PhoneNumberType
    kinds = {known.MOBILE: "mobile", known.PREMIUM_RATE: "premium"}
    french = [match.span() for match in _MOBILE.finditer(part.text)]  # also those that were never given to anybody
    for start, end in french:
        yield (start, end), "mobile", f"0{re.sub(r'[^0-9]', '', part.text[start:end])[-9:]}"
    for match in phonenumbers.PhoneNumberMatcher(part.text, "FR", max_tries=len(part.text)):
        if not any(start < match.end and match.start < end for start, end in french):
            figures = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.NATIONAL)
            kind = kinds.get(phonenumbers.number_type(match.number), "")
            yield (match.start, match.end), kind, re.sub(r"\D", "", figures)


def papers(part: TextPart) -> Iterator[Place]:
    """Yield numbers of accounts and of social security, and of papers that the text names."""
    named = part.has("papers")
    if not named and not _FIGURES.search(re.sub(r"[a-z]", "", part.text)):
        return
    from stdnum import iban  # noqa: PLC0415 - a message without such a number needs none of it
    from stdnum.fr import nir  # noqa: PLC0415 - the same

    yield from (match.span() for match in _ACCOUNT.finditer(part.text) if named or iban.is_valid(match[0]))
    yield from (match.span() for match in _SECURITY.finditer(part.text) if named or nir.is_valid(match[0]))
    codes = (match for match in _PAPER.finditer(part.text) if named)
    # `19CT83562`, and no word with a figure.
    yield from (match.span() for match in codes if match[0].isdigit() or part.typed(*match.span()).isupper())


def births(part: TextPart) -> Iterator[Place]:
    """Yield dates and places of birth. *Ne* in a negation is none."""
    for match in _BIRTH.finditer(part.text):
        typed = part.typed(*match.span()).casefold()
        negates = match[0].startswith("ne ") and "é" not in typed
        if not negates and not _FOUNDED.search(part.text[max(0, match.start() - 45) : match.start()]):
            yield match.start(), min(len(part.text), match.end() + 12)


def plates(part: TextPart) -> Iterator[Place]:
    """Yield number plates, and beside the word for one parts of them."""
    found = [match.span() for match in _FRENCH.finditer(part.text) if _is_plate(part, match)]
    if part.has("plate", "vehicle"):
        for pattern in (_OLD, _FOREIGN):
            spans = (match.span() for match in pattern.finditer(part.text))
            found += [
                span for span in spans if part.typed(*span).isupper() and not _NO_PLATE.fullmatch(part.text, *span)
            ]
    for word in part.found.get("plate", ()):
        found += _parts_of_plates(part, word)
    end = 0
    for start, stop in sorted(set(found)):
        if start >= end:
            yield start, stop
            end = stop


def _is_plate(part: TextPart, match: re.Match[str]) -> bool:
    """Return True for `AB-123-CD`, and not for `de 120 km`."""
    typed = part.typed(*match.span())
    if {match[1], match[2]} & {"vl", "pl"}:  # light and heavy vehicles
        return False
    return typed.isupper() or typed.count("-") > 1 or (part.has("vehicle", "plate") and not typed.islower())


def _parts_of_plates(part: TextPart, word: Match) -> Iterator[Place]:
    """Yield codes near the word for a plate: `plaque commençant par EL-7`, `EZ482 (début de plaque)`."""
    sentence = part.sentence(word.first)
    words = range(max(sentence.start, word.first - 4), min(sentence.stop, word.end + _WITHIN))
    start, end = part.tokens[words.start].start, part.tokens[words.stop - 1].end
    for match in _PIECE.finditer(part.text, start, end):
        if part.typed(*match.span()).isupper() and not _NO_PLATE.fullmatch(match[0]):
            yield match.span()
    for match in _LETTERS.finditer(part.text, start, end):
        if part.typed(*match.span(1)).isupper():
            yield match.span(1)


def mail_addresses(part: TextPart) -> Iterator[tuple[Place, str]]:
    """Yield mail addresses and their hosts: `claire [at] orange.fr`."""
    if "@" in part.text or "(a" in part.text or "[a" in part.text or "arobase" in part.text:
        yield from ((match.span(), _DOT.sub(".", match[1])) for match in _MAIL.finditer(part.text))
