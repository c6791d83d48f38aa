"""Guards of operations: what must stay unknown while they last, and what only the State announces."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final

from policenotify.checks.check import CheckContext, Hit, rule
from policenotify.checks.identity import ADULT, BUILT_IN, PREVENTION, ages, in_range, named_spots
from policenotify.checks.words import Match, TextPart
from policenotify.findings import Level
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Category
from policenotify.text.patterns import lazy_pattern
from policenotify.text.spans import spans_of
from policenotify.text.urls import host_of

_OPEN: Final = frozenset(
    {Category.POLICE_OPERATION, Category.ARMED_THREAT, Category.BOMB_DISPOSAL, Category.DEMONSTRATION}
)
_URGENT: Final = (_OPEN - {Category.DEMONSTRATION}) | {Category.MISSING_PERSON, Category.WITNESS_APPEAL}
_UNDER_WAY: Final = frozenset({Stage.OPENING, Stage.UPDATE, Stage.STANDALONE, Stage.CORRECTION})
_OFFICIAL: Final = (
    "alerte-enlevement.gouv.fr",
    "justice.gouv.fr",
    "interieur.gouv.fr",
    "gouvernement.fr",
    "service-public.fr",
)
_HOUR: Final = lazy_pattern(r"(?<!\w)(?:\d{1,2} ?(?:h|heures?)(?: ?\d{2})?|\d{1,2}:\d{2}|midi|minuit)(?!\w)")
# `dans 40 minutes`, `d'ici une demi-heure`
_SOON: Final = lazy_pattern(
    r"(?<!\w)(?:dans|sous|d'ici|d ici)(?: a)?(?: peu pres)? (?:\d{1,3}|une?|deux|trois|quatre|cinq|dix|quinze|vingt"
    r"|trente|quarante|quelques)[ -](?:quarts? d'heure|demi[ -]heure|petite heure|minutes?|min|heures?|instants?)(?!\w)"
)
_BETWEEN: Final = lazy_pattern(r"(?<!\w)entre (?:l[ae] |les |l')?(\w)[\w'-]{2,30} et (?:l[ae] |les |l')?\w")
_AT: Final = lazy_pattern(r"(?<!\w)(?:a|au|aux|pres de|vers|cote|l'arret|arret) (?:l[ae] |les |l')?(\w)[\w'-]{2,30}")
_ROAD: Final = lazy_pattern(r"(?<!\w)(?:[adnm]\d{1,4}|r[dnm] ?\d{1,4})(?:e\d)?(?!\w)")
_THEMSELVES: Final = ("tireur", "sniper", "colonne", "negociateur", "encercl")
_READERS: Final = frozenset({"vous", "votre", "vos", "habitants", "riverains", "you", "your"})
_NO_ORDERS: Final = frozenset({"rez", "chez", "assez", "nez"})
_BY_WAY: Final = frozenset(
    {"par", "passera", "empruntera", "itineraire", "emprunteront", "passeront", "entrera", "entreront"}
)
_GOING_ON: Final = frozenset({"il", "elle", "ils", "elles", "nous", "on", "ceux", "celle", "celui", "derniers"})
_CROWD: Final = frozenset({"cortege", "manifestants", "manifestation", "foule", "defile", "feu", "flammes", "incendie"})
_SUBJECT: Final = 2  # words before a verb in which its subject stands
_PRONOUN_WITHIN: Final = 3  # words
_HEADING: Final = 6  # words
_NAMED: Final = 5  # words behind the word for a place in which its name stands
_OF: Final = frozenset({"de", "du", "des", "d", "la", "le", "les", "l"})
_HOW_MANY: Final = frozenset({"dizaine", "vingtaine", "trentaine", "quarantaine", "cinquantaine", "centaine", "dozen"})
_COUNTS: Final = frozenset(
    {"deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "douze", "quinze", "vingt"}
)


@rule("PN301", basis="Code pénal, art. 226-13; it endangers officers.")
def no_tactics_told(context: CheckContext) -> Iterator[Hit]:
    """Refuse where, how many and when officers act, while an operation is open."""
    if context.message.category not in _OPEN or context.message.stage not in _UNDER_WAY:
        return
    crowd = context.message.category == Category.DEMONSTRATION
    for part in context.parts:
        moves = [match for match in part.found.get("position", ()) if _of_officers(part, match)]
        moves += [*_stands(part), *_comings(part)]
        if not crowd:
            moves += [*part.found.get("assault", ()), *part.found.get("live", ()), *_ready(part)]
        for match in dict.fromkeys(moves):
            yield Hit(part.field, part.span(match))
        for match in part.found.get("officer", ()):
            tokens = part.folded.tokens
            start = max(part.sentence(match.first).start, match.first - 3)
            before = [token.word for token in tokens[start : match.first]]
            counted = before and (before[-1].isdigit() or before[-1] in _COUNTS or set(before) & _HOW_MANY)
            hurt = any(token.word.startswith("bless") for token in tokens[match.end : match.end + 2])
            men = tokens[match.first].word.rstrip("s") == "homme"
            if counted and not hurt and (not men or part.near(match, "unit", "strength")):
                yield Hit(part.field, part.span(Match(max(0, match.first - 1), match.end)))


def _stands(part: TextPart) -> list[Match]:
    """Return where officers are or go: `nos tireurs occupent le toit`. A sentence to readers is none."""
    found, end, places = [], 0, sorted(named_spots(part))
    for kind in ("manoeuvre", "stand", "position", "way_in"):
        end = 0
        for match in part.found.get(kind, ()):
            sentence = part.sentence(match.first)
            if match.first < end:
                continue
            if _is_spoken(part, sentence) or not _act(part, sentence) or _is_of_a_crowd(part, match):
                continue
            if kind == "way_in":
                found.append(match)
            elif cover := part.within("cover", sentence) or in_range(places, sentence):
                first, last = sorted((match, cover[0]))
                found.append(Match(first.first, max(first.end, last.end)))
            else:
                continue
            end = sentence.stop
    return found


def _is_of_a_crowd(part: TextPart, match: Match) -> bool:
    """Return True for a move of those who march: `le cortège avance rue Foch`."""
    before = {token.word for token in part.folded.tokens[max(0, match.first - _SUBJECT) : match.first]}
    return not before.isdisjoint(_CROWD)


def _comings(part: TextPart) -> Iterator[Match]:
    """Yield reinforcements with the time in which they come: `renfort attendu dans 40 minutes`."""
    tokens = part.folded.tokens
    for match in part.found.get("strength", ()):
        sentence = part.sentence(match.first)
        start, end = tokens[match.first].start, tokens[sentence.stop - 1].end
        timed = any(pattern.search(part.folded.text, start, end) for pattern in (_HOUR, _SOON))
        if timed and not _is_spoken(part, sentence):
            yield match


def _ready(part: TextPart) -> Iterator[Match]:
    """Yield a place in a sentence about those who are ready to act: `au rez-de-chaussée, prêts à intervenir`."""
    for match in part.found.get("ready", ()):
        if cover := part.within("cover", part.sentence(match.first)):
            first, last = sorted((match, cover[0]))
            yield Match(first.first, max(first.end, last.end))


def _act(part: TextPart, sentence: range) -> bool:
    """Return True for a sentence about officers, or one that goes on about them: `Elle rejoint le toit`."""
    if any(part.within(kind, sentence) for kind in ("force", "unit", "officer")):
        return True
    words = {token.word for token in part.folded.tokens[sentence.start : sentence.start + _PRONOUN_WITHIN]}
    before = part.sentence(sentence.start - 1) if sentence.start and not words.isdisjoint(_GOING_ON) else range(0)
    return any(part.within(kind, before) for kind in ("force", "unit", "officer"))


def _is_spoken(part: TextPart, sentence: range) -> bool:
    """Return True for a sentence to readers."""
    words = [token.word for token in part.folded.tokens[sentence.start : sentence.stop]]
    return any(word in _READERS or (word.endswith("ez") and word not in _NO_ORDERS) for word in words)


def _of_officers(part: TextPart, match: Match) -> bool:
    """Return True if the move is one of officers, and not an instruction for readers."""
    sentence = part.sentence(match.first)
    word = part.folded.tokens[match.first].word
    return bool(part.within("unit", sentence) or part.within("officer", sentence)) or word.startswith(_THEMSELVES)


@rule(
    "PN302",
    basis="A desk's own rule. Code de la route, art. L130-11, binds navigation services, not the police.",
    levels=(Level.BLOCK, Level.SECOND),
)
def no_control_located(context: CheckContext) -> Iterator[Hit]:
    """Refuse place or hour of a control of drivers, and ask about one of speed."""
    roads = context.message.category == Category.ROAD_SAFETY
    for part in context.parts:
        if not part.has("control", "control_sure", "speed", *(["control_any"] if roads else ())):
            continue
        places, tokens = sorted(_places(part)), part.folded.tokens
        found: dict[tuple[int, int], Level] = {}
        for kind, level in (("control", Level.BLOCK), ("speed", Level.SECOND)):
            end = 0
            for match in _controls(part, kind, roads=roads):
                sentence = part.sentence(match.first)
                if _is_asked(part, sentence) or (kind == "control" and _is_short(part, sentence)):
                    # `Où serons-nous ? Avenue de Maurin.`
                    sentence = range(sentence.start, part.sentence(sentence.stop).stop)
                start, end = max(end, tokens[sentence.start].start), tokens[sentence.stop - 1].end
                for where in places[bisect_left(places, (start,)) : bisect_left(places, (end,))]:
                    found.setdefault(where, level)
        for where, level in sorted(found.items()):
            yield Hit(part.field, part.folded.span(*where), level)


def _is_asked(part: TextPart, sentence: range) -> bool:
    """Return True for a question before another sentence, and for words that a colon or a stop cuts from the place."""
    tokens = part.folded.tokens
    if sentence.stop >= len(tokens):
        return False
    return "?" in part.folded.text[tokens[sentence.stop - 1].end : tokens[sentence.stop].start]


def _is_short(part: TextPart, sentence: range) -> bool:
    """Return True for a heading before another sentence: `Contrôle d'alcoolémie. Avenue de Maurin`."""
    return len(sentence) <= _HEADING and sentence.stop < len(part.folded.tokens)


def _controls(part: TextPart, kind: str, *, roads: bool) -> Iterator[Match]:
    """Yield controls. In a message of road safety any word for one is enough, unless it is past."""
    yield from part.found.get(kind, ())
    for match in part.found.get("control_sure", ()) if kind == "control" else ():
        if not part.within("control_past", part.sentence(match.first)):
            yield match
    for match in part.found.get("control_any", ()) if roads and kind == "control" else ():
        if not part.within("control_past", part.sentence(match.first)):
            yield match


def _places(part: TextPart) -> Iterator[tuple[int, int]]:
    """Yield the places and hours of a text, in the folded text."""
    tokens = part.folded.tokens
    for pattern in (_ROAD, _HOUR):
        yield from (found.span() for found in pattern.finditer(part.folded.text))
    for pattern in (_BETWEEN, _AT):
        for found in pattern.finditer(part.folded.text):
            if part.folded.typed(*found.span(1)).isupper():
                yield found.span()
    for spot in part.found.get("spot", ()):
        following, before = tokens[spot.end : spot.end + _NAMED], tokens[spot.first - 1].word if spot.first else ""
        # `mis en place`, `en cours`, and `sur les routes de l'Hérault`, which tells no place
        if before == "en" or tokens[spot.first].word == "routes":
            continue
        named = part.in_small_letters and any(token.word in _OF for token in following[:1])
        if named or any(token.capital or token.word.isdigit() for token in following):
            yield tokens[spot.first].start, tokens[spot.end - 1].end


@rule("PN303", basis="The prosecutor alone gives an abduction alert; others relay the official page.")
def abduction_only_relayed(context: CheckContext) -> Iterator[Hit]:
    """Refuse an abduction alert in words of our own."""
    message = context.message
    links = (message.link or "", *(span.value for part in context.parts for span in spans_of(part.folded.original)))
    official = any(_is_official(host_of(link)) for link in links if link)
    if message.category == Category.CHILD_ABDUCTION_RELAY:
        if message.stage in {Stage.OPENING, Stage.UPDATE, Stage.STANDALONE} and not official:
            yield Hit("link", None, None, "link")
        return
    denied = message.category == Category.FACT_CHECK and any(part.has("denied") for part in context.parts)
    if message.category in PREVENTION or denied or message.stage is Stage.END:
        return
    for part in context.parts:
        told = (match for match in part.found.get("abducted", ()) if _is_of_a_child(part, match))
        for match in (*part.found.get("abduction", ()), *part.found.get("abduction_told", ()), *told):
            yield Hit(part.field, part.span(match))


def _is_of_a_child(part: TextPart, match: Match) -> bool:
    """Return True if the sentence is about a child, and denies nothing."""
    sentence = part.sentence(match.first)
    words = {token.word for token in part.folded.tokens[sentence.start : match.first]}
    young = any(age.first in sentence for age in ages(part, below=ADULT))
    return bool(young or part.within("minor", sentence)) and words.isdisjoint({"aucun", "aucune", "pas", "n", "ni"})


def _is_official(host: str) -> bool:
    return any(host == one or host.endswith(f".{one}") for one in _OFFICIAL)


@rule("PN304", basis="Only the State broadcasts FR-Alert; an imitation makes people doubt the next one.")
def broadcast_not_imitated(context: CheckContext) -> Iterator[Hit]:
    """Refuse a text that imitates the State's broadcasts to telephones."""
    if context.message.exercise:
        return
    for part in context.parts:
        told = part.has("broadcast_told")
        for match in part.found.get("broadcast_said" if told else "broadcast", ()):
            yield Hit(part.field, part.span(match))


@rule("PN305", basis="Code pénal, art. 226-13; it endangers those who are moved.")
def no_movement_told(context: CheckContext) -> Iterator[Hit]:
    """Refuse hour, door and route of a protected person or a prisoner."""
    if context.message.stage is Stage.END or context.message.category in PREVENTION:
        return
    for part in context.parts:
        for kind, persons in (("movement", ("protected",)), ("movement_to_come", ("accused", "protected"))):
            for match in part.found.get(kind, ()):
                free = part.near(match, "goods") or not part.near(match, *persons)
                if not free and _told_how(part, match):
                    yield Hit(part.field, part.span(match))


def _told_how(part: TextPart, match: Match) -> bool:
    """Return True if the sentence of a movement gives its hour, its door or its route."""
    sentence, tokens = part.sentence(match.first), part.folded.tokens
    start, end = tokens[sentence.start].start, tokens[sentence.stop - 1].end
    timed = _HOUR.search(part.folded.text, start, end) or _SOON.search(part.folded.text, start, end)
    return bool(timed or part.within("by_way", sentence)) or tokens[match.first].word in _BY_WAY


@rule("PN307", basis="A description of the method teaches it.", levels=(Level.SECOND,))
def no_method_told(context: CheckContext) -> Iterator[Hit]:
    """Ask before the method of a crime is published."""
    scam = context.message.category == Category.SCAM_CYBER
    for part in context.parts:
        methods = part.found.get("scam_howto", []) if scam else part.found.get("howto", [])
        for match in methods:
            yield Hit(part.field, part.span(match))
        for match in part.found.get("means", ()):
            worked = part.near(match, "opens") and part.near(match, "offender", "guilt")
            if worked and not part.has("advice_given"):
                yield Hit(part.field, part.span(match))
        tools = set(part.found.get("tool", ()))
        for match in sorted({*tools, *part.found.get("material", ())}):
            free = not (part.near(match, "advice_given") or _overlaps(match, methods))
            used = part.near(match, "means") and part.near(match, "offender", "guilt", "accused")
            if free and (used or (match in tools and part.within("opens", part.sentence(match.first)))):
                yield Hit(part.field, part.span(match))


@rule(
    "PN308",
    basis="CPP, art. 11; programme Papageno on suicide.",
    levels=(Level.SECOND,),
)
def no_cause_told(context: CheckContext) -> Iterator[Hit]:
    """Ask before a cause is published that only an investigation can find, or a suicide."""
    category = context.message.category
    told = any(part.has("harmed", "arrested", "suspected", "accident") for part in context.parts)
    told = told and not any(part.has("statistic") for part in context.parts)
    own = category not in BUILT_IN and not told  # a category of the desk, which may speak to everyone
    if own or category in PREVENTION | {Category.FACT_CHECK, Category.PLANNED_EVENT}:
        return
    for part in context.parts:
        for match in () if part.has("vigipirate", "suicide_help") else part.found.get("cause", ()):
            yield Hit(part.field, part.span(match))
        doses = part.found.get("dose", ()) if context.message.category == Category.TRAFFIC_ACCIDENT else ()
        for match in doses:
            if not _overlaps(match, part.found.get("cause", ())):
                yield Hit(part.field, part.span(match))


def _overlaps(match: Match, others: Iterable[Match]) -> bool:
    """Return True if a phrase shares a word with one of others."""
    return any(other.first < match.end and match.first < other.end for other in others)
