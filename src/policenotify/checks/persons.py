"""Guards of persons: their names, and what leads to a minor, a victim or an officer."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from policenotify.checks.check import CheckContext, Hit, rule
from policenotify.checks.names import CLOSING, PersonName
from policenotify.checks.words import Match, TextPart
from policenotify.findings import Level
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Category

PREVENTION: Final = frozenset(
    {Category.SCAM_CYBER, Category.BURGLARY_PREVENTION, Category.ROAD_SAFETY, Category.RECRUITMENT, Category.FACT_CHECK}
)
"""Categories that speak to everyone, about no one person."""

_PLACES: Final = ("location.street", "location.district", "location.road", "location.between", "location.line")
_SEARCHES: Final = frozenset({Category.MISSING_PERSON, Category.CHILD_ABDUCTION_RELAY})
_ADULT: Final = 18
_NUMBERS: Final = {
    "un": 1, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "six": 6, "sept": 7, "huit": 8, "neuf": 9, "dix": 10,
    "onze": 11, "douze": 12, "treize": 13, "quatorze": 14, "quinze": 15, "seize": 16,
}  # fmt: skip
# What an age stands after where it is not a person's.
_NO_AGE: Final = frozenset(
    {"depuis", "pendant", "de", "des", "moins", "plus", "jusqu", "pour", "dans", "les", "apres", "avant", "entre"}
    | {"partir", "et", "dans", "tous", "ces", "deux", "sous"}
)
_LONGEST_AGE: Final = 3  # figures
_PUPILS: Final = frozenset(
    {"eleves", "classe", "classes", "collegiens", "collegiennes", "lyceens", "lyceennes", "ecoliers"}
)
_FEW: Final = frozenset({"deux", "trois", "quatre", "2", "3", "4"})
_QUARTERS: Final = frozenset({"cite", "quartier", "residence", "lotissement"})
_SOON: Final = 9  # words after the word for a victim in which an occupation is hers
_WAS: Final = frozenset({"etait", "fut", "est", "comme"})
_ONE: Final = frozenset({"un", "une", "le", "la", "l", "notre", "cette", "cet", "ce"})
_OF_BODY: Final = 4  # words behind a function in which the club or company stands
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
_IDENTITY: Final = ("job", "kin", "offspring", "home")


def in_text(part: TextPart) -> bool:
    """Return True unless a field holds a place, whose names are those of streets."""
    return not part.field.startswith(_PLACES)


@rule(
    "PN202",
    basis="RGPD, art. 6; directive (UE) 2016/680; Code civil, art. 9-1.",
    levels=(Level.BLOCK, Level.SECOND),
)
def no_person_named(context: CheckContext) -> Iterator[Hit]:
    """Refuse the name of a person who does not hold a public office."""
    message = context.message
    alone = message.category not in PREVENTION and message.category != Category.PLANNED_EVENT
    searched = message.category in _SEARCHES and message.stage is not Stage.END
    covered = (searched and context.agreed("family", "guardian", "prosecutor", "consent")) or (
        message.category == Category.RECRUITMENT and context.agreed("consent")
    )
    for part in context.parts:
        for name in context.persons[part.field] if in_text(part) else ():
            if name.full or alone:
                yield Hit(part.field, part.span(Match(name.first, name.end)), covered=covered)
        if message.category in {Category.ARREST, Category.POLICE_OPERATION, Category.WITNESS_APPEAL}:
            for match in sorted({*part.found.get("public_role", ()), *_holders(part)}):
                yield Hit(part.field, part.span(match), Level.SECOND, "role")


def _holders(part: TextPart) -> Iterator[Match]:
    """Yield who holds a function in a club, a company or a school: `la trésorière du club de rugby`."""
    for match in part.found.get("function", ()):
        body = part.within("body", range(match.end, match.end + _OF_BODY))
        if body and not part.within("not_held", range(match.first, match.end + _OF_BODY)):
            yield Match(match.first, body[0].end)


@rule(
    "PN203",
    basis="Code de la justice pénale des mineurs, art. L13-3 and L513-4; loi du 29 juillet 1881, art. 39 bis.",
    levels=(Level.BLOCK, Level.SECOND),
)
def no_minor_identified(context: CheckContext) -> Iterator[Hit]:
    """Refuse what identifies a minor: a name, a school, a form, relatives, a quarter or a photo."""
    message = context.message
    general = message.category in PREVENTION or message.category in {Category.WEATHER_RELAY, Category.PLANNED_EVENT}
    aged = [part for part in context.parts if ages(part, below=_ADULT)]
    named = any(context.persons[part.field] for part in context.parts if in_text(part))
    minor = aged or [part for part in context.parts if _tells_of_minors(part)]
    if not minor or (general and not (aged and named)):
        return
    searched = message.category in _SEARCHES | {Category.WITNESS_APPEAL} and context.agreed("prosecutor")
    covered = (searched or context.agreed("guardian", "family")) and message.stage is not Stage.END
    for part in filter(in_text, context.parts):
        for name in context.persons[part.field]:
            yield Hit(part.field, part.span(Match(name.first, name.end)), covered=covered)
        judicial = message.category in _SEARCHES | {Category.ARREST, Category.WITNESS_APPEAL, Category.POLICE_OPERATION}
        for match in (*_named_places(part, quarters=judicial), *part.found.get("form", ()), *part.found.get("kin", ())):
            yield Hit(part.field, part.span(match), covered=covered)
        for match in part.found.get("home", ()) if judicial and aged else ():
            yield Hit(part.field, part.span(match), covered=covered)
        for match in part.found.get("runaway", ()):
            yield Hit(part.field, part.span(match), Level.SECOND, "runaway", covered)
    for number, _ in enumerate(message.images if message.category in _SEARCHES else ()):
        yield Hit(f"images.{number}", None, Level.BLOCK, "photo", covered)


def _tells_of_minors(part: TextPart) -> bool:
    """Return True if a text is about single minors, and not about many pupils: `400 élèves de CM2`."""
    return any(not _is_crowd(part, match) for kind in ("minor", "form") for match in part.found.get(kind, ()))


def _is_crowd(part: TextPart, match: Match) -> bool:
    """Return True for a class, for `les élèves` and for five pupils or more, to whom nothing happened."""
    tokens = part.folded.tokens
    if part.near(match, "suffered", "victim", "hurt") or part.has("held"):
        return False
    at = match.first
    while at < match.end and tokens[at].word not in _PUPILS:
        at += 1
    if at == match.end or not tokens[at].word.endswith(("s", "classe")):
        return False
    before = [token.word for token in tokens[max(0, at - 3) : at]]
    return tokens[at].word.startswith("classe") or not any(word in _FEW for word in before[-1:])


def _named_places(part: TextPart, *, quarters: bool) -> Iterator[Match]:
    """Yield schools and quarters with their names: `collège Les Aiguerelles`, `cité Gély`."""
    tokens = part.folded.tokens
    for at, token in enumerate(tokens):
        if not (part.words.holds("school", token.word) or (quarters and token.word in _QUARTERS)):
            continue
        end = at + 1
        while end < min(len(tokens), at + 4) and tokens[end].word in {"de", "du", "des", "la", "le", "les", "l", "d"}:
            end += 1
        named = end
        while end < min(len(tokens), named + 4) and tokens[end].capital and not _stops(part, end):
            end += 1
        if end == named:
            end = _end_in_small_letters(part, at, named)
        if end > named:
            yield Match(at, end)


def _end_in_small_letters(part: TextPart, at: int, named: int) -> int:
    """Return one past the name of a school or quarter without capitals: `lycée mermoz`, `collège les aiguerelles`."""
    tokens = part.folded.tokens
    if named == len(tokens) or _stops(part, named):
        return named
    if namesake := part.within("namesake", range(named, named + 1)):
        return namesake[0].end
    if not part.in_small_letters:
        return named
    token = tokens[named]
    typed = part.folded.typed(token.start, token.end).casefold()
    plain = typed.endswith(("é", "ée", "és", "ées")) or bool(part.within("unnamed", range(named, named + 1)))
    direct = named == at + 1 or (named == at + 2 and tokens[at + 1].word == "les")
    return named + (direct and token.word.isalpha() and len(token.word) > 2 and token.word not in CLOSING and not plain)  # noqa: PLR2004 - an article


def _stops(part: TextPart, at: int) -> bool:
    """Return True if a sign separates a token from the one before."""
    tokens = part.folded.tokens
    return bool(set(part.folded.text[tokens[at - 1].end : tokens[at].start]) & set(".,;:!?()"))


def ages(part: TextPart, below: int = 200) -> list[Match]:
    """Return the ages of persons in a text: `14 ans`, `âgée de six ans`."""
    return [Match(at - 1, at + 1) for at in range(1, len(part.folded.tokens)) if _is_age(part, at, below)]


def _is_age(part: TextPart, at: int, below: int) -> bool:
    """Return True if a token is the unit of an age."""
    tokens = part.folded.tokens
    unit, number = tokens[at].word, tokens[at - 1].word
    if unit not in {"ans", "an", "mois", "years", "year"}:
        return False
    age = int(number) if number.isdigit() and len(number) <= _LONGEST_AGE else _NUMBERS.get(number, below)
    before, earlier = (tokens[at - back].word if at >= back else "" for back in (2, 3))
    stated = before == "de" and part.words.holds("aged", earlier)
    if before == "a":  # `a 15 ans` has an age; `à 15 ans` and `il y a 15 ans` have none
        other = earlier == "y" or "à" in part.folded.typed(tokens[at - 2].start, tokens[at - 2].end)
    else:
        other = before in _NO_AGE or unit == "mois"
    return age < below and (stated or not other)


@rule("PN204", basis="Code civil, art. 9; CPP, art. 11.", levels=(Level.BLOCK, Level.SECOND))
def no_victim_identified(context: CheckContext) -> Iterator[Hit]:
    """Refuse name, home or occupation of a victim."""
    covered = context.agreed("family", "consent", "guardian")
    for part in context.parts:
        tokens, end = part.folded.tokens, 0
        for match in part.found.get("victim", ()):
            sentence = part.sentence(match.first)
            start, end = max(end, sentence.start), sentence.stop
            for name in _names_within(context, part, range(start, end)):
                yield Hit(part.field, part.span(Match(name.first, name.end)), covered=covered)
            word = tokens[match.first].word
            dead = word.startswith(_DEAD)
            if (
                not (dead or word.startswith(("victime", "defunt", "otage", "ex", "plaignant")))
                or context.message.category in PREVENTION
            ):
                continue
            for kind in ("job", "home"):
                for other in part.within(kind, range(match.end, min(sentence.stop, match.end + _SOON))):
                    if kind == "home" or _is_hers(part, other, dead=dead):
                        yield Hit(part.field, part.span(other), covered=covered)


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
    return before in _WAS or (beside and (from_there or job.end == len(tokens) or _stops(part, job.end)))


def _names_within(context: CheckContext, part: TextPart, tokens: range) -> list[PersonName]:
    """Return the names of persons that begin at these tokens."""
    names = context.persons[part.field]
    first = bisect_left(names, tokens.start, key=lambda name: name.first)
    return names[first : bisect_left(names, tokens.stop, lo=first, key=lambda name: name.first)]


@rule("PN205", basis="Loi du 29 juillet 1881, art. 39 quinquies.")
def no_sexual_victim_identified(context: CheckContext) -> Iterator[Hit]:
    """Refuse every element that identifies the victim of a sexual offence."""
    general = context.message.category in PREVENTION
    if not any(part.has("sexual") for part in context.parts):
        return
    for part in context.parts:
        if not in_text(part):
            continue
        elements = [Match(name.first, name.end) for name in context.persons[part.field]]
        if not general:
            elements += [match for kind in _IDENTITY for match in part.found.get(kind, ())]
            elements += [*ages(part), *_named_places(part, quarters=True), *part.found.get("form", ())]
        for match in elements:
            yield Hit(part.field, part.span(match))


@rule(
    "PN219",
    basis="Loi du 29 juillet 1881, art. 39 sexies; CPP, art. 15-4.",
    levels=(Level.BLOCK, Level.SECOND),
)
def no_officer_named(context: CheckContext) -> Iterator[Hit]:
    """Refuse the name of an officer beside a special unit."""
    units = [part for part in context.parts if part.has("unit")]
    if not any(is_unit(part, match) for part in units for match in part.found["unit"]):
        return
    covered = context.message.category == Category.RECRUITMENT and context.agreed("consent")
    for part in context.parts:
        for name in context.persons[part.field] if in_text(part) else ():
            yield Hit(part.field, part.span(Match(name.first, name.end)), covered=covered)
        for match in _named_by_rank(part) if in_text(part) else ():
            yield Hit(part.field, part.span(match), covered=covered)


def _named_by_rank(part: TextPart) -> Iterator[Match]:
    """Yield a rank with the name behind it, and not in a street: `l'adjudant Morel`."""
    tokens = part.folded.tokens
    for rank in part.found.get("service_rank", ()):
        named = rank.end < len(tokens) and tokens[rank.end].capital and not _stops(part, rank.end)
        of_place = any(part.words.holds("street", token.word) for token in tokens[max(0, rank.first - 2) : rank.first])
        if named and not (of_place or part.in_capitals or part.within("unit", range(rank.end, rank.end + 1))):
            yield Match(rank.first, rank.end + 1)


def is_unit(part: TextPart, match: Match) -> bool:
    """Return True for `RAID` and `Raid`, not for a word in small letters: *sat*, *raid*."""
    token = part.folded.tokens[match.first]
    return token.capital or match.end > match.first + 1
