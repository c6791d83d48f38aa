"""Rules about who a text leads to: names, minors, victims, civil status."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policenotify.checks.fr import numbers
from policenotify.checks.fr.law import has, hit, law, texts_of_persons
from policenotify.checks.fr.names import names_in
from policenotify.checks.rule import CheckContext, Hit
from policenotify.checks.text import TextPart
from policenotify.checks.words import Match
from policenotify.findings import Level
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import Stage

ADULT: Final = 18
"""The age at which a person is not a minor any more."""
_NUMBERS: Final = (
    "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze", "treize",
    "quatorze", "quinze", "seize",
)  # fmt: skip
_NO_AGE: Final = frozenset({
    "depuis", "pendant", "de", "des", "moins", "plus", "jusqu", "pour", "dans", "les", "apres", "avant", "entre",
    "partir", "tous", "ces", "deux", "sous", "y", "il",
})  # fmt: skip
_LINKS: Final = frozenset({"de", "du", "des", "d", "a", "au", "aux", "chez", "dans", "en", "rue", "sur"})
_ARTICLES: Final = frozenset({"la", "le", "les", "l", "cette", "cet", "ce", "notre", "un", "une", "son", "sa", "d"})
_THE: Final = frozenset({"le", "la", "l", "notre", "cette", "cet", "ce", "du", "au", "son", "sa", "ancien", "ancienne"})


def names(context: CheckContext, part: TextPart) -> list[Match]:
    """Return the names of persons in a text."""
    place = context.message.location
    stated = [place.street, place.district, *(place.between or ())] if place else []
    known = {token.word for text in filter(None, stated) for token in TextPart("", "fr", text, part.words).tokens}
    names = names_in(part, lambda name: bool(context.communes_named(name)), frozenset(known))
    return [name for name in names if not part.words.holds("papers", part.tokens[name.first].word)]  # `IBAN` is one


@law(
    "PN202",
    basis="RGPD, art. 6; directive (UE) 2016/680; Code civil, art. 9-1; loi du 29 juillet 1881, art. 39 sexies.",
    levels=(Level.BLOCK, Level.SECOND),
    urgent=Level.BLOCK,
    orders=True,
)
def no_person_named(context: CheckContext) -> Iterator[Hit]:
    """Refuse the name of a person in a judicial message or of a victim, and ask about any other."""
    message, profile = context.message, context.profile
    searched = profile.search and message.stage is not Stage.END
    covered = searched and context.agreed("family", "guardian", "prosecutor", "consent")
    covered = covered or (not (profile.judicial or profile.opens_incident) and context.agreed("consent"))
    strict = profile.judicial or has(context, "victim", "harmed", "arrested")
    special = any(part.tokens[match.first].capital for part in context.parts for match in part.found.get("unit", ()))
    for part in texts_of_persons(context):
        for match in names(context, part):
            if not profile.general or special or match.end > match.first + 1:
                yield hit(part, match, None if strict else Level.SECOND, covered=covered)
        for match in _holders(part) if strict else ():
            if part.near(match, "arrested", "suspected"):
                yield hit(part, match, Level.SECOND, "role")


def ages(part: TextPart, below: int = 200) -> Iterator[Match]:
    """Yield the ages of persons: `14 ans`, `âgée de six ans`."""
    for at in range(1, len(part.tokens)):
        unit, number = part.tokens[at].word, part.tokens[at - 1].word
        if unit in {"ans", "an", "years"}:
            age = int(number) if number.isdigit() and len(number) < 4 else 0  # noqa: PLR2004 - three figures
            age = age or (_NUMBERS.index(number) + 1 if number in _NUMBERS else 200)
            before = part.tokens[at - 2].word if at > 1 else ""
            aged = before not in _NO_AGE or (before == "de" and any(part.within("aged", range(max(0, at - 5), at - 2))))
            if before == "a":  # `a 15 ans` has an age, `à 15 ans` and `il y a 15 ans` have none
                aged = part.typed(*part.tokens[at - 2][1:3]).casefold() == "a" and not part.starts(at - 3, "y")
            if age < below and aged:
                yield Match(at - 1, at + 1)


def _holders(part: TextPart) -> Iterator[Match]:
    """Yield who is known by an occupation in one place: `la trésorière du club`, `le facteur de Mèze`."""
    for match in part.found.get("job", ()):
        at = match.first - part.starts(
            match.first - 1, "unique", "seul", "seule", "jeune", "ancien", "ancienne", "vice"
        )
        if not (_is_stated(part, match) or part.starts(at - 1, *_THE)):
            continue
        end = match.end - (part.tokens[match.end - 1].word in _LINKS)
        if part.starts(end + 1, *_LINKS) and part.gap(end - 1) == " " and not part.starts(end, *_LINKS):
            end += 1  # `l'infirmière libérale de Mèze`
        if not (end < len(part.tokens) and part.tokens[end].word in _LINKS and part.gap(end - 1) in {" ", "'"}):
            continue
        end += 1
        while end < min(len(part.tokens), match.end + 4) and part.tokens[end].word in _ARTICLES:
            end += 1
        if end < len(part.tokens) and (part.tokens[end].capital or part.within("body", range(end, end + 1))):
            yield Match(match.first, end + 1)
    for match in part.found.get("runs", ()):  # `tenait le bureau de poste`
        if body := part.within("body", range(match.end, min(part.sentence(match.first).stop, match.end + 5))):
            yield Match(match.first, body[0].end)


def _named_schools(part: TextPart) -> Iterator[Match]:
    """Yield schools and quarters with their names, and pupils of one: `collège Mermoz`, `lycéen de Jean-Monnet`."""
    for match in (*part.found.get("school", ()), *part.found.get("pupil_of", ())):
        end = match.end
        while end < min(len(part.tokens), match.end + 4) and part.tokens[end].word in _ARTICLES | _LINKS - {"rue"}:
            end += 1
        place = part.starts(
            match.first - 2, "rue", "avenue", "arret", "carrefour", "place", "devant", "station", "face"
        )
        if end < len(part.tokens) and part.tokens[end].capital and not place and part.gap(end - 1).strip(" '-") == "":
            yield Match(match.first, end + 1)


@law(
    "PN203",
    basis="CJPM, art. L13-3 and L513-4; loi du 29 juillet 1881, art. 39 bis and 39 quinquies; Code civil, art. 9.",
    levels=(Level.BLOCK, Level.SECOND),
    urgent=Level.BLOCK,
)
def nobody_protected_identified(context: CheckContext) -> Iterator[Hit]:
    """Refuse what leads to a minor or a victim, above all of a sexual offence: school, relatives, occupation, home."""
    profile = context.profile
    agreed = context.agreed("family", "guardian") and context.message.stage is not Stage.END
    searched = (profile.search or profile.appeal) and context.agreed("prosecutor")
    covered = agreed or (searched and context.message.stage is not Stage.END)
    aged = any(any(ages(part, ADULT)) for part in context.parts)
    minor = aged or any(_is_of_minors(part) for part in context.parts)
    of_everyone = profile.general and not has(context, "arrested", "plaintiff", "form")
    sexual = has(context, "sexual") and not of_everyone
    below = Level.ADVISE if context.is_urgent else None  # but for a name
    severe = context.severity.at_least(Severity.SEVERE)
    for part in texts_of_persons(context):
        for match in names(context, part) if (minor and not of_everyone) or aged else ():
            yield hit(part, match, covered=covered)
        for match, variant in ({} if of_everyone else _elements(part, sexual=sexual, minor=minor, aged=aged)).items():
            lifted = severe and variant == "victim" and match not in part.found.get("home", ())
            level = below or (Level.SECOND if lifted else None)  # urgency lifts an occupation, and never a home
            yield hit(part, match, level, variant, covered=agreed if variant else covered)
        for match in part.found.get("runaway", ()):
            yield hit(part, match, below or Level.SECOND, "runaway", covered=covered)
    if minor and (profile.search or profile.appeal):
        for number, _ in enumerate(context.message.images):
            yield Hit(f"images.{number}", None, below and Level.SECOND, "photo", covered=covered)


def _elements(part: TextPart, *, sexual: bool, minor: bool, aged: bool) -> dict[Match, str]:
    """Return what leads to a person besides the name, with the name of the texts for it."""
    elements: dict[Match, str] = {}
    homes = part.found.get("home", ())
    if part.has("victim", "harmed"):
        elements = {match: "victim" for match in (*_jobs(part), *homes) if _is_of_victim(part, match)}
    if minor:
        elements |= dict.fromkeys((*_named_schools(part), *part.found.get("form", ()), *_kin(part)), "")
        elements |= dict.fromkeys(homes if aged else (), "")
    if sexual:
        elements |= dict.fromkeys((*_kin(part), *_jobs(part), *homes, *ages(part), *_named_schools(part)), "sexual")
    return elements


def _is_of_minors(part: TextPart) -> bool:
    """Return True if a text is about single minors, and not about many pupils: `les élèves`, `400 élèves`."""
    for match in part.found.get("minor", ()):
        many = part.tokens[match.first].word.endswith("s") and not part.starts(
            match.first - 1, "deux", "trois", "2", "3"
        )
        if not many or part.near(match, "victim", "harmed", "arrested"):
            return True
    return False


def _kin(part: TextPart) -> Iterator[Match]:
    """Yield relatives, but not `fille de 12 ans`."""
    aged = {match.first for match in ages(part)}
    yield from (match for match in part.found.get("kin", ()) if match.end not in aged)


def _jobs(part: TextPart) -> Iterator[Match]:
    """Yield occupations of one person: with a place behind them, or stated of the person."""
    yield from _holders(part)
    for match in part.found.get("job", ()):
        if _is_stated(part, match) or (part.has("sexual") and part.starts(match.first - 1, *_ARTICLES)):
            yield match


def _is_stated(part: TextPart, match: Match) -> bool:
    """Return True for an occupation that is stated of a person: `était infirmière`, `la victime, une bergère`."""
    at = match.first - part.starts(match.first - 1, "un", "une")
    return part.starts(at - 1, "est", "etait", "comme") or part.gap(at - 1)[:2] in {", ", " :", ": ", " ("}


def _is_of_victim(part: TextPart, match: Match) -> bool:
    """Return True if the sentence, or one beside it, is about harm, and the person neither acts nor is accused."""
    sentence = part.sentence(match.first)
    before = part.sentence(sentence.start - 1) if sentence.start else sentence
    after = part.sentence(sentence.stop) if sentence.stop < len(part.tokens) else sentence
    around = range(before.start, after.stop)
    harmed = any(part.within(name, around) for name in ("victim", "harmed"))
    accused = any(part.within(name, sentence) for name in ("arrested", "suspected")) and not part.within(
        "harmed", sentence
    )
    acts = not _is_stated(part, match) and part.within("agent_acts", range(match.end, match.end + 6))
    return harmed and not accused and not acts


@law(
    "PN206",
    basis="RGPD, art. 5 (data minimisation).",
    urgent=Level.BLOCK,
    orders=True,
    levels=(Level.BLOCK, Level.SECOND),
)
def no_civil_status(context: CheckContext) -> Iterator[Hit]:
    """Refuse dates of birth, numbers of papers and accounts, and ask about IP addresses."""
    covered = context.profile.search and context.agreed("family", "guardian", "prosecutor")
    covered = covered and context.message.stage is not Stage.END
    personal = context.profile.judicial or has(context, "victim", "harmed")
    for part in context.parts:
        old_dates = numbers.OLD_DATE.finditer(part.text) if personal else ()
        for place in (*numbers.births(part), *(match.span() for match in old_dates)):
            yield Hit(part.field, part.place(*place), covered=covered)
        for place in numbers.papers(part):
            yield Hit(part.field, part.place(*place))
        yield from (hit(part, match) for match in (names(context, part) if part.has("papers") else ()))
        for address in numbers.IP.finditer(part.text):
            yield Hit(part.field, part.place(*address.span()), Level.SECOND, "ip")
