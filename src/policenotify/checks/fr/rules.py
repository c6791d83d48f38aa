"""Rules about innocence, identifiers, homes, health, pictures, links and unfinished texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from policenotify.checks.fr import numbers
from policenotify.checks.fr.law import has, hit, is_of, law, plain_rule, texts
from policenotify.checks.fr.persons import ADULT, ages
from policenotify.checks.rule import CheckContext, Hit, every_text
from policenotify.checks.text import TextPart
from policenotify.checks.words import Match
from policenotify.findings import Level
from policenotify.model.lifecycle import Stage
from policenotify.render.redaction import house_numbers
from policenotify.text.house_numbers import remove_house_numbers, street_names
from policenotify.text.links import host_of

_MARKS: Final = re.compile(
    r"(?<!\w)(?:xx+h?x*|jj ?/ ?mm(?: ?/ ?aa(?:aa)?)?|h{1,2}hm{2}|hh ?: ?mm)(?!\w)|\?{4,}|(?<!\w)_{2,}"
    r"|(?<!\w)(?:a|de|rue|vers|du|au|avenue|le) \?+|\{{1,2} {0,2}[a-z_]\w{0,30} {0,2}\}{1,2}|<[a-z_][a-z_ ']{1,40}>"
    r"|\[[^\[\]]{0,30}(?:\?|_|\.\.)\]|\[\[[^\[\]]{1,40}\]\]|\[ {0,3}\]"
)
_BETWEEN: Final = frozenset({"deja", "ensuite", "aussi", "bien", "tout", "les", "lui", "leur"})
_ACCUSED: Final = frozenset({"suspect", "suspects", "mis", "mise", "aux", "contre", "face"})
_MAY_BE_HOME: Final = re.compile(r"\d|bat|escalier|app|immeuble|bloc|cage|logement|tour|building")
_AT_HOME: Final = re.compile(r"(?<!\w)(?:domicile|chez (?:elle|lui|eux)|habit(?:e|ait)|demeurait)(?!\w)")
_SERVICE: Final = re.compile(r"(?:commissariat|mairie|gymnase|h[oô]tel de police|pr[ée]fecture|accueil)[^.!?]{0,40}\Z")
_CLOSED: Final = re.compile(r"[^\[\]<>{}\n]{0,60}[\]>}]")
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


@law("PN201", basis="Code civil, art. 9-1; CPP, art. 11, al. 3.", levels=(Level.SECOND,))
def innocence_presumed(context: CheckContext) -> Iterator[Hit]:
    """Ask about words that call a person guilty who has not been judged."""
    arrested, profile = has(context, "arrested"), context.profile
    of_everyone = profile.general or not (profile.judicial or profile.opens_incident)
    if has(context, "judged") or (of_everyone and not arrested):
        return
    for part in context.parts:
        matches = list(part.found.get("guilt", ()))
        if not arrested:
            matches = [match for match in matches if not _is_of_anybody(part, match)]
        if arrested or profile.needs_basis:
            for match in (*part.found.get("guilt_told", ()), *_deeds(part)):
                if not _is_presumed(part, match, _ACCUSED):
                    yield hit(part, match)
        for match in matches:
            if not _is_presumed(part, match):
                yield hit(part, match)


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
        words = part.tokens[max(part.sentence(match.first).start, match.first - 3) : match.first]
        before = [token.word for token in words if not (token.word.endswith("ment") or token.word in _BETWEEN)]
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


@law("PN207", basis="RGPD, art. 4; CPP, art. 11.", levels=(Level.BLOCK, Level.SECOND), urgent=Level.BLOCK, orders=True)
def no_number_plate(context: CheckContext) -> Iterator[Hit]:
    """Refuse a number plate, whole or in part."""
    covered = context.profile.appeal and (context.agreed("prosecutor") or bool(context.profile.source))
    for part in context.parts:
        for place in numbers.plates(part):
            yield Hit(part.field, part.place(*place), covered=covered)


@law(
    "PN208",
    basis="RGPD, art. 5.",
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
    basis="RGPD, art. 5.",
    levels=(Level.SECOND,),
    orders=True,
)
def no_private_mail(context: CheckContext) -> Iterator[Hit]:
    """Ask about a mail address that is not a service's."""
    for part in context.parts:
        services = part.words.entries.get("service_domains", ())
        for place, host in numbers.mail_addresses(part):
            if not is_of(host, services):
                yield Hit(part.field, part.place(*place))


@law(
    "PN210",
    basis="Code pénal, art. 223-1-1 and 226-1: what lets people find a person's home.",
    levels=(Level.BLOCK, Level.SECOND, Level.ADVISE),
)
def home_not_named(context: CheckContext) -> Iterator[Hit]:
    """Refuse the home of a victim or a suspect, ask about others in a judicial message, and report what is removed."""
    message, typed = context.message, context.typed or context.message
    if typed is not message:
        before, after = ({name: text for _, name, text in every_text(each)} for each in (typed, message))
        for name, removed in house_numbers(typed, (entry.message for entry in context.history.entries)):
            if removed and before.get(name) != after.get(name):
                yield Hit(name, None, Level.ADVISE, "removed")
    judicial = context.profile.judicial
    known = judicial and has(context, "victim", "harmed", "arrested", "suspected")
    usual = Level.BLOCK if known else Level.SECOND if judicial else Level.ADVISE
    for part in context.parts if judicial else context.prose:
        level = Level.BLOCK if part.has("victim") and _AT_HOME.search(part.text) else usual
        text = part.original if _MAY_BE_HOME.search(part.text) else ""
        for number in remove_house_numbers(text, street_names(text), units=True).removed:
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
                yield hit(part, match, covered=covered)


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
                yield from (hit(part, match) for match in part.found.get(name, ()))
            yield from (hit(part, match) for match in (() if hidden else ages(part, ADULT)))


@law(
    "PN310",
    basis="Numbers and sites of services, checked on 2026-06-01.",
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
            yield hit(part, match, Level.ADVISE, "short")
        for host in _HOST.finditer(part.text):
            if _imitates(host[0]):
                yield Hit(part.field, part.place(*host.span()), None, "link")


def _imitates(host: str) -> bool:
    """Return True for a host that looks like one of the State's and is none."""
    name = host.lower().replace("-", "")
    return not is_of(host.lower(), _GENUINE) and "." in host and any(each in name for each in _IMITATED)


@law(
    "PN423",
    basis="Posts with XXX or [LIEU] in them have gone out.",
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
                yield hit(part, match)
        for match in part.found.get("test", ()):
            if part.tokens[match.first].capitals and not part.in_capitals:
                yield hit(part, match)
        for match in part.found.get("placeholder", ()):
            start = part.tokens[match.first].start - 1
            closed = _CLOSED.match(part.text, start + 1)
            if closed and start >= 0 and part.text[start] in "[<{":
                yield Hit(part.field, part.place(start, closed.end()))


PLAIN: Final = tuple(plain_rule(code, table) for code, table in texts().items() if "lists" in table)
"""The rules of `rules.toml` that are lists alone."""
