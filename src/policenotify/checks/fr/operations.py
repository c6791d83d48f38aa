"""Rules about operations: what must stay unknown while they last, and what only the State announces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from policenotify.checks.fr.law import has, hit, is_of, law, texts_of_persons
from policenotify.checks.fr.persons import ADULT, ages
from policenotify.checks.rule import CheckContext, Hit
from policenotify.checks.text import TextPart
from policenotify.checks.words import Match
from policenotify.findings import Level
from policenotify.model.cap import CapCategory
from policenotify.model.lifecycle import Stage
from policenotify.text.links import find_links, host_of

_IMPERATIVE: Final = re.compile(r"(?!(?:chez|assez|nez|rez)$)\w{3,}ez$")
_HOUR: Final = re.compile(r"(?<!\w)(?:\d{1,2} ?(?:h|heures?)(?: ?\d{2})?|\d{1,2}:\d{2}|midi|minuit)(?!\w)")
_SOON: Final = re.compile(
    r"(?<!\w)(?:dans|sous|d'ici) (?:\d{1,3}|une?|deux|trois|cinq|dix|quinze|vingt|trente|quelques)[ -]"
    r"(?:quarts? d'heure|demi[ -]heure|minutes?|min|heures?|instants?)(?!\w)"
)
_ROAD: Final = re.compile(r"(?<!\w)(?:[adnm]|r[dn]) ?\d{1,4}(?!\w)")
_COUNTED: Final = re.compile(
    r"\d{1,3}|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|douze|quinze|vingt|dizaine|vingtaine"
)
_OFFICIAL: Final = (
    *("alerte-enlevement.gouv.fr", "justice.gouv.fr", "interieur.gouv.fr", "gouvernement.fr", "service-public.fr"),
)


@law(
    "PN301",
    basis="Code pénal, art. 226-13; loi du 29 juillet 1881, art. 39 sexies.",
    levels=(Level.SECOND,),
    urgent=Level.SECOND,
)
def no_operation_told(context: CheckContext) -> Iterator[Hit]:
    """Ask before tactics, controls, hidden officers, and moves of protected persons are published."""
    message = context.message
    over = message.stage in {Stage.END, Stage.CANCELLATION}
    for part in texts_of_persons(context):
        matches = [] if over else [*_tactics(part, context), *_movements(part)]
        sentences: dict[int, Match] = {}  # one remark each is enough
        for match in (*matches, *_controls(part, context), *_hidden(part)):
            sentences.setdefault(part.sentence(match.first).start, match)
        yield from (hit(part, match) for match in sentences.values())


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
    links = (message.link or "", *(span.value for part in context.parts for span in find_links(part.original)))
    official = any(is_of(host_of(link), _OFFICIAL) for link in links if link)
    if context.profile.search and not context.profile.needs_basis:
        if message.stage in {Stage.OPENING, Stage.UPDATE, Stage.STANDALONE} and not official:
            yield Hit("link", None, None, "link")
        return
    if context.profile.general or message.stage is Stage.END or has(context, "denied"):
        return
    for part in context.parts:
        yield from (hit(part, match) for match in part.found.get("abduction", ()))
        for match in part.found.get("abducted", ()):
            sentence = part.sentence(match.first)
            if part.within("minor", sentence) or any(age.first in sentence for age in ages(part, ADULT)):
                yield hit(part, match)
