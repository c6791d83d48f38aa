"""Guards of persons: their names, and what leads to a minor, a victim or an officer."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from policenotify.checks.check import CheckContext, Hit, rule
from policenotify.checks.identity import BUILT_IN, PREVENTION, SEARCHES, ages, holders, in_text, named_places, stops
from policenotify.checks.names import PersonName
from policenotify.checks.words import Match, TextPart
from policenotify.findings import Level
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Category

_SOON: Final = 9  # words after the word for a victim in which an occupation is hers
_WAS: Final = frozenset({"etait", "fut", "est", "comme"})
_ONE: Final = frozenset({"un", "une", "le", "la", "l", "notre", "cette", "cet", "ce"})
_OTHERS: Final = frozenset({"par", "d", "avec", "aux", "les", "des", "chez", "contre", "au", "du", "de"})
_WORKS: Final = ("travail", "exer", "tien", "tena", "ger", "dirig")
_DEAD: Final = (
    "deced",
    "mort",
    "disparu",
    "tue",
    "agresse",
    "poignard",
    "noye",
    "assassin",
    "heurte",
    "percute",
    "renverse",
)
_JUDICIAL: Final = frozenset({Category.ARREST, Category.POLICE_OPERATION, Category.WITNESS_APPEAL})
_SUSPECTED: Final = ("arrested", "held", "suspicion", "guilt")
_PASSIVE: Final = frozenset({"est", "a", "ete", "etait", "etre", "serait", "sont", "ont"})
_SAYS: Final = frozenset(
    {"indique", "annonce", "precise", "salue", "felicite", "rappelle", "informe", "confirme", "apres"}
)
_OF_STATE: Final = ("maire", "mairesse", "prefet", "ministre", "depute", "senat", "procureur", "rect", "commissaire")
_NONE: Final = frozenset({"aucun", "aucune", "sans", "ni", "pas", "zero", "no"})
_IDENTITY: Final = ("job", "kin", "offspring", "home")


@rule(
    "PN202",
    basis="RGPD, art. 6; directive (UE) 2016/680; Code civil, art. 9-1.",
    levels=(Level.BLOCK, Level.SECOND),
)
def no_person_named(context: CheckContext) -> Iterator[Hit]:
    """Refuse the name of a person who does not hold a public office."""
    message = context.message
    alone = message.category not in PREVENTION and message.category != Category.PLANNED_EVENT
    searched = message.category in SEARCHES and message.stage is not Stage.END
    covered = (searched and context.agreed("family", "guardian", "prosecutor", "consent")) or (
        message.category == Category.RECRUITMENT and context.agreed("consent")
    )
    for part in context.parts:
        for name in context.persons[part.field] if in_text(part) else ():
            if name.full or alone:
                yield Hit(part.field, part.span(Match(name.first, name.end)), covered=covered)
        for match in _roles(context, part) if in_text(part) else ():
            yield Hit(part.field, part.span(match), Level.SECOND, "role")


def _roles(context: CheckContext, part: TextPart) -> Iterator[Match]:
    """Yield functions that lead to one person, whose arrest or suspicion the message states."""
    officials = set(_officials(part))
    known = {*part.found.get("public_role", ()), *holders(part, "function", "job"), *officials}
    judicial = context.message.category in _JUDICIAL
    for match in sorted(known):
        office = part.folded.tokens[match.first].word.startswith(_OF_STATE) and match not in officials
        if not office and not _acts(part, match) and (judicial or _is_near(part, match, *_SUSPECTED)):
            yield match


def _officials(part: TextPart) -> Iterator[Match]:
    """Yield who holds an office and is arrested: `le maire de Mèze est en garde à vue`."""
    tokens = part.folded.tokens
    for match in part.found.get("office", ()):
        for told in part.within("arrested", range(match.end, min(part.sentence(match.first).stop, match.end + _SOON))):
            words = {token.word for token in tokens[match.end : told.first]}
            if words & _PASSIVE and "que" not in words and not words & _SAYS:
                yield Match(match.first, told.end)


def _acts(part: TextPart, match: Match) -> bool:
    """Return True for who acts in the next words: `le gérant du bar a alerté`."""
    return bool(part.within("agent_acts", range(match.end, match.end + _SOON)))


def _is_near(part: TextPart, match: Match, *lists: str) -> bool:
    """Return True if a phrase of a list is in the same sentence, or in one beside it."""
    sentence = part.sentence(match.first)
    before = part.sentence(sentence.start - 1) if sentence.start else sentence
    after = part.sentence(sentence.stop) if sentence.stop < len(part.folded.tokens) else sentence
    around = range(before.start, after.stop)
    tokens = part.folded.tokens
    near = (found for name in lists for found in part.within(name, around))
    return any(not found.first or tokens[found.first - 1].word not in _NONE for found in near)


@rule("PN204", basis="Code civil, art. 9; CPP, art. 11.", levels=(Level.BLOCK, Level.SECOND))
def no_victim_identified(context: CheckContext) -> Iterator[Hit]:
    """Refuse name, home or occupation of a victim."""
    covered = context.agreed("family", "consent", "guardian")
    for part in context.parts:
        tokens, end = part.folded.tokens, 0
        elements: list[Match] = []
        for match in part.found.get("victim", ()):
            sentence = part.sentence(match.first)
            start, end = max(end, sentence.start), sentence.stop
            elements += [Match(name.first, name.end) for name in _names_within(context, part, range(start, end))]
            word = tokens[match.first].word
            dead = word.startswith(_DEAD)
            if dead or word.startswith(("victime", "defunt", "otage", "ex", "plaignant")):
                elements += [
                    other
                    for kind in ("job", "home")
                    for other in part.within(kind, range(match.end, min(sentence.stop, match.end + _SOON)))
                    if context.message.category not in PREVENTION
                    and (kind == "home" or _is_hers(part, other, dead=dead))
                ]
        elements += _suffered(part)
        for match in dict.fromkeys(elements):
            yield Hit(part.field, part.span(match), covered=covered)


def _suffered(part: TextPart) -> Iterator[Match]:
    """Yield occupations and homes that lead to one person, near words for harm."""
    if not part.has("harmed"):
        return
    for match in holders(part, "function", "job"):
        accused = _is_accused(part, match)
        office = part.folded.tokens[match.first].word.startswith(_OF_STATE)
        if not (accused or office or _acts(part, match)) and _is_near(part, match, "harmed"):
            yield match
    for match in part.found.get("home", ()):
        if not _is_accused(part, match) and _is_near(part, match, "harmed"):
            yield match


def _is_accused(part: TextPart, match: Match) -> bool:
    """Return True if the sentence is about a suspect, and not about harm."""
    sentence = part.sentence(match.first)
    return any(part.within(name, sentence) for name in _SUSPECTED) and not part.within("harmed", sentence)


def _is_hers(part: TextPart, job: Match, *, dead: bool) -> bool:
    """Return True if an occupation is the victim's. *Mort malgré les soins d'un médecin* is about another person's."""
    tokens, at = part.folded.tokens, job.first
    if job.end > at + 1 and tokens[at].word.startswith(_WORKS):
        return True
    at -= tokens[at - 1].word in _ONE
    before = tokens[at - 1].word
    if not dead:
        return before not in _OTHERS
    beside = "," in part.folded.text[tokens[at - 1].end : tokens[at].start]
    from_there = job.end < len(tokens) and tokens[job.end].word in {"de", "du", "d", "en", "des", "chez", "au"}
    return before in _WAS or (beside and (from_there or job.end == len(tokens) or stops(part, job.end)))


def _names_within(context: CheckContext, part: TextPart, tokens: range) -> list[PersonName]:
    """Return the names of persons that begin at these tokens."""
    names = context.persons[part.field]
    first = bisect_left(names, tokens.start, key=lambda name: name.first)
    return names[first : bisect_left(names, tokens.stop, lo=first, key=lambda name: name.first)]


@rule("PN205", basis="Loi du 29 juillet 1881, art. 39 quinquies.")
def no_sexual_victim_identified(context: CheckContext) -> Iterator[Hit]:
    """Refuse every element that identifies the victim of a sexual offence."""
    category = context.message.category
    own = category not in BUILT_IN and not any(part.has("arrested") for part in context.parts)
    general = own or category in PREVENTION | {Category.FACT_CHECK}
    if not any(part.has("sexual") for part in context.parts):
        return
    for part in context.parts:
        if not in_text(part):
            continue
        elements = [Match(name.first, name.end) for name in context.persons[part.field]]
        elements += holders(part, "function", "job")
        aged = ages(part)
        elements += [match for match in part.found.get("job", ()) if _is_stated(part, match)] if general else ()
        if not general:
            elements += [match for kind in _IDENTITY for match in part.found.get(kind, ())]
            elements += [*named_places(part, quarters=True), *part.found.get("form", ())]
        for match in dict.fromkeys((*elements, *aged)):
            yield Hit(part.field, part.span(match))


def _is_stated(part: TextPart, match: Match) -> bool:
    """Return True for an occupation of one victim in advice: `comme cette infirmière agressée`."""
    sentence = part.sentence(match.first)
    before = part.folded.tokens[match.first - 1].word if match.first else ""
    return before in {"cette", "cet", "ce"} or bool(part.within("plaintiff", sentence))


@rule(
    "PN219",
    basis="Loi du 29 juillet 1881, art. 39 sexies; CPP, art. 15-4.",
    levels=(Level.BLOCK, Level.SECOND),
)
def no_officer_named(context: CheckContext) -> Iterator[Hit]:
    """Refuse the name of an officer beside a special unit, and where a patrol or hidden officers are."""
    for part in filter(in_text, context.parts):
        for match in _hidden(part):
            yield Hit(part.field, part.span(match), None, "place")
    units = [part for part in context.parts if part.has("unit")]
    if not any(is_unit(part, match) for part in units for match in part.found["unit"]):
        return
    covered = context.message.category == Category.RECRUITMENT and context.agreed("consent")
    for part in context.parts:
        for name in context.persons[part.field] if in_text(part) else ():
            yield Hit(part.field, part.span(Match(name.first, name.end)), covered=covered)
        for match in _named_by_rank(part) if in_text(part) else ():
            yield Hit(part.field, part.span(match), covered=covered)


def _hidden(part: TextPart) -> Iterator[Match]:
    """Yield where a patrol stands or hidden officers are: `la patrouille est garée rue Durand`."""
    for kind in ("parked", "covert"):
        for match in part.found.get(kind, ()):
            sentence = part.sentence(match.first)
            places = (*part.within("spot", sentence), *part.within("cover", sentence), *part.within("beside", sentence))
            if places and (kind == "parked" or part.within("now", sentence)):
                yield match


def _named_by_rank(part: TextPart) -> Iterator[Match]:
    """Yield a rank with the name behind it, and not in a street: `l'adjudant Morel`."""
    tokens = part.folded.tokens
    for rank in part.found.get("service_rank", ()):
        named = rank.end < len(tokens) and tokens[rank.end].capital and not stops(part, rank.end)
        of_place = any(part.words.holds("street", token.word) for token in tokens[max(0, rank.first - 2) : rank.first])
        if named and not (of_place or part.in_capitals or part.within("unit", range(rank.end, rank.end + 1))):
            yield Match(rank.first, rank.end + 1)


def is_unit(part: TextPart, match: Match) -> bool:
    """Return True for `RAID` and `Raid`, not for a word in small letters: *sat*, *raid*."""
    token = part.folded.tokens[match.first]
    return token.capital or match.end > match.first + 1
