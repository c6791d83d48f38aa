"""Advice on wording: what readers must do, where and until when, in plain words and signs that all can read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Final

from policenotify.checks.fr.law import law
from policenotify.checks.rule import CALLS_TO_ACT, FIVE_CONTENTS, CheckContext, Hit
from policenotify.checks.text import TextPart
from policenotify.checks.words import Match
from policenotify.findings import Level
from policenotify.model.cap import CapCategory, ResponseType
from policenotify.model.lifecycle import Stage
from policenotify.render.locales import best_match
from policenotify.text.links import find_links

_advice = partial(law, levels=(Level.ADVISE,), urgent=Level.ADVISE, orders=True)
"""The decorator of a rule that only advises."""

_BEGINS: Final = frozenset({Stage.OPENING, Stage.STANDALONE})
_GUIDANCE: Final = {ResponseType.SHELTER: "shelter", ResponseType.EVACUATE: "evacuate"}
_IMPERATIVE: Final = re.compile(r"(?<!\w)(?!(?:chez|assez|nez|rez)(?!\w))\w{3,}ez(?!\w)")
_CONTACT: Final = re.compile(
    r"(?<![\w.,])(?:15|17|18|112|114|119|191|196|197|116 ?\d{3}|3\d{3})(?!\w|[.,]\d| (?:h|km|m)\b)"
    r"|(?<!\d)(?:\+33 ?\d|0\d)(?:[ .-]?\d\d){4}(?!\d)|(?<!\d)0 ?8\d\d(?: ?\d){6}(?!\d)|@"
)
_HOUR: Final = re.compile(r"(?<![\w,.])([01]?\d|2[0-4]) ?(?:heures?|h|:)(?: ?([0-5]\d))?(?!\w)")
_DAY: Final = 24 * 60  # minutes
_ROUNDED: Final = 5  # minutes by which a text may round a time
_WEEK: Final = {
    day: number
    for week in (
        ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
        ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    )
    for number, day in enumerate(week)
}
_RANGE: Final = frozenset({"a", "au", "et", "ou", "le", "to", "and", "or", "until", "the", "of"})
_FEW: Final = 5  # remarks of one rule about one text: more help nobody


def _by_language(context: CheckContext) -> dict[str, list[TextPart]]:
    """Return headline, description and instruction by language."""
    parts: dict[str, list[TextPart]] = {}
    for part in context.prose:
        parts.setdefault(part.language, []).append(part)
    return parts


def _instructions(context: CheckContext) -> Iterator[tuple[TextPart, list[TextPart]]]:
    """Yield the instruction of a message that calls to act, and all texts of its language that has word lists."""
    if context.of_incident and context.message.stage in CALLS_TO_ACT:
        for parts in _by_language(context).values():
            for part in parts:
                if part.field.endswith("instruction") and "action" in part.words.entries:
                    yield part, parts


def _acts(part: TextPart) -> bool:
    imperative = part.language.startswith("fr") and bool(_IMPERATIVE.search(part.text))
    return imperative or part.has("action") or bool(_CONTACT.search(part.text))


@_advice("PN401", basis="Sutton, Olson and Waugh, 'The Warning Lexicon', 2024: guidance fits the hazard.")
def guidance_fits(context: CheckContext) -> Iterator[Hit]:
    """Warn of an instruction that does not fit the category: take shelter, move away."""
    name = _GUIDANCE.get(next(iter(context.profile.response_types), ResponseType.NONE))
    for part, parts in _instructions(context):
        if name and _acts(part) and not any(each.has(name) for each in parts):
            yield Hit(part.field, (0, len(part.original)), None, name)


@_advice("PN402", basis=f"{FIVE_CONTENTS}: guidance.")
def instruction_acts(context: CheckContext) -> Iterator[Hit]:
    """Warn of an instruction without a verb of action."""
    for part, _ in _instructions(context):
        if not _acts(part):
            yield Hit(part.field, (0, len(part.original)))


@_advice("PN403", basis=f"{FIVE_CONTENTS}: place.")
def place_precise(context: CheckContext) -> Iterator[Hit]:
    """Warn of a road or a label alone, which may be anywhere."""
    place = context.message.location
    if place is None or place.commune or place.commune_name or not context.of_incident:
        return
    if CapCategory.MET in context.profile.cap_categories or any(_communes(context)):
        return
    road, words = place.road, (place.street, place.district, place.between)
    if road and not any((road.exit, road.direction, road.point, place.label, *words)):
        yield Hit("location.road", None, None, "road")
    label = None if road else context.part("location.label")
    if label and any(match.end - match.first == len(label.tokens) for match in label.found.get("vague_place", ())):
        yield Hit(label.field, (0, len(label.original)))


def _communes(context: CheckContext) -> Iterator[tuple[TextPart, Match, frozenset[str]]]:
    """Yield each commune in which a headline places something, with the codes of its name."""
    for part in (part for part in context.prose if part.field.endswith("headline")):
        for at in range(1, len(part.tokens)):
            far = part.starts(at - 3, "de", "d", "du", "from") and part.tokens[at - 2].capital  # `de Lyon à Paris`
            if far or not part.starts(at - 1, "a", "in") or not part.tokens[at].capital or part.gap(at - 1) != " ":
                continue
            end = at + 1
            while end < min(len(part.tokens), at + 5) and part.gap(end - 1) in {"-", "'", " "}:
                end += 1
            for last in range(end, at, -1):
                name = part.typed(part.tokens[at].start, part.tokens[last - 1].end)
                if codes := context.communes_named(name):
                    yield part, Match(at, last), codes
                    break


@_advice("PN404", basis="CEGO, « 10 règles d'or »: a post is read the day after, too.")
def dates_absolute(context: CheckContext) -> Iterator[Hit]:
    """Warn of a day that depends on when the post is read: *demain*, *samedi* without its date."""
    message = context.message
    stated = {moment.astimezone(context.zone).weekday() for moment in (message.starts_at, message.expires_at) if moment}
    for part in context.prose:
        hits = [Hit(part.field, part.span(match)) for match in part.found.get("relative_day", ())]
        for at, token in enumerate(part.tokens):
            if token.word in _WEEK and _WEEK[token.word] not in stated and not _is_dated(part, at):
                hits.append(Hit(part.field, part.span(Match(at, at + 1)), None, "weekday"))
        quoted = [match.span() for match in re.finditer(r"«[^«»]*»|“[^“”]*”", part.original)]
        free = (hit for hit in hits if not any(start <= (hit.span or (0, 0))[0] < end for start, end in quoted))
        yield from islice(free, _FEW)


def _is_dated(part: TextPart, at: int) -> bool:
    """Return True for `samedi 6 juin`, `de samedi à dimanche 7`, `chaque lundi` and hours of opening."""
    if part.starts(at - 1, "chaque", "every") or (part.starts(at - 1, "du") and part.starts(at + 1, "au")):
        return True
    if part.starts(at - 1, *_RANGE) and part.starts(at - 2, *_WEEK):
        return True
    for token in part.tokens[at + 1 : at + 7]:
        if token.word[0].isdigit():
            return not _HOUR.match(part.text, token.start)
        if token.word not in _RANGE | _WEEK.keys() and not part.words.holds("month", token.word):
            return False
    return False


@_advice("PN405", basis="Charte d'accessibilité de la communication de l'État, 2021: plain words for a service's own.")
def words_known(context: CheckContext) -> Iterator[Hit]:
    """Warn of abbreviations that the public does not know, and of capitals without their accents."""
    for part in context.prose:
        locale, text = best_match(part.language, context.locales), part.original
        words = locale.plain_words if locale else {}
        present = sorted((word for word in words if word in text), key=len, reverse=True)
        pattern = rf"(?<![\w.@#/'’-])(?:{'|'.join(map(re.escape, present))})(?![\w-])"
        for match in re.finditer(pattern, text) if present else ():
            yield Hit(part.field, match.span(), values={"plain": words[match[0]]})


@_advice("PN416", basis=f"{FIVE_CONTENTS}: time.")
def promise_timed(context: CheckContext) -> Iterator[Hit]:
    """Warn of a promise of news that names no hour."""
    if context.message.next_update_at or context.message.stage not in CALLS_TO_ACT:
        return
    for part in context.prose:
        for match in (*part.found.get("promise", ()), *part.found.get("next_update", ())):
            end = part.tokens[part.sentence(match.first).stop - 1].end
            if not _HOUR.search(part.text, part.tokens[match.first].start, end) and not part.near(match, "noon"):
                yield Hit(part.field, part.span(match))


@law("PN417", basis=f"{FIVE_CONTENTS}: place and time.", levels=(Level.SECOND, Level.ADVISE))
def text_agrees(context: CheckContext) -> Iterator[Hit]:
    """Ask about a text that names another hour than the fields, and warn of a headline that names another commune."""
    message = context.message
    place = message.location
    if place and place.commune and message.stage not in {Stage.END, Stage.CANCELLATION}:
        named = list(_communes(context))
        if not any(place.commune in codes for _, _, codes in named):
            for part, match, codes in named:
                # The name of a far commune is often that of a quarter or a station, too, but seldom the only one.
                near = any(code[:2] == place.commune[:2] for code in codes)
                only = len(codes) == 1 and not part.starts(match.first, "saint", "sainte")
                if (near or only) and not part.near(match, "moved"):
                    yield Hit(part.field, part.span(match), Level.ADVISE, "place")
    for name, moment in (("next_update", message.next_update_at), ("since", message.starts_at)):
        if moment is None or message.stage not in (_BEGINS if name == "since" else CALLS_TO_ACT):
            continue
        for part in context.prose:
            for match in part.found.get(name, ()):
                last = part.tokens[min(len(part.tokens), match.end + 4) - 1].end
                hour = _HOUR.search(part.text, part.tokens[match.end - 1].end, last)
                local = moment.astimezone(context.zone)
                apart = ((int(hour[1]) - local.hour) * 60 + int(hour[2] or 0) - local.minute) % _DAY if hour else 0
                if hour and min(apart, _DAY - apart) > _ROUNDED:
                    yield Hit(part.field, part.place(*hour.span()), None, "hour")


@_advice("PN420", basis=f"{FIVE_CONTENTS}: an appeal without a number loses its witnesses.")
def appeal_has_contact(context: CheckContext) -> Iterator[Hit]:
    """Warn of an appeal without a telephone number or an address."""
    message = context.message
    if not context.profile.appeal or message.stage not in CALLS_TO_ACT or message.link:
        return
    for language, parts in _by_language(context).items():
        linked = any(span.kind == "url" for part in parts for span in find_links(part.original))
        if not (linked or context.profile.contact_in(language) or any(_CONTACT.search(part.text) for part in parts)):
            yield Hit(parts[-1].field)
