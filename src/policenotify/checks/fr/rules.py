"""The rules of French law whose conditions no table holds, and those of `rules.toml`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any, Final

from policenotify.checks.fr import numbers
from policenotify.checks.fr.names import names_in
from policenotify.checks.rule import CheckContext, Hit, Rule, every_text, rule
from policenotify.checks.text import TextPart
from policenotify.checks.words import SHIPPED, Match
from policenotify.findings import Level
from policenotify.model.cap import CapCategory
from policenotify.model.lifecycle import Stage
from policenotify.render.redaction import house_numbers
from policenotify.text.house_numbers import remove_from_headline
from policenotify.text.spans import spans_of
from policenotify.text.urls import host_of

ADULT: Final = 18
"""The age at which a person is not a minor any more."""

_Function = Callable[[CheckContext], Iterable[Hit]]
_IMPERATIVE: Final = re.compile(r"(?!(?:chez|assez|nez|rez)$)\w{3,}ez$")
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
_HOUR: Final = re.compile(r"(?<!\w)(?:\d{1,2} ?(?:h|heures?)(?: ?\d{2})?|\d{1,2}:\d{2}|midi|minuit)(?!\w)")
_SOON: Final = re.compile(
    r"(?<!\w)(?:dans|sous|d'ici) (?:\d{1,3}|une?|deux|trois|cinq|dix|quinze|vingt|trente|quelques)[ -]"
    r"(?:quarts? d'heure|demi[ -]heure|minutes?|min|heures?|instants?)(?!\w)"
)
_ROAD: Final = re.compile(r"(?<!\w)(?:[adnm]|r[dn]) ?\d{1,4}(?!\w)")
_COUNTED: Final = re.compile(
    r"\d{1,3}|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|douze|quinze|vingt|dizaine|vingtaine"
)
_MARKS: Final = re.compile(
    r"(?<!\w)(?:xx+h?x*|jj ?/ ?mm(?: ?/ ?aa(?:aa)?)?|h{1,2}hm{2}|hh ?: ?mm)(?!\w)|\?{4,}|(?<!\w)_{2,}"
    r"|(?<!\w)(?:a|de|rue|vers|du|au|avenue|le) \?+|\{{1,2} {0,2}[a-z_]\w{0,30} {0,2}\}{1,2}|<[a-z_][a-z_ ']{1,40}>"
    r"|\[[^\[\]]{0,30}(?:\?|_|\.\.)\]|\[\[[^\[\]]{1,40}\]\]|\[ {0,3}\]"
)
_ACCUSED: Final = frozenset({"suspect", "suspects", "mis", "mise", "aux", "contre", "face"})
_SERVICE: Final = re.compile(r"(?:commissariat|mairie|gymnase|h[oô]tel de police|pr[ée]fecture|accueil)[^.!?]{0,40}\Z")
_CLOSED: Final = re.compile(r"[^\[\]<>{}\n]{0,60}[\]>}]")
_OFFICIAL: Final = (
    *("alerte-enlevement.gouv.fr", "justice.gouv.fr", "interieur.gouv.fr", "gouvernement.fr", "service-public.fr"),
)
_IMITATED: Final = (
    "gouv", "interieur", "policenationale", "devenirpolicier", "gendarmerie", "prefecture", "servicepublic", "antai",
    "17cyber", "masecurite", "moncommissariat", "alerteenlevement", "fralert", "policerecrute", "commissariat",
)  # fmt: skip
_GENUINE: Final = (
    "devenirpolicier.fr",
    "lapolicenationalerecrute.fr",
    "service-public.fr",
    "gouvernement.fr",
    "gouv.fr",
)
_HOST: Final = re.compile(r"(?<![\w@.-])(?:[a-z0-9-]{2,40}\.){1,4}[a-z]{2,10}(?![\w-])")


@cache
def texts() -> dict[str, Any]:
    """Return `rules.toml`: reasons and remedies of all rules, and all of the plain ones."""
    return tomllib.loads((files(__package__) / "rules.toml").read_text("utf-8"))


def law(
    code: str,
    *,
    basis: str,
    levels: tuple[Level, ...] = (Level.BLOCK,),
    urgent: Level = Level.ADVISE,
    orders: bool = False,
    title: str = "",
) -> Callable[[_Function], Rule]:
    """Return the decorator of a rule of French law.

    Args:
        code: Its permanent code.
        basis: The law that it rests on.
        levels: Those that its findings may have.
        urgent: The highest level in the opening or the end of a severe or extreme incident.
        orders: It judges instructions to readers, too. Any other advises there: nobody is kept from an order to leave,
            to gather or to take shelter.
        title: What it does, by default the docstring of the function.
    """

    def decorate(function: _Function) -> Rule:
        def find(context: CheckContext) -> Iterator[Hit]:
            for hit in function(context):
                ordered = not orders and hit.span and (part := context.part(hit.field)) and _is_order(part, hit.span)
                yield replace(hit, level=Level.ADVISE) if ordered else hit

        decorator = rule(
            code, basis=basis, levels=levels, urgent=urgent, title=title or function.__doc__ or "", texts=texts
        )
        return decorator(find)

    return decorate


def _is_order(part: TextPart, span: tuple[int, int]) -> bool:
    """Return True if a place in a text is in a sentence that tells readers to leave, to gather or to take shelter."""
    at = min(part.word_at(span[0] - 1), len(part.tokens) - 1)
    return bool(part.within("order", part.sentence(at)))


def _hit(part: TextPart, match: Match, level: Level | None = None, variant: str = "", *, covered: bool = False) -> Hit:
    return Hit(part.field, part.span(match), level, variant, covered=covered)


def _texts_of_persons(context: CheckContext) -> Iterator[TextPart]:
    """Yield the texts but for those of the place, whose names are those of streets."""
    return (part for part in context.parts if not part.field.startswith("location."))


def _has(context: CheckContext, *names: str) -> bool:
    return any(part.has(*names) for part in context.parts)


def plain_rule(code: str, table: dict[str, Any]) -> Rule:
    """Return a rule of `rules.toml`: each phrase of its lists is a finding.

    `traits` and `not_traits` name traits of the category, `beside` lists of which the sentence has a phrase,
    `unless` lists of which the text has none, `agreed` who may cover it.
    """
    levels = tuple(Level(level) for level in table["levels"])

    @law(
        code,
        basis=table["basis"],
        levels=levels,
        urgent=Level(table["urgent"]),
        orders=table.get("orders", False),
        title=table["title"],
    )
    def found(context: CheckContext) -> Iterator[Hit]:
        wanted, unwanted = table.get("traits", ()), table.get("not_traits", ())
        arrested = _has(context, "arrested")
        if wanted and not arrested and not any(getattr(context.profile, trait) for trait in wanted):
            return
        if not arrested and any(getattr(context.profile, trait) for trait in unwanted):
            return
        covered = context.agreed(*table.get("agreed", ()))
        for part in context.parts:
            if part.has(*table.get("unless", ())):
                continue
            for match in (match for name in table["lists"] for match in part.found.get(name, ())):
                if "beside" not in table or part.near(match, *table["beside"]):
                    yield _hit(part, match, covered=covered)

    return found


# --- persons


@law("PN201", basis="Code civil, art. 9-1; CPP, art. 11, al. 3.", levels=(Level.SECOND,))
def innocence_presumed(context: CheckContext) -> Iterator[Hit]:
    """Ask about words that call a person guilty who has not been judged."""
    arrested, profile = _has(context, "arrested"), context.profile
    of_everyone = profile.general or not (profile.judicial or profile.opens_incident)
    if _has(context, "judged") or (of_everyone and not arrested):
        return
    for part in context.parts:
        matches = list(part.found.get("guilt", ()))
        if not arrested:
            matches = [match for match in matches if not _is_of_anybody(part, match)]
        if arrested or profile.needs_basis:
            for match in (*part.found.get("guilt_told", ()), *_deeds(part)):
                if not _is_presumed(part, match, _ACCUSED):
                    yield _hit(part, match)
        for match in matches:
            if not _is_presumed(part, match):
                yield _hit(part, match)


def _is_of_anybody(part: TextPart, match: Match) -> bool:
    """Return True for offenders in general: `les cambrioleurs repèrent`, and not for `trois cambrioleurs`."""
    many = part.tokens[match.first].word[-1] in "sx"
    return many and part.starts(match.first - 1, "les", "des", "aux", "de", "d", "ces")


def _deeds(part: TextPart) -> Iterator[Match]:
    """Yield what a text presents as done: `a volontairement renversé`, `volait`."""
    yield from part.found.get("crime_doing", ())
    for match in part.found.get("about_to", ()):
        sentence = part.sentence(match.first)
        yield from part.within("crime", range(match.end, min(sentence.stop, match.end + 4)))
    for match in part.found.get("crime_done", ()):
        before = [
            token.word for token in part.tokens[max(part.sentence(match.first).start, match.first - 3) : match.first]
        ]
        while before and (
            before[-1].endswith("ment")
            or before[-1] in {"deja", "ensuite", "aussi", "bien", "tout", "les", "lui", "leur"}
        ):
            before.pop()
        done = bool(before) and before[-1] in {"a", "ont", "avait", "avaient", "ayant", "avoir"}
        subject = range(part.sentence(match.first).start, match.first)
        if done and not part.within("not_accused", subject):
            yield match


def _is_presumed(part: TextPart, match: Match, weak: frozenset[str] = frozenset()) -> bool:
    """Return True near words that keep the presumption: `voleurs présumés`, `contre les cambrioleurs`.

    Weak words do not: `le suspect a volé`.
    """
    if part.tokens[match.first].word.startswith(("coupable", "guilty")):
        return False
    sentence = part.sentence(match.first)
    around = range(max(sentence.start, match.first - 4), min(sentence.stop, match.end + 2))
    return any(part.tokens[each.first].word not in weak for each in part.within("presumed", around))


def _names(context: CheckContext, part: TextPart) -> list[Match]:
    """Return the names of persons in a text."""
    place = context.message.location
    stated = [place.street, place.district, *(place.between or ())] if place else []
    known = {token.word for text in filter(None, stated) for token in _tokens(text)}
    names = names_in(part, context.is_place_name, frozenset(known))
    return [name for name in names if not part.words.holds("papers", part.tokens[name.first].word)]  # `IBAN` is one


def _tokens(text: str) -> Sequence[Any]:
    return TextPart("", "fr", text, SHIPPED.of("fr")).tokens


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
    strict = profile.judicial or _has(context, "victim", "harmed", "arrested")
    special = any(part.tokens[match.first].capital for part in context.parts for match in part.found.get("unit", ()))
    for part in _texts_of_persons(context):
        for match in _names(context, part):
            if not profile.general or special or match.end > match.first + 1:
                yield _hit(part, match, None if strict else Level.SECOND, covered=covered)
        for match in _holders(part) if strict else ():
            if part.near(match, "arrested", "suspected"):
                yield _hit(part, match, Level.SECOND, "role")


def _ages(part: TextPart, below: int = 200) -> Iterator[Match]:
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
    aged = any(any(_ages(part, ADULT)) for part in context.parts)
    minor = aged or any(_is_of_minors(part) for part in context.parts)
    of_everyone = profile.general and not _has(context, "arrested", "plaintiff", "form")
    sexual = _has(context, "sexual") and not of_everyone
    below = Level.ADVISE if context.is_urgent else None  # but for a name
    for part in _texts_of_persons(context):
        for match in _names(context, part) if (minor and not of_everyone) or aged else ():
            yield _hit(part, match, covered=covered)
        for match, variant in ({} if of_everyone else _elements(part, sexual=sexual, minor=minor, aged=aged)).items():
            yield _hit(part, match, below, variant, covered=agreed if variant else covered)
        for match in part.found.get("runaway", ()):
            yield _hit(part, match, below or Level.SECOND, "runaway", covered=covered)
    if minor and (profile.search or profile.appeal):
        for number, _ in enumerate(context.message.images):
            yield Hit(f"images.{number}", None, below and Level.SECOND, "photo", covered=covered)


def _elements(part: TextPart, *, sexual: bool, minor: bool, aged: bool) -> dict[Match, str]:
    """Return what leads to a person besides the name, with the name of the texts for it."""
    elements: dict[Match, str] = {}
    if part.has("victim", "harmed"):
        homes = part.found.get("home", ())
        elements = {match: "victim" for match in (*_jobs(part), *homes) if _is_of_victim(part, match)}
    if minor:
        elements |= dict.fromkeys((*_named_schools(part), *part.found.get("form", ()), *_kin(part)), "")
        elements |= dict.fromkeys(part.found.get("home", ()) if aged else (), "")
    if sexual:
        homes = part.found.get("home", ())
        elements |= dict.fromkeys((*_kin(part), *_jobs(part), *homes, *_ages(part), *_named_schools(part)), "sexual")
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
    ages = {match.first for match in _ages(part)}
    yield from (match for match in part.found.get("kin", ()) if match.end not in ages)


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
    """Return True if the sentence, or one beside it, tells of harm, and the person neither acts nor is accused."""
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
    personal = context.profile.judicial or _has(context, "victim", "harmed")
    for part in context.parts:
        for place in (*numbers.births(part), *(numbers.old_dates(part) if personal else ())):
            yield Hit(part.field, part.place(*place), covered=covered)
        for place in numbers.papers(part):
            yield Hit(part.field, part.place(*place))
        yield from (_hit(part, match) for match in (_names(context, part) if part.has("papers") else ()))
        for place in numbers.internet_addresses(part):
            yield Hit(part.field, part.place(*place), Level.SECOND, "ip")


@law("PN207", basis="RGPD, art. 4; CPP, art. 11.", levels=(Level.BLOCK, Level.SECOND), urgent=Level.BLOCK, orders=True)
def no_number_plate(context: CheckContext) -> Iterator[Hit]:
    """Refuse a number plate, whole or in part."""
    covered = context.profile.appeal and (context.agreed("prosecutor") or bool(context.profile.source))
    for part in context.parts:
        for place in numbers.plates(part):
            yield Hit(part.field, part.place(*place), covered=covered)


@law(
    "PN208",
    basis="RGPD, art. 5; premium numbers cost people money.",
    levels=(Level.BLOCK, Level.SECOND),
    urgent=Level.BLOCK,
    orders=True,
)
def no_private_number(context: CheckContext) -> Iterator[Hit]:
    """Refuse private telephone numbers, and ask about premium ones."""
    for part in context.parts:
        services = {re.sub(r"\D", "", number) for number in part.words.entries.get("service_numbers", ())}
        for place, kind, figures in numbers.telephones(part):
            if kind and figures not in services:
                level = Level.SECOND if kind == "premium" else Level.BLOCK
                yield Hit(part.field, part.place(*place), level, kind if kind == "premium" else "")


@law(
    "PN209",
    basis="RGPD, art. 5; an appeal for witnesses gave a Gmail address in 2023.",
    levels=(Level.SECOND,),
    orders=True,
)
def no_private_mail(context: CheckContext) -> Iterator[Hit]:
    """Ask about a mail address that is not a service's."""
    for part in context.parts:
        services = part.words.entries.get("service_domains", ())
        for place, host in numbers.mail_addresses(part):
            if not any(host == domain or host.endswith(f".{domain}") for domain in services):
                yield Hit(part.field, part.place(*place))


@law(
    "PN210",
    basis="Code pénal, art. 223-1-1 and 226-1: what lets people find a person's home.",
    levels=(Level.BLOCK, Level.SECOND, Level.ADVISE),
)
def home_not_named(context: CheckContext) -> Iterator[Hit]:
    """Refuse the home of a victim or a suspect, ask about others in a judicial message, and report what is removed."""
    message, typed = context.message, context.typed or context.message
    before, after = ({name: text for _, name, text in every_text(each)} for each in (typed, message))
    for name, removed in house_numbers(typed, (entry.message for entry in context.history.entries)):
        if removed and before.get(name) != after.get(name):
            yield Hit(name, None, Level.ADVISE, "removed")
    judicial = context.profile.judicial
    known = judicial and _has(context, "victim", "harmed", "arrested", "suspected")
    level = Level.BLOCK if known else Level.SECOND if judicial else Level.ADVISE
    for part in context.parts if judicial else context.prose:
        for number in remove_from_headline(part.original).removed:
            start = part.original.find(number)
            end = start + len(number)
            of_service = _SERVICE.search(part.original[: max(0, start)].casefold())
            if start >= 0 and not of_service and not re.match(r"[.,]\d", part.original[end:]):  # `1,80 m`
                yield Hit(part.field, (start, end), level)


@law("PN211", basis="RGPD, art. 9 (health).", levels=(Level.SECOND,))
def no_health_told(context: CheckContext) -> Iterator[Hit]:
    """Ask before a person's health, disability or treatment is published."""
    if context.profile.general:
        return
    covered = context.profile.search and context.agreed("family", "guardian", "prosecutor", "consent")
    for part in context.parts:
        for match in part.found.get("health", ()):
            before = {token.word for token in part.tokens[max(0, match.first - 3) : match.first]}
            group = part.tokens[match.end - 1].word.endswith("s") and before & {"les", "aux", "personnes", "vos", "des"}
            spoken = before & {"vous", "etes", "si"} or part.starts(match.end, "114")
            if not (group or spoken):
                yield _hit(part, match, covered=covered)


@law("PN214", basis="CPP, art. 11, al. 3; circulaire du 19 janvier 2023.", levels=(Level.SECOND,))
def judicial_basis_given(context: CheckContext) -> Iterator[Hit]:
    """Ask who agreed to a message about an arrest, an appeal or a missing person."""
    message = context.message
    if context.profile.needs_basis and message.stage not in {Stage.END, Stage.CANCELLATION} and not message.basis:
        yield Hit("basis")


@law("PN215", basis="Loi du 29 juillet 1881, art. 35 ter; CPP, art. 803.", urgent=Level.SECOND, orders=True)
def pictures_lawful(context: CheckContext) -> Iterator[Hit]:
    """Refuse pictures whose description names cuffs, faces, plates or children."""
    for part in context.parts:
        if part.field.startswith("images.") or ".alts." in part.field:
            hidden = part.has("picture_hidden")
            for name in ("picture",) if hidden else ("picture", "picture_shown"):
                yield from (_hit(part, match) for match in part.found.get(name, ()))
            yield from (_hit(part, match) for match in (() if hidden else _ages(part, ADULT)))


# --- operations


@law(
    "PN301",
    basis="Code pénal, art. 226-13; loi du 29 juillet 1881, art. 39 sexies: it endangers officers and those they move.",
    levels=(Level.SECOND,),
    urgent=Level.SECOND,
)
def no_operation_told(context: CheckContext) -> Iterator[Hit]:
    """Ask before tactics, controls, hidden officers, and moves of protected persons are published."""
    message = context.message
    over = message.stage in {Stage.END, Stage.CANCELLATION}
    for part in _texts_of_persons(context):
        matches = [] if over else [*_tactics(part, context), *_movements(part)]
        sentences: dict[int, Match] = {}  # one remark each is enough
        for match in (*matches, *_controls(part, context), *_hidden(part)):
            sentences.setdefault(part.sentence(match.first).start, match)
        yield from (_hit(part, match) for match in sentences.values())


def _tactics(part: TextPart, context: CheckContext) -> Iterator[Match]:
    """Yield where, how many and when officers act. A police word is in the same clause: a gunman's roof is none."""
    safety = {CapCategory.SAFETY, CapCategory.SECURITY} & set(context.profile.cap_categories)
    if not (safety and context.profile.opens_incident):
        return
    for match in part.found.get("officer", ()):
        clause, sentence = part.clause(match.first), part.sentence(match.first)
        spoken = any(_IMPERATIVE.match(part.tokens[at].word) for at in clause)
        covers = part.within("cover", clause)
        unit = part.tokens[match.first].capital and part.within("unit", range(match.first, match.end))
        placed = covers and (unit or part.within("stand", clause))
        if not spoken and (placed or part.within("tactics", clause) or part.within("strength", clause)):
            yield match
        elif match.first and _COUNTED.fullmatch(part.tokens[match.first - 1].word) and not part.near(match, "harmed"):
            yield Match(match.first - 1, match.end)
        elif part.within("coming", sentence) and _is_timed(part, sentence):
            yield match
    yield from part.found.get("assault", ())
    yield from part.found.get("live", ())


def _is_timed(part: TextPart, words: range) -> bool:
    """Return True if an hour or a delay stands among some words."""
    start, end = part.tokens[words.start].start, part.tokens[words.stop - 1].end
    return bool(_HOUR.search(part.text, start, end) or _SOON.search(part.text, start, end))


def _spots(part: TextPart, words: range) -> Iterator[Match]:
    """Yield places with a name among some words: `rue du Carré-du-Roi`, `péage de Sète`, `D613`."""
    for match in part.within("spot", words):
        if any(
            token.capital or token.word.isdigit() for token in part.tokens[match.end : min(words.stop, match.end + 4)]
        ):
            yield match
    yield from (Match(at, at + 1) for at in words if _ROAD.fullmatch(part.tokens[at].word))


def _controls(part: TextPart, context: CheckContext) -> Iterator[Match]:
    """Yield controls of drivers with their place or hour: `dépistage samedi à 22h, péage de Sète`."""
    profile = context.profile
    of_roads = profile.general and not profile.opens_incident and CapCategory.TRANSPORT in profile.cap_categories
    for match in (*part.found.get("control", ()), *(part.found.get("meeting", ()) if of_roads else ())):
        sentence = part.sentence(match.first)
        if sentence.stop < len(part.tokens) and len(sentence) < 7:  # noqa: PLR2004 - `Contrôle d'alcoolémie. Avenue …`
            sentence = range(sentence.start, part.sentence(sentence.stop).stop)
        if not part.within("control_past", sentence) and (any(_spots(part, sentence)) or _is_timed(part, sentence)):
            yield match


def _movements(part: TextPart) -> Iterator[Match]:
    """Yield a protected person or a prisoner whose hour, door or route the sentence gives."""
    for match in (*part.found.get("protected", ()), *part.found.get("accused", ())):
        sentence = part.sentence(match.first)
        moved = part.within("movement" if match in part.found.get("protected", ()) else "movement_to_come", sentence)
        if moved and (_is_timed(part, sentence) or part.within("by_way", sentence)):
            yield match


def _hidden(part: TextPart) -> Iterator[Match]:
    """Yield a patrol or officers in plain clothes with their place: `la patrouille est garée rue Durand`."""
    for match in part.found.get("patrol", ()):
        sentence = part.sentence(match.first)
        stays = part.within("stationary", sentence)
        placed = part.within("cover", sentence) or any(_spots(part, sentence))
        if stays and placed:
            yield match


@law(
    "PN303",
    basis="The prosecutor alone gives an abduction alert; others relay the official page.",
    levels=(Level.SECOND,),
    orders=True,
)
def abduction_only_relayed(context: CheckContext) -> Iterator[Hit]:
    """Ask about an abduction alert in words of our own."""
    message = context.message
    links = (message.link or "", *(span.value for part in context.parts for span in spans_of(part.original)))
    official = any(_is_of(host_of(link), _OFFICIAL) for link in links if link)
    if context.profile.search and not context.profile.needs_basis:
        if message.stage in {Stage.OPENING, Stage.UPDATE, Stage.STANDALONE} and not official:
            yield Hit("link", None, None, "link")
        return
    if context.profile.general or message.stage is Stage.END or _has(context, "denied"):
        return
    for part in context.parts:
        yield from (_hit(part, match) for match in part.found.get("abduction", ()))
        for match in part.found.get("abducted", ()):
            sentence = part.sentence(match.first)
            if part.within("minor", sentence) or any(age.first in sentence for age in _ages(part, ADULT)):
                yield _hit(part, match)


def _is_of(host: str, sites: Iterable[str]) -> bool:
    """Return True if a host is one of these sites or below one."""
    return any(host == site or host.endswith(f".{site}") for site in sites)


@law(
    "PN310",
    basis="Numbers and sites of services change; look-alikes are the trade of fraudsters. Checked on 2026-06-01.",
    levels=(Level.SECOND, Level.ADVISE),
    orders=True,
)
def numbers_and_links_right(context: CheckContext) -> Iterator[Hit]:
    """Ask about numbers never to call and look-alike sites, and advise against old numbers and short links."""
    if context.message.link and _imitates(host_of(context.message.link)):
        yield Hit("link", None, None, "link")
    for part in context.parts:
        wrong, usurped = (part.words.entries.get(name, ()) for name in ("wrong_numbers", "usurped_numbers"))
        for place, _, figures in numbers.telephones(part):
            if figures in (*wrong, *usurped):
                yield Hit(part.field, part.place(*place), None if figures in usurped else Level.ADVISE)
        for match in part.found.get("short_links", ()):
            yield _hit(part, match, Level.ADVISE, "short")
        for host in _HOST.finditer(part.text):
            if _imitates(host[0]):
                yield Hit(part.field, part.place(*host.span()), None, "link")


def _imitates(host: str) -> bool:
    """Return True for a host that looks like one of the State's and is none."""
    name = host.lower().replace("-", "")
    return not _is_of(host.lower(), _GENUINE) and "." in host and any(each in name for each in _IMITATED)


@law(
    "PN423",
    basis="A desk's own slip: posts with XXX or [LIEU] in them have gone out.",
    urgent=Level.SECOND,
    orders=True,
)
def text_finished(context: CheckContext) -> Iterator[Hit]:
    """Refuse a text that still holds a placeholder."""
    for part in context.parts:
        for mark in _MARKS.finditer(part.text):
            if mark[0] != "xx" or part.typed(*mark.span()).isupper():
                yield Hit(part.field, part.place(*mark.span()))
        for match in part.found.get("unfinished", ()):
            if not part.starts(match.first - 1, "formulaire", "dossier", "fiche", "questionnaire", "document"):
                yield _hit(part, match)
        for match in part.found.get("test", ()):
            if part.tokens[match.first].capitals and not part.in_capitals:
                yield _hit(part, match)
        for match in part.found.get("placeholder", ()):
            start = part.tokens[match.first].start - 1
            closed = _CLOSED.match(part.text, start + 1)
            if closed and start >= 0 and part.text[start] in "[<{":
                yield Hit(part.field, part.place(start, closed.end()))


PLAIN: Final = tuple(plain_rule(code, table) for code, table in texts().items() if "lists" in table)
"""The rules of `rules.toml` that are lists alone."""
