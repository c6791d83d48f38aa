"""Advice on how a message is worded: dates, plain words, sentences, signs, hashtags."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from itertools import islice
from typing import Final

from policenotify.checks.check import CheckContext, Hit, rule
from policenotify.checks.folds import FoldedText
from policenotify.checks.words import Match, TextPart
from policenotify.findings import Level
from policenotify.model.cap import Urgency
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Category
from policenotify.text.patterns import lazy_pattern
from policenotify.text.spans import spans_of

HOUR: Final = lazy_pattern(r"(?<![\w,.])([01]?\d|2[0-4]) ?(?:heures?|h|:)(?: ?([0-5]\d))?(?!\w)")
_AHEAD: Final = 6  # words after a weekday in which its number stands
_RANGE: Final = frozenset({"a", "au", "et", "ou", "le", "to", "and", "or", "until"})
_LONGEST_SENTENCE: Final = 25  # words: Charte d'accessibilité de la communication de l'État
_SENTENCE_END: Final = lazy_pattern(r"[.!?;:…](?=\s|$)|\n")
_MOST_EMOJI: Final = 2
_MOST_TAGS: Final = 3
_FEW: Final = 5  # remarks of one rule about one text: more help nobody
_EMOJI: Final = lazy_pattern(
    "[0-9#*]\ufe0f?\u20e3"
    "|[\U0001f1e6-\U0001f1ff]{2}"
    "|[\u231a-\u23ff\u2600-\u27bf\u2b05-\u2b55\U0001f000-\U0001f12f\U0001f18e-\U0001f1e5\U0001f200-\U0001faff]"
    "(?:[\ufe0f\U0001f3fb-\U0001f3ff]|\u200d[\u2600-\u27bf\U0001f300-\U0001faff])*+"
)
# Keycaps, and mathematical, enclosed and full-width letters: a screen reader spells them out or leaves them out.
_FANCY: Final = lazy_pattern(
    "[0-9#*]\ufe0f?\u20e3|[\U0001d400-\U0001d7ff\u2460-\u24ff\uff21-\uff3a\uff41-\uff5a\U0001f130-\U0001f189]"
    "[ \U0001d400-\U0001d7ff\u2460-\u24ff\uff21-\uff3a\uff41-\uff5a\U0001f130-\U0001f189]*+"
)
_KEYCAP: Final = "\u20e3"  # emoji and fancy letters come behind it
_TAG: Final = lazy_pattern(r"(?<![\w&/#])#\w++")
_QUOTED: Final = (("«", "»"), ("“", "”"))


def by_language(context: CheckContext) -> dict[str, list[TextPart]]:
    """Return headline, description and instruction by language."""
    found: dict[str, list[TextPart]] = {}
    for part in context.prose:
        found.setdefault(part.language, []).append(part)
    return found


def _phrases(context: CheckContext, name: str) -> Iterator[Hit]:
    """Yield each phrase of a list in the texts."""
    for part in context.prose:
        for match in islice(part.found.get(name, ()), _FEW):
            yield Hit(part.field, part.span(match))


@rule("PN404", basis="CEGO, « 10 règles d'or »: a post is read the day after, too.", levels=(Level.ADVISE,))
def dates_absolute(context: CheckContext) -> Iterator[Hit]:
    """Warn of a day that depends on when the post is read: *demain*, *samedi* without its date."""
    message = context.message
    stated = {context.local_time(moment).weekday() for moment in (message.starts_at, message.expires_at) if moment}
    for part in context.prose:
        quoted = _quotations(part.folded.original)
        yield from islice((hit for hit in _days(part, stated) if not _within(hit.span, quoted)), _FEW)


def _days(part: TextPart, stated: set[int]) -> Iterator[Hit]:
    for match in part.found.get("relative_day", ()):
        yield Hit(part.field, part.span(match))
    for match in part.found.get("weekday", ()):
        if not (_is_dated(part, match) or _DAYS.get(part.folded.tokens[match.first].word) in stated):
            yield Hit(part.field, part.span(match), None, "weekday")


_DAYS: Final = {
    day: number
    for week in (
        ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
        ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    )
    for number, day in enumerate(week)
}


def _is_dated(part: TextPart, match: Match) -> bool:
    """Return True for `samedi 6 juin`, `de samedi à dimanche 7`, hours of opening, and the end of a range."""
    tokens, at = part.folded.tokens, match.first
    before = tokens[at - 1].word if at else ""
    earlier = tokens[at - 2].word if at > 1 else ""
    following = tokens[at + 1].word if at + 1 < len(tokens) else ""
    if tokens[at].word not in _DAYS:  # `tous les samedis`
        return True
    if (
        before in {"chaque", "every"}
        or (before == "du" and following == "au")
        or (before in _RANGE and earlier in _DAYS)
    ):
        return True
    for token in islice(tokens, match.end, match.end + _AHEAD):
        if token.word[0].isdigit():
            return not HOUR.match(part.folded.text, token.start)
        if not (token.word in _RANGE or token.word in _DAYS or part.words.holds("month", token.word)):
            return False
    return False


def _quotations(text: str) -> list[tuple[int, int]]:
    """Return the quoted parts of a text."""
    found = []
    for opening, closing in _QUOTED:
        start = text.find(opening)
        while start >= 0 and (end := text.find(closing, start)) >= 0:
            found.append((start, end))
            start = text.find(opening, end)
    return sorted(found)


def _within(span: tuple[int, int] | None, parts: list[tuple[int, int]]) -> bool:
    """Return True if a span begins in one of these parts, which are in order."""
    at = bisect(parts, span or (0, 0)) - 1
    return span is not None and at >= 0 and span[0] < parts[at][1]


@rule("PN408", basis="Charte d'accessibilité de la communication de l'État, 2021.", levels=(Level.ADVISE,))
def no_double_negation(context: CheckContext) -> Iterator[Hit]:
    """Warn of two negations that readers must reckon up."""
    yield from _phrases(context, "double_negation")


@rule("PN409", basis="Charte d'accessibilité de la communication de l'État, 2021.", levels=(Level.ADVISE,))
def plain_style(context: CheckContext) -> Iterator[Hit]:
    """Warn of the style of an office."""
    yield from _phrases(context, "office_style")


@rule(
    "PN410",
    basis="Charte d'accessibilité de la communication de l'État, 2021: one idea a sentence.",
    levels=(Level.ADVISE,),
)
def sentences_short(context: CheckContext) -> Iterator[Hit]:
    """Warn of a sentence of more than 25 words."""
    for part in context.prose:
        text, start = part.folded.original, 0
        for end in (*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)):
            sentence = text[start:end]
            words = sentence.split()
            if len(words) > _LONGEST_SENTENCE < sum(any(map(str.isalnum, word)) for word in words):
                yield Hit(part.field, (start + len(sentence) - len(sentence.lstrip()), start + len(sentence.rstrip())))
            start = end


@rule(
    "PN411",
    basis="Sutton et al., PNAS 112(48), 2015: links and thanks in a warning are passed on less.",
    levels=(Level.ADVISE,),
)
def opening_undistracted(context: CheckContext) -> Iterator[Hit]:
    """Warn of a link or thanks in the opening of an urgent incident."""
    profile, message = context.profile, context.message
    if message.stage is not Stage.OPENING or profile.urgency is not Urgency.IMMEDIATE or profile.discreet:
        return
    if message.link:
        yield Hit("link", None, None, "link")
    for part in context.prose:
        for span in spans_of(part.folded.original):
            if span.kind == "url":
                yield Hit(part.field, (span.start, span.end), None, "link")
        for match in islice(part.found.get("thanks", ()), _FEW):
            yield Hit(part.field, part.span(match))


@rule(
    "PN412",
    basis="RGAA 4; a screen reader reads each emoji's name, and fancy letters one by one.",
    levels=(Level.ADVISE,),
)
def signs_readable(context: CheckContext) -> Iterator[Hit]:
    """Warn of more than two emoji, of keycaps and of letters in a fancy form."""
    for parts in by_language(context).values():
        count = 0
        for part in parts:
            text = part.folded.original
            if max(text) < _KEYCAP:
                continue
            for emoji in _EMOJI.finditer(text):
                count += 1
                if count == _MOST_EMOJI + 1:
                    yield Hit(part.field, emoji.span())
            for fancy in islice(_FANCY.finditer(text), 1):
                yield Hit(part.field, (fancy.start(), fancy.start() + len(fancy[0].rstrip())), None, "letters")


@rule("PN413", basis="access42, « Comment utiliser les hashtags de manière accessible ? »", levels=(Level.ADVISE,))
def hashtags_readable(context: CheckContext) -> Iterator[Hit]:
    """Warn of a hashtag of several words without capitals, and of more than three."""
    message = context.typed or context.message
    for language, parts in by_language(context).items():
        found = [
            (part.field, match.span(), match[0][1:])
            for part in parts
            if "#" in part.folded.original
            for match in _TAG.finditer(part.folded.original)
        ]
        if language == message.language:
            found += [(f"hashtags.{number}", (0, len(tag)), tag) for number, tag in enumerate(message.hashtags)]
        for field, span, tag in found:
            if tag.islower() and _is_composed(tag, frozenset(parts[0].words.entries.get("tag_word", ()))):
                yield Hit(field, span)
        if len({tag.casefold() for _, _, tag in found}) > _MOST_TAGS:
            yield Hit(found[_MOST_TAGS][0], found[_MOST_TAGS][1], None, "many")


_LONGEST_TAG: Final = 64


def _is_composed(tag: str, words: frozenset[str]) -> bool:
    """Return True if a tag is two or more of these words without a pause."""
    if len(tag) > _LONGEST_TAG:
        return False
    plain = FoldedText(tag).text
    begins = {0}
    for end in range(1, len(plain) + 1):
        if any(start in begins and plain[start:end] in words for start in range(max(0, end - 14), end)):
            begins.add(end)
    return len(plain) in begins and plain not in words


@rule("PN418", basis="CERC: words of fright make people do what they name.", levels=(Level.ADVISE,))
def nobody_frightened(context: CheckContext) -> Iterator[Hit]:
    """Warn of words that frighten, and of *pas de panique*."""
    yield from _phrases(context, "fright")


@rule("PN419", basis="CERC: humour beside danger costs trust.", levels=(Level.ADVISE,))
def no_humour_in_danger(context: CheckContext) -> Iterator[Hit]:
    """Warn of jokes and laughing emoji in an incident."""
    if not context.of_incident or context.profile.urgency is not Urgency.IMMEDIATE:
        return
    yield from _phrases(context, "joke")
    for part in context.prose:
        for match in islice(_LAUGHING.finditer(part.folded.original), _FEW):
            yield Hit(part.field, match.span())


_LAUGHING: Final = lazy_pattern(
    "[\U0001f600-\U0001f606\U0001f609\U0001f60a\U0001f60e\U0001f61b-\U0001f61d\U0001f643\U0001f923\U0001f92a\U0001f973\U0001f389\U0001f47b\U0001f648-\U0001f64a]"
)


@rule("PN422", basis="Circulaire du 21 novembre 2017: names of functions in both genders.", levels=(Level.ADVISE,))
def titles_in_both_genders(context: CheckContext) -> Iterator[Hit]:
    """Warn of a job advertised in the masculine only."""
    if context.message.category != Category.RECRUITMENT:
        return
    for parts in by_language(context).values():
        if not any(part.has("feminine_title") for part in parts):
            for part in parts:
                for match in part.found.get("masculine_title", ()):
                    yield Hit(part.field, part.span(match))
