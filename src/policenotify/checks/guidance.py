"""Advice on what a warning holds: what readers must do, where, until when, whom to call and by whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from policenotify.checks.check import CALLS_TO_ACT, FIVE_CONTENTS, CheckContext, Hit, rule
from policenotify.checks.folds import Token
from policenotify.checks.linter import HOUR, by_language
from policenotify.checks.words import Match, TextPart
from policenotify.findings import Level
from policenotify.model.cap import CapCategory, ResponseType, Severity
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Category
from policenotify.text.patterns import lazy_pattern
from policenotify.text.spans import spans_of

_GUIDANCE: Final = {ResponseType.SHELTER: "shelter", ResponseType.EVACUATE: "evacuate"}
_APPEALS: Final = frozenset({Category.MISSING_PERSON, Category.WITNESS_APPEAL, Category.CHILD_ABDUCTION_RELAY})
_BEGINS: Final = frozenset({Stage.OPENING, Stage.STANDALONE})
_IMPERATIVE: Final = "ez"
_NO_VERBS: Final = frozenset({"chez", "assez", "nez", "rez"})
_SHORT_NUMBER: Final = lazy_pattern(
    r"(?<![\w.,])(?:15|17|18|112|114|119|191|196|197|116 ?\d{3}|3\d{3})(?!\w|[.,]\d| (?:h|km|m)\b)"
)
_NUMBER: Final = lazy_pattern(r"(?<!\d)(?:\+33 ?\d|0\d)(?:[ .-]?\d\d){4}(?!\d)|(?<!\d)0 ?8\d\d(?: ?\d){6}(?!\d)")
_DAY: Final = 24 * 60  # minutes
_ROUNDED: Final = 5  # minutes by which a text may round a time
_NEAR: Final = 4  # words between a promise and its hour
_FROM: Final = frozenset({"de", "d", "du", "from"})
_HEADLINE: Final = 80  # words that the longest headline may have
_LONGEST_NAME: Final = 5  # words of a commune's name


def _instruction(parts: list[TextPart]) -> TextPart | None:
    return next((part for part in parts if part.field.endswith("instruction")), None)


def _whole(part: TextPart) -> tuple[int, int]:
    return 0, len(part.folded.original)


def _calls(context: CheckContext) -> bool:
    return context.of_incident and context.message.stage in CALLS_TO_ACT


def _listed(part: TextPart, name: str) -> bool:
    """Return True if the language has such a list: without one, nothing is missing."""
    return bool(part.words.entries.get(name))


@rule(
    "PN401",
    basis="Sutton, Olson and Waugh, 'The Warning Lexicon', 2024: guidance fits the hazard.",
    levels=(Level.ADVISE,),
)
def guidance_fits(context: CheckContext) -> Iterator[Hit]:
    """Warn of an instruction that does not fit the category: take shelter, move away."""
    name = _GUIDANCE.get(next(iter(context.profile.response_types), ResponseType.NONE))
    if name is None or not _calls(context):
        return
    for parts in by_language(context).values():
        instruction = _instruction(parts)
        told = instruction and _listed(instruction, name) and _acts(instruction)
        if instruction and told and not any(part.has(name) for part in parts):
            yield Hit(instruction.field, _whole(instruction), None, name)


@rule("PN402", basis=f"{FIVE_CONTENTS}: guidance.", levels=(Level.ADVISE, Level.SECOND))
def instruction_acts(context: CheckContext) -> Iterator[Hit]:
    """Warn of an instruction without a verb of action."""
    if not _calls(context):
        return
    for parts in by_language(context).values():
        part = _instruction(parts)
        if part and _listed(part, "action") and not _acts(part):
            yield Hit(part.field, _whole(part), Level.SECOND if context.severity is Severity.EXTREME else Level.ADVISE)


def _acts(part: TextPart) -> bool:
    imperative = part.language.startswith("fr") and any(
        token.word.endswith(_IMPERATIVE) and token.word not in _NO_VERBS for token in part.folded.tokens
    )
    return imperative or part.has("action") or _contact(part)


def _contact(part: TextPart) -> bool:
    """Return True if a text has a telephone number or an address to write to."""
    text = part.folded.text
    return bool(_SHORT_NUMBER.search(text) or _NUMBER.search(text)) or "@" in text


@rule("PN403", basis=f"{FIVE_CONTENTS}: place.", levels=(Level.ADVISE,))
def place_precise(context: CheckContext) -> Iterator[Hit]:
    """Warn of a road or a label alone, which may be anywhere."""
    place = context.message.location
    if place is None or place.commune or place.commune_name or not context.of_incident:
        return
    if CapCategory.MET in context.profile.cap_categories or any(_named_communes(context)):
        return
    road, words = place.road, (place.street, place.district, place.between)
    if road and not any((road.exit, road.direction, road.point, place.label, *words)):
        yield Hit("location.road", None, None, "road")
    for part in context.parts if not road else ():
        vague = part.found.get("vague_place", ()) if part.field == "location.label" else ()
        if any(match.end - match.first == len(part.folded.tokens) for match in vague):
            yield Hit(part.field, _whole(part))


def _named_communes(context: CheckContext) -> Iterator[tuple[TextPart, Match, frozenset[str]]]:
    """Yield each commune that the headline places something in, with the codes of its name."""
    for part in context.prose:
        if not part.field.endswith("headline"):
            continue
        tokens, text = part.folded.tokens, part.folded.text
        for at in range(1, min(len(tokens), _HEADLINE)):
            before = tokens[at - 1]
            if before.word not in {"a", "in"} or not tokens[at].capital or text[before.end : tokens[at].start] != " ":
                continue
            if _is_far_end(tokens[at - 3 : at - 2], tokens[at - 2 : at - 1]):
                continue
            end = at + 1
            while end < min(len(tokens), at + _LONGEST_NAME) and text[tokens[end - 1].end : tokens[end].start] in "-' ":
                end += 1
            for last in range(end, at, -1):
                if codes := context.communes_named(part.folded.typed(tokens[at].start, tokens[last - 1].end)):
                    yield part, Match(at, last), codes
                    break


def _is_far_end(preposition: Sequence[Token], place: Sequence[Token]) -> bool:
    """Return True after the beginning of a route: `de Lyon à Paris`."""
    return any(token.capital for token in place) and any(token.word in _FROM for token in preposition)


@rule("PN416", basis=f"{FIVE_CONTENTS}: time; a promise of news without an hour is none.", levels=(Level.ADVISE,))
def promise_timed(context: CheckContext) -> Iterator[Hit]:
    """Warn of a promise of news that names no hour."""
    if context.message.next_update_at or context.message.stage not in CALLS_TO_ACT:
        return
    for part in context.prose:
        for match in (*part.found.get("promise", ()), *part.found.get("next_update", ())):
            tokens, sentence = part.folded.tokens, part.sentence(match.first)
            end = tokens[sentence.stop - 1].end
            if not HOUR.search(part.folded.text, tokens[match.first].start, end) and not part.within("noon", sentence):
                yield Hit(part.field, part.span(match))


@rule("PN417", basis=f"{FIVE_CONTENTS}: place and time; text, data and map must agree.", levels=(Level.SECOND,))
def text_agrees(context: CheckContext) -> Iterator[Hit]:
    """Ask about a text that names another commune or hour than the fields of the message."""
    message = context.message
    place = message.location
    if place and place.commune and message.stage not in {Stage.END, Stage.CANCELLATION}:
        named = list(_named_communes(context))
        own = any(place.commune in codes for _, _, codes in named)
        for part, match, codes in named if not own else ():
            moved = part.within("moved", part.sentence(match.first))
            near = any(_department(code) == _department(place.commune) for code in codes)
            # The name of a far commune is often that of a quarter or a station, too, but seldom if it is the only one.
            if not moved and (near or (len(codes) == 1 and "saint" not in part.folded.tokens[match.first].word)):
                yield Hit(part.field, part.span(match), None, "place")
    for name, moment in (("next_update", message.next_update_at), ("since", message.starts_at)):
        if moment is None or message.stage not in (_BEGINS if name == "since" else CALLS_TO_ACT):
            continue
        for part in context.prose:
            for hour, span in _hours_after(part, name):
                if not _agrees(context.local_time(moment), hour):
                    yield Hit(part.field, span, None, "hour")


def _department(code: str) -> str:
    return code[:3] if code.startswith("97") else code[:2]


def _hours_after(part: TextPart, name: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield hour and minute, and their place, soon after a phrase of a list."""
    tokens = part.folded.tokens
    for match in part.found.get(name, ()):
        last = tokens[min(len(tokens), match.end + _NEAR) - 1].end
        if found := HOUR.search(part.folded.text, tokens[match.end - 1].end, last):
            yield (int(found[1]), int(found[2] or 0)), part.folded.span(*found.span())


def _agrees(moment: datetime, hour: tuple[int, int]) -> bool:
    apart = ((hour[0] - moment.hour) * 60 + hour[1] - moment.minute) % _DAY
    return min(apart, _DAY - apart) <= _ROUNDED


@rule("PN420", basis=f"{FIVE_CONTENTS}: an appeal without a number loses its witnesses.", levels=(Level.ADVISE,))
def appeal_has_contact(context: CheckContext) -> Iterator[Hit]:
    """Warn of an appeal without a telephone number or an address."""
    message = context.message
    if message.category not in _APPEALS or message.stage not in CALLS_TO_ACT or message.link:
        return
    for language, parts in by_language(context).items():
        if not context.profile.contact_in(language) and not any(
            _contact(part) or any(span.kind == "url" for span in spans_of(part.folded.original)) for part in parts
        ):
            yield Hit((_instruction(parts) or parts[-1]).field)


@rule("PN421", basis=f"{FIVE_CONTENTS}: source.", levels=(Level.ADVISE,))
def source_named(context: CheckContext) -> Iterator[Hit]:
    """Warn of a relayed warning that does not name its author."""
    message = context.message
    if message.category != Category.WEATHER_RELAY or message.stage not in _BEGINS:
        return
    if message.link or message.source or context.profile.source_in(message.language):
        return
    for parts in by_language(context).values():
        texts = [part.folded.original for part in parts]
        linked = any(span.kind in {"url", "mention"} for text in texts for span in spans_of(text))
        if _listed(parts[0], "author") and not linked and not any(part.has("author") for part in parts):
            yield Hit(parts[0].field)
